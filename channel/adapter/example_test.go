package adapter_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
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

const boxKey = "the letter box's key"

// asked is the postcard channel for an office that calls nobody: the adapter asks
// it every now and then. Everything else is as where webhooks come.
type asked struct {
	*postcard.Adapter
	office *postcardtest.Office
}

// Run implements adapter.Runner: what is new is appended first, and how far one
// has read is saved after, so that a crash in between repeats and loses nothing.
func (a asked) Run(ctx context.Context, acct channel.Account, in adapter.Intake) error {
	checkpoint, err := in.Load(ctx)
	if err != nil {
		return err
	}
	read, _ := strconv.Atoi(string(checkpoint)) // 0 at the first run
	fmt.Println("begins after card", read)
	for {
		for _, card := range a.office.Written(read) {
			received, err := a.Receive(acct, a.office.Webhook(card))
			if err != nil {
				return err
			}
			if err := in.Append(ctx, received.Envelopes...); err != nil {
				return err
			}
			read++
			if err := in.Save(ctx, []byte(strconv.Itoa(read))); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// An adapter that fetches runs in the engine, on one process at a time; after a
// restart it goes on from its checkpoint.
func ExampleRunner() {
	db, keys, office := memory.New(memory.Options{}), must(seal.Ephemeral()), postcardtest.New(boxKey)
	defer func() { _ = db.Close() }()
	for day, card := range []string{"Is it blue?", "Hello?"} {
		office.Write("", "jun", card)
		post := must(postcard.New(postcard.Options{Office: "https://post.example",
			HTTPClient: &http.Client{Transport: emukit.Transport(office)}}))
		eng := must(sangdam.New(sangdam.Config{DB: db, Sealer: keys, Node: "one",
			Adapters: []adapter.Adapter{asked{post, office}}}))
		if day == 0 {
			setUp(eng)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- eng.Run(ctx) }()
		fmt.Println(said(ctx, eng, day+1))
		stop()
		fmt.Println("stopped:", <-ended)
	}
	// Output:
	// begins after card 0
	// [Is it blue?]
	// stopped: <nil>
	// begins after card 1
	// [Is it blue? Hello?]
	// stopped: <nil>
}

// said waits until the customer's conversation has n messages.
func said(ctx context.Context, eng *sangdam.Engine, n int) (texts []string) {
	host := sangdam.Host("shop")
	for ; len(texts) < n; time.Sleep(time.Millisecond) {
		texts = nil
		for _, c := range must(eng.Conversations(ctx, host, conversation.Filter{}, "", 10)).Conversations {
			for _, m := range must(eng.Conversation(ctx, host, c.ID)).Messages {
				texts = append(texts, m.Content.Text)
			}
		}
	}
	return texts
}

func setUp(eng *sangdam.Engine) {
	ctx := context.Background()
	if err := eng.CreateWorkspace(ctx, "shop", "Shop"); err != nil {
		panic(err)
	}
	must(eng.Apply(ctx, sangdam.Host("shop"), sangdam.Apply{Setup: sangdam.Setup{
		Agents:      []routing.Agent{{ID: "mina", Name: "Mina", Role: "agent"}},
		Desks:       []sangdam.SetupDesk{{Desk: routing.Desk{ID: "support", Name: "Support"}, Members: []routing.AgentID{"mina"}}},
		Queues:      []routing.Queue{{ID: "all", Name: "All", Members: []routing.AgentID{"mina"}}},
		WorkStreams: []routing.WorkStream{{ID: "letters", Name: "Letters", ChannelKind: "postcard", Mode: routing.Pick, Queue: "all"}},
		Accounts: []channel.Account{{ID: "box", Kind: postcard.Kind, Name: "Box", Desk: "support", WorkStream: "letters",
			Secrets: map[string]channel.Secret{postcard.SecretKey: channel.NewSecret(boxKey)}}}}}))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
