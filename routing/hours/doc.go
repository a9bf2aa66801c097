// Package hours computes with operating hours: when a desk, a queue or an
// account is open, when that changes next, how much open time lies between two
// moments and when a deadline counted in open time falls due.
//
// # A calendar
//
// A Calendar is data, kept as JSON: a time zone, the intervals of each weekday
// and exceptions, which are date ranges with hours of their own or none at all
// (holidays). Calendar.Compile turns it into a Schedule, which answers
// questions. A Schedule never changes and is safe for concurrent use; keep it
// beside the calendar's version and compile again when that changes.
//
//	{"version":1, "zone":"Asia/Seoul",
//	 "week":{"mon":[{"from":"09:00","to":"12:00"},{"from":"13:00","to":"18:00"}],
//	         "fri":[{"from":"22:00","to":"06:00"}]},
//	 "exceptions":[{"from":"2027-02-06","to":"2027-02-09","name":"설날","holiday":true}]}
//
// An interval includes From and excludes To. "24:00" is the end of the day. An
// interval whose To is not after its From runs overnight and ends on the next
// day; equal times mean twenty-four hours.
//
// # Exceptions
//
// On its dates an exception replaces the week's hours, including what an
// overnight interval of the day before would have brought: a Friday interval
// of 22:00 to 06:00 ends at midnight when Saturday is a holiday. Overnight
// intervals of an exception's own do run into an ordinary day after its range,
// not into another exception. Exceptions do not overlap, so the first date of
// its range names one.
//
// # The clock on the wall decides
//
// A moment is open exactly when the wall clock of the calendar's zone then
// shows a date and time inside an interval. Where daylight saving skips local
// times, the skipped ones never occur and count for nothing: an interval of
// 02:00 to 03:00 has no length on that night. Where local times occur twice
// they count both times, so that an interval may open, close and open again
// within the repeated hour, and be longer than its figures say. A date that a
// zone skipped (Pacific/Apia, 2011-12-30) has no open time, but its overnight
// interval still ends on the morning of the next date.
//
// # Precedence
//
// Hours may be set on an account, a desk, a queue, a work stream and the
// workspace; First picks the first that is set, in that order. The hours that
// are not picked have no effect at all (docs/design.md, section 6, rule 10).
//
// # Limits and zone data
//
// Times are handled from 1700 to 2250; earlier or later ones count as these
// bounds. Dates of exceptions lie between 1970 and 2200. Zones come from the
// system's time zone database through time.LoadLocation; a program for a host
// without one imports time/tzdata. Nothing here reads the clock.
package hours
