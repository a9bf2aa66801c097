package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// macrosView is the list of macros about one kind of record.
type macrosView struct {
	Subjects []tab
	Subject  string
	Rows     []macroRow
}

type macroRow struct {
	ID, Title   string
	Version     int64
	First, Last bool
	Does        []string
}

// macroView is the editor of one macro.
type macroView struct {
	Macro   sangdam.Macro
	Actions actionsForm
	Fields  []triggerField
	Places  []string
}

// macros is the page of the list.
func (q *request) macros() error {
	subject := q.subjectOf()
	list, err := q.engine.Macros(q.r.Context(), q.p, subject)
	if err != nil {
		return err
	}
	v := macrosView{Subject: subject}
	for _, s := range triggerSubjects {
		v.Subjects = append(v.Subjects,
			tab{Key: q.lang.t("triggers.of." + s), URL: q.o.Prefix + "/macros?subject=" + s, Current: s == subject})
	}
	for i, m := range list {
		does, err := q.doesWords(m)
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, macroRow{ID: m.ID, Title: m.Title, Version: m.Version, First: i == 0, Last: i == len(list)-1,
			Does: does})
	}
	q.page(http.StatusOK, "macros", q.lang.t("macros.list"), "triggers", v)
	return nil
}

// findMacro finds a macro of whatever kind of record, with its place in the list.
func (q *request) findMacro(id string) (sangdam.Macro, int, error) {
	if id == "new" {
		return sangdam.Macro{Subject: q.subjectOf()}, 0, nil
	}
	for _, subject := range triggerSubjects {
		list, err := q.engine.Macros(q.r.Context(), q.p, subject)
		if err != nil {
			return sangdam.Macro{}, 0, err
		}
		for i, m := range list {
			if m.ID == id {
				return m, i, nil
			}
		}
	}
	return sangdam.Macro{}, 0, errNoPage
}

func (q *request) macro() error {
	m, _, err := q.findMacro(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	return q.editMacro(m, nil)
}

// editMacro shows the editor; wrong is what was wrong with what was typed.
func (q *request) editMacro(m sangdam.Macro, wrong error) error {
	list, err := q.engine.Triggers(q.r.Context(), q.p, m.Subject)
	if err != nil {
		return err
	}
	v := macroView{Macro: m, Places: list.Placeholders}
	if v.Actions, err = q.actionsForm(m.Actions, q.engine.MacroActions(m.Subject)); err != nil {
		return err
	}
	for i, n := range q.r.PostForm["action.row"] {
		if i < len(v.Actions.Rows) { // also what cannot be read stays
			v.Actions.Rows[i].More = cmp.Or(q.unreadable("action."+n+".more"), v.Actions.Rows[i].More)
		}
	}
	for _, f := range list.Fields {
		v.Fields = append(v.Fields, triggerField{Name: f.Name, Type: string(f.Type)})
	}
	return q.edit("macro", cmp.Or(m.Title, q.lang.t("macros.new")), q.r.PathValue("id"), v, wrong)
}

func (q *request) saveMacro() error {
	m, _, err := q.findMacro(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	m.Version, m.Position = q.number("version"), 0
	if q.checked("delete") {
		c := sangdam.DeleteMacro{Key: q.key(), Macro: m.ID, Version: m.Version}
		if err = q.engine.DeleteMacro(q.r.Context(), q.p, c); err == nil {
			return q.done("/macros?subject=" + escaped(m.Subject))
		}
		return q.editMacro(m, err)
	}
	m.Title = q.value("title")
	if m.Actions, err = q.readActions(); err == nil {
		var saved sangdam.Saved
		if saved, err = q.engine.SaveMacro(q.r.Context(), q.p, sangdam.SaveMacro{Key: q.key(), Macro: m}); err == nil {
			return q.saved("/macros/", escaped(saved.ID), saved.Warnings)
		}
	}
	return q.editMacro(m, err)
}

// moveMacro puts one before or behind its neighbour. Who looks at an older list is
// told.
func (q *request) moveMacro() error {
	m, at, err := q.findMacro(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	to, known := map[string]int{"up": at, "down": at + 2}[q.value("to")]
	if !known || to < 1 {
		return errNoPage
	}
	m.Version, m.Position = q.number("version"), to
	if _, err := q.engine.SaveMacro(q.r.Context(), q.p, sangdam.SaveMacro{Key: q.key(), Macro: m}); err != nil {
		return err
	}
	return q.done("/macros?subject=" + escaped(m.Subject) + "#m-" + escaped(m.ID))
}

// chooseMacro is the form on a record's page that leads to what a macro will do.
type chooseMacro struct {
	Subject, Record string
	Macros          []choice
}

// macrosFor are the macros that the person may run on a record, and the form.
func (q *request) macrosFor(subject, record string) (chooseMacro, []sangdam.Macro, error) {
	list, err := q.engine.MacrosFor(q.r.Context(), q.p, subject, record)
	form := chooseMacro{Subject: subject, Record: record}
	for _, m := range list {
		form.Macros = append(form.Macros, choice{m.ID, m.Title, false})
	}
	return form, list, err
}

// runMacroView is the page that says what a macro will do, before it does it; without
// one, those that there are to choose from.
type runMacroView struct {
	Macro      sangdam.Macro
	Choose     *chooseMacro
	Record     string
	Back, Name string
	Does       []string
	Public     bool // it writes to the customer
	Trouble    *trouble
}

func (q *request) runPage() error { return q.showRun(nil) }

// showRun shows what a macro will do; wrong is what it was refused for.
func (q *request) showRun(wrong error) error {
	subject, record := q.subjectOf(), q.r.FormValue("record")
	form, list, err := q.macrosFor(subject, record)
	if err != nil {
		return err
	}
	v := runMacroView{Record: record, Back: recordPath(subject, record)}
	if chosen := q.r.FormValue("macro"); chosen == "" {
		v.Choose, v.Macro.Title = &form, q.lang.t("macros.list")
	} else if at := slices.IndexFunc(list, func(m sangdam.Macro) bool { return m.ID == chosen }); at >= 0 {
		v.Macro = list[at]
	} else {
		return errNoPage
	}
	if subject == "ticket" {
		names, err := q.engine.TicketNames(q.r.Context(), q.p, ticket.ID(record))
		if err != nil {
			return err
		}
		n := names[ticket.ID(record)]
		v.Name = fmt.Sprintf("#%d %s", n.Number, n.Title)
	}
	v.Name = cmp.Or(v.Name, q.lang.t("triggers.of."+subject))
	if v.Does, err = q.doesWords(v.Macro); err != nil {
		return err
	}
	v.Public = slices.ContainsFunc(v.Macro.Actions, func(a trigger.Action) bool { return a.Kind == action.Message })
	var status int
	if v.Trouble, status, err = q.mistake(wrong); err != nil {
		return err
	}
	q.page(status, "run-macro", v.Macro.Title, map[string]string{"ticket": "tickets", "conversation": "conversations"}[subject], v)
	return nil
}

// recordPath is the page of a record that macros are about.
func recordPath(subject, record string) string {
	return "/" + subject + "s/" + url.PathEscape(record)
}

// runMacro carries it out, all of it or nothing, and leads back to the record with
// what it could not do.
func (q *request) runMacro() error {
	subject, record := q.subjectOf(), q.value("record")
	out, err := q.engine.RunMacro(q.r.Context(), q.p, sangdam.RunMacro{Key: q.key(), Macro: q.value("macro"), Record: record})
	if err != nil {
		return q.showRun(err)
	}
	var left word
	for _, o := range out {
		if !o.Done {
			left.Warnings = append(left.Warnings, q.lang.t("macros.not_done", q.lang.of("does", o.Kind), q.lang.noted(o)))
		}
	}
	to := recordPath(subject, record)
	if _, _, err := q.macrosFor(subject, record); errors.Is(err, sangdam.ErrNotFound) {
		to = "/" + subject + "s" // it moved the record to where the person does not see it
	}
	if len(left.Warnings) > 0 {
		q.tell(to, left)
	}
	return q.done(to)
}

// doesWords say what a macro does, a line for each action.
func (q *request) doesWords(m sangdam.Macro) (out []string, err error) {
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return nil, err
	}
	for _, a := range m.Actions {
		out = append(out, q.actionWords(d, set, m.Subject, a)...)
	}
	return out, nil
}

// actionWords say what an action does.
func (q *request) actionWords(d *sangdam.Directory, set sangdam.TicketSetup, subject string, a trigger.Action) []string {
	all := members(a.Params)
	switch a.Kind {
	case action.Set:
		p, _ := trigger.Params[action.SetParams](a) // one that cannot be read was never saved
		return []string{q.lang.t("bulk.to", q.fieldName(set, p.Field), cmp.Or(q.fieldWord(d, set, p.Field, p.Value), "–"))}
	case action.Tag:
		p, _ := trigger.Params[action.TagParams](a)
		return q.changeWords(d, set, sangdam.TicketChange{AddTags: p.Add, RemoveTags: p.Remove}, nil)
	case action.Priority:
		p, _ := trigger.Params[action.PriorityParams](a)
		value := strconv.Itoa(p.Value)
		if subject == "ticket" {
			value = q.lang.of("priority", value)
		}
		return []string{q.lang.t("bulk.to", q.lang.t("member.priority"), value)}
	}
	var parts []string
	for _, p := range actionParams[a.Kind] {
		if w := q.paramWord(d, set, p, all[p.name]); w != "" {
			parts = append(parts, w)
		}
	}
	return []string{q.lang.t("bulk.to", q.lang.of("does", a.Kind), cmp.Or(strings.Join(parts, ", "), "–"))}
}

// fieldName is what people call a field that an action sets.
func (q *request) fieldName(set sangdam.TicketSetup, field string) string {
	if code, own := strings.CutPrefix(field, "field."); own {
		f, _ := set.Fields.Field(code)
		return cmp.Or(q.inLanguage(f.Names), code)
	}
	return q.lang.of("field", field)
}

// fieldWord is a value of such a field in words.
func (q *request) fieldWord(d *sangdam.Directory, set sangdam.TicketSetup, field, value string) string {
	switch field {
	case "category":
		return cmp.Or(q.categoryPath(set.Trees[ticket.Intake], ticket.CategoryID(value)), value)
	case "resolution":
		return cmp.Or(q.categoryPath(set.Trees[ticket.Resolution], ticket.CategoryID(value)), value)
	}
	return q.ticketWord(d, set, field, value)
}

// paramWord is the value of a parameter in words; "" where it has none.
func (q *request) paramWord(d *sangdam.Directory, set sangdam.TicketSetup, p param, raw json.RawMessage) string {
	switch p.kind {
	case paramAgents:
		var list []string
		_ = json.Unmarshal(raw, &list) // what is no list names nobody
		for i, id := range list {
			list[i] = agentName(d, routing.AgentID(id))
		}
		return strings.Join(list, ", ")
	case paramWords, paramTexts:
		var texts map[string]string
		_ = json.Unmarshal(raw, &texts) // what is no text says nothing
		return q.inLanguage(texts)
	}
	var text string
	_ = json.Unmarshal(raw, &text) // a number or a tick stands for itself
	switch p.kind {
	case paramGroup:
		return q.ticketWord(d, set, "group", text)
	case paramQueue:
		return cmp.Or(d.Queues[routing.QueueID(text)], text)
	case paramDesk:
		return cmp.Or(d.Desks[routing.DeskID(text)], text)
	case paramChoice:
		if text == "" {
			return ""
		}
		return q.lang.of("choose", text)
	}
	return cmp.Or(text, string(raw))
}
