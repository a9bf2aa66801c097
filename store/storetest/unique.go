package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

const racers = 8

// race lets rivals find or create one thing and requires that all got the same.
func (e *env) race(find func(ctx context.Context, tx store.Tx) (string, error), create func(ctx context.Context, tx store.Tx,
	id string) error) {
	e.Helper()
	ids := make([]string, racers)
	got := make([]string, racers)
	for i := range ids {
		ids[i] = e.uuid()
	}
	errs := parallel(racers, func(i int) error {
		return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			id, err := find(ctx, tx)
			if errors.Is(err, store.ErrNotFound) {
				id, err = ids[i], create(ctx, tx, ids[i])
			}
			got[i] = id
			return err
		})
	})
	require.Equal(e, racers, successes(errs), "%v", errs)
	for i := range got {
		require.Equal(e, got[0], got[i], "two were created")
	}
	e.view(func(ctx context.Context, tx store.Tx) error {
		id, err := find(ctx, tx)
		require.Equal(e, got[0], id)
		return err
	})
}

var uniqueRules = []rule{
	{name: "rivals that find or create an identity get one", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: "k"})
			return err
		})
		e.race(func(ctx context.Context, tx store.Tx) (string, error) {
			i, err := tx.Contacts().Identity(ctx, "line", "scope", "user")
			return string(i.ID), err
		}, func(ctx context.Context, tx store.Tx, id string) error {
			_, err := tx.Contacts().SaveIdentity(ctx, conversation.Identity{ID: conversation.IdentityID(id), Contact: "k", Kind: "line",
				Scope: "scope", User: "user"})
			return err
		})
	}},
	{name: "rivals that find or open a conversation get one", run: func(e *env) {
		e.race(func(ctx context.Context, tx store.Tx) (string, error) {
			open, _, err := tx.Conversations().ByThread(ctx, "thread")
			if err == nil && open == nil {
				return "", store.ErrNotFound
			}
			if err != nil {
				return "", err
			}
			return string(open.ID), nil
		}, func(ctx context.Context, tx store.Tx, id string) error {
			_, err := tx.Conversations().SaveConversation(ctx, conversation.Conversation{ID: conversation.ID(id), Thread: "thread",
				State: conversation.StateOpen})
			return err
		})
	}},
	{name: "rivals that store a provider's message make one", run: func(e *env) {
		c := e.storeConv("t")
		e.race(func(ctx context.Context, tx store.Tx) (string, error) {
			m, err := tx.Conversations().ByProvider(ctx, "acct", userChat, "provider-1")
			return string(m.ID), err
		}, func(ctx context.Context, tx store.Tx, id string) error {
			_, err := tx.Conversations().SaveMessage(ctx, conversation.Message{
				ID: conversation.MessageID(id), Conversation: c.ID, Seq: 1, Account: "acct", Chat: userChat,
				Provider: "provider-1", Content: text("x"),
			})
			return err
		})
	}},
	{name: "rivals with one command key run one command", run: func(e *env) {
		e.race(func(ctx context.Context, tx store.Tx) (string, error) {
			_, result, err := tx.Commands().Lookup(ctx, "agent:a", "key")
			return string(result), err
		}, func(ctx context.Context, tx store.Tx, id string) error {
			return tx.Commands().Store(ctx, "agent:a", "key", "digest", []byte(id))
		})
	}},
	{name: "rivals that append one dedup key store one envelope", run: func(e *env) {
		fresh := make([]bool, racers)
		errs := parallel(racers, func(i int) error {
			envs := envelopes("same", fmt.Sprintf("own-%d", i))
			envs[0].ID = channel.EnvelopeID(fmt.Sprintf("env-same-%d", i))
			got, err := e.db.AppendEnvelopes(e.ctx, e.ws, envs)
			if err == nil {
				fresh[i] = got[0]
				if !got[1] {
					err = errors.New("an own key was called known")
				}
			}
			return err
		})
		require.Equal(e, racers, successes(errs), "%v", errs)
		n := 0
		for _, f := range fresh {
			if f {
				n++
			}
		}
		require.Equal(e, 1, n)
		lanes := e.claimInbox(100, e.lease())
		require.Len(e, lanes, 1)
		require.Len(e, lanes[0].Envelopes, racers+1)
	}},
	{name: "rivals that take one job key enqueue one job", run: func(e *env) {
		errs := parallel(racers, func(i int) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				return tx.Jobs().Enqueue(ctx, store.Job{ID: fmt.Sprintf("job-%d", i), Kind: "unique", Key: "key", Due: moment(0)})
			})
		})
		require.Equal(e, racers, successes(errs), "%v", errs)
		require.Len(e, e.claimJobs(e.lease(), "unique"), 1)
	}},
	{name: "rivals that create one agent: one succeeds, the others hear that it exists", run: func(e *env) {
		errs := parallel(racers, func(int) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "a"})
				return err
			})
		})
		e.oneSucceeds(errs, store.ErrAlreadyExists)
	}},
	{name: "rivals that take one desk name: one succeeds", run: func(e *env) {
		errs := parallel(racers, func(i int) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				return tx.Config().SaveDesk(ctx, routing.Desk{ID: routing.DeskID(fmt.Sprintf("desk-%d", i)), Name: "same"})
			})
		})
		e.oneSucceeds(errs, store.ErrAlreadyExists)
	}},
	{name: "rivals that take one webhook token in many workspaces: one succeeds", run: func(e *env) {
		secret := token()
		spaces := make([]driver.WorkspaceID, racers)
		for i := range spaces {
			spaces[i] = driver.WorkspaceID(fmt.Sprintf("%s-%d", e.ws, i))
			require.NoError(e, e.db.System().CreateWorkspace(e.ctx, spaces[i], ""))
		}
		errs := parallel(racers, func(i int) error {
			return e.db.Update(e.ctx, spaces[i], func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Accounts().SaveAccount(ctx, channel.Account{ID: "acct", Kind: "line", Token: secret})
				return err
			})
		})
		e.oneSucceeds(errs, store.ErrAlreadyExists)
		ws, id, err := e.db.ResolveAccount(e.ctx, secret)
		require.NoError(e, err)
		require.Equal(e, channel.AccountID("acct"), id)
		require.Contains(e, spaces, ws)
	}},
	{name: "rivals that create one workspace: one succeeds", run: func(e *env) {
		errs := parallel(racers, func(int) error {
			return e.db.System().CreateWorkspace(e.ctx, e.ws+"-new", "new")
		})
		e.oneSucceeds(errs, store.ErrAlreadyExists)
	}},
	{name: "a second running conversation under a thread key is a clash", run: func(e *env) {
		c := e.storeConv("t")
		for _, state := range []conversation.State{conversation.StateOpen, conversation.StateActive, conversation.StateWaiting} {
			other := e.conv("t")
			other.State = state
			e.clash(func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Conversations().SaveConversation(ctx, other)
				return err
			})
		}
		c.State = conversation.StateWrapUp
		e.saveConv(&c)
		e.storeConv("t") // wrap-up does not hold the key
		c.State = conversation.StateActive
		e.clash(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Conversations().SaveConversation(ctx, c)
			return err
		})
	}},
	{name: "a thread key passes from one conversation to another in one Update", run: func(e *env) {
		c := e.storeConv("t")
		next := e.conv("t")
		e.update(func(ctx context.Context, tx store.Tx) error {
			old := c
			old.State = conversation.StateClosed
			if _, err := tx.Conversations().SaveConversation(ctx, old); err != nil {
				return err
			}
			_, err := tx.Conversations().SaveConversation(ctx, next)
			return err
		})
	}},
	{name: "an event number that is taken is a clash", run: func(e *env) {
		c := e.storeConv("t")
		ev := conversation.Event{Conversation: c.ID, Seq: 1, Kind: conversation.EvOpened, Actor: "system", At: moment(0)}
		add := func(ctx context.Context, tx store.Tx) error { return tx.Conversations().AppendEvents(ctx, ev) }
		e.update(add)
		e.clash(add)
	}},
	{name: "a command key that is taken is a clash", run: func(e *env) {
		put := func(ctx context.Context, tx store.Tx) error {
			return tx.Commands().Store(ctx, "agent:a", "key", "digest", nil)
		}
		e.update(put)
		e.clash(put)
	}},
	{name: "a provider's id is unique within account and chat only", run: func(e *env) {
		c := e.storeConv("t")
		save := func(kind channel.ChatKind, chat string, acct channel.AccountID, seq int64) error {
			m := e.msg(c.ID, seq)
			m.Account, m.Chat, m.Provider = acct, channel.Chat{Kind: kind, ID: chat}, "p"
			return once(e.db).Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Conversations().SaveMessage(ctx, m)
				return err
			})
		}
		require.NoError(e, save("user", "u", "acct", 1))
		require.NoError(e, save("group", "u", "acct", 2))
		require.NoError(e, save("user", "U", "acct", 3), "keys differ by case")
		require.NoError(e, save("user", "u", "other", 4))
		require.ErrorIs(e, save("user", "u", "acct", 5), errOnce)
	}},
	{name: "messages without a provider's id do not clash", run: func(e *env) {
		c := e.storeConv("t")
		e.update(func(ctx context.Context, tx store.Tx) error {
			for seq := range int64(3) {
				m := e.msg(c.ID, seq+1)
				if _, err := tx.Conversations().SaveMessage(ctx, m); err != nil {
					return err
				}
			}
			return nil
		})
	}},
}

// oneSucceeds requires one success, and the kind of error for all others.
func (e *env) oneSucceeds(errs []error, kind error) {
	e.Helper()
	require.Equal(e, 1, successes(errs), "%v", errs)
	for _, err := range errs {
		if err != nil {
			require.ErrorIs(e, err, kind)
		}
	}
}
