package sangdam

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// laneBatch is how many envelopes or rows of a lane one claim brings.
const laneBatch = 32

// runLanes keeps up to workers lanes under way. It claims when a worker is
// free, sleeps when there is nothing to claim, and waits for its workers.
func runLanes[L any](ctx, drain context.Context, e *Engine, workers int, claim func(context.Context, int) ([]L, error), work func(context.Context, L)) {
	hints, stop := e.wake.subscribe()
	defer stop()
	free := make(chan struct{}, workers)
	for range workers {
		free <- struct{}{}
	}
	finished := make(chan struct{}, 1) // a lane was given back: it may have more
	var group errgroup.Group
	defer func() { _ = group.Wait() }()
	fails, overdue := 0, 0
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-free:
		}
		n := 1 + take(free, workers)
		lanes, err := claim(ctx, n)
		if err != nil {
			lanes = nil
			fails++
			if ctx.Err() == nil {
				e.trouble("claiming work failed", err)
			}
		} else {
			fails = 0
		}
		for _, l := range lanes {
			group.Go(func() error {
				work(drain, l)
				free <- struct{}{}
				select {
				case finished <- struct{}{}:
				default:
				}
				return nil
			})
		}
		for range n - len(lanes) {
			free <- struct{}{}
		}
		if len(lanes) == 0 {
			overdue = e.idle(ctx, hints, finished, fails, overdue)
		} else {
			overdue = 0
		}
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

// idle waits for a hint, the next due time, or the poll; after failures as
// pause does, without regard to hints. What is overdue although its loop has just
// found nothing is work that nobody here does, such as a job of a kind that
// only a newer program knows: it is looked at ever more rarely, up to the poll.
// It returns how often that was so in a row, with no hint in between.
func (e *Engine) idle(ctx context.Context, hints, finished <-chan struct{}, fails, overdue int) int {
	wait, late := e.cfg.Poll, false
	if fails > 0 {
		e.pause(ctx, fails)
		return 0
	}
	if at, ok, err := e.db.System().NextDue(ctx); err == nil && ok {
		if now, err := e.db.System().Now(ctx); err == nil {
			if late = !at.After(now); late {
				wait = min(wait, 5*time.Millisecond<<min(overdue, 10))
			} else {
				wait = min(wait, max(at.Sub(now), 5*time.Millisecond))
			}
		}
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-hints:
	case <-finished:
	case <-t.C:
		if late {
			return overdue + 1
		}
	}
	return 0
}
