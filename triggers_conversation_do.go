package sangdam

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// What the actions of triggers do to a conversation.

// act carries an action out and takes the record as it is then.
func (p *pulledConversation) act(r *triggerRun, t *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	out, err := p.do(r, t, a)
	if w := p.u.conversations[p.now.ID]; w != nil {
		p.now = w.d.C
	}
	p.item, p.host = nil, nil
	return out, err
}

func (p *pulledConversation) do(r *triggerRun, t *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	if out, ok, err := r.outside(t, a, p.values); ok {
		return out, err
	}
	switch a.Kind {
	case action.Assign:
		return p.assign(r, t, a)
	case action.Queue:
		return p.queue(a)
	case action.Priority:
		return p.prioritise(a)
	case action.End:
		return p.end(a)
	case action.Ticket:
		return p.openTicketFor(a)
	case action.Bot:
		return p.startBot(a)
	}
	d := p.u.conversationOf(p.now)
	var err error
	switch a.Kind {
	case action.Set:
		err = p.set(d, a)
	case action.Tag:
		err = p.tag(d, a)
	case action.Message:
		err = p.say(d, t, a)
	case action.Note:
		err = p.note(d, t, a)
	default:
		err = unknownAction(a)
	}
	if err != nil {
		return trigger.Outcome{}, err
	}
	return done("")
}

func (p *pulledConversation) assign(r *triggerRun, t *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	params, err := trigger.Params[action.AssignParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	if p.now.State.Ended() {
		return passed("the conversation has ended"), nil
	}
	return r.chosenAgents(t, params, p.able, func(id routing.AgentID) error {
		if p.now.Agent == id {
			return nil
		}
		_, err := p.u.give(p.now.ID, id, give{from: true, reason: routing.EndTransferred})
		return err
	})
}

// able says whether an agent could work on the conversation at all; whether it
// can take it now is decided by the rows.
func (p *pulledConversation) able(id routing.AgentID) (bool, error) {
	a, err := p.u.tx.Agents().Agent(p.u.ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && !a.Disabled && a.Works(routing.PermitChat) && a.State.Presence != routing.Offline, err
}

func (p *pulledConversation) queue(a trigger.Action) (trigger.Outcome, error) {
	params, err := trigger.Params[action.QueueParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	if p.now.State.Ended() {
		return passed("the conversation has ended"), nil
	}
	it, err := p.work()
	if err != nil {
		return trigger.Outcome{}, err
	}
	d := p.u.conversationOf(p.now)
	queue, desk, err := p.u.transferTarget(d, it.Queue, Transfer{Queue: params.Queue, Desk: params.Desk})
	if err != nil {
		return trigger.Outcome{}, err
	}
	if it.Queue == queue && desk == d.C.Desk && it.State != routing.ItemDone && it.State != "" {
		return done("queue:" + string(queue)) // it is there
	}
	d.TakeFromBot(p.u.actor())
	if desk != d.C.Desk {
		d.MoveTo(desk, p.u.actor())
	}
	if err := p.u.requeue(d, routing.EndTransferred, queue, ""); err != nil {
		return trigger.Outcome{}, err
	}
	return done("queue:" + string(queue))
}

// prioritise moves a conversation that waits in its queue.
func (p *pulledConversation) prioritise(a trigger.Action) (trigger.Outcome, error) {
	params, err := trigger.Params[action.PriorityParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	it, err := p.work()
	if err != nil {
		return trigger.Outcome{}, err
	}
	if !it.State.Waits() {
		return passed("the conversation does not wait in a queue"), nil
	}
	it.Priority = params.Value
	if err := p.u.saveItem(it); err != nil {
		return trigger.Outcome{}, err
	}
	return done("")
}

func (p *pulledConversation) end(a trigger.Action) (trigger.Outcome, error) {
	params, err := trigger.Params[action.EndParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	if p.now.State == conversation.StateClosed {
		return passed("the conversation has ended"), nil
	}
	d := p.u.conversationOf(p.now)
	if err := p.u.endDraft(d, p.u.actor(), params.Reason, true); err != nil {
		return trigger.Outcome{}, err
	}
	return done("")
}

// completeConversation ends a conversation whose forward was sent.
func (u *unit) completeConversation(id string) error {
	c, err := u.tx.Conversations().Conversation(u.ctx, conversation.ID(id))
	if err != nil || c.State == conversation.StateClosed {
		return err
	}
	return u.endDraft(u.conversationOf(c), u.actor(), "forwarded", true)
}

func (p *pulledConversation) set(d *draft.Draft, a trigger.Action) error {
	params, err := trigger.Params[action.SetParams](a)
	if err != nil {
		return err
	}
	switch params.Field {
	case "category":
		d.C.Category = params.Value
	case "memo":
		d.C.Memo = params.Value
	case "language":
		d.C.Language = params.Value
	default:
		if d.C.Attributes == nil {
			d.C.Attributes = map[string]string{}
		}
		d.C.Attributes[strings.TrimPrefix(params.Field, attributeField)] = params.Value
	}
	d.Note(conversation.EvPanel, p.u.actor(), "", params.Field)
	return nil
}

func (p *pulledConversation) tag(d *draft.Draft, a trigger.Action) error {
	params, err := trigger.Params[action.TagParams](a)
	if err != nil {
		return err
	}
	tags := slices.DeleteFunc(slices.Concat(d.C.Tags, params.Add), func(t string) bool { return slices.Contains(params.Remove, t) })
	slices.Sort(tags)
	if tags = slices.Compact(tags); len(tags) > maxTagsOf {
		return badAction(action.Tag, "the conversation would have %d tags; at most %d are kept", len(tags), maxTagsOf)
	}
	d.C.Tags = tags
	d.Note(conversation.EvPanel, p.u.actor(), "", "tags")
	return nil
}

// say sends a message to the customer by the channel of the conversation.
func (p *pulledConversation) say(d *draft.Draft, t *trigger.Trigger, a trigger.Action) error {
	params, err := trigger.Params[action.TextParams](a)
	if err != nil {
		return err
	}
	if d.C.State == conversation.StateClosed {
		return errs.New(errs.Invalid, "sangdam: the conversation has ended")
	}
	values, err := p.values()
	if err != nil {
		return err
	}
	content := channel.Text(filled(params.Text, d.C.Language, values, (*trigger.Template).Render))
	if err := p.u.canCarry(d.C, content); err != nil {
		return err
	}
	_, err = p.u.say(d, conversation.Message{Author: p.u.speaks(t), Content: content})
	return err
}

func (p *pulledConversation) note(d *draft.Draft, t *trigger.Trigger, a trigger.Action) error {
	params, err := trigger.Params[action.TextParams](a)
	if err != nil {
		return err
	}
	values, err := p.values()
	if err != nil {
		return err
	}
	d.AddNote(conversation.Message{ID: conversation.MessageID(newID()), Author: p.u.speaks(t),
		Content: channel.Text(filled(params.Text, "", values, (*trigger.Template).Render))})
	return nil
}

// values are what the placeholders stand for. Texts are the masked ones.
func (p *pulledConversation) values() (map[string]string, error) {
	c := p.now
	it, err := p.work()
	if err != nil {
		return nil, err
	}
	out := map[string]string{"record.kind": kindConversation, "record.id": string(c.ID), "record.link": p.u.e.link(kindConversation,
		string(c.ID)),
		"title": c.Preview, "state": string(c.State), "priority": strconv.Itoa(it.Priority), "category": c.Category,
		"channel": string(c.Channel),
		"desk":    p.u.s.routing.Desks[c.Desk].Name, "tags": strings.Join(c.Tags, ", "), "message": p.message}
	if out["agent.name"], err = p.u.agentName(c.Agent); err != nil {
		return nil, err
	}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out, p.u.customerValues(out, c.Contact, c.Language)
}
