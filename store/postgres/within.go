package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Within runs fn in the host's own transaction, which must be on the database
// of db: what fn writes commits or rolls back with it. It never runs fn again:
// a rival that was first is ErrConflict, and the host decides. On any error
// what fn wrote is undone to a savepoint and the host's transaction stays
// usable, unless the connection broke. READ COMMITTED is expected; under
// stricter isolation COMMIT may fail with the host.
//
// Nothing is announced: after its commit the host may call Announce, else
// polling finds the work. The statements are sent in pgx's default mode of the
// host's connection, which must not be the simple protocol.
func Within(ctx context.Context, db *store.DB, host pgx.Tx, ws store.WorkspaceID, fn func(context.Context, store.Tx) error) error {
	b, ok := db.Backend().(*backend)
	if !ok {
		return errs.New(errs.Invalid, "store: Within needs a database opened with postgres.Open")
	}
	if mode := host.Conn().Config().DefaultQueryExecMode; mode == pgx.QueryExecModeSimpleProtocol {
		return errs.New(errs.Invalid, "store: the host's connection uses the simple protocol; choose another DefaultQueryExecMode")
	}
	t, err := b.enterTx(ctx, ws, updating)
	if err != nil {
		return err
	}
	defer b.running.Done()
	t.host, t.conn = true, host
	defer t.end()
	err = t.outcome(fn(context.WithValue(ctx, within{b}, true), store.Over(t)))
	if err == nil {
		err = t.commit()
	}
	if errors.Is(err, driver.ErrClash) {
		return errs.New(errs.Conflict, "store: another writer was first; roll back, or read again and decide anew")
	}
	return err
}

// Announce hints that work may be waiting, after the host committed what
// Within wrote.
func Announce(db *store.DB) {
	if b, ok := db.Backend().(*backend); ok {
		b.wakes.committed(driver.Hint{News: driver.NewsAny})
	}
}
