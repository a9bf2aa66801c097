package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam/internal/bench/measure"
)

// drainFew is how many wait at the rate that others are compared with.
const drainFew = 5_000

// drain is what many waiting customers do to how fast they are served: first
// messages of new ones are stored while no engine runs; then one does, until the
// last of them is assigned. The share is the rate with all of -waiting by the rate
// with a few, each on a store of its own.
func drain(ctx context.Context, o options) (report, error) {
	var few, many, share []float64
	for range o.rounds {
		f, err := drainOnce(ctx, o, drainFew)
		if err != nil {
			return report{}, err
		}
		m, err := drainOnce(ctx, o, o.waiting)
		if err != nil {
			return report{}, err
		}
		few, many, share = append(few, f), append(many, m), append(share, m/f)
	}
	same := func(v float64) float64 { return v }
	return report{Figures: map[string]any{"rounds": o.rounds, "waiting": o.waiting,
		fmt.Sprintf("a second with %d waiting", drainFew): measure.Of(few, same),
		"a second with all waiting":                       measure.Of(many, same), "share": measure.Of(share, same)}}, nil
}

// drainOnce returns how many conversations a second are assigned.
func drainOnce(ctx context.Context, o options, waiting int) (float64, error) {
	p, err := newPlace(ctx, o.store)
	if err != nil {
		return 0, err
	}
	defer p.gone()
	w, err := openWay(ctx, p, false)
	if err != nil {
		return 0, err
	}
	if err := w.desk.firstMessages(waiting); err != nil {
		return 0, err
	}
	if err := w.desk.online(ctx, peerAgents); err != nil { // that took longer than they are waited for
		return 0, err
	}
	begin := time.Now()
	w.run(ctx)
	if err := w.until(ctx, int64(waiting)); err != nil {
		return 0, err
	}
	return float64(waiting) / time.Since(begin).Seconds(), w.close()
}

// firstMessages has so many new customers write, many at once, and returns when all
// that they wrote is acknowledged.
func (d *desk) firstMessages(customers int) error {
	var refused atomic.Int64
	var wg sync.WaitGroup
	next := make(chan int)
	for range 64 {
		wg.Go(func() {
			for i := range next {
				if d.post(firstMessage(i)) != http.StatusOK {
					refused.Add(1)
				}
			}
		})
	}
	for i := range customers {
		next <- i
	}
	close(next)
	wg.Wait()
	if n := refused.Load(); n > 0 {
		return fmt.Errorf("%d webhooks were refused", n)
	}
	return nil
}
