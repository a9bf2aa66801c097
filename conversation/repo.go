package conversation

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/channel"
)

// Repo stores conversations, messages and their events, in the transaction's
// workspace.
type Repo interface {
	// Conversation returns one. ErrNotFound.
	Conversation(ctx context.Context, id ID) (Conversation, error)
	// ByThread returns the conversation that is open, active or waiting under
	// the thread key, and the newest other one under it; nil for none.
	ByThread(ctx context.Context, thread string) (open, last *Conversation, err error)
	// SaveConversation creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. A second open conversation under
	// one thread key is a clash: Update runs again. Returns the new version.
	SaveConversation(ctx context.Context, c Conversation) (int64, error)
	// List returns conversations that match, newest UpdatedAt first (ties by
	// id), at most limit, starting after the opaque page token; the next token
	// is empty at the end. A page is stable under inserts.
	List(ctx context.Context, f Filter, page string, limit int) ([]Conversation, string, error)

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

	// AppendEvents writes entries of conversations' sequences; a number that is
	// taken is a clash.
	AppendEvents(ctx context.Context, evs ...Event) error
	// Events returns entries with Seq above after, oldest first, at most limit.
	Events(ctx context.Context, id ID, after int64, limit int) ([]Event, error)
}

// Filter selects conversations; zero fields do not restrict.
type Filter struct {
	States     []State
	Agent      AgentID
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

// ContactRepo stores contacts and identities of the transaction's workspace.
type ContactRepo interface {
	// Contact returns one. ErrNotFound.
	Contact(ctx context.Context, id ContactID) (Contact, error)
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
	// FindContacts returns contacts whose name, email or phone begins with the
	// text, case folded, at most limit.
	FindContacts(ctx context.Context, text string, limit int) ([]Contact, error)
	// Early keeps what a late message needs: an unsend or edit that arrived
	// before the message it names. PutEarly adds one, or replaces an older one
	// by At; callers take what is there and Merge it first. TakeEarly removes
	// and returns; ErrNotFound for none.
	PutEarly(ctx context.Context, e Early) error
	TakeEarly(ctx context.Context, account channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) (Early, error)
	// PurgeEarly deletes at most limit edits and unsends whose own time is before
	// the given one: their message never came.
	PurgeEarly(ctx context.Context, before time.Time, limit int) (int, error)
}

// Early is an edit or unsend that came before its message.
type Early struct {
	Account channel.AccountID         `json:"account"`
	Chat    channel.Chat              `json:"chat"`
	Message channel.ProviderMessageID `json:"message"`
	At      time.Time                 `json:"at"` // the event's own time
	Unsent  bool                      `json:"unsent"`
	Content *channel.Content          `json:"content,omitempty"` // of the edit
}
