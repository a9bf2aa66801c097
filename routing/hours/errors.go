package hours

import "github.com/sangdam/sangdam/internal/errs"

// Error kinds, with one identity across the module; compare with errors.Is.
var (
	ErrInvalid  error = errs.Invalid
	ErrNotFound error = errs.NotFound
)
