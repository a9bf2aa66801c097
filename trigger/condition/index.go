package condition

import (
	"iter"
	"slices"
)

// Required returns the values of an id or enum field outside of which the
// condition cannot hold, sorted, and false when there is no such list: the
// field is of another type or the condition may hold whatever its value.
func (p *Program) Required(field string) ([]string, bool) {
	values, ok := p.root.required(field)
	if !ok {
		return nil, false
	}
	slices.Sort(values)
	return slices.Compact(values), true
}

func (n *node) required(field string) (values []string, ok bool) {
	if n.op != "" {
		exact := n.kind == kindText && !n.fold && !n.negate && (n.test == Is || n.test == In)
		if n.field != field || !exact {
			return nil, false
		}
		return slices.Clone(n.texts), true
	}
	for i := range n.all {
		values, ok = intersect(values, ok, &n.all[i], field)
	}
	if union, restricted := requiredAny(n.any, field); restricted {
		if !ok {
			return union, true
		}
		return common(values, union), true
	}
	return values, ok
}

func intersect(values []string, ok bool, n *node, field string) ([]string, bool) {
	more, restricted := n.required(field)
	switch {
	case !restricted:
		return values, ok
	case !ok:
		return more, true
	}
	return common(values, more), true
}

// requiredAny is a list only when each of the clauses has one.
func requiredAny(list []node, field string) ([]string, bool) {
	var union []string
	for i := range list {
		values, ok := list[i].required(field)
		if !ok {
			return nil, false
		}
		union = append(union, values...)
	}
	return union, len(list) > 0
}

func common(a, b []string) []string {
	return slices.DeleteFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// Index lets a caller with many programs skip those that cannot match because
// of one id or enum field, such as the kind of event or the channel. It is
// immutable and safe for concurrent use.
type Index struct {
	byValue map[string][]int
	rest    []int // programs that may hold whatever the value
}

// NewIndex builds an index of the programs by the field. Candidates speaks of
// a program by its position in the slice; nil entries are left out.
func NewIndex(field string, programs []*Program) *Index {
	x := &Index{byValue: make(map[string][]int)}
	for i, p := range programs {
		if p == nil {
			continue
		}
		values, ok := p.Required(field)
		if !ok {
			x.rest = append(x.rest, i)
		}
		for _, v := range values {
			x.byValue[v] = append(x.byValue[v], i)
		}
	}
	return x
}

// Candidates yields, in ascending order, the positions of the programs that
// may match when the field has the value; "" stands for an absent fact. A
// program that is not yielded would not match.
func (x *Index) Candidates(value string) iter.Seq[int] {
	return func(yield func(int) bool) {
		a, b := x.byValue[value], x.rest
		for len(a) > 0 || len(b) > 0 {
			from := &b
			if len(b) == 0 || len(a) > 0 && a[0] < b[0] {
				from = &a
			}
			if !yield((*from)[0]) {
				return
			}
			*from = (*from)[1:]
		}
	}
}
