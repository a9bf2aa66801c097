package postgres

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/store/driver"
)

// Purge implements driver.Session.
func (t *tx) Purge(ctx context.Context, before driver.Ages, limit int) (int, error) {
	return driver.PurgeInTurn(limit,
		func(room int) (int, error) { return inbox{t}.purgeInbox(ctx, before.Raw, before.Keys, room) },
		func(room int) (int, error) { return outbox{t}.purgeOutbox(ctx, before.Raw, room) },
		func(room int) (int, error) { return jobs{t}.purgeDone(ctx, before.Raw, room) },
		func(room int) (int, error) { return conversations{t}.purgeEarly(ctx, before.Raw, room) },
		func(room int) (int, error) { return jobs{t}.purgeDead(ctx, before.Keys, room) },
		func(room int) (int, error) { return work{t}.purgeOffers(ctx, before.Keys, room) },
		func(room int) (int, error) { return work{t}.purgeDecisions(ctx, before.Keys, room) },
		func(room int) (int, error) { return events{t}.purgeEvents(ctx, before.Feed, room) },
		func(room int) (int, error) { return commands{t}.purgeCommands(ctx, before.Results, room) })
}

// purgeEarly deletes edits and unsends whose message never came.
func (c conversations) purgeEarly(ctx context.Context, before time.Time, limit int) (int, error) {
	return c.purge(ctx, `WITH d AS (DELETE FROM sd.early WHERE (ws, account, chat_kind, chat_id, message) IN
		(SELECT ws, account, chat_kind, chat_id, message FROM sd.early WHERE ws = $1 AND at < $3 ORDER BY at LIMIT $2) RETURNING 1)
		SELECT count(*) FROM d`, limit, before)
}

// purgeDead deletes jobs that were given up.
func (j jobs) purgeDead(ctx context.Context, before time.Time, limit int) (int, error) {
	return j.purge(ctx, `WITH d AS (DELETE FROM sd.jobs WHERE (ws, id) IN
		(SELECT ws, id FROM sd.jobs WHERE ws = $1 AND state = 'dead' AND created_at < $3 ORDER BY created_at LIMIT $2) RETURNING 1)
		SELECT count(*) FROM d`, limit, before)
}

// purgeOffers deletes offers that ended.
func (w work) purgeOffers(ctx context.Context, before time.Time, limit int) (int, error) {
	return w.purge(ctx, `WITH d AS (DELETE FROM sd.offers WHERE (ws, id) IN
		(SELECT ws, id FROM sd.offers WHERE ws = $1 AND NOT open AND offered_at < $3 ORDER BY offered_at LIMIT $2) RETURNING 1)
		SELECT count(*) FROM d`, limit, before)
}

// purgeDecisions deletes the summaries of old decisions.
func (w work) purgeDecisions(ctx context.Context, before time.Time, limit int) (int, error) {
	return w.purge(ctx, `WITH d AS (DELETE FROM sd.decisions WHERE (ws, item, n) IN
		(SELECT ws, item, n FROM sd.decisions WHERE ws = $1 AND at < $3 ORDER BY at LIMIT $2) RETURNING 1)
		SELECT count(*) FROM d`, limit, before)
}
