package condition

import "slices"

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
		exact := n.kind == kindText && !n.fold && !n.negate && (n.test == Is || n.test == In || n.test == ChangedTo)
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
// of an id or enum field, such as the kind of event or the channel. Each
// program is listed under the field that rules it out most often. It is
// immutable and safe for concurrent use.
type Index struct {
	fields  []string
	byValue []map[string][]int // of each field, positions by value
	rest    []int              // programs that may hold whatever the values
	shared  sharing
}

// NewIndex builds an index of the programs. A Lookup speaks of a program by its
// position in the slice; nil entries are left out. The fields are those
// that programs may be listed under, usually all id and enum fields.
func NewIndex(programs []*Program, fields ...string) *Index {
	x := &Index{fields: slices.Clone(fields), byValue: make([]map[string][]int, len(fields))}
	needs := make([][][]string, len(programs)) // of each program, by field
	crowd := make([]map[string]int, len(fields))
	for f, field := range fields {
		x.byValue[f], crowd[f] = make(map[string][]int), make(map[string]int)
		for i, p := range programs {
			if p == nil {
				continue
			}
			if needs[i] == nil {
				needs[i] = make([][]string, len(fields))
			}
			if values, ok := p.Required(field); ok {
				needs[i][f] = append([]string{}, values...)
				for _, v := range values {
					crowd[f][v]++
				}
			}
		}
	}
	for i, p := range programs {
		if p == nil {
			continue
		}
		f := rarest(needs[i], crowd)
		if f < 0 {
			x.rest = append(x.rest, i)
			continue
		}
		for _, v := range needs[i][f] {
			x.byValue[f][v] = append(x.byValue[f][v], i)
		}
	}
	x.forget()
	x.shared = share(programs)
	return x
}

// forget drops the fields under which no program is listed: nobody asks for
// their facts, which may be dear.
func (x *Index) forget() {
	kept := 0
	for f := range x.fields {
		if len(x.byValue[f]) > 0 {
			x.fields[kept], x.byValue[kept] = x.fields[f], x.byValue[f]
			kept++
		}
	}
	x.fields, x.byValue = x.fields[:kept], x.byValue[:kept]
}

// rarest is the field whose values the fewest programs share; -1 when no field
// restricts the program.
func rarest(needs [][]string, crowd []map[string]int) int {
	best, fewest := -1, 0
	for f, values := range needs {
		if values == nil {
			continue
		}
		together := 0
		for _, v := range values {
			together += crowd[f][v]
		}
		if best < 0 || together < fewest {
			best, fewest = f, together
		}
	}
	return best
}
