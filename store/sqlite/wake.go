package sqlite

import (
	"sync"
	"sync/atomic"
)

// wake gives hints to subscribers, coalesced: a subscriber that has one
// waiting gets no second.
type wake struct {
	mu     sync.Mutex
	subs   map[chan struct{}]struct{}
	closed bool
	given  atomic.Int64
}

func (w *wake) subscribe() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		close(ch)
		return ch, func() {}
	}
	if w.subs == nil {
		w.subs = map[chan struct{}]struct{}{}
	}
	w.subs[ch] = struct{}{}
	return ch, func() { w.unsubscribe(ch) }
}

func (w *wake) unsubscribe(ch chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.subs, ch)
}

func (w *wake) give() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.subs {
		select {
		case ch <- struct{}{}:
			w.given.Add(1)
		default:
		}
	}
}

func (w *wake) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for ch := range w.subs {
		close(ch)
	}
	clear(w.subs)
}
