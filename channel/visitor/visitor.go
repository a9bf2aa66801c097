// Package visitor is what a channel gets from the engine whose customers are
// connected to the host's own process, such as web chat: the Port (Engine.Visitor)
// by which visitors post, read, rate and leave. It is for authors of such channels,
// and for hosts whose own pages speak for visitors.
package visitor

import (
	"context"
	"io"
	"time"

	"github.com/sangdam/sangdam/channel"
)

// Port is what a channel whose customers are connected to this process (web
// chat) gets from the library. Each method but Account is bound to one visitor
// of one account by the Ref; the adapter authenticates the visitor
// first. What is not the visitor's own is ErrNotFound.
type Port interface {
	// Account finds the account whose public Token a page names, with its
	// secrets. ErrNotFound when there is none, or it is off or deleted.
	Account(ctx context.Context, token string) (Account, error)
	// Post stores a message of the visitor; key makes a repeat harmless. The
	// same key with another content is ErrConflict.
	Post(ctx context.Context, v Ref, key string, c channel.Content) (Message, error)
	// Since returns what is new: one entry for each number above seq, oldest
	// first, at most limit. Numbers are of a conversation: from is the one that
	// seq belongs to (the Conversation of the last entry seen). When others have
	// begun since, the rest of from comes first and then theirs from their
	// beginning. Empty and 0 at the first call, which shows the open or last one.
	Since(ctx context.Context, v Ref, from channel.ConversationID, seq int64, limit int) ([]Message, error)
	// Message returns one message of the visitor's conversations.
	Message(ctx context.Context, v Ref, id channel.MessageID) (Message, error)
	// State says how the visitor's open or last conversation stands.
	State(ctx context.Context, v Ref) (State, error)
	// Subscribe tells when Since, State or Availability may have news, of this
	// visitor only. With an empty User it tells of the account's Availability
	// alone. Hints may be missing: ask now and then as well. The caller closes
	// it. ErrUnavailable when the engine has stopped.
	Subscribe(ctx context.Context, v Ref) (News, error)
	// Availability says whether the desk can take a chat now.
	Availability(ctx context.Context, v Ref) (Availability, error)
	// Consent records that the visitor agreed to the text of that version.
	Consent(ctx context.Context, v Ref, key, purpose, textVersion string) error
	// Identify says that the host vouches for who the visitor is. The visitor's
	// contact is known from then on. anonymous, if not empty, is the visitor
	// that the same browser was before: what it said joins the contact, unless
	// it belongs to a known one already.
	Identify(ctx context.Context, v Ref, p Profile, anonymous channel.ProviderUserID) error
	// Typing shows agents that the visitor is writing.
	Typing(ctx context.Context, v Ref) error
	// Seen says that the visitor has seen everything up to the number.
	Seen(ctx context.Context, v Ref, of channel.ConversationID, seq int64) error
	// Leave says that the visitor closed the page of that name: a live
	// conversation ends after the grace unless the visitor writes or Back is
	// called with another page meanwhile.
	Leave(ctx context.Context, v Ref, page string, grace time.Duration) error
	// Back says that the visitor has the page of that name open.
	Back(ctx context.Context, v Ref, page string) error
	// Upload keeps a file for a message that Post is given afterwards with the
	// Media returned: its type is what its bytes show. blob.ErrTooLarge above
	// limit bytes; ErrInvalid for a picture that is unsafe to decode;
	// ErrUnsupported where attachments are off.
	Upload(ctx context.Context, v Ref, name string, r io.Reader, limit int64) (channel.Media, error)
	// Download opens the file of a message; the caller closes it.
	Download(ctx context.Context, v Ref, id channel.MessageID) (io.ReadCloser, channel.Media, error)
	// Rate records the one rating of the visitor's last ended conversation.
	Rate(ctx context.Context, v Ref, key string, score int, comment string) error
	// End ends the visitor's conversation from the customer's side.
	End(ctx context.Context, v Ref, key string) error
}

// Ref names a visitor of an account. Workspace is the tenant's id.
type Ref struct {
	Workspace string
	Account   channel.AccountID
	User      channel.ProviderUserID
	// Language that the visitor is spoken to in, a BCP 47 tag: of a conversation
	// that begins and of its automated messages. Empty: the account's.
	Language string
	// From is where the visitor is; it is kept with a conversation that begins.
	From Origin
}

// Origin is what is known of where a visitor is. Each may be empty.
type Origin struct {
	Entry  string // the page or place that carries the chat
	Device string
	IP     string
}

// Account is an account as its adapter needs it to serve visitors.
type Account struct {
	Workspace string
	Account   channel.Account
	// Desk is the name of the desk, which customers see.
	Desk string
	// Live chats end with the window; else they are persistent.
	Live bool
}

// Message is a message as the customer may see it.
type Message struct {
	ID           channel.MessageID
	Conversation channel.ConversationID
	Seq          int64 // gap-free in the customer's stream of the conversation
	// Key is the one that the visitor posted it with; empty for others' words.
	Key     string
	Mine    bool
	Author  string // the name the customer sees
	Content channel.Content
	At      time.Time
	Status  string
	Unsent  bool
}

// State is how the visitor's open or last conversation stands, as the
// visitor may know it.
type State struct {
	Conversation channel.ConversationID // empty: there was none yet
	// Open: the next message joins it. A persistent one that has ended may open
	// again.
	Open bool
	// Agent is the name of who has it; empty while nobody has.
	Agent string
	// Waiting: for an agent.
	Waiting bool
	// EndedBy is customer, agent or system, EndReason a code; empty while open.
	EndedBy, EndReason string
	Rated              bool
	// AskRating is the text that asks for a rating once it has ended; empty: the
	// channel's own.
	AskRating string
	// Seq is the last number of the customer's stream, Read the one up to which
	// the desk has read.
	Seq, Read int64
	// Left is the page whose closing the conversation is about to end with.
	Left string
	// Consents are those that the visitor gave.
	Consents []Consent
}

// Consent is one consent that was given.
type Consent struct {
	Purpose, TextVersion string
	At                   time.Time
}

// Profile is what the host vouches for. Empty fields say nothing.
type Profile struct {
	// Subject is the host's own id of the person.
	Subject              string
	Name, Email, Phone   string
	Language, PictureURL string
}

// News is a subscription. It is for one goroutine.
type News interface {
	// Ready gets a value when Take has something.
	Ready() <-chan struct{}
	// Take returns what there may be news of, and forgets it.
	Take(ctx context.Context) (Hint, error)
	// Close ends the subscription.
	Close()
}

// Hint says what may have changed.
type Hint struct {
	Messages     bool // Since and State
	Typing       bool // somebody of the desk is writing, now
	Availability bool
	Ended        bool // the engine stops: go on at another process
}

// Availability of a desk. How many wait is not part of it: a crowd of visitors asks for
// it, and its answer must cost the same however large the crowd is.
type Availability struct {
	Open   bool // within operating hours
	Agents bool // somebody is online
}
