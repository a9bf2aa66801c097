// Command quickstart receives LINE messages, routes them to an agent that is a
// few lines of code, and answers. What it knows is gone when it ends: to keep
// it, put sqlite.Open and a key file in the places of memory.New and
// seal.Ephemeral, as examples/helpdesk does.
//
//	LINE_CHANNEL_ID=… LINE_CHANNEL_SECRET=… LINE_CHANNEL_TOKEN=… go run ./examples/quickstart
//
// Without an account at LINE, an emulator plays LINE and prints the variables:
//
//	go run ./channel/line/linetest/cmd/lineemu -webhook http://127.0.0.1:8080/
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

var host, mina = sangdam.Host("shop"), sangdam.AgentPrincipal("shop", "mina")

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:8080") // LINE must reach it by an https address, at any path
	log.Fatal(cmp.Or(err, run(context.Background(), ln, os.Getenv)))
}

func run(ctx context.Context, ln net.Listener, env func(string) string) error {
	for _, name := range []string{"LINE_CHANNEL_ID", "LINE_CHANNEL_SECRET", "LINE_CHANNEL_TOKEN"} {
		if env(name) == "" {
			return fmt.Errorf("%s is not set; LINE's console shows it, and so does lineemu, which plays LINE", name)
		}
	}
	lineAdapter, errLine := line.New(line.Options{APIBase: env("LINE_API_BASE"), DataAPIBase: env("LINE_DATA_API_BASE")})
	keys, errKeys := seal.Ephemeral()
	eng, errNew := sangdam.New(sangdam.Config{DB: memory.New(memory.Options{}), Sealer: keys, Adapters: []adapter.Adapter{lineAdapter}})
	if err := errors.Join(errLine, errKeys, errNew); err != nil {
		return err
	}
	account, err := setUp(ctx, eng, env)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: eng.AccountWebhook(account.Token), ReadTimeout: 10 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return srv.Serve(ln) })
	group.Go(func() error { return eng.Run(ctx) })
	group.Go(func() error { return agent(ctx, eng) })
	group.Go(func() error { <-ctx.Done(); return srv.Close() })
	return group.Wait()
}

// setUp makes a desk with one agent, and a LINE account that the desk answers.
func setUp(ctx context.Context, eng *sangdam.Engine, env func(string) string) (channel.Account, error) {
	errShop := eng.CreateWorkspace(ctx, "shop", "Shop")
	mina := routing.Agent{ID: "mina", Name: "Mina", Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 10}}
	_, errAgent := eng.SaveAgent(ctx, host, sangdam.SaveAgent{Agent: mina})
	_, errDesk := eng.SaveDesk(ctx, host, sangdam.SaveDesk{Desk: routing.Desk{ID: "support", Name: "Support"}, Agent: "mina"})
	all := routing.Queue{ID: "all", Name: "All", Members: []routing.AgentID{"mina"}}
	_, errQueue := eng.SaveQueue(ctx, host, sangdam.SaveQueue{Queue: all})
	stream := routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line", Mode: routing.Push, Cost: 1, Queue: "all",
		AutoAccept: true, Messages: automated.Texts{automated.Greeting: {"": "Hello! One moment, please."}}}
	_, errStream := eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: stream})
	if err := errors.Join(errShop, errAgent, errDesk, errQueue, errStream); err != nil {
		return channel.Account{}, err
	}
	account := channel.Account{Kind: line.Kind, Name: "Shop", Desk: "support", WorkStream: "line",
		Settings: fmt.Appendf(nil, `{"channel_id":%q}`, env("LINE_CHANNEL_ID")), Secrets: map[string]channel.Secret{
			line.SecretChannel: channel.NewSecret(env("LINE_CHANNEL_SECRET")),
			line.SecretToken:   channel.NewSecret(env("LINE_CHANNEL_TOKEN"))}}
	saved, err := eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: account})
	return saved.Account, err
}

// agent comes online and answers every conversation that has something new.
func agent(ctx context.Context, eng *sangdam.Engine) error {
	hints, stop := eng.Watch()
	defer stop()
	err := eng.SetPresence(ctx, mina, sangdam.SetPresence{Agent: "mina", Presence: routing.Online})
	for err == nil {
		var page sangdam.Page
		page, err = eng.Conversations(ctx, mina, conversation.Filter{Agent: "mina"}, "", 0)
		for _, c := range page.Conversations {
			if c.Unread > 0 && err == nil {
				_, err = eng.Answer(ctx, mina, sangdam.Answer{Conversation: c.ID, Content: channel.Text("This is Mina. How can I help?")})
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-hints: // there may be news
		case <-time.After(10 * time.Second): // hints may be missing, and an agent's heart beats
			err = cmp.Or(err, eng.Heartbeat(ctx, "shop", "mina"))
		}
	}
	return err
}
