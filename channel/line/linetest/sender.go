package linetest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
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
}

// WebhookDelivery is one webhook that was sent.
type WebhookDelivery struct {
	At       time.Time `json:"at"`
	EventIDs []string  `json:"event_ids"`
	Attempt  int       `json:"attempt"` // 0 the first, above: redelivery
	Status   int       `json:"status"`  // 0: no answer
	// Error is could_not_connect, request_timeout, error_status_code or empty.
	Error string `json:"error,omitempty"`
	Body  []byte `json:"-"`
}

// Webhooks returns the webhooks that were sent, oldest first; the last ten
// thousand at least.
func (s *Server) Webhooks() []WebhookDelivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.outbound)
}

// sender is the queue of events and the workers that send them.
type sender struct {
	queue  []*event
	held   bool
	busy   int
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Hold keeps events back until Release, so that they travel together in one
// webhook.
func (s *Server) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sender.held = true
}

// Release sends what was held back, in one webhook of all the events if
// together is set, else as Options.WebhookBatch says.
func (s *Server) Release(together bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sender.held = false
	if together && len(s.sender.queue) > 0 {
		batch := s.sender.queue
		s.sender.queue = nil
		s.sender.busy++
		s.sender.wg.Go(func() { s.deliver(batch) })
	}
	s.touch()
}

func (s *Server) startSender() {
	s.sender.ctx, s.sender.cancel = context.WithCancel(context.Background())
	for range s.opt.WebhookParallel {
		s.sender.wg.Go(s.work)
	}
}

func (s *Server) stopSender() {
	s.sender.cancel()
	s.sender.wg.Wait()
}

// enqueue puts an event in line. It always draws three numbers, however full
// the queue is, so that the stream does not depend on how fast the sender was.
// The lock is held.
func (s *Server) enqueue(e *event) {
	twice, overtaken, place := s.rng.Float64(), s.rng.Float64(), s.rng.Float64()
	s.sender.queue = append(s.sender.queue, e)
	if twice < s.chaos.Duplicate {
		again := *e
		s.sender.queue = append(s.sender.queue, &again)
	}
	if n := len(s.sender.queue); overtaken < s.chaos.Reorder {
		other := int(place * float64(n))
		s.sender.queue[n-1], s.sender.queue[other] = s.sender.queue[other], s.sender.queue[n-1]
	}
	s.touch()
}

// work sends until the server closes.
func (s *Server) work() {
	for {
		s.mu.Lock()
		batch, wait := s.take(time.Now())
		changed := s.changed
		s.mu.Unlock()
		if batch != nil {
			s.deliver(batch)
			continue
		}
		var timer *time.Timer
		var due <-chan time.Time
		if wait > 0 {
			timer = time.NewTimer(wait)
			due = timer.C
		}
		select {
		case <-changed:
		case <-due:
		case <-s.sender.ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if s.sender.ctx.Err() != nil {
			return
		}
	}
}

// take removes the next due events, or says how long to wait for one. The lock
// is held.
func (s *Server) take(now time.Time) (batch []*event, wait time.Duration) {
	if s.sender.held {
		return nil, 0
	}
	for i := 0; i < len(s.sender.queue) && len(batch) < s.opt.WebhookBatch; {
		e := s.sender.queue[i]
		if d := e.due.Sub(now); d > 0 {
			if wait == 0 || d < wait {
				wait = d
			}
			i++
			continue
		}
		batch = append(batch, e)
		s.sender.queue = slices.Delete(s.sender.queue, i, i+1)
	}
	if batch != nil {
		s.sender.busy++
	}
	return batch, wait
}

// deliver sends one webhook and queues its events again when it failed.
func (s *Server) deliver(batch []*event) {
	d, ok := s.post(batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sender.busy--
	if !ok {
		s.touch()
		return
	}
	if len(s.outbound) >= keepCalls {
		s.outbound = append(s.outbound[:0:0], s.outbound[keepCalls/2:]...)
	}
	s.outbound = append(s.outbound, d)
	if d.Error != "" && s.sender.ctx.Err() == nil {
		for _, e := range batch {
			if e.tries < s.opt.Redeliveries {
				again := *e
				again.tries++
				again.due = time.Now().Add(s.opt.RedeliverAfter)
				s.sender.queue = append(s.sender.queue, &again)
			}
		}
	}
	s.touch()
}

// post sends the events in one body. ok is false when there is no address.
func (s *Server) post(batch []*event) (d WebhookDelivery, ok bool) {
	s.mu.Lock()
	address, secret := s.webhookURL, s.secret
	if s.chaos.WrongSign > s.sendRng.Float64() {
		secret = "wrong " + secret
	}
	events := make([]json.RawMessage, 0, len(batch))
	for _, e := range batch {
		raw, err := e.encode()
		if err != nil {
			continue // an event that cannot be JSON never was one
		}
		events = append(events, raw)
		d.EventIDs = append(d.EventIDs, e.id)
		d.Attempt = max(d.Attempt, e.tries)
		if ref := s.replies[e.token]; ref != nil {
			ref.delivered = s.now()
		}
	}
	d.At = s.now()
	s.mu.Unlock()
	if address == "" {
		return d, false
	}
	d.Body = s.webhookBody(events)
	d.Status, d.Error = s.call(address, secret, d.Body)
	s.log.Debug("linetest: webhook", "events", len(events), "status", d.Status, "error", d.Error)
	return d, true
}

func (s *Server) webhookBody(events []json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteString(`{"destination":"` + s.botID + `","events":[`)
	for i, e := range events {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(e)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// call posts a signed body and names the failure as LINE's statistics do.
func (s *Server) call(address, secret string, body []byte) (int, string) {
	ctx, cancel := context.WithTimeout(s.sender.ctx, s.opt.WebhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, "could_not_connect"
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "LineBotWebhook/2.0")
	req.Header.Set("X-Line-Signature", Sign(secret, body))
	resp, err := s.client.Do(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return 0, "request_timeout"
	case err != nil:
		return 0, "could_not_connect"
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode, "error_status_code"
	}
	return resp.StatusCode, ""
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
	address, secret := s.webhookURL, s.secret
	s.mu.Unlock()
	status, _ := s.call(address, secret, s.webhookBody(nil))
	return status
}
