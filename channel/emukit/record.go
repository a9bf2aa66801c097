package emukit

import (
	"slices"
	"sync"
)

// Record keeps what an emulator saw or gave, oldest first. The zero value keeps
// everything; all methods may be called at once.
type Record[T any] struct {
	// Keep is how many are kept, the newest; 0: all. Set it before the first Add.
	Keep int

	mu      sync.Mutex
	kept    []T
	dropped int
}

// Add puts one at the end, at the cost of the oldest where the record is full.
func (r *Record[T]) Add(one T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, one)
	if r.Keep > 0 && len(r.kept) > r.Keep {
		clear(r.kept[:1]) // the array lives on for a while
		r.kept = r.kept[1:]
		r.dropped++
	}
}

// Count is how many were added in all, those no longer kept included.
func (r *Record[T]) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped + len(r.kept)
}

// All returns what is kept. It is never nil, so that it is a list in JSON.
func (r *Record[T]) All() []T { return r.From(0) }

// From returns what is kept of the n-th and those after it, counted from 0. It
// is never nil.
func (r *Record[T]) From(n int) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]T{}, r.kept[min(max(n-r.dropped, 0), len(r.kept)):]...)
}

// Where returns those that are kept and for which is holds.
func (r *Record[T]) Where(is func(T) bool) []T {
	return slices.DeleteFunc(r.All(), func(one T) bool { return !is(one) })
}

// Clear forgets what is kept.
func (r *Record[T]) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped += len(r.kept)
	r.kept = nil
}
