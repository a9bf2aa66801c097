package draft_test

import (
	"fmt"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
)

// A Draft applies the rules and collects what is to be written.
func ExampleDraft() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	d := draft.Open(conversation.Conversation{ID: "c1", Thread: "contact:k/stream:line"}, "", "customer", now)
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
