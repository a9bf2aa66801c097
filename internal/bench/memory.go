package main

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
)

// memory is B11: what a running engine holds in Go's heap for each open
// conversation: the heap with all of them, less the heap of the same engine
// with none. Half of them wait in a queue in one case, all in the other. The
// store's own caches lie outside Go's heap and are bounded.
func memory(ctx context.Context, o options) (report, error) {
	figures := map[string]any{"conversations": o.conversations}
	base, err := heapWith(ctx, 0, 0)
	if err != nil {
		return report{}, err
	}
	for name, active := range map[string]int{"queued": 0, "half_active": o.conversations / 2} {
		with, err := heapWith(ctx, o.conversations, active)
		if err != nil {
			return report{}, err
		}
		figures["bytes_each_"+name] = (float64(with) - float64(base)) / float64(o.conversations)
	}
	return report{Figures: figures}, nil
}

// heapWith returns the live heap once a restarted engine has its Board.
func heapWith(ctx context.Context, conversations, active int) (uint64, error) {
	const agents = 1000
	p, err := newPlace(ctx, "sqlite")
	if err != nil {
		return 0, err
	}
	defer p.gone()
	db, err := p.open(ctx)
	if err != nil {
		return 0, err
	}
	d, err := newDesk(ctx, db, sangdam.Hooks{}, agents, active/agents+1)
	if err == nil {
		err = d.populate(ctx, conversations, active, agents)
	}
	if closed := db.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return 0, err
	}
	sealer := d.sealer
	d = nil
	if db, err = p.open(ctx); err != nil {
		return 0, err
	}
	defer db.Close()
	// One agent with room comes online: the offer made to it shows that the Board
	// has been built. Without open work there is nothing to wait for but a moment.
	offered := make(chan struct{}, 1000)
	eng, err := newEngine(db, sealer, sangdam.Hooks{Offered: func(id.Workspace, routing.Offer) { offered <- struct{}{} }})
	if err != nil {
		return 0, err
	}
	stop := start(ctx, eng)
	err = eng.SetPresence(ctx, sangdam.Host(workspace), sangdam.SetPresence{Agent: agentID(agents - 1), Presence: routing.Online})
	if err != nil {
		return 0, err
	}
	if conversations > active {
		select {
		case <-offered:
		case <-time.After(2 * time.Minute):
			return 0, errors.New("nobody was offered anything in 2 minutes")
		}
	}
	time.Sleep(time.Second) // feeds and first looks are over
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, stop()
}
