package line

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam/internal/errs"
)

// Names of the endpoints that Options.Rates limits.
const (
	EndpointReply    = "reply"
	EndpointPush     = "push"
	EndpointLoading  = "loading"
	EndpointMarkRead = "markAsRead"
	EndpointProfile  = "profile"
	EndpointMember   = "member"
	EndpointContent  = "content"
)

// DefaultRates are LINE's limits for one channel, in requests a second, from
// developers.line.biz/en/reference/messaging-api, "Rate limits".
func DefaultRates() map[string]rate.Limit {
	return map[string]rate.Limit{
		EndpointReply: 2000, EndpointPush: 2000, EndpointLoading: 100, EndpointMarkRead: 2000,
		EndpointProfile: 2000, EndpointMember: 2000, EndpointContent: 2000,
	}
}

// rateMargin is the share of a limit that is left unused. The bucket holds just
// that share of a second, so that in no second more requests leave than the
// limit, however LINE measures: its buckets are not documented.
const rateMargin = 0.01

// limiters has a bucket for each account and endpoint.
type limiters struct {
	rates map[string]rate.Limit

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

func newLimiters(own map[string]rate.Limit) (*limiters, error) {
	l := &limiters{rates: DefaultRates(), buckets: map[bucketKey]*rate.Limiter{}}
	for name, limit := range own {
		if _, known := l.rates[name]; !known {
			return nil, errs.New(errs.Invalid, "line: Options.Rates has no endpoint %q; use the Endpoint constants", name)
		}
		if limit < 0 || math.IsNaN(float64(limit)) {
			return nil, errs.New(errs.Invalid, "line: Options.Rates: the limit of %s is not a number from 0", name)
		}
		l.rates[name] = limit
	}
	return l, nil
}

// bucket is nil where there is no limit.
func (l *limiters) bucket(token, endpoint string) *rate.Limiter {
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
func (l *limiters) forget() {
	for key, b := range l.buckets {
		if b.Tokens() >= float64(b.Burst()) {
			delete(l.buckets, key)
		}
	}
}

// tooSoon says that a request would have had to wait longer than its caller
// can: it never left.
type tooSoon struct{ after time.Duration }

func (e *tooSoon) Error() string {
	return "line: the account is at LINE's rate limit; nothing was sent, try again later"
}

func (e *tooSoon) Unwrap() error { return errs.Unavailable }

// wait returns when the request may leave. Requests of an account leave in the
// order in which they came here. A wait of more than half the time that ctx
// has left is refused at once, so that what is left suffices for the request.
func (l *limiters) wait(ctx context.Context, token, endpoint string) error {
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
		return &tooSoon{after: d}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		slot.Cancel()
		return &transportError{sent: false, err: ctx.Err()}
	}
}

// endpointOf names the endpoint that a path belongs to; empty where requests
// are too rare to come near a limit.
func endpointOf(path string) string {
	switch path {
	case "/v2/bot/message/reply":
		return EndpointReply
	case "/v2/bot/message/push":
		return EndpointPush
	case "/v2/bot/chat/loading/start":
		return EndpointLoading
	case "/v2/bot/chat/markAsRead":
		return EndpointMarkRead
	}
	switch {
	case strings.HasPrefix(path, "/v2/bot/profile/"):
		return EndpointProfile
	case strings.Contains(path, "/member/"):
		return EndpointMember
	case strings.HasSuffix(path, "/content"):
		return EndpointContent
	}
	return ""
}
