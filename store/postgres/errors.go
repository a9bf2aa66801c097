package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// SQLSTATEs that our own function must raises.
const (
	codeClash   = "SD001"
	codeStale   = "SD002"
	codeInvalid = "SD003"
)

// lockNotAvailable is the SQLSTATE of a lock time-out and of NOWAIT.
const lockNotAvailable = "55P03"

// inWords says what an operator meets, and what there is to do. All of it passes
// without a restart of the program.
var inWords = map[string]string{
	"25006": "the server, or the database, is read only: a standby, or default_transaction_read_only",
	"28000": "the log-in of Options.DSN is refused; look at the user and at pg_hba.conf",
	"28P01": "the log-in of Options.DSN is refused; look at its user and password",
	"3D000": "there is no such database as Options.DSN names",
	"53100": "the disk is full; make room on the server, and what waits goes on",
	"53200": "the server is out of memory",
	"53300": "the server has no connection left; raise max_connections, or lower Options.MaxConns or the number of processes",
	"57P01": "the server is being shut down, or an administrator ended the connection",
	"57P02": "a process of the server crashed, and it starts again; look at its log",
	"57P03": "the server is starting up, shutting down or recovering",
	"58030": "the server could not read or write a file; look at its log and its disk",
	"XX001": "the server found damaged data; look at its log before anything else, and have a backup at hand",
	"XX002": "the server found a damaged index; look at its log before anything else",
}

// taken are the unique constraints whose violation is the caller's mistake and
// not a lost race.
var taken = map[string]string{
	"documents_g":     "another one has a value that only one may have",
	"agents_pkey":     "the agent exists already",
	"workspaces_pkey": "the workspace exists already",
}

// mapped turns an error of the driver into one of a kind. It names SQLSTATE and
// constraint, never values: those may be a customer's text.
func mapped(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg):
		return fromServer(pg)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errs.KindOf(err) != nil:
		return err
	}
	return errs.New(errs.Unavailable, "store: PostgreSQL does not answer: %w", err)
}

func fromServer(pg *pgconn.PgError) error {
	switch pg.Code {
	case codeClash, "40001", "40P01": // ours, serialisation failure, deadlock
		return driver.ErrClash
	case codeStale:
		return errs.New(errs.Stale, "store: %s", pg.Message)
	case codeInvalid:
		return errs.New(errs.Invalid, "store: %s", pg.Message)
	case "23505": // unique_violation
		if why, ok := taken[pg.ConstraintName]; ok {
			return errs.New(errs.AlreadyExists, "store: %s", why)
		}
		return driver.ErrClash
	case lockNotAvailable:
		return errs.New(errs.Unavailable, "store: a row stayed locked by somebody else beyond the lock time-out; try again, and look for "+
			"long transactions in pg_stat_activity")
	case "57014": // query_canceled
		return errs.New(errs.Unavailable, "store: PostgreSQL cancelled the statement (SQLSTATE 57014)")
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case "22", "54": // data exception, program limit exceeded
		return errs.New(errs.Invalid, "store: PostgreSQL refused a value (SQLSTATE %s, %s); it is too long or malformed", pg.Code,
			pg.ConstraintName)
	case "42": // our statement and the schema do not fit; such messages hold no values
		return errs.New(errs.Unavailable, "store: the schema does not fit this program (SQLSTATE %s): %s", pg.Code, pg.Message)
	}
	at := "SQLSTATE " + pg.Code
	if place := strings.TrimSpace(pg.TableName + " " + pg.ConstraintName); place != "" {
		at += ", " + place
	}
	if words, ok := inWords[pg.Code]; ok {
		return errs.New(errs.Unavailable, "store: PostgreSQL: %s (%s)", words, at)
	}
	return errs.New(errs.Unavailable, "store: PostgreSQL refused a statement (%s)", at)
}

// unknownOutcome marks a commit whose answer was lost.
func unknownOutcome(err error) error {
	return errs.New(errs.Unavailable,
		"store: PostgreSQL did not answer a commit; whether it took effect is unknown, repeat with the same key: %w", err)
}

var (
	errReadOnly = errs.New(errs.Invalid, "store: a View cannot write; use Update")
	errEnded    = errs.New(errs.Invalid, "store: this transaction has ended; a Tx must not be used outside its function")
	errNested   = errs.New(errs.Invalid, "store: an Update or View inside the function of another one; pass the Tx along instead")
	errClosed   = errs.New(errs.Unavailable, "store: the database is closed")
)

func errNotFound(what string) error { return errs.New(errs.NotFound, "store: no such %s", what) }

func isUnavailable(err error) bool { return errors.Is(err, errs.Unavailable) }
