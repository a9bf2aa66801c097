package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var systemRules = []rule{
	{name: "workspaces are listed in order, and made once", run: func(e *env) {
		require.ErrorIs(e, e.db.System().CreateWorkspace(e.ctx, e.ws, "again"), store.ErrAlreadyExists)
		list, err := e.db.System().Workspaces(e.ctx, driver.Having{})
		require.NoError(e, err)
		require.True(e, slices.IsSorted(list))
		require.Contains(e, list, e.ws)
	}},
	{name: "an account is resolved by its token, as it is now", run: func(e *env) {
		first, second := token(), token()
		save := func(version int64, secret string) (v int64) {
			e.update(func(ctx context.Context, tx store.Tx) (err error) {
				v, err = tx.Accounts().SaveAccount(ctx, channel.Account{ID: "acct", Version: version, Kind: "line", Token: secret})
				return err
			})
			return v
		}
		v := save(0, first)
		ws, id, err := e.db.ResolveAccount(e.ctx, first)
		require.NoError(e, err)
		require.Equal(e, e.ws, ws)
		require.Equal(e, channel.AccountID("acct"), id)
		save(v, second)
		_, _, err = e.db.ResolveAccount(e.ctx, first)
		require.ErrorIs(e, err, store.ErrNotFound)
		_, _, err = e.db.ResolveAccount(e.ctx, second)
		require.NoError(e, err)
		_, _, err = e.db.ResolveAccount(e.ctx, "")
		require.ErrorIs(e, err, store.ErrNotFound)
		e.refuse(store.ErrAlreadyExists, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Accounts().SaveAccount(ctx, channel.Account{ID: "other", Kind: "line", Token: second})
			return err
		})
	}},
	{name: "a value of the database is put only over the expected one", run: func(e *env) {
		key := "meta-" + string(e.ws)
		y := e.db.System()
		_, err := y.Meta(e.ctx, key)
		require.ErrorIs(e, err, store.ErrNotFound)
		require.ErrorIs(e, y.PutMeta(e.ctx, key, []byte("x"), []byte("y")), store.ErrConflict)
		require.NoError(e, y.PutMeta(e.ctx, key, nil, []byte("\x00one")))
		require.ErrorIs(e, y.PutMeta(e.ctx, key, nil, []byte("two")), store.ErrConflict)
		require.ErrorIs(e, y.PutMeta(e.ctx, key, []byte("other"), []byte("two")), store.ErrConflict)
		require.NoError(e, y.PutMeta(e.ctx, key, []byte("\x00one"), []byte("two")))
		got, err := y.Meta(e.ctx, key)
		require.NoError(e, err)
		require.Equal(e, []byte("two"), got)
	}},
	{name: "of rivals that put a value over one, one succeeds", run: func(e *env) {
		key := "rival-" + string(e.ws)
		for _, old := range [][]byte{nil, []byte("first")} {
			errs := parallel(racers, func(i int) error {
				value := []byte("first")
				if old != nil {
					value = []byte(fmt.Sprint(i))
				}
				return e.db.System().PutMeta(e.ctx, key, old, value)
			})
			e.oneSucceeds(errs, store.ErrConflict)
		}
	}},
	{name: "a lease is one node's until it ends; its epoch rises with the holder", run: func(e *env) {
		name := "lease-" + string(e.ws)
		take := func(node string, ttl time.Duration) (int64, error) {
			return e.db.System().Lease(e.ctx, name, node, ttl)
		}
		one, err := take("n1", e.lease())
		require.NoError(e, err)
		require.Positive(e, one)
		_, err = take("n2", e.lease())
		require.ErrorIs(e, err, store.ErrConflict)
		same, err := take("n1", e.lease())
		require.NoError(e, err)
		require.Equal(e, one, same, "prolonged")
		e.pass(e.lease() + time.Millisecond)
		two, err := take("n2", time.Hour)
		require.NoError(e, err)
		require.Greater(e, two, one)
		_, err = take("n1", time.Hour)
		require.ErrorIs(e, err, store.ErrConflict)
		other, err := e.db.System().Lease(e.ctx, name+"-other", "n1", time.Hour)
		require.NoError(e, err)
		require.Positive(e, other)
	}},
	{name: "of rivals for a free lease one gets it", run: func(e *env) {
		errs := parallel(racers, func(i int) error {
			_, err := e.db.System().Lease(e.ctx, "race-"+string(e.ws), fmt.Sprint("n", i), time.Hour)
			return err
		})
		e.oneSucceeds(errs, store.ErrConflict)
	}},
	{name: "live nodes are listed in order, the silent drop out", run: func(e *env) {
		prefix := string(e.ws) + "/"
		beat := func(node string, ttl time.Duration) (own []string) {
			nodes, err := e.db.System().Beat(e.ctx, prefix+node, ttl)
			require.NoError(e, err)
			for _, n := range nodes {
				if name, mine := strings.CutPrefix(n, prefix); mine {
					own = append(own, name)
				}
			}
			return own
		}
		require.Equal(e, []string{"b"}, beat("b", e.lease()))
		require.Equal(e, []string{"a", "b"}, beat("a", time.Hour))
		e.pass(e.lease() + time.Millisecond)
		require.Equal(e, []string{"a", "c"}, beat("c", time.Hour))
	}},
	{name: "the clock is UTC in microseconds and the store can write", run: func(e *env) {
		now := e.now()
		require.Equal(e, time.UTC, now.Location())
		require.Equal(e, now.Truncate(time.Microsecond), now)
		require.NoError(e, e.db.System().Check(e.ctx))
	}},
}

var workspaceRules = []rule{
	{name: "the same ids in two workspaces do not meet", run: func(e *env) {
		other := *e
		other.ws += "-other"
		other.workspace()
		mine, theirs := e.fill("mine"), other.fill("theirs")
		e.checkFill(mine, "mine")
		other.checkFill(theirs, "theirs")
		in := e.claimInbox(10, time.Hour) // claims all workspaces' lanes, keeps its own
		require.Len(e, in, 1)
		e.done(in[0], "k")
		other.view(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Inbox().Envelope(ctx, "env-k")
			return err
		})
		other.refuse(store.ErrStale, func(ctx context.Context, tx store.Tx) error {
			return tx.Inbox().Done(ctx, in[0].Claim, "env-k")
		})
		require.Len(e, e.due(), 1)
		require.Len(e, other.due(), 1)
	}},
	{name: "a row of another workspace is not found", run: func(e *env) {
		other := *e
		other.ws += "-other"
		other.workspace()
		e.fill("mine")
		other.view(func(ctx context.Context, tx store.Tx) error {
			misses := map[string]func() error{
				"conversation": func() error { _, err := tx.Conversations().Conversation(ctx, "c"); return err },
				"message":      func() error { _, err := tx.Conversations().Message(ctx, "m"); return err },
				"provider":     func() error { _, err := tx.Conversations().ByProvider(ctx, "acct", userChat, "p"); return err },
				"contact":      func() error { _, err := tx.Contacts().Contact(ctx, "k"); return err },
				"identity":     func() error { _, err := tx.Contacts().Identity(ctx, "line", "s", "u"); return err },
				"agent":        func() error { _, err := tx.Agents().Agent(ctx, "a"); return err },
				"item":         func() error { _, err := tx.Work().Item(ctx, "i"); return err },
				"envelope":     func() error { _, err := tx.Inbox().Envelope(ctx, "env-k"); return err },
				"row":          func() error { _, err := tx.Outbox().Row(ctx, "r"); return err },
				"command":      func() error { _, _, err := tx.Commands().Lookup(ctx, "p", "k"); return err },
				"blob":         func() error { _, err := tx.Blobs().Blob(ctx, "b"); return err },
				"sealed":       func() error { _, err := tx.Vault().Sealed(ctx, "o", "n"); return err },
			}
			for name, miss := range misses {
				require.ErrorIs(e, miss(), store.ErrNotFound, name)
			}
			list, _, err := tx.Conversations().List(ctx, conversationFilter, "", 10)
			require.NoError(e, err)
			require.Empty(e, list)
			hits, err := tx.Search().Find(ctx, []string{"aa"}, driver.SearchHit{}, 10)
			require.NoError(e, err)
			require.Empty(e, hits)
			entries, err := tx.Audit().List(ctx, 0, 10)
			require.NoError(e, err)
			require.Empty(e, entries)
			return nil
		})
	}},
}

var statsRules = []rule{
	{name: "every Update is counted, and no more commits than Updates", run: func(e *env) {
		before := e.db.Stats()
		const n = 5
		for range n {
			e.storeConvAny()
		}
		after := e.db.Stats()
		require.Equal(e, int64(n), after.Updates-before.Updates)
		require.Equal(e, int64(n), after.Commits-before.Commits, "one after another each is a commit")
	}},
	{name: "an Update that failed is no commit", run: func(e *env) {
		before := e.db.Stats()
		require.ErrorIs(e, e.db.Update(e.ctx, e.ws, func(context.Context, store.Tx) error { return errRehearsal }), errRehearsal)
		after := e.db.Stats()
		require.Equal(e, before.Commits, after.Commits)
		require.Equal(e, before.Updates, after.Updates)
	}},
	{name: "one append of many envelopes is one commit", run: func(e *env) {
		before := e.db.Stats()
		var envs []adapter.Envelope
		for i := range 50 {
			envs = append(envs, envelope(fmt.Sprint(i), "l"))
		}
		e.append(envs...)
		require.Equal(e, int64(1), e.db.Stats().Commits-before.Commits)
	}},
	{name: "a View is no commit", run: func(e *env) {
		before := e.db.Stats()
		e.view(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Config().Configuration(ctx, 0)
			return err
		})
		require.Equal(e, before.Commits, e.db.Stats().Commits)
	}},
	{name: "appends of parallel callers share commits", run: func(e *env) {
		if !e.h.Caps.GroupedAppends {
			e.cannot("share commits among appends")
			return
		}
		const callers, each = 16, 10
		before := e.db.Stats()
		errs := parallel(callers, func(i int) error {
			for n := range each {
				if _, err := e.db.AppendEnvelopes(e.ctx, e.ws, []adapter.Envelope{envelope(fmt.Sprint(i, "-", n), "l")}); err != nil {
					return err
				}
			}
			return nil
		})
		require.Equal(e, callers, successes(errs), "%v", errs)
		after := e.db.Stats()
		require.Less(e, after.Commits-before.Commits, int64(callers*each), "no two shared a commit")
		require.Equal(e, int64(callers*each), after.Updates-before.Updates)
	}},
	{name: "Updates of parallel callers share commits", run: func(e *env) {
		if !e.h.Caps.GroupedUpdates {
			e.cannot("share commits among Updates")
			return
		}
		const callers, each = 16, 10
		before := e.db.Stats()
		errs := parallel(callers, func(i int) error {
			for n := range each {
				if err := e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
					return tx.Deadlines().Set(ctx, "k", fmt.Sprint(i, "-", n), moment(0))
				}); err != nil {
					return err
				}
			}
			return nil
		})
		require.Equal(e, callers, successes(errs), "%v", errs)
		require.Less(e, e.db.Stats().Commits-before.Commits, int64(callers*each), "no two shared a commit")
	}},
}

func (e *env) storeConvAny() { e.storeConv("t-" + token()) }
