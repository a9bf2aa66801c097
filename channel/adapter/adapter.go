package adapter

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/channel"
)

// Outbound is one message to send.
type Outbound struct {
	Row     channel.OutboxID
	Message channel.MessageID
	To      channel.Chat
	Content channel.Content
	// Reply, if not nil and unexpired, may be used for the whole Attempt.
	Reply *channel.ReplyHandle
	// SenderName and SenderIcon are shown as the author where the channel can.
	SenderName string
	SenderIcon string
	// State is the newest Inbound.State of the chat; nil where there was none.
	State []byte
	// Subject is that of the mail that State came with (Letter.Subject), as it
	// reads now: without what was masked since.
	Subject string
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
	ID      string            `json:"id"`
	Account channel.AccountID `json:"account"`
	// Rows are the outbox rows that this request carries, in order: a prefix of
	// what Plan was given. At least one.
	Rows []channel.OutboxID `json:"rows"`
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
	ID          channel.ProviderMessageID
	QuoteHandle string
	// Parts are further ids when one message left as several, in the order in
	// which the customer sees them, without ID. Empty in the usual case. A
	// quote, an unsend or a receipt that names one of them concerns the row.
	Parts []channel.ProviderMessageID
}

// Adapter connects one kind of channel. All methods may be called at once.
type Adapter interface {
	// Kind is the channel's name; constant.
	Kind() channel.Kind
	// Capabilities says what the channel can do; constant.
	Capabilities() Capabilities
	// Validate checks an account's settings and secrets without the network.
	// The error is ErrInvalid and names the field and where to find its value.
	// An account whose verification secret is empty is always refused.
	Validate(acct channel.Account) error
	// Receive verifies req on its raw bytes and splits it into Envelopes. It
	// does no I/O. A refusal is a *ReceiveError; one bad event among several
	// does not refuse its siblings but becomes an Envelope that Parse refuses.
	Receive(acct channel.Account, req Request) (Receipt, error)
	// Parse turns an Envelope into an Inbound. It is pure, never panics and
	// keeps what it does not know as EventUnsupported. An error is ErrInvalid
	// and quarantines the envelope; it holds none of the event's text.
	Parse(acct channel.Account, env Envelope) (Inbound, error)
	// Plan chooses the route and builds the exact request for a prefix of
	// batch, which is never empty, in order, and all to the same Chat. newKey
	// returns a fresh UUID for a retry key. It does no I/O. An error is a
	// *SendError of Permanent disposition that concerns batch[0] alone.
	Plan(acct channel.Account, batch []Outbound, now time.Time, newKey func() string) (Attempt, error)
	// Send performs the Attempt once. It honours ctx. An error is a *SendError
	// or a context error.
	Send(ctx context.Context, acct channel.Account, at Attempt) (Sent, error)
}
