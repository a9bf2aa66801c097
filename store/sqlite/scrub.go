package sqlite

import (
	"context"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// Scrub removes what is left of deleted things, for erasure: the search index
// is rewritten without the tokens of deleted messages, and the log is brought
// into the database and emptied. Deleted rows themselves are overwritten when
// they are deleted. Everybody who writes waits while the index is rewritten,
// some seconds a million messages. ErrUnavailable when open Views kept the log
// from being emptied: call it again.
func Scrub(ctx context.Context, db *store.DB) error {
	b, ok := db.Backend().(*backend)
	if !ok {
		return errs.New(errs.Invalid, "sqlite: Scrub was given a store of another package")
	}
	return b.Scrub(ctx)
}

// Scrub is what the function Scrub does, for those who know the backend by an
// interface alone.
func (b *backend) Scrub(ctx context.Context) error {
	err := b.submit(&job{ctx: ctx, fn: func(t *tx) error {
		return t.change(`INSERT INTO search_tokens (search_tokens) VALUES ('optimize')`)
	}})
	if err != nil {
		return err
	}
	if !b.enter() {
		return errClosed
	}
	defer b.views.Done()
	c, err := openConn(b.path) // no statement may be open, nor a transaction
	if err != nil {
		return err
	}
	defer c.Close()
	busy := false
	if err := c.Query(`PRAGMA wal_checkpoint(TRUNCATE)`, func(r raw.Row) bool { busy = r.Bool(0); return true }); err != nil {
		return unavailable(err)
	}
	if busy {
		return errs.New(errs.Unavailable, "sqlite: open Views keep the log from being emptied; call Scrub again")
	}
	return nil
}
