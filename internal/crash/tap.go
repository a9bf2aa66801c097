package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

// tap stands between the emulator's sender of webhooks and the network and
// notes when each event was first sent and first answered 2xx. It is the
// provider's own record of what was acknowledged.
type tap struct {
	next   http.RoundTripper
	secret string // of the channel

	mu    sync.Mutex
	seen  map[string]*delivery // by event id
	posts int
	again int // events sent more than once
}

// delivery of one event; acked is zero until a 2xx.
type delivery struct{ sent, acked time.Time }

func newTap() *tap {
	return &tap{seen: map[string]*delivery{}, next: &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute}}
}

// RoundTrip implements http.RoundTripper.
func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	body, ids, err := withoutTokens(body)
	if err != nil {
		return nil, err
	}
	t.begun(ids)
	out := r.Clone(r.Context())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.Header.Set("X-Line-Signature", linetest.Sign(t.secret, body))
	resp, err := t.next.RoundTrip(out)
	if err == nil && resp.StatusCode/100 == 2 {
		t.acknowledged(ids)
	}
	return resp, err
}

// withoutTokens takes the reply tokens out of half of the customers' events, so
// that what they are told takes the keyed route. It returns the events' ids too.
func withoutTokens(body []byte) (changed []byte, ids []string, err error) {
	var hook struct {
		Destination string                       `json:"destination"`
		Events      []map[string]json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(body, &hook); err != nil {
		return nil, nil, err
	}
	for _, e := range hook.Events {
		var id string
		var source struct {
			User string `json:"userId"`
		}
		if err := errors.Join(json.Unmarshal(e["webhookEventId"], &id), json.Unmarshal(e["source"], &source)); err != nil {
			return nil, nil, err
		}
		ids = append(ids, id)
		if len(source.User) > 1 && source.User[1] < '8' {
			delete(e, "replyToken")
		}
	}
	changed, err = json.Marshal(hook)
	return changed, ids, err
}

func (t *tap) begun(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.posts++
	for _, id := range ids {
		if t.seen[id] != nil {
			t.again++
			continue
		}
		t.seen[id] = &delivery{sent: time.Now()}
	}
}

func (t *tap) acknowledged(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		if d := t.seen[id]; d.acked.IsZero() {
			d.acked = time.Now()
		}
	}
}

// of returns what is known of an event; zero times before it was sent.
func (t *tap) of(event string) delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.seen[event]; d != nil {
		return *d
	}
	return delivery{}
}

// counts returns events acknowledged and events seen.
func (t *tap) counts() (acked, seen, again int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.seen {
		if !d.acked.IsZero() {
			acked++
		}
	}
	return acked, len(t.seen), t.again
}
