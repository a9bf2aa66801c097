package sangdam

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// outage follows whether the store works. While it does not, the loops wait for
// its return instead of trying, and the log holds one line for its end and one
// for its return, not one for every try.
type outage struct {
	mu    sync.Mutex
	since time.Time     // zero: the store works
	why   error         // what its check said first
	quiet int           // failures that were not logged
	good  time.Time     // when a check last succeeded
	back  chan struct{} // closed when the store works again
	asked chan struct{} // closed when the check under way has its answer; nil: none is
}

// maxPause bounds every wait for the store: work goes on within seconds of its
// return, however long it was away.
const maxPause = 2 * time.Second

// checkedFor is how long a successful check counts.
const checkedFor = time.Second

// checkTimeout bounds one check of a store that does not answer.
const checkTimeout = 5 * time.Second

// trouble logs that work failed, unless it is one more consequence of a store
// that does not work.
func (e *Engine) trouble(what string, err error, attrs ...any) {
	if !e.storeIsAway(err) {
		e.log.Warn(what, append(attrs, "error", err)...)
	}
}

// storeIsAway says whether the store is why this failed. Only the store's own
// durable check decides: one transaction may fail for reasons of its own.
func (e *Engine) storeIsAway(err error) bool {
	if !errors.Is(err, ErrUnavailable) || isForeign(err) || !e.running.Load() {
		return false
	}
	away, ours := e.outage.suspect()
	if !ours {
		return away
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	why := e.db.System().Check(ctx)
	if e.outage.checked(why) {
		e.log.Error("the store does not work; everything waits for it", "error", why)
	}
	return why != nil
}

// suspect says whether the store is away. If that is not known, one caller is
// to check, and whoever else asks meanwhile waits for the answer.
func (o *outage) suspect() (away, ours bool) {
	for {
		o.mu.Lock()
		asked := o.asked
		switch {
		case !o.since.IsZero():
			o.quiet++
			away = true
		case time.Since(o.good) < checkedFor:
		case asked == nil:
			o.asked = make(chan struct{})
			ours = true
		default:
			o.mu.Unlock()
			<-asked
			continue
		}
		o.mu.Unlock()
		return away, ours
	}
}

// checked records a check's answer and reports whether an outage begins.
func (o *outage) checked(why error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.asked)
	o.asked = nil
	if why == nil {
		o.good = time.Now()
		return false
	}
	if !o.since.IsZero() {
		return false
	}
	o.since, o.why, o.quiet, o.back = time.Now(), why, 0, make(chan struct{})
	return true
}

// runOutage asks a store that is away whether it is back, and wakes everybody.
func (e *Engine) runOutage(ctx context.Context) {
	for n := 1; ctx.Err() == nil; n++ {
		down, _ := e.outage.state()
		if !down {
			n = 0
			sleepFor(ctx, e.cfg.Poll)
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, checkTimeout)
		err := e.db.System().Check(bounded)
		cancel()
		if err == nil {
			e.outage.over(e)
			continue
		}
		sleepFor(ctx, min(backoff(n), maxPause/2))
	}
}

// over ends an outage.
func (o *outage) over(e *Engine) {
	o.mu.Lock()
	e.log.Warn("the store works again", "away", time.Since(o.since).Round(time.Millisecond), "failures_not_logged", o.quiet)
	o.since, o.why, o.good = time.Time{}, nil, time.Now()
	close(o.back)
	o.mu.Unlock()
	e.wake.poke()
}

// state says whether the store is away, and why.
func (o *outage) state() (down bool, why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero(), o.why
}

// pause waits before the n-th repeat of what failed: for the store's return
// while it is away, else a little longer each time.
func (e *Engine) pause(ctx context.Context, n int) {
	e.outage.mu.Lock()
	down, back := !e.outage.since.IsZero(), e.outage.back
	e.outage.mu.Unlock()
	if !down {
		sleepFor(ctx, min(backoff(n), maxPause))
		return
	}
	select {
	case <-ctx.Done():
	case <-back:
	}
}

// insist repeats what must reach the store, such as giving a claim back, until
// it does or the claim has ended by itself: after a short outage the rest of
// the lease need not be waited for.
func (e *Engine) insist(ctx context.Context, fn func(context.Context) error) error {
	until := time.Now().Add(e.cfg.Lease)
	for n := 1; ; n++ {
		err := fn(ctx)
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil || time.Now().After(until) {
			return err
		}
		_ = e.storeIsAway(err) // so that the pause knows
		e.pause(ctx, n)
	}
}

// sleepFor waits, or until ctx ends.
func sleepFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// health is what Ready says about the store. It writes nothing, however often a
// load balancer asks: that the store takes writes is known from those of the
// work, of which the first that fails has the store checked, and that it answers
// from one small read.
func (e *Engine) health(ctx context.Context) error {
	o := &e.outage
	o.mu.Lock()
	since, why := o.since, o.why
	o.mu.Unlock()
	if !since.IsZero() {
		return errs.New(errs.Unavailable, "sangdam: the store has not worked since %s: %w", since.UTC().Format(time.RFC3339), why)
	}
	if _, err := e.db.System().Meta(ctx, sealCheck); err != nil && !errors.Is(err, ErrNotFound) {
		return errs.New(errs.Unavailable, "sangdam: the store is not ready: %w", err)
	}
	return nil
}
