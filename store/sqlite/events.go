package sqlite

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// events implements driver.EventRepo. The numbers of the feed are one series,
// given by the one goroutine that commits: what has a higher number is never
// committed before what has a lower one.
type events struct{ *tx }

func (r events) Append(_ context.Context, evs ...driver.Event) error {
	if err := r.writable(); err != nil {
		return err
	}
	for _, e := range evs {
		at, err := r.feedTime(e.At)
		if err != nil {
			return err
		}
		doc, err := encode(e)
		if err != nil {
			return err
		}
		r.b.eventSeq++
		r.later.feed = append(r.later.feed, feedRow{r.b.eventSeq, at, doc})
	}
	r.hint |= driver.NewsOf(evs...)
	return nil
}

// feedTime is the time under which an event stands in the feed: its own, or that of the
// one before it if that is later. So times never go down along the feed, and a place in
// it is found by halving.
func (r events) feedTime(at time.Time) (int64, error) {
	if at.IsZero() {
		at = r.now
	}
	if !r.later.timed {
		var err error
		if r.later.at, _, err = r.number(`SELECT at FROM events WHERE ws = ? ORDER BY seq DESC LIMIT 1`, r.ws); err != nil {
			return 0, err
		}
		r.later.timed = true
	}
	r.later.at = max(r.later.at, micro(at))
	return r.later.at, nil
}

// purgeEvents deletes from the beginning up to the first event that is to stay, so
// that no reader finds a hole.
func (r events) purgeEvents(_ context.Context, before time.Time, limit int) (int, error) {
	var last int64
	n := 0
	if err := r.insertLater(); err != nil {
		return 0, err
	}
	err := r.while(`SELECT seq, at FROM events WHERE ws = ? ORDER BY seq LIMIT ?`, func(w raw.Row) bool {
		if w.Int(1) >= micro(before) {
			return false
		}
		last, n = w.Int(0), n+1
		return true
	}, r.ws, limit)
	if err != nil || n == 0 {
		return 0, err
	}
	if err := r.change(`DELETE FROM events WHERE ws = ? AND seq <= ?`, r.ws, last); err != nil {
		return 0, err
	}
	return n, r.change(`UPDATE workspaces SET feed_floor = ? WHERE num = ?`, last, r.ws)
}

// Feed implements driver.Backend.
func (b *backend) Feed(ctx context.Context, ws driver.WorkspaceID, from string, limit int) (evs []driver.Event, next string, err error) {
	w, err := b.workspace(ws)
	if err != nil {
		return nil, "", err
	}
	err = b.read(ctx, w, func(t *tx) error {
		evs, next, err = t.feed(from, limit)
		return err
	})
	return evs, next, err
}

// feedAfter is the number of the last event that the cursor's holder has. For a cursor at
// a time it is found by halving, since an index of times would cost every event.
func (t *tx) feedAfter(from string, floor, last int64) (int64, error) {
	at, is := driver.TimeOf(from)
	if !is {
		return t.b.epochs.parse(from)
	}
	first, beyond := floor+1, last+1 // of what is not known to be too old, and to be late enough
	for first < beyond {
		middle := first + (beyond-first)/2
		seq, late := int64(0), true
		if _, err := t.first(`SELECT seq, at FROM events WHERE ws = ? AND seq >= ? ORDER BY seq LIMIT 1`, func(w raw.Row) {
			seq, late = w.Int(0), w.Int(1) >= micro(at)
		}, t.ws, middle); err != nil {
			return 0, err
		}
		if late {
			beyond = middle
		} else {
			first = seq + 1
		}
	}
	return first - 1, nil
}

func (t *tx) feed(from string, limit int) ([]driver.Event, string, error) {
	last, _, err := t.number(`SELECT event_seq FROM state`)
	if err != nil {
		return nil, "", err
	}
	if from == "" {
		return nil, t.b.epochs.cursor(last), nil
	}
	floor, _, err := t.number(`SELECT feed_floor FROM workspaces WHERE num = ?`, t.ws)
	if err != nil {
		return nil, "", err
	}
	after, err := t.feedAfter(from, floor, last)
	if err != nil {
		return nil, "", err
	}
	if after < floor || after > last { // above the last: of data that an older copy has replaced
		return nil, "", driver.ErrCursorGone
	}
	var seq int64
	evs, err := list(t, func(w raw.Row) (driver.Event, error) {
		seq = w.Int(1)
		return scanDoc[driver.Event](w)
	}, `SELECT doc, seq FROM events WHERE ws = ? AND seq > ? ORDER BY seq LIMIT ?`, t.ws, after, limit)
	if err != nil {
		return nil, "", err
	}
	if len(evs) < limit { // all there is, so that an idle workspace does not fall behind the floor
		return evs, t.b.epochs.cursor(last), nil
	}
	return evs, t.b.epochs.cursor(seq), nil
}
