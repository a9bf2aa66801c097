package console

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// levelForm is a service level as the page shows it.
type levelForm struct {
	Level     ticket.ServiceLevel
	When      conditionForm
	Lists     []fieldList
	Goals     []goalForm
	Calendars []choice
	Warn      string
}

type goalForm struct{ Field, Label, Minutes string }

var goalTargets = []ticket.Target{ticket.FirstAnswer, ticket.NextAnswer, ticket.ResolutionTime}

// goals is what a level promises, in a line.
func (q *request) goals(l ticket.ServiceLevel) string {
	var out []string
	for _, t := range goalTargets {
		if d := l.Goals[t]; d > 0 {
			out = append(out, q.lang.t("target."+string(t))+": "+q.since(q.now.Add(-d)))
		}
	}
	return strings.Join(out, ", ")
}

// findLevel is the stored level with the fields that its condition may ask.
func (q *request) findLevel(id string) (l ticket.ServiceLevel, fields []condition.Field, err error) {
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return l, nil, err
	}
	fields = ticket.SchemaFields(set.Fields)
	if id == "new" {
		return l, fields, nil
	}
	for _, s := range set.Levels {
		if s.ID == id {
			return s, fields, nil
		}
	}
	return l, nil, errNoPage
}

func (q *request) levelForm(l ticket.ServiceLevel, fields []condition.Field) (levelForm, error) {
	v := levelForm{Level: l, When: q.conditionForm("", l.When, fields, operatorsOf(fields))}
	var err error
	if v.Lists, err = q.fieldLists(fields); err != nil {
		return v, err
	}
	for _, t := range goalTargets {
		g := goalForm{Field: "goal." + string(t), Label: q.lang.t("target." + string(t))}
		if d := l.Goals[t]; d > 0 {
			g.Minutes = strconv.Itoa(int(d.Minutes()))
		}
		v.Goals = append(v.Goals, g)
	}
	if l.WarnBefore > 0 {
		v.Warn = strconv.Itoa(int(l.WarnBefore.Minutes()))
	}
	list, err := q.engine.Triggers(q.r.Context(), q.p, "ticket")
	if err != nil {
		return v, err
	}
	for _, c := range list.Calendars {
		v.Calendars = append(v.Calendars, choice{c, c, c == l.Calendar})
	}
	return v, nil
}

func (q *request) level() error {
	id := q.r.PathValue("id")
	l, fields, err := q.findLevel(id)
	if err != nil {
		return err
	}
	f, err := q.levelForm(l, fields)
	if err != nil {
		return err
	}
	return q.edit("level", cmp.Or(l.Name, q.lang.t("levels.new")), id, f, nil)
}

func (q *request) saveLevel() error {
	id := q.r.PathValue("id")
	l, fields, err := q.findLevel(id)
	if err != nil {
		return err
	}
	if q.checked("delete") {
		c := sangdam.DeleteServiceLevel{Key: q.key(), Level: l.ID, Version: q.number("version")}
		if err := q.engine.DeleteServiceLevel(q.r.Context(), q.p, c); err != nil {
			return err
		}
		return q.done("/setup/tickets?saved=1")
	}
	if err = q.readLevel(&l, fields); err == nil {
		var saved sangdam.Saved
		if saved, err = q.engine.SaveServiceLevel(q.r.Context(), q.p, sangdam.SaveServiceLevel{Key: q.key(), Level: l}); err == nil {
			return q.saved("/setup/levels/", escaped(saved.ID), saved.Warnings)
		}
	}
	f, again := q.levelForm(l, fields)
	if again != nil {
		return again
	}
	return q.edit("level", cmp.Or(l.Name, q.lang.t("levels.new")), id, f, err)
}

func (q *request) readLevel(l *ticket.ServiceLevel, fields []condition.Field) (err error) {
	l.Version, l.Name, l.Calendar, l.RunOnHold = q.number("version"), q.value("name"), q.value("calendar"), q.checked("run_on_hold")
	if l.Position, err = q.whole("position"); err != nil {
		return err
	}
	l.Goals = map[ticket.Target]time.Duration{}
	for _, t := range goalTargets {
		d, err := q.span("goal."+string(t), time.Minute)
		if err != nil {
			return err
		}
		if d > 0 {
			l.Goals[t] = d
		}
	}
	if l.WarnBefore, err = q.span("warn", time.Minute); err != nil {
		return err
	}
	l.When, err = q.readCondition("", fields)
	return err
}
