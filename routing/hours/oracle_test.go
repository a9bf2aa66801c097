package hours_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/routing/hours"
)

// naive answers from the calendar's data and the wall clock alone.
type naive struct {
	c   hours.Calendar
	loc *time.Location
}

func (n naive) open(t time.Time) bool {
	wall := t.In(n.loc)
	minute := wall.Hour()*60 + wall.Minute()
	// The same date in UTC, where the day before is always a day before.
	date := time.Date(wall.Year(), wall.Month(), wall.Day(), 12, 0, 0, 0, time.UTC)
	today, todayRule := n.rule(date)
	for _, v := range today {
		from, to := int(v.From), int(v.To)
		if minute >= from && (minute < to || to <= from) {
			return true
		}
	}
	before, beforeRule := n.rule(date.AddDate(0, 0, -1))
	if todayRule != weekRule && todayRule != beforeRule {
		return false
	}
	for _, v := range before {
		if v.To <= v.From && minute < int(v.To) {
			return true
		}
	}
	return false
}

func key(y int, m time.Month, d int) int { return y*10000 + int(m)*100 + d }

const weekRule = -1

func (n naive) rule(date time.Time) ([]hours.Interval, int) {
	y, m, d := date.Date()
	day := key(y, m, d)
	for i, e := range n.c.Exceptions {
		if key(e.From.Year, e.From.Month, e.From.Day) <= day && day <= key(e.To.Year, e.To.Month, e.To.Day) {
			return e.Open, i
		}
	}
	if n.c.Always {
		return []hours.Interval{{From: 0, To: 24 * 60}}, weekRule
	}
	return n.c.Week.Days[date.Weekday()], weekRule
}

func iv(from, to string) hours.Interval {
	f, err := hours.ParseClock(from)
	if err != nil {
		panic(err)
	}
	t, err := hours.ParseClock(to)
	if err != nil {
		panic(err)
	}
	return hours.Interval{From: f, To: t}
}

func day(s string) hours.Date {
	d, err := hours.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func mustCompile(t require.TestingT, c hours.Calendar) *hours.Schedule {
	s, err := c.Compile()
	require.NoError(t, err)
	return s
}

// TestAgainstOracle walks minute by minute through years in which the zones
// changed their clocks: by an hour, by half an hour, at midnight, by a day.
func TestAgainstOracle(t *testing.T) {
	week := hours.Week{Days: [7][]hours.Interval{
		0: {iv("00:30", "01:15"), iv("01:45", "02:30"), iv("23:30", "00:30")},
		1: {iv("09:00", "12:00"), iv("13:00", "18:00")},
		2: {iv("00:00", "24:00")},
		3: {iv("22:00", "06:00")},
		5: {iv("18:00", "18:00")},
		6: {iv("20:00", "00:30")},
	}}
	for _, tc := range []struct {
		zone  string
		years []int
	}{
		{"Asia/Seoul", []int{1987, 1988}},
		{"America/New_York", []int{2025, 2026}},
		{"Europe/London", []int{2025, 2026}},
		{"Australia/Lord_Howe", []int{2025, 2026}},
		{"Pacific/Apia", []int{2010, 2011}},
		{"America/Sao_Paulo", []int{2017, 2018}},
	} {
		t.Run(tc.zone, func(t *testing.T) {
			t.Parallel()
			y := tc.years[0]
			date := func(year int, md string) hours.Date { return day(fmt.Sprintf("%d-%s", year, md)) }
			c := hours.Calendar{Zone: tc.zone, Week: week, Exceptions: []hours.Exception{
				{From: date(y, "03-05"), To: date(y, "03-09"), Holiday: true, Name: "spring"},
				{From: date(y, "10-14"), To: date(y, "10-18"), Open: []hours.Interval{iv("21:00", "02:00")}},
				{From: date(y, "10-19"), To: date(y, "10-19")},
				{From: date(y+1, "12-29"), To: date(y+1, "12-29"), Open: []hours.Interval{iv("22:00", "05:00")}},
				{From: date(y+1, "12-31"), To: date(y+1, "12-31"), Open: []hours.Interval{iv("10:00", "15:00")}},
			}}
			walk(t, c, time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(tc.years[1]+1, 1, 1, 0, 0, 0, 0, time.UTC))
		})
	}
	t.Run("always", func(t *testing.T) {
		t.Parallel()
		c := hours.Calendar{Zone: "America/Sao_Paulo", Always: true,
			Exceptions: []hours.Exception{{From: day("2018-11-03"), To: day("2018-11-04")}}}
		walk(t, c, time.Date(2018, 10, 1, 0, 0, 0, 0, time.UTC), time.Date(2018, 12, 1, 0, 0, 0, 0, time.UTC))
	})
}

func walk(t *testing.T, c hours.Calendar, from, to time.Time) {
	loc, err := time.LoadLocation(c.Zone)
	require.NoError(t, err)
	s, oracle := mustCompile(t, c), naive{c, loc}

	var open, sinceMark time.Duration
	lastChange, mark := from, from
	was := oracle.open(from)
	for at := from; at.Before(to); at = at.Add(time.Minute) {
		is := oracle.open(at)
		if got := s.At(at).Open; got != is {
			t.Fatalf("%v (%v): open %v, want %v", at, at.In(loc), got, is)
		}
		if is != was {
			next, ok := s.NextChange(lastChange)
			if !ok || !next.Equal(at) {
				t.Fatalf("change after %v: %v %v, want %v", lastChange.In(loc), next, ok, at.In(loc))
			}
			lastChange, was = at, is
		}
		if at.Sub(mark) == 1000*time.Minute {
			checkStretch(t, s, mark, at, sinceMark)
			mark, sinceMark = at, 0
		}
		if is {
			open += time.Minute
			sinceMark += time.Minute
		}
	}
	require.Equal(t, open, s.Elapsed(from, to))
}

func checkStretch(t *testing.T, s *hours.Schedule, from, to time.Time, open time.Duration) {
	if got := s.Elapsed(from, to); got != open {
		t.Fatalf("%v to %v: elapsed %v, want %v", from, to, got, open)
	}
	if open == 0 {
		return
	}
	due, ok := s.Add(from, open)
	if !ok || due.After(to) || s.Elapsed(from, due) != open {
		t.Fatalf("%v plus %v: %v %v", from, open, due, ok)
	}
}

var zones = []string{"UTC", "Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu"}

// drawCalendar makes any valid calendar.
func drawCalendar(t *rapid.T) hours.Calendar {
	intervals := func(label string) []hours.Interval {
		var list []hours.Interval
		at := 0
		for range rapid.IntRange(0, 3).Draw(t, label) {
			from := at + rapid.IntRange(0, 400).Draw(t, "gap")
			to := from + rapid.IntRange(1, 500).Draw(t, "length")
			if to > 24*60 {
				break
			}
			list = append(list, hours.Interval{From: hours.Clock(from), To: hours.Clock(to)})
			at = to
		}
		return list
	}
	c := hours.Calendar{Zone: rapid.SampledFrom(zones).Draw(t, "zone")}
	for d := range c.Week.Days {
		c.Week.Days[d] = intervals("weekday")
	}
	at := day("2011-11-01")
	for range rapid.IntRange(0, 4).Draw(t, "exceptions") {
		from := at.AddDays(rapid.IntRange(0, 40).Draw(t, "until"))
		to := from.AddDays(rapid.IntRange(0, 5).Draw(t, "days"))
		c.Exceptions = append(c.Exceptions, hours.Exception{From: from, To: to, Open: intervals("open"), Holiday: true})
		at = to.AddDays(1)
	}
	if c.Week.Empty() {
		c.Closed = true
	}
	return c
}

func drawTime(t *rapid.T, label string) time.Time {
	start := time.Date(2011, 10, 1, 0, 0, 0, 0, time.UTC)
	return start.Add(time.Duration(rapid.Int64Range(0, int64(300*24*time.Hour)).Draw(t, label)))
}

func TestElapsedIsAdditive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := mustCompile(t, drawCalendar(t))
		a := drawTime(t, "a")
		b := a.Add(time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "b")))
		c := b.Add(time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "c")))
		require.Equal(t, s.Elapsed(a, c), s.Elapsed(a, b)+s.Elapsed(b, c))
		require.Zero(t, s.Elapsed(c, a))
		require.LessOrEqual(t, s.Elapsed(a, c), c.Sub(a))
	})
}

func TestAddIsTheInverseOfElapsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := mustCompile(t, drawCalendar(t))
		from := drawTime(t, "from")
		d := time.Duration(rapid.Int64Range(1, int64(500*time.Hour)).Draw(t, "d"))
		due, ok := s.Add(from, d)
		if !ok {
			require.Less(t, s.Elapsed(from, from.AddDate(200, 0, 0)), d)
			return
		}
		require.Equal(t, d, s.Elapsed(from, due))
		require.Less(t, s.Elapsed(from, due.Add(-1)), d, "an earlier moment would do")
	})
}

func TestNextChangeIsTheNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := mustCompile(t, drawCalendar(t))
		at := drawTime(t, "at")
		now := s.At(at).Open
		next, ok := s.NextChange(at)
		if !ok {
			for i := range 1000 {
				require.Equal(t, now, s.At(at.Add(time.Duration(i)*7*time.Hour)).Open)
			}
			return
		}
		require.True(t, next.After(at))
		require.NotEqual(t, now, s.At(next).Open)
		require.Equal(t, now, s.At(next.Add(-1)).Open)
		want := time.Duration(0)
		if now {
			want = next.Sub(at)
		}
		require.Equal(t, want, s.Elapsed(at, next), "a change in between was missed")
		opens, ok := s.NextOpen(at)
		if now {
			require.True(t, ok && opens.Equal(at))
		} else {
			require.True(t, ok && opens.Equal(next))
		}
	})
}
