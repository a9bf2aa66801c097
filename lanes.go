package sangdam

import (
	"cmp"
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/store/driver"
)

// laneBatch is how many envelopes or rows of a lane one claim brings.
const laneBatch = 32

// laneWork is how the lanes of a direction are found and worked.
type laneWork[L any] struct {
	sort    driver.News
	workers int // lanes under way at once
	most    int // of them in one claim; 0: workers
	// rounds, if not 0, bounds how many claims may be under way of which not all
	// lanes have been seen to. What comes meanwhile waits in the store, and the
	// next claim brings the more of it.
	rounds int
	// paced says that after a small claim the loop waits before the next, see restAfter.
	paced bool
	claim func(ctx context.Context, limit int) ([]L, error)
	work  func(ctx context.Context, lanes []L, r round)
}

// round is what one claim has begun. Whoever works its lanes says when the next
// one may be made, and of each lane that it has ended; told means that the store
// gives a hint if the lane has more.
type round struct {
	seenTo func()
	ended  func(lanes int, told bool)
}

// laneLoop is the loop of a direction while it runs.
type laneLoop[L any] struct {
	laneWork[L]
	e            *Engine
	free, begins chan struct{} // tokens, for lanes and for rounds
	finished     chan struct{} // a lane was given back: it may have more
	fails        int           // how many claims have failed one after the other
	underway     errgroup.Group
}

// runLanes keeps up to so many lanes under way. It claims when a worker is free,
// sleeps when nothing more is to be claimed, and waits for its workers.
func runLanes[L any](ctx, drain context.Context, e *Engine, w laneWork[L]) {
	hints, stop := e.wake.subscribe("", w.sort)
	defer stop()
	w.most = cmp.Or(w.most, w.workers)
	l := &laneLoop[L]{laneWork: w, e: e, free: tokens(w.workers), begins: tokens(w.rounds), finished: make(chan struct{}, 1)}
	defer func() { _ = l.underway.Wait() }()
	for l.mayClaim(ctx) {
		lanes, wanted := l.claimed(ctx)
		if len(lanes) == 0 {
			l.seenTo()
			e.rest(ctx, w.sort, hints, l.finished, l.fails)
			continue
		}
		e.pulse.found(w.sort)
		done := l.begin(drain, lanes)
		if w.paced {
			restAfter(ctx, done, len(lanes), w.most)
		}
		if len(lanes) < wanted { // there are no more: what comes gives a hint
			waitFor(ctx, hints, l.finished)
		}
	}
}

// mayClaim waits until a round may begin and a worker is free. It takes both, and is
// false when the loop is to end.
func (l *laneLoop[L]) mayClaim(ctx context.Context) bool {
	return ctx.Err() == nil && (l.rounds == 0 || taken(ctx, l.begins)) && taken(ctx, l.free)
}

// claimed brings lanes for all workers that are free, the one that mayClaim took
// included. Where they are fewer than wanted, there are no others.
func (l *laneLoop[L]) claimed(ctx context.Context) (lanes []L, wanted int) {
	wanted = 1 + take(l.free, l.most-1)
	lanes, err := l.claim(ctx, wanted)
	if err == nil {
		l.fails = 0
	} else {
		lanes = nil
		l.fails++
		if ctx.Err() == nil {
			l.e.trouble("claiming work failed", err)
		}
	}
	putBack(l.free, wanted-len(lanes))
	return lanes, wanted
}

// begin has the lanes of a round worked. done is closed once all have been seen to.
func (l *laneLoop[L]) begin(drain context.Context, lanes []L) (done chan struct{}) {
	done = make(chan struct{})
	r := round{seenTo: sync.OnceFunc(func() {
		close(done)
		l.seenTo()
	}), ended: l.ended}
	l.underway.Go(func() error {
		defer r.seenTo()
		l.work(drain, lanes, r)
		return nil
	})
	return done
}

// seenTo lets the next round begin.
func (l *laneLoop[L]) seenTo() {
	if l.rounds > 0 {
		putBack(l.begins, 1)
	}
}

// ended gives lanes back, and has the loop look again if no hint will come.
func (l *laneLoop[L]) ended(lanes int, told bool) {
	putBack(l.free, lanes)
	if lanes == 0 || told {
		return
	}
	select {
	case l.finished <- struct{}{}:
	default:
	}
}

// waitFor waits for a hint, or for a lane that was given back and may have more.
func waitFor(ctx context.Context, hints, finished <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-hints:
	case <-finished:
	}
}

// oneByOne works each lane of a round by itself.
func oneByOne[L any](work func(context.Context, L)) func(context.Context, []L, round) {
	return func(ctx context.Context, lanes []L, r round) {
		r.seenTo()
		var group errgroup.Group
		for _, l := range lanes {
			group.Go(func() error {
				work(ctx, l)
				r.ended(1, false)
				return nil
			})
		}
		_ = group.Wait()
	}
}

// tokens are n permissions.
func tokens(n int) chan struct{} {
	c := make(chan struct{}, n)
	putBack(c, n)
	return c
}

func putBack(c chan struct{}, n int) {
	for range n {
		c <- struct{}{}
	}
}

// taken waits for a token, false when ctx ends before.
func taken(ctx context.Context, c chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-c:
		return true
	}
}

// take empties the free workers into one claim.
func take(free chan struct{}, limit int) int {
	n := 0
	for n < limit {
		select {
		case <-free:
			n++
		default:
			return n
		}
	}
	return n
}
