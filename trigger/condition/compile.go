package condition

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/sangdam/sangdam/internal/fold"
)

// Program is a compiled condition. It is immutable and safe for concurrent
// use. The zero Program always holds.
type Program struct {
	root   node // a group
	leaves int
}

// node is a group or a leaf of the tree.
type node struct {
	all, any []node

	path   string
	field  string
	op     Op
	test   Op // op without its negation
	negate bool
	kind   kind
	fold   bool // text, which is compared folded

	texts   []string
	lookup  map[string]struct{} // of texts, when there are many
	floats  []float64
	ints    []int64
	flag    bool
	pattern *regexp.Regexp

	// In an Index: the number of the field, and of the clause if other programs
	// have the same one; 0 for one's own.
	fact, twin int
}

// opposite gives for each negative operator the positive one.
var opposite = map[Op]Op{IsNot: Is, NotContains: Contains, NotIn: In, HasNone: HasAny, Absent: Present}

// manyTexts is from how many texts on a map is faster than comparing each.
const manyTexts = 8

// Validate checks the condition against the schema. Every error is ErrInvalid
// and names the clause, such as all[2].value, and what to change.
func (c Condition) Validate(schema *Schema) error {
	_, err := c.Compile(schema)
	return err
}

// Compile validates the condition and makes its Program.
func (c Condition) Compile(schema *Schema) (*Program, error) {
	if schema == nil {
		return nil, invalid("schema", "there is none: pass the schema of the fields that may be used")
	}
	k := compiler{schema: schema}
	p := &Program{}
	var err error
	if p.root.all, err = k.clauses("all", c.All, 1); err != nil {
		return nil, err
	}
	if p.root.any, err = k.clauses("any", c.Any, 1); err != nil {
		return nil, err
	}
	p.leaves = k.leaves
	return p, nil
}

type compiler struct {
	schema                  *Schema
	nodes, leaves, valueSum int
	patterns                int
}

func (k *compiler) clauses(path string, clauses []Clause, depth int) ([]node, error) {
	var nodes []node
	for i, c := range clauses {
		n, err := k.clause(fmt.Sprintf("%s[%d]", path, i), c, depth)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func (k *compiler) clause(path string, c Clause, depth int) (n node, err error) {
	if k.nodes++; k.nodes > MaxClauses {
		return n, invalid(path, "more than %d clauses and groups: join some with in, or make two conditions", MaxClauses)
	}
	if !c.group() {
		return k.leaf(path, c)
	}
	if depth >= MaxDepth {
		return n, invalid(path, "groups nested more than %d deep: flatten them", MaxDepth)
	}
	if c.Field != "" || c.Op != "" || c.Value != nil {
		return n, invalid(path, "a clause with field and all or any: make two clauses of it")
	}
	if n.all, err = k.clauses(path+".all", c.All, depth+1); err != nil {
		return n, err
	}
	n.any, err = k.clauses(path+".any", c.Any, depth+1)
	return n, err
}

func (k *compiler) leaf(path string, c Clause) (node, error) {
	k.leaves++
	field, ok := k.schema.Field(c.Field)
	if !ok {
		all := make([]string, len(k.schema.fields))
		for i, f := range k.schema.fields {
			all[i] = f.Name
		}
		return node{}, invalid(path+".field", "unknown field %s: use one of %s", shown(c.Field), names(all))
	}
	if allowed := k.schema.Operators(field.Type); !slices.Contains(allowed, c.Op) {
		return node{}, invalid(path+".op", "operator %s does not suit field %q of type %s: use one of %s",
			shown(string(c.Op)), field.Name, field.Type, names(allowed))
	}
	n := node{path: path, field: field.Name, op: c.Op, test: c.Op, kind: kindOf(field.Type), fold: field.Type == TypeText}
	if positive, negative := opposite[c.Op]; negative {
		n.test, n.negate = positive, true
	}
	value, err := canonical(c.Value)
	if err == nil {
		err = k.value(&n, field, value)
	}
	if err != nil {
		return node{}, invalid(path+".value", "%w", err)
	}
	return n, nil
}

// value checks the value against operator and field and puts it into the node.
func (k *compiler) value(n *node, field Field, value any) error {
	if n.test == Present || n.test == Changed {
		if value != nil {
			return fmt.Errorf("operator %s takes no value: remove it", n.op)
		}
		return nil
	}
	if value == nil {
		return fmt.Errorf("operator %s on field %q needs a value", n.op, field.Name)
	}
	if n.test == WithinHours {
		return k.calendar(n, value)
	}
	count, err := k.fill(n, field, value)
	if err != nil {
		return err
	}
	if k.valueSum += count; k.valueSum > MaxValues {
		return fmt.Errorf("more than %d values in the condition: shorten the lists", MaxValues)
	}
	return checkCount(n.op, n.test, count)
}

// calendar checks the value of within_hours.
func (k *compiler) calendar(n *node, value any) error {
	name, ok := value.(string)
	if !ok || !slices.Contains(k.schema.calendars, name) {
		return fmt.Errorf("not a calendar: use one of %s", names(k.schema.calendars))
	}
	n.texts = []string{name}
	return nil
}

// checkCount says how many values an operator takes.
func checkCount(op, test Op, count int) error {
	switch test {
	case In, HasAny, HasAll, Contains, StartsWith:
		if count == 0 {
			return fmt.Errorf("operator %s needs at least one value", op)
		}
	case Between:
		if count != 2 {
			return fmt.Errorf("operator %s takes two values, the lower and the upper bound", op)
		}
	default:
		if count != 1 {
			return fmt.Errorf("operator %s takes one value, not %d: use in or has_any for several", op, count)
		}
	}
	return nil
}

// fill puts the value into the node in the form of the field's type and
// returns how many values there are.
func (k *compiler) fill(n *node, field Field, value any) (int, error) {
	switch field.Type {
	case TypeNumber:
		list, err := scalars[float64](value, "a number", "numbers")
		n.floats = list
		return len(list), cmpBounds(err, n.test, list)
	case TypeBool:
		b, ok := value.(bool)
		if !ok {
			return 0, fmt.Errorf("not true or false")
		}
		n.flag = b
		return 1, nil
	case TypeTime, TypeDuration:
		return k.fillTimes(n, field.Type, value)
	}
	return k.fillTexts(n, field, value)
}

func (k *compiler) fillTimes(n *node, t Type, value any) (int, error) {
	list, err := scalars[string](value, "a string", "strings")
	if err != nil {
		return 0, err
	}
	parse := parseTime
	if t == TypeDuration || n.test == OlderThan || n.test == NewerThan {
		parse = parseDuration
	}
	for _, s := range list {
		v, err := parse(s)
		if err != nil {
			return 0, err
		}
		n.ints = append(n.ints, v)
	}
	return len(list), cmpBounds(nil, n.test, n.ints)
}

func (k *compiler) fillTexts(n *node, field Field, value any) (int, error) {
	list, err := scalars[string](value, "a string", "strings")
	if err != nil {
		return 0, err
	}
	for _, s := range list {
		switch {
		case s == "":
			return 0, fmt.Errorf("an empty text: use present or absent")
		case len(s) > MaxValue:
			return 0, fmt.Errorf("a text of %d bytes: use at most %d", len(s), MaxValue)
		case len(field.Values) > 0 && !slices.Contains(field.Values, s):
			return 0, fmt.Errorf("%s is not a value of field %q: use one of %s", shown(s), field.Name, names(field.Values))
		}
	}
	n.texts = slices.Clone(list)
	switch n.test {
	case Matches:
		if k.patterns++; k.patterns > MaxPatterns {
			return 0, fmt.Errorf("more than %d patterns in the condition: join some with |", MaxPatterns)
		}
		if len(list) == 1 {
			n.pattern, err = compilePattern(list[0])
		}
	default:
		if n.fold {
			for i, s := range n.texts {
				n.texts[i] = fold.Text(s)
			}
		}
		if n.test != Contains && n.test != StartsWith {
			n.lookup = lookupOf(n)
		}
	}
	return len(list), err
}

func lookupOf(n *node) map[string]struct{} {
	if len(n.texts) < manyTexts {
		return nil
	}
	lookup := make(map[string]struct{}, len(n.texts))
	for _, s := range n.texts {
		lookup[s] = struct{}{}
	}
	return lookup
}

// scalars returns one value or a list of values of type T.
func scalars[T string | float64](value any, one, several string) ([]T, error) {
	switch v := value.(type) {
	case T:
		return []T{v}, nil
	case []T:
		if len(v) > MaxValues {
			return nil, fmt.Errorf("%d values: keep at most %d", len(v), MaxValues)
		}
		return slices.Clone(v), nil
	}
	return nil, fmt.Errorf("not %s or a list of %s", one, several)
}

// cmpBounds refuses a Between whose bounds are reversed.
func cmpBounds[T int64 | float64](err error, test Op, list []T) error {
	if err == nil && test == Between && len(list) == 2 && list[0] > list[1] {
		return fmt.Errorf("the lower bound is above the upper one: swap them")
	}
	return err
}
