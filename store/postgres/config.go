package postgres

import (
	"context"

	"github.com/sangdam/sangdam/store/driver"
)

// HoldConfig implements driver.Session: the lock goes to the server with the
// first read, before it, and keeps guards and other changes of the configuration
// waiting until this transaction ends.
func (t *tx) HoldConfig(ctx context.Context, change bool) error {
	if err := t.writable(); err != nil {
		return err
	}
	if err := t.holdConfig(ctx); err != nil || !change {
		return err
	}
	t.news |= driver.NewsRouting
	return t.write(ctx, query(`UPDATE sd.config SET version = version + 1 WHERE ws = $1`, key(t.ws)))
}
