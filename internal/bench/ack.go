package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

const (
	ackCustomers = 1000
	ackCallers   = 64
	ackSteady    = 3 * time.Second
)

// gate is a store whose writes stand still while it is shut.
type gate struct {
	driver.Backend
	mu sync.RWMutex // held for writing while shut
}

func (g *gate) pass() {
	g.mu.RLock()
	defer g.mu.RUnlock()
}

// AppendEnvelopes waits for the gate, then for the store.
func (g *gate) AppendEnvelopes(ctx context.Context, ws driver.WorkspaceID, envs []adapter.Envelope) ([]bool, error) {
	g.pass()
	return g.Backend.AppendEnvelopes(ctx, ws, envs)
}

// Update waits for the gate, then for the store.
func (g *gate) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	g.pass()
	return g.Backend.Update(ctx, ws, fn)
}

func (g *gate) shut(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	time.Sleep(d)
}

// load is an open-loop run: webhooks are due at fixed moments, whatever became
// of earlier ones, and latency counts from the moment they were due.
type load struct {
	latencies measure.Latencies
	status    map[int]int
}

// offer delivers the webhooks evenly over the time.
func (d *desk) offer(ms []webhook, over time.Duration) load {
	out := load{latencies: make(measure.Latencies, len(ms)), status: map[int]int{}}
	statuses := make([]int, len(ms))
	var wg sync.WaitGroup
	begin, every := time.Now(), over/time.Duration(len(ms))
	for i, m := range ms {
		due := begin.Add(time.Duration(i) * every)
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		wg.Go(func() {
			statuses[i] = d.post(m)
			out.latencies[i] = time.Since(due)
		})
	}
	wg.Wait()
	for _, s := range statuses {
		out.status[s]++
	}
	return out
}

func (l load) figures(into map[string]any, name string) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	into[name+"_answered"] = l.status
	into[name+"_p50_ms"] = ms(l.latencies.At(0.5))
	into[name+"_p99_ms"] = ms(l.latencies.At(0.99))
	into[name+"_max_ms"] = ms(l.latencies.At(1))
	into[name+"_share_above_250_ms"] = l.latencies.Above(250 * time.Millisecond)
	into[name+"_share_above_2_s"] = l.latencies.Above(2 * time.Second)
}

// acker runs the parts of B6 on one engine.
type acker struct {
	d         *desk
	gate      *gate
	processed atomic.Int64
	acked     int64
}

// acknowledge is B6: how late webhooks are answered at half of what the whole
// engine can sustain, in a burst, and while the store stands still for a
// second. Afterwards every event that was answered 200 must have been
// processed: what could not be stored in time was answered 503.
func acknowledge(ctx context.Context, o options) (report, error) {
	p, err := newPlace(ctx, o.store)
	if err != nil {
		return report{}, err
	}
	defer p.gone()
	db, err := p.open(ctx)
	if err != nil {
		return report{}, err
	}
	defer db.Close()
	a := &acker{gate: &gate{Backend: db.Backend()}}
	a.d, err = newDesk(ctx, store.New(a.gate), sangdam.Hooks{Processed: func(id.Workspace, channel.AccountID,
		adapter.EventKind) {
		a.processed.Add(1)
	}}, 1, 1)
	if err != nil {
		return report{}, err
	}
	stop := start(ctx, a.d.eng)
	figures := map[string]any{}
	if err := a.warmUp(ctx); err != nil {
		return report{}, err
	}
	var sustained, p99s []float64
	for range o.rounds {
		rate, err := a.saturate(ctx)
		if err != nil {
			return report{}, err
		}
		sustained = append(sustained, rate)
		half := max(int(rate/2*ackSteady.Seconds()), 1)
		l := a.run(a.webhooks(half), ackSteady)
		p99s = append(p99s, float64(l.latencies.At(0.99).Microseconds())/1000)
		if l.status[http.StatusOK] != half {
			figures["steady_refused"] = l.status
		}
		if err := a.drained(ctx); err != nil {
			return report{}, err
		}
	}
	same := func(v float64) float64 { return v }
	figures["sustained_msgs_per_s"], figures["steady_p99_ms"] = measure.Of(sustained, same), measure.Of(p99s, same)
	half := int(measure.Of(sustained, same).Median / 2 * ackSteady.Seconds())
	a.run(a.webhooks(o.burst), time.Second).figures(figures, "burst")
	if err := a.drained(ctx); err != nil {
		return report{}, err
	}
	for name, d := range map[string]time.Duration{"stall_1_s": time.Second, "stall_4_s": 4 * time.Second} {
		ms := a.webhooks(half)
		go func() {
			time.Sleep(ackSteady / 3)
			a.gate.shut(d)
		}()
		a.run(ms, ackSteady).figures(figures, name)
		if err := a.drained(ctx); err != nil {
			return report{}, err
		}
	}
	figures["acknowledged"], figures["processed"] = a.acked, a.processed.Load()
	return report{Figures: figures}, stop()
}

func (a *acker) webhooks(n int) []webhook {
	ms := make([]webhook, n)
	for i := range ms {
		ms[i] = a.d.text(userID(i % ackCustomers))
	}
	return ms
}

// run counts what was acknowledged.
func (a *acker) run(ms []webhook, over time.Duration) load {
	l := a.d.offer(ms, over)
	a.acked += int64(l.status[http.StatusOK])
	return l
}

// drained waits until everything acknowledged has been processed.
func (a *acker) drained(ctx context.Context) error {
	for end := time.Now().Add(2 * time.Minute); a.processed.Load() < a.acked; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("only %d of %d acknowledged events were processed", a.processed.Load(), a.acked)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// warmUp makes the customers known.
func (a *acker) warmUp(ctx context.Context) error {
	a.run(a.webhooks(ackCustomers), time.Second)
	return a.drained(ctx)
}

// saturate returns how many messages a second the engine takes to the end of
// Tx B while 64 customers write without a pause.
func (a *acker) saturate(ctx context.Context) (float64, error) {
	ms := a.webhooks(4000)
	var next, ok atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range ackCallers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(ms)); i = next.Add(1) - 1 {
				if a.d.post(ms[i]) == http.StatusOK {
					ok.Add(1)
				}
			}
		})
	}
	wg.Wait()
	a.acked += ok.Load()
	err := a.drained(ctx)
	return float64(len(ms)) / time.Since(begin).Seconds(), err
}
