package board

import (
	"cmp"
	"reflect"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// Calendars are the operating hours that are set, by where they are set; those
// of queues come with their rows. What is missing or nil says nothing.
type Calendars struct {
	Accounts  map[string]*hours.Calendar
	Desks     map[routing.DeskID]*hours.Calendar
	Streams   map[routing.WorkStreamID]*hours.Calendar
	Workspace *hours.Calendar
}

// calendars are the Calendars as of a version of the configuration.
type calendars struct {
	version   int64
	accounts  map[string]*calendar
	desks     map[routing.DeskID]*calendar
	streams   map[routing.WorkStreamID]*calendar
	workspace map[struct{}]*calendar // at most one
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

// ApplyHours tells the Board the operating hours as of a version of the
// configuration; one that is not newer is ignored, except for the first.
func (b *Board) ApplyHours(set Calendars, version int64) {
	if b.calendars.version != 0 && version <= b.calendars.version {
		return
	}
	now, changed := calendars{version: version}, [4]bool{}
	now.accounts, changed[0] = replaced(b.calendars.accounts, set.Accounts)
	now.desks, changed[1] = replaced(b.calendars.desks, set.Desks)
	now.streams, changed[2] = replaced(b.calendars.streams, set.Streams)
	now.workspace, changed[3] = replaced(b.calendars.workspace, map[struct{}]*hours.Calendar{{}: set.Workspace})
	b.calendars = now
	if changed == [4]bool{} {
		return
	}
	for _, q := range b.queues {
		for _, it := range append([]*boardItem(nil), q.items...) {
			b.leave(it)
			b.enter(it)
		}
	}
}

// replaced makes the calendars of what is set, keeping those that are as before,
// and tells whether any is not.
func replaced[K comparable](old map[K]*calendar, set map[K]*hours.Calendar) (now map[K]*calendar, changed bool) {
	now = map[K]*calendar{}
	for k, cal := range set {
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
// account it came by, else of the desk whose agents may take it, else the
// queue's, the work stream's, the workspace's; nil is always open.
func (b *Board) calendarOf(it *boardItem) *calendar {
	all := &b.calendars
	c := cmp.Or(all.accounts[it.row.Account], all.desks[DeskFor(&it.row, &it.q.row)], it.q.calendar,
		all.streams[it.row.WorkStream], all.workspace[struct{}{}])
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
