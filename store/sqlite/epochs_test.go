package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// tell writes events, each in a commit of its own.
func tell(t testing.TB, db *store.DB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		update(t, db, func(ctx context.Context, tx store.Tx) error {
			return tx.Events().Append(ctx, store.Event{Aggregate: "x", ID: id, Version: 1, Kind: "k"})
		})
	}
}

// told reads on from a place: what came, and the place after it.
func told(t testing.TB, db *store.DB, place string) (ids []string, next string) {
	t.Helper()
	evs, next, err := db.Feed(t.Context(), testWS, place, 100)
	require.NoError(t, err)
	for _, ev := range evs {
		ids = append(ids, ev.ID)
	}
	return ids, next
}

func present(t testing.TB, db *store.DB) string {
	t.Helper()
	_, place := told(t, db, "")
	return place
}

// A reader that has events which the file does not have any more is told to begin
// anew, however far the file has grown since; one that has none of them goes on.
func TestAPlaceFromBeforeAnOlderCopyWasPutBackIsGone(t *testing.T) {
	db := openTest(t, Options{})
	tell(t, db, "a", "b")
	shared := present(t, db)
	tell(t, db, "c")
	edge := present(t, db)
	older := filepath.Join(t.TempDir(), dataFile)
	require.NoError(t, Backup(t.Context(), db, older))
	tell(t, db, "lost 1", "lost 2", "lost 3")
	lost := present(t, db)
	_, place, err := db.System().Changed(t.Context(), "")
	require.NoError(t, err)
	require.NoError(t, db.Close())

	db = openTest(t, Options{Dir: filepath.Dir(older)})
	refused := func(why string) {
		_, _, err := db.Feed(t.Context(), testWS, lost, 100)
		require.ErrorIs(t, err, store.ErrCursorGone, why)
	}
	refused("the file does not reach it")
	for i := range 6 {
		tell(t, db, fmt.Sprint("new ", i))
		refused(fmt.Sprintf("%d events were written since", i+1))
	}
	all := []string{"c", "new 0", "new 1", "new 2", "new 3", "new 4", "new 5"}
	for place, want := range map[string][]string{shared: all, edge: all[1:]} {
		ids, next := told(t, db, place)
		require.Equal(t, want, ids)
		require.Equal(t, present(t, db), next)
	}
	list, _, err := db.System().Changed(t.Context(), place)
	require.NoError(t, err)
	require.Equal(t, []driver.WorkspaceID{testWS}, list, "the place of who looks at all workspaces is gone as well: all are named")

	db = reopen(t, db, nil)
	refused("after another start")
	ids, _ := told(t, db, edge)
	require.Equal(t, all[1:], ids)
}

// Of two that go on from copies of one file, each refuses what only the other wrote.
func TestPlacesOfTwoCopiesAreToldApart(t *testing.T) {
	db := openTest(t, Options{})
	tell(t, db, "a")
	one, two := reopen(t, db, nil), reopen(t, db, nil)
	tell(t, one, "b", "c")
	tell(t, two, "d", "e")
	_, _, err := two.Feed(t.Context(), testWS, present(t, one), 10)
	require.ErrorIs(t, err, store.ErrCursorGone)
	_, _, err = one.Feed(t.Context(), testWS, present(t, two), 10)
	require.ErrorIs(t, err, store.ErrCursorGone)
	_, _, err = openTest(t, Options{}).Feed(t.Context(), testWS, present(t, db), 10)
	require.ErrorIs(t, err, store.ErrCursorGone, "nor does one know what another database gave")
}

// Starts do not lose anybody's place, write nothing by themselves, and are forgotten
// when they are many and their events are gone.
func TestStartsKeepPlacesAndOldEpochsGo(t *testing.T) {
	clock := newFakeClock()
	db := openTest(t, Options{Now: clock.Now})
	count := func() (n int) {
		require.NoError(t, backendOf(db).com.conn.Query(`SELECT count(*) FROM feed_epochs`, func(r raw.Row) bool {
			n = int(r.Int(0))
			return true
		}))
		return n
	}
	begin := present(t, db)
	var want []string
	for i := range 5 {
		id := fmt.Sprint(i)
		tell(t, db, id)
		want = append(want, id)
		place := present(t, db)
		for range 3 { // none of these writes an event
			db = reopen(t, db, clock.Now)
			ids, next := told(t, db, place)
			require.Empty(t, ids)
			require.Equal(t, place, next)
		}
		ids, _ := told(t, db, begin)
		require.Equal(t, want, ids)
	}
	require.Equal(t, 6, count(), "the first, and one for each start that wrote")
	place := present(t, db)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Purge(ctx, driver.Ages{Feed: clock.Now().Add(time.Second)}, 100)
		return err
	})
	_, err := backendOf(db).com.conn.Exec(`WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		INSERT INTO feed_epochs SELECT -i, 'x' FROM n`)
	require.NoError(t, err)
	db = reopen(t, db, clock.Now)
	tell(t, db, "last")
	require.Equal(t, epochsKept+1, count())
	ids, _ := told(t, db, place)
	require.Equal(t, []string{"last"}, ids)
	_, _, err = db.Feed(t.Context(), testWS, begin, 10)
	require.ErrorIs(t, err, store.ErrCursorGone)
}

// An event costs the same statements as before, but for the first one after a start.
func TestTheEpochIsStoredOnce(t *testing.T) {
	db := openTest(t, Options{})
	changes := func(ids ...string) int64 {
		before := backendOf(db).com.conn.TotalChanges()
		tell(t, db, ids...)
		return backendOf(db).com.conn.TotalChanges() - before
	}
	require.EqualValues(t, 3, changes("first"), "the event, the state, the epoch")
	require.EqualValues(t, 4, changes("second", "third"))
}

// The program before wrote places without an epoch. Readers that hold one begin anew;
// what the file keeps of itself goes on, since it is of this file.
func TestPlacesOfTheProgramBefore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, dataFile)
	require.NoError(t, runMigrations(t.Context(), path, 8))
	c, err := openConn(path)
	require.NoError(t, err)
	for _, sql := range []string{
		`INSERT INTO workspaces (num, id, name) VALUES (1, 'ws', 'W')`,
		`INSERT INTO events (ws, seq, at, doc) VALUES (1, 36, 1, '{"id":"a"}'), (1, 37, 2, '{"id":"b"}')`,
		`UPDATE state SET event_seq = 37`,
		`INSERT INTO meta (key, value) VALUES ('index/numbers/ws', CAST('q1-10' AS BLOB)), ('other', x'00')`,
	} {
		_, err := c.Exec(sql)
		require.NoError(t, err)
	}
	require.NoError(t, c.Close())

	db := openTest(t, Options{Dir: dir})
	_, _, err = db.Feed(t.Context(), testWS, "q1-10", 10)
	require.ErrorIs(t, err, store.ErrCursorGone)
	own, err := db.System().Meta(t.Context(), "index/numbers/ws")
	require.NoError(t, err)
	ids, next := told(t, db, string(own))
	require.Equal(t, []string{"b"}, ids)
	require.Equal(t, present(t, db), next)
	other, err := db.System().Meta(t.Context(), "other")
	require.NoError(t, err)
	require.Equal(t, []byte{0}, other)
}
