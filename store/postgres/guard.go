package postgres

import (
	"context"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// guardedRow is how a row is held against its version. The lock is the weakest
// that a change of that version conflicts with: where the version is part of a
// unique key, FOR KEY SHARE, so that changes of the rest of the row (an agent's
// load, a lease's end) neither wait nor are waited for.
type guardedRow struct{ from, lock string }

var guarded = map[driver.GuardRow]guardedRow{
	driver.GuardConversation: {"sd.conversations WHERE ws = $1 AND id = $2 AND version = $3", "FOR SHARE"},
	driver.GuardContact:      {"sd.contacts WHERE ws = $1 AND id = $2 AND version = $3", "FOR SHARE"},
	driver.GuardItem:         {"sd.items WHERE ws = $1 AND id = $2 AND version = $3", "FOR SHARE"},
	driver.GuardAgent:        {"sd.agents WHERE ws = $1 AND id = $2 AND elig_rev = $3", "FOR KEY SHARE"},
	driver.GuardLease:        {"sd.leases WHERE $1::text IS NOT NULL AND name = $2 AND epoch = $3", "FOR KEY SHARE"},
}

// Guard implements driver.Tx. The lock is asked for without waiting: a rival
// that holds it is about to change the version, and waiting with locks of our
// own is how deadlocks form. Update waits for the rival once it holds nothing,
// and only then reports the clash.
func (t *tx) Guard(ctx context.Context, row driver.GuardRow, id string, version int64) error {
	if row == driver.GuardConfig {
		lock := t.b.configLock(t.ws)
		busy := query(`SELECT sd.must(pg_try_advisory_xact_lock_shared($1), '`+codeClash+`', 'configuration is being changed')`, lock)
		rival := query(`SELECT pg_advisory_xact_lock_shared($1)`, lock)
		busy.wait = &rival
		return t.write(ctx, busy,
			asClash("configuration", `SELECT 1 FROM sd.config WHERE ws = $1 AND version = $2`, key(t.ws), version))
	}
	g, ok := guarded[row]
	if !ok {
		return errs.New(errs.Invalid, "store: no row %q can be guarded", row)
	}
	check := asClash(string(row), `SELECT 1 FROM `+g.from+` `+g.lock+` NOWAIT`, key(t.ws), key(id), version)
	rival := query(`SELECT 1 FROM `+g.from+` `+g.lock, key(t.ws), key(id), version)
	check.wait = &rival
	return t.write(ctx, check)
}
