package hours

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"time"
)

// The bounds of the times that a Schedule handles, in seconds of Unix time:
// 1700-01-01 and 2250-01-01 UTC, which int64 nanoseconds can hold.
const (
	earliest = -8520336000
	latest   = 8835955200
)

// part is open time within one local day, in seconds after its midnight.
type part struct{ from, to int64 }

// ruled is a compiled exception. Days are counted from 1970-01-01.
type ruled struct {
	from, to int64
	first    []part // on the first date: no earlier day runs into it
	later    []part // on the other dates: the day before may run into it
	next     []part // on the ordinary day after the range
	name     string
	holiday  bool
}

// Schedule is a compiled Calendar. It is immutable and safe for concurrent
// use. Times it returns are in the calendar's zone.
type Schedule struct {
	loc        *time.Location
	week       [7][]part
	exceptions []ruled // by date
	// steady is set when the week is open, or closed, throughout.
	steady bool
	open   bool // the week has open time
}

// Status is what holds at a moment.
type Status struct {
	// Open is whether the calendar is open.
	Open bool
	// Holiday is whether the local date lies in an exception marked as holiday,
	// open or not.
	Holiday bool
	// Exception is the name of the exception in whose dates the moment lies.
	Exception string
}

// Compile validates the calendar and makes its Schedule.
func (c Calendar) Compile() (*Schedule, error) {
	if err := c.Validate(Date{}); err != nil {
		return nil, err
	}
	loc, err := loadZone(c.Zone)
	if err != nil {
		return nil, err
	}
	s := &Schedule{loc: loc}
	own, spill := c.weekParts()
	s.steady = true
	for d := range s.week {
		s.week[d] = union(own[d], spill[(d+6)%7])
		s.open = s.open || len(s.week[d]) > 0
	}
	for d := range s.week {
		whole := len(s.week[d]) == 1 && s.week[d][0] == part{0, secondsDay}
		s.steady = s.steady && (!s.open || whole)
	}
	for _, e := range c.Exceptions {
		s.exceptions = append(s.exceptions, compileException(e, own))
	}
	slices.SortFunc(s.exceptions, func(a, b ruled) int { return cmp.Compare(a.from, b.from) })
	return s, nil
}

// weekParts returns for each weekday the parts within it and those that run
// into the day after.
func (c Calendar) weekParts() (own, spill [7][]part) {
	if c.Always {
		for d := range own {
			own[d] = []part{{0, secondsDay}}
		}
		return own, spill
	}
	for d, intervals := range c.Week.Days {
		own[d], spill[d] = split(intervals)
	}
	return own, spill
}

func compileException(e Exception, week [7][]part) ruled {
	own, spill := split(e.Open)
	to := dayNumber(e.To)
	return ruled{
		from: dayNumber(e.From), to: to,
		first: union(own, nil), later: union(own, spill), next: union(week[weekday(to+1)], spill),
		name: e.Name, holiday: e.Holiday,
	}
}

func split(intervals []Interval) (own, spill []part) {
	for _, v := range intervals {
		end := v.end()
		own = append(own, part{int64(v.From) * 60, int64(min(end, endOfDay)) * 60})
		if end > endOfDay {
			spill = append(spill, part{0, int64(end-endOfDay) * 60})
		}
	}
	return own, spill
}

// union sorts parts and joins those that touch or overlap.
func union(a, b []part) []part {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y part) int { return cmp.Compare(x.from, y.from) })
	var joined []part
	for _, p := range all {
		if n := len(joined); n > 0 && p.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, p.to)
			continue
		}
		joined = append(joined, p)
	}
	return joined
}

// At returns what holds at t.
func (s *Schedule) At(t time.Time) Status {
	sec, _ := floorDiv(clamp(t), int64(time.Second))
	_, offset := time.Unix(sec, 0).In(s.loc).Zone()
	day, second := floorDiv(sec+int64(offset), secondsDay)
	var st Status
	if e := s.exceptionOn(day); e != nil {
		st.Holiday, st.Exception = e.holiday, e.name
	}
	for _, p := range s.parts(day) {
		if p.from <= second && second < p.to {
			st.Open = true
		}
	}
	return st
}

// Date returns the date that the calendar's zone has at t: today for Validate.
func (s *Schedule) Date(t time.Time) Date { return DateOf(t.In(s.loc)) }

// NextChange returns the first moment after t at which Status.Open differs
// from what it is at t, and false when it never changes again.
func (s *Schedule) NextChange(t time.Time) (time.Time, bool) {
	now := clamp(t)
	for from, to := range s.spans(now, s.horizon(now, s.steady)) {
		switch {
		case now < from:
			return s.time(from), true
		case now < to && to != math.MaxInt64:
			return s.time(to), true
		case now < to:
			return time.Time{}, false
		}
	}
	return time.Time{}, false
}

// NextOpen returns t when it is open, else the next moment that is, and false
// when there is none.
func (s *Schedule) NextOpen(t time.Time) (time.Time, bool) {
	if s.At(t).Open {
		return t.In(s.loc), true
	}
	return s.NextChange(t)
}

// Elapsed returns how much open time lies from from to to: what a service
// level counts. It is zero when to is not after from, and additive:
// Elapsed(a, b) + Elapsed(b, c) = Elapsed(a, c) for a ≤ b ≤ c. Beyond 292 years it
// stays at the longest Duration.
func (s *Schedule) Elapsed(from, to time.Time) time.Duration {
	const ns = int64(time.Second)
	lo, hi := clamp(from), clamp(to)
	horizon := min(s.horizon(lo, !s.open), hi/ns+1)
	var total int64
	for p := range s.pieces(lo/ns-1, horizon) {
		open := max(0, min(p.to*ns, hi)-max(p.from*ns, lo))
		total += min(open, math.MaxInt64-total)
	}
	return time.Duration(total)
}

// Add returns the earliest moment at which d of open time has passed since
// from: the deadline of a service level. Elapsed(from, Add(from, d)) = d. A d
// of zero or less returns from. It returns false when the calendar never has
// that much open time again (or not before 2250).
func (s *Schedule) Add(from time.Time, d time.Duration) (time.Time, bool) {
	if d <= 0 {
		return from.In(s.loc), true
	}
	const ns = int64(time.Second)
	start, left := clamp(from), int64(d)
	for p := range s.pieces(start/ns-1, s.horizon(start, !s.open)) {
		begin := max(p.from*ns, start)
		open := max(0, p.to*ns-begin)
		if open >= left {
			return s.time(begin + left), true
		}
		left -= open
	}
	return time.Time{}, false
}

// spans yields the open time from start on in order, in nanoseconds of Unix
// time, joined where it touches, until horizon (seconds). The first span may
// begin before start. The end is MaxInt64 for a span that reaches the horizon.
func (s *Schedule) spans(start, horizon int64) iter.Seq2[int64, int64] {
	const ns = int64(time.Second)
	return func(yield func(from, to int64) bool) {
		open := span{}
		for p := range s.pieces(start/ns-1, horizon) {
			if p.from == open.to && open.to > open.from {
				open.to = p.to
				continue
			}
			if open.to > open.from && !yield(open.from*ns, open.to*ns) {
				return
			}
			open = p
		}
		switch {
		case open.to <= open.from:
		case open.to >= horizon:
			yield(open.from*ns, math.MaxInt64)
		default:
			yield(open.from*ns, open.to*ns)
		}
	}
}

// span is time in seconds of Unix time.
type span struct{ from, to int64 }

// pieces yields open time day by day; between two changes of the zone's offset
// local time is Unix time plus the offset.
func (s *Schedule) pieces(at, horizon int64) iter.Seq[span] {
	return func(yield func(span) bool) {
		for at < horizon {
			t := time.Unix(at, 0).In(s.loc)
			_, offset := t.Zone()
			end := horizon
			if _, change := t.ZoneBounds(); !change.IsZero() {
				end = min(end, change.Unix())
			}
			if !s.piecesOf(at, end, int64(offset), yield) {
				return
			}
			at = end
		}
	}
}

func (s *Schedule) piecesOf(from, to, offset int64, yield func(span) bool) bool {
	first, _ := floorDiv(from+offset, secondsDay)
	last, _ := floorDiv(to+offset-1, secondsDay)
	for day := first; day <= last; day++ {
		midnight := day*secondsDay - offset
		for _, p := range s.parts(day) {
			piece := span{max(midnight+p.from, from), min(midnight+p.to, to)}
			if piece.from < piece.to && !yield(piece) {
				return false
			}
		}
	}
	return true
}

// parts returns the open parts of a local day, sorted and disjoint.
func (s *Schedule) parts(day int64) []part {
	if len(s.exceptions) == 0 {
		return s.week[weekday(day)]
	}
	if e := s.exceptionOn(day); e != nil {
		if day == e.from {
			return e.first
		}
		return e.later
	}
	if e := s.exceptionOn(day - 1); e != nil {
		return e.next
	}
	return s.week[weekday(day)]
}

func (s *Schedule) exceptionOn(day int64) *ruled {
	i, _ := slices.BinarySearchFunc(s.exceptions, day, func(e ruled, day int64) int { return cmp.Compare(e.to, day) })
	if i < len(s.exceptions) && s.exceptions[i].from <= day {
		return &s.exceptions[i]
	}
	return nil
}

// horizon returns the second until which spans must be listed. When the week
// brings nothing new (settled), that is soon after the last exception.
func (s *Schedule) horizon(start int64, settled bool) int64 {
	if !settled {
		return latest
	}
	end := start/int64(time.Second) + 1
	if n := len(s.exceptions); n > 0 {
		end = max(end, s.exceptions[n-1].to*secondsDay)
	}
	return min(end+4*secondsDay, latest)
}

func (s *Schedule) time(ns int64) time.Time { return time.Unix(0, ns).In(s.loc) }

// clamp returns t in nanoseconds of Unix time, within the handled bounds.
func clamp(t time.Time) int64 {
	switch sec := t.Unix(); {
	case sec < earliest:
		return earliest * int64(time.Second)
	case sec >= latest:
		return latest * int64(time.Second)
	}
	return t.UnixNano()
}

func dayNumber(d Date) int64 { return d.midnight().Unix() / secondsDay }

// weekday returns the time.Weekday of a day; 1970-01-01 was a Thursday.
func weekday(day int64) int {
	_, w := floorDiv(day+int64(time.Thursday), 7)
	return int(w)
}

func floorDiv(a, b int64) (quotient, remainder int64) {
	quotient, remainder = a/b, a%b
	if remainder < 0 {
		return quotient - 1, remainder + b
	}
	return quotient, remainder
}
