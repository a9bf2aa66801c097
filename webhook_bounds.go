package sangdam

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
)

// Anybody on the internet may send to a webhook's address, at any speed and
// size. Until the signature is checked a request may hold nothing that verified
// ones need: it is bounded in count, bytes and time of its own.
const (
	// maxReading is how many bodies are read at once.
	maxReading = 4096
	// maxReadingBytes is how much of unverified bodies is held at once.
	maxReadingBytes = 256 << 20
	// readWithin is how long the body of one request may take.
	readWithin = 10 * time.Second
)

var errTooMuch = errors.New("too much is being read")

// bodyReader counts the bodies that are being read.
type bodyReader struct{ count, bytes atomic.Int64 }

// read returns the body, or the status that refuses it. What it holds counts
// until release.
func (b *bodyReader) read(w http.ResponseWriter, r *http.Request) (body []byte, release func(), status int) {
	held := &countedBody{from: safehttp.Body(w, r, maxWebhookBody, readWithin), of: b}
	release = func() {
		b.count.Add(-1)
		b.bytes.Add(-held.n)
	}
	if b.count.Add(1) > maxReading {
		return nil, release, http.StatusServiceUnavailable
	}
	body, err := readAll(held, r.ContentLength)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil:
		return body, release, 0
	case tooLarge:
		return nil, release, http.StatusRequestEntityTooLarge
	case errors.Is(err, errTooMuch):
		return nil, release, http.StatusServiceUnavailable
	}
	return nil, release, http.StatusBadRequest
}

const (
	// usualBody is the room for a body whose length is not announced.
	usualBody = 1 << 10
	// mostAnnounced is how much room an announced length gets before the bytes come.
	mostAnnounced = 16 << 10
)

// readAll is io.ReadAll into room of the announced length and the byte that shows
// the end.
func readAll(from io.Reader, announced int64) ([]byte, error) {
	room := int64(usualBody)
	if announced > 0 {
		room = min(announced+1, mostAnnounced)
	}
	body := make([]byte, 0, room)
	for {
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF: //nolint:errorlint // a reader returns it as it is
			return body, nil
		case err != nil:
			return body, err
		}
	}
}

// countedBody adds what is read to what all hold.
type countedBody struct {
	from io.Reader
	of   *bodyReader
	n    int64
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	if c.of.bytes.Add(int64(n)) > maxReadingBytes {
		return n, errTooMuch
	}
	return n, err
}

// Unknown addresses are remembered for a moment, and few are looked up at once,
// so that guessing tokens costs the store little and keeps nobody waiting long.
const (
	missFor   = 5 * time.Second
	maxMisses = 10_000
	maxLooks  = 16
)

// missCache remembers tokens that lead nowhere.
type missCache struct {
	mu    sync.Mutex
	until map[string]time.Time
	looks chan struct{} // those that ask the store now
}

func newMissCache() missCache { return missCache{looks: make(chan struct{}, maxLooks)} }

// known says whether the token was looked for a moment ago and leads nowhere.
func (c *missCache) known(token string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Before(c.until[token])
}

// ask runs a look-up when it is its turn.
func (c *missCache) ask(ctx context.Context, look func() error) error {
	select {
	case c.looks <- struct{}{}:
		defer func() { <-c.looks }()
		return look()
	case <-ctx.Done():
		return errs.New(errs.Unavailable, "sangdam: too many webhook addresses are looked up at once: %w", ctx.Err())
	}
}

// add remembers a token that leads nowhere; of too many all are forgotten.
func (c *missCache) add(token string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil || len(c.until) >= maxMisses {
		c.until = map[string]time.Time{}
	}
	c.until[token] = now.Add(missFor)
}
