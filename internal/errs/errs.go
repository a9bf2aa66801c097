// Package errs holds the identity of the error kinds that every public
// package re-exports, so that errors.Is gives the same answer whichever
// package's name the caller used.
package errs

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Kind is one of the few classes an error can have. Compare with errors.Is.
type Kind struct{ name string }

// Error returns the kind's name.
func (k *Kind) Error() string { return k.name }

// The kinds. Every error that leaves a public function is one of them, a
// context error, or an error that the caller's own code returned.
var (
	// NotFound: the thing named does not exist, or the caller may not know
	// that it does.
	NotFound = &Kind{"not found"}
	// Conflict: another writer was first; reading again and deciding anew may
	// succeed. Inside an Update the store already did that.
	Conflict = &Kind{"conflict"}
	// Stale: a precondition that the caller brought (a version, a token, a
	// fence, an offer) no longer holds. Repeating the same call cannot succeed.
	Stale = &Kind{"stale"}
	// AlreadyExists: a uniqueness rule forbids creating the thing.
	AlreadyExists = &Kind{"already exists"}
	// Invalid: the input is wrong; the message says what to change.
	Invalid = &Kind{"invalid"}
	// PermissionDenied: the principal may not do this.
	PermissionDenied = &Kind{"permission denied"}
	// Unavailable: a temporary failure; the same call may succeed later.
	Unavailable = &Kind{"unavailable"}
	// Unsupported: this adapter, store or channel cannot do it.
	Unsupported = &Kind{"unsupported"}
)

// wrapped is made into text when somebody asks for it: that something is not there is
// mostly an answer, of which only the kind is looked at.
type wrapped struct {
	kind   *Kind
	err    error // what the format wraps, with the text; nil where it wraps nothing
	format string
	args   []any
	part   string // of the input, that is wrong; see About
}

func (w *wrapped) Error() string {
	if w.err != nil {
		return w.err.Error()
	}
	return fmt.Sprintf(w.format, w.args...)
}

// Is answers for the kind without making the list of Unwrap.
func (w *wrapped) Is(target error) bool { return target == w.kind }

func (w *wrapped) Unwrap() []error {
	if w.err == nil {
		return []error{w.kind}
	}
	return []error{w.kind, w.err}
}

// New returns an error of the kind whose text is the formatted message. A %w
// in the format keeps its operand reachable for errors.Is and errors.As.
func New(kind *Kind, format string, args ...any) error {
	w := &wrapped{kind: kind, format: format, args: args}
	if strings.Contains(format, "%w") {
		w.err = fmt.Errorf(format, args...)
	}
	return w
}

// About says which part of what was given a refusal of New is about, by its place
// there: "name", "settings.from", "secrets.password". A form finds its field by it.
// An error that New did not make, and nil, are returned as they are.
func About(part string, err error) error {
	w, ok := err.(*wrapped) //nolint:errorlint // of what was wrapped, the part may be one of something else
	if !ok {
		return err
	}
	about := *w
	about.part = part
	return &about
}

// PartOf is the part that a refusal is about, the outermost that is known; empty: it
// names none.
func PartOf(err error) string {
	for w, ok := errors.AsType[*wrapped](err); ok; w, ok = errors.AsType[*wrapped](w.err) {
		if w.part != "" {
			return w.part
		}
	}
	return ""
}

// KindOf returns the first kind found in err, or nil.
func KindOf(err error) *Kind {
	for _, k := range []*Kind{NotFound, Conflict, Stale, AlreadyExists, Invalid, PermissionDenied, Unavailable, Unsupported} {
		if errors.Is(err, k) {
			return k
		}
	}
	return nil
}

// Parts returns the format that New made an error of, with its arguments: by the
// format, which stays the same, a refusal can be said in another language. ok is
// false for an error that New did not make, or that was wrapped since.
func Parts(err error) (format string, args []any, ok bool) {
	w, ok := err.(*wrapped) //nolint:errorlint // what was wrapped says more than this part of it
	if !ok {
		return "", nil, false
	}
	return w.format, w.args, true
}

// whereFrames is how many functions Where names: the one that panicked may be of
// the standard library, and who called it then says more.
const whereFrames = 3

// Where says in which function and line the panic that is being recovered began,
// and who had called it: "acme.(*bot).Next (bot.go:17) < ...". It is for the log, in place
// of the panic's value, which may hold what a customer wrote. Call it in the very
// function that recovers; elsewhere it is empty.
func Where() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	var out []string
	for panicked := false; len(out) < whereFrames; {
		f, more := frames.Next()
		if panicked && !strings.HasPrefix(f.Function, "runtime.") {
			out = append(out, fmt.Sprintf("%s (%s:%d)", path.Base(f.Function), path.Base(f.File), f.Line))
		}
		panicked = panicked || f.Function == "runtime.gopanic"
		if !more {
			break
		}
	}
	return strings.Join(out, " < ")
}
