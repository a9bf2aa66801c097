package sangdam

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Bounds of a TryTrigger.
const (
	triedTickets = 1000
	triedEvents  = 5000
)

// TryTrigger asks what a trigger would have done to tickets that were changed
// since a time: the trigger as given, beside the active ones as they are, instead
// of the stored one of its id.
type TryTrigger struct {
	Trigger trigger.Trigger `json:"trigger"`
	// Since is the time of the first change that is looked at.
	Since time.Time `json:"since"`
}

// TryTrigger replays the histories of at most 1,000 tickets, at most 5,000
// events, and changes nothing: Trial counts what would have been done, and in how
// many events other triggers would have fired than with the active ones alone.
// What triggers did in the past is part of the histories and no event. Timed
// triggers and ones about conversations, whose earlier values are not kept, are
// ErrUnsupported.
func (e *Engine) TryTrigger(ctx context.Context, p Principal, c TryTrigger) (out trigger.Trial, err error) {
	err = e.query(ctx, p, ActConfigure, Resource{Kind: kindTrigger, ID: string(c.Trigger.ID)}, func(ctx context.Context, tx store.Tx,
		s *settings) error {
		t := c.Trigger
		if t.Active = true; t.Subject != kindTicket || t.After != nil {
			return errs.New(errs.Unsupported, "sangdam: triggers about tickets, that do not wait for a time, can be tried; this one cannot")
		}
		all, err := allTriggers(ctx, tx, kindTicket)
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(slices.Clone(all), func(o trigger.Trigger) bool { return o.ID == t.ID })
		schema, err := e.triggerSchema(ctx, tx, s, kindTicket, append(slices.Clone(all), t)...)
		if err != nil {
			return err
		}
		if err := t.Validate(schema, triggerSubjects[kindTicket].catalog); err != nil {
			return err
		}
		now, err := trigger.NewSet(schema, kindTicket, append(others, t))
		if err != nil {
			return err
		}
		was, err := trigger.NewSet(schema, kindTicket, all)
		if err != nil {
			return err
		}
		h := &ticketPast{e: e, ctx: ctx, tx: tx, s: s, since: c.Since}
		if out, err = now.DryRun(h.events(), was); err == nil {
			err = h.err
		}
		return err
	})
	return out, err
}

// ticketPast goes through the histories of tickets, forwards.
type ticketPast struct {
	e     *Engine
	ctx   context.Context
	tx    store.Tx
	s     *settings
	since time.Time
	err   error // of a read, kept for the end
	count int
}

// events yields what makes each past event anew; it stops at the bounds.
func (h *ticketPast) events() iter.Seq[func() trigger.Past] {
	return func(yield func(func() trigger.Past) bool) {
		setup, err := h.e.currentTicketSetup(h.ctx, h.tx)
		if err != nil {
			h.err = err
			return
		}
		list := store.List[storedTicket]{Index: byUpdated, From: store.Time(h.since), Limit: 100}
		for seen := 0; seen < triedTickets && h.err == nil; {
			page, err := tickets.List(h.ctx, h.tx, list)
			if err != nil {
				h.err = err
				return
			}
			for _, t := range page.Items {
				if !h.of(t.ID, setup, yield) {
					return
				}
			}
			if seen += len(page.Items); page.Next == "" {
				return
			}
			list.After = page.Next
		}
	}
}

// of yields the events of one ticket; false ends it all.
func (h *ticketPast) of(id ticket.ID, setup *ticketSetup, yield func(func() trigger.Past) bool) bool {
	var r ticket.Replayer
	before := ticket.Ticket{}
	for after := int64(0); ; {
		entries, err := entriesOf(h.ctx, h.tx, id, after, maxPage)
		if err != nil || len(entries) == 0 {
			h.err = err
			return err == nil
		}
		for _, e := range entries {
			after = e.Seq
			if h.err = r.Add(e); h.err != nil {
				return false
			}
			now, err := r.Ticket()
			if err != nil {
				h.err = err
				return false
			}
			was := before
			before = now
			if strings.HasPrefix(e.Actor, "trigger:") || e.At.Before(h.since) {
				continue
			}
			if h.count++; h.count > triedEvents || !yield(func() trigger.Past { return h.past(e, was, now, setup) }) {
				return false
			}
		}
	}
}

// past is one event with a copy of its ticket.
func (h *ticketPast) past(e ticket.Entry, was, now ticket.Ticket, setup *ticketSetup) trigger.Past {
	p := &pulledTicket{before: ticket.Facts{Ticket: &was, Fields: setup.Fields},
		now: ticket.Facts{Ticket: &now, Fields: setup.Fields, Comment: e.Text}}
	p.happen(string(e.Kind))
	p.compare(was, now)
	kind, happened := p.event()
	ev := trigger.Event{ID: entryID(e.Ticket, e.Seq), Kind: kind, Actor: triggerActor(e.Actor), At: e.At}
	return trigger.Past{Event: ev, Subject: &triedTicket{pulledTicket: p, s: h.s, happened: happened}}
}

// triedTicket is a copy of a ticket that rules change without effect.
type triedTicket struct {
	*pulledTicket
	s        *settings
	happened []string
}

// Fact implements condition.Facts.
func (t *triedTicket) Fact(name string) (condition.Fact, bool) {
	if name == fieldHappened {
		return condition.Set(t.happened), len(t.happened) > 0
	}
	return t.pulledTicket.Fact(name)
}

// Within implements condition.Hours.
func (t *triedTicket) Within(calendar string, at time.Time) bool {
	var sched *hours.Schedule
	if calendar == ownHours {
		sched = cmp.Or(t.s.deskHours[t.now.Ticket.Desk], t.s.workspaceHours)
	} else {
		sched = t.s.schedule(calendar, nil)
	}
	return sched == nil || sched.At(at).Open
}

// Do implements trigger.Subject: what a rule sets is set on the copy, so that
// later rules see it; everything else only counts.
func (t *triedTicket) Do(_ *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	to := t.now.Ticket
	switch a.Kind {
	case ActionAssign:
		p, err := trigger.Params[AssignParams](a)
		if err != nil {
			return trigger.Outcome{}, err
		}
		if p.Group != "" {
			to.Group = ticket.GroupID(p.Group)
		}
		if len(p.Agents) > 0 {
			to.Agent = routing.AgentID(p.Agents[0])
		}
	case ActionPriority:
		p, err := trigger.Params[PriorityParams](a)
		if err != nil {
			return trigger.Outcome{}, err
		}
		to.Priority = ticket.Priority(p.Value)
	case ActionTag:
		p, err := trigger.Params[TagParams](a)
		if err != nil {
			return trigger.Outcome{}, err
		}
		to.Tags = slices.DeleteFunc(slices.Concat(to.Tags, p.Add), func(tag string) bool { return slices.Contains(p.Remove, tag) })
	case ActionSet:
		p, err := trigger.Params[SetParams](a)
		if err != nil {
			return trigger.Outcome{}, err
		}
		t.set(to, p)
	}
	return trigger.Outcome{Done: true}, nil
}

func (t *triedTicket) set(to *ticket.Ticket, p SetParams) {
	switch p.Field {
	case "title":
		to.Title = p.Value
	case "category":
		to.Category = ticket.CategoryID(p.Value)
	case "resolution":
		to.Resolution = ticket.CategoryID(p.Value)
	case "state":
		to.State = ticket.State(p.Value)
	case "custom_state":
		to.Custom = p.Value
	case "language":
		to.Language = p.Value
	case "desk":
		to.Desk = routing.DeskID(p.Value)
	}
}
