package sqlite

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/store/driver"
)

// deadlines implements driver.DeadlineRepo.
type deadlines struct{ *tx }

func (r deadlines) Set(_ context.Context, kind, id string, at time.Time) error {
	if at.IsZero() {
		return r.change(`DELETE FROM deadlines WHERE ws = ? AND kind = ? AND id = ?`, r.ws, kind, id)
	}
	r.hint |= driver.NewsDeadlines
	return r.change(`INSERT INTO deadlines (ws, kind, id, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (ws, kind, id) DO UPDATE SET at = excluded.at`, r.ws, kind, id, micro(at))
}
