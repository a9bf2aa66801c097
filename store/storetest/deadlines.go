package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store"
)

var deadlineRules = []rule{
	{name: "due are those that passed, earliest first, each as it was last set", run: func(e *env) {
		now := e.now()
		e.setDeadline("offer", "late", now.Add(-time.Second))
		e.setDeadline("offer", "early", now.Add(-time.Hour))
		e.setDeadline("wrap_up", "early", now.Add(-time.Minute))
		e.setDeadline("offer", "future", now.Add(time.Hour))
		e.setDeadline("offer", "moved", now.Add(-2*time.Hour))
		e.setDeadline("offer", "moved", now.Add(time.Hour))
		e.setDeadline("offer", "cleared", now.Add(-time.Hour))
		e.clearDeadline("offer", "cleared")
		e.clearDeadline("offer", "never was")
		want := []store.Deadline{
			{Workspace: e.ws, Kind: "offer", ID: "early", At: now.Add(-time.Hour)},
			{Workspace: e.ws, Kind: "wrap_up", ID: "early", At: now.Add(-time.Minute)},
			{Workspace: e.ws, Kind: "offer", ID: "late", At: now.Add(-time.Second)},
		}
		e.same(want, e.due())
		e.same(want, e.due(), "looking claims nothing")
	}},
	{name: "ties are all found, at most the limit at a time", run: func(e *env) {
		at := time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC) // before any that earlier cases left
		for i := range 5 {
			e.setDeadline("k", fmt.Sprint(i), at)
		}
		seen := map[string]bool{}
		for range 10 {
			list, err := e.db.System().Due(e.ctx, 2)
			require.NoError(e, err)
			require.LessOrEqual(e, len(list), 2)
			for _, d := range list {
				if d.Workspace != e.ws {
					continue
				}
				require.False(e, seen[d.ID])
				seen[d.ID] = true
				e.clearDeadline("k", d.ID)
			}
		}
		require.Len(e, seen, 5)
	}},
	{name: "a deadline of an Update that failed is none", run: func(e *env) {
		e.setDeadline("k", "i", e.now().Add(-time.Minute))
		require.ErrorIs(e, e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Deadlines().Clear(ctx, "k", "i"); err != nil {
				return err
			}
			if err := tx.Deadlines().Set(ctx, "k", "j", e.before()); err != nil {
				return err
			}
			return errRehearsal
		}), errRehearsal)
		require.Len(e, e.due(), 1)
		require.Equal(e, "i", e.due()[0].ID)
	}},
	{name: "a deadline passes with the store's clock", run: func(e *env) {
		wait := e.lease()
		e.setDeadline("k", "i", e.now().Add(wait))
		require.Empty(e, e.due())
		e.pass(wait + time.Millisecond)
		require.Len(e, e.due(), 1)
	}},
	{name: "next due is the earliest deadline, job or waiting lane", alone: true, run: nextDue},
}

// before is a time that has passed.
func (e *env) before() time.Time { return moment(0).Add(-24 * 365 * time.Hour) }

func nextDue(e *env) {
	next := func() (time.Time, bool) {
		e.Helper()
		d, err := e.db.System().NextDue(e.ctx)
		require.NoError(e, err)
		require.WithinDuration(e, e.now(), d.Now, time.Minute, "the store's clock")
		return d.Next()
	}
	wants := func(want time.Time) {
		e.Helper()
		at, ok := next()
		require.True(e, ok)
		require.True(e, want.Equal(at), "want %v, got %v", want, at)
	}
	_, ok := next()
	require.False(e, ok, "an empty store has nothing due")
	far := e.now().Add(24 * time.Hour)
	e.setDeadline("k", "i", far)
	wants(far)
	e.setDeadline("k", "j", far.Add(-time.Hour))
	wants(far.Add(-time.Hour))
	e.clearDeadline("k", "j")
	wants(far)
	e.enqueueJob(store.Job{ID: "j", Kind: "k", Due: far.Add(-2 * time.Hour)})
	wants(far.Add(-2 * time.Hour))
	late := row("r", "l")
	late.NotBefore = far.Add(-3 * time.Hour)
	e.enqueue(late)
	wants(late.NotBefore)
	e.append(envelopes("a")...)
	lane := e.claimInbox(1, time.Hour)[0]
	e.update(func(ctx context.Context, tx store.Tx) error {
		return tx.Inbox().Retry(ctx, lane.Claim, "env-a", far.Add(-4*time.Hour), "later")
	})
	e.releaseIn(lane)
	wants(far.Add(-4 * time.Hour))
	passed := e.now().Add(-time.Minute)
	e.setDeadline("k", "past", passed)
	at, ok := next()
	require.True(e, ok)
	require.False(e, at.After(e.now()), "a time in the past means now")
}

func (e *env) setDeadline(kind, id string, at time.Time) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error { return tx.Deadlines().Set(ctx, kind, id, at) })
}

func (e *env) clearDeadline(kind, id string) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error { return tx.Deadlines().Clear(ctx, kind, id) })
}

// due lists this workspace's deadlines that have passed.
func (e *env) due() []store.Deadline {
	e.Helper()
	list, err := e.db.System().Due(e.ctx, all)
	require.NoError(e, err)
	return slices.DeleteFunc(list, func(d store.Deadline) bool { return d.Workspace != e.ws })
}
