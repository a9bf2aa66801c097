package storetest

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

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
			for _, key := range [][3]string{{"mail", "scope", "user"}, {"line", "Scope", "user"}, {"line", "scope", "User"},
				{"line", "", "user"}} {
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
			_, err := tx.Contacts().
				SaveIdentity(ctx, conversation.Identity{ID: "j", Contact: "k", Kind: "line", Scope: "scope", User: "user"})
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
	{name: "FindContacts looks at the beginning of name and email, without case, width and accents", run: func(e *env) {
		e.people(
			conversation.Contact{ID: "k1", Name: "김철수", Email: "Chulsoo@Example.com", Phone: "010-1234-5678"},
			conversation.Contact{ID: "k2", Name: "Élodie 100%", Email: "e_x@example.com"},
			conversation.Contact{ID: "k3", Name: "chulsoo", Phone: "02-123-4567"},
			conversation.Contact{ID: "k4", Name: norm.NFD.String("김 미나")},
			conversation.Contact{ID: "k5", Name: "ＡＢＣ상사"},
		)
		for text, want := range map[string][]string{
			"CHUL": {"k1", "k3"}, "김": {"k1", "k4"}, norm.NFD.String("김철"): {"k1"}, "김미": {"k4"}, "élo": {"k2"}, "elo": {"k2"},
			"ÉLODIE 100%": {"k2"}, "e_": {"k2"}, "abc": {"k5"}, "ｃｈｕｌ": {"k1", "k3"}, " kim": {}, "%": {}, "_": {}, "철수": {}, "example": {},
		} {
			require.ElementsMatch(e, want, e.findContacts(store.ContactQuery{Text: text}, 10), "%q", text)
		}
		require.Equal(e, []string{"k3", "k1"}, e.findContacts(store.ContactQuery{Text: "chul"}, 10), "by name")
		require.Len(e, e.findContacts(store.ContactQuery{Text: "chul"}, 1), 1)
	}},
	{name: "FindContacts finds a telephone number in any notation, by its beginning and by its end", run: func(e *env) {
		e.people(
			conversation.Contact{ID: "k1", Phone: "010-1234-5678"},
			conversation.Contact{ID: "k2", Phone: "+82 10 1234 5678"},
			conversation.Contact{ID: "k3", Phone: "+81 90-1234-5678"},
		)
		for text, want := range map[string][]string{
			"010-1234-5678": {"k1", "k2"}, "+82 10-1234": {"k1", "k2"}, "82-10-1234-5678": {"k1", "k2"}, "1234-5678": {"k1", "k2", "k3"},
			"090-12": {"k3"}, "+81 90": {"k3"}, "+82 90 1234 5678": {}, "5678": {"k1", "k2", "k3"}, "678": {}, "0": {},
		} {
			require.ElementsMatch(e, want, e.findContacts(store.ContactQuery{Text: text}, 10), "%q", text)
		}
	}},
	{name: "FindContacts follows changes, and forgets who was merged", run: func(e *env) {
		e.people(
			conversation.Contact{ID: "k1", Name: "Kim", Desks: []conversation.DeskID{"d"}},
			conversation.Contact{ID: "k2", Name: "Kim"},
			conversation.Contact{ID: "k3"},
		)
		e.people(
			conversation.Contact{ID: "k1", Version: 1, Name: "Lee", Email: "kimchi@example.com"},
			conversation.Contact{ID: "k2", Version: 1, Name: "Kim", MergedInto: "k1"},
			conversation.Contact{ID: "k3", Version: 1, Name: "Kimura"},
		)
		require.Equal(e, []string{"k3", "k1"}, e.findContacts(store.ContactQuery{Text: "kim"}, 10))
		require.Empty(e, e.findContacts(store.ContactQuery{Text: "lee", Desks: []conversation.DeskID{"d"}}, 10))
		require.Equal(e, []string{"k1", "k3"}, e.findContacts(store.ContactQuery{}, 10))
	}},
	{name: "FindContacts goes on until the limit is full", run: func(e *env) {
		for n := range 6 {
			var list []conversation.Contact
			for i := range 100 {
				id := conversation.ContactID(fmt.Sprintf("k%03d", 100*n+i))
				list = append(list, conversation.Contact{ID: id, Name: "Kim", Desks: []conversation.DeskID{"large"}})
			}
			e.people(list...)
		}
		var many []conversation.DeskID
		for i := range 60 {
			many = append(many, conversation.DeskID(fmt.Sprint("d", i)))
		}
		e.people(
			conversation.Contact{ID: "z1", Name: "Kim", Desks: []conversation.DeskID{"small"}},
			conversation.Contact{ID: "z2", Name: "Kim", Desks: append(many, "small")},
		)
		shown := func(id conversation.ContactID, _ []conversation.DeskID) (bool, error) { return id >= "k599", nil }
		require.Equal(e, []string{"k599", "z1", "z2"}, e.findContacts(store.ContactQuery{Text: "kim", Show: shown}, 10))
		require.Equal(e, []string{"k599", "z1", "z2"}, e.findContacts(store.ContactQuery{Show: shown}, 10))
		small := []conversation.DeskID{"small", "none"}
		require.Equal(e, []string{"z1", "z2"}, e.findContacts(store.ContactQuery{Text: "k", Desks: small}, 10))
		require.Equal(e, []string{"z1", "z2"}, e.findContacts(store.ContactQuery{Desks: small}, 10))
		require.Empty(e, e.findContacts(store.ContactQuery{Text: "kim", Desks: []conversation.DeskID{}}, 10))
		require.Empty(e, e.findContacts(store.ContactQuery{Text: "kim", Desks: []conversation.DeskID{"other"}}, 10))
	}},
	{name: "Contacts goes through all by id", run: func(e *env) {
		e.people(conversation.Contact{ID: "k2"}, conversation.Contact{ID: "k1"}, conversation.Contact{ID: "k3", MergedInto: "k1"})
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Contacts().Contacts(ctx, "", 2)
			require.NoError(e, err)
			require.Equal(e, []string{"k1", "k2"}, contactIDs(list))
			if list, err = tx.Contacts().Contacts(ctx, "k2", 2); err != nil {
				return err
			}
			require.Equal(e, []string{"k3"}, contactIDs(list))
			list, err = tx.Contacts().ContactsByID(ctx, []conversation.ContactID{"k3", "none", "k1"})
			require.ElementsMatch(e, []string{"k1", "k3"}, contactIDs(list))
			return err
		})
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
			return tx.Contacts().
				PutEarly(ctx, conversation.Early{Account: "acct", Chat: userChat, Message: "p", At: moment(0), Unsent: true})
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
				if _, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: conversation.ContactID(fmt.Sprintf("k%02d", i)),
					Name: "Kim"}); err != nil {
					return err
				}
			}
			return nil
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Contacts().FindContacts(ctx, store.ContactQuery{Text: "kim"}, 100)
			require.Len(e, list, 20)
			return err
		})
	}},
}

// people saves contacts.
func (e *env) people(list ...conversation.Contact) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error {
		for _, c := range list {
			if _, err := tx.Contacts().SaveContact(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// findContacts returns the ids of who is found.
func (e *env) findContacts(q store.ContactQuery, limit int) (ids []string) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) error {
		list, err := tx.Contacts().FindContacts(ctx, q, limit)
		ids = contactIDs(list)
		return err
	})
	return ids
}

func contactIDs(list []conversation.Contact) []string {
	ids := []string{}
	for _, c := range list {
		ids = append(ids, string(c.ID))
	}
	return ids
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
		v, err := tx.Contacts().SaveIdentity(ctx, conversation.Identity{ID: id, Contact: contact, Kind: "line", Scope: "scope", User: user,
			CreatedAt: moment(0)})
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
