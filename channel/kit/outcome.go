package kit

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
)

// Failure is the *SendError of a call that got no answer: Ambiguous when it may
// have arrived, RateLimited when the account's own limit held it back, Retry
// when it certainly never left or the credentials could not be had for the moment
// (ErrUnavailable), and Permanent for every other error, which is taken for one of
// the credentials.
func (c *Client) Failure(err error) *adapter.SendError {
	var broken *TransportError
	var soon *TooSoon
	switch {
	case errors.As(err, &soon):
		return &adapter.SendError{Disposition: adapter.RateLimited, Reason: channel.ReasonRate, After: soon.After,
			Detail: "the account is at " + c.Provider + "'s rate limit; nothing was sent"}
	case errors.As(err, &broken) && broken.Sent:
		return &adapter.SendError{Disposition: adapter.Ambiguous, Reason: channel.ReasonNetwork,
			Detail: "no answer from " + c.Provider + "; the connection broke or timed out after the request was begun"}
	case errors.As(err, &broken):
		return &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonNetwork,
			Detail: c.Provider + " could not be reached; nothing was sent"}
	case errors.Is(err, errs.Unavailable):
		return &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonProvider,
			Detail: c.Provider + " issued no access token for the moment; nothing was sent"}
	}
	return Permanent(channel.ReasonCredentials, "there is no valid access token; check the account's credentials")
}

// Permanent is a refusal for good.
func Permanent(reason channel.Reason, detail string) *adapter.SendError {
	return &adapter.SendError{Disposition: adapter.Permanent, Reason: reason, Detail: detail}
}

// Refusal is what an answer other than 2xx means where the provider's own rules
// say nothing else: what may have had an effect is Ambiguous, what asks to slow
// down is RateLimited for Retry-After, and the rest is Permanent.
func (c *Client) Refusal(ans Answer, now time.Time) *adapter.SendError {
	e := &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonProvider, Status: ans.Status}
	switch {
	case ans.Status >= 500 || ans.Status == http.StatusRequestTimeout:
		e.Disposition, e.Detail = adapter.Ambiguous, c.Provider+" failed while working on the request"
	case ans.Status == http.StatusTooManyRequests:
		e.Disposition, e.Reason, e.Detail = adapter.RateLimited, channel.ReasonRate, c.Provider+"'s rate limit was exceeded"
		e.After = RetryAfter(ans.Header, now)
	case ans.Status == http.StatusUnauthorized:
		e.Reason, e.Detail = channel.ReasonCredentials, c.Provider+" refused the credentials"
	case ans.Status == http.StatusForbidden:
		e.Reason, e.Detail = channel.ReasonCredentials, "the account's plan or rights do not allow this"
	case ans.Status == http.StatusNotFound || ans.Status == http.StatusGone:
		e.Reason, e.Detail = channel.ReasonUnreachable, c.Provider+" does not know the recipient or the address of the call"
	case ans.Status == http.StatusRequestEntityTooLarge:
		e.Reason, e.Detail = channel.ReasonContent, "the request is larger than "+c.Provider+" takes"
	case ans.Status == http.StatusBadRequest || ans.Status == http.StatusUnprocessableEntity:
		e.Reason, e.Detail = channel.ReasonContent, c.Provider+" refused the request"
	default:
		e.Detail = c.Provider + " answered with a status that has no meaning here"
	}
	return e
}

// maxRetryAfter is how long a provider can make an account wait; what is longer
// is a mistake of its own or a month's quota, which has an error of its own.
const maxRetryAfter = time.Hour

// RetryAfter reads the header of that name, in seconds or as a date: from 1 s,
// which is also what an absent or unreadable one means, to an hour.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	after := time.Second
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil && n > 0 {
		after = time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, time.Second), maxRetryAfter)
}

// Carries returns why a channel with these capabilities cannot carry c; empty: it
// can. It looks at the kind, whether there may be quick replies at all, and the
// length of the text; what else a provider wants is the adapter's to check.
func Carries(caps adapter.Capabilities, c channel.Content) channel.Reason {
	if caps.Send[c.Kind] == adapter.Rejected || len(c.Choices) > 0 && caps.Choices == adapter.Rejected {
		return channel.ReasonUnsupported
	}
	limit := caps.Limits[c.Kind]
	if limit.MaxChars > 0 && Count(limit.Unit, c.Text) > limit.MaxChars {
		return channel.ReasonContent
	}
	return ""
}
