package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
)

const (
	assignSamples = 300 // a round
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
	offered := make(chan time.Time, 1)
	d, err := newDesk(ctx, db, sangdam.Hooks{Offered: func(id.Workspace, routing.Offer) { offered <- time.Now() }}, assignAgents, 1000)
	if err != nil {
		return report{}, err
	}
	if err := d.online(ctx, assignAgents); err != nil {
		return report{}, err
	}
	stop := start(ctx, d.eng)
	var rounds []measure.Latencies
	for r := range o.rounds + 1 {
		l, err := d.offers(ctx, offered, r*assignSamples)
		if err != nil {
			return report{}, err
		}
		if r > 0 { // the first one warms up
			rounds = append(rounds, l)
		}
	}
	ms := func(q float64) measure.Spread {
		return measure.Of(rounds, func(l measure.Latencies) float64 { return l.At(q).Seconds() * 1000 })
	}
	return report{Figures: map[string]any{"rounds": len(rounds), "offers_a_round": assignSamples,
		"p50_ms": ms(0.5), "p99_ms": ms(0.99), "max_ms": ms(1)}}, stop()
}

func (d *desk) offers(ctx context.Context, offered <-chan time.Time, from int) (measure.Latencies, error) {
	var out measure.Latencies
	for i := range assignSamples {
		if status := d.post(d.text(userID(from + i))); status != http.StatusOK {
			return nil, fmt.Errorf("a webhook was answered %d", status)
		}
		acked := time.Now()
		select {
		case at := <-offered:
			out = append(out, max(at.Sub(acked), 0)) // it may even be first
		case <-time.After(10 * time.Second):
			return nil, fmt.Errorf("nobody was offered conversation %d in 10 s", i)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		time.Sleep(assignPause)
	}
	return out, nil
}
