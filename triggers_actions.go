package sangdam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/trigger"
)

// The kinds of action with their parameters, and what all kinds of record need
// to carry them out. What an action does to a record is in the file of that kind,
// what leaves the house in triggers_outside.go.

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
	// HTML says that bodies are HTML: values in them are escaped. It is as the
	// workspace's editor type says (TR4): true for "html", which an empty one is.
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
					return badAction(ActionWebhook, "there is no field %q: use some of %s", cutTo(f, 64),
						strings.Join(placeholders(), ", "))
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
