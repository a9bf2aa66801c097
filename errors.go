package sangdam

import (
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// The error kinds. Every error that leaves a method of the Engine is one of
// them, the error of the context, or an error that the host's own code
// returned; errors.Is tells which, whatever package of this module the error
// came from. The text of an error says what is wrong and what to do.
var (
	ErrNotFound         error = errs.NotFound
	ErrConflict         error = errs.Conflict
	ErrStale            error = errs.Stale
	ErrAlreadyExists    error = errs.AlreadyExists
	ErrInvalid          error = errs.Invalid
	ErrPermissionDenied error = errs.PermissionDenied
	ErrUnavailable      error = errs.Unavailable
	ErrUnsupported      error = errs.Unsupported
	// ErrCursorGone is an ErrStale: the feed no longer reaches back to the
	// cursor. Read again everything that is shown, and go on with the empty
	// cursor.
	ErrCursorGone = driver.ErrCursorGone
)
