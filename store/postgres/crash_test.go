package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/stretchr/testify/require"
)

// TestServerCrashLosesNothingAcknowledged crashes the server three times under
// load and goes on with the same DB.
func TestServerCrashLosesNothingAcknowledged(t *testing.T) {
	srv, dsn := pgtest.StartOwn(t)
	db := openAt(t, Options{DSN: dsn})
	seed(t, db, 4)
	var acked sync.Map
	var count atomic.Int64
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				env := adapter.Envelope{Account: "a", DedupKey: fmt.Sprint(w, "-", n), Lane: fmt.Sprint(w)}
				if _, err := db.AppendEnvelopes(ctx, ws, []adapter.Envelope{env}); err == nil {
					acked.Store("e"+env.DedupKey, true)
					count.Add(1)
				}
				id := fmt.Sprint("m", w, "-", n)
				err := db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
					_, err := tx.Conversations().SaveMessage(ctx, conversation.Message{ID: conversation.MessageID(id), Conversation: "c0"})
					return err
				})
				if err == nil {
					acked.Store(id, true)
					count.Add(1)
				}
			}
		})
	}
	for range 3 {
		from := count.Load()
		require.Eventually(t, func() bool { return count.Load() > from+100 }, 60*time.Second, time.Millisecond)
		require.NoError(t, srv.Crash())
		require.NoError(t, srv.Restart())
	}
	from := count.Load()
	require.Eventually(t, func() bool { return count.Load() > from+100 }, 60*time.Second, time.Millisecond)
	stop()
	wg.Wait()
	stored := map[string]bool{}
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), "select 'e' || dedup from sangdam.inbox union all select id from sangdam.messages")
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, id := range ids {
		require.False(t, stored[id], "twice: %s", id)
		stored[id] = true
	}
	acked.Range(func(id, _ any) bool {
		require.True(t, stored[id.(string)], "lost: %s", id)
		return true
	})
	t.Logf("%d acknowledged, %d stored, 3 crashes", count.Load(), len(ids))
}

func TestUnreachableServerIsUnavailable(t *testing.T) {
	srv, dsn := pgtest.StartOwn(t)
	db := openAt(t, Options{DSN: dsn})
	require.NoError(t, srv.Crash())
	for range 3 { // pooled connections are dead, then none can be made
		err := db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error { return tx.Deadlines().Set(ctx, "k", "i", at(1)) })
		require.ErrorIs(t, err, store.ErrUnavailable)
	}
	_, err := db.AppendEnvelopes(t.Context(), ws, []adapter.Envelope{{Account: "a", DedupKey: "k"}})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NoError(t, srv.Restart())
	require.Eventually(t, func() bool { return db.System().Check(context.Background()) == nil }, 30*time.Second, time.Millisecond)
}

func TestCommitWhoseConnectionDiesHasAnUnknownOutcome(t *testing.T) {
	dsn := pgtest.Start(t)
	db := openAt(t, Options{DSN: dsn})
	err := db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		tx.Now() // the transaction has begun
		exec(t, dsn, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in "+
			"transaction'")
		return tx.Deadlines().Set(ctx, "k", "i", at(1))
	})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, "unknown")
}

func TestLockTimeoutIsUnavailable(t *testing.T) {
	dsn := pgtest.Start(t)
	db := openAt(t, Options{DSN: dsn, LockTimeout: 50 * time.Millisecond})
	seed(t, db, 1)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), "begin; select 1 from sangdam.conversations for update")
	require.NoError(t, err)
	runs := 0
	err = db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		runs++
		c, err := tx.Conversations().Conversation(ctx, "c0")
		if err != nil {
			return err
		}
		_, err = tx.Conversations().SaveConversation(ctx, c)
		return err
	})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, "locked")
	require.Equal(t, 1, runs)
}

func TestFeedMissesNothingUnderWritersAndAForeignTransaction(t *testing.T) {
	dsn := pgtest.Start(t)
	db := openAt(t, Options{DSN: dsn, MaxConns: 20})
	srv, err := pgtest.Shared()
	require.NoError(t, err)
	end, err := srv.Foreign(t.Context(), dsn)
	require.NoError(t, err)
	defer end()
	const writers, each, limit = 8, 60, 7
	_, cursor, err := db.Feed(t.Context(), ws, "", limit)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				// Two round trips, so that transactions overlap; half the
				// writers share an aggregate, a row so hot that an Update may
				// rightly give up.
				write := func(ctx context.Context, tx store.Tx) error {
					id := conversation.ID("shared")
					if w%2 == 0 {
						id = conversation.ID(fmt.Sprint("own", w))
					}
					if err := tx.Deadlines().Set(ctx, "k", fmt.Sprint(w), at(n)); err != nil {
						return err
					}
					c, err := tx.Conversations().Conversation(ctx, id)
					if errors.Is(err, store.ErrNotFound) {
						c, err = conversation.Conversation{ID: id, Thread: string(id), State: conversation.StateOpen}, nil
					}
					if err != nil {
						return err
					}
					v, err := tx.Conversations().SaveConversation(ctx, c)
					if err != nil {
						return err
					}
					return tx.Events().Append(ctx, driver.Event{Aggregate: "conversation", ID: string(id), Version: v, At: tx.Now()})
				}
				err := db.Update(context.Background(), ws, write)
				for errors.Is(err, store.ErrConflict) {
					err = db.Update(context.Background(), ws, write)
				}
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	versions := map[string]int64{}
	total := 0
	for total < writers*each && !t.Failed() {
		evs, next, err := db.Feed(t.Context(), ws, cursor, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(evs), limit)
		for _, ev := range evs {
			require.Equal(t, versions[ev.ID]+1, ev.Version, "%s out of order", ev.ID)
			versions[ev.ID] = ev.Version
		}
		total += len(evs)
		cursor = next
	}
	wg.Wait()
	evs, _, err := db.Feed(t.Context(), ws, cursor, limit)
	require.NoError(t, err)
	require.Empty(t, evs)
}

func TestFeedCursorsThatAreNone(t *testing.T) {
	db := fresh(t)
	_, good, err := db.Feed(t.Context(), ws, "", 1)
	require.NoError(t, err)
	be := db.Backend().(*backend)
	c, err := parseCursor(good)
	require.NoError(t, err)
	require.Equal(t, good, c.String())
	for name, text := range map[string]string{
		"junk": "%%%", "not JSON": "AAAA", "longer than 64 KiB": string(make([]byte, maxCursor+1)),
		"no epoch":         cursor{From: c.From}.String(),
		"reversed":         cursor{Epoch: be.feedEpoch, From: snapshot{Xmin: 9, Xmax: 3}}.String(),
		"xip outside":      cursor{Epoch: be.feedEpoch, From: snapshot{Xmin: 3, Xmax: 9, Xip: []uint64{9}}}.String(),
		"xip unordered":    cursor{Epoch: be.feedEpoch, From: snapshot{Xmin: 3, Xmax: 9, Xip: []uint64{5, 4}}}.String(),
		"to before from":   cursor{Epoch: be.feedEpoch, From: snapshot{Xmin: 9, Xmax: 9}, To: &snapshot{Xmin: 3, Xmax: 3}}.String(),
		"after without to": cursor{Epoch: be.feedEpoch, From: c.From, After: 3}.String(),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := db.Feed(t.Context(), ws, text, 1)
			require.ErrorIs(t, err, store.ErrInvalid)
		})
	}
	for name, text := range map[string]string{
		"of another feed": cursor{Epoch: "other", From: c.From}.String(),
		"of the future":   cursor{Epoch: be.feedEpoch, From: snapshot{Xmin: c.From.Xmax + 1e9, Xmax: c.From.Xmax + 1e9}}.String(),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := db.Feed(t.Context(), ws, text, 1)
			require.ErrorIs(t, err, store.ErrCursorGone)
		})
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(cursor{Epoch: "e", From: snapshot{Xmin: 3, Xmax: 9, Xip: []uint64{3, 5}}, To: &snapshot{Xmin: 9, Xmax: 12}, After: 4}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text)
		if err != nil {
			require.ErrorIs(t, err, store.ErrInvalid)
			return
		}
		again, err := parseCursor(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"", "a\x00b", "\x01", "\x01x80", "\xff\xfe", "환불", "😀", "\x010"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		stored := key(s)
		require.NotContains(t, stored, "\x00")
		require.Equal(t, s, unkey[string](stored))
	})
}

// saveFirst saves the first conversation as it is.
func saveFirst(ctx context.Context, tx store.Tx) error {
	c, err := tx.Conversations().Conversation(ctx, "c0")
	if err != nil {
		return err
	}
	_, err = tx.Conversations().SaveConversation(ctx, c)
	return err
}

func TestWithin(t *testing.T) {
	dsn := pgtest.Start(t)
	db := openAt(t, Options{DSN: dsn})
	seed(t, db, 1)
	exec(t, dsn, "create table host (n int)")
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	hostRows := func() (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from host").Scan(&n))
		return n
	}
	save := saveFirst
	version := func() (v int64) {
		view(t, db, func(ctx context.Context, tx store.Tx) error {
			c, err := tx.Conversations().Conversation(ctx, "c0")
			v = c.Version
			return err
		})
		return v
	}
	begin := func() pgx.Tx {
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "insert into host values (1)")
		require.NoError(t, err)
		return tx
	}
	host := begin()
	require.NoError(t, Within(t.Context(), db, host, ws, save))
	require.EqualValues(t, 1, version(), "not before the host commits")
	require.NoError(t, host.Commit(t.Context()))
	require.EqualValues(t, 2, version())
	require.Equal(t, 1, hostRows())

	host = begin()
	require.NoError(t, Within(t.Context(), db, host, ws, save))
	require.NoError(t, host.Rollback(t.Context()))
	require.EqualValues(t, 2, version())

	host = begin() // a rival: once, a conflict, and the host's own work survives
	runs := 0
	err = Within(t.Context(), db, host, ws, func(ctx context.Context, tx store.Tx) error {
		runs++
		c, err := tx.Conversations().Conversation(ctx, "c0")
		require.NoError(t, err)
		update(t, db, save)
		_, err = tx.Conversations().SaveConversation(ctx, c)
		return err
	})
	require.ErrorIs(t, err, store.ErrConflict)
	require.NotErrorIs(t, err, driver.ErrClash)
	require.Equal(t, 1, runs)
	require.NoError(t, host.Commit(t.Context()))
	require.Equal(t, 2, hostRows())
	require.EqualValues(t, 3, version())

	host = begin() // an error of the function undoes what it wrote and no more
	require.ErrorIs(t, Within(t.Context(), db, host, ws, func(ctx context.Context, tx store.Tx) error {
		if err := save(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Outbox().Pending(ctx) // sends the write
		return errors.Join(err, store.ErrStale)
	}), store.ErrStale)
	require.NoError(t, host.Commit(t.Context()))
	require.EqualValues(t, 3, version())
	require.Equal(t, 3, hostRows())
}

// TestPoolerModes runs work with the settings for transaction poolers.
func TestPoolerModes(t *testing.T) {
	for _, mode := range []string{"prepare", "describe"} {
		t.Run(mode, func(t *testing.T) {
			db := openAt(t, Options{DSN: pgtest.Start(t), Pooler: true, Statements: mode})
			seed(t, db, 1)
			for range 3 {
				update(t, db, func(ctx context.Context, tx store.Tx) error {
					if err := tx.Config().SaveQueue(ctx, routing.Queue{ID: "q", Name: "q"}); err != nil {
						return err
					}
					return inbound(ctx, tx, 0)
				})
			}
		})
	}
}
