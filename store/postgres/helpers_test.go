package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/stretchr/testify/require"
)

const ws = store.WorkspaceID("w1")

// fresh opens a new database with the workspace w1.
func fresh(t testing.TB) *store.DB {
	t.Helper()
	return openAt(t, Options{DSN: pgtest.Start(t)})
}

// openAt opens a database and makes the workspace w1 if it is missing.
func openAt(t testing.TB, opts Options) *store.DB {
	t.Helper()
	db, err := Open(context.Background(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	if err := db.System().CreateWorkspace(context.Background(), ws, "one"); err != nil {
		require.ErrorIs(t, err, store.ErrAlreadyExists)
	}
	return db
}

func update(t testing.TB, db *store.DB, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	require.NoError(t, db.Update(context.Background(), ws, fn))
}

func view(t testing.TB, db *store.DB, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	require.NoError(t, db.View(context.Background(), ws, fn))
}

// at is a time as the store keeps it.
func at(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 5000, time.UTC) }
