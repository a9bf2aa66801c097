package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// job is one function that waits to run in a transaction.
type job struct {
	ctx context.Context // of the caller; never reaches SQLite
	ws  *workspace      // nil for what belongs to no workspace
	fn  func(*tx) error
	// append is what the job appends, in the place of fn: what several bring is inserted
	// together.
	append *appending
	own    bool // the store's own code: needs no savepoint, since a failure of it means that SQLite failed
	// first: it was the first to write, so that undoing it is undoing the transaction.
	first bool
	done  chan struct{}

	state    atomic.Int32 // waiting, taken or abandoned
	answered bool
	tx       *tx
	room     tx // which tx points to
	err      error
	panicked bool
	value    any // of the panic
	goexit   bool
}

const (
	waiting int32 = iota
	taken
	abandoned
)

// committer owns the connection that writes. It takes whatever jobs wait, runs
// each in a savepoint of one transaction, commits once, and only then tells
// anybody anything. The first that writes needs no savepoint, for which SQLite would
// keep a copy of every page that it changes.
type committer struct {
	b    *backend
	conn *raw.Conn
	jobs chan *job
	max  int
	log  *slog.Logger
	// exited closes when the goroutine is gone.
	exited chan struct{}

	// What follows belongs to the committing goroutine. It is kept here and not
	// in local variables because a function that calls runtime.Goexit takes the
	// goroutine with it; another goes on from where it was.
	batch   []*job
	at      int          // the job that runs
	span    int          // how many run with it, it included
	joined  []*appending // what those append
	singly  bool         // each job in a transaction of its own
	begun   int64        // TotalChanges at the beginning of the transaction
	before  int64        // TotalChanges before the job that runs
	changed bool         // a job that succeeded has written something
	crowd   int          // how many batches ago several last came at once, from crowdFor down
	commits int          // since the log was looked at
	failing bool         // the last transaction could not be committed, which the log says
}

// run serves until jobs is closed and empty.
func (c *committer) run() {
	for j := range c.jobs {
		c.collect(j)
		c.start()
	}
	close(c.exited)
}

// crowdFor is how many batches may hold one job each before nobody else is expected.
// A job may be the work of many, so that one alone says little.
const crowdFor = 16

// collect takes what waits, at most max. Where one of the last batches had several,
// those who are about to come are let come first: a commit that costs little, as on
// a RAM disk, otherwise ends before the next callers have prepared what they bring,
// and there are eight times as many commits. Who is alone does not wait.
func (c *committer) collect(first *job) {
	c.batch = append(c.batch[:0], first)
	if c.waiting() && c.crowd > 0 && len(c.batch) < c.max {
		runtime.Gosched()
		c.waiting()
	}
	if c.crowd--; len(c.batch) > 1 {
		c.crowd = crowdFor
	}
	c.crowd = max(c.crowd, 0)
	slices.SortStableFunc(c.batch, func(a, b *job) int { return a.turn() - b.turn() })
}

// turn puts what needs no savepoint behind what may need none if it is the first to
// write, and side by side what is inserted together.
func (j *job) turn() int {
	switch {
	case j.append != nil:
		return 2
	case j.own:
		return 1
	}
	return 0
}

// waiting takes what is there now. It reports whether more may come.
func (c *committer) waiting() bool {
	for len(c.batch) < c.max {
		select {
		case j, ok := <-c.jobs:
			if !ok {
				return false
			}
			c.batch = append(c.batch, j)
		default:
			return true
		}
	}
	return true
}

// start begins the batch and runs it.
func (c *committer) start() {
	c.at, c.singly = 0, false
	if err := c.begin(); err != nil {
		c.refuse(err)
		return
	}
	c.rest()
}

func (c *committer) begin() error {
	c.changed, c.begun = false, c.conn.TotalChanges()
	_, err := c.conn.Exec("BEGIN IMMEDIATE")
	return err
}

// rest runs the jobs from c.at on and ends the batch.
func (c *committer) rest() {
	for c.at < len(c.batch) {
		j := c.batch[c.at]
		if !c.take(j) {
			c.at++
			continue
		}
		if c.singly {
			if err := c.begin(); err != nil {
				j.err = unavailable(err)
				c.at++
				c.deliver(j)
				continue
			}
		}
		c.call(j)
		if !c.settle(j) {
			return
		}
	}
	if !c.singly {
		c.finish()
	}
}

// take reports whether the job is to run. One whose caller has gone or whose
// context has ended is not, and needs no answer that waits for the commit.
func (c *committer) take(j *job) bool {
	if j.answered {
		return false
	}
	if j.state.Load() == taken { // it ran in a batch that was lost
		j.err, j.panicked, j.value, j.goexit = nil, false, nil, false
		return true
	}
	if !j.state.CompareAndSwap(waiting, taken) {
		return false
	}
	if err := j.ctx.Err(); err != nil {
		j.err = err
		c.deliver(j)
		return false
	}
	return true
}

// call runs the job, in a savepoint where it needs one. What comes of it stands in the
// job, for settle.
func (c *committer) call(j *job) {
	c.open(j)
	c.join(j)
	if err := c.savepoint(j); err != nil {
		j.err = j.tx.failed(err)
		return
	}
	c.perform(j)
}

// savepoint notes how the transaction is before the job, so that the job can be undone
// alone. The first to write and the store's own code need none.
func (c *committer) savepoint(j *job) error {
	c.before = c.conn.TotalChanges()
	j.first = c.before == c.begun
	if j.own || j.first {
		return nil
	}
	_, err := c.conn.Exec("SAVEPOINT s")
	return err
}

// perform does the job's work. A panic is kept for the caller. runtime.Goexit, which a
// failing test calls, ends this goroutine, so that another takes over.
func (c *committer) perform(j *job) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			j.panicked, j.value = true, v
			return
		}
		j.goexit = true
		go c.takeOver(j)
	}()
	j.err = c.work(j)
	returned = true
}

// work runs the job's function, or appends what it and those that joined it append, and
// inserts what the function has left for the end.
func (c *committer) work(j *job) (err error) {
	if j.append != nil {
		err = j.tx.appendAll(c.joined)
	} else {
		err = j.fn(j.tx)
	}
	if err != nil || j.tx.clash != nil || j.tx.refused != nil || j.tx.usable() != nil {
		return err // nothing of it is kept
	}
	return j.tx.insertLater()
}

// takeOver goes on in a new goroutine after the job that took the former one with it.
func (c *committer) takeOver(j *job) {
	if c.settle(j) {
		c.rest()
	}
	c.run()
}

func (c *committer) open(j *job) {
	j.room = c.b.newTx(j.ws, c.conn)
	j.tx = &j.room
}

// join finds who runs with the job: of one that appends, all that follow it, unless
// each is to run alone.
func (c *committer) join(j *job) {
	c.span = 1
	if j.append == nil {
		return
	}
	c.joined = append(c.joined[:0], j.append)
	for !c.singly && c.at+c.span < len(c.batch) {
		if next := c.batch[c.at+c.span]; c.take(next) {
			c.open(next)
			c.joined = append(c.joined, next.append)
		}
		c.span++
	}
}

// settle ends the job's savepoint and moves on. It returns false when the
// transaction was lost: the batch has then been run again singly to its end.
func (c *committer) settle(j *job) bool {
	j.judge()
	if c.intact(j) && !j.own {
		c.endSavepoint(j)
	}
	if !c.intact(j) {
		return c.lost(j)
	}
	c.moveOn(j)
	return true
}

// judge decides whether the job has failed. If it is the store's own code, SQLite has.
func (j *job) judge() {
	t := j.tx
	t.ended = true
	if !j.panicked && !j.goexit {
		j.err = t.verdict(j.ctx, j.err)
	}
	if j.own && j.failed() && t.broken == nil {
		t.broken = j.err
	}
}

// intact says whether the transaction is still there and SQLite can be trusted with it.
func (c *committer) intact(j *job) bool { return j.tx.broken == nil && c.conn.InTransaction() }

// moveOn leaves the job, and those that ran with it, behind.
func (c *committer) moveOn(j *job) {
	c.changed = c.changed || !j.failed() && c.conn.TotalChanges() != c.before
	for _, with := range c.batch[c.at : c.at+c.span] {
		with.room.ended = true
	}
	c.at += c.span
	if c.singly {
		c.commit(c.batch[c.at-1 : c.at])
	}
}

func (j *job) failed() bool { return j.err != nil || j.panicked || j.goexit }

func (c *committer) endSavepoint(j *job) {
	if j.first {
		if j.failed() && c.conn.TotalChanges() != c.begun {
			_ = j.tx.failed(c.anew())
		}
		return
	}
	if j.failed() {
		if _, err := c.conn.Exec("ROLLBACK TO s"); err != nil {
			_ = j.tx.failed(err)
			return
		}
	}
	if _, err := c.conn.Exec("RELEASE s"); err != nil {
		_ = j.tx.failed(err)
	}
}

// anew undoes all that the transaction holds and begins another.
func (c *committer) anew() error {
	if _, err := c.conn.Exec("ROLLBACK"); err != nil {
		return err
	}
	return c.begin()
}

// lost handles the end of the outer transaction in the middle of a batch: by
// itself, as SQLite does on a full disk, or because SQLite failed in a way
// after which nothing of it can be trusted. The batch runs again, each job
// alone, so that only the one that cannot be done fails.
func (c *committer) lost(j *job) bool {
	c.rollback()
	if !c.singly && len(c.batch) > 1 {
		c.fails("sqlite: a transaction was lost; its jobs run again one by one", j.tx.broken)
		c.unpin(c.batch)
		c.at, c.singly = 0, true
		c.rest()
		return false
	}
	if !j.panicked && !j.goexit {
		j.err = unavailable(j.tx.cause())
	}
	c.unpin(c.batch[c.at : c.at+1])
	c.at++
	c.deliver(j)
	return c.singly
}

func (c *committer) rollback() {
	if c.conn.InTransaction() {
		if _, err := c.conn.Exec("ROLLBACK"); err != nil {
			c.log.Error("sqlite: rolling back", "error", err)
		}
	}
}

// finish commits the batch.
func (c *committer) finish() { c.commit(c.batch) }

// commit ends the transaction of the jobs and answers them.
func (c *committer) commit(jobs []*job) {
	wrote := c.changed
	err := c.end()
	if err != nil {
		c.rollback()
		c.fails("sqlite: commit failed; nothing was acknowledged", err)
		c.unpin(jobs)
		for _, j := range jobs {
			if j.tx != nil && !j.answered {
				j.failWith(unavailable(err))
				c.deliver(j)
			}
		}
		return
	}
	c.failing = c.failing && !wrote
	c.apply(jobs)
}

// fails logs that a transaction could not be written, once until one can: a full
// disk fails those of everybody who tries again.
func (c *committer) fails(what string, err error) {
	if !c.failing {
		c.log.Error(what, "error", err)
	}
	c.failing = true
}

// failWith replaces the outcome: what the function returned rested on rows
// that were never committed. A panic still goes on.
func (j *job) failWith(err error) {
	if !j.panicked && !j.goexit {
		j.err = err
	}
}

// end commits, together with the clock, the feed's last number and its epoch. If there is
// nothing to commit the disk is left alone.
func (c *committer) end() error {
	if !c.changed {
		_, err := c.conn.Exec("ROLLBACK")
		return err
	}
	if _, err := c.conn.Exec(`UPDATE state SET at = ?, event_seq = ?`, c.b.clock.last.Load(), c.b.eventSeq); err != nil {
		return err
	}
	if err := c.b.epochs.keep(c.conn, c.b.eventSeq); err != nil {
		return err
	}
	if _, err := c.conn.Exec("COMMIT"); err != nil {
		return err
	}
	c.b.epochs.committed(c.b.eventSeq)
	return nil
}

// apply lets the memory follow what was committed and answers the callers.
func (c *committer) apply(jobs []*job) {
	n, hints := followUp(jobs)
	c.unpin(jobs)
	c.b.stats.updates.Add(n)
	if c.changed {
		c.b.stats.commits.Add(1)
	}
	c.b.stats.rows.Store(c.conn.Rows)
	for _, h := range hints {
		c.b.wake.give(h)
	}
	for _, j := range jobs {
		if j.tx != nil && !j.answered {
			c.deliver(j)
		}
	}
	if c.changed {
		c.trimLog()
	}
}

// followUp does what jobs that were committed have asked for, counts them and
// says what they brought.
func followUp(jobs []*job) (n int64, hints []driver.Hint) {
	for _, j := range jobs {
		if j.tx == nil || j.answered || j.failed() {
			continue
		}
		n++
		for _, f := range j.tx.after {
			f()
		}
		if j.append != nil {
			j.append.follow()
		}
		hints = noted(hints, driver.Hint{Workspace: j.tx.name, News: j.tx.hint})
	}
	return n, hints
}

// noted adds a hint to a list with one for each workspace.
func noted(list []driver.Hint, h driver.Hint) []driver.Hint {
	if h.News == 0 {
		return list
	}
	for i := range list {
		if list[i].Workspace == h.Workspace {
			list[i].News |= h.News
			return list
		}
	}
	return append(list, h)
}

const (
	// logEvery is how many commits pass between two looks at the log's size.
	logEvery = 1024
	// logPatience is how long, in milliseconds, all writers wait for readers
	// so that the log can begin anew.
	logPatience = 100
)

// trimLog begins the log anew when it has grown far beyond what SQLite's own
// checkpoints leave: they find no moment to do so while Views overlap without
// a pause. One long View is waited for in vain, once in logEvery commits.
func (c *committer) trimLog() {
	c.commits++
	if c.commits < logEvery {
		return
	}
	c.commits = 0
	if st, err := os.Stat(c.b.path + "-wal"); err != nil || st.Size() < c.b.logLimit {
		return
	}
	for _, sql := range []string{
		fmt.Sprintf(`PRAGMA busy_timeout = %d`, logPatience),
		`PRAGMA wal_checkpoint(TRUNCATE)`,
		fmt.Sprintf(`PRAGMA busy_timeout = %d`, busyTimeout),
	} {
		if _, err := c.conn.Exec(sql); err != nil {
			c.log.Warn("sqlite: the log could not begin anew", "error", err)
		}
	}
}

// unpin lets the lanes be claimed whose claims the jobs relied on.
func (c *committer) unpin(jobs []*job) {
	for _, j := range jobs {
		if j.tx != nil {
			j.tx.unpin()
		}
	}
}

// refuse fails a batch that could not begin.
func (c *committer) refuse(err error) {
	c.fails("sqlite: no transaction can begin", err)
	for _, j := range c.batch {
		if c.take(j) {
			j.err = unavailable(err)
			c.deliver(j)
		}
	}
}

func (c *committer) deliver(j *job) {
	j.answered = true
	j.done <- struct{}{}
}

// unavailable is what callers get when SQLite failed.
func unavailable(err error) error {
	if errors.Is(err, errs.Unavailable) {
		return err
	}
	if raw.Is(err, raw.CodeFull) {
		return errs.New(errs.Unavailable, "sqlite: the disk is full; nothing of this was stored: %w", err)
	}
	return errs.New(errs.Unavailable, "sqlite: the database cannot be written; nothing of this was stored: %w", err)
}

// clock never goes back.
type clock struct {
	now  func() time.Time
	last atomic.Int64 // microseconds
}

// read returns the present moment in UTC, to the microsecond.
func (c *clock) read() time.Time {
	now := c.now().UnixMicro()
	for {
		last := c.last.Load()
		if now <= last {
			return time.UnixMicro(last).UTC()
		}
		if c.last.CompareAndSwap(last, now) {
			return time.UnixMicro(now).UTC()
		}
	}
}
