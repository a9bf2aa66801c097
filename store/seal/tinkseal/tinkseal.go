// Package tinkseal is a seal.Sealer on a Tink keyset of AES-256-GCM keys, kept
// in a file of mode 0600 or handed over as JSON, for example in the
// environment variable SANGDAM_KEYS.
//
// The file holds the keys in the clear (Tink's JSON keyset), so it does not
// belong next to the backups of the database that it protects, and a copy of it
// belongs in a safe: without it the stored channel secrets and protected fields
// are lost.
//
// # Permissions
//
// A file that its group or others may read, write or run is refused, not warned
// about, because a warning that nobody reads leaves the keys open for years.
// Where a platform mounts secrets with wider rights, read the file in your own
// code and use FromJSON. On Windows, where these bits say nothing, the check is
// left out.
//
// # Rotation
//
// Values are sealed with the primary key and opened with any enabled one. With
// one process, Rotate and restart. With several, no process may seal with a key
// that another does not have yet:
//
//  1. AddKey, give the file to every process, restart each;
//  2. Promote, again to every process;
//  3. seal what Sealer.NeedsReseal names again (seal.Reseal), then Disable the
//     old key; if something was forgotten, Enable brings it back;
//  4. Remove it, once the backups that need it have expired.
package tinkseal

import (
	"bytes"
	"context"
	"encoding/binary"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/seal"
)

// Error kinds, with one identity across the module; compare with errors.Is.
var (
	ErrNotFound         error = errs.NotFound
	ErrAlreadyExists    error = errs.AlreadyExists
	ErrInvalid          error = errs.Invalid
	ErrPermissionDenied error = errs.PermissionDenied
	ErrConflict         error = errs.Conflict
	ErrUnavailable      error = errs.Unavailable
)

// Sealer seals with the primary key of a keyset and opens with any enabled key
// of it. It may be used concurrently. It does not follow changes of the file it
// was opened from.
type Sealer struct {
	aead    tink.AEAD
	primary uint32
}

var _ seal.Sealer = (*Sealer)(nil)

// FromJSON returns the Sealer of a keyset in Tink's JSON form. Errors are
// ErrInvalid and hold nothing of the input.
func FromJSON(keys []byte) (*Sealer, error) {
	h, err := parse(keys)
	if err != nil {
		return nil, err
	}
	return newSealer(h)
}

// NewJSON makes a keyset of one random key, as FromJSON reads it. It is a
// secret.
func NewJSON() ([]byte, error) {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, errs.New(errs.Unavailable, "tinkseal: making a key: %w", err)
	}
	return format(h)
}

func newSealer(h *keyset.Handle) (*Sealer, error) {
	primary, err := h.Primary()
	if err != nil {
		return nil, errs.New(errs.Invalid, "tinkseal: the keyset has no enabled primary key; promote one")
	}
	a, err := aead.New(h)
	if err != nil {
		return nil, errs.New(errs.Invalid, "tinkseal: the keyset cannot be used for sealing; make one with Create or NewJSON")
	}
	return &Sealer{aead: a, primary: primary.KeyID()}, nil
}

// Seal implements seal.Sealer.
func (s *Sealer) Seal(ctx context.Context, ad seal.AD, plaintext []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	place, err := ad.Encode()
	if err != nil {
		return nil, err
	}
	sealed, err := s.aead.Encrypt(plaintext, place)
	if err != nil {
		return nil, errs.New(errs.Invalid, "tinkseal: the value cannot be sealed; it may be too long")
	}
	return sealed, nil
}

// Open implements seal.Sealer.
func (s *Sealer) Open(ctx context.Context, ad seal.AD, sealed []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	place, err := ad.Encode()
	if err != nil {
		return nil, err
	}
	plain, err := s.aead.Decrypt(sealed, place)
	if err != nil {
		return nil, seal.ErrCannotOpen
	}
	return plain, nil
}

// KeyID implements seal.Sealer: the number of the primary key.
func (s *Sealer) KeyID() string { return formatID(s.primary) }

// NeedsReseal implements seal.Sealer.
func (s *Sealer) NeedsReseal(sealed []byte) bool {
	id, ok := keyOf(sealed)
	return !ok || id != s.primary
}

// String names the primary key and hides the keys from logs.
func (s *Sealer) String() string { return "tinkseal.Sealer(primary key " + s.KeyID() + ")" }

// GoString hides the keys from %#v.
func (s *Sealer) GoString() string { return s.String() }

// tinkPrefix begins what a key with the output prefix type TINK sealed; the
// id of the key follows, big endian
// (https://developers.google.com/tink/wire-format).
const tinkPrefix = 1

func keyOf(sealed []byte) (uint32, bool) {
	if len(sealed) < 5 || sealed[0] != tinkPrefix {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:5]), true
}

// parse reads a keyset and refuses every key but AES-256-GCM that marks what it
// seals with its id. What Tink says about a bad one is left out: it quotes the
// input, which is mostly key.
func parse(keys []byte) (*keyset.Handle, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(keys)))
	if err != nil {
		return nil, errs.New(errs.Invalid,
			"tinkseal: this is not a keyset in Tink's JSON form; it may be cut or altered: restore it from its backup")
	}
	for i := range h.Len() {
		entry, err := h.Entry(i)
		if err != nil {
			return nil, errs.New(errs.Invalid, "tinkseal: key %d of the keyset cannot be read; restore the keyset from its backup", i+1)
		}
		p, ok := entry.Key().Parameters().(*aesgcm.Parameters)
		if !ok || p.KeySizeInBytes() != 32 || p.Variant() != aesgcm.VariantTink {
			return nil, errs.New(errs.Invalid,
				"tinkseal: key %d is not of type AES256_GCM with a TINK prefix; make keys with Create, NewJSON or AddKey", entry.KeyID())
		}
	}
	return h, nil
}

func format(h *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return nil, errs.New(errs.Invalid, "tinkseal: the keyset cannot be written")
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func formatID(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
