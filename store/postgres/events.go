package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/store/driver"
)

type events struct{ *tx }

// Append implements driver.EventRepo.
func (e events) Append(ctx context.Context, evs ...driver.Event) error {
	rows, err := eventRows(evs)
	if err != nil {
		return err
	}
	e.news |= driver.NewsOf(evs...)
	return e.add(ctx, intoEvents, rows...)
}

// purgeEvents deletes rows of old events, beginning with the oldest, of which it
// looks at so many. It notes the highest transaction whose events went, so that
// cursors before it are told.
func (e events) purgeEvents(ctx context.Context, before time.Time, limit int) (n int, err error) {
	if err := e.writable(); err != nil {
		return 0, err
	}
	err = e.lock(ctx, query(`WITH d AS (DELETE FROM sd.events WHERE (ws, id) IN
			(SELECT ws, id FROM (SELECT ws, id, at FROM sd.events WHERE ws = $1 ORDER BY id LIMIT $2) o WHERE at < $3) RETURNING xid),
		f AS (UPDATE sd.feed_state SET purged = greatest(purged, (SELECT xid FROM d ORDER BY xid DESC LIMIT 1)) WHERE ws = $1
		AND EXISTS (SELECT 1 FROM d))
		SELECT count(*) FROM d`, key(e.ws), limit, before).rows(func(r pgx.Rows) error { return r.Scan(&n) }))
	return n, err
}

type deadlines struct{ *tx }

// Set implements driver.DeadlineRepo.
func (d deadlines) Set(ctx context.Context, kind, id string, at time.Time) error {
	if !at.IsZero() {
		d.news |= driver.NewsDeadlines
		d.due(at)
	}
	switch {
	case d.ahead != nil:
		return d.with(kind, id, at)
	case at.IsZero():
		return d.write(ctx, query(`DELETE FROM sd.deadlines WHERE ws = $1 AND kind = $2 AND id = $3`, key(d.ws), key(kind), key(id)))
	}
	return d.write(ctx, query(`INSERT INTO sd.deadlines (ws, kind, id, at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (ws, kind, id) DO UPDATE SET at = excluded.at`, key(d.ws), key(kind), key(id), at))
}

// with sets a deadline together with those of other pieces of work, or clears it.
func (d deadlines) with(kind, id string, at time.Time) error {
	if err := d.writable(); err != nil {
		return err
	}
	d.wrote = true
	if d.ahead.dues == nil {
		d.ahead.dues = dues{}
	}
	d.ahead.dues[[2]string{key(kind), key(id)}] = at
	return nil
}

type commands struct{ *tx }

// Lookup implements driver.CommandRepo.
func (c commands) Lookup(ctx context.Context, principal, id string) (digest string, result []byte, err error) {
	type stored struct {
		digest string
		result []byte
	}
	s, err := one(ctx, c.tx, "command", query(`SELECT digest, result FROM sd.commands WHERE ws = $1 AND principal = $2 AND key = $3`,
		key(c.ws), key(principal), key(id)), func(r pgx.Rows) (s stored, err error) {
		err = r.Scan(&s.digest, &s.result)
		return s, err
	})
	return unkey[string](s.digest), s.result, err
}

// Store implements driver.CommandRepo.
func (c commands) Store(ctx context.Context, principal, id, digest string, result []byte) error {
	return c.write(ctx, query(`INSERT INTO sd.commands (ws, principal, key, digest, result, at)
		VALUES ($1, $2, $3, $4, $5, clock_timestamp())`, key(c.ws), key(principal), key(id), key(digest), result))
}

// purgeCommands deletes results of commands.
func (c commands) purgeCommands(ctx context.Context, before time.Time, limit int) (int, error) {
	return c.purge(ctx, `WITH d AS (DELETE FROM sd.commands WHERE (ws, principal, key) IN
		(SELECT ws, principal, key FROM sd.commands WHERE ws = $1 AND at < $3 LIMIT $2) RETURNING 1) SELECT count(*) FROM d`, limit, before)
}
