package trigger

import (
	"fmt"
	"time"
)

// Deadline is the moment at which a timed trigger must look at a subject.
type Deadline struct {
	Trigger ID
	At      time.Time
	// Since is the value of the field from which the wait counts. While it stays the
	// same, so does the Key, and whoever remembers keys fires the trigger only once.
	Since time.Time
}

// Key names the deadline of a subject: it is the same whenever it is computed
// again from the same Since, so that a caller who remembers keys fires once.
func (d Deadline) Key(subject string) string {
	return fmt.Sprintf("%s/%s/%d", d.Trigger, subject, d.Since.UnixMicro())
}

// OpenTime adds open time of a calendar to a moment; false when the calendar
// never has that much again, and then there is no Deadline. The empty calendar is
// every hour.
type OpenTime func(calendar string, from time.Time, d time.Duration) (time.Time, bool)

// Deadlines returns when the timed triggers must look at the subject as it is
// now, in the order of triggers; those whose time field is absent have none.
// Call it after each event of the subject and store the difference. The
// condition is looked at when the time has come, not now.
func (s *Set) Deadlines(sub Subject, add OpenTime) []Deadline {
	var out []Deadline
	for _, c := range s.timed {
		fact, ok := sub.Fact(c.After.Since)
		if !ok {
			continue
		}
		since, ok := fact.AsTime()
		if !ok {
			continue
		}
		if at, ok := add(c.After.Calendar, since, c.After.For); ok {
			out = append(out, Deadline{Trigger: c.ID, At: at, Since: since})
		}
	}
	return out
}

// Since names the time field from which a timed trigger waits; false for one
// that the set does not have.
func (s *Set) Since(t ID) (string, bool) {
	for _, c := range s.timed {
		if c.ID == t {
			return c.After.Since, true
		}
	}
	return "", false
}

// RunTimed looks at one timed trigger whose deadline has passed, and fires it if
// its condition holds at ev.At. It does nothing when the set does not have the
// trigger any more, or when the subject's time field moved since: another deadline
// stands for that. The caller sees to it that the deadline has passed, and that each
// is run once (Deadline.Key). Errors are as of Run.
func (s *Set) RunTimed(d Deadline, ev Event, sub Subject, opt Options) (Report, error) {
	var r Report
	for _, c := range s.timed {
		if c.ID != d.Trigger {
			continue
		}
		facts := &view{Subject: sub, event: ev}
		fact, _ := facts.Fact(c.After.Since)
		if since, ok := fact.AsTime(); !ok || !since.Equal(d.Since) {
			return r, nil
		}
		r.Looked = 1
		if !c.program.Match(ev.At, facts) {
			if opt.Misses {
				r.Runs = append(r.Runs, Run{Trigger: c.ID, Pass: 1, Why: c.program.Eval(ev.At, facts).Why})
			}
			return r, nil
		}
		run, err := fire(c, ev, facts, 1, &r)
		r.Runs = append(r.Runs, run)
		return r, err
	}
	return r, nil
}
