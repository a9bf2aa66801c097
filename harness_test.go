package sangdam_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

const ws = "w1"

// world is an engine with one LINE account, the emulator in the same process,
// and a clock that a synctest bubble drives. Nothing in it uses the network.
type world struct {
	t      *testing.T
	ctx    context.Context
	db     *store.DB
	sealer seal.Sealer
	line   *linetest.Server
	eng    *sangdam.Engine
	acct   channel.Account
	stop   func()
	// serving is the engine that providers reach: eng, once it was started.
	serving atomic.Pointer[sangdam.Engine]
	cfg     sangdam.Config
	clock   atomic.Int64 // by how many nanoseconds the store's clock is ahead of the bubble's; see jump
	host    sangdam.Principal
	dsn     string // of PostgreSQL, where that is the store
	dir     string // of SQLite, likewise
}

// worldOption changes what newWorld sets up.
type worldOption func(*world, *routing.WorkStream, *routing.Queue, *routing.Desk)

func withStream(f func(*routing.WorkStream)) worldOption {
	return func(_ *world, w *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) { f(w) }
}

func withDesk(f func(*routing.Desk)) worldOption {
	return func(_ *world, _ *routing.WorkStream, _ *routing.Queue, d *routing.Desk) { f(d) }
}

func withQueue(f func(*routing.Queue)) worldOption {
	return func(_ *world, _ *routing.WorkStream, q *routing.Queue, _ *routing.Desk) { f(q) }
}

func withConfig(f func(*sangdam.Config)) worldOption {
	return func(w *world, _ *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) { f(&w.cfg) }
}

// withEmulator replaces the emulator's options.
func withEmulator(o linetest.Options) worldOption {
	return func(w *world, _ *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		w.line.Close()
		o.WebhookClient = &http.Client{Transport: hostTransport{w}}
		w.line = linetest.New(o)
	}
}

// inWorld runs fn in a bubble of fake time with a running engine.
func inWorld(t *testing.T, fn func(w *world), options ...worldOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options...)
		t.Cleanup(func() {
			w.halt()
			w.line.Close()
			require.NoError(t, w.db.Close())
		})
		w.start()
		fn(w)
	})
}

// hostTransport delivers webhooks to whichever engine runs now.
type hostTransport struct{ w *world }

func (h hostTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return emukit.Transport(h.w.serving.Load().Webhooks()).RoundTrip(r)
}

func newWorld(t *testing.T, options ...worldOption) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), host: sangdam.Host(ws)}
	w.db = memory.New(memory.Options{Now: func() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }})
	w.line = linetest.New(linetest.Options{WebhookClient: &http.Client{Transport: hostTransport{w}}, Redeliveries: 20})
	var err error
	w.sealer, err = seal.Ephemeral()
	require.NoError(t, err)
	stream := routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line", Mode: routing.Push, Cost: 1, ChannelCost: 1, Queue: "q",
		Messages: automated.Texts{automated.Greeting: {"": "Hello!", "ko": "안녕하세요!"}, automated.Away: {"": "We are away."},
			automated.Welcome: {"": "Thanks for adding us."}, automated.Ended: {"": "Goodbye."}}}
	queue := routing.Queue{ID: "q", Name: "Everyone", Members: []routing.AgentID{"a1", "a2"}}
	desk := routing.Desk{ID: "support", Name: "Support"}
	w.cfg = sangdam.Config{DB: w.db, Sealer: w.sealer, Blobs: blob.Memory(), Node: "n1", FilesURL: "https://desk.test/files"}
	for _, o := range options {
		o(w, &stream, &queue, &desk)
	}
	ad, err := line.New(line.Options{APIBase: "https://api.line.test", DataAPIBase: "https://api.line.test",
		HTTPClient: httpClient(w.line)})
	require.NoError(t, err)
	w.cfg.Adapters = append([]adapter.Adapter{ad}, w.cfg.Adapters...)
	w.eng, err = sangdam.New(w.cfg)
	require.NoError(t, err)
	w.serving.Store(w.eng)
	require.NoError(t, w.eng.CreateWorkspace(w.ctx, ws, "Test"))
	for _, a := range []routing.AgentID{"a1", "a2"} {
		require.NoError(t, errOf(w.eng.SaveAgent(w.ctx, w.host,
			sangdam.SaveAgent{Agent: routing.Agent{ID: a, Name: "Agent " + string(a), Role: "agent",
				Permissions: []routing.Permission{routing.PermitChat}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 2},
				Assign: routing.AssignmentSwitches{Chat: true}}})))
	}
	require.NoError(t, errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Desk: desk, Agent: "a1"})))
	require.NoError(t, errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: queue})))
	require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})))
	for _, a := range []routing.AgentID{"a1", "a2"} {
		require.NoError(t, w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "support", Agent: a}))
	}
	settings, err := json.Marshal(map[string]string{"channel_id": w.line.ChannelID()})
	require.NoError(t, err)
	secrets := map[string]channel.Secret{
		"channel_secret": channel.NewSecret(w.line.ChannelSecret()), "channel_token": channel.NewSecret(w.line.ChannelToken())}
	saved, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: channel.Account{Kind: "line", Name: "Shop",
		Desk: "support", WorkStream: "line", Settings: settings, Secrets: secrets,
		Attachments: true, CustomerAttachments: true, AgentAttachments: true}})
	require.NoError(t, err)
	w.acct = saved.Account
	w.acct.Secrets = secrets
	w.line.SetWebhook("https://host.test/webhooks/" + w.acct.Token)
	return w
}

// start runs the engine until halt.
func (w *world) start() {
	w.serving.Store(w.eng)
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- w.eng.Run(ctx) }()
	w.stop = func() {
		cancel()
		require.NoError(w.t, <-done)
	}
	synctest.Wait()
}

func (w *world) halt() { w.stop() }

// restart is a new process on the same data.
func (w *world) restart() {
	w.halt()
	w.resume()
}

// resume is a new process after halt.
func (w *world) resume() {
	var err error
	w.eng, err = sangdam.New(w.cfg)
	require.NoError(w.t, err)
	w.start()
}

// settle lets everything that is under way come to rest: a second of fake time
// is enough for what does not wait for a deadline.
func (w *world) settle() { w.pass(time.Second) }

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// jump moves the store's clock ahead: cheaper than letting days pass.
func (w *world) jump(d time.Duration) { w.clock.Add(int64(d)) }

func (w *world) agent(id routing.AgentID) sangdam.Principal { return sangdam.AgentPrincipal(ws, id) }

// errOf is the error of a command whose result does not matter.
func errOf[T any](_ T, err error) error { return err }

// configuration is what the workspace has stored.
func (w *world) configuration() routing.Configuration {
	w.t.Helper()
	c, err := w.eng.Configuration(w.ctx, w.host)
	require.NoError(w.t, err)
	return c
}

// saveAgent saves an agent over whatever is stored of it.
func (w *world) saveAgent(a routing.Agent) {
	w.t.Helper()
	list, err := w.eng.Agents(w.ctx, w.host)
	require.NoError(w.t, err)
	for _, old := range list {
		if old.ID == a.ID {
			a.Version = old.Version
		}
	}
	require.NoError(w.t, errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: a})))
}

// saveQueue saves a queue over whatever is stored of it.
func (w *world) saveQueue(q routing.Queue) {
	w.t.Helper()
	q.Version = w.configuration().Queues[q.ID].Version
	require.NoError(w.t, errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: q})))
}

// online brings agents online and keeps their heart-beats until the test ends.
func (w *world) online(ids ...routing.AgentID) {
	w.t.Helper()
	for _, id := range ids {
		require.NoError(w.t, w.eng.SetPresence(w.ctx, w.agent(id), sangdam.SetPresence{Agent: id, Presence: routing.Online}))
	}
	w.settle()
}

// conversations lists all, newest first.
func (w *world) conversations() []conversation.Conversation {
	w.t.Helper()
	page, err := w.eng.Conversations(w.ctx, w.host, conversation.Filter{}, "", 200)
	require.NoError(w.t, err)
	return page.Conversations
}

// only returns the one conversation there must be.
func (w *world) only() sangdam.Detail {
	w.t.Helper()
	all := w.conversations()
	require.Len(w.t, all, 1)
	return w.detail(all[0].ID)
}

func (w *world) detail(id conversation.ID) sangdam.Detail {
	w.t.Helper()
	d, err := w.eng.Conversation(w.ctx, w.host, id)
	require.NoError(w.t, err)
	return d
}

// texts of a conversation's messages, in order.
func texts(d sangdam.Detail) []string {
	var out []string
	for _, m := range d.Messages {
		out = append(out, m.Content.Text)
	}
	return out
}

// accept takes the pending offer of the only conversation.
func (w *world) accept() sangdam.Owned {
	w.t.Helper()
	d := w.only()
	require.NotNil(w.t, d.Offer, "there is no offer")
	owned, err := w.eng.Accept(w.ctx, w.agent(d.Offer.Agent), sangdam.Accept{Offer: d.Offer.ID})
	require.NoError(w.t, err)
	w.settle()
	return owned
}

// httpClient talks to an emulator in the same process.
func httpClient(s *linetest.Server) *http.Client { return &http.Client{Transport: s.Transport()} }

// beaten is a heart-beat that may name agents who are offline.
func beaten(t require.TestingT, err error) {
	if _, offline := errors.AsType[*sangdam.OfflineAgents](err); !offline {
		require.NoError(t, err)
	}
}
