// Package postcardtest plays the post office of channel/postcard: it takes
// parcels over HTTP, delivers cards to people, and writes webhooks when they
// answer. It keeps everything in memory.
package postcardtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rivo/uniseg"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/channel/postcard"
)

// Fault is what the office does to the next parcel instead.
type Fault string

// The faults. After those that begin with "accepted" the cards are delivered.
const (
	CutBefore       Fault = "cut before"
	AcceptedThenCut Fault = "accepted, then cut"
	AcceptedThen500 Fault = "accepted, then 500"
	Failed          Fault = "500"
	TooFast         Fault = "429"
	WrongKey        Fault = "401"
	SecondRefused   Fault = "400 for the second card"
)

// pieceChars is how much fits on one piece of card; a longer text goes out as
// two pieces with two ids.
const pieceChars = 60

// Office is the provider. Its methods may be called at once.
type Office struct {
	key string

	mu       sync.Mutex
	boxes    map[string][]string
	parcels  map[string][]byte // answers by idempotency key
	requests [][]byte
	fault    Fault
	last     int
	written  [][]byte
	webhook  http.Handler
}

// New opens an office whose accounts have this key.
func New(key string) *Office {
	return &Office{key: key, boxes: map[string][]string{}, parcels: map[string][]byte{}}
}

// ServeHTTP is the office's side of the network: POST /parcels.
func (o *Office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/parcels" {
		http.NotFound(w, r)
		return
	}
	o.take(w, r)
}

// SetWebhook names the handler, of the path /webhooks/<token>, that gets what
// people write.
func (o *Office) SetWebhook(h http.Handler) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.webhook = h
}

// Write has a person write a card, and returns the status that the webhook to
// path answered; 0 when SetWebhook named nobody.
func (o *Office) Write(path, from, text string) int {
	o.mu.Lock()
	o.last++
	event, _ := json.Marshal(map[string]any{"kind": "card", "id": strconv.Itoa(o.last), "from": from, "name": from, "text": text,
		"at": time.Now().UnixMilli()}) // strings and a number always encode
	o.written = append(o.written, event)
	h := o.webhook
	o.mu.Unlock()
	if h == nil {
		return 0
	}
	req := o.Webhook(event)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(req.Method, path, bytes.NewReader(req.Body))
	r.Header = req.Header
	h.ServeHTTP(w, r)
	return w.Code
}

// Written returns the events after the first n, oldest first: for whoever asks
// the office now and then instead of being called.
func (o *Office) Written(n int) [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.written[min(n, len(o.written)):])
}

// Webhook is the genuine request that carries the events.
func (o *Office) Webhook(events ...[]byte) adapter.Request {
	body := slices.Concat([]byte("["), bytes.Join(events, []byte(",")), []byte("]"))
	return adapter.Request{Method: http.MethodPost, Body: body,
		Header: http.Header{postcard.SignatureHeader: {kit.Sign(channel.NewSecret(o.key), body)}}}
}

// Delivered returns the pieces in a person's letter box, oldest first.
func (o *Office) Delivered(to string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.boxes[to])
}

// Requests returns the parcels as they came, refused ones included.
func (o *Office) Requests() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.requests)
}

// Fail makes the next parcel go wrong.
func (o *Office) Fail(f Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = f
}

// take is the whole protocol: one key, one parcel, one delivery.
func (o *Office) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, body)
	fault := o.fault
	o.fault = ""
	if o.refused(w, r, fault) {
		return
	}
	answer, err := o.deliver(r.Header.Get("Idempotency-Key"), body)
	switch {
	case err != nil:
		http.Error(w, `{"error":"not a parcel"}`, http.StatusBadRequest)
	case fault == AcceptedThenCut:
		panic(http.ErrAbortHandler)
	case fault == AcceptedThen500:
		w.WriteHeader(http.StatusInternalServerError)
	default:
		_, _ = w.Write(answer) // a caller that has gone asks again
	}
}

// refused answers a parcel that is not taken.
func (o *Office) refused(w http.ResponseWriter, r *http.Request, fault Fault) bool {
	switch {
	case fault == CutBefore:
		panic(http.ErrAbortHandler)
	case fault == WrongKey || r.Header.Get("Authorization") != "Bearer "+o.key:
		w.WriteHeader(http.StatusUnauthorized)
	case fault == Failed:
		w.WriteHeader(http.StatusInternalServerError)
	case fault == TooFast:
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusTooManyRequests)
	case fault == SecondRefused:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"card":1}`)
	default:
		return false
	}
	return true
}

// deliver answers a known key as before. The lock is held.
func (o *Office) deliver(key string, body []byte) ([]byte, error) {
	if before, known := o.parcels[key]; known {
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
	o.parcels[key] = answer
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
