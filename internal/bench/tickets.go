package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

const (
	ticketSamples = 200 // a round
	ticketWriters = 64
)

// ticketLists is what a page costs among many tickets: the newest of all, those
// of a saved view, and a search. The tickets are made by commands, which takes a
// while; -data keeps them on SQLite for the next run.
func ticketLists(ctx context.Context, o options) (report, error) {
	p := place{dir: o.data, gone: func() {}}
	if o.data == "" || o.store != "sqlite" {
		var err error
		if p, err = newPlace(ctx, o.store); err != nil {
			return report{}, err
		}
	}
	defer p.gone()
	db, err := p.open(ctx)
	if err != nil {
		return report{}, err
	}
	defer db.Close()
	eng, made, err := withTickets(ctx, db, o.tickets)
	if err != nil {
		return report{}, err
	}
	view, err := lampView(ctx, eng)
	if err != nil {
		return report{}, err
	}
	host := sangdam.Host(workspace)
	figures := map[string]any{"tickets": o.tickets, "seeded_s": made.Seconds()}
	for name, page := range map[string]func() error{
		"list": func() error { _, err := eng.Tickets(ctx, host, sangdam.TicketFilter{Desc: true}, "", 50); return err },
		"view": func() error {
			_, err := eng.Tickets(ctx, host, sangdam.TicketFilter{View: view, Desc: true}, "", 50)
			return err
		},
		"search": func() error { _, err := eng.SearchTickets(ctx, host, "rare lamp", 20); return err },
	} {
		var rounds []measure.Latencies
		for r := range o.rounds + 1 {
			l, err := sampled(page)
			if err != nil {
				return report{}, fmt.Errorf("%s: %w", name, err)
			}
			if r > 0 { // the first one warms up
				rounds = append(rounds, l)
			}
		}
		for q, at := range map[string]float64{"p50": 0.5, "p99": 0.99} {
			figures[name+"_"+q+"_ms"] = measure.Of(rounds, func(l measure.Latencies) float64 { return l.At(at).Seconds() * 1000 })
		}
	}
	return report{Figures: figures}, nil
}

func sampled(do func() error) (out measure.Latencies, err error) {
	for range ticketSamples {
		begun := time.Now()
		if err := do(); err != nil {
			return nil, err
		}
		out = append(out, time.Since(begun))
	}
	return out, nil
}

// withTickets opens as many tickets as are missing; one in a thousand speaks of
// a rare lamp.
func withTickets(ctx context.Context, db *store.DB, n int) (*sangdam.Engine, time.Duration, error) {
	keys, err := seal.Ephemeral()
	if err != nil {
		return nil, 0, err
	}
	eng, err := sangdam.New(sangdam.Config{DB: db, Sealer: keys, Node: "n1"})
	if err != nil {
		return nil, 0, err
	}
	if err := eng.CreateWorkspace(ctx, workspace, "Bench"); err != nil && !errors.Is(err, sangdam.ErrAlreadyExists) {
		return nil, 0, err
	}
	newest, err := eng.Tickets(ctx, sangdam.Host(workspace), sangdam.TicketFilter{Order: ticket.ByNumber, Desc: true}, "", 1)
	if err != nil {
		return nil, 0, err
	}
	var next atomic.Int64
	if len(newest.Tickets) > 0 {
		next.Store(newest.Tickets[0].Number)
	}
	begun := time.Now()
	group, writing := errgroup.WithContext(ctx)
	for range ticketWriters {
		group.Go(func() error {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				c := sangdam.OpenTicket{Title: fmt.Sprintf("Order %d has not arrived", i), Priority: ticket.Priority(i%4 - 1),
					Tags:      []string{fmt.Sprint("shop", i%50)},
					Requester: ticket.Requester{Name: fmt.Sprint("Customer ", i), Email: fmt.Sprintf("c%d@example.com", i)}}
				if i%1000 == 0 {
					c.Title = "A rare lamp is broken"
				}
				if _, err := eng.OpenTicket(writing, sangdam.Host(workspace), c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	return eng, time.Since(begun), err
}

// lampView saves the view that is listed, once.
func lampView(ctx context.Context, eng *sangdam.Engine) (string, error) {
	v := ticket.View{ID: "urgent", Name: "Urgent", When: condition.Condition{All: []condition.Clause{{Field: "priority", Op: condition.Gte,
		Value: 1.0}}}}
	_, err := eng.SaveTicketView(ctx, sangdam.Host(workspace), sangdam.SaveTicketView{View: v})
	if errors.Is(err, sangdam.ErrAlreadyExists) {
		err = nil
	}
	return v.ID, err
}
