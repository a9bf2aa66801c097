package linetest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/sangdam/sangdam/channel/emukit"
)

// Chaos makes the webhook sender behave as the internet may. Each value is a
// probability from the server's seed.
type Chaos struct {
	Duplicate float64 `json:"duplicate"` // an event is sent once more, as it is
	Reorder   float64 `json:"reorder"`   // an event is overtaken by the next ones
	WrongSign float64 `json:"wrong_sign"`
}

// SetChaos switches it on; the zero Chaos off.
func (s *Server) SetChaos(c Chaos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chaos = c
	s.sender.SetChaos(emukit.Chaos{Duplicate: c.Duplicate, Reorder: c.Reorder})
}

// WebhookDelivery is one webhook that was sent. Its Error is named as in LINE's
// statistics.
type WebhookDelivery = emukit.Delivery

// Webhooks returns the webhooks that were sent, oldest first; the last ten
// thousand.
func (s *Server) Webhooks() []WebhookDelivery { return s.sender.Sent() }

// Hold keeps events back until Release, so that they travel together in one
// webhook.
func (s *Server) Hold() { s.sender.Hold() }

// Release sends what was held back, in one webhook of all the events if
// together is set, else as Options.WebhookBatch says.
func (s *Server) Release(together bool) { s.sender.Release(together) }

func (s *Server) newSender() *emukit.Sender[*event] {
	return emukit.NewSender(emukit.SenderOptions[*event]{
		Webhook: s.webhook, Client: s.opt.WebhookClient, Timeout: s.opt.WebhookTimeout,
		Parallel: s.opt.WebhookParallel, Batch: s.opt.WebhookBatch,
		Redeliveries: s.opt.Redeliveries, RedeliverAfter: s.opt.RedeliverAfter,
		Chance: s.rng.Float64, // events are queued with the lock held
		Now:    s.opt.Now, Changes: &s.changes, Log: s.log,
	})
}

// webhook makes the request that carries events; none without an address.
func (s *Server) webhook(batch []emukit.Sending[*event]) (emukit.Webhook, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret := s.secret
	if s.chaos.WrongSign > s.sendRng.Float64() {
		secret = "wrong " + secret
	}
	var ids []string
	events := make([]json.RawMessage, 0, len(batch))
	for _, one := range batch {
		raw, err := one.Event.encode(one.Attempt > 0)
		if err != nil {
			continue // an event that cannot be JSON never was one
		}
		events, ids = append(events, raw), append(ids, one.Event.id)
		if ref, ok := s.replies.Get(one.Event.token); ok {
			ref.delivered = s.now()
		}
	}
	w := s.signed(s.webhookURL, secret, events)
	w.EventIDs = ids
	return w, s.webhookURL != ""
}

// signed is a webhook of LINE's. The lock is held.
func (s *Server) signed(address, secret string, events []json.RawMessage) emukit.Webhook {
	var b bytes.Buffer
	b.WriteString(`{"destination":"` + s.botID + `","events":[`)
	for i, e := range events {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(e)
	}
	b.WriteString(`]}`)
	return emukit.Webhook{Address: address, Body: b.Bytes(), Header: http.Header{
		"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"LineBotWebhook/2.0"},
		"X-Line-Signature": {Sign(secret, b.Bytes())},
	}}
}

// Sign returns the x-line-signature of a body.
func Sign(secret string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// SendVerify sends the empty webhook that LINE's console sends to try an
// address, at once, and returns its status.
func (s *Server) SendVerify() int {
	s.mu.Lock()
	w := s.signed(s.webhookURL, s.secret, nil)
	s.mu.Unlock()
	status, _ := s.sender.Post(w)
	return status
}
