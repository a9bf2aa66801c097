package pgtest_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/stretchr/testify/require"
)

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestEachCallerHasItsOwnDatabase(t *testing.T) {
	one, two := pgtest.Start(t), pgtest.Start(t)
	require.NotEqual(t, one, two)
	_, err := connect(t, one).Exec(t.Context(), "create table x (id int)")
	require.NoError(t, err)
	_, err = connect(t, two).Exec(t.Context(), "create table x (id int)")
	require.NoError(t, err)
	var fsync string
	require.NoError(t, connect(t, one).QueryRow(t.Context(), "show fsync").Scan(&fsync))
	require.Equal(t, "on", fsync)
}

func TestCrashKeepsWhatWasCommitted(t *testing.T) {
	srv, dsn := pgtest.StartOwn(t)
	_, err := connect(t, dsn).Exec(t.Context(), "create table x as select 7 as n")
	require.NoError(t, err)
	require.NoError(t, srv.Crash())
	_, err = pgx.Connect(t.Context(), dsn)
	require.Error(t, err)
	require.NoError(t, srv.Restart())
	var n int
	require.NoError(t, connect(t, dsn).QueryRow(t.Context(), "select n from x").Scan(&n))
	require.Equal(t, 7, n)
}

func TestForeignTransactionStaysOpen(t *testing.T) {
	dsn := pgtest.Start(t)
	srv, err := pgtest.Shared()
	require.NoError(t, err)
	end, err := srv.Foreign(t.Context(), dsn)
	require.NoError(t, err)
	conn := connect(t, dsn)
	open := func() (n int) {
		const q = "select count(*) from pg_stat_activity where datname = current_database() and backend_xid is not null and pid <> " +
			"pg_backend_pid()"
		require.NoError(t, conn.QueryRow(t.Context(), q).Scan(&n))
		return n
	}
	require.Equal(t, 1, open())
	end()
	require.Eventually(t, func() bool { return open() == 0 }, 10*time.Second, 5*time.Millisecond)
}

// TestKilledProcessLeavesNoServer runs this test binary again as a process
// that starts a server and is then killed.
func TestKilledProcessLeavesNoServer(t *testing.T) {
	if os.Getenv("PGTEST_CHILD") == "1" {
		srv, _ := pgtest.StartOwn(t)
		conn, err := pgx.Connect(t.Context(), pgtest.AdminDSN(srv))
		require.NoError(t, err)
		var dir string
		require.NoError(t, conn.QueryRow(t.Context(), "show data_directory").Scan(&dir))
		_, _ = os.Stdout.WriteString("DIR " + dir + "\n")
		select {}
	}
	if _, err := exec.LookPath("/bin/sh"); err != nil || os.Getenv(pgtest.EnvDSN) != "" {
		return
	}
	pgtest.Start(t) // skips where there is no PostgreSQL
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLeavesNoServer$", "-test.v")
	cmd.Env = append(os.Environ(), "PGTEST_CHILD=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var dir string
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if d, ok := strings.CutPrefix(sc.Text(), "DIR "); ok {
			dir = d
			break
		}
	}
	require.NotEmpty(t, dir)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, 30*time.Second, 20*time.Millisecond)
}
