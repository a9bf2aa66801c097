package postgres

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
)

// chunkSize is how many bytes a row of a blob holds: large enough that the
// round trips do not matter, small enough that memory does not.
const chunkSize = 256 << 10

// unfinishedAge is after what time an upload that was not completed is a
// leftover of a process that died.
const unfinishedAge = 24 * time.Hour

// BlobStore keeps blobs as chunks in the tables of a database, for installations
// that want one thing to replicate and back up. It is a blob.Store. Many or
// large attachments are better off in a directory or an object store: chunks
// travel through the write-ahead log and every base backup.
type BlobStore struct{ b *backend }

var _ blob.Store = BlobStore{}

// Blobs returns the blob store in the tables of db, which must come from Open.
// It lives as long as db.
func Blobs(db *store.DB) (BlobStore, error) {
	b, ok := db.Backend().(*backend)
	if !ok {
		return BlobStore{}, errs.New(errs.Invalid, "store: Blobs needs a database opened with postgres.Open")
	}
	return BlobStore{b}, nil
}

// Put implements blob.Store. Every chunk commits by itself, so that a slow
// upload holds no transaction open; the blob exists with the last statement.
func (s BlobStore) Put(ctx context.Context, r io.Reader, limit int64) (info blob.Info, err error) {
	if err := s.b.enter(); err != nil {
		return blob.Info{}, err
	}
	defer s.b.running.Done()
	name := blob.NewName()
	w := &chunkWriter{ctx: ctx, b: s.b, name: name}
	whole := false
	defer func() { // also when the reader panics
		if !whole && w.n > 0 {
			s.remove(name)
		}
	}()
	size, digest, err := blob.CopyLimited(ctx, w, r, limit)
	if err != nil {
		return blob.Info{}, err
	}
	if err := w.flush(); err != nil {
		return blob.Info{}, err
	}
	err = s.b.runWrites(ctx, query(`UPDATE sd.blob_files SET size = $2, sha256 = $3, at = clock_timestamp(), whole = true WHERE name = $1`,
		name, size, digest))
	whole = err == nil
	return blob.Info{Name: name, Size: size, SHA256: digest}, err
}

// remove deletes the chunks of a failed upload; what cannot be deleted now is
// swept later.
func (s BlobStore) remove(name string) {
	ctx, stop := context.WithTimeout(context.Background(), fiveSeconds)
	defer stop()
	if err := s.b.runWrites(ctx, dropBlob(name)...); err != nil {
		s.b.opts.Logger.Warn("store: an unfinished blob stays until the sweep", "error", err)
	}
}

func dropBlob(name string) []stmt {
	return []stmt{query(`DELETE FROM sd.blob_files WHERE name = $1`, name), query(`DELETE FROM sd.blob_chunks WHERE name = $1`, name)}
}

// chunkWriter cuts a stream into rows.
type chunkWriter struct {
	ctx  context.Context
	b    *backend
	name string
	buf  []byte
	n    int // rows written
}

func (w *chunkWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	if len(w.buf) < chunkSize {
		return len(p), nil
	}
	return len(p), w.flush()
}

// flush writes a row; the first one even when it is empty, so that an empty
// blob has one.
func (w *chunkWriter) flush() error {
	if len(w.buf) == 0 && w.n > 0 {
		return nil
	}
	list := []stmt{query(`INSERT INTO sd.blob_chunks (name, n, data) VALUES ($1, $2, $3)`, w.name, w.n, notNil(w.buf))}
	if w.n == 0 {
		list = append(list, query(`INSERT INTO sd.blob_files (name, size, sha256) VALUES ($1, 0, '')`, w.name))
	}
	w.n++
	w.buf = w.buf[:0]
	return w.b.runWrites(w.ctx, list...)
}

// Open implements blob.Store. The bytes are copied to an unlinked temporary
// file first: so a slow reader holds no connection, a blob deleted meanwhile
// reads on, and the result can seek.
func (s BlobStore) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if !blob.ValidName(name) {
		return nil, errNotFound("blob")
	}
	if err := s.b.enter(); err != nil {
		return nil, err
	}
	defer s.b.running.Done()
	f, err := os.CreateTemp("", "sangdam-blob-")
	if err != nil {
		return nil, errs.New(errs.Unavailable, "store: no temporary file for a blob: %w", err)
	}
	spool := &spooled{File: f}
	found := false
	err = s.b.run(ctx, query(`SELECT c.data FROM sd.blob_files f JOIN sd.blob_chunks c ON c.name = f.name WHERE f.name = $1 AND f.whole
		ORDER BY c.n`, name).
		rows(func(r pgx.Rows) error {
			found = true
			_, err := f.Write(r.RawValues()[0]) // binary bytea is the bytes themselves
			return err
		}))
	if err == nil && !found {
		err = errNotFound("blob")
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, spool.Close())
	}
	return spool, nil
}

// spooled is a temporary file that goes with its Close.
type spooled struct{ *os.File }

func (s *spooled) Close() error {
	return errors.Join(s.File.Close(), os.Remove(s.Name()))
}

// Delete implements blob.Store.
func (s BlobStore) Delete(ctx context.Context, name string) error {
	if err := s.b.enter(); err != nil {
		return err
	}
	defer s.b.running.Done()
	if !blob.ValidName(name) {
		return ctx.Err()
	}
	return s.b.runWrites(ctx, dropBlob(name)...)
}

// List implements blob.Store. A List from the beginning also removes uploads
// that a dead process left unfinished a day ago.
func (s BlobStore) List(ctx context.Context, before time.Time, after string, limit int) ([]string, error) {
	if limit < 1 {
		return nil, errs.New(errs.Invalid, "store: List needs a limit of at least 1")
	}
	if err := s.b.enter(); err != nil {
		return nil, err
	}
	defer s.b.running.Done()
	if after == "" {
		err := s.b.run(ctx, query(`WITH d AS (DELETE FROM sd.blob_files WHERE NOT whole AND at < clock_timestamp() - $1::interval
			RETURNING name)
			DELETE FROM sd.blob_chunks WHERE name IN (SELECT name FROM d)`, unfinishedAge))
		if err != nil {
			return nil, err
		}
	}
	var names []string
	err := s.b.run(ctx, collect(query(`SELECT name FROM sd.blob_files WHERE whole AND at < $1 AND name > $2 ORDER BY name LIMIT $3`, before,
		key(after), limit), &names, scanKey))
	return names, err
}
