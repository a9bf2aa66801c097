package conversation_test

import (
	"fmt"

	"github.com/sangdam/sangdam/conversation"
)

// Texts are found by language, then by its base, then for everybody.
func ExampleAutoText() {
	texts := conversation.Texts{conversation.AutoGreeting: {"ko": "안녕하세요!", "": "Hello!"}}
	fmt.Println(conversation.AutoText(conversation.AutoGreeting, "ko-KR", texts))
	fmt.Println(conversation.AutoText(conversation.AutoGreeting, "th", texts))
	// Output:
	// 안녕하세요!
	// Hello!
}
