package sqlite

import (
	"context"
	"time"
)

// PurgeEarly implements conversation.ContactRows.
func (r contacts) PurgeEarly(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM early WHERE (ws, account, chat, message) IN
		(SELECT ws, account, chat, message FROM early WHERE ws = ? AND at < ? ORDER BY at LIMIT ?)`, r.ws, micro(before), limit)
}

// PurgeDead implements driver.JobRepo.
func (r jobs) PurgeDead(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM jobs WHERE seq IN
		(SELECT seq FROM jobs WHERE ws = ? AND state = 'dead' AND created < ? ORDER BY created LIMIT ?)`, r.ws, micro(before), limit)
}

// PurgeOffers implements routing.WorkRepo.
func (r work) PurgeOffers(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM offers WHERE (ws, id) IN
		(SELECT ws, id FROM offers WHERE ws = ? AND pending = 0 AND at < ? ORDER BY at LIMIT ?)`, r.ws, micro(before), limit)
}

// PurgeDecisions implements routing.WorkRepo. Decisions are compared by the
// text of their time, which is ordered but within a second.
func (r work) PurgeDecisions(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM decisions WHERE seq IN
		(SELECT seq FROM decisions WHERE ws = ? AND json_extract(doc, '$.at') < ? ORDER BY json_extract(doc, '$.at') LIMIT ?)`,
		r.ws, before.UTC().Format(time.RFC3339), limit)
}
