package automated_test

import (
	"fmt"

	"github.com/sangdam/sangdam/conversation/automated"
)

// Texts are found by language, then by its base, then for everybody.
func ExampleText() {
	texts := automated.Texts{automated.Greeting: {"ko": "안녕하세요!", "": "Hello!"}}
	fmt.Println(automated.Text(automated.Greeting, "ko-KR", texts))
	fmt.Println(automated.Text(automated.Greeting, "th", texts))
	// Output:
	// 안녕하세요!
	// Hello!
}
