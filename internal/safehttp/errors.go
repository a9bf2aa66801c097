package safehttp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// ErrBlocked says that a host may not be reached from here. It is also
// errs.Invalid: repeating does not help.
var ErrBlocked = errs.New(errs.Invalid, "safehttp: this address may not be reached")

// ErrTooLarge says that an answer is larger than the bound. It is also
// errs.Invalid.
var ErrTooLarge = errs.New(errs.Invalid, "safehttp: the answer is larger than the bound")

// StatusError is a refusal by the server. It is one of the kinds: NotFound for
// 404 and 410, PermissionDenied for 401 and 403, Unavailable for 408, 425, 429
// and 5xx, else Invalid.
type StatusError struct {
	// Status is the HTTP status.
	Status int
	// RetryAfter is how long the server asks to wait; 0 when it does not say.
	RetryAfter time.Duration
}

// Error names the status and nothing else of the answer.
func (e *StatusError) Error() string {
	return "safehttp: the server answered with status " + strconv.Itoa(e.Status)
}

// Unwrap makes the error one of the kinds.
func (e *StatusError) Unwrap() error {
	switch {
	case e.Status == http.StatusNotFound || e.Status == http.StatusGone:
		return errs.NotFound
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return errs.PermissionDenied
	case e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooEarly ||
		e.Status == http.StatusTooManyRequests || e.Status >= 500:
		return errs.Unavailable
	}
	return errs.Invalid
}

func blocked(host, why string) error {
	return errs.New(errs.Invalid, "%w: %q: %s", ErrBlocked, host, why)
}

func unavailable(host, why string) error {
	return errs.New(errs.Unavailable, "safehttp: %q: %s", host, why)
}

// explain turns an error of the transport into one of ours. The transport's
// text is left out, since it may quote the answer. The outer context is the
// caller's: when it has ended, its error is the reason.
func explain(outer context.Context, host string, err error) error {
	if ctxErr := outer.Err(); ctxErr != nil {
		return ctxErr
	}
	var (
		netErr  net.Error
		certErr *tls.CertificateVerificationError
		opErr   *net.OpError
	)
	switch {
	case errs.KindOf(err) != nil:
		return ownPart(err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return unavailable(host, "it did not answer, or did not finish, in time")
	case errors.As(err, &certErr):
		return unavailable(host, "its certificate is not valid for this name or not from a trusted authority")
	case errors.As(err, &opErr) && opErr.Op == "dial":
		return unavailable(host, "no connection could be made")
	}
	return unavailable(host, "the connection broke or the answer was not HTTP")
}

// ownPart returns the error of this package inside err, without the text that
// was put around it.
func ownPart(err error) error {
	for {
		if _, many := err.(interface{ Unwrap() []error }); many {
			return err
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
