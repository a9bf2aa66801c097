package kit

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

// Refuse is the *adapter.ReceiveError of a webhook that is not taken.
func Refuse(status int, detail string) error {
	return &adapter.ReceiveError{Status: status, Detail: detail}
}

// Signed says how a provider signs its webhooks: one header with the base64 of
// the HMAC-SHA256 over the raw body.
type Signed struct {
	Header   string // the header's name
	MaxBytes int    // of the body
	// Hint ends the refusal of a signature that does not match: where to look.
	Hint string
}

// Verify checks req under each of the secrets that is not empty: the present
// one, and the next while they change. A refusal is a *adapter.ReceiveError: 405
// for another method than POST, 413 for more than MaxBytes, and 401 for a missing
// or wrong signature, for no secret at all, and for a body with a content encoding,
// since the signature is over plain bytes.
func (s Signed) Verify(req adapter.Request, secrets ...channel.Secret) error {
	if req.Method != "" && req.Method != http.MethodPost {
		return Refuse(http.StatusMethodNotAllowed, "webhooks are sent with POST")
	}
	if len(req.Body) > s.MaxBytes {
		return Refuse(http.StatusRequestEntityTooLarge, "the body is larger than the provider sends")
	}
	for _, enc := range headerValues(req.Header, "Content-Encoding") {
		if enc != "" && !strings.EqualFold(enc, "identity") {
			return Refuse(http.StatusUnauthorized, "the body has a content encoding; the signature is over the plain bytes")
		}
	}
	got, err := s.signature(req.Header)
	if err != nil {
		return err
	}
	usable, matches := false, false
	for _, secret := range secrets {
		if secret.Empty() {
			continue
		}
		usable = true
		sum := mac(secret, req.Body)
		matches = hmac.Equal(sum[:], got) || matches
	}
	switch {
	case !usable:
		return Refuse(http.StatusUnauthorized, "the account has no secret to check the signature with")
	case !matches:
		return Refuse(http.StatusUnauthorized, "the signature does not match"+s.Hint)
	}
	return nil
}

func (s Signed) signature(h http.Header) ([]byte, error) {
	values := headerValues(h, s.Header)
	if len(values) != 1 {
		return nil, Refuse(http.StatusUnauthorized, "exactly one "+strings.ToLower(s.Header)+" header is needed")
	}
	// The decoder skips line breaks, so the length is checked on the text too.
	if len(values[0]) != base64.StdEncoding.EncodedLen(sha256.Size) {
		return nil, Refuse(http.StatusUnauthorized, "the signature does not have the length of one")
	}
	got, err := base64.StdEncoding.Strict().DecodeString(values[0])
	if err != nil || len(got) != sha256.Size {
		return nil, Refuse(http.StatusUnauthorized, "the signature is not base64")
	}
	return got, nil
}

// Sign returns what the provider puts into the header; emulators need it.
func Sign(secret channel.Secret, body []byte) string {
	sum := mac(secret, body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// keyed is a hash that has taken its key in. Reset it is as good as a new one, at a
// third of the cost.
type keyed struct {
	secret string
	hash   hash.Hash
	sum    [sha256.Size]byte
}

var keyedHashes sync.Pool

func mac(secret channel.Secret, body []byte) (sum [sha256.Size]byte) {
	k, _ := keyedHashes.Get().(*keyed)
	if k == nil || subtle.ConstantTimeCompare([]byte(k.secret), []byte(secret.Reveal())) == 0 {
		k = &keyed{secret: secret.Reveal(), hash: hmac.New(sha256.New, []byte(secret.Reveal()))}
	}
	k.hash.Write(body)
	k.hash.Sum(k.sum[:0])
	sum = k.sum
	k.hash.Reset()
	keyedHashes.Put(k)
	return sum
}

// headerValues returns all values of a header whose name may be in any case.
func headerValues(h http.Header, name string) []string {
	var all []string
	for k, v := range h {
		if strings.EqualFold(k, name) {
			if all == nil {
				all = v
				continue
			}
			all = append(slices.Clip(all), v...)
		}
	}
	return all
}
