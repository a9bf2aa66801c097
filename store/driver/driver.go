// Package driver is what the author of a store implements: Backend and Tx.
// Users of the library see package store, which adds re-running, back-off and
// the rules that hold for every backend: a backend locks, loads and writes
// rows, and need not check what it is given, since store.DB has done so.
// storetest is the contract in code.
//
// Stability: this package may grow in a minor release.
//
// Begin with Backend, then Tx and its repositories, and run storetest from the
// first method on; store/memory is the shortest whole one. A wrapper embeds a
// Backend and overrides what it watches.
package driver

import (
	"context"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
)

// WorkspaceID names a tenant. Every key by which a caller finds a row begins with it;
// what a store gives itself (row numbers, tokens of web hooks, leases) need not.
type WorkspaceID = id.Workspace

// Error kinds, with one identity across the module; compare with errors.Is.
var (
	ErrNotFound      error = errs.NotFound
	ErrConflict      error = errs.Conflict
	ErrStale         error = errs.Stale
	ErrAlreadyExists error = errs.AlreadyExists
	ErrInvalid       error = errs.Invalid
	ErrUnavailable   error = errs.Unavailable
	ErrUnsupported   error = errs.Unsupported
	// ErrCursorGone: the feed no longer goes back to the cursor; reload.
	ErrCursorGone error = errs.New(errs.Stale, "store: the feed no longer reaches back to this cursor; reload and start from the present")
)

// ErrClash is returned by Backend.Update when a rival won: a unique key, a
// row's version or guard, a serialisation failure or a deadlock. It is an
// ErrConflict. store.DB runs the function again; nobody else does.
var ErrClash error = errs.New(errs.Conflict, "store: another writer was first")

// Backend is one database. All methods may be called at once.
type Backend interface {
	// Update runs fn once in a transaction of the workspace and commits when it
	// returns nil. An error of fn rolls back and is returned as it is. A panic
	// of fn rolls back and goes on. A clash is ErrClash, and surfaces from
	// Update even where a write call could have noticed it earlier: write calls
	// may also return it, and Update then returns ErrClash whatever fn made of
	// it. Visible inside: committed rows and fn's own writes, no more
	// (READ COMMITTED). ctx is checked before fn starts; once the commit has
	// begun it no longer matters. An Update or View inside fn that gets fn's
	// ctx is ErrInvalid. An unknown workspace is ErrNotFound.
	Update(ctx context.Context, ws WorkspaceID, fn func(ctx context.Context, tx Tx) error) error
	// View runs fn in a read transaction. Writes are ErrInvalid.
	View(ctx context.Context, ws WorkspaceID, fn func(ctx context.Context, tx Tx) error) error
	// AppendEnvelopes stores envelopes durably, grouped with other callers'
	// into one commit, and tells for each, in order, whether it was new. An
	// envelope whose (account, dedup key) is known is absorbed. Either all of
	// this call are stored (or known), or an error says that none of it may be
	// acknowledged. Received-at is the store's clock if zero.
	AppendEnvelopes(ctx context.Context, ws WorkspaceID, envs []adapter.Envelope) ([]bool, error)
	// Feed returns events after the cursor, at most limit, and the cursor to
	// go on from. The empty cursor is the present: no events, a cursor. Nothing
	// is skipped; each aggregate's events come in version order; there is no
	// order between aggregates. ErrCursorGone, ErrInvalid for a cursor that is
	// not one. After CursorAt of a time every event of that time or later comes,
	// as far as the feed goes back; some that are older may come as well.
	Feed(ctx context.Context, ws WorkspaceID, cursor string, limit int) ([]Event, string, error)
	// Wake has fn called when a committed Update or append may have brought work
	// or events, with what and in which workspace; one call may stand for several
	// commits of a workspace. A hint: it may be missing. fn must return at once
	// and must not use the store. Each call is a subscription until stop or Close.
	Wake(fn func(Hint)) (stop func())
	// System works across workspaces.
	System() System
	// Stats counts what the backend did since it was opened.
	Stats() Stats
	// Close waits for running functions and releases everything.
	Close() error
}

// Prompt is a Backend whose AppendEnvelopes returns as soon as its context ends, even
// while a commit hangs; what it had handed in may be stored all the same. Whoever
// has to answer in time calls another Backend on a goroutine that can be left behind.
// It gathers what is handed in meanwhile into shared commits by itself.
type Prompt interface {
	Backend
	AppendsInTime()
}

// News says what there may be to do, as bits.
type News uint8

// The sorts of news.
const (
	NewsInbox     News = 1 << iota // an inbound lane
	NewsOutbox                     // an outbound lane
	NewsJobs                       // a job
	NewsDeadlines                  // a deadline was set
	NewsFeed                       // events
	NewsRouting                    // items, agents or the configuration changed: what a Board is made of
	// NewsAny is all of them: nothing more is known.
	NewsAny News = 1<<iota - 1
)

// NewsOf is the news that events bring.
func NewsOf(evs ...Event) News {
	var n News
	for _, ev := range evs {
		n |= NewsFeed
		switch ev.Aggregate {
		case "item", "agent", "configuration":
			n |= NewsRouting
		}
	}
	return n
}

// Hint says that there may be news in a workspace; an empty Workspace stands for any.
type Hint struct {
	Workspace WorkspaceID
	News      News
}

// Dues are the earliest times at which work of each sort becomes due: the zero
// time means that there is none, a time in the past means now.
type Dues struct {
	Now                            time.Time // the store's clock
	Inbox, Outbox, Jobs, Deadlines time.Time
}

// Next is the earliest of them; false when there is none.
func (d Dues) Next() (time.Time, bool) {
	var next time.Time
	for _, at := range []time.Time{d.Inbox, d.Outbox, d.Jobs, d.Deadlines} {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, !next.IsZero()
}

// Ages are the times before which what is kept for a time only may be deleted.
// Quarantined and unprocessed envelopes, rows that wait, unfinished jobs and open
// offers stay at any age. The zero time deletes nothing.
type Ages struct {
	Raw     time.Time // bodies of ended envelopes, ended outbox rows, done jobs, early edits and unsends
	Keys    time.Time // dedup keys, dead jobs, ended offers, decisions
	Feed    time.Time
	Results time.Time // of commands
}

// PurgeInTurn runs purges one after the other, each with the room that those before
// it left of limit, and returns how many rows went: what a backend's Tx.Purge is
// made of.
func PurgeInTurn(limit int, purges ...func(room int) (int, error)) (int, error) {
	n := 0
	for _, purge := range purges {
		gone, err := purge(limit - n)
		if n += gone; err != nil || n >= limit {
			return n, err
		}
	}
	return n, nil
}

// Stats are counters for tests and operators.
type Stats struct {
	Commits    int64 // transactions committed to the disk or the server
	Updates    int64 // Updates and appends that were part of them
	RowsRead   int64 // rows returned to callers, where the backend counts them
	Wakes      int64 // hints given
	Statements int64 // sent to a server, where there is one
	Trips      int64 // pipelines of statements sent to a server, each one round trip
}

// Tx is a transaction of one workspace: its session, and the rows that it reaches.
// It is for the function's own goroutine and ends with it. A backend fills every
// field; a wrapper copies the Tx and replaces the fields that it watches.
type Tx struct {
	Session

	// Workspace is the one whose rows these are.
	Workspace WorkspaceID

	Inbox         InboxRepo
	Outbox        OutboxRepo
	Conversations ConversationRepo
	Agents        AgentRepo
	Work          WorkRepo
	Events        EventRepo
	Audit         AuditRepo
	Deadlines     DeadlineRepo
	Jobs          JobRepo
	Commands      CommandRepo
	Search        SearchRepo
	// Documents holds everything that is a body with a version, unique keys and
	// orders; package store declares the kinds.
	Documents DocRepo
}

// Session is what a transaction itself can do.
type Session interface {
	// Now is the one time of this transaction: the database's clock on
	// PostgreSQL, the configured clock elsewhere; never earlier than a Now of a
	// committed Update of this workspace; UTC, microseconds.
	Now() time.Time
	// Guard makes the commit depend on a row that the function does not write:
	// if its version is not the given one, or changes before the commit, Update
	// is a clash.
	Guard(ctx context.Context, row GuardRow, key string, version int64) error
	// HoldConfig keeps everybody else from changing the configuration and from
	// committing what rests on it, until this transaction ends; it waits until
	// those before it have ended. With change it also raises the configuration's
	// version. A store whose transactions come one after another has nothing to
	// hold. ErrInvalid inside View.
	HoldConfig(ctx context.Context, change bool) error
	// Ahead reads many rows at once before a function that works on all of them
	// asks for one after another, and has what the function changes of them
	// written together. It changes nothing in what is read and written, only
	// how often a server is asked. A backend for which asking is cheap does nothing,
	// and kept is false. Rows that are not there are left out. A second call adds to
	// what the first one read. ErrInvalid inside View.
	Ahead(ctx context.Context, w Wanted) (kept bool, err error)
	// Purge deletes at most limit rows that are older than their age allows, and
	// returns how many went: fewer than limit when no more are left. Raw bytes of
	// an ended envelope go before its dedup key.
	Purge(ctx context.Context, before Ages, limit int) (int, error)
	// GiveBack gives claims of inbound or outbound lanes back with the commit, as
	// System's calls do after it, and has a hint given if they hold more that is
	// due. A backend for which that would save nothing does nothing, and given is
	// false. A lost claim may make the Update ErrStale. ErrInvalid inside View.
	GiveBack(ctx context.Context, sort News, claims ...LaneRef) (given bool, err error)
}

// Wanted names the rows of Ahead.
type Wanted struct {
	// Items with their open holds, Agents, the Lease and the turns of Queues are
	// locked, as WorkRepo.Lock and Put do, in their order; then Conversations.
	Items         []routing.ItemID
	Agents        []routing.AgentID
	Lease         string
	Queues        []routing.QueueID
	Conversations []conversation.ID
	// What follows is read as it stands, with no lock, as the inbound flow reads
	// it: what providers call messages, with edits that came before them; documents;
	// the conversations of threads, with their items; agents. NewItems is how
	// many items may be made.
	Heard     []ProviderMessage
	Documents []Keys
	Threads   []string
	Glances   []routing.AgentID
	NewItems  int
}

// ProviderMessage is what a provider calls a message.
type ProviderMessage struct {
	Account channel.AccountID
	Chat    channel.Chat
	Message channel.ProviderMessageID
}

// GuardRow names what Guard watches.
type GuardRow string

const (
	GuardConfig       GuardRow = "configuration" // key ""; Configuration.Version
	GuardConversation GuardRow = "conversation"
	GuardItem         GuardRow = "item"
	GuardAgent        GuardRow = "agent" // AgentState.EligRev
	GuardLease        GuardRow = "lease" // key the lease's name; its epoch
)

const documentRow = "document:"

// GuardDocument is a document of the kind, by its id; its Version, which is not 0.
func GuardDocument(kind string) GuardRow { return GuardRow(documentRow + kind) }

// Document is the kind of document that is guarded; false for other rows.
func (r GuardRow) Document() (kind string, ok bool) { return strings.CutPrefix(string(r), documentRow) }

// InboxRepo works claimed inbound lanes of the transaction's workspace.
// Appending is Backend.AppendEnvelopes, which commits by itself.
type InboxRepo interface {
	// End says what becomes of a waiting envelope, under the claim of its lane.
	// ErrStale when the claim is lost or the envelope already ended; that is
	// reported by the write or, at the latest, by Update.
	End(ctx context.Context, c Claim, id channel.EnvelopeID, o EnvelopeOutcome) error
	// Envelopes returns the envelope of the id while it is kept, or, without an id,
	// those in quarantine, the newest first, at most limit.
	Envelopes(ctx context.Context, id channel.EnvelopeID, limit int) ([]adapter.Quarantined, error)
	// Requeue and Forget are those of store.InboxRepo.
	Requeue(ctx context.Context, id channel.EnvelopeID) error
	Forget(ctx context.Context, id channel.EnvelopeID) error
}

// EnvelopeOutcome says what becomes of an envelope: the zero one that it is done.
type EnvelopeOutcome struct {
	// Retry leaves it at the head of its lane, not before NotBefore, and counts a
	// try; Bad ends it and keeps it for a person. Both have a Reason.
	Retry, Bad bool
	NotBefore  time.Time
	Reason     string
}

// WorkRepo stores items, offers, assignments and agents' loads. It knows no
// rule: package store locks, lets routing/transition decide, and puts.
type WorkRepo interface {
	// Items calls each on those of the ids that exist, in no order, or, without a
	// list, on every item that is queued, offered or assigned, ordered by Seq: what a
	// Board is built from. There may be very many of those: they are handed on as they
	// come, on the calling goroutine, and each may not use the transaction.
	Items(ctx context.Context, ids []routing.ItemID, each func(routing.Item)) error
	// SaveItem creates (Version 0) or replaces. A Version that is not the stored
	// one is a clash: Update runs again. Returns the new version. Seq is set at
	// creation.
	SaveItem(ctx context.Context, it routing.Item) (int64, error)
	// Lock returns the rows that the key names, as committed at this moment or
	// written by this transaction, and keeps rivals from changing them until the
	// transaction ends, or makes it a clash when one does. Where several rows
	// are locked it is in one order for all: the item, then agents by id.
	// ErrInvalid inside View.
	Lock(ctx context.Context, k WorkKey) (transition.Rows, error)
	// Put writes what a transition made of rows that Lock returned. An id of an
	// offer or assignment that is taken is a clash.
	Put(ctx context.Context, c transition.Change) error
	// Holds returns what the key names, the oldest first.
	Holds(ctx context.Context, k HoldKey) ([]routing.Offer, []routing.Assignment, error)
	// Decisions lists the item's decision summaries, oldest first.
	Decisions(ctx context.Context, item routing.ItemID) ([]routing.Decision, error)
}

// HoldKey names offers and assignments: the open ones of Item, the open ones of
// Agent, or the one Offer, open or ended. Exactly one of them is set.
type HoldKey struct {
	Item  routing.ItemID
	Agent routing.AgentID
	Offer routing.OfferID
}

// WorkKey names what Lock locks.
type WorkKey struct {
	// Item, or, when it is empty, the item of Offer, with its open holds. Offer
	// is returned also when it has ended.
	Item  routing.ItemID
	Offer routing.OfferID
	// Agents are locked besides whoever holds the item; those that the store does
	// not know are left out. Without an item they are all that is locked.
	Agents []routing.AgentID
	// Items, if there are any, are all that is locked, in the order of their ids,
	// without their holds, and nothing is returned. A transaction that changes
	// several holds begins so, before it takes agents: nobody then waits for an item
	// who has an agent that the item's holder wants. Unknown ids are left out.
	Items []routing.ItemID
	// Lease, if not empty, is the lease whose epoch is wanted; it stays until
	// the commit.
	Lease string
}

// Event is one entry of the feed: ids, kinds and versions, never text or names.
type Event struct {
	// Aggregate is what changed: conversation, contact, item, agent,
	// configuration, account, job, …; sangdam.SubscribedEvents lists them, and the
	// kinds of their events.
	Aggregate string `json:"aggregate"`
	ID        string `json:"id"`
	// Version grows by time within the aggregate: the event sequence of a
	// conversation, else the row's version.
	Version int64 `json:"version"`
	// Kind is the domain's name of the event.
	Kind string `json:"kind"`
	// Ref names a part of the aggregate, such as a message.
	Ref   string    `json:"ref,omitempty"`
	Actor string    `json:"actor,omitempty"`
	At    time.Time `json:"at,omitzero"`
	// What a policy may ask about the event, as it was right after it: of a
	// conversation and its item, where they belong; of an account, its desk; of a
	// contact and an identity, the contact and the desks written to.
	Desk       routing.DeskID         `json:"desk,omitempty"`
	Agent      routing.AgentID        `json:"agent,omitempty"`
	Account    channel.AccountID      `json:"account,omitempty"`
	Channel    channel.Kind           `json:"channel,omitempty"`
	WorkStream routing.WorkStreamID   `json:"work_stream,omitempty"`
	Contact    conversation.ContactID `json:"contact,omitempty"`
	State      conversation.State     `json:"state,omitempty"`
	Desks      []routing.DeskID       `json:"desks,omitempty"`
	// Asked is the colleague whom the conversation's owner asks to take it over.
	Asked routing.AgentID `json:"asked,omitempty"`
	// FormerDesk, FormerAgent and FormerAsked are set where the event moved it.
	FormerDesk  routing.DeskID  `json:"former_desk,omitempty"`
	FormerAgent routing.AgentID `json:"former_agent,omitempty"`
	FormerAsked routing.AgentID `json:"former_asked,omitempty"`
}

// EventRepo writes the feed.
type EventRepo interface {
	// Append adds events; they become visible with the commit, never before.
	Append(ctx context.Context, evs ...Event) error
}

// AuditEntry records who did what to which thing (AD6). It never holds a
// secret or a message's text. Entries of a workspace form a hash chain.
type AuditEntry struct {
	Seq      int64             `json:"seq"` // given by the store, gap-free
	At       time.Time         `json:"at,omitzero"`
	Actor    string            `json:"actor"` // "agent:<id>", "system", …
	Role     string            `json:"role,omitempty"`
	IP       string            `json:"ip,omitempty"`
	Action   string            `json:"action"`
	Resource string            `json:"resource"` // "conversation:<id>"
	Outcome  string            `json:"outcome"`  // ok, denied, failed
	Details  map[string]string `json:"details,omitempty"`
	// Previous and Hash chain the entries: Hash = ChainHash(Previous, entry).
	Previous string `json:"previous"`
	Hash     string `json:"hash"`
}

// AuditRepo is append-only.
type AuditRepo interface {
	// Append sets Seq, Previous and Hash.
	Append(ctx context.Context, e AuditEntry) error
	// List returns entries with Seq above after, oldest first.
	List(ctx context.Context, after int64, limit int) ([]AuditEntry, error)
}

// Deadline is a moment at which something must be looked at again.
type Deadline struct {
	Workspace WorkspaceID
	Kind      string // offer, wrap_up, auto_close, …: what the engine calls it
	ID        string
	At        time.Time
}

// DeadlineRepo keeps deadlines: one a (kind, id).
type DeadlineRepo interface {
	// Set creates or moves it; the zero time removes it.
	Set(ctx context.Context, kind, id string, at time.Time) error
}

// Job is work outside the flow: media, profiles, exports, indexing.
type Job struct {
	ID        string      `json:"id"`
	Workspace WorkspaceID `json:"workspace"`
	Kind      string      `json:"kind"`
	Key       string      `json:"key,omitempty"`     // unique among unfinished jobs of a kind
	Payload   []byte      `json:"payload,omitempty"` // ids and options, JSON
	Due       time.Time   `json:"due,omitzero"`
	Attempts  int         `json:"attempts"` // begun so far
	Progress  int         `json:"progress"` // 0 to 100
	State     string      `json:"state"`    // queued, running, done, dead
	Reason    string      `json:"reason,omitempty"`
	Token     string      `json:"-"` // of the claim
	CreatedAt time.Time   `json:"created_at,omitzero"`
}

// The states of a job.
const (
	JobQueued  = "queued"
	JobRunning = "running"
	JobDone    = "done"
	JobDead    = "dead"
)

// JobRepo stores jobs.
type JobRepo interface {
	// Enqueue adds a job; one with the Key of an unfinished job of its Kind is
	// absorbed.
	Enqueue(ctx context.Context, j Job) error
	// Settle changes a claimed job. ErrStale when the claim was lost.
	Settle(ctx context.Context, id, token string, o JobOutcome) error
	// List returns jobs of a state, at most limit, without their tokens: those that
	// run the oldest first, others the one first that ended last.
	List(ctx context.Context, state string, limit int) ([]Job, error)
	// Revive queues a dead job again, due now, its attempts counted from none.
	// ErrNotFound when there is none; ErrStale when it is not dead, or when an
	// unfinished job of its Kind has its Key.
	Revive(ctx context.Context, id string) error
}

// JobOutcome says what becomes of a claimed job.
type JobOutcome struct {
	// State is JobDone, JobDead, JobQueued for another try at Due, or JobRunning
	// for one that goes on: with Progress, under a lease prolonged to Lease.
	State    string
	Reason   string // of JobDead and JobQueued
	Due      time.Time
	Progress int
	Lease    time.Duration
}

// CommandRepo makes commands idempotent.
type CommandRepo interface {
	// Lookup returns the digest and result stored under (principal, key);
	// ErrNotFound.
	Lookup(ctx context.Context, principal, key string) (digest string, result []byte, err error)
	// Store keeps them; a key that is taken is a clash.
	Store(ctx context.Context, principal, key, digest string, result []byte) error
}

// SearchRepo is an index of message texts as tokens; the tokens are made by
// privacy.Grams, safe ASCII.
type SearchRepo interface {
	// Put indexes a message, replacing what was there; no tokens remove it.
	Put(ctx context.Context, m conversation.MessageID, c conversation.ID, at time.Time, tokens []string) error
	// Find returns messages that have all tokens, newest first (ties by
	// message id), at most limit, after the hit given; the zero hit is the
	// beginning. No tokens find nothing.
	Find(ctx context.Context, tokens []string, after SearchHit, limit int) ([]SearchHit, error)
}

// SearchHit is a message found.
type SearchHit struct {
	Message      conversation.MessageID
	Conversation conversation.ID
	At           time.Time
}

// Blob describes bytes kept in a blob store.
type Blob struct {
	Name      string    `json:"name"` // random
	Type      string    `json:"type"`
	Size      int64     `json:"size"`
	SHA256    string    `json:"sha256"`
	Owner     string    `json:"owner"` // "message:<id>"
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// System works across workspaces and only finds what is to be done; the work
// itself is an Update or View of the workspace. Times are the store's clock.
type System interface {
	// CreateWorkspace makes one; ErrAlreadyExists. The name is for people.
	CreateWorkspace(ctx context.Context, ws WorkspaceID, name string) error
	// Workspaces lists those of which all that is asked holds, ordered.
	Workspaces(ctx context.Context, having Having) ([]WorkspaceID, error)
	// Resolve finds a document by the value that is unique over all workspaces;
	// ErrNotFound.
	Resolve(ctx context.Context, kind string, global []byte) (WorkspaceID, string, error)

	// ClaimInbox claims at most limit lanes that have an envelope due and no
	// live claim, oldest head first, and returns up to batch envelopes of each,
	// in lane order: by OccurredAt within what was appended by one call, else
	// in the order of appending. A paused account does not matter inbound.
	ClaimInbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]InboxLane, error)
	// Release gives claims of inbound (NewsInbox) or outbound lanes (NewsOutbox)
	// back before their lease ends; lost ones are ignored.
	Release(ctx context.Context, sort News, claims ...LaneRef) error
	// ClaimOutbox claims at most limit lanes whose head is due, whose account is
	// not paused, and that have no live claim.
	ClaimOutbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]OutboxLane, error)
	// ClaimJobs claims due jobs, of each kind at most as many as limits says, the
	// earliest first; Attempts counts this try. A job whose lease ended is due
	// again. How many jobs of other kinds wait must not matter.
	ClaimJobs(ctx context.Context, node string, limits map[string]int, lease time.Duration) ([]Job, error)
	// Due lists at most limit deadlines that have passed, earliest first. It
	// claims nothing: the Update that handles one clears or moves it.
	Due(ctx context.Context, limit int) ([]Deadline, error)
	// NextDue tells when a deadline, a job, or a lane that waits for its
	// not-before becomes due next. What is claimed is due when its lease ends.
	NextDue(ctx context.Context) (Dues, error)
	// Changed lists the workspaces that may have events newer than since, and
	// where to go on from; the empty since names all, and so does one of another
	// life of the database.
	Changed(ctx context.Context, since string) (ws []WorkspaceID, next string, err error)

	// Beat records that the node lives for ttl and returns all live nodes,
	// ordered.
	Beat(ctx context.Context, node string, ttl time.Duration) ([]string, error)
	// Lease takes or prolongs a named lease. The epoch rises whenever the
	// holder changes. ErrConflict when another node holds it, whose name is not told.
	Lease(ctx context.Context, name, node string, ttl time.Duration) (epoch int64, err error)
	// BeatAgents records heart-beats of agents in one write without versions or
	// events; it touches only agents that are not Offline, and returns the
	// others, unknown ones included.
	BeatAgents(ctx context.Context, ws WorkspaceID, agents []routing.AgentID) (offline []routing.AgentID, err error)
	// LostAgents lists agents that are not Offline and whose last heart-beat is
	// before the time; agents that never sent one are not listed.
	LostAgents(ctx context.Context, before time.Time, limit int) ([]AgentRef, error)

	// Meta reads a value of the database as a whole; ErrNotFound.
	Meta(ctx context.Context, key string) ([]byte, error)
	// PutMeta stores it if the present value is old (nil: absent); else
	// ErrConflict.
	PutMeta(ctx context.Context, key string, old, value []byte) error
	// Now is the store's clock.
	Now(ctx context.Context) (time.Time, error)
	// Check verifies that the store can write durably and has room for more, by a
	// write. It fails on a full disk even where rows can still be changed in place.
	Check(ctx context.Context) error
}

// Having is what is asked of workspaces; the zero one asks nothing.
type Having struct {
	// Present: an agent is not Offline, or an item is not done. Nobody else needs a
	// Board.
	Present bool
	// Expired: there is something to purge of these ages; nil asks nothing.
	Expired *Ages
}

// AgentRef names an agent of a workspace.
type AgentRef struct {
	Workspace WorkspaceID
	Agent     routing.AgentID
}

// LaneRef is a claim with its workspace.
type LaneRef struct {
	Workspace WorkspaceID
	Claim
}

// InboxLane is a claimed inbound lane.
type InboxLane struct {
	LaneRef
	Envelopes []adapter.Envelope
}

// OutboxLane is a claimed outbound lane. Rows are the head of the lane in
// order. If the head rows belong to an Attempt that has not ended, Attempt is
// set, Rows are exactly its rows, and Doubtful says that an earlier claim
// began to send it and never recorded an outcome (the process died or the
// lease ran out): the provider may have it.
type OutboxLane struct {
	LaneRef
	Rows     []OutboxRow
	Attempt  *adapter.Attempt
	Doubtful bool
}
