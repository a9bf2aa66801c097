package postcard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
)

// SignatureHeader carries the signature of a webhook.
const SignatureHeader = "X-Postcard-Signature"

// maxDepth is far above the office's own events, which are flat.
const maxDepth = 20

var signed = kit.Signed{Header: SignatureHeader, MaxBytes: 1 << 20, Hint: "; compare the key with the letter box"}

// Receive verifies the raw bytes and cuts them into one envelope an event. It
// reads no more of an event than it needs to tell it from others: what an event
// means is Parse's to say, later and as often as need be, so that one bad event
// never costs its siblings.
func (a *Adapter) Receive(acct channel.Account, req adapter.Request) (adapter.Receipt, error) {
	if err := signed.Verify(req, acct.Secrets[SecretKey]); err != nil {
		return adapter.Receipt{}, err
	}
	if !kit.Valid(req.Body, maxDepth) {
		return adapter.Receipt{}, kit.Refuse(http.StatusBadRequest, "the body is not JSON, or nested too deeply")
	}
	events := kit.ReadList(req.Body)
	if events == nil {
		return adapter.Receipt{}, kit.Refuse(http.StatusBadRequest, "the body is not a list of events")
	}
	var rec adapter.Receipt
	for _, raw := range events {
		event := kit.ReadObject(raw)
		rec.Envelopes = append(rec.Envelopes, adapter.Envelope{
			Account:  acct.ID,
			DedupKey: dedupKey(event, raw),
			// Cards of one person are worked on in order, those of others beside.
			Lane:       event.ID("from"),
			OccurredAt: event.Millis("at"),
			Raw:        bytes.Clone(raw), // the body is the caller's
		})
	}
	return rec, nil
}

// dedupKey tells a repeated event from a new one: by its id, or by its bytes.
func dedupKey(event kit.Object, raw []byte) string {
	if id := kit.SafeID(event.ID("id")); id != "" {
		return event.Str("kind") + ":" + id
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Parse says what an event means. What it does not know is kept as
// unsupported; what it cannot read is refused without repeating a word of it.
func (a *Adapter) Parse(_ channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	if !kit.Shallow(env.Raw, maxDepth) {
		return adapter.Inbound{}, fmt.Errorf("postcard: the event is nested too deeply: %w", adapter.ErrInvalid)
	}
	event, ok := kit.ParseObject(env.Raw)
	kind := event.Str("kind")
	if !ok || kind == "" {
		return adapter.Inbound{}, fmt.Errorf("postcard: the event is not an object with a kind: %w", adapter.ErrInvalid)
	}
	from := event.ID("from")
	in := adapter.Inbound{Type: kind, Kind: adapter.EventUnsupported, OccurredAt: event.Millis("at"),
		Chat: channel.Chat{Kind: channel.ChatUser, ID: from}, Author: adapter.Author{User: channel.ProviderUserID(from)}}
	if from == "" {
		in.Chat = channel.Chat{}
	}
	if kind != "card" {
		return in, nil
	}
	text, ok := event.Text("text")
	if !ok || from == "" || event.ID("id") == "" {
		return adapter.Inbound{}, fmt.Errorf("postcard: the card has no text, sender or id: %w", adapter.ErrInvalid)
	}
	in.Kind, in.MessageID, in.Content = adapter.EventMessage, channel.ProviderMessageID(event.ID("id")), channel.Text(text)
	in.Author.Name = event.Str("name")
	return in, nil
}
