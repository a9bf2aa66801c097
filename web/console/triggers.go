package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/trigger"
)

// triggerSubjects are the kinds of record that the page has triggers for.
var triggerSubjects = []string{"ticket", "conversation"}

const (
	// runsShown are the entries of the run log on one page.
	runsShown = 50
	// tracedFor is for how long the run log keeps misses when somebody asks for it.
	tracedFor = 10 * time.Minute
)

// triggersView is the list of triggers of one kind of record.
type triggersView struct {
	Subjects []tab
	Subject  string
	Rows     []triggerRow
	Version  int64 // of the list
	Findings []string
}

type triggerRow struct {
	ID, Title, Broken string
	Version           int64
	Active            bool
	Timed             bool
	First, Last       bool
	Actions           string
}

// triggerView is the editor of one trigger.
type triggerView struct {
	Trigger   trigger.Trigger
	When      conditionForm
	Lists     []fieldList
	After     afterForm
	Actions   actionsForm
	Subjects  []choice
	Fields    []triggerField
	Places    []string
	Runs      []runView
	More      string // the page of earlier runs
	Traced    string // until when the run log keeps misses too
	Trace     int    // for how many minutes it would
	Findings  []string
	CanDelete bool
	Periods   []choice
	Trial     *trialView
	Trials    []choice // earlier ones
}

type triggerField struct{ Name, Type, Operators string }

type runView struct {
	When, Record, Event string
	Matched             bool
	Why, Outcomes       []string
	Cut                 string
}

// subjectOf is the kind of record that a request is about.
func (q *request) subjectOf() string {
	for _, s := range triggerSubjects {
		if q.r.FormValue("subject") == s {
			return s
		}
	}
	return triggerSubjects[0]
}

// triggers is the page of the list, with what the lint says.
func (q *request) triggers() error {
	subject := q.subjectOf()
	list, err := q.engine.Triggers(q.r.Context(), q.p, subject)
	if err != nil {
		return err
	}
	v := triggersView{Subject: subject, Version: list.Version}
	for _, s := range triggerSubjects {
		v.Subjects = append(v.Subjects,
			tab{Key: q.lang.t("triggers.of." + s), URL: q.o.Prefix + "/triggers?subject=" + s, Current: s == subject})
	}
	for i, t := range list.Triggers {
		var kinds []string
		for _, a := range t.Actions {
			kinds = append(kinds, q.lang.of("does", a.Kind))
		}
		v.Rows = append(v.Rows, triggerRow{ID: string(t.ID), Title: t.Title, Broken: t.Broken, Version: t.Version, Active: t.Active,
			Timed: t.After != nil, First: i == 0, Last: i == len(list.Triggers)-1, Actions: strings.Join(kinds, ", ")})
	}
	for _, f := range list.Findings {
		v.Findings = append(v.Findings, q.lang.linted(f, titlesOf(list)))
	}
	q.page(http.StatusOK, "triggers", q.lang.t("nav.triggers"), "triggers", v)
	return nil
}

// titlesOf says how people call the triggers of a list.
func titlesOf(list sangdam.TriggerList) func(trigger.ID) string {
	return func(id trigger.ID) string {
		for _, t := range list.Triggers {
			if t.ID == id {
				return cmp.Or(t.Title, string(id))
			}
		}
		return string(id)
	}
}

// findTrigger finds a stored trigger in whatever kind of record it is about.
func (q *request) findTrigger(id string) (trigger.Trigger, error) {
	if id == "new" {
		return trigger.Trigger{Subject: q.subjectOf()}, nil
	}
	for _, subject := range triggerSubjects {
		list, err := q.engine.Triggers(q.r.Context(), q.p, subject)
		if err != nil {
			return trigger.Trigger{}, err
		}
		for _, t := range list.Triggers {
			if string(t.ID) == id {
				return t.Trigger, nil
			}
		}
	}
	return trigger.Trigger{}, errNoPage
}

// indented is a value as JSON that people can edit.
func indented(v any) string {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil || string(raw) == "null" {
		return ""
	}
	return string(raw)
}

func (q *request) triggerView(t trigger.Trigger) (triggerView, error) {
	list, err := q.engine.Triggers(q.r.Context(), q.p, t.Subject)
	if err != nil {
		return triggerView{}, err
	}
	actions, err := q.actionsForm(t.Actions, list.Actions)
	if err != nil {
		return triggerView{}, err
	}
	v := triggerView{Trigger: t, When: q.conditionForm("", t.When, list.Fields, list.Operators), Actions: actions,
		After: q.afterForm(t.After, list.Fields, list.Calendars), Places: list.Placeholders,
		Subjects: q.named("triggers.of", is(t.Subject), triggerSubjects...), CanDelete: t.Version > 0 && !t.Active,
		Periods: q.periods()}
	if v.Lists, err = q.fieldLists(list.Fields); err != nil {
		return v, err
	}
	for _, f := range list.Fields {
		var ops []string
		for _, o := range list.Operators[f.Type] {
			ops = append(ops, string(o))
		}
		v.Fields = append(v.Fields, triggerField{f.Name, string(f.Type), strings.Join(ops, ", ")})
	}
	for _, f := range list.Findings {
		if f.Trigger == t.ID && t.ID != "" {
			v.Findings = append(v.Findings, q.lang.linted(f, titlesOf(list)))
		}
	}
	if t.ID == "" {
		return v, nil
	}
	if v.Trials, err = q.pastTrials(t.ID); err != nil {
		return v, err
	}
	runs, err := q.engine.TriggerRuns(q.r.Context(), q.p, sangdam.TriggerRunFilter{Trigger: t.ID}, q.r.FormValue("runs"), runsShown)
	if err != nil {
		return v, err
	}
	if runs.Next != "" {
		v.More = "/triggers/" + escaped(string(t.ID)) + "?runs=" + escaped(runs.Next) + "#runs"
	}
	if v.Trace = int(tracedFor.Minutes()); list.TraceUntil.After(q.now) {
		v.Traced = q.clock(list.TraceUntil)
	}
	for _, r := range runs.Runs {
		v.Runs = append(v.Runs, q.runView(r))
	}
	return v, nil
}

// runView is an entry of the run log in words: ids and states, never texts.
func (q *request) runView(r sangdam.TriggerRun) runView {
	v := runView{When: q.full(r.At), Record: r.Record, Event: strings.Join(r.Happened, ", "), Matched: r.Matched, Cut: r.Cut}
	for _, why := range r.Why {
		v.Why = append(v.Why, why.String())
	}
	for _, o := range r.Outcomes {
		mark := "✓ "
		if !o.Done {
			mark = "✗ "
		}
		v.Outcomes = append(v.Outcomes, strings.TrimSpace(mark+o.Kind+" "+q.lang.noted(o)))
	}
	return v
}

func (q *request) trigger() error {
	id := q.r.PathValue("id")
	t, err := q.findTrigger(id)
	if err != nil {
		return err
	}
	trial, err := q.trialOf(id)
	if err != nil {
		return err
	}
	if trial != nil { // as it is tried, which may not be saved
		if t = trial.trigger; id == "new" {
			t.ID = ""
		}
	}
	v, err := q.triggerView(t)
	if err != nil {
		return err
	}
	v.Trial = trial
	return q.edit("trigger", cmp.Or(t.Title, q.lang.t("triggers.new")), id, v, nil)
}

func (q *request) saveTrigger() error {
	id := q.r.PathValue("id")
	t, err := q.findTrigger(id)
	if err != nil {
		return err
	}
	if q.checked("delete") {
		c := sangdam.DeleteTrigger{Key: q.key(), Trigger: t.ID, Version: q.number("version")}
		if err = q.engine.DeleteTrigger(q.r.Context(), q.p, c); err == nil {
			return q.done("/triggers?subject=" + escaped(t.Subject))
		}
	} else if err = q.readTrigger(&t); err == nil {
		if q.checked("try") {
			return q.tryTrigger(id, t)
		}
		var saved sangdam.Saved
		if saved, err = q.engine.SaveTrigger(q.r.Context(), q.p, sangdam.SaveTrigger{Key: q.key(), Trigger: t}); err == nil {
			return q.saved("/triggers/", escaped(saved.ID), saved.Warnings)
		}
	}
	return q.triggerAgain(id, t, err)
}

// triggerAgain shows the editor with what was typed.
func (q *request) triggerAgain(id string, t trigger.Trigger, wrong error) error {
	v, err := q.triggerView(t)
	if err != nil {
		return err
	}
	for i, n := range q.r.PostForm["action.row"] {
		if i < len(v.Actions.Rows) { // also what cannot be read stays
			v.Actions.Rows[i].More = cmp.Or(q.unreadable("action."+n+".more"), v.Actions.Rows[i].More)
		}
	}
	if q.value("condition.mode") == "json" { // also what cannot be read stays
		v.When.JSON, v.When.Expert = q.r.PostFormValue("when"), true
	}
	return q.edit("trigger", cmp.Or(t.Title, q.lang.t("triggers.new")), id, v, wrong)
}

// unreadable is the JSON of a field that is none; "" for what can be read.
func (q *request) unreadable(name string) string {
	text := q.r.PostFormValue(name)
	if json.Valid([]byte(text)) {
		return ""
	}
	return text
}

func (q *request) readTrigger(t *trigger.Trigger) error {
	t.Version, t.Title, t.Active, t.Cascade = q.number("version"), q.value("title"), q.checked("active"), q.checked("cascade")
	if t.Version == 0 {
		t.Subject = q.subjectOf()
	}
	list, err := q.engine.Triggers(q.r.Context(), q.p, t.Subject)
	if err != nil {
		return err
	}
	var wrong [2]error // all is read, so that all that was typed stays
	t.When, err = q.readCondition("", list.Fields)
	t.After, wrong[0] = q.readAfter()
	t.Actions, wrong[1] = q.readActions()
	return cmp.Or(err, wrong[0], wrong[1])
}

// switchTrigger switches one on or off from the list.
func (q *request) switchTrigger() error {
	c := sangdam.SwitchTrigger{Key: q.key(), Trigger: trigger.ID(q.r.PathValue("id")), Version: q.number("version"),
		Active: q.checked("active")}
	if _, err := q.engine.SwitchTrigger(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/triggers?subject=" + escaped(q.subjectOf()))
}

// moveTrigger puts one before or behind its neighbour: they run in the order of
// the list. Who looks at an older list is told, since the neighbour may be another.
func (q *request) moveTrigger() error {
	subject := q.subjectOf()
	list, err := q.engine.Triggers(q.r.Context(), q.p, subject)
	if err != nil {
		return err
	}
	var order []trigger.ID
	for _, t := range list.Triggers {
		order = append(order, t.ID)
	}
	id := trigger.ID(q.r.PathValue("id"))
	at := slices.Index(order, id)
	to := map[string]int{"up": at - 1, "down": at + 1}
	with, known := to[q.value("to")]
	if at < 0 || !known || with < 0 || with >= len(order) {
		return errNoPage
	}
	order[at], order[with] = order[with], order[at]
	c := sangdam.OrderTriggers{Key: q.key(), Subject: subject, Order: order, Version: q.number("version")}
	if _, err := q.engine.OrderTriggers(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/triggers?subject=" + escaped(subject) + "#t-" + escaped(string(id)))
}

// traceTriggers has the run log keep for a while also why triggers do not apply,
// or ends that.
func (q *request) traceTriggers() error {
	c := sangdam.TraceTriggers{Key: q.key()}
	if q.checked("on") {
		c.For = tracedFor
	}
	if err := q.engine.TraceTriggers(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/triggers/" + escaped(q.r.PathValue("id")) + "#runs")
}
