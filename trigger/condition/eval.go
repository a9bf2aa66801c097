package condition

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Result is the outcome of an evaluation.
type Result struct {
	Match bool
	// Why has one entry for each clause, in the order of the condition, groups
	// flattened. It holds no values, neither of facts nor of the condition.
	Why []Reason
}

// Reason says how one clause came out.
type Reason struct {
	// Path is where the clause stands, such as all[0] or any[1].all[0].
	Path  string `json:"path"`
	Field string `json:"field"`
	Op    Op     `json:"op"`
	// Held is whether the clause held.
	Held bool `json:"held"`
	// Fact is what was known of the field.
	Fact Known `json:"fact"`
}

// String returns, for example, "all[0] channel is: held".
func (r Reason) String() string {
	text := r.Path + " " + r.Field + " " + string(r.Op) + ": missed"
	if r.Held {
		text = text[:len(text)-len("missed")] + "held"
	}
	if r.Fact != FactPresent {
		text += " (" + string(r.Fact) + ")"
	}
	return text
}

// Known is what was known of a field.
type Known string

// What may be known of a field.
const (
	FactPresent   Known = "present"
	FactAbsent    Known = "absent"     // no fact, or an empty one
	FactWrongType Known = "wrong type" // a fact of another type than the schema's; counts as absent
)

// Eval evaluates every clause and explains each. Now is for the operators
// older_than and newer_than. It allocates Why and nothing else; where no
// explanation is needed, Match is faster.
func (p *Program) Eval(now time.Time, facts Facts) Result {
	e := evaluation{now: now.UnixMicro(), facts: facts, why: make([]Reason, 0, p.leaves)}
	match := e.explain(&p.root)
	return Result{Match: match, Why: e.why}
}

// Match is Eval without the explanation. It stops at the first clause that
// decides and does not allocate.
func (p *Program) Match(now time.Time, facts Facts) bool {
	e := evaluation{now: now.UnixMicro(), facts: facts}
	return e.holds(&p.root)
}

// NextChange returns the earliest moment after now at which time alone may
// change the outcome: where an older_than or newer_than clause turns over. It
// is false when there is none. A timed rule is due then.
func (p *Program) NextChange(now time.Time, facts Facts) (time.Time, bool) {
	var next time.Time
	for n := range p.root.each {
		if n.test != OlderThan && n.test != NewerThan {
			continue
		}
		fact, ok := facts.Fact(n.field)
		if !ok || fact.kind != kindTime {
			continue
		}
		turns := time.UnixMicro(fact.int() + n.micros())
		if turns.After(now) && (next.IsZero() || turns.Before(next)) {
			next = turns
		}
	}
	return next, !next.IsZero()
}

// each yields the leaves.
func (n *node) each(yield func(*node) bool) { n.walk(yield) }

func (n *node) walk(yield func(*node) bool) bool {
	if n.op != "" {
		return yield(n)
	}
	for _, list := range [2][]node{n.all, n.any} {
		for i := range list {
			if !list[i].walk(yield) {
				return false
			}
		}
	}
	return true
}

// micros is the duration of older_than and newer_than, rounded up so that a
// rule is never early.
func (n *node) micros() int64 { return (n.ints[0] + 999) / 1000 }

type evaluation struct {
	now   int64 // microseconds of Unix time
	facts Facts
	why   []Reason
	known *Lookup // what an Index has asked before; nil: nothing
}

func (e *evaluation) holds(n *node) bool {
	if n.op != "" {
		if e.known != nil {
			return e.known.holds(e, n)
		}
		fact, ok := e.facts.Fact(n.field)
		held, _ := e.leaf(n, &fact, ok)
		return held
	}
	for i := range n.all {
		if !e.holds(&n.all[i]) {
			return false
		}
	}
	for i := range n.any {
		if e.holds(&n.any[i]) {
			return true
		}
	}
	return len(n.any) == 0
}

func (e *evaluation) explain(n *node) bool {
	if n.op != "" {
		fact, ok := e.facts.Fact(n.field)
		held, known := e.leaf(n, &fact, ok)
		e.why = append(e.why, Reason{n.path, n.field, n.op, held, known})
		return held
	}
	all, one := true, len(n.any) == 0
	for i := range n.all {
		all = e.explain(&n.all[i]) && all
	}
	for i := range n.any {
		one = e.explain(&n.any[i]) || one
	}
	return all && one
}

// leaf tests one clause. A positive test fails on an absent fact, so that a
// negated one holds.
func (e *evaluation) leaf(n *node, fact *Fact, ok bool) (held bool, known Known) {
	if n.test == Changed || n.test == ChangedTo || n.test == ChangedFrom {
		return e.changed(n, *fact), knownAs(ok && !fact.empty())
	}
	switch {
	case !ok || fact.empty():
		return n.negate, FactAbsent
	case fact.kind != n.kind:
		return n.negate, FactWrongType
	}
	return e.test(n, fact) != n.negate, FactPresent
}

func knownAs(present bool) Known {
	if present {
		return FactPresent
	}
	return FactAbsent
}

// changed compares a fact with what it was before the event; the zero Fact
// stands for absent on both sides.
func (e *evaluation) changed(n *node, now Fact) bool {
	facts, ok := e.facts.(Changes)
	if !ok {
		return false
	}
	before, _ := facts.Before(n.field)
	if now.Equal(before) {
		return false
	}
	side := now
	switch n.test {
	case Changed:
		return true
	case ChangedFrom:
		side = before
	}
	return side.kind == n.kind && !side.empty() && e.test(n, &side)
}

func (e *evaluation) test(n *node, fact *Fact) bool {
	switch n.test {
	case Present:
		return true
	case WithinHours:
		facts, ok := e.facts.(Hours)
		return ok && facts.Within(n.texts[0], time.UnixMicro(fact.int()).UTC())
	}
	switch n.kind {
	case kindText:
		return e.testText(n, fact.text)
	case kindNumber:
		return compare(n.test, fact.number(), n.floats)
	case kindBool:
		return (fact.bits == 1) == n.flag
	case kindSet:
		return n.testSet(fact.set)
	}
	switch n.test {
	case OlderThan:
		return fact.int()+n.micros() <= e.now
	case NewerThan:
		return fact.int()+n.micros() > e.now
	}
	return compare(n.test, fact.int(), n.ints)
}

func (e *evaluation) testText(n *node, s string) bool {
	s = cut(s)
	if n.test == Matches {
		return n.pattern.MatchString(s)
	}
	if n.fold {
		if f, remembers := e.facts.(Folder); remembers {
			s = f.Folded(s)
		} else {
			s = Fold(s)
		}
	}
	switch n.test {
	case Contains:
		return slices.ContainsFunc(n.texts, func(part string) bool { return strings.Contains(s, part) })
	case StartsWith:
		return slices.ContainsFunc(n.texts, func(start string) bool { return strings.HasPrefix(s, start) })
	}
	return n.listed(s)
}

// listed reports whether s is one of the node's texts.
func (n *node) listed(s string) bool {
	if n.lookup != nil {
		_, ok := n.lookup[s]
		return ok
	}
	return slices.Contains(n.texts, s)
}

func (n *node) testSet(set []string) bool {
	if n.test == HasAll {
		for _, want := range n.texts {
			if !slices.Contains(set, want) {
				return false
			}
		}
		return true
	}
	return slices.ContainsFunc(set, n.listed)
}

func compare[T int64 | float64](test Op, fact T, values []T) bool {
	switch test {
	case Gt:
		return fact > values[0]
	case Gte:
		return fact >= values[0]
	case Lt:
		return fact < values[0]
	case Lte:
		return fact <= values[0]
	case Between:
		return cmp.Compare(values[0], fact) <= 0 && cmp.Compare(fact, values[1]) <= 0
	}
	return slices.Contains(values, fact)
}

// cut returns the first MaxText bytes of s, less a character cut in half.
func cut(s string) string {
	if len(s) <= MaxText {
		return s
	}
	end := MaxText
	for end > MaxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
