package sangdam

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// What triggers may ask of a ticket, and do to it.

// ticketHappenings are what an event of a ticket may be, the most telling first.
var ticketHappenings = []string{"created", "merged", "split", "completed", "solved", "reopened", "replied", "answered", "commented",
	"assigned", "grouped",
	"state", evLevelBreach, evLevelWarning, "changed", eventTime}

func init() {
	registerTriggers(triggerSubject{kind: kindTicket, events: ticketHappenings, fields: ticketTriggerFields, catalog: ticketActions(),
		load: loadTicket, find: findTicket, touched: touchedTickets, past: pastTicket, resource: pastTicketResource,
		assumed: assumedOfTicket})
}

func ticketTriggerFields(src triggerSource) ([]condition.Field, error) {
	s, err := src.e.currentTicketSetup(src.ctx, src.tx)
	if err != nil {
		return nil, err
	}
	return append(ticket.SchemaFields(s.Fields), condition.Field{Name: fieldHappened, Type: condition.TypeSet, Values: ticketHappenings}),
		nil
}

// settableOfTicket are the fields that the action "set" may set, besides those of
// the workspace as field.<code>.
var settableOfTicket = []string{"title", "category", "resolution", "state", "custom_state", "language", "desk"}

func ticketActions() *trigger.Catalog {
	return mustCatalog(append(outsideSpecs(),
		trigger.Spec{Kind: action.Assign, Check: checked(checkAssign), Sets: assigned},
		trigger.Spec{Kind: action.Set, Sets: setsField, Check: checked(func(p action.SetParams) error {
			own := strings.HasPrefix(p.Field, ticketFieldPrefix) && len(p.Field) > len(ticketFieldPrefix)
			switch {
			case !own && !slices.Contains(settableOfTicket, p.Field) || len(p.Field) > 100 || len(p.Value) > 2000:
				return badAction(action.Set, "set one of %s, or %s<code>, to at most 2000 bytes", strings.Join(settableOfTicket, ", "),
					ticketFieldPrefix)
			case p.Field == "state" && !slices.Contains(ticket.States(), ticket.State(p.Value)):
				return badAction(action.Set, "there is no state %q: use one of %v", cutTo(p.Value, 64), ticket.States())
			}
			return nil
		})},
		trigger.Spec{Kind: action.Tag, Check: checked(checkTags), Sets: setsTags},
		trigger.Spec{Kind: action.Priority, Check: checked(func(p action.PriorityParams) error {
			if p.Value < int(ticket.Low) || p.Value > int(ticket.Urgent) {
				return badAction(action.Priority, "the priority of a ticket is %d (low) to %d (urgent)", ticket.Low, ticket.Urgent)
			}
			return nil
		}), Sets: setsPriority},
		trigger.Spec{Kind: action.Message, Check: checked(func(p action.TextParams) error {
			return checkTextsOf(action.Message,
				true, p.Text)
		})},
		trigger.Spec{Kind: action.Note, Check: checked(func(p action.TextParams) error { return checkTextsOf(action.Note, true, p.Text) })},
	)...)
}

const ticketFieldPrefix = "field."

// pulledTicket is a ticket within a pass.
type pulledTicket struct {
	u           *unit
	w           *ticketWork
	before, now ticket.Facts
	happened    []string
}

func loadTicket(u *unit, c change) (triggerRecord, error) {
	s, err := u.ticketSetup()
	if err != nil {
		return nil, err
	}
	w, err := u.ticketWork(ticket.ID(c.id))
	if err != nil {
		return nil, err
	}
	p := &pulledTicket{u: u, w: w}
	before, after := w.before, w.now
	p.before = ticket.Facts{Ticket: &before, Fields: s.Fields}
	p.now = ticket.Facts{Ticket: &after, Fields: s.Fields}
	for _, e := range w.entries {
		if e.Text != "" {
			p.now.Comment = e.Text
		}
		if e.Message == "" {
			continue
		}
		if m, is := u.messageOf(e.Message); is {
			p.now.Comment = saidAs(m)
		}
	}
	for _, e := range c.events {
		p.happen(e)
	}
	p.compare(before, after)
	return p, nil
}

// compare adds what the ticket itself tells of what happened.
func (p *pulledTicket) compare(was, is ticket.Ticket) {
	if was.ID == "" {
		return
	}
	if was.State != is.State {
		p.happen("state")
		p.happen(map[ticket.State]string{ticket.Solved: "solved", ticket.Complete: "completed"}[is.State])
		if was.State == ticket.Solved && is.State.Open() {
			p.happen("reopened")
		}
	}
	if was.Agent != is.Agent && is.Agent != "" {
		p.happen("assigned")
	}
	if was.Group != is.Group {
		p.happen("grouped")
	}
}

func (p *pulledTicket) happen(what string) {
	if slices.Contains(ticketHappenings, what) && !slices.Contains(p.happened, what) {
		p.happened = append(p.happened, what)
	}
}

func findTicket(u *unit, id string) (triggerRecord, error) {
	s, err := u.ticketSetup()
	if err != nil {
		return nil, err
	}
	w, err := u.ticketWork(ticket.ID(id))
	if err != nil {
		return nil, err
	}
	t := w.now
	facts := ticket.Facts{Ticket: &t, Fields: s.Fields}
	return &pulledTicket{u: u, w: w, before: facts, now: facts, happened: []string{eventTime}}, nil
}

func (p *pulledTicket) event() (string, []string) {
	for _, h := range ticketHappenings {
		if slices.Contains(p.happened, h) {
			return h, p.happened
		}
	}
	return "", nil
}

func (p *pulledTicket) schedule() *hours.Schedule {
	return cmp.Or(p.u.s.deskHours[p.now.Ticket.Desk], p.u.s.workspaceHours)
}

// Fact implements condition.Facts.
func (p *pulledTicket) Fact(name string) (condition.Fact, bool) { return p.now.Fact(name) }

// Before implements condition.Changes.
func (p *pulledTicket) Before(name string) (condition.Fact, bool) {
	if p.before.Ticket.ID == "" {
		return condition.Fact{}, false
	}
	return p.before.Fact(name)
}

// act carries an action out. One that fails half way leaves the ticket as it was
// before it.
func (p *pulledTicket) act(r *triggerRun, t *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	if out, ok, err := r.outside(t, a, p.values); ok {
		return out, err
	}
	if a.Kind == action.Assign {
		return p.assign(r, t, a)
	}
	err := p.edit(func(d *ticket.Draft) error {
		switch a.Kind {
		case action.Set:
			return p.set(d, a)
		case action.Tag:
			params, err := trigger.Params[action.TagParams](a)
			if err != nil {
				return err
			}
			return p.u.applyChange(d, TicketChange{AddTags: params.Add, RemoveTags: params.Remove})
		case action.Priority:
			params, err := trigger.Params[action.PriorityParams](a)
			d.T.Priority = ticket.Priority(params.Value)
			return err
		case action.Message, action.Note:
			return p.say(d, a)
		}
		return unknownAction(a)
	})
	if err == nil && a.Kind == action.Message {
		if said := p.w.entries[len(p.w.entries)-1]; said.Unsent {
			w := answerUnsent(p.now.Ticket.Number)
			return trigger.Outcome{Note: w.Text, Code: w.Code, Args: w.Args}, nil
		}
	}
	return trigger.Outcome{Done: err == nil}, err
}

// edit changes the ticket in the name of the rule: all of it, or nothing.
func (p *pulledTicket) edit(fn func(d *ticket.Draft) error) error {
	if err := p.w.flush(); err != nil {
		return err
	}
	d, err := p.u.editTicket(p.w.now.ID)
	if err != nil {
		return err
	}
	if err := fn(d); err != nil {
		p.w.d = nil
		return err
	}
	if err := p.w.flush(); err != nil {
		return err
	}
	now := p.w.now
	p.now.Ticket = &now
	return nil
}

func (p *pulledTicket) set(d *ticket.Draft, a trigger.Action) error {
	params, err := trigger.Params[action.SetParams](a)
	if err != nil {
		return err
	}
	category, desk := ticket.CategoryID(params.Value), routing.DeskID(params.Value)
	state := ticket.State(params.Value)
	switch params.Field {
	case "title":
		return p.u.applyChange(d, TicketChange{Title: &params.Value})
	case "category":
		return p.u.applyChange(d, TicketChange{Category: &category})
	case "resolution":
		return p.u.applyChange(d, TicketChange{Resolution: &category})
	case "state":
		return p.u.applyChange(d, TicketChange{State: &state})
	case "custom_state":
		return p.u.applyChange(d, TicketChange{Custom: &params.Value})
	case "language":
		return p.u.applyChange(d, TicketChange{Language: &params.Value})
	case "desk":
		return p.u.applyChange(d, TicketChange{Desk: &desk})
	}
	return p.setField(d, strings.TrimPrefix(params.Field, ticketFieldPrefix), params.Value)
}

// setField sets a field of the workspace from text.
func (p *pulledTicket) setField(d *ticket.Draft, code, text string) error {
	v, err := fieldOfText(p.now.Fields, code, text)
	if err != nil {
		return err
	}
	return p.u.setFields(d, &ticketSetup{TicketSetup: TicketSetup{Fields: p.now.Fields}}, map[string]ticket.Value{code: v})
}

// fieldOfText is the value of a field of the workspace from text, by its type.
func fieldOfText(all ticket.Fields, code, text string) (ticket.Value, error) {
	f, ok := all.Field(code)
	if !ok || f.Deleted || f.Encrypted {
		return ticket.Value{}, errs.New(errs.Invalid, "sangdam: there is no field %q that a rule may set", cutTo(code, 64))
	}
	switch f.Type {
	case ticket.Number:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return ticket.Value{}, errs.New(errs.Invalid, "sangdam: field %q is a number", code)
		}
		return ticket.Value{Number: &n}, nil
	case ticket.Checkbox:
		return ticket.Value{List: strings.FieldsFunc(text, func(r rune) bool { return r == ',' })}, nil
	case ticket.File:
		return ticket.Value{}, errs.New(errs.Invalid, "sangdam: field %q is a file, which a rule does not set", code)
	}
	return ticket.Value{Text: text}, nil
}

// say adds an internal comment, or a public one that goes to the customer.
func (p *pulledTicket) say(d *ticket.Draft, a trigger.Action) error {
	params, err := trigger.Params[action.TextParams](a)
	if err != nil {
		return err
	}
	values, err := p.values()
	if err != nil {
		return err
	}
	language := ""
	if a.Kind == action.Message {
		language = values["customer.language"]
	}
	return p.u.comment(d, TicketComment{Text: filled(params.Text, language, values, (*trigger.Template).Render),
		Public: a.Kind == action.Message})
}

func (p *pulledTicket) assign(r *triggerRun, t *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	params, err := trigger.Params[action.AssignParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	group := ticket.GroupID(params.Group)
	members, known, err := p.u.groupMembers(params.Group)
	if err != nil {
		return trigger.Outcome{}, err
	}
	if group != "" && !known {
		return passed("the group it names is gone"), nil
	}
	able := func(id routing.AgentID) (bool, error) {
		if group != "" && !slices.Contains(members, id) {
			return false, nil // taken out of the group since
		}
		err := p.u.takesTickets(id)
		if err != nil && (errors.Is(err, ErrInvalid) || errors.Is(err, ErrNotFound)) {
			return false, nil
		}
		return err == nil, err
	}
	give := func(id routing.AgentID) error {
		return p.edit(func(d *ticket.Draft) error {
			change := TicketChange{Agent: &id}
			if group != "" {
				change.Group = &group
			}
			return p.u.applyChange(d, change)
		})
	}
	out, err := r.chosenAgents(t, params, able, give)
	if err != nil || out.Done || group == "" {
		return out, err
	}
	nobody := routing.AgentID("")
	err = p.edit(func(d *ticket.Draft) error { return p.u.applyChange(d, TicketChange{Group: &group, Agent: &nobody}) })
	return passed(out.Note + "; the ticket stays with group " + params.Group), err
}

// completeTicket completes a ticket whose forward was sent.
func (u *unit) completeTicket(id string) error {
	w, err := u.ticketWork(ticket.ID(id))
	if err != nil || w.now.State == ticket.Complete {
		return err
	}
	d, err := u.editTicket(ticket.ID(id))
	if err != nil {
		return err
	}
	return d.SetState(ticket.Complete)
}

// values are what the placeholders stand for; encrypted fields are not among
// them.
func (p *pulledTicket) values() (map[string]string, error) {
	t := p.now.Ticket
	s, err := p.u.ticketSetup()
	if err != nil {
		return nil, err
	}
	group, _ := s.group(t.Group)
	out := map[string]string{"record.kind": kindTicket, "record.id": string(t.ID), "record.link": p.u.e.link(kindTicket, string(t.ID)),
		"number": strconv.FormatInt(t.Number, 10), "title": t.Title, "inquiry": t.Body, "state": string(t.State),
		"priority": strconv.Itoa(int(t.Priority)),
		"category": ticket.Name(s.Trees[ticket.Intake].Categories[t.Category].Names, t.Language), "group": group.Name, "channel": t.Channel,
		"desk": p.u.s.routing.Desks[t.Desk].Name, "tags": strings.Join(t.Tags, ", "), "message": p.now.Comment}
	if out["agent.name"], err = p.u.agentName(t.Agent); err != nil {
		return nil, err
	}
	if err := p.u.customerValues(out, t.Contact, t.Language); err != nil {
		return nil, err
	}
	for name, said := range map[string]string{"customer.name": t.Requester.Name, "customer.email": t.Requester.Email,
		"customer.phone": t.Requester.Phone} {
		if said != "" {
			out[name] = said // what the inquiry says goes before what is known
		}
	}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out, nil
}

// openTicketFor carries out the action that makes a ticket of a conversation,
// one at a time.
func (p *pulledConversation) openTicketFor(a trigger.Action) (trigger.Outcome, error) {
	params, err := trigger.Params[action.OpenTicketParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	if err := p.u.off(SwitchTicket); err != nil {
		return trigger.Outcome{}, err
	}
	page, err := tickets.List(p.u.ctx, p.u.tx, store.List[storedTicket]{Tag: withChat, Value: store.Exact(string(p.now.ID)), Limit: 1,
		Keep: func(t *storedTicket) bool { return t.State.Open() }})
	if err != nil {
		return trigger.Outcome{}, err
	}
	if len(page.Items) > 0 {
		return passed(fmt.Sprintf("ticket %d of this conversation is open", page.Items[0].Number)), nil
	}
	values, err := p.values()
	if err != nil {
		return trigger.Outcome{}, err
	}
	t := ticket.Ticket{Title: filled(params.Title, p.now.Language, values, (*trigger.Template).RenderLine),
		Priority: ticket.Priority(params.Priority), Tags: params.Tags}
	t.Requester = ticket.Requester{Name: values["customer.name"], Email: values["customer.email"], Phone: values["customer.phone"]}
	p.u.inherit(&t, p.now)
	d, err := p.u.openTicket(t, TicketChange{Category: set(ticket.CategoryID(params.Category)), Group: set(ticket.GroupID(params.Group))})
	if err != nil {
		return trigger.Outcome{}, err
	}
	p.u.conversationOf(p.now).Note(conversation.EvTicket, p.u.actor(), "", string(d.T.ID))
	return done("ticket:" + string(d.T.ID))
}

// openTickets lists the tickets that a timed trigger may be waiting for.
func (u *unit) openTickets(after string) (ids []string, next string, err error) {
	page, err := tickets.List(u.ctx, u.tx, store.List[storedTicket]{Tag: withOpen, Value: store.Exact("1"), After: after, Limit: 100})
	for _, t := range page.Items {
		ids = append(ids, string(t.ID))
	}
	return ids, page.Next, err
}

// groupMembers are the agents of a group; false when there is no such group.
func (u *unit) groupMembers(group string) ([]routing.AgentID, bool, error) {
	if group == "" {
		return nil, true, nil
	}
	s, err := u.ticketSetup()
	if err != nil {
		return nil, false, err
	}
	g, known := s.group(ticket.GroupID(group))
	return g.Agents, known, nil
}

// groupInTriggers names the triggers that name a group, for whoever wants to
// delete it.
func groupInTriggers(u *unit, g ticket.GroupID) (out []string, err error) {
	all, err := allTriggers(u.ctx, u.tx, "")
	for _, t := range all {
		if namesValue(t.When, "group", string(g)) ||
			slices.ContainsFunc(references(t), func(r referred) bool { return r.Group == string(g) }) {
			out = append(out, fmt.Sprintf("trigger %q", t.Title))
		}
	}
	return out, err
}
