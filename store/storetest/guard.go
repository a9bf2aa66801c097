package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// guarded is a kind of row that Guard watches: make creates it, change raises
// its version, version loads it.
type guarded struct {
	row     driver.GuardRow
	key     func(e *env) string
	make    func(e *env)
	change  func(ctx context.Context, tx store.Tx) error
	version func(ctx context.Context, tx store.Tx) (int64, error)
}

func guardedRows() []guarded {
	fixed := func(key string) func(*env) string { return func(*env) string { return key } }
	return []guarded{
		{row: driver.GuardConfig, key: fixed(""), make: func(*env) {}, change: func(ctx context.Context, tx store.Tx) error {
			return tx.Config().SaveQueue(ctx, routing.Queue{ID: "q", Name: "Q"})
		}, version: func(ctx context.Context, tx store.Tx) (int64, error) {
			c, err := tx.Config().Configuration(ctx, 0)
			return c.Version, err
		}},
		{row: driver.GuardConversation, key: fixed("c"), make: func(e *env) {
			e.saveConv(&conversation.Conversation{ID: "c", Thread: "t", State: conversation.StateOpen})
		}, change: func(ctx context.Context, tx store.Tx) error {
			c, err := tx.Conversations().Conversation(ctx, "c")
			if err != nil {
				return err
			}
			_, err = tx.Conversations().SaveConversation(ctx, c)
			return err
		}, version: func(ctx context.Context, tx store.Tx) (int64, error) {
			c, err := tx.Conversations().Conversation(ctx, "c")
			return c.Version, err
		}},
		{row: store.GuardContact, key: fixed("k"), make: func(e *env) {
			e.update(func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: "k"})
				return err
			})
		}, change: func(ctx context.Context, tx store.Tx) error {
			c, err := tx.Contacts().Contact(ctx, "k")
			if err != nil {
				return err
			}
			_, err = tx.Contacts().SaveContact(ctx, c)
			return err
		}, version: func(ctx context.Context, tx store.Tx) (int64, error) {
			c, err := tx.Contacts().Contact(ctx, "k")
			return c.Version, err
		}},
		{row: driver.GuardItem, key: fixed("it"), make: func(e *env) {
			e.update(func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Work().SaveItem(ctx, routing.Item{ID: "it", State: routing.ItemQueued})
				return err
			})
		}, change: func(ctx context.Context, tx store.Tx) error {
			it, err := tx.Work().Item(ctx, "it")
			if err != nil {
				return err
			}
			_, err = tx.Work().SaveItem(ctx, it)
			return err
		}, version: func(ctx context.Context, tx store.Tx) (int64, error) {
			it, err := tx.Work().Item(ctx, "it")
			return it.Version, err
		}},
		{row: driver.GuardAgent, key: fixed("a"), make: func(e *env) { e.agent("a", units(1)) },
			change: func(ctx context.Context, tx store.Tx) error {
				a, err := tx.Agents().Agent(ctx, "a")
				if err != nil {
					return err
				}
				_, err = tx.Agents().SaveAgent(ctx, a)
				return err
			}, version: func(ctx context.Context, tx store.Tx) (int64, error) {
				a, err := tx.Agents().Agent(ctx, "a")
				return a.State.EligRev, err
			}},
	}
}

// guardRules tests every kind of guard, the lease apart, whose row is not
// changed by Updates.
var guardRules = func() (rules []rule) {
	for _, g := range guardedRows() {
		rules = append(rules,
			rule{name: string(g.row) + ": a guard in the present version lets the commit pass", run: g.passes},
			rule{name: string(g.row) + ": a guard in another version is a clash", run: g.clashes},
			rule{name: string(g.row) + ": a rival's change before the commit makes the function run again", run: g.rival},
			rule{name: string(g.row) + ": rivals that guard and change it do so one after another", run: g.skew},
		)
	}
	return append(rules,
		rule{name: "lease: a guard in the present epoch passes, in another is a clash", run: guardLease},
		rule{name: "a guard of an unknown kind is invalid", run: func(e *env) {
			e.refuse(store.ErrInvalid, func(ctx context.Context, tx store.Tx) error { return tx.Guard(ctx, "moon", "x", 1) })
		}},
		rule{name: "a heart-beat does not disturb a guard of the agent", run: func(e *env) {
			a := e.agent("a", units(1))
			e.update(func(ctx context.Context, tx store.Tx) error {
				if err := tx.Guard(ctx, driver.GuardAgent, "a", a.State.EligRev); err != nil {
					return err
				}
				if !e.h.Caps.Serial {
					e.beat("a")
				}
				return tx.Deadlines().Set(ctx, "k", "i", moment(0))
			})
		}},
		rule{name: "write skew is prevented: two that each guard what the other writes", run: writeSkew},
		rule{name: "what rests on the configuration is not committed while somebody holds it", run: func(e *env) {
			heldConfig(e, func(ctx context.Context, tx store.Tx, version int64) error {
				return tx.Guard(ctx, driver.GuardConfig, "", version)
			})
		}},
		rule{name: "one at a time holds the configuration", run: func(e *env) {
			heldConfig(e, func(ctx context.Context, tx store.Tx, _ int64) error { return tx.Config().Hold(ctx) })
		}},
	)
}()

func (g guarded) present(e *env) (version int64) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		version, err = g.version(ctx, tx)
		return err
	})
	return version
}

func (g guarded) passes(e *env) {
	g.make(e)
	version := g.present(e)
	e.update(func(ctx context.Context, tx store.Tx) error {
		if err := tx.Guard(ctx, g.row, g.key(e), version); err != nil {
			return err
		}
		return tx.Deadlines().Set(ctx, "k", "i", moment(0))
	})
}

func (g guarded) clashes(e *env) {
	g.make(e)
	before := g.present(e)
	e.update(g.change)
	after := g.present(e)
	require.Greater(e, after, before)
	for _, wrong := range []int64{before, after + 1} {
		e.clash(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Guard(ctx, g.row, g.key(e), wrong); err != nil {
				return err
			}
			return tx.Deadlines().Set(ctx, "k", "i", moment(0))
		})
	}
}

// heldConfig: whoever takes something out of use looks for what rests on it, and would
// miss what is committed between the look and their own commit. Each run of the function
// has a rival of its own: that of a run before may commit between the two.
func heldConfig(e *env, rival func(ctx context.Context, tx store.Tx, version int64) error) {
	var version int64
	e.view(func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Config().Configuration(ctx, 0)
		version = c.Version
		return err
	})
	var rivals []chan error
	e.update(func(ctx context.Context, tx store.Tx) error {
		if err := tx.Config().Hold(ctx); err != nil {
			return err
		}
		if _, err := tx.Work().Item(ctx, "none"); !errors.Is(err, store.ErrNotFound) { // the look, with which it is held at the latest
			return err
		}
		ended := make(chan error, 1)
		rivals = append(rivals, ended)
		go func() {
			ended <- e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				if err := rival(ctx, tx, version); err != nil {
					return err
				}
				return tx.Deadlines().Set(ctx, "k", "i", moment(0))
			})
		}()
		time.Sleep(20 * time.Millisecond) // in which one that is not kept from it commits
		require.Empty(e, ended, "it was committed beside the holder")
		return nil
	})
	for _, ended := range rivals {
		require.NoError(e, <-ended)
	}
}

func (g guarded) rival(e *env) {
	if !e.rivals() {
		return
	}
	g.make(e)
	var once sync.Once
	var rival chan error
	runs := 0
	e.update(func(ctx context.Context, tx store.Tx) error {
		runs++
		version, err := g.version(ctx, tx)
		if err != nil {
			return err
		}
		// The rival comes between the decision and the guard.
		once.Do(func() {
			rival = make(chan error, 1)
			rival <- e.db.Update(e.ctx, e.ws, g.change)
		})
		if err := tx.Guard(ctx, g.row, g.key(e), version); err != nil {
			return err
		}
		return tx.Deadlines().Set(ctx, "k", fmt.Sprint(version), moment(0))
	})
	require.NoError(e, <-rival)
	require.Greater(e, runs, 1, "the rival's change went unnoticed")
}

// skew: each rival changes the row once, guarded by the version it read; the
// versions that were guarded must all differ.
func (g guarded) skew(e *env) {
	g.make(e)
	from := g.present(e)
	errs := parallel(6, func(int) error {
		return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			version, err := g.version(ctx, tx)
			if err != nil {
				return err
			}
			if err := tx.Guard(ctx, g.row, g.key(e), version); err != nil {
				return err
			}
			return g.change(ctx, tx)
		})
	})
	require.Equal(e, 6, successes(errs), "%v", errs)
	require.GreaterOrEqual(e, g.present(e), from+6)
}

func guardLease(e *env) {
	name := "guard-" + string(e.ws)
	epoch, err := e.db.System().Lease(e.ctx, name, "node", time.Hour)
	require.NoError(e, err)
	guard := func(epoch int64) func(context.Context, store.Tx) error {
		return func(ctx context.Context, tx store.Tx) error {
			if err := tx.Guard(ctx, driver.GuardLease, name, epoch); err != nil {
				return err
			}
			return tx.Deadlines().Set(ctx, "k", "i", moment(0))
		}
	}
	e.update(guard(epoch))
	e.clash(guard(epoch + 1))
}

// writeSkew: of two conversations at most one may be closed; each rival guards
// the one that it reads and closes the other.
func writeSkew(e *env) {
	a, b := e.storeConv("a"), e.storeConv("b")
	closeIfOther := func(mine, other conversation.ID) error {
		return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			o, err := tx.Conversations().Conversation(ctx, other)
			if err != nil {
				return err
			}
			if o.State == conversation.StateClosed {
				return nil
			}
			if err := tx.Guard(ctx, driver.GuardConversation, string(other), o.Version); err != nil {
				return err
			}
			m, err := tx.Conversations().Conversation(ctx, mine)
			if err != nil {
				return err
			}
			m.State = conversation.StateClosed
			_, err = tx.Conversations().SaveConversation(ctx, m)
			return err
		})
	}
	errs := parallel(2, func(i int) error {
		if i == 0 {
			return closeIfOther(a.ID, b.ID)
		}
		return closeIfOther(b.ID, a.ID)
	})
	require.Equal(e, 2, successes(errs), "%v", errs)
	closed := 0
	for _, id := range []conversation.ID{a.ID, b.ID} {
		if e.loadConv(id).State == conversation.StateClosed {
			closed++
		}
	}
	require.Equal(e, 1, closed)
}
