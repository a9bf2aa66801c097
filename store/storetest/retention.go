package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
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
	{name: "early edits whose message never came go by their age, at most as many as asked", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			for i := range 3 {
				early := conversation.Early{Account: "acct", Chat: userChat, Message: channel.ProviderMessageID(fmt.Sprint(i)), At: moment(i), Unsent: true}
				if err := tx.Contacts().PutEarly(ctx, early); err != nil {
					return err
				}
			}
			return nil
		})
		purge := func(before time.Time, limit int) int {
			return e.purged(func(ctx context.Context, tx store.Tx) (int, error) {
				return tx.Contacts().PurgeEarly(ctx, before, limit)
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
		n := e.purged(func(ctx context.Context, tx store.Tx) (int, error) { return tx.Jobs().PurgeDead(ctx, moment(1), 10) })
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
		offers := func(before time.Time, limit int) int {
			return e.purged(func(ctx context.Context, tx store.Tx) (int, error) { return tx.Work().PurgeOffers(ctx, before, limit) })
		}
		require.Zero(e, offers(time.Unix(0, 0), 10))
		require.Equal(e, 1, offers(later, 1))
		require.Equal(e, 1, offers(later, 10))
		open, _ := e.held(it.ID)
		require.NotNil(e, open)
		decisions := func(before time.Time, limit int) int {
			return e.purged(func(ctx context.Context, tx store.Tx) (int, error) {
				return tx.Work().PurgeDecisions(ctx, before, limit)
			})
		}
		require.Zero(e, decisions(time.Unix(0, 0), 10))
		require.Equal(e, 2, decisions(later, 2))
		require.Equal(e, 1, decisions(later, 10))
	}},
}
