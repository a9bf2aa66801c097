package postgres

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// wakes hands out hints: at once within the process, and by NOTIFY to other
// nodes. NOTIFY goes out from a transaction of its own, at most once in
// Options.NotifyEvery: within the writing transaction it would take a lock that
// serialises all commits of the server.
type wakes struct {
	b     *backend
	self  string // so that our own NOTIFY does not wake us again
	given atomic.Int64

	mu   sync.Mutex
	subs map[chan struct{}]bool
	done bool

	tell chan struct{} // a NOTIFY is due
	quit context.CancelFunc
	wg   sync.WaitGroup
}

func newWakes(b *backend) *wakes {
	ctx, quit := context.WithCancel(context.Background())
	w := &wakes{b: b, self: rand.Text(), subs: map[chan struct{}]bool{}, tell: make(chan struct{}, 1), quit: quit}
	if !b.opts.DisableNotify {
		w.wg.Go(func() { w.send(ctx) })
		w.wg.Go(func() { w.listen(ctx) })
	}
	return w
}

func (w *wakes) subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		close(c)
		return c, func() {}
	}
	w.subs[c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subs, c)
	}
}

// committed follows a commit of ours that may have brought work.
func (w *wakes) committed() {
	w.hint()
	select {
	case w.tell <- struct{}{}:
	default:
	}
}

func (w *wakes) hint() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.subs {
		select {
		case c <- struct{}{}:
			w.given.Add(1)
		default:
		}
	}
}

func (w *wakes) channel() string { return w.b.opts.Schema + "_wake" }

// send notifies other nodes.
func (w *wakes) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.tell:
		}
		err := w.b.run(ctx, query(`SELECT set_config('synchronous_commit', 'off', true)`), // a hint is not worth a sync
			query(`SELECT pg_notify($1, $2)`, w.channel(), w.self))
		if err != nil && ctx.Err() == nil {
			w.b.opts.Logger.Warn("store: NOTIFY failed; other nodes learn of work by polling", "error", err)
		}
		if !sleep(ctx, w.b.opts.NotifyEvery) {
			return
		}
	}
}

// listen passes on what other nodes notify, on a connection outside the pool,
// and connects again for ever.
func (w *wakes) listen(ctx context.Context) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, fiveSeconds) {
		began := time.Now()
		err := w.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > fiveSeconds {
			wait = 100 * time.Millisecond
		}
		w.b.opts.Logger.Warn("store: the listener lost its connection; polling goes on", "error", mapped(err))
		if !sleep(ctx, wait) {
			return
		}
	}
}

func (w *wakes) hear(ctx context.Context) error {
	cfg := w.b.pool.Config().ConnConfig
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	if _, err := c.Exec(ctx, "LISTEN "+pgx.Identifier{w.channel()}.Sanitize()); err != nil {
		return err
	}
	w.hint() // what came while nobody listened
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if n.Payload != w.self {
			w.hint()
		}
	}
}

func (w *wakes) stop() {
	w.quit()
	w.wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	for c := range w.subs {
		close(c)
		delete(w.subs, c)
	}
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
