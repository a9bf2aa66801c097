package trigger

import (
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/sangdam/sangdam/trigger/condition"
)

// Bounds of one event.
const (
	// maxPasses is how often cascading triggers are asked.
	maxPasses = 4
	// MaxDone is how many actions are carried out; those that were passed over count.
	MaxDone = 100
	// MaxDepth is the greatest Event.Depth for which triggers are still asked.
	MaxDepth = 5
)

// Set is the active triggers of one kind of subject, compiled. It is immutable
// and safe for concurrent use.
type Set struct {
	onEvent []compiled
	timed   []compiled
	index   *condition.Index
	passed  sync.Pool // *passing
}

type compiled struct {
	*Trigger
	program *condition.Program
}

// NewSet compiles the active triggers of a kind of subject; the others are left
// out. The schema is the one that Trigger.Validate was given. A trigger that does
// not fit it any more is ErrInvalid, which names the trigger, and then there is no
// Set: the caller decides whether to switch the trigger off.
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
	byOrder := func(a, b compiled) int { return a.Trigger.Compare(b.Trigger) }
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
	// Looked is how many conditions were evaluated, a trigger's once in each pass.
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
	Pass int `json:"pass"`
	// Matched is whether the condition held, so that the trigger fired.
	Matched bool `json:"matched"`
	// Why explains each clause without values.
	Why []condition.Reason `json:"why,omitempty"`
	// Outcomes has one entry for each action that was tried, in order.
	Outcomes []Outcome `json:"outcomes,omitempty"`
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

// Run asks the triggers that run on events about one event and lets the subject
// carry out the actions of those that fire. An error is the subject's, wrapped with
// trigger and action; the Report has what was done until then. An event deeper than
// MaxDepth asks no trigger, which Report.Cut tells.
func (s *Set) Run(ev Event, sub Subject, opt Options) (Report, error) {
	var r Report
	if ev.Depth > MaxDepth {
		r.Cut = fmt.Sprintf("triggers caused %d events in a chain; no further one is asked", ev.Depth)
		return r, nil
	}
	p := s.begin(ev, sub, opt)
	defer s.end(p)
	for n := 1; n <= maxPasses; n++ {
		before := len(p.fired)
		if err := p.once(n, &r); err != nil {
			return r, err
		}
		if r.Cut != "" || len(p.fired) == before {
			return r, nil
		}
	}
	return r, nil
}

// passing is the passes of one event.
type passing struct {
	set   *Set
	opt   Options
	facts view
	asked *condition.Lookup
	fired []int // the positions of those that fired
}

// begin takes a passing that an earlier event has used, since most events fire
// nothing and should cost nothing.
func (s *Set) begin(ev Event, sub Subject, opt Options) *passing {
	p, used := s.passed.Get().(*passing)
	if !used {
		p = &passing{set: s, asked: s.index.Lookup(ev.At, nil)}
	}
	p.opt, p.facts = opt, view{Subject: sub, event: ev}
	p.asked.Reset(ev.At, &p.facts)
	return p
}

func (s *Set) end(p *passing) {
	p.facts, p.fired = view{}, p.fired[:0]
	p.asked.Reset(time.Time{}, nil) // nothing of the record stays
	s.passed.Put(p)
}

// once asks once, in order; after a trigger that fired the rest is looked up
// anew, since the facts changed.
func (p *passing) once(pass int, r *Report) error {
	for at := -1; ; {
		next := p.next(at, pass, r)
		if next < 0 {
			return nil
		}
		p.fired = append(p.fired, next)
		run, err := fire(p.set.onEvent[next], p.facts.event, &p.facts, pass, r)
		r.Runs = append(r.Runs, run)
		if err != nil || r.Cut != "" {
			return err
		}
		p.asked.Forget()
		at = next
	}
}

// next is the position of the next trigger that fires; -1 when there is none.
func (p *passing) next(at, pass int, r *Report) int {
	for i := range p.candidates(at) {
		c := &p.set.onEvent[i]
		if pass > 1 && !c.Cascade || slices.Contains(p.fired, i) {
			continue
		}
		r.Looked++
		if p.matches(i) {
			return i
		}
		if p.opt.Misses {
			r.Runs = append(r.Runs, Run{Trigger: c.ID, Pass: pass, Why: c.program.Eval(p.facts.event.At, &p.facts).Why})
		}
	}
	return -1
}

// matches asks by what was asked before, or in the linear mode as if nothing
// had been.
func (p *passing) matches(i int) bool {
	if p.opt.Linear {
		return p.set.onEvent[i].program.Match(p.facts.event.At, &p.facts)
	}
	return p.asked.Match(i)
}

func (p *passing) candidates(after int) iter.Seq[int] {
	if !p.opt.Linear && !p.opt.Misses {
		return p.asked.Candidates(after)
	}
	return func(yield func(int) bool) {
		for i := after + 1; i < len(p.set.onEvent) && yield(i); i++ {
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
