package ticket

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// Error kinds, with one identity across the module; compare with errors.Is.
var (
	ErrInvalid       error = errs.Invalid
	ErrNotFound      error = errs.NotFound
	ErrAlreadyExists error = errs.AlreadyExists
	ErrConflict      error = errs.Conflict
)

// State is where a ticket stands (TK7).
type State string

// The states. A host's own states are each mapped on one of these; see
// CustomState.
const (
	Unassigned State = "unassigned"
	InProgress State = "in_progress"
	OnHold     State = "on_hold"
	Solved     State = "solved"
	// Complete is final: it takes no reply. Administrators set it, or time does
	// (CompleteAfter).
	Complete State = "complete"
	// HandedOver: another system works on it.
	HandedOver State = "handed_over"
)

// States lists all states, in the order in which forms offer them.
func States() []State { return []State{Unassigned, InProgress, OnHold, Solved, Complete, HandedOver} }

// CompleteAfter is how long a solved ticket waits before it is complete, unless
// the workspace says otherwise.
const CompleteAfter = 14 * 24 * time.Hour

// moves says which states may follow a state.
var moves = map[State][]State{
	Unassigned: {InProgress, OnHold, Solved, HandedOver, Complete},
	InProgress: {Unassigned, OnHold, Solved, HandedOver, Complete},
	OnHold:     {Unassigned, InProgress, Solved, HandedOver, Complete},
	HandedOver: {Unassigned, InProgress, OnHold, Solved, Complete},
	Solved:     {Unassigned, InProgress, OnHold, HandedOver, Complete},
	Complete:   {},
}

// Valid reports whether the state is one of the six.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// Open reports whether the ticket is still to be worked on.
func (s State) Open() bool { return s != Solved && s != Complete }

// CanBecome reports whether a ticket may go from s to the state: from every state to
// every other, except that nothing follows Complete. No state follows itself.
func (s State) CanBecome(next State) bool { return slices.Contains(moves[s], next) }

// CustomState is a state of a host's own: its name, and the state that rules,
// reports and service levels take it for.
type CustomState struct {
	ID    string            `json:"id"`
	As    State             `json:"as"`
	Names map[string]string `json:"names"` // by language
}

// Validate checks a state of a host's own: an id of 1 to 50 of a-z 0-9 _ that is
// none of the library's, a known state that it stands for, names of at most MaxName
// characters. The error is ErrInvalid.
func (c CustomState) Validate() error {
	switch {
	case !code(c.ID):
		return errs.New(errs.Invalid, "ticket: the id of a state is 1 to 50 of a-z 0-9 _ and begins with a letter")
	case State(c.ID).Valid():
		return errs.New(errs.Invalid, "ticket: state %s is the library's; choose another id", c.ID)
	case !c.As.Valid():
		return errs.New(errs.Invalid, "ticket: state %s stands for no known state; use one of %v", c.ID, States())
	}
	return checkNames("state "+c.ID, c.Names)
}

// code reports whether s is a code: 1 to 50 of a-z 0-9 _, a letter first.
func code(s string) bool {
	for i, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 50
}
