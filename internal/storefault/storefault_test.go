package storefault_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/storefault"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/memory"
)

const ws = store.WorkspaceID("ws")

// open returns a store with a workspace, made before faults count.
func open(t *testing.T, p storefault.Plan) (*store.DB, *storefault.Fault, *store.DB) {
	t.Helper()
	inner := memory.New(memory.Options{})
	t.Cleanup(func() { require.NoError(t, inner.Close()) })
	require.NoError(t, inner.System().CreateWorkspace(t.Context(), ws, ""))
	db, f := storefault.Wrap(inner, p)
	return db, f, inner
}

// raise counts one up in the store and in runs.
func raise(ctx context.Context, db *store.DB, runs *int) error {
	return db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		*runs++
		return tx.Audit().Append(ctx, store.AuditEntry{Action: "x"})
	})
}

func stored(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	require.NoError(t, db.View(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		list, err := tx.Audit().List(ctx, 0, 100)
		n = len(list)
		return err
	}))
	return n
}

func TestUpdateFaults(t *testing.T) {
	for _, c := range []struct {
		kind   storefault.Kind
		err    error
		runs   int
		stored int
	}{
		{kind: "", runs: 1, stored: 1},
		{kind: storefault.FailBefore, err: store.ErrUnavailable, runs: 0, stored: 0},
		{kind: storefault.LoseReply, err: store.ErrUnavailable, runs: 1, stored: 1},
		{kind: storefault.Delay, runs: 1, stored: 1},
		{kind: storefault.RunTwice, runs: 2, stored: 1},
		{kind: storefault.Clash, runs: 2, stored: 1},
		{kind: storefault.Cancel, err: context.Canceled, runs: 1, stored: 0},
		{kind: storefault.CrashBefore, err: store.ErrUnavailable, runs: 0, stored: 0},
		{kind: storefault.CrashAfter, err: store.ErrUnavailable, runs: 1, stored: 1},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			db, f, inner := open(t, storefault.Plan{At: 1, Kind: c.kind})
			runs := 0
			err := raise(t.Context(), db, &runs)
			if c.err == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, c.err)
			}
			require.Equal(t, c.runs, runs)
			require.Equal(t, c.stored, stored(t, inner))
			require.Equal(t, c.kind != "", f.Hit())
		})
	}
}

func TestOnlyTheNthCallGoesWrong(t *testing.T) {
	for at := 1; at <= 4; at++ {
		db, f, inner := open(t, storefault.Plan{At: at, Kind: storefault.FailBefore})
		failed, runs := 0, 0
		for n := 1; n <= 4; n++ {
			if err := raise(t.Context(), db, &runs); err != nil {
				failed = n
			}
		}
		require.Equal(t, at, failed)
		require.Equal(t, 3, stored(t, inner))
		require.Equal(t, 4, f.Calls())
		require.Equal(t, storefault.Call{N: at, Name: "Update", Fault: storefault.FailBefore}, f.History()[at-1])
	}
}

func TestACrashLastsUntilRevive(t *testing.T) {
	for _, kind := range []storefault.Kind{storefault.CrashBefore, storefault.CrashAfter} {
		db, f, inner := open(t, storefault.Plan{At: 2, Kind: kind})
		runs := 0
		require.NoError(t, raise(t.Context(), db, &runs))
		for range 3 {
			require.ErrorIs(t, raise(t.Context(), db, &runs), store.ErrUnavailable)
		}
		_, err := db.System().Due(t.Context(), 1)
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.True(t, f.Dead())
		f.Revive()
		require.False(t, f.Dead())
		before := stored(t, inner)
		require.NoError(t, raise(t.Context(), db, &runs))
		require.Equal(t, before+1, stored(t, inner))
	}
}

func TestCrashNow(t *testing.T) {
	db, f, _ := open(t, storefault.Plan{})
	runs := 0
	f.Crash()
	require.ErrorIs(t, raise(t.Context(), db, &runs), store.ErrUnavailable)
	require.Zero(t, runs)
}

func TestDelayRunsTheHookBeforeTheCall(t *testing.T) {
	var inner *store.DB
	var hooked []string
	db, _, inner := open(t, storefault.Plan{At: 1, Kind: storefault.Delay, Hook: func(ctx context.Context, call string) {
		runs := 0
		hooked = append(hooked, call)
		require.NoError(t, raise(ctx, inner, &runs)) // a rival comes first
	}})
	require.NoError(t, db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		list, err := tx.Audit().List(ctx, 0, 10)
		require.Len(t, list, 1)
		return err
	}))
	require.Equal(t, []string{"Update"}, hooked)
}

func TestAppendAndLosingItsReply(t *testing.T) {
	env := []adapter.Envelope{{ID: "e", Account: "a", DedupKey: "k"}}
	db, _, inner := open(t, storefault.Plan{At: 1, Kind: storefault.LoseReply})
	_, err := db.AppendEnvelopes(t.Context(), ws, env)
	require.ErrorIs(t, err, store.ErrUnavailable)
	fresh, err := db.AppendEnvelopes(t.Context(), ws, env) // the provider repeats
	require.NoError(t, err)
	require.Equal(t, []bool{false}, fresh)
	lanes, err := inner.System().ClaimInbox(t.Context(), "n", 1, 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, lanes[0].Envelopes, 1)
}

func TestAppendTwiceTellsWhatWasNew(t *testing.T) {
	db, _, _ := open(t, storefault.Plan{At: 1, Kind: storefault.RunTwice})
	fresh, err := db.AppendEnvelopes(t.Context(), ws, []adapter.Envelope{{ID: "e", Account: "a", DedupKey: "k"}})
	require.NoError(t, err)
	require.Equal(t, []bool{true}, fresh)
}

// calls are all calls that count, by the name they are recorded under.
var calls = map[string]func(ctx context.Context, db *store.DB) error{
	"Update": func(ctx context.Context, db *store.DB) error {
		return db.Update(ctx, ws, func(context.Context, store.Tx) error { return nil })
	},
	"View": func(ctx context.Context, db *store.DB) error {
		return db.View(ctx, ws, func(context.Context, store.Tx) error { return nil })
	},
	"AppendEnvelopes": func(ctx context.Context, db *store.DB) error {
		_, err := db.AppendEnvelopes(ctx, ws, []adapter.Envelope{{ID: "e", Account: "a", DedupKey: "k"}})
		return err
	},
	"Feed": func(ctx context.Context, db *store.DB) error { _, _, err := db.Feed(ctx, ws, "", 1); return err },
	"System.CreateWorkspace": func(ctx context.Context, db *store.DB) error {
		return db.System().CreateWorkspace(ctx, "new", "")
	},
	"System.Workspaces": func(ctx context.Context, db *store.DB) error {
		_, err := db.System().Workspaces(ctx, driver.Having{})
		return err
	},
	"System.ClaimInbox": func(ctx context.Context, db *store.DB) error {
		_, err := db.System().ClaimInbox(ctx, "n", 1, 1, time.Minute)
		return err
	},
	"System.Release": func(ctx context.Context, db *store.DB) error { return db.System().Release(ctx, driver.NewsInbox) },
	"System.ClaimOutbox": func(ctx context.Context, db *store.DB) error {
		_, err := db.System().ClaimOutbox(ctx, "n", 1, 1, time.Minute)
		return err
	},
	"System.ClaimJobs": func(ctx context.Context, db *store.DB) error {
		_, err := db.System().ClaimJobs(ctx, "n", map[string]int{"k": 1}, time.Minute)
		return err
	},
	"System.Due":     func(ctx context.Context, db *store.DB) error { _, err := db.System().Due(ctx, 1); return err },
	"System.NextDue": func(ctx context.Context, db *store.DB) error { _, err := db.System().NextDue(ctx); return err },
	"System.Changed": func(ctx context.Context, db *store.DB) error { _, _, err := db.System().Changed(ctx, ""); return err },
	"System.Beat": func(ctx context.Context, db *store.DB) error {
		_, err := db.System().Beat(ctx, "n", time.Minute)
		return err
	},
	"System.Lease": func(ctx context.Context, db *store.DB) error {
		_, err := db.System().Lease(ctx, "l", "n", time.Minute)
		return err
	},
	"System.BeatAgents": func(ctx context.Context, db *store.DB) error {
		_, err := db.System().BeatAgents(ctx, ws, nil)
		return err
	},
	"System.LostAgents": func(ctx context.Context, db *store.DB) error {
		_, err := db.System().LostAgents(ctx, time.Now(), 1)
		return err
	},
	"System.PutMeta": func(ctx context.Context, db *store.DB) error { return db.System().PutMeta(ctx, "k", nil, []byte("v")) },
	"System.Now":     func(ctx context.Context, db *store.DB) error { _, err := db.System().Now(ctx); return err },
	"System.Check":   func(ctx context.Context, db *store.DB) error { return db.System().Check(ctx) },
}

func TestEveryCallCountsAndGoesWrong(t *testing.T) {
	for name, do := range calls {
		for _, kind := range storefault.Kinds {
			t.Run(fmt.Sprintf("%s %s", name, kind), func(t *testing.T) {
				db, f, _ := open(t, storefault.Plan{At: 1, Kind: kind})
				err := do(t.Context(), db)
				require.Equal(t, name, f.History()[0].Name)
				switch kind {
				case storefault.FailBefore, storefault.LoseReply, storefault.CrashBefore, storefault.CrashAfter:
					require.ErrorIs(t, err, store.ErrUnavailable)
				case storefault.Cancel:
					require.ErrorIs(t, err, context.Canceled)
				default:
					require.NoError(t, err)
				}
			})
		}
	}
}

func TestLookUpsThatFindNothingStillCount(t *testing.T) {
	db, f, _ := open(t, storefault.Plan{At: 2, Kind: storefault.FailBefore})
	_, _, err := db.ResolveAccount(t.Context(), "none")
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = db.System().Meta(t.Context(), "none")
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.Equal(t, 2, f.Calls())
}

func TestRandomFaultsFollowTheSeed(t *testing.T) {
	history := func(seed uint64) []storefault.Call {
		db, f, _ := open(t, storefault.Plan{Seed: seed, Rate: 0.3})
		runs := 0
		for range 100 {
			_ = raise(t.Context(), db, &runs)
		}
		return f.History()
	}
	one := history(1)
	require.Equal(t, one, history(1))
	require.NotEqual(t, one, history(2))
	wrong := slices.DeleteFunc(one, func(c storefault.Call) bool { return c.Fault == "" })
	require.InDelta(t, 30, len(wrong), 20)
}
