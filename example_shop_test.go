package sangdam_test

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/postcard"
	"github.com/sangdam/sangdam/channel/postcard/postcardtest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

// shop is what the examples of this package begin with: a running engine with one
// desk, one queue and one work stream, all of which are Mina's, and a post office
// by which customers write and read.
type shop struct {
	*sangdam.Engine
	host, mina sangdam.Principal
	office     *postcardtest.Office
	token      string
	stop       func()
}

// open makes the shop; change says what is different in an example. It panics
// where something goes wrong, as everything does that only examples share.
func open(change func(*sangdam.Config, *sangdam.Setup)) *shop {
	ctx := context.Background()
	s := &shop{host: sangdam.Host("shop"), mina: sangdam.AgentPrincipal("shop", "mina"), office: postcardtest.New("the letter box's key")}
	post := must(postcard.New(postcard.Options{Office: "https://post.example",
		HTTPClient: &http.Client{Transport: emukit.Transport(s.office)}}))
	cfg := sangdam.Config{DB: memory.New(memory.Options{}), Sealer: must(seal.Ephemeral()), Adapters: []adapter.Adapter{post}}
	setup := shopSetup()
	if change != nil {
		change(&cfg, &setup)
	}
	s.Engine = must(sangdam.New(cfg))
	check(s.CreateWorkspace(ctx, "shop", "Shop"))
	must(s.Engine.Apply(ctx, s.host, sangdam.Apply{Setup: setup}))
	s.token = must(s.Accounts(ctx, s.host))[0].Token
	s.office.SetWebhook(s.Webhooks())

	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	s.until(func() bool { return s.Ready(ctx) == nil })
	s.stop = func() {
		cancel()
		check(<-ended)
		check(cfg.DB.Close())
	}
	return s
}

func shopSetup() sangdam.Setup {
	mina := routing.Agent{ID: "mina", Name: "Mina", Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 10}}
	return sangdam.Setup{
		Agents: []routing.Agent{mina},
		Desks:  []sangdam.SetupDesk{{Desk: routing.Desk{ID: "support", Name: "Support"}, Members: []routing.AgentID{"mina"}}},
		Queues: []routing.Queue{{ID: "all", Name: "All", Members: []routing.AgentID{"mina"}}},
		WorkStreams: []routing.WorkStream{{ID: "letters", Name: "Letters", ChannelKind: "postcard", Mode: routing.Push, Cost: 1,
			Queue: "all", AutoAccept: true}},
		Accounts: []channel.Account{{ID: "box", Kind: postcard.Kind, Name: "Letter box", Desk: "support", WorkStream: "letters",
			Secrets: map[string]channel.Secret{postcard.SecretKey: channel.NewSecret("the letter box's key")}}},
	}
}

// online lets Mina be given work.
func (s *shop) online() {
	check(s.SetPresence(context.Background(), s.mina, sangdam.SetPresence{Agent: "mina", Presence: routing.Online}))
}

// writes has a customer write, and returns the conversation once it is there.
func (s *shop) writes(who, text string) conversation.Conversation {
	if status := s.office.Write("/webhooks/"+s.token, who, text); status != http.StatusOK {
		panic(http.StatusText(status))
	}
	s.until(func() bool {
		c := s.of(who)
		return c.ID != "" && slices.ContainsFunc(must(s.Conversation(context.Background(), s.host, c.ID)).Messages,
			func(m conversation.Message) bool { return m.Content.Text == text })
	})
	return s.of(who)
}

// of is the customer's conversation that changed last.
func (s *shop) of(who string) conversation.Conversation {
	all := must(s.Conversations(context.Background(), s.host, conversation.Filter{}, "", 50)).Conversations
	i := slices.IndexFunc(all, func(c conversation.Conversation) bool { return c.Chat.ID == who })
	if i < 0 {
		return conversation.Conversation{}
	}
	return all[i]
}

// heard waits until n cards reached the customer, and returns them.
func (s *shop) heard(who string, n int) []string {
	s.until(func() bool { return len(s.office.Delivered(who)) >= n })
	return s.office.Delivered(who)
}

func (s *shop) until(so func() bool) {
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			panic("what an example waits for did not happen within a minute")
		}
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
