package webchat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
)

// From server to server: the host's own backend speaks for its members, for
// instance that of a mobile application. It signs the body with visitor_key and
// posts it to the account's webhook address.

// SignatureHeader carries the HMAC-SHA256 of the body under visitor_key, in
// lower-case hexadecimal digits.
const SignatureHeader = "Sangdam-Signature"

// Sign returns the value of SignatureHeader for a body.
func Sign(visitorKey string, body []byte) string {
	h := hmac.New(sha256.New, []byte(visitorKey))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

const (
	maxRelayed   = 1 << 20 // bytes of a body
	maxRelayedID = 150
)

// Receive implements adapter.Adapter for events of the host's own server. Refusals:
// 401 for a missing or wrong signature, an encoded body and an account without a
// usable visitor_key; 400 for what is no JSON object with events; 413 above 1 MiB.
func (a *Adapter) Receive(acct channel.Account, req adapter.Request) (adapter.Receipt, error) {
	no := func(status int, detail string) (adapter.Receipt, error) {
		return adapter.Receipt{}, &adapter.ReceiveError{Status: status, Detail: detail}
	}
	if len(req.Body) > maxRelayed {
		return no(http.StatusRequestEntityTooLarge, "a body has at most 1 MiB")
	}
	key := acct.Secrets[SecretVisitor].Reveal()
	signed := hmac.Equal([]byte(Sign(key, req.Body)), []byte(req.Header.Get(SignatureHeader)))
	if len(key) < minKey || req.Header.Get("Content-Encoding") != "" || !signed {
		return no(http.StatusUnauthorized, "the body is not signed with visitor_key")
	}
	var body struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(req.Body, &body); err != nil {
		return no(http.StatusBadRequest, "the body is not a JSON object with events")
	}
	var rec adapter.Receipt
	for _, raw := range body.Events {
		sum := sha256.Sum256(raw)
		env := adapter.Envelope{DedupKey: "hash:" + hex.EncodeToString(sum[:]), Raw: raw}
		if e, err := readEvent(raw); err == nil {
			env.DedupKey, env.Lane, env.OccurredAt = "id:"+e.ID, string(MemberUser(e.Subject)), e.At
		}
		rec.Envelopes = append(rec.Envelopes, env)
	}
	return rec, nil
}

// event is one event of the host's server.
type event struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	Subject string    `json:"subject"`
	Name    string    `json:"name"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
}

func readEvent(raw []byte) (event, error) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, errs.New(errs.Invalid, "webchat: the event is not a JSON object of the documented form")
	}
	sized := func(s string, most int) bool { return s != "" && len(s) <= most }
	if !sized(e.ID, maxRelayedID) || !sized(e.Type, 50) || !sized(e.Subject, maxSubject) || e.At.IsZero() {
		return e, errs.New(errs.Invalid, "webchat: an event needs id, type, subject and at")
	}
	return e, nil
}

// Parse implements adapter.Adapter.
func (a *Adapter) Parse(_ channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	e, err := readEvent(env.Raw)
	if err != nil {
		return adapter.Inbound{}, err
	}
	user := MemberUser(e.Subject)
	in := adapter.Inbound{Type: e.Type, Chat: channel.Chat{Kind: channel.ChatUser, ID: string(user)},
		Author: adapter.Author{User: user, Name: e.Name}, OccurredAt: e.At}
	switch e.Type {
	case "message":
		if e.Text == "" || !utf8.ValidString(e.Text) || utf8.RuneCountInString(e.Text) > maxText {
			return adapter.Inbound{}, errs.New(errs.Invalid, "webchat: a message has a text of at most 10,000 characters")
		}
		in.Kind, in.Content = adapter.EventMessage, channel.Text(e.Text)
		in.MessageID = channel.ProviderMessageID(string(user) + "/" + e.ID)
		in.ReadHandle = string(in.MessageID)
	case "read":
		in.Kind, in.Watermark = adapter.EventRead, e.At
	case "typing":
		in.Kind = adapter.EventTyping
	case "ended":
		in.Kind = adapter.EventEnded
	default:
		in.Kind = adapter.EventUnsupported
	}
	return in, nil
}
