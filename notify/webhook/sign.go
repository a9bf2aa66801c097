package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
)

// Headers of a request.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Tolerance is how far the time of a request may be from the receiver's clock.
const Tolerance = 5 * time.Minute

const secretPrefix = "whsec_"

// Secret sizes in bytes that the standard allows.
const minSecret, maxSecret = 24, 64

// NewSecret makes a signing secret of 32 random bytes.
func NewSecret() channel.Secret {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return channel.NewSecret(secretPrefix + base64.StdEncoding.EncodeToString(raw[:]))
}

// keys are the target's signing secrets, the first one needed.
func keys(t notify.Target) ([][]byte, error) {
	var out [][]byte
	for _, name := range []string{SecretName, SecretNext} {
		s, has := t.Secrets[name]
		if !has && name == SecretNext {
			continue
		}
		key, err := parseSecret(s.Reveal())
		if err != nil {
			return nil, errs.About("secrets."+name, err)
		}
		out = append(out, key)
	}
	return out, nil
}

// parseSecret refuses a secret that signs nothing: who knows that it is empty
// could sign as well.
func parseSecret(s string) ([]byte, error) {
	raw, found := strings.CutPrefix(s, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(raw)
	if !found || err != nil || len(key) < minSecret || len(key) > maxSecret {
		return nil, errs.New(errs.Invalid, `webhook: the secret is "whsec_" and the base64 of %d to %d bytes; make one with NewSecret`,
			minSecret, maxSecret)
	}
	return key, nil
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// mac is the signature of the version v1.
func mac(key []byte, id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return h.Sum(nil)
}

// sign makes the header: one signature a secret.
func sign(secrets [][]byte, id string, at time.Time, body []byte) string {
	var list []string
	for _, key := range secrets {
		list = append(list, "v1,"+base64.StdEncoding.EncodeToString(mac(key, id, unix(at), body)))
	}
	return strings.Join(list, " ")
}

// Verify checks a request that a receiver got: one of its secrets made one of
// the signatures, and the request is not older than Tolerance. The body is the
// raw one. A secret that is empty or too short is an error as well. Whoever
// acts on requests remembers the id for as long as it must not act twice.
func Verify(h http.Header, body []byte, now time.Time, secrets ...channel.Secret) error {
	if len(secrets) == 0 {
		return errs.New(errs.Invalid, "webhook: no secret was given to check the request with")
	}
	id, stamp := h.Get(HeaderID), h.Get(HeaderTimestamp)
	at, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil {
		return errs.New(errs.Invalid, "webhook: the request has no webhook-id or no webhook-timestamp in seconds")
	}
	if age := now.Sub(time.Unix(at, 0)); age > Tolerance || age < -Tolerance {
		return errs.New(errs.Invalid,
			"webhook: the request is older than %s, or from the future: a repeat of a recorded one, or a wrong clock", Tolerance)
	}
	given := strings.Fields(h.Get(HeaderSignature))
	if len(given) > 10 {
		return errs.New(errs.Invalid, "webhook: the request has %d signatures; at most 10 are looked at", len(given))
	}
	for _, s := range secrets {
		key, err := parseSecret(s.Reveal())
		if err != nil {
			return err
		}
		want := mac(key, id, stamp, body)
		for _, g := range given {
			text, v1 := strings.CutPrefix(g, "v1,")
			got, err := base64.StdEncoding.DecodeString(text)
			if v1 && err == nil && hmac.Equal(got, want) {
				return nil
			}
		}
	}
	return errs.New(errs.Invalid, "webhook: no signature of the request is right; the body was changed or the secret is another")
}
