package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// planned is how often each statement was planned anew for what it was asked with, of
// those that the connections have prepared.
func (q *queues) planned() map[string]int {
	anew := map[string]int{}
	for _, c := range q.b.pool.AcquireAllIdle(q.t.Context()) {
		rows, err := c.Query(q.t.Context(), `SELECT statement, custom_plans FROM pg_prepared_statements`)
		require.NoError(q.t, err)
		var statement string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&statement, &n}, func() error { anew[statement] += n; return nil })
		c.Release()
		require.NoError(q.t, err)
	}
	return anew
}

// one is the way of one customer's message: append, claim, what a flow writes, its
// end and the giving back, a job and its end.
func (q *queues) one() {
	q.n++
	name, sys := fmt.Sprintf("e%06d", q.n), q.db.System()
	_, err := q.db.AppendEnvelopes(q.t.Context(), ws, []adapter.Envelope{{ID: channel.EnvelopeID(name), Account: "a", DedupKey: name,
		Lane: name, OccurredAt: at(1), ReceivedAt: time.Now(), Raw: []byte("{}")}})
	require.NoError(q.t, err)
	lanes, err := sys.ClaimInbox(q.t.Context(), "n", 64, 32, time.Minute)
	require.NoError(q.t, err)
	require.Len(q.t, lanes, 1)
	update(q.t, q.db, func(ctx context.Context, tx store.Tx) error {
		w := driver.Wanted{Threads: []string{"t0"}, NewItems: 1, Documents: []driver.Keys{store.IdentityKey("line", "s", "u")},
			Heard: []driver.ProviderMessage{{Account: "a", Chat: channel.Chat{Kind: channel.ChatUser, ID: "u"}, Message: "m"}}}
		if _, err := tx.Ahead(ctx, w); err != nil {
			return err
		}
		if err := inbound(ctx, tx, 0); err != nil {
			return err
		}
		if err := tx.Jobs().Enqueue(ctx, driver.Job{ID: name, Kind: "k", Due: tx.Now()}); err != nil {
			return err
		}
		if err := tx.Inbox().Done(ctx, lanes[0].Claim, lanes[0].Envelopes[0].ID); err != nil {
			return err
		}
		_, err := tx.GiveBack(ctx, driver.NewsInbox, lanes[0].LaneRef)
		return err
	})
	kinds := map[string]int{"k": 8} // a process asks for all that it knows
	for i := range 14 {
		kinds[fmt.Sprint("k", i)] = 8
	}
	jobs, err := sys.ClaimJobs(q.t.Context(), "n", kinds, time.Minute)
	require.NoError(q.t, err)
	require.Len(q.t, jobs, 1)
	update(q.t, q.db, func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.Ahead(ctx, driver.Wanted{Conversations: []conversation.ID{"c0"}}); err != nil {
			return err
		}
		return tx.Jobs().Finish(ctx, jobs[0].ID, jobs[0].Token)
	})
	_, err = sys.NextDue(q.t.Context())
	require.NoError(q.t, err)
	_, q.cursor, err = q.db.Feed(q.t.Context(), ws, q.cursor, 500)
	require.NoError(q.t, err)
}

// TestNothingIsPlannedAnewForABatchOfOne: after the first calls, for which the server
// tries plans for what it is asked with, each statement has one for good, or until
// plans grow old.
func TestNothingIsPlannedAnewForABatchOfOne(t *testing.T) {
	dsn := pgtest.Start(t)
	db := openAt(t, Options{DSN: dsn, DisableNotify: true, MaxConns: 2})
	q := &queues{t: t, db: db, b: db.Backend().(*backend), dsn: dsn}
	seed(t, db, 1)
	for range 20 {
		q.one()
	}
	before := q.planned()
	const more = 40
	for range more {
		q.one()
	}
	after := q.planned()
	require.Greater(t, len(after), 20)
	for statement, n := range after {
		require.LessOrEqual(t, n-before[statement], more/4, "planned anew in %d calls: %s", more, statement)
	}
}
