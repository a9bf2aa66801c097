package sangdam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/postcard"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// A set-up kept in a file beside the host's code: looked at, applied, and applied
// again at the next start, when nothing is left to change.
func ExampleEngine_Apply() {
	s := open(nil) // has Mina, the desk "support" and the queue "all" already
	defer s.stop()
	var setup sangdam.Setup
	check(json.Unmarshal([]byte(`{
		"agents": [{"id": "jin", "name": "Jin", "role": "agent",
		            "permissions": ["chat"], "assign": {"chat": true}, "capacity": {"units": 5}}],
		"desks":  [{"id": "support", "name": "Support", "members": ["mina", "jin"]}],
		"queues": [{"id": "refunds", "name": "Refunds", "members": ["jin"],
		            "overflow": [{"when": "wait", "after": 300000000000, "do": "queue", "queue": "all"}]},
		           {"id": "all", "name": "All", "members": ["mina"]}]}`), &setup))

	plan, err := s.Plan(context.Background(), s.host, setup)
	check(err)
	for _, part := range plan.Parts {
		fmt.Println(part.Do, part.Kind, part.ID)
	}
	_, err = s.Apply(context.Background(), s.host, sangdam.Apply{Setup: setup, Version: plan.Version})
	check(err)
	again, err := s.Plan(context.Background(), s.host, setup)
	fmt.Println("then:", again.Parts[0].Do, err)
	// Output:
	// make agent jin
	// keep desk support
	// make desk_member support/jin
	// make queue refunds
	// keep queue all
	// then: keep <nil>
}

// Two queues and the rules that choose between them.
func ExampleEngine_SaveWorkStream() {
	ctx := context.Background()
	s := open(nil)
	defer s.stop()
	must(s.SaveQueue(ctx, s.host, sangdam.SaveQueue{Queue: routing.Queue{ID: "refunds", Name: "Refunds",
		Strategy: routing.LongestIdle, Members: []routing.AgentID{"mina"}}}))
	stream := must(s.Configuration(ctx, s.host)).WorkStreams["letters"] // with its version, so that nobody's change is lost
	urgent := 5
	stream.Rules = []routing.Rule{{
		Name: "money back", Queue: "refunds", Priority: &urgent, Stop: true,
		When: condition.Condition{Any: []condition.Clause{
			{Field: "message", Op: condition.Contains, Value: []string{"refund", "환불"}},
			{Field: "language", Op: condition.Is, Value: "ko"},
		}},
	}}
	must(s.SaveWorkStream(ctx, s.host, sangdam.SaveWorkStream{WorkStream: stream}))

	s.writes("jun", "Where is my parcel?")
	s.writes("sol", "I want a REFUND")
	for _, q := range must(s.Load(ctx, s.host)).Queues {
		fmt.Println(q.Name, "waiting:", q.Waiting)
	}
	for _, q := range must(s.Queues(ctx, s.mina, 10)) {
		fmt.Println(q.Item.Queue, q.Item.Priority, q.Conversation.Preview)
	}
	// Output:
	// All waiting: 1
	// Refunds waiting: 1
	// all 0 Where is my parcel?
	// refunds 5 I want a REFUND
}

// What a workspace sets once for all desks: read, changed, and given back with the
// version that was read, so that nobody's change is lost.
func ExampleEngine_SaveWorkspaceSettings() {
	ctx := context.Background()
	s := open(nil)
	defer s.stop()
	set := must(s.TicketSetup(ctx, s.mina)).Settings
	set.Languages = []string{"en", "ko"}
	set.States = []ticket.CustomState{{ID: "parcel", As: ticket.OnHold, Names: map[string]string{"en": "Waits for the parcel"}}}
	set.Channels.Confirm = true // an outside channel is switched on only by who confirms that data leaves
	saved := must(s.SaveWorkspaceSettings(ctx, s.host, sangdam.SaveWorkspaceSettings{Settings: set}))
	fmt.Println("version", saved.Version, saved.Warnings) // what lacks a language

	_, err := s.SaveWorkspaceSettings(ctx, s.mina, sangdam.SaveWorkspaceSettings{Settings: set})
	fmt.Println(errors.Is(err, sangdam.ErrPermissionDenied))
	account := channel.Account{Kind: postcard.Kind, Name: "Second box", Desk: "support", WorkStream: "letters",
		Secrets: map[string]channel.Secret{postcard.SecretKey: channel.NewSecret("the other box's key")}}
	_, err = s.SaveAccount(ctx, s.host, sangdam.SaveAccount{Account: account})
	fmt.Println(errors.Is(err, sangdam.ErrInvalid)) // it says that writing there leaves the organisation
	_, err = s.SaveAccount(ctx, s.host, sangdam.SaveAccount{Account: account, Confirmed: true})
	fmt.Println(err)
	// Output:
	// version 1 [state parcel has no text in ko]
	// true
	// true
	// <nil>
}

// trainees is the default policy, but agents who are marked as trainees see nothing
// of the account "box", by whatever way they ask.
type trainees struct{ sangdam.DefaultPolicy }

func (p trainees) Authorize(ctx context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
	if w.Agent != nil && w.Agent.Attributes["trainee"] != "" && r.Account == "box" {
		return sangdam.ErrNotFound
	}
	return p.DefaultPolicy.Authorize(ctx, w, a, r)
}

// A policy of the host's own.
func ExamplePolicy() {
	ctx := context.Background()
	s := open(func(cfg *sangdam.Config, setup *sangdam.Setup) {
		cfg.Policy = trainees{}
		jin := setup.Agents[0]
		jin.ID, jin.Name, jin.Attributes = "jin", "Jin", map[string]string{"trainee": "since May"}
		setup.Agents = append(setup.Agents, jin)
		setup.Desks[0].Members = append(setup.Desks[0].Members, "jin")
	})
	defer s.stop()
	c := s.writes("jun", "A question of the Daily")
	for _, who := range []sangdam.Principal{s.mina, sangdam.AgentPrincipal("shop", "jin")} {
		_, err := s.Conversation(ctx, who, c.ID)
		n := must(s.CountConversations(ctx, who, sangdam.ConversationView{}.Filter(), 10)).N
		fmt.Println(who.ID, "sees", n, err)
	}
	// Output:
	// mina sees 1 <nil>
	// jin sees 0 sangdam: there is no such conversation
}
