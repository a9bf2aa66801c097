package ticket

import (
	"cmp"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Target is what a service level promises (TK9).
type Target string

// The targets: the first answer, each further one after the customer's word,
// and the solution.
const (
	FirstAnswer    Target = "first_answer"
	NextAnswer     Target = "next_answer"
	ResolutionTime Target = "resolution"
)

// ServiceLevel promises times to the tickets for which its condition holds. Where
// several levels take a ticket, the first by Position, then by ID, counts.
type ServiceLevel struct {
	ID       string              `json:"id"`
	Version  int64               `json:"version"`
	Name     string              `json:"name"`
	When     condition.Condition `json:"when"`
	Position int                 `json:"position"`
	// Goals are how long each target may take, in open time of the calendar, one
	// minute to 365 days; a target without a goal has no clock. In JSON they are in
	// nanoseconds.
	Goals map[Target]time.Duration `json:"goals"`
	// Calendar names the operating hours; empty: every hour counts.
	Calendar string `json:"calendar,omitempty"`
	// WarnBefore is how much open time before the end a warning is due; 0: none. It
	// is shorter than every goal.
	WarnBefore time.Duration `json:"warn_before,omitempty"`
	// RunOnHold keeps the clocks running while a ticket is on hold.
	RunOnHold bool `json:"run_on_hold,omitempty"`
}

// Validate checks a service level against the fields of tickets (SchemaFields);
// whether its calendar exists is for the caller to know. The error is ErrInvalid.
func (l ServiceLevel) Validate(schema *condition.Schema) error {
	if err := checkText("a service level's name", l.Name, 1, MaxName); err != nil {
		return err
	}
	if l.ID == "" || len(l.Goals) == 0 {
		return errs.New(errs.Invalid, "ticket: a service level needs an id and at least one goal")
	}
	for t, d := range l.Goals {
		if t != FirstAnswer && t != NextAnswer && t != ResolutionTime {
			return errs.New(errs.Invalid, "ticket: a service level knows no target %q", clip(string(t)))
		}
		if d < time.Minute || d > 365*24*time.Hour || l.WarnBefore < 0 || l.WarnBefore >= d {
			return errs.New(errs.Invalid, "ticket: a goal is a minute to 365 days, and its warning comes before its end")
		}
	}
	return l.When.Validate(schema)
}

// Clock measures one target of one ticket in open time.
type Clock struct {
	Target Target `json:"target"`
	// Level is the service level that it comes from.
	Level    string        `json:"level"`
	Calendar string        `json:"calendar,omitempty"`
	Goal     time.Duration `json:"goal"`
	Warn     time.Duration `json:"warn,omitempty"`
	// StartedAt is when it began; Since when it began to run last, zero while it
	// stands still; Spent the open time before that.
	StartedAt time.Time     `json:"started_at"`
	Since     time.Time     `json:"since,omitzero"`
	Spent     time.Duration `json:"spent,omitempty"`
	// DoneAt is when the target was reached, in time or not, or the ticket was closed
	// or merged; zero: not yet. That of a solution is zero again once the ticket is
	// reopened.
	DoneAt time.Time `json:"done_at,omitzero"`
	// WarnAt and DueAt are when the warning is due and when the time is over;
	// zero while it stands still, is done, or the calendar never opens again.
	WarnAt time.Time `json:"warn_at,omitzero"`
	DueAt  time.Time `json:"due_at,omitzero"`
	// Warned and Breached say that the warning was due, and that the goal was missed;
	// once true they stay true.
	Warned   bool `json:"warned,omitempty"`
	Breached bool `json:"breached,omitempty"`
}

// Calendars finds operating hours by name; nil means every hour.
type Calendars func(name string) *hours.Schedule

// Elapsed is the open time that the clock has counted until now, also beyond its
// goal; of one that stands still, Spent.
func (c Clock) Elapsed(cal Calendars, now time.Time) time.Duration {
	if c.Since.IsZero() {
		return c.Spent
	}
	return c.Spent + elapsed(cal(c.Calendar), c.Since, now)
}

func elapsed(s *hours.Schedule, from, to time.Time) time.Duration {
	if s == nil {
		return max(0, to.Sub(from))
	}
	return s.Elapsed(from, to)
}

// plus is the moment at which d of open time has passed; zero when never.
func plus(s *hours.Schedule, from time.Time, d time.Duration) time.Time {
	if s == nil {
		return from.Add(max(0, d))
	}
	at, ok := s.Add(from, d)
	if !ok {
		return time.Time{}
	}
	return at.UTC()
}

// Measure returns the clocks of a ticket after a change at now; was is the ticket
// before the change (the zero Ticket for a new one) and is the ticket after it. Clocks
// that start now are added, and the others are stopped, set going again or ended, as
// the ticket's state asks. level is the service level that takes the ticket now. With
// nil no clock starts, and those of an earlier level go on; where a new level takes
// over, they go on too, and only clocks that start later are its own. The result
// follows from its arguments alone, so that replaying a history gives the same. It
// does not ring: that is for Ring.
func Measure(was, is Ticket, level *ServiceLevel, cal Calendars, now time.Time) []Clock {
	clocks := slices.Clone(is.Clocks)
	if level != nil {
		clocks = started(clocks, was, is, level, now)
	}
	for i := range clocks {
		c := &clocks[i]
		if !c.DoneAt.IsZero() && c.Target == ResolutionTime && is.State.Open() && !was.State.Open() && was.ID != "" {
			c.DoneAt = time.Time{} // opened again: the same promise goes on
		}
		if !c.DoneAt.IsZero() {
			continue
		}
		switch {
		case c.met(was, is) || is.MergedInto != "":
			c.stop(cal, now)
			c.DoneAt = now
		case is.State == OnHold && (level == nil || !level.RunOnHold), is.State == HandedOver:
			c.stop(cal, now)
		case c.Since.IsZero():
			c.run(cal, now)
		}
	}
	return clocks
}

// started adds the clocks that begin now.
func started(clocks []Clock, was, is Ticket, level *ServiceLevel, now time.Time) []Clock {
	begin := func(t Target) {
		goal, ok := level.Goals[t]
		going := slices.ContainsFunc(clocks, func(c Clock) bool { return c.Target == t && c.DoneAt.IsZero() })
		if ok && !going {
			clocks = append(clocks,
				Clock{Target: t, Level: level.ID, Calendar: level.Calendar, Goal: goal, Warn: level.WarnBefore, StartedAt: now})
		}
	}
	if was.ID == "" {
		begin(FirstAnswer)
		begin(ResolutionTime)
		return clocks
	}
	if is.CustomerAt.After(was.CustomerAt) && !is.AnsweredAt.IsZero() {
		begin(NextAnswer)
		clocks = lastNextAnswerOnly(clocks)
	}
	return clocks
}

// lastNextAnswerOnly keeps of the ended clocks for further answers the last, so
// that a long ticket does not collect them; reports read the history.
func lastNextAnswerOnly(clocks []Clock) []Clock {
	seen := 0
	for i := len(clocks) - 1; i >= 0; i-- {
		if clocks[i].Target == NextAnswer {
			if seen++; seen > 2 {
				clocks = slices.Delete(clocks, i, i+1)
			}
		}
	}
	return clocks
}

func (c *Clock) met(was, is Ticket) bool {
	if c.Target == ResolutionTime {
		return !is.State.Open()
	}
	return is.AnsweredAt.After(was.AnsweredAt) || !is.State.Open()
}

func (c *Clock) stop(cal Calendars, now time.Time) {
	c.Spent = c.Elapsed(cal, now)
	c.Breached = c.Breached || c.Spent > c.Goal
	c.Since, c.WarnAt, c.DueAt = time.Time{}, time.Time{}, time.Time{}
}

func (c *Clock) run(cal Calendars, now time.Time) {
	c.Since = now
	s := cal(c.Calendar)
	if !c.Breached {
		c.DueAt = plus(s, now, c.Goal-c.Spent)
	}
	if c.Warn > 0 && !c.Warned && !c.Breached {
		c.WarnAt = plus(s, now, c.Goal-c.Warn-c.Spent)
	}
}

// Alarm is a warning or a breach that has just become so.
type Alarm struct {
	Target Target
	Breach bool
}

// Ring returns the clocks with those marked whose warning or end has come by now,
// and an Alarm for each, once. A warning that is seen only after its clock's end is
// marked and not told. The slice that was given stays as it is.
func Ring(clocks []Clock, now time.Time) ([]Clock, []Alarm) {
	clocks = slices.Clone(clocks)
	var out []Alarm
	for i := range clocks {
		c := &clocks[i]
		if !c.WarnAt.IsZero() && !c.WarnAt.After(now) && !c.Warned {
			c.Warned, c.WarnAt = true, time.Time{}
			if c.DueAt.After(now) {
				out = append(out, Alarm{c.Target, false})
			}
		}
		if !c.DueAt.IsZero() && !c.DueAt.After(now) && !c.Breached {
			c.Breached, c.DueAt = true, time.Time{}
			out = append(out, Alarm{c.Target, true})
		}
	}
	return clocks, out
}

// NextAlarm is when Ring has something to mark next; false: never, as the clocks
// stand.
func NextAlarm(clocks []Clock) (time.Time, bool) {
	var next time.Time
	for _, c := range clocks {
		for _, at := range []time.Time{c.WarnAt, c.DueAt} {
			if !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next, !next.IsZero()
}

// Choose returns the first service level, by Position and then by ID, of which
// takes is true; nil: none. takes says whether the level's condition holds for the
// ticket.
func Choose(levels []ServiceLevel, takes func(ServiceLevel) bool) *ServiceLevel {
	sorted := slices.SortedFunc(slices.Values(levels), func(a, b ServiceLevel) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.ID, b.ID))
	})
	for _, l := range sorted {
		if takes(l) {
			return &l
		}
	}
	return nil
}
