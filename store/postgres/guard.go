package postgres

import (
	"context"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// guardedRow is how a row is held against its version until the commit. The
// lock is exclusive, but for leases, which no Update changes: two that guard a
// row and then change it would deadlock on shared ones.
type guardedRow struct{ from, lock string }

var guarded = map[driver.GuardRow]guardedRow{
	driver.GuardConversation: {"sd.conversations WHERE ws = $1 AND id = $2 AND version = $3", "FOR NO KEY UPDATE"},
	driver.GuardItem:         {"sd.items WHERE ws = $1 AND id = $2 AND version = $3", "FOR NO KEY UPDATE"},
	driver.GuardAgent:        {"sd.agents WHERE ws = $1 AND id = $2 AND elig_rev = $3", "FOR NO KEY UPDATE"},
	driver.GuardLease:        {"sd.leases WHERE $1::text IS NOT NULL AND name = $2 AND epoch = $3", "FOR KEY SHARE"},
}

// Guard implements driver.Session. The lock is asked for without waiting: a rival
// that holds it is about to change the version, and waiting with locks of our
// own is how deadlocks form. Update waits for the rival once it holds nothing,
// and only then reports the clash.
func (t *tx) Guard(ctx context.Context, row driver.GuardRow, id string, version int64) error {
	if row == driver.GuardConfig {
		return t.guardConfig(ctx, version)
	}
	if kind, ok := row.Document(); ok {
		return documents{t}.guard(ctx, kind, id, version)
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

// configHold is this transaction's hold on the configuration's lock.
type configHold int

const (
	configFree   configHold = iota
	configQueued            // a shared hold is queued, at tx.configAt, and not sent yet
	configShared
	configExclusive
)

func (t *tx) guardConfig(ctx context.Context, version int64) error {
	if t.config == configFree && !t.host { // a host's transaction may stay open for long
		t.config, t.configAt = configQueued, len(t.queued)
		if err := t.write(ctx, t.tryConfig("_shared")); err != nil {
			return err
		}
	}
	return t.write(ctx, asClash("configuration", `SELECT 1 FROM sd.config WHERE ws = $1 AND version = $2`, key(t.ws), version))
}

// tryConfig takes the configuration's lock without waiting.
func (t *tx) tryConfig(shared string) stmt {
	lock := t.b.configLock(t.ws)
	try := query(`SELECT sd.must(pg_try_advisory_xact_lock`+shared+`($1), '`+codeClash+`', 'configuration is being changed')`, lock)
	rival := query(`SELECT pg_advisory_xact_lock`+shared+`($1)`, lock)
	try.wait = &rival
	return try
}

// holdConfig takes the lock exclusively, for a change. Who guarded before and
// already sent it must not wait: two such would wait for each other.
func (t *tx) holdConfig(ctx context.Context) error {
	held := t.config
	t.config = configExclusive
	whole := query(`SELECT pg_advisory_xact_lock($1)`, t.b.configLock(t.ws))
	switch held {
	case configFree:
		return t.write(ctx, whole)
	case configQueued:
		t.queued[t.configAt] = whole
	case configShared:
		return t.write(ctx, t.tryConfig(""))
	}
	return nil
}
