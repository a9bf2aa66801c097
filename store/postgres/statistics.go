package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Where the planner knows nothing of a table it takes any index that begins with
// the workspace for as good as the primary key, and reads thousands of its
// entries for one row: in a table that is new, or was small when somebody last
// looked, until autovacuum comes by, which may take minutes or be switched off.
// No form of a statement helps a look-up by its key. So the store has tables
// analysed itself when they have grown tenfold since the last time. It looks
// after so many statements instead of so much time: who grows fast is looked
// after often, and an idle database not at all.
const (
	lookEvery  = 2000            // statements of this process
	countedLag = 2 * time.Second // so much later, at most, the server knows what was written
	grownTo    = 1000            // rows from which on a table matters
)

type statistics struct {
	b      *backend
	looked atomic.Int64 // how many statements there had been when a look was asked for
	due    chan struct{}
	quit   context.CancelFunc
	wg     sync.WaitGroup
}

func newStatistics(b *backend) *statistics {
	ctx, quit := context.WithCancel(context.Background())
	s := &statistics{b: b, due: make(chan struct{}, 1), quit: quit}
	s.wg.Go(func() { s.run(ctx) })
	return s
}

func (s *statistics) stop() {
	s.quit()
	s.wg.Wait()
}

// ran hears how many statements there have been in all.
func (s *statistics) ran(n int64) {
	if s == nil { // the schema is being made
		return
	}
	if at := s.looked.Load(); n-at >= lookEvery && s.looked.CompareAndSwap(at, n) {
		select {
		case s.due <- struct{}{}:
		default:
		}
	}
}

func (s *statistics) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.due:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(countedLag):
		}
		if err := s.renew(ctx); err != nil && ctx.Err() == nil {
			s.b.opts.Logger.Warn("store: the planner's statistics could not be renewed", "error", mapped(err))
		}
	}
}

// grown are the tables of this role that have none, or ten times the rows that
// they had then.
const grown = `SELECT c.relname FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
	WHERE s.schemaname = $1 AND s.n_live_tup >= $2 AND pg_has_role(c.relowner, 'USAGE')
	AND (coalesce(s.last_analyze, s.last_autoanalyze) IS NULL OR s.n_live_tup >= 10 * greatest(c.reltuples, 1))`

// renew has them analysed. Its statements are not counted with those of the
// store: they are nobody's work.
func (s *statistics) renew(ctx context.Context) error {
	c, err := s.b.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	rows, err := c.Query(ctx, grown, s.b.opts.Schema, grownTo)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, t := range tables { // another node that analyses one now does it for all
		if _, err := c.Exec(ctx, "ANALYZE (SKIP_LOCKED) "+pgx.Identifier{s.b.opts.Schema, t}.Sanitize()); err != nil {
			return err
		}
	}
	return nil
}
