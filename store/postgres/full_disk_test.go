package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/stretchr/testify/require"
)

// A check that writes only where there is room already says that a full disk
// works: rows that are there are changed in place while no table can grow. That
// it asks for room is seen by the limit on temporary files, which says how much a
// statement may put on the disk beside the tables.
func TestACheckAsksForRoom(t *testing.T) {
	_, dsn := pgtest.StartOwn(t)
	db := openAt(t, Options{DSN: dsn})
	require.NoError(t, db.System().Check(t.Context()))
	db.Close()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "ALTER ROLE postgres SET temp_file_limit = '64kB'")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	db = openAt(t, Options{DSN: dsn})
	require.ErrorIs(t, db.System().Check(t.Context()), errs.Unavailable)
}

// What an operator meets at night is said in words, with what to do about it, and
// not by the number alone.
func TestTroubleOfTheServerIsSaidInWords(t *testing.T) {
	for code, words := range map[string]string{
		"53100": "disk is full", "53200": "memory", "53300": "max_connections", "25006": "read only", "57P01": "shut down",
		"57P02": "crashed", "57P03": "starting", "58030": "its log", "28P01": "log-in", "28000": "log-in", "3D000": "no such database",
		"XX001": "damaged", "XX002": "damaged",
	} {
		err := fromServer(&pgconn.PgError{Code: code, Message: "somebody's words"})
		require.ErrorIs(t, err, errs.Unavailable, code)
		require.ErrorContains(t, err, words)
		require.ErrorContains(t, err, "SQLSTATE "+code)
		require.NotContains(t, err.Error(), "somebody's words")
	}
	require.EqualError(t, fromServer(&pgconn.PgError{Code: "23514", TableName: "items", ConstraintName: "c"}),
		"store: PostgreSQL refused a statement (SQLSTATE 23514, items c)")
	require.EqualError(t, fromServer(&pgconn.PgError{Code: "0A000"}), "store: PostgreSQL refused a statement (SQLSTATE 0A000)")
}
