package ticket

import (
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
)

// MaxMembers bounds a group.
const MaxMembers = 500

// Group is agents under one name, to whom tickets are given and who get
// notices together (RT9). It may be empty.
type Group struct {
	ID      GroupID   `json:"id"`
	Version int64     `json:"version"`
	Name    string    `json:"name"`
	Agents  []AgentID `json:"agents,omitempty"`
	// Queue is where the group's tickets wait for an agent; empty: that of the
	// workspace.
	Queue string `json:"queue,omitempty"`
}

// Validate checks a group by itself: an id of 1 to 50 of a-z 0-9 _ that begins with a
// letter, a name of at most MaxName characters, at most MaxMembers agents, each once.
// The error is ErrInvalid. Whether agents and queue exist is for the caller to know.
func (g Group) Validate() error {
	if !code(string(g.ID)) {
		return errs.New(errs.Invalid, "ticket: the id of a group is 1 to 50 of a-z 0-9 _ and begins with a letter")
	}
	if len(g.Agents) > MaxMembers {
		return errs.New(errs.Invalid, "ticket: group %s has %d agents; use at most %d", g.ID, len(g.Agents), MaxMembers)
	}
	for i, a := range g.Agents {
		if a == "" || slices.Contains(g.Agents[:i], a) {
			return errs.New(errs.Invalid, "ticket: group %s names an agent twice, or one without an id", g.ID)
		}
	}
	return checkText("a group's name", g.Name, 1, MaxName)
}
