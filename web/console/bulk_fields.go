package console

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// bulkField is a field of the workspace on the form of a bulk change: left empty it
// stays as it is on each ticket, and a tick takes what it holds away.
type bulkField struct {
	Field   fieldView
	Clears  bool // it may be empty
	Cleared bool
}

// bulkFields are those that many tickets can be given: no files, which belong to one
// ticket, and no encrypted ones, which a bulk change would keep in the open.
func (q *request) bulkFields(set sangdam.TicketSetup) (out []bulkField) {
	for _, f := range set.Fields.AgentFields("", slices.Contains(q.p.Roles, sangdam.RoleAdministrator)) {
		if f.Type == ticket.File || f.Encrypted {
			continue
		}
		typed, _ := q.typedField(f.Code) // what is wrong with it was told
		row := bulkField{Field: q.fieldView(f, typed), Clears: !f.Required,
			Cleared: slices.Contains(q.r.PostForm["clear"], f.Code)}
		if row.Field.None = q.lang.t("bulk.keep"); f.Type != ticket.Checkbox {
			row.Field.Value = q.value("field." + f.Code)
		}
		out = append(out, row)
	}
	return out
}

// bulkValues reads them.
func (q *request) bulkValues() (map[string]ticket.Value, error) {
	out, err := q.fieldValues(ticket.Ticket{})
	if err != nil {
		return nil, err
	}
	for _, code := range q.r.PostForm["clear"] {
		if _, typed := out[code]; typed {
			return nil, errs.New(errs.Invalid, "console: %s", q.lang.t("bulk.both", code))
		}
		out[code] = ticket.Value{}
	}
	return out, nil
}

// valuesWords say what a change gives the fields of the workspace.
func (q *request) valuesWords(set sangdam.TicketSetup, values map[string]ticket.Value) (out []string) {
	for _, code := range sortedKeys(values) {
		f, _ := set.Fields.Field(code)
		fv := q.fieldView(f, values[code])
		said := []string{fv.Value}
		if len(values[code].List) > 0 {
			said = slices.Clone(values[code].List)
		}
		for i, s := range said {
			if at := slices.IndexFunc(fv.Options, func(c choice) bool { return c.Value == s }); at >= 0 {
				said[i] = fv.Options[at].Label
			}
		}
		out = append(out, q.lang.t("bulk.to", cmp.Or(fv.Name, code), cmp.Or(strings.Join(said, ", "), "–")))
	}
	return out
}

// bulkMacro is a macro that can be run on each ticket, with what it does.
type bulkMacro struct {
	Title  string
	Does   []string
	Public bool // it writes to the customers
}

// bulkMacros are those about tickets, and the choice among them.
func (q *request) bulkMacros(d *sangdam.Directory, set sangdam.TicketSetup) (out []bulkMacro, choices []choice, err error) {
	all, err := q.engine.Macros(q.r.Context(), q.p, "ticket")
	if err != nil {
		return nil, nil, err
	}
	choices = []choice{{"", q.lang.t("bulk.no_macro"), false}}
	for _, m := range all {
		out = append(out, q.bulkMacro(d, set, m))
		choices = append(choices, choice{m.ID, m.Title, m.ID == q.value("macro")})
	}
	return out, choices, nil
}

func (q *request) bulkMacro(d *sangdam.Directory, set sangdam.TicketSetup, m sangdam.Macro) bulkMacro {
	b := bulkMacro{Title: m.Title, Public: slices.ContainsFunc(m.Actions, func(a trigger.Action) bool { return a.Kind == action.Message })}
	for _, a := range m.Actions {
		b.Does = append(b.Does, q.actionWords(d, set, m.Subject, a)...)
	}
	return b
}

// typedField is the value of a field of the workspace in the form.
func (q *request) typedField(code string) (v ticket.Value, err error) {
	switch q.value("fieldtype." + code) {
	case string(ticket.Checkbox):
		v.List = q.r.PostForm["field."+code]
	case string(ticket.Number):
		if text := q.value("field." + code); text != "" {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return v, errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_a_number", text))
			}
			v.Number = &n
		}
	default:
		v.Text = q.value("field." + code)
	}
	return v, nil
}
