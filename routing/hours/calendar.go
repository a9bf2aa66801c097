package hours

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// Limits of a calendar, all checked by Validate.
const (
	MaxIntervals  = 24   // intervals in one day
	MaxExceptions = 1000 // exceptions in one calendar
	MaxName       = 100  // characters in the name of an exception
	MinYear       = 1970 // of an exception's dates
	MaxYear       = 2200 // of an exception's dates
)

// Interval is open time within a day, from From (included) to To (excluded) on
// the wall clock. When To is not after From it ends on the next day.
type Interval struct {
	From Clock `json:"from"`
	To   Clock `json:"to"`
}

// end returns the end in minutes after the midnight that begins the day.
func (i Interval) end() Clock {
	if i.To > i.From {
		return i.To
	}
	return i.To + endOfDay
}

// Week holds the intervals of each weekday, indexed by time.Weekday (Sunday is
// 0). A day without intervals is closed. In JSON the days are "mon" to "sun".
type Week struct {
	Days [7][]Interval
}

// Empty reports whether no day has an interval.
func (w Week) Empty() bool {
	return !slices.ContainsFunc(w.Days[:], func(d []Interval) bool { return len(d) > 0 })
}

// Every returns a week with the same intervals on each of the days named.
func Every(intervals []Interval, days ...time.Weekday) Week {
	var w Week
	for _, d := range days {
		w.Days[d] = slices.Clone(intervals)
	}
	return w
}

// Exception replaces the week's hours on the dates From to To, both included.
type Exception struct {
	From Date `json:"from"`
	To   Date `json:"to"`
	// Open are the hours of each of the dates; none means closed.
	Open []Interval `json:"open,omitempty"`
	// Name is shown to agents, at most MaxName characters; may be empty.
	Name string `json:"name,omitempty"`
	// Holiday chooses the holiday message instead of the away message while
	// the exception keeps the calendar closed.
	Holiday bool `json:"holiday,omitempty"`
}

// Calendar is what a person sets. The zero Calendar is not valid: it never
// opens and does not say that this is meant. It is a value; the methods that
// change it return another one.
type Calendar struct {
	// Zone is an IANA name such as "Asia/Seoul" or "UTC".
	Zone string
	// Week are the ordinary hours.
	Week Week
	// Exceptions override Week; their order has no meaning.
	Exceptions []Exception
	// Always opens every day from 00:00 to 24:00; Week must then be empty.
	// Exceptions still apply.
	Always bool
	// Closed says that a calendar without weekly hours is meant to be closed
	// but for its exceptions.
	Closed bool
}

// First returns the first calendar that is set, nil when none is. Pass them in
// the order account, desk, queue, work stream, workspace.
func First(calendars ...*Calendar) *Calendar {
	for _, c := range calendars {
		if c != nil {
			return c
		}
	}
	return nil
}

// WithException returns the calendar with e added. The range must begin today
// or later (today in the calendar's zone, see Schedule.Date) and must not
// overlap an exception that is there; otherwise the error is ErrInvalid.
func (c Calendar) WithException(e Exception, today Date) (Calendar, error) {
	if err := fromToday("the new exception", e, today); err != nil {
		return Calendar{}, err
	}
	c.Exceptions = append(slices.Clone(c.Exceptions), e)
	if err := c.Validate(Date{}); err != nil {
		return Calendar{}, err
	}
	return c, nil
}

// WithoutException returns the calendar without the exception that begins on
// from; ErrNotFound when there is none.
func (c Calendar) WithoutException(from Date) (Calendar, error) {
	i := slices.IndexFunc(c.Exceptions, func(e Exception) bool { return e.From == from })
	if i < 0 {
		return Calendar{}, errs.New(errs.NotFound, "hours: no exception begins on %v: list the calendar's exceptions again", from)
	}
	c.Exceptions = slices.Delete(slices.Clone(c.Exceptions), i, i+1)
	return c, nil
}
