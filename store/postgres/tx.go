package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// tx is a transaction of one workspace. Writes wait in queued until a read or
// the commit takes them along in its round trip; BEGIN goes with the first.
type tx struct {
	b    *backend
	ws   driver.WorkspaceID
	info *workspace
	ctx  context.Context
	kind txKind

	pooled *pgxpool.Conn // ours, once needed; nil for Within
	conn   conn
	host   bool // the transaction is the host's

	queued []stmt
	last   []stmt // audit entries: queued at the very end, since they lock the chain's head
	lanes  laneTouches
	given  []driver.LaneRef // outbound lanes to be given back
	born   []driver.LaneRef // outbound lanes that the commit claims
	ahead  *ahead           // nil until Ahead
	shared bool             // by many pieces of work, none of which is to wait long for the others' locks

	config   configHold
	configAt int

	begun, wrote, ended bool
	news                driver.News // what the commit may bring
	overdue             bool        // something was due before anybody looks back
	now                 time.Time
	failed              error // what the server said first; the transaction is lost
	wait                *stmt // what to wait for before the function runs again
}

type txKind int

const (
	updating txKind = iota
	viewing
)

// within marks the context of a running function.
type within struct{ b *backend }

// flushAt bounds how many writes wait in memory.
const flushAt = 256

// clock asks for the time, and that the workspace exists. clock_timestamp is
// the server's; see Now.
const clock = `SELECT greatest(clock_timestamp(), clock), clock FROM sd.workspaces WHERE ws = $1`

// Update implements driver.Backend.
func (b *backend) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	t, err := b.enterTx(ctx, ws, updating)
	if err != nil {
		return err
	}
	defer b.running.Done()
	defer t.end() // also on panic and Goexit
	err = t.outcome(fn(context.WithValue(ctx, within{b}, true), t.whole()))
	if err == nil {
		err = t.commit()
	}
	if errors.Is(err, driver.ErrClash) {
		t.end()
		t.awaitRival()
	}
	return err
}

// View implements driver.Backend. Each read is a statement of its own: READ
// COMMITTED, and no transaction stays open while the function thinks.
func (b *backend) View(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	t, err := b.enterTx(ctx, ws, viewing)
	if err != nil {
		return err
	}
	defer b.running.Done()
	defer t.end()
	return t.outcome(fn(context.WithValue(ctx, within{b}, true), t.whole()))
}

func (b *backend) enterTx(ctx context.Context, ws driver.WorkspaceID, kind txKind) (*tx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ctx.Value(within{b}) != nil {
		return nil, errNested
	}
	if err := b.enter(); err != nil {
		return nil, err
	}
	info, err := b.workspaceOf(ctx, ws)
	if err != nil {
		b.running.Done()
		return nil, err
	}
	return &tx{b: b, ws: ws, info: info, ctx: ctx, kind: kind}, nil
}

// outcome is the function's error, unless the server already ended the
// transaction: a clash wins over whatever the function made of it, anything
// else over a success.
func (t *tx) outcome(err error) error {
	if t.failed != nil && (err == nil || errors.Is(t.failed, driver.ErrClash)) {
		return t.failed
	}
	return err
}

// write queues statements.
func (t *tx) write(ctx context.Context, list ...stmt) error {
	if err := t.usable(); err != nil {
		return err
	}
	if t.kind == viewing {
		return errReadOnly
	}
	t.wrote = true
	t.queued = append(t.queued, list...)
	if len(t.queued) >= flushAt {
		return t.flush(ctx)
	}
	return nil
}

// read sends what is queued and the statements in one round trip.
func (t *tx) read(ctx context.Context, list ...stmt) error {
	if err := t.usable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.queued = append(t.queued, list...)
	return t.flush(ctx)
}

// lock is read for statements that lock rows, which a View may not.
func (t *tx) lock(ctx context.Context, list ...stmt) error {
	if t.kind == viewing {
		return errReadOnly
	}
	t.wrote = true
	return t.read(ctx, list...)
}

// beside is lock for statements about rows of which none is changed here: what is
// queued or kept waits on.
func (t *tx) beside(ctx context.Context, list ...stmt) error {
	if err := t.writable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.wrote = true
	at, err := t.b.pipeline(ctx, t.conn, list)
	if err != nil {
		return t.fail(list[at], err)
	}
	return nil
}

// writable tells early that a View cannot write.
func (t *tx) writable() error {
	if t.kind == viewing {
		return errReadOnly
	}
	return t.usable()
}

func (t *tx) usable() error {
	if t.ended {
		return errEnded
	}
	return t.failed
}

// flush sends what is queued, and what begins a transaction before it.
func (t *tx) flush(ctx context.Context) error {
	if t.conn == nil {
		c, err := t.b.acquire(ctx)
		if err != nil {
			t.failed = err
			return err
		}
		t.pooled, t.conn = c, c
	}
	list := append(t.ahead.writes(key(t.ws)), t.queued...)
	if !t.begun {
		list = append(t.beginning(), list...)
	}
	t.queued, t.begun = nil, true
	if t.config == configQueued {
		t.config = configShared
	}
	at, err := t.b.pipeline(ctx, t.conn, list)
	if err != nil {
		return t.fail(list[at], err)
	}
	return nil
}

func (t *tx) beginning() []stmt {
	var list []stmt
	switch {
	case t.host:
		list = append(list, query("SAVEPOINT sangdam"))
	case t.kind == updating:
		list = append(list, query("BEGIN ISOLATION LEVEL READ COMMITTED"))
		list = append(list, replanning(t.pooled, time.Now())...)
	}
	if t.b.opts.Pooler && !t.host {
		list = append(list, query(localSettings, t.b.lockTimeout(), t.b.idleTimeout()))
	}
	return append(list, query(clock, key(t.ws)).rows(func(r pgx.Rows) error {
		var now, kept time.Time
		if err := r.Scan(&now, &kept); err != nil {
			return err
		}
		t.now = t.info.raise(now)
		t.info.kept.Store(max(t.info.kept.Load(), kept.UnixMicro()))
		return nil
	}))
}

// fail keeps the first failure and what to wait for.
func (t *tx) fail(s stmt, err error) error {
	t.failed = mapped(err)
	var pg *pgconn.PgError
	if t.shared && errors.As(err, &pg) && pg.Code == lockNotAvailable {
		t.failed = driver.ErrClash
	}
	if s.wait != nil && errors.As(err, &pg) {
		t.wait = s.wait
		if pg.Code == lockNotAvailable { // a guard asks without waiting
			t.failed = driver.ErrClash
		}
	}
	return t.failed
}

// commit sends the rest and COMMIT in one round trip.
func (t *tx) commit() error {
	if !t.begun && len(t.queued) == 0 && len(t.last) == 0 && len(t.lanes) == 0 && len(t.given) == 0 {
		return nil
	}
	t.queued = append(t.queued, t.giveBack()...)
	t.queued = append(t.queued, t.lanes.statements(t)...)
	t.queued = append(t.queued, t.last...)
	t.last, t.lanes = nil, nil
	ctx, stop := context.WithTimeout(context.WithoutCancel(t.ctx), t.b.commitWithin)
	defer stop()
	if t.host {
		t.queued = append(t.queued, query("RELEASE SAVEPOINT sangdam"))
		err := t.flush(ctx)
		t.ended = err == nil
		return err
	}
	t.queued = append(t.queued, t.keepClock()...)
	t.queued = append(t.queued, query("COMMIT"))
	if err := t.flush(ctx); err != nil {
		// The connection was cut, or nobody answered in time: COMMIT may have
		// arrived.
		lost := errors.Is(err, errs.Unavailable) && t.pooled != nil && t.pooled.Conn().IsClosed()
		if lost || ctx.Err() != nil {
			return unknownOutcome(err)
		}
		return err
	}
	t.ended = true
	t.release()
	if t.wrote {
		t.b.commits.Add(1)
		t.b.updates.Add(1)
	}
	if t.overdue {
		t.b.sweeps.again()
	}
	t.b.cradle.add(t.born)
	if t.news != 0 {
		t.b.wakes.committed(driver.Hint{Workspace: t.ws, News: t.news})
	}
	return nil
}

// keepClock writes down, once a second and without waiting for anybody, how far
// the workspace's time has come.
func (t *tx) keepClock() []stmt {
	kept := t.info.kept.Load()
	us := t.now.UnixMicro()
	if !t.wrote || t.now.IsZero() || us-kept < int64(time.Second/time.Microsecond) || !t.info.kept.CompareAndSwap(kept, us) {
		return nil
	}
	return []stmt{query(`UPDATE sd.workspaces SET clock = $2 WHERE ws IN
		(SELECT ws FROM sd.workspaces WHERE ws = $1 AND clock < $2 FOR NO KEY UPDATE SKIP LOCKED)`, key(t.ws), t.now)}
}

// end rolls back what was not committed and gives the connection back.
func (t *tx) end() {
	if t.ended {
		return
	}
	t.ended = true
	if t.begun && t.kind == updating && t.conn != nil {
		t.rollback()
	}
	t.release()
}

func (t *tx) rollback() {
	ctx, stop := context.WithTimeout(context.WithoutCancel(t.ctx), fiveSeconds)
	defer stop()
	if t.host {
		// One by one: an aborted transaction prepares nothing but the first.
		_, _ = t.b.pipeline(ctx, t.conn, []stmt{query("ROLLBACK TO SAVEPOINT sangdam")})
		_, _ = t.b.pipeline(ctx, t.conn, []stmt{query("RELEASE SAVEPOINT sangdam")})
		return
	}
	if c := t.pooled.Conn(); !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
		_, _ = t.b.pipeline(ctx, t.conn, []stmt{query("ROLLBACK")}) // else Release closes the connection
	}
}

func (t *tx) release() {
	if t.pooled != nil {
		t.pooled.Release()
	}
	t.pooled, t.conn = nil, nil
}

// awaitRival waits, holding nothing, until the rival that a guard met has
// ended; so that running again at once makes sense and deadlocks cannot form.
func (t *tx) awaitRival() {
	if t.wait != nil {
		_ = t.b.run(t.ctx, *t.wait) // its time-out is the lock time-out
	}
}

// due notes when something becomes due that the transaction writes.
func (t *tx) due(at time.Time) {
	if at.IsZero() {
		return // never
	}
	now := t.now
	if now.IsZero() {
		now = time.Now()
	}
	t.overdue = t.overdue || at.Before(now.Add(-time.Second))
}

// whole is the transaction with everything that it reaches.
func (t *tx) whole() driver.Tx {
	return driver.Tx{
		Session:       t,
		Workspace:     t.ws,
		Inbox:         inbox{t},
		Outbox:        outbox{t},
		Conversations: conversations{t},
		Agents:        agents{t},
		Work:          work{t},
		Events:        events{t},
		Audit:         audit{t},
		Deadlines:     deadlines{t},
		Jobs:          jobs{t},
		Commands:      commands{t},
		Search:        search{t},
		Documents:     documents{t},
	}
}

// Now implements driver.Session. It comes with the first round trip; asking before
// any read costs one of its own.
func (t *tx) Now() time.Time {
	if t.now.IsZero() && t.usable() == nil {
		_ = t.flush(t.ctx) // a failure stays in t.failed and ends the Update
	}
	if t.now.IsZero() {
		return t.info.raise(time.Unix(0, 0))
	}
	return t.now
}
