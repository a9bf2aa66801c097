package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/stretchr/testify/require"
)

func nowOf(t *testing.T, db *store.DB) (now time.Time) {
	t.Helper()
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		now = tx.Now()
		return tx.Deadlines().Set(ctx, "k", "i", now)
	})
	return now
}

// TestNowStandsStillWhenTheServerClockWasSetBack plays a server whose clock was
// an hour ahead when another process last wrote.
func TestNowStandsStillWhenTheServerClockWasSetBack(t *testing.T) {
	opts := Options{DSN: pgtest.Start(t)}
	db := openAt(t, opts)
	ahead := nowOf(t, db).Add(time.Hour)
	exec(t, opts.DSN, "update sangdam.workspaces set clock = $1", ahead)
	require.Equal(t, ahead, nowOf(t, db))
	require.Equal(t, ahead, nowOf(t, openAt(t, opts)))
}

func TestTheWorkspacesTimeIsWrittenDown(t *testing.T) {
	opts := Options{DSN: pgtest.Start(t)}
	db := openAt(t, opts)
	exec(t, opts.DSN, "update sangdam.workspaces set clock = now() - interval '1 hour'")
	now := nowOf(t, db)
	var kept time.Time
	b := db.Backend().(*backend)
	require.NoError(t, b.pool.QueryRow(t.Context(), "select clock from sangdam.workspaces").Scan(&kept))
	require.Equal(t, now, kept.UTC())
}

// TestFeedBeginsAnewAfterADumpAndRestore plays rows whose transaction numbers
// are of another server.
func TestFeedBeginsAnewAfterADumpAndRestore(t *testing.T) {
	opts := Options{DSN: pgtest.Start(t)}
	db := openAt(t, opts)
	_, cursor, err := db.Feed(t.Context(), ws, "", 10)
	require.NoError(t, err)
	add := func(db *store.DB) {
		update(t, db, func(ctx context.Context, tx store.Tx) error {
			return tx.Events().Append(ctx, driver.Event{Aggregate: "job", ID: "1", At: tx.Now()})
		})
	}
	add(db)
	exec(t, opts.DSN, "update sangdam.events set xid = '99999999999'")
	again := openAt(t, opts)
	_, _, err = again.Feed(t.Context(), ws, cursor, 10)
	require.ErrorIs(t, err, store.ErrCursorGone)
	_, cursor, err = again.Feed(t.Context(), ws, "", 10)
	require.NoError(t, err)
	add(again)
	evs, _, err := again.Feed(t.Context(), ws, cursor, 10)
	require.NoError(t, err)
	require.Len(t, evs, 1)
}
