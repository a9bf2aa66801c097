package hours

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/errs"
)

// Validate checks everything Compile relies on. Every error is ErrInvalid and
// names the field and what to change. A non-zero today, the date in the
// calendar's zone, also refuses exceptions that ended before it: pass it for a
// calendar that a person has just made, and the zero Date for one from the
// store, whose past exceptions must stay so that time already counted stays
// counted. For an edited calendar use ValidateChange.
func (c Calendar) Validate(today Date) error {
	if _, err := loadZone(c.Zone); err != nil {
		return err
	}
	if err := c.checkBase(); err != nil {
		return err
	}
	if err := checkWeek(c.Week); err != nil {
		return err
	}
	if err := checkExceptions(c.Exceptions); err != nil {
		return err
	}
	if today.IsZero() {
		return nil
	}
	for i, e := range c.Exceptions {
		if e.To.Compare(today) < 0 {
			return errs.New(errs.Invalid, "hours: exceptions[%d] ended on %v, before today (%v): remove it or move it to a coming date",
				i, e.To, today)
		}
	}
	return nil
}

// ValidateChange checks c as the successor of old, which may be nil:
// exceptions that old has too are accepted whatever their dates, all others
// must begin today or later.
func (c Calendar) ValidateChange(old *Calendar, today Date) error {
	if err := c.Validate(Date{}); err != nil {
		return err
	}
	for i, e := range c.Exceptions {
		if old != nil && slices.ContainsFunc(old.Exceptions, e.equal) {
			continue
		}
		if err := fromToday(fmt.Sprintf("exceptions[%d]", i), e, today); err != nil {
			return err
		}
	}
	return nil
}

func (e Exception) equal(other Exception) bool {
	return e.From == other.From && e.To == other.To && e.Name == other.Name &&
		e.Holiday == other.Holiday && slices.Equal(e.Open, other.Open)
}

func fromToday(what string, e Exception, today Date) error {
	if e.From.Compare(today) < 0 {
		return errs.New(errs.Invalid, "hours: %s begins on %v, before today (%v): choose today or a later date", what, e.From, today)
	}
	return nil
}

func loadZone(name string) (*time.Location, error) {
	switch name {
	case "":
		return nil, errs.New(errs.Invalid, "hours: zone is empty: name an IANA time zone such as \"Asia/Seoul\", or \"UTC\"")
	case "Local":
		return nil, errs.New(errs.Invalid, `hours: zone "Local" depends on the machine: name an IANA time zone such as "Asia/Seoul"`)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, errs.New(errs.Invalid, "hours: zone %s is unknown: name an IANA time zone such as \"Asia/Seoul\" (a program on a "+
			"system without zone data imports time/tzdata)", shown(name))
	}
	return loc, nil
}

func (c Calendar) checkBase() error {
	switch {
	case c.Always && c.Closed:
		return errs.New(errs.Invalid, "hours: always and closed exclude each other: choose one")
	case c.Always && !c.Week.Empty():
		return errs.New(errs.Invalid, "hours: always leaves no room for weekly hours: remove week or always")
	case c.Closed && !c.Week.Empty():
		return errs.New(errs.Invalid, "hours: closed leaves no room for weekly hours: remove week or closed")
	}
	opens := func(e Exception) bool { return len(e.Open) > 0 }
	if !c.Always && !c.Closed && c.Week.Empty() && !slices.ContainsFunc(c.Exceptions, opens) {
		return errs.New(errs.Invalid, "hours: the calendar never opens: give week hours, or set always or closed")
	}
	return nil
}

// placed is an interval on a line of minutes, with its name for errors.
type placed struct {
	from, end int
	name      string
}

func checkWeek(w Week) error {
	const week = 7 * int(endOfDay)
	var all []placed
	for day, intervals := range w.Days {
		name := "week." + dayNames[day]
		if err := checkIntervals(name, intervals); err != nil {
			return err
		}
		for i, v := range intervals {
			start := day * int(endOfDay)
			all = append(all, placed{start + int(v.From), start + int(v.end()), fmt.Sprintf("%s[%d]", name, i)})
		}
	}
	return checkOverlap(all, week)
}

func checkExceptions(exceptions []Exception) error {
	if len(exceptions) > MaxExceptions {
		return errs.New(errs.Invalid, "hours: %d exceptions: keep at most %d", len(exceptions), MaxExceptions)
	}
	for i, e := range exceptions {
		if err := checkException(fmt.Sprintf("exceptions[%d]", i), e); err != nil {
			return err
		}
	}
	order := make([]int, len(exceptions))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return exceptions[a].From.Compare(exceptions[b].From) })
	for i := 1; i < len(order); i++ {
		before, after := exceptions[order[i-1]], exceptions[order[i]]
		if after.From.Compare(before.To) <= 0 {
			return errs.New(errs.Invalid, "hours: exceptions[%d] and exceptions[%d] overlap on %v: change the dates or remove one",
				order[i-1], order[i], after.From)
		}
	}
	return nil
}

func checkException(name string, e Exception) error {
	for _, d := range []struct {
		field string
		date  Date
	}{{"from", e.From}, {"to", e.To}} {
		if !d.date.Valid() || d.date.Year < MinYear || d.date.Year > MaxYear {
			return errs.New(errs.Invalid, "hours: %s.%s is %v: give a date between the years %d and %d", name, d.field,
				d.date, MinYear, MaxYear)
		}
	}
	if e.To.Compare(e.From) < 0 {
		return errs.New(errs.Invalid, "hours: %s ends on %v, before it begins on %v: swap from and to", name, e.To, e.From)
	}
	if n := utf8.RuneCountInString(e.Name); n > MaxName {
		return errs.New(errs.Invalid, "hours: %s.name has %d characters: use at most %d", name, n, MaxName)
	}
	if err := checkIntervals(name+".open", e.Open); err != nil {
		return err
	}
	var all []placed
	for i, v := range e.Open {
		all = append(all, placed{int(v.From), int(v.end()), fmt.Sprintf("%s.open[%d]", name, i)})
	}
	if e.From == e.To {
		return checkOverlap(all, 2*int(endOfDay))
	}
	return checkOverlap(all, int(endOfDay))
}

func checkIntervals(name string, intervals []Interval) error {
	if len(intervals) > MaxIntervals {
		return errs.New(errs.Invalid, "hours: %s has %d intervals: keep at most %d", name, len(intervals), MaxIntervals)
	}
	for i, v := range intervals {
		if v.From < 0 || v.From >= endOfDay {
			return errs.New(errs.Invalid, "hours: %s[%d].from is %v: use 00:00 to 23:59", name, i, v.From)
		}
		if v.To < 0 || v.To > endOfDay {
			return errs.New(errs.Invalid, "hours: %s[%d].to is %v: use 00:00 to 24:00", name, i, v.To)
		}
	}
	return nil
}

// checkOverlap refuses intervals that share a minute on a circle of minutes.
func checkOverlap(all []placed, circle int) error {
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b placed) int { return cmp.Compare(a.from, b.from) })
	first := all[0]
	first.from += circle
	all = append(all, first)
	for i := 1; i < len(all); i++ {
		if all[i].from < all[i-1].end {
			return errs.New(errs.Invalid, "hours: %s and %s overlap: shorten or join them", all[i-1].name, all[i].name)
		}
	}
	return nil
}
