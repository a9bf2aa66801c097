package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

type work struct{ t *tx }

// hold is an item's open offer or open assignment: one row an item, which is
// the constraint that there is at most one of both.
type hold struct {
	agent      routing.AgentID
	offer      routing.OfferID
	assignment routing.AssignmentID
}

func (s *space) holdChanged(id routing.ItemID, was, is *hold) {
	if was != nil {
		s.holdsOf.remove(was.agent, id)
	}
	if is != nil {
		s.holdsOf.add(is.agent, id)
	}
}

func (s *space) itemChanged(id routing.ItemID, _, is *routing.Item) {
	delete(s.openItems, id)
	if is != nil && is.State != routing.ItemDone {
		s.openItems[id] = struct{}{}
	}
}

func refused(check, detail string) error { return &routing.Refused{Check: check, Detail: detail} }

func (r work) Item(_ context.Context, id routing.ItemID) (routing.Item, error) {
	return one(r.t, r.t.s.items, "item", id)
}

func (r work) SaveItem(_ context.Context, it routing.Item) (int64, error) {
	t := r.t
	return write(t, func() (int64, error) {
		old, exists := get(t, t.s.items, it.ID)
		if old.Version != it.Version {
			return 0, driver.ErrClash
		}
		if !mayBecome(old.State, it.State) {
			return 0, errs.New(errs.Invalid, "memory: item %q cannot go from %q to %q by saving it; use Reserve or an ending", it.ID, old.State, it.State)
		}
		it = clone(it)
		it.Version++
		it.Agent, it.Seq = old.Agent, old.Seq
		if !exists {
			t.b.order++
			it.Seq = t.b.order
		}
		put(t, t.s.items, it.ID, it)
		return it.Version, nil
	})
}

// mayBecome is what SaveItem may do to a state; was is empty for a new item.
func mayBecome(was, is routing.ItemState) bool {
	return was == is || was != routing.ItemOffered && was != routing.ItemAssigned && (is == routing.ItemQueued || is == routing.ItemDone)
}

// setItem writes an item with a raised version, after fn changed its own copy.
func (r work) setItem(id routing.ItemID, fn func(*routing.Item)) {
	it, _ := get(r.t, r.t.s.items, id)
	it = clone(it)
	it.Version++
	fn(&it)
	put(r.t, r.t.s.items, id, it)
}

// setAgent writes an agent, if there is such.
func (r work) setAgent(id routing.AgentID, fn func(*agentRow)) {
	if a, ok := get(r.t, r.t.s.agents, id); ok {
		agents(r).change(a, fn)
	}
}

func (r work) Reserve(_ context.Context, q routing.Reservation) error {
	q = clone(q)
	return do(r.t, func() error {
		if (q.Offer == nil) == (q.Assignment == nil) {
			return errs.New(errs.Invalid, "memory: a reservation carries either an offer or an assignment")
		}
		agent, err := r.check(&q)
		if err != nil {
			return err
		}
		r.releaseFrom(q)
		r.take(q, agent)
		return nil
	})
}

// check makes every check of Reserve and returns the agent.
func (r work) check(q *routing.Reservation) (routing.AgentID, error) {
	t := r.t
	it, ok := get(t, t.s.items, q.Item)
	if !ok {
		return "", missing("item", string(q.Item))
	}
	if it.Version != q.ItemVersion {
		return "", refused("item", "it has changed since the decision")
	}
	if err := r.checkHold(*q, it); err != nil {
		return "", err
	}
	a, ok := get(t, t.s.agents, q.Agent)
	if !ok {
		return "", missing("agent", string(q.Agent))
	}
	if q.EligRev != 0 && a.State.EligRev != q.EligRev {
		return "", refused("eligibility", "the agent has changed since the decision")
	}
	if q.Lease != "" {
		if err := r.checkLease(*q); err != nil {
			return "", err
		}
	}
	return q.Agent, r.checkCapacity(*q, it, a)
}

// checkHold: the item is queued, or held as From names.
func (r work) checkHold(q routing.Reservation, it routing.Item) error {
	h, held := get(r.t, r.t.s.holds, q.Item)
	switch {
	case q.FromOffer == "" && q.FromAssignment == "":
		if held {
			return refused("held", "another agent was offered or assigned the item")
		}
		if it.State != routing.ItemQueued {
			return refused("item", "it is "+string(it.State)+", not queued")
		}
	case !held || h.offer != q.FromOffer || h.assignment != q.FromAssignment:
		return refused("held", "the hold to be replaced is not the item's")
	}
	return nil
}

// checkLease refuses an older epoch, now and at the commit.
func (r work) checkLease(q routing.Reservation) error {
	if r.t.b.leases[q.Lease].epoch != q.Epoch {
		return refused("lease", "another node decides now")
	}
	r.t.checks = append(r.t.checks, func() error {
		if r.t.b.leases[q.Lease].epoch != q.Epoch {
			return driver.ErrClash
		}
		return nil
	})
	return nil
}

// checkCapacity counts what the agent itself gives back as free.
func (r work) checkCapacity(q routing.Reservation, it routing.Item, a agentRow) error {
	if q.Force {
		return nil
	}
	a.Agent = clone(a.Agent)
	if h, held := get(r.t, r.t.s.holds, q.Item); held && h.agent == q.Agent {
		a.give(r.usesOf(h))
	}
	if p := a.over(demand(q, it)); p != "" {
		return refused("capacity", "no room in profile "+string(p))
	}
	return nil
}

// demand is what the reservation takes: its own figures, else the item's.
func demand(q routing.Reservation, it routing.Item) []routing.Use {
	uses := it.Uses
	switch {
	case q.Offer != nil && q.Offer.Uses != nil:
		uses = q.Offer.Uses
	case q.Assignment != nil && q.Assignment.Uses != nil:
		uses = q.Assignment.Uses
	}
	return uses
}

func (r work) usesOf(h hold) []routing.Use {
	if h.offer != "" {
		o, _ := get(r.t, r.t.s.offers, h.offer)
		return o.Uses
	}
	a, _ := get(r.t, r.t.s.assignments, h.assignment)
	return a.Uses
}

// releaseFrom ends the hold that the reservation replaces.
func (r work) releaseFrom(q routing.Reservation) {
	h, held := get(r.t, r.t.s.holds, q.Item)
	if !held {
		return
	}
	if h.offer != "" {
		r.finishOffer(h.offer, routing.OfferWithdrawn, string(q.FromReason), q.Now)
		r.setAgent(h.agent, func(a *agentRow) { a.give(r.usesOf(h)) })
		return
	}
	r.finishAssignment(h.assignment, q.FromReason, q.Now)
	r.setAgent(h.agent, func(a *agentRow) { a.give(r.usesOf(h)); a.idle(q.Now) })
}

func (r work) finishOffer(id routing.OfferID, state routing.OfferState, reason string, now time.Time) routing.Offer {
	o, _ := get(r.t, r.t.s.offers, id)
	o.State, o.Reason, o.EndedAt = state, reason, now
	put(r.t, r.t.s.offers, id, o)
	return o
}

func (r work) finishAssignment(id routing.AssignmentID, reason routing.EndReason, now time.Time) routing.Assignment {
	a, _ := get(r.t, r.t.s.assignments, id)
	a.EndReason, a.EndedAt = reason, now
	put(r.t, r.t.s.assignments, id, a)
	return a
}

// take writes the new hold with all that goes with it.
func (r work) take(q routing.Reservation, agent routing.AgentID) {
	t := r.t
	it, _ := get(t, t.s.items, q.Item)
	uses := demand(q, it)
	h := hold{agent: agent}
	state := routing.ItemAssigned
	if q.Offer != nil {
		o := *q.Offer
		o.Item, o.Agent, o.State, o.Uses = q.Item, agent, routing.OfferPending, uses
		h.offer, state = o.ID, routing.ItemOffered
		put(t, t.s.offers, o.ID, o)
	} else {
		a := *q.Assignment
		a.Item, a.Agent, a.Uses, a.Forced = q.Item, agent, uses, a.Forced || q.Force
		h.assignment = a.ID
		put(t, t.s.assignments, a.ID, a)
	}
	put(t, t.s.holds, q.Item, h)
	r.setAgent(agent, func(a *agentRow) {
		a.take(uses)
		if q.Turn {
			n, _ := get(t, t.s.wheels, it.Queue)
			put(t, t.s.wheels, it.Queue, n+1)
			if a.State.Turns == nil {
				a.State.Turns = map[routing.QueueID]int64{}
			}
			a.State.Turns[it.Queue] = n + 1
		}
	})
	r.setItem(q.Item, func(it *routing.Item) {
		it.State, it.Agent = state, agent
		if q.Decision != nil {
			it.Attempt++
		}
	})
	if q.Decision != nil {
		list, _ := get(t, t.s.decisions, q.Item)
		put(t, t.s.decisions, q.Item, append(slices.Clone(list), *q.Decision))
	}
}

// pendingOffer returns an offer that has not ended.
func (r work) pendingOffer(id routing.OfferID) (routing.Offer, error) {
	o, ok := get(r.t, r.t.s.offers, id)
	if !ok {
		return o, missing("offer", string(id))
	}
	if o.State != routing.OfferPending {
		return o, refused("ended", "the offer was "+string(o.State))
	}
	return o, nil
}

func expired(o routing.Offer, now time.Time) bool {
	return !o.ExpiresAt.IsZero() && !now.Before(o.ExpiresAt)
}

func (r work) Accept(_ context.Context, offer routing.OfferID, as routing.AssignmentID, now time.Time) (routing.Assignment, error) {
	t, now := r.t, clone(now)
	return write(t, func() (routing.Assignment, error) {
		o, err := r.pendingOffer(offer)
		if err != nil {
			return routing.Assignment{}, err
		}
		if expired(o, now) {
			return routing.Assignment{}, refused("expired", "the offer's time is over")
		}
		if _, taken := get(t, t.s.assignments, as); taken {
			return routing.Assignment{}, driver.ErrClash
		}
		r.finishOffer(offer, routing.OfferAccepted, "", now)
		a := routing.Assignment{ID: as, Item: o.Item, Agent: o.Agent, Uses: o.Uses, StartedAt: now}
		put(t, t.s.assignments, as, a)
		put(t, t.s.holds, o.Item, hold{agent: o.Agent, assignment: as})
		r.setItem(o.Item, func(it *routing.Item) { it.State = routing.ItemAssigned })
		return clone(a), nil
	})
}

func (r work) EndOffer(_ context.Context, offer routing.OfferID, state routing.OfferState, reason string, now time.Time) (routing.Offer, error) {
	t, now := r.t, clone(now)
	return write(t, func() (routing.Offer, error) {
		asked := state == routing.OfferDeclined || state == routing.OfferExpired
		if !asked && state != routing.OfferWithdrawn {
			return routing.Offer{}, errs.New(errs.Invalid, "memory: an offer cannot end as %q", state)
		}
		o, err := r.pendingOffer(offer)
		if err != nil {
			return o, err
		}
		if state == routing.OfferExpired && !expired(o, now) {
			return o, refused("expired", "the offer still stands")
		}
		o = r.finishOffer(offer, state, reason, now)
		drop(t, t.s.holds, o.Item)
		r.setAgent(o.Agent, func(a *agentRow) {
			a.give(o.Uses)
			if asked {
				a.State.EligRev++
			}
		})
		r.setItem(o.Item, func(it *routing.Item) { *it = routing.OfferEnded(*it, o.Agent, state, now) })
		return clone(o), nil
	})
}

func (r work) EndAssignment(_ context.Context, item routing.ItemID, as routing.AssignmentID, reason routing.EndReason, then routing.ItemState, now time.Time) (routing.Assignment, error) {
	t, now := r.t, clone(now)
	return write(t, func() (routing.Assignment, error) {
		if then != routing.ItemQueued && then != routing.ItemDone {
			return routing.Assignment{}, errs.New(errs.Invalid, "memory: an item cannot become %q when its assignment ends", then)
		}
		h, held := get(t, t.s.holds, item)
		if !held || h.assignment == "" || as != "" && as != h.assignment {
			return routing.Assignment{}, refused("ended", "the item has no such open assignment")
		}
		a := r.finishAssignment(h.assignment, reason, now)
		drop(t, t.s.holds, item)
		r.setAgent(a.Agent, func(row *agentRow) { row.give(a.Uses); row.idle(now) })
		r.setItem(item, func(it *routing.Item) { it.State, it.Agent = then, "" })
		return clone(a), nil
	})
}

func (r work) Held(_ context.Context, item routing.ItemID) (o *routing.Offer, a *routing.Assignment, err error) {
	_, err = read(r.t, func() (struct{}, error) {
		h, held := get(r.t, r.t.s.holds, item)
		switch {
		case !held:
		case h.offer != "":
			v, _ := get(r.t, r.t.s.offers, h.offer)
			v = clone(v)
			o = &v
		default:
			v, _ := get(r.t, r.t.s.assignments, h.assignment)
			v = clone(v)
			a = &v
		}
		return struct{}{}, nil
	})
	return o, a, err
}

func (r work) Offer(_ context.Context, id routing.OfferID) (routing.Offer, error) {
	return one(r.t, r.t.s.offers, "offer", id)
}

func (r work) HeldBy(_ context.Context, agent routing.AgentID) (offers []routing.Offer, assignments []routing.Assignment, err error) {
	t := r.t
	_, err = read(t, func() (struct{}, error) {
		for _, h := range some(t, t.s.holds, t.s.holdsOf.keys(agent)) {
			switch {
			case h.agent != agent:
			case h.offer != "":
				o, _ := get(t, t.s.offers, h.offer)
				offers = append(offers, clone(o))
			default:
				a, _ := get(t, t.s.assignments, h.assignment)
				assignments = append(assignments, clone(a))
			}
		}
		return struct{}{}, nil
	})
	slices.SortFunc(offers, func(a, b routing.Offer) int {
		return cmp.Or(a.OfferedAt.Compare(b.OfferedAt), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(assignments, func(a, b routing.Assignment) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
	})
	return offers, assignments, err
}

func (r work) Open(context.Context) ([]routing.Item, error) {
	t := r.t
	return read(t, func() ([]routing.Item, error) {
		var list []routing.Item
		for _, it := range some(t, t.s.items, mapKeys(t.s.openItems)) {
			if it.State != routing.ItemDone {
				list = append(list, clone(it))
			}
		}
		slices.SortFunc(list, func(a, b routing.Item) int { return cmp.Compare(a.Seq, b.Seq) })
		t.found(len(list))
		return list, nil
	})
}

func (r work) Decisions(_ context.Context, item routing.ItemID) ([]routing.Decision, error) {
	return read(r.t, func() ([]routing.Decision, error) {
		list, _ := get(r.t, r.t.s.decisions, item)
		return clones(list), nil
	})
}
