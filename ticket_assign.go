package sangdam

import (
	"errors"
	"slices"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/classify"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// Tickets find agents as conversations do: an item in a queue, offered or
// assigned by the Board. What a person, a trigger or time decides of a ticket's
// assignee comes first; the item follows at the end of the unit.

// ticketItem is the id of a ticket's item.
func ticketItem(id ticket.ID) routing.ItemID {
	return routing.Subject{Kind: routing.SubjectTicket, ID: string(id)}.Item()
}

// ofTicket is the ticket that an item is about; false for other work.
func ofTicket(it routing.ItemID) (ticket.ID, bool) {
	s := it.Subject()
	return ticket.ID(s.ID), s.Kind == routing.SubjectTicket
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
		return u.freeTicket(it, routing.EndClosed, routing.ItemDone)
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
	it := transition.NewItem(ticketItem(t.ID), t.Desk, stream, classify.Outcome{Queue: queue, Priority: int(t.Priority)}, u.tx.Now())
	it.Permission, it.Contact = routing.PermitTicket, string(t.Contact)
	it.Uses = append(it.Uses, routing.Use{Profile: routing.SubjectProfile(routing.SubjectTicket), Units: 1})
	return it
}

// queueTicket lets the ticket wait in the queue.
func (u *unit) queueTicket(s *ticketSetup, t ticket.Ticket, it routing.Item, found bool, queue routing.QueueID) error {
	if found && it.State == routing.ItemAssigned || found && it.State == routing.ItemOffered && it.Queue != queue {
		if err := u.freeTicket(it, routing.EndRequeued, routing.ItemQueued); err != nil {
			return err
		}
		var err error
		if it, err = u.tx.Work().Item(u.ctx, it.ID); err != nil {
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

// freeTicket ends whatever holds the ticket's item.
func (u *unit) freeTicket(it routing.Item, why routing.EndReason, then routing.ItemState) error {
	offer, held, err := u.tx.Work().Held(u.ctx, it.ID)
	if err != nil {
		return err
	}
	switch {
	case held != nil:
		if _, err := u.tx.Work().EndAssignment(u.ctx, it.ID, held.ID, why, then, u.tx.Now()); err != nil {
			return err
		}
		if err := u.changedAgent(held.Agent); err != nil {
			return err
		}
		return u.changedItem(it.ID)
	case offer != nil:
		if err := u.endOffer(offer.ID, routing.OfferWithdrawn, string(why)); err != nil {
			return err
		}
		if it, err = u.tx.Work().Item(u.ctx, it.ID); err != nil {
			return err
		}
	}
	if it.State == then {
		return nil
	}
	it.State, it.Agent = then, ""
	return u.saveItem(it)
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
		return err
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

// ownTicket records an assignment that the Board or an accepted offer made.
func (u *unit) ownTicket(id ticket.ID, as routing.Assignment) error {
	d, err := u.editTicket(id)
	if err != nil {
		return err
	}
	if d.T.Agent != "" && d.T.Agent != as.Agent {
		return &routing.Refused{Check: "item", Detail: "the ticket has an agent already"}
	}
	if err := d.Assign(d.T.Group, as.Agent); err != nil {
		return err
	}
	if err := u.changedItem(as.Item); err != nil {
		return err
	}
	if err := u.changedAgent(as.Agent); err != nil {
		return err
	}
	u.after.owned = append(u.after.owned, as)
	return nil
}

// ticketOffer is the resource of an offer of a ticket.
func (u *unit) ticketOffer(id ticket.ID, o routing.Offer) (Resource, error) {
	w, err := u.ticketWork(id)
	if err != nil {
		return Resource{}, err
	}
	r := ticketResource(w.now)
	r.Kind, r.ID, r.Owner = kindTicketOffer, string(o.ID), o.Agent
	return r, nil
}

// overflowTicket does what a queue's overflow rule says for a waiting ticket:
// it goes to another queue; there is nobody to tell, and it is a ticket already.
func (u *unit) overflowTicket(it routing.Item, d routing.Decision) error {
	if d.Overflow.Do != routing.OverflowQueue || !u.s.staffed(u.s.routing.Queues[d.Overflow.Queue], it.Desk) {
		return u.saveItem(transition.OverflowPassed(it, d.Queue, d.Rule))
	}
	return u.saveItem(transition.Overflowed(it, d.Queue, d.Rule, *d.Overflow, u.tx.Now()))
}

// overflowToTicket makes a ticket, or a call-back, of a conversation that waited
// in a queue: the conversation leaves the queue and waits for the customer, and
// the ticket holds queue, wait and chat log (RT11). A conversation of which a
// ticket is open gets no second one; the wait is noted there.
func (u *unit) overflowToTicket(draft *draft.Draft, it routing.Item, d routing.Decision) error {
	origin := ticket.Origin{Queue: string(d.Queue), Waited: u.tx.Now().Sub(it.QueuedAt), Overflow: string(d.Overflow.When),
		CallBack: d.Overflow.Do == routing.OverflowCallBack}
	id, err := u.openTicketOf(draft.C.ID)
	if err != nil {
		return err
	}
	if id == "" {
		t := ticket.Ticket{Origin: origin}
		u.inherit(&t, draft.C)
		if err := u.requester(&t); err != nil {
			return err
		}
		td, err := u.newTicket(t)
		if err != nil {
			return err
		}
		id = td.T.ID
	} else {
		td, err := u.editTicket(id)
		if err != nil {
			return err
		}
		origin.ChatTo = draft.C.EventSeq
		td.T.Origin = origin
	}
	draft.Note(conversation.EvTicket, u.actor(), "overflow:"+origin.Overflow, string(id))
	if draft.C.State != conversation.StateWaiting {
		return draft.Wait(u.actor(), true)
	}
	return nil
}

// openTicketOf finds a ticket of the conversation that is still worked on.
func (u *unit) openTicketOf(c conversation.ID) (ticket.ID, error) {
	page, err := tickets.List(u.ctx, u.tx, store.List[storedTicket]{Tag: withChat, Value: store.Exact(string(c)), Desc: true})
	i := slices.IndexFunc(page.Items, func(t storedTicket) bool { return t.State.Open() && t.MergedInto == "" })
	if err != nil || i < 0 {
		return "", err
	}
	return page.Items[i].ID, nil
}

// handOnTicket takes a ticket from an agent who may not work on tickets any
// more; it waits for somebody else.
func (u *unit) handOnTicket(id ticket.ID) error {
	d, err := u.editTicket(id)
	if err != nil {
		return err
	}
	return d.Assign(d.T.Group, "")
}

// keepsTickets says whether an agent keeps the tickets it has: unlike chats they
// stay while the switch is off or nobody is there.
func keepsTickets(a routing.Agent) bool { return !a.Disabled && a.May(routing.PermitTicket) }
