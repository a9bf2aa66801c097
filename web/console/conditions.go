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

// conditionForm is a condition as rows of field, operator and value: those that
// must all hold, and those of which one is enough. A condition with groups
// inside is shown as JSON, which is there for everybody as the expert's view.
type conditionForm struct {
	Prefix string // of the names of its inputs; empty where a form has one condition
	Blocks []conditionBlock
	JSON   string
	Expert bool   // the JSON counts
	Ops    string // JSON: which operators go with which type, for the page's script
}

type conditionBlock struct {
	Name, Title string
	Rows        []clauseRow
}

type clauseRow struct {
	Prefix string // of the names of its inputs
	Fields []fieldChoice
	Ops    []choice
	Value  string
	Values []string // that an enum may have
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
			for _, id := range sortedKeys(d.Desks) {
				add(string(id), d.Desks[id])
			}
		case f.Name == "queue":
			for _, id := range sortedKeys(d.Queues) {
				add(string(id), d.Queues[id])
			}
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

// emptyRows are offered in each block for new clauses.
const emptyRows = 1

// maxRows bounds a block of a form.
const maxRows = 30

func (q *request) conditionForm(prefix string, c condition.Condition, fields []condition.Field,
	ops map[condition.Type][]condition.Op) conditionForm {
	f := conditionForm{Prefix: prefix, Expert: !flat(c)}
	if !c.IsZero() {
		f.JSON = indented(c)
	}
	raw, err := json.Marshal(ops)
	if err != nil {
		raw = []byte("{}")
	}
	f.Ops = string(raw)
	for _, b := range []struct {
		name    string
		clauses []condition.Clause
	}{{"all", c.All}, {"any", c.Any}} {
		block := conditionBlock{Name: b.name, Title: q.lang.t("condition." + b.name)}
		rows := b.clauses
		if f.Expert {
			rows = nil
		}
		for i := range len(rows) + emptyRows {
			var clause condition.Clause
			if i < len(rows) {
				clause = rows[i]
			}
			block.Rows = append(block.Rows, q.clauseRow(fmt.Sprintf("%s%s.%d.", prefix, b.name, i), clause, fields, ops))
		}
		f.Blocks = append(f.Blocks, block)
	}
	return f
}

// flat says that a condition has no groups inside.
func flat(c condition.Condition) bool {
	return !slices.ContainsFunc(slices.Concat(c.All, c.Any), func(cl condition.Clause) bool { return len(cl.All)+len(cl.Any) > 0 })
}

func (q *request) clauseRow(prefix string, c condition.Clause, fields []condition.Field, ops map[condition.Type][]condition.Op) clauseRow {
	row := clauseRow{Prefix: prefix, Value: clauseText(c.Value)}
	kinds := typed(fields)
	for _, f := range fields {
		row.Fields = append(row.Fields, fieldChoice{choice{f.Name, q.lang.of("field", f.Name), f.Name == c.Field}, f.Type})
	}
	if _, known := kinds[c.Field]; c.Field != "" && !known { // such as an attribute that a bot finds out
		row.Fields = append(row.Fields, fieldChoice{choice{c.Field, q.lang.of("field", c.Field), true}, condition.TypeText})
	}
	var offered []condition.Op // all of them: the page's script shows those that fit
	for _, t := range sortedKeys(ops) {
		for _, o := range ops[t] {
			if !slices.Contains(offered, o) {
				offered = append(offered, o)
				row.Ops = append(row.Ops, choice{string(o), q.lang.of("op", string(o)), o == c.Op})
			}
		}
	}
	row.Values = kinds[c.Field].Values
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
	for block, into := range map[string]*[]condition.Clause{"all": &c.All, "any": &c.Any} {
		for i := range maxRows {
			row := fmt.Sprintf("%s%s.%d.", prefix, block, i)
			name := q.value(row + "field")
			if name == "" {
				continue
			}
			clause, wrong := q.readClause(row, kinds[name], name)
			if *into = append(*into, clause); wrong != nil { // what was typed stays
				err = wrong
			}
		}
	}
	return c, err
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
