// Command firststep is the program of the README: a customer writes on LINE,
// which the emulator plays in this process, an agent gets the conversation and
// answers. It needs no account and no service, and keeps what it knows in the
// directory given, ./firststep-data by default.
//
//	go run ./examples/firststep
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/seal/tinkseal"
	"github.com/sangdam/sangdam/store/sqlite"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: firststep [directory of the data]") }
	flag.Parse()
	said, err := run(ctx, cmp.Or(flag.Arg(0), "firststep-data"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Jun's phone shows:", said)
}

func run(ctx context.Context, dir string) ([]string, error) {
	// The emulator hands its webhooks to the handler below without a network.
	var webhooks http.Handler
	phone := linetest.New(linetest.Options{WebhookClient: &http.Client{Transport: emukit.Transport(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { webhooks.ServeHTTP(w, r) }))}})
	defer phone.Close()

	// README
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	keys, _, errKeys := tinkseal.OpenOrCreate(filepath.Join(dir, "keys.json"))
	lineAdapter, errLine := line.New(line.Options{HTTPClient: &http.Client{Transport: phone.Transport()}})
	assigned := make(chan routing.Assignment, 1)
	eng, errNew := sangdam.New(sangdam.Config{DB: db, Sealer: keys, Adapters: []adapter.Adapter{lineAdapter},
		Hooks: sangdam.Hooks{Assigned: func(_ sangdam.WorkspaceID, a routing.Assignment) { assigned <- a }}})
	if err := errors.Join(errKeys, errLine, errNew); err != nil {
		return nil, err
	}
	account, err := setUp(ctx, eng, phone) // once: a desk with Mina on it, a queue, and the LINE account
	if err != nil {
		return nil, err
	}
	webhooks = eng.Webhooks()        // mount it in your server: LINE posts to /webhooks/<token>
	go func() { _ = eng.Run(ctx) }() // routes, sends, keeps deadlines; drains when ctx ends

	mina := sangdam.AgentPrincipal("shop", "mina") // your log-in decides who this is
	err = eng.SetPresence(ctx, mina, sangdam.SetPresence{Agent: "mina", Presence: routing.Online})
	if err != nil { // from now on call eng.Heartbeat while she is there: after a minute without she is offline
		return nil, err
	}
	phone.SetWebhook("https://shop.example/webhooks/" + account.Token)
	jun := phone.User("Jun")
	jun.SendText("Do you have this in blue?") // stored durably before LINE gets its 200

	work := <-assigned // Mina's: the stream accepts for her
	_, err = eng.Answer(ctx, mina, sangdam.Answer{Conversation: conversation.ID(work.Item), Content: channel.Text("Yes, we do!")})
	if err != nil {
		return nil, err
	}
	err = phone.WaitDelivered(ctx, jun, 2)
	said := jun.Texts()
	_, errEnd := eng.End(ctx, mina, sangdam.End{Conversation: conversation.ID(work.Item), Final: true})
	return said, errors.Join(err, errEnd)
	// README
}

// setUp makes what the shop needs the first time; later it finds its account.
func setUp(ctx context.Context, eng *sangdam.Engine, phone *linetest.Server) (channel.Account, error) {
	host := sangdam.Host("shop")
	err := eng.CreateWorkspace(ctx, "shop", "Shop")
	if errors.Is(err, sangdam.ErrAlreadyExists) {
		accounts, err := eng.Accounts(ctx, host)
		if err != nil || len(accounts) == 0 {
			return channel.Account{}, errors.Join(err, errors.New("the directory holds a shop that was not set up to its end; delete it"))
		}
		return accounts[0], nil
	}
	mina := routing.Agent{ID: "mina", Name: "Mina", Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 10}}
	_, errAgent := eng.SaveAgent(ctx, host, sangdam.SaveAgent{Agent: mina})
	_, errDesk := eng.SaveDesk(ctx, host, sangdam.SaveDesk{Desk: routing.Desk{ID: "support", Name: "Support"}, Agent: "mina"})
	all := routing.Queue{ID: "all", Name: "All", Members: []routing.AgentID{"mina"}}
	_, errQueue := eng.SaveQueue(ctx, host, sangdam.SaveQueue{Queue: all})
	stream := routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line", Mode: routing.Push, Cost: 1, Queue: "all",
		AutoAccept: true, Messages: automated.Texts{automated.Greeting: {"": "Hello! One moment, please."}}}
	_, errStream := eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: stream})
	if err := errors.Join(err, errAgent, errDesk, errQueue, errStream); err != nil {
		return channel.Account{}, err
	}
	shop, err := eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: channel.Account{Kind: line.Kind, Name: "Shop", Desk: "support",
		WorkStream: "line",
		Settings:   fmt.Appendf(nil, `{"channel_id":%q}`, phone.ChannelID()), Secrets: map[string]channel.Secret{
			line.SecretChannel: channel.NewSecret(phone.ChannelSecret()), line.SecretToken: channel.NewSecret(phone.ChannelToken())}}})
	return shop.Account, err
}
