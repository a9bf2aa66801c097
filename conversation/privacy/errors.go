package privacy

import "github.com/sangdam/sangdam/internal/errs"

// ErrInvalid is the kind of every error of this package, with one identity
// across the module; compare with errors.Is.
var ErrInvalid error = errs.Invalid
