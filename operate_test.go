package sangdam_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/store"
)

// TestAMessageWhoseFateIsUnknownIsTrouble: a person has to look at it.
func TestAMessageWhoseFateIsUnknownIsTrouble(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		w.line.AddFault(linetest.Fault{Endpoint: "reply", Kind: linetest.FaultCutBefore, Probability: 1})
		w.answer("a1", owned.Conversation, "an answer whose fate is not known")
		w.pass(3 * time.Minute)
		trouble, err := w.eng.Trouble(w.ctx, w.host, 10)
		require.NoError(t, err)
		require.Len(t, trouble.Unknown, 1)
		require.Equal(t, owned.Conversation, trouble.Unknown[0].Conversation)
		require.Equal(t, channel.ReasonNetwork, trouble.Unknown[0].Reason)
		require.Empty(t, trouble.Quarantined)
	}, quiet)
}

// TestAJobThatWasGivenUpIsTroubleAndCanBeRetried, once.
func TestAJobThatWasGivenUpIsTroubleAndCanBeRetried(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		const kind = "a kind of an earlier program"
		w.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Jobs().Enqueue(ctx, store.Job{ID: "hopeless", Kind: kind, Due: tx.Now()})
		})
		claimed, err := w.db.System().ClaimJobs(w.ctx, "n", map[string]int{kind: 1}, time.Minute)
		require.NoError(t, err)
		require.Len(t, claimed, 1)
		w.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Jobs().Fail(ctx, "hopeless", claimed[0].Token, "gone", time.Time{})
		})
		trouble, err := w.eng.Trouble(w.ctx, w.host, 10)
		require.NoError(t, err)
		require.Len(t, trouble.Dead, 1)

		require.NoError(t, w.eng.RetryJob(w.ctx, w.host, sangdam.RetryJob{Job: "hopeless"}))
		require.ErrorIs(t, w.eng.RetryJob(w.ctx, w.host, sangdam.RetryJob{Job: "hopeless"}), sangdam.ErrStale)
		require.ErrorIs(t, w.eng.RetryJob(w.ctx, w.host, sangdam.RetryJob{Job: "nothing"}), sangdam.ErrNotFound)
		trouble, err = w.eng.Trouble(w.ctx, w.host, 10)
		require.NoError(t, err)
		require.Empty(t, trouble.Dead)
	})
}

// TestLoadCountsByQueue: what waits, what is offered, and what is owned.
func TestLoadCountsByQueue(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.line.User("Mina").SendText("hello")
		w.settle()
		load, err := w.eng.Load(w.ctx, w.host)
		require.NoError(t, err)
		require.Len(t, load.Queues, 1)
		require.Equal(t, []int{1, 0, 0, 0},
			[]int{load.Queues[0].Waiting, load.Queues[0].Offered, load.Queues[0].Assigned, load.Queues[0].Online})
		require.False(t, load.Queues[0].Since.IsZero())

		w.online("a1")
		load, err = w.eng.Load(w.ctx, w.host)
		require.NoError(t, err)
		require.Equal(t, []int{0, 1, 1}, []int{load.Queues[0].Waiting, load.Queues[0].Offered, load.Queues[0].Online})
		require.True(t, load.Queues[0].Since.IsZero())
	}, longOffers)
}
