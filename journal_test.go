package sangdam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/journal"
	"github.com/sangdam/sangdam/store"
)

// TestAPastDecisionIsExplainedExactly: what was decided is explained as it was,
// after other customers, other settings and another process have come; asked for
// by the time, with the right to read the conversation.
func TestAPastDecisionIsExplainedExactly(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		w.line.User("Mina").SendText("hi")
		w.settle()
		mina := w.only().Conversation.ID
		offer := w.only().Offer
		require.NotNil(t, offer)
		require.NoError(t, errOf(w.eng.Accept(w.ctx, w.agent("a1"), sangdam.Accept{Offer: offer.ID})))
		w.online("a2")
		w.line.User("Jun").SendText("hi")
		w.settle()
		w.line.User("Sora").SendText("hi")
		w.settle()
		item := routing.ItemID(mina)
		at := w.now()
		first, err := w.eng.ExplainDecision(w.ctx, w.host, item, at)
		require.NoError(t, err)
		require.True(t, first.Exact)
		require.EqualValues(t, "a1", first.Agent)
		require.Equal(t, board.Considered{Agent: "a1", Key: "0"}, first.Considered[0])
		require.Equal(t, []routing.Exclusion{routing.ExcludePresence}, first.Considered[1].Excluded, "a2 had not come yet")

		w.saveAgent(routing.Agent{ID: "a1", Name: "Renamed", Role: "agent", Disabled: true})
		q := w.configuration().Queues["q"]
		q.Strategy = routing.FixedOrder
		w.saveQueue(q)
		w.again()
		w.online("a2")
		for i := range 3 {
			w.line.User(fmt.Sprint("later", i)).SendText("hi")
			w.settle()
		}
		again, err := w.eng.ExplainDecision(w.ctx, w.host, item, first.At)
		require.NoError(t, err)
		require.Equal(t, first, again, "a month later too")
		explained := 0
		for _, c := range w.conversations() {
			if x, err := w.eng.ExplainDecision(w.ctx, w.host, routing.ItemID(c.ID), w.now()); err == nil {
				require.True(t, x.Exact, "%+v", x)
				require.Equal(t, x.Agent, x.Considered[0].Agent)
				explained++
			}
		}
		require.Greater(t, explained, 2)

		_, err = w.eng.ExplainDecision(w.ctx, w.host, item, first.At.Add(-time.Minute))
		require.ErrorIs(t, err, sangdam.ErrNotFound, "before it there was none")
		w.saveAgent(routing.Agent{ID: "stranger", Name: "Of another desk", Role: "agent",
			Permissions: []routing.Permission{routing.PermitChat}})
		_, err = w.eng.ExplainDecision(w.ctx, w.agent("stranger"), item, at)
		_, none := w.eng.ExplainDecision(w.ctx, w.agent("stranger"), "nothing", at)
		require.Error(t, err)
		require.Equal(t, none.Error(), err.Error(), "as if there were none")
	})
}

// now is the store's clock.
func (w *world) now() time.Time {
	w.t.Helper()
	now, err := w.db.System().Now(w.ctx)
	require.NoError(w.t, err)
	return now
}

// journalRows reads what is kept.
func (w *world) journalRows() (rows []journal.Row) {
	w.t.Helper()
	docs := store.Declare(store.Kind[journal.Row]{Name: "decision_journal", Decl: 1, ID: func(r *journal.Row) string { return r.Journal },
		Version: func(r *journal.Row) *int64 { return &r.Version },
		Indexes: []store.Index[journal.Row]{{Name: "order", Value: func(*journal.Row) []byte { return nil }}}})
	require.NoError(w.t, w.db.View(w.ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
		rows, err = docs.All(ctx, tx, store.List[journal.Row]{Index: "order"}, 10_000)
		return err
	}))
	return rows
}

// TestTheJournalGoesWithItsDecisions: rows stay as long as a decision rests on
// them, and go after it; then a decision that is still there keeps its summary.
func TestTheJournalGoesWithItsDecisions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		w.line.User("Mina").SendText("my secret is 1234-5678")
		w.settle()
		item := routing.ItemID(w.only().Conversation.ID)
		rows := w.journalRows()
		require.NotEmpty(t, rows)
		raw, err := json.Marshal(rows)
		require.NoError(t, err)
		require.NotContains(t, string(raw), "Mina")
		require.NotContains(t, string(raw), "1234-")
		w.jump(89 * 24 * time.Hour)
		w.pass(3 * time.Minute)
		x, err := w.eng.ExplainDecision(w.ctx, w.host, item, w.only().Conversation.OpenedAt.Add(time.Minute))
		require.NoError(t, err)
		require.True(t, x.Exact)
		w.jump(3 * 24 * time.Hour)
		w.pass(3 * time.Minute)
		for _, r := range w.journalRows() {
			require.True(t, r.At.After(rows[0].At), "of the first day nothing is left")
		}
	})
}

// TestRefusedDecisionsLeaveNoGapInTheJournal: decisions that come to nothing, in
// a batch and alone, and ones whose transaction rolls back leave what is decided
// after them explained.
func TestRefusedDecisionsLeaveNoGapInTheJournal(t *testing.T) {
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			inSabotage(t, func(w *world, s *saboteur, assigned map[routing.ItemID]int) {
				victim := w.waiting(12)
				s.set(func(c conversation.Conversation) bool { return c.ID == victim && c.Agent != "" }, fail)
				w.online("a1", "a2")
				for i := range 4 {
					w.line.User(fmt.Sprint("alone", i)).SendText("hi")
					w.settle()
				}
				s.set(nil, nil)
				w.pass(2 * time.Minute)
				require.Len(t, assigned, 16)
				w.allExplained(assigned)
			})
		})
		t.Run(name+" a few times, alone", func(t *testing.T) {
			inSabotage(t, func(w *world, s *saboteur, assigned map[routing.ItemID]int) {
				w.online("a1", "a2")
				var times atomic.Int32
				s.set(func(c conversation.Conversation) bool { return c.Agent != "" }, func() error {
					if times.Add(1)%4 == 0 {
						return nil
					}
					return fail()
				})
				for i := range 6 {
					w.line.User(fmt.Sprint("alone", i)).SendText("hi")
					w.pass(5 * time.Second)
				}
				require.Greater(t, times.Load(), int32(6))
				require.Len(t, assigned, 6)
				w.allExplained(assigned)
			})
		})
	}
}

func (w *world) allExplained(assigned map[routing.ItemID]int) {
	w.t.Helper()
	for item := range assigned {
		x, err := w.eng.ExplainDecision(w.ctx, w.host, item, w.now())
		require.NoError(w.t, err)
		require.True(w.t, x.Exact, "%s: %+v", item, x)
	}
}
