package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// purged runs a purge and returns how many rows went.
func (e *env) purged(fn func(ctx context.Context, tx store.Tx) (int, error)) (n int) {
	e.update(func(ctx context.Context, tx store.Tx) (err error) {
		n, err = fn(ctx, tx)
		return err
	})
	return n
}

var retentionRules = []rule{
	{name: "a workspace is named as expired while there is something to purge, by what it is", run: expiredWorkspaces},
	{name: "early edits whose message never came go by their age, at most as many as asked", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			for i := range 3 {
				early := conversation.Early{Account: "acct", Chat: userChat,
					Message: channel.ProviderMessageID(fmt.Sprint(i)), At: moment(i), Unsent: true}
				if err := tx.Contacts().PutEarly(ctx, early); err != nil {
					return err
				}
			}
			return nil
		})
		purge := func(before time.Time, limit int) int {
			return e.purged(func(ctx context.Context, tx store.Tx) (int, error) {
				return tx.Purge(ctx, driver.Ages{Raw: before}, limit)
			})
		}
		require.Zero(e, purge(moment(0), 10), "nothing is older")
		require.Equal(e, 1, purge(moment(2), 1))
		require.Equal(e, 1, purge(moment(2), 10))
		require.Equal(e, 1, purge(moment(3), 10), "the last one was kept until now")
	}},
	{name: "dead jobs go by their age, and no other job does", run: func(e *env) {
		for i, id := range []string{"dead", "young"} {
			e.enqueueJob(store.Job{ID: id, Kind: "k", Due: moment(0), CreatedAt: moment(i)})
			j := e.claimJobs(time.Hour, "k")[0]
			e.update(func(ctx context.Context, tx store.Tx) error {
				return tx.Jobs().Fail(ctx, id, j.Token, "hopeless", time.Time{})
			})
		}
		e.enqueueJob(store.Job{ID: "queued", Kind: "k", Due: moment(0), CreatedAt: moment(0)})
		n := e.purged(func(ctx context.Context, tx store.Tx) (int, error) {
			return tx.Purge(ctx, driver.Ages{Keys: moment(1)}, 10)
		})
		require.Equal(e, 1, n)
		e.job("young")
		e.job("queued")
	}},
	{name: "ended offers and decisions go by their age; an open offer stays", run: func(e *env) {
		e.agent("a", units(9))
		it := e.item(use(1))
		for i := range 3 {
			r := e.offering(it, "a")
			r.Decision = &routing.Decision{ID: int64(i + 1), Kind: routing.DecideOffer, At: e.now(), Item: it.ID, Agent: "a"}
			require.NoError(e, e.reserve(r))
			if i < 2 {
				e.endOffer(r.Offer.ID, routing.OfferWithdrawn, moment(10))
				it = e.loadItem(it.ID)
			}
		}
		later := e.now().Add(100 * 365 * 24 * time.Hour)
		purge := func(before time.Time, limit int) int {
			return e.purged(func(ctx context.Context, tx store.Tx) (int, error) {
				return tx.Purge(ctx, driver.Ages{Keys: before}, limit)
			})
		}
		require.Zero(e, purge(time.Unix(0, 0), 10))
		require.Equal(e, 1, purge(later, 1), "at most as many as asked")
		require.Equal(e, 4, purge(later, 10), "the other ended offer and three decisions")
		require.Zero(e, purge(later, 10))
		open, _ := e.held(it.ID)
		require.NotNil(e, open)
	}},
}

func expiredWorkspaces(e *env) {
	later := e.now().Add(100 * 365 * 24 * time.Hour)
	ages := map[string]driver.Ages{"raw": {Raw: later}, "keys": {Keys: later}, "feed": {Feed: later}, "results": {Results: later}}
	expired := func() (of []string) {
		e.Helper()
		for _, name := range slices.Sorted(maps.Keys(ages)) {
			before := ages[name]
			list, err := e.db.System().Workspaces(e.ctx, driver.Having{Expired: &before})
			require.NoError(e, err)
			if slices.Contains(list, e.ws) {
				of = append(of, name)
			}
		}
		return of
	}
	// check writes, sees what is named, purges by that age, and sees nothing named.
	check := func(want string, write func()) {
		e.Helper()
		write()
		require.Equal(e, []string{want}, expired())
		require.Positive(e, e.purged(func(ctx context.Context, tx store.Tx) (int, error) { return tx.Purge(ctx, ages[want], 10) }))
		require.Empty(e, expired())
	}
	require.Empty(e, expired())
	check("raw", func() {
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Contacts().
				PutEarly(ctx, conversation.Early{Account: "acct", Chat: userChat, Message: "m", At: moment(0), Unsent: true})
		})
	})
	end := func(id string, how func(ctx context.Context, tx store.Tx, j store.Job) error) func() {
		return func() {
			e.enqueueJob(store.Job{ID: id, Kind: "ends", Due: moment(0), CreatedAt: moment(0)})
			j := e.claimJobs(time.Hour, "ends")[0]
			e.update(func(ctx context.Context, tx store.Tx) error { return how(ctx, tx, j) })
		}
	}
	check("raw", end("done", func(ctx context.Context, tx store.Tx, j store.Job) error { return tx.Jobs().Finish(ctx, j.ID, j.Token) }))
	check("keys", end("dead", func(ctx context.Context, tx store.Tx, j store.Job) error {
		return tx.Jobs().Fail(ctx, j.ID, j.Token, "hopeless", time.Time{})
	}))
	check("feed", func() { e.event("a", 1) })
	check("results", func() {
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Commands().Store(ctx, "p", "k", "d", nil) })
	})
	e.append(envelopes("a")...)
	require.NotContains(e, expired(), "raw", "what waits is kept")
	lane := e.claimInbox(1, time.Hour)[0]
	e.update(func(ctx context.Context, tx store.Tx) error { return tx.Inbox().Done(ctx, lane.Claim, "env-a") })
	require.Contains(e, expired(), "raw")
	e.purged(func(ctx context.Context, tx store.Tx) (int, error) { return tx.Purge(ctx, driver.Ages{Raw: later}, 10) })
	require.Equal(e, []string{"keys"}, expired(), "the dedup key stays")
	e.purged(func(ctx context.Context, tx store.Tx) (int, error) {
		return tx.Purge(ctx, driver.Ages{Raw: later, Keys: later}, 10)
	})
	require.Empty(e, expired())
}
