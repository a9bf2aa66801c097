package sqlite

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/sangdam/sangdam/store/driver"
)

// deadlines implements driver.DeadlineRepo.
type deadlines struct{ *tx }

func (r deadlines) Set(_ context.Context, kind, id string, at time.Time) error {
	if at.IsZero() {
		return r.change(`DELETE FROM deadlines WHERE ws = ? AND kind = ? AND id = ?`, r.ws, kind, id)
	}
	r.hint |= driver.NewsDeadlines
	r.committed(func() { r.b.earliest.set(micro(at)) })
	return r.change(`INSERT INTO deadlines (ws, kind, id, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (ws, kind, id) DO UPDATE SET at = excluded.at`, r.ws, kind, id, micro(at))
}

// earliest is a moment before which no deadline is due, so that whoever asks what is
// due, which is after each commit that sets one, mostly needs not look. Deadlines that
// are moved or removed leave it where it is until it has come.
type earliest struct {
	mu      sync.Mutex
	at      int64
	looking bool
	since   int64 // the earliest that was set since the look began
}

// set notes a deadline that was committed.
func (e *earliest) set(at int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at, e.since = min(e.at, at), min(e.since, at)
}

// after reports that nothing is due by now.
func (e *earliest) after(now int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.at > now
}

// look runs a look at the deadlines, which returns the earliest that it saw. Of two at
// a time one tells what it found.
func (e *earliest) look(read func() (int64, error)) error {
	e.mu.Lock()
	first := !e.looking
	if first {
		e.looking, e.since = true, math.MaxInt64
	}
	e.mu.Unlock()
	at, err := read()
	if !first {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.looking = false; err == nil {
		e.at = min(at, e.since)
	}
	return err
}
