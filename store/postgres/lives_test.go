package postgres

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// life is a server with a store on it, whose feed is written and read.
type life struct {
	*testing.T
	db  *store.DB
	srv *pgtest.Server
}

func (l life) tell(ids ...string) {
	l.Helper()
	for _, id := range ids {
		update(l, l.db, func(ctx context.Context, tx store.Tx) error {
			return tx.Events().Append(ctx, driver.Event{Aggregate: "x", ID: id, Version: 1, Kind: "k", At: at(0)})
		})
	}
}

func (l life) told(place string) (ids []string, next string, err error) {
	evs, next, err := l.db.Feed(l.Context(), ws, place, 100)
	for _, ev := range evs {
		ids = append(ids, ev.ID)
	}
	return ids, next, err
}

func (l life) present() string {
	l.Helper()
	_, place, err := l.told("")
	require.NoError(l, err)
	return place
}

// strangers write what is not ours, so that numbers of transactions and the log go on.
func strangers(t testing.TB, dsn string) {
	exec(t, dsn, "create table if not exists host (n int); insert into host select generate_series(1, 20000)")
	exec(t, dsn, "do $$ begin for i in 1..200 loop insert into host values (i); commit; end loop; end $$")
}

// In whichever way an older state of the server's data comes back, who saw what it does
// not have begins anew, however much was written since; who did not goes on.
func TestPlacesAfterAnOlderStateOfTheServerCameBack(t *testing.T) {
	t.Parallel() // its servers are slow to start and stop
	for name, back := range map[string]func(t *testing.T, srv *pgtest.Server) (start func() *pgtest.Server){
		"a base backup": func(t *testing.T, srv *pgtest.Server) func() *pgtest.Server {
			copied, err := srv.Backup(false)
			require.NoError(t, err)
			return func() *pgtest.Server { return copied }
		},
		"the files of a server that had crashed": func(t *testing.T, srv *pgtest.Server) func() *pgtest.Server {
			require.NoError(t, srv.Crash())
			copied, err := srv.Files()
			require.NoError(t, err)
			require.NoError(t, srv.Restart())
			return func() *pgtest.Server { return copied }
		},
		"the files of a server that was stopped in order": func(t *testing.T, srv *pgtest.Server) func() *pgtest.Server {
			require.NoError(t, srv.Shutdown())
			copied, err := srv.Files()
			require.NoError(t, err)
			require.NoError(t, srv.Restart())
			return func() *pgtest.Server { return copied }
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, dsn := pgtest.StartOwn(t)
			l := life{t, openAt(t, Options{DSN: dsn}), srv}
			l.tell("a")
			shared := l.present()
			l.tell("b")
			edge := l.present()
			require.NoError(t, l.db.Close())
			start := back(t, srv)
			l.db = openAt(t, Options{DSN: dsn})
			l.tell("lost 1", "lost 2")
			lost := l.present()
			_, place, err := l.db.System().Changed(t.Context(), "")
			require.NoError(t, err)

			l.srv = start()
			t.Cleanup(l.srv.Stop)
			require.NoError(t, l.srv.Restart())
			dsn, err = l.srv.At(dsn)
			require.NoError(t, err)
			strangers(t, dsn)
			l.db = openAt(t, Options{DSN: dsn})
			for i := range 6 {
				_, _, err = l.told(lost)
				require.ErrorIs(t, err, store.ErrCursorGone, "%d events were written since", i)
				l.tell(fmt.Sprint("new ", i))
			}
			all := []string{"b", "new 0", "new 1", "new 2", "new 3", "new 4", "new 5"}
			for place, want := range map[string][]string{shared: all, edge: all[1:]} {
				ids, _, err := l.told(place)
				require.NoError(t, err)
				require.Equal(t, want, ids)
			}
			list, _, err := l.db.System().Changed(t.Context(), place)
			require.NoError(t, err)
			require.Equal(t, []driver.WorkspaceID{ws}, list)
		})
	}
}

// A standby that takes over begins a life of its own where it had come.
func TestPlacesAfterAStandbyTookOver(t *testing.T) {
	l, kept, lost, _, there := takenOver(t)
	l.db = openAt(t, Options{DSN: there})
	for i := range 4 {
		_, _, err := l.told(lost)
		require.ErrorIs(t, err, store.ErrCursorGone, "%d events were written since", i)
		l.tell(fmt.Sprint("new ", i))
	}
	ids, _, err := l.told(kept)
	require.NoError(t, err)
	require.Equal(t, []string{"b", "new 0", "new 1", "new 2", "new 3"}, ids)
}

// Of a standby that took over, was written to by others and was started once more before
// the library met it, nobody can tell any more what it had: all begin anew.
func TestAServerThatTookOverUnseen(t *testing.T) {
	l, _, lost, standby, there := takenOver(t)
	strangers(t, there)
	require.NoError(t, standby.Shutdown())
	require.NoError(t, standby.Restart())
	l.db = openAt(t, Options{DSN: there})
	_, _, err := l.told(lost)
	require.ErrorIs(t, err, store.ErrCursorGone)
	place := l.present()
	require.NoError(t, l.db.Close())
	require.NoError(t, standby.Shutdown())
	require.NoError(t, standby.Restart())
	l.db = openAt(t, Options{DSN: there})
	l.tell("new")
	ids, _, err := l.told(place)
	require.NoError(t, err, "it is known from then on")
	require.Equal(t, []string{"new"}, ids)
}

// takenOver is a standby that took over without the last event, which lost saw and kept
// did not.
func takenOver(t *testing.T) (l life, kept, lost string, standby *pgtest.Server, there string) {
	t.Helper()
	t.Parallel() // its servers are slow to start and stop
	srv, dsn := pgtest.StartOwn(t)
	l = life{t, openAt(t, Options{DSN: dsn}), srv}
	standby, err := srv.Backup(true)
	require.NoError(t, err)
	t.Cleanup(standby.Stop)
	require.NoError(t, standby.Restart())
	l.tell("a")
	kept = l.present()
	l.tell("b")
	there, err = standby.At(dsn)
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), there)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		n := 0
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from sangdam.events").Scan(&n))
		return n == 2
	}, 30*time.Second, time.Millisecond)
	require.NoError(t, conn.Close(t.Context()))
	require.NoError(t, standby.Shutdown()) // it follows no longer
	l.tell("lost")
	lost = l.present()
	require.NoError(t, l.db.Close())
	require.NoError(t, srv.Crash())
	require.NoError(t, standby.Restart())
	require.NoError(t, standby.Promote())
	return l, kept, lost, standby, there
}

// However often programs start, a place outlives the restarts of the server.
func TestProgramsThatStartOftenLoseNoPlace(t *testing.T) {
	t.Parallel() // its servers are slow to start and stop
	srv, dsn := pgtest.StartOwn(t)
	l := life{t, openAt(t, Options{DSN: dsn}), srv}
	place := l.present()
	b := l.db.Backend().(*backend)
	for range 2 * livesKept {
		life := b.lives.entered.Swap(0)
		require.NoError(t, b.enterLife(t.Context(), life))
	}
	require.NoError(t, srv.Shutdown())
	require.NoError(t, srv.Restart())
	require.Eventually(t, func() bool { return l.db.System().Check(context.Background()) == nil }, 30*time.Second, time.Millisecond)
	l.tell("a")
	ids, _, err := l.told(place)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, ids)
}

// Neither a crash of the server nor a restart in order loses a reader's place, however
// the reader stands and whether a store was there all the while.
func TestRestartsOfTheServerKeepPlaces(t *testing.T) {
	t.Parallel() // its servers are slow to start and stop
	srv, dsn := pgtest.StartOwn(t)
	l := life{t, openAt(t, Options{DSN: dsn}), srv}
	begin := l.present()
	var want []string
	for i, end := range []func() error{srv.Crash, srv.Shutdown, srv.Crash, srv.Shutdown} {
		l.tell(fmt.Sprint("a", i), fmt.Sprint("b", i))
		want = append(want, fmt.Sprint("a", i), fmt.Sprint("b", i))
		edge := l.present()
		_, between, err := l.db.Feed(t.Context(), ws, begin, 1) // in the midst of a page
		require.NoError(t, err)
		strangers(t, dsn)
		if i > 1 {
			require.NoError(t, l.db.Close())
		}
		require.NoError(t, end())
		require.NoError(t, srv.Restart())
		if i > 1 {
			l.db = openAt(t, Options{DSN: dsn})
		}
		require.Eventually(t, func() bool { return l.db.System().Check(context.Background()) == nil }, 30*time.Second, time.Millisecond)
		for place, from := range map[string]int{begin: 0, between: 1, edge: len(want)} {
			ids, next, err := l.told(place)
			require.NoError(t, err, "restart %d, %d seen", i, from)
			require.Equal(t, append([]string(nil), want[from:]...), ids)
			_, _, err = l.told(next)
			require.NoError(t, err)
		}
	}
}

// owned gives the database to a user without other rights, and is how that user reaches it.
func owned(t testing.TB, dsn string) string {
	name := dsn[strings.LastIndex(dsn, "/")+1 : strings.Index(dsn, "?")]
	exec(t, dsn, "create role tenant login; alter database "+name+" owner to tenant")
	return strings.Replace(dsn, "postgres@", "tenant@", 1)
}

// A server that tells nothing of its log, as a managed one may not, has readers reload
// after each restart, and none before.
func TestAServerThatDoesNotTellItsPosition(t *testing.T) {
	t.Parallel() // its servers are slow to start and stop
	srv, dsn := pgtest.StartOwn(t)
	tenant := owned(t, dsn)
	for _, fn := range []string{"pg_current_wal_flush_lsn()", "pg_control_system()", "pg_control_checkpoint()",
		"pg_last_wal_replay_lsn()"} {
		exec(t, dsn, "revoke execute on function "+fn+" from public")
	}
	l := life{t, openAt(t, Options{DSN: tenant}), srv}
	begin := l.present()
	l.tell("a")
	ids, next, err := l.told(begin)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, ids)
	require.NoError(t, srv.Shutdown())
	require.NoError(t, srv.Restart())
	require.Eventually(t, func() bool { return l.db.System().Check(context.Background()) == nil }, 30*time.Second, time.Millisecond)
	_, _, err = l.told(next)
	require.ErrorIs(t, err, store.ErrCursorGone)
	_, _, err = l.told(l.present())
	require.NoError(t, err)
}

// A plain owner of a database may ask for all that places need.
func TestAPlainOwnersPlacesOutliveARestart(t *testing.T) {
	t.Parallel() // its servers are slow to start and stop
	srv, dsn := pgtest.StartOwn(t)
	tenant := owned(t, dsn)
	l := life{t, openAt(t, Options{DSN: tenant}), srv}
	place := l.present()
	require.NoError(t, srv.Shutdown())
	require.NoError(t, srv.Restart())
	require.Eventually(t, func() bool { return l.db.System().Check(context.Background()) == nil }, 30*time.Second, time.Millisecond)
	l.tell("a")
	ids, _, err := l.told(place)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, ids)
}

// Readers that hold a place of the program before begin anew; what the database keeps of
// itself goes on.
func TestPlacesOfTheProgramBefore(t *testing.T) {
	dsn := pgtest.Start(t)
	b := openAt(t, Options{DSN: dsn, Schema: "made"}).Backend().(*backend)
	b.opts.Schema, b.texts = "sangdam", sync.Map{}
	require.NoError(t, b.migrateOnce(t.Context(), 11))
	for _, text := range []string{
		`INSERT INTO sangdam.workspaces (ws, name, clock) VALUES ('w1', 'one', now())`,
		`INSERT INTO sangdam.config (ws) VALUES ('w1')`, `INSERT INTO sangdam.feed_state (ws) VALUES ('w1')`,
		`INSERT INTO sangdam.audit_head (ws) VALUES ('w1')`,
	} {
		exec(t, dsn, text)
	}
	former := ""
	require.NoError(t, b.run(t.Context(), query(`SELECT '{"e":"' || feed_epoch || '","f":"' || pg_current_snapshot() || '"}'
		FROM sd.schema_info`).rows(func(r pgx.Rows) error { return r.Scan(&former) })))
	former = base64.RawURLEncoding.EncodeToString([]byte(former))
	exec(t, dsn, `INSERT INTO sangdam.meta (key, value) VALUES ('index/numbers/w1', convert_to($1, 'UTF8')), ('other', 'x')`, former)

	l := life{T: t, db: openAt(t, Options{DSN: dsn})}
	l.tell("a")
	_, _, err := l.told(former)
	require.ErrorIs(t, err, store.ErrCursorGone)
	own, err := l.db.System().Meta(t.Context(), "index/numbers/w1")
	require.NoError(t, err)
	ids, _, err := l.told(string(own))
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, ids)
}
