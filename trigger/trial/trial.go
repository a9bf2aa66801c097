// Package trial tries triggers on what has happened: a DryRun replays the past with
// and without a change of the rules and counts what would have fired, and fired
// differently. The engine fills a Trial for a host to read.
package trial

import (
	"iter"
	"slices"

	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Past is an event with its subject rebuilt as it was then. The subject must be
// a copy whose Do changes nothing but itself.
type Past struct {
	// Record names the subject: the events of one follow each other.
	Record  string
	Event   trigger.Event
	Subject trigger.Subject
	// Due is set where the time of the rule has come, with no other event.
	Due *Due
}

// Due is a moment at which the rule of a dry run looks at a subject: in the form
// that is edited, in the stored one, or in both.
type Due struct {
	trigger.Deadline
	Now, Was bool
}

// DryRun is what is compared: a set of triggers with one as it is edited, and
// the set with that one as it is stored.
type DryRun struct {
	Rule     trigger.ID
	Now, Was *trigger.Set
}

// Trial is what a dry run found. It can be kept as JSON and gone on with, after
// the last event of a record.
type Trial struct {
	Events  int `json:"events"`
	Records int `json:"records"`
	// Now is what the rule would have done as it is edited, Was as it is stored.
	Now Matches `json:"now"`
	Was Matches `json:"was"`
	// Gained are the events in which the rule fires now and did not, Lost the
	// other way round.
	Gained Difference `json:"gained"`
	Lost   Difference `json:"lost"`
	// Others counts the events in which other triggers fire than did.
	Others int `json:"others"`
}

// Matches is where a rule fires, and what it does there.
type Matches struct {
	Events  int `json:"events"`
	Records int `json:"records"`
	// Actions are counted by their kind.
	Actions map[string]Tally `json:"actions,omitempty"`
}

// Tally counts what became of actions.
type Tally struct {
	Done   int `json:"done"`
	Passed int `json:"passed"` // passed over
	Sent   int `json:"sent"`   // see Outcome.Sent
}

// Difference is where a rule fires in one of its forms only. Records counts
// those in which it fires in the other form in no event.
type Difference struct {
	Events  int `json:"events"`
	Records int `json:"records"`
	// Samples are the first of the events, at most MaxSamples.
	Samples []Sample `json:"samples,omitempty"`
}

// MaxSamples is how many events a Difference shows, and MaxReasons how many
// clauses of each.
const (
	MaxSamples = 10
	MaxReasons = 20
)

// Sample is one event of a Difference, with the reason for each form of the
// rule; a reason is empty where the rule was not asked. Reasons hold no values.
type Sample struct {
	Record string             `json:"record"`
	Event  trigger.Event      `json:"event"`
	Now    []condition.Reason `json:"now,omitempty"`
	Was    []condition.Reason `json:"was,omitempty"`
}

// Replay goes on over past events. Each element of past makes a fresh copy of
// one event's subject whenever it is called. An error is a subject's.
func (d DryRun) Replay(past iter.Seq[func() Past], into *Trial) error {
	record, open, now, was := "", false, false, false
	ended := func() {
		if !open {
			return
		}
		into.Records++
		into.Now.Records += one(now)
		into.Was.Records += one(was)
		into.Gained.Records += one(now && !was)
		into.Lost.Records += one(was && !now)
	}
	for copyOf := range past {
		p, firedNow, firedWas, err := d.event(copyOf, into)
		if err != nil {
			return err
		}
		if !open || p.Record != record {
			ended()
			record, open, now, was = p.Record, true, false, false
		}
		now, was = now || firedNow, was || firedWas
	}
	ended()
	return nil
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// event asks both sets about one event, each on a copy of its own.
func (d DryRun) event(copyOf func() Past, into *Trial) (p Past, now, was bool, err error) {
	p = copyOf()
	is, err := d.run(p, true, trigger.Options{})
	if err != nil {
		return p, false, false, err
	}
	before, err := d.run(copyOf(), false, trigger.Options{})
	if err != nil {
		return p, false, false, err
	}
	into.Events++
	now, was = into.Now.count(is, d.Rule), into.Was.count(before, d.Rule)
	into.Others += one(!slices.Equal(d.others(is), d.others(before)))
	if now == was {
		return p, now, was, nil
	}
	side := &into.Gained
	if was {
		side = &into.Lost
	}
	side.Events++
	if len(side.Samples) == MaxSamples {
		return p, now, was, nil
	}
	s := Sample{Record: p.Record, Event: p.Event}
	if s.Now, err = d.why(copyOf(), true); err == nil {
		s.Was, err = d.why(copyOf(), false)
	}
	side.Samples = append(side.Samples, s)
	return p, now, was, err
}

// run asks one of the sets about an event, or its rule when its time has come.
func (d DryRun) run(p Past, now bool, opt trigger.Options) (trigger.Report, error) {
	s, due := d.Was, p.Due != nil && p.Due.Was
	if now {
		s, due = d.Now, p.Due != nil && p.Due.Now
	}
	switch {
	case p.Due == nil:
		return s.Run(p.Event, p.Subject, opt)
	case due:
		return s.RunTimed(p.Due.Deadline, p.Event, p.Subject, opt)
	}
	return trigger.Report{}, nil
}

// count adds what the rule did in one event, and says whether it fired.
func (m *Matches) count(r trigger.Report, rule trigger.ID) (fired bool) {
	for _, run := range r.Runs {
		if run.Trigger != rule {
			continue
		}
		fired = true
		for _, o := range run.Outcomes {
			if m.Actions == nil {
				m.Actions = map[string]Tally{}
			}
			t := m.Actions[o.Kind]
			t.Done, t.Passed, t.Sent = t.Done+one(o.Done), t.Passed+one(!o.Done), t.Sent+o.Sent
			m.Actions[o.Kind] = t
		}
	}
	m.Events += one(fired)
	return fired
}

// others are the triggers that fired besides the rule.
func (d DryRun) others(r trigger.Report) (out []trigger.ID) {
	for _, run := range r.Runs {
		if run.Trigger != d.Rule {
			out = append(out, run.Trigger)
		}
	}
	return out
}

// why asks once more, for the reason of a rule that did not fire too.
func (d DryRun) why(p Past, now bool) (why []condition.Reason, err error) {
	r, err := d.run(p, now, trigger.Options{Misses: true})
	for _, run := range r.Runs {
		if run.Trigger == d.Rule {
			why = run.Why[:min(len(run.Why), MaxReasons)]
		}
	}
	return why, err
}
