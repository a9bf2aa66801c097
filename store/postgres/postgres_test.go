package postgres

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

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
	opened.mu.Lock()
	defer opened.mu.Unlock()
	opened.of[opts.DSN] = append(opened.of[opts.DSN], db.Backend().(*backend))
	return db
}

// opened are the stores of each database that reopen opened.
var opened = struct {
	mu sync.Mutex
	of map[string][]*backend
}{of: map[string][]*backend{}}

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

// pass makes every time in the tables earlier, so that what was to be in d is now.
// What the store's processes remember of the times that they saw goes with it.
func pass(t testing.TB, db *store.DB, d time.Duration) {
	t.Helper()
	b := db.Backend().(*backend)
	ctx := context.Background()
	require.NoError(t, b.run(ctx, query(fmt.Sprintf(`DO $pass$ DECLARE c record; BEGIN
		FOR c IN SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema = '%s'
			AND data_type = 'timestamp with time zone' AND is_generated = 'NEVER' AND table_name NOT IN ('audit', 'workspaces') LOOP
			EXECUTE format('UPDATE %%I.%%I SET %%I = %%I - interval ''%d us'' WHERE %%I > ''2000-01-01''',
				c.table_schema, c.table_name, c.column_name, c.column_name, c.column_name);
		END LOOP; END $pass$`, b.opts.Schema, d.Microseconds()))))
	opened.mu.Lock()
	defer opened.mu.Unlock()
	for _, other := range opened.of[b.opts.DSN] {
		other.sweeps.again()
	}
}

// older makes a base backup of the shared server. What back opens is a server of its
// own on that copy, beside the shared one, which other tests go on to use.
func older(t testing.TB, db *store.DB) func(*store.DB) *store.DB {
	srv, err := pgtest.Shared()
	require.NoError(t, err)
	copied, err := srv.Backup(false)
	require.NoError(t, err)
	t.Cleanup(copied.Stop)
	return func(db *store.DB) *store.DB {
		opts := optionsOf(db)
		require.NoError(t, db.Close())
		require.NoError(t, copied.Restart())
		opts.DSN, err = copied.At(opts.DSN)
		require.NoError(t, err)
		return reopen(t, opts)
	}
}

func TestStore(t *testing.T) {
	pgtest.Start(t) // the server's own goroutines begin before the suite counts
	open := func(t testing.TB) *store.DB { return reopen(t, Options{DSN: pgtest.Start(t), MaxConns: 20}) }
	h := storetest.Harness{
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
		Pass: pass,
		Caps: storetest.Caps{GroupedAppends: true, Wakes: true},
	}
	if srv, err := pgtest.Shared(); err == nil && srv.Owned() {
		h.Older = older
	}
	storetest.Run(t, h)
}

func TestBlobs(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		s, err := Blobs(fresh(t))
		require.NoError(t, err)
		return s
	})
}
