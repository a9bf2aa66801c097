package sqlite

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// workspace is a tenant with the number that its rows begin with.
type workspace struct {
	num int64
	id  driver.WorkspaceID
}

// backend implements driver.Backend.
type backend struct {
	opts  Options
	path  string
	lock  *dirLock
	clock clock
	wake  wake
	com   *committer
	stats struct{ commits, updates, rows, viewRows atomic.Int64 }

	// logLimit is the size in bytes above which the log is made to begin anew.
	logLimit int64

	// readers is the pool of connections for Views.
	readers chan *raw.Conn

	wsMu       sync.RWMutex
	workspaces map[driver.WorkspaceID]*workspace
	byNum      map[int64]*workspace

	inbox, outbox *lanes
	nodes         nodes
	earliest      earliest

	// The last numbers given; they belong to the committing goroutine.
	eventSeq, envelopeSeq, outboxSeq int64
	epochs                           epochs

	// closing is held for reading while a job is handed in.
	closing sync.RWMutex
	closed  bool
	views   sync.WaitGroup
}

var _ driver.Backend = (*backend)(nil)

// start opens the connections, loads what lives in memory and starts to commit.
func start(o Options, path string, lock *dirLock) (*backend, error) {
	b := &backend{
		opts: o, path: path, lock: lock, clock: clock{now: o.Now},
		readers: make(chan *raw.Conn, o.Readers), logLimit: 2 * logKept,
		workspaces: map[driver.WorkspaceID]*workspace{}, byNum: map[int64]*workspace{},
		inbox: newLanes(), outbox: newLanes(), earliest: earliest{at: math.MinInt64},
	}
	conn, err := openConn(path)
	if err != nil {
		return nil, err
	}
	b.com = &committer{b: b, conn: conn, jobs: make(chan *job, defaultBatch), max: o.MaxBatch, log: o.Logger, exited: make(chan struct{})}
	if err = b.openReaders(); err == nil {
		err = b.load(conn)
	}
	if err != nil {
		b.closeConns()
		return nil, err
	}
	go b.com.run()
	return b, nil
}

func (b *backend) openReaders() error {
	for range b.opts.Readers {
		c, err := openConn(b.path)
		if err != nil {
			return err
		}
		if _, err := c.Exec(`PRAGMA query_only = ON`); err != nil {
			c.Close()
			return fileError(b.path, err)
		}
		b.readers <- c
	}
	return nil
}

// inside is the context key under which a function's context carries the
// backend it runs in.
type inside struct{}

func (b *backend) nested(ctx context.Context) error {
	if ctx.Value(inside{}) == b {
		return errs.New(errs.Invalid,
			"sqlite: called inside an Update or View with its context; use the Tx, or call it after the function has returned")
	}
	return nil
}

func errUnknownWorkspace(ws driver.WorkspaceID) error {
	return errs.New(errs.NotFound, "sqlite: there is no workspace %q", ws)
}

var errClosed = errs.New(errs.Unavailable, "sqlite: the store is closed")

func (b *backend) workspace(id driver.WorkspaceID) (*workspace, error) {
	b.wsMu.RLock()
	defer b.wsMu.RUnlock()
	if ws := b.workspaces[id]; ws != nil {
		return ws, nil
	}
	return nil, errUnknownWorkspace(id)
}

// Update implements driver.Backend.
func (b *backend) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	w, err := b.workspace(ws)
	if err != nil {
		return errors.Join(b.nested(ctx), err)
	}
	within := context.WithValue(ctx, inside{}, b)
	return b.submit(&job{ctx: ctx, ws: w, fn: func(t *tx) error { return fn(within, t.whole()) }})
}

// submit hands the job to the committer and waits for its outcome.
func (b *backend) submit(j *job) error {
	if err := b.nested(j.ctx); err != nil {
		return err
	}
	if err := j.ctx.Err(); err != nil {
		return err
	}
	j.done = make(chan struct{}, 1)
	if err := b.hand(j); err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-j.ctx.Done():
		if j.state.CompareAndSwap(waiting, abandoned) || j.append != nil {
			return j.ctx.Err() // what is stored all the same absorbs the repetition
		}
		<-j.done
	}
	switch {
	case j.panicked:
		panic(j.value)
	case j.goexit:
		runtime.Goexit()
	}
	return j.err
}

func (b *backend) hand(j *job) error {
	b.closing.RLock()
	defer b.closing.RUnlock()
	if b.closed {
		return errClosed
	}
	select {
	case b.com.jobs <- j:
		return nil
	case <-j.ctx.Done():
		return j.ctx.Err()
	}
}

// View implements driver.Backend. The function runs on the caller's goroutine.
func (b *backend) View(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	w, err := b.workspace(ws)
	if err != nil {
		return errors.Join(b.nested(ctx), err)
	}
	return b.read(ctx, w, func(t *tx) error {
		return fn(context.WithValue(ctx, inside{}, b), t.whole())
	})
}

// read runs fn in a read transaction on a connection of the pool.
func (b *backend) read(ctx context.Context, ws *workspace, fn func(*tx) error) error {
	if err := b.nested(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !b.enter() {
		return errClosed
	}
	defer b.views.Done()
	var c *raw.Conn
	select {
	case c = <-b.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	before := c.Rows
	defer func() {
		b.stats.viewRows.Add(c.Rows - before)
		b.readers <- c
	}()
	if _, err := c.Exec("BEGIN"); err != nil {
		return unreadable(err)
	}
	defer func() { _, _ = c.Exec("ROLLBACK") }() // it wrote nothing
	t := b.newTx(ws, c)
	t.readonly = true
	defer func() { t.ended = true }()
	return t.verdict(ctx, fn(&t))
}

// remembered is read for what is known in memory: fn gets no transaction.
func (b *backend) remembered(_ context.Context, _ *workspace, fn func(*tx) error) error {
	if !b.enter() {
		return errClosed
	}
	defer b.views.Done()
	return fn(nil)
}

func unreadable(err error) error {
	return errs.New(errs.Unavailable, "sqlite: the database cannot be read: %w", err)
}

func (b *backend) enter() bool {
	b.closing.RLock()
	defer b.closing.RUnlock()
	if b.closed {
		return false
	}
	b.views.Add(1)
	return true
}

// Wake implements driver.Backend.
func (b *backend) Wake(fn func(driver.Hint)) func() { return b.wake.subscribe(fn) }

// Stats implements driver.Backend.
func (b *backend) Stats() driver.Stats {
	return driver.Stats{
		Commits:  b.stats.commits.Load(),
		Updates:  b.stats.updates.Load(),
		RowsRead: b.stats.rows.Load() + b.stats.viewRows.Load(),
		Wakes:    b.wake.given.Load(),
	}
}

// System implements driver.Backend.
func (b *backend) System() driver.System { return system{b} }

// Close implements driver.Backend. What was handed in before is committed.
func (b *backend) Close() error {
	b.closing.Lock()
	if b.closed {
		b.closing.Unlock()
		<-b.com.exited
		return nil
	}
	b.closed = true
	b.closing.Unlock()
	close(b.com.jobs)
	<-b.com.exited
	b.views.Wait()
	b.wake.close()
	return b.closeConns()
}

func (b *backend) closeConns() error {
	var all []error
	for len(b.readers) > 0 {
		all = append(all, (<-b.readers).Close())
	}
	all = append(all, b.com.conn.Close())
	b.lock.release()
	return errors.Join(all...)
}
