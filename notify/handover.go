package notify

// Reporter is a Carrier whose receivers work on what they took and tell what
// became of it, as an issue tracker does of a task. Receipt.ID names what was
// taken; a report names it again.
type Reporter interface {
	Carrier
	// Reports reads the body of a request that a receiver sent about a target's
	// work. ErrInvalid when it is none; an empty list when it concerns nothing
	// that matters here. Whether the sender knew the target's SecretHook was
	// looked at before.
	Reports(t Target, raw []byte) ([]Report, error)
}

// SecretHook is under which a target of a Reporter keeps the last part of the
// address to which its receiver reports: at least MinHook characters by chance.
const (
	SecretHook = "hook"
	MinHook    = 20
)

// Report is what a receiver tells of what it took.
type Report struct {
	// ID is the receiver's name of a comment, by which a repeat is known; empty
	// for a state, which a repeat leaves as it is.
	ID string
	// Task is the Receipt.ID of what it is about.
	Task  string
	State Progress
	// Comment is what somebody wrote there, By who.
	Comment, By string
}

// Progress is how far a receiver is.
type Progress string

// The states of a Report; empty: it tells of none.
const (
	Working Progress = "working"
	Done    Progress = "done"
)
