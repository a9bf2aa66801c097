package storetest

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
)

// rivalRules run routing under rivals: exactly one wins, and nothing is
// counted wrong.
var rivalRules = []rule{
	{name: "rivals that give many items to one agent stop at the capacity", run: func(e *env) {
		line := routing.ChannelProfile("line")
		e.agent("a", map[routing.Profile]int{routing.ProfileUnits: 10, line: 3})
		uses := []routing.Use{{Profile: routing.ProfileUnits, Units: 2}, {Profile: line, Units: 1}}
		var rs []transition.Reservation
		for range racers {
			rs = append(rs, e.offering(e.item(uses), "a"))
		}
		errs := parallel(racers, func(i int) error { return e.reserve(rs[i]) })
		require.Equal(e, 3, successes(errs), "%v", errs)
		for _, err := range errs {
			if err != nil {
				e.refused(err, "capacity")
			}
		}
		e.sums("a")
	}},
	{name: "rivals that give one item to many agents: one gets it", run: func(e *env) {
		it := e.item(use(1))
		var rs []transition.Reservation
		for i := range racers {
			id := routing.AgentID(fmt.Sprint("a", i))
			e.agent(id, units(1))
			if i%2 == 0 {
				rs = append(rs, e.offering(it, id))
			} else {
				rs = append(rs, e.assigning(it, id))
			}
		}
		errs := parallel(racers, func(i int) error { return e.reserve(rs[i]) })
		require.Equal(e, 1, successes(errs), "%v", errs)
		for i, err := range errs {
			if err != nil {
				e.refused(err, "item", "held")
			}
			e.sums(rs[i].Agent)
		}
	}},
	{name: "rivals that end one offer in all ways: one succeeds", run: func(e *env) {
		e.agent("a", units(1))
		it := e.item(use(1))
		r := e.offering(it, "a")
		require.NoError(e, e.reserve(r))
		ways := []func(i int) error{
			func(i int) error { return e.accept(r.Offer.ID, routing.AssignmentID(fmt.Sprint("as", i))) },
			func(int) error { return e.tryEndOffer(r.Offer.ID, routing.OfferDeclined, moment(11)) },
			func(int) error { return e.tryEndOffer(r.Offer.ID, routing.OfferExpired, moment(11)) },
			func(int) error { return e.tryEndOffer(r.Offer.ID, routing.OfferWithdrawn, moment(11)) },
		}
		errs := parallel(racers, func(i int) error { return ways[i%len(ways)](i) })
		require.Equal(e, 1, successes(errs), "%v", errs)
		for _, err := range errs {
			if err != nil {
				e.refused(err, "ended")
			}
		}
		e.sums("a")
	}},
	{name: "rivals that end one assignment: one succeeds", run: func(e *env) {
		e.agent("a", units(1))
		e.agent("b", units(1))
		it := e.item(use(1))
		r := e.assigning(it, "a")
		require.NoError(e, e.reserve(r))
		transfer := e.assigning(e.loadItem(it.ID), "b")
		transfer.FromAssignment, transfer.FromReason = r.Assignment.ID, routing.EndTransferred
		errs := parallel(racers, func(i int) error {
			if i == 0 {
				return e.reserve(transfer)
			}
			_, err := e.endAssignment(it.ID, r.Assignment.ID, routing.ItemDone, moment(12))
			return err
		})
		require.Equal(e, 1, successes(errs), "%v", errs)
		for _, err := range errs {
			if err != nil {
				e.refused(err, "ended", "held", "item")
			}
		}
		e.sums("a", "b")
	}},
	{name: "two agents that swap items at once neither hang nor miscount", run: func(e *env) {
		e.agent("a", units(2))
		e.agent("b", units(2))
		first, second := e.assigning(e.item(use(1)), "a"), e.assigning(e.item(use(1)), "b")
		require.NoError(e, e.reserve(first))
		require.NoError(e, e.reserve(second))
		swap := func(from transition.Reservation, to routing.AgentID) transition.Reservation {
			r := e.assigning(e.loadItem(from.Item), to)
			r.FromAssignment, r.FromReason = from.Assignment.ID, routing.EndTransferred
			return r
		}
		rs := []transition.Reservation{swap(first, "b"), swap(second, "a")}
		errs := parallel(2, func(i int) error { return e.reserve(rs[i]) })
		require.Equal(e, 2, successes(errs), "%v", errs)
		e.sums("a", "b")
	}},
	{name: "the wheel gives every turn its own number", run: func(e *env) {
		var rs []transition.Reservation
		for i := range racers {
			id := routing.AgentID(fmt.Sprint("a", i))
			e.agent(id, units(1))
			r := e.offering(e.item(use(1)), id)
			r.Turn = true
			rs = append(rs, r)
		}
		errs := parallel(racers, func(i int) error { return e.reserve(rs[i]) })
		require.Equal(e, racers, successes(errs), "%v", errs)
		seen := map[int64]bool{}
		for _, r := range rs {
			seen[e.loadAgent(r.Agent).State.Turns["queue"]] = true
		}
		require.Len(e, seen, racers)
	}},
	{name: "offers, endings and settings at once keep every load true", run: mixedRivals},
}

func mixedRivals(e *env) {
	const agents, items = 3, 6
	for i := range agents {
		e.agent(routing.AgentID(fmt.Sprint("a", i)), units(2))
	}
	var its []routing.Item
	for range items {
		its = append(its, e.item(use(1)))
	}
	offers := make([]routing.OfferID, items*agents)
	for i := range offers {
		offers[i] = routing.OfferID(e.uuid())
	}
	errs := parallel(items, func(n int) error {
		for i := range agents {
			it := its[n]
			to := routing.AgentID(fmt.Sprint("a", (n+i)%agents))
			id := offers[n*agents+i]
			err := e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				now, err := tx.Work().Item(ctx, it.ID)
				if err != nil {
					return err
				}
				return tx.Work().Reserve(ctx, transition.Reservation{
					Item: it.ID, ItemVersion: now.Version, Agent: to, Now: moment(10), Turn: true,
					Offer: &routing.Offer{ID: id, Item: it.ID, Agent: to, State: routing.OfferPending, Uses: it.Uses, OfferedAt: moment(10),
						ExpiresAt: moment(11)},
				})
			})
			if err != nil {
				continue // no room just now
			}
			if i == agents-1 {
				if err := e.accept(id, routing.AssignmentID("as-"+id)); err != nil {
					return err
				}
				continue
			}
			if err := e.tryEndOffer(id, routing.OfferDeclined, moment(10)); err != nil {
				return err
			}
		}
		return nil
	})
	require.Equal(e, items, successes(errs), "%v", errs)
	for i := range agents {
		id := routing.AgentID(fmt.Sprint("a", i))
		e.sums(id)
		require.LessOrEqual(e, e.loadAgent(id).State.Load[routing.ProfileUnits], 2)
	}
}
