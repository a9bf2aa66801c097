package kit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

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
// one, and the next while they change. It refuses with 405, 413 and 401; a body
// with a content encoding is refused since the signature is over plain bytes.
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
		matches = hmac.Equal(mac(secret, req.Body), got) || matches
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
	return base64.StdEncoding.EncodeToString(mac(secret, body))
}

func mac(secret channel.Secret, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	h.Write(body)
	return h.Sum(nil)
}

// headerValues returns all values of a header whose name may be in any case.
func headerValues(h http.Header, name string) []string {
	var all []string
	for k, v := range h {
		if strings.EqualFold(k, name) {
			all = append(all, v...)
		}
	}
	return all
}
