package sangdam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/seal"
)

// wholeWay is an engine on PostgreSQL that takes new customers' first messages
// by webhook and assigns them to fifty agents in turn. Profiles, the search
// index and the outbox are left out: the whole way ends with the commit that
// assigns.
type wholeWay struct {
	t        *testing.T
	db       *store.DB
	dsn      string
	eng      *sangdam.Engine
	acct     channel.Account
	secret   channel.Secret
	users    atomic.Int64
	messages atomic.Int64
	assigned sync.Map // routing.ItemID to who has it
	signal   chan struct{}

	count, processed, sent atomic.Int64 // conversations, events and answers

	full fullClaims
}

// wayAgents is how many agents there are, who all are online.
const wayAgents = 50

// wayAlone hands out no work but what the whole way consists of.
type wayAlone struct {
	driver.Backend
	sends bool
	full  *fullClaims
}

func (b wayAlone) System() driver.System {
	return wayAloneSystem{inboundAloneSystem{b.Backend.System()}, b.sends, b.full}
}

type wayAloneSystem struct {
	inboundAloneSystem
	sends bool
	full  *fullClaims
}

// fullClaims has a claim of inbound lanes wait until as many customers as a
// transaction takes have written and are not worked on, or all the rest of them. So
// the engine is behind its customers, however the machine shares its processors out
// among these, the engine and the server.
type fullClaims struct {
	mu              sync.Mutex
	on              bool
	coming, waiting int // messages that are still to be written, and that wait
	changed         chan struct{}
}

// fullClaim is how many a claim waits for: a transaction takes no more.
const fullClaim = 64

func (f *fullClaims) begin(coming int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on, f.coming = true, coming
}

func (f *fullClaims) move(coming, waiting int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.on {
		return
	}
	f.coming, f.waiting = f.coming+coming, f.waiting+waiting
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// wrote notes that a message is stored of those that were to come.
func (f *fullClaims) wrote() { f.move(-1, 1) }

// wait waits until a claim is full; at once where nothing is to come.
func (f *fullClaims) wait(ctx context.Context) {
	for {
		f.mu.Lock()
		full := f.waiting >= min(fullClaim, f.coming+f.waiting)
		f.mu.Unlock()
		if full {
			return
		}
		select {
		case <-f.changed:
		case <-ctx.Done():
			return
		}
	}
}

func (s wayAloneSystem) ClaimInbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]driver.InboxLane, error) {
	s.full.wait(ctx)
	lanes, err := s.System.ClaimInbox(ctx, node, limit, batch, lease)
	for _, l := range lanes {
		s.full.move(0, -len(l.Envelopes))
	}
	return lanes, err
}

func (s wayAloneSystem) ClaimOutbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]driver.OutboxLane, error) {
	if !s.sends {
		return nil, nil
	}
	return s.System.ClaimOutbox(ctx, node, limit, batch, lease)
}

func (s wayAloneSystem) Lease(ctx context.Context, name, node string, ttl time.Duration) (int64, error) {
	if !strings.HasPrefix(name, "router/") {
		return 0, store.ErrConflict
	}
	return s.System.Lease(ctx, name, node, ttl)
}

// newWholeWay takes new customers; provider, if not nil, is LINE, to which answers
// are sent.
func newWholeWay(t *testing.T, provider *linetest.Server) *wholeWay {
	t.Helper()
	return newWholeWayOver(t, provider, 16)
}

// newWholeWayOver is newWholeWay with so many connections to the server.
func newWholeWayOver(t *testing.T, provider *linetest.Server, connections int) *wholeWay {
	t.Helper()
	dsn := pgtest.Start(t)
	db, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn, DisableNotify: true, MaxConns: connections})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := &wholeWay{t: t, db: db, dsn: dsn, secret: channel.NewSecret("0123456789abcdef0123456789abcdef"), signal: make(chan struct{}, 1),
		full: fullClaims{changed: make(chan struct{}, 1)}}
	sealer, err := seal.Ephemeral()
	require.NoError(t, err)
	client := &http.Client{Transport: noNetwork{}}
	backend := driver.Backend(wayAlone{db.Backend(), provider != nil, &w.full})
	if provider != nil {
		client.Transport, w.secret = provider.Transport(), channel.NewSecret(provider.ChannelSecret())
	}
	ad, err := line.New(line.Options{HTTPClient: client})
	require.NoError(t, err)
	w.eng, err = sangdam.New(sangdam.Config{DB: store.New(backend), Sealer: sealer, Node: "n1",
		Adapters: []adapter.Adapter{ad},
		Poll:     time.Hour, // what is asked by time is counted by time
		Hooks: sangdam.Hooks{Assigned: w.hear,
			Processed: func(id.Workspace, channel.AccountID, adapter.EventKind) { w.saw(&w.processed) },
			Sent: func(_ id.Workspace, _ channel.AccountID, _ string, state channel.OutboxState, reason channel.Reason) {
				if state != channel.OutboxSent {
					t.Errorf("an answer became %s: %s", state, reason)
				}
				w.saw(&w.sent)
			}}})
	require.NoError(t, err)
	w.setUp(provider)
	return w
}

func (w *wholeWay) hear(_ id.Workspace, a routing.Assignment) {
	if _, again := w.assigned.LoadOrStore(a.Item, a.Agent); again {
		w.t.Errorf("item %s was assigned twice", a.Item)
	}
	w.saw(&w.count)
}

func (w *wholeWay) saw(what *atomic.Int64) {
	what.Add(1)
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (w *wholeWay) setUp(provider *linetest.Server) {
	t, host := w.t, sangdam.Host(ws)
	bot, token := "1234567890", "token"
	if provider != nil {
		bot, token = provider.ChannelID(), provider.ChannelToken()
	}
	require.NoError(t, w.eng.CreateWorkspace(t.Context(), ws, "Test"))
	agents := make([]routing.AgentID, wayAgents)
	for i := range agents {
		agents[i] = routing.AgentID(fmt.Sprintf("a%02d", i))
		require.NoError(t, errOf(w.eng.SaveAgent(t.Context(), host,
			sangdam.SaveAgent{Agent: routing.Agent{ID: agents[i], Name: string(agents[i]), Role: "agent",
				Permissions: []routing.Permission{routing.PermitChat}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 1_000_000},
				Assign: routing.AssignmentSwitches{Chat: true}}})))
	}
	require.NoError(t, errOf(w.eng.SaveDesk(t.Context(), host,
		sangdam.SaveDesk{Agent: "a00", Desk: routing.Desk{ID: "support", Name: "Support"}})))
	for _, a := range agents {
		require.NoError(t, w.eng.AddToDesk(t.Context(), host, sangdam.AddToDesk{Desk: "support", Agent: a}))
	}
	require.NoError(t, errOf(w.eng.SaveQueue(t.Context(), host,
		sangdam.SaveQueue{Queue: routing.Queue{ID: "q", Name: "Everyone", Members: agents,
			Strategy: routing.RoundRobin}})))
	require.NoError(t, errOf(w.eng.SaveWorkStream(t.Context(), host,
		sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line",
			Mode: routing.Push, AutoAccept: true, Cost: 1, ChannelCost: 1, Queue: "q"}})))
	saved, err := w.eng.SaveAccount(t.Context(), host,
		sangdam.SaveAccount{Account: channel.Account{Kind: "line", Name: "Shop", Desk: "support", WorkStream: "line",
			Settings: json.RawMessage(`{"channel_id":"` + bot + `"}`),
			Secrets:  map[string]channel.Secret{"channel_secret": w.secret, "channel_token": channel.NewSecret(token)}}})
	require.NoError(t, err)
	w.acct = saved.Account
	for _, a := range agents {
		require.NoError(t, w.eng.SetPresence(t.Context(), sangdam.AgentPrincipal(ws, a),
			sangdam.SetPresence{Agent: a, Presence: routing.Online}))
	}
}

// write lets a new customer write.
func (w *wholeWay) write() { w.writes(w.users.Add(1)) }

// writes lets the n-th customer write.
func (w *wholeWay) writes(user int64) {
	n := w.messages.Add(1)
	body := fmt.Appendf(nil, `{"destination":"U1","events":[{"type":"message","message":{"type":"text","id":"%d","quoteToken":"q",`+
		`"text":"hello"},"webhookEventId":"01J%023d",`+
		`"deliveryContext":{"isRedelivery":false},"timestamp":%d,"source":{"type":"user","userId":"U%032x"},"replyToken":"%032x",`+
		`"mode":"active"}]}`,
		n, n, 1_700_000_000_000+n, user, n)
	r := httptest.NewRequest(http.MethodPost, "/webhooks/"+w.acct.Token, io.NopCloser(bytes.NewReader(body)))
	r.Header.Set("X-Line-Signature", line.Sign(w.secret, body))
	rec := httptest.NewRecorder()
	w.eng.Webhooks().ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		w.t.Errorf("a webhook was answered %d", rec.Code)
	}
	w.full.wrote()
}

// until waits until so many have come; the minutes only end a test that hangs.
func (w *wholeWay) until(what *atomic.Int64, n int64) {
	w.t.Helper()
	for end := time.After(10 * time.Minute); what.Load() < n; {
		select {
		case <-w.signal:
		case <-end:
			w.t.Fatalf("only %d of %d came", what.Load(), n)
		}
	}
}

// cost is what a conversation or an answer costs the store on its whole way.
type cost struct{ commits, trips, statements float64 }

// measure lets so many act at once, round after round, each round when all that
// the last one had to bring have come: so many for each who acts.
func (w *wholeWay) measure(clients, rounds, brings int, came *atomic.Int64, act func(client int)) cost {
	w.t.Helper()
	before := w.db.Stats()
	for range rounds {
		want := came.Load() + int64(clients*brings)
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() { act(i) })
		}
		wg.Wait()
		w.until(came, want)
	}
	after, n := w.db.Stats(), float64(clients*rounds*brings)
	c := cost{commits: float64(after.Commits-before.Commits) / n, trips: float64(after.Trips-before.Trips) / n,
		statements: float64(after.Statements-before.Statements) / n}
	w.t.Logf("%d at once, %d each: %.2f commits, %.2f round trips, %.2f statements each", clients, brings, c.commits, c.trips, c.statements)
	return c
}

// flows lets so many customers write one first message after another, each as soon
// as the last one is answered, and waits for all that these bring.
func (w *wholeWay) flows(clients, each int) cost {
	w.t.Helper()
	return w.measure(1, 1, clients*each, &w.count, func(int) {
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for range each {
					w.write()
				}
			})
		}
		wg.Wait()
	})
}

// flowsInFull is flows with transactions that are as full as customers can make
// them, and that no slow machine cuts short.
func (w *wholeWay) flowsInFull(clients, each int) cost {
	w.t.Helper()
	w.eng.ShareFor(time.Minute)
	w.full.begin(clients * each)
	return w.flows(clients, each)
}

// anew lets so many new customers write at once.
func (w *wholeWay) anew(clients, rounds int) cost {
	return w.measure(clients, rounds, 1, &w.count, func(int) { w.write() })
}

// run runs the engine until stop is called or the test ends.
func (w *wholeWay) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.eng.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(w.t, <-ended)
	})
	w.t.Cleanup(stop)
	return stop
}

// inFull leaves a count out of the short form: the detector of races has the same
// code before it in TestBatchesOfAnswers, and a count is the same without it.
func inFull(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("the plain run counts")
	}
}

// TestBatchesShareCommits: what a new customer's first message costs PostgreSQL
// from the webhook to the commit that assigns it, alone and with 32 at once.
func TestBatchesShareCommits(t *testing.T) {
	inFull(t)
	w := newWholeWay(t, nil)
	w.run()
	w.anew(1, 3) // warms up
	alone := w.anew(1, 20)
	bursts := w.anew(32, 10)
	many := w.flows(32, 75)
	full := w.flowsInFull(32, 75)
	require.LessOrEqual(t, alone.commits, 3.1, "alone")
	require.LessOrEqual(t, alone.trips, 8.0, "alone")
	require.LessOrEqual(t, bursts.commits, 0.5, "32 at once")
	require.LessOrEqual(t, bursts.statements, 4.5, "32 at once")
	require.LessOrEqual(t, many.commits, 0.5, "32 without a pause")
	require.LessOrEqual(t, full.statements, 1.5, "32 without a pause, who are ahead of the engine")
}

// TestBatchesOfKnownCustomers: the same for customers whose conversation an agent
// has.
func TestBatchesOfKnownCustomers(t *testing.T) {
	inFull(t)
	w := newWholeWay(t, nil)
	w.run()
	w.anew(32, 1)
	again := func(client int) { w.writes(int64(client) + 1) }
	w.measure(32, 1, 1, &w.processed, again)
	alone := w.measure(1, 20, 1, &w.processed, again)
	many := w.measure(32, 10, 1, &w.processed, again)
	require.LessOrEqual(t, alone.commits, 3.1, "alone")
	require.LessOrEqual(t, many.commits, 0.5, "32 at once")
}

// TestBatchesOfAnswers: what an agent's answer costs from the command to the
// record that it was sent. The command is a commit of its own: it is a person's.
func TestBatchesOfAnswers(t *testing.T) {
	var w *wholeWay
	provider := linetest.New(linetest.Options{WebhookClient: &http.Client{Transport: emukit.Transport(
		http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.eng.Webhooks().ServeHTTP(rw, r) }))}})
	t.Cleanup(provider.Close)
	w = newWholeWay(t, provider)
	w.run()
	users := make([]*linetest.User, 32)
	for i := range users {
		users[i] = provider.User(fmt.Sprint("customer", i))
	}
	provider.SetWebhook("https://host.test/webhooks/" + w.acct.Token)
	for _, u := range users {
		u.SendText("hello")
	}
	w.until(&w.count, int64(len(users)))
	type held struct {
		item  routing.ItemID
		agent routing.AgentID
	}
	var all []held
	w.assigned.Range(func(item, agent any) bool {
		all = append(all, held{item.(routing.ItemID), agent.(routing.AgentID)})
		return true
	})
	answer := func(client int) {
		_, err := w.eng.Answer(context.Background(), sangdam.AgentPrincipal(ws, all[client].agent), sangdam.Answer{
			Key: sangdam.Key(fmt.Sprint(w.messages.Add(1))), Conversation: conversation.ID(all[client].item),
			Content: channel.Content{Kind: channel.KindText, Text: "hello"}})
		if err != nil {
			t.Error(err)
		}
	}
	w.measure(32, 1, 1, &w.sent, answer)
	alone := w.measure(1, 20, 1, &w.sent, answer)
	many := w.measure(32, 10, 1, &w.sent, answer)
	require.LessOrEqual(t, alone.commits, 3.1, "alone")
	require.LessOrEqual(t, many.commits, 1.3, "32 at once")
}
