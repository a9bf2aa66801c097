package hours

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/sangdam/sangdam/internal/errs"
)

// version is that of the JSON form.
const version = 1

type weekJSON struct {
	Mon []Interval `json:"mon,omitempty"`
	Tue []Interval `json:"tue,omitempty"`
	Wed []Interval `json:"wed,omitempty"`
	Thu []Interval `json:"thu,omitempty"`
	Fri []Interval `json:"fri,omitempty"`
	Sat []Interval `json:"sat,omitempty"`
	Sun []Interval `json:"sun,omitempty"`
}

type calendarJSON struct {
	Version    int         `json:"version"`
	Zone       string      `json:"zone"`
	Week       Week        `json:"week,omitzero"`
	Exceptions []Exception `json:"exceptions,omitempty"`
	Always     bool        `json:"always,omitempty"`
	Closed     bool        `json:"closed,omitempty"`
}

// dayNames are the keys of a week in JSON, by time.Weekday.
var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// IsZero reports whether the week has no intervals; JSON then leaves it out.
func (w Week) IsZero() bool { return w.Empty() }

// MarshalJSON writes an object with the days that have intervals.
func (w Week) MarshalJSON() ([]byte, error) {
	d := w.Days
	return json.Marshal(weekJSON{Sun: d[0], Mon: d[1], Tue: d[2], Wed: d[3], Thu: d[4], Fri: d[5], Sat: d[6]})
}

// UnmarshalJSON reads what MarshalJSON wrote; an unknown day is ErrInvalid.
func (w *Week) UnmarshalJSON(data []byte) error {
	var j weekJSON
	if err := decode(data, &j); err != nil {
		return err
	}
	w.Days = [7][]Interval{j.Sun, j.Mon, j.Tue, j.Wed, j.Thu, j.Fri, j.Sat}
	return nil
}

// MarshalJSON writes the calendar with the version of its form.
func (c Calendar) MarshalJSON() ([]byte, error) {
	return json.Marshal(calendarJSON{version, c.Zone, c.Week, c.Exceptions, c.Always, c.Closed})
}

// UnmarshalJSON reads what MarshalJSON wrote. Unknown fields, wrong types and
// a version of a later program are ErrInvalid. It does not Validate.
func (c *Calendar) UnmarshalJSON(data []byte) error {
	var j calendarJSON
	if err := decode(data, &j); err != nil {
		return err
	}
	if j.Version != version {
		return errs.New(errs.Invalid, "hours: a calendar of version %d: this program reads version %d; write that as its \"version\"",
			j.Version, version)
	}
	*c = Calendar{Zone: j.Zone, Week: j.Week, Exceptions: j.Exceptions, Always: j.Always, Closed: j.Closed}
	return nil
}

// decode reads one JSON value strictly. Its errors are ErrInvalid.
func decode(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		return nil
	}
	if errors.Is(err, errs.Invalid) {
		return err
	}
	return errs.New(errs.Invalid, "hours: not a calendar: %v", err)
}
