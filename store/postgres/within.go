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
//
// The version of the configuration is compared when fn guards it and not held
// until COMMIT: a host's transaction that stays open keeps nobody from changing
// the configuration. Audit entries lock the head of the workspace's chain until
// the host commits; an Engine's Joined does without them.
func Within(ctx context.Context, db *store.DB, host pgx.Tx, ws store.WorkspaceID, fn func(context.Context, store.Tx) error) error {
	return inHost(ctx, db, host, host.Conn(), ws, fn)
}

// Host lends the host's transaction to Engine.Join; see Within.
func Host(db *store.DB, tx pgx.Tx) store.Host {
	return store.Host{Announce: func() { Announce(db) },
		Run: func(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, store.Tx) error) error {
			return inHost(ctx, db, tx, tx.Conn(), ws, fn)
		}}
}

// HostConn is Host for a connection on which the host has begun a transaction
// by other means, such as one of database/sql over pgx:
//
//	conn.Raw(func(c any) error {
//		joined := engine.Join(postgres.HostConn(db, c.(*stdlib.Conn).Conn()))
//		…
//	})
//
// Without a transaction under way what is run is ErrInvalid.
func HostConn(db *store.DB, c *pgx.Conn) store.Host {
	return store.Host{Announce: func() { Announce(db) },
		Run: func(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, store.Tx) error) error {
			if c.PgConn().TxStatus() != 'T' {
				return errs.New(errs.Invalid, "store: the host's connection has no transaction, or one that failed; begin one first")
			}
			return inHost(ctx, db, c, c, ws, fn)
		}}
}

func inHost(ctx context.Context, db *store.DB, host conn, c *pgx.Conn, ws store.WorkspaceID,
	fn func(context.Context, store.Tx) error) error {
	b, ok := db.Backend().(*backend)
	if !ok {
		return errs.New(errs.Invalid, "store: Within needs a database opened with postgres.Open")
	}
	if mode := c.Config().DefaultQueryExecMode; mode == pgx.QueryExecModeSimpleProtocol {
		return errs.New(errs.Invalid, "store: the host's connection uses the simple protocol; choose another DefaultQueryExecMode")
	}
	t, err := b.enterTx(ctx, ws, updating)
	if err != nil {
		return err
	}
	defer b.running.Done()
	t.host, t.conn = true, host
	defer t.end()
	err = t.outcome(fn(context.WithValue(ctx, within{b}, true), store.Over(t.whole())))
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
		b.sweeps.again() // what was written may be older than anybody looks back
		b.wakes.committed(driver.Hint{News: driver.NewsAny})
	}
}
