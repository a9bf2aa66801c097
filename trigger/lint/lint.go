// Package lint finds triggers that fight, go in circles or can never have an effect,
// from their conditions and what their actions set. The engine shows its findings
// beside the list of triggers.
package lint

import (
	"fmt"
	"slices"

	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Problem is the kind of a Finding.
type Problem string

// The problems that All finds.
const (
	// NeverTrue: the condition contradicts itself.
	NeverTrue Problem = "never_true"
	// Fight: another trigger sets the same field to another value, and both may
	// fire in one event; the later one wins.
	Fight Problem = "fight"
	// Unreachable: a later trigger fires whenever this one does and sets every
	// field that this one sets.
	Unreachable Problem = "unreachable"
	// Circle: triggers with Cascade make each other's conditions true.
	Circle Problem = "circle"
)

// Finding is something about triggers that a person should look at before
// switching them on. It is advice: the pass is bounded in any case.
type Finding struct {
	Problem Problem    `json:"problem"`
	Trigger trigger.ID `json:"trigger"`
	// Others are the other triggers it is about.
	Others []trigger.ID `json:"others,omitempty"`
	// Field is the field it is about, where there is one.
	Field string `json:"field,omitempty"`
	// Text says it in a sentence.
	Text string `json:"text"`
}

// linted is a trigger as All looks at it.
type linted struct {
	*trigger.Trigger
	program *condition.Program
	writes  []trigger.Write
}

// All looks at the active triggers of one kind of subject. Triggers that do
// not compile are left out: Validate names what is wrong with them.
//
// It compares each with each: with a thousand and more, look at one by One.
func All(schema *condition.Schema, catalog *trigger.Catalog, subject string, triggers []trigger.Trigger) []Finding {
	list := lintable(schema, catalog, subject, triggers)
	var out []Finding
	for i, t := range list {
		if field, never := t.program.NeverTrue(); never {
			out = append(out, t.neverTrue(field))
			continue
		}
		out = append(out, t.fights(list[i+1:])...)
		out = append(out, t.undone(list[i+1:])...)
	}
	return append(out, circles(list)...)
}

// One is what All says about one of the triggers and the others; it looks
// at the trigger as if it were active.
func One(schema *condition.Schema, catalog *trigger.Catalog, one trigger.Trigger, others []trigger.Trigger) []Finding {
	one.Active = true
	all := slices.DeleteFunc(slices.Clone(others), func(o trigger.Trigger) bool { return o.ID == one.ID })
	list := lintable(schema, catalog, one.Subject, append(all, one))
	at := slices.IndexFunc(list, func(l linted) bool { return l.ID == one.ID })
	if at < 0 {
		return nil // it does not compile: Validate says why
	}
	t := list[at]
	if field, never := t.program.NeverTrue(); never {
		return []Finding{t.neverTrue(field)}
	}
	var out []Finding
	for _, before := range list[:at] {
		out = append(out, before.fights(list[at:at+1])...)
		out = append(out, before.undone(list[at:at+1])...)
	}
	out = append(out, t.fights(list[at+1:])...)
	out = append(out, t.undone(list[at+1:])...)
	// A circle that it is part of goes only over triggers that ask again.
	ring := slices.DeleteFunc(slices.Clone(list), func(l linted) bool { return !l.Cascade && l.ID != one.ID })
	if len(ring) <= maxRing {
		out = append(out, slices.DeleteFunc(circles(ring), func(f Finding) bool {
			return f.Trigger != one.ID && !slices.Contains(f.Others,
				one.ID)
		})...)
	}
	return out
}

// maxRing bounds the search for circles.
const maxRing = 500

func (l linted) neverTrue(field string) Finding {
	return Finding{Problem: NeverTrue, Trigger: l.ID, Field: field,
		Text: fmt.Sprintf("its condition never holds: the clauses on %s exclude each other", field)}
}

// lintable compiles the active triggers of a kind of subject, in their order.
func lintable(schema *condition.Schema, catalog *trigger.Catalog, subject string, triggers []trigger.Trigger) []linted {
	var list []linted
	for i := range triggers {
		t := &triggers[i]
		if !t.Active || t.Subject != subject {
			continue
		}
		p, err := t.When.Compile(schema)
		if err != nil {
			continue
		}
		l := linted{Trigger: t, program: p}
		for _, a := range t.Actions {
			l.writes = append(l.writes, catalog.Sets(a)...)
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b linted) int { return a.Trigger.Compare(b.Trigger) })
	return list
}

// together reports whether both may fire in one event.
func (l linted) together(m linted) bool {
	return (l.After == nil) == (m.After == nil) && l.After == nil && !l.program.Excludes(m.program)
}

func (l linted) fights(later []linted) (out []Finding) {
	for _, m := range later {
		if !l.together(m) {
			continue
		}
		for _, a := range l.writes {
			i := slices.IndexFunc(m.writes, func(b trigger.Write) bool { return b.Field == a.Field })
			if i >= 0 && (m.writes[i].Value != a.Value) {
				out = append(out, Finding{Problem: Fight, Trigger: l.ID, Others: []trigger.ID{m.ID}, Field: a.Field,
					Text: fmt.Sprintf("it and %s may fire in one event and set %s differently; the later one, %s, wins",
						m.ID, a.Field, m.ID)})
				break
			}
		}
	}
	return out
}

func (l linted) undone(later []linted) []Finding {
	if len(l.writes) == 0 || l.After != nil || !l.onlyWrites() {
		return nil
	}
	for _, m := range later {
		covers := !slices.ContainsFunc(l.writes, func(a trigger.Write) bool {
			return !slices.ContainsFunc(m.writes, func(b trigger.Write) bool { return b.Field == a.Field })
		})
		asksNothingNew := !slices.ContainsFunc(l.writes, func(a trigger.Write) bool { return slices.Contains(m.program.Tests(), a.Field) })
		if m.After == nil && covers && asksNothingNew && l.program.Implies(m.program) {
			return []Finding{{Problem: Unreachable, Trigger: l.ID, Others: []trigger.ID{m.ID}, Field: l.writes[0].Field,
				Text: fmt.Sprintf("whenever it fires, %s fires after it and sets the same fields: it has no effect", m.ID)}}
		}
	}
	return nil
}

// onlyWrites reports whether fields are all that the trigger touches, so that
// overwriting them undoes it.
func (l linted) onlyWrites() bool { return len(l.writes) >= len(l.Actions) }

// wakes reports whether what l sets can make the condition of m true.
func (l linted) wakes(m linted) bool {
	if !m.Cascade || m.After != nil || l.After != nil {
		return false
	}
	tests := m.program.Tests()
	asked := false
	for _, w := range l.writes {
		if !slices.Contains(tests, w.Field) {
			continue
		}
		if w.Value != "" && !m.program.AllowsValue(w.Field, w.Value) {
			return false
		}
		asked = true
	}
	return asked
}

// circles finds each group of triggers that wake each other, once.
func circles(list []linted) []Finding {
	var out []Finding
	const unseen, open, closed = 0, 1, 2
	state := make([]int, len(list))
	var path []int
	var visit func(i int)
	visit = func(i int) {
		state[i] = open
		path = append(path, i)
		for j := range list {
			if !list[i].wakes(list[j]) {
				continue
			}
			switch state[j] {
			case unseen:
				visit(j)
			case open:
				out = append(out, circle(list, path[slices.Index(path, j):]))
			}
		}
		path = path[:len(path)-1]
		state[i] = closed
	}
	for i := range list {
		if state[i] == unseen {
			visit(i)
		}
	}
	return out
}

func circle(list []linted, members []int) Finding {
	f := Finding{Problem: Circle, Trigger: list[members[0]].ID,
		Text: "what it sets makes its own condition true again; it is stopped after one event"}
	for _, i := range members[1:] {
		f.Others = append(f.Others, list[i].ID)
	}
	if len(f.Others) > 0 {
		f.Text = fmt.Sprintf("it and %v make each other's conditions true; each fires once in an event, then they are stopped", f.Others)
	}
	return f
}
