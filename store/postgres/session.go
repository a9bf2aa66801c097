package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sangdam/sangdam/store/driver"
)

// stmt is one statement of a pipeline. sql names our tables as sd.table.
type stmt struct {
	sql  string
	args []any
	each func(row pgx.Rows) error // nil: the rows do not matter
	// wait, for guards, is run outside the transaction after this statement
	// failed because a rival was busy: it returns when the rival has ended.
	wait *stmt
}

func query(text string, args ...any) stmt { return stmt{sql: text, args: args} }

// rows has each called on every row of the result.
func (s stmt) rows(each func(row pgx.Rows) error) stmt {
	s.each = each
	return s
}

// conn is where a pipeline is sent: a pooled connection or a host's own
// transaction.
type conn interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// qualify puts the schema's name into a statement. Statements are constants, or
// one of few shapes, so the result is kept.
func (b *backend) qualify(text string) string {
	if done, ok := b.texts.Load(text); ok {
		return done.(string)
	}
	done := strings.ReplaceAll(text, "sd.", pgx.Identifier{b.opts.Schema}.Sanitize()+".")
	b.texts.Store(text, done)
	return done
}

// pipeline sends the statements in one round trip and reads every result. It
// returns the index of the statement that failed.
func (b *backend) pipeline(ctx context.Context, c conn, list []stmt) (int, error) {
	b.trips.Add(1)
	b.planner.ran(b.statements.Add(int64(len(list))))
	res := c.SendBatch(ctx, b.batchFor(c, list))
	for i, s := range list {
		if err := b.consume(res, s); err != nil {
			_ = res.Close()
			return i, err
		}
	}
	return 0, res.Close()
}

func (b *backend) consume(res pgx.BatchResults, s stmt) error {
	if s.each == nil {
		_, err := res.Exec()
		return err
	}
	rows, err := res.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		b.rowsRead.Add(1)
		if err := s.each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// run sends statements of no transaction of the caller's: each pipeline is
// atomic by itself, since it holds one Sync.
func (b *backend) run(ctx context.Context, list ...stmt) error { return mapped(b.send(ctx, list...)) }

// send is run, with the server's own errors.
func (b *backend) send(ctx context.Context, list ...stmt) error {
	c, err := b.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	if b.opts.Pooler {
		list = append([]stmt{query(localSettings, b.lockTimeout(), b.idleTimeout())}, list...)
	}
	_, err = b.pipeline(ctx, c, list)
	return err
}

// runWrites is run for statements that change rows; it counts the commit.
func (b *backend) runWrites(ctx context.Context, list ...stmt) error {
	if err := b.run(ctx, list...); err != nil {
		return err
	}
	b.commits.Add(1)
	return nil
}

// heard is what a claim runs under: its answer is waited for, for some seconds, even
// if who asked is going. One that nobody hears leaves what it claimed to the end of
// its lease, so that a process which stops would hold up customers for that long.
func heard(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), fiveSeconds)
}

// localSettings are the settings for one transaction, for poolers, whose
// connections keep none of a session.
const localSettings = `SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true),
	set_config('jit', 'off', true)`

func (b *backend) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	c, err := b.pool.Acquire(ctx)
	if err != nil {
		if b.isClosed() {
			return nil, errClosed
		}
		return nil, mapped(err)
	}
	return c, nil
}

// must makes a conditional statement, which RETURNs one row for each row it
// hit, fail the transaction with the code when it hit none.
func must(code, message, conditional string, args ...any) stmt {
	return query("WITH w AS ("+conditional+") SELECT sd.must((SELECT count(*) FROM w) > 0, '"+code+"', '"+message+"')", args...)
}

// asClash is a conditional write whose miss means that a rival was first.
func asClash(what, conditional string, args ...any) stmt {
	return must(codeClash, what, conditional, args...)
}

// asStale is a conditional write whose miss means that the caller's right to it
// is gone.
func asStale(message, conditional string, args ...any) stmt {
	return must(codeStale, message, conditional, args...)
}

// one runs a query of at most one row; ErrNotFound names what.
func one[T any](ctx context.Context, t *tx, what string, s stmt, scan func(row pgx.Rows) (T, error)) (T, error) {
	list, err := many(ctx, t, s, scan)
	if err == nil && len(list) == 0 {
		err = errNotFound(what)
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return list[0], nil
}

// many runs a query.
func many[T any](ctx context.Context, t *tx, s stmt, scan func(row pgx.Rows) (T, error)) ([]T, error) {
	var list []T
	err := t.read(ctx, collect(s, &list, scan))
	return list, err
}

// collect appends every row of the statement to the list.
func collect[T any](s stmt, list *[]T, scan func(row pgx.Rows) (T, error)) stmt {
	return s.rows(func(row pgx.Rows) error {
		v, err := scan(row)
		if err == nil {
			*list = append(*list, v)
		}
		return err
	})
}

// document scans a row whose only column is a document.
func document[T any](row pgx.Rows) (T, error) {
	var doc []byte
	if err := row.Scan(&doc); err != nil {
		var zero T
		return zero, err
	}
	return decode[T](doc)
}

var _ driver.Backend = (*backend)(nil)
