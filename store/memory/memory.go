// Package memory is the whole storage contract in one process's memory: the
// model that other stores are compared with, and a store for tests and first
// steps. Nothing survives the process.
//
// How it works: rows are immutable values in maps under one mutex. An Update
// collects its writes in an overlay of its own; the mutex is held for each
// statement and for the commit, never while the caller's function runs. A
// statement notes which revision of a row it wrote over; the commit is a clash
// when another commit changed one of those rows since. Unique keys and
// counters are rows too, so that one rule covers versions, uniqueness, floors
// and ceilings.
//
// It is not for production: what it was told is gone with the process. sqlite.Open and
// postgres.Open take the place of New.
package memory

import (
	"context"
	"sync"
	"time"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Options of New. The zero value is ready to use.
type Options struct {
	// Now is the clock; nil means time.Now. It may be called by many
	// goroutines at once.
	Now func() time.Time
}

// New returns an empty store.
func New(o Options) *store.DB { return store.New(newBackend(o)) }

type backend struct {
	clock func() time.Time

	mu      sync.Mutex // guards all that follows
	rev     uint64     // of the last commit
	order   int64      // last number given to an envelope, outbox row or item
	spaces  map[driver.WorkspaceID]*space
	globals map[docKey]globalRef // values that are unique over all workspaces
	due     dueHeap
	nodes   map[string]time.Time
	leases  map[string]lease
	meta    map[string][]byte
	wakes   map[int]func(driver.Hint)
	lastSub int
	stats   driver.Stats
	looked  int64 // documents that lists looked at
	closed  bool
	running sync.WaitGroup
}

func newBackend(o Options) *backend {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &backend{
		clock:   o.Now,
		spaces:  map[driver.WorkspaceID]*space{},
		globals: map[docKey]globalRef{},
		nodes:   map[string]time.Time{},
		leases:  map[string]lease{},
		meta:    map[string][]byte{},
		wakes:   map[int]func(driver.Hint){},
	}
}

func (b *backend) now() time.Time { return b.clock().UTC().Truncate(time.Microsecond) }

var errClosed = errs.New(errs.Unavailable, "memory: the store is closed; open a new one")

// Update runs fn against an overlay and commits it.
func (b *backend) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	t, err := b.begin(ctx, ws, false)
	if err != nil {
		return err
	}
	defer b.end(t)
	err = fn(context.WithValue(ctx, inside{b}, true), t.whole())
	if t.clashed {
		return driver.ErrClash
	}
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.commit(t)
}

// View runs fn without a commit.
func (b *backend) View(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	t, err := b.begin(ctx, ws, true)
	if err != nil {
		return err
	}
	defer b.end(t)
	return fn(context.WithValue(ctx, inside{b}, true), t.whole())
}

// inside marks the context that a function of the backend was given.
type inside struct{ b *backend }

func (b *backend) begin(ctx context.Context, ws driver.WorkspaceID, readOnly bool) (*tx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ctx.Value(inside{b}) != nil {
		return nil, errs.New(errs.Invalid, "memory: an Update or View inside another; use the Tx that the function was given")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t, err := b.open(ws, readOnly)
	if err != nil {
		return nil, err
	}
	b.running.Add(1)
	return t, nil
}

// open makes a transaction; the mutex is held.
func (b *backend) open(ws driver.WorkspaceID, readOnly bool) (*tx, error) {
	if b.closed {
		return nil, errClosed
	}
	s := b.spaces[ws]
	if s == nil {
		return nil, errs.New(errs.NotFound, "memory: there is no workspace %q; create it first", ws)
	}
	now := b.now()
	if now.Before(s.now) {
		now = s.now // the clock went back; time within a workspace does not
	}
	return &tx{b: b, s: s, now: now, readOnly: readOnly, overlays: map[any]pending{}}, nil
}

func (b *backend) end(t *tx) {
	b.mu.Lock()
	t.ended = true
	if t.s.holder == t {
		t.s.holder = nil
	}
	b.mu.Unlock()
	b.running.Done()
}

// commit makes the overlay of t visible or returns why not; the mutex is held.
func (b *backend) commit(t *tx) error {
	if h := t.s.holder; t.rests && h != nil && h != t {
		return driver.ErrClash
	}
	for _, check := range t.checks {
		if err := check(); err != nil {
			return err
		}
	}
	for _, o := range t.ordered {
		if !o.fits() {
			return driver.ErrClash
		}
	}
	for _, last := range t.last {
		last()
	}
	b.rev++
	for _, o := range t.ordered {
		o.apply(b.rev)
	}
	if t.now.After(t.s.now) {
		t.s.now = t.now
	}
	b.stats.Commits++
	b.stats.Updates++
	if t.news != 0 {
		b.wake(driver.Hint{Workspace: t.s.id, News: t.news})
	}
	return nil
}

// wake hints every subscriber.
func (b *backend) wake(h driver.Hint) {
	for _, fn := range b.wakes {
		fn(h)
		b.stats.Wakes++
	}
}

// Wake subscribes to hints.
func (b *backend) Wake(fn func(driver.Hint)) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lastSub++
	sub := b.lastSub
	if !b.closed {
		b.wakes[sub] = fn
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.wakes, sub)
	}
}

// AppendEnvelopes stores envelopes in one commit.
func (b *backend) AppendEnvelopes(ctx context.Context, ws driver.WorkspaceID, envs []adapter.Envelope) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t, err := b.open(ws, false)
	if err != nil {
		return nil, err
	}
	fresh := inbox{t}.add(envs)
	return fresh, b.commit(t)
}

// System works across workspaces.
func (b *backend) System() driver.System { return system{b} }

// Stats counts.
func (b *backend) Stats() driver.Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

// Close waits for running functions; the data is gone afterwards.
func (b *backend) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	b.mu.Unlock()
	b.running.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.wakes)
	return nil
}
