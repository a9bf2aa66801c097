package ticket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

func schedule(t testing.TB, zone string, days ...time.Weekday) ticket.Calendars {
	t.Helper()
	s, err := hours.Calendar{Zone: zone,
		Week: hours.Every([]hours.Interval{{From: hours.At(9, 0), To: hours.At(18, 0)}}, days...)}.Compile()
	require.NoError(t, err)
	return func(name string) *hours.Schedule {
		if name == "office" {
			return s
		}
		return nil
	}
}

// desk measures one ticket as a caller does.
type desk struct {
	t     testing.TB
	cal   ticket.Calendars
	level ticket.ServiceLevel
	tk    ticket.Ticket
}

func (d *desk) at(now time.Time, change func(*ticket.Draft) error) {
	d.t.Helper()
	var dr *ticket.Draft
	var err error
	if d.tk.ID == "" {
		dr, err = ticket.Open(ticket.Ticket{ID: "t", Channel: "web", Title: "x"}, 1, "customer", now)
	} else {
		dr, err = ticket.Edit(d.tk, "a", now)
	}
	require.NoError(d.t, err)
	if change != nil {
		require.NoError(d.t, change(dr))
	}
	dr.T.Clocks = ticket.Measure(dr.Was(), dr.T, &d.level, d.cal, now)
	d.tk, _, _, err = dr.End()
	require.NoError(d.t, err)
}

func (d *desk) clock(target ticket.Target) ticket.Clock {
	d.t.Helper()
	for i := len(d.tk.Clocks) - 1; i >= 0; i-- {
		if d.tk.Clocks[i].Target == target {
			return d.tk.Clocks[i]
		}
	}
	require.FailNow(d.t, "no clock", target)
	return ticket.Clock{}
}

func level() ticket.ServiceLevel {
	return ticket.ServiceLevel{ID: "l", Name: "Standard", Calendar: "office", WarnBefore: 30 * time.Minute,
		Goals: map[ticket.Target]time.Duration{ticket.FirstAnswer: time.Hour, ticket.NextAnswer: 2 * time.Hour,
			ticket.ResolutionTime: 18 * time.Hour}}
}

func TestServiceLevelsCountOpenHours(t *testing.T) {
	seoul := time.FixedZone("KST", 9*3600)
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	d := &desk{t: t, cal: schedule(t, "Asia/Seoul", weekdays...), level: level()}
	friday := time.Date(2030, 1, 4, 17, 30, 0, 0, seoul)
	d.at(friday, nil)
	first := d.clock(ticket.FirstAnswer)
	require.Equal(t, time.Date(2030, 1, 7, 9, 30, 0, 0, seoul).UTC(), first.DueAt, "the weekend does not count")
	require.Equal(t, friday.Add(30*time.Minute).UTC().Add(0), first.WarnAt.UTC(), "half an hour is left when the desk closes on Friday")

	d.at(friday.Add(10*time.Minute), func(dr *ticket.Draft) error { return dr.SetState(ticket.OnHold) })
	require.Zero(t, d.clock(ticket.FirstAnswer).DueAt, "on hold the clock stands still")
	monday := time.Date(2030, 1, 7, 10, 0, 0, 0, seoul)
	d.at(monday, func(dr *ticket.Draft) error { return dr.SetState(ticket.Unassigned) })
	require.Equal(t, monday.Add(50*time.Minute).UTC(), d.clock(ticket.FirstAnswer).DueAt)
	d.at(monday.Add(20*time.Minute), func(dr *ticket.Draft) error { return dr.Answer("yes") })
	first = d.clock(ticket.FirstAnswer)
	require.Equal(t, 30*time.Minute, first.Spent)
	require.False(t, first.Breached)

	d.at(monday.Add(time.Hour), func(dr *ticket.Draft) error { return dr.Reply("and?") })
	d.at(monday.Add(2*time.Hour), func(dr *ticket.Draft) error { return dr.Reply("hello?") })
	require.Equal(t, monday.Add(3*time.Hour).UTC(), d.clock(ticket.NextAnswer).DueAt, "it counts from the first unanswered word")
	d.at(monday.Add(4*time.Hour), func(dr *ticket.Draft) error { return dr.Answer("sorry") })
	require.True(t, d.clock(ticket.NextAnswer).Breached)

	d.at(monday.Add(5*time.Hour), func(dr *ticket.Draft) error { return dr.SetState(ticket.Solved) })
	done := d.clock(ticket.ResolutionTime)
	require.False(t, done.DoneAt.IsZero())
	d.at(monday.Add(6*time.Hour), func(dr *ticket.Draft) error { return dr.Reply("no") })
	require.True(t, d.clock(ticket.ResolutionTime).DoneAt.IsZero(), "opened again: the same promise goes on")
	require.Equal(t, done.Spent, d.clock(ticket.ResolutionTime).Spent, "the hour in between is not counted")
}

func TestOneWorkingWeekday(t *testing.T) {
	d := &desk{t: t, cal: schedule(t, "UTC", time.Tuesday), level: level()}
	wednesday := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	d.at(wednesday, nil)
	require.Equal(t, time.Date(2030, 1, 8, 10, 0, 0, 0, time.UTC), d.clock(ticket.FirstAnswer).DueAt)
	require.Equal(t, time.Date(2030, 1, 15, 18, 0, 0, 0, time.UTC), d.clock(ticket.ResolutionTime).DueAt, "18 open hours are two Tuesdays")
}

// On the night of 2030-03-31 the clock in Berlin goes from 2:00 to 3:00: an
// hour of the wall is no hour of work.
func TestADaylightSavingNight(t *testing.T) {
	always, err := hours.Calendar{Zone: "Europe/Berlin", Week: hours.Every([]hours.Interval{{From: hours.At(0, 0), To: hours.At(24, 0)}},
		time.Saturday, time.Sunday)}.Compile()
	require.NoError(t, err)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	l := level()
	l.Goals = map[ticket.Target]time.Duration{ticket.FirstAnswer: 4 * time.Hour}
	d := &desk{t: t, cal: func(string) *hours.Schedule { return always }, level: l}
	d.at(time.Date(2030, 3, 31, 0, 0, 0, 0, berlin), nil)
	require.Equal(t, time.Date(2030, 3, 31, 5, 0, 0, 0, berlin).UTC(), d.clock(ticket.FirstAnswer).DueAt)
}

func TestAlarmsRingOnce(t *testing.T) {
	d := &desk{t: t, cal: schedule(t, "UTC", time.Monday), level: level()}
	d.level.Calendar = ""
	d.at(start, nil)
	next, ok := ticket.NextAlarm(d.tk.Clocks)
	require.True(t, ok)
	require.Equal(t, start.Add(30*time.Minute), next)
	clocks, alarms := ticket.Ring(d.tk.Clocks, next)
	require.Equal(t, []ticket.Alarm{{Target: ticket.FirstAnswer}}, alarms)
	clocks, alarms = ticket.Ring(clocks, next)
	require.Empty(t, alarms)
	clocks, alarms = ticket.Ring(clocks, start.Add(time.Hour))
	require.Equal(t, []ticket.Alarm{{Target: ticket.FirstAnswer, Breach: true}}, alarms)
	_, alarms = ticket.Ring(clocks, start.Add(2*time.Hour))
	require.Empty(t, alarms)
	// After downtime a breach is told, its warning is not worth telling any more.
	_, alarms = ticket.Ring(d.tk.Clocks, start.Add(90*time.Minute))
	require.Equal(t, []ticket.Alarm{{Target: ticket.FirstAnswer, Breach: true}}, alarms)
}

func TestServiceLevelsAreChecked(t *testing.T) {
	schema, err := condition.NewSchema(condition.Field{Name: "group", Type: condition.TypeID})
	require.NoError(t, err)
	require.NoError(t, level().Validate(schema))
	for name, spoil := range map[string]func(*ticket.ServiceLevel){
		"name": func(l *ticket.ServiceLevel) { l.Name = "" }, "no goal": func(l *ticket.ServiceLevel) { l.Goals = nil },
		"target": func(l *ticket.ServiceLevel) { l.Goals = map[ticket.Target]time.Duration{"smile": time.Hour} },
		"short": func(l *ticket.ServiceLevel) {
			l.Goals = map[ticket.Target]time.Duration{ticket.FirstAnswer: time.Second}
		},
		"warning": func(l *ticket.ServiceLevel) { l.WarnBefore = time.Hour },
		"condition": func(l *ticket.ServiceLevel) {
			l.When = condition.Condition{All: []condition.Clause{{Field: "moon", Op: condition.Present}}}
		},
	} {
		l := level()
		spoil(&l)
		require.ErrorIs(t, l.Validate(schema), ticket.ErrInvalid, name)
	}
	second := level()
	second.ID, second.Position = "m", -1
	require.Equal(t, "m", ticket.Choose([]ticket.ServiceLevel{level(), second}, func(ticket.ServiceLevel) bool { return true }).ID)
	require.Nil(t, ticket.Choose(nil, nil))
}
