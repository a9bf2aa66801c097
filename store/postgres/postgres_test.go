package postgres

import (
	"context"
	"testing"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/blob/blobtest"
	"github.com/sangdam/sangdam/store/storetest"
	"github.com/stretchr/testify/require"
)

// optionsOf is how a store was opened, to open it again.
func optionsOf(db *store.DB) Options { return db.Backend().(*backend).opts }

func reopen(t testing.TB, opts Options) *store.DB {
	t.Helper()
	opts.dial = nil
	db, err := Open(context.Background(), opts)
	require.NoError(t, err)
	return db
}

// kill ends a store as the death of its process does: connections break, and
// nothing is finished in order.
func kill(db *store.DB) {
	b := db.Backend().(*backend)
	b.wakes.stop()
	b.planner.stop()
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.committer.stop()
	b.pool.Reset()
	b.pool.Close()
}

func TestStore(t *testing.T) {
	pgtest.Start(t) // the server's own goroutines begin before the suite counts
	open := func(t testing.TB) *store.DB { return reopen(t, Options{DSN: pgtest.Start(t), MaxConns: 20}) }
	storetest.Run(t, storetest.Harness{
		Name: "postgres",
		Open: open,
		Reopen: func(t testing.TB, db *store.DB) *store.DB {
			require.NoError(t, db.Close())
			return reopen(t, optionsOf(db))
		},
		Kill: func(t testing.TB, db *store.DB) *store.DB {
			opts := optionsOf(db)
			kill(db)
			return reopen(t, opts)
		},
		Second: func(t testing.TB, db *store.DB) *store.DB { return reopen(t, optionsOf(db)) },
		ForeignTx: func(t testing.TB, db *store.DB) func() {
			srv, err := pgtest.Shared()
			require.NoError(t, err)
			end, err := srv.Foreign(context.Background(), optionsOf(db).DSN)
			require.NoError(t, err)
			return end
		},
		Migrations: &storetest.Migrations{
			Together: func(t testing.TB, n int) ([]*store.DB, []error) { return together(Options{DSN: pgtest.Start(t)}, n) },
			TooNew:   tooNew,
		},
		Caps: storetest.Caps{GroupedAppends: true, Wakes: true},
	})
}

func TestBlobs(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		s, err := Blobs(fresh(t))
		require.NoError(t, err)
		return s
	})
}
