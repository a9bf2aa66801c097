package postgres

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/stretchr/testify/require"
)

// together opens one database n times at once.
func together(opts Options, n int) ([]*store.DB, []error) {
	dbs, errs := make([]*store.DB, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { dbs[i], errs[i] = Open(context.Background(), opts) })
	}
	wg.Wait()
	return dbs, errs
}

// exec runs a statement on the database behind the store's back.
func exec(t testing.TB, dsn, text string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(context.Background(), text, args...)
	require.NoError(t, err)
}

// tooNew opens a schema that needs a newer program.
func tooNew(t testing.TB) error {
	dsn := pgtest.Start(t)
	require.NoError(t, reopen(t, Options{DSN: dsn}).Close())
	exec(t, dsn, "update sangdam.schema_info set version = 99, min_program = $1", programVersion+1)
	_, err := Open(context.Background(), Options{DSN: dsn})
	return err
}

func TestSixMigratorsAtOnce(t *testing.T) {
	opts := Options{DSN: pgtest.Start(t), Schema: "other_schema1"}
	dbs, errs := together(opts, 6)
	for i, db := range dbs {
		require.NoError(t, errs[i])
		require.NoError(t, db.Close())
	}
	require.NoError(t, openAt(t, opts).System().Check(t.Context()))
}

func TestSchemaThatNeedsANewerProgramIsRefused(t *testing.T) {
	err := tooNew(t)
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorContains(t, err, "newer")
}

func TestNewerSchemaThatServesThisProgramIsOpened(t *testing.T) {
	dsn := pgtest.Start(t)
	require.NoError(t, reopen(t, Options{DSN: dsn}).Close())
	exec(t, dsn, "update sangdam.schema_info set version = 99")
	exec(t, dsn, "alter table sangdam.conversations add column later text")
	require.NoError(t, openAt(t, Options{DSN: dsn}).System().Check(t.Context()))
}

func TestOpenSaysWhatIsWrongWithoutThePassword(t *testing.T) {
	good := pgtest.Start(t)
	host := strings.TrimSuffix(good[strings.Index(good, "@")+1:], "?sslmode=disable")
	server := host[:strings.Index(host, "/")]
	for name, c := range map[string]struct {
		opts Options
		kind error
		says string
	}{
		"empty DSN":        {Options{}, store.ErrInvalid, "DSN is empty"},
		"not a DSN":        {Options{DSN: "postgres://u:hunter2@%zz/x"}, store.ErrInvalid, "cannot be read"},
		"bad port":         {Options{DSN: "postgres://u:hunter2@h:port/x"}, store.ErrInvalid, "cannot be read"},
		"unreachable":      {Options{DSN: "postgres://u:hunter2@127.0.0.1:1/x"}, store.ErrUnavailable, "127.0.0.1:1"},
		"no such database": {Options{DSN: "postgres://postgres:hunter2@" + server + "/nowhere"}, store.ErrInvalid, "does not exist"},
		"no such user":     {Options{DSN: "postgres://nobody:hunter2@" + host}, store.ErrInvalid, "user"},
		"bad schema":       {Options{DSN: good, Schema: `a"b`}, store.ErrInvalid, "Schema"},
		"bad mode":         {Options{DSN: good, Statements: "simple"}, store.ErrInvalid, "Statements"},
		"read only": {Options{DSN: good + "&default_transaction_read_only=on"}, store.ErrUnavailable,
			"default_transaction_read_only (SQLSTATE 25006)"},
		"too few connection": {Options{DSN: good, MaxConns: 1}, store.ErrInvalid, "MaxConns"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.opts)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// A migration that breaks off says whether anything is to be done about it.
func TestAMigrationThatBreaksOffSaysWhatIsLeft(t *testing.T) {
	for _, broken := range []error{sql.ErrConnDone, sqldriver.ErrBadConn, io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: io.EOF}} {
		require.ErrorContains(t, stepFailed(fmt.Errorf("step 3: %w", broken)), "the next start goes on after them")
	}
	require.ErrorContains(t, stepFailed(&pgconn.PgError{Code: "42501", Message: "permission denied for database shop"}),
		"permission denied for database shop (SQLSTATE 42501)")
	require.ErrorContains(t, stepFailed(&pgconn.PgError{Code: "53100", Message: "could not extend file"}), "disk is full")
	for _, other := range []error{context.Canceled, context.DeadlineExceeded, errors.New("the lock of the schema was not given")} {
		require.Equal(t, other, stepFailed(other), "of the connection nothing is known")
	}
}
