package sqlite

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/storetest"
)

// TestStore runs the storage contract.
func TestStore(t *testing.T) {
	clock := storetest.NewClock()
	open := func(t testing.TB, dir string) (*store.DB, error) {
		return Open(t.Context(), Options{Dir: dir, Now: clock.Now})
	}
	must := func(t testing.TB, dir string) *store.DB {
		db, err := open(t, dir)
		require.NoError(t, err)
		return db
	}
	storetest.Run(t, storetest.Harness{
		Name:  "sqlite",
		Clock: clock,
		Open:  func(t testing.TB) *store.DB { return must(t, t.TempDir()) },
		Reopen: func(t testing.TB, db *store.DB) *store.DB {
			require.NoError(t, db.Close())
			return must(t, backendOf(db).opts.Dir)
		},
		Kill: func(t testing.TB, db *store.DB) *store.DB {
			dir := copyData(t, backendOf(db).opts.Dir, -1)
			require.NoError(t, db.Close())
			return must(t, dir)
		},
		Older: func(t testing.TB, db *store.DB) func(*store.DB) *store.DB {
			dir := copyData(t, backendOf(db).opts.Dir, -1)
			return func(db *store.DB) *store.DB {
				require.NoError(t, db.Close())
				return must(t, dir)
			}
		},
		Migrations: &storetest.Migrations{
			Versions: nil, // no release yet
			Together: func(t testing.TB, n int) ([]*store.DB, []error) { return openTogether(t.TempDir(), n, open, t) },
			TooNew: func(t testing.TB) error {
				dir := t.TempDir()
				require.NoError(t, must(t, dir).Close())
				execFile(t, dir, `UPDATE schema_info SET version = 99, min_program = 99`)
				_, err := open(t, dir)
				return err
			},
		},
		Caps: storetest.Caps{Serial: true, GroupedAppends: true, GroupedUpdates: true, Wakes: true},
	})
}

// openTogether opens one fresh directory n times at once: one wins.
func openTogether(dir string, n int, open func(testing.TB, string) (*store.DB, error), t testing.TB) ([]*store.DB, []error) {
	dbs, errs := make([]*store.DB, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { dbs[i], errs[i] = open(t, dir) })
	}
	wg.Wait()
	return slices.DeleteFunc(dbs, func(db *store.DB) bool { return db == nil }), errs
}
