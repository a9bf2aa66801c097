// Package channel defines what an adapter to a messaging provider is: the
// content model, the Adapter interface with its optional companions, the
// Envelope that carries one inbound event, and the Attempt that carries one
// outbound request.
//
// An adapter knows one provider and nothing of this library but this package.
// It keeps no state of its own that matters: what must survive is in
// Envelopes, Attempts and Accounts. Adapters are safe for concurrent use.
//
// A host needs Account, Content and Capabilities of it. Whoever writes an adapter
// begins with docs/channels.md and channel/postcard, and proves it with
// channeltest; channel/kit has what all adapters share. What leaves for another
// place than a customer's chat is package notify.
package channel

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
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

// Request is a webhook as it arrived. Body is the raw bytes.
type Request struct {
	Method string
	URL    *url.URL // as the provider sees it
	Header http.Header
	Body   []byte
}

// Receipt is the answer to a webhook and the events found in it.
type Receipt struct {
	// Status, Header and Body answer the provider once every Envelope is
	// stored. Status 0 means 200 with an empty body.
	Status int
	Header http.Header
	Body   []byte
	// Envelopes holds one entry an event, in the order of their own time.
	Envelopes []Envelope
}

// EnvelopeID names a stored envelope.
type EnvelopeID string

// Envelope is one inbound event, verified, raw, and stored before the provider
// is answered. The adapter fills DedupKey, Lane, OccurredAt and Raw; the rest
// is set by the library.
type Envelope struct {
	ID      EnvelopeID
	Account AccountID
	// DedupKey is unique per account: the provider's event id, or a hash of the
	// raw event where there is none. It is not empty; one of more than 200 bytes
	// is stored as its hash.
	DedupKey string
	// Lane is the unit of order within the account: the chat, or empty for
	// events of the account itself. One of more than 200 bytes is stored as its
	// hash.
	Lane string
	// OccurredAt is the provider's time of the event.
	OccurredAt time.Time
	ReceivedAt time.Time
	// Raw is the event alone, as sent, at most MaxEnvelope bytes; of a Runner at
	// most MaxLargeEnvelope.
	Raw []byte
	// Sealed says, while it is appended, that Raw is sealed and may be as much
	// longer. Stores do not keep it.
	Sealed bool
	// Tries counts earlier processing attempts that failed for a temporary
	// reason.
	Tries int
}

// EventKind says what an Inbound reports.
type EventKind string

const (
	EventMessage      EventKind = "message"       // somebody wrote
	EventEdit         EventKind = "edit"          // what a message says was replaced
	EventUnsend       EventKind = "unsend"        // a message was taken back
	EventFollow       EventKind = "follow"        // the customer added or unblocked the account
	EventUnfollow     EventKind = "unfollow"      // the customer blocked or left the account
	EventPostback     EventKind = "postback"      // a button was pressed
	EventJoin         EventKind = "join"          // the account entered a group or room
	EventLeave        EventKind = "leave"         // the account left one
	EventMemberJoined EventKind = "member_joined" // people came into the group
	EventMemberLeft   EventKind = "member_left"   // people left the group
	EventDelivered    EventKind = "delivered"     // our message arrived
	EventRead         EventKind = "read"          // our message was read
	EventFailed       EventKind = "failed"        // a message that was accepted could not be delivered, see Inbound.Reason
	EventTyping       EventKind = "typing"        // somebody is writing
	EventWatched      EventKind = "watched"       // a video was watched to its end, see Media.Track
	EventNotified     EventKind = "notified"      // a notice outside of any chat has arrived, see Inbound.Tag
	EventAccountLink  EventKind = "account_link"  // the provider's answer to a link with a log-in
	EventEnded        EventKind = "ended"         // the customer ended a live chat
	EventOther        EventKind = "other"         // known to the adapter, of no effect on the conversation
	EventUnsupported  EventKind = "unsupported"   // unknown to the adapter; kept raw, shown as such
)

// Inbound is an event in the library's terms: what Adapter.Parse returns.
type Inbound struct {
	Kind EventKind
	// Type is the provider's name of the event or message kind, for display and
	// figures; required for EventOther and EventUnsupported.
	Type string
	Chat Chat
	// Author is who wrote; empty User means unknown, which is legal in groups.
	Author Author
	// MessageID is the provider's id of the message concerned, for message,
	// edit, unsend and receipts; empty where there is none.
	MessageID ProviderMessageID
	// Watermark, for receipts without MessageID: every message sent at or
	// before it.
	Watermark time.Time
	// OccurredAt is the event's own time; state follows it.
	OccurredAt time.Time
	Content    Content
	// Tag, for watched and notified, is the name that was given to what was
	// sent: for a video sent with Media.Track the MessageID of the Outbound.
	Tag string
	// Members are the people of member_joined and member_left.
	Members []Author
	// Reply lets the next answer use a route that the provider ties to this
	// event. Nil where there is none.
	Reply *ReplyHandle
	// ReadHandle lets the account mark the message as read. Empty: none.
	ReadHandle string
	// Silent forbids sending anything because of this event (LINE standby, the
	// mail of a machine).
	Silent bool
	// Standby says that somebody else has the word in the chat at the provider,
	// such as its own bot or another module (LINE standby): the event is kept and
	// shown, and nothing is sent until an event comes that is not.
	Standby bool
	// Aside: no person wrote it. It joins the conversation of its chat, also one
	// that is closed, and opens none again; a new one begins where there is none.
	Aside bool
	// Name is how answers will name this message, where that is not MessageID.
	Name ProviderMessageID
	// Answers are messages that this one answers, the nearest first, on channels
	// where an answer names messages and not its chat: one that is known exactly,
	// and in which the author took part, decides which chat it is. Else Chat does.
	Answers []ProviderMessageID
	// Copied are the people to whom the message went beside us. They may answer
	// it; they gain nothing else.
	Copied []Author
	// State is what the adapter wants to know about the chat when it answers
	// there (Outbound.State), for chats of kind thread. It counts of the person
	// who began the chat; nil keeps what there is.
	State []byte
	// Reason is why, for failed; Details["detail"] may say more to a person. Tag
	// is then the Outbound.Message, or the notice, if the adapter can tell.
	Reason Reason
	// Details holds further facts of the event as short strings.
	Details map[string]string
	// Begins are attributes of a conversation that begins with this event, such
	// as the page that it came from.
	Begins map[string]string
}

// Author is a person as the provider names them.
type Author struct {
	User ProviderUserID
	Name string // display name if the event carries it
	// Vouched says that somebody whom the host trusts vouches for the author,
	// such as the host's own mail server for the sender's domain.
	Vouched bool
}

// ReplyHandle is a provider's one-time right to answer an event.
type ReplyHandle struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires,omitzero"` // after it the handle must not be used
}

// Outbound is one message to send.
type Outbound struct {
	Row     OutboxID
	Message MessageID
	To      Chat
	Content Content
	// Reply, if not nil and unexpired, may be used for the whole Attempt.
	Reply *ReplyHandle
	// SenderName and SenderIcon are shown as the author where the channel can.
	SenderName string
	SenderIcon string
	// State is the newest Inbound.State of the chat; nil where there was none.
	State []byte
	// Automatic: no person wrote it.
	Automatic bool
	// Event is what the message tells, for channels with layouts: "received",
	// "on_hold", "handled" or "solved"; "trigger" for a rule's own words; empty for
	// what is none of these.
	Event string
	// Language of the conversation, a BCP 47 tag; empty: nobody knows it.
	Language string
}

// Attempt is one planned request to a provider: persisted before it is sent
// and repeated byte for byte. Plan fills Route, Request, Rows, IdempotencyKey
// and IdempotentFor; the rest is the library's.
type Attempt struct {
	ID      string    `json:"id"`
	Account AccountID `json:"account"`
	// Rows are the outbox rows that this request carries, in order: a prefix of
	// what Plan was given. At least one.
	Rows []OutboxID `json:"rows"`
	// Route is the provider's way of sending, e.g. "reply" or "push".
	Route string `json:"route"`
	// Request is everything Send needs besides credentials, exact to the byte.
	Request []byte `json:"request"`
	// IdempotencyKey is the provider's retry key; empty where the route has none.
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// IdempotentFor is how long, counted from PlannedAt, repeating the Attempt
	// cannot send twice. Zero: never safe to repeat after an ambiguous outcome.
	IdempotentFor time.Duration `json:"idempotent_for,omitempty"`
	PlannedAt     time.Time     `json:"planned_at,omitzero"`
	// Tries counts the sends begun so far, this one included once begun.
	Tries int `json:"tries"`
	// Unsure is set by the library before a repeat: an earlier try of these very
	// bytes may have been accepted.
	Unsure bool `json:"unsure,omitempty"`
}

// Repeatable reports whether a repeat at now cannot send twice.
func (a Attempt) Repeatable(now time.Time) bool {
	return a.IdempotentFor > 0 && now.Before(a.PlannedAt.Add(a.IdempotentFor))
}

// Sent is a provider's acceptance. It is never proof of delivery.
type Sent struct {
	// Messages has the provider's ids, one a row of the Attempt in order, or
	// none where the provider gives none.
	Messages []SentMessage
	// RequestID is the provider's name of the request, for support.
	RequestID string
	// Duplicate: the provider said it had accepted this key before.
	Duplicate bool
}

// SentMessage is one accepted row of an Attempt.
type SentMessage struct {
	// ID is the provider's id of the message, of the first one where the row
	// left as several.
	ID          ProviderMessageID
	QuoteHandle string
	// Parts are further ids when one message left as several, in the order in
	// which the customer sees them, without ID. Empty in the usual case. A
	// quote, an unsend or a receipt that names one of them concerns the row.
	Parts []ProviderMessageID
}

// Adapter connects one kind of channel. All methods may be called at once.
type Adapter interface {
	// Kind is the channel's name; constant.
	Kind() Kind
	// Capabilities says what the channel can do; constant.
	Capabilities() Capabilities
	// Validate checks an account's settings and secrets without the network.
	// The error is ErrInvalid and names the field and where to find its value.
	// An account whose verification secret is empty is always refused.
	Validate(acct Account) error
	// Receive verifies req on its raw bytes and splits it into Envelopes. It
	// does no I/O. A refusal is a *ReceiveError; one bad event among several
	// does not refuse its siblings but becomes an Envelope that Parse refuses.
	Receive(acct Account, req Request) (Receipt, error)
	// Parse turns an Envelope into an Inbound. It is pure, never panics and
	// keeps what it does not know as EventUnsupported. An error is ErrInvalid
	// and quarantines the envelope; it holds none of the event's text.
	Parse(acct Account, env Envelope) (Inbound, error)
	// Plan chooses the route and builds the exact request for a prefix of
	// batch, which is never empty, in order, and all to the same Chat. newKey
	// returns a fresh UUID for a retry key. It does no I/O. An error is a
	// *SendError of Permanent disposition that concerns batch[0] alone.
	Plan(acct Account, batch []Outbound, now time.Time, newKey func() string) (Attempt, error)
	// Send performs the Attempt once. It honours ctx. An error is a *SendError
	// or a context error.
	Send(ctx context.Context, acct Account, at Attempt) (Sent, error)
}

// Level says how far a channel carries something (after bridging practice:
// what the agent is told before sending).
type Level int

const (
	Rejected Level = iota // cannot be sent at all
	Fallback              // sent in a poorer form, e.g. a link or plain text
	Partial               // sent with losses named in Limits
	Full
)

// Limits of a kind of content on a channel. Zero: no limit known.
type Limits struct {
	MaxChars int      // in Unit
	Unit     string   // "utf16", "grapheme", "rune", "byte"
	MaxBytes int64    // of a file
	Types    []string // accepted media types; empty: any
	MaxItems int      // cards, choices
	Note     string   // what is lost under Partial or Fallback, for the agent
}

// Capabilities is an adapter's declaration; channeltest holds it against the
// implemented interfaces and the behaviour.
type Capabilities struct {
	// Send has the level of each content kind; absent means Rejected.
	Send   map[ContentKind]Level
	Limits map[ContentKind]Limits
	// Choices is the level of quick replies under a message.
	Choices Level
	// ChoiceKinds are those that the channel carries; nil: message, postback and
	// uri. A message with a choice of another kind is refused for
	// ReasonUnsupported. See Chooses.
	ChoiceKinds []ChoiceKind
	// MaxFiles is how many files one message carries; 0 is one. A message with
	// more is refused before the adapter is asked.
	MaxFiles int
	// MediaLinks: the provider fetches files from their address. Plan needs
	// Media.URL; else it has Media.Blob, which the adapter has served.
	MediaLinks bool
	// MaxBatch is how many messages one Attempt can carry; at least 1.
	MaxBatch int
	// Routes describes every route that Plan may choose.
	Routes map[string]Route
	// Persistent is false for channels whose chats end with the window.
	Persistent bool
	// What the channel reports or accepts.
	Groups, Edits, Unsends, Delivered, Read, TypingIn, TypingOut bool
	MarkRead, Profiles, MediaFetch, Quotes, SenderName           bool
	// ReplyHandle: events may carry a one-time right to answer.
	ReplyHandle bool
	// Watched: it tells when a video was watched to its end. Notified: it tells
	// of notices that were sent outside of any chat.
	Watched, Notified bool
	// AsksRating and AsksConsent: its own surface asks for a rating after the end,
	// for consent before the beginning, so that no message does.
	AsksRating, AsksConsent bool
	// NoWelcome forbids the automatic welcome (mail).
	NoWelcome bool
	// Automatic bounds what is sent without a person, on channels where the other
	// side may be a machine that answers; zero: no bounds.
	Automatic AutomaticLimits
}

// AutomaticLimits bound automatic messages within a time that goes with the
// clock: in one thread, to one person over all threads, and to all people of a
// domain for whom nobody vouches (Author.Vouched).
type AutomaticLimits struct {
	PerThread, PerPerson, PerDomain int
	Within                          time.Duration
}

// Route describes one way of sending.
type Route struct {
	// IdempotentFor is how long a repeat cannot send twice; 0: never safe. For
	// a ByHandle route it is the longest that Plan gives.
	IdempotentFor time.Duration
	// ByHandle: the route spends the reply handle, which the provider takes
	// once. A repeat cannot send twice while the handle lives, so Plan's
	// IdempotentFor ends some seconds before ReplyHandle.Expires, and there is
	// no key. That the provider refuses the handle of an Attempt whose earlier
	// try was ambiguous means that this try was accepted, most likely.
	ByHandle bool
	// Metered counts against a quota at the provider.
	Metered bool
}

// Profiler is implemented by adapters that can look a person up.
type Profiler interface {
	// Profile returns what the provider tells of a user seen in a chat.
	// ErrNotFound when the provider gives no profile.
	Profile(ctx context.Context, acct Account, chat Chat, user ProviderUserID) (Profile, error)
}

// ChatProfiler is implemented by adapters that can look up a group or room.
type ChatProfiler interface {
	// ChatProfile returns the chat's name and picture; both may be empty, for
	// some kinds of chat have none. ErrNotFound when the provider tells nothing
	// of it (any more).
	ChatProfile(ctx context.Context, acct Account, chat Chat) (Profile, error)
}

// Profile is what a provider tells of a person, a group or a room.
type Profile struct {
	Name     string
	Picture  string // outside address
	Language string
	Status   string
}

// MediaFetcher is implemented by adapters whose media must be fetched.
type MediaFetcher interface {
	// FetchMedia streams the media ref (Media.Provider) into sink and returns
	// its media type as told. Errors: ErrNotFound, ErrUnavailable (not ready,
	// ask again), ErrStale (the customer took it back).
	FetchMedia(ctx context.Context, acct Account, ref string, sink MediaSink) error
}

// MediaSink takes a stream. It returns an error when the limit is exceeded.
type MediaSink interface {
	Begin(mediaType string, size int64) error // size -1: unknown
	Write(p []byte) (int, error)
}

// TypingIndicator is implemented by adapters that can show "writing".
type TypingIndicator interface {
	ShowTyping(ctx context.Context, acct Account, chat Chat, d time.Duration) error
}

// ReadMarker is implemented by adapters that can mark a message as read.
type ReadMarker interface {
	MarkRead(ctx context.Context, acct Account, handle string) error
}

// Inviter is implemented by adapters whose accounts have an address that
// customers open to reach them: a link to add a friend, a page with a chat.
type Inviter interface {
	// Invite returns the address, which stays the same as long as the account's
	// name at the provider does, and a QR picture of size × size pixels, 64 to
	// 2048; with size 0 it makes none, for others it is ErrInvalid. ErrNotFound
	// when the account has no address.
	Invite(ctx context.Context, acct Account, size int) (Invitation, error)
}

// Invitation is how customers come to an account.
type Invitation struct {
	// URL opens the account at the provider, or adds it as a friend.
	URL string `json:"url"`
	// QR is the URL as a PNG picture; empty when none was asked for.
	QR []byte `json:"qr,omitempty"`
}

// Finding is one result of a Checker.
type Finding struct {
	OK     bool   `json:"ok"`
	Topic  string `json:"topic"` // token, bot, endpoint, redelivery, …
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
	// Replaces is the address that SetEndpoint would put ours in place of,
	// perhaps another tool's; empty: there is none.
	Replaces string `json:"replaces,omitempty"`
}

// Connector is implemented by adapters that can tell the provider where it is to
// send its events, in place of the address that it has.
type Connector interface {
	// SetEndpoint replaces the address of the webhook at the provider.
	SetEndpoint(ctx context.Context, acct Account, address string) error
}

// Changer is implemented by adapters some of whose settings are fixed once an
// account has conversations.
type Changer interface {
	// MayChange refuses what must stay as it is. The error is ErrInvalid and says
	// what to do instead. It does no I/O.
	MayChange(old, next Account) error
}

// Formatted is implemented by adapters whose settings hold texts in HTML or in
// plain text, such as layouts of mails. They follow the workspace's editor type.
type Formatted interface {
	// OtherFormat names the texts in next's settings that are not of the format,
	// "html" or "text", but for those that stand just so in was. It does no I/O.
	OtherFormat(was, next Account, format string) []string
}

// Checker is implemented by adapters that can test an account at the provider.
type Checker interface {
	// Check asks the provider and says in words what is wrong.
	Check(ctx context.Context, acct Account, callbackURL string) ([]Finding, error)
}
