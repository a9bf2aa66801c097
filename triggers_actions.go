package sangdam

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
)

// Actions that every kind of record has: what leaves the house. What an action
// does to a record is in the file of that kind.

// Kinds of action.
const (
	ActionAssign   = "assign"
	ActionQueue    = "queue"
	ActionSet      = "set"
	ActionTag      = "tag"
	ActionPriority = "priority"
	ActionNote     = "note"
	ActionMessage  = "message"
	ActionEnd      = "end"
	ActionTicket   = "ticket"
	ActionMail     = "mail"
	ActionForward  = "forward"
	ActionWebhook  = "webhook"
	ActionNotice   = "notice"
	ActionSMS      = "sms"
	ActionBot      = "bot"
)

// Texts is a text by language; "" is for every language without one of its own.
type Texts map[string]string

// in picks the text for a language.
func (t Texts) in(language string) string {
	if text, ok := t[language]; ok {
		return text
	}
	if text, ok := t[""]; ok {
		return text
	}
	for _, l := range slices.Sorted(maps.Keys(t)) {
		return t[l]
	}
	return ""
}

// AssignParams gives the record to one of the agents named, by the choice; none
// named: to one of the group. Agents who are gone, disabled or switched off are
// passed over; where none is left the record stays with the group.
type AssignParams struct {
	Group  string            `json:"group,omitempty"`
	Agents []routing.AgentID `json:"agents,omitempty"`
	Choice trigger.Choice    `json:"choice,omitempty"`
}

// QueueParams sends a conversation to a queue, a desk, or a queue for a desk.
type QueueParams struct {
	Queue routing.QueueID `json:"queue,omitempty"`
	Desk  routing.DeskID  `json:"desk,omitempty"`
}

// SetParams sets a field that actions may set.
type SetParams struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// TagParams adds and removes tags.
type TagParams struct {
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// PriorityParams sets the priority: of a ticket -1 (low) to 2 (urgent), of a
// conversation that waits any number, the higher first.
type PriorityParams struct {
	Value int `json:"value"`
}

// TextParams is a text with placeholders, by language.
type TextParams struct {
	Text Texts `json:"text"`
}

// EndParams ends a conversation; Reason is a short code for reports.
type EndParams struct {
	Reason string `json:"reason,omitempty"`
}

// OpenTicketParams makes a ticket of a conversation.
type OpenTicketParams struct {
	Title    Texts    `json:"title,omitempty"`
	Category string   `json:"category,omitempty"`
	Group    string   `json:"group,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

// Recipients of MailParams.
const (
	ToCustomer = "customer"
	ToAssignee = "assignee"
	ToAgent    = "agent"
	ToGroup    = "group"
)

// MailParams mails to the customer, the record's agent, a chosen agent or the
// members of a group: one mail each, so that none sees who else got it.
type MailParams struct {
	// Target to send from; empty: the workspace's only one for mail.
	Target notify.TargetID `json:"target,omitempty"`
	To     string          `json:"to"`
	Agent  routing.AgentID `json:"agent,omitempty"`
	// Group with ToGroup; empty: the record's own.
	Group   string `json:"group,omitempty"`
	Subject Texts  `json:"subject"`
	Body    Texts  `json:"body"`
	// HTML says that bodies are HTML: values in them are escaped.
	HTML bool `json:"html,omitempty"`
}

// ForwardParams sends what the record holds to an address outside, with a link
// to it at the bottom. With Complete the record is completed once the mail was
// sent, and stays as it is when it was not.
type ForwardParams struct {
	Target   notify.TargetID `json:"target,omitempty"`
	To       string          `json:"to"`
	Subject  Texts           `json:"subject,omitempty"`
	Complete bool            `json:"complete,omitempty"`
}

// WebhookParams calls a web hook. Fields are placeholders whose values the
// request carries; the record's kind and id, the event and the depth of the
// chain are always in it (see CausedBy).
type WebhookParams struct {
	Target notify.TargetID `json:"target"`
	Fields []string        `json:"fields,omitempty"`
}

// NoticeParams writes into a messenger room, or sends a text message to the
// customer.
type NoticeParams struct {
	Target notify.TargetID `json:"target"`
	Text   Texts           `json:"text"`
}

// placeholders lists what may stand in the texts of actions.
func placeholders() []string {
	return []string{"record.kind", "record.id", "record.link", "number", "title", "inquiry", "state", "priority", "category", "group",
		"channel", "desk",
		"tags", "message", "agent.name", "customer.name", "customer.email", "customer.phone", "customer.language"}
}

// checked reads an action's parameters for a Spec and holds them against a rule.
func checked[T any](check func(T) error) func(trigger.Action) error {
	return func(a trigger.Action) error {
		p, err := trigger.Params[T](a)
		if err != nil {
			return err
		}
		return check(p)
	}
}

func badAction(kind, format string, args ...any) error {
	return errs.New(errs.Invalid, "sangdam: action "+kind+": "+format, args...)
}

// checkTextsOf refuses texts with a placeholder that does not exist; need says
// that one text at least is there.
func checkTextsOf(kind string, need bool, all ...Texts) error {
	for _, texts := range all {
		if need && !slices.ContainsFunc(slices.Collect(maps.Values(texts)), func(s string) bool { return strings.TrimSpace(s) != "" }) {
			return badAction(kind, "a text is empty; write one, under the language or under \"\" for all")
		}
		for language, text := range texts {
			if _, err := trigger.ParseTemplate(text, placeholders()); err != nil {
				return badAction(kind, "text %q: %w", cutTo(language, 35), err)
			}
		}
	}
	return nil
}

// outsideSpecs are the actions that every kind of record has.
func outsideSpecs() []trigger.Spec {
	return []trigger.Spec{
		{Kind: ActionMail, Check: checked(func(p MailParams) error {
			switch {
			case !slices.Contains([]string{ToCustomer, ToAssignee, ToAgent, ToGroup}, p.To):
				return badAction(ActionMail, "to is %s, %s, %s or %s", ToCustomer, ToAssignee, ToAgent, ToGroup)
			case (p.To == ToAgent) != (p.Agent != ""):
				return badAction(ActionMail, "agent belongs to %q, and is needed with it", ToAgent)
			}
			return checkTextsOf(ActionMail, true, p.Subject, p.Body)
		})},
		{Kind: ActionForward, Check: checked(func(p ForwardParams) error {
			if a, err := mail.ParseAddress(p.To); err != nil || a.Address != p.To {
				return badAction(ActionForward, "to is one mail address, such as partner@example.com")
			}
			return checkTextsOf(ActionForward, false, p.Subject)
		})},
		{Kind: ActionWebhook, Check: checked(func(p WebhookParams) error {
			for _, f := range p.Fields {
				if !slices.Contains(placeholders(), f) {
					return badAction(ActionWebhook, "there is no field %q: use some of %s", cutTo(f, 64), strings.Join(placeholders(), ", "))
				}
			}
			return needTarget(ActionWebhook, p.Target)
		})},
		{Kind: ActionNotice, Check: checked(func(p NoticeParams) error {
			return errors.Join(needTarget(ActionNotice, p.Target), checkTextsOf(ActionNotice, true, p.Text))
		})},
		{Kind: ActionSMS, Check: checked(func(p NoticeParams) error {
			return errors.Join(needTarget(ActionSMS, p.Target), checkTextsOf(ActionSMS, true, p.Text))
		})},
	}
}

func needTarget(kind string, t notify.TargetID) error {
	if t == "" {
		return badAction(kind, "it names no target")
	}
	return nil
}

func mustCatalog(specs ...trigger.Spec) *trigger.Catalog {
	c, err := trigger.NewCatalog(specs...)
	if err != nil {
		panic(err) // a mistake in this file
	}
	return c
}

// referred is whatever a trigger's actions name.
type referred struct {
	Target notify.TargetID   `json:"target"`
	Agent  routing.AgentID   `json:"agent"`
	Agents []routing.AgentID `json:"agents"`
	Queue  routing.QueueID   `json:"queue"`
	Desk   routing.DeskID    `json:"desk"`
	Group  string            `json:"group"`
	Bot    string            `json:"bot"`
}

// references reads what the trigger's actions name.
func references(t trigger.Trigger) (out []referred) {
	for _, a := range t.Actions {
		var r referred
		if len(a.Params) > 0 && json.Unmarshal(a.Params, &r) == nil {
			out = append(out, r)
		}
	}
	return out
}

// knownInActions refuses a trigger whose actions name what is not there.
func (u *unit) knownInActions(t trigger.Trigger) error {
	for i, r := range references(t) {
		bad := func(what, name string) error {
			return errs.New(errs.Invalid, "sangdam: actions[%d] names %s %q, which does not exist", i, what, cutTo(name, 100))
		}
		for _, a := range append(slices.Clone(r.Agents), r.Agent) {
			if a == "" {
				continue
			}
			if _, err := u.tx.Agents().Agent(u.ctx, a); errors.Is(err, ErrNotFound) {
				return bad("agent", string(a))
			} else if err != nil {
				return err
			}
		}
		if _, ok := u.s.routing.Queues[r.Queue]; r.Queue != "" && !ok {
			return bad("queue", string(r.Queue))
		}
		if _, ok := u.s.routing.Desks[r.Desk]; r.Desk != "" && !ok {
			return bad("desk", string(r.Desk))
		}
		if r.Bot != "" && u.e.bots[r.Bot] == nil {
			return bad("bot", r.Bot)
		}
		if _, known, err := u.groupMembers(r.Group); r.Group != "" && (err != nil || !known) {
			return errors.Join(err, bad("group", r.Group))
		}
		if err := u.knownTarget(t.Actions[i].Kind, r.Target); err != nil {
			return err
		}
	}
	return nil
}

// targetKinds are which kinds of target an action uses; empty: any.
var targetKinds = map[string][]notify.Kind{ActionMail: {"mail"}, ActionForward: {"mail"}, ActionWebhook: {"webhook"},
	ActionSMS: {notify.KindSMS}}

// knownTarget refuses an action whose target is not there or of another kind.
func (u *unit) knownTarget(action string, id notify.TargetID) error {
	if id == "" {
		return nil
	}
	t, err := targets.Get(u.ctx, u.tx, string(id))
	if errors.Is(err, ErrNotFound) {
		return badAction(action, "there is no target %q", cutTo(string(id), 100))
	}
	if kinds := targetKinds[action]; err == nil && len(kinds) > 0 && !slices.Contains(kinds, t.Kind) {
		return badAction(action, "target %q is of kind %s; it needs one of kind %s", t.Name, t.Kind, kinds[0])
	}
	return err
}

// usersOf names the triggers that use something.
func (u *unit) usersOf(uses func(referred) bool) (titles []string, err error) {
	all, err := allTriggers(u.ctx, u.tx, "")
	for _, t := range all {
		if slices.ContainsFunc(references(t), uses) {
			titles = append(titles, t.Title)
		}
	}
	return titles, err
}

// mailTarget is the target to send mail from: the one named, else the only one.
func (u *unit) mailTarget(id notify.TargetID) (notify.Target, error) {
	if id != "" {
		return u.usable(id)
	}
	all, err := targets.All(u.ctx, u.tx, store.List[notify.Target]{Index: targetsByName}, maxTargets)
	if err != nil {
		return notify.Target{}, err
	}
	mails := slices.DeleteFunc(all, func(t notify.Target) bool { return t.Kind != "mail" || t.Disabled })
	if len(mails) != 1 {
		return notify.Target{}, errs.New(errs.Invalid, "sangdam: there are %d targets for mail; name the one to send from", len(mails))
	}
	return u.usable(mails[0].ID)
}

// outside carries out an action of outsideSpecs; ok is false for another kind.
func (r *triggerRun) outside(t *trigger.Trigger, a trigger.Action, values func() (map[string]string, error)) (out trigger.Outcome, ok bool,
	err error) {
	do := map[string]func(*trigger.Trigger, trigger.Action, map[string]string) (trigger.Outcome, error){
		ActionMail: r.mail, ActionForward: r.forward, ActionWebhook: r.webhook, ActionNotice: r.room, ActionSMS: r.sms}[a.Kind]
	if do == nil {
		return out, false, nil
	}
	v, err := values()
	if err != nil {
		return out, true, err
	}
	out, err = do(t, a, v)
	return out, true, err
}

// filled fills a text for a language.
func filled(texts Texts, language string, values map[string]string, render func(*trigger.Template, map[string]string) string) string {
	return fill(texts.in(language), values, render)
}

// fill fills the placeholders of a text that was checked when it was saved.
func fill(text string, values map[string]string, render func(*trigger.Template, map[string]string) string) string {
	t, err := trigger.ParseTemplate(text, placeholders())
	if err != nil {
		return "" // refused when it was saved
	}
	return render(t, values)
}

// notice is the frame of what this action sends.
func (r *triggerRun) notice(t *trigger.Trigger, values map[string]string) notify.Notice {
	return notify.Notice{ID: r.noticeID(t), Event: r.subject.kind + "." + r.ev.Kind, Subject: r.name(), At: r.ev.At,
		Link: values["record.link"]}
}

func (r *triggerRun) mail(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	p, err := trigger.Params[MailParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	target, err := r.u.mailTarget(p.Target)
	if err != nil {
		return trigger.Outcome{}, err
	}
	to, note, err := r.recipients(p, values)
	if err != nil || len(to) == 0 {
		return passed(note), err
	}
	language := ""
	if p.To == ToCustomer {
		language = values["customer.language"]
	}
	for i, recipient := range to {
		n := r.notice(t, values)
		n.ID, n.To = fmt.Sprintf("%s-%d", n.ID, i), recipient
		n.Title = filled(p.Subject, language, values, (*trigger.Template).RenderLine)
		if p.HTML {
			n.HTML = filled(p.Body, language, values, (*trigger.Template).RenderHTML)
		} else {
			n.Text = filled(p.Body, language, values, (*trigger.Template).Render)
		}
		if _, err := r.u.deliver(Delivery{Target: target.ID, Notice: n}); err != nil {
			return trigger.Outcome{}, err
		}
	}
	return done(fmt.Sprintf("%d mails", len(to)))
}

// recipients are the addresses of a mail; none, with the reason.
func (r *triggerRun) recipients(p MailParams, values map[string]string) (out []notify.Recipient, note string, err error) {
	var agents []routing.AgentID
	switch p.To {
	case ToCustomer:
		if values["customer.email"] == "" {
			return nil, "the customer has no mail address", nil
		}
		return []notify.Recipient{{Name: values["customer.name"], Address: values["customer.email"]}}, "", nil
	case ToAssignee:
		agents = []routing.AgentID{routing.AgentID(r.text("agent"))}
	case ToAgent:
		agents = []routing.AgentID{p.Agent}
	case ToGroup:
		if agents, _, err = r.u.groupMembers(orElse(p.Group, r.text("group"))); err != nil {
			return nil, "", err
		}
	}
	for _, id := range agents {
		a, err := r.u.tx.Agents().Agent(r.u.ctx, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, "", err
		}
		if err == nil && !a.Disabled && a.Email != "" {
			out = append(out, notify.Recipient{Name: a.Name, Address: a.Email})
		}
	}
	return out, "nobody of those it would go to is there with a mail address", nil
}

// text is a fact of the record as text; empty when it has none.
func (r *triggerRun) text(field string) string {
	fact, _ := r.record.Fact(field)
	text, _ := fact.AsText()
	return text
}

func (r *triggerRun) forward(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	p, err := trigger.Params[ForwardParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	target, err := r.u.mailTarget(p.Target)
	if err != nil {
		return trigger.Outcome{}, err
	}
	n := r.notice(t, values)
	n.To = notify.Recipient{Address: p.To}
	if n.Title = filled(p.Subject, "", values, (*trigger.Template).RenderLine); n.Title == "" {
		n.Title = "[" + values["record.kind"] + " " + values["number"] + "] " + oneLine(values["title"])
	}
	n.Text = forwarded(values)
	var then []channel.Then
	if p.Complete {
		params, err := json.Marshal(thenCompleteParams{Kind: r.subject.kind, ID: r.id, As: r.u.actor()})
		if err != nil {
			return trigger.Outcome{}, err
		}
		then = append(then, channel.Then{On: channel.OutboxSent, Do: thenComplete, Params: params},
			channel.Then{On: channel.OutboxFailed, Do: thenStays, Params: params})
	}
	_, err = r.u.deliver(Delivery{Target: target.ID, Notice: n}, then...)
	return trigger.Outcome{Done: err == nil}, err
}

// forwarded is the text of a forward: what the record holds, and the link, which
// asks for a log-in.
func forwarded(values map[string]string) string {
	var b strings.Builder
	for _, name := range []string{"number", "title", "state", "priority", "category", "channel", "customer.name", "customer.email",
		"customer.phone"} {
		if v := values[name]; v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, oneLine(v))
		}
	}
	if text := orElse(values["inquiry"], values["message"]); text != "" {
		fmt.Fprintf(&b, "\n%s\n", text)
	}
	if link := values["record.link"]; link != "" {
		fmt.Fprintf(&b, "\n--\n%s\n", link)
	}
	return b.String()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// hookData is the data of a trigger's web hook.
type hookData struct {
	Kind     string            `json:"kind"`
	ID       string            `json:"id"`
	Event    string            `json:"event"`
	Happened []string          `json:"happened,omitempty"`
	Actor    trigger.Actor     `json:"actor"`
	Trigger  trigger.ID        `json:"trigger"`
	Depth    int               `json:"depth"`
	Fields   map[string]string `json:"fields,omitempty"`
}

func (r *triggerRun) webhook(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	p, err := trigger.Params[WebhookParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	target, err := r.u.usable(p.Target)
	if err != nil {
		return trigger.Outcome{}, err
	}
	data := hookData{Kind: r.subject.kind, ID: r.id, Event: r.ev.Kind, Happened: r.happened, Actor: r.ev.Actor, Trigger: t.ID,
		Depth:  r.ev.Depth + 1,
		Fields: map[string]string{}}
	for _, f := range p.Fields {
		data.Fields[f] = values[f]
	}
	n := r.notice(t, values)
	if n.Data, err = json.Marshal(data); err != nil {
		return trigger.Outcome{}, err
	}
	_, err = r.u.deliver(Delivery{Target: target.ID, Notice: n})
	return trigger.Outcome{Done: err == nil}, err
}

func (r *triggerRun) room(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	p, err := trigger.Params[NoticeParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	target, err := r.u.usable(p.Target)
	if err != nil {
		return trigger.Outcome{}, err
	}
	n := r.notice(t, values)
	n.Title, n.Text = cutTo(oneLine(values["title"]), 400), filled(p.Text, "", values, (*trigger.Template).Render)
	_, err = r.u.deliver(Delivery{Target: target.ID, Notice: n})
	return trigger.Outcome{Done: err == nil}, err
}

func (r *triggerRun) sms(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	p, err := trigger.Params[NoticeParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	target, err := r.u.usable(p.Target)
	if err != nil {
		return trigger.Outcome{}, err
	}
	if values["customer.phone"] == "" {
		return passed("the customer has no phone number"), nil
	}
	n := r.notice(t, values)
	n.To = notify.Recipient{Name: values["customer.name"], Address: values["customer.phone"]}
	n.Text = filled(p.Text, values["customer.language"], values, (*trigger.Template).Render)
	_, err = r.u.deliver(Delivery{Target: target.ID, Notice: n})
	return trigger.Outcome{Done: err == nil}, err
}

// thenComplete completes a record once its forward was sent.
const thenComplete = "complete"

type thenCompleteParams struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	As   string `json:"as"`
}

func (u *unit) thenCompleted(_ channel.OutboxRow, _ string, params json.RawMessage) error {
	var p thenCompleteParams
	if err := json.Unmarshal(params, &p); err != nil {
		return err
	}
	was := u.as
	u.as = p.As
	defer func() { u.as = was }()
	complete := map[string]func(*unit, string) error{kindConversation: (*unit).completeConversation,
		kindTicket: (*unit).completeTicket}[p.Kind]
	if complete == nil {
		return errs.New(errs.Unsupported, "sangdam: a %s cannot be completed by this program", p.Kind)
	}
	err := complete(u, p.ID)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.Is(err, ErrInvalid) {
		return nil // it is gone, merged or complete already
	}
	return err
}

// thenStays says on a ticket why it is not complete: its forward was refused for
// good. Whoever has a conversation reads it in the deliveries.
const thenStays = "stays_open"

func (u *unit) thenStaysOpen(row channel.OutboxRow, _ string, params json.RawMessage) error {
	var p thenCompleteParams
	if err := json.Unmarshal(params, &p); err != nil || p.Kind != kindTicket {
		return err
	}
	w, err := u.ticketWork(ticket.ID(p.ID))
	if errors.Is(err, ErrNotFound) || err == nil && w.now.State == ticket.Complete {
		return nil
	}
	if err != nil {
		return err
	}
	was := u.as
	u.as = p.As
	defer func() { u.as = was }()
	d, err := u.editTicket(ticket.ID(p.ID))
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrInvalid) {
		return nil // it was merged meanwhile
	}
	if err != nil {
		return err
	}
	u.ctx = CausedBy(u.ctx, trigger.MaxDepth+1) // no rule answers this by forwarding it again
	return d.Comment("The forward did not go out, so the ticket stays open: " + cmp.Or(row.Detail, string(row.Reason)) + ".")
}

// chosenAgents goes through the agents in the order of the choice until give
// takes one; false when none could be given it. What it was passed over for is
// in the note.
func (r *triggerRun) chosenAgents(t *trigger.Trigger, a trigger.Action, p AssignParams, able func(routing.AgentID) (bool, error),
	give func(routing.AgentID) error) (trigger.Outcome, error) {
	agents := p.Agents
	if len(agents) == 0 {
		var err error
		if agents, _, err = r.u.groupMembers(p.Group); err != nil {
			return trigger.Outcome{}, err
		}
	}
	names, free := make([]string, 0, len(agents)), map[string]bool{}
	for _, id := range agents {
		ok, err := able(id)
		if err != nil {
			return trigger.Outcome{}, err
		}
		names, free[string(id)] = append(names, string(id)), ok
	}
	wheel, err := r.turn(t, a, p.Choice)
	if err != nil {
		return trigger.Outcome{}, err
	}
	for range names {
		name, next, ok := p.Choice.Choose(names, func(n string) bool { return free[n] }, wheel.Next, r.u.e.cfg.Seed, r.ev.ID, string(t.ID))
		if !ok {
			break
		}
		err := give(routing.AgentID(name))
		if err == nil {
			if p.Choice == trigger.ChooseInTurn {
				wheel.Next = next
				err = turnDocs.Save(r.u.ctx, r.u.tx, &wheel)
			}
			return trigger.Outcome{Done: err == nil, Note: "agent:" + name}, err
		}
		if !passable(err) {
			return trigger.Outcome{}, err
		}
		free[name] = false
	}
	return passed("none of the agents it names can take it now"), nil
}

// triggerTurn is the wheel of one assign action: only events in which that
// action assigns write it.
type triggerTurn struct {
	ID      string `json:"id"`
	Version int64  `json:"-"`
	Next    int64  `json:"next"`
}

var turnDocs = declare(store.Kind[triggerTurn]{Name: "trigger_turn", Decl: 1,
	ID:      func(t *triggerTurn) string { return t.ID },
	Version: func(t *triggerTurn) *int64 { return &t.Version }})

func (r *triggerRun) turn(t *trigger.Trigger, a trigger.Action, c trigger.Choice) (triggerTurn, error) {
	if c != trigger.ChooseInTurn {
		return triggerTurn{}, nil
	}
	at := slices.IndexFunc(t.Actions, func(o trigger.Action) bool { return o.Kind == a.Kind && bytes.Equal(o.Params, a.Params) })
	id := fmt.Sprintf("%s/%d", t.ID, at)
	wheel, err := turnDocs.Get(r.u.ctx, r.u.tx, id)
	if errors.Is(err, ErrNotFound) {
		return triggerTurn{ID: id}, nil
	}
	return wheel, err
}

// link leads to a record in the host's console; empty without one.
func (e *Engine) link(kind, id string) string {
	if e.cfg.ConsoleURL == "" {
		return ""
	}
	return strings.TrimSuffix(e.cfg.ConsoleURL, "/") + "/" + kind + "s/" + url.PathEscape(id)
}

// customerValues are the placeholders of the customer.
func (u *unit) customerValues(into map[string]string, contact conversation.ContactID, language string) error {
	into["customer.language"] = language
	if contact == "" {
		return nil
	}
	c, err := u.tx.Contacts().Contact(u.ctx, contact)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	into["customer.name"], into["customer.email"], into["customer.phone"] = c.Name, c.Email, c.Phone
	into["customer.language"] = orElse(language, c.Language)
	return err
}

// agentName is what people call an agent; empty for none.
func (u *unit) agentName(id routing.AgentID) (string, error) {
	if id == "" {
		return "", nil
	}
	a, err := u.tx.Agents().Agent(u.ctx, id)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return a.Name, err
}
