package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
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
			if _, err := tx.Ahead(ctx, wanted(rs...)); err != nil {
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
			if _, err := tx.Ahead(ctx, wanted(rs...)); err != nil {
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
			if _, err := tx.Ahead(ctx, wanted(rs...)); err != nil {
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
			if _, err := tx.Ahead(ctx, wanted(rs...)); err != nil {
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
			if _, err := tx.Ahead(ctx, wanted(rs...)); err != nil {
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
			if _, err := tx.Ahead(ctx, want); err != nil {
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
			if _, err := tx.Ahead(ctx, driver.Wanted{Conversations: []conversation.ID{c.ID}}); err != nil {
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
			if _, err := tx.Ahead(ctx, wanted(rs...)); err != nil {
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
	{name: "what is made after reading ahead is found by its names", run: func(e *env) {
		c, m := e.conv("t1"), e.msg("", 1)
		m.Conversation, m.Provider = c.ID, "p1"
		person := conversation.Identity{ID: conversation.IdentityID(e.uuid()), Contact: conversation.ContactID(e.uuid()), Kind: "line",
			Scope: "s", User: "u1"}
		e.update(func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Ahead(ctx, driver.Wanted{Heard: []driver.ProviderMessage{{Account: m.Account, Chat: m.Chat, Message: "p1"}},
				Documents: []driver.Keys{store.IdentityKey("line", "s", "u1")}, Threads: []string{"t1", "t2"}}); err != nil {
				return err
			}
			e.unknown(ctx, tx, m, person)
			if _, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: person.Contact}); err != nil {
				return err
			}
			if _, err := tx.Contacts().SaveIdentity(ctx, person); err != nil {
				return err
			}
			if _, err := tx.Conversations().SaveConversation(ctx, c); err != nil {
				return err
			}
			if _, err := tx.Conversations().SaveMessage(ctx, m); err != nil {
				return err
			}
			e.known(ctx, tx, c, m, person)
			return nil
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			e.known(ctx, tx, c, m, person)
			return nil
		})
	}},
	{name: "a thread that was read ahead is followed", run: func(e *env) {
		old := e.storeConv("t1")
		old.State = conversation.StateClosed
		e.saveConv(&old)
		c := e.conv("t1")
		threads := func(ctx context.Context, tx store.Tx, thread string, open, last conversation.ID) {
			o, l, err := tx.Conversations().ByThread(ctx, thread)
			require.NoError(e, err)
			id := func(c *conversation.Conversation) conversation.ID {
				if c == nil {
					return ""
				}
				return c.ID
			}
			require.Equal(e, []conversation.ID{open, last}, []conversation.ID{id(o), id(l)})
		}
		e.update(func(ctx context.Context, tx store.Tx) error {
			c := c
			if _, err := tx.Ahead(ctx, driver.Wanted{Threads: []string{"t1", "t2"}}); err != nil {
				return err
			}
			save := func() {
				version, err := tx.Conversations().SaveConversation(ctx, c)
				require.NoError(e, err)
				c.Version = version
			}
			threads(ctx, tx, "t1", "", old.ID)
			save()
			threads(ctx, tx, "t1", c.ID, old.ID)
			c.OpenedAt, c.State = moment(5), conversation.StateClosed
			save()
			threads(ctx, tx, "t1", "", c.ID)
			c.State = conversation.StateActive
			save()
			threads(ctx, tx, "t1", c.ID, old.ID)
			c.Thread = "t2"
			save()
			threads(ctx, tx, "t1", "", old.ID)
			threads(ctx, tx, "t2", c.ID, "")
			return nil
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			threads(ctx, tx, "t1", "", old.ID)
			threads(ctx, tx, "t2", c.ID, "")
			return nil
		})
	}},
	{name: "an early edit that is put after reading ahead is taken", run: func(e *env) {
		early := conversation.Early{Account: "acct", Chat: userChat, Message: "p1", At: moment(1), Unsent: true}
		e.update(func(ctx context.Context, tx store.Tx) error {
			want := driver.Wanted{Heard: []driver.ProviderMessage{{Account: "acct", Chat: userChat, Message: "p1"}}}
			if _, err := tx.Ahead(ctx, want); err != nil {
				return err
			}
			_, err := tx.Contacts().TakeEarly(ctx, "acct", userChat, "p1")
			require.ErrorIs(e, err, store.ErrNotFound)
			if err := tx.Contacts().PutEarly(ctx, early); err != nil {
				return err
			}
			got, err := tx.Contacts().TakeEarly(ctx, "acct", userChat, "p1")
			require.NoError(e, err)
			e.same(early, got)
			return tx.Contacts().PutEarly(ctx, early)
		})
		e.update(func(ctx context.Context, tx store.Tx) error {
			want := driver.Wanted{Heard: []driver.ProviderMessage{{Account: "acct", Chat: userChat, Message: "p1"}}}
			if _, err := tx.Ahead(ctx, want); err != nil {
				return err
			}
			_, err := tx.Contacts().TakeEarly(ctx, "acct", userChat, "p1")
			return err
		})
	}},
	{name: "new items after reading ahead are numbered in the order of their creation", run: func(e *env) {
		e.agent("a", units(3))
		made := make([]routing.Item, 3)
		for i := range made {
			made[i] = routing.Item{ID: routing.ItemID(e.uuid()), State: routing.ItemQueued, Queue: "queue", Uses: use(1),
				QueuedAt: moment(0)}
		}
		e.update(func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Ahead(ctx, driver.Wanted{NewItems: 2}); err != nil { // one too few
				return err
			}
			last := int64(0)
			for i := range made {
				if _, err := tx.Work().SaveItem(ctx, made[i]); err != nil {
					return err
				}
				it, err := tx.Work().Item(ctx, made[i].ID)
				require.NoError(e, err)
				require.Greater(e, it.Seq, last)
				last = it.Seq
				it.Priority = i
				if _, err := tx.Work().SaveItem(ctx, it); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range made {
			it := e.loadItem(made[i].ID)
			require.EqualValues(e, 2, it.Version)
			require.Equal(e, i, it.Priority)
			require.NoError(e, e.reserve(e.offering(it, "a")))
		}
		e.sums("a")
	}},
	{name: "reading ahead is refused inside View", run: func(e *env) {
		err := e.in(e.db.View, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Ahead(ctx, driver.Wanted{Conversations: []conversation.ID{"c"}})
			return err
		})
		require.ErrorIs(e, err, store.ErrInvalid)
	}},
	{name: "rivals that read ahead in batches stop at the capacity, and turns are never given twice", run: func(e *env) {
		for i := range 3 {
			e.agent(routing.AgentID(fmt.Sprint("a", i)), units(4))
		}
		batches := make([][]transition.Reservation, racers)
		for i := range batches {
			batches[i] = e.decisions(6, "a0", "a1", "a2")
		}
		done := make([]int, racers)
		errs := parallel(racers, func(i int) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				done[i] = 0
				if _, err := tx.Ahead(ctx, wanted(batches[i]...)); err != nil {
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
func (e *env) decisions(n int, agents ...routing.AgentID) []transition.Reservation {
	e.Helper()
	rs := make([]transition.Reservation, n)
	for i := range rs {
		it := e.item(use(1))
		it.Queue = "queue"
		it = e.saveItem(it)
		rs[i] = e.offering(it, agents[i%len(agents)])
		rs[i].Turn = true
		rs[i].Decision = &routing.Decision{ID: int64(i + 1), Kind: routing.DecideOffer, At: moment(i), Item: it.ID, Queue: "queue",
			Agent: rs[i].Agent}
	}
	return rs
}

// wanted names what the reservations work on.
func wanted(rs ...transition.Reservation) driver.Wanted {
	w := driver.Wanted{Queues: []routing.QueueID{"queue"}}
	for _, r := range rs {
		w.Items, w.Agents, w.Lease = append(w.Items, r.Item), append(w.Agents, r.Agent), r.Lease
	}
	return w
}

// unknown checks that nothing of it is there.
func (e *env) unknown(ctx context.Context, tx store.Tx, m conversation.Message, p conversation.Identity) {
	e.Helper()
	_, err := tx.Conversations().ByProvider(ctx, m.Account, m.Chat, m.Provider)
	require.ErrorIs(e, err, store.ErrNotFound)
	_, err = tx.Contacts().Identity(ctx, p.Kind, p.Scope, p.User)
	require.ErrorIs(e, err, store.ErrNotFound)
	open, last, err := tx.Conversations().ByThread(ctx, "t1")
	require.NoError(e, err)
	require.Nil(e, open)
	require.Nil(e, last)
}

// known checks that all of it is there.
func (e *env) known(ctx context.Context, tx store.Tx, c conversation.Conversation, m conversation.Message, p conversation.Identity) {
	e.Helper()
	got, err := tx.Conversations().ByProvider(ctx, m.Account, m.Chat, m.Provider)
	require.NoError(e, err)
	require.Equal(e, m.ID, got.ID)
	require.EqualValues(e, 1, got.Version)
	byID, err := tx.Conversations().Message(ctx, m.ID)
	require.NoError(e, err)
	require.Equal(e, got, byID)
	i, err := tx.Contacts().Identity(ctx, p.Kind, p.Scope, p.User)
	require.NoError(e, err)
	require.Equal(e, p.ID, i.ID)
	same, err := tx.Contacts().IdentityByID(ctx, p.ID)
	require.NoError(e, err)
	require.Equal(e, i, same)
	contact, err := tx.Contacts().Contact(ctx, p.Contact)
	require.NoError(e, err)
	require.EqualValues(e, 1, contact.Version)
	open, _, err := tx.Conversations().ByThread(ctx, "t1")
	require.NoError(e, err)
	require.NotNil(e, open)
	require.Equal(e, c.ID, open.ID)
}
