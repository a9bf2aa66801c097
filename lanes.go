package sangdam

import (
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
	// rounds, if not 0, bounds how many claims may be under way of which not all
	// lanes have been seen to. What comes meanwhile waits in the store, and the
	// next claim brings the more of it, and rests before it does (see rest).
	rounds int
	claim  func(ctx context.Context, limit int) ([]L, error)
	work   func(ctx context.Context, lanes []L, r round)
}

// round is what one claim has begun. Whoever works its lanes says when the next
// one may be made, and of each lane that it has ended; told means that the store
// gives a hint if the lane has more.
type round struct {
	seenTo func()
	ended  func(lanes int, told bool)
}

// runLanes keeps up to so many lanes under way. It claims when a worker is free,
// sleeps when nothing more is to be claimed, and waits for its workers.
func runLanes[L any](ctx, drain context.Context, e *Engine, w laneWork[L]) {
	hints, stop := e.wake.subscribe("", w.sort)
	defer stop()
	free, rounds := tokens(w.workers), tokens(w.rounds)
	finished := make(chan struct{}, 1) // a lane was given back: it may have more
	var group errgroup.Group
	defer func() { _ = group.Wait() }()
	fails := 0
	for ctx.Err() == nil {
		if w.rounds > 0 && !taken(ctx, rounds) || !taken(ctx, free) {
			return
		}
		n := 1 + take(free, w.workers)
		lanes, err := w.claim(ctx, n)
		if err != nil {
			lanes = nil
			fails++
			if ctx.Err() == nil {
				e.trouble("claiming work failed", err)
			}
		} else {
			fails = 0
		}
		putBack(free, n-len(lanes))
		if len(lanes) == 0 {
			putBack(rounds, min(w.rounds, 1))
			e.rest(ctx, w.sort, hints, finished, fails)
			continue
		}
		e.pulse.found(w.sort)
		done := make(chan struct{})
		r := round{seenTo: sync.OnceFunc(func() {
			close(done)
			putBack(rounds, min(w.rounds, 1))
		}), ended: func(lanes int, told bool) {
			if putBack(free, lanes); lanes == 0 || told {
				return
			}
			select {
			case finished <- struct{}{}:
			default:
			}
		}}
		group.Go(func() error {
			defer r.seenTo()
			w.work(drain, lanes, r)
			return nil
		})
		if w.rounds > 0 {
			rest(ctx, done, len(lanes), n)
		}
		if len(lanes) < n { // there are no more: what comes gives a hint
			waitFor(ctx, hints, finished)
		}
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
