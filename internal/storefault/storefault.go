// Package storefault wraps a store so that the n-th call to it goes wrong: it
// fails before it does anything, loses the reply after the commit, waits, runs
// its function twice, clashes, has its context cancelled, or the process
// "dies". A harness runs a flow once to count the calls, then once for each n
// and each fault, and checks that what was promised still holds:
//
//	for n := 1; n <= calls; n++ {
//		for _, kind := range storefault.Kinds {
//			db, fault := storefault.Wrap(fresh(), storefault.Plan{At: n, Kind: kind})
//			…
//		}
//	}
package storefault

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Kind is what goes wrong.
type Kind string

const (
	// FailBefore: nothing is done, the error is ErrUnavailable.
	FailBefore Kind = "fail before"
	// LoseReply: the call is done in full, and its caller gets ErrUnavailable.
	LoseReply Kind = "lose reply"
	// Delay: Plan.Hook runs before the call.
	Delay Kind = "delay"
	// RunTwice: the function of an Update runs twice, the first run is rolled
	// back. Another call is done twice where that changes nothing (View, Feed,
	// AppendEnvelopes, reads of System), else once.
	RunTwice Kind = "run twice"
	// Clash: an Update runs its function, rolls back and is a clash, so that
	// store.DB runs it again. Other calls are done as usual.
	Clash Kind = "clash"
	// Cancel: the context that the call gets is cancelled. An Update's is
	// cancelled when its function has run, before it returns.
	Cancel Kind = "cancel"
	// CrashBefore: as the death of the process before the call: it and all
	// later ones fail until Revive.
	CrashBefore Kind = "crash before"
	// CrashAfter: as CrashBefore, but the call itself is still done.
	CrashAfter Kind = "crash after"
)

// Kinds are all that a loop should try. Delay needs a Hook to have an effect.
var Kinds = []Kind{FailBefore, LoseReply, Delay, RunTwice, Clash, Cancel, CrashBefore, CrashAfter}

// Plan says which calls go wrong and how. The zero Plan only counts.
type Plan struct {
	// At is the number of the call, from 1; 0 for none.
	At   int
	Kind Kind
	// Seed and Rate, when Rate is above 0: besides At every call goes wrong
	// with probability Rate, in a kind of Random, drawn from Seed. The draws
	// depend on the order of calls alone.
	Seed uint64
	Rate float64
	// Random are the kinds to draw from; none means FailBefore and LoseReply,
	// RunTwice and Clash.
	Random []Kind
	// Hook runs for Delay, outside any transaction, with the call's name.
	Hook func(ctx context.Context, call string)
}

// Call is one call that was made.
type Call struct {
	N     int
	Name  string // "Update", "System.Due", …
	Fault Kind   // empty: none
}

// Fault is the control of a wrapped store. It is safe for concurrent use.
type Fault struct {
	mu    sync.Mutex
	plan  Plan
	rng   *rand.Rand
	calls []Call
	dead  bool
}

var errDown = errs.New(errs.Unavailable, "storefault: the store does not answer")

// Wrap returns the store with faults and their control. Wake, Stats and Close
// never go wrong and are not counted.
func Wrap(db *store.DB, p Plan) (*store.DB, *Fault) {
	f := &Fault{plan: p, rng: rand.New(rand.NewPCG(p.Seed, 0))}
	return store.New(&backend{Backend: db.Backend(), f: f}), f
}

// Calls returns how many calls were made.
func (f *Fault) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

// History returns the calls in their order.
func (f *Fault) History() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Call(nil), f.calls...)
}

// Hit reports whether any call went wrong so far.
func (f *Fault) Hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c.Fault != "" {
			return true
		}
	}
	return false
}

// Dead reports whether a crash happened and Revive was not called since.
func (f *Fault) Dead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// Crash kills the store now: every later call fails until Revive.
func (f *Fault) Crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// Revive lets calls through again, as a new process that opened the same data
// would. No later call goes wrong.
func (f *Fault) Revive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = false
	f.plan = Plan{}
}

// next counts a call and decides its fault.
func (f *Fault) next(name string) (Kind, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kind := f.draw()
	if len(f.calls)+1 == f.plan.At {
		kind = f.plan.Kind
	}
	if f.dead {
		kind = CrashBefore
	}
	f.calls = append(f.calls, Call{N: len(f.calls) + 1, Name: name, Fault: kind})
	switch kind {
	case CrashBefore:
		f.dead = true
		return kind, errDown
	case CrashAfter:
		f.dead = true
	case FailBefore:
		return kind, errDown
	}
	return kind, nil
}

// draw picks a random fault; it draws as often whatever comes of it.
func (f *Fault) draw() Kind {
	if f.plan.Rate <= 0 {
		return ""
	}
	kinds := f.plan.Random
	if len(kinds) == 0 {
		kinds = []Kind{FailBefore, LoseReply, RunTwice, Clash}
	}
	hit, kind := f.rng.Float64() < f.plan.Rate, kinds[f.rng.IntN(len(kinds))]
	if !hit {
		return ""
	}
	return kind
}

// wait runs the hook of Delay.
func (f *Fault) wait(ctx context.Context, name string) {
	f.mu.Lock()
	hook := f.plan.Hook
	f.mu.Unlock()
	if hook != nil {
		hook(ctx, name)
	}
}

// call makes one call with its fault. again says that doing it twice changes
// nothing.
func call[T any](ctx context.Context, f *Fault, name string, again bool, do func(ctx context.Context) (T, error)) (T, error) {
	var none T
	kind, err := f.next(name)
	if err != nil {
		return none, err
	}
	switch kind {
	case Delay:
		f.wait(ctx, name)
	case Cancel:
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		ctx = cancelled
	case RunTwice:
		if again {
			if _, err := do(ctx); err != nil {
				return none, err
			}
		}
	}
	v, err := do(ctx)
	if kind == LoseReply || kind == CrashAfter {
		return none, errDown
	}
	return v, err
}

// run is call for calls without a result.
func run(ctx context.Context, f *Fault, name string, again bool, do func(ctx context.Context) error) error {
	_, err := call(ctx, f, name, again, func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) })
	return err
}

type backend struct {
	driver.Backend
	f *Fault
}

var errRolledBack = errors.New("storefault: this run is rolled back")

func (b *backend) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	kind, err := b.f.next("Update")
	if err != nil {
		return err
	}
	switch kind {
	case Delay:
		b.f.wait(ctx, "Update")
	case RunTwice, Clash:
		err := b.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
			if err := fn(ctx, tx); err != nil {
				return err
			}
			return errRolledBack
		})
		if kind == Clash && errors.Is(err, errRolledBack) {
			return driver.ErrClash
		}
		if !errors.Is(err, errRolledBack) {
			return err
		}
	case Cancel:
		cancelled, cancel := context.WithCancel(ctx)
		defer cancel()
		return b.Backend.Update(cancelled, ws, func(ctx context.Context, tx driver.Tx) error {
			err := fn(ctx, tx)
			cancel()
			if err != nil {
				return err
			}
			return ctx.Err()
		})
	}
	err = b.Backend.Update(ctx, ws, fn)
	if kind == LoseReply || kind == CrashAfter {
		return errDown
	}
	return err
}

func (b *backend) View(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return run(ctx, b.f, "View", true, func(ctx context.Context) error { return b.Backend.View(ctx, ws, fn) })
}

// AppendEnvelopes done twice would call everything known; what was new the
// first time is new.
func (b *backend) AppendEnvelopes(ctx context.Context, ws driver.WorkspaceID, envs []adapter.Envelope) ([]bool, error) {
	var first []bool
	return call(ctx, b.f, "AppendEnvelopes", true, func(ctx context.Context) ([]bool, error) {
		fresh, err := b.Backend.AppendEnvelopes(ctx, ws, envs)
		if err != nil {
			return nil, err
		}
		for i := range first {
			fresh[i] = fresh[i] || first[i]
		}
		first = fresh
		return fresh, nil
	})
}

// page is what Feed returns.
type page struct {
	evs    []driver.Event
	cursor string
}

func (b *backend) Feed(ctx context.Context, ws driver.WorkspaceID, cursor string, limit int) ([]driver.Event, string, error) {
	p, err := call(ctx, b.f, "Feed", true, func(ctx context.Context) (page, error) {
		evs, next, err := b.Backend.Feed(ctx, ws, cursor, limit)
		return page{evs, next}, err
	})
	return p.evs, p.cursor, err
}
