package postgres

import (
	"bytes"
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// What one piece of work enters into a conversation and tells the feed is one row
// each, with a list of events: a row costs an entry in each index and a look by
// whoever reads it, events of a row cost their bytes. What the feed is told is
// mostly about one conversation, and mostly the same about it: who has it, where it
// belongs, when. So an event may name an earlier one of the row that it is like.

// storedEvent is an event in a row of the feed.
type storedEvent struct {
	driver.Event
	// Like is the place of an earlier event in the row, counted from 1, that says
	// the rest, or 0.
	Like int `json:"like,omitempty"`
}

// rowBytes is how long a row may become before the next one begins: above two
// kilobytes the server would compress it.
const rowBytes = 1400

// list is a document that is a list of documents.
type list struct {
	doc []byte
	n   int
}

func (l *list) full() bool { return len(l.doc) >= rowBytes }

func (l *list) add(v any) error {
	doc, err := encode(v)
	if err != nil {
		return err
	}
	if l.n == 0 {
		l.doc = make([]byte, 0, 3*len(doc)) // of a few that become shorter
	}
	l.doc = append(append(l.doc, "[,"[min(l.n, 1)]), doc...)
	l.n++
	return nil
}

func (l *list) end() []byte { return append(l.doc, ']') }

// elements are the documents of a list, or the only one where an older program
// wrote it.
func elements[T any](doc []byte) ([]T, error) {
	if !bytes.HasPrefix(doc, []byte{'['}) {
		v, err := decode[T](doc)
		return []T{v}, err
	}
	return decode[[]T](doc)
}

// eventRows makes rows of what the feed is told, in its order.
func eventRows(evs []driver.Event) (rows [][]any, err error) {
	for len(evs) > 0 {
		var l list
		for l.n < len(evs) && !l.full() {
			if err := l.add(shortened(evs, l.n)); err != nil {
				return nil, err
			}
		}
		rows, evs = append(rows, []any{evs[0].At, l.end()}), evs[l.n:]
	}
	return rows, nil
}

// shortened is an event as it stands in the row that begins with the first.
func shortened(evs []driver.Event, n int) *storedEvent {
	ev := &evs[n]
	for i := range evs[:n] {
		if sameRest(&evs[i], ev) {
			return &storedEvent{Event: driver.Event{Aggregate: ev.Aggregate, ID: ev.ID, Version: ev.Version, Kind: ev.Kind, Ref: ev.Ref},
				Like: i + 1}
		}
	}
	return &storedEvent{Event: *ev}
}

// sameRest reports whether two events differ in no more than what they are about.
func sameRest(a, b *driver.Event) bool {
	return a.At.Equal(b.At) && a.Actor == b.Actor && a.Desk == b.Desk && a.Agent == b.Agent && a.Account == b.Account &&
		a.Channel == b.Channel && a.WorkStream == b.WorkStream && a.Contact == b.Contact && a.State == b.State &&
		a.Asked == b.Asked && a.FormerDesk == b.FormerDesk && a.FormerAgent == b.FormerAgent && a.FormerAsked == b.FormerAsked &&
		slices.Equal(a.Desks, b.Desks)
}

// appendEvents adds the events of a row of the feed.
func appendEvents(to []driver.Event, doc []byte) ([]driver.Event, error) {
	list, err := elements[storedEvent](doc)
	if err != nil {
		return to, err
	}
	before := len(to)
	for i, s := range list {
		if s.Like < 0 || s.Like > i {
			return to[:before], errs.New(errs.Unavailable, "store: a stored event is unreadable: it is like none before it")
		}
		ev := s.Event
		if s.Like > 0 {
			ev = to[before+s.Like-1]
			ev.Aggregate, ev.ID, ev.Version, ev.Kind, ev.Ref = s.Aggregate, s.ID, s.Version, s.Kind, s.Ref
		}
		to = append(to, ev)
	}
	return to, nil
}
