package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// tx is the transaction of one function: a savepoint on the writing
// connection, or a read transaction on one of the pool.
type tx struct {
	b        *backend
	conn     *raw.Conn
	ws       int64
	name     driver.WorkspaceID
	now      time.Time
	readonly bool
	ended    bool

	clash   error // a rival won; sticky
	refused error // a call failed half-way; sticky, so that no half is committed
	broken  error // SQLite failed; sticky, since the transaction may be gone

	later later
	after []func()    // to run once committed
	hint  driver.News // what the commit may have brought
	pins  []*lane     // lanes whose claim this transaction relies on
}

var _ driver.Session = (*tx)(nil)

func (b *backend) newTx(ws *workspace, c *raw.Conn) tx {
	t := tx{b: b, conn: c, now: b.clock.read()}
	if ws != nil {
		t.ws, t.name = ws.num, ws.id
	}
	return t
}

// verdict is the outcome of a function that returned err.
func (t *tx) verdict(ctx context.Context, err error) error {
	switch {
	case t.broken != nil && t.readonly:
		return unreadable(t.broken)
	case t.clash != nil:
		return t.clash
	case err == nil && t.refused != nil:
		return t.refused
	case err == nil:
		return ctx.Err() // nothing was committed yet
	}
	return err
}

// undone is for an error after part of a call was written: should the function
// go on in spite of it, nothing of the transaction is kept.
func (t *tx) undone(err error) error {
	t.refused = err
	return err
}

// cause is why a transaction was lost.
func (t *tx) cause() error {
	if t.broken != nil {
		return t.broken
	}
	return fmt.Errorf("SQLite ended the transaction")
}

// failed sorts an error of SQLite: a constraint is a clash, a value that is
// too big is the caller's mistake, everything else breaks the transaction.
func (t *tx) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case raw.Is(err, raw.CodeConstraint):
		return t.clashed("a unique key: " + err.Error())
	case raw.Is(err, raw.CodeTooBig):
		return errs.New(errs.Invalid, "sqlite: a value is too big to store: %w", err)
	}
	t.broken = err
	return unavailable(err)
}

// clashed makes the transaction one that a rival won, whatever its function
// makes of the error.
func (t *tx) clashed(by string) error {
	if t.clash == nil {
		t.clash = fmt.Errorf("%w: %s", driver.ErrClash, by)
	}
	return t.clash
}

func (t *tx) usable() error {
	switch {
	case t.ended:
		return errs.New(errs.Invalid, "sqlite: this Tx has ended; use it inside its function only")
	case t.broken != nil:
		return unavailable(t.broken)
	case !t.conn.InTransaction():
		// Writing on would commit at once.
		return t.failed(t.cause())
	}
	return nil
}

// exec runs a statement that writes and returns how many rows it changed.
func (t *tx) exec(sql string, args ...any) (int, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	n, err := t.conn.Exec(sql, args...)
	return n, t.failed(err)
}

// change is exec where the number of rows does not matter.
func (t *tx) change(sql string, args ...any) error {
	_, err := t.exec(sql, args...)
	return err
}

func (t *tx) writable() error {
	if err := t.usable(); err != nil {
		return err
	}
	if t.readonly {
		return errs.New(errs.Invalid, "sqlite: a View cannot write; use Update")
	}
	return nil
}

// returning runs a statement that writes and reads the one row it returns;
// false when it returns none.
func (t *tx) returning(sql string, row func(raw.Row), args ...any) (bool, error) {
	if err := t.writable(); err != nil {
		return false, err
	}
	return t.first(sql, row, args...)
}

// first reads the first row; false when there is none.
func (t *tx) first(sql string, row func(raw.Row), args ...any) (bool, error) {
	found := false
	err := t.while(sql, func(r raw.Row) bool {
		found = true
		row(r)
		// A statement that writes must run to its end.
		return true
	}, args...)
	return found, err
}

// each reads all rows.
func (t *tx) each(sql string, row func(raw.Row), args ...any) error {
	return t.while(sql, func(r raw.Row) bool {
		row(r)
		return true
	}, args...)
}

// while reads rows until row returns false.
func (t *tx) while(sql string, row func(raw.Row) bool, args ...any) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.failed(t.conn.Query(sql, row, args...))
}

// number reads one number; false when there is no row.
func (t *tx) number(sql string, args ...any) (int64, bool, error) {
	var n int64
	ok, err := t.first(sql, func(r raw.Row) { n = r.Int(0) }, args...)
	return n, ok, err
}

// committed runs f once the transaction has been committed.
func (t *tx) committed(f func()) { t.after = append(t.after, f) }

// unpin gives the lanes back to those who claim.
func (t *tx) unpin() {
	for _, l := range t.pins {
		l.set.unpin(l)
	}
	t.pins = nil
}

// whole is the transaction with everything that it reaches.
func (t *tx) whole() driver.Tx {
	return driver.Tx{
		Session:       t,
		Workspace:     t.name,
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

// Now implements driver.Session.
func (t *tx) Now() time.Time { return t.now }

var guards = map[driver.GuardRow]string{
	driver.GuardConfig:       `SELECT config_version FROM workspaces WHERE num = ? AND ? IS NOT NULL`,
	driver.GuardConversation: `SELECT version FROM conversations WHERE ws = ? AND id = ?`,
	driver.GuardItem:         `SELECT version FROM items WHERE ws = ? AND id = ?`,
	driver.GuardAgent:        `SELECT elig_rev FROM agents WHERE ws = ? AND id = ?`,
}

// Ahead implements driver.Session; reading costs no more here one by one.
func (t *tx) Ahead(context.Context, driver.Wanted) (bool, error) { return false, t.writable() }

// GiveBack implements driver.Session: giving back after the commit costs nothing.
func (t *tx) GiveBack(context.Context, driver.News, ...driver.LaneRef) (bool, error) {
	return false, t.writable()
}

// Guard implements driver.Session. Functions run one after another and are
// committed together, so that what holds now holds at the commit.
func (t *tx) Guard(_ context.Context, row driver.GuardRow, key string, version int64) error {
	if kind, ok := row.Document(); ok {
		return documents{t}.guard(kind, key, version)
	}
	var present int64
	var ok bool
	var err error
	if row == driver.GuardLease {
		present, ok = t.b.nodes.epoch(key)
	} else {
		sql, known := guards[row]
		if !known {
			return errs.New(errs.Invalid, "sqlite: Guard does not know the row %q", row)
		}
		present, ok, err = t.number(sql, t.ws, key)
	}
	if err != nil {
		return err
	}
	if !ok || present != version {
		return t.clashed(fmt.Sprintf("the guarded %s is at %d, not %d", row, present, version))
	}
	return nil
}
