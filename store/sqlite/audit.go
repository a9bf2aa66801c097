package sqlite

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// audit implements driver.AuditRepo.
type audit struct{ *tx }

func (r audit) Append(_ context.Context, e driver.AuditEntry) error {
	e.Seq, e.Previous = 1, ""
	_, err := r.first(`SELECT seq, hash FROM audit WHERE ws = ? ORDER BY seq DESC LIMIT 1`, func(w raw.Row) {
		e.Seq, e.Previous = w.Int(0)+1, w.Text(1)
	}, r.ws)
	if err != nil {
		return err
	}
	e.At = e.At.UTC().Truncate(time.Microsecond) // as it will be read, and hashed
	if e.Hash, err = driver.ChainHash(e.Previous, e); err != nil {
		return err
	}
	doc, err := encode(e)
	if err != nil {
		return err
	}
	return r.change(`INSERT INTO audit (ws, seq, hash, doc) VALUES (?, ?, ?, ?)`, r.ws, e.Seq, e.Hash, doc)
}

func (r audit) List(_ context.Context, after int64, limit int) ([]driver.AuditEntry, error) {
	return list(r.tx, scanDoc[driver.AuditEntry], `SELECT doc FROM audit WHERE ws = ? AND seq > ? ORDER BY seq LIMIT ?`, r.ws, after, limit)
}
