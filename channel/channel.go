// Package channel has what a host reads and writes of its channels: accounts with
// their secrets, the content of messages, why something could not be sent, and how
// a row of the outbox stands.
//
// Whoever writes a channel begins with docs/channels.md and channel/postcard;
// channel/adapter is the contract, channel/kit has what all adapters share, and
// channeltest proves one. What leaves for another place than a customer's chat is
// package notify.
package channel

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing/hours"
)

// Identifiers: opaque strings that the library makes, which authorise nothing.
// What a provider calls its things are other types (ProviderUserID, …).
type (
	// AccountID names an Account.
	AccountID = id.Account
	// DeskID names the desk an account hangs on.
	DeskID = id.Desk
	// WorkStreamID names the work stream an account feeds.
	WorkStreamID = id.WorkStream
	// ConversationID names a conversation.
	ConversationID = id.Conversation
	// MessageID names a message of ours.
	MessageID = id.Message
)

// Kind names a channel: "line", "webchat", "whatsapp". Lower case ASCII.
type Kind string

// ProviderMessageID is the provider's own identifier of a message, opaque; it
// may exceed 2^53 and is therefore never a number.
type ProviderMessageID string

// ProviderUserID is the provider's identifier of a person, opaque, unique
// within a Scope.
type ProviderUserID string

// Scope is the space in which a ProviderUserID is unique: for LINE the
// provider that owns the channel, not the channel. Two accounts with the same
// Kind and Scope see the same person under the same id.
type Scope string

// Secret is a credential. It prints, logs and encodes as "[redacted]"; use
// Reveal where the bytes are needed.
type Secret struct{ v string }

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{s} }

// Reveal returns the credential.
func (s Secret) Reveal() string { return s.v }

// Empty reports whether there is none.
func (s Secret) Empty() bool { return s.v == "" }

// String redacts.
func (s Secret) String() string { return "[redacted]" }

// GoString redacts %#v.
func (s Secret) GoString() string { return "[redacted]" }

// LogValue redacts slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText redacts JSON and text.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Account is the credentials and settings on one channel (requirements CH1 and
// CH2). Secrets are in memory only; at rest they are in Sealed.
type Account struct {
	ID AccountID `json:"id"`
	// Version counts the changes. Who replaces an account gives back the one
	// that was read; 0 makes a new one.
	Version    int64        `json:"version"`
	Kind       Kind         `json:"kind"`
	Name       string       `json:"name"`
	Desk       DeskID       `json:"desk"`
	WorkStream WorkStreamID `json:"work_stream"`
	// Language is a BCP 47 tag; empty means the workspace's.
	Language string `json:"language,omitempty"`
	// Hours of the account; nil falls to the next in precedence: its desk, the
	// queue that serves, the work stream, the workspace.
	Hours *hours.Calendar `json:"hours,omitempty"`
	// Token is the unguessable last element of the webhook URL, unique over
	// all workspaces. It routes and authorises nothing.
	Token string `json:"token"`
	// Scope is where this account's user ids are unique. Empty: the account id.
	Scope Scope `json:"scope,omitempty"`
	// Attachments is the master switch; the other two work only under it.
	Attachments         bool `json:"attachments"`
	CustomerAttachments bool `json:"customer_attachments"`
	AgentAttachments    bool `json:"agent_attachments"`
	// Disabled stops the account's traffic; its history stays readable (CH3).
	Disabled bool `json:"disabled,omitempty"`
	// Deleted marks an account that is gone but whose history stays.
	Deleted bool `json:"deleted,omitempty"`
	// Confirmed is who agreed last that what is written here leaves the
	// organisation; nil: nobody was asked. The engine keeps it.
	Confirmed *Confirmation `json:"confirmed,omitempty"`
	// Settings is the adapter's own, checked by its Validator.
	Settings json.RawMessage `json:"settings,omitempty"`
	// Messages are the account's automated messages: event, then language.
	Messages map[string]map[string]string `json:"messages,omitempty"`
	// Notice is how customers are told that what they write is read and kept.
	Notice Notice `json:"notice,omitzero"`
	// Secrets are the opened credentials; never stored, never encoded.
	Secrets map[string]Secret `json:"-"`
	// Sealed is the credentials under the keyset, as stored.
	Sealed []byte `json:"-"`
}

// Notice is how customers are told that what they write may be read and kept.
// The words are the automated message "notice": a customer is told once, before
// anything else is said, if there are any.
type Notice struct {
	// Version of the words; empty is "1". Whoever changes what they mean gives
	// another one, and customers are told, or asked, again.
	Version string `json:"version,omitempty"`
	// Consent has customers asked, by the buttons "consent_yes" and "consent_no"
	// under the words: nobody of the desk is shown what a customer wrote before a
	// yes. It needs a channel with buttons; groups are told and not asked.
	Consent bool `json:"consent,omitempty"`
}

// Confirmation is that somebody agreed to something.
type Confirmation struct {
	By string    `json:"by"` // an actor, as in the audit log
	At time.Time `json:"at"`
}

// UserScope is Scope, or one of the account's own when it has none.
func (a Account) UserScope() Scope {
	if a.Scope != "" {
		return a.Scope
	}
	return Scope("account:" + string(a.ID))
}

// ChatKind says what a chat is.
type ChatKind string

const (
	ChatUser   ChatKind = "user"   // one person
	ChatGroup  ChatKind = "group"  // a group with a name
	ChatRoom   ChatKind = "room"   // several people without a name
	ChatThread ChatKind = "thread" // a mail thread
	ChatOther  ChatKind = "other"  // a kind that the adapter does not know: read, never written to
)

// Chat is where messages go: a person, a group, a room, a mail thread.
type Chat struct {
	Kind ChatKind `json:"kind"`
	ID   string   `json:"id"`
}

// ByContact reports whether the thread of the chat is that of its contact.
func (c Chat) ByContact() bool { return c.OfOne() && c.Kind != ChatThread }

// OfOne reports whether the chat is that of one person, whom its conversation
// belongs to; in the others nobody is the contact.
func (c Chat) OfOne() bool {
	switch c.Kind {
	case ChatGroup, ChatRoom, ChatOther:
		return false
	}
	return true
}

// EnvelopeID names a stored envelope.
type EnvelopeID string

// ReplyHandle is a provider's one-time right to answer an event.
type ReplyHandle struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires,omitzero"` // after it the handle must not be used
}

// Profile is what a provider tells of a person, a group or a room.
type Profile struct {
	Name     string
	Picture  string // outside address
	Language string
	Status   string
}

// Invitation is how customers come to an account.
type Invitation struct {
	// URL opens the account at the provider, or adds it as a friend.
	URL string `json:"url"`
	// QR is the URL as a PNG picture; empty when none was asked for.
	QR []byte `json:"qr,omitempty"`
}
