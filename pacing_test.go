package sangdam

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store/driver"
)

// paced is work that arrives and is claimed, a batch of which takes as long whatever
// its size.
type paced struct {
	mu      sync.Mutex
	waiting []time.Time   // when each arrived
	claims  []int         // how many pieces each claim brought
	longest time.Duration // from a piece's arrival to its claim
}

func (p *paced) claim(_ context.Context, limit int) ([]time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(limit, len(p.waiting))
	got := p.waiting[:n:n]
	p.waiting = p.waiting[n:]
	for _, at := range got {
		p.longest = max(p.longest, time.Since(at))
	}
	if n > 0 {
		p.claims = append(p.claims, n)
	}
	return got, nil
}

// pieces has so many pieces arrive at a time, every so often, until so many have, and
// waits until all are done.
func (p *paced) pieces(t *testing.T, workers, count, together int, every, batch time.Duration) {
	t.Helper()
	p.run(t, laneWork[time.Time]{workers: workers}, count, together, every, batch)
}

func (p *paced) run(t *testing.T, w laneWork[time.Time], count, together int, every, batch time.Duration) {
	t.Helper()
	e := &Engine{pulse: newPulse()}
	ctx, cancel := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	w.sort, w.rounds, w.paced, w.claim = driver.NewsInbox, inboxRounds, true, p.claim
	w.work = func(_ context.Context, lanes []time.Time, r round) {
		time.Sleep(batch)
		r.ended(len(lanes), false)
	}
	loop.Go(func() { runLanes(ctx, ctx, e, w) })
	synctest.Wait()
	for n := 0; n < count; n += together {
		p.mu.Lock()
		for range together {
			p.waiting = append(p.waiting, time.Now())
		}
		p.mu.Unlock()
		e.wake.give(driver.Hint{Workspace: "w", News: driver.NewsInbox})
		time.Sleep(every)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	require.Empty(t, p.waiting)
	cancel()
	loop.Wait()
}

// Under a middling load, where the next piece comes before a batch is done, batches
// grow: of a thousand pieces, one a millisecond, each claim brings several, and none
// waits longer than the batch under way and the rest after it.
func TestBatchesGrowUnderAMiddlingLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p paced
		p.pieces(t, 64, 1000, 1, time.Millisecond, 4*time.Millisecond)
		require.LessOrEqual(t, len(p.claims), 130, "two at a time and without a rest there would be 500")
		require.LessOrEqual(t, p.longest, 8*time.Millisecond)
	})
}

// Who comes alone is seen to at once, however close before another was, and so is the
// first after a pause.
func TestWhoComesAloneDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p paced
		p.pieces(t, 64, 100, 1, 4*time.Millisecond, 4*time.Millisecond)
		require.Len(t, p.claims, 100)
		require.Zero(t, p.longest)
	})
}

// A slow batch is waited for and rested after for a bounded time: what comes later
// than that is taken at once, while the slow one is still under way.
func TestARestIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p paced
		p.pieces(t, 64, 40, 2, 2*longestRest, 3*longestRest)
		require.Len(t, p.claims, 20)
		require.Zero(t, p.longest)
	})
}

// Where a claim brings more than a small part of what the workers can do nobody rests:
// 1,000 pieces that wait are done as fast as two batches at a time can.
func TestWhereMuchWaitsNobodyRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p paced
		p.pieces(t, 10, 1000, 1000, 0, 4*time.Millisecond)
		// A claim may find some workers of the batch before still on their way, and a few are a small batch.
		require.Less(t, len(p.claims), 150)
		require.Less(t, p.longest, 150*4*time.Millisecond, "to rest after each would take 200 times as long as a batch")
	})
}

// A claim is of a transaction's size also while the other round is under way: where
// both shared as many workers as one transaction takes, batches were half as large.
func TestABatchIsWholeWhileAnotherIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p paced
		cfg := withDefaults(Config{})
		p.run(t, laneWork[time.Time]{workers: cfg.InboxWorkers, most: maxTogether}, 20*maxTogether, 20*maxTogether, 0, 4*time.Millisecond)
		require.Len(t, p.claims, 20)
		require.Equal(t, 9*4*time.Millisecond, p.longest, "two at a time")
	})
}
