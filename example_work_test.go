package sangdam_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// An order that somebody has to look at waits in a queue, is offered like a
// conversation, and counts against the same capacity, until the host says that it
// is done.
func ExampleEngine_Enqueue() {
	ctx := context.Background()
	s := open(nil)
	defer s.stop()
	s.online()
	order := routing.Subject{Kind: "order", ID: "17"}
	must(s.Enqueue(ctx, s.host, sangdam.Enqueue{Key: "check order 17", Subject: order, Queue: "all", Desk: "support",
		Permission: routing.PermitChat, Cost: 3, Priority: 5, OfferFor: time.Minute}))

	held := func() sangdam.Held { return must(s.Held(ctx, s.mina, "mina")) }
	s.until(func() bool { return len(held().Offers) == 1 })
	offer := held().Offers[0]
	fmt.Println("offered:", offer.Item.Subject())
	must(s.Accept(ctx, s.mina, sangdam.Accept{Offer: offer.ID}))
	fmt.Println("in hand:", held().Assignments[0].Item.Subject())
	check(s.Finish(ctx, s.host, sangdam.Finish{Subject: order}))
	fmt.Println("in hand:", len(held().Assignments))
	// Output:
	// offered: {order 17}
	// in hand: {order 17}
	// in hand: 0
}

// Why Jin was chosen, as it was at that moment, and who else could have been.
func ExampleEngine_ExplainDecision() {
	ctx := context.Background()
	s := open(func(_ *sangdam.Config, setup *sangdam.Setup) {
		jin := setup.Agents[0]
		jin.ID, jin.Name, jin.Skills = "jin", "Jin", []routing.Skill{{Name: "korean", Level: 3}}
		setup.Agents = append(setup.Agents, jin)
		setup.Desks[0].Members, setup.Queues[0].Members = []routing.AgentID{"mina", "jin"}, []routing.AgentID{"mina", "jin"}
		setup.WorkStreams[0].Rules = []routing.Rule{{Name: "korean", Skills: []routing.Skill{{Name: "korean", Level: 2}}}}
	})
	defer s.stop()
	s.online()
	check(s.SetPresence(ctx, s.host, sangdam.SetPresence{Agent: "jin", Presence: routing.Online}))
	s.writes("sol", "안녕하세요")
	s.until(func() bool { return s.of("sol").Agent != "" })

	why := must(s.ExplainDecision(ctx, s.host, routing.ItemID(s.of("sol").ID), time.Now()))
	fmt.Println("chosen:", why.Agent, "exact:", why.Exact)
	for _, c := range why.Considered {
		fmt.Println(c.Agent, c.Excluded)
	}
	// Output:
	// chosen: jin exact: true
	// jin []
	// mina [skill]
}

// Jun writes on two channels of one desk. Once the host knows that both are the
// same person, it is one conversation, and answers go to where Jun wrote last.
func ExampleEngine_LinkUser() {
	ctx := context.Background()
	s := open(func(_ *sangdam.Config, setup *sangdam.Setup) {
		second := setup.Accounts[0]
		second.ID, second.Name = "box-2", "The letter box of the other shop"
		second.Secrets = map[string]channel.Secret{"key": channel.NewSecret("the letter box's key")}
		setup.Accounts = append(setup.Accounts, second)
	})
	defer s.stop()
	s.online()
	first := s.writes("jun", "Where is my parcel?")
	s.until(func() bool { return s.of("jun").Agent == "mina" })
	must(s.LinkUser(ctx, s.host, sangdam.LinkUser{Account: "box-2", User: "jun-2", Contact: first.Contact}))
	accounts := must(s.Accounts(ctx, s.host))
	s.token = accounts[slices.IndexFunc(accounts, func(a channel.Account) bool { return a.ID == "box-2" })].Token
	s.office.Write("/webhooks/"+s.token, "jun-2", "I am here now.")
	s.until(func() bool { return s.of("jun-2").ID == first.ID })

	must(s.Answer(ctx, s.mina, sangdam.Answer{Conversation: first.ID, Content: channel.Text("It comes today.")}))
	fmt.Println("jun-2 got:", s.heard("jun-2", 1))
	_, known, err := s.Contact(ctx, s.mina, first.Contact)
	check(err)
	for _, i := range known {
		fmt.Println("known as", i.User)
	}
	fmt.Println("conversations:", len(must(s.Conversations(ctx, s.host, conversation.Filter{}, "", 10)).Conversations))
	// Output:
	// jun-2 got: [It comes today.]
	// known as jun
	// known as jun-2
	// conversations: 1
}
