package line

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
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
func (a *Adapter) Receive(acct channel.Account, req adapter.Request) (adapter.Receipt, error) {
	if err := signed.Verify(req, acct.Secrets[SecretChannel], acct.Secrets[SecretChannelNext]); err != nil {
		return adapter.Receipt{}, err
	}
	settings, err := a.settings.parse(acct.Settings)
	if err != nil {
		return adapter.Receipt{}, kit.Refuse(http.StatusBadRequest, "the account's settings are not valid")
	}
	events, err := openBody(req.Body, settings.BotUserID)
	if err != nil {
		return adapter.Receipt{}, err
	}
	envelopes := make([]adapter.Envelope, len(events))
	for i, raw := range events {
		envelopes[i] = envelope(acct.ID, raw)
	}
	slices.SortStableFunc(envelopes, func(x, y adapter.Envelope) int {
		return order(x).Compare(order(y))
	})
	return adapter.Receipt{Status: http.StatusOK, Envelopes: envelopes}, nil
}

// order puts events whose time is unreadable last.
func order(e adapter.Envelope) time.Time {
	if e.OccurredAt.IsZero() {
		return time.UnixMilli(math.MaxInt64)
	}
	return e.OccurredAt
}

var signed = kit.Signed{Header: signatureHeader, MaxBytes: MaxWebhookBytes, Hint: "; compare the channel secret with the LINE console"}

// Sign returns the x-line-signature that LINE would put on body. Emulators and
// tools that forward webhooks need it.
func Sign(secret channel.Secret, body []byte) string { return kit.Sign(secret, body) }

func openBody(body []byte, bot string) ([]json.RawMessage, error) {
	var room [4]kit.Member
	var top object
	if kit.Valid(body, maxDepth) {
		top = kit.ReadObjectInto(room[:], body)
	} else if !kit.Shallow(body, maxDepth) {
		return nil, kit.Refuse(http.StatusBadRequest, "the body is nested too deeply")
	}
	if top == nil {
		return nil, kit.Refuse(http.StatusBadRequest, "the body is not a JSON object")
	}
	events := top.List("events")
	if events == nil {
		return nil, kit.Refuse(http.StatusBadRequest, "the body has no list of events")
	}
	if destination, _ := top.Text("destination"); bot != "" && destination != bot {
		return nil, kit.Refuse(http.StatusBadRequest, "the webhook is meant for another bot than the account's bot_user_id")
	}
	return events, nil
}

// envelope never fails: what it cannot read is left for Parse to refuse, so
// that the event's siblings are not lost.
func envelope(acct channel.AccountID, raw json.RawMessage) adapter.Envelope {
	var room [12]kit.Member
	event := kit.ReadObjectInto(room[:], raw)
	return adapter.Envelope{
		Account:    acct,
		DedupKey:   dedupKey(event, raw),
		Lane:       lane(readSource(event)),
		OccurredAt: event.Millis("timestamp"),
		// A copy: the body is the caller's, and one event must not keep its
		// siblings in memory. Cut it is no longer JSON: quarantined and visible.
		Raw: bytes.Clone(raw[:min(len(raw), maxEventBytes)]),
	}
}

// dedupKey is LINE's event id, or a hash over what stays the same when LINE
// delivers an event again.
func dedupKey(event object, raw []byte) string {
	if id, _ := event.Text("webhookEventId"); id != "" && len(id) <= 100 && kit.Printable(id) {
		return id
	}
	if event != nil {
		lasting := event.Fields()
		delete(lasting, "deliveryContext")
		if canonical, err := json.Marshal(lasting); err == nil {
			raw = canonical
		}
	}
	sum := sha256.Sum256(bytes.TrimSpace(raw))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func lane(s source) string {
	if s.chat.ID == "" {
		return ""
	}
	l := string(s.chat.Kind) + ":" + s.chat.ID
	if len(l) > 200 || !kit.Printable(s.chat.ID) {
		sum := sha256.Sum256([]byte(s.chat.ID))
		return string(s.chat.Kind) + ":sha256:" + hex.EncodeToString(sum[:])
	}
	return l
}
