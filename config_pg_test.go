package sangdam_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/store"
)

// An administrator changes the settings under traffic: every change is made,
// and none of the writers fails. Each change waits for those who write at that
// moment and for no others, whatever keeps coming.
func TestSettingsAreChangedUnderTraffic(t *testing.T) {
	replay(t, []string{onPG}, func(t *testing.T, w *replayWorld) {
		const writers, changes = 40, 6
		for i := range writers {
			w.line.User(fmt.Sprint("Customer ", i)).SendText("hello")
		}
		require.Eventually(t, func() bool { return len(w.conversations()) == writers }, time.Minute, 20*time.Millisecond)
		all := w.conversations()
		ctx, stop := context.WithCancel(w.ctx)
		var writing, begun sync.WaitGroup
		begun.Add(writers)
		for _, c := range all {
			writing.Go(func() {
				once := sync.OnceFunc(begun.Done)
				for ctx.Err() == nil {
					_, err := w.eng.AddNote(ctx, w.host, sangdam.AddNote{Conversation: c.ID, Text: "note"})
					once()
					if err != nil && ctx.Err() == nil {
						t.Errorf("a writer: %v", err)
						return
					}
				}
			})
		}
		defer writing.Wait()
		defer stop()
		begun.Wait()
		q := w.configuration().Queues["q"]
		var slowest time.Duration
		for i := range changes {
			at := time.Now()
			q.Name = fmt.Sprint("Everyone ", i)
			saved, err := w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Key: sangdam.Key(fmt.Sprint("k", i)), Queue: q})
			require.NoError(t, err)
			q.Version = saved.Version
			slowest = max(slowest, time.Since(at))
		}
		t.Logf("%d writers, %d changes, the slowest took %s", writers, changes, slowest)
	})
}

// A change holds the settings before it reads them, so that no two changes
// rest on the same state, on any store.
func TestAChangeOfTheSettingsWaitsForItsTurn(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		const rivals = 8
		var all sync.WaitGroup
		for i := range rivals {
			all.Go(func() {
				err := w.db.Update(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
					if err := tx.Config().Hold(ctx); err != nil {
						return err
					}
					cfg, err := tx.Config().Configuration(ctx, 0)
					if err != nil {
						return err
					}
					q := cfg.Queues["q"]
					q.AgeingPerMinute++
					return tx.Config().SaveQueue(ctx, q)
				})
				if err != nil {
					t.Errorf("rival %d: %v", i, err)
				}
			})
		}
		all.Wait()
		require.InDelta(t, rivals, w.configuration().Queues["q"].AgeingPerMinute, 0)
	})
}
