package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/notify"
)

// hooks is the page of what goes out by web hooks: who is told what, and where.
func (q *request) hooks() error {
	subs, err := q.engine.Subscriptions(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	targets, err := q.engine.Targets(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	names := map[notify.TargetID]string{}
	for _, t := range targets {
		names[t.ID] = cmp.Or(t.Name, string(t.ID))
	}
	var rows []setupRow
	for _, s := range subs {
		where := cmp.Or(names[s.Target], string(s.Target)) + " · " + strings.Join(s.Events, ", ")
		rows = append(rows, setupRow{s.ID, s.Name, where, s.Disabled})
	}
	q.page(http.StatusOK, "hooks", q.lang.t("hooks.title"), "setup", rows)
	return nil
}

// hookForm is a subscription as its page shows it.
type hookForm struct {
	Subscription sangdam.Subscription
	Targets      []choice
	Groups       []eventGroup
	From, To     string // of a replay
}

// eventGroup are the events of one kind of record.
type eventGroup struct {
	Title string
	Used  bool
	All   choice
	Kinds []choice
}

func (q *request) hookForm(s sangdam.Subscription) (hookForm, error) {
	targets, err := q.targetChoices("", s.Target)
	f := hookForm{Subscription: s, Targets: targets}
	f.From, f.To = q.lastHour()
	events := sangdam.SubscribedEvents()
	for _, e := range s.Events { // one that a program named stays
		if !slices.Contains(events, e) {
			events = append(events, e)
		}
	}
	for _, code := range events {
		aggregate, kind, one := strings.Cut(code, ".")
		is := slices.Contains(s.Events, code)
		if !one {
			f.Groups = append(f.Groups, eventGroup{Title: q.lang.of("aggregate", code), All: choice{code, q.lang.t("hooks.all_of"), is},
				Used: is})
			continue
		}
		i := slices.IndexFunc(f.Groups, func(g eventGroup) bool { return g.All.Value == aggregate })
		if i < 0 {
			continue // what is sent back to be mended may be anything
		}
		f.Groups[i].Used = f.Groups[i].Used || is
		f.Groups[i].Kinds = append(f.Groups[i].Kinds, choice{code, q.lang.of("happens."+aggregate, kind), is})
	}
	return f, err
}

// findHook is a stored subscription, or a new one to the target that is named.
func (q *request) findHook(id string) (sangdam.Subscription, error) {
	if id == "new" {
		return sangdam.Subscription{Target: notify.TargetID(q.r.FormValue("target"))}, nil
	}
	all, err := q.engine.Subscriptions(q.r.Context(), q.p)
	if err != nil {
		return sangdam.Subscription{}, err
	}
	i := slices.IndexFunc(all, func(s sangdam.Subscription) bool { return s.ID == id })
	if i < 0 {
		return sangdam.Subscription{}, errNoPage
	}
	return all[i], nil
}

func (q *request) hook() error {
	id := q.r.PathValue("id")
	s, err := q.findHook(id)
	if err != nil {
		return err
	}
	return q.editHook(id, s, nil)
}

func (q *request) editHook(id string, s sangdam.Subscription, wrong error) error {
	f, err := q.hookForm(s)
	if err != nil {
		return err
	}
	return q.edit("hook", cmp.Or(s.Name, q.lang.t("hooks.new")), id, f, wrong)
}

func (q *request) saveHook() error {
	id := q.r.PathValue("id")
	s, err := q.findHook(id)
	if err != nil {
		return err
	}
	if q.checked("delete") {
		c := sangdam.DeleteSubscription{Key: q.key(), Subscription: s.ID, Version: q.number("version")}
		if err = q.engine.DeleteSubscription(q.r.Context(), q.p, c); err == nil {
			return q.done("/setup/hooks")
		}
		return q.editHook(id, s, err)
	}
	s.Version, s.Name, s.Target = q.number("version"), q.value("name"), notify.TargetID(q.value("target"))
	s.Disabled, s.Events = q.checked("disabled"), nil
	for _, e := range q.r.PostForm["event"] {
		if aggregate, _, one := strings.Cut(e, "."); !one || !slices.Contains(q.r.PostForm["event"], aggregate) {
			s.Events = append(s.Events, e) // all of a kind of record hold each of it
		}
	}
	saved, err := q.engine.SaveSubscription(q.r.Context(), q.p, sangdam.SaveSubscription{Key: q.key(), Subscription: s})
	if err != nil {
		return q.editHook(id, s, err)
	}
	return q.saved("/setup/hooks/", escaped(saved.ID), saved.Warnings)
}

// replayHook sends the events of a stretch of time to a subscription's target.
func (q *request) replayHook() error {
	id := q.r.PathValue("id")
	s, err := q.findHook(id)
	if err != nil {
		return err
	}
	c := sangdam.ReplayEvents{Key: q.key(), Subscription: s.ID}
	if c.Since, c.Until, err = q.stretch(); err == nil {
		if err = q.engine.ReplayEvents(q.r.Context(), q.p, c); err == nil {
			return q.done(deliveriesOf(s.Target) + "&asked=1")
		}
	}
	return q.editHook(id, s, err)
}

const minuteForm = "2006-01-02T15:04"

// lastHour is the stretch of time that a form proposes.
func (q *request) lastHour() (from, to string) {
	now := q.now.In(q.zone)
	return now.Add(-time.Hour).Format(minuteForm), now.Format(minuteForm)
}

// stretch reads the times of a replay, in the reader's zone. An end that is given
// is meant with its minute.
func (q *request) stretch() (from, to time.Time, err error) {
	if from, err = q.minute("from"); err != nil {
		return from, to, err
	}
	if q.value("to") == "" {
		return from, to, nil
	}
	to, err = q.minute("to")
	return from, to.Add(time.Minute), err
}
