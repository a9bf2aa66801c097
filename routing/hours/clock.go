package hours

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

const (
	endOfDay   Clock = 24 * 60
	secondsDay       = 24 * 60 * 60
)

// Clock is a time of day in minutes after 00:00, up to 24:00 (1440). Its text
// form is "HH:MM".
type Clock int16

// At returns the clock time of the hour and minute; it is valid from 0:00 to
// 24:00 (see Calendar.Validate).
func At(hour, minute int) Clock { return Clock(hour*60 + minute) }

// String returns "HH:MM".
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// MarshalText returns "HH:MM"; ErrInvalid beyond 24:00.
func (c Clock) MarshalText() ([]byte, error) {
	if c < 0 || c > endOfDay {
		return nil, errs.New(errs.Invalid, "hours: a time of %d minutes after midnight: use 00:00 to 24:00", int(c))
	}
	return []byte(c.String()), nil
}

// UnmarshalText reads "HH:MM", from "00:00" to "24:00".
func (c *Clock) UnmarshalText(text []byte) error {
	parsed, err := ParseClock(string(text))
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

// ParseClock reads "HH:MM", two digits each, from "00:00" to "24:00".
func ParseClock(s string) (Clock, error) {
	if len(s) != 5 || s[2] != ':' || !digits(s[:2]) || !digits(s[3:]) {
		return 0, errs.New(errs.Invalid, "hours: a time %s is not of the form HH:MM", shown(s))
	}
	hour, minute := number(s[:2]), number(s[3:])
	if minute > 59 || hour > 24 || (hour == 24 && minute > 0) {
		return 0, errs.New(errs.Invalid, "hours: there is no time %s: use 00:00 to 24:00", s)
	}
	return At(hour, minute), nil
}

// Date is a day of the Gregorian calendar. Its text form is "YYYY-MM-DD". The
// zero Date means none.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the date of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// ParseDate reads "YYYY-MM-DD".
func ParseDate(s string) (Date, error) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' || !digits(s[:4]) || !digits(s[5:7]) || !digits(s[8:]) {
		return Date{}, errs.New(errs.Invalid, "hours: a date %s is not of the form YYYY-MM-DD", shown(s))
	}
	d := Date{number(s[:4]), time.Month(number(s[5:7])), number(s[8:])}
	if !d.Valid() {
		return Date{}, errs.New(errs.Invalid, "hours: there is no date %s", s)
	}
	return d, nil
}

// IsZero reports whether d is the zero Date.
func (d Date) IsZero() bool { return d == Date{} }

// Valid reports whether the day exists in the calendar.
func (d Date) Valid() bool { return DateOf(d.midnight()) == d }

// Compare orders dates: negative when d is before other.
func (d Date) Compare(other Date) int {
	return cmp.Or(cmp.Compare(d.Year, other.Year), cmp.Compare(d.Month, other.Month), cmp.Compare(d.Day, other.Day))
}

// AddDays returns the date n days later, or earlier when n is negative.
func (d Date) AddDays(n int) Date { return DateOf(d.midnight().AddDate(0, 0, n)) }

// String returns "YYYY-MM-DD".
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// MarshalText returns "YYYY-MM-DD"; ErrInvalid when there is no such day.
func (d Date) MarshalText() ([]byte, error) {
	if !d.Valid() {
		return nil, errs.New(errs.Invalid, "hours: there is no date %v", d)
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads "YYYY-MM-DD".
func (d *Date) UnmarshalText(text []byte) error {
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

func (d Date) midnight() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// number reads decimal digits that digits has accepted.
func number(s string) int {
	n := 0
	for _, c := range []byte(s) {
		n = n*10 + int(c-'0')
	}
	return n
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// shown quotes at most 32 bytes of a wrong setting for an error.
func shown(s string) string {
	if len(s) > 32 {
		s = s[:32] + "…"
	}
	return fmt.Sprintf("%q", s)
}
