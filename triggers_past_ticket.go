package sangdam

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
	"github.com/sangdam/sangdam/trigger/trial"
)

// The past of tickets: their histories, replayed.

// touchedTickets lists the tickets that may be seen, the last changed first.
func touchedTickets(r *pastReader, after string) (out []touched, next string, err error) {
	page, err := tickets.List(r.ctx, r.tx, store.List[storedTicket]{Index: byUpdated, Desc: true, After: after, Limit: maxPage,
		From: store.Time(r.since)})
	for _, t := range page.Items {
		ok, err := r.e.sees(r.ctx, r.w, ticketResource(t.Ticket))
		if err != nil {
			return nil, "", err
		}
		if ok {
			out = append(out, touched{string(t.ID), t.UpdatedAt})
		}
	}
	return out, page.Next, err
}

func pastTicketResource(r *pastReader, id string) (Resource, error) {
	t, err := tickets.Get(r.ctx, r.tx, id)
	return ticketResource(t.Ticket), err
}

// assumedOfTicket are the fields that are hidden from whoever asks.
func assumedOfTicket(r *pastReader, field string) bool {
	s, err := r.ticketSetup()
	code, is := strings.CutPrefix(field, ticketFieldPrefix)
	return is && err == nil && slices.Contains(hiddenFields(r.w, s.Fields), code)
}

// pastTicket goes through the history of a ticket, a page at a time.
func pastTicket(r *pastReader, id string, yield func(func() trial.Past) bool) error {
	stored, err := tickets.Get(r.ctx, r.tx, id)
	if err != nil {
		return err
	}
	if ok, err := r.e.sees(r.ctx, r.w, ticketResource(stored.Ticket)); err != nil || !ok {
		return cmp.Or(err, errPastLeftOut)
	}
	setup, err := r.ticketSetup()
	if err != nil {
		return err
	}
	h := &ticketPast{r: r, id: id, setup: setup, hidden: hiddenFields(r.w, setup.Fields), yield: yield, clock: pastClock{r: r}}
	return h.read(stored.ID)
}

// read goes through the history from its beginning.
func (h *ticketPast) read(id ticket.ID) error {
	for after := int64(0); ; {
		entries, err := entriesOf(h.r.ctx, h.r.tx, id, after, maxPage)
		if err == nil {
			entries, err = withChatText(h.r.ctx, h.r.tx, entries)
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			after = e.Seq
			if more, err := h.step(e); err != nil || !more {
				return err
			}
		}
		if len(entries) < maxPage {
			_ = h.flush() && h.due(h.r.until.Add(1))
			return nil
		}
	}
}

// ticketPast is a ticket that is made again.
type ticketPast struct {
	r      *pastReader
	id     string
	setup  *ticketSetup
	hidden []string
	yield  func(func() trial.Past) bool
	clock  pastClock

	replayed ticket.Replayer
	was, now ticket.Ticket
	entries  []ticket.Entry // of one unit of work
}

// step takes the next entry; false: nothing more is wanted.
func (h *ticketPast) step(e ticket.Entry) (bool, error) {
	if len(h.entries) > 0 && !h.entries[0].At.Equal(e.At) && !h.flush() {
		return false, nil
	}
	if e.At.After(h.r.until) {
		if len(h.entries) == 0 {
			h.due(e.At)
		}
		h.entries = nil
		return false, nil
	}
	if len(h.entries) == 0 && !h.due(e.At) {
		return false, nil
	}
	if err := h.replayed.Add(e); err != nil {
		return false, err
	}
	h.entries = append(h.entries, e)
	if !slices.ContainsFunc(h.entries, func(e ticket.Entry) bool { return byRule(e.Actor) }) {
		h.now = shownTicket(h.replayed.Ticket(), h.hidden)
	}
	return true, nil
}

// flush yields the event that the entries were; false: nothing more is wanted.
func (h *ticketPast) flush() bool {
	was, now, entries := h.was, h.now, h.entries
	h.was = shownTicket(h.replayed.Ticket(), h.hidden)
	h.now, h.entries = h.was, nil
	if h.r.timed() && len(entries) > 0 {
		h.clock.moved(h.copied(was, h.was), entries[0].At)
	}
	if i := slices.IndexFunc(entries, func(e ticket.Entry) bool { return byRule(e.Actor) }); i >= 0 {
		entries = entries[:i]
	}
	if len(entries) == 0 || !h.r.in(entries[0].At) {
		return true
	}
	return h.yield(func() trial.Past { return h.event(entries, was, now) })
}

// due yields what the rule waited for until a time; false: nothing more is wanted.
func (h *ticketPast) due(before time.Time) bool {
	if !h.r.timed() {
		return true
	}
	now := h.was
	return h.clock.tell(kindTicket+":"+h.id, before, func(time.Time) trigger.Subject {
		sub := h.copied(now, now)
		sub.happened = []string{eventTime}
		return sub
	}, h.yield)
}

// copied is a copy of the ticket as it was before and after something.
func (h *ticketPast) copied(was, now ticket.Ticket) *triedTicket {
	return &triedTicket{r: h.r, pulledTicket: &pulledTicket{before: ticket.Facts{Ticket: &was, Fields: h.setup.Fields},
		now: ticket.Facts{Ticket: &now, Fields: h.setup.Fields}}}
}

// event is one event with a copy of its ticket.
func (h *ticketPast) event(entries []ticket.Entry, was, now ticket.Ticket) trial.Past {
	sub := h.copied(was, now)
	p := sub.pulledTicket
	var actor pastActor
	for _, e := range entries {
		actor.step(e.Actor)
		p.happen(string(e.Kind))
		if e.Text != "" {
			p.now.Comment = e.Text
		}
	}
	p.compare(was, now)
	kind, happened := p.event()
	sub.happened = happened
	ev := trigger.Event{ID: entryID(entries[0].Ticket, entries[0].Seq), Kind: kind, Actor: triggerActor(string(actor)), At: entries[0].At}
	return trial.Past{Record: kindTicket + ":" + string(now.ID), Event: ev, Subject: sub}
}

// triedTicket is a copy of a ticket that rules change without effect.
type triedTicket struct {
	*pulledTicket
	r        *pastReader
	happened []string
}

// Fact implements condition.Facts.
func (t *triedTicket) Fact(name string) (condition.Fact, bool) {
	if name == fieldHappened {
		return condition.Set(t.happened), len(t.happened) > 0
	}
	return t.pulledTicket.Fact(name)
}

// Before implements condition.Changes.
func (t *triedTicket) Before(name string) (condition.Fact, bool) {
	if name == fieldHappened {
		return t.Fact(name)
	}
	return t.pulledTicket.Before(name)
}

// Within implements condition.Hours.
func (t *triedTicket) Within(calendar string, at time.Time) bool {
	return openAt(t.hoursOf(calendar), at)
}

// hoursOf implements pastSubject.
func (t *triedTicket) hoursOf(calendar string) *hours.Schedule {
	if calendar == ownHours {
		return cmp.Or(t.r.s.deskHours[t.now.Ticket.Desk], t.r.s.workspaceHours)
	}
	return t.r.s.schedule(calendar, nil)
}

func openAt(s *hours.Schedule, at time.Time) bool { return s == nil || s.At(at).Open }

// Do implements trigger.Subject: what a rule sets is set on the copy, so that
// later rules see it; everything else only counts.
func (t *triedTicket) Do(_ *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	to := t.now.Ticket
	out, ok, err := tried{r: t.r, agent: to.Agent, group: string(to.Group), email: t.reach(to.Requester.Email, false),
		phone: t.reach(to.Requester.Phone, true)}.outside(a)
	if ok {
		return out, err
	}
	switch a.Kind {
	case action.Assign:
		p, err := trigger.Params[action.AssignParams](a)
		if err != nil {
			return out, err
		}
		if p.Group != "" {
			to.Group = ticket.GroupID(p.Group)
		}
		if to.Agent, err = t.r.chosen(p); err != nil {
			return out, err
		}
	case action.Priority:
		p, err := trigger.Params[action.PriorityParams](a)
		if err != nil {
			return out, err
		}
		to.Priority = ticket.Priority(p.Value)
	case action.Tag:
		p, err := trigger.Params[action.TagParams](a)
		if err != nil {
			return out, err
		}
		to.Tags = slices.DeleteFunc(slices.Concat(to.Tags, p.Add), func(tag string) bool { return slices.Contains(p.Remove, tag) })
	case action.Set:
		p, err := trigger.Params[action.SetParams](a)
		if err != nil {
			return out, err
		}
		return trigger.Outcome{Done: t.set(to, p)}, nil
	}
	return trigger.Outcome{Done: true}, nil
}

// reach is an address or number of the customer: what the inquiry says goes
// before what is known.
func (t *triedTicket) reach(said string, phone bool) func() (string, error) {
	return func() (string, error) {
		if said != "" {
			return said, nil
		}
		c, err := t.r.contact(t.now.Ticket.Contact)
		if phone {
			return c.Phone, err
		}
		return c.Email, err
	}
}

// set sets a field on the copy; false: the field does not take it.
func (t *triedTicket) set(to *ticket.Ticket, p action.SetParams) bool {
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
	default:
		code := strings.TrimPrefix(p.Field, ticketFieldPrefix)
		v, err := fieldOfText(t.now.Fields, code, p.Value)
		if err != nil {
			return false
		}
		if to.Fields = maps.Clone(to.Fields); to.Fields == nil {
			to.Fields = map[string]ticket.Value{}
		}
		to.Fields[code] = v
	}
	return true
}
