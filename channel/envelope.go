package channel

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/sangdam/sangdam/internal/errs"
)

// MaxEnvelope is how large the raw event of a webhook may be, in bytes, and
// MaxLargeEnvelope that of an event which a Runner fetches; what is above
// MaxEnvelope lies in the blob store.
const (
	MaxEnvelope      = 1 << 20
	MaxLargeEnvelope = 64 << 20
)

// sealRoom is what sealing adds to an event at rest, at most.
const sealRoom = 128

// maxKey is the longest stored DedupKey or Lane, in bytes.
const maxKey = 200

// Fitting is the envelope as every store can keep it: a long DedupKey or Lane
// gives way to its hash, which is as good a key and keeps the same order. What
// cannot be kept is ErrInvalid: no account, no dedup key, more than 1 MiB.
func (e Envelope) Fitting() (Envelope, error) {
	switch {
	case e.Account == "":
		return e, errs.New(errs.Invalid, "channel: an envelope names no account")
	case e.DedupKey == "":
		return e, errs.New(errs.Invalid, "channel: an envelope has no dedup key; use the provider's event id, or a hash of the event")
	case len(e.Raw) > MaxEnvelope && !e.Sealed || len(e.Raw) > MaxEnvelope+sealRoom:
		return e, errs.New(errs.Invalid, "channel: an envelope has %d bytes; at most %d are kept", len(e.Raw), MaxEnvelope)
	}
	e.DedupKey, e.Lane = shortened(e.DedupKey), shortened(e.Lane)
	return e, nil
}

func shortened(key string) string {
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}
