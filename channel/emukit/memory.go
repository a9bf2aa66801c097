package emukit

import (
	"slices"
	"sync"
	"time"
)

// Memory is what a provider remembers under keys, such as what it took under an
// idempotency key: for a time, or as many as it keeps. What is forgotten is as
// unknown as what never was. The zero value remembers everything; all methods
// may be called at once. Set the fields before the first Put.
type Memory[V any] struct {
	// Keep is how many are remembered, the newest; 0: all.
	Keep int
	// Life is how long each is remembered; 0: for ever.
	Life time.Duration
	// Now is the provider's clock; nil means time.Now.
	Now func() time.Time

	mu    sync.Mutex
	known map[string]remembered[V]
	order []string // oldest first; empty where nothing is forgotten
}

type remembered[V any] struct {
	value V
	since time.Time
}

func (m *Memory[V]) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// Put remembers a value under a key, in the place of what the key had.
func (m *Memory[V]) Put(key string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]remembered[V]{}
	}
	m.forget(key)
	m.known[key] = remembered[V]{v, m.now()}
	if m.Keep == 0 && m.Life == 0 {
		return
	}
	m.order = append(m.order, key)
	for len(m.order) > 0 {
		oldest, known := m.known[m.order[0]]
		if known && !m.dead(oldest) && (m.Keep == 0 || len(m.order) <= m.Keep) {
			return
		}
		delete(m.known, m.order[0])
		m.order = m.order[1:]
	}
}

// dead says that a life is over. The lock is held.
func (m *Memory[V]) dead(r remembered[V]) bool { return m.Life > 0 && m.now().Sub(r.since) >= m.Life }

// Get returns what is remembered under a key.
func (m *Memory[V]) Get(key string) (v V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.known[key]
	if !ok || m.dead(r) {
		return v, false
	}
	return r.value, true
}

// Forget ends a memory before its time.
func (m *Memory[V]) Forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(key)
}

// forget takes a key out, its place in the order too: one that comes again is the
// newest. The lock is held.
func (m *Memory[V]) forget(key string) {
	if _, known := m.known[key]; !known {
		return
	}
	delete(m.known, key)
	if i := slices.Index(m.order, key); i >= 0 {
		m.order = slices.Delete(m.order, i, i+1)
	}
}
