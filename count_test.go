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
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
)

// The tests here count what the flow costs the store: commits, rows read,
// hints, looks at what is due. Counts do not depend on the machine's speed.

// counted is an engine on SQLite whose writer can be held, so that what waits
// meanwhile shares a commit as it does under load.
type counted struct {
	t         *testing.T
	db        *store.DB // without the wrapper: its Stats are what is counted
	wrapped   *inboundAlone
	eng       *sangdam.Engine
	acct      channel.Account
	secret    channel.Secret
	processed atomic.Int64
	sent      atomic.Int64
}

// inboundAlone hands out no work but inbound lanes: what a message costs to the
// end of its transaction is then not mixed with what comes after, nor with
// looks at what is due, of which there are more the longer the test takes.
type inboundAlone struct {
	driver.Backend
	entered atomic.Int64 // Updates and appends that were begun
}

// AppendEnvelopes is counted.
func (b *inboundAlone) AppendEnvelopes(ctx context.Context, ws driver.WorkspaceID, envs []adapter.Envelope) ([]bool, error) {
	b.entered.Add(1)
	return b.Backend.AppendEnvelopes(ctx, ws, envs)
}

// Update is counted.
func (b *inboundAlone) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	b.entered.Add(1)
	return b.Backend.Update(ctx, ws, fn)
}

func (b *inboundAlone) System() driver.System { return inboundAloneSystem{b.Backend.System()} }

type inboundAloneSystem struct{ driver.System }

func (inboundAloneSystem) Lease(context.Context, string, string, time.Duration) (int64, error) {
	return 0, store.ErrConflict
}

func (inboundAloneSystem) ClaimOutbox(context.Context, string, int, int, time.Duration) ([]driver.OutboxLane, error) {
	return nil, nil
}

func (inboundAloneSystem) ClaimJobs(context.Context, string, map[string]int, time.Duration) ([]driver.Job, error) {
	return nil, nil
}

func (inboundAloneSystem) Due(context.Context, int) ([]driver.Deadline, error) { return nil, nil }

func (inboundAloneSystem) NextDue(context.Context) (driver.Dues, error) { return driver.Dues{}, nil }

func newCounted(t *testing.T) *counted {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c := &counted{t: t, db: db, wrapped: &inboundAlone{Backend: db.Backend()},
		secret: channel.NewSecret("0123456789abcdef0123456789abcdef")}
	sealer, err := seal.Ephemeral()
	require.NoError(t, err)
	ad, err := line.New(line.Options{HTTPClient: &http.Client{Transport: noNetwork{}}})
	require.NoError(t, err)
	c.eng, err = sangdam.New(sangdam.Config{DB: store.New(c.wrapped), Sealer: sealer, Node: "n1", Adapters: []adapter.Adapter{ad},
		Poll:  time.Hour, // hints alone must do
		Hooks: sangdam.Hooks{Processed: func(id.Workspace, channel.AccountID, adapter.EventKind) { c.processed.Add(1) }}})
	require.NoError(t, err)
	host := sangdam.Host(ws)
	require.NoError(t, c.eng.CreateWorkspace(t.Context(), ws, "Test"))
	require.NoError(t, errOf(c.eng.SaveAgent(t.Context(), host, sangdam.SaveAgent{Agent: chatAgent("a1")})))
	require.NoError(t, errOf(c.eng.SaveDesk(t.Context(), host,
		sangdam.SaveDesk{Agent: "a1", Desk: routing.Desk{ID: "support", Name: "Support"}})))
	require.NoError(t, errOf(c.eng.SaveQueue(t.Context(), host, sangdam.SaveQueue{Queue: routing.Queue{ID: "q", Name: "Everyone"}})))
	require.NoError(t, errOf(c.eng.SaveWorkStream(t.Context(), host,
		sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line", Mode: routing.Push, Cost: 1,
			ChannelCost: 1,
			Queue:       "q", Messages: automated.Texts{automated.Greeting: {"": "Hello!"}}}})))
	saved, err := c.eng.SaveAccount(t.Context(), host,
		sangdam.SaveAccount{Account: channel.Account{Kind: "line", Name: "Shop", Desk: "support", WorkStream: "line",
			Settings: json.RawMessage(`{"channel_id":"1234567890"}`),
			Secrets:  map[string]channel.Secret{"channel_secret": c.secret, "channel_token": channel.NewSecret("token")}}})
	require.NoError(t, err)
	c.acct = saved.Account
	return c
}

type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("there is no network here")
}

// run runs the engine while fn does.
func (c *counted) run(fn func()) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.eng.Run(ctx) }()
	fn()
	cancel()
	require.NoError(c.t, <-ended)
}

// held lets begin start work that needs the writer while the writer is busy,
// and lets it go once so many calls wait for it.
func (c *counted) held(calls int64, begin func()) {
	c.t.Helper()
	from := c.wrapped.entered.Load() + calls
	busy, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- c.db.Update(context.Background(), ws, func(context.Context, store.Tx) error {
			close(busy)
			<-release
			return nil
		})
	}()
	<-busy
	begin()
	c.until(func() bool { return c.wrapped.entered.Load() >= from })
	close(release)
	require.NoError(c.t, <-ended)
}

// until waits for a condition; the minute only ends a test that hangs.
func (c *counted) until(done func() bool) {
	c.t.Helper()
	require.Eventually(c.t, done, time.Minute, time.Millisecond)
}

// events makes a webhook body with a text of each user.
func (c *counted) events(users ...int) []byte {
	var all []string
	for _, u := range users {
		n := c.sent.Add(1)
		all = append(all, fmt.Sprintf(`{"type":"message","message":{"type":"text","id":"%d","quoteToken":"q","text":"hello"},`+
			`"webhookEventId":"01J%023d",`+
			`"deliveryContext":{"isRedelivery":false},"timestamp":%d,"source":{"type":"user","userId":"U%032x"},"replyToken":"%032x",`+
			`"mode":"active"}`,
			n, n, 1_700_000_000_000+n, u, n))
	}
	return []byte(`{"destination":"U1","events":[` + strings.Join(all, ",") + `]}`)
}

func (c *counted) post(body []byte) int {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/"+c.acct.Token, io.NopCloser(bytes.NewReader(body)))
	r.Header.Set("X-Line-Signature", line.Sign(c.secret, body))
	w := httptest.NewRecorder()
	c.eng.Webhooks().ServeHTTP(w, r)
	return w.Code
}

// customers is how many write at once.
const customers = 64

// round lets every customer write once: first the webhooks wait together for
// the store, then the transaction that they share does.
func (c *counted) round() {
	c.t.Helper()
	var wg sync.WaitGroup
	c.held(customers, func() {
		for u := range customers {
			body := c.events(u)
			wg.Go(func() {
				if got := c.post(body); got != http.StatusOK {
					c.t.Errorf("a webhook was answered %d", got)
				}
			})
		}
	})
	wg.Wait()
	want := c.processed.Load() + customers
	var stop context.CancelFunc
	ended := make(chan error, 1)
	c.held(1, func() {
		var ctx context.Context
		ctx, stop = context.WithCancel(context.Background())
		go func() { ended <- c.eng.Run(ctx) }()
	})
	c.until(func() bool { return c.processed.Load() == want })
	stop()
	require.NoError(c.t, <-ended)
}

// TestSixtyFourCustomersShareCommits: at 64 customers a message costs at most
// 0.3 commits, from the webhook to the end of its transaction, and a bounded
// number of rows read and hints.
func TestSixtyFourCustomersShareCommits(t *testing.T) {
	c := newCounted(t)
	c.run(func() { c.until(func() bool { return c.eng.Ready(t.Context()) == nil }) }) // the first start writes what a later one finds
	for _, round := range []struct {
		name string
		rows float64 // read for a message
	}{
		{"new customers", 12},
		{"customers with an open conversation", 9},
	} {
		before := c.db.Stats()
		c.round()
		after := c.db.Stats()
		commits := after.Commits - before.Commits
		require.LessOrEqual(t, float64(commits)/customers, 0.3, "%s: commits for a message", round.name)
		require.LessOrEqual(t, float64(after.RowsRead-before.RowsRead)/customers, round.rows, "%s: rows read for a message", round.name)
		require.LessOrEqual(t, after.Wakes-before.Wakes, commits, "%s: a commit gives at most one hint", round.name)
	}
	require.NoError(t, c.db.View(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		all, _, err := tx.Conversations().List(ctx, conversation.Filter{}, "", 2*customers)
		require.Len(t, all, customers, "each customer has one conversation")
		return err
	}))
}

// TestABodyOfAHundredEventsIsOneCommit and so is a repetition of it, which
// writes nothing.
func TestABodyOfAHundredEventsIsOneCommit(t *testing.T) {
	c := newCounted(t)
	users := make([]int, 100)
	for i := range users {
		users[i] = i % 10
	}
	body := c.events(users...)
	before := c.db.Stats()
	require.Equal(t, http.StatusOK, c.post(body))
	first := c.db.Stats()
	require.EqualValues(t, 1, first.Commits-before.Commits)
	require.EqualValues(t, 1, first.Updates-before.Updates)
	require.Equal(t, http.StatusOK, c.post(body))
	require.EqualValues(t, 0, c.db.Stats().Commits-first.Commits, "a repetition has nothing to commit")
	require.LessOrEqual(t, c.db.Stats().Wakes-before.Wakes, int64(1))
}

// looks counts how often the engine asks what is due next.
type looks struct {
	driver.Backend
	n atomic.Int64
}

func (l *looks) System() driver.System { return looksSystem{l.Backend.System(), l} }

type looksSystem struct {
	driver.System
	l *looks
}

func (s looksSystem) NextDue(ctx context.Context) (driver.Dues, error) {
	s.l.n.Add(1)
	return s.System.NextDue(ctx)
}

// TestWakeUpsAreBounded: an engine with nothing to do looks at what is due once
// in a poll, and at most once more, also when something is overdue that nobody here works:
// a job of a kind that only a newer program knows.
func TestWakeUpsAreBounded(t *testing.T) {
	for name, prepare := range map[string]func(w *world) error{
		"nothing to do": func(*world) error { return nil },
		"a job of an unknown kind is overdue": func(w *world) error {
			return w.db.Update(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
				return tx.Jobs().Enqueue(ctx, driver.Job{ID: "j1", Kind: "of_a_newer_program", Due: tx.Now(), CreatedAt: tx.Now()})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var l *looks
			inWorld(t, func(w *world) {
				require.NoError(t, prepare(w))
				w.settle()
				const polls = 60
				before := l.n.Load()
				w.pass(polls * time.Second)
				require.LessOrEqual(t, l.n.Load()-before, int64(2*polls+20))
			}, withConfig(func(cfg *sangdam.Config) {
				l = &looks{Backend: cfg.DB.Backend()}
				cfg.DB = store.New(l)
			}))
		})
	}
}

// deaf is a store whose appends never heed their context.
type deaf struct {
	driver.Backend
	release chan struct{}
}

func (d *deaf) AppendEnvelopes(ctx context.Context, ws driver.WorkspaceID, envs []adapter.Envelope) ([]bool, error) {
	<-d.release
	return d.Backend.AppendEnvelopes(context.WithoutCancel(ctx), ws, envs)
}

// TestAStoreThatHangsIsAnswered503InTime: LINE waits 2 s. What could not be
// stored by then is answered 503 even if the store hangs in the middle of a
// commit, the calls that hang are bounded, and nothing comes twice when the
// provider repeats what was stored after all.
func TestAStoreThatHangsIsAnswered503InTime(t *testing.T) {
	d := &deaf{}
	inWorld(t, func(w *world) {
		d.release = make(chan struct{})
		post := func(n int) (int, time.Duration) {
			body := fmt.Appendf(nil, `{"destination":"U1","events":[{"type":"message","message":{"type":"text","id":"%d",`+
				`"quoteToken":"q","text":"hello"},"webhookEventId":"01J%023d",`+
				`"deliveryContext":{"isRedelivery":false},"timestamp":1700000000000,"source":{"type":"user","userId":"U%032x"},`+
				`"replyToken":"r","mode":"active"}]}`, n, n, n)
			r := httptest.NewRequest(http.MethodPost, "/webhooks/"+w.acct.Token, bytes.NewReader(body))
			r.Header.Set("X-Line-Signature", line.Sign(channel.NewSecret(w.line.ChannelSecret()), body))
			rec, begin := httptest.NewRecorder(), time.Now()
			w.eng.Webhooks().ServeHTTP(rec, r)
			return rec.Code, time.Since(begin)
		}
		for n := range 2 {
			status, took := post(n)
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.Less(t, took, 2*time.Second)
		}
		status, took := post(2)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Zero(t, took, "two hang, which is all that may")
		close(d.release)
		w.settle()
		for n := range 3 {
			status, _ := post(n)
			require.Equal(t, http.StatusOK, status)
		}
		w.settle()
		require.Len(t, w.conversations(), 3)
		for _, cv := range w.conversations() {
			require.Equal(t, 1, cv.Unread, "the repetition was absorbed")
		}
	}, withConfig(func(cfg *sangdam.Config) {
		d.Backend = cfg.DB.Backend()
		cfg.DB, cfg.MaxAppending = store.New(d), 2
	}))
}
