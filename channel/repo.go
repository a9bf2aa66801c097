package channel

import (
	"context"
	"encoding/json"
	"time"
)

// Claim is the temporary right to work a lane. Token is unique to the claim: a
// write under a claim whose lease was taken by another fails with ErrStale.
type Claim struct {
	Account AccountID
	Lane    string
	Token   string
	Until   time.Time
}

// AccountRepo stores accounts of the transaction's workspace. Every change
// raises the version of the workspace's configuration.
type AccountRepo interface {
	// Account returns one, deleted ones included. ErrNotFound.
	Account(ctx context.Context, id AccountID) (Account, error)
	// Accounts lists all, ordered by id, deleted ones included.
	Accounts(ctx context.Context) ([]Account, error)
	// SaveAccount creates (Version 0) or replaces the account; a Version that is
	// not the stored one is a clash (Update runs again); ErrAlreadyExists when
	// another account, of any workspace, has the Token. Returns the new version.
	SaveAccount(ctx context.Context, a Account) (int64, error)
}

// InboxRepo works claimed inbound lanes of the transaction's workspace.
// Appending is Backend.AppendEnvelopes, which commits by itself.
type InboxRepo interface {
	// Done ends the envelope under the claim: it will not be handed out again.
	// ErrStale when the claim is lost or the envelope already ended; that is
	// reported by the write or, at the latest, by Update.
	Done(ctx context.Context, c Claim, id EnvelopeID) error
	// Retry leaves the envelope at the head of its lane, not before the given
	// time, and counts a try.
	Retry(ctx context.Context, c Claim, id EnvelopeID, notBefore time.Time, reason string) error
	// Quarantine ends the envelope as bad and keeps it for a person; the lane
	// goes on.
	Quarantine(ctx context.Context, c Claim, id EnvelopeID, reason string) error
	// Quarantined lists bad envelopes, newest first, at most limit.
	Quarantined(ctx context.Context, limit int) ([]Quarantined, error)
	// Requeue puts a quarantined envelope back at the end of its lane.
	// ErrNotFound for one that is not in quarantine, whatever became of it.
	Requeue(ctx context.Context, id EnvelopeID) error
	// Forget drops the raw bytes of an envelope that is done and keeps its dedup
	// key; nothing happens to one that is not done, or not there.
	Forget(ctx context.Context, id EnvelopeID) error
	// Envelope returns a stored envelope while it is kept. ErrNotFound.
	Envelope(ctx context.Context, id EnvelopeID) (Envelope, error)
}

// Quarantined is an envelope that could not be processed.
type Quarantined struct {
	Envelope Envelope
	Reason   string
	At       time.Time
}

// OutboxID names an outbox row.
type OutboxID string

// OutboxState is where a row stands.
type OutboxState string

const (
	OutboxQueued  OutboxState = "queued"  // it waits for its turn or its time
	OutboxSending OutboxState = "sending" // an Attempt is persisted; its outcome is not known yet
	OutboxSent    OutboxState = "sent"    // the provider took it
	OutboxFailed  OutboxState = "failed"  // permanent, or tries used up
	OutboxUnknown OutboxState = "unknown" // ambiguous on a route that cannot be repeated
	// OutboxCancelled rows were taken back before anything tried to send them.
	OutboxCancelled OutboxState = "cancelled"
)

// Then is a consequence of a row's outcome: it is carried out in the Update that
// records the outcome, so that it happens exactly once, and only then.
type Then struct {
	// On is the outcome: OutboxSent or OutboxFailed. Nothing follows a row whose
	// outcome is unknown.
	On OutboxState `json:"on"`
	// Do names the consequence in the library, Params what it needs.
	Do     string          `json:"do"`
	Params json.RawMessage `json:"params,omitempty"`
}

// OutboxRow is one message waiting to leave. Rows of a lane leave in the order
// in which they were enqueued.
type OutboxRow struct {
	ID           OutboxID       `json:"id"`
	Account      AccountID      `json:"account"`
	Lane         string         `json:"lane"` // conversation + identity for customers' messages
	Conversation ConversationID `json:"conversation"`
	Message      MessageID      `json:"message"`
	To           Chat           `json:"to"`
	// Content is what it says; while the row is stored, Sealed has it instead
	// where the engine seals what is at rest.
	Content    Content      `json:"content"`
	Sealed     []byte       `json:"sealed,omitempty"`
	Reply      *ReplyHandle `json:"reply,omitempty"`
	SenderName string       `json:"sender_name,omitempty"`
	SenderIcon string       `json:"sender_icon,omitempty"`
	Automatic  bool         `json:"automatic,omitempty"` // no person wrote it
	Event      string       `json:"event,omitempty"`     // as of Outbound
	Language   string       `json:"language,omitempty"`
	NotBefore  time.Time    `json:"not_before,omitzero"` // zero: at once
	State      OutboxState  `json:"state"`
	Tries      int          `json:"tries"`
	Reason     Reason       `json:"reason,omitempty"`
	Detail     string       `json:"detail,omitempty"`
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
	Begin(ctx context.Context, c Claim, at Attempt) error
	// Settle records the outcome of the Attempt for all its rows and ends the
	// Attempt, except for state OutboxQueued, which keeps it for a repeat not
	// before the given time. ErrStale when the claim is lost or the Attempt
	// already ended.
	Settle(ctx context.Context, c Claim, attempt string, o Settlement) error
	// Fail ends a queued row that no Attempt carries (Plan refused it).
	Fail(ctx context.Context, c Claim, row OutboxID, reason Reason, detail string) error
	// Cancel ends a queued row that no Attempt carries, without a claim, whoever
	// has the lane: a claim that loaded the row finds it gone at Begin. ErrStale
	// when an Attempt carries it or it has ended; ErrNotFound.
	Cancel(ctx context.Context, row OutboxID) error
	// Forget drops the Content and the Sealed form of a row that has ended;
	// nothing happens to one that waits, or is not there.
	Forget(ctx context.Context, row OutboxID) error
	// Pause keeps every lane of the account from being claimed until then. It
	// never shortens an earlier one, which the provider asked for.
	Pause(ctx context.Context, account AccountID, until time.Time) error
	// Row returns one. ErrNotFound.
	Row(ctx context.Context, id OutboxID) (OutboxRow, error)
	// Unknown lists rows that ended as unknown, the newest first, at most limit:
	// the provider may have accepted them, and a person has to look.
	Unknown(ctx context.Context, limit int) ([]OutboxRow, error)
	// Pending counts rows that are queued or sending.
	Pending(ctx context.Context) (int, error)
}

// Settlement is the outcome of an Attempt.
type Settlement struct {
	State     OutboxState // sent, failed, unknown, or queued for a repeat
	NotBefore time.Time   // for queued
	// Replan, with queued, ends the Attempt instead of keeping it: the provider
	// certainly did not accept and the same request would fail again (a used
	// reply handle). The rows stay at the head of the lane, lose their Reply,
	// keep their Tries, and are planned anew.
	Replan bool
	// Attempt, with queued and without Replan, is what the repeat finds instead
	// of the Attempt as it was begun: the same ID, rows and bytes. Nil leaves it.
	Attempt *Attempt
	// Unconfirmed, with sent: nobody confirmed it, see Route.ByHandle.
	Unconfirmed bool
	Reason      Reason
	Detail      string
}
