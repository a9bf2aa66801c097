package emukit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// SenderOptions configures NewSender.
type SenderOptions[E any] struct {
	// Webhook makes the request that carries the events, genuinely signed. ok is
	// false when there is nobody to send to: then the events are dropped. It runs
	// without a lock of the sender's.
	Webhook func(events []Sending[E]) (w Webhook, ok bool)
	// Client delivers; nil means one of the sender's own.
	Client *http.Client
	// Timeout is how long the provider waits for an answer; 0: ten seconds.
	Timeout time.Duration
	// Parallel is how many webhooks are under way at once; 0 means 1, which keeps
	// the order of events.
	Parallel int
	// Batch is how many waiting events one webhook carries at most; 0 means 1.
	Batch int
	// Redeliveries is how often an event is sent again whose webhook was not
	// answered with 2xx in time, RedeliverAfter the pause before that.
	Redeliveries   int
	RedeliverAfter time.Duration
	// Chance gives the numbers from 0 to 1 that Chaos draws. Queue alone asks it,
	// three times for each event, so that a seeded source repeats however fast
	// the sender is; nil: there is no chaos.
	Chance func() float64
	// Now is the provider's clock, for Delivery.At; nil means time.Now. Pauses
	// and time-outs are real time.
	Now func() time.Time
	// Changes are touched whenever something was queued or sent; nil: the
	// sender's own.
	Changes *Changes
	// Log gets deliveries at debug level; nil is silent.
	Log *slog.Logger
}

// Sending is an event on its way.
type Sending[E any] struct {
	Event   E
	Attempt int // 0 the first, above: redelivery
}

// Webhook is a request as the sender posts it.
type Webhook struct {
	Address  string
	Header   http.Header
	Body     []byte
	EventIDs []string // of the events in it, for Delivery
}

// Delivery is one webhook that was sent.
type Delivery struct {
	At       time.Time `json:"at"`
	EventIDs []string  `json:"event_ids"`
	Attempt  int       `json:"attempt"` // 0 the first, above: redelivery
	Status   int       `json:"status"`  // 0: no answer
	// Error is could_not_connect, request_timeout, error_status_code or empty.
	Error string `json:"error,omitempty"`
	Body  []byte `json:"-"`
}

// Why a webhook was not taken.
const (
	CouldNotConnect = "could_not_connect"
	RequestTimeout  = "request_timeout"
	ErrorStatus     = "error_status_code"
)

// Chaos makes a sender behave as the internet may. Each value is a probability, from
// 0 to 1, for each event.
type Chaos struct {
	Duplicate float64 // an event is sent once more, as it is
	Reorder   float64 // an event changes places with one that waits
}

// keptDeliveries is how many webhooks a sender remembers.
const keptDeliveries = 10_000

// Sender sends an emulator's events by webhook: in order, and again where they
// were not taken. It has goroutines only while something waits to be sent. All
// methods may be called at once.
type Sender[E any] struct {
	opt    SenderOptions[E]
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	sent   Record[Delivery]

	mu      sync.Mutex
	queue   []queued[E]
	held    bool
	chaos   Chaos
	workers int
	busy    int // webhooks under way
}

type queued[E any] struct {
	Sending[E]
	due time.Time // real time before which it is not sent
}

// NewSender returns a sender that works until Close.
func NewSender[E any](o SenderOptions[E]) *Sender[E] {
	s := &Sender[E]{opt: o, sent: Record[Delivery]{Keep: keptDeliveries}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.opt.Batch, s.opt.Parallel = max(o.Batch, 1), max(o.Parallel, 1)
	if s.opt.Timeout == 0 {
		s.opt.Timeout = 10 * time.Second
	}
	if s.opt.Client == nil {
		s.opt.Client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}}
	}
	if s.opt.Now == nil {
		s.opt.Now = time.Now
	}
	if s.opt.Changes == nil {
		s.opt.Changes = &Changes{}
	}
	if s.opt.Log == nil {
		s.opt.Log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Close ends the sender and waits for it. Webhooks under way are cut, and what
// waits is never sent.
func (s *Sender[E]) Close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.wg.Wait()
}

// Queue puts an event in line.
func (s *Sender[E]) Queue(event E) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := queued[E]{Sending: Sending[E]{Event: event}}
	s.queue = append(s.queue, one)
	if s.opt.Chance != nil {
		twice, overtaken, place := s.opt.Chance(), s.opt.Chance(), s.opt.Chance()
		if twice < s.chaos.Duplicate {
			s.queue = append(s.queue, one)
		}
		if n := len(s.queue); overtaken < s.chaos.Reorder {
			other := min(int(place*float64(n)), n-1)
			s.queue[n-1], s.queue[other] = s.queue[other], s.queue[n-1]
		}
	}
	s.start()
}

// Deliver sends an event at once, past those that wait, and says what became of
// it; ok is false when there is nobody to send to. One that was not taken is
// queued for redelivery, if there are Redeliveries.
func (s *Sender[E]) Deliver(event E) (d Delivery, ok bool) {
	s.mu.Lock()
	s.busy++
	s.mu.Unlock()
	return s.deliver([]Sending[E]{{Event: event}})
}

// SetChaos switches it on; the zero Chaos off.
func (s *Sender[E]) SetChaos(c Chaos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chaos = c
}

// Hold keeps events back until Release.
func (s *Sender[E]) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// Release sends what was held back: in one webhook of all the events if
// together is set, else in as many as there would have been.
func (s *Sender[E]) Release(together bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	if together && len(s.queue) > 0 && s.ctx.Err() == nil {
		var batch []Sending[E]
		for _, one := range s.queue {
			batch = append(batch, one.Sending)
		}
		s.queue = nil
		s.busy++
		s.wg.Go(func() { s.deliver(batch) })
	}
	s.start()
}

// Waiting is how many events wait, those that are to be redelivered included.
func (s *Sender[E]) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// Idle reports that nothing waits and nothing is under way.
func (s *Sender[E]) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy == 0 && len(s.queue) == 0
}

// Sent returns the webhooks that were sent, the newest ten thousand.
func (s *Sender[E]) Sent() []Delivery { return s.sent.All() }

// start lets as many workers work as there is work for. The lock is held.
func (s *Sender[E]) start() {
	for s.workers < min(s.opt.Parallel, len(s.queue)) && !s.held && s.ctx.Err() == nil {
		s.workers++
		s.wg.Go(s.work)
	}
	s.opt.Changes.Touch()
}

// work sends until nothing is left to send.
func (s *Sender[E]) work() {
	for {
		changed := s.opt.Changes.Next()
		batch, wait := s.take(time.Now())
		switch {
		case batch != nil:
			s.deliver(batch)
		case wait == 0:
			return
		default:
			s.sleep(wait, changed)
		}
	}
}

// sleep waits for a redelivery to be due, or for something else to do.
func (s *Sender[E]) sleep(d time.Duration, changed <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-s.ctx.Done():
	}
}

// take removes the next due events, or says how long to wait for one. When it
// says neither, the worker has ended.
func (s *Sender[E]) take(now time.Time) (batch []Sending[E], wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(s.queue) && len(batch) < s.opt.Batch && !s.held && s.ctx.Err() == nil; {
		one := s.queue[i]
		if d := one.due.Sub(now); d > 0 {
			if wait == 0 || d < wait {
				wait = d
			}
			i++
			continue
		}
		batch = append(batch, one.Sending)
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	switch {
	case batch != nil:
		s.busy++
	case wait == 0:
		s.workers--
	}
	return batch, wait
}

// deliver sends one webhook and queues its events again when it was not taken.
func (s *Sender[E]) deliver(batch []Sending[E]) (d Delivery, ok bool) {
	w, ok := s.opt.Webhook(batch)
	if ok {
		d = Delivery{At: s.opt.Now(), EventIDs: w.EventIDs, Body: w.Body}
		for _, one := range batch {
			d.Attempt = max(d.Attempt, one.Attempt)
		}
		d.Status, d.Error = s.Post(w)
		s.opt.Log.Debug("emulator: webhook", "events", len(batch), "status", d.Status, "error", d.Error)
		s.sent.Add(d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	for _, one := range batch {
		if d.Error != "" && one.Attempt < s.opt.Redeliveries {
			one.Attempt++
			s.queue = append(s.queue, queued[E]{Sending: one, due: time.Now().Add(s.opt.RedeliverAfter)})
		}
	}
	s.start()
	return d, ok
}

// Post sends one webhook once, beside the queue, and says how it was answered: a
// status, 0 for no answer, and why it was not taken, as in Delivery.Error.
func (s *Sender[E]) Post(w Webhook) (status int, failure string) {
	ctx, cancel := context.WithTimeout(s.ctx, s.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Address, bytes.NewReader(w.Body))
	if err != nil {
		return 0, CouldNotConnect
	}
	req.Header = w.Header
	resp, err := s.opt.Client.Do(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return 0, RequestTimeout
	case err != nil:
		return 0, CouldNotConnect
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode, ErrorStatus
	}
	return resp.StatusCode, ""
}
