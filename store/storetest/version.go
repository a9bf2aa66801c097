package storetest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// versioned is an entity with optimistic versions: save stores it as if it had
// been loaded in the version, load returns the stored version.
type versioned struct {
	name string
	save func(ctx context.Context, tx store.Tx, version int64) (int64, error)
	load func(ctx context.Context, tx store.Tx) (int64, error)
	// exists is what creating twice is; nil: a clash.
	exists error
}

func versionedEntities() []versioned {
	return []versioned{
		{name: "conversation", save: func(ctx context.Context, tx store.Tx, v int64) (int64, error) {
			return tx.Conversations().SaveConversation(ctx, conversation.Conversation{ID: "c", Version: v, Thread: "t",
				State: conversation.StateOpen})
		}, load: func(ctx context.Context, tx store.Tx) (int64, error) {
			c, err := tx.Conversations().Conversation(ctx, "c")
			return c.Version, err
		}},
		{name: "message", save: func(ctx context.Context, tx store.Tx, v int64) (int64, error) {
			if v == 0 {
				if _, err := tx.Conversations().Conversation(ctx, "mc"); err != nil {
					if _, err := tx.Conversations().SaveConversation(ctx, conversation.Conversation{ID: "mc", Thread: "mt",
						State: conversation.StateOpen}); err != nil {
						return 0, err
					}
				}
			}
			return tx.Conversations().
				SaveMessage(ctx, conversation.Message{ID: "m", Version: v, Conversation: "mc", Seq: 1, Content: text("x")})
		}, load: func(ctx context.Context, tx store.Tx) (int64, error) {
			m, err := tx.Conversations().Message(ctx, "m")
			return m.Version, err
		}},
		{name: "contact", save: func(ctx context.Context, tx store.Tx, v int64) (int64, error) {
			return tx.Contacts().SaveContact(ctx, conversation.Contact{ID: "k", Version: v})
		}, load: func(ctx context.Context, tx store.Tx) (int64, error) {
			c, err := tx.Contacts().Contact(ctx, "k")
			return c.Version, err
		}},
		{name: "identity", save: func(ctx context.Context, tx store.Tx, v int64) (int64, error) {
			if _, err := tx.Contacts().Contact(ctx, "ik"); err != nil {
				if _, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: "ik"}); err != nil {
					return 0, err
				}
			}
			return tx.Contacts().
				SaveIdentity(ctx, conversation.Identity{ID: "i", Version: v, Contact: "ik", Kind: "line", Scope: "s", User: "u"})
		}, load: func(ctx context.Context, tx store.Tx) (int64, error) {
			i, err := tx.Contacts().IdentityByID(ctx, "i")
			return i.Version, err
		}},
		{name: "account", save: func(ctx context.Context, tx store.Tx, v int64) (int64, error) {
			return tx.Accounts().
				SaveAccount(ctx, channel.Account{ID: "a", Version: v, Kind: "line", Token: "version-" + string(tx.Workspace())})
		}, load: func(ctx context.Context, tx store.Tx) (int64, error) {
			a, err := tx.Accounts().Account(ctx, "a")
			return a.Version, err
		}},
		{name: "item", save: func(ctx context.Context, tx store.Tx, v int64) (int64, error) {
			return tx.Work().SaveItem(ctx, routing.Item{ID: "it", Version: v, State: routing.ItemQueued, Queue: "q"})
		}, load: func(ctx context.Context, tx store.Tx) (int64, error) {
			i, err := tx.Work().Item(ctx, "it")
			return i.Version, err
		}},
		{name: "agent", exists: store.ErrAlreadyExists, save: func(ctx context.Context, tx store.Tx, v int64) (int64, error) {
			return tx.Agents().SaveAgent(ctx, routing.Agent{ID: "ag", Version: v, Capacity: units(1)})
		}, load: func(ctx context.Context, tx store.Tx) (int64, error) {
			a, err := tx.Agents().Agent(ctx, "ag")
			return a.Version, err
		}},
	}
}

// versionRules tests the versions of every entity.
var versionRules = func() (rules []rule) {
	for _, v := range versionedEntities() {
		rules = append(rules,
			rule{name: v.name + ": a save returns the version that a load finds, and it grows", run: v.grows},
			rule{name: v.name + ": a save in another version is a clash", run: v.clashes},
			rule{name: v.name + ": one that is not there is not found", run: v.absent},
			rule{name: v.name + ": creating it twice is refused", run: v.twice},
			rule{name: v.name + ": of rivals in one version one wins", run: v.rivals},
		)
	}
	return rules
}()

func (v versioned) create(e *env) int64 {
	e.Helper()
	return v.saved(e, 0)
}

func (v versioned) saved(e *env, version int64) (next int64) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) (err error) {
		next, err = v.save(ctx, tx, version)
		return err
	})
	return next
}

func (v versioned) stored(e *env) (version int64) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		version, err = v.load(ctx, tx)
		return err
	})
	return version
}

func (v versioned) grows(e *env) {
	one := v.create(e)
	require.Positive(e, one)
	require.Equal(e, one, v.stored(e))
	two := v.saved(e, one)
	require.Greater(e, two, one)
	require.Equal(e, two, v.stored(e))
	e.update(func(ctx context.Context, tx store.Tx) error { // twice in one Update
		three, err := v.save(ctx, tx, two)
		if err != nil {
			return err
		}
		require.Greater(e, three, two)
		_, err = v.save(ctx, tx, three)
		return err
	})
}

func (v versioned) clashes(e *env) {
	one := v.create(e)
	two := v.saved(e, one)
	for _, wrong := range []int64{one, two + 1} {
		e.clash(func(ctx context.Context, tx store.Tx) error {
			_, err := v.save(ctx, tx, wrong)
			return err
		})
	}
	require.Equal(e, two, v.stored(e))
}

func (v versioned) absent(e *env) {
	err := e.db.View(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
		_, err := v.load(ctx, tx)
		return err
	})
	require.ErrorIs(e, err, store.ErrNotFound)
}

func (v versioned) twice(e *env) {
	one := v.create(e)
	again := func(ctx context.Context, tx store.Tx) error {
		_, err := v.save(ctx, tx, 0)
		return err
	}
	if v.exists != nil {
		e.refuse(v.exists, again)
	} else {
		e.clash(again)
	}
	require.Equal(e, one, v.stored(e))
}

func (v versioned) rivals(e *env) {
	one := v.create(e)
	errs := parallel(6, func(int) error {
		return once(e.db).Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			_, err := v.save(ctx, tx, one)
			return err
		})
	})
	require.Equal(e, 1, successes(errs), "%v", errs)
	for _, err := range errs {
		if err != nil {
			require.ErrorIs(e, err, store.ErrConflict)
		}
	}
}
