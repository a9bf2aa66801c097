package routing

import (
	"reflect"
	"time"

	"github.com/sangdam/sangdam/routing/hours"
)

// calendars are the operating hours of desks and work streams, and as of which
// version of the configuration; those of queues come with their rows.
type calendars struct {
	version int64
	desks   map[DeskID]*calendar
	streams map[WorkStreamID]*calendar
}

// calendar is operating hours with their standing at the Board's time.
type calendar struct {
	row      *hours.Calendar
	schedule *hours.Schedule // nil for one that does not compile: it never opens
	open     bool
	next     time.Time // of the next change; zero for none
	asked    int64     // at which time of the Board the two were found
}

func newCalendar(row *hours.Calendar) *calendar {
	if row == nil {
		return nil
	}
	c := &calendar{row: row}
	c.schedule, _ = row.Compile()
	return c
}

// at brings the calendar to the time. All items of a calendar share the look.
func (c *calendar) at(now time.Time, ns int64) {
	if c.schedule == nil || c.asked != 0 && ns >= c.asked && (c.next.IsZero() || ns < c.next.UnixNano()) {
		return
	}
	c.asked, c.open, c.next = ns, c.schedule.At(now).Open, time.Time{}
	if next, ok := c.schedule.NextChange(now); ok {
		c.next = next
	}
}

// ApplyHours tells the Board the operating hours of desks and work streams as of
// a version of the configuration; one that is not newer is ignored, except for
// the first.
func (b *Board) ApplyHours(desks map[DeskID]Desk, streams map[WorkStreamID]WorkStream, version int64) {
	if b.calendars.version != 0 && version <= b.calendars.version {
		return
	}
	b.calendars.version = version
	d, changedDesks := replaced(b.calendars.desks, desks, func(d Desk) *hours.Calendar { return d.Hours })
	s, changedStreams := replaced(b.calendars.streams, streams, func(w WorkStream) *hours.Calendar { return w.Hours })
	b.calendars.desks, b.calendars.streams = d, s
	if !changedDesks && !changedStreams {
		return
	}
	for _, q := range b.queues {
		for _, it := range append([]*boardItem(nil), q.items...) {
			b.leave(it)
			b.enter(it)
		}
	}
}

// replaced makes the calendars of rows, keeping those that are as before, and
// tells whether any is not.
func replaced[K comparable, V any](old map[K]*calendar, rows map[K]V, of func(V) *hours.Calendar) (now map[K]*calendar, changed bool) {
	now = map[K]*calendar{}
	for k, row := range rows {
		cal := of(row)
		if cal == nil {
			continue
		}
		if was := old[k]; was != nil && reflect.DeepEqual(was.row, cal) {
			now[k] = was
			continue
		}
		now[k], changed = newCalendar(cal), true
	}
	return now, changed || len(now) != len(old)
}

// calendarOf is the operating hours by which an item is offered: those of the
// desk whose agents may take it, else the queue's, else the work stream's; nil is
// always open.
func (b *Board) calendarOf(it *boardItem) *calendar {
	c := b.calendars.desks[DeskFor(&it.row, &it.q.row)]
	if c == nil {
		c = it.q.calendar
	}
	if c == nil {
		c = b.calendars.streams[it.row.WorkStream]
	}
	if c != nil {
		c.at(b.now, b.nowNs)
	}
	return c
}

// isOpen reports whether the item's operating hours are open.
func (b *Board) isOpen(it *boardItem) bool {
	c := b.calendarOf(it)
	return c == nil || c.open
}

// offered reports whether the item may be offered now.
func (b *Board) offered(it *boardItem) bool { return it.q.row.OutsideHours || b.isOpen(it) }

// closedUntil says in words that the item waits for its operating hours; empty
// when it does not.
func (b *Board) closedUntil(it *boardItem) string {
	if b.offered(it) {
		return ""
	}
	c := b.calendarOf(it)
	if c.schedule != nil {
		if at, ok := c.schedule.NextOpen(b.now); ok {
			return "outside operating hours until " + at.Format(time.RFC3339)
		}
	}
	return "outside operating hours, and no opening is set"
}
