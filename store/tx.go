package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store/driver"
)

// Tx is a transaction of one workspace. It and what its accessors return are
// for the function's own goroutine and end with it. The repositories check
// their input the same way over every backend: a limit below 1 is ErrInvalid.
type Tx interface {
	Workspace() WorkspaceID
	// Now is the one time of this transaction; see driver.Session.
	Now() time.Time
	// Guard makes the commit depend on a row that the function does not write;
	// see driver.Session.
	Guard(ctx context.Context, row driver.GuardRow, key string, version int64) error
	// Ahead reads what a function is about to work on; see driver.Session.
	Ahead(ctx context.Context, w driver.Wanted) (kept bool, err error)
	// Purge deletes what is kept for a time only; see driver.Session.
	Purge(ctx context.Context, before driver.Ages, limit int) (int, error)
	// GiveBack gives claims of lanes back with the commit; see driver.Session.
	GiveBack(ctx context.Context, sort driver.News, claims ...driver.LaneRef) (given bool, err error)

	Accounts() AccountRepo
	Inbox() InboxRepo
	Outbox() OutboxRepo
	Conversations() ConversationRepo
	Contacts() ContactRepo
	Config() ConfigRepo
	Agents() AgentRepo
	Work() Work
	Events() driver.EventRepo
	Audit() driver.AuditRepo
	Deadlines() Deadlines
	Jobs() Jobs
	Commands() driver.CommandRepo
	Search() Search
	Blobs() Blobs
	Vault() Vault
	// Documents is what the Documents of a Kind are kept in.
	Documents() driver.DocRepo
}

// Over is the Tx of a driver's transaction, for a backend that hands one out by
// a way of its own.
func Over(t driver.Tx) Tx { return &tx{Session: t.Session, rows: t} }

// over is the function of an Update or View as the driver runs it.
func over(fn func(context.Context, Tx) error) func(context.Context, driver.Tx) error {
	return func(ctx context.Context, t driver.Tx) error { return fn(ctx, Over(t)) }
}

// tx checks and decides; the driver's transaction locks, loads and writes.
type tx struct {
	driver.Session
	rows  driver.Tx
	items map[routing.ItemID]knownItem             // as last seen or written here
	extra map[[2]string]map[string]json.RawMessage // members of documents read here that this program does not know, by kind and id
}

// Workspace implements Tx.
func (t *tx) Workspace() WorkspaceID { return t.rows.Workspace }

func (t *tx) Accounts() AccountRepo           { return accounts{t} }
func (t *tx) Inbox() InboxRepo                { return inbox{t.rows.Inbox} }
func (t *tx) Outbox() OutboxRepo              { return outbox{t.rows.Outbox} }
func (t *tx) Conversations() ConversationRepo { return conversations{t.rows.Conversations} }
func (t *tx) Contacts() ContactRepo {
	return contacts{t}
}
func (t *tx) Config() ConfigRepo           { return config{t} }
func (t *tx) Agents() AgentRepo            { return agents{t.rows.Agents, t} }
func (t *tx) Work() Work                   { return &work{t.rows.Work, t} }
func (t *tx) Events() driver.EventRepo     { return events{t.rows.Events} }
func (t *tx) Audit() driver.AuditRepo      { return audit{t.rows.Audit} }
func (t *tx) Jobs() Jobs                   { return jobs{t.rows.Jobs} }
func (t *tx) Commands() driver.CommandRepo { return commands{t.rows.Commands} }
func (t *tx) Search() Search               { return search{t.rows.Search} }
func (t *tx) Vault() Vault                 { return vault{t} }
func (t *tx) Deadlines() Deadlines         { return deadlines{t.rows.Deadlines} }
func (t *tx) Blobs() Blobs                 { return blobs{t} }
func (t *tx) Documents() driver.DocRepo    { return t.rows.Documents }

// Purge deletes rows whose time is over.
func (t *tx) Purge(ctx context.Context, before driver.Ages, limit int) (int, error) {
	return limited(limit, func() (int, error) { return t.Session.Purge(ctx, before, limit) })
}

// Guard refuses rows that nobody can guard.
func (t *tx) Guard(ctx context.Context, row driver.GuardRow, key string, version int64) error {
	switch row {
	case driver.GuardConfig, driver.GuardConversation, driver.GuardItem, driver.GuardAgent, driver.GuardLease:
		return t.Session.Guard(ctx, row, key, version)
	}
	if _, ok := row.Document(); ok {
		return t.Session.Guard(ctx, row, key, version)
	}
	return errs.New(errs.Invalid, "store: no row of kind %q can be guarded", row)
}

func atLeastOne(limit int) error {
	if limit < 1 {
		return errs.New(errs.Invalid, "store: a limit of %d; at least 1 is needed", limit)
	}
	return nil
}

// limited runs fn if the limit is one.
func limited[T any](limit int, fn func() (T, error)) (T, error) {
	if err := atLeastOne(limit); err != nil {
		var none T
		return none, err
	}
	return fn()
}

type conversations struct{ driver.ConversationRepo }

// List cuts a page out of what the backend lists.
func (r conversations) List(ctx context.Context, f conversation.Filter, page string, limit int) ([]conversation.Conversation, string,
	error) {
	after, err := placeOf(f, page, limit)
	if err != nil || f.Nothing() {
		return nil, "", err
	}
	return cut(limit, driver.ConversationPlaceOf, func(limit int) ([]conversation.Conversation, error) {
		return r.ConversationRepo.List(ctx, f, after, limit)
	})
}

// Heads takes the heads from List where the backend does not read them alone.
func (r conversations) Heads(ctx context.Context, f conversation.Filter, page string, limit int) ([]driver.ConversationHead, string,
	error) {
	alone, ok := r.ConversationRepo.(driver.HeadRepo)
	if !ok {
		list, next, err := r.List(ctx, f, page, limit)
		var heads []driver.ConversationHead
		for _, c := range list {
			heads = append(heads, driver.ConversationHeadOf(c))
		}
		return heads, next, err
	}
	after, err := placeOf(f, page, limit)
	if err != nil || f.Nothing() {
		return nil, "", err
	}
	return cut(limit, driver.ConversationHead.Place, func(limit int) ([]driver.ConversationHead, error) {
		return alone.Heads(ctx, f, after, limit)
	})
}

// placeOf is where a page of a list begins, nil at its beginning, of a filter and
// a limit that may be.
func placeOf(f conversation.Filter, page string, limit int) (*driver.ConversationPlace, error) {
	if err := atLeastOne(limit); err != nil {
		return nil, err
	}
	if err := f.Check(); err != nil {
		return nil, err
	}
	return parsePage(page)
}

// cut reads one row more than is asked for, to know whether there is another
// page.
func cut[T any](limit int, place func(T) driver.ConversationPlace, read func(limit int) ([]T, error)) ([]T, string, error) {
	list, err := read(limit + 1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	return list[:limit], pageAfter(place(list[limit-1])), nil
}

// A page token is the place of the last conversation shown: later inserts come
// before it and change nothing behind it.
func pageAfter(p driver.ConversationPlace) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.UpdatedAt.UnixMicro(), 36) + " " + string(p.ID)))
}

func parsePage(token string) (*driver.ConversationPlace, error) {
	if token == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	at, id, ok := strings.Cut(string(text), " ")
	n, numErr := strconv.ParseInt(at, 36, 64)
	if err != nil || numErr != nil || !ok {
		return nil, errs.New(errs.Invalid, "store: the page token is not one of this list; begin with the empty one")
	}
	return &driver.ConversationPlace{UpdatedAt: time.UnixMicro(n).UTC(), ID: conversation.ID(id)}, nil
}

func (r conversations) Message(ctx context.Context, id conversation.MessageID) (conversation.Message, error) {
	return r.ConversationRepo.Message(ctx, driver.MessageKey{ID: id})
}

func (r conversations) ByProvider(ctx context.Context, account channel.AccountID, chat channel.Chat,
	p channel.ProviderMessageID) (conversation.Message, error) {
	return r.ConversationRepo.Message(ctx, driver.MessageKey{
		ProviderMessage: driver.ProviderMessage{Account: account, Chat: chat, Message: p},
	})
}

func (r conversations) Messages(ctx context.Context, id conversation.ID, after int64, limit int) ([]conversation.Message, error) {
	return limited(limit, func() ([]conversation.Message, error) {
		return r.ConversationRepo.Messages(ctx, id, driver.MessagePage{Seq: after, Limit: limit})
	})
}

func (r conversations) Latest(ctx context.Context, id conversation.ID, before int64, limit int) ([]conversation.Message, error) {
	return limited(limit, func() ([]conversation.Message, error) {
		return r.ConversationRepo.Messages(ctx, id, driver.MessagePage{Seq: max(before, 0), Back: true, Limit: limit})
	})
}

func (r conversations) Events(ctx context.Context, id conversation.ID, after int64, limit int) ([]conversation.Event, error) {
	return limited(limit, func() ([]conversation.Event, error) { return r.ConversationRepo.Events(ctx, id, after, limit) })
}

type agents struct {
	driver.AgentRepo
	t *tx
}

func (r agents) Agent(ctx context.Context, id routing.AgentID) (routing.Agent, error) {
	list, err := r.AgentRepo.Agents(ctx, []routing.AgentID{id})
	return saved(list, err, id)
}

func (r agents) Agents(ctx context.Context) ([]routing.Agent, error) {
	return r.AgentRepo.Agents(ctx, nil)
}

func (r agents) Named(ctx context.Context, ids []routing.AgentID) ([]routing.Agent, error) {
	if len(ids) == 0 { // which would be all
		return nil, nil
	}
	return r.AgentRepo.Agents(ctx, slices.Compact(slices.Sorted(slices.Values(ids))))
}

func (r agents) SetPresence(ctx context.Context, id routing.AgentID, p routing.Presence, reason string, now time.Time) (routing.Agent,
	error) {
	rows, err := r.t.rows.Work.Lock(ctx, driver.WorkKey{Agents: []routing.AgentID{id}})
	if err != nil {
		return routing.Agent{}, err
	}
	agent, err := saved(rows.Agents, nil, id)
	if err != nil {
		return routing.Agent{}, err
	}
	c := transition.Presence(agent, p, reason, micro(now))
	if len(c.Agents) == 0 {
		return agent, nil
	}
	agent.State = c.Agents[0].State
	return agent, r.t.rows.Work.Put(ctx, c)
}

// raise makes decisions about the agents that are under way void.
func (r agents) raise(ctx context.Context, ids ...routing.AgentID) error {
	rows, err := r.t.rows.Work.Lock(ctx, driver.WorkKey{Agents: ids})
	if err != nil || len(rows.Agents) == 0 {
		return err
	}
	return r.t.rows.Work.Put(ctx, transition.Eligibility(rows.Agents))
}

// saved is the agent whom a call names, or ErrNotFound with the remedy.
func saved(list []routing.Agent, err error, id routing.AgentID) (routing.Agent, error) {
	if err == nil && len(list) == 0 {
		err = errs.New(errs.NotFound, "store: there is no agent %s: save the agent first or name another", id)
	}
	return only(list, err, "agent")
}

// only is the one row of a list, or ErrNotFound.
func only[T any](list []T, err error, what string) (T, error) {
	if err == nil && len(list) == 0 {
		err = errs.New(errs.NotFound, "store: there is no %s", what)
	}
	if err != nil {
		var none T
		return none, err
	}
	return list[0], nil
}

func (r agents) SaveAgent(ctx context.Context, a routing.Agent) (int64, error) {
	for p, n := range a.Capacity {
		if n < 0 || n > math.MaxInt32 {
			return 0, errs.New(errs.Invalid, "store: agent %s has a capacity of %d in the profile %q; 0 to %d are possible", a.ID, n, p,
				math.MaxInt32)
		}
	}
	return r.AgentRepo.SaveAgent(ctx, a)
}

// inbox implements InboxRepo.
type inbox struct{ driver.InboxRepo }

func (r inbox) Done(ctx context.Context, c driver.Claim, id channel.EnvelopeID) error {
	return r.End(ctx, c, id, driver.EnvelopeOutcome{})
}

func (r inbox) Retry(ctx context.Context, c driver.Claim, id channel.EnvelopeID, notBefore time.Time, reason string) error {
	return r.End(ctx, c, id, driver.EnvelopeOutcome{Retry: true, NotBefore: notBefore, Reason: reason})
}

func (r inbox) Quarantine(ctx context.Context, c driver.Claim, id channel.EnvelopeID, reason string) error {
	return r.End(ctx, c, id, driver.EnvelopeOutcome{Bad: true, Reason: reason})
}

func (r inbox) Quarantined(ctx context.Context, limit int) ([]adapter.Quarantined, error) {
	return limited(limit, func() ([]adapter.Quarantined, error) { return r.Envelopes(ctx, "", limit) })
}

func (r inbox) Envelope(ctx context.Context, id channel.EnvelopeID) (adapter.Envelope, error) {
	list, err := r.Envelopes(ctx, id, 1)
	q, err := only(list, err, "envelope (any more)")
	return q.Envelope, err
}

type outbox struct{ driver.OutboxRepo }

func (r outbox) Unknown(ctx context.Context, limit int) ([]driver.OutboxRow, error) {
	return limited(limit, func() ([]driver.OutboxRow, error) {
		return r.OutboxRepo.Rows(ctx, driver.OutboxKey{State: channel.OutboxUnknown}, limit)
	})
}

func (r outbox) Row(ctx context.Context, id channel.OutboxID) (driver.OutboxRow, error) {
	list, err := r.OutboxRepo.Rows(ctx, driver.OutboxKey{ID: id}, 1)
	return only(list, err, "outbox row")
}

func (r outbox) Fail(ctx context.Context, c driver.Claim, row channel.OutboxID, reason channel.Reason, detail string) error {
	return r.End(ctx, row, driver.OutboxEnd{Claim: &c, State: channel.OutboxFailed, Reason: reason, Detail: detail})
}

func (r outbox) Cancel(ctx context.Context, row channel.OutboxID) error {
	return r.End(ctx, row, driver.OutboxEnd{State: channel.OutboxCancelled})
}

func (r outbox) Begin(ctx context.Context, c driver.Claim, at adapter.Attempt) error {
	if at.ID == "" || len(at.Rows) == 0 || at.Account != c.Account {
		return errs.New(errs.Invalid, "store: an Attempt needs an ID, rows, and the account of its claim")
	}
	return r.OutboxRepo.Begin(ctx, c, at)
}

func (r outbox) Settle(ctx context.Context, c driver.Claim, attempt string, s driver.Settlement) error {
	switch s.State {
	case channel.OutboxSent, channel.OutboxFailed, channel.OutboxUnknown, channel.OutboxQueued:
		return r.OutboxRepo.Settle(ctx, c, attempt, s)
	}
	return errs.New(errs.Invalid, "store: an Attempt cannot be settled as %q; use sent, failed, unknown or queued", s.State)
}

type events struct{ driver.EventRepo }

type audit struct{ driver.AuditRepo }

func (r audit) List(ctx context.Context, after int64, limit int) ([]AuditEntry, error) {
	return limited(limit, func() ([]AuditEntry, error) { return r.AuditRepo.List(ctx, after, limit) })
}

// Jobs stores jobs. A write under a claim that was lost is ErrStale.
type Jobs interface {
	// Enqueue adds a job; one with the Key of an unfinished job of its Kind is
	// absorbed.
	Enqueue(ctx context.Context, j Job) error
	// Finish ends a claimed job as done.
	Finish(ctx context.Context, id, token string) error
	// Fail puts a claimed job back, due at the time, or ends it as dead when
	// the time is zero.
	Fail(ctx context.Context, id, token, reason string, retryAt time.Time) error
	// Report stores progress and prolongs the lease.
	Report(ctx context.Context, id, token string, progress int, lease time.Duration) error
	// List returns jobs of a state, at most limit, without their tokens: those that
	// run the oldest first, though their lease may have ended, others the one first
	// that ended last.
	List(ctx context.Context, state string, limit int) ([]Job, error)
	// Revive queues a dead job again, due now, its attempts counted from none.
	// ErrNotFound when there is none; ErrStale when it is not dead, or when an
	// unfinished job of its Kind has its Key.
	Revive(ctx context.Context, id string) error
}

type jobs struct{ driver.JobRepo }

func (r jobs) Finish(ctx context.Context, id, token string) error {
	return r.Settle(ctx, id, token, driver.JobOutcome{State: driver.JobDone, Progress: 100})
}

func (r jobs) Fail(ctx context.Context, id, token, reason string, retryAt time.Time) error {
	if retryAt.IsZero() {
		return r.Settle(ctx, id, token, driver.JobOutcome{State: driver.JobDead, Reason: reason})
	}
	return r.Settle(ctx, id, token, driver.JobOutcome{State: driver.JobQueued, Reason: reason, Due: retryAt})
}

func (r jobs) Report(ctx context.Context, id, token string, progress int, lease time.Duration) error {
	return r.Settle(ctx, id, token, driver.JobOutcome{State: driver.JobRunning, Progress: progress, Lease: lease})
}

func (r jobs) List(ctx context.Context, state string, limit int) ([]Job, error) {
	return limited(limit, func() ([]Job, error) { return r.JobRepo.List(ctx, state, limit) })
}

// Deadlines keeps deadlines: one a (kind, id).
type Deadlines interface {
	// Set creates or moves it.
	Set(ctx context.Context, kind, id string, at time.Time) error
	// Clear removes it; a no-op when there is none.
	Clear(ctx context.Context, kind, id string) error
}

type deadlines struct{ driver.DeadlineRepo }

func (r deadlines) Clear(ctx context.Context, kind, id string) error {
	return r.Set(ctx, kind, id, time.Time{})
}

type commands struct{ driver.CommandRepo }

// Search is driver.SearchRepo with Delete, which removes a message; a no-op when
// it is not there.
type Search interface {
	driver.SearchRepo
	Delete(ctx context.Context, m conversation.MessageID) error
}

type search struct{ driver.SearchRepo }

func (r search) Delete(ctx context.Context, m conversation.MessageID) error {
	return r.Put(ctx, m, "", time.Time{}, nil)
}

func (r search) Find(ctx context.Context, tokens []string, after driver.SearchHit, limit int) ([]driver.SearchHit, error) {
	return limited(limit, func() ([]driver.SearchHit, error) {
		if len(tokens) == 0 {
			return nil, nil
		}
		return r.SearchRepo.Find(ctx, tokens, after, limit)
	})
}

type system struct{ driver.System }

func (s system) CreateWorkspace(ctx context.Context, ws WorkspaceID, name string) error {
	if ws == "" {
		return errs.New(errs.Invalid, "store: a workspace needs an id")
	}
	return s.System.CreateWorkspace(ctx, ws, name)
}

func (s system) ClaimInbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]driver.InboxLane, error) {
	return limited(min(limit, batch), func() ([]driver.InboxLane, error) { return s.System.ClaimInbox(ctx, node, limit, batch, lease) })
}

func (s system) ClaimOutbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]driver.OutboxLane, error) {
	return limited(min(limit, batch), func() ([]driver.OutboxLane, error) { return s.System.ClaimOutbox(ctx, node, limit, batch, lease) })
}

// ClaimJobs leaves out kinds of which none is wanted.
func (s system) ClaimJobs(ctx context.Context, node string, limits map[string]int, lease time.Duration) ([]Job, error) {
	wanted := make(map[string]int, len(limits))
	for kind, limit := range limits {
		if limit > 0 {
			wanted[kind] = limit
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	return s.System.ClaimJobs(ctx, node, wanted, lease)
}

func (s system) Due(ctx context.Context, limit int) ([]Deadline, error) {
	return limited(limit, func() ([]Deadline, error) { return s.System.Due(ctx, limit) })
}

func (s system) LostAgents(ctx context.Context, before time.Time, limit int) ([]driver.AgentRef, error) {
	return limited(limit, func() ([]driver.AgentRef, error) { return s.System.LostAgents(ctx, before, limit) })
}
