package conversation

import (
	"cmp"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// Filter selects conversations that match all of its fields; a zero field
// matches everything. A list that is empty but not nil (States, Desks, IDs)
// matches nothing.
type Filter struct {
	States []State // any of
	Agent  AgentID
	// Served is the agent who owns the conversation, or who owned it last.
	// Match and the stores ignore it; the Engine looks at it after reading.
	Served     AgentID
	Contact    ContactID
	Account    channel.AccountID
	Channel    channel.Kind
	Desks      []DeskID // any of
	WorkStream WorkStreamID
	Category   string
	Handled    *bool
	From, To   time.Time // OpenedAt in [From, To)
	// IDs selects only these conversations, such as the result of a text
	// search.
	IDs []ID
	// Within selects only what somebody's rights may reach; nil: everything.
	Within *Within
}

// Within selects the conversations that are on one of the desks or owned by the
// agent. Without either it selects nothing.
type Within struct {
	Desks []DeskID
	Owner AgentID
}

// ServedBy returns the agent who owns the conversation, or who owned it last.
func (c Conversation) ServedBy() AgentID { return cmp.Or(c.Agent, c.LastAgent) }

// Nothing reports that the filter can select nothing.
func (f Filter) Nothing() bool {
	return f.States != nil && len(f.States) == 0 || f.Desks != nil && len(f.Desks) == 0 || f.IDs != nil && len(f.IDs) == 0
}

// Check returns ErrInvalid for a state that is not one of States(). It does not
// look ids up.
func (f Filter) Check() error {
	for _, s := range f.States {
		if !slices.Contains(States(), s) {
			return errs.New(errs.Invalid, "conversation: a filter names the state %q; use some of %v", s, States())
		}
	}
	return nil
}

// Match reports whether the filter selects the conversation.
func (f Filter) Match(c Conversation) bool {
	return (f.States == nil || slices.Contains(f.States, c.State)) &&
		(f.Agent == "" || f.Agent == c.Agent) &&
		(f.Served == "" || f.Served == c.ServedBy()) &&
		(f.Contact == "" || f.Contact == c.Contact) &&
		(f.Account == "" || f.Account == c.Account) &&
		(f.Channel == "" || f.Channel == c.Channel) &&
		(f.Desks == nil || slices.Contains(f.Desks, c.Desk)) &&
		(f.WorkStream == "" || f.WorkStream == c.WorkStream) &&
		(f.Category == "" || f.Category == c.Category) &&
		(f.Handled == nil || *f.Handled == c.Handled) &&
		(f.From.IsZero() || !c.OpenedAt.Before(f.From)) &&
		(f.To.IsZero() || c.OpenedAt.Before(f.To)) &&
		(f.IDs == nil || slices.Contains(f.IDs, c.ID)) &&
		(f.Within == nil || slices.Contains(f.Within.Desks, c.Desk) || c.Agent != "" && f.Within.Owner == c.Agent)
}
