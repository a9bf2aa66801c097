package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
)

const (
	assignSamples = 200 // a round
	assignAgents  = 200
	assignPause   = 3 * time.Millisecond
)

// assign is B5: from the acknowledgement of a new customer's first message
// until the offer is committed, while agents are idle. Customers come one
// after another with a pause, so that nothing but the engine is waited for.
func assign(ctx context.Context, o options) (report, error) {
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
	offered := make(chan time.Time, 1000)
	var seen sync.Map
	var repeated atomic.Int64
	d, err := newDesk(ctx, db, sangdam.Hooks{Offered: func(_ id.Workspace, of routing.Offer) {
		if of.State != routing.OfferPending {
			return
		}
		if _, again := seen.LoadOrStore(of.Item, true); again {
			repeated.Add(1)
			return
		}
		offered <- time.Now()
	}}, assignAgents, 1000)
	if err != nil {
		return report{}, err
	}
	if err := d.online(ctx, assignAgents); err != nil {
		return report{}, err
	}
	stop := start(ctx, d.eng)
	var rounds, acks []measure.Latencies
	agents := make([]routing.AgentID, assignAgents)
	for i := range agents {
		agents[i] = agentID(i)
	}
	for r := range o.rounds + 1 {
		if err := d.eng.Heartbeat(ctx, workspace, agents...); err != nil {
			return report{}, err
		}
		ack, l, err := d.offers(ctx, offered, r*assignSamples)
		if err != nil {
			return report{}, err
		}
		if r > 0 { // the first one warms up
			rounds, acks = append(rounds, l), append(acks, ack)
		}
	}
	ms := func(of []measure.Latencies, q float64) measure.Spread {
		return measure.Of(of, func(l measure.Latencies) float64 { return l.At(q).Seconds() * 1000 })
	}
	return report{Figures: map[string]any{"rounds": len(rounds), "repeated_offers": repeated.Load(), "offers_a_round": assignSamples,
		"p50_ms": ms(rounds, 0.5), "p99_ms": ms(rounds, 0.99), "max_ms": ms(rounds, 1), "ack_p50_ms": ms(acks, 0.5),
		"ack_p99_ms": ms(acks, 0.99)}}, stop()
}

// offers returns how long webhooks took to be answered, and how long from then
// until the offers.
func (d *desk) offers(ctx context.Context, offered <-chan time.Time, from int) (acks, out measure.Latencies, err error) {
	for i := range assignSamples {
		m := d.text(userID(from + i))
		begin := time.Now()
		if status := d.post(m); status != http.StatusOK {
			return nil, nil, fmt.Errorf("a webhook was answered %d", status)
		}
		acked := time.Now()
		acks = append(acks, acked.Sub(begin))
		select {
		case at := <-offered:
			out = append(out, max(at.Sub(acked), 0)) // it may even be first
		case <-time.After(10 * time.Second):
			return nil, nil, fmt.Errorf("nobody was offered conversation %d in 10 s", i)
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		time.Sleep(assignPause)
	}
	return acks, out, nil
}
