package sangdam

import (
	"errors"
	"slices"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// Tickets find agents as conversations do: an item in a queue, offered or
// assigned by the Board. What a person, a trigger or time decides of a ticket's
// assignee comes first; the item follows at the end of the unit.

// ticketItem is the id of a ticket's item.
func ticketItem(id ticket.ID) routing.ItemID {
	return routing.Subject{Kind: routing.SubjectTicket, ID: string(id)}.Item()
}

// queueID is a queue as the ticket package names it.
func queueID(s string) routing.QueueID { return routing.QueueID(s) }

// routeTickets brings the work items of the tickets that this unit changed in
// line with them.
func (u *unit) routeTickets() error {
	for _, id := range u.ticketOrder {
		w := u.tickets[id]
		if len(w.entries) == 0 || !routesAnew(w.before, w.now) {
			continue
		}
		if err := u.routeTicket(w.now); err != nil {
			return err
		}
	}
	return nil
}

// routesAnew says that something changed that decides who works on the ticket.
func routesAnew(was, is ticket.Ticket) bool {
	return was.ID == "" || was.Agent != is.Agent || was.Group != is.Group || was.State != is.State || was.Desk != is.Desk ||
		was.MergedInto != is.MergedInto
}

// ticketQueue is the queue in which the ticket waits; empty: it waits for a
// person to take it.
func (u *unit) ticketQueue(s *ticketSetup, t ticket.Ticket) routing.QueueID {
	queue := s.Settings.Tickets.Queue
	if g, ok := s.group(t.Group); ok && g.Queue != "" {
		queue = queueID(g.Queue)
	}
	if _, ok := u.s.routing.Queues[queue]; !ok {
		return ""
	}
	return queue
}

func (u *unit) routeTicket(t ticket.Ticket) error {
	s, err := u.ticketSetup()
	if err != nil {
		return err
	}
	queue := u.ticketQueue(s, t)
	it, err := u.tx.Work().Item(u.ctx, ticketItem(t.ID))
	found := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	over := !t.State.Open() || t.State == ticket.HandedOver || t.MergedInto != ""
	switch {
	case over || t.Agent == "" && (queue == "" || t.State != ticket.Unassigned):
		if !found || it.State == routing.ItemDone {
			return nil
		}
		return u.freeItem(it, routing.EndClosed, routing.ItemDone)
	case t.Agent != "" && (found || queue != ""):
		return u.holdTicket(s, t, it, found, queue)
	case t.Agent == "":
		return u.queueTicket(s, t, it, found, queue)
	}
	return nil
}

// newTicketItem is the item of a ticket that begins to wait.
func (u *unit) newTicketItem(s *ticketSetup, t ticket.Ticket, queue routing.QueueID) routing.Item {
	r := s.Settings.Tickets
	stream := routing.WorkStream{Mode: routing.Push, Cost: r.Cost, AutoAccept: r.AutoAccept, OfferFor: r.OfferFor, Presences: r.Presences}
	it := transition.NewItem(routing.Item{ID: ticketItem(t.ID), Desk: t.Desk, Queue: queue, Priority: int(t.Priority)}, stream, u.tx.Now())
	it.Permission, it.Contact = routing.PermitTicket, string(t.Contact)
	it.Uses = append(it.Uses, routing.Use{Profile: routing.SubjectProfile(routing.SubjectTicket), Units: 1})
	return it
}

// queueTicket lets the ticket wait in the queue.
func (u *unit) queueTicket(s *ticketSetup, t ticket.Ticket, it routing.Item, found bool, queue routing.QueueID) error {
	if found && it.State == routing.ItemAssigned || found && it.State == routing.ItemOffered && it.Queue != queue {
		if err := u.freeItem(it, routing.EndRequeued, routing.ItemQueued); err != nil {
			return err
		}
		var err error
		if it, err = u.freed(it.ID); err != nil {
			return err
		}
	}
	if found && it.State != routing.ItemDone && it.Queue == queue && it.Desk == t.Desk {
		return nil // it waits there, or is offered
	}
	next := u.newTicketItem(s, t, queue)
	if found {
		next.Version, next.Attempt = it.Version, it.Attempt
		if it.State != routing.ItemDone {
			next.QueuedAt = it.QueuedAt
		}
	}
	return u.saveItem(next)
}

// holdTicket gives the item to the ticket's agent. A person or a rule decided,
// so it may go beyond the capacity.
func (u *unit) holdTicket(s *ticketSetup, t ticket.Ticket, it routing.Item, found bool, queue routing.QueueID) error {
	if !found || it.State == routing.ItemDone {
		if queue == "" {
			return nil
		}
		next := u.newTicketItem(s, t, queue)
		if found {
			next.Version, next.Attempt = it.Version, it.Attempt
		}
		if _, err := u.tx.Work().SaveItem(u.ctx, next); err != nil {
			return err
		}
		var err error
		if it, err = u.tx.Work().Item(u.ctx, next.ID); err != nil {
			return err
		}
	}
	offer, held, err := u.tx.Work().Held(u.ctx, it.ID)
	if err != nil || held != nil && held.Agent == t.Agent {
		return err
	}
	r := transition.Reservation{Item: it.ID, ItemVersion: it.Version, Agent: t.Agent, Force: true, Now: u.tx.Now(),
		Assignment: &routing.Assignment{ID: routing.AssignmentID(newID()), Item: it.ID, Agent: t.Agent, Uses: it.Uses,
			StartedAt: u.tx.Now(), Forced: true}}
	var before routing.AgentID
	if held != nil {
		r.FromAssignment, r.FromReason, before = held.ID, routing.EndTransferred, held.Agent
	}
	if offer != nil {
		r.FromOffer, r.FromReason, before = offer.ID, routing.EndTransferred, offer.Agent
		if err := u.tx.Deadlines().Clear(u.ctx, dueOffer, string(offer.ID)); err != nil {
			return err
		}
	}
	if err := u.tx.Work().Reserve(u.ctx, r); err != nil {
		return overtaken(err)
	}
	if before != "" && before != t.Agent {
		if err := u.changedAgent(before); err != nil {
			return err
		}
	}
	if err := u.changedAgent(t.Agent); err != nil {
		return err
	}
	u.after.owned = append(u.after.owned, *r.Assignment)
	return u.changedItem(it.ID)
}

// assignedTicket is a ticket as the work that is handed out sees it.
type assignedTicket struct {
	*unit
	id ticket.ID
}

func (a assignedTicket) owned(as routing.Assignment, _ string) (Owned, error) {
	d, err := a.editTicket(a.id)
	if err != nil {
		return Owned{}, err
	}
	if d.T.Agent != "" && d.T.Agent != as.Agent {
		return Owned{}, &routing.Refused{Check: "item", Detail: "the ticket has an agent already"}
	}
	return Owned{Ticket: a.id}, d.Assign(d.T.Group, as.Agent)
}

func (a assignedTicket) offerTo(o routing.Offer) (Resource, error) {
	w, err := a.ticketWork(a.id)
	if err != nil {
		return Resource{}, err
	}
	r := ticketResource(w.now)
	r.Kind, r.ID, r.Owner = kindTicketOffer, string(o.ID), o.Agent
	return r, nil
}

// The history of a ticket tells of no offers.
func (assignedTicket) offered(routing.Offer, routing.QueueID) error { return nil }

func (assignedTicket) answered(routing.Offer) error { return nil }

// overflowed: there is nobody to tell, and it is a ticket already.
func (a assignedTicket) overflowed(it routing.Item, d routing.Decision) error {
	return a.overflowsToQueues(it, d)
}

// goesOn: a ticket stays with an agent who is away or off its desk: nobody waits on
// the line for it.
func (a assignedTicket) goesOn(h handOn, agent routing.Agent) (bool, error) {
	return h.Why == handOnUnable && !keepsTickets(agent), nil
}

// handedOn: it waits for somebody else.
func (a assignedTicket) handedOn(handOnWhy) error {
	d, err := a.editTicket(a.id)
	if err != nil {
		return err
	}
	return d.Assign(d.T.Group, "")
}

func (a assignedTicket) place(ev driver.Event) (driver.Event, error) {
	w, err := a.ticketWork(a.id)
	if err == nil {
		ev.Desk, ev.Agent, ev.Contact = w.now.Desk, w.now.Agent, w.now.Contact
	}
	return ev, err
}

func init() {
	registerWorker(routing.SubjectTicket, func(u *unit, id string) worker { return assignedTicket{u, ticket.ID(id)} })
}

// overflowToTicket makes a ticket, or a call-back, of a conversation that waited
// in a queue: the conversation leaves the queue and waits for the customer, and
// the ticket holds queue, wait and chat log (RT11). A conversation of which a
// ticket is open gets no second one; the wait is noted there.
func (u *unit) overflowToTicket(draft *draft.Draft, it routing.Item, d routing.Decision) error {
	origin := ticket.Origin{Queue: string(d.Queue), Waited: u.tx.Now().Sub(it.QueuedAt), Overflow: string(d.Overflow.When),
		CallBack: d.Overflow.Do == routing.OverflowCallBack}
	id, err := u.openTicketOf(draft.C)
	if err != nil {
		return err
	}
	if id, err = u.overflowed(draft.C, id, origin); err != nil {
		return err
	}
	draft.Note(conversation.EvTicket, u.actor(), "overflow:"+origin.Overflow, string(id))
	if draft.C.State != conversation.StateWaiting {
		return draft.Wait(u.actor(), true)
	}
	return nil
}

// overflowed is the ticket of a conversation that nobody took: the one that it
// has, or a new one.
func (u *unit) overflowed(c conversation.Conversation, id ticket.ID, origin ticket.Origin) (ticket.ID, error) {
	if id != "" {
		td, err := u.editTicket(id)
		if err != nil {
			return "", err
		}
		origin.ChatTo = c.EventSeq
		td.T.Origin = origin
		return id, nil
	}
	t := ticket.Ticket{Origin: origin}
	u.inherit(&t, c)
	if err := u.requester(&t); err != nil {
		return "", err
	}
	td, err := u.newTicket(t)
	if err != nil {
		return "", err
	}
	return td.T.ID, nil
}

// openTicketOf finds a ticket that is still worked on, of the conversation or of
// one that was merged into it.
func (u *unit) openTicketOf(c conversation.Conversation) (ticket.ID, error) {
	for _, id := range append([]conversation.ID{c.ID}, c.Merged...) {
		page, err := tickets.List(u.ctx, u.tx, store.List[storedTicket]{Tag: withChat, Value: store.Exact(string(id)), Desc: true})
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(page.Items, func(t storedTicket) bool { return t.State.Open() && t.MergedInto == "" })
		if i >= 0 {
			return page.Items[i].ID, nil
		}
	}
	return "", nil
}

// keepsTickets says whether an agent keeps the tickets it has: unlike chats they
// stay while the switch is off or nobody is there.
func keepsTickets(a routing.Agent) bool { return !a.Disabled && a.May(routing.PermitTicket) }
