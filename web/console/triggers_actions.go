package console

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// actionsForm are the actions of a trigger as rows, in their order.
type actionsForm struct {
	Rows  []actionForm
	Kinds []choice     // that may be added
	New   []actionForm // what is copied for another, one of each kind
}

// actionForm is one action. What the page has no field for stands in More as
// JSON, so that nothing is lost.
type actionForm struct {
	N, Kind, Title string
	Params         []paramForm
	More           string
	Unread         bool // More is all there is
}

// paramForm is one parameter: a text, several of them, a choice, or a tick.
type paramForm struct {
	Field, Label, Value string
	Options             []choice
	Texts               []textForm
	Several, Tick, On   bool
	Long                bool // its texts have lines
}

// What a parameter is.
type paramKind string

const (
	paramText     paramKind = "text"
	paramNumber   paramKind = "number"
	paramList     paramKind = "list" // separated by commas
	paramTick     paramKind = "tick"
	paramWords    paramKind = "words" // a line by language
	paramTexts    paramKind = "texts" // lines by language
	paramAgent    paramKind = "agent"
	paramAgents   paramKind = "agents"
	paramGroup    paramKind = "group"
	paramQueue    paramKind = "queue"
	paramDesk     paramKind = "desk"
	paramCategory paramKind = "category"
	paramChoice   paramKind = "choice"
	paramTo       paramKind = "to"
	paramTarget   paramKind = "target"
)

// param is a member of an action's parameters.
type param struct {
	name string
	kind paramKind
	// carrier is the kind of target that fits; "" for any.
	carrier notify.Kind
	// zero says that 0 is a value and not the lack of one.
	zero bool
}

// actionParams are the parameters of the library's own actions, in the order of
// the page. An action that is not here is edited as JSON.
var actionParams = map[string][]param{
	action.Assign:   {{name: "agents", kind: paramAgents}, {name: "group", kind: paramGroup}, {name: "choice", kind: paramChoice}},
	action.Queue:    {{name: "queue", kind: paramQueue}, {name: "desk", kind: paramDesk}},
	action.Set:      {{name: "field", kind: paramText}, {name: "value", kind: paramText}},
	action.Tag:      {{name: "add", kind: paramList}, {name: "remove", kind: paramList}},
	action.Priority: {{name: "value", kind: paramNumber, zero: true}},
	action.Note:     {{name: "text", kind: paramTexts}},
	action.Message:  {{name: "text", kind: paramTexts}},
	action.End:      {{name: "reason", kind: paramText}},
	action.Bot:      {{name: "bot", kind: paramText}},
	action.Ticket: {{name: "title", kind: paramWords}, {name: "category", kind: paramCategory}, {name: "group", kind: paramGroup},
		{name: "priority", kind: paramNumber}, {name: "tags", kind: paramList}},
	action.Mail: {{name: "to", kind: paramTo}, {name: "agent", kind: paramAgent}, {name: "group", kind: paramGroup},
		{name: "target", kind: paramTarget, carrier: "mail"}, {name: "subject", kind: paramWords}, {name: "body", kind: paramTexts},
		{name: "html", kind: paramTick}},
	action.Forward: {{name: "to", kind: paramText}, {name: "target", kind: paramTarget, carrier: "mail"},
		{name: "subject", kind: paramWords}, {name: "complete", kind: paramTick}},
	action.Webhook: {{name: "target", kind: paramTarget, carrier: "webhook"}, {name: "fields", kind: paramList}},
	action.Notice:  {{name: "target", kind: paramTarget}, {name: "text", kind: paramTexts}},
	action.SMS:     {{name: "target", kind: paramTarget, carrier: notify.KindSMS}, {name: "text", kind: paramTexts}},
}

// actionMaker makes rows; what the choices of all rows need is read once.
type actionMaker struct {
	q       *request
	d       *sangdam.Directory
	set     sangdam.TicketSetup
	targets []notify.Target
}

func (q *request) actionMaker() (m actionMaker, err error) {
	m.q = q
	if m.d, err = q.directory(); err != nil {
		return m, err
	}
	if m.set, err = q.engine.TicketSetup(q.r.Context(), q.p); err != nil {
		return m, err
	}
	m.targets, err = q.engine.Targets(q.r.Context(), q.p)
	return m, err
}

// actionsForm shows actions; kinds are those that may be added.
func (q *request) actionsForm(actions []trigger.Action, kinds []string) (actionsForm, error) {
	m, err := q.actionMaker()
	if err != nil {
		return actionsForm{}, err
	}
	f := actionsForm{Kinds: q.named("does", is(""), kinds...)}
	for i, a := range actions {
		f.Rows = append(f.Rows, m.row(strconv.Itoa(i), a))
	}
	html := editorOf(m.set) == sangdam.EditorHTML
	for _, k := range kinds {
		fresh := trigger.Action{Kind: k}
		if k == action.Mail && html {
			fresh = trigger.Do(k, map[string]bool{"html": true})
		}
		f.New = append(f.New, m.row(newRow, fresh))
	}
	return f, nil
}

// row shows one action. A member that its field cannot hold stays in the JSON.
func (m actionMaker) row(n string, a trigger.Action) actionForm {
	f := actionForm{N: n, Kind: a.Kind, Title: m.q.lang.of("does", a.Kind)}
	rest := members(a.Params)
	for _, p := range actionParams[a.Kind] {
		field, ok := m.field("action."+n+"."+p.name, p, rest[p.name])
		if ok {
			delete(rest, p.name)
		}
		if field.Label = m.q.lang.of("param", p.name); !field.empty(p) {
			f.Params = append(f.Params, field)
		}
	}
	if len(rest) > 0 {
		f.More = indented(rest)
	}
	f.Unread = len(actionParams[a.Kind]) == 0
	return f
}

// empty says that there is nothing to choose from, and nothing was chosen.
func (f paramForm) empty(p param) bool {
	return !slices.Contains([]paramKind{paramText, paramNumber, paramList, paramTick, paramWords, paramTexts}, p.kind) &&
		len(f.Options) == 0
}

// field shows one parameter; false where its value is none that the field can
// hold.
func (m actionMaker) field(name string, p param, raw json.RawMessage) (paramForm, bool) {
	f := paramForm{Field: name}
	held := func(into any) bool { return len(raw) == 0 || json.Unmarshal(raw, into) == nil }
	switch p.kind {
	case paramNumber:
		var n *int
		ok := held(&n)
		if n != nil {
			f.Value = strconv.Itoa(*n)
		}
		return f, ok
	case paramTick:
		f.Tick = true
		return f, held(&f.On)
	case paramList, paramAgents:
		var list []string
		ok := held(&list)
		if f.Value = strings.Join(list, ", "); p.kind == paramAgents {
			f.Several, f.Options = true, m.options(p, list...)
		}
		return f, ok
	case paramWords, paramTexts:
		var texts map[string]string
		ok := held(&texts)
		f.Texts, f.Long = m.q.lang.inLanguages(name, besides(texts), texts), p.kind == paramTexts
		return f, ok
	}
	ok := held(&f.Value)
	f.Options = m.options(p, f.Value)
	return f, ok
}

// options are what may be chosen; what is chosen and gone is still there.
func (m actionMaker) options(p param, chosen ...string) (out []choice) {
	add := func(value, label string) {
		out = append(out, choice{value, cmp.Or(label, value), slices.Contains(chosen, value)})
	}
	switch p.kind {
	case paramAgent, paramAgents:
		for _, a := range m.d.Agents {
			add(string(a.ID), a.Name)
		}
	case paramGroup:
		for _, g := range m.set.Groups {
			add(string(g.ID), g.Name)
		}
	case paramQueue:
		out = m.q.queueChoices(m.d, func(id routing.QueueID) bool { return slices.Contains(chosen, string(id)) })
	case paramDesk:
		out = usable(m.q, m.d.Desks, m.d.RetiredDesks, func(id routing.DeskID) bool { return slices.Contains(chosen, string(id)) })
	case paramCategory:
		out = m.q.categoryChoices(m.set.Trees[ticket.Intake], ticket.CategoryID(chosen[0]))
	case paramChoice:
		out = m.q.named("choose", is(chosen[0]), string(trigger.ChooseInTurn), string(trigger.ChooseRandom), string(trigger.ChooseOne))
	case paramTo:
		out = m.q.named("mail_to", is(chosen[0]), action.ToCustomer, action.ToAssignee, action.ToAgent, action.ToGroup)
	case paramTarget:
		for _, t := range m.targets {
			if p.carrier == "" || t.Kind == p.carrier {
				add(string(t.ID), t.Name)
			}
		}
	default: // a text of one's own
		return nil
	}
	for _, c := range chosen {
		if c != "" && !slices.ContainsFunc(out, func(o choice) bool { return o.Value == c }) {
			add(c, c)
		}
	}
	return out
}

// readActions reads the rows, in their order. They are complete also when
// something is wrong with them, so that what was typed stays.
func (q *request) readActions() (out []trigger.Action, err error) {
	for _, n := range q.r.PostForm["action.row"] {
		a, wrong := q.readAction("action." + n + ".")
		out = append(out, a)
		err = cmp.Or(err, wrong)
	}
	return out, err
}

func (q *request) readAction(prefix string) (trigger.Action, error) {
	a := trigger.Action{Kind: q.value(prefix + "kind")}
	all, err := map[string]json.RawMessage{}, error(nil)
	if text := q.value(prefix + "more"); text != "" {
		if wrong := json.Unmarshal([]byte(text), &all); wrong != nil || all == nil {
			all = map[string]json.RawMessage{}
			err = errs.New(errs.Invalid, "console: %s",
				q.lang.t("triggers.wrong", q.lang.of("does", a.Kind), cmp.Or(wrong, errNoObject).Error()))
		}
	}
	for _, p := range actionParams[a.Kind] {
		value, wrong := q.readParam(prefix+p.name, p)
		if err = cmp.Or(err, wrong); value == nil {
			continue
		}
		raw, wrong := json.Marshal(value)
		if wrong != nil {
			return a, wrong
		}
		all[p.name] = raw
	}
	if len(all) == 0 {
		return a, err
	}
	raw, wrong := json.Marshal(all)
	a.Params = raw
	return a, cmp.Or(err, wrong)
}

var errNoObject = errs.New(errs.Invalid, "{ … }")

// readParam is the value of a field; nil where it is empty.
func (q *request) readParam(name string, p param) (any, error) {
	text := q.value(name)
	switch p.kind {
	case paramNumber:
		if text == "" {
			return nil, nil //nolint:nilnil // nothing was typed
		}
		n, err := q.whole(name)
		if err != nil {
			return text, err // what was typed stays, in the JSON
		}
		if n == 0 && !p.zero {
			return nil, nil //nolint:nilnil // the usual
		}
		return n, nil
	case paramTick:
		if !q.checked(name) {
			return nil, nil //nolint:nilnil // it is off
		}
		return true, nil
	case paramAgents:
		if list := q.r.PostForm[name]; len(list) > 0 {
			return list, nil
		}
		return nil, nil //nolint:nilnil // nobody was chosen
	case paramList:
		if list := words(text); list != nil {
			return list, nil
		}
		return nil, nil //nolint:nilnil // nothing was typed
	case paramWords, paramTexts:
		if texts := q.readLanguages(name); len(texts) > 0 {
			for l, t := range texts {
				texts[l] = strings.ReplaceAll(t, "\r\n", "\n")
			}
			return texts, nil
		}
		return nil, nil //nolint:nilnil // nothing was typed
	}
	if text == "" {
		return nil, nil //nolint:nilnil // nothing was chosen
	}
	return text, nil
}

// afterForm is the wait of a timed trigger.
type afterForm struct {
	Since     []choice
	For       string
	Units     []choice
	Calendars []choice
}

// units in which people give a wait, the largest first.
var units = []struct {
	name string
	of   time.Duration
}{{"days", 24 * time.Hour}, {"hours", time.Hour}, {"minutes", time.Minute}, {"seconds", time.Second}}

func (q *request) afterForm(a *trigger.After, fields []condition.Field, calendars []string) afterForm {
	if a == nil {
		a = &trigger.After{}
	}
	unit := units[0]
	for _, u := range units {
		if unit = u; a.For%u.of == 0 {
			break
		}
	}
	var f afterForm
	if a.For > 0 {
		f.For = strconv.FormatInt(int64(a.For/unit.of), 10)
	}
	for _, fd := range fields {
		if fd.Type == condition.TypeTime {
			f.Since = append(f.Since, choice{fd.Name, q.lang.of("field", fd.Name), fd.Name == a.Since})
		}
	}
	for _, u := range units {
		f.Units = append(f.Units, choice{u.name, q.lang.t("unit." + u.name), u.name == unit.name})
	}
	for _, c := range calendars {
		f.Calendars = append(f.Calendars, choice{c, c, c == a.Calendar})
	}
	return f
}

// readAfter reads it; nil for a trigger that runs on events.
func (q *request) readAfter() (*trigger.After, error) {
	if q.value("after.since") == "" {
		return nil, nil //nolint:nilnil // it runs on events
	}
	a := &trigger.After{Since: q.value("after.since"), Calendar: q.value("after.calendar")}
	for _, u := range units {
		if u.name == q.value("after.unit") {
			wait, err := q.span("after.for", u.of)
			a.For = wait
			return a, err
		}
	}
	return a, nil
}
