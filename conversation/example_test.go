package conversation_test

import (
	"fmt"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// A Draft applies the rules and collects what is to be written.
func ExampleDraft() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	d := conversation.Open(conversation.Conversation{ID: "c1", Thread: "contact:k/stream:line"}, "", "customer", now)
	d.AddInbound(conversation.Message{ID: "m1", Content: channel.Text("환불 되나요?"), OccurredAt: now}, nil)
	_ = d.Queued("system", "everyone")
	_ = d.Assigned("mina", "agent:mina")
	fmt.Println(d.C.State, d.C.Agent)
	for _, e := range d.Events {
		fmt.Println(e.Seq, e.Kind, e.Actor)
	}
	// Output:
	// active mina
	// 1 opened customer
	// 2 message customer
	// 3 queued system
	// 4 state agent:mina
	// 5 control agent:mina
	// 6 assigned agent:mina
}

// Texts are found by language, then by its base, then for everybody.
func ExampleAutoText() {
	texts := conversation.Texts{conversation.AutoGreeting: {"ko": "안녕하세요!", "": "Hello!"}}
	fmt.Println(conversation.AutoText(conversation.AutoGreeting, "ko-KR", texts))
	fmt.Println(conversation.AutoText(conversation.AutoGreeting, "th", texts))
	// Output:
	// 안녕하세요!
	// Hello!
}
