package sqlite

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// commands implements driver.CommandRepo.
type commands struct{ *tx }

func (r commands) Lookup(_ context.Context, principal, key string) (digest string, result []byte, err error) {
	ok, err := r.first(`SELECT digest, result FROM commands WHERE ws = ? AND principal = ? AND key = ?`, func(w raw.Row) {
		digest, result = w.Text(0), w.Bytes(1)
	}, r.ws, principal, key)
	if err == nil && !ok {
		err = errs.New(errs.NotFound, "sqlite: this key was not used")
	}
	return digest, result, err
}

func (r commands) Store(_ context.Context, principal, key, digest string, result []byte) error {
	return r.change(`INSERT INTO commands (ws, principal, key, digest, result, at) VALUES (?, ?, ?, ?, ?, ?)`,
		r.ws, principal, key, digest, result, micro(r.now))
}

func (r commands) purgeCommands(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM commands WHERE rowid IN (SELECT rowid FROM commands WHERE ws = ? AND at < ? ORDER BY at LIMIT ?)`,
		r.ws, micro(before), limit)
}
