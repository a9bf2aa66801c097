package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// conditionForm is a condition as rows of field, operator and value, in blocks:
// those that must all hold, those of which one is enough, and groups of either
// sort inside. It is there as JSON too, for experts.
type conditionForm struct {
	Prefix   string // of the names of its inputs; empty where a form has one condition
	Blocks   []conditionBlock
	NewRow   clauseRow // what the page's script copies for another row
	NewGroup clauseRow
	JSON     string
	Expert   bool   // the JSON counts
	Ops      string // JSON: which operators go with which type, for the page's script
	Depth    int    // how deep groups may be nested
}

// conditionBlock are the rows of a condition or of a group, one below the other.
type conditionBlock struct {
	Name, Title string // of the condition's own; empty in a group
	Path        string // what the names of its rows' inputs begin with
	Deepest     bool   // no group goes in here
	Rows        []clauseRow
}

// clauseRow is one clause of a block, or a group.
type clauseRow struct {
	N      string
	Prefix string // of the names of its inputs
	Fields []fieldChoice
	Ops    []choice
	Value  string
	Values []string // that an enum may have
	Names  bool     // an attribute can be named that no field stands for
	Group  *groupForm
}

// groupForm is a group: which of its rows must hold, and its rows.
type groupForm struct {
	Modes []choice
	Block conditionBlock
}

type fieldChoice struct {
	choice
	Type condition.Type
}

// fieldList are the values that a field is known to have, for whoever writes a
// condition.
type fieldList struct {
	Field   string
	Options []choice
}

// fieldLists lists them for the fields that have some.
func (q *request) fieldLists(fields []condition.Field) (out []fieldList, err error) {
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		l := fieldList{Field: f.Name}
		add := func(value, label string) {
			l.Options = append(l.Options, choice{Value: value, Label: cmp.Or(label, value)})
		}
		for _, v := range f.Values {
			add(v, "")
		}
		switch {
		case f.Type == condition.TypeBool:
			l.Options = []choice{{Value: "true", Label: q.lang.t("on")}, {Value: "false", Label: q.lang.t("off")}}
		case f.Name == "channel" && len(f.Values) == 0:
			for _, k := range d.Kinds {
				add(string(k), q.lang.of("channel", string(k)))
			}
		case f.Name == "account":
			for _, id := range sortedKeys(d.Accounts) {
				add(string(id), d.Accounts[id].Name)
			}
		case f.Name == "desk":
			l.Options = usable(q, d.Desks, d.RetiredDesks, none)
		case f.Name == "queue":
			l.Options = q.queueChoices(d, none)
		case f.Name == "agent":
			for _, a := range d.Agents {
				add(string(a.ID), a.Name)
			}
		case f.Name == "group":
			for _, g := range set.Groups {
				add(string(g.ID), g.Name)
			}
		case f.Name == "category":
			l.Options = q.categoryChoices(set.Trees[ticket.Intake], "")
		case f.Name == "resolution":
			l.Options = q.categoryChoices(set.Trees[ticket.Resolution], "")
		}
		if len(l.Options) > 0 {
			out = append(out, l)
		}
	}
	return out, nil
}

// typed are the fields by their names.
func typed(fields []condition.Field) map[string]condition.Field {
	out := map[string]condition.Field{}
	for _, f := range fields {
		out[f.Name] = f
	}
	return out
}

// emptyRows are offered in each block of a condition for new clauses.
const emptyRows = 1

// maxRows bounds the numbers of rows in a block; those of removed rows are not
// given again.
const maxRows = 4 * condition.MaxClauses

// copied begins the names in what the page's script copies; it puts the block's
// path in its place.
const copied = "~"

// anyAttribute is the field of a row that names an attribute by itself.
const anyAttribute = "attribute."

func (q *request) conditionForm(prefix string, c condition.Condition, fields []condition.Field,
	ops map[condition.Type][]condition.Op) conditionForm {
	m := conditionMaker{q, fields, typed(fields), ops}
	f := conditionForm{Prefix: prefix, Depth: condition.MaxDepth, NewRow: m.row(copied, "", condition.Clause{})}
	f.NewGroup = m.group(copied, "", condition.Clause{}, condition.MaxDepth-2) // where its own block takes groups too
	if !c.IsZero() {
		f.JSON = indented(c)
	}
	raw, err := json.Marshal(ops)
	if err != nil {
		raw = []byte("{}")
	}
	f.Ops = string(raw)
	every, fits := oneSort(c.All, 1)
	some, fitsToo := oneSort(c.Any, 1)
	if f.Expert = !fits || !fitsToo; f.Expert {
		every, some = nil, nil
	}
	one := func(name string, clauses []condition.Clause) {
		block := m.block(prefix+name+".", append(clauses, make([]condition.Clause, emptyRows)...), 1)
		block.Name, block.Title = name, q.lang.t("condition."+name)
		f.Blocks = append(f.Blocks, block)
	}
	one("all", every)
	one("any", some)
	return f
}

// oneSort gives every group one sort of rows: what must all hold and what one of
// is enough of become two groups, which mean the same. It is false where that
// nests deeper than a condition may.
func oneSort(clauses []condition.Clause, depth int) (out []condition.Clause, fits bool) {
	for _, c := range clauses {
		if len(c.All) > 0 && len(c.Any) > 0 {
			c = condition.Clause{All: append(slices.Clip(c.All), condition.Clause{Any: c.Any})}
		}
		if len(c.All)+len(c.Any) > 0 && depth >= condition.MaxDepth {
			return nil, false
		}
		if c.All, fits = oneSort(c.All, depth+1); !fits {
			return nil, false
		}
		if c.Any, fits = oneSort(c.Any, depth+1); !fits {
			return nil, false
		}
		out = append(out, c)
	}
	return out, true
}

// conditionMaker makes rows of clauses.
type conditionMaker struct {
	q      *request
	fields []condition.Field
	kinds  map[string]condition.Field
	ops    map[condition.Type][]condition.Op
}

func (m conditionMaker) block(path string, clauses []condition.Clause, depth int) conditionBlock {
	b := conditionBlock{Path: path, Deepest: depth >= condition.MaxDepth}
	for i, c := range clauses {
		n := strconv.Itoa(i)
		if len(c.All)+len(c.Any) > 0 {
			b.Rows = append(b.Rows, m.group(path+n+".", n, c, depth))
		} else {
			b.Rows = append(b.Rows, m.row(path+n+".", n, c))
		}
	}
	return b
}

// group is a group that stands in a block of this depth.
func (m conditionMaker) group(prefix, n string, c condition.Clause, depth int) clauseRow {
	mode, clauses := "any", c.Any
	if len(c.All) > 0 {
		mode, clauses = "all", c.All
	}
	if len(clauses) == 0 {
		clauses = make([]condition.Clause, emptyRows)
	}
	g := groupForm{Block: m.block(prefix+"in.", clauses, depth+1)}
	for _, name := range []string{"all", "any"} {
		g.Modes = append(g.Modes, choice{name, m.q.lang.t("condition." + name), name == mode})
	}
	return clauseRow{N: n, Prefix: prefix, Group: &g}
}

func (m conditionMaker) row(prefix, n string, c condition.Clause) clauseRow {
	row := clauseRow{N: n, Prefix: prefix, Value: clauseText(c.Value), Values: m.kinds[c.Field].Values}
	for _, f := range m.fields {
		row.Fields = append(row.Fields, fieldChoice{choice{f.Name, m.q.lang.of("field", f.Name), f.Name == c.Field}, f.Type})
		row.Names = row.Names || f.Name == anyAttribute
	}
	if _, known := m.kinds[c.Field]; c.Field != "" && !known { // such as an attribute that a bot finds out
		row.Fields = append(row.Fields, fieldChoice{choice{c.Field, m.q.lang.of("field", c.Field), true}, condition.TypeText})
	}
	var offered []condition.Op // all of them: the page's script shows those that fit
	for _, t := range sortedKeys(m.ops) {
		for _, o := range m.ops[t] {
			if !slices.Contains(offered, o) {
				offered = append(offered, o)
				row.Ops = append(row.Ops, choice{string(o), m.q.lang.of("op", string(o)), o == c.Op})
			}
		}
	}
	return row
}

// clauseText is a clause's value as people write it.
func clauseText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case []string:
		return strings.Join(v, ", ")
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []float64:
		var out []string
		for _, n := range v {
			out = append(out, strconv.FormatFloat(n, 'f', -1, 64))
		}
		return strings.Join(out, ", ")
	case time.Time:
		return v.Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}

// lists are the operators that take several values.
var lists = []condition.Op{condition.In, condition.NotIn, condition.HasAny, condition.HasAll, condition.HasNone, condition.Between}

// readCondition makes a condition of the rows of a form, or of its JSON where
// that was chosen.
func (q *request) readCondition(prefix string, fields []condition.Field) (c condition.Condition, err error) {
	if mode := q.value(prefix + "condition.mode"); mode == "json" || mode == "" {
		text := q.value(prefix + "when")
		if text == "" {
			return c, nil
		}
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return c, errs.New(errs.Invalid, "console: %s", q.lang.t("triggers.wrong", q.lang.t("triggers.when"), err.Error()))
		}
		return c, nil
	}
	kinds := typed(fields)
	var wrong error
	c.All, err = q.readBlock(prefix+"all.", kinds, 1)
	c.Any, wrong = q.readBlock(prefix+"any.", kinds, 1)
	return c, cmp.Or(err, wrong)
}

// readBlock reads the rows of a block, and of the groups in it. Rows are complete
// also when something is wrong with them, so that what was typed stays; a group
// without a row is none.
func (q *request) readBlock(path string, kinds map[string]condition.Field, depth int) (out []condition.Clause, err error) {
	for i := range maxRows {
		row, wrong := fmt.Sprintf("%s%d.", path, i), error(nil)
		if mode := q.value(row + "group"); mode != "" && depth < condition.MaxDepth {
			var group condition.Clause
			if mode == "all" {
				group.All, wrong = q.readBlock(row+"in.", kinds, depth+1)
			} else {
				group.Any, wrong = q.readBlock(row+"in.", kinds, depth+1)
			}
			if len(group.All)+len(group.Any) > 0 {
				out = append(out, group)
			}
		} else if name := q.value(row + "field"); name != "" {
			if name == anyAttribute {
				name += q.value(row + "attribute")
			}
			var clause condition.Clause
			clause, wrong = q.readClause(row, kinds[name], name)
			out = append(out, clause)
		}
		err = cmp.Or(err, wrong)
	}
	return out, err
}

func (q *request) readClause(prefix string, f condition.Field, name string) (condition.Clause, error) {
	clause := condition.Clause{Field: name, Op: condition.Op(q.value(prefix + "op"))}
	text := q.value(prefix + "value")
	switch clause.Op {
	case condition.Present, condition.Absent, condition.Changed:
		return clause, nil
	}
	var words []string
	for w := range strings.SplitSeq(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, w)
		}
	}
	several := slices.Contains(lists, clause.Op)
	switch {
	case f.Type == condition.TypeNumber:
		var numbers []float64
		for _, w := range words {
			n, err := strconv.ParseFloat(w, 64)
			if err != nil {
				clause.Value = text
				return clause, errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_a_number", w))
			}
			numbers = append(numbers, n)
		}
		if clause.Value = numbers; !several && len(numbers) == 1 {
			clause.Value = numbers[0]
		}
	case f.Type == condition.TypeBool:
		clause.Value = text == "true" || text == q.lang.t("on") || text == "1"
	case several:
		clause.Value = words
	default:
		clause.Value = text
	}
	return clause, nil
}
