package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var updateRules = []rule{
	{name: "a function's writes are there after it", run: func(e *env) {
		c := e.storeConv("t")
		e.same(c, e.loadConv(c.ID))
	}},
	{name: "an error rolls back and is returned as it is", run: func(e *env) {
		boom := errors.New("boom")
		c := e.conv("t")
		err := e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Conversations().SaveConversation(ctx, c)
			require.NoError(e, err)
			return boom
		})
		require.Same(e, boom, err)
		e.noConv(c.ID)
	}},
	{name: "a panic rolls back and goes on", run: func(e *env) {
		c := e.conv("t")
		require.PanicsWithValue(e, "boom", func() {
			_ = e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Conversations().SaveConversation(ctx, c)
				require.NoError(e, err)
				panic("boom")
			})
		})
		e.noConv(c.ID)
		e.saveConv(&c) // the store works on
	}},
	{name: "a panic in a View goes on", run: func(e *env) {
		require.PanicsWithValue(e, "boom", func() {
			_ = e.db.View(e.ctx, e.ws, func(context.Context, store.Tx) error { panic("boom") })
		})
		e.storeConv("t")
	}},
	{name: "a cancelled context runs nothing", run: func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		fn := func(context.Context, store.Tx) error { panic("ran") }
		require.ErrorIs(e, e.db.Update(ctx, e.ws, fn), context.Canceled)
		require.ErrorIs(e, e.db.View(ctx, e.ws, fn), context.Canceled)
		_, err := e.db.AppendEnvelopes(ctx, e.ws, envelopes("k"))
		require.ErrorIs(e, err, context.Canceled)
	}},
	{name: "a function that gives up on its context rolls back", run: func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		defer cancel()
		c := e.conv("t")
		err := e.db.Update(ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Conversations().SaveConversation(ctx, c); err != nil {
				return err
			}
			cancel()
			return ctx.Err()
		})
		require.ErrorIs(e, err, context.Canceled)
		e.noConv(c.ID)
	}},
	{name: "a context cancelled in a batch concerns its own Update alone", run: cancelInBatch},
	{name: "an Update or View inside another is refused", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			require.ErrorIs(e, e.db.Update(ctx, e.ws, func(context.Context, store.Tx) error { return nil }), store.ErrInvalid)
			require.ErrorIs(e, e.db.View(ctx, e.ws, func(context.Context, store.Tx) error { return nil }), store.ErrInvalid)
			return nil
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			require.ErrorIs(e, e.db.Update(ctx, e.ws, func(context.Context, store.Tx) error { return nil }), store.ErrInvalid)
			require.ErrorIs(e, e.db.View(ctx, e.ws, func(context.Context, store.Tx) error { return nil }), store.ErrInvalid)
			return nil
		})
	}},
	{name: "a View refuses to write", run: func(e *env) {
		c := e.conv("t")
		err := e.db.View(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Conversations().SaveConversation(ctx, c)
			return err
		})
		require.ErrorIs(e, err, store.ErrInvalid)
		err = e.db.View(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			return tx.Events().Append(ctx, store.Event{Aggregate: "x", ID: "y", Kind: "z", At: moment(0)})
		})
		require.ErrorIs(e, err, store.ErrInvalid)
		e.noConv(c.ID)
	}},
	{name: "an unknown workspace is not found", run: func(e *env) {
		fn := func(context.Context, store.Tx) error { return nil }
		require.ErrorIs(e, e.db.Update(e.ctx, "nowhere", fn), store.ErrNotFound)
		require.ErrorIs(e, e.db.View(e.ctx, "nowhere", fn), store.ErrNotFound)
		_, err := e.db.AppendEnvelopes(e.ctx, "nowhere", envelopes("k"))
		require.ErrorIs(e, err, store.ErrNotFound)
		_, _, err = e.db.Feed(e.ctx, "nowhere", "", 1)
		require.ErrorIs(e, err, store.ErrNotFound)
	}},
	{name: "a function sees its own writes and others do not until the commit", run: func(e *env) {
		c := e.conv("t")
		e.update(func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Conversations().SaveConversation(ctx, c); err != nil {
				return err
			}
			got, err := tx.Conversations().Conversation(ctx, c.ID)
			require.NoError(e, err)
			require.Equal(e, c.Thread, got.Thread)
			open, _, err := tx.Conversations().ByThread(ctx, "t")
			require.NoError(e, err)
			require.NotNil(e, open)
			e.noConv(c.ID) // a View of its own sees nothing yet
			return nil
		})
		e.same(c.Thread, e.loadConv(c.ID).Thread)
	}},
	{name: "a statement sees what was committed before it", run: func(e *env) {
		if !e.rivals() {
			return
		}
		c := e.conv("t")
		var rival sync.Once
		e.update(func(ctx context.Context, tx store.Tx) error {
			rival.Do(func() { e.saveConv(&c) })
			_, err := tx.Conversations().Conversation(ctx, c.ID)
			return err
		})
	}},
	{name: "a rival between load and save makes the function run again", run: func(e *env) {
		if !e.rivals() {
			return
		}
		c := e.storeConv("t")
		var rival sync.Once
		runs := 0
		e.update(func(ctx context.Context, tx store.Tx) error {
			runs++
			mine, err := tx.Conversations().Conversation(ctx, c.ID)
			if err != nil {
				return err
			}
			rival.Do(func() {
				theirs := c
				theirs.Memo = "rival"
				e.saveConv(&theirs)
			})
			mine.Category = "mine"
			_, err = tx.Conversations().SaveConversation(ctx, mine)
			return err
		})
		got := e.loadConv(c.ID)
		require.Equal(e, "rival", got.Memo, "the rival's write was lost")
		require.Equal(e, "mine", got.Category)
		require.Greater(e, runs, 1)
	}},
	{name: "an increment is never lost", run: func(e *env) {
		c := e.storeConv("t")
		const n = 8
		errs := parallel(n, func(int) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				got, err := tx.Conversations().Conversation(ctx, c.ID)
				if err != nil {
					return err
				}
				got.Unread++
				_, err = tx.Conversations().SaveConversation(ctx, got)
				return err
			})
		})
		require.Equal(e, n, successes(errs), "%v", errs)
		require.Equal(e, n, e.loadConv(c.ID).Unread)
	}},
	{name: "a clash that the function hides is still a clash", run: func(e *env) {
		c := e.storeConv("t")
		other := e.conv("other")
		e.clash(func(ctx context.Context, tx store.Tx) error {
			old := c
			old.Version += 7
			_, _ = tx.Conversations().SaveConversation(ctx, old)
			_, _ = tx.Conversations().SaveConversation(ctx, other)
			return nil
		})
		e.noConv(other.ID)
	}},
	{name: "a clash without end is a conflict", run: func(e *env) {
		c := e.storeConv("t")
		c.Version += 7
		e.refuse(store.ErrConflict, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Conversations().SaveConversation(ctx, c)
			return err
		})
	}},
	{name: "now is UTC, in microseconds, and one for a transaction", run: func(e *env) {
		e.update(func(_ context.Context, tx store.Tx) error {
			now := tx.Now()
			require.Equal(e, time.UTC, now.Location())
			require.Equal(e, now.Truncate(time.Microsecond), now)
			require.Equal(e, now, tx.Now())
			require.Equal(e, e.ws, tx.Workspace())
			return nil
		})
	}},
	{name: "now never goes back", run: func(e *env) {
		var last time.Time
		for range 3 {
			e.update(func(ctx context.Context, tx store.Tx) error {
				require.False(e, tx.Now().Before(last), "%v is before %v", tx.Now(), last)
				last = tx.Now()
				return tx.Deadlines().Set(ctx, "k", "i", moment(0))
			})
			if e.h.Clock != nil {
				e.h.Clock.Advance(-time.Hour)
				defer e.h.Clock.Advance(time.Hour)
			}
		}
	}},
	{name: "a closed store refuses", alone: true, once: true, run: func(e *env) {
		db := e.db
		e.db = nil
		require.NoError(e, db.Close())
		require.Error(e, db.Update(e.ctx, e.ws, func(context.Context, store.Tx) error { return nil }))
		require.Error(e, db.View(e.ctx, e.ws, func(context.Context, store.Tx) error { return nil }))
		_, err := db.AppendEnvelopes(e.ctx, e.ws, envelopes("k"))
		require.Error(e, err)
		require.Error(e, db.System().Check(e.ctx))
	}},
	{name: "Close waits for running functions", alone: true, once: true, run: func(e *env) {
		db := e.db
		e.db = nil
		running, finish := make(chan struct{}), make(chan struct{})
		var once sync.Once
		ended := make(chan error, 2)
		go func() {
			ended <- db.View(e.ctx, e.ws, func(context.Context, store.Tx) error {
				once.Do(func() { close(running) })
				<-finish
				return nil
			})
		}()
		<-running
		closed := make(chan error, 1)
		go func() { closed <- db.Close() }()
		select {
		case <-closed:
			e.Error("Close returned while a function was running")
		case <-time.After(20 * time.Millisecond):
		}
		close(finish)
		require.NoError(e, <-ended)
		if !e.Failed() {
			require.NoError(e, <-closed)
		}
	}},
}

// cancelInBatch runs many Updates at once, some of which are cancelled by
// themselves: what reported success is there, what reported an error is not.
func cancelInBatch(e *env) {
	const n = 12
	convs := make([]conversation.Conversation, n)
	for i := range convs {
		convs[i] = e.conv(fmt.Sprintf("t%d", i))
	}
	errs := parallel(n, func(i int) error {
		ctx, cancel := context.WithCancel(e.ctx)
		defer cancel()
		return e.db.Update(ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Conversations().SaveConversation(ctx, convs[i]); err != nil {
				return err
			}
			if i%3 == 0 {
				cancel()
			}
			if i%6 == 0 {
				return ctx.Err()
			}
			return nil
		})
	})
	for i, err := range errs {
		if i%3 != 0 {
			require.NoError(e, err, "an Update suffered from its neighbour's cancelled context")
		}
		if i%6 == 0 {
			require.Error(e, err)
		}
		if err != nil {
			e.noConv(convs[i].ID)
		} else {
			e.loadConv(convs[i].ID)
		}
	}
}

func (e *env) loadConv(id conversation.ID) (c conversation.Conversation) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		c, err = tx.Conversations().Conversation(ctx, id)
		return err
	})
	return c
}

func (e *env) noConv(id conversation.ID) {
	e.Helper()
	err := e.db.View(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Conversations().Conversation(ctx, id)
		return err
	})
	require.ErrorIs(e, err, driver.ErrNotFound)
}
