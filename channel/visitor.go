package channel

import (
	"context"
	"time"
)

// Visitor is what a channel whose customers are connected to this process (web
// chat) gets from the library. Each method is bound to one visitor of one
// account by the VisitorRef; the adapter authenticates the visitor first.
type Visitor interface {
	// Post stores a message of the visitor; key makes a repeat harmless. The
	// same key with another content is ErrConflict.
	Post(ctx context.Context, v VisitorRef, key string, c Content) (VisitorMessage, error)
	// Since returns what is new in the visitor's open or last conversation: one
	// entry for each number above seq, oldest first, at most limit. Numbers are
	// of a conversation: from is the one that seq belongs to (the Conversation
	// of the last entry seen), and when another has begun since, its entries
	// come from the beginning. Empty and 0 at the first call.
	Since(ctx context.Context, v VisitorRef, from ConversationID, seq int64, limit int) ([]VisitorMessage, error)
	// Subscribe returns a channel that gets a value when Since may have news.
	// It closes when ctx ends.
	Subscribe(ctx context.Context, v VisitorRef) (<-chan struct{}, error)
	// Availability says whether the desk can take a chat now.
	Availability(ctx context.Context, v VisitorRef) (Availability, error)
	// Consent records that the visitor agreed to the text of that version.
	Consent(ctx context.Context, v VisitorRef, key, purpose, textVersion string) error
	// Rate records the one rating of the visitor's last ended conversation.
	Rate(ctx context.Context, v VisitorRef, key string, score int, comment string) error
	// End ends the visitor's conversation from the customer's side.
	End(ctx context.Context, v VisitorRef, key string) error
}

// VisitorRef names a visitor of an account. Workspace is the tenant's id.
type VisitorRef struct {
	Workspace string
	Account   AccountID
	User      ProviderUserID
}

// VisitorMessage is a message as the customer may see it.
type VisitorMessage struct {
	ID           MessageID
	Conversation ConversationID
	Seq          int64 // gap-free in the customer's stream of the conversation
	Mine         bool
	Author       string // the name the customer sees
	Content      Content
	At           time.Time
	Status       string
	Unsent       bool
}

// Availability of a desk.
type Availability struct {
	Open   bool // within operating hours
	Agents bool // somebody is online
	Queue  int  // how many wait
}
