package transition

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// Accept turns the pending offer into an assignment, which goes on holding
// what the offer held. ErrNotFound when there is no such offer; refused when it
// ended, or at now expired.
func Accept(w Rows, as routing.AssignmentID, now time.Time) (Change, error) {
	if err := pending(w); err != nil {
		return Change{}, err
	}
	o := w.Offer
	if expired(*o, now) {
		return Change{}, refused("expired", "the offer's time is over")
	}
	s := begin(w)
	s.endOffer(routing.OfferAccepted, "", now)
	s.c.Assignment = &routing.Assignment{ID: as, Item: o.Item, Agent: o.Agent, Uses: o.Uses, StartedAt: now}
	return s.end(routing.ItemAssigned, o.Agent), nil
}

// EndOffer ends the pending offer as declined, expired or withdrawn: its load is
// given back and the item is queued again. After a decline or a time-out the
// agent comes last among those who declined, and is another one to a decision
// that was under way. ErrNotFound when there is no such offer, ErrInvalid for
// another state; refused when the offer ended, or is to expire before its time.
// An offer without ExpiresAt never expires.
func EndOffer(w Rows, state routing.OfferState, reason string, now time.Time) (Change, error) {
	asked := state == routing.OfferDeclined || state == routing.OfferExpired
	if !asked && state != routing.OfferWithdrawn {
		return Change{}, errs.New(errs.Invalid, "routing: an offer cannot end as %q; use declined, expired or withdrawn", state)
	}
	if err := pending(w); err != nil {
		return Change{}, err
	}
	if state == routing.OfferExpired && !expired(*w.Offer, now) {
		return Change{}, refused("expired", "the offer still stands")
	}
	s := begin(w)
	agent := w.Offer.Agent
	c := s.endOffer(state, reason, now)
	if asked {
		if c != nil {
			c.State.EligRev++
		}
		rest := slices.DeleteFunc(slices.Clone(w.Item.Declined), func(a routing.AgentID) bool { return a == agent })
		s.c.Item.Declined, s.c.Item.DeclinedAt = append(rest, agent), now
	}
	return s.end(routing.ItemQueued, ""), nil
}

// EndAssignment ends the open assignment of the item named id, gives its load
// back, and leaves the item queued or done. as, if not empty, is the assignment
// that it must be. ErrNotFound when there is no such item, ErrInvalid for
// another state; refused when the item has no such open assignment.
func EndAssignment(w Rows, id routing.ItemID, as routing.AssignmentID, reason routing.EndReason, then routing.ItemState,
	now time.Time) (Change, error) {
	switch {
	case then != routing.ItemQueued && then != routing.ItemDone:
		return Change{}, errs.New(errs.Invalid, "routing: after an assignment an item is queued or done, not %q", then)
	case w.Item == nil:
		return Change{}, errs.New(errs.NotFound, "routing: there is no item %s", id)
	case w.Assignment == nil || as != "" && as != w.Assignment.ID:
		return Change{}, refused("ended", "the item has no such open assignment")
	}
	s := begin(w)
	s.endAssignment(reason, now)
	return s.end(then, ""), nil
}

// Saved is the item as SaveItem may write it over old, nil for a new one: its
// state stays, or goes from queued to done or back. Who holds it, and with it
// the other states, changes by the other transitions alone, together with the
// load. ErrInvalid for everything else.
func Saved(old *routing.Item, it routing.Item) (routing.Item, error) {
	was := routing.Item{State: routing.ItemQueued}
	if old != nil {
		was = *old
	}
	if it.State != was.State && (!free(was.State) || !free(it.State)) {
		return it, errs.New(errs.Invalid, "routing: saving item %s cannot make it %q from %q; reserve it, or end its offer or assignment",
			it.ID, it.State, was.State)
	}
	it.Agent = was.Agent
	return it, nil
}

func free(s routing.ItemState) bool { return s == routing.ItemQueued || s == routing.ItemDone }

func pending(w Rows) error {
	switch {
	case w.Offer == nil || w.Item == nil:
		return errs.New(errs.NotFound, "routing: there is no such offer")
	case w.Offer.State != routing.OfferPending:
		return refused("ended", "the offer was "+string(w.Offer.State))
	}
	return nil
}

func expired(o routing.Offer, now time.Time) bool {
	return !o.ExpiresAt.IsZero() && !now.Before(o.ExpiresAt)
}
