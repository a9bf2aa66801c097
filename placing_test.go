package sangdam_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// keeper is a store that says it keeps what a transaction changes, as PostgreSQL's
// does, and sees what is read for decisions before they are carried out.
type keeper struct {
	driver.Backend
	before func(ctx context.Context, tx driver.Tx, w driver.Wanted) error // nil: nothing happens before
	again  func()                                                         // nil, or called when inbound messages are read for
	read   func()                                                         // nil, or called when the router reads the feed
}

func (k *keeper) Feed(ctx context.Context, ws store.WorkspaceID, cursor string, limit int) ([]driver.Event, string, error) {
	if k.read != nil && limit == 500 { // as no other reader asks for
		k.read()
	}
	return k.Backend.Feed(ctx, ws, cursor, limit)
}

func (k *keeper) Update(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return k.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		tx.Session = keeperSession{tx.Session, k, tx}
		return fn(ctx, tx)
	})
}

type keeperSession struct {
	driver.Session
	k  *keeper
	tx driver.Tx
}

func (s keeperSession) Ahead(ctx context.Context, w driver.Wanted) (bool, error) {
	if b := s.k.before; b != nil && w.Lease != "" {
		if err := b(ctx, s.tx, w); err != nil {
			return false, err
		}
	}
	if s.k.again != nil && len(w.Heard) > 0 {
		s.k.again()
	}
	_, err := s.Session.Ahead(ctx, w)
	return err == nil, err
}

// inPlacing is inSabotage where a transaction decides on what it brings.
func inPlacing(t *testing.T, fn func(w *world, s *saboteur, k *keeper, assigned map[routing.ItemID]int), more ...worldOption) {
	t.Helper()
	var s *saboteur
	var k *keeper
	assigned := map[routing.ItemID]int{}
	hook := withConfig(func(cfg *sangdam.Config) {
		k = &keeper{Backend: cfg.DB.Backend()}
		s = &saboteur{Backend: k}
		cfg.DB = store.New(s)
		cfg.Hooks.Assigned = func(_ store.WorkspaceID, a routing.Assignment) { assigned[a.Item]++ }
	})
	free := withStream(func(r *routing.WorkStream) { r.Cost, r.ChannelCost, r.AutoAccept = 0, 0, true })
	inWorld(t, func(w *world) { fn(w, s, k, assigned) }, append([]worldOption{free, hook}, more...)...)
}

// once checks that every conversation there is was given to somebody, once.
func (w *world) once(n int, assigned map[routing.ItemID]int) {
	w.t.Helper()
	require.Len(w.t, assigned, n)
	for item, times := range assigned {
		require.Equal(w.t, 1, times, "item %s", item)
	}
	for _, c := range w.conversations() {
		require.Equal(w.t, conversation.StateActive, c.State)
	}
	w.invariants()
}

// TestWhatComesIsGivenToAnAgentInItsTransaction: the commit that stores a new
// customer's first message assigns the conversation.
func TestWhatComesIsGivenToAnAgentInItsTransaction(t *testing.T) {
	inPlacing(t, func(w *world, s *saboteur, _ *keeper, assigned map[routing.ItemID]int) {
		w.online("a1", "a2")
		updates := w.db.Stats().Updates
		s.set(func(conversation.Conversation) bool { return true }, func() error { return nil })
		w.line.User("Mina").SendText("hello")
		w.pass(20 * time.Millisecond)
		_, most := s.seen()
		require.Equal(t, 2, most, "the conversation was begun and given to somebody")
		require.Positive(t, w.db.Stats().Updates-updates)
		w.settle()
		w.once(1, assigned)
	})
}

// TestADecisionThatFailsKeepsNoMessageAway: where a decision about what a
// transaction brings cannot be carried out, what the customers wrote is stored all
// the same, and each is given to somebody once that works.
func TestADecisionThatFailsKeepsNoMessageAway(t *testing.T) {
	all := maps.Clone(failures)
	panicked := false
	all["panics once"] = func() error {
		if panicked {
			return nil
		}
		panicked = true
		panic("a strategy's fault")
	}
	all["has lost the lease"] = func() error { return &routing.Refused{Check: "lease"} }
	for name, fail := range all {
		t.Run(name, func(t *testing.T) {
			inPlacing(t, func(w *world, s *saboteur, _ *keeper, assigned map[routing.ItemID]int) {
				w.online("a1", "a2")
				victim := ""
				s.set(func(c conversation.Conversation) bool {
					if victim == "" && c.Agent != "" {
						victim = c.Chat.ID
					}
					return c.Agent != "" && c.Chat.ID == victim
				}, fail)
				w.halt()
				for i := range togetherN {
					w.line.User(fmt.Sprint("customer", i)).SendText("hello")
				}
				w.resume()
				w.settle()
				require.Len(t, w.conversations(), togetherN, "all that was written is there")
				times, _ := s.seen()
				require.Positive(t, times)
				s.set(nil, nil)
				w.pass(2 * time.Minute)
				w.once(togetherN, assigned)
			})
		})
	}
}

// TestADecisionIsRefusedInItsTransaction: an agent who left since the Board was told
// gets nothing, what was written waits, and whoever is there gets it.
func TestADecisionIsRefusedInItsTransaction(t *testing.T) {
	inPlacing(t, func(w *world, _ *saboteur, k *keeper, assigned map[routing.ItemID]int) {
		w.online("a1")
		left := 0
		k.before = func(ctx context.Context, tx driver.Tx, want driver.Wanted) error {
			if left++; left > 1 {
				return nil
			}
			_, err := store.Over(tx).Agents().SetPresence(ctx, want.Agents[0], routing.Break, "", tx.Now())
			return err
		}
		w.line.User("Mina").SendText("hello")
		w.settle()
		require.Positive(t, left)
		require.Empty(t, assigned)
		require.Equal(t, conversation.StateOpen, w.only().Conversation.State)
		w.online("a2")
		w.pass(time.Minute)
		w.once(1, assigned)
	})
}

// TestRivalsBeforeADecisionInItsTransaction: the transaction runs again, and what
// its first run told the Board is forgotten.
func TestRivalsBeforeADecisionInItsTransaction(t *testing.T) {
	inPlacing(t, func(w *world, _ *saboteur, k *keeper, assigned map[routing.ItemID]int) {
		w.online("a1", "a2")
		tries := 0
		k.before = func(context.Context, driver.Tx, driver.Wanted) error {
			if tries++; tries > 1 {
				return nil
			}
			return driver.ErrClash
		}
		for i := range togetherN {
			w.line.User(fmt.Sprint("customer", i)).SendText("hello")
		}
		w.settle()
		w.pass(time.Minute)
		require.Greater(t, tries, 1)
		w.once(togetherN, assigned)
	})
}

// TestWhatARivalUndidIsOffTheBoard: the agent whom the first run would have filled is
// free for the second, and what the first run began is never decided on again.
func TestWhatARivalUndidIsOffTheBoard(t *testing.T) {
	inPlacing(t, func(w *world, _ *saboteur, k *keeper, assigned map[routing.ItemID]int) {
		w.online("a1")
		tries, decided := 0, map[routing.ItemID]bool{}
		k.before = func(_ context.Context, _ driver.Tx, want driver.Wanted) error {
			if tries++; tries == 1 {
				return driver.ErrClash
			}
			for _, it := range want.Items {
				decided[it] = true
			}
			return nil
		}
		w.line.User("Mina").SendText("hello")
		w.settle()
		require.Greater(t, tries, 1)
		w.once(1, assigned)
		require.Len(t, decided, 1)
	}, withStream(func(r *routing.WorkStream) { r.Cost = 2 }))
}

// TestDecisionsInATransactionWhoseReplyIsLost: nobody knows whether the messages and
// the decisions about them were committed; it is found out, and nothing is done
// twice.
func TestDecisionsInATransactionWhoseReplyIsLost(t *testing.T) {
	for _, before := range []bool{true, false} {
		t.Run(fmt.Sprintf("before the commit: %v", before), func(t *testing.T) {
			lost := &lostReply{before: before}
			inWorld(t, func(w *world) {
				w.online("a1", "a2")
				w.pile()
				lost.arm()
				w.resume()
				w.pass(time.Minute)
				require.True(t, lost.happened())
				w.piled("")
				for _, c := range w.conversations() {
					require.Equal(t, conversation.StateActive, c.State)
				}
				w.invariants()
			}, withStream(func(r *routing.WorkStream) { r.Cost, r.ChannelCost, r.AutoAccept = 0, 0, true }),
				withConfig(func(cfg *sangdam.Config) {
					lost.Backend = &keeper{Backend: cfg.DB.Backend()}
					cfg.DB = store.New(lost)
				}))
		})
	}
}

// TestBesideABacklogNobodyWaitsForTheTurn: while the router carries one full batch out
// after the other, what customers write is stored without waiting for it.
func TestBesideABacklogNobodyWaitsForTheTurn(t *testing.T) {
	inPlacing(t, func(w *world, _ *saboteur, k *keeper, assigned map[routing.ItemID]int) {
		const full, rest = sangdam.FullBatches + 1, 36
		const n = full*sangdam.Together + rest
		for i := range n {
			w.line.User(fmt.Sprint("customer", i)).SendText("hello")
		}
		w.settle()
		type batch struct {
			size   int
			beside bool
		}
		var got []batch
		k.before = func(_ context.Context, _ driver.Tx, want driver.Wanted) error {
			got = append(got, batch{len(want.Items), w.eng.HasBacklog(ws)})
			return nil
		}
		w.online("a1", "a2")
		w.settle()
		w.once(n, assigned)
		want := slices.Repeat([]batch{{sangdam.Together, false}}, full)
		want[full-1].beside = true
		require.Equal(t, append(want, batch{rest, false}), got)
		require.Equal(t, 60*time.Millisecond, w.eng.WaitsForTurn(w.ctx, ws, false))
		require.Zero(t, w.eng.WaitsForTurn(w.ctx, ws, true))
	})
}

// TestTheTurnIsGivenUpBetweenBatches: whoever waits for the router's turn while that
// carries out several batches has it before the next one. A router that kept it left
// what customers bring to itself, and so had a full batch again.
func TestTheTurnIsGivenUpBetweenBatches(t *testing.T) {
	inPlacing(t, func(w *world, _ *saboteur, k *keeper, assigned map[routing.ItemID]int) {
		const n = 3 * sangdam.Together
		for i := range n {
			w.line.User(fmt.Sprint("customer", i)).SendText("hello")
		}
		w.settle()
		var order []string // written by whoever has the turn
		k.before = func(context.Context, driver.Tx, driver.Wanted) error {
			order = append(order, "batch")
			if len(order) == 1 {
				go w.eng.InTurn(w.ctx, ws, func() { order = append(order, "other") })
				synctest.Wait()
			}
			return nil
		}
		w.online("a1", "a2")
		w.settle()
		w.once(n, assigned)
		require.Equal(t, []string{"batch", "other", "batch", "batch"}, order)
	})
}

// TestWhileMuchIsDecidedTheLeaseIsKeptAndTheFeedRead: carrying out what waits may take
// long, and goes on for ever where customers write as fast as that is carried out. The
// lease is prolonged all the same, and what other processes wrote is heard of.
func TestWhileMuchIsDecidedTheLeaseIsKeptAndTheFeedRead(t *testing.T) {
	inPlacing(t, func(w *world, _ *saboteur, k *keeper, assigned map[routing.ItemID]int) {
		const batches = 16
		const n = batches * sangdam.Together
		for i := range n {
			w.line.User(fmt.Sprint("customer", i)).SendText("hello")
		}
		w.settle()
		carried, unread, most := 0, 0, 0
		k.read = func() { unread = 0 }
		k.before = func(context.Context, driver.Tx, driver.Wanted) error {
			time.Sleep(time.Second)
			_, err := w.db.System().Lease(w.ctx, "router/"+string(ws), "another node", time.Second)
			require.ErrorIs(w.t, err, store.ErrConflict, "batch %d", carried)
			carried++
			unread++
			most = max(most, unread)
			return nil
		}
		w.online("a1", "a2")
		w.pass(2 * batches * time.Second)
		require.Equal(w.t, batches, carried)
		require.Less(w.t, most, 6, "seconds between two readings of the feed: two polls, and what is under way")
		w.once(n, assigned)
	})
}

// TestTheTurnIsNotKeptForAnotherRun: a transaction whose decisions met a rival runs
// again without the router's turn.
func TestTheTurnIsNotKeptForAnotherRun(t *testing.T) {
	inPlacing(t, func(w *world, _ *saboteur, k *keeper, assigned map[routing.ItemID]int) {
		w.online("a1", "a2")
		tries, taken := 0, false
		k.before = func(context.Context, driver.Tx, driver.Wanted) error {
			if tries++; tries > 1 {
				return nil
			}
			k.again = func() { k.again, taken = nil, w.eng.TurnTaken(ws) }
			return driver.ErrClash
		}
		w.line.User("Mina").SendText("hello")
		w.settle()
		w.pass(time.Minute)
		require.Greater(t, tries, 1)
		require.Nil(t, k.again, "it ran again")
		require.False(t, taken)
		w.once(1, assigned)
	})
}
