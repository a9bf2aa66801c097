package postgres

import (
	"context"
	"time"
)

// PurgeEarly implements conversation.ContactRows.
func (c contacts) PurgeEarly(ctx context.Context, before time.Time, limit int) (int, error) {
	return c.purge(ctx, `WITH d AS (DELETE FROM sd.early WHERE (ws, account, chat_kind, chat_id, message) IN
		(SELECT ws, account, chat_kind, chat_id, message FROM sd.early WHERE ws = $1 AND at < $3 ORDER BY at LIMIT $2) RETURNING 1)
		SELECT count(*) FROM d`, limit, before)
}

// PurgeDead implements driver.JobRepo.
func (j jobs) PurgeDead(ctx context.Context, before time.Time, limit int) (int, error) {
	return j.purge(ctx, `WITH d AS (DELETE FROM sd.jobs WHERE (ws, id) IN
		(SELECT ws, id FROM sd.jobs WHERE ws = $1 AND state = 'dead' AND created_at < $3 ORDER BY created_at LIMIT $2) RETURNING 1)
		SELECT count(*) FROM d`, limit, before)
}

// PurgeOffers implements routing.WorkRepo.
func (w work) PurgeOffers(ctx context.Context, before time.Time, limit int) (int, error) {
	return w.purge(ctx, `WITH d AS (DELETE FROM sd.offers WHERE (ws, id) IN
		(SELECT ws, id FROM sd.offers WHERE ws = $1 AND NOT open AND offered_at < $3 ORDER BY offered_at LIMIT $2) RETURNING 1)
		SELECT count(*) FROM d`, limit, before)
}

// PurgeDecisions implements routing.WorkRepo.
func (w work) PurgeDecisions(ctx context.Context, before time.Time, limit int) (int, error) {
	return w.purge(ctx, `WITH d AS (DELETE FROM sd.decisions WHERE (ws, item, n) IN
		(SELECT ws, item, n FROM sd.decisions WHERE ws = $1 AND at < $3 ORDER BY at LIMIT $2) RETURNING 1)
		SELECT count(*) FROM d`, limit, before)
}
