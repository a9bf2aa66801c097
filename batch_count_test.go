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
	"github.com/sangdam/sangdam/channel/line"
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
	eng      *sangdam.Engine
	acct     channel.Account
	secret   channel.Secret
	users    atomic.Int64
	assigned sync.Map // routing.ItemID
	count    atomic.Int64
	signal   chan struct{}
}

// wayAgents is how many agents there are, who all are online.
const wayAgents = 50

// wayAlone hands out no work but what the whole way consists of.
type wayAlone struct{ driver.Backend }

func (b wayAlone) System() driver.System {
	return wayAloneSystem{inboundAloneSystem{b.Backend.System()}}
}

type wayAloneSystem struct{ inboundAloneSystem }

func (s wayAloneSystem) Lease(ctx context.Context, name, node string, ttl time.Duration) (int64, error) {
	if !strings.HasPrefix(name, "router/") {
		return 0, store.ErrConflict
	}
	return s.System.Lease(ctx, name, node, ttl)
}

func newWholeWay(t *testing.T) *wholeWay {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Options{DSN: pgtest.Start(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := &wholeWay{t: t, db: db, secret: channel.NewSecret("0123456789abcdef0123456789abcdef"), signal: make(chan struct{}, 1)}
	sealer, err := seal.Ephemeral()
	require.NoError(t, err)
	adapter, err := line.New(line.Options{HTTPClient: &http.Client{Transport: noNetwork{}}})
	require.NoError(t, err)
	w.eng, err = sangdam.New(sangdam.Config{DB: store.New(wayAlone{db.Backend()}), Sealer: sealer, Node: "n1",
		Adapters: []channel.Adapter{adapter},
		Hooks:    sangdam.Hooks{Assigned: w.hear}})
	require.NoError(t, err)
	w.setUp()
	return w
}

func (w *wholeWay) hear(_ id.Workspace, a routing.Assignment) {
	if _, again := w.assigned.LoadOrStore(a.Item, true); again {
		w.t.Errorf("item %s was assigned twice", a.Item)
	}
	w.count.Add(1)
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (w *wholeWay) setUp() {
	t, host := w.t, sangdam.Host(ws)
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
			Settings: json.RawMessage(`{"channel_id":"1234567890"}`),
			Secrets:  map[string]channel.Secret{"channel_secret": w.secret, "channel_token": channel.NewSecret("token")}}})
	require.NoError(t, err)
	w.acct = saved.Account
	for _, a := range agents {
		require.NoError(t, w.eng.SetPresence(t.Context(), sangdam.AgentPrincipal(ws, a), sangdam.SetPresence{Agent: a, Presence: routing.Online}))
	}
}

// write lets a new customer write.
func (w *wholeWay) write() {
	n := w.users.Add(1)
	body := fmt.Appendf(nil, `{"destination":"U1","events":[{"type":"message","message":{"type":"text","id":"%d","quoteToken":"q","text":"hello"},"webhookEventId":"01J%023d",`+
		`"deliveryContext":{"isRedelivery":false},"timestamp":%d,"source":{"type":"user","userId":"U%032x"},"replyToken":"%032x","mode":"active"}]}`,
		n, n, 1_700_000_000_000+n, n, n)
	r := httptest.NewRequest(http.MethodPost, "/webhooks/"+w.acct.Token, io.NopCloser(bytes.NewReader(body)))
	r.Header.Set("X-Line-Signature", line.Sign(w.secret, body))
	rec := httptest.NewRecorder()
	w.eng.Webhooks().ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		w.t.Errorf("a webhook was answered %d", rec.Code)
	}
}

// until waits until so many are assigned; the minutes only end a test that hangs.
func (w *wholeWay) until(n int64) {
	w.t.Helper()
	for end := time.After(2 * time.Minute); w.count.Load() < n; {
		select {
		case <-w.signal:
		case <-end:
			w.t.Fatalf("only %d of %d were assigned", w.count.Load(), n)
		}
	}
}

// cost is what a conversation costs the store on its whole way.
type cost struct{ commits, trips, statements float64 }

// measure lets so many customers write at once, round after round, each round
// when all of the last one are assigned.
func (w *wholeWay) measure(clients, rounds int) cost {
	w.t.Helper()
	before := w.db.Stats()
	for range rounds {
		want := w.count.Load() + int64(clients)
		var wg sync.WaitGroup
		for range clients {
			wg.Go(w.write)
		}
		wg.Wait()
		w.until(want)
	}
	after, n := w.db.Stats(), float64(clients*rounds)
	c := cost{commits: float64(after.Commits-before.Commits) / n, trips: float64(after.Trips-before.Trips) / n,
		statements: float64(after.Statements-before.Statements) / n}
	w.t.Logf("%d at once: %.2f commits, %.2f round trips, %.2f statements a conversation", clients, c.commits, c.trips, c.statements)
	return c
}

// TestBatchesShareCommits: what a new customer's first message costs PostgreSQL
// from the webhook to the commit that assigns it, alone and with 32 at once.
func TestBatchesShareCommits(t *testing.T) {
	w := newWholeWay(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.eng.Run(ctx) }()
	w.measure(1, 3) // warms up
	alone := w.measure(1, 20)
	many := w.measure(32, 10)
	cancel()
	require.NoError(t, <-ended)
	require.LessOrEqual(t, alone.commits, 5.5, "alone")
	require.LessOrEqual(t, many.commits, 0.8, "32 at once")
	require.LessOrEqual(t, many.statements, 30.0, "32 at once")
}
