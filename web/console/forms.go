package console

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// editView is a page on which one part of the set-up is edited: what was typed,
// and what became of it.
type editView struct {
	ID       string
	New      bool
	TypedID  string // of something new
	Form     any
	Trouble  *trouble
	Saved    bool
	Warnings []string
}

// saved answers a form that was saved: its page, with what cannot work yet.
func (q *request) saved(path, id string, warnings []sangdam.Warning) error {
	if len(warnings) > 0 {
		q.tell(path+id, word{Warnings: q.lang.warned(warnings)})
	}
	return q.done(path + id + "?saved=1")
}

// retireForm takes a part of the set-up out of use, or brings it back; Version is 0 where
// there is nothing yet to take out.
type retireForm struct {
	Path, ID string
	Version  int64
	Retired  bool
}

// retires reads which of the two was asked for, of the version that the page showed.
// Whoever takes something out of use says that it is meant.
func (q *request) retires(version *int64, retired *bool) error {
	*version, *retired = q.number("version"), q.value("retire") != "back"
	if *retired && !q.checked("sure") {
		return errs.New(errs.Invalid, "console: %s", q.lang.t("retire.unsure"))
	}
	return nil
}

// edit shows a page of the set-up; err is what was wrong with the form, if it
// was the person's to mend.
func (q *request) edit(page, title, id string, form any, err error) error {
	v := editView{ID: id, New: id == "new",
		TypedID: q.r.PostFormValue("id"), Form: form, Saved: q.r.FormValue("saved") != ""}
	if v.Saved {
		v.Warnings = q.leftWord().Warnings
	}
	var status int
	var ours error
	if v.Trouble, status, ours = q.mistake(err); ours != nil {
		return ours
	}
	if err != nil {
		v.Saved, v.Warnings = false, nil
	}
	section := "setup"
	switch page {
	case "trigger", "macro":
		section = "triggers"
	case "ticket-view":
		section = "tickets"
	}
	q.page(status, page, title, section, v)
	return nil
}

// idOf is the id of the path, or of the form for something new; one that was
// left empty is made up.
func (q *request) idOf() string {
	if id := q.r.PathValue("id"); id != "new" {
		return id
	}
	return q.idFor("")
}

// idFor is the id given, or that of the form, or one that is made up.
func (q *request) idFor(given string) string {
	if given != "" {
		return given
	}
	if id := strings.TrimSpace(q.r.PostFormValue("id")); id != "" {
		return id
	}
	return strings.ToLower(rand.Text()[:10])
}

func (q *request) value(name string) string { return strings.TrimSpace(q.r.PostFormValue(name)) }

func (q *request) checked(name string) bool { return q.r.PostFormValue(name) != "" }

// count is a number of a form, 0 for an empty field.
func (q *request) whole(name string) (int, error) {
	v := q.value(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_a_number", v))
	}
	return n, nil
}

// span is a number of seconds or minutes of a form.
func (q *request) span(name string, unit time.Duration) (time.Duration, error) {
	n, err := q.whole(name)
	if err == nil && n < 0 {
		err = errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_a_number", strconv.Itoa(n)))
	}
	return time.Duration(n) * unit, err
}

// languages that automated messages are written in, besides those that are
// there already; "" is for everybody else.
var languages = []string{"", "ko", "en", "ja"}

// textsForm are the automated messages of one part of the set-up.
type textsForm struct {
	Name, Title, Hint string
	Texts             []textForm
	Used              bool
}

type textForm struct{ Field, Label, Text string }

func (q *request) textsForm(texts automated.Texts) []textsForm {
	var out []textsForm
	names := slices.Clone(automated.Names)
	for _, n := range sortedKeys(texts) {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	for _, name := range names {
		f := textsForm{Name: name, Title: q.lang.of("auto", name), Hint: q.lang.of("auto_hint", name)}
		f.Texts = q.lang.inLanguages("text."+name, besides(texts[name]), texts[name])
		f.Used = slices.ContainsFunc(f.Texts, func(t textForm) bool { return t.Text != "" })
		out = append(out, f)
	}
	return out
}

// texts reads the automated messages of a form; empty ones are none.
func (q *request) texts() automated.Texts {
	out := automated.Texts{}
	for field, values := range q.r.PostForm {
		parts := strings.SplitN(field, ".", 3)
		text := strings.ReplaceAll(strings.TrimSpace(values[0]), "\r\n", "\n")
		if len(parts) != 3 || parts[0] != "text" || text == "" {
			continue
		}
		if out[parts[1]] == nil {
			out[parts[1]] = map[string]string{}
		}
		out[parts[1]][parts[2]] = text
	}
	return out
}

// hoursForm are operating hours as a form shows them.
type hoursForm struct {
	Mode         string // none, always, week
	Zone         string
	Days         []dayForm
	Exceptions   []exceptionForm
	NewException exceptionForm // what is copied for another
}

type dayForm struct{ Field, Label, Open string }

type exceptionForm struct {
	N                    string
	From, To, Name, Open string
	Holiday              bool
	Today                string // the first day that may be chosen: today in the zone of the hours
}

// weekdays in the order in which people read them.
var weekdays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}

func (q *request) hoursForm(c *hours.Calendar) hoursForm {
	f := hoursForm{Mode: "none", Zone: q.zone.String()}
	if f.Zone == "Local" {
		f.Zone = "UTC"
	}
	var week hours.Week
	if c != nil {
		f.Mode, f.Zone, week = "week", c.Zone, c.Week
		if c.Always {
			f.Mode = "always"
		}
		for i, e := range c.Exceptions {
			f.Exceptions = append(f.Exceptions, exceptionForm{N: strconv.Itoa(i), From: e.From.String(), To: e.To.String(), Name: e.Name,
				Open: intervals(e.Open), Holiday: e.Holiday})
		}
	}
	for _, d := range weekdays {
		n := strconv.Itoa(int(d))
		f.Days = append(f.Days, dayForm{"hours.day." + n, q.lang.t("time.weekday." + n), intervals(week.Days[d])})
	}
	return f.withRoom(q.now)
}

// withRoom adds an empty line for a new exception, which begins today or later.
func (f hoursForm) withRoom(now time.Time) hoursForm {
	today := exceptionForm{N: strconv.Itoa(len(f.Exceptions))}
	if zone, err := time.LoadLocation(f.Zone); err == nil {
		today.Today = now.In(zone).Format(time.DateOnly)
	}
	f.Exceptions = append(f.Exceptions, today)
	today.N = newRow
	f.NewException = today
	return f
}

func intervals(list []hours.Interval) string {
	var out []string
	for _, i := range list {
		out = append(out, i.From.String()+"-"+i.To.String())
	}
	return strings.Join(out, ", ")
}

// typedHours is the form as it was sent.
func (q *request) typedHours() hoursForm {
	f := hoursForm{Mode: q.value("hours.mode"), Zone: q.value("hours.zone")}
	for _, d := range weekdays {
		n := strconv.Itoa(int(d))
		f.Days = append(f.Days, dayForm{"hours.day." + n, q.lang.t("time.weekday." + n), q.value("hours.day." + n)})
	}
	for _, n := range q.r.PostForm["hours.ex.row"] {
		p := "hours.ex." + n + "."
		e := exceptionForm{N: strconv.Itoa(len(f.Exceptions)), From: q.value(p + "from"), To: q.value(p + "to"), Name: q.value(p + "name"),
			Open: q.value(p + "open"), Holiday: q.checked(p + "holiday")}
		if e.From != "" || e.To != "" || e.Name != "" {
			f.Exceptions = append(f.Exceptions, e)
		}
	}
	return f
}

// calendar makes operating hours of a form; nil for none.
func (q *request) calendar(f hoursForm) (*hours.Calendar, error) {
	if f.Mode == "none" || f.Mode == "" {
		return nil, nil //nolint:nilnil // no hours are a valid answer
	}
	c := &hours.Calendar{Zone: f.Zone, Always: f.Mode == "always"}
	for i, d := range f.Days {
		if c.Always {
			break
		}
		open, err := q.intervals(d.Open)
		if err != nil {
			return nil, err
		}
		c.Week.Days[weekdays[i]] = open
	}
	for _, e := range f.Exceptions {
		x, err := q.exception(e)
		if err != nil {
			return nil, err
		}
		c.Exceptions = append(c.Exceptions, x)
	}
	return c, nil
}

// exception reads a day or days with hours of their own.
func (q *request) exception(e exceptionForm) (x hours.Exception, err error) {
	x = hours.Exception{Name: e.Name, Holiday: e.Holiday}
	if x.From, err = hours.ParseDate(e.From); err != nil {
		return x, err
	}
	if x.To, err = hours.ParseDate(cmp.Or(e.To, e.From)); err != nil {
		return x, err
	}
	x.Open, err = q.intervals(e.Open)
	return x, err
}

// intervals reads "09:00-12:00, 13:00-18:00".
func (q *request) intervals(text string) (out []hours.Interval, err error) {
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		from, to, ok := strings.Cut(part, "-")
		if !ok {
			return nil, errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_an_interval", part))
		}
		var i hours.Interval
		if i.From, err = hours.ParseClock(strings.TrimSpace(from)); err != nil {
			return nil, err
		}
		if i.To, err = hours.ParseClock(strings.TrimSpace(to)); err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

// agentChoices lists the agents, with those chosen marked.
func (q *request) agentChoices(agents []routing.Agent, chosen func(routing.AgentID) bool) []choice {
	var out []choice
	for _, a := range agents {
		out = append(out, choice{string(a.ID), cmp.Or(a.Name, string(a.ID)), chosen(a.ID)})
	}
	return out
}

// named lists the values of a fixed set, in words.
func (q *request) named(group string, chosen func(string) bool, values ...string) []choice {
	var out []choice
	for _, v := range values {
		out = append(out, choice{v, q.lang.of(group, v), chosen(v)})
	}
	return out
}

func is(chosen string) func(string) bool { return func(v string) bool { return v == chosen } }
