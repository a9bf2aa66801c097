package trigger

import (
	"fmt"
	"iter"
	"slices"

	"github.com/sangdam/sangdam/trigger/condition"
)

// Bounds of one event.
const (
	// MaxPasses is how often cascading triggers are asked.
	MaxPasses = 4
	// MaxDone is how many actions are carried out.
	MaxDone = 100
	// MaxDepth is how deep a chain of events may be that triggers caused.
	MaxDepth = 5
)

// Set is the active triggers of one kind of subject, compiled. It is immutable
// and safe for concurrent use.
type Set struct {
	onEvent []compiled
	timed   []compiled
	index   *condition.Index
}

type compiled struct {
	*Trigger
	program *condition.Program
}

// NewSet compiles the active triggers of a kind of subject; the others are left
// out. The schema is the one that Validate was given: a trigger that no longer
// fits it is an error that names it, and the caller decides whether to switch
// it off.
func NewSet(schema *condition.Schema, subject string, triggers []Trigger) (*Set, error) {
	s := &Set{}
	for i := range triggers {
		t := triggers[i]
		if !t.Active || t.Subject != subject {
			continue
		}
		p, err := t.When.Compile(schema)
		if err != nil {
			return nil, fmt.Errorf("trigger %s: %w", t.ID, err)
		}
		if t.After != nil {
			s.timed = append(s.timed, compiled{&t, p})
		} else {
			s.onEvent = append(s.onEvent, compiled{&t, p})
		}
	}
	byOrder := func(a, b compiled) int { return order(a.Trigger, b.Trigger) }
	slices.SortFunc(s.onEvent, byOrder)
	slices.SortFunc(s.timed, byOrder)
	programs := make([]*condition.Program, len(s.onEvent))
	for i, c := range s.onEvent {
		programs[i] = c.program
	}
	s.index = condition.NewIndex(programs, schema.ExactFields()...)
	return s, nil
}

// Len is how many triggers run on events and how many by time.
func (s *Set) Len() (onEvent, timed int) { return len(s.onEvent), len(s.timed) }

// Report is what triggers did in one event.
type Report struct {
	// Runs are the triggers that fired, in order, and with Options.Misses those
	// that did not.
	Runs []Run `json:"runs,omitempty"`
	// Cut says why the pass was cut short; empty: it was not.
	Cut string `json:"cut,omitempty"`
	// Looked is how many conditions were evaluated.
	Looked int `json:"looked"`
}

// Fired counts the triggers that fired.
func (r Report) Fired() (n int) {
	for _, run := range r.Runs {
		if run.Matched {
			n++
		}
	}
	return n
}

// Run is one trigger in one event, for the run log.
type Run struct {
	Trigger ID `json:"trigger"`
	// Pass is 1, or more for a trigger with Cascade.
	Pass    int  `json:"pass"`
	Matched bool `json:"matched"`
	// Why explains each clause without values.
	Why      []condition.Reason `json:"why,omitempty"`
	Outcomes []Outcome          `json:"outcomes,omitempty"`
}

// Options of Run.
type Options struct {
	// Misses puts the triggers that did not fire into the report too, with the
	// reason: for a test of rules by a person, not for every event.
	Misses bool
	// Linear looks at every trigger without the index: the reference that the
	// index is held against.
	Linear bool
}

// Run asks the triggers about one event and lets the subject carry out the
// actions of those that fire. An error is the subject's.
func (s *Set) Run(ev Event, sub Subject, opt Options) (Report, error) {
	var r Report
	if ev.Depth > MaxDepth {
		r.Cut = fmt.Sprintf("triggers caused %d events in a chain; no further one is asked", ev.Depth)
		return r, nil
	}
	fired := map[int]bool{}
	for pass := 1; pass <= MaxPasses; pass++ {
		before := len(fired)
		if err := s.pass(ev, sub, opt, pass, fired, &r); err != nil {
			return r, err
		}
		if r.Cut != "" || len(fired) == before {
			return r, nil
		}
	}
	return r, nil
}

// pass asks once, in order; after a trigger that fired the rest is looked up
// anew, since the facts changed.
func (s *Set) pass(ev Event, sub Subject, opt Options, pass int, fired map[int]bool, r *Report) error {
	facts := &view{Subject: sub, event: ev}
	for at := -1; ; {
		next := -1
		for i := range s.candidates(facts, at, opt) {
			c := s.onEvent[i]
			if fired[i] || pass > 1 && !c.Cascade {
				continue
			}
			r.Looked++
			if c.program.Match(ev.At, facts) {
				next = i
				break
			}
			if opt.Misses {
				r.Runs = append(r.Runs, Run{Trigger: c.ID, Pass: pass, Why: c.program.Eval(ev.At, facts).Why})
			}
		}
		if next < 0 {
			return nil
		}
		fired[next] = true
		run, err := fire(s.onEvent[next], ev, facts, pass, r)
		r.Runs = append(r.Runs, run)
		if err != nil || r.Cut != "" {
			return err
		}
		at = next
	}
}

func (s *Set) candidates(facts condition.Facts, after int, opt Options) iter.Seq[int] {
	if !opt.Linear && !opt.Misses {
		return s.index.Candidates(facts, after)
	}
	return func(yield func(int) bool) {
		for i := after + 1; i < len(s.onEvent) && yield(i); i++ {
		}
	}
}

// fire carries a trigger's actions out.
func fire(c compiled, ev Event, facts *view, pass int, r *Report) (Run, error) {
	run := Run{Trigger: c.ID, Pass: pass, Matched: true, Why: c.program.Eval(ev.At, facts).Why}
	for _, a := range c.Actions {
		if r.done() >= MaxDone-len(run.Outcomes) {
			r.Cut = fmt.Sprintf("more than %d actions in one event; the rest was not carried out", MaxDone)
			return run, nil
		}
		out, err := facts.Do(c.Trigger, a)
		if err != nil {
			return run, fmt.Errorf("trigger %s: %s: %w", c.ID, a.Kind, err)
		}
		out.Kind = a.Kind
		run.Outcomes = append(run.Outcomes, out)
	}
	return run, nil
}

// done counts the actions so far.
func (r *Report) done() (n int) {
	for _, run := range r.Runs {
		n += len(run.Outcomes)
	}
	return n
}
