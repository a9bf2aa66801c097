package sangdam

import "github.com/sangdam/sangdam/internal/errs"

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
