package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// engineBench is an engine with one LINE account on a store of this package.
type engineBench struct {
	db     *store.DB
	eng    *sangdam.Engine
	acct   channel.Account
	secret channel.Secret
	hook   http.Handler
	done   chan struct{} // one value for each envelope that reached the end of Tx B
	stop   func()
}

const benchSecret = "0123456789abcdef0123456789abcdef"

// newEngineBench sets a desk up. Whatever comes after Tx B is held back:
// routing, sending, jobs and the search index, unless a change of the
// configuration says otherwise.
func newEngineBench(b testing.TB, db *store.DB, changes ...func(*sangdam.Config)) *engineBench {
	s := &engineBench{db: db, secret: channel.NewSecret(benchSecret), done: make(chan struct{}, 1<<20)}
	sealer, err := seal.Ephemeral()
	require.NoError(b, err)
	ad, err := line.New(line.Options{APIBase: "https://api.line.test", DataAPIBase: "https://api.line.test",
		HTTPClient: &http.Client{Transport: politeProvider{}}})
	require.NoError(b, err)
	cfg := sangdam.Config{DB: store.New(inboundOnly{db.Backend()}), Sealer: sealer, Node: "n1", Adapters: []adapter.Adapter{ad},
		Hooks: sangdam.Hooks{Processed: func(driver.WorkspaceID, channel.AccountID, adapter.EventKind) { s.done <- struct{}{} }}}
	for _, change := range changes {
		change(&cfg)
	}
	s.eng, err = sangdam.New(cfg)
	require.NoError(b, err)
	ctx, host := context.Background(), sangdam.Host(testWS)
	require.NoError(b, errOf(s.eng.SaveAgent(ctx, host, sangdam.SaveAgent{Agent: routing.Agent{ID: "a1", Name: "Agent", Role: "agent",
		Permissions: []routing.Permission{routing.PermitChat},
		Capacity:    map[routing.Profile]int{routing.ProfileUnits: 2}, Assign: routing.AssignmentSwitches{Chat: true}}})))
	require.NoError(b, errOf(s.eng.SaveDesk(ctx, host, sangdam.SaveDesk{Agent: "a1", Desk: routing.Desk{ID: "desk", Name: "Desk"}})))
	require.NoError(b, errOf(s.eng.SaveQueue(ctx, host,
		sangdam.SaveQueue{Queue: routing.Queue{ID: "q", Name: "Everyone", Members: []routing.AgentID{"a1"}}})))
	require.NoError(b, errOf(s.eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "line", Name: "LINE",
		ChannelKind: "line", Mode: routing.Push, Cost: 1, ChannelCost: 1,
		Queue: "q", AutoClose: time.Hour, Messages: automated.Texts{automated.Greeting: {"": "안녕하세요! 곧 답변드리겠습니다."}}}})))
	saved, err := s.eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: channel.Account{Kind: "line", Name: "Shop", Desk: "desk",
		WorkStream: "line", Settings: json.RawMessage(`{"channel_id":"1234567890"}`),
		Secrets: map[string]channel.Secret{"channel_secret": s.secret, "channel_token": channel.NewSecret("token")}}})
	require.NoError(b, err)
	s.acct = saved.Account
	s.hook = s.eng.AccountWebhook(s.acct.Token)
	return s
}

// run starts the engine until the benchmark ends.
func (s *engineBench) run(b testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.eng.Run(ctx) }()
	s.stop = func() {
		cancel()
		require.NoError(b, <-ended)
	}
	b.Cleanup(func() { s.stop() })
}

// signedBody is a webhook ready to be delivered.
type signedBody struct {
	body []byte
	sign string
}

func benchUser(i int) string { return fmt.Sprintf("U%032x", i) }

// textEvent is a webhook with one text, as LINE writes it.
func (s *engineBench) textEvent(user string, n int) signedBody {
	body := fmt.Appendf(nil,
		`{"destination":"Uffffffffffffffffffffffffffffffff","events":[{"type":"message","message":{"type":"text","id":"%d",`+
			`"quoteToken":"q3Plxr4AgKd3Plxr4AgKdq3Plxr4AgKdq3Plxr4AgKd","markAsReadToken":"q3Plxr4AgKdq3Plxr4AgKd","text":"안녕하세요, 주문한 상품 `+
			`환불 문의드립니다."},"webhookEventId":"01J%023d",`+
			`"deliveryContext":{"isRedelivery":false},"timestamp":%d,"source":{"type":"user","userId":"%s"},"replyToken":"%032x",`+
			`"mode":"active"}]}`,
		500000000000000000+n, n, time.Now().UnixMilli(), user, n)
	return signedBody{body, line.Sign(s.secret, body)}
}

// post delivers a webhook without a network.
func (s *engineBench) post(m signedBody) error {
	w := answer{header: http.Header{}}
	s.hook.ServeHTTP(&w, &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/x"}, Host: "host.test",
		Header: http.Header{"X-Line-Signature": {m.sign}}, Body: io.NopCloser(bytes.NewReader(m.body)),
		ContentLength: int64(len(m.body))})
	if w.status != http.StatusOK {
		return fmt.Errorf("answered %d", w.status)
	}
	return nil
}

// answer is a response that nobody reads.
type answer struct {
	header http.Header
	status int
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) WriteHeader(status int)      { w.status = status }
func (w *answer) Write(p []byte) (int, error) { return len(p), nil }

// SetReadDeadline is what the server's own response has.
func (w *answer) SetReadDeadline(time.Time) error { return nil }

// politeProvider answers every call at once.
type politeProvider struct{}

func (politeProvider) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}, "X-Line-Request-Id": {"1"}},
		Request: r,
		Body:    io.NopCloser(strings.NewReader(`{"displayName":"Kim","userId":"U","sentMessages":[{"id":"1"}]}`))}, nil
}

// inboundOnly is a store in which nobody routes, sends, indexes or runs jobs.
type inboundOnly struct{ driver.Backend }

// AppendsInTime implements driver.Prompt, as the store within does.
func (inboundOnly) AppendsInTime() {}

func (b inboundOnly) System() driver.System { return inboundSystem{b.Backend.System()} }

type inboundSystem struct{ driver.System }

func (inboundSystem) Lease(context.Context, string, string, time.Duration) (int64, error) {
	return 0, driver.ErrConflict
}

func (inboundSystem) ClaimOutbox(context.Context, string, int, int, time.Duration) ([]driver.OutboxLane, error) {
	return nil, nil
}

func (inboundSystem) ClaimJobs(context.Context, string, map[string]int, time.Duration) ([]driver.Job, error) {
	return nil, nil
}

func (inboundSystem) NextDue(context.Context) (driver.Dues, error) { return driver.Dues{}, nil }

// post64 delivers from 64 customers at once and waits for the answers alone.
func (s *engineBench) post64(ms []signedBody) (time.Duration, error) {
	return inParallel(len(ms), func(i int) error { return s.post(ms[i-1]) })
}

// deliver sends messages so that at most 64 are under way, and returns when
// the last has reached the end of Tx B.
func (s *engineBench) deliver(ms []signedBody) (time.Duration, error) {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	begin := time.Now()
	for range min(benchCallers, len(ms)) {
		go s.deliverNext(ms, &next, &failed)
	}
	for range ms {
		select {
		case <-s.done:
			go s.deliverNext(ms, &next, &failed)
		case <-time.After(30 * time.Second):
			return 0, fmt.Errorf("an envelope was not processed in 30 s")
		}
	}
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return time.Since(begin), nil
}

func (s *engineBench) deliverNext(ms []signedBody, next *atomic.Int64, failed *atomic.Pointer[error]) {
	i := int(next.Add(1)) - 1
	if i >= len(ms) {
		return
	}
	if err := s.post(ms[i]); err != nil {
		failed.Store(&err)
	}
}

// report gives the figures of a comparison.
func report(b *testing.B, r measure.Result) {
	for name, s := range map[string]measure.Spread{"share": r.Share, "x": r.X, "cpu-share": r.CPUShare} {
		b.ReportMetric(s.Median, name)
		b.ReportMetric(s.Min, name+"-min")
		b.ReportMetric(s.Max, name+"-max")
	}
	b.ReportMetric(r.Ours.Median, "msgs/s")
	b.ReportMetric(r.OurCPU.Median, "cpu-us/msg")
	b.ReportMetric(float64(r.Discarded), "discarded")
	b.ReportMetric(0, "ns/op")
}

// counts gives what a unit of work cost the store: these do not depend on the
// machine's speed.
func counts(b *testing.B, before, after driver.Stats, n int) {
	for name, v := range map[string]int64{"commits/msg": after.Commits - before.Commits, "rows/msg": after.RowsRead - before.RowsRead,
		"wakes/msg": after.Wakes - before.Wakes} {
		b.ReportMetric(float64(v)/float64(n), name)
	}
}

const benchUnits = 3000

// collectSeldom has garbage collected as a host is told to (docs/performance.md),
// unless GOGC says otherwise: for the engine and for what it is compared with.
func collectSeldom(b *testing.B) {
	if os.Getenv("GOGC") == "" {
		was := debug.SetGCPercent(400)
		b.Cleanup(func() { debug.SetGCPercent(was) })
	}
}

// BenchmarkEngineAppendPowerCutDurable is step 0 alone: the engine's webhook
// handler, called without a network by 64 customers at once, one signed event
// in a body, against a bare group commit of one row of 256 bytes under two indexes
// (docs/performance.md, B1a), and against the rows that the handler stores, by hand
// through the same committer.
func BenchmarkEngineAppendPowerCutDurable(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		control := newBareCommitter(b)
		body := make([]byte, 256)
		benchAppend(b, func(i int) error {
			return control.do(func(c *raw.Conn) error {
				_, err := c.Exec(`INSERT INTO bare (id, lane, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, name("key", i),
					name("lane", i%benchCallers), body)
				return err
			})
		})
	})
	b.Run("rows", func(b *testing.B) { benchAppend(b, newHandWritten(b, benchCallers).appendOnly) })
}

func benchAppend(b *testing.B, control func(i int) error) {
	collectSeldom(b)
	db := openTest(b, Options{})
	s := newEngineBench(b, db)
	sent, by := 0, 0
	var ms []signedBody
	var got measure.Result
	before := db.Stats()
	for b.Loop() {
		var err error
		got, err = measure.Compare(measure.Plan{Dir: b.TempDir(), Units: benchUnits,
			Prepare: func(units int) {
				ms = make([]signedBody, units)
				for i := range ms {
					sent++
					ms[i] = s.textEvent(benchUser(i%benchCallers), sent)
				}
			},
			Ours: func(int) (time.Duration, error) { return s.post64(ms) },
			Control: func(units int) (time.Duration, error) {
				base := by
				by += units
				return inParallel(units, func(i int) error { return control(base + i) })
			}})
		require.NoError(b, err)
	}
	counts(b, before, db.Stats(), sent)
	report(b, got)
}

// BenchmarkEngineInboundPowerCutDurable is the whole way of a text from the
// webhook to the end of Tx B with 64 customers, against the same statements
// written by hand (B1b). "existing" customers have an open conversation, "new"
// ones get a contact, a conversation, a greeting and a place in the queue. What
// comes after Tx B is held back: it would go on into the control's turn.
func BenchmarkEngineInboundPowerCutDurable(b *testing.B) {
	b.Run("existing", func(b *testing.B) { benchInbound(b, false) })
	b.Run("new", func(b *testing.B) { benchInbound(b, true) })
}

func benchInbound(b *testing.B, fresh bool) {
	collectSeldom(b)
	db := openTest(b, Options{})
	s := newEngineBench(b, db)
	s.run(b)
	h := newHandWritten(b, benchCallers)
	sent := 0
	messages := func(n int) []signedBody {
		ms := make([]signedBody, n)
		for i := range ms {
			sent++
			user := sent % benchCallers
			if fresh {
				user = sent
			}
			ms[i] = s.textEvent(benchUser(user), sent)
		}
		return ms
	}
	_, err := s.deliver(messages(benchCallers))
	require.NoError(b, err)
	control := h.existing
	if fresh {
		control = h.fresh
	}
	var got measure.Result
	var ms []signedBody
	before, first := db.Stats(), sent
	for b.Loop() {
		got, err = measure.Compare(measure.Plan{Dir: b.TempDir(), Units: benchUnits,
			Prepare: func(units int) { ms = messages(units) },
			Ours:    func(int) (time.Duration, error) { return s.deliver(ms) },
			Control: h.all64(control)})
		require.NoError(b, err)
	}
	counts(b, before, db.Stats(), sent-first)
	report(b, got)
}

// errOf is the error of a command whose result does not matter.
func errOf[T any](_ T, err error) error { return err }
