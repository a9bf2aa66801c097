package sangdam

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/trial"
)

// Timed triggers on the past: a deadline is set by each unit of work that moved the
// field it counts from, also by one of a rule, and comes between the changes, at
// the time at which it was due by the calendars of today. Each comes once.

// pastSubject is a copy of a record with what its own operating hours are.
type pastSubject interface {
	trigger.Subject
	hoursOf(calendar string) *hours.Schedule
}

// pastClock keeps the deadlines of one record that is made again: of each form of
// the rule the one that stands, for a field that moves on overtakes it.
type pastClock struct {
	r     *pastReader
	next  [2]*pastDue
	known map[pastKey]bool // those that were ever set
}

// pastDue is a deadline and the time at which it comes: one that was over when it
// was set comes at once.
type pastDue struct {
	trigger.Deadline
	comes time.Time
}

type pastKey struct {
	form  int
	since int64
}

// timed says whether the rule waits in any of its forms.
func (r *pastReader) timed() bool { return r.waits[0] != nil || r.waits[1] != nil }

// moved sets the deadlines whose field the unit of work of that time moved.
func (c *pastClock) moved(sub pastSubject, at time.Time) {
	add := func(calendar string, from time.Time, d time.Duration) (time.Time, bool) {
		if s := sub.hoursOf(calendar); calendar != "" && s != nil {
			return s.Add(from, d)
		}
		return from.Add(d), true
	}
	for form, set := range c.r.waits {
		if set == nil {
			continue
		}
		field, _ := set.Since(c.r.rule)
		was, had := sub.Before(field)
		is, has := sub.Fact(field)
		if had == has && was.Equal(is) {
			continue
		}
		c.next[form] = nil
		for _, d := range set.Deadlines(sub, add) {
			c.expect(form, d, at)
		}
	}
}

// expect notes when a timed rule is due next, unless it came already.
func (c *pastClock) expect(form int, d trigger.Deadline, at time.Time) {
	key := pastKey{form, d.Since.UnixMicro()}
	if c.known[key] && !d.At.After(at) {
		return // it came, or was overtaken when it would have
	}
	if c.known == nil {
		c.known = map[pastKey]bool{}
	}
	c.known[key] = true
	c.next[form] = &pastDue{d, d.At}
	if at.After(d.At) {
		c.next[form].comes = at
	}
}

// come takes what was due before a time, the earliest first. What both forms of
// the rule wait for is one moment.
func (c *pastClock) come(before time.Time) (out []trial.Due) {
	for form, d := range c.next {
		if d == nil || !d.comes.Before(before) {
			continue
		}
		c.next[form] = nil
		due := trial.Due{Deadline: d.Deadline, Now: form == 0, Was: form == 1}
		due.At = d.comes
		if len(out) > 0 && out[0].At.Equal(due.At) && out[0].Since.Equal(due.Since) {
			out[0].Was = true
			continue
		}
		out = append(out, due)
	}
	slices.SortStableFunc(out, func(a, b trial.Due) int { return a.At.Compare(b.At) })
	return out
}

// tell yields what was due before a time, on copies that sub makes of the record
// as it was then; false: nothing more is wanted.
func (c *pastClock) tell(record string, before time.Time, sub func(at time.Time) trigger.Subject,
	yield func(func() trial.Past) bool) bool {
	if end := c.r.until.Add(1); before.After(end) {
		before = end
	}
	for _, d := range c.come(before) {
		ev := trigger.Event{ID: hashedKey(d.Key(record)), Kind: eventTime, Actor: trigger.BySystem, At: d.At}
		if c.r.in(d.At) && !yield(func() trial.Past { return trial.Past{Record: record, Event: ev, Subject: sub(d.At), Due: &d} }) {
			return false
		}
	}
	return true
}
