package sqlite

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
func (r conversations) purgeEarly(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM early WHERE (ws, account, chat, message) IN
		(SELECT ws, account, chat, message FROM early WHERE ws = ? AND at < ? ORDER BY at LIMIT ?)`, r.ws, micro(before), limit)
}

// purgeDead deletes jobs that were given up.
func (r jobs) purgeDead(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM jobs WHERE seq IN
		(SELECT seq FROM jobs WHERE ws = ? AND state = 'dead' AND created < ? ORDER BY created LIMIT ?)`, r.ws, micro(before), limit)
}

// purgeOffers deletes offers that ended.
func (r work) purgeOffers(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM offers WHERE (ws, id) IN
		(SELECT ws, id FROM offers WHERE ws = ? AND pending = 0 AND at < ? ORDER BY at LIMIT ?)`, r.ws, micro(before), limit)
}

// purgeDecisions deletes the summaries of old decisions. Decisions are compared by the
// text of their time, which is ordered but within a second.
func (r work) purgeDecisions(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM decisions WHERE seq IN
		(SELECT seq FROM decisions WHERE ws = ? AND json_extract(doc, '$.at') < ? ORDER BY json_extract(doc, '$.at') LIMIT ?)`,
		r.ws, before.UTC().Format(time.RFC3339), limit)
}
