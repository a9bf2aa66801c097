// Command existing-helpdesk is a team that has a ticket system of its own and
// keeps it. From the library it takes the channel (LINE), the routing to agents
// and the rules: a rule calls a web hook for each message of a customer, and a
// bridge of a hundred lines makes tickets of them in the team's system. The
// ticket system may be down for hours: nothing is lost, and nothing is there
// twice.
//
//	LINE_CHANNEL_ID=… LINE_CHANNEL_SECRET=… LINE_CHANNEL_TOKEN=… go run ./examples/existing-helpdesk
//
// Without an account at LINE, an emulator plays LINE and prints the variables:
//
//	go run ./channel/line/linetest/cmd/lineemu -webhook http://127.0.0.1:8080/webhooks/line
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

const address = "127.0.0.1:8080"

var host = sangdam.Host("shop")

func main() {
	adapter, err := line.New(line.Options{APIBase: os.Getenv("LINE_API_BASE"), DataAPIBase: os.Getenv("LINE_DATA_API_BASE")})
	if err != nil {
		log.Fatal(err)
	}
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	t, err := newTeam(context.Background(), parts{db: memory.New(memory.Options{}), adapter: adapter, client: http.DefaultClient,
		hooks: webhook.New(webhook.Options{AllowPrivate: local}), base: "http://" + address, env: os.Getenv})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(t.run(context.Background()))
}

// parts are what a test replaces.
type parts struct {
	db      *store.DB
	adapter adapter.Adapter
	hooks   notify.Carrier
	client  *http.Client
	base    string // where this program is reached
	env     func(string) string
}

// team is the program: the library's engine, the team's ticket service, and the
// bridge between them.
type team struct {
	eng     *sangdam.Engine
	service *TicketService
	bridge  *bridge
	account channel.Account // as it was saved
}

func newTeam(ctx context.Context, p parts) (*team, error) {
	for _, name := range []string{"LINE_CHANNEL_ID", "LINE_CHANNEL_SECRET", "LINE_CHANNEL_TOKEN"} {
		if p.env(name) == "" {
			return nil, fmt.Errorf("%s is not set; LINE's console shows it, and so does lineemu, which plays LINE", name)
		}
	}
	keys, err := seal.Ephemeral()
	if err != nil {
		return nil, err
	}
	t := &team{bridge: &bridge{secret: webhook.NewSecret(), service: p.base + "/service", client: p.client}}
	t.service = NewTicketService(t.bridge.solved)
	t.eng, err = sangdam.New(sangdam.Config{DB: p.db, Sealer: keys, Adapters: []adapter.Adapter{p.adapter},
		Carriers: []notify.Carrier{p.hooks}})
	if err != nil {
		return nil, err
	}
	t.bridge.eng = t.eng
	return t, t.setUp(ctx, p)
}

// Handler serves LINE's webhooks, the web hooks of rules, and the ticket service.
func (t *team) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/webhooks/line", t.eng.AccountWebhook(t.account.Token))
	mux.Handle("POST /hook", t.bridge)
	mux.Handle("/service/", http.StripPrefix("/service", t.service))
	return mux
}

func (t *team) run(ctx context.Context) error {
	srv := &http.Server{Addr: address, Handler: t.Handler(), ReadTimeout: 10 * time.Second}
	fmt.Printf("LINE's webhook leads to http://%[1]s/webhooks/line; tickets are at http://%[1]s/service/tickets\n", address)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(srv.ListenAndServe)
	group.Go(func() error { return t.eng.Run(ctx) })
	group.Go(func() error { <-ctx.Done(); return srv.Close() })
	return group.Wait()
}

// setUp makes a desk with one agent, the LINE account, the target of the web
// hook, and the rule that calls it.
func (t *team) setUp(ctx context.Context, p parts) error {
	errShop := t.eng.CreateWorkspace(ctx, "shop", "Shop")
	mina := routing.Agent{ID: "mina", Name: "Mina", Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 10}}
	_, errAgent := t.eng.SaveAgent(ctx, host, sangdam.SaveAgent{Agent: mina})
	_, errDesk := t.eng.SaveDesk(ctx, host, sangdam.SaveDesk{Desk: routing.Desk{ID: "support", Name: "Support"}, Agent: "mina"})
	_, errQueue := t.eng.SaveQueue(ctx, host, sangdam.SaveQueue{Queue: routing.Queue{ID: "all", Name: "All",
		Members: []routing.AgentID{"mina"}}})
	stream := routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line", Mode: routing.Push, Cost: 1, ChannelCost: 1, Queue: "all",
		AutoAccept: true}
	_, errStream := t.eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: stream})
	if err := errors.Join(errShop, errAgent, errDesk, errQueue, errStream); err != nil {
		return err
	}
	saved, err := t.eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: channel.Account{Kind: line.Kind, Name: "Shop", Desk: "support",
		WorkStream: "line", Settings: fmt.Appendf(nil, `{"channel_id":%q}`, p.env("LINE_CHANNEL_ID")), Secrets: map[string]channel.Secret{
			line.SecretChannel: channel.NewSecret(p.env("LINE_CHANNEL_SECRET")),
			line.SecretToken:   channel.NewSecret(p.env("LINE_CHANNEL_TOKEN"))}}})
	if err != nil {
		return err
	}
	t.account = saved.Account
	url, err := json.Marshal(webhook.Settings{URL: p.base + "/hook"})
	if err != nil {
		return err
	}
	_, err = t.eng.SaveTarget(ctx, host, sangdam.SaveTarget{Target: notify.Target{ID: "tickets", Kind: webhook.Kind, Name: "Ticket system",
		Settings: url,
		Secrets:  map[string]channel.Secret{webhook.SecretName: t.bridge.secret}}})
	if err != nil {
		return err
	}
	_, err = t.eng.SaveTrigger(ctx, host,
		sangdam.SaveTrigger{Trigger: trigger.Trigger{ID: "to-tickets", Subject: "conversation", Active: true,
			Title: "Every message of a customer goes into a ticket",
			When:  condition.Condition{All: []condition.Clause{{Field: "happened", Op: condition.Has, Value: "message"}}},
			Actions: []trigger.Action{trigger.Do(action.Webhook,
				action.WebhookParams{Target: "tickets", Fields: []string{"message"}})}}})
	return err
}
