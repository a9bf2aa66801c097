package sqlite

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// Host has fn run in the transaction of each command of Engine.Join, before the
// command: both commit or neither. A transaction on a connection of the host's
// own could not be joined, for one connection writes the file.
//
// fn may run again for one command, so it has no effects but its statements. It
// calls nothing that waits, for every Update of the process waits for it. An
// error of fn ends the command with that error.
func Host(db *store.DB, fn func(ctx context.Context, h *HostTx) error) store.Host {
	return store.Host{Commits: true, Run: func(ctx context.Context, ws store.WorkspaceID,
		command func(context.Context, store.Tx) error) error {
		b, ok := db.Backend().(*backend)
		if !ok {
			return errs.New(errs.Invalid, "sqlite: Host needs a database opened with sqlite.Open")
		}
		w, err := b.workspace(ws)
		if err != nil {
			return err
		}
		within := context.WithValue(ctx, inside{}, b)
		return b.submit(&job{ctx: ctx, ws: w, fn: func(t *tx) error {
			if err := fn(within, &HostTx{t}); err != nil {
				return err
			}
			return command(within, store.Over(t.whole()))
		}})
	}}
}

// HostTx runs the host's statements on its own tables, those of
// Options.HostSchema. It must not be used after its function has returned.
type HostTx struct{ t *tx }

// HostRow is a row while Query shows it. Columns count from 0.
type HostRow struct{ r raw.Row }

// Int is the column as a number, 0 for one that is none.
func (r HostRow) Int(i int) int64 { return r.r.Int(i) }

// Text is the column as text, empty for NULL.
func (r HostRow) Text(i int) string { return r.r.Text(i) }

// Bytes is a copy of the column.
func (r HostRow) Bytes(i int) []byte { return r.r.Bytes(i) }

// Null says that the column is NULL.
func (r HostRow) Null(i int) bool { return r.r.Null(i) }

// Exec runs one statement, INSERT, UPDATE, DELETE, REPLACE or WITH, and returns
// how many rows it changed. Statements are constants of the program, since each
// is kept prepared; values are arguments: nil, bool, int, int64, string or []byte.
func (h *HostTx) Exec(statement string, args ...any) (int, error) {
	if err := h.may(statement, "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"); err != nil {
		return 0, err
	}
	n, err := h.t.conn.Exec(statement, args...)
	return n, hostError(err)
}

// Query runs one SELECT or WITH and calls row for each row until it returns
// false. row must not run a statement.
func (h *HostTx) Query(statement string, row func(HostRow) bool, args ...any) error {
	if err := h.may(statement, "SELECT", "WITH"); err != nil {
		return err
	}
	return hostError(h.t.conn.Query(statement, func(r raw.Row) bool { return row(HostRow{r}) }, args...))
}

// may refuses statements that would end the transaction under the library or
// change how the file is used.
func (h *HostTx) may(statement string, verbs ...string) error {
	if err := h.t.writable(); err != nil {
		return err
	}
	verb, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
	if !slices.Contains(verbs, strings.ToUpper(verb)) {
		return errs.New(errs.Invalid, "sqlite: a host's statement begins with one of %s; tables are made by Options.HostSchema",
			strings.Join(verbs, ", "))
	}
	return nil
}

// hostError is an error of the host's statement. A constraint is the host's own
// matter, not a rival of the library's.
func hostError(err error) error {
	switch {
	case err == nil:
		return nil
	case raw.Is(err, raw.CodeConstraint):
		return errs.New(errs.Conflict, "sqlite: a constraint of the host's table: %w", err)
	}
	return fmt.Errorf("sqlite: the host's statement: %w", err)
}

var hostMakes = regexp.MustCompile(`(?i)^\s*CREATE\s+(TABLE|(UNIQUE\s+)?INDEX)\s+IF\s+NOT\s+EXISTS\s+"?host_`)

func makeHostSchema(path string, schema []string) error {
	if len(schema) == 0 {
		return nil
	}
	for _, s := range schema {
		if !hostMakes.MatchString(s) {
			return errs.New(errs.Invalid,
				"sqlite: Options.HostSchema holds statements CREATE TABLE or INDEX IF NOT EXISTS of names that begin with host_; one is "+
					"another")
		}
	}
	c, err := openConn(path)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, s := range schema {
		if _, err := c.Exec(s); err != nil {
			return errs.New(errs.Invalid, "sqlite: Options.HostSchema: %w", err)
		}
	}
	return nil
}
