package sqlite

import (
	"context"
	"os"
	"path/filepath"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
)

// Backup copies the whole database, as it is at one moment, into a new file
// while the store works on. The file is complete in itself: put it as
// sangdam.db into an empty directory to restore it. It is on the disk when
// Backup returns; a backup that failed leaves no file. ErrInvalid when the file
// exists or db is not of this package.
//
// Secrets in it are as sealed as in the store. Blobs are not part of it: copy
// them afterwards, so that every blob that the copy names is there.
func Backup(ctx context.Context, db *store.DB, file string) error {
	b, ok := db.Backend().(*backend)
	if !ok {
		return errs.New(errs.Invalid, "sqlite: Backup was given a store of another package")
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errs.New(errs.Invalid, "sqlite: the backup cannot be written; name a new file in a directory that exists: %w", err)
	}
	defer f.Close()
	if err := b.copyTo(ctx, file); err != nil {
		os.Remove(file)
		return err
	}
	if err := f.Sync(); err != nil {
		os.Remove(file)
		return errs.New(errs.Unavailable, "sqlite: writing the backup: %w", err)
	}
	syncDir(filepath.Dir(file))
	return nil
}

// copyTo uses a connection of its own, so that no View waits for it. An empty
// file may be copied into.
func (b *backend) copyTo(ctx context.Context, file string) error {
	if err := b.nested(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !b.enter() {
		return errClosed
	}
	defer b.views.Done()
	c, err := openConn(b.path)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Exec(`VACUUM INTO ?`, file); err != nil {
		return errs.New(errs.Unavailable, "sqlite: writing the backup: %w", err)
	}
	return nil
}
