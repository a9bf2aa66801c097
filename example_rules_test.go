package sangdam_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// A trigger calls a web hook for each ticket about money. What its conditions may
// ask, and what its texts and web hooks may hold, Triggers tells.
func ExampleEngine_SaveTrigger() {
	ctx := context.Background()
	crm := webhooktest.New(webhooktest.Options{}) // plays the receiver
	s := open(func(cfg *sangdam.Config, _ *sangdam.Setup) {
		cfg.Carriers = []notify.Carrier{webhook.New(webhook.Options{Transport: crm.Transport()})}
	})
	defer s.stop()
	must(s.SaveTarget(ctx, s.host, sangdam.SaveTarget{Target: notify.Target{ID: "crm", Kind: webhook.Kind, Name: "CRM",
		Settings: []byte(`{"url":"https://crm.example/hook"}`),
		Secrets:  map[string]channel.Secret{webhook.SecretName: crm.Secret()}}})) // in earnest webhook.NewSecret(), told to the receiver
	must(s.SaveTrigger(ctx, s.host, sangdam.SaveTrigger{Trigger: trigger.Trigger{
		ID: "refunds", Title: "Refunds go to the CRM", Subject: "ticket", Active: true,
		When: condition.Condition{All: []condition.Clause{
			{Field: trigger.FieldEvent, Op: condition.Is, Value: "created"},
			{Field: "tags", Op: condition.Has, Value: "refund"}}},
		Actions: []trigger.Action{trigger.Do(action.Webhook, action.WebhookParams{Target: "crm", Fields: []string{"number", "title"}})}}}))
	may := must(s.Triggers(ctx, s.host, "ticket"))
	fmt.Println(may.Fields[0].Name, may.Fields[0].Values[:3], may.Placeholders[:4])

	must(s.OpenTicket(ctx, s.host, sangdam.OpenTicket{Title: "Money back for order 17", Tags: []string{"refund"}}))
	s.until(func() bool { return len(crm.Acted()) == 1 })
	fmt.Println(crm.Acted()[0].Type)
	// Output:
	// event [created merged split] [record.kind record.id record.link number]
	// ticket.created
}

// A ticket is made of a chat: customer, desk, language and log go with it, and
// what is answered on it is said in the chat.
func ExampleEngine_OpenTicket_chat() {
	ctx := context.Background()
	s := open(func(_ *sangdam.Config, setup *sangdam.Setup) {
		setup.Agents[0].Permissions = append(setup.Agents[0].Permissions, routing.PermitTicket)
	})
	defer s.stop()
	s.online()
	s.writes("jun", "The lamp is broken")
	s.until(func() bool { return s.of("jun").Agent == "mina" })
	opened := must(s.OpenTicket(ctx, s.mina, sangdam.OpenTicket{Conversation: s.of("jun").ID}))
	detail := must(s.Ticket(ctx, s.mina, opened.Ticket))
	fmt.Println(detail.Ticket.Number, detail.Ticket.Title, detail.Ticket.Desk)
	must(s.UpdateTicket(ctx, s.mina, sangdam.UpdateTicket{Ticket: opened.Ticket, Version: opened.Version,
		Comment: &sangdam.TicketComment{Text: "A new one is on its way.", Public: true}}))
	fmt.Println(s.heard("jun", 1))
	// Output:
	// 1 The lamp is broken support
	// [A new one is on its way.]
}

// byTeam asks the agents of the team first that a rule named for the work.
type byTeam struct{}

func (byTeam) Name() string { return "by_team" }

func (byTeam) Key(it routing.Item, a routing.Agent, _ routing.Queue) float64 {
	if a.Attributes["team"] == it.Attributes["team"] {
		return 0
	}
	return 1
}

// A strategy of the host's own, which a queue names. What it goes by is set by a
// rule of the work stream, or by a bot as an attribute of the conversation.
func ExampleConfig_strategies() {
	ctx := context.Background()
	s := open(func(cfg *sangdam.Config, setup *sangdam.Setup) {
		cfg.Strategies = map[string]routing.Strategy{"by_team": byTeam{}}
		jin := setup.Agents[0]
		jin.ID, jin.Name, jin.Attributes = "jin", "Jin", map[string]string{"team": "refunds"}
		setup.Agents = append(setup.Agents, jin)
		setup.Desks[0].Members, setup.Queues[0].Members = []routing.AgentID{"mina", "jin"}, []routing.AgentID{"mina", "jin"}
		setup.Queues[0].Strategy = "by_team"
		setup.WorkStreams[0].Rules = []routing.Rule{{Name: "money", Set: map[string]string{"team": "refunds"},
			When: condition.Condition{All: []condition.Clause{{Field: "message", Op: condition.Contains, Value: "refund"}}}}}
	})
	defer s.stop()
	s.online()
	check(s.SetPresence(ctx, s.host, sangdam.SetPresence{Agent: "jin", Presence: routing.Online}))
	s.writes("sol", "I want a refund")
	s.until(func() bool { return s.of("sol").Agent != "" })
	fmt.Println(s.of("sol").Agent)
	// Output: jin
}

// Opening hours of a desk: outside of them customers hear the away message, and
// nobody is offered anything until it opens.
func ExampleSetup_hours() {
	week := hours.Every([]hours.Interval{{From: hours.At(9, 0), To: hours.At(18, 0)}},
		time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
	weekdays := hours.Calendar{Zone: "Asia/Seoul", Week: week, Exceptions: []hours.Exception{{Name: "설날", Holiday: true,
		From: hours.Date{Year: 2027, Month: time.February, Day: 6}, To: hours.Date{Year: 2027, Month: time.February, Day: 9}}}}
	some := hours.Date{Year: 2190, Month: time.January, Day: 1} // so that this example says the same at any hour
	closed := hours.Calendar{Zone: "Asia/Seoul", Closed: true, Exceptions: []hours.Exception{{From: some, To: some,
		Open: []hours.Interval{{From: hours.At(9, 0), To: hours.At(18, 0)}}}}}
	s := open(func(_ *sangdam.Config, setup *sangdam.Setup) {
		setup.Queues[0].Hours = &weekdays // counts where the desk has none
		setup.Desks[0].Hours = &closed
		setup.Desks[0].Messages = automated.Texts{automated.Away: {"": "We answer from 9 to 6.", "ko": "9시부터 6시까지 답해 드립니다."}}
	})
	defer s.stop()
	s.online()
	s.writes("jun", "Is anybody there?")
	fmt.Println(s.heard("jun", 1), s.of("jun").Agent == "")
	// Output: [We answer from 9 to 6.] true
}

// What a host mounts: each by itself, below any path, and only what it uses.
func ExampleEngine_Webhooks() {
	s := open(nil)
	defer s.stop()
	loggedIn := func(*http.Request) (sangdam.Principal, error) { return s.mina, nil } // by the host's session
	mux := http.NewServeMux()
	mux.Handle("/webhooks/", s.Webhooks())                                    // providers, by the account's token
	mux.Handle("/files/", sangdam.AttachmentLinks(s.Engine))                  // Config.FilesURL: providers and customers fetch files
	mux.Handle("/media/", sangdam.Attachments(s.Engine, loggedIn))            // a console of your own: files of messages, uploads
	mux.Handle("/ticket-files/", sangdam.TicketFiles(s.Engine, loggedIn))     // and of tickets
	mux.Handle("/events", sangdam.EventStream(s.Engine, loggedIn))            // and what happens
	mux.Handle("/hooks/", s.TargetHooks())                                    // receivers of hand-overs report here
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second} // no WriteTimeout: the event streams stay open
	fmt.Println(server.WriteTimeout)
	// Output: 0s
}
