package sangdam

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
)

// onThreeStores runs a test on each store.
func onThreeStores(t *testing.T, test func(t *testing.T, db *store.DB)) {
	for name, open := range map[string]func(t *testing.T) (*store.DB, error){
		"memory": func(*testing.T) (*store.DB, error) { return memory.New(memory.Options{}), nil },
		"sqlite": func(t *testing.T) (*store.DB, error) {
			return sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
		},
		"postgres": func(t *testing.T) (*store.DB, error) {
			return postgres.Open(t.Context(), postgres.Options{DSN: pgtest.Start(t)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := open(t)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			test(t, db)
		})
	}
}

// shelf is a kind of document whose second declaration has an index more.
type shelf struct {
	ID      string `json:"id"`
	Version int64  `json:"-"`
	Rank    int64  `json:"rank"`
}

func shelves(decl int) *store.Documents[shelf] {
	k := store.Kind[shelf]{Name: "shelf", Decl: decl, ID: func(s *shelf) string { return s.ID },
		Version: func(s *shelf) *int64 { return &s.Version }}
	if decl > 1 {
		k.Indexes = []store.Index[shelf]{{Name: "rank", Value: func(s *shelf) []byte { return store.Int(s.Rank) }}}
	}
	return store.Declare(k)
}

// What an older program saved is found by an index that it did not know, in every
// workspace, before the new one says that it is ready; meanwhile lists refuse. A
// renewal that was cut short goes on, and two processes that start at once save
// nothing twice.
func TestADeclarationThatIsRaisedFindsWhatWasSavedBefore(t *testing.T) {
	onThreeStores(t, func(t *testing.T, db *store.DB) {
		const each = 230
		keys, err := seal.Ephemeral()
		require.NoError(t, err)
		start := func(node string, decl int) *Engine {
			e, err := New(Config{DB: db, Sealer: keys, Node: node, Poll: 20 * time.Millisecond})
			require.NoError(t, err)
			e.kinds = append(slices.Clone(e.kinds), shelves(decl))
			return e
		}
		ctx := t.Context()
		old := start("old", 1)
		for _, ws := range []WorkspaceID{"w1", "w2"} {
			require.NoError(t, old.CreateWorkspace(ctx, ws, "W"))
			require.NoError(t, db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
				for i := range each {
					if err := shelves(1).Save(ctx, tx, &shelf{ID: fmt.Sprint("s", i), Rank: int64(i)}); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		_, err = old.Tickets(ctx, Host("w1"), TicketFilter{}, "", 1)
		require.NoError(t, err)

		a, b := start("a", 2), start("b", 2)
		_, err = a.Tickets(ctx, Host("w1"), TicketFilter{}, "", 1)
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, "shelf")
		require.NoError(t, db.Update(ctx, "w1", func(ctx context.Context, tx store.Tx) error {
			_, err := shelves(2).Renew(ctx, tx, 100) // and the process is killed
			return err
		}))
		running, stop := context.WithCancel(ctx)
		var runs errgroup.Group
		for _, e := range []*Engine{a, b} {
			runs.Go(func() error { return e.Run(running) })
			require.Eventually(t, func() bool { return e.Ready(ctx) == nil }, 30*time.Second, 10*time.Millisecond)
			_, err = e.Tickets(ctx, Host("w1"), TicketFilter{}, "", 1)
			require.NoError(t, err)
		}
		for _, ws := range []WorkspaceID{"w1", "w2"} {
			require.NoError(t, db.View(ctx, ws, func(ctx context.Context, tx store.Tx) error {
				found, err := shelves(2).All(ctx, tx, store.List[shelf]{Index: "rank"}, each)
				require.Len(t, found, each)
				for i, s := range found {
					require.EqualValues(t, i, s.Rank)
					require.EqualValues(t, 2, s.Version, "each was saved again once")
				}
				return err
			}))
		}

		// A process of the older program saves one beside them.
		require.NoError(t, db.Update(ctx, "w2", func(ctx context.Context, tx store.Tx) error {
			return shelves(1).Save(ctx, tx, &shelf{ID: "late", Rank: 1000})
		}))
		a.renewStragglers(ctx)
		require.NoError(t, db.View(ctx, "w2", func(ctx context.Context, tx store.Tx) error {
			found, err := shelves(2).List(ctx, tx, store.List[shelf]{Index: "rank", From: store.Int(1000)})
			require.Len(t, found.Items, 1)
			return err
		}))
		stop()
		require.NoError(t, runs.Wait())
	})
}
