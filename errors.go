package sangdam

import (
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
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
	// ErrCursorGone is an ErrStale: Events no longer reaches back to the cursor;
	// read anew what is shown and begin at the present.
	ErrCursorGone = driver.ErrCursorGone
)
