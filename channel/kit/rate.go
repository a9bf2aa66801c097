package kit

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam/internal/errs"
)

// rateMargin is the share of a limit that is left unused. The bucket holds just
// that share of a second, so that in no second more requests leave than the
// limit, however the provider measures: buckets are seldom documented.
const rateMargin = 0.01

// Limiters has a bucket for each account and endpoint. It is safe for
// concurrent use; make it with Client.Limiters.
type Limiters struct {
	client *Client
	rates  map[string]rate.Limit

	mu      sync.Mutex
	buckets map[bucketKey]*rate.Limiter
}

// bucketKey names the account by its token, which is unique over all
// workspaces: an account's id is unique in its own alone, and two desks must
// not slow each other down.
type bucketKey struct {
	token    string
	endpoint string
}

// maxBuckets is how many are kept before those are dropped that are full and so
// remember nothing.
const maxBuckets = 10_000

// Limiters keeps each account to the rates, by endpoint and in requests a
// second; own ones take the place of the provider's, and 0 means no limit.
// ErrInvalid for an endpoint that the provider has not.
func (c *Client) Limiters(provider, own map[string]rate.Limit) (*Limiters, error) {
	l := &Limiters{client: c, rates: map[string]rate.Limit{}, buckets: map[bucketKey]*rate.Limiter{}}
	for name, limit := range provider {
		l.rates[name] = limit
	}
	for name, limit := range own {
		if _, known := l.rates[name]; !known {
			return nil, errs.New(errs.Invalid, "%s: Options.Rates has no endpoint %q; use the Endpoint constants", c.Name, name)
		}
		if limit < 0 || math.IsNaN(float64(limit)) {
			return nil, errs.New(errs.Invalid, "%s: Options.Rates: the limit of %s is not a number from 0", c.Name, name)
		}
		l.rates[name] = limit
	}
	return l, nil
}

// bucket is nil where there is no limit.
func (l *Limiters) bucket(token, endpoint string) *rate.Limiter {
	limit := l.rates[endpoint]
	if limit == 0 || limit == rate.Inf {
		return nil
	}
	key := bucketKey{token, endpoint}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			l.forget()
		}
		b = rate.NewLimiter(limit*(1-rateMargin), max(int(limit*rateMargin), 1))
		l.buckets[key] = b
	}
	return b
}

// forget drops full buckets. The lock is held.
func (l *Limiters) forget() {
	for key, b := range l.buckets {
		if b.Tokens() >= float64(b.Burst()) {
			delete(l.buckets, key)
		}
	}
}

// TooSoon says that a request would have had to wait longer than its caller
// can: it never left.
type TooSoon struct {
	After          time.Duration
	name, provider string
}

// Error says that nothing was sent.
func (e *TooSoon) Error() string {
	return e.name + ": the account is at " + e.provider + "'s rate limit; nothing was sent, try again later"
}

// Unwrap makes it ErrUnavailable.
func (e *TooSoon) Unwrap() error { return errs.Unavailable }

// Wait returns when the request may leave. Requests of an account, named by its
// Token, leave in the order in which they came here. A wait of more than half
// the time that ctx has left is refused at once, as *TooSoon, so that what is
// left suffices for the request. Where ctx ends meanwhile the error is a
// *TransportError that was not Sent.
func (l *Limiters) Wait(ctx context.Context, token, endpoint string) error {
	b := l.bucket(token, endpoint)
	if b == nil {
		return nil
	}
	slot := b.Reserve()
	d := slot.Delay()
	if d == 0 {
		return nil
	}
	if until, ok := ctx.Deadline(); ok && d > time.Until(until)/2 {
		slot.Cancel()
		return &TooSoon{After: d, name: l.client.Name, provider: l.client.Provider}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		slot.Cancel()
		return l.client.Broken(false, ctx.Err())
	}
}
