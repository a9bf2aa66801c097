package sangdam_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
)

// countedFeed counts how often the feed is read with something to find.
type countedFeed struct {
	driver.Backend
	full *atomic.Int64
}

func (c countedFeed) Feed(ctx context.Context, ws driver.WorkspaceID, cursor string, limit int) ([]driver.Event, string, error) {
	evs, next, err := c.Backend.Feed(ctx, ws, cursor, limit)
	if len(evs) > 0 && limit > 1 {
		c.full.Add(1)
	}
	return evs, next, err
}

// viewer follows a stream and keeps what it was shown.
type viewer struct {
	mu      sync.Mutex
	events  []store.Event
	cursors []string
	reloads int
	err     error
	stop    context.CancelFunc
	done    chan struct{}
	// hold is taken by the loop for each batch: whoever takes it stops the loop.
	hold chan struct{}
}

func (w *world) watch(eng *sangdam.Engine, p sangdam.Principal, cursor string) *viewer {
	ctx, stop := context.WithCancel(w.ctx)
	v := &viewer{stop: stop, done: make(chan struct{}), hold: make(chan struct{}, 1)}
	go func() {
		defer close(v.done)
		for b, err := range eng.Stream(ctx, p, cursor) {
			v.hold <- struct{}{}
			v.take(b, err)
			<-v.hold
		}
	}()
	w.t.Cleanup(stop)
	return v
}

func (v *viewer) take(b sangdam.Batch, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.err = err
		return
	}
	v.events = append(v.events, b.Events...)
	v.cursors = append(v.cursors, b.Cursor)
	if b.Reload {
		v.reloads++
	}
}

func (v *viewer) saw(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.events, func(ev store.Event) bool { return ev.ID == id })
}

func (v *viewer) cursor() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cursors[len(v.cursors)-1]
}

// One reading of the feed serves every stream of the process.
func TestOneReadingOfTheFeedServesAllStreams(t *testing.T) {
	var full atomic.Int64
	inWorld(t, func(w *world) {
		const many = 2000
		viewers := make([]*viewer, many)
		for i := range viewers {
			viewers[i] = w.watch(w.eng, w.host, "")
		}
		w.settle()
		before := full.Load()
		w.line.User("Jun").SendText("hello")
		w.settle()
		c := w.only().Conversation
		reads := full.Load() - before
		for _, v := range viewers {
			require.True(t, v.saw(string(c.ID)))
			v.stop()
		}
		require.Less(t, reads, int64(60), "router, indexer and one reader follow the feed, not %d viewers", many)
		w.pass(time.Minute)
	}, withConfig(func(c *sangdam.Config) { c.DB = store.New(countedFeed{c.DB.Backend(), &full}) }))
}

// Whoever comes back, at any process, misses nothing and may see some again.
func TestAStreamGoesOnFromItsCursorInAnotherEngine(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.watch(w.eng, w.host, "")
		w.settle()
		jun := w.line.User("Jun")
		jun.SendText("one")
		w.settle()
		cursor := v.cursor()
		v.stop()
		<-v.done
		for i := range 30 {
			jun.SendText(fmt.Sprint("message ", i))
		}
		w.settle()
		w.restart()
		again := w.watch(w.eng, w.host, cursor)
		w.settle()
		seqs := map[int64]bool{}
		for _, ev := range again.events {
			if ev.Aggregate == "conversation" && ev.ID == string(w.only().Conversation.ID) {
				seqs[ev.Version] = true
			}
		}
		d := w.only()
		for _, m := range d.Messages[len(d.Messages)-30:] {
			require.True(t, seqs[m.Seq], "the event of message %d", m.Seq)
		}
		require.Zero(t, again.reloads)
		again.stop()
		w.pass(time.Minute)
	})
}

func TestAStreamShowsWhatMayBeSeenAndFollowsRights(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.otherDesk("secret", "a3")
		mine, theirs := w.watch(w.eng, w.agent("a1"), ""), w.watch(w.eng, w.agent("a3"), "")
		w.settle()
		w.line.User("Hana").SendText("to the secret desk")
		w.settle()
		c := w.only().Conversation
		require.True(w.t, theirs.saw(string(c.ID)))
		require.False(w.t, mine.saw(string(c.ID)))

		require.NoError(w.t, w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "secret", Agent: "a1"}))
		w.settle()
		require.Equal(w.t, 1, mine.reloads, "more may be seen: read anew")
		require.NoError(w.t, errOf(w.eng.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: c.ID, Text: "a note"})))
		w.settle()
		require.True(w.t, mine.saw(string(c.ID)))

		seen := len(theirs.events)
		require.NoError(w.t, w.eng.RemoveFromDesk(w.ctx, w.host, sangdam.RemoveFromDesk{Desk: "secret", Agent: "a3"}))
		require.NoError(w.t, errOf(w.eng.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: c.ID, Text: "another"})))
		w.settle()
		require.Equal(w.t, 1, theirs.reloads)
		for _, ev := range theirs.events[seen:] {
			require.NotEqual(w.t, string(c.ID), ev.ID, "nothing is shown once the right is gone")
		}
		mine.stop()
		theirs.stop()
		if !w.real {
			w.pass(time.Minute)
		}
	})
}

func TestAStreamThatCannotBeServedSaysReloadOrWhy(t *testing.T) {
	inWorld(t, func(w *world) {
		require.NoError(t, w.eng.CreateWorkspace(w.ctx, "w2", "Other"))
		_, foreign, err := w.eng.Events(w.ctx, sangdam.Host("w2"), "", 1)
		require.NoError(t, err)
		for _, cursor := range []string{foreign, "nonsense", strings.Repeat("x", 5000)} {
			v := w.watch(w.eng, w.host, cursor)
			w.settle()
			if cursor != foreign || v.reloads > 0 {
				require.Equal(t, 1, v.reloads, "%.20s", cursor)
			}
			w.line.User("Jun").SendText("hello")
			w.settle()
			require.NotEmpty(t, v.events, "it goes on at the present")
			v.stop()
		}
		nobody := w.watch(w.eng, sangdam.Principal{Workspace: ws, Kind: sangdam.KindAgent, ID: "a1"}, "")
		w.settle()
		require.ErrorIs(t, nobody.err, sangdam.ErrPermissionDenied)

		left := w.watch(w.eng, w.host, "")
		w.settle()
		w.restart()
		<-left.done
		require.ErrorIs(t, left.err, sangdam.ErrUnavailable, "a stopped engine ends its streams")
	})
}

// A reader that stands still costs the others nothing and is told to reload.
func TestASlowReaderIsToldToReload(t *testing.T) {
	inWorld(t, func(w *world) {
		slow, quick := w.watch(w.eng, w.host, ""), w.watch(w.eng, w.host, "")
		w.settle()
		slow.hold <- struct{}{}
		jun := w.line.User("Jun")
		for range 120 {
			for range 45 {
				jun.SendText("hello")
			}
			w.settle()
		}
		require.Greater(t, len(quick.events), 4096)
		<-slow.hold
		w.settle()
		require.Positive(t, slow.reloads)
		require.Equal(t, quick.cursor(), slow.cursor())
		slow.stop()
		quick.stop()
		w.pass(time.Minute)
	})
}

// sseEvent is one event as a browser reads it.
type sseEvent struct{ id, kind, data string }

func readSSE(r *bufio.Reader) (sseEvent, error) {
	var ev sseEvent
	for {
		text, err := r.ReadString('\n')
		if err != nil {
			return ev, err
		}
		name, value, _ := strings.Cut(strings.TrimRight(text, "\n"), ": ")
		switch {
		case text == "\n" && ev != (sseEvent{}):
			return ev, nil
		case name == "id":
			ev.id = value
		case name == "event":
			ev.kind = value
		case name == "data":
			ev.data = value
		}
	}
}

func TestEventStreamOverHTTP(t *testing.T) {
	w := newReplayWorld(t, true) // a connection of HTTP needs real time
	refused := errors.New("no session")
	srv := httptest.NewServer(sangdam.EventStream(w.eng, func(r *http.Request) (sangdam.Principal, error) {
		switch r.Header.Get("X-Agent") {
		case "":
			return sangdam.Principal{}, fmt.Errorf("%w: %w", sangdam.ErrPermissionDenied, refused)
		case "nobody":
			return sangdam.Principal{Workspace: ws, Kind: sangdam.KindAgent, ID: "x"}, nil
		}
		return w.host, nil
	}))
	t.Cleanup(srv.Close)
	get := func(agent, last string) *http.Response {
		ctx, stop := context.WithCancel(t.Context())
		t.Cleanup(stop)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
		require.NoError(t, err)
		if agent != "" {
			req.Header.Set("X-Agent", agent)
		}
		req.Header.Set("Last-Event-ID", last)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	require.Equal(t, http.StatusForbidden, get("", "").StatusCode)
	require.Equal(t, http.StatusForbidden, get("nobody", "").StatusCode)
	post, err := http.Post(srv.URL, "text/plain", nil)
	require.NoError(t, err)
	require.NoError(t, post.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, post.StatusCode)

	res := get("host", "")
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	body := bufio.NewReader(res.Body)
	first, err := readSSE(body)
	require.NoError(t, err)
	require.Equal(t, "place", first.kind)
	require.NotEmpty(t, first.id)
	w.line.User("Jun").SendText("hello")
	var ev store.Event
	for ev.Kind != string(conversation.EvMessage) {
		next, err := readSSE(body)
		require.NoError(t, err)
		if next.kind == "change" {
			require.NoError(t, json.Unmarshal([]byte(next.data), &ev))
		}
	}
	require.Equal(t, "conversation", ev.Aggregate)

	again := bufio.NewReader(get("host", first.id).Body)
	found := false
	for !found {
		next, err := readSSE(again)
		require.NoError(t, err)
		found = strings.Contains(next.data, ev.ID)
	}
	gone, err := readSSE(bufio.NewReader(get("host", "nonsense").Body))
	require.NoError(t, err)
	require.Equal(t, "reload", gone.kind)
}

// Whoever is signed out at the host's, or has other roles there, is cut off within
// seconds: a stream stays open for days, and was asked about at its beginning alone.
func TestAnEventStreamEndsWithTheSession(t *testing.T) {
	inWorld(t, func(w *world) {
		for name, after := range map[string]func() (sangdam.Principal, error){
			"signed out":  func() (sangdam.Principal, error) { return sangdam.Principal{}, sangdam.ErrPermissionDenied },
			"other roles": func() (sangdam.Principal, error) { return sangdam.AgentPrincipal(ws, "a1"), nil },
			"somebody else": func() (sangdam.Principal, error) {
				return sangdam.AgentPrincipal(ws, "a2", sangdam.RoleAdministrator), nil
			},
		} {
			var ended, turned atomic.Bool
			stream := sangdam.EventStream(w.eng, func(*http.Request) (sangdam.Principal, error) {
				roles := []sangdam.Role{sangdam.RoleAdministrator, sangdam.RoleAgent}
				switch {
				case ended.Load():
					return after()
				case turned.CompareAndSwap(false, true): // a host may keep roles in a map
					slices.Reverse(roles)
				}
				return sangdam.AgentPrincipal(ws, "a1", roles...), nil
			})
			ctx, cancel := context.WithCancel(w.ctx)
			done := make(chan struct{})
			go func() {
				defer close(done)
				stream.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/events?beat=60", nil))
			}()
			w.pass(time.Minute)
			select {
			case <-done:
				require.Fail(t, "it ended although nothing changed", name)
			default:
			}
			ended.Store(true)
			w.pass(6 * time.Second)
			select {
			case <-done:
			default:
				require.Fail(t, "it goes on", name)
			}
			cancel()
			<-done
		}
	})
}

// After an older copy of a SQLite file was put back and has grown past a place, whoever
// comes back with it is told to read anew, in whichever way it follows.
func TestPlacesFromBeforeAnOlderCopyReload(t *testing.T) {
	open := func(dir string) (*sangdam.Engine, *store.DB) {
		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		sealer, err := seal.Ephemeral()
		require.NoError(t, err)
		eng, err := sangdam.New(sangdam.Config{DB: db, Sealer: sealer, Blobs: blob.Memory()})
		require.NoError(t, err)
		return eng, db
	}
	host, older := sangdam.Host(ws), t.TempDir()
	eng, db := open(t.TempDir())
	require.NoError(t, eng.CreateWorkspace(t.Context(), ws, "Test"))
	saves := func(eng *sangdam.Engine, n int) {
		for i := range n {
			require.NoError(t, errOf(eng.SaveAgent(t.Context(), host, sangdam.SaveAgent{Agent: routing.Agent{
				ID: routing.AgentID(rand.Text()), Name: fmt.Sprint("Agent ", i), Role: "agent"}})))
		}
	}
	saves(eng, 3)
	require.NoError(t, sqlite.Backup(t.Context(), db, filepath.Join(older, "sangdam.db")))
	saves(eng, 3)
	_, lost, err := eng.Events(t.Context(), host, "", 10)
	require.NoError(t, err)

	eng, _ = open(older)
	saves(eng, 10)
	_, _, err = eng.Events(t.Context(), host, lost, 10)
	require.ErrorIs(t, err, sangdam.ErrCursorGone)
	for b, err := range eng.Stream(t.Context(), host, lost) {
		require.NoError(t, err)
		require.True(t, b.Reload)
		break
	}
	srv := httptest.NewServer(sangdam.EventStream(eng, func(*http.Request) (sangdam.Principal, error) { return host, nil }))
	defer srv.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Last-Event-ID", lost)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	first, err := readSSE(bufio.NewReader(res.Body))
	require.NoError(t, err)
	require.Equal(t, "reload", first.kind)
	require.NotEqual(t, lost, first.id)
}

func TestHTTPStatus(t *testing.T) {
	for err, want := range map[error]int{sangdam.ErrInvalid: 400, sangdam.ErrPermissionDenied: 403, sangdam.ErrNotFound: 404,
		sangdam.ErrConflict: 409, sangdam.ErrStale: 409, sangdam.ErrAlreadyExists: 409, sangdam.ErrUnsupported: 422,
		sangdam.ErrUnavailable: 503,
		errors.New("x"):        500} {
		require.Equal(t, want, sangdam.HTTPStatus(fmt.Errorf("wrapped: %w", err)), "%v", err)
	}
	require.Equal(t, 200, sangdam.HTTPStatus(nil))
}
