package storetest

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var contactRules = []rule{
	{name: "an identity is found by kind, scope and user, and these alone", run: func(e *env) {
		e.contact("k")
		i := e.identity("i", "k", "user")
		e.view(func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Contacts().Identity(ctx, "line", "scope", "user")
			require.NoError(e, err)
			e.same(i, got)
			for _, key := range [][3]string{{"mail", "scope", "user"}, {"line", "Scope", "user"}, {"line", "scope", "User"}, {"line", "", "user"}} {
				_, err := tx.Contacts().Identity(ctx, channel.Kind(key[0]), channel.Scope(key[1]), channel.ProviderUserID(key[2]))
				require.ErrorIs(e, err, store.ErrNotFound, "%v", key)
			}
			return nil
		})
	}},
	{name: "a second identity with one natural key is a clash", run: func(e *env) {
		e.contact("k")
		e.identity("i", "k", "user")
		e.clash(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Contacts().SaveIdentity(ctx, conversation.Identity{ID: "j", Contact: "k", Kind: "line", Scope: "scope", User: "user"})
			return err
		})
	}},
	{name: "identities follow their contact, by id", run: func(e *env) {
		e.contact("k")
		e.contact("l")
		j, i := e.identity("j", "k", "u1"), e.identity("i", "k", "u2")
		require.Equal(e, []conversation.IdentityID{"i", "j"}, e.identities("k"))
		i.Contact = "l"
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Contacts().SaveIdentity(ctx, i)
			return err
		})
		require.Equal(e, []conversation.IdentityID{j.ID}, e.identities("k"))
		require.Equal(e, []conversation.IdentityID{"i"}, e.identities("l"))
		require.Empty(e, e.identities("nobody"))
	}},
	{name: "FindContacts looks at the beginning of name, email and phone, without case", run: func(e *env) {
		people := []conversation.Contact{
			{ID: "k1", Name: "김철수", Email: "Chulsoo@Example.com", Phone: "010-1234-5678"},
			{ID: "k2", Name: "Élodie 100%", Email: "e_x@example.com"},
			{ID: "k3", Name: "chulsoo", Phone: "02-1"},
		}
		e.update(func(ctx context.Context, tx store.Tx) error {
			for _, p := range people {
				if _, err := tx.Contacts().SaveContact(ctx, p); err != nil {
					return err
				}
			}
			return nil
		})
		find := func(text string, limit int) (ids []string) {
			e.view(func(ctx context.Context, tx store.Tx) error {
				ids = []string{}
				list, err := tx.Contacts().FindContacts(ctx, text, limit)
				for _, c := range list {
					ids = append(ids, string(c.ID))
				}
				return err
			})
			return ids
		}
		for text, want := range map[string][]string{
			"CHUL": {"k1", "k3"}, "김": {"k1"}, "010-12": {"k1"}, "élo": {"k2"}, "ÉLODIE 100%": {"k2"}, "e_": {"k2"},
			"%": {}, "_": {}, "철수": {}, "example": {}, "elo": {},
		} {
			require.ElementsMatch(e, want, find(text, 10), "%q", text)
		}
		require.Len(e, find("chul", 1), 1)
	}},
	{name: "early edits and unsends: the newest is kept, and taken once", run: func(e *env) {
		content := text("edited")
		early := func(minute int, unsent bool) conversation.Early {
			return conversation.Early{Account: "acct", Chat: userChat, Message: "p", At: moment(minute), Unsent: unsent, Content: &content}
		}
		for _, v := range []conversation.Early{early(2, false), early(3, true), early(1, false)} {
			e.update(func(ctx context.Context, tx store.Tx) error { return tx.Contacts().PutEarly(ctx, v) })
		}
		take := func(chat channel.Chat) (got conversation.Early, err error) {
			err = e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) (err error) {
				got, err = tx.Contacts().TakeEarly(ctx, "acct", chat, "p")
				return err
			})
			return got, err
		}
		_, err := take(channel.Chat{Kind: channel.ChatGroup, ID: userChat.ID})
		require.ErrorIs(e, err, store.ErrNotFound)
		got, err := take(userChat)
		require.NoError(e, err)
		e.same(early(3, true), got)
		_, err = take(userChat)
		require.ErrorIs(e, err, store.ErrNotFound)
	}},
	{name: "of rivals that take an early edit one gets it", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Contacts().PutEarly(ctx, conversation.Early{Account: "acct", Chat: userChat, Message: "p", At: moment(0), Unsent: true})
		})
		errs := parallel(racers, func(int) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Contacts().TakeEarly(ctx, "acct", userChat, "p")
				return err
			})
		})
		e.oneSucceeds(errs, driver.ErrNotFound)
	}},
	{name: "many contacts with the same name are all found, up to the limit", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			for i := range 20 {
				if _, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: conversation.ContactID(fmt.Sprintf("k%02d", i)), Name: "Kim"}); err != nil {
					return err
				}
			}
			return nil
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Contacts().FindContacts(ctx, "kim", 100)
			require.Len(e, list, 20)
			return err
		})
	}},
}

func (e *env) contact(id conversation.ContactID) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: id, CreatedAt: moment(0)})
		return err
	})
}

func (e *env) identity(id conversation.IdentityID, contact conversation.ContactID, user channel.ProviderUserID) conversation.Identity {
	e.Helper()
	i := conversation.Identity{ID: id, Contact: contact, Kind: "line", Scope: "scope", User: user, CreatedAt: moment(0)}
	e.update(func(ctx context.Context, tx store.Tx) error {
		v, err := tx.Contacts().SaveIdentity(ctx, conversation.Identity{ID: id, Contact: contact, Kind: "line", Scope: "scope", User: user, CreatedAt: moment(0)})
		i.Version = v
		return err
	})
	return i
}

func (e *env) identities(c conversation.ContactID) (ids []conversation.IdentityID) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) error {
		ids = nil
		list, err := tx.Contacts().Identities(ctx, c)
		for _, i := range list {
			ids = append(ids, i.ID)
		}
		return err
	})
	return ids
}
