package condition

import (
	"math"
	"slices"
)

// NeverTrue reports whether the condition contradicts itself, so that it holds
// for no facts whatever, and names a field that shows it. It finds what a form
// lets people write (two values at once, bounds that cross, present and
// absent), not every contradiction there is; false proves nothing.
func (p *Program) NeverTrue() (field string, never bool) {
	for _, way := range p.ways() {
		f, contradicts := contradiction(way)
		if !contradicts {
			return "", false
		}
		field = f
	}
	return field, true
}

// Excludes reports whether no facts whatever let both conditions hold, as far
// as NeverTrue can tell.
func (p *Program) Excludes(q *Program) bool {
	for _, a := range p.ways() {
		for _, b := range q.ways() {
			if _, contradicts := contradiction(slices.Concat(a, b)); !contradicts {
				return false
			}
		}
	}
	return true
}

// Implies reports whether q surely holds where p does: each clause of q stands
// in p too. False proves nothing.
func (p *Program) Implies(q *Program) bool {
	if len(q.root.any) > 0 {
		return false
	}
	mine := conjunction(&p.root)
	for _, want := range conjunction(&q.root) {
		if want.op == "" || !slices.ContainsFunc(mine, func(n *node) bool { return n.same(want) }) {
			return false
		}
	}
	return true
}

// Tests returns the names of the fields that the condition asks about, each
// once.
func (p *Program) Tests() []string {
	var out []string
	for n := range p.root.each {
		if !slices.Contains(out, n.field) {
			out = append(out, n.field)
		}
	}
	return out
}

// AllowsValue reports whether the condition can hold when an id, enum or bool
// field has the value, as far as its clauses that must hold tell.
func (p *Program) AllowsValue(field, value string) bool {
	fact := Text(value)
	for _, n := range conjunction(&p.root) {
		if n.field != field || n.op == "" {
			continue
		}
		if n.kind == kindBool {
			fact = Bool(value == "true")
		}
		if n.test == Changed || n.test == ChangedFrom || n.kind != fact.kind {
			continue
		}
		e := evaluation{}
		if e.test(n, &fact) == n.negate {
			return false
		}
	}
	return true
}

// ways are the lists of clauses of which one must hold whole: what must hold
// anyway, with each of the clauses of any.
func (p *Program) ways() [][]*node {
	base := conjunction(&p.root)
	if len(p.root.any) == 0 {
		return [][]*node{base}
	}
	var out [][]*node
	for i := range p.root.any {
		out = append(out, slices.Concat(base, conjunction(&node{all: p.root.any[i : i+1]})))
	}
	return out
}

// conjunction lists the clauses that must all hold; groups with any stand for
// themselves, since they are no single clause.
func conjunction(n *node) []*node {
	var out []*node
	for i := range n.all {
		c := &n.all[i]
		switch {
		case c.op != "":
			out = append(out, c)
		default:
			out = append(out, conjunction(c)...)
			if len(c.any) > 0 {
				out = append(out, &node{any: c.any})
			}
		}
	}
	return out
}

func (n *node) same(m *node) bool {
	return n.field == m.field && n.op == m.op && n.flag == m.flag && slices.Equal(n.texts, m.texts) &&
		slices.Equal(n.floats, m.floats) && slices.Equal(n.ints, m.ints)
}

// limits is what clauses that must hold leave of one field.
type limits struct {
	present, absent bool
	one             []string // allowed values; nil: any
	not             []string
	low, high       float64
	lowOpen, hiOpen bool
	yes, no         bool // of a bool
	notYes, notNo   bool // which hold of an absent one too
	from            []string
}

// contradiction finds a field for which nothing is left.
func contradiction(clauses []*node) (string, bool) {
	left := map[string]*limits{}
	for _, n := range clauses {
		if n.op == "" {
			continue
		}
		l := left[n.field]
		if l == nil {
			l = &limits{low: math.Inf(-1), high: math.Inf(1)}
			left[n.field] = l
		}
		l.take(n)
		if l.empty() {
			return n.field, true
		}
	}
	return "", false
}

func (l *limits) take(n *node) {
	switch {
	case n.test == Present && n.negate:
		l.absent = true
		return
	case n.test == Changed:
		return
	case n.test == ChangedFrom:
		l.from = n.texts
		return
	case !n.negate:
		l.present = true
	}
	switch n.kind {
	case kindText:
		l.takeTexts(n)
	case kindNumber:
		l.takeBounds(n, n.floats)
	case kindBool:
		l.takeBool(n)
	case kindTime, kindDuration:
		if n.test != OlderThan && n.test != NewerThan && n.test != WithinHours {
			bounds := make([]float64, len(n.ints))
			for i, v := range n.ints {
				bounds[i] = float64(v)
			}
			l.takeBounds(n, bounds)
		}
	}
}

func (l *limits) takeBool(n *node) {
	if n.test != Is && n.test != ChangedTo {
		return
	}
	switch {
	case n.negate && n.flag:
		l.notYes = true
	case n.negate:
		l.notNo = true
	case n.flag:
		l.yes = true
	default:
		l.no = true
	}
}

func (l *limits) takeTexts(n *node) {
	if n.test != Is && n.test != In && n.test != ChangedTo {
		return
	}
	texts := n.texts
	switch {
	case n.negate:
		l.not = append(l.not, texts...)
	case l.one == nil:
		l.one = append([]string{}, texts...)
	default:
		l.one = common(l.one, texts)
	}
}

func (l *limits) takeBounds(n *node, v []float64) {
	if n.negate || len(v) == 0 {
		return
	}
	low, high := v[0], v[0]
	lowOpen, hiOpen := n.test == Gt, n.test == Lt
	switch n.test {
	case Gt, Gte:
		high = math.Inf(1)
	case Lt, Lte:
		low = math.Inf(-1)
	case Between:
		high = v[1]
	case In:
		low, high = slices.Min(v), slices.Max(v)
	}
	if low > l.low || low == l.low && lowOpen {
		l.low, l.lowOpen = low, lowOpen
	}
	if high < l.high || high == l.high && hiOpen {
		l.high, l.hiOpen = high, hiOpen
	}
}

func (l *limits) empty() bool {
	switch {
	case l.present && l.absent:
		return true
	case l.present && (l.no || l.notYes) && (l.yes || l.notNo):
		return true
	case l.low > l.high, l.low == l.high && (l.lowOpen || l.hiOpen):
		return true
	case l.one == nil:
		return false
	}
	for _, v := range l.one {
		if !slices.Contains(l.not, v) {
			return false
		}
	}
	return true
}
