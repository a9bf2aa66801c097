package line

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
)

const (
	signatureHeader = "X-Line-Signature"
	maxEventBytes   = 1 << 20
	maxDepth        = 100 // LINE's own events are less than ten deep
)

// Receive verifies the signature over the raw bytes and splits the body into
// one Envelope an event, in the order of their own time. Refusals: 401 for a
// missing or wrong signature, a body that was encoded on the way and an account
// without a secret; 400 for a signed body that is not a LINE webhook or is
// meant for another bot; 405, 413. An empty list of events (LINE's own test)
// is accepted and has no Envelopes.
func (a *Adapter) Receive(acct channel.Account, req channel.Request) (channel.Receipt, error) {
	if err := verify(acct, req); err != nil {
		return channel.Receipt{}, err
	}
	settings, err := a.settings.parse(acct.Settings)
	if err != nil {
		return channel.Receipt{}, refuse(http.StatusBadRequest, "the account's settings are not valid")
	}
	events, err := openBody(req.Body, settings.BotUserID)
	if err != nil {
		return channel.Receipt{}, err
	}
	envelopes := make([]channel.Envelope, len(events))
	for i, raw := range events {
		envelopes[i] = envelope(acct.ID, raw)
	}
	slices.SortStableFunc(envelopes, func(x, y channel.Envelope) int {
		return order(x).Compare(order(y))
	})
	return channel.Receipt{Status: http.StatusOK, Envelopes: envelopes}, nil
}

// order puts events whose time is unreadable last.
func order(e channel.Envelope) time.Time {
	if e.OccurredAt.IsZero() {
		return time.UnixMilli(math.MaxInt64)
	}
	return e.OccurredAt
}

func refuse(status int, detail string) error {
	return &channel.ReceiveError{Status: status, Detail: detail}
}

func verify(acct channel.Account, req channel.Request) error {
	if req.Method != "" && req.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "webhooks are sent with POST")
	}
	if len(req.Body) > MaxWebhookBytes {
		return refuse(http.StatusRequestEntityTooLarge, "the body is larger than 2 MiB")
	}
	if acct.Secrets[SecretChannel].Empty() {
		return refuse(http.StatusUnauthorized, "the account has no channel secret")
	}
	for _, enc := range header(req.Header, "Content-Encoding") {
		if enc != "" && !strings.EqualFold(enc, "identity") {
			return refuse(http.StatusUnauthorized, "the body has a content encoding; the signature is over the plain bytes")
		}
	}
	values := header(req.Header, signatureHeader)
	if len(values) != 1 {
		return refuse(http.StatusUnauthorized, "exactly one x-line-signature header is needed")
	}
	// The decoder skips line breaks, so the length is checked on the text too.
	if len(values[0]) != base64.StdEncoding.EncodedLen(sha256.Size) {
		return refuse(http.StatusUnauthorized, "the signature does not have the length of one")
	}
	got, err := base64.StdEncoding.Strict().DecodeString(values[0])
	if err != nil || len(got) != sha256.Size {
		return refuse(http.StatusUnauthorized, "the signature is not base64")
	}
	if !signedBy(acct.Secrets[SecretChannel], req.Body, got) && !signedBy(acct.Secrets[SecretChannelNext], req.Body, got) {
		return refuse(http.StatusUnauthorized, "the signature does not match; compare the channel secret with the LINE console")
	}
	return nil
}

// header returns all values of a header whose name may be in any case.
func header(h http.Header, name string) []string {
	var all []string
	for k, v := range h {
		if strings.EqualFold(k, name) {
			all = append(all, v...)
		}
	}
	return all
}

func signedBy(secret channel.Secret, body, got []byte) bool {
	if secret.Empty() {
		return false
	}
	return hmac.Equal(mac(secret.Reveal(), body), got)
}

func mac(secret string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return h.Sum(nil)
}

// Sign returns the x-line-signature that LINE would put on body. Emulators and
// tools that forward webhooks need it.
func Sign(secret channel.Secret, body []byte) string {
	return base64.StdEncoding.EncodeToString(mac(secret.Reveal(), body))
}

func openBody(body []byte, bot string) ([]json.RawMessage, error) {
	if !shallow(body) {
		return nil, refuse(http.StatusBadRequest, "the body is nested too deeply")
	}
	top, ok := toObject(body)
	if !ok {
		return nil, refuse(http.StatusBadRequest, "the body is not a JSON object")
	}
	events := top.list("events")
	if events == nil {
		return nil, refuse(http.StatusBadRequest, "the body has no list of events")
	}
	if destination, _ := top.text("destination"); bot != "" && destination != bot {
		return nil, refuse(http.StatusBadRequest, "the webhook is meant for another bot than the account's bot_user_id")
	}
	return events, nil
}

// shallow bounds the nesting before anything recursive sees the bytes.
func shallow(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// envelope never fails: what it cannot read is left for Parse to refuse, so
// that the event's siblings are not lost.
func envelope(acct channel.AccountID, raw json.RawMessage) channel.Envelope {
	event := readObject(raw)
	return channel.Envelope{
		Account:    acct,
		DedupKey:   dedupKey(event, raw),
		Lane:       lane(readSource(event)),
		OccurredAt: event.time("timestamp"),
		// A copy: the body is the caller's, and one event must not keep its
		// siblings in memory. Cut it is no longer JSON: quarantined and visible.
		Raw: bytes.Clone(raw[:min(len(raw), maxEventBytes)]),
	}
}

// dedupKey is LINE's event id, or a hash over what stays the same when LINE
// delivers an event again.
func dedupKey(event object, raw []byte) string {
	if id, _ := event.text("webhookEventId"); id != "" && len(id) <= 100 && printable(id) {
		return id
	}
	if event != nil {
		lasting := event.fields()
		delete(lasting, "deliveryContext")
		if canonical, err := json.Marshal(lasting); err == nil {
			raw = canonical
		}
	}
	sum := sha256.Sum256(bytes.TrimSpace(raw))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

func lane(s source) string {
	if s.chat.ID == "" {
		return ""
	}
	l := string(s.chat.Kind) + ":" + s.chat.ID
	if len(l) > 200 || !printable(s.chat.ID) {
		sum := sha256.Sum256([]byte(s.chat.ID))
		return string(s.chat.Kind) + ":sha256:" + hex.EncodeToString(sum[:])
	}
	return l
}
