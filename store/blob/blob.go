// Package blob keeps what is too large for a row: attachments, exports,
// backups. A blob is written once under a random name, never changed, and
// referred to by that name from a row.
//
// The order of work keeps rows and blobs true to each other without a shared
// transaction: Put first, which returns only when the bytes are on disk, then
// the Update that refers to the name. A crash in between leaves a blob that
// nobody refers to; a sweep lists what was put more than 24 h ago and deletes
// what no row names. Nothing here knows workspaces or permissions: whoever
// serves a blob has read the row, in its workspace, first.
//
// Dir keeps blobs in a directory, Memory in the process. Another store passes
// blobtest.
//
// Give a Dir to sangdam.Config.Blobs, one to each database. It serves nothing over
// HTTP: sangdam.Attachments does, and asks for rights.
package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// Error kinds, with one identity across the module; compare with errors.Is.
var (
	ErrNotFound    error = errs.NotFound
	ErrInvalid     error = errs.Invalid
	ErrUnavailable error = errs.Unavailable
)

// ErrTooLarge is returned by Put when the reader holds more than the limit. It
// is also an ErrInvalid.
var ErrTooLarge = errs.New(errs.Invalid, "blob: larger than the limit of this upload")

// Info is what Put learnt about the bytes that it stored.
type Info struct {
	// Name is the random name under which the blob is opened.
	Name string
	// Size is the number of bytes.
	Size int64
	// SHA256 is the digest of the bytes, 64 lower-case hexadecimal digits.
	SHA256 string
}

// Store keeps blobs. Every method may be called concurrently. Errors are
// ErrNotFound, ErrInvalid, ErrUnavailable, a context error, or the error of
// the caller's own reader.
type Store interface {
	// Put reads r to its end, stores the bytes under a new random name and
	// returns when they are durable. When r holds more than limit bytes the
	// error is ErrTooLarge; a limit below zero is ErrInvalid. When r fails, its
	// error is returned, wrapped. ctx is checked between reads. After an error
	// nothing of the blob can be listed or opened.
	Put(ctx context.Context, r io.Reader, limit int64) (Info, error)
	// Open returns the bytes of a blob; the caller closes it. A result that is
	// an io.Seeker as well can serve ranges. A blob that was opened reads to its end even if it is deleted meanwhile. A name that no
	// Put returned is ErrNotFound, whatever its form.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Delete removes a blob, durably. Deleting one that is absent does nothing
	// and is not an error.
	Delete(ctx context.Context, name string) error
	// List returns at most limit names of blobs that were put before the given
	// moment, in ascending order, beginning after the name given (empty: from
	// the start). A sweep pages through it; blobs put or deleted meanwhile do
	// not make it skip or repeat another. A limit below 1 is ErrInvalid.
	List(ctx context.Context, before time.Time, after string, limit int) ([]string, error)
}

// Claimer is a Store that can be bound to one database. A sweep deletes what
// no row of its own database names; two databases over one store would delete
// each other's blobs.
type Claimer interface {
	Store
	// Claim binds the store to the database of this id, once and for ever. A
	// store of another database is ErrInvalid.
	Claim(ctx context.Context, database string) error
}

// nameBytes is the randomness of a name: 160 bits, so that names cannot be
// guessed and do not collide.
const nameBytes = 20

// NewName returns a random name: 40 lower-case hexadecimal digits, safe on
// file systems that ignore case. It is for authors of stores.
func NewName() string {
	var b [nameBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand stops the program instead
	return hex.EncodeToString(b[:])
}

// ValidName says whether name has the form that NewName gives. Stores check
// every name that comes from outside before they use it, so that no path,
// however written, reaches the file system.
func ValidName(name string) bool {
	if len(name) != 2*nameBytes {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
