package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var errTakenBack = errors.New("taken back")

// feedWriters write events through two nodes, some in a host's transaction
// with savepoints, some taken back.
type feedWriters struct {
	t   *testing.T
	dsn string
	dbs []*store.DB

	mu        sync.Mutex
	committed map[string]bool // "aggregate/version"
}

// write appends one event in overlapping transactions, or takes it back.
func (f *feedWriters) write(rng *rand.Rand, id string, version int) func(context.Context, store.Tx) error {
	return func(ctx context.Context, tx store.Tx) error {
		err := tx.Events().Append(ctx, driver.Event{Aggregate: "job", ID: id, Version: int64(version), Kind: "k", At: tx.Now()})
		if err != nil {
			return err
		}
		if _, err := tx.Purge(ctx, driver.Ages{}, 1); err != nil { // what is pipelined reaches the server
			return err
		}
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		if rng.IntN(5) == 0 {
			return errTakenBack
		}
		return nil
	}
}

// within writes in a transaction of a host's own, part of which may be undone.
func (f *feedWriters) within(rng *rand.Rand, conn *pgx.Conn, db *store.DB, write func(context.Context, store.Tx) error) error {
	ctx := context.Background()
	host, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := host.Exec(ctx, "SAVEPOINT a"); err != nil {
		return err
	}
	err = Within(ctx, db, host, ws, write)
	if rng.IntN(4) == 0 {
		if _, undo := host.Exec(ctx, "ROLLBACK TO SAVEPOINT a"); undo != nil {
			return undo
		}
		err = errTakenBack
	}
	time.Sleep(time.Duration(rng.IntN(15)) * time.Millisecond)
	return errors.Join(err, host.Commit(ctx))
}

func (f *feedWriters) run(writer, each int) {
	rng := rand.New(rand.NewPCG(7, uint64(writer)))
	db, id := f.dbs[writer%2], fmt.Sprint(writer)
	conn, err := pgx.Connect(context.Background(), f.dsn)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer conn.Close(context.Background()) //nolint:errcheck // the test ends
	for n := range each {
		write := f.write(rng, id, n)
		if rng.IntN(3) == 0 {
			err = f.within(rng, conn, db, write)
		} else {
			err = db.Update(context.Background(), ws, write)
		}
		switch {
		case err == nil:
			f.mu.Lock()
			f.committed[fmt.Sprintf("%s/%d", id, n)] = true
			f.mu.Unlock()
		case !errors.Is(err, errTakenBack):
			f.t.Errorf("writer %d: %v", writer, err)
		}
		if rng.IntN(10) == 0 {
			_ = db.Update(context.Background(), "w2", write) // another workspace's
		}
	}
}

// follow reads the feed until a while after done, and notes what it saw and
// what came out of order.
func follow(t *testing.T, db *store.DB, cursor string, limit int, done <-chan struct{}) map[string]int {
	seen, last := map[string]int{}, map[string]int64{}
	for idle := 0; idle < 50; {
		evs, next, err := db.Feed(context.Background(), ws, cursor, limit)
		if err != nil {
			t.Error(err)
			return seen
		}
		for _, ev := range evs {
			seen[fmt.Sprintf("%s/%d", ev.ID, ev.Version)]++
			if v, ok := last[ev.ID]; ok && ev.Version <= v {
				t.Errorf("%s: %d after %d", ev.ID, ev.Version, v)
			}
			last[ev.ID] = ev.Version
		}
		cursor = next
		if len(evs) > 0 {
			continue
		}
		time.Sleep(time.Millisecond)
		select {
		case <-done:
			idle++
		default:
		}
	}
	return seen
}

// Every follower, whatever its page, sees each committed event once and in
// order, and nothing that was taken back or is another workspace's.
func TestFeedOfTwoNodesWithSavepointsIsExact(t *testing.T) {
	dsn := pgtest.Start(t)
	f := &feedWriters{t: t, dsn: dsn, committed: map[string]bool{}}
	for range 2 {
		f.dbs = append(f.dbs, openAt(t, Options{DSN: dsn, MaxConns: 20}))
	}
	require.NoError(t, f.dbs[0].System().CreateWorkspace(t.Context(), "w2", "two"))
	_, cursor, err := f.dbs[0].Feed(t.Context(), ws, "", 1)
	require.NoError(t, err)
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() { f.run(w, 60) })
	}
	seen := make([]map[string]int, 3)
	for r, limit := range []int{1, 3, 100} {
		readers.Go(func() { seen[r] = follow(t, f.dbs[r%2], cursor, limit, done) })
	}
	writers.Wait()
	close(done)
	readers.Wait()
	require.NotEmpty(t, f.committed)
	for r := range seen {
		require.Len(t, seen[r], len(f.committed), "reader %d", r)
		for k, n := range seen[r] {
			require.True(t, f.committed[k], "reader %d saw %s, which was taken back", r, k)
			require.Equal(t, 1, n, "reader %d saw %s", r, k)
		}
	}
}

// A transaction that began before others and commits after them is neither
// waited for nor skipped.
func TestFeedSkipsNoLateCommit(t *testing.T) {
	db := openAt(t, Options{DSN: pgtest.Start(t)})
	_, cursor, err := db.Feed(t.Context(), ws, "", 1)
	require.NoError(t, err)
	write := func(id string) func(context.Context, store.Tx) error {
		return func(ctx context.Context, tx store.Tx) error {
			return tx.Events().Append(ctx, driver.Event{Aggregate: "test", ID: id, Version: 1, Kind: "k", At: tx.Now()})
		}
	}
	wrote, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.Update(context.Background(), ws, func(ctx context.Context, tx store.Tx) error {
			if err := write("early")(ctx, tx); err != nil {
				return err
			}
			if _, err := tx.Config().Configuration(ctx, 0); err != nil { // what is pipelined reaches the server
				return err
			}
			close(wrote)
			<-release
			return nil
		})
	}()
	<-wrote
	var seen []string
	read := func() {
		for {
			evs, next, err := db.Feed(t.Context(), ws, cursor, 100)
			require.NoError(t, err)
			for _, ev := range evs {
				seen = append(seen, ev.ID)
			}
			if cursor = next; len(evs) == 0 {
				return
			}
		}
	}
	for i := range 3 {
		require.NoError(t, db.Update(t.Context(), ws, write(fmt.Sprint("later", i))))
		read()
	}
	require.Equal(t, []string{"later0", "later1", "later2"}, seen)
	close(release)
	require.NoError(t, <-done)
	read()
	require.Equal(t, []string{"later0", "later1", "later2", "early"}, seen)
}
