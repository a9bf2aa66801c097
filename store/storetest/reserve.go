package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

var reserveRules = []rule{
	{name: "an offer holds item, load and agent", run: func(e *env) {
		a, it := e.agent("a", units(3)), e.item(use(2))
		r := e.offering(it, "a")
		r.EligRev = a.State.EligRev
		require.NoError(e, e.reserve(r))
		got := e.loadItem(it.ID)
		require.Equal(e, routing.ItemOffered, got.State)
		require.Equal(e, routing.AgentID("a"), got.Agent)
		require.Greater(e, got.Version, it.Version)
		after := e.loadAgent("a")
		require.Equal(e, 2, after.State.Load[routing.ProfileUnits])
		require.Equal(e, 1, after.State.Open)
		require.Greater(e, after.State.Rev, a.State.Rev)
		require.Equal(e, a.State.EligRev, after.State.EligRev)
		o, as := e.held(it.ID)
		e.same(r.Offer, o)
		require.Nil(e, as)
	}},
	{name: "several items are locked before the agents, unknown ones left out", run: func(e *env) {
		e.agent("a", units(3))
		one, two := e.item(use(1)), e.item(use(1))
		require.NoError(e, e.reserve(e.offering(one, "a")))
		require.NoError(e, e.reserve(e.offering(two, "a")))
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Work().LockItems(ctx, two.ID, "unknown", one.ID); err != nil {
				return err
			}
			offers, _, err := tx.Work().HeldBy(ctx, "a")
			require.Len(e, offers, 2)
			for _, o := range offers {
				if err == nil {
					_, err = tx.Work().EndOffer(ctx, o.ID, routing.OfferWithdrawn, "gone", tx.Now())
				}
			}
			return err
		})
		e.sums("a")
		require.Zero(e, e.loadAgent("a").State.Open)
		err := e.in(e.db.View, func(ctx context.Context, tx store.Tx) error { return tx.Work().LockItems(ctx, one.ID) })
		require.ErrorIs(e, err, store.ErrInvalid)
	}},
	{name: "an assignment holds item, load and agent", run: func(e *env) {
		e.agent("a", units(3))
		it := e.item(use(3))
		r := e.assigning(it, "a")
		require.NoError(e, e.reserve(r))
		require.Equal(e, routing.ItemAssigned, e.loadItem(it.ID).State)
		require.Equal(e, 3, e.loadAgent("a").State.Load[routing.ProfileUnits])
		o, as := e.held(it.ID)
		require.Nil(e, o)
		e.same(r.Assignment, as)
		e.sums("a")
	}},
	{name: "refused: the item is in another version", run: func(e *env) {
		e.agent("a", units(3))
		it := e.item(use(1))
		it.Version++
		e.refused(e.reserve(e.offering(it, "a")), "item")
		require.Zero(e, e.loadAgent("a").State.Open)
	}},
	{name: "refused: the item is done", run: func(e *env) {
		e.agent("a", units(3))
		it := e.item(use(1))
		it.State = routing.ItemDone
		it = e.saveItem(it)
		e.refused(e.reserve(e.offering(it, "a")), "item")
	}},
	{name: "refused: the item is offered or assigned already", run: func(e *env) {
		e.agent("a", units(3))
		e.agent("b", units(3))
		offered, assigned := e.item(use(1)), e.item(use(1))
		require.NoError(e, e.reserve(e.offering(offered, "a")))
		require.NoError(e, e.reserve(e.assigning(assigned, "a")))
		for _, it := range []routing.Item{e.loadItem(offered.ID), e.loadItem(assigned.ID)} {
			e.refused(e.reserve(e.offering(it, "b")), "held", "item")
			e.refused(e.reserve(e.assigning(it, "b")), "held", "item")
		}
		require.Zero(e, e.loadAgent("b").State.Open)
	}},
	{name: "refused: capacity in units, which is none where there is no entry", run: func(e *env) {
		e.agent("two", units(2))
		e.agent("none", nil)
		it := e.item(use(3))
		e.refused(e.reserve(e.offering(it, "two")), "capacity")
		it = e.item(use(2))
		e.refused(e.reserve(e.offering(it, "none")), "capacity")
		require.NoError(e, e.reserve(e.offering(it, "two")))
		e.refused(e.reserve(e.offering(e.item(use(1)), "two")), "capacity")
		require.NoError(e, e.reserve(e.offering(e.item(use(0)), "none")), "no demand fits anybody")
	}},
	{name: "refused: capacity in any of several profiles; no entry is no limit", run: func(e *env) {
		line := routing.ChannelProfile("line")
		e.agent("a", map[routing.Profile]int{routing.ProfileUnits: 10, line: 1})
		uses := []routing.Use{{Profile: routing.ProfileUnits, Units: 1}, {Profile: line, Units: 1}, {Profile: "host", Units: 50}}
		require.NoError(e, e.reserve(e.offering(e.item(uses), "a")))
		second := e.item(uses)
		e.refused(e.reserve(e.offering(second, "a")), "capacity")
		got := e.loadAgent("a").State.Load
		require.Equal(e, map[routing.Profile]int{routing.ProfileUnits: 1, line: 1, "host": 50}, got, "nothing of the refused one remains")
		require.NoError(e, e.reserve(e.offering(e.item([]routing.Use{{Profile: "host", Units: 50}}), "a")))
		e.sums("a")
	}},
	{name: "refused: capacity follows the settings", run: func(e *env) {
		a := e.agent("a", units(1))
		it := e.item(use(2))
		e.refused(e.reserve(e.offering(it, "a")), "capacity")
		a.Capacity = units(2)
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Agents().SaveAgent(ctx, a)
			return err
		})
		require.NoError(e, e.reserve(e.offering(it, "a")))
	}},
	{name: "refused: the agent's eligibility changed", run: func(e *env) {
		a, it := e.agent("a", units(3)), e.item(use(1))
		r := e.offering(it, "a")
		r.EligRev = a.State.EligRev
		e.presence("a", routing.Break)
		e.refused(e.reserve(r), "eligibility")
		r.EligRev = 0 // a person decides on what is true now
		require.NoError(e, e.reserve(r))
	}},
	{name: "refused: the lease has another epoch", run: func(e *env) {
		e.agent("a", units(3))
		name := "reserve-" + string(e.ws)
		epoch, err := e.db.System().Lease(e.ctx, name, "node", time.Hour)
		require.NoError(e, err)
		r := e.offering(e.item(use(1)), "a")
		r.Lease, r.Epoch = name, epoch+1
		e.refused(e.reserve(r), "lease")
		r.Epoch = epoch
		require.NoError(e, e.reserve(r))
	}},
	{name: "refused: nothing at all is written", run: func(e *env) {
		a := e.agent("a", units(1))
		it := e.item(use(2))
		r := e.offering(it, "a")
		r.Turn, r.Decision = true, &routing.Decision{ID: 1, Kind: routing.DecideOffer, Item: it.ID}
		e.refused(e.reserve(r), "capacity")
		e.same(it, e.loadItem(it.ID))
		e.same(a, e.loadAgent("a"))
		o, as := e.held(it.ID)
		require.Nil(e, o)
		require.Nil(e, as)
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Work().Decisions(ctx, it.ID)
			require.Empty(e, list)
			return err
		})
	}},
	{name: "a person may exceed the capacity by force, and it is marked", run: func(e *env) {
		e.agent("a", units(1))
		require.NoError(e, e.reserve(e.assigning(e.item(use(1)), "a")))
		r := e.assigning(e.item(use(3)), "a")
		r.Force = true
		require.NoError(e, e.reserve(r))
		_, as := e.held(r.Item)
		require.True(e, as.Forced)
		require.Equal(e, 4, e.loadAgent("a").State.Load[routing.ProfileUnits])
		e.sums("a")
		e.refused(e.reserve(e.offering(e.item(use(1)), "a")), "capacity")
	}},
	{name: "the wheel turns where asked, for each queue by itself", run: func(e *env) {
		e.agent("a", units(9))
		e.agent("b", units(9))
		turn := func(to routing.AgentID, queue routing.QueueID, turn bool) {
			it := e.item(use(1))
			it.Queue = queue
			it = e.saveItem(it)
			r := e.offering(it, to)
			r.Turn = turn
			require.NoError(e, e.reserve(r))
		}
		turn("a", "q1", true)
		turn("b", "q1", true)
		turn("a", "q2", true)
		turn("b", "q2", false)
		turn("a", "q1", false)
		a, b := e.loadAgent("a").State.Turns, e.loadAgent("b").State.Turns
		require.Positive(e, a["q1"])
		require.Greater(e, b["q1"], a["q1"])
		require.Positive(e, a["q2"])
		require.NotContains(e, b, routing.QueueID("q2"))
		turn("a", "q1", true)
		require.Greater(e, e.loadAgent("a").State.Turns["q1"], b["q1"])
	}},
	{name: "a decision is kept in order and counts an attempt", run: func(e *env) {
		e.agent("a", units(9))
		it := e.item(use(1))
		for i := range 2 {
			r := e.offering(it, "a")
			r.Decision = &routing.Decision{
				ID: int64(i + 1), Kind: routing.DecideOffer, At: moment(i), Item: it.ID, ItemVersion: it.Version,
				Queue: "queue", Agent: "a",
				Key: "k", Next: []routing.Candidate{{Agent: "b", Key: "l"}}, Excluded: map[routing.Exclusion]int{routing.ExcludeSkill: 3},
			}
			require.NoError(e, e.reserve(r))
			e.endOffer(r.Offer.ID, routing.OfferWithdrawn, moment(10))
			it = e.loadItem(it.ID)
			require.Equal(e, i+1, it.Attempt)
			e.view(func(ctx context.Context, tx store.Tx) error {
				list, err := tx.Work().Decisions(ctx, it.ID)
				require.Len(e, list, i+1)
				e.same(*r.Decision, list[i])
				return err
			})
		}
	}},
	{name: "a transfer ends the one hold and begins the other", run: func(e *env) {
		e.agent("a", units(2))
		e.agent("b", units(2))
		it := e.item(use(2))
		first := e.assigning(it, "a")
		require.NoError(e, e.reserve(first))
		it = e.loadItem(it.ID)
		r := e.assigning(it, "b")
		r.FromAssignment, r.FromReason = first.Assignment.ID, routing.EndTransferred
		r.Now = future(20)
		require.NoError(e, e.reserve(r))
		_, as := e.held(it.ID)
		require.Equal(e, r.Assignment.ID, as.ID)
		require.Zero(e, e.loadAgent("a").State.Open)
		require.Equal(e, r.Now, e.loadAgent("a").State.IdleSince, "the end of work")
		require.Equal(e, routing.AgentID("b"), e.loadItem(it.ID).Agent)
		e.sums("a", "b")
		r2 := e.assigning(e.loadItem(it.ID), "a") // the ended one no longer holds it
		r2.FromAssignment = first.Assignment.ID
		e.refused(e.reserve(r2), "held", "item", "ended")
	}},
	{name: "a pick of an offered item withdraws the offer", run: func(e *env) {
		e.agent("a", units(2))
		e.agent("b", units(2))
		it := e.item(use(2))
		offer := e.offering(it, "a")
		require.NoError(e, e.reserve(offer))
		r := e.assigning(e.loadItem(it.ID), "b")
		r.FromOffer, r.FromReason = offer.Offer.ID, routing.EndTransferred
		require.NoError(e, e.reserve(r))
		o := e.offer(offer.Offer.ID)
		require.Equal(e, routing.OfferWithdrawn, o.State)
		require.False(e, o.EndedAt.IsZero())
		e.sums("a", "b")
		e.refused(e.accept(offer.Offer.ID, "late"), "ended")
	}},
	{name: "who picks what they are offered gives back what it held", run: func(e *env) {
		e.agent("a", units(2))
		it := e.item(use(2))
		offer := e.offering(it, "a")
		require.NoError(e, e.reserve(offer))
		r := e.assigning(e.loadItem(it.ID), "a")
		r.FromOffer = offer.Offer.ID
		require.NoError(e, e.reserve(r))
		require.Equal(e, 2, e.loadAgent("a").State.Load[routing.ProfileUnits])
		e.sums("a")
	}},
	{name: "a transfer to one without room changes nothing", run: func(e *env) {
		e.agent("a", units(2))
		e.agent("b", units(1))
		it := e.item(use(2))
		first := e.assigning(it, "a")
		require.NoError(e, e.reserve(first))
		r := e.assigning(e.loadItem(it.ID), "b")
		r.FromAssignment = first.Assignment.ID
		e.refused(e.reserve(r), "capacity")
		_, as := e.held(it.ID)
		require.Equal(e, first.Assignment.ID, as.ID)
		e.sums("a", "b")
	}},
	{name: "a reservation carries either an offer or an assignment", run: func(e *env) {
		e.agent("a", units(2))
		r := e.offering(e.item(use(1)), "a")
		r.Assignment = e.assigning(e.item(use(1)), "a").Assignment
		require.ErrorIs(e, e.reserve(r), store.ErrInvalid)
		r.Assignment, r.Offer = nil, nil
		require.ErrorIs(e, e.reserve(r), store.ErrInvalid)
	}},
	{name: "items are listed open, in the order of creation", run: func(e *env) {
		e.agent("a", units(9))
		var want []routing.ItemID
		var items []routing.Item
		for range 4 {
			it := e.item(use(1))
			items = append(items, it)
			want = append(want, it.ID)
		}
		require.NoError(e, e.reserve(e.offering(items[0], "a")))
		require.NoError(e, e.reserve(e.assigning(items[2], "a")))
		items[1].State = routing.ItemDone
		e.saveItem(items[1])
		e.view(func(ctx context.Context, tx store.Tx) error {
			var list []routing.Item
			err := tx.Work().Open(ctx, func(it routing.Item) { list = append(list, it) })
			var got []routing.ItemID
			for i, it := range list {
				got = append(got, it.ID)
				require.True(e, i == 0 || list[i-1].Seq < it.Seq)
			}
			require.Equal(e, []routing.ItemID{want[0], want[2], want[3]}, got)
			return err
		})
	}},
	{name: "saving an item cannot change who holds it", run: func(e *env) {
		e.agent("a", units(9))
		save := func(it routing.Item) func(context.Context, store.Tx) error {
			return func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Work().SaveItem(ctx, it)
				return err
			}
		}
		queued := e.item(use(1))
		for _, state := range []routing.ItemState{routing.ItemOffered, routing.ItemAssigned} {
			bad := queued
			bad.State = state
			e.refuse(store.ErrInvalid, save(bad))
		}
		require.NoError(e, e.reserve(e.assigning(queued, "a")))
		for _, state := range []routing.ItemState{routing.ItemQueued, routing.ItemDone, routing.ItemOffered} {
			bad := e.loadItem(queued.ID)
			bad.State = state
			e.refuse(store.ErrInvalid, save(bad))
		}
		fine := e.loadItem(queued.ID)
		fine.Priority = 7
		require.Equal(e, routing.AgentID("a"), e.saveItem(fine).Agent)
		done := e.item(use(1))
		done.State = routing.ItemDone
		done = e.saveItem(done)
		done.State = routing.ItemQueued
		e.saveItem(done)
	}},
}

func (e *env) saveItem(it routing.Item) routing.Item {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Work().SaveItem(ctx, it)
		return err
	})
	return e.loadItem(it.ID)
}

func (e *env) held(id routing.ItemID) (o *routing.Offer, a *routing.Assignment) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		o, a, err = tx.Work().Held(ctx, id)
		return err
	})
	return o, a
}

func (e *env) offer(id routing.OfferID) (o routing.Offer) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		o, err = tx.Work().Offer(ctx, id)
		return err
	})
	return o
}

// refused requires a *routing.Refused of one of the checks.
func (e *env) refused(err error, checks ...string) {
	e.Helper()
	var r *routing.Refused
	require.True(e, errors.As(err, &r), "want a *routing.Refused, got %v", err)
	require.ErrorIs(e, err, store.ErrStale)
	require.Contains(e, checks, r.Check)
}

// sums requires that each agent's load is the sum over what they hold.
func (e *env) sums(ids ...routing.AgentID) {
	e.Helper()
	for _, id := range ids {
		e.view(func(ctx context.Context, tx store.Tx) error {
			offers, assignments, err := tx.Work().HeldBy(ctx, id)
			if err != nil {
				return err
			}
			load := map[routing.Profile]int{}
			for _, o := range offers {
				addUses(load, o.Uses)
			}
			for _, a := range assignments {
				addUses(load, a.Uses)
			}
			a, err := tx.Agents().Agent(ctx, id)
			require.Equal(e, nonZero(load), nonZero(a.State.Load), "load of %s", id)
			require.Equal(e, len(offers)+len(assignments), a.State.Open, "open of %s", id)
			return err
		})
	}
}

func addUses(load map[routing.Profile]int, uses []routing.Use) {
	for _, u := range uses {
		load[u.Profile] += u.Units
	}
}

func nonZero(load map[routing.Profile]int) map[routing.Profile]int {
	out := map[routing.Profile]int{}
	for p, n := range load {
		if n != 0 {
			out[p] = n
		}
	}
	return out
}
