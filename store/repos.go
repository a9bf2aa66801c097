package store

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

// AccountRepo stores accounts of the transaction's workspace. Every change
// raises the version of the workspace's configuration.
type AccountRepo interface {
	// Account returns one, deleted ones included. ErrNotFound.
	Account(ctx context.Context, id channel.AccountID) (channel.Account, error)
	// Accounts lists all, ordered by id, deleted ones included.
	Accounts(ctx context.Context) ([]channel.Account, error)
	// SaveAccount creates (Version 0) or replaces the account; a Version that is
	// not the stored one is a clash (Update runs again); ErrAlreadyExists when
	// another account, of any workspace, has the Token. Returns the new version.
	SaveAccount(ctx context.Context, a channel.Account) (int64, error)
}

// InboxRepo works claimed inbound lanes of the transaction's workspace.
// Appending is DB.AppendEnvelopes, which commits by itself.
type InboxRepo interface {
	// Done ends the envelope under the claim: it will not be handed out again.
	// ErrStale when the claim is lost or the envelope already ended; that is
	// reported by the write or, at the latest, by Update.
	Done(ctx context.Context, c driver.Claim, id channel.EnvelopeID) error
	// Retry leaves the envelope at the head of its lane, not before the given
	// time, and counts a try.
	Retry(ctx context.Context, c driver.Claim, id channel.EnvelopeID, notBefore time.Time, reason string) error
	// Quarantine ends the envelope as bad and keeps it for a person; the lane
	// goes on.
	Quarantine(ctx context.Context, c driver.Claim, id channel.EnvelopeID, reason string) error
	// Quarantined lists bad envelopes, newest first, at most limit.
	Quarantined(ctx context.Context, limit int) ([]adapter.Quarantined, error)
	// Requeue puts a quarantined envelope back at the end of its lane.
	// ErrNotFound for one that is not in quarantine, whatever became of it.
	Requeue(ctx context.Context, id channel.EnvelopeID) error
	// Forget drops the raw bytes of an envelope that is done and keeps its dedup
	// key; nothing happens to one that is not done, or not there.
	Forget(ctx context.Context, id channel.EnvelopeID) error
	// Envelope returns a stored envelope while it is kept. ErrNotFound.
	Envelope(ctx context.Context, id channel.EnvelopeID) (adapter.Envelope, error)
}

// OutboxRepo works outbound lanes of the transaction's workspace.
type OutboxRepo interface {
	// Enqueue adds rows at the end of their lanes, in the given order. A row with
	// a Reply makes the rows due that wait in its lane for ReasonQuota and that
	// no Attempt carries: they may leave with it, for nothing.
	Enqueue(ctx context.Context, rows ...driver.OutboxRow) error
	// Begin persists the Attempt before it is sent: its rows become sending,
	// Attempt.Tries is stored as given. A repeat of a stored Attempt passes the
	// same ID with Tries raised. ErrStale when the claim is lost.
	Begin(ctx context.Context, c driver.Claim, at adapter.Attempt) error
	// Settle records the outcome of the Attempt for all its rows and ends the
	// Attempt, except for state OutboxQueued, which keeps it for a repeat not
	// before the given time. ErrStale when the claim is lost or the Attempt
	// already ended.
	Settle(ctx context.Context, c driver.Claim, attempt string, o driver.Settlement) error
	// Fail ends a queued row that no Attempt carries (Plan refused it).
	Fail(ctx context.Context, c driver.Claim, row channel.OutboxID, reason channel.Reason, detail string) error
	// Cancel ends a queued row that no Attempt carries, without a claim, whoever
	// has the lane: a claim that loaded the row finds it gone at Begin. ErrStale
	// when an Attempt carries it or it has ended; ErrNotFound.
	Cancel(ctx context.Context, row channel.OutboxID) error
	// Forget drops the Content and the Sealed form of a row that has ended;
	// nothing happens to one that waits, or is not there.
	Forget(ctx context.Context, row channel.OutboxID) error
	// Pause keeps every lane of the account from being claimed until then. It
	// never shortens an earlier one, which the provider asked for.
	Pause(ctx context.Context, account channel.AccountID, until time.Time) error
	// Row returns one. ErrNotFound.
	Row(ctx context.Context, id channel.OutboxID) (driver.OutboxRow, error)
	// Unknown lists rows that ended as unknown, the newest first, at most limit:
	// the provider may have accepted them, and a person has to look.
	Unknown(ctx context.Context, limit int) ([]driver.OutboxRow, error)
	// Pending counts rows that are queued or sending.
	Pending(ctx context.Context) (int, error)
}

// ConversationRepo stores conversations, messages and their events, in the
// transaction's workspace.
type ConversationRepo interface {
	// Conversation returns one. ErrNotFound.
	Conversation(ctx context.Context, id conversation.ID) (conversation.Conversation, error)
	// ByThread returns the conversation that is open, active or waiting under
	// the thread key, and the newest other one under it; nil for none.
	ByThread(ctx context.Context, thread string) (open, last *conversation.Conversation, err error)
	// SaveConversation creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. A second open conversation under
	// one thread key is a clash: Update runs again. Returns the new version.
	SaveConversation(ctx context.Context, c conversation.Conversation) (int64, error)

	// Message returns one. ErrNotFound.
	Message(ctx context.Context, id conversation.MessageID) (conversation.Message, error)
	// ByProvider finds a message by the account, chat and provider's id.
	// ErrNotFound.
	ByProvider(ctx context.Context, account channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) (conversation.Message, error)
	// SaveMessage creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. The same provider id in one
	// account and chat twice is a clash. Returns the new version.
	SaveMessage(ctx context.Context, m conversation.Message) (int64, error)
	// Messages returns messages with Seq above after, oldest first, at most
	// limit.
	Messages(ctx context.Context, id conversation.ID, after int64, limit int) ([]conversation.Message, error)

	// Latest returns the newest messages with Seq below before, 0 for all,
	// oldest first, at most limit.
	Latest(ctx context.Context, id conversation.ID, before int64, limit int) ([]conversation.Message, error)

	// AppendEvents writes entries of conversations' sequences; a number that is
	// taken is a clash.
	AppendEvents(ctx context.Context, evs ...conversation.Event) error
	// Events returns entries with Seq above after, oldest first, at most limit.
	Events(ctx context.Context, id conversation.ID, after int64, limit int) ([]conversation.Event, error)

	// List returns conversations that match, newest UpdatedAt first (ties by
	// id), at most limit, starting after the opaque page token; the next token
	// is empty at the end. A page is stable under inserts. ErrInvalid for a limit
	// below 1 and a page that is no token; a token of a list with another filter is not
	// known as such, and goes on from its place.
	List(ctx context.Context, f conversation.Filter, page string, limit int) ([]conversation.Conversation, string, error)
	// Heads is List with no more of each conversation than rights ask about, so
	// that what is only counted is not read. A page token of one serves the other.
	Heads(ctx context.Context, f conversation.Filter, page string, limit int) ([]driver.ConversationHead, string, error)
}

// ContactRepo stores contacts and identities of the transaction's workspace,
// and finds contacts.
type ContactRepo interface {
	// Contact returns one. ErrNotFound.
	Contact(ctx context.Context, id conversation.ContactID) (conversation.Contact, error)
	// ContactsByID returns those of the ids that exist, in no order.
	ContactsByID(ctx context.Context, ids []conversation.ContactID) ([]conversation.Contact, error)
	// Contacts lists contacts with an id above after, ordered by id, at most
	// limit.
	Contacts(ctx context.Context, after conversation.ContactID, limit int) ([]conversation.Contact, error)
	// MergedInto lists the contacts that were merged into this one itself, those
	// that were merged into them left out.
	MergedInto(ctx context.Context, id conversation.ContactID) ([]conversation.Contact, error)
	// SaveContact creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. Returns the new version.
	SaveContact(ctx context.Context, c conversation.Contact) (int64, error)
	// Identity finds by natural key; ErrNotFound.
	Identity(ctx context.Context, kind channel.Kind, scope channel.Scope, user channel.ProviderUserID) (conversation.Identity, error)
	// IdentityByID returns one. ErrNotFound.
	IdentityByID(ctx context.Context, id conversation.IdentityID) (conversation.Identity, error)
	// SaveIdentity creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. A second identity with one natural
	// key is a clash.
	SaveIdentity(ctx context.Context, i conversation.Identity) (int64, error)
	// Identities lists a contact's identities, ordered by id.
	Identities(ctx context.Context, c conversation.ContactID) ([]conversation.Identity, error)
	// PutEarly keeps an unsend or edit that arrived before the message it names. It
	// adds one, or replaces an older one by At; callers take what is there and Merge
	// it first.
	PutEarly(ctx context.Context, e conversation.Early) error
	// TakeEarly removes what PutEarly kept for the message, and returns it;
	// ErrNotFound for none.
	TakeEarly(ctx context.Context, account channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) (conversation.Early, error)
	// FindContacts returns contacts whose name or email begins with the text, or
	// whose telephone number begins with its digits or ends with at least four of
	// them, by name and then by id, at most limit. Case, width, accents and the
	// way in which Hangul is composed do not count, nor does the notation of a
	// number: 010-1234-5678 is +82 10 1234 5678. The empty text finds everybody,
	// by id. Contacts that were merged into others are not found.
	FindContacts(ctx context.Context, q ContactQuery, limit int) ([]conversation.Contact, error)
}

// ContactQuery says which contacts FindContacts is to find.
type ContactQuery struct {
	Text string
	// Desks restricts to contacts of one of the desks; nil: of any or none.
	Desks []routing.DeskID
	// Show is asked about every contact that matches, until the limit is full;
	// nil: all may be shown.
	Show func(id conversation.ContactID, desks []routing.DeskID) (bool, error)
}

// ConfigRepo stores the configuration of the transaction's workspace. Every
// write raises Configuration.Version; writes that touch agents (queue
// membership, removal) raise their EligRev in the same Update. Saves replace
// the whole thing.
type ConfigRepo interface {
	// Configuration returns everything; maps that are empty are not nil. Of the
	// version that the caller knows already (0: of none) it returns the Version
	// alone, which is cheap.
	Configuration(ctx context.Context, known int64) (routing.Configuration, error)
	// Hold keeps everybody else from changing the configuration and from
	// committing what rests on it, until this transaction ends; it waits until
	// those before it have ended. It is the first call of a transaction that
	// changes the configuration: what is read after it stays true. A store whose
	// transactions come one after another has nothing to do.
	Hold(ctx context.Context) error
	// SaveDesk creates or replaces; ErrAlreadyExists when another desk has the
	// Name. Seats below the number of members is ErrInvalid.
	SaveDesk(ctx context.Context, d routing.Desk) error
	SaveWorkStream(ctx context.Context, w routing.WorkStream) error
	// SaveQueue creates or replaces; agents added or removed as Members get a
	// raised EligRev.
	SaveQueue(ctx context.Context, q routing.Queue) error
	// AddMember gives an agent access to a desk. ErrInvalid when all seats of the
	// desk are taken, whoever else adds at the same moment; ErrNotFound for a desk or
	// an agent that is not there. Adding twice is a no-op.
	AddMember(ctx context.Context, d routing.DeskID, a routing.AgentID) error
	// RemoveMember takes it away. ErrInvalid when the agent is the desk's last (RT12),
	// whoever else removes at the same moment; ErrNotFound for a desk that is not
	// there. Removing an agent who is no member is a no-op.
	RemoveMember(ctx context.Context, d routing.DeskID, a routing.AgentID) error
}

// AgentRepo stores agents of the transaction's workspace.
type AgentRepo interface {
	// Agent returns settings and state. ErrNotFound.
	Agent(ctx context.Context, id routing.AgentID) (routing.Agent, error)
	// Agents lists all ordered by id, with state.
	Agents(ctx context.Context) ([]routing.Agent, error)
	// Named lists those of the ids that exist, ordered by id, with state; none for no
	// ids. It reads no others.
	Named(ctx context.Context, ids []routing.AgentID) ([]routing.Agent, error)
	// SaveAgent creates (Version 0; presence Offline) or replaces the settings and
	// raises EligRev; a Version that is not the stored one is a clash (Update runs
	// again); ErrAlreadyExists when created twice. State is ignored. Returns the
	// new version.
	SaveAgent(ctx context.Context, a routing.Agent) (int64, error)
	// SetPresence records presence and reason; where both are so already it changes
	// nothing. Another presence raises EligRev, and sets IdleSince to now when it is
	// Online. It returns the agent. ErrNotFound.
	SetPresence(ctx context.Context, id routing.AgentID, p routing.Presence, reason string, now time.Time) (routing.Agent, error)
}
