package emukit_test

import (
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/emukit"
)

func TestFaultsHitTheCallsTheyName(t *testing.T) {
	for when, want := range map[string]string{"1": "x....", "3": "..x..", "2+2": ".xx..", "100%": "xxxxx", "0%": "....."} {
		w, err := emukit.ParseWhen(when)
		require.NoError(t, err, when)
		var f emukit.Faults[string]
		f.Add("x", w)
		got := ""
		for range 5 {
			hit := f.NextOf(func(string) bool { return true }, func() float64 { return 0.5 })
			got += strings.Repeat(".", 1-len(hit)) + hit
		}
		require.Equal(t, want, got, when)
	}
	for _, when := range []string{"", "soon", "1+", "x%", "1+2+3"} {
		_, err := emukit.ParseWhen(when)
		require.ErrorContains(t, err, "write a number", when)
	}
}

// Each fault is used once, in order, by the calls that it concerns.
func TestFaultsAreUsedInOrder(t *testing.T) {
	var f emukit.Faults[string]
	require.Empty(t, f.Next())
	f.Fail("a", "b")
	of := func(name string) func(string) bool { return func(s string) bool { return s == name } }
	never := func() float64 { return 1 }
	require.Empty(t, f.NextOf(of("c"), never))
	require.Equal(t, "b", f.NextOf(of("b"), never))
	require.Equal(t, "a", f.Next())
	require.Empty(t, f.Next())
	f.Fail("a")
	f.Clear()
	require.Empty(t, f.Next())
}

func TestARecordKeepsTheNewest(t *testing.T) {
	r := emukit.Record[int]{Keep: 3}
	require.NotNil(t, r.All(), "an empty one is a list too")
	for i := range 5 {
		r.Add(i)
	}
	require.Equal(t, []int{2, 3, 4}, r.All())
	require.Equal(t, 5, r.Count())
	require.Equal(t, []int{4}, r.From(4))
	require.Equal(t, []int{2, 3, 4}, r.From(-1))
	require.Empty(t, r.From(9))
	require.Equal(t, []int{2, 4}, r.Where(func(i int) bool { return i%2 == 0 }))
	r.Clear()
	r.Add(5)
	require.Equal(t, []int{5}, r.From(5), "places count from the first of all")
}

func TestMishaps(t *testing.T) {
	for _, m := range append(emukit.Mishaps(), "") {
		taken := false
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m.Untaken(r) {
				panic(http.ErrAbortHandler)
			}
			if m == emukit.FailBefore {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			taken = true
			a := m.Taken(r, emukit.JSON(http.StatusOK, "fine"), emukit.Answer{Status: http.StatusInternalServerError}, time.Minute)
			a.With("X-Id", "7").Write(w)
		})
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://provider", nil)
			require.NoError(t, err)
			began := time.Now()
			resp, err := emukit.Transport(h).RoundTrip(req)
			require.Equal(t, !strings.HasSuffix(string(m), "-before"), taken, m)
			switch m {
			case emukit.CutBefore, emukit.CutAfter:
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, m)
			case emukit.HangBefore, emukit.HangAfter:
				require.ErrorIs(t, err, context.DeadlineExceeded, m)
			case emukit.FailBefore, emukit.FailAfter:
				require.NoError(t, err)
				require.Equal(t, http.StatusInternalServerError, resp.StatusCode, m)
			default:
				require.NoError(t, err)
				require.Equal(t, "7", resp.Header.Get("X-Id"))
				var got string
				require.Equal(t, m != emukit.Garbage, json.NewDecoder(resp.Body).Decode(&got) == nil, m)
				require.Equal(t, m == emukit.Slow, time.Since(began) == time.Minute, m)
			}
		})
	}
}

// desk is a receiver of webhooks that a test controls.
type desk struct {
	mu    sync.Mutex
	down  bool
	slow  time.Duration
	under int
	most  int
	got   []string
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	d.under++
	d.most = max(d.most, d.under)
	d.mu.Unlock()
	select {
	case <-time.After(d.slow):
	case <-r.Context().Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.under--
	d.got = append(d.got, string(body))
	if d.down {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (d *desk) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.got
}

func senderTo(d *desk, o emukit.SenderOptions[string]) (*emukit.Sender[string], *emukit.Changes) {
	var changes emukit.Changes
	o.Client, o.Changes = &http.Client{Transport: emukit.Transport(d)}, &changes
	o.Webhook = func(events []emukit.Sending[string]) (emukit.Webhook, bool) {
		var body []string
		for _, e := range events {
			body = append(body, e.Event+strings.Repeat("'", e.Attempt))
		}
		return emukit.Webhook{Address: "http://desk", Body: []byte(strings.Join(body, " ")), EventIDs: body}, true
	}
	return emukit.NewSender(o), &changes
}

func TestASenderKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{slow: time.Second}
		s, changes := senderTo(d, emukit.SenderOptions[string]{})
		for _, e := range []string{"a", "b", "c"} {
			s.Queue(e)
		}
		require.NoError(t, changes.Wait(t.Context(), s.Idle))
		require.Equal(t, []string{"a", "b", "c"}, d.all())
		require.Equal(t, 1, d.most)
		s.Close()
	})
}

// What was not taken is sent again after the pause, as often as was said, and
// what comes meanwhile does not wait for it.
func TestASenderSendsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{down: true}
		s, changes := senderTo(d, emukit.SenderOptions[string]{Redeliveries: 2, RedeliverAfter: time.Minute})
		defer s.Close()
		s.Queue("a")
		synctest.Wait()
		require.Equal(t, 1, s.Waiting())
		time.Sleep(30 * time.Second)
		s.Queue("b")
		synctest.Wait()
		require.Equal(t, []string{"a", "b"}, d.all())
		require.NoError(t, changes.Wait(t.Context(), s.Idle))
		require.Equal(t, []string{"a", "b", "a'", "b'", "a''", "b''"}, d.all())
		last := s.Sent()[5]
		require.Equal(t, []any{2, http.StatusServiceUnavailable, emukit.ErrorStatus}, []any{last.Attempt, last.Status, last.Error})
	})
}

func TestASenderSendsBesideAndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{slow: time.Second}
		s, changes := senderTo(d, emukit.SenderOptions[string]{Parallel: 2, Batch: 2, Timeout: 2 * time.Second})
		defer s.Close()
		s.Hold()
		for _, e := range strings.Fields("a b c d e") {
			s.Queue(e)
		}
		synctest.Wait()
		require.Empty(t, d.all())
		s.Release(false)
		require.NoError(t, changes.Wait(t.Context(), s.Idle))
		require.ElementsMatch(t, []string{"a b", "c d", "e"}, d.all())
		require.Equal(t, 2, d.most)
		s.Hold()
		for _, e := range strings.Fields("f g h") {
			s.Queue(e)
		}
		s.Release(true)
		require.NoError(t, changes.Wait(t.Context(), s.Idle))
		require.Equal(t, "f g h", d.all()[3])
		d.slow = 3 * time.Second
		got, ok := s.Deliver("late")
		require.True(t, ok)
		require.Equal(t, emukit.RequestTimeout, got.Error)
		status, failure := s.Post(emukit.Webhook{Address: ":"})
		require.Equal(t, []any{0, emukit.CouldNotConnect}, []any{status, failure})
	})
}

func TestChaosRepeatsAndReordersByItsSeed(t *testing.T) {
	run := func() []string {
		d := &desk{}
		s, changes := senderTo(d, emukit.SenderOptions[string]{Chance: rand.New(rand.NewPCG(7, 7)).Float64})
		defer s.Close()
		s.SetChaos(emukit.Chaos{Duplicate: 0.5, Reorder: 0.5})
		s.Hold()
		for _, e := range strings.Fields("a b c d e f") {
			s.Queue(e)
		}
		s.Release(false)
		require.NoError(t, changes.Wait(t.Context(), s.Idle))
		return d.all()
	}
	first := run()
	require.Greater(t, len(first), 6)
	require.False(t, slices.IsSorted(first), first)
	require.Equal(t, first, run())
}

func TestAClosedSenderSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{down: true}
		s, _ := senderTo(d, emukit.SenderOptions[string]{Redeliveries: 9, RedeliverAfter: time.Hour})
		s.Queue("a")
		synctest.Wait()
		s.Close()
		s.Queue("b")
		time.Sleep(2 * time.Hour)
		require.Equal(t, []string{"a"}, d.all())
	})
}

func TestControl(t *testing.T) {
	mux := http.NewServeMux()
	c := emukit.NewControl(mux)
	emukit.Show(c, "GET /list", func() []int { return []int{1} })
	emukit.Take(c, "POST /users", func(_ *http.Request, in struct{ Name string }) (any, error) {
		switch in.Name {
		case "":
			return nil, errors.New("a user has a name")
		case "nobody":
			return nil, emukit.ErrMissing
		}
		return in.Name, nil
	})
	mux.Handle("GET /page", emukit.Page(template.Must(template.New("").Parse("<p>{{.}}</p>")), func() any { return "<b>" }))
	for _, one := range []struct {
		method, path, kind, body string
		status                   int
		says                     string
	}{
		{"GET", "/list", "", "", 200, "[1]"},
		{"POST", "/users", "application/json", `{"name":"mina"}`, 200, `"mina"`},
		{"POST", "/users", "application/json", `{"name":""}`, 400, "a user has a name"},
		{"POST", "/users", "application/json", `{`, 400, "not understood"},
		{"POST", "/users", "application/json", `{"name":"nobody"}`, 404, "Not found"},
		{"POST", "/users", "text/plain", `{"name":"mina"}`, 415, "application/json"},
		{"POST", "/users", "application/json", strings.Repeat(" ", 11<<20), 413, "too large"},
		{"GET", "/page", "", "", 200, "<p>&lt;b&gt;</p>"},
	} {
		r := httptest.NewRequest(one.method, one.path, strings.NewReader(one.body))
		r.Header.Set("Content-Type", one.kind)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		require.Equal(t, one.status, w.Code, one)
		require.Contains(t, w.Body.String(), one.says)
		require.Equal(t, one.path == "/page", w.Header().Get("Emulator-Start") == "")
	}
	for query, want := range map[string]time.Duration{"": 0, "wait=60": time.Minute, "wait=61": -1, "wait=-1": -1, "wait=x": -1} {
		got, err := emukit.Seconds(httptest.NewRequest("GET", "/?"+query, nil), "wait")
		require.Equal(t, want < 0, err != nil, query)
		require.Equal(t, max(want, 0), got, query)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	raw := emukit.Service{Addr: "127.0.0.1:0", Serve: func(l net.Listener) error {
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			_ = c.Close()
		}
	}}
	err := emukit.Serve(ctx, func(at []net.Addr) {
		resp, err := http.Get("http://" + at[0].String() + "/")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		taken := emukit.Serve(ctx, func([]net.Addr) { t.Error("served twice") }, raw, emukit.Web(at[1].String(), nil))
		require.Error(t, taken, "the address is in use")
		cancel()
	}, emukit.Web("127.0.0.1:0", http.NotFoundHandler()), raw)
	require.NoError(t, err)
	broken := errors.New("broken")
	require.ErrorIs(t, emukit.Serve(t.Context(), func([]net.Addr) {},
		emukit.Service{Addr: "127.0.0.1:0", Serve: func(net.Listener) error { return broken }}), broken)
}

func TestAListenerWithinTheProcess(t *testing.T) {
	l := emukit.NewListener()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := l.Dial(ctx, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded, "nobody accepts")
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = c.Write([]byte("hello"))
			_ = c.Close()
		}
	}()
	<-l.Accepting()
	c, err := l.Dial(t.Context(), nil)
	require.NoError(t, err)
	said, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "hello", string(said))
	require.NoError(t, l.Close())
	_, err = l.Dial(t.Context(), nil)
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestAMemoryForgetsByTimeAndByNumber(t *testing.T) {
	now := time.Unix(0, 0)
	m := emukit.Memory[int]{Life: time.Hour, Now: func() time.Time { return now }}
	m.Put("a", 1)
	now = now.Add(30 * time.Minute)
	m.Put("b", 2)
	now = now.Add(30*time.Minute - 1)
	v, ok := m.Get("a")
	require.True(t, ok)
	require.Equal(t, 1, v)
	now = now.Add(1)
	_, ok = m.Get("a")
	require.False(t, ok, "its life is over")
	m.Put("a", 3)
	now = now.Add(time.Hour - 1)
	v, _ = m.Get("a")
	require.Equal(t, 3, v, "a key may come again")
	m.Forget("a")
	_, ok = m.Get("a")
	require.False(t, ok)

	few := emukit.Memory[int]{Keep: 2}
	for i, key := range []string{"a", "b", "c"} {
		few.Put(key, i)
	}
	_, ok = few.Get("a")
	require.False(t, ok)
	v, ok = few.Get("b")
	require.True(t, ok)
	require.Equal(t, 1, v)
}

// A key that is put again, also after it was forgotten, is the newest and not the oldest.
func TestAKeyThatIsPutAgainIsTheNewest(t *testing.T) {
	for _, forget := range []bool{false, true} {
		m := emukit.Memory[int]{Keep: 2}
		m.Put("a", 1)
		m.Put("b", 2)
		if forget {
			m.Forget("a")
		}
		m.Put("a", 3)
		m.Put("c", 4)
		a, is := m.Get("a")
		require.True(t, is)
		require.Equal(t, 3, a)
		_, is = m.Get("b")
		require.False(t, is, "it is the oldest")
	}
}
