package memory

import (
	"context"
	"errors"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

// tx is one transaction: what it wrote and what its commit depends on.
type tx struct {
	b        *backend
	s        *space
	now      time.Time
	readOnly bool
	ended    bool
	clashed  bool        // a write call noticed a rival
	rests    bool        // on the configuration
	news     driver.News // what the commit brings

	overlays map[any]pending
	ordered  []pending
	checks   []func() error // must hold at the commit
	last     []func()       // done at the commit, before the overlays are applied
	audit    []driver.AuditEntry
}

// read runs a statement that writes nothing.
func read[T any](t *tx, fn func() (T, error)) (T, error) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.ended {
		var none T
		return none, errs.New(errs.Invalid, "memory: a Tx was used after its function ended")
	}
	return fn()
}

// write runs a statement that may write. It either writes all it has to or
// returns an error, having written nothing.
func write[T any](t *tx, fn func() (T, error)) (T, error) {
	return read(t, func() (T, error) {
		if t.readOnly {
			var none T
			return none, errs.New(errs.Invalid, "memory: a write inside View; use Update")
		}
		v, err := fn()
		if errors.Is(err, driver.ErrClash) {
			t.clashed = true
		}
		return v, err
	})
}

// do is write without a result.
func do(t *tx, fn func() error) error {
	_, err := write(t, func() (struct{}, error) { return struct{}{}, fn() })
	return err
}

// found counts rows that go to the caller.
func (t *tx) found(n int) { t.b.stats.RowsRead += int64(n) }

// one returns a copy of a row or ErrNotFound.
func one[K ~string, V any](t *tx, tab *table[K, V], what string, k K) (V, error) {
	return read(t, func() (V, error) {
		v, ok := get(t, tab, k)
		if !ok {
			return v, missing(what, string(k))
		}
		t.found(1)
		return clone(v), nil
	})
}

func missing(what, id string) error {
	return errs.New(errs.NotFound, "memory: there is no %s %q", what, id)
}

// whole is the transaction with everything that it reaches.
func (t *tx) whole() driver.Tx {
	return driver.Tx{
		Session:       t,
		Workspace:     t.s.id,
		Inbox:         inbox{t},
		Outbox:        outbox{t},
		Conversations: conversations{t},
		Agents:        agents{t},
		Work:          work{t},
		Events:        events{t},
		Audit:         audit{t},
		Deadlines:     deadlines{t},
		Jobs:          jobs{t},
		Commands:      commands{t},
		Search:        search{t},
		Documents:     documents{t},
	}
}

func (t *tx) Now() time.Time { return t.now }

// HoldConfig keeps the configuration for this transaction until it ends: who wants to
// keep it meanwhile, or commits what rests on it, runs again.
func (t *tx) HoldConfig(_ context.Context, change bool) error {
	return do(t, func() error {
		if h := t.s.holder; h != nil && h != t {
			return driver.ErrClash
		}
		t.s.holder = t
		if change {
			v, _ := get(t, t.s.config, struct{}{})
			put(t, t.s.config, struct{}{}, v+1)
		}
		return nil
	})
}

// Ahead only refuses where it may not be called: reading costs nothing here.
func (t *tx) Ahead(context.Context, driver.Wanted) (bool, error) {
	return false, do(t, func() error { return nil })
}

// GiveBack only refuses where it may not be called: giving back after the commit
// costs nothing here.
func (t *tx) GiveBack(context.Context, driver.News, ...driver.LaneRef) (bool, error) {
	return false, do(t, func() error { return nil })
}

// Guard checks the version as the transaction sees it now and the committed
// one again at the commit.
func (t *tx) Guard(_ context.Context, row driver.GuardRow, key string, version int64) error {
	if kind, ok := row.Document(); ok {
		return documents{t}.guard(kind, key, version)
	}
	return do(t, func() error {
		t.rests = t.rests || row == driver.GuardConfig
		seen, err := t.guarded(row, key, func(v, _ int64) int64 { return v })
		if err != nil {
			return err
		}
		if seen != version {
			return driver.ErrClash
		}
		// What this transaction itself makes of the row later is no change.
		before, err := t.guarded(row, key, func(_, v int64) int64 { return v })
		if err != nil {
			return err
		}
		t.checks = append(t.checks, func() error {
			if now, err := t.guarded(row, key, func(_, v int64) int64 { return v }); err != nil || now != before {
				return driver.ErrClash
			}
			return nil
		})
		return nil
	})
}

// guarded returns the version of a row, 0 when there is none; pick chooses
// between what the transaction sees and what is committed.
func (t *tx) guarded(row driver.GuardRow, key string, pick func(seen, committed int64) int64) (int64, error) {
	s := t.s
	switch row {
	case driver.GuardConfig:
		return versions(t, s.config, struct{}{}, func(v *int64) int64 { return *v }, pick), nil
	case driver.GuardConversation:
		return versions(t, s.conversations, conversation.ID(key), func(c *conversation.Conversation) int64 { return c.Version }, pick), nil
	case driver.GuardItem:
		return versions(t, s.items, routing.ItemID(key), func(i *routing.Item) int64 { return i.Version }, pick), nil
	case driver.GuardAgent:
		return versions(t, s.agents, routing.AgentID(key), func(a *agentRow) int64 { return a.State.EligRev }, pick), nil
	case driver.GuardLease:
		return t.b.leases[key].epoch, nil
	}
	return 0, errs.New(errs.Invalid, "memory: no row of kind %q can be guarded", row)
}

func versions[K comparable, V any](t *tx, tab *table[K, V], k K, version func(*V) int64, pick func(seen, committed int64) int64) int64 {
	seen, _ := get(t, tab, k)
	stored, _ := committed(tab, k)
	return pick(version(&seen), version(&stored))
}
