package adapter

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// Request is a webhook as it arrived. Body is the raw bytes.
type Request struct {
	Method string
	URL    *url.URL // as the provider sees it
	Header http.Header
	Body   []byte
}

// Receipt is the answer to a webhook and the events found in it.
type Receipt struct {
	// Status, Header and Body answer the provider once every Envelope is
	// stored. Status 0 means 200 with an empty body.
	Status int
	Header http.Header
	Body   []byte
	// Envelopes holds one entry an event, in the order of their own time.
	Envelopes []Envelope
}

// Envelope is one inbound event, verified, raw, and stored before the provider
// is answered. The adapter fills DedupKey, Lane, OccurredAt and Raw; the rest
// is set by the library.
type Envelope struct {
	ID      channel.EnvelopeID
	Account channel.AccountID
	// DedupKey is unique per account: the provider's event id, or a hash of the
	// raw event where there is none. It is not empty; one of more than 200 bytes
	// is stored as its hash.
	DedupKey string
	// Lane is the unit of order within the account: the chat, or empty for
	// events of the account itself. One of more than 200 bytes is stored as its
	// hash.
	Lane string
	// OccurredAt is the provider's time of the event.
	OccurredAt time.Time
	ReceivedAt time.Time
	// Raw is the event alone, as sent, at most MaxEnvelope bytes; of a Runner at
	// most MaxLargeEnvelope.
	Raw []byte
	// Sealed says, while it is appended, that Raw is sealed and may be as much
	// longer. Stores do not keep it.
	Sealed bool
	// Tries counts earlier processing attempts that failed for a temporary
	// reason.
	Tries int
}

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

// Fitting is the envelope as every store can keep it: a DedupKey or Lane of more
// than 200 bytes gives way to its hash, which is as good a key and keeps the same
// order. What cannot be kept is ErrInvalid: no account, no dedup key, or a Raw of
// more than MaxEnvelope bytes, with some room more where it is Sealed.
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

// Quarantined is an envelope that could not be processed.
type Quarantined struct {
	Envelope Envelope
	Reason   string
	At       time.Time
}
