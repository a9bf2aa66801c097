// Package seal encrypts the few fields that must not stand in a database in
// the clear: channel secrets, encrypted contact fields, the originals of
// masked text. What is sealed is bound to its place, that is to workspace,
// table, row and column, so that a value copied to another place does not open
// there.
//
// A Sealer holds the keys, which come from outside the database: a file or an
// environment variable through seal/tinkseal, or a key management service
// behind the same interface. Three things are built on it:
//
//   - Sealer.Seal for a field of its own;
//   - a DataKey for everything that belongs to one person: its wrapped form is
//     one column, and erasing that column makes all that was sealed under the
//     key unreadable, in backups too;
//   - Check, which makes a program refuse to start with a wrong or lost key,
//     instead of writing half of its secrets under another one.
//
// Sealed text can be neither searched, sorted nor compared: sealing the same
// text twice gives different bytes. The length of the plaintext shows.
package seal

import (
	"context"
	"encoding/binary"

	"github.com/sangdam/sangdam/internal/errs"
)

// Error kinds, with one identity across the module; compare with errors.Is.
var (
	ErrInvalid     error = errs.Invalid
	ErrUnavailable error = errs.Unavailable
)

// ErrCannotOpen says that sealed bytes do not open here: they were altered or
// cut, they belong to another place, or the key they were sealed with is not
// among the keys. Which of these cannot be told. It is also an ErrInvalid.
var ErrCannotOpen = errs.New(errs.Invalid,
	"seal: the value does not open: it was altered, it was moved from another place, or its key is not among the keys given")

// AD is the place of a sealed value. It is not stored with the value: whoever
// opens one knows from where it was read.
type AD struct {
	// Workspace is the tenant; empty only for what belongs to none.
	Workspace string
	// Table, Row and Column name the field; none may be empty. Row is the
	// row's key without the workspace.
	Table, Row, Column string
}

// adVersion begins every encoded AD, so that another encoding can never be
// mistaken for this one.
const adVersion = "sangdam/ad/1"

// Encode returns the bytes that a Sealer authenticates along with the value.
// Each part is preceded by its length, so that no two places share an
// encoding. An empty Table, Row or Column is ErrInvalid: it would let a value
// move. Encode is for authors of a Sealer.
func (a AD) Encode() ([]byte, error) {
	if a.Table == "" || a.Row == "" || a.Column == "" {
		return nil, errs.New(errs.Invalid, "seal: the place of a value needs a table, a row and a column")
	}
	size := len(adVersion) + 4*8 + len(a.Workspace) + len(a.Table) + len(a.Row) + len(a.Column)
	b := append(make([]byte, 0, size), adVersion...)
	for _, part := range [...]string{a.Workspace, a.Table, a.Row, a.Column} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b, nil
}

// Sealer seals and opens values with keys that it keeps to itself. All methods
// may be called concurrently. No error holds key material or plaintext. The
// bytes it is given are not kept or changed.
type Sealer interface {
	// Seal encrypts plaintext, of any length and nil too, for its place, with
	// the primary key. Errors: ErrInvalid for an incomplete place,
	// ErrUnavailable when the keys are elsewhere and cannot be reached.
	Seal(ctx context.Context, ad AD, plaintext []byte) ([]byte, error)
	// Open decrypts what Seal made for the same place with any key that is
	// enabled. Errors: ErrCannotOpen, or as Seal.
	Open(ctx context.Context, ad AD, sealed []byte) ([]byte, error)
	// KeyID names the primary key, for bookkeeping; it is no secret.
	KeyID() string
	// NeedsReseal says whether sealed was made with another key than the
	// primary one, so that a rotation has to seal it again.
	NeedsReseal(sealed []byte) bool
}

// Reseal brings a value under the primary key. When it is already,
// fresh is false and the value comes back as it was. A wrapped data key is such
// a value: resealing it rotates all that is sealed under it at once.
func Reseal(ctx context.Context, s Sealer, ad AD, sealed []byte) (resealed []byte, fresh bool, err error) {
	if !s.NeedsReseal(sealed) {
		return sealed, false, nil
	}
	plain, err := s.Open(ctx, ad, sealed)
	if err != nil {
		return nil, false, err
	}
	resealed, err = s.Seal(ctx, ad, plain)
	return resealed, err == nil, err
}
