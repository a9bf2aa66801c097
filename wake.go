package sangdam

import (
	"context"
	"sync"
)

// wakeHub spreads hints that there may be news to every loop of the engine and
// to subscribers. Hints are coalesced and may be missing; polling is the
// guarantee.
type wakeHub struct {
	mu   sync.Mutex
	subs map[chan struct{}]struct{}
}

// subscribe returns a channel that gets hints until stop.
func (h *wakeHub) subscribe() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = map[chan struct{}]struct{}{}
	}
	h.subs[ch] = struct{}{}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, ch)
	}
}

// poke wakes everybody.
func (h *wakeHub) poke() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		select {
		case ch <- struct{}{}:
		default: // a hint is already waiting
		}
	}
}

// relay passes the store's hints on until ctx ends.
func (h *wakeHub) relay(ctx context.Context, hints <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			h.poke()
			return
		case _, open := <-hints:
			if !open {
				hints = nil // the store is closed; polling finds out
			}
			h.poke()
		}
	}
}
