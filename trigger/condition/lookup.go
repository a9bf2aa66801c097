package condition

import (
	"fmt"
	"iter"
	"slices"
	"time"
)

// sharing is the programs of an Index with their fields and clauses numbered, so
// that what several of them ask is asked once.
type sharing struct {
	roots  []*node // nil where there is no program
	fields []string
	twins  int // how many numbers of shared clauses there are, 0 included
}

// share copies the programs and numbers what they ask.
func share(programs []*Program) sharing {
	s := sharing{roots: make([]*node, len(programs)), twins: 1}
	first := map[string]*node{} // the first node that asks it
	numbers := map[string]int{}
	for i, p := range programs {
		if p == nil {
			continue
		}
		root := p.root.copied()
		s.roots[i] = &root
		for n := range root.each {
			number, known := numbers[n.field]
			if !known {
				number = len(s.fields)
				numbers[n.field] = number
				s.fields = append(s.fields, n.field)
			}
			n.fact = number
			question := n.asks()
			before, asked := first[question]
			if !asked {
				first[question] = n
				continue
			}
			if before.twin == 0 {
				before.twin = s.twins
				s.twins++
			}
			n.twin = before.twin
		}
	}
	return s
}

// copied is the node with groups of its own; values are shared, since nobody
// changes them.
func (n node) copied() node {
	n.all, n.any = slices.Clone(n.all), slices.Clone(n.any)
	for _, list := range [2][]node{n.all, n.any} {
		for i := range list {
			list[i] = list[i].copied()
		}
	}
	return n
}

// asks is the clause as a text that only an equal one has.
func (n *node) asks() string {
	pattern := ""
	if n.pattern != nil {
		pattern = n.pattern.String()
	}
	return fmt.Sprintf("%q %s %d %q %v %v %t %q", n.field, n.op, n.kind, n.texts, n.floats, n.ints, n.flag, pattern)
}

// Lookup holds the programs of an Index against one event's facts. It asks for
// each fact and evaluates each distinct clause at most once, however many
// programs have it, until Forget. It is for one goroutine.
type Lookup struct {
	index   *Index
	eval    evaluation
	facts   []asked
	results []outcome // of shared clauses
}

type asked struct {
	Fact
	ok, known bool
}

type outcome uint8

const (
	unknown outcome = iota
	missed
	held
)

// Lookup begins with the facts of an event. Now is for the operators older_than
// and newer_than.
func (x *Index) Lookup(now time.Time, facts Facts) *Lookup {
	l := &Lookup{index: x, facts: make([]asked, len(x.shared.fields)), results: make([]outcome, x.shared.twins)}
	l.Reset(now, facts)
	return l
}

// Reset begins anew with the facts of another event.
func (l *Lookup) Reset(now time.Time, facts Facts) {
	l.eval = evaluation{now: now.UnixMicro(), facts: facts, known: l}
	l.Forget()
}

// Forget is called when the facts have changed: they are asked for anew.
func (l *Lookup) Forget() {
	clear(l.facts)
	clear(l.results)
}

// Match reports whether the program at a position of NewIndex's slice holds; false
// where that has nil.
func (l *Lookup) Match(position int) bool {
	root := l.index.shared.roots[position]
	return root != nil && l.eval.holds(root)
}

func (l *Lookup) holds(e *evaluation, n *node) bool {
	if n.twin > 0 && l.results[n.twin] != unknown {
		return l.results[n.twin] == held
	}
	a := &l.facts[n.fact]
	if !a.known {
		a.Fact, a.ok = e.facts.Fact(n.field)
		a.known = true
	}
	holds, _ := e.leaf(n, &a.Fact, a.ok)
	if l.results[n.twin] = missed; holds {
		l.results[n.twin] = held
	}
	return holds
}

// Candidates yields, in ascending order, the positions above after (-1 for
// all) of the programs that may match the facts. A program that is not yielded
// would not match. Facts are read when it begins; whoever changes them goes on
// with a new call, after Forget.
func (l *Lookup) Candidates(after int) iter.Seq[int] {
	x := l.index
	return func(yield func(int) bool) {
		var few [8][]int
		lists := append(few[:0], above(x.rest, after))
		for f, field := range x.fields {
			if fact, ok := l.eval.facts.Fact(field); ok && fact.kind == kindText && fact.text != "" {
				if list := above(x.byValue[f][fact.text], after); len(list) > 0 {
					lists = append(lists, list)
				}
			}
		}
		for {
			next := -1
			for i, list := range lists {
				if len(list) > 0 && (next < 0 || list[0] < lists[next][0]) {
					next = i
				}
			}
			if next < 0 || !yield(lists[next][0]) {
				return
			}
			lists[next] = lists[next][1:]
		}
	}
}

// above cuts off the positions up to after.
func above(list []int, after int) []int {
	i, _ := slices.BinarySearch(list, after+1)
	return list[i:]
}
