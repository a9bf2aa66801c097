package condition

import (
	"fmt"

	"github.com/sangdam/sangdam/internal/errs"
)

// ErrInvalid is the kind of every error of this package, with one identity
// across the module; compare with errors.Is.
var ErrInvalid error = errs.Invalid

// invalid returns an ErrInvalid about the part of a condition that path names.
func invalid(path, format string, args ...any) error {
	return errs.New(errs.Invalid, "condition: %s: %w", path, fmt.Errorf(format, args...))
}

// shown quotes at most 64 bytes of a wrong name for an error.
func shown(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return fmt.Sprintf("%q", s)
}
