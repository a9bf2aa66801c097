package conversation

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// Repo stores conversations, messages and their events, in the transaction's
// workspace.
type Repo interface {
	Rows
	// List returns conversations that match, newest UpdatedAt first (ties by
	// id), at most limit, starting after the opaque page token; the next token
	// is empty at the end. A page is stable under inserts. A limit below 1 and a
	// token of another list are ErrInvalid.
	List(ctx context.Context, f Filter, page string, limit int) ([]Conversation, string, error)
}

// Rows is the part of Repo that a store implements as it stands.
type Rows interface {
	// Conversation returns one. ErrNotFound.
	Conversation(ctx context.Context, id ID) (Conversation, error)
	// ByThread returns the conversation that is open, active or waiting under
	// the thread key, and the newest other one under it; nil for none.
	ByThread(ctx context.Context, thread string) (open, last *Conversation, err error)
	// SaveConversation creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. A second open conversation under
	// one thread key is a clash: Update runs again. Returns the new version.
	SaveConversation(ctx context.Context, c Conversation) (int64, error)

	// Message returns one. ErrNotFound.
	Message(ctx context.Context, id MessageID) (Message, error)
	// ByProvider finds a message by the account, chat and provider's id.
	// ErrNotFound.
	ByProvider(ctx context.Context, account channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) (Message, error)
	// SaveMessage creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. The same provider id in one
	// account and chat twice is a clash. Returns the new version.
	SaveMessage(ctx context.Context, m Message) (int64, error)
	// Messages returns messages with Seq above after, oldest first, at most
	// limit.
	Messages(ctx context.Context, id ID, after int64, limit int) ([]Message, error)

	// Latest returns the newest messages with Seq below before, 0 for all,
	// oldest first, at most limit.
	Latest(ctx context.Context, id ID, before int64, limit int) ([]Message, error)

	// AppendEvents writes entries of conversations' sequences; a number that is
	// taken is a clash.
	AppendEvents(ctx context.Context, evs ...Event) error
	// Events returns entries with Seq above after, oldest first, at most limit.
	Events(ctx context.Context, id ID, after int64, limit int) ([]Event, error)
}

// Filter selects conversations; zero fields do not restrict. A list that is
// empty but not nil (States, Desks, IDs) is one of which none is left: it
// selects nothing.
type Filter struct {
	States []State // any of
	Agent  AgentID
	// Served is the agent who has the conversation, or had it last. Stores do not
	// look at it: the Engine leaves others out of what a store lists.
	Served     AgentID
	Contact    ContactID
	Account    channel.AccountID
	Channel    channel.Kind
	Desks      []DeskID // any of
	WorkStream WorkStreamID
	Category   string
	Handled    *bool
	From, To   time.Time // OpenedAt in [From, To)
	// IDs restricts to these conversations: the result of a text search.
	IDs []ID
	// Within restricts to what somebody's rights may reach; nil: everything.
	Within *Within
}

// Within is the part of all conversations that is on one of the desks, or owned
// by the agent. None of both is nothing.
type Within struct {
	Desks []DeskID
	Owner AgentID
}

// ServedBy is the agent who has the conversation, or had it last.
func (c Conversation) ServedBy() AgentID { return cmp.Or(c.Agent, c.LastAgent) }

// Nothing reports that the filter can select nothing.
func (f Filter) Nothing() bool {
	return f.States != nil && len(f.States) == 0 || f.Desks != nil && len(f.Desks) == 0 || f.IDs != nil && len(f.IDs) == 0
}

// Check refuses what no conversation can be, such as a state that is misspelt.
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

// Place is where a conversation stands in a list: newest UpdatedAt first, ties
// by id.
type Place struct {
	UpdatedAt time.Time
	ID        ID
}

// PlaceOf is the conversation's place.
func PlaceOf(c Conversation) Place { return Place{c.UpdatedAt, c.ID} }

// Compare is negative when p comes before q in a list.
func (p Place) Compare(q Place) int {
	return cmp.Or(q.UpdatedAt.Compare(p.UpdatedAt), cmp.Compare(p.ID, q.ID))
}

// ContactRepo stores contacts and identities of the transaction's workspace,
// and finds contacts.
type ContactRepo interface {
	ContactRows
	// FindContacts returns contacts whose name or email begins with the text, or
	// whose telephone number begins with its digits or ends with at least four of
	// them, by name and then by id, at most limit. Case, width, accents and the
	// way in which Hangul is composed do not count, nor does the notation of a
	// number: 010-1234-5678 is +82 10 1234 5678. The empty text finds everybody,
	// by id. Contacts that were merged into others are not found.
	FindContacts(ctx context.Context, q ContactQuery, limit int) ([]Contact, error)
}

// ContactQuery says which contacts FindContacts is to find.
type ContactQuery struct {
	Text string
	// Desks restricts to contacts of one of the desks; nil: of any or none.
	Desks []DeskID
	// Show is asked about every contact that matches, until the limit is full;
	// nil: all may be shown.
	Show func(id ContactID, desks []DeskID) (bool, error)
}

// ContactRows are contacts and identities as a backend stores them.
type ContactRows interface {
	// Contact returns one. ErrNotFound.
	Contact(ctx context.Context, id ContactID) (Contact, error)
	// ContactsByID returns those of the ids that exist, in no order.
	ContactsByID(ctx context.Context, ids []ContactID) ([]Contact, error)
	// Contacts lists contacts with an id above after, ordered by id, at most
	// limit.
	Contacts(ctx context.Context, after ContactID, limit int) ([]Contact, error)
	// SaveContact creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. Returns the new version.
	SaveContact(ctx context.Context, c Contact) (int64, error)
	// Identity finds by natural key; ErrNotFound.
	Identity(ctx context.Context, kind channel.Kind, scope channel.Scope, user channel.ProviderUserID) (Identity, error)
	// IdentityByID returns one. ErrNotFound.
	IdentityByID(ctx context.Context, id IdentityID) (Identity, error)
	// SaveIdentity creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. A second identity with one natural
	// key is a clash.
	SaveIdentity(ctx context.Context, i Identity) (int64, error)
	// Identities lists a contact's identities, ordered by id.
	Identities(ctx context.Context, c ContactID) ([]Identity, error)
	// Early keeps what a late message needs: an unsend or edit that arrived
	// before the message it names. PutEarly adds one, or replaces an older one
	// by At; callers take what is there and Merge it first. TakeEarly removes
	// and returns; ErrNotFound for none.
	PutEarly(ctx context.Context, e Early) error
	TakeEarly(ctx context.Context, account channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) (Early, error)
}

// Early is an edit or unsend that came before its message.
type Early struct {
	Account channel.AccountID         `json:"account"`
	Chat    channel.Chat              `json:"chat"`
	Message channel.ProviderMessageID `json:"message"`
	At      time.Time                 `json:"at,omitzero"` // the event's own time
	Unsent  bool                      `json:"unsent"`
	Content *channel.Content          `json:"content,omitempty"` // of the edit
	// Sealed is Content as the engine stores it, Source the event that brought it.
	Sealed []byte             `json:"sealed,omitempty"`
	Source channel.EnvelopeID `json:"source,omitempty"`
}
