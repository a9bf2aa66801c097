// Package sangdamtest is a whole desk for the tests of a host's backend: an
// engine on a memory store, customers who write and hear, agents who accept and
// answer, and a clock of its own, so that a day of waiting takes no time.
//
//	sangdamtest.Run(t, func(d *sangdamtest.Desk) {
//		mina := d.Agent("mina").Online()
//		jun := d.Customer("Jun")
//		jun.Says("Where is my parcel?")
//		mina.Accepts().Answers("On its way.")
//		require.Equal(t, []string{"On its way."}, jun.Heard())
//	})
//
// It all runs in a bubble of testing/synctest: time stands still while anything
// works and goes on when everything waits. So the code under test must not wait
// for a network or for goroutines outside; what it calls over HTTP can be
// called through channel/emukit. Calls take the context of the bubble,
// Desk.Context, not that of the test around it. Customers write postcards
// (channel/postcard), whose office plays in the same process.
package sangdamtest

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/postcard"
	"github.com/sangdam/sangdam/channel/postcard/postcardtest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

// Workspace is the tenant that the desk works in.
const Workspace sangdam.WorkspaceID = "test"

// What Run sets up: one of each, with the same name.
const (
	DeskID    routing.DeskID       = "desk"
	QueueID   routing.QueueID      = "queue"
	StreamID  routing.WorkStreamID = "stream"
	AccountID channel.AccountID    = "account"
)

// Option changes what Run makes.
type Option func(*options)

type options struct {
	config []func(*sangdam.Config)
	setup  []func(*sangdam.Setup)
}

// WithConfig changes the engine's configuration before it is made: bots, a
// policy, hooks, strategies, further adapters.
func WithConfig(f func(*sangdam.Config)) Option {
	return func(o *options) { o.config = append(o.config, f) }
}

// WithSetup changes the set-up before it is applied: a work stream's texts, a
// queue's strategy, more agents.
func WithSetup(f func(*sangdam.Setup)) Option {
	return func(o *options) { o.setup = append(o.setup, f) }
}

// Desk is a running engine with one desk, one queue, one work stream that
// offers to one agent at a time, and one account. It belongs to the goroutine
// of the test; the engine itself may be called from any.
type Desk struct {
	Engine *sangdam.Engine
	// Host is a principal that may do everything.
	Host sangdam.Principal

	t      *testing.T
	ctx    context.Context
	office *postcardtest.Office
	token  string
	agents map[routing.AgentID]*Agent
}

// Run makes a desk in a bubble of its own, runs fn, and closes the desk. What
// goes wrong in between fails the test at the line of fn that asked for it.
func Run(t *testing.T, fn func(d *Desk), opts ...Option) {
	t.Helper()
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	// Who uses the outer test's context in the bubble all the same must not be the
	// first to ask for its end: the channel would be the bubble's, and the end of
	// the test a fatal error.
	_ = t.Context().Done()
	synctest.Test(t, func(t *testing.T) {
		d := &Desk{t: t, ctx: t.Context(), Host: sangdam.Host(Workspace), agents: map[routing.AgentID]*Agent{}}
		stop := d.open(o)
		defer stop()
		fn(d)
	})
}

// Context is the context of the test within its bubble: for calls of the Engine.
func (d *Desk) Context() context.Context { return d.ctx }

const officeKey = "the key of the letter box"

func (d *Desk) open(o options) (stop func()) {
	d.t.Helper()
	db := memory.New(memory.Options{})
	sealer, err := seal.Ephemeral()
	d.must(err)
	d.office = postcardtest.New(officeKey)
	office, err := postcard.New(postcard.Options{Office: "https://post.example",
		HTTPClient: &http.Client{Transport: emukit.Transport(d.office)}})
	d.must(err)
	cfg := sangdam.Config{DB: db, Sealer: sealer, Adapters: []adapter.Adapter{office}, Blobs: blob.Memory(), Node: "test"}
	for _, change := range o.config {
		change(&cfg)
	}
	d.Engine, err = sangdam.New(cfg)
	d.must(err)
	d.must(d.Engine.CreateWorkspace(d.ctx, Workspace, "Test"))
	d.setUp(o)
	d.office.SetWebhook(d.Engine.Webhooks())
	ctx, cancel := context.WithCancel(d.ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Engine.Run(ctx) }()
	d.Quiet()
	return func() {
		cancel()
		d.must(<-ended)
		d.must(db.Close())
	}
}

func (d *Desk) setUp(o options) {
	d.t.Helper()
	s := sangdam.Setup{
		Agents: []routing.Agent{agentOf("mina")},
		Desks:  []sangdam.SetupDesk{{Desk: routing.Desk{ID: DeskID, Name: "Desk"}, Members: []routing.AgentID{"mina"}}},
		Queues: []routing.Queue{{ID: QueueID, Name: "Queue", Members: []routing.AgentID{"mina"}}},
		WorkStreams: []routing.WorkStream{{ID: StreamID, Name: "Stream", ChannelKind: string(postcard.Kind), Mode: routing.Push, Cost: 1,
			Queue: QueueID, Messages: automated.Texts{}}},
		Accounts: []channel.Account{{ID: AccountID, Kind: postcard.Kind, Name: "Account", Desk: DeskID, WorkStream: StreamID,
			Secrets: map[string]channel.Secret{postcard.SecretKey: channel.NewSecret(officeKey)}}},
	}
	for _, change := range o.setup {
		change(&s)
	}
	_, err := d.Engine.Apply(d.ctx, d.Host, sangdam.Apply{Setup: s})
	d.must(err)
	accounts, err := d.Engine.Accounts(d.ctx, d.Host)
	d.must(err)
	for _, a := range accounts {
		if a.ID == AccountID {
			d.token = a.Token
		}
	}
}

func agentOf(id routing.AgentID) routing.Agent {
	return routing.Agent{ID: id, Name: string(id), Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Capacity: map[routing.Profile]int{routing.ProfileUnits: 10}, Assign: routing.AssignmentSwitches{Chat: true}}
}

func (d *Desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// Quiet returns when nothing is left to do but wait for somebody or for a
// deadline: what was written is stored, offered, sent and delivered. One second of
// the desk's clock goes by, as it does with everything that a Customer or an Agent
// does.
func (d *Desk) Quiet() { d.Pass(time.Second) }

// beat is how often agents who are online say so.
const beat = 20 * time.Second

// Pass lets time go by, with all that becomes due in it. Agents who are Online
// stay so: their heart-beats go on.
func (d *Desk) Pass(t time.Duration) {
	d.t.Helper()
	for t > 0 {
		step := min(t, beat)
		time.Sleep(step)
		t -= step
		if online := d.online(); len(online) > 0 {
			d.must(d.Engine.Heartbeat(d.ctx, Workspace, online...))
		}
	}
	synctest.Wait()
}

func (d *Desk) online() (ids []routing.AgentID) {
	for id, a := range d.agents {
		if a.online {
			ids = append(ids, id)
		}
	}
	return ids
}

// Conversations returns those of the workspace, newest activity first, at most 200.
func (d *Desk) Conversations() []conversation.Conversation {
	d.t.Helper()
	page, err := d.Engine.Conversations(d.ctx, d.Host, conversation.Filter{}, "", 200)
	d.must(err)
	return page.Conversations
}
