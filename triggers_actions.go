package sangdam

import (
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
	"github.com/sangdam/sangdam/trigger/action"
)

// What all kinds of record need to carry out actions, whose kinds and parameters
// are in trigger/action. What an action does to a record is in the file of that kind,
// what leaves the house in triggers_outside.go.

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
	return errs.New(errs.Invalid, "sangdam: action %s: "+format, append([]any{kind}, args...)...)
}

// checkTextsOf refuses texts with a placeholder that does not exist; need says
// that one text at least is there.
func checkTextsOf(kind string, need bool, all ...action.Texts) error {
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
		{Kind: action.Mail, Check: checked(func(p action.MailParams) error {
			switch {
			case !slices.Contains([]string{action.ToCustomer, action.ToAssignee, action.ToAgent, action.ToGroup}, p.To):
				return badAction(action.Mail, "to is %s, %s, %s or %s", action.ToCustomer, action.ToAssignee, action.ToAgent,
					action.ToGroup)
			case (p.To == action.ToAgent) != (p.Agent != ""):
				return badAction(action.Mail, "agent belongs to %q, and is needed with it", action.ToAgent)
			}
			return checkTextsOf(action.Mail, true, p.Subject, p.Body)
		})},
		{Kind: action.Forward, Check: checked(func(p action.ForwardParams) error {
			if a, err := mail.ParseAddress(p.To); err != nil || a.Address != p.To {
				return badAction(action.Forward, "to is one mail address, such as partner@example.com")
			}
			return checkTextsOf(action.Forward, false, p.Subject)
		})},
		{Kind: action.Webhook, Check: checked(func(p action.WebhookParams) error {
			for _, f := range p.Fields {
				if !slices.Contains(placeholders(), f) {
					return badAction(action.Webhook, "there is no field %q: use some of %s", cutTo(f, 64),
						strings.Join(placeholders(), ", "))
				}
			}
			return needTarget(action.Webhook, p.Target)
		})},
		{Kind: action.Notice, Check: checked(func(p action.NoticeParams) error {
			return errors.Join(needTarget(action.Notice, p.Target), checkTextsOf(action.Notice, true, p.Text))
		})},
		{Kind: action.SMS, Check: checked(func(p action.NoticeParams) error {
			return errors.Join(needTarget(action.SMS, p.Target), checkTextsOf(action.SMS, true, p.Text))
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
	// Field and Value are those of an action that sets a field.
	Field string `json:"field"`
	Value any    `json:"value"`
}

// toDesk is the desk that the action moves to: a conversation with its queue, a ticket by
// its field; empty for none.
func (r referred) toDesk() routing.DeskID {
	if to, is := r.Value.(string); is && r.Field == "desk" {
		return routing.DeskID(to)
	}
	return r.Desk
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
		if err := u.knownAgents(r, bad); err != nil {
			return err
		}
		if q, ok := u.s.routing.Queues[r.Queue]; r.Queue != "" && !ok {
			return bad("queue", string(r.Queue))
		} else if q.Retired {
			return outOfUse("queue", string(r.Queue))
		}
		if d, ok := u.s.routing.Desks[r.toDesk()]; r.Desk != "" && !ok {
			return bad("desk", string(r.Desk))
		} else if d.Retired {
			return outOfUse(kindDesk, string(r.toDesk()))
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

// knownAgents refuses agents whom an action names and who do not exist.
func (u *unit) knownAgents(r referred, bad func(what, name string) error) error {
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
	return nil
}

// targetKinds are which kinds of target an action uses; empty: any.
var targetKinds = map[string][]notify.Kind{action.Mail: {"mail"}, action.Forward: {"mail"}, action.Webhook: {"webhook"},
	action.SMS: {notify.KindSMS}}

// knownTarget refuses an action whose target is not there or of another kind.
func (u *unit) knownTarget(kind string, id notify.TargetID) error {
	if id == "" {
		return nil
	}
	t, err := targets.Get(u.ctx, u.tx, string(id))
	if errors.Is(err, ErrNotFound) {
		return badAction(kind, "there is no target %q", cutTo(string(id), 100))
	}
	if kinds := targetKinds[kind]; err == nil && len(kinds) > 0 && !slices.Contains(kinds, t.Kind) {
		return badAction(kind, "target %q is of kind %s; it needs one of kind %s", t.Name, t.Kind, kinds[0])
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
func (r *triggerRun) chosenAgents(t *trigger.Trigger, p action.AssignParams, able func(routing.AgentID) (bool, error),
	give func(routing.AgentID) error) (trigger.Outcome, error) {
	names, free, err := r.candidates(p, able)
	if err != nil {
		return trigger.Outcome{}, err
	}
	wheel, err := r.turn(t, p.Choice)
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

// candidates are the agents whom an action names, or its group's, and who of
// them can take it now.
func (r *triggerRun) candidates(p action.AssignParams, able func(routing.AgentID) (bool, error)) ([]string, map[string]bool, error) {
	agents := p.Agents
	if len(agents) == 0 {
		var err error
		if agents, _, err = r.u.groupMembers(p.Group); err != nil {
			return nil, nil, err
		}
	}
	names, free := make([]string, 0, len(agents)), map[string]bool{}
	for _, id := range agents {
		ok, err := able(id)
		if err != nil {
			return nil, nil, err
		}
		names, free[string(id)] = append(names, string(id)), ok
	}
	return names, free, nil
}

// triggerTurn is the wheel of one assign action: only events in which that
// action assigns write it. It belongs to the action's place in its trigger, so that two
// that say the same have a turn each: on a common one the second would take the work
// from the agent whom the first has just chosen, and nobody's turn would come when it
// should. Of two such the second now chooses the same agent and changes nothing, which
// does no harm; a refusal would come too late for triggers that are stored.
type triggerTurn struct {
	ID      string `json:"id"`
	Version int64  `json:"-"`
	Next    int64  `json:"next"`
}

var turnDocs = declare(store.Kind[triggerTurn]{Name: "trigger_turn", Decl: 1,
	ID:      func(t *triggerTurn) string { return t.ID },
	Version: func(t *triggerTurn) *int64 { return &t.Version }})

func (r *triggerRun) turn(t *trigger.Trigger, c trigger.Choice) (triggerTurn, error) {
	if c != trigger.ChooseInTurn {
		return triggerTurn{}, nil
	}
	id := fmt.Sprintf("%s/%d", t.ID, r.place)
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
