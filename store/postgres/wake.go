package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/store/driver"
)

// wakes hands out hints: at once within the process, and by NOTIFY to other
// nodes. NOTIFY goes out from a transaction of its own, at most once in
// Options.NotifyEvery: within the writing transaction it would take a lock that
// serialises all commits of the server.
type wakes struct {
	b     *backend
	self  string // so that our own NOTIFY does not wake us again
	given atomic.Int64

	mu     sync.Mutex
	subs   map[int]func(driver.Hint)
	last   int
	untold map[driver.WorkspaceID]driver.News // what other nodes have not heard of

	tell chan struct{} // a NOTIFY is due
	quit context.CancelFunc
	wg   sync.WaitGroup
}

func newWakes(b *backend) *wakes {
	ctx, quit := context.WithCancel(context.Background())
	w := &wakes{b: b, self: rand.Text(), subs: map[int]func(driver.Hint){}, untold: map[driver.WorkspaceID]driver.News{},
		tell: make(chan struct{}, 1), quit: quit}
	if !b.opts.DisableNotify {
		w.wg.Go(func() { w.send(ctx) })
		w.wg.Go(func() { w.listen(ctx) })
	}
	return w
}

func (w *wakes) subscribe(fn func(driver.Hint)) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	sub := w.last
	w.subs[sub] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subs, sub)
	}
}

// committed follows a commit of ours that may have brought work.
func (w *wakes) committed(h driver.Hint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hint(h)
	if w.b.opts.DisableNotify {
		return
	}
	w.untold[h.Workspace] |= h.News
	select {
	case w.tell <- struct{}{}:
	default:
	}
}

// hint calls the subscribers; w.mu is held.
func (w *wakes) hint(h driver.Hint) {
	for _, fn := range w.subs {
		fn(h)
		w.given.Add(1)
	}
}

// heard passes on what another node told.
func (w *wakes) heard(hints ...driver.Hint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range hints {
		if h.Workspace == "" && h.News == driver.NewsAny {
			w.b.sweeps.again()
		}
		w.hint(h)
	}
}

// told is a NOTIFY: who sends it, and what is new where.
type told struct {
	Node string                             `json:"n"`
	News map[driver.WorkspaceID]driver.News `json:"w,omitempty"`
	// Any says that there is too much to be told one by one.
	Any driver.News `json:"a,omitempty"`
}

// maxPayload is below the 8000 bytes that a NOTIFY may carry.
const maxPayload = 7900

// message is what is to be told now.
func (w *wakes) message() string {
	w.mu.Lock()
	t := told{Node: w.self, News: map[driver.WorkspaceID]driver.News{}}
	for ws, news := range w.untold {
		t.News[driver.WorkspaceID(key(ws))] = news
	}
	clear(w.untold)
	w.mu.Unlock()
	raw, err := json.Marshal(t)
	if err != nil || len(raw) > maxPayload {
		for _, news := range t.News {
			t.Any |= news
		}
		t.News = nil
		raw, _ = json.Marshal(t) // a string and a number
	}
	return string(raw)
}

// understand reads another node's message; one of another version means
// anything.
func (w *wakes) understand(payload string) []driver.Hint {
	var t told
	if err := json.Unmarshal([]byte(payload), &t); err != nil {
		return []driver.Hint{{News: driver.NewsAny}}
	}
	if t.Node == w.self {
		return nil
	}
	var out []driver.Hint
	for ws, news := range t.News {
		out = append(out, driver.Hint{Workspace: unkey[driver.WorkspaceID](string(ws)), News: news})
	}
	if t.Any != 0 || len(out) == 0 {
		out = append(out, driver.Hint{News: t.Any})
	}
	return out
}

func (w *wakes) channel() string { return w.b.opts.Schema + "_wake" }

// send notifies other nodes.
func (w *wakes) send(ctx context.Context) {
	spell := spell{log: w.b.opts.Logger, begins: "store: NOTIFY fails; other nodes learn of work by polling",
		ends: "store: NOTIFY works again"}
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.tell:
		}
		err := w.b.run(ctx, query(`SELECT set_config('synchronous_commit', 'off', true)`), // a hint is not worth a sync
			query(`SELECT pg_notify($1, $2)`, w.channel(), w.message()))
		if err == nil {
			spell.worked()
		} else if ctx.Err() == nil {
			spell.failed(err)
		}
		if !sleep(ctx, w.b.opts.NotifyEvery) {
			return
		}
	}
}

// listen passes on what other nodes notify, on a connection outside the pool,
// and connects again for ever.
func (w *wakes) listen(ctx context.Context) {
	spell := spell{log: w.b.opts.Logger, begins: "store: the listener lost its connection; polling goes on",
		ends: "store: the listener is back"}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, fiveSeconds) {
		began := time.Now()
		err := w.hear(ctx, spell.worked)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > fiveSeconds {
			wait = 100 * time.Millisecond
		}
		spell.failed(mapped(err))
		if !sleep(ctx, wait) {
			return
		}
	}
}

// hear listens on one connection until it ends; listening is called once it does.
func (w *wakes) hear(ctx context.Context, listening func()) error {
	cfg := w.b.pool.Config().ConnConfig
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	if _, err := c.Exec(ctx, "LISTEN "+pgx.Identifier{w.channel()}.Sanitize()); err != nil {
		return err
	}
	listening()
	w.heard(driver.Hint{News: driver.NewsAny}) // what came while nobody listened
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		w.heard(w.understand(n.Payload)...)
	}
}

func (w *wakes) stop() {
	w.quit()
	w.wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.subs)
}

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
