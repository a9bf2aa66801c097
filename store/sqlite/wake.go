package sqlite

import (
	"sync"
	"sync/atomic"

	"github.com/sangdam/sangdam/store/driver"
)

// wake gives hints to subscribers.
type wake struct {
	mu    sync.Mutex
	subs  map[int]func(driver.Hint)
	last  int
	given atomic.Int64
}

func (w *wake) subscribe(fn func(driver.Hint)) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.subs == nil {
		w.subs = map[int]func(driver.Hint){}
	}
	w.last++
	sub := w.last
	w.subs[sub] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subs, sub)
	}
}

func (w *wake) give(h driver.Hint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fn := range w.subs {
		fn(h)
		w.given.Add(1)
	}
}

func (w *wake) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.subs)
}
