package sangdam

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/store/driver"
)

// laneBatch is how many envelopes or rows of a lane one claim brings.
const laneBatch = 32

// runLanes keeps up to workers lanes under way. It claims when a worker is
// free, sleeps when there is nothing to claim, and waits for its workers.
func runLanes[L any](ctx, drain context.Context, e *Engine, sort driver.News, workers int, claim func(context.Context, int) ([]L, error), work func(context.Context, L)) {
	hints, stop := e.wake.subscribe("", sort)
	defer stop()
	free := make(chan struct{}, workers)
	for range workers {
		free <- struct{}{}
	}
	finished := make(chan struct{}, 1) // a lane was given back: it may have more
	var group errgroup.Group
	defer func() { _ = group.Wait() }()
	fails := 0
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
			e.rest(ctx, sort, hints, finished, fails)
		} else {
			e.pulse.found(sort)
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
