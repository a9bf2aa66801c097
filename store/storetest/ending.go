package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

var endingRules = []rule{
	{name: "an accepted offer becomes an assignment of the same load", run: func(e *env) {
		e.agent("a", units(2))
		it := e.item(use(2))
		r := e.offering(it, "a")
		require.NoError(e, e.reserve(r))
		require.NoError(e, e.accept(r.Offer.ID, "as"))
		o, as := e.held(it.ID)
		require.Nil(e, o)
		require.Equal(e, routing.AssignmentID("as"), as.ID)
		require.Equal(e, routing.AgentID("a"), as.Agent)
		require.Equal(e, moment(10), as.StartedAt)
		e.same(it.Uses, as.Uses)
		require.Equal(e, routing.OfferAccepted, e.offer(r.Offer.ID).State)
		got := e.loadItem(it.ID)
		require.Equal(e, routing.ItemAssigned, got.State)
		require.Greater(e, got.Version, it.Version+1)
		require.Equal(e, 2, e.loadAgent("a").State.Load[routing.ProfileUnits])
		require.Equal(e, 1, e.loadAgent("a").State.Open)
		e.sums("a")
	}},
	{name: "an offer is accepted before its end, not at it", run: func(e *env) {
		e.agent("a", units(2))
		r := e.offering(e.item(use(1)), "a")
		require.NoError(e, e.reserve(r))
		e.refused(e.acceptAt(r.Offer.ID, "as", r.Offer.ExpiresAt), "expired")
		require.NoError(e, e.acceptAt(r.Offer.ID, "as", r.Offer.ExpiresAt.Add(-time.Microsecond)))
	}},
	{name: "an offer expires at its end, not before", run: func(e *env) {
		e.agent("a", units(2))
		r := e.offering(e.item(use(1)), "a")
		require.NoError(e, e.reserve(r))
		e.refused(e.tryEndOffer(r.Offer.ID, routing.OfferExpired, r.Offer.ExpiresAt.Add(-time.Microsecond)), "expired", "ended")
		require.NoError(e, e.tryEndOffer(r.Offer.ID, routing.OfferExpired, r.Offer.ExpiresAt))
	}},
	{name: "declined and expired put the item back and remember the agent; withdrawn does not", run: func(e *env) {
		for _, state := range []routing.OfferState{routing.OfferDeclined, routing.OfferExpired, routing.OfferWithdrawn} {
			id := routing.AgentID("agent-" + state)
			e.agent(id, units(2))
			it := e.item(use(2))
			r := e.offering(it, id)
			require.NoError(e, e.reserve(r))
			before := e.loadAgent(id)
			e.endOffer(r.Offer.ID, state, moment(11))
			o := e.offer(r.Offer.ID)
			require.Equal(e, state, o.State)
			require.Equal(e, moment(11), o.EndedAt)
			require.Equal(e, "why", o.Reason)
			got, after := e.loadItem(it.ID), e.loadAgent(id)
			require.Equal(e, routing.ItemQueued, got.State)
			require.Empty(e, got.Agent)
			require.Equal(e, it.QueuedAt, got.QueuedAt)
			require.Zero(e, after.State.Open)
			require.Empty(e, nonZero(after.State.Load))
			if state == routing.OfferWithdrawn {
				require.Empty(e, got.Declined)
				require.Equal(e, before.State.EligRev, after.State.EligRev)
			} else {
				require.Equal(e, []routing.AgentID{id}, got.Declined)
				require.Greater(e, after.State.EligRev, before.State.EligRev)
			}
		}
	}},
	{name: "who declines again is the last of those who declined", run: func(e *env) {
		it := e.item(use(1))
		for _, id := range []routing.AgentID{"a", "b"} {
			e.agent(id, units(2))
		}
		for _, id := range []routing.AgentID{"a", "b", "a"} {
			r := e.offering(e.loadItem(it.ID), id)
			require.NoError(e, e.reserve(r))
			e.endOffer(r.Offer.ID, routing.OfferDeclined, moment(10))
		}
		got := e.loadItem(it.ID).Declined
		require.Equal(e, routing.AgentID("a"), got[len(got)-1])
		require.Contains(e, got, routing.AgentID("b"))
	}},
	{name: "an offer ends once", run: func(e *env) {
		e.agent("a", units(2))
		for i, first := range []routing.OfferState{routing.OfferDeclined, routing.OfferExpired, routing.OfferWithdrawn,
			routing.OfferAccepted} {
			r := e.offering(e.item(use(2)), "a")
			require.NoError(e, e.reserve(r))
			as := routing.AssignmentID(fmt.Sprint("as", i))
			if first == routing.OfferAccepted {
				require.NoError(e, e.accept(r.Offer.ID, as))
			} else {
				e.endOffer(r.Offer.ID, first, moment(11))
			}
			for _, second := range []routing.OfferState{routing.OfferDeclined, routing.OfferExpired, routing.OfferWithdrawn} {
				e.refused(e.tryEndOffer(r.Offer.ID, second, moment(11)), "ended")
			}
			e.refused(e.accept(r.Offer.ID, as+"again"), "ended")
			require.Equal(e, first, e.offer(r.Offer.ID).State)
			e.sums("a")
		}
	}},
	{name: "an offer that has ended touches nothing of another one that holds its item now", run: func(e *env) {
		it := e.item(use(1))
		e.agent("a", units(2))
		e.agent("b", units(2))
		was := e.offering(e.loadItem(it.ID), "a")
		require.NoError(e, e.reserve(was))
		e.endOffer(was.Offer.ID, routing.OfferDeclined, moment(10))
		is := e.offering(e.loadItem(it.ID), "b")
		require.NoError(e, e.reserve(is))
		for _, state := range []routing.OfferState{routing.OfferDeclined, routing.OfferExpired, routing.OfferWithdrawn} {
			e.refused(e.tryEndOffer(was.Offer.ID, state, moment(11)), "ended")
		}
		e.refused(e.accept(was.Offer.ID, "as"), "ended")
		o, _ := e.held(it.ID)
		require.NotNil(e, o)
		require.Equal(e, is.Offer.ID, o.ID)
		require.Equal(e, routing.OfferPending, o.State)
		e.sums("a")
		e.sums("b")
	}},
	{name: "an unknown offer is not found, and cannot end in a wrong way", run: func(e *env) {
		require.ErrorIs(e, e.accept("none", "as"), store.ErrNotFound)
		require.ErrorIs(e, e.tryEndOffer("none", routing.OfferDeclined, moment(0)), store.ErrNotFound)
		e.agent("a", units(2))
		r := e.offering(e.item(use(1)), "a")
		require.NoError(e, e.reserve(r))
		for _, state := range []routing.OfferState{routing.OfferAccepted, routing.OfferPending, "other"} {
			require.ErrorIs(e, e.tryEndOffer(r.Offer.ID, state, moment(11)), store.ErrInvalid)
		}
	}},
	{name: "an ended assignment releases the load and says when work ended", run: func(e *env) {
		e.agent("a", units(2))
		later := future(0)
		for i, then := range []routing.ItemState{routing.ItemQueued, routing.ItemDone} {
			it := e.item(use(2))
			r := e.assigning(it, "a")
			require.NoError(e, e.reserve(r))
			at := later.Add(time.Duration(i) * time.Minute)
			a, err := e.endAssignment(it.ID, r.Assignment.ID, then, at)
			require.NoError(e, err)
			require.Equal(e, r.Assignment.ID, a.ID)
			require.Equal(e, at, a.EndedAt)
			require.Equal(e, routing.EndClosed, a.EndReason)
			got, agent := e.loadItem(it.ID), e.loadAgent("a")
			require.Equal(e, then, got.State)
			require.Empty(e, got.Agent)
			require.Zero(e, agent.State.Open)
			require.Empty(e, nonZero(agent.State.Load))
			require.Equal(e, at, agent.State.IdleSince)
		}
	}},
	{name: "the end of earlier work does not move idle since back", run: func(e *env) {
		before := e.agent("a", units(2))
		it := e.item(use(2))
		require.NoError(e, e.reserve(e.assigning(it, "a")))
		_, err := e.endAssignment(it.ID, "", routing.ItemDone, before.State.IdleSince.Add(-time.Hour))
		require.NoError(e, err)
		require.Equal(e, before.State.IdleSince, e.loadAgent("a").State.IdleSince)
	}},
	{name: "an assignment ends once, and only the one that is named", run: func(e *env) {
		e.agent("a", units(2))
		it := e.item(use(2))
		_, err := e.endAssignment(it.ID, "", routing.ItemDone, moment(11))
		e.refused(err, "ended", "held", "item")
		require.NoError(e, e.reserve(e.assigning(it, "a")))
		_, err = e.endAssignment(it.ID, "other", routing.ItemDone, moment(11))
		e.refused(err, "ended", "held", "item")
		_, err = e.endAssignment(it.ID, "", routing.ItemOffered, moment(11))
		require.ErrorIs(e, err, store.ErrInvalid)
		_, err = e.endAssignment(it.ID, "", routing.ItemDone, moment(11))
		require.NoError(e, err)
		_, err = e.endAssignment(it.ID, "", routing.ItemDone, moment(11))
		e.refused(err, "ended", "held", "item")
		e.sums("a")
	}},
	{name: "an offer is no assignment to end", run: func(e *env) {
		e.agent("a", units(2))
		it := e.item(use(2))
		require.NoError(e, e.reserve(e.offering(it, "a")))
		_, err := e.endAssignment(it.ID, "", routing.ItemDone, moment(11))
		e.refused(err, "ended", "held", "item")
	}},
	{name: "what an agent holds is listed oldest first", run: func(e *env) {
		e.agent("a", units(9))
		for _, minute := range []int{3, 1, 2} {
			o, as := e.offering(e.item(use(1)), "a"), e.assigning(e.item(use(1)), "a")
			o.Offer.OfferedAt, as.Assignment.StartedAt = moment(minute), moment(minute)
			require.NoError(e, e.reserve(o))
			require.NoError(e, e.reserve(as))
		}
		e.view(func(ctx context.Context, tx store.Tx) error {
			offers, assignments, err := tx.Work().HeldBy(ctx, "a")
			require.Len(e, offers, 3)
			require.Len(e, assignments, 3)
			for i := range 3 {
				require.Equal(e, moment(i+1), offers[i].OfferedAt)
				require.Equal(e, moment(i+1), assignments[i].StartedAt)
			}
			return err
		})
	}},
	{name: "an item that came back can be offered again", run: func(e *env) {
		e.agent("a", units(1))
		it := e.item(use(1))
		for range 3 {
			r := e.offering(e.loadItem(it.ID), "a")
			require.NoError(e, e.reserve(r))
			e.endOffer(r.Offer.ID, routing.OfferWithdrawn, moment(11))
		}
		e.sums("a")
	}},
}

func (e *env) accept(id routing.OfferID, as routing.AssignmentID) error {
	return e.acceptAt(id, as, moment(10))
}

func (e *env) acceptAt(id routing.OfferID, as routing.AssignmentID, now time.Time) error {
	return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Work().Accept(ctx, id, as, now)
		return err
	})
}

func (e *env) tryEndOffer(id routing.OfferID, state routing.OfferState, now time.Time) error {
	return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Work().EndOffer(ctx, id, state, "why", now)
		return err
	})
}

func (e *env) endOffer(id routing.OfferID, state routing.OfferState, now time.Time) {
	e.Helper()
	require.NoError(e, e.tryEndOffer(id, state, now))
}

func (e *env) endAssignment(item routing.ItemID, as routing.AssignmentID, then routing.ItemState, now time.Time) (a routing.Assignment,
	err error) {
	err = e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) (err error) {
		a, err = tx.Work().EndAssignment(ctx, item, as, routing.EndClosed, then, now)
		return err
	})
	return a, err
}
