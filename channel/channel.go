// Package channel has what a host reads and writes of its channels: accounts with
// their secrets, the content of messages, why something could not be sent, and how
// a row of the outbox stands.
//
// To write a channel of your own, begin with docs/channels.md and the small
// example channel/postcard. channel/adapter is the contract, channel/kit has
// what adapters share, and channel/channeltest tests an adapter. What is sent
// elsewhere than to a customer's chat belongs to package notify.
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
	// DeskID names the desk that an account belongs to.
	DeskID = id.Desk
	// WorkStreamID names the work stream to which an account's conversations
	// belong.
	WorkStreamID = id.WorkStream
	// ConversationID names a conversation.
	ConversationID = id.Conversation
	// MessageID is the library's own id of a message, as opposed to the
	// provider's.
	MessageID = id.Message
)

// Kind names a channel: "line", "webchat", "whatsapp". Lower case ASCII.
type Kind string

// ProviderMessageID is the provider's own identifier of a message. It is opaque
// text: even where it looks like a number it may exceed 2^53, the largest that
// JSON carries exactly.
type ProviderMessageID string

// ProviderUserID is the provider's identifier of a person: opaque text, unique
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

// Empty reports whether the credential is empty.
func (s Secret) Empty() bool { return s.v == "" }

// String returns "[redacted]".
func (s Secret) String() string { return "[redacted]" }

// GoString returns "[redacted]", for %#v.
func (s Secret) GoString() string { return "[redacted]" }

// LogValue returns "[redacted]", for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText returns "[redacted]", for JSON and text.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Account is one account of the workspace on a channel, such as one LINE
// official account, with its settings and credentials (docs/requirements.md,
// CH1 and CH2).
type Account struct {
	ID AccountID `json:"id"`
	// Version counts the changes. To replace an account, give the version that
	// was read; 0 makes a new account.
	Version    int64        `json:"version"`
	Kind       Kind         `json:"kind"`
	Name       string       `json:"name"`
	Desk       DeskID       `json:"desk"`
	WorkStream WorkStreamID `json:"work_stream"`
	// Language is a BCP 47 tag; empty means the workspace's.
	Language string `json:"language,omitempty"`
	// Hours are the account's operating hours. nil means those of the first
	// that sets some: its desk, the queue that serves it, its work stream, the
	// workspace.
	Hours *hours.Calendar `json:"hours,omitempty"`
	// Token is the last element of the webhook's address. It cannot be guessed
	// and is unique over all workspaces. It only says which account a request
	// is for and gives no right: the adapter verifies each request.
	Token string `json:"token"`
	// Scope is where this account's user ids are unique. Empty: the account id.
	Scope Scope `json:"scope,omitempty"`
	// Attachments switches files on for the account. CustomerAttachments and
	// AgentAttachments say who may send some, and count only while Attachments
	// is on.
	Attachments         bool `json:"attachments"`
	CustomerAttachments bool `json:"customer_attachments"`
	AgentAttachments    bool `json:"agent_attachments"`
	// Disabled stops the account's traffic; its history stays readable (CH3).
	Disabled bool `json:"disabled,omitempty"`
	// Deleted marks an account that was deleted and whose history stays.
	Deleted bool `json:"deleted,omitempty"`
	// Confirmed says who last agreed that what is written on this account
	// leaves the organisation; nil: nobody was asked. The engine fills it.
	Confirmed *Confirmation `json:"confirmed,omitempty"`
	// Settings are the adapter's own settings as JSON, checked by
	// Adapter.Validate.
	Settings json.RawMessage `json:"settings,omitempty"`
	// Messages are the texts of the account's automated messages, by event and
	// then by language.
	Messages map[string]map[string]string `json:"messages,omitempty"`
	// Notice says how customers are told that what they write is read and kept.
	Notice Notice `json:"notice,omitzero"`
	// Secrets are the credentials in the clear. They are in memory only: never
	// stored and never encoded as JSON.
	Secrets map[string]Secret `json:"-"`
	// Sealed are the credentials as they are stored, encrypted with the host's
	// keys.
	Sealed []byte `json:"-"`
}

// Notice says how customers are told that what they write may be read and kept.
// The words are those of the automated message "notice". When there are some,
// each customer gets them once, before any other message.
type Notice struct {
	// Version of the words; empty means "1". Change it when the meaning of the
	// words changes: customers are then told, or asked, again.
	Version string `json:"version,omitempty"`
	// Consent asks customers to agree, with the buttons "consent_yes" and
	// "consent_no" under the words. Until a customer has said yes, no agent is
	// shown what the customer wrote. It needs a channel with buttons; groups
	// are told and not asked.
	Consent bool `json:"consent,omitempty"`
}

// Confirmation says who agreed to something, and when.
type Confirmation struct {
	By string    `json:"by"` // an actor, as in the audit log
	At time.Time `json:"at"`
}

// UserScope returns Scope, or a scope of the account's own when Scope is empty.
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

// ByContact reports whether conversations in the chat belong to the thread of
// its contact, and not to one of the chat's own.
func (c Chat) ByContact() bool { return c.OfOne() && c.Kind != ChatThread }

// OfOne reports whether the chat is with one person, who is then the contact of
// its conversation. The conversation of a group or a room has no contact.
func (c Chat) OfOne() bool {
	switch c.Kind {
	case ChatGroup, ChatRoom, ChatOther:
		return false
	}
	return true
}

// EnvelopeID names a received event as it is stored (adapter.Envelope).
type EnvelopeID string

// ReplyHandle is what a provider gives with an event so that it may be answered
// once, often free of charge.
type ReplyHandle struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires,omitzero"` // after it the handle must not be used
}

// Profile is what a provider tells about a person, a group or a room. Each
// field may be empty.
type Profile struct {
	Name     string
	Picture  string // outside address
	Language string
	Status   string
}

// Invitation is the address by which customers reach an account.
type Invitation struct {
	// URL opens the account at the provider, or adds it as a friend.
	URL string `json:"url"`
	// QR is the URL as a PNG picture; empty when none was asked for.
	QR []byte `json:"qr,omitempty"`
}
