package sangdam_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sangdam/sangdam"
)

// What an operator looks at: how much waits, and what a person has to decide.
func ExampleEngine_Trouble() {
	ctx := context.Background()
	s := open(nil)
	defer s.stop()
	s.writes("jun", "Is anybody there?")
	load := must(s.Load(ctx, s.host))
	fmt.Println(load.Queues[0].Name, "waiting:", load.Queues[0].Waiting, "online:", load.Queues[0].Online, "sending:", load.Sending)

	// A genuine webhook with an event that this version cannot read is answered 200,
	// kept, and set aside. It stands in nobody's way.
	request := s.office.Webhook([]byte(`{"kind":"card","id":"9","from":"sol","text":17}`))
	post := httptest.NewRequest(http.MethodPost, "/webhooks/"+s.token, strings.NewReader(string(request.Body)))
	post.Header = request.Header
	s.Webhooks().ServeHTTP(httptest.NewRecorder(), post)
	s.until(func() bool { return len(must(s.Trouble(ctx, s.host, 10)).Quarantined) > 0 })
	trouble := must(s.Trouble(ctx, s.host, 10))
	for _, q := range trouble.Quarantined {
		fmt.Println("set aside:", q.Reason)
	}
	fmt.Println("unknown:", len(trouble.Unknown), "dead jobs:", len(trouble.Dead))
	// With a version that can read it: Requeue; here it is set aside again.
	check(s.Requeue(ctx, s.host, sangdam.Requeue{Envelope: trouble.Quarantined[0].Envelope.ID}))
	// Output:
	// All waiting: 1 online: 0 sending: 0
	// set aside: postcard: the card has no text, sender or id: invalid
	// unknown: 0 dead jobs: 0
}

// Somebody asks to be forgotten. First one looks what that would take and what is
// still open, then it is done, and afterwards one can say what lies beyond reach.
func ExampleEngine_EraseContact() {
	ctx := context.Background()
	s := open(nil)
	defer s.stop()
	c := s.writes("jun", "My address is Mapo-daero 1, Seoul")
	plan := must(s.PlanErasure(ctx, s.host, c.Contact))
	fmt.Println(plan.Identities, "identity,", plan.Conversations.N, "conversation, open:", len(plan.OpenConversations))
	must(s.End(ctx, s.host, sangdam.End{Conversation: c.ID, Final: true}))

	must(s.EraseContact(ctx, s.host, sangdam.EraseContact{Contact: c.Contact, Version: plan.Version, Reason: "asked for by letter"}))
	s.until(func() bool { return must(s.Erasure(ctx, s.host, c.Contact)).State == sangdam.ErrandDone })
	done := must(s.Erasure(ctx, s.host, c.Contact))
	fmt.Println("erased:", done.Identities, done.Conversations, done.Messages)
	for _, beyond := range done.Beyond {
		fmt.Println("not reached:", beyond.What)
	}
	detail := must(s.Conversation(ctx, s.host, c.ID))
	fmt.Printf("%q %q\n", detail.Messages[0].Content.Text, detail.Conversation.Preview)
	// Output:
	// 1 identity, 1 conversation, open: 1
	// erased: 1 1 1
	// not reached: provider
	// not reached: plumbing
	// not reached: database_backup
	// not reached: others
	// "" ""
}
