package main

import (
	"context"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// backlogCustomers write while a backlog is given to agents.
const backlogCustomers = 4_000

// backlog is what customers feel who write while many others wait for an agent:
// -waiting conversations lie in the queue when all agents come, and -clients new
// customers write at once. It tells how soon they are answered, how many of what
// they wrote is stored as conversations a second, and how many are assigned.
func backlog(ctx context.Context, o options) (report, error) {
	var rounds []backlogRound
	for range o.rounds {
		r, err := backlogOnce(ctx, o)
		if err != nil {
			return report{}, err
		}
		rounds = append(rounds, r)
	}
	figures := map[string]any{"rounds": o.rounds, "waiting": o.waiting}
	for name, of := range map[string]func(backlogRound) float64{
		"stored a second":    func(r backlogRound) float64 { return r.stored },
		"assigned a second":  func(r backlogRound) float64 { return r.assigned },
		"answer p50_ms":      func(r backlogRound) float64 { return r.p50 },
		"answer p99_ms":      func(r backlogRound) float64 { return r.p99 },
		"all waited for, ms": func(r backlogRound) float64 { return r.took },
	} {
		figures[name] = measure.Of(rounds, of)
	}
	return report{Figures: figures}, nil
}

// backlogRound is what one round found.
type backlogRound struct{ stored, assigned, p50, p99, took float64 }

func backlogOnce(ctx context.Context, o options) (backlogRound, error) {
	var r backlogRound
	p, err := newPlace(ctx, o.store)
	if err != nil {
		return r, err
	}
	defer p.gone()
	w, err := openWay(ctx, p, false)
	if err != nil {
		return r, err
	}
	if err := w.pile(ctx, o.waiting); err != nil {
		return r, err
	}
	if err := w.clients.prepare(peerOrder{Clients: max(o.clients, 1), Count: backlogCustomers, From: o.waiting}); err != nil {
		return r, err
	}
	begin := time.Now()
	for i := range peerAgents {
		here := sangdam.SetPresence{Agent: agentID(i), Presence: routing.Online}
		if err := w.desk.eng.SetPresence(ctx, sangdam.Host(workspace), here); err != nil {
			return r, err
		}
	}
	said, err := w.clients.write()
	if err != nil {
		return r, err
	}
	if err := w.stored(ctx); err != nil {
		return r, err
	}
	r.stored = backlogCustomers / time.Since(begin).Seconds()
	if err := w.until(ctx, int64(o.waiting+backlogCustomers)); err != nil {
		return r, err
	}
	took := time.Since(begin)
	r.assigned, r.took = float64(o.waiting+backlogCustomers)/took.Seconds(), took.Seconds()*1000
	r.p50, r.p99 = said.P50, said.P99
	return r, w.close()
}

// pile has so many customers write while nobody is there, and runs the engine.
func (w *way) pile(ctx context.Context, waiting int) error {
	err := w.desk.chunks(ctx, peerAgents, func(ctx context.Context, tx store.Tx, i int) error {
		_, err := tx.Agents().SetPresence(ctx, agentID(i), routing.Offline, "", tx.Now())
		return err
	})
	if err != nil {
		return err
	}
	w.run(ctx)
	if err := w.desk.firstMessages(waiting); err != nil {
		return err
	}
	return w.stored(ctx)
}

// stored waits until all that was written is.
func (w *way) stored(ctx context.Context) error {
	for {
		due, err := w.db.System().NextDue(ctx)
		if err != nil || due.Inbox.IsZero() {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
