package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// aheadRules are about Ahead, which must change nothing but the cost.
var aheadRules = []rule{
	{name: "of many decisions for one agent as many are carried out as there is room", run: func(e *env) {
		e.agent("a", units(3))
		before := e.loadAgent("a")
		rs := e.decisions(8, "a")
		errs := make([]error, len(rs))
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Ahead(ctx, wanted(rs...)); err != nil {
				return err
			}
			for i, r := range rs {
				errs[i] = tx.Work().Reserve(ctx, r)
			}
			a, err := tx.Agents().Agent(ctx, "a")
			require.Equal(e, 3, a.State.Open, "inside")
			require.Equal(e, before.State.Rev+3, a.State.Rev, "inside")
			return err
		})
		require.Equal(e, 3, successes(errs), "%v", errs)
		for i, err := range errs {
			want := routing.ItemOffered
			if err != nil {
				e.refused(err, "capacity")
				want = routing.ItemQueued
			}
			require.Equal(e, want, e.loadItem(rs[i].Item).State)
		}
		after := e.loadAgent("a")
		require.Equal(e, before.State.Rev+3, after.State.Rev)
		require.Equal(e, before.State.EligRev, after.State.EligRev)
		require.EqualValues(e, 3, after.State.Turns["queue"])
		e.sums("a")
	}},
	{name: "turns, decisions and holds are those of one after the other", run: func(e *env) {
		for _, a := range []routing.AgentID{"a", "b"} {
			e.agent(a, units(9))
		}
		first := e.decisions(1, "a")
		require.NoError(e, e.reserve(first[0]))
		rs := e.decisions(5, "a", "b")
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Ahead(ctx, wanted(rs...)); err != nil {
				return err
			}
			for i, r := range rs {
				if err := tx.Work().Reserve(ctx, r); err != nil {
					return err
				}
				a, err := tx.Agents().Agent(ctx, r.Agent)
				require.EqualValues(e, i+2, a.State.Turns["queue"], "the queue's turn goes on from what is stored")
				if err != nil {
					return err
				}
			}
			return nil
		})
		for _, r := range rs {
			require.Equal(e, routing.ItemOffered, e.loadItem(r.Item).State)
			o, _ := e.held(r.Item)
			e.same(r.Offer, o)
			e.view(func(ctx context.Context, tx store.Tx) error {
				list, err := tx.Work().Decisions(ctx, r.Item)
				require.Len(e, list, 1)
				return err
			})
		}
		require.EqualValues(e, 6, e.loadAgent("a").State.Turns["queue"])
		require.EqualValues(e, 5, e.loadAgent("b").State.Turns["queue"])
		e.sums("a", "b")
		next := e.decisions(1, "b")
		require.NoError(e, e.reserve(next[0]))
		require.EqualValues(e, 7, e.loadAgent("b").State.Turns["queue"])
	}},
	{name: "a decision under a lost lease is refused", run: func(e *env) {
		e.agent("a", units(3))
		name := "ahead-" + string(e.ws)
		epoch, err := e.db.System().Lease(e.ctx, name, "node", time.Hour)
		require.NoError(e, err)
		rs := e.decisions(2, "a")
		for i := range rs {
			rs[i].Lease, rs[i].Epoch = name, epoch+int64(i)
		}
		errs := make([]error, 2)
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Ahead(ctx, wanted(rs...)); err != nil {
				return err
			}
			errs[0], errs[1] = tx.Work().Reserve(ctx, rs[0]), tx.Work().Reserve(ctx, rs[1])
			return nil
		})
		require.NoError(e, errs[0])
		e.refused(errs[1], "lease")
	}},
	{name: "an offer that is made and ends in the same transaction leaves nothing", run: func(e *env) {
		e.agent("a", units(3))
		rs := e.decisions(3, "a")
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Ahead(ctx, wanted(rs...)); err != nil {
				return err
			}
			for _, r := range rs {
				if err := tx.Work().Reserve(ctx, r); err != nil {
					return err
				}
			}
			offers, _, err := tx.Work().HeldBy(ctx, "a")
			require.Len(e, offers, 3, "a list shows what was written here")
			if err != nil {
				return err
			}
			if _, err := tx.Work().EndOffer(ctx, rs[0].Offer.ID, routing.OfferWithdrawn, "", moment(1)); err != nil {
				return err
			}
			_, err = tx.Work().Accept(ctx, rs[1].Offer.ID, "as", moment(1))
			return err
		})
		require.Equal(e, routing.ItemQueued, e.loadItem(rs[0].Item).State)
		require.Equal(e, routing.ItemAssigned, e.loadItem(rs[1].Item).State)
		require.Equal(e, routing.ItemOffered, e.loadItem(rs[2].Item).State)
		require.Equal(e, 2, e.loadAgent("a").State.Open)
		e.sums("a")
	}},
	{name: "presence and settings of an agent that was read ahead stay what they are made", run: func(e *env) {
		a := e.agent("a", units(3))
		rs := e.decisions(2, "a")
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Ahead(ctx, wanted(rs...)); err != nil {
				return err
			}
			if err := tx.Work().Reserve(ctx, rs[0]); err != nil {
				return err
			}
			if _, err := tx.Agents().SetPresence(ctx, "a", routing.Break, "lunch", tx.Now()); err != nil {
				return err
			}
			a.Capacity = units(1)
			if _, err := tx.Agents().SaveAgent(ctx, a); err != nil {
				return err
			}
			err := tx.Work().Reserve(ctx, rs[1])
			e.refused(err, "capacity")
			return nil
		})
		got := e.loadAgent("a")
		require.Equal(e, routing.Break, got.State.Presence)
		require.Equal(e, 1, got.State.Open)
		e.sums("a")
	}},
	{name: "a conversation that was read ahead is saved as often as one likes", run: func(e *env) {
		c, other := e.storeConv("t1"), e.storeConv("t2")
		e.update(func(ctx context.Context, tx store.Tx) error {
			want := driver.Wanted{Conversations: []conversation.ID{c.ID, other.ID, "unknown"}}
			if err := tx.Ahead(ctx, want); err != nil {
				return err
			}
			for i := range 3 {
				got, err := tx.Conversations().Conversation(ctx, c.ID)
				if err != nil {
					return err
				}
				require.Equal(e, c.Version+int64(i), got.Version)
				got.Agent = routing.AgentID(fmt.Sprint("a", i))
				if _, err := tx.Conversations().SaveConversation(ctx, got); err != nil {
					return err
				}
			}
			_, err := tx.Conversations().Conversation(ctx, "unknown")
			require.ErrorIs(e, err, store.ErrNotFound)
			list, _, err := tx.Conversations().List(ctx, conversation.Filter{Agent: "a2"}, "", 10)
			require.Len(e, list, 1, "a list shows what was written here")
			return err
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Conversations().Conversation(ctx, c.ID)
			require.Equal(e, c.Version+3, got.Version)
			require.EqualValues(e, "a2", got.Agent)
			return err
		})
	}},
	{name: "saving what was read ahead in another version is a clash", run: func(e *env) {
		c := e.storeConv("t1")
		stop := errors.New("stop")
		runs := 0
		err := e.in(e.db.Update, func(ctx context.Context, tx store.Tx) error {
			if runs++; runs > 2 {
				return stop
			}
			if err := tx.Ahead(ctx, driver.Wanted{Conversations: []conversation.ID{c.ID}}); err != nil {
				return err
			}
			older := c
			older.Version++
			_, _ = tx.Conversations().SaveConversation(ctx, older)
			return nil
		})
		require.ErrorIs(e, err, stop, "it ran again")
	}},
	{name: "what fails after reading ahead leaves nothing", run: func(e *env) {
		e.agent("a", units(3))
		rs := e.decisions(2, "a")
		stop := errors.New("stop")
		err := e.in(e.db.Update, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Ahead(ctx, wanted(rs...)); err != nil {
				return err
			}
			if err := tx.Work().Reserve(ctx, rs[0]); err != nil {
				return err
			}
			return stop
		})
		require.ErrorIs(e, err, stop)
		require.Zero(e, e.loadAgent("a").State.Open)
		require.Equal(e, routing.ItemQueued, e.loadItem(rs[0].Item).State)
	}},
	{name: "reading ahead is refused inside View", run: func(e *env) {
		err := e.in(e.db.View, func(ctx context.Context, tx store.Tx) error {
			return tx.Ahead(ctx, driver.Wanted{Conversations: []conversation.ID{"c"}})
		})
		require.ErrorIs(e, err, store.ErrInvalid)
	}},
	{name: "rivals that read ahead in batches stop at the capacity, and turns are never given twice", run: func(e *env) {
		for i := range 3 {
			e.agent(routing.AgentID(fmt.Sprint("a", i)), units(4))
		}
		batches := make([][]routing.Reservation, racers)
		for i := range batches {
			batches[i] = e.decisions(6, "a0", "a1", "a2")
		}
		done := make([]int, racers)
		errs := parallel(racers, func(i int) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				done[i] = 0
				if err := tx.Ahead(ctx, wanted(batches[i]...)); err != nil {
					return err
				}
				for _, r := range batches[i] {
					err := tx.Work().Reserve(ctx, r)
					if err == nil {
						done[i]++
					} else if !errors.Is(err, store.ErrStale) {
						return err
					}
				}
				return nil
			})
		})
		total := 0
		for i, err := range errs {
			require.NoError(e, err)
			total += done[i]
		}
		require.Equal(e, 12, total)
		highest := int64(0)
		for i := range 3 {
			highest = max(highest, e.loadAgent(routing.AgentID(fmt.Sprint("a", i))).State.Turns["queue"])
		}
		require.EqualValues(e, 12, highest)
		e.sums("a0", "a1", "a2")
	}},
}

// decisions makes so many items of one queue and reservations that offer them to
// the agents in turn.
func (e *env) decisions(n int, agents ...routing.AgentID) []routing.Reservation {
	e.Helper()
	rs := make([]routing.Reservation, n)
	for i := range rs {
		it := e.item(use(1))
		it.Queue = "queue"
		it = e.saveItem(it)
		rs[i] = e.offering(it, agents[i%len(agents)])
		rs[i].Turn = true
		rs[i].Decision = &routing.Decision{ID: int64(i + 1), Kind: routing.DecideOffer, At: moment(i), Item: it.ID, Queue: "queue", Agent: rs[i].Agent}
	}
	return rs
}

// wanted names what the reservations work on.
func wanted(rs ...routing.Reservation) driver.Wanted {
	w := driver.Wanted{Queues: []routing.QueueID{"queue"}}
	for _, r := range rs {
		w.Items, w.Agents, w.Lease = append(w.Items, r.Item), append(w.Agents, r.Agent), r.Lease
	}
	return w
}
