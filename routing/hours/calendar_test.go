package hours_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/routing/hours"
)

var officeDays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}

func office() hours.Calendar {
	return hours.Calendar{Zone: "Asia/Seoul", Week: hours.Every([]hours.Interval{iv("09:00", "18:00")}, officeDays...)}
}

func seoul(s string) time.Time {
	loc, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		panic(err)
	}
	t, err := time.ParseInLocation("2006-01-02 15:04:05", s, loc)
	if err != nil {
		panic(err)
	}
	return t
}

func TestBadCalendars(t *testing.T) {
	with := func(change func(*hours.Calendar)) hours.Calendar {
		c := office()
		change(&c)
		return c
	}
	exception := func(from, to string, open ...hours.Interval) func(*hours.Calendar) {
		return func(c *hours.Calendar) {
			c.Exceptions = append(c.Exceptions, hours.Exception{From: day(from), To: day(to), Open: open})
		}
	}
	for name, tc := range map[string]struct {
		c    hours.Calendar
		says string
	}{
		"zero":           {hours.Calendar{}, "zone is empty"},
		"unknown zone":   {with(func(c *hours.Calendar) { c.Zone = "Asia/Atlantis" }), `"Asia/Atlantis" is unknown`},
		"machine's zone": {with(func(c *hours.Calendar) { c.Zone = "Local" }), "depends on the machine"},
		"path as zone":   {with(func(c *hours.Calendar) { c.Zone = "../../etc/passwd" }), "is unknown"},
		"never opens":    {hours.Calendar{Zone: "UTC"}, "never opens"},
		"only closed": {hours.Calendar{Zone: "UTC", Exceptions: []hours.Exception{{From: day("2026-01-01"), To: day("2026-01-01")}}},
			"never opens"},
		"always, closed":  {hours.Calendar{Zone: "UTC", Always: true, Closed: true}, "exclude each other"},
		"always and week": {with(func(c *hours.Calendar) { c.Always = true }), "always leaves no room"},
		"closed and week": {with(func(c *hours.Calendar) { c.Closed = true }), "closed leaves no room"},
		"from 24:00":      {with(func(c *hours.Calendar) { c.Week.Days[0] = []hours.Interval{iv("24:00", "24:00")} }), "week.sun[0].from"},
		"beyond 24:00":    {with(func(c *hours.Calendar) { c.Week.Days[0] = []hours.Interval{{From: 0, To: 1441}} }), "week.sun[0].to"},
		"negative":        {with(func(c *hours.Calendar) { c.Week.Days[0] = []hours.Interval{{From: -1, To: 10}} }), "week.sun[0].from"},
		"overlap in a day": {with(func(c *hours.Calendar) {
			c.Week.Days[1] = []hours.Interval{iv("09:00", "12:00"), iv("11:59", "18:00")}
		}), "week.mon[0] and week.mon[1] overlap"},
		"same twice": {with(func(c *hours.Calendar) { c.Week.Days[1] = append(c.Week.Days[1], c.Week.Days[1][0]) }), "overlap"},
		"overnight": {with(func(c *hours.Calendar) { c.Week.Days[1] = []hours.Interval{iv("22:00", "09:01")} }),
			"week.mon[0] and week.tue[0] overlap"},
		"saturday on": {with(func(c *hours.Calendar) {
			c.Week.Days[6] = []hours.Interval{iv("22:00", "10:00")}
			c.Week.Days[0] = []hours.Interval{iv("09:00", "10:00")}
		}), "week.sat[0] and week.sun[0] overlap"},
		"25 intervals":   {with(func(c *hours.Calendar) { c.Week.Days[1] = make([]hours.Interval, 25) }), "keep at most 24"},
		"range reversed": {with(exception("2026-02-03", "2026-02-02")), "swap from and to"},
		"no such date": {with(func(c *hours.Calendar) {
			c.Exceptions = []hours.Exception{{From: hours.Date{Year: 2026, Month: 2, Day: 30}, To: day("2026-03-01")}}
		}), "exceptions[0].from"},
		"no date":  {with(func(c *hours.Calendar) { c.Exceptions = []hours.Exception{{}} }), "exceptions[0].from"},
		"far year": {with(exception("2026-01-01", "2201-01-01")), "exceptions[0].to"},
		"bad open": {with(exception("2026-01-01", "2026-01-01", hours.Interval{From: 5, To: 2000})), "exceptions[0].open[0].to"},
		"open overlap": {with(exception("2026-01-01", "2026-01-01", iv("09:00", "11:00"), iv("10:00", "12:00"))),
			"exceptions[0].open[0] and exceptions[0].open[1]"},
		"overnight range": {with(exception("2026-01-01", "2026-01-02", iv("09:00", "11:00"), iv("20:00", "10:00"))), "overlap"},
		"long name": {with(func(c *hours.Calendar) {
			c.Exceptions = []hours.Exception{{From: day("2026-01-01"), To: day("2026-01-01"), Name: strings.Repeat("휴", 101)}}
		}), "at most 100"},
		"ranges overlap": {with(func(c *hours.Calendar) {
			exception("2026-02-10", "2026-02-12")(c)
			exception("2026-02-01", "2026-02-10")(c)
		}), "exceptions[1] and exceptions[0] overlap on 2026-02-10"},
		"1001 exceptions": {with(func(c *hours.Calendar) { c.Exceptions = make([]hours.Exception, 1001) }), "keep at most 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.c.Validate(hours.Date{})
			require.ErrorIs(t, err, hours.ErrInvalid)
			require.ErrorContains(t, err, tc.says)
			_, err = tc.c.Compile()
			require.ErrorIs(t, err, hours.ErrInvalid)
		})
	}
}

func TestTouchingIntervalsAreNoOverlap(t *testing.T) {
	c := office()
	c.Week.Days[1] = []hours.Interval{iv("12:00", "18:00"), iv("09:00", "12:00"), iv("18:00", "09:00")}
	s := mustCompile(t, c)
	next, ok := s.NextChange(seoul("2026-01-05 10:00:00"))
	require.True(t, ok)
	require.True(t, next.Equal(seoul("2026-01-06 18:00:00")), "%v", next)
}

func TestHolidaysFromTodayOn(t *testing.T) {
	today := day("2026-05-04")
	c := office()
	c, err := c.WithException(hours.Exception{From: day("2026-05-05"), To: day("2026-05-05"), Holiday: true, Name: "어린이날"}, today)
	require.NoError(t, err)
	c, err = c.WithException(hours.Exception{From: today, To: today}, today)
	require.NoError(t, err)
	_, err = c.WithException(hours.Exception{From: day("2026-05-03"), To: day("2026-05-09")}, today)
	require.ErrorIs(t, err, hours.ErrInvalid)
	_, err = c.WithException(hours.Exception{From: day("2026-05-05"), To: day("2026-05-09")}, today)
	require.ErrorContains(t, err, "overlap")

	one, err := c.WithoutException(day("2026-05-05"))
	require.NoError(t, err)
	require.Len(t, one.Exceptions, 1)
	require.Len(t, c.Exceptions, 2, "the original is unchanged")
	_, err = one.WithoutException(day("2026-05-05"))
	require.ErrorIs(t, err, hours.ErrNotFound)

	later := day("2026-06-01")
	require.NoError(t, c.Validate(hours.Date{}), "what is stored stays valid")
	require.ErrorContains(t, c.Validate(later), "before today")
	require.NoError(t, c.ValidateChange(&c, later))
	edited := c
	edited.Exceptions = append(edited.Exceptions, hours.Exception{From: day("2026-05-20"), To: day("2026-06-20")})
	require.ErrorContains(t, edited.ValidateChange(&c, later), "exceptions[2] begins on 2026-05-20")
	require.ErrorIs(t, c.ValidateChange(nil, later), hours.ErrInvalid)
}

func TestHolidayStatus(t *testing.T) {
	c := office()
	c.Exceptions = []hours.Exception{
		{From: day("2026-02-16"), To: day("2026-02-18"), Name: "설날", Holiday: true},
		{From: day("2026-02-21"), To: day("2026-02-21"), Name: "Saturday shift", Open: []hours.Interval{iv("22:00", "02:00")}},
	}
	s := mustCompile(t, c)
	require.Equal(t, hours.Status{Holiday: true, Exception: "설날"}, s.At(seoul("2026-02-17 10:00:00")))
	require.Equal(t, hours.Status{Open: true}, s.At(seoul("2026-02-19 10:00:00")))
	require.Equal(t, hours.Status{Open: true, Exception: "Saturday shift"}, s.At(seoul("2026-02-21 23:00:00")))
	require.Equal(t, hours.Status{Open: true}, s.At(seoul("2026-02-22 01:59:59")), "runs into the ordinary Sunday")
	require.Equal(t, hours.Status{}, s.At(seoul("2026-02-22 02:00:00")))
	require.Equal(t, day("2026-02-22"), s.Date(seoul("2026-02-22 00:00:00").UTC()))
}

func TestHolidayCutsTheNightBefore(t *testing.T) {
	c := hours.Calendar{Zone: "Asia/Seoul", Week: hours.Every([]hours.Interval{iv("22:00", "06:00")}, time.Friday)}
	c.Exceptions = []hours.Exception{{From: day("2026-02-21"), To: day("2026-02-21"), Holiday: true}}
	s := mustCompile(t, c)
	require.True(t, s.At(seoul("2026-02-20 23:59:59")).Open)
	require.False(t, s.At(seoul("2026-02-21 00:00:00")).Open)
	require.Equal(t, 2*time.Hour, s.Elapsed(seoul("2026-02-20 00:00:00"), seoul("2026-02-22 00:00:00")))
}

func TestDeadlineAtClosing(t *testing.T) {
	s := mustCompile(t, office())
	due, ok := s.Add(seoul("2026-01-05 17:00:00"), time.Hour)
	require.True(t, ok)
	require.True(t, due.Equal(seoul("2026-01-05 18:00:00")), "the earliest moment, not the next opening")
	due, ok = s.Add(seoul("2026-01-05 17:00:00"), time.Hour+time.Nanosecond)
	require.True(t, ok)
	require.True(t, due.Equal(seoul("2026-01-06 09:00:00").Add(time.Nanosecond)))
	due, ok = s.Add(seoul("2026-01-04 17:00:00"), 0)
	require.True(t, ok && due.Equal(seoul("2026-01-04 17:00:00")))
	due, ok = s.Add(seoul("2026-01-04 17:00:00"), -time.Hour)
	require.True(t, ok && due.Equal(seoul("2026-01-04 17:00:00")))
}

func TestDaylightSavingSkipsAndRepeats(t *testing.T) {
	c := hours.Calendar{Zone: "America/New_York", Week: hours.Every([]hours.Interval{iv("01:30", "03:00")}, time.Sunday)}
	s := mustCompile(t, c)
	from := func(d string) time.Time { at, _ := time.Parse(time.DateOnly, d); return at }
	require.Equal(t, 30*time.Minute, s.Elapsed(from("2026-03-08"), from("2026-03-09")), "02:00 to 03:00 did not occur")
	require.Equal(t, 2*time.Hour, s.Elapsed(from("2026-11-01"), from("2026-11-02")), "01:30 to 02:00 occurred twice")
}

func TestCalendarsThatNeverChange(t *testing.T) {
	now := seoul("2026-01-05 10:00:00")
	always := mustCompile(t, hours.Calendar{Zone: "Asia/Seoul", Always: true})
	_, ok := always.NextChange(now)
	require.False(t, ok)
	require.Equal(t, 1000*time.Hour, always.Elapsed(now, now.Add(1000*time.Hour)))
	require.Equal(t, time.Duration(math.MaxInt64), always.Elapsed(time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)))

	closed := mustCompile(t, hours.Calendar{Zone: "Asia/Seoul", Closed: true})
	_, ok = closed.NextOpen(now)
	require.False(t, ok)
	_, ok = closed.Add(now, 1)
	require.False(t, ok)
	require.Zero(t, closed.Elapsed(now, now.Add(1000*time.Hour)))
	_, ok = always.Add(now, math.MaxInt64)
	require.False(t, ok, "beyond 2250")
}

func TestFirstThatIsSet(t *testing.T) {
	desk, workspace := office(), office()
	require.Same(t, &desk, hours.First(nil, &desk, nil, nil, &workspace))
	require.Nil(t, hours.First(nil, nil))
	require.Nil(t, hours.First())
}

func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCalendar(t)
		data, err := json.Marshal(c)
		require.NoError(t, err)
		var back hours.Calendar
		require.NoError(t, json.Unmarshal(data, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(data), string(again))
		require.NoError(t, back.ValidateChange(&c, day("2100-01-01")), "an exception changed on the way")
	})
}

func TestBadJSON(t *testing.T) {
	for name, data := range map[string]string{
		"no version":     `{"zone":"UTC","always":true}`,
		"later version":  `{"version":2,"zone":"UTC","always":true}`,
		"unknown field":  `{"version":1,"zone":"UTC","always":true,"colour":"red"}`,
		"unknown day":    `{"version":1,"zone":"UTC","week":{"monday":[]}}`,
		"minute 60":      `{"version":1,"zone":"UTC","week":{"mon":[{"from":"09:60","to":"10:00"}]}}`,
		"24:01":          `{"version":1,"zone":"UTC","week":{"mon":[{"from":"09:00","to":"24:01"}]}}`,
		"one digit":      `{"version":1,"zone":"UTC","week":{"mon":[{"from":"9:00","to":"10:00"}]}}`,
		"number as time": `{"version":1,"zone":"UTC","week":{"mon":[{"from":900,"to":1000}]}}`,
		"signs":          `{"version":1,"zone":"UTC","week":{"mon":[{"from":"+9:-1","to":"10:00"}]}}`,
		"february 30":    `{"version":1,"zone":"UTC","always":true,"exceptions":[{"from":"2026-02-30","to":"2026-03-01"}]}`,
		"operator":       `{"version":1,"zone":{"$ne":""},"always":true}`,
		"cut off":        `{"version":1,"zone":"UTC"`,
		"list":           `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			var c hours.Calendar
			require.Error(t, json.Unmarshal([]byte(data), &c))
			require.Zero(t, c)
			if json.Valid([]byte(data)) {
				require.ErrorIs(t, json.Unmarshal([]byte(data), &c), hours.ErrInvalid)
			}
		})
	}
	_, err := json.Marshal(hours.Calendar{Week: hours.Week{Days: [7][]hours.Interval{{{From: -1, To: 2}}}}})
	require.ErrorIs(t, err, hours.ErrInvalid)
}

func FuzzCalendar(f *testing.F) {
	f.Add(`{"version":1,"zone":"Asia/Seoul","week":{"mon":[{"from":"22:00","to":"06:00"}]},"exceptions":[{"from":"2026-01-05",` +
		`"to":"2026-01-06"}]}`)
	f.Add(`{"version":1,"zone":"UTC","always":true}`)
	f.Add(`{"version":1,"zone":"UTC","closed":true}`)
	now := seoul("2026-01-05 10:00:00")
	f.Fuzz(func(t *testing.T, data string) {
		var c hours.Calendar
		if json.Unmarshal([]byte(data), &c) != nil {
			return
		}
		s, err := c.Compile()
		if err != nil {
			require.ErrorIs(t, err, hours.ErrInvalid)
			return
		}
		if next, ok := s.NextChange(now); ok && s.At(next).Open == s.At(now).Open {
			t.Fatalf("no change at %v", next)
		}
		if due, ok := s.Add(now, time.Hour); ok && s.Elapsed(now, due) != time.Hour {
			t.Fatalf("due at %v", due)
		}
	})
}
