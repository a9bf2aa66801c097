package driver

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

// Claim is the temporary right to work a lane. Token is unique to the claim: a
// write under a claim whose lease was taken by another fails with ErrStale.
type Claim struct {
	Account channel.AccountID
	Lane    string
	Token   string
	Until   time.Time
}

// Then is a consequence of a row's outcome: it is carried out in the Update that
// records the outcome, so that it happens exactly once, and only then.
type Then struct {
	// On is the outcome: OutboxSent or OutboxFailed. Nothing follows a row whose
	// outcome is unknown.
	On channel.OutboxState `json:"on"`
	// Do names the consequence in the library, Params what it needs.
	Do     string          `json:"do"`
	Params json.RawMessage `json:"params,omitempty"`
}

// OutboxRow is one message waiting to leave. Rows of a lane leave in the order
// in which they were enqueued.
type OutboxRow struct {
	ID           channel.OutboxID       `json:"id"`
	Account      channel.AccountID      `json:"account"`
	Lane         string                 `json:"lane"` // conversation + identity for customers' messages
	Conversation channel.ConversationID `json:"conversation"`
	Message      channel.MessageID      `json:"message"`
	To           channel.Chat           `json:"to"`
	// Content is what it says; while the row is stored, Sealed has it instead
	// where the engine seals what is at rest.
	Content    channel.Content      `json:"content"`
	Sealed     []byte               `json:"sealed,omitempty"`
	Reply      *channel.ReplyHandle `json:"reply,omitempty"`
	SenderName string               `json:"sender_name,omitempty"`
	SenderIcon string               `json:"sender_icon,omitempty"`
	Automatic  bool                 `json:"automatic,omitempty"` // no person wrote it
	Event      string               `json:"event,omitempty"`     // as of Outbound
	Language   string               `json:"language,omitempty"`
	NotBefore  time.Time            `json:"not_before,omitzero"` // zero: at once
	State      channel.OutboxState  `json:"state"`
	Tries      int                  `json:"tries"`
	Reason     channel.Reason       `json:"reason,omitempty"`
	Detail     string               `json:"detail,omitempty"`
	// Then follows the outcome.
	Then []Then `json:"then,omitempty"`
}

// OutboxRepo works outbound lanes of the transaction's workspace.
type OutboxRepo interface {
	// Enqueue adds rows at the end of their lanes, in the given order. A row with
	// a Reply makes the rows due that wait in its lane for ReasonQuota and that
	// no Attempt carries: they may leave with it, for nothing.
	Enqueue(ctx context.Context, rows ...OutboxRow) error
	// Begin persists the Attempt before it is sent: its rows become sending,
	// Attempt.Tries is stored as given. A repeat of a stored Attempt passes the
	// same ID with Tries raised. ErrStale when the claim is lost.
	Begin(ctx context.Context, c Claim, at adapter.Attempt) error
	// Settle records the outcome of the Attempt for all its rows and ends the
	// Attempt, except for state OutboxQueued, which keeps it for a repeat not
	// before the given time. ErrStale when the claim is lost or the Attempt
	// already ended.
	Settle(ctx context.Context, c Claim, attempt string, o Settlement) error
	// End ends a queued row that no Attempt carries: under the claim of its lane, or
	// without one, whoever has the lane, so that a claim that loaded the row finds
	// it gone at Begin. ErrStale when the claim is lost, the row is not in its lane,
	// an Attempt carries it or it has ended; ErrNotFound for no such row, which under
	// a claim may be ErrStale.
	End(ctx context.Context, row channel.OutboxID, o OutboxEnd) error
	// Forget drops the Content and the Sealed form of a row that has ended;
	// nothing happens to one that waits, or is not there.
	Forget(ctx context.Context, row channel.OutboxID) error
	// Pause keeps every lane of the account from being claimed until then. It
	// never shortens an earlier one, which the provider asked for.
	Pause(ctx context.Context, account channel.AccountID, until time.Time) error
	// Rows returns the rows that are named, or, without an id, those in the state,
	// the newest first, at most limit.
	Rows(ctx context.Context, k OutboxKey, limit int) ([]OutboxRow, error)
	// Pending counts rows that are queued or sending.
	Pending(ctx context.Context) (int, error)
}

// OutboxEnd says how a row ends that nothing was sent of.
type OutboxEnd struct {
	Claim  *Claim              // nil: without one
	State  channel.OutboxState // failed or cancelled
	Reason channel.Reason
	Detail string
}

// OutboxKey names a row by its ID, or rows by the State in which they ended.
type OutboxKey struct {
	ID    channel.OutboxID
	State channel.OutboxState
}

// Settlement is the outcome of an Attempt.
type Settlement struct {
	State     channel.OutboxState // sent, failed, unknown, or queued for a repeat
	NotBefore time.Time           // for queued
	// Replan, with queued, ends the Attempt instead of keeping it: the provider
	// certainly did not accept and the same request would fail again (a used
	// reply handle). The rows stay at the head of the lane, lose their Reply,
	// keep their Tries, and are planned anew.
	Replan bool
	// Attempt, with queued and without Replan, is what the repeat finds instead
	// of the Attempt as it was begun: the same ID, rows and bytes. Nil leaves it.
	Attempt *adapter.Attempt
	// Unconfirmed, with sent: nobody confirmed it, see Route.ByHandle.
	Unconfirmed bool
	Reason      channel.Reason
	Detail      string
}
