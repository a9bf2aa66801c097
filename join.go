package sangdam

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Joined runs commands in a transaction of the host's own: "order cancelled and
// the customer told" commits or rolls back as one.
//
//	tx, err := pool.Begin(ctx)
//	…
//	_, err = tx.Exec(ctx, "UPDATE orders SET state = 'cancelled' WHERE id = $1", order)
//	joined := engine.Join(postgres.Host(db, tx))
//	_, err = joined.Notify(ctx, host, sangdam.Notify{Key: key, Conversation: c, Content: channel.Text("…")})
//	…
//	if err = tx.Commit(ctx); err == nil {
//		joined.Announce()
//	}
//
// Each command does what the method of the Engine with the same name does, with
// these differences. It is not tried again by itself: when another writer was
// first it is ErrConflict, and the host rolls back or decides anew. What it
// wrote stays locked until the host commits, so the host should commit soon;
// for the same reason only those commands are here that lock nothing which
// other customers' work needs. The audit entry joins the chain of the audit log
// a moment after the commit. The Key and its result are committed with the
// host's transaction: when the outcome of COMMIT is unknown, the host repeats
// its own statements and the command.
//
// SQLite allows one writing connection, so there it is the other way round: the
// host's statements run in the transaction of the command (sqlite.Host), which
// commits when the command returns. Announce is not needed then, and the audit
// entry is in the chain at once.
//
// A Joined may be used by one goroutine at a time, as its transaction may.
type Joined struct {
	e     *Engine
	host  store.Host
	later []func()
	// number is that of the next ticket, taken before; 0 for none.
	number int64
}

// Join returns the commands that can run in a transaction of the host's own.
func (e *Engine) Join(host store.Host) *Joined { return &Joined{e: e, host: host} }

// Announce tells the Engine that the host has committed, so that it acts on
// what was written at once. Without it the Engine finds the work when it polls,
// about one Config.Poll later.
func (j *Joined) Announce() {
	for _, f := range j.later {
		f()
	}
	j.later = nil
	if j.host.Announce != nil {
		j.host.Announce()
	}
}

// Answer is Engine.Answer.
func (j *Joined) Answer(ctx context.Context, p Principal, c Answer) (Posted, error) {
	return j.e.Answer(j.in(ctx), p, c)
}

// Notify is Engine.Notify.
func (j *Joined) Notify(ctx context.Context, p Principal, c Notify) (Posted, error) {
	return j.e.Notify(j.in(ctx), p, c)
}

// Begin is Engine.Begin for a Host principal. ErrUnsupported for an agent: the
// agent would own the conversation and stay locked until the host commits.
func (j *Joined) Begin(ctx context.Context, p Principal, c Begin) (Posted, error) {
	if err := p.made(); err != nil {
		return Posted{}, err
	}
	if p.agent() != "" {
		return Posted{}, errs.New(errs.Unsupported,
			"sangdam: an agent does not begin a conversation in a host's transaction; use Engine.Begin")
	}
	return j.e.Begin(j.in(ctx), p, c)
}

// AddNote is Engine.AddNote.
func (j *Joined) AddNote(ctx context.Context, p Principal, c AddNote) (Posted, error) {
	return j.e.AddNote(j.in(ctx), p, c)
}

// SaveContact is Engine.SaveContact.
func (j *Joined) SaveContact(ctx context.Context, p Principal, c SaveContact) (ContactSaved, error) {
	return j.e.SaveContact(j.in(ctx), p, c)
}

// SendNotice is Engine.SendNotice.
func (j *Joined) SendNotice(ctx context.Context, p Principal, c SendNotice) (Saved, error) {
	return j.e.SendNotice(j.in(ctx), p, c)
}

// SaveAgent is Engine.SaveAgent. Until the host commits, the agent is offered
// nothing.
func (j *Joined) SaveAgent(ctx context.Context, p Principal, c SaveAgent) (Saved, error) {
	return j.e.SaveAgent(j.in(ctx), p, c)
}

// OpenTicket is Engine.OpenTicket. The ticket's number is taken in a
// transaction of its own before, because the counter is one row for which
// everybody would have to wait; when the host rolls back, that number is never
// used. A ticket that names an agent is ErrUnsupported, since the agent would
// stay locked until the host commits.
func (j *Joined) OpenTicket(ctx context.Context, p Principal, c OpenTicket) (TicketState, error) {
	if j.host.Announce == nil { // the store's own transaction, which is short
		return j.e.OpenTicket(j.in(ctx), p, c)
	}
	if c.Agent != "" {
		return TicketState{}, errs.New(errs.Unsupported,
			"sangdam: a ticket for a certain agent is not opened in a host's transaction; leave Agent empty, or use Engine.OpenTicket")
	}
	if err := p.made(); err != nil {
		return TicketState{}, err
	}
	var n int64
	err := j.e.db.Update(ctx, p.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
		n, err = nextTicketNumber(ctx, tx)
		return err
	})
	if err != nil {
		return TicketState{}, err
	}
	j.number = n
	defer func() { j.number = 0 }()
	return j.e.OpenTicket(j.in(ctx), p, c)
}

// takeNumber is the number that was taken for the ticket to be opened; 0 for none.
func (j *Joined) takeNumber() int64 {
	if j == nil {
		return 0
	}
	n := j.number
	j.number = 0 // a rule that opens another takes its own
	return n
}

type joinedKey struct{}

func (j *Joined) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, joinedKey{}, j)
}

func joinedBy(ctx context.Context) *Joined {
	j, _ := ctx.Value(joinedKey{}).(*Joined)
	return j
}

// update is Engine.update in the host's transaction. The settings are those that
// are stored now; a later change of them does not undo what is about to commit.
func (j *Joined) update(ctx context.Context, ws id.Workspace, fn func(ctx context.Context, tx store.Tx, s *settings) error) error {
	return j.host.Run(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		s, err := j.e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		if err := tx.Guard(ctx, driver.GuardConfig, "", s.routing.Version); err != nil {
			return err
		}
		return fn(ctx, tx, s)
	})
}

// jobAudit puts the entry of a command that ran in a host's transaction into the
// audit chain. The chain's head is one row, for which every command of the
// workspace would wait until the host commits.
const jobAudit = "audit"

func init() {
	registerJob(jobKind{name: jobAudit, workers: 1, bound: always(time.Minute), tries: jobTries}, (*Engine).auditLater, nil)
}

func (e *Engine) auditLater(ctx context.Context, j *runningJob, entry driver.AuditEntry) error {
	return e.db.Update(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Audit().Append(ctx, entry); err != nil {
			return err
		}
		return tx.Jobs().Finish(ctx, j.ID, j.Token)
	})
}
