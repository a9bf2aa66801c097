package postgres

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sangdam/sangdam/store/driver"
)

// A life of the server is the time from one start of it to the next, and its name is
// that start. Where an older copy of its data is put back, or a standby takes over,
// another server has been started than the one that readers of the feed knew, and its
// log may end before what they saw. Transactions are then numbered anew from there, so
// that a place cannot be told from another one by its snapshot.
//
// So a place names the life that gave it and how far the log was flushed after its
// snapshot was taken: whatever the snapshot saw had been flushed before anybody saw
// it, and so lies before. The table lives keeps for every life the end of the log with
// which it began: all that earlier lives wrote up to there is kept, and nothing else.
// A place of an earlier life goes on where each life since began behind it. After a
// plain restart, with or without a crash, that is so for all, since what was flushed
// is there again; what a crash forgets besides stands in docs/rough-edges.md. A place
// whose life is not in the table is of a life that the copy does not know.
//
// Reading on costs nothing more for it: life and position come with the pages.
type lives struct {
	entered atomic.Int64 // the life whose row is known to be there
	// mute says that the server does not tell how far its log is. Places then name a
	// position behind every other one, so that none outlives its life.
	mute bool
}

const (
	// lifeSQL is the present life: the server's start in µs since 1970.
	lifeSQL = `(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint`
	// flushedSQL is how far the log was flushed, in bytes. It must be taken after
	// the snapshot, as within one statement.
	flushedSQL = `(pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint`
	// unknownPosition stands for it on a server that does not tell.
	unknownPosition = `9223372036854775807::bigint`

	// enterLife notes the present life. With what log it began is what recovery read
	// last, which the server says until its end. One that was stopped in order and
	// needed no recovery began with the checkpoint of that stop: of that kind alone
	// place and beginning are the same. When it has made another one since, nobody can
	// tell any more, and no place of before goes on.
	// Nor can anybody where the log is of another timeline than the newest life: a copy was
	// put back, or a standby took over, and the life in which that happened is not known.
	enterLife = `INSERT INTO sd.lives (life, began, system, timeline) SELECT ` + lifeSQL + `, coalesce(pg_last_wal_replay_lsn(),
		CASE WHEN c.redo_lsn = c.checkpoint_lsn AND c.checkpoint_time <= pg_postmaster_start_time()
			AND coalesce((SELECT timeline FROM sd.lives ORDER BY n DESC LIMIT 1), ` + timelineSQL + `) = ` + timelineSQL + `
			THEN c.redo_lsn END,
		'0/0') - '0/0'::pg_lsn, s.system_identifier, ` + timelineSQL + ` FROM pg_control_system() s, pg_control_checkpoint() c
		ON CONFLICT (life) DO NOTHING`
	// timelineSQL is the timeline that the server writes, as the names of its log's files
	// have it; the last checkpoint may still be of the one before.
	timelineSQL = `left(pg_walfile_name(pg_current_wal_flush_lsn()), 8)`
	// enterLifeUntold does on a server that tells nothing of its log.
	enterLifeUntold = `INSERT INTO sd.lives (life, began) SELECT ` + lifeSQL + `, 0 ON CONFLICT (life) DO NOTHING`
	// livesKept is how many are kept; of those before nobody reads on.
	livesKept   = 100
	forgetLives = `DELETE FROM sd.lives WHERE n NOT IN (SELECT n FROM sd.lives ORDER BY n DESC LIMIT $1::bigint)`
)

// sql is a statement with the position as this server tells it.
func (l *lives) sql(text string) string {
	if l.mute {
		return strings.ReplaceAll(text, flushedSQL, unknownPosition)
	}
	return text
}

// settleLives finds out what the server tells of its log, and enters its life.
func (b *backend) settleLives(ctx context.Context) error {
	err := b.send(ctx, query(`SELECT `+flushedSQL))
	if b.lives.mute = untold(err); b.lives.mute {
		b.opts.Logger.Warn("store: the server does not tell how far its log is; after each of its restarts all readers of the feed reload")
	} else if err != nil {
		return mapped(err)
	}
	_, err = b.present(ctx)
	return err
}

// untold reports whether the server refuses a statement as such: it does not have the
// function, or not for this user.
func untold(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42501" || pg.Code == "42883" || pg.Code == "0A000")
}

// present is the cursor of now.
func (b *backend) present(ctx context.Context) (cursor, error) {
	c := cursor{Epoch: b.feedEpoch}
	err := b.run(ctx, query(b.lives.sql(`SELECT `+lifeSQL+`, `+flushedSQL+`, pg_current_snapshot()::text`)).rows(func(r pgx.Rows) error {
		var text string
		err := r.Scan(&c.Life, &c.At, &text)
		if err == nil {
			c.From, err = parseSnapshot(text)
		}
		return err
	}))
	if err == nil {
		err = b.enterLife(ctx, c.Life)
	}
	return c, err
}

// enterLife has the row of the present life stored before a place names it: a copy that
// is made later then knows it.
func (b *backend) enterLife(ctx context.Context, life int64) error {
	if b.lives.entered.Load() == life {
		return nil
	}
	err := b.send(ctx, query(enterLife), query(forgetLives, livesKept))
	if untold(err) {
		err = b.send(ctx, query(enterLifeUntold), query(forgetLives, livesKept))
	}
	if err == nil {
		b.lives.entered.Store(life)
	}
	return mapped(err)
}

// goesOn returns ErrCursorGone unless all that a place of an earlier life saw is there
// in the present one.
func (b *backend) goesOn(ctx context.Context, earlier, at, life int64) error {
	if err := b.enterLife(ctx, life); err != nil {
		return err
	}
	kept := false
	err := b.run(ctx, query(`SELECT coalesce(bool_and(later.began >= $2 AND coalesce(later.system = l.system, true)), false)
		FROM sd.lives l JOIN sd.lives later ON later.n > l.n WHERE l.life = $1`, earlier, at).
		rows(func(r pgx.Rows) error { return r.Scan(&kept) }))
	if err == nil && !kept {
		err = driver.ErrCursorGone
	}
	return err
}
