package sangdam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

// A customer writes on LINE, played by the emulator; an agent in code answers.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var webhook http.Handler
	platform := linetest.New(linetest.Options{WebhookClient: &http.Client{Transport: emukit.Transport(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { webhook.ServeHTTP(w, r) }))}})
	defer platform.Close()
	lineAdapter, _ := line.New(line.Options{HTTPClient: &http.Client{Transport: platform.Transport()}})
	keys, _ := seal.Ephemeral()
	assigned := make(chan routing.Assignment, 1)
	eng, err := sangdam.New(sangdam.Config{DB: memory.New(memory.Options{}), Sealer: keys, Adapters: []adapter.Adapter{lineAdapter},
		Hooks: sangdam.Hooks{Assigned: func(_ sangdam.WorkspaceID, a routing.Assignment) { assigned <- a }}})
	if err != nil {
		fmt.Println(err)
		return
	}

	host, mina := sangdam.Host("shop"), sangdam.AgentPrincipal("shop", "mina")
	settings, _ := json.Marshal(line.Settings{ChannelID: platform.ChannelID()})
	_ = eng.CreateWorkspace(ctx, "shop", "Shop")
	_, _ = eng.SaveAgent(ctx, host, sangdam.SaveAgent{Agent: routing.Agent{ID: "mina", Name: "Mina", Role: "agent",
		Permissions: []routing.Permission{routing.PermitChat},
		Assign:      routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 5}}})
	_, _ = eng.SaveDesk(ctx, host, sangdam.SaveDesk{Desk: routing.Desk{ID: "support", Name: "Support"}, Agent: "mina"})
	_, _ = eng.SaveQueue(ctx, host, sangdam.SaveQueue{Queue: routing.Queue{ID: "all", Name: "All", Members: []routing.AgentID{"mina"}}})
	stream := routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line", Mode: routing.Push, Cost: 1, Queue: "all",
		AutoAccept: true, Messages: automated.Texts{automated.Greeting: {"": "Hello!"}}}
	_, _ = eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: stream})
	shop := channel.Account{Kind: "line", Name: "Shop", Desk: "support", WorkStream: "line", Settings: settings,
		Secrets: map[string]channel.Secret{
			line.SecretChannel: channel.NewSecret(platform.ChannelSecret()),
			line.SecretToken:   channel.NewSecret(platform.ChannelToken())}}
	account, err := eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: shop})
	if err != nil {
		fmt.Println(err)
		return
	}

	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- eng.Run(running) }()
	for eng.Ready(ctx) != nil {
		time.Sleep(time.Millisecond)
	}
	webhook = eng.AccountWebhook(account.Token)
	platform.SetWebhook("https://shop.example/webhooks/line")
	customer := platform.User("Jun")
	customer.SendText("Do you have this in blue?")
	_ = platform.WaitDelivered(ctx, customer, 1)
	_ = eng.SetPresence(ctx, mina, sangdam.SetPresence{Agent: "mina", Presence: routing.Online})
	a := <-assigned
	_, err = eng.Answer(ctx, mina, sangdam.Answer{Conversation: conversation.ID(a.Item), Content: channel.Text("Yes, of course.")})
	if err == nil {
		err = platform.WaitDelivered(ctx, customer, 2)
	}
	fmt.Println(customer.Texts(), err)
	stop()
	fmt.Println(<-done)
	// Output:
	// [Hello! Yes, of course.] <nil>
	// <nil>
}
