package hours_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing/hours"
)

// Open all day is open in its last second too, and 23:59 is what it says.
func TestOpenAllDayHasNoGapAtMidnight(t *testing.T) {
	for name, c := range map[string]hours.Calendar{
		"00:00 to 24:00": {Zone: "Asia/Seoul", Week: hours.Every([]hours.Interval{iv("00:00", "24:00")}, 0, 1, 2, 3, 4, 5, 6)},
		"two halves": {Zone: "Asia/Seoul",
			Week: hours.Every([]hours.Interval{iv("00:00", "12:00"), iv("12:00", "24:00")}, 0, 1, 2, 3, 4, 5, 6)},
	} {
		s := mustCompile(t, c)
		for _, at := range []string{"2026-01-01 23:59:00", "2026-01-01 23:59:30", "2026-01-02 00:00:00"} {
			require.True(t, s.At(seoul(at)).Open, "%s at %s", name, at)
		}
		require.True(t, s.At(seoul("2026-01-02 00:00:00").Add(-1)).Open, name)
		_, changes := s.NextChange(seoul("2026-01-01 12:00:00"))
		require.False(t, changes, name)
		require.Equal(t, 48*time.Hour, s.Elapsed(seoul("2026-01-01 12:00:00"), seoul("2026-01-03 12:00:00")), name)
	}
	nearly := mustCompile(t, hours.Calendar{Zone: "Asia/Seoul",
		Week: hours.Every([]hours.Interval{iv("00:00", "23:59")}, 0, 1, 2, 3, 4, 5, 6)})
	require.True(t, nearly.At(seoul("2026-01-01 23:58:59")).Open)
	require.False(t, nearly.At(seoul("2026-01-01 23:59:00")).Open)
}

// Opening hours are the wall clock's, before and after the clocks change.
func TestSummerTimeKeepsTheClockOnTheWall(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	require.NoError(t, err)
	s := mustCompile(t, hours.Calendar{Zone: "America/New_York", Week: hours.Every([]hours.Interval{iv("09:00", "17:00")}, 1, 2, 3, 4, 5)})
	for _, day := range [][3]int{{2016, 11, 4}, {2016, 11, 7}, {2026, 3, 9}} {
		for clock, open := range map[[2]int]bool{{8, 59}: false, {9, 0}: true, {16, 59}: true, {17, 0}: false} {
			at := time.Date(day[0], time.Month(day[1]), day[2], clock[0], clock[1], 0, 0, newYork)
			require.Equal(t, open, s.At(at).Open, at)
		}
	}
}

// The weekday is the calendar's, not that of the server's zone.
func TestTheWeekdayIsTheZonesOwn(t *testing.T) {
	s := mustCompile(t, hours.Calendar{Zone: "Asia/Seoul", Week: hours.Every([]hours.Interval{iv("01:00", "06:00")}, time.Sunday)})
	require.True(t, s.At(time.Date(2026, 1, 3, 18, 0, 0, 0, time.UTC)).Open, "Saturday evening in UTC is Sunday night in Seoul")
	require.False(t, s.At(time.Date(2026, 1, 4, 18, 0, 0, 0, time.UTC)).Open)
}
