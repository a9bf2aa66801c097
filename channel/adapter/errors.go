package adapter

import (
	"fmt"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// Error kinds, with one identity across the module; compare with errors.Is.
var (
	ErrNotFound         error = errs.NotFound
	ErrConflict         error = errs.Conflict
	ErrStale            error = errs.Stale
	ErrAlreadyExists    error = errs.AlreadyExists
	ErrInvalid          error = errs.Invalid
	ErrPermissionDenied error = errs.PermissionDenied
	ErrUnavailable      error = errs.Unavailable
	ErrUnsupported      error = errs.Unsupported
)

// Disposition says what may be done after a Send that returned an error. No other
// value than the four is one.
type Disposition string

const (
	// Retry: the provider certainly did not accept; the same Attempt may be
	// sent again after SendError.After.
	Retry Disposition = "retry"
	// RateLimited: as Retry, and every lane of the account pauses for
	// SendError.After.
	RateLimited Disposition = "rate_limited"
	// Permanent: the provider refused for good; SendError.Reason is shown.
	Permanent Disposition = "permanent"
	// Ambiguous: the provider may have accepted. The Attempt is sent again only
	// when its route is idempotent and not expired; else a person decides.
	Ambiguous Disposition = "ambiguous"
)

// SendError is the only error that Adapter.Send may return besides a context
// error, which the caller treats as Ambiguous.
type SendError struct {
	Disposition Disposition
	Reason      channel.Reason
	// After is how long to wait at least, for Retry and RateLimited; the caller's
	// back-off, which grows from try to try, may be longer.
	After time.Duration
	// Rows are the guilty rows of a Permanent refusal, as indexes into
	// Attempt.Rows, ascending and each once. Empty means that the provider named
	// none: the refusal is every row's, and one of content among several rows has
	// each of them tried alone. When it is not empty, no row was accepted, and the
	// rows not named were certainly not: the named ones fail, and the others are
	// planned anew at once, together, under a new key and without their Reply. Where
	// an earlier try of the Attempt may have been accepted, only a refusal for its
	// content counts so: after another one the outcome of all stays unknown.
	Rows []int
	// Status is the provider's HTTP status or own code; 0 when there was none.
	Status int
	// Detail is a short text for an operator. It never holds a secret, a token
	// or a customer's words.
	Detail string
}

// Error never includes anything but the fields above.
func (e *SendError) Error() string {
	return fmt.Sprintf("channel: send %s (%s, status %d): %s", e.Disposition, e.Reason, e.Status, e.Detail)
}

// ReceiveError is what Adapter.Receive returns for a request that is refused.
// Status is the HTTP status for the provider, 4xx; Detail never holds any part
// of the body or a header's value.
type ReceiveError struct {
	Status int
	Detail string
}

// Error returns status and detail.
func (e *ReceiveError) Error() string {
	return fmt.Sprintf("channel: webhook refused with %d: %s", e.Status, e.Detail)
}

// Is makes every refused webhook an ErrInvalid.
func (e *ReceiveError) Is(target error) bool { return target == ErrInvalid }
