package postgres

import (
	"context"
	"hash/fnv"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sangdam/sangdam/store/driver"
)

// backend is one database in one schema.
type backend struct {
	opts  Options
	pool  *pgxpool.Pool
	texts sync.Map // statement text to the same with the schema's name
	known sync.Map // driver.WorkspaceID to *workspace

	feedEpoch string // binds cursors to this feed
	lives     lives  // and to those of the server
	// commitWithin bounds how long a commit may take once it has begun; a
	// context's end no longer matters then.
	commitWithin time.Duration

	committer *committer
	wakes     *wakes
	sweeps    sweeps
	cradle    cradle
	planner   *statistics

	commits, updates, rowsRead, trips, statements atomic.Int64

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// workspace is what this process knows of a workspace for good.
type workspace struct {
	num  int64
	high atomic.Int64 // highest Now given, µs since 1970
	kept atomic.Int64 // highest Now that the database keeps
}

func newBackend(opts Options, pool *pgxpool.Pool) *backend {
	return &backend{opts: opts, pool: pool, commitWithin: 30 * time.Second}
}

// begin prepares the schema and starts what runs along.
func (b *backend) begin(ctx context.Context) error {
	if err := b.migrate(ctx); err != nil {
		return err
	}
	if err := b.settleFeed(ctx); err != nil {
		return err
	}
	if err := b.settleLives(ctx); err != nil {
		return err
	}
	if err := b.warnOfSettings(ctx); err != nil {
		return err
	}
	b.wakes = newWakes(b)
	b.committer = newCommitter(b)
	b.planner = newStatistics(b)
	return nil
}

// warnOfSettings tells the operator when a commit is not durable.
func (b *backend) warnOfSettings(ctx context.Context) error {
	var fsync, sync string
	err := b.run(ctx, query(`SELECT current_setting('fsync'), current_setting('synchronous_commit')`).rows(func(r pgx.Rows) error {
		return r.Scan(&fsync, &sync)
	}))
	if err == nil && (fsync == "off" || sync == "off") {
		b.opts.Logger.Warn("store: PostgreSQL acknowledges commits that a crash can lose; set fsync and synchronous_commit to on",
			"fsync", fsync, "synchronous_commit", sync)
	}
	return err
}

// enter registers a running call, which Close waits for.
func (b *backend) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	b.running.Add(1)
	return nil
}

func (b *backend) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// Close implements driver.Backend.
func (b *backend) Close() error {
	b.mu.Lock()
	was := b.closed
	b.closed = true
	b.mu.Unlock()
	if was {
		return nil
	}
	b.running.Wait()
	fresh, old := b.cradle.take(math.MaxInt)
	_ = b.release(context.Background(), outboxLanes, append(fresh, old...)) // else their leases end
	b.planner.stop()
	b.committer.stop()
	b.wakes.stop()
	b.pool.Close()
	return nil
}

// Stats implements driver.Backend.
func (b *backend) Stats() driver.Stats {
	return driver.Stats{Commits: b.commits.Load(), Updates: b.updates.Load(), RowsRead: b.rowsRead.Load(), Wakes: b.wakes.given.Load(),
		Statements: b.statements.Load(), Trips: b.trips.Load()}
}

// System implements driver.Backend.
func (b *backend) System() driver.System { return system{b} }

// Wake implements driver.Backend.
func (b *backend) Wake(fn func(driver.Hint)) func() { return b.wakes.subscribe(fn) }

// workspaceOf returns what is known of a workspace, asking once per process;
// workspaces are never deleted. ErrNotFound.
func (b *backend) workspaceOf(ctx context.Context, ws driver.WorkspaceID) (*workspace, error) {
	if w, ok := b.known.Load(ws); ok {
		return w.(*workspace), nil
	}
	var num int64
	err := b.run(ctx, query(`SELECT num FROM sd.workspaces WHERE ws = $1`, key(ws)).rows(func(r pgx.Rows) error { return r.Scan(&num) }))
	if err != nil {
		return nil, err
	}
	if num == 0 {
		return nil, errNotFound("workspace")
	}
	w, _ := b.known.LoadOrStore(ws, &workspace{num: num})
	return w.(*workspace), nil
}

// raise returns t, or the highest time given so far if that is later.
func (w *workspace) raise(t time.Time) time.Time {
	for us := t.UnixMicro(); ; {
		high := w.high.Load()
		if us <= high {
			return time.UnixMicro(high).UTC()
		}
		if w.high.CompareAndSwap(high, us) {
			return time.UnixMicro(us).UTC()
		}
	}
}

// configLock is the key of the advisory lock that stands for a workspace's
// configuration: shared by who guards its version, exclusive for who changes
// it. A row lock would be written to the one row by every Update of the
// workspace; an advisory lock costs no write.
func (b *backend) configLock(ws driver.WorkspaceID) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("sangdam/configuration/" + b.opts.Schema + "/" + string(ws)))
	return int64(h.Sum64())
}
