package transition

import (
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// Reserve gives the item to the agent of the reservation, as an offer or as an
// assignment, in place of the hold that From names. The item is in ItemVersion
// and queued, or held as From names; the agent's EligRev and the lease's Epoch
// are the given ones, where given; and the uses fit into the agent's capacity
// in every profile, unless Force. What the replaced hold used of the same agent
// is free again. A hold without Uses (nil) takes the item's.
//
// ErrNotFound: there is no such item or agent. ErrInvalid: the reservation
// carries not exactly one of offer and assignment. Everything else is a
// *routing.Refused.
func Reserve(w Rows, r Reservation) (Change, error) {
	if err := mayReserve(w, r); err != nil {
		return Change{}, err
	}
	s := begin(w)
	switch {
	case w.Offer != nil:
		s.endOffer(routing.OfferWithdrawn, string(r.FromReason), r.Now)
	case w.Assignment != nil:
		s.endAssignment(r.FromReason, r.Now)
	}
	uses := demand(r, *w.Item)
	now := s.load(r.Agent, uses, 1).State
	if err := fits(find(w.Agents, r.Agent), now, uses); err != nil && !r.Force {
		return Change{}, err
	}
	if r.Turn {
		s.c.Turn = r.Agent
	}
	if r.Decision != nil {
		s.c.Decision = r.Decision
		s.c.Item.Attempt++ // it counts decisions
	}
	if r.Offer != nil {
		o := *r.Offer
		o.Item, o.Agent, o.State, o.Uses = r.Item, r.Agent, routing.OfferPending, uses
		s.c.Offer = &o
		return s.end(routing.ItemOffered, r.Agent), nil
	}
	a := *r.Assignment
	a.Item, a.Agent, a.Uses, a.Forced = r.Item, r.Agent, uses, a.Forced || r.Force
	s.c.Assignment = &a
	return s.end(routing.ItemAssigned, r.Agent), nil
}

// mayReserve makes every check but that of the capacity. The lease comes first:
// who no longer leads must learn that, whatever else is wrong.
func mayReserve(w Rows, r Reservation) error {
	if (r.Offer == nil) == (r.Assignment == nil) {
		return errs.New(errs.Invalid, "routing: a reservation carries either an offer or an assignment")
	}
	a := find(w.Agents, r.Agent)
	switch {
	case w.Item == nil:
		return errs.New(errs.NotFound, "routing: there is no item %s", r.Item)
	case r.Lease != "" && r.Epoch != w.Epoch:
		return refused("lease", "another process decides now")
	case w.Item.Version != r.ItemVersion || w.Item.State == routing.ItemDone:
		return refused("item", "it changed since the decision and is "+string(w.Item.State))
	case !holds(w, r.FromOffer, r.FromAssignment):
		return refused("held", "the item is "+string(w.Item.State)+", otherwise than this reservation takes it")
	case a == nil:
		return errs.New(errs.NotFound, "routing: there is no agent %s", r.Agent)
	case r.EligRev != 0 && r.EligRev != a.State.EligRev:
		return refused("eligibility", "the agent changed since the decision")
	}
	return nil
}

// holds reports that the item is held by exactly what is named, if anything.
func holds(w Rows, offer routing.OfferID, assignment routing.AssignmentID) bool {
	var o routing.OfferID
	var a routing.AssignmentID
	if w.Offer != nil {
		o = w.Offer.ID
	}
	if w.Assignment != nil {
		a = w.Assignment.ID
	}
	return o == offer && a == assignment
}

// demand is what the new hold takes of the agent.
func demand(r Reservation, it routing.Item) []routing.Use {
	uses := it.Uses
	switch {
	case r.Offer != nil && r.Offer.Uses != nil:
		uses = r.Offer.Uses
	case r.Assignment != nil && r.Assignment.Uses != nil:
		uses = r.Assignment.Uses
	}
	if len(uses) == 0 {
		return nil // a stored hold does not tell an empty list from none
	}
	return uses
}
