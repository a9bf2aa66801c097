package seal

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"

	"github.com/sangdam/sangdam/internal/errs"
)

// dataKeyBytes is the length of an AES-256 key.
const dataKeyBytes = 32

// wrapMark begins the plaintext of a wrapped key, so that an ordinary value of
// 32 bytes is never taken for a key.
const wrapMark = "sangdam/datakey/1:"

// dataVersion begins what a DataKey sealed.
const dataVersion = 1

// DataKey seals the values of one owner, such as a contact. It may be used
// concurrently. It is AES-256-GCM with random nonces, good for 2^32 values
// (NIST SP 800-38D, 8.3). A program that keeps data keys in memory drops them
// when their owner is erased.
type DataKey struct{ aead cipher.AEAD }

// NewDataKey makes a random key. The wrapped form is sealed by s for its place
// ad and is to be stored there; without it nothing sealed under the key can be
// opened again.
func NewDataKey(ctx context.Context, s Sealer, ad AD) (wrapped []byte, k *DataKey, err error) {
	raw := make([]byte, dataKeyBytes)
	_, _ = rand.Read(raw) // never fails: crypto/rand stops the program instead
	plain := append([]byte(wrapMark), raw...)
	wrapped, err = s.Seal(ctx, ad, plain)
	clear(plain)
	if err != nil {
		return nil, nil, err
	}
	k, err = newDataKey(raw)
	return wrapped, k, err
}

// OpenDataKey returns the key whose wrapped form was read from its place ad.
// Errors: ErrCannotOpen, also when the value there is not a wrapped key, or
// those of s.Open.
func OpenDataKey(ctx context.Context, s Sealer, ad AD, wrapped []byte) (*DataKey, error) {
	plain, err := s.Open(ctx, ad, wrapped)
	if err != nil {
		return nil, err
	}
	raw, ok := bytes.CutPrefix(plain, []byte(wrapMark))
	if !ok || len(raw) != dataKeyBytes {
		return nil, ErrCannotOpen
	}
	defer clear(plain)
	return newDataKey(raw)
}

// newDataKey takes raw over and clears it.
func newDataKey(raw []byte) (*DataKey, error) {
	defer clear(raw)
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, errs.New(errs.Unsupported, "seal: AES-256 is not available: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, errs.New(errs.Unsupported, "seal: AES-256-GCM is not available: %w", err)
	}
	return &DataKey{aead}, nil
}

// Seal encrypts plaintext for its place. Errors: ErrInvalid for an incomplete
// place.
func (k *DataKey) Seal(ad AD, plaintext []byte) ([]byte, error) {
	return k.AppendSeal(nil, ad, plaintext)
}

// AppendSeal is Seal behind what prefix holds, in new bytes. The prefix is not
// part of what is sealed: Open is to be given what follows it.
func (k *DataKey) AppendSeal(prefix []byte, ad AD, plaintext []byte) ([]byte, error) {
	place, err := ad.Encode()
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 0, len(prefix)+1+len(plaintext)+k.aead.Overhead())
	sealed = append(append(sealed, prefix...), dataVersion)
	return k.aead.Seal(sealed, nil, plaintext, place), nil
}

// Open decrypts what Seal of the same key made for the same place. Errors:
// ErrCannotOpen, or ErrInvalid for an incomplete place.
func (k *DataKey) Open(ad AD, sealed []byte) ([]byte, error) {
	place, err := ad.Encode()
	if err != nil {
		return nil, err
	}
	if len(sealed) == 0 || sealed[0] != dataVersion {
		return nil, ErrCannotOpen
	}
	plain, err := k.aead.Open(nil, nil, sealed[1:], place)
	if err != nil {
		return nil, ErrCannotOpen
	}
	return plain, nil
}

// String hides the key from logs.
func (k *DataKey) String() string { return "seal.DataKey(hidden)" }

// GoString hides the key from %#v.
func (k *DataKey) GoString() string { return k.String() }
