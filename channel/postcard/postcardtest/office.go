// Package postcardtest plays the post office of channel/postcard: it takes
// parcels over HTTP, delivers cards to people, and writes webhooks when they
// answer. It keeps everything in memory.
package postcardtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rivo/uniseg"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/channel/postcard"
)

// Fault is what the office does to a parcel instead.
type Fault = emukit.Mishap

// The faults: those of every provider, and the office's own refusals. After
// those that begin with Accepted the cards are delivered.
const (
	CutBefore       = emukit.CutBefore
	AcceptedThenCut = emukit.CutAfter
	AcceptedThen500 = emukit.FailAfter
	Failed          = emukit.FailBefore

	TooFast       Fault = "429"
	WrongKey      Fault = "401"
	SecondRefused Fault = "400 for the second card"
)

// keyLives is how long the office knows a parcel again by its key.
const keyLives = time.Hour

// When a webhook was not answered with 2xx, the office calls again.
const (
	callsAgain = 3
	callsAfter = time.Minute
)

// pieceChars is how much fits on one piece of card; a longer text goes out as
// two pieces with two ids.
const pieceChars = 60

// Office is the provider. Its methods may be called at once.
type Office struct {
	key      string
	faults   emukit.Faults[Fault]
	requests emukit.Record[[]byte]
	written  emukit.Record[[]byte]
	parcels  emukit.Memory[[]byte] // answers by idempotency key
	sender   *emukit.Sender[letter]

	mu      sync.Mutex
	boxes   map[string][]string
	last    int
	webhook http.Handler
}

// letter is an event on its way to a desk.
type letter struct {
	path  string // of the desk's webhook
	event []byte
}

// New opens an office whose accounts have this key.
func New(key string) *Office {
	o := &Office{key: key, boxes: map[string][]string{}, parcels: emukit.Memory[[]byte]{Life: keyLives}}
	o.sender = emukit.NewSender(emukit.SenderOptions[letter]{Webhook: o.call, Redeliveries: callsAgain, RedeliverAfter: callsAfter,
		Client: &http.Client{Transport: emukit.Transport(http.HandlerFunc(o.ring))}})
	return o
}

// Close ends the calls that the office would still make.
func (o *Office) Close() { o.sender.Close() }

// ServeHTTP is the office's side of the network: POST /parcels.
func (o *Office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/parcels" {
		http.NotFound(w, r)
		return
	}
	body, err := emukit.ReadBody(r, 1<<16)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	o.requests.Add(body)
	fault := o.faults.Next()
	if fault.Untaken(r) {
		panic(http.ErrAbortHandler)
	}
	answer := o.take(r.Header, body, fault)
	fault.Taken(r, answer, emukit.Answer{Status: http.StatusInternalServerError}, 0).Write(w)
}

// SetWebhook names the handler, of the path /webhooks/<token>, that gets what
// people write.
func (o *Office) SetWebhook(h http.Handler) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.webhook = h
}

// ring hands a call to whoever is the webhook now.
func (o *Office) ring(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	h := o.webhook
	o.mu.Unlock()
	h.ServeHTTP(w, r)
}

// Write has a person write a card, and returns the status that the webhook to
// path answered; 0 when SetWebhook named nobody. A card that was not taken is
// brought again, three times at most and a minute apart, until Close.
func (o *Office) Write(path, from, text string) int {
	o.mu.Lock()
	o.last++
	event, _ := json.Marshal(map[string]any{"kind": "card", "id": strconv.Itoa(o.last), "from": from, "name": from, "text": text,
		"at": time.Now().UnixMilli()}) // strings and a number always encode
	o.written.Add(event)
	o.mu.Unlock()
	d, _ := o.sender.Deliver(letter{path, event})
	return d.Status
}

// Written returns the events after the first n, oldest first: for whoever asks
// the office now and then instead of being called.
func (o *Office) Written(n int) [][]byte { return o.written.From(n) }

// call makes the request that brings cards to a desk.
func (o *Office) call(letters []emukit.Sending[letter]) (emukit.Webhook, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	req := o.Webhook(letters[0].Event.event)
	return emukit.Webhook{Address: "http://desk" + letters[0].Event.path, Header: req.Header, Body: req.Body}, o.webhook != nil
}

// Webhook is the genuine request that carries the events.
func (o *Office) Webhook(events ...[]byte) adapter.Request {
	req := adapter.Request{Method: http.MethodPost, Header: http.Header{},
		Body: slices.Concat([]byte("["), bytes.Join(events, []byte(",")), []byte("]"))}
	o.Sign(req.Header, req.Body)
	return req
}

// Sign puts the office's signature of a body into the header of its request.
func (o *Office) Sign(h http.Header, body []byte) {
	h.Set(postcard.SignatureHeader, kit.Sign(channel.NewSecret(o.key), body))
}

// Delivered returns the pieces in a person's letter box, oldest first.
func (o *Office) Delivered(to string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.boxes[to])
}

// Requests returns the parcels as they came, refused ones included.
func (o *Office) Requests() [][]byte { return o.requests.All() }

// Fail makes the next parcels go wrong, one fault each.
func (o *Office) Fail(faults ...Fault) { o.faults.Fail(faults...) }

// take is the whole protocol: one key, one parcel, one delivery.
func (o *Office) take(h http.Header, body []byte, fault Fault) emukit.Answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case fault == WrongKey || h.Get("Authorization") != "Bearer "+o.key:
		return emukit.Answer{Status: http.StatusUnauthorized}
	case fault == Failed:
		return emukit.Answer{Status: http.StatusInternalServerError}
	case fault == TooFast:
		return emukit.Answer{Status: http.StatusTooManyRequests}.With("Retry-After", "2")
	case fault == SecondRefused:
		return emukit.JSON(http.StatusBadRequest, map[string]int{"card": 1})
	}
	answer, err := o.deliver(h.Get("Idempotency-Key"), body)
	if err != nil {
		return emukit.JSON(http.StatusBadRequest, map[string]string{"error": "not a parcel"})
	}
	return emukit.Answer{Status: http.StatusOK, Body: answer}
}

// deliver answers a known key as before. The lock is held.
func (o *Office) deliver(key string, body []byte) ([]byte, error) {
	if before, known := o.parcels.Get(key); known {
		return bytes.Replace(before, []byte(`"again":false`), []byte(`"again":true`), 1), nil
	}
	var p struct {
		To    string
		Cards []string
	}
	if err := json.Unmarshal(body, &p); err != nil || key == "" || p.To == "" {
		return nil, fmt.Errorf("postcardtest: not a parcel: %w", err)
	}
	var ids [][]string
	for _, card := range p.Cards {
		var row []string
		for _, piece := range pieces(card) {
			o.last++
			row = append(row, strconv.Itoa(o.last))
			o.boxes[p.To] = append(o.boxes[p.To], piece)
		}
		ids = append(ids, row)
	}
	answer, err := json.Marshal(map[string]any{"again": false, "ids": ids})
	o.parcels.Put(key, answer)
	return answer, err
}

// pieces cuts a long card in two, never through a character.
func pieces(card string) []string {
	rest, n, state := card, 0, -1
	for rest != "" && n < pieceChars {
		_, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		n++
	}
	if rest == "" {
		return []string{card}
	}
	return []string{card[:len(card)-len(rest)], rest}
}
