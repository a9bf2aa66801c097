package sangdam

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/seal"
)

// eachKernel runs a test on every store with an engine that nothing else uses, and
// the conversation c of the customer i, who is the contact k.
func eachKernel(t *testing.T, test func(t *testing.T, e *Engine)) {
	onThreeStores(t, func(t *testing.T, db *store.DB) {
		keys, err := seal.Ephemeral()
		require.NoError(t, err)
		e, err := New(Config{DB: db, Sealer: keys, Poll: time.Hour})
		require.NoError(t, err)
		require.NoError(t, e.CreateWorkspace(t.Context(), "w", "W"))
		require.NoError(t, db.Update(t.Context(), "w", func(ctx context.Context, tx store.Tx) error {
			at := tx.Now()
			_, c := tx.Conversations().SaveConversation(ctx, conversation.Conversation{ID: "c", Thread: "t",
				State: conversation.StateOpen, Contact: "k", Identity: "i", Attributes: map[string]string{"a": "1"},
				OpenedAt: at, UpdatedAt: at})
			_, k := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: "k", Name: "Jun"})
			_, i := tx.Contacts().SaveIdentity(ctx, conversation.Identity{ID: "i", Contact: "k", Kind: "line", Scope: "s", User: "u"})
			return errors.Join(c, k, i)
		}))
		test(t, e)
	})
}

// stored is the conversation c as everybody sees it, with the number of its entries.
func stored(t *testing.T, e *Engine) (c conversation.Conversation, entries int) {
	t.Helper()
	require.NoError(t, e.db.View(t.Context(), "w", func(ctx context.Context, tx store.Tx) (err error) {
		if c, err = tx.Conversations().Conversation(ctx, "c"); err != nil {
			return err
		}
		evs, err := tx.Conversations().Events(ctx, "c", 0, 100)
		entries = len(evs)
		return err
	}))
	return c, entries
}

// TestAUnitWritesAConversationOnce: two parts of one flow that change the same
// conversation have one copy of it, read what the other did, and are one write.
func TestAUnitWritesAConversationOnce(t *testing.T) {
	eachKernel(t, func(t *testing.T, e *Engine) {
		before, _ := stored(t, e)
		require.NoError(t, e.unit(t.Context(), Host("w"), func(u *unit) error {
			one, err := u.conversation("c")
			require.NoError(t, err)
			one.C.Attributes["a"] = "2"
			one.Note(conversation.EvPanel, "host", "", "x")
			m := one.AddInbound(conversation.Message{ID: "m", Content: channel.Text("hello"), Provider: "p"}, nil)

			read, err := u.tx.Conversations().Conversation(u.ctx, "c")
			require.NoError(t, err)
			require.Equal(t, "2", read.Attributes["a"], "the unit reads what it changed")
			open, _, err := u.tx.Conversations().ByThread(u.ctx, "t")
			require.NoError(t, err)
			two := u.conversationOf(*open)
			require.Same(t, one, two)
			two.Note(conversation.EvPanel, "host", "", "y")
			said, err := u.tx.Conversations().ByProvider(u.ctx, "", m.Chat, "p")
			require.NoError(t, err)
			require.Equal(t, m.ID, said.ID)
			latest, err := u.tx.Conversations().Latest(u.ctx, "c", 0, 10)
			require.NoError(t, err)
			require.Len(t, latest, 1)
			two.ApplyEdit(said, conversation.Message{Content: channel.Text("bye")}, u.tx.Now())

			_, err = u.tx.Conversations().SaveConversation(u.ctx, one.C)
			require.ErrorIs(t, err, errByHand)
			require.Equal(t, before, one.Was())
			return nil
		}))
		after, entries := stored(t, e)
		require.Equal(t, before.Version+1, after.Version)
		require.Equal(t, "2", after.Attributes["a"])
		require.Equal(t, 4, entries)
		require.NoError(t, e.unit(t.Context(), Host("w"), func(u *unit) error {
			m, err := u.tx.Conversations().Message(u.ctx, "m")
			require.EqualValues(t, 1, m.Version)
			require.Equal(t, "bye", m.Content.Text)
			return err
		}))
	})
}

// TestAUnitWithoutADifferenceWritesNothing: what was looked at, or changed and
// changed back, stays in its version.
func TestAUnitWithoutADifferenceWritesNothing(t *testing.T) {
	eachKernel(t, func(t *testing.T, e *Engine) {
		before, _ := stored(t, e)
		require.NoError(t, e.unit(t.Context(), Host("w"), func(u *unit) error {
			d, err := u.conversation("c")
			if err != nil {
				return err
			}
			d.C.Attributes["a"] = "2"
			d.C.Attributes["a"] = "1"
			return nil
		}))
		after, entries := stored(t, e)
		require.Equal(t, before, after)
		require.Zero(t, entries)
	})
}

// TestBeforeIsOfEachPiece: pieces that share a transaction have each what it found
// as before, and each is one write. One that fails leaves nothing, and runs alone.
func TestBeforeIsOfEachPiece(t *testing.T) {
	eachKernel(t, func(t *testing.T, e *Engine) {
		before, _ := stored(t, e)
		var was []string
		say := func(word string) piece {
			return piece{run: func(u *unit) error {
				d, err := u.conversation("c")
				if err != nil {
					return err
				}
				was = append(was, d.Was().Attributes["a"])
				d.C.Attributes["a"] = word
				if word == "bad" {
					return ErrInvalid
				}
				return nil
			}}
		}
		ahead := func(ctx context.Context, tx store.Tx, _ *settings) error { return nil }
		ends, err := e.together(t.Context(), system("w"), ahead, []piece{say("2"), say("3")}, nil)
		require.NoError(t, err)
		require.Equal(t, []error{nil, nil}, ends)
		require.Equal(t, []string{"1", "2"}, was)
		after, _ := stored(t, e)
		require.Equal(t, before.Version+2, after.Version)

		_, err = e.together(t.Context(), system("w"), ahead, []piece{say("4"), say("bad")}, nil)
		named, is := errors.AsType[*pieceError](err)
		require.True(t, is, "%v", err)
		require.Equal(t, 1, named.piece)
		after, _ = stored(t, e)
		require.Equal(t, "3", after.Attributes["a"])
	})
}

// TestAnAttemptThatFailsIsUndone: what a rule's action changed before it failed is
// not written with what else the unit did.
func TestAnAttemptThatFailsIsUndone(t *testing.T) {
	eachKernel(t, func(t *testing.T, e *Engine) {
		require.NoError(t, e.unit(t.Context(), Host("w"), func(u *unit) error {
			d, err := u.conversation("c")
			if err != nil {
				return err
			}
			d.Note(conversation.EvPanel, "host", "", "x")
			err = u.attempt(func() error {
				d.C.Attributes["a"] = "2"
				d.Note(conversation.EvPanel, "host", "", "y")
				return ErrInvalid
			})
			require.ErrorIs(t, err, ErrInvalid)
			return nil
		}))
		after, entries := stored(t, e)
		require.Equal(t, "1", after.Attributes["a"])
		require.Equal(t, 1, entries)
	})
}

// TestAUnitWritesACustomerOnce: contacts and identities are as conversations.
func TestAUnitWritesACustomerOnce(t *testing.T) {
	eachKernel(t, func(t *testing.T, e *Engine) {
		look := func() (c conversation.Contact, i conversation.Identity) {
			require.NoError(t, e.db.View(t.Context(), "w", func(ctx context.Context, tx store.Tx) (err error) {
				if c, err = tx.Contacts().Contact(ctx, "k"); err != nil {
					return err
				}
				i, err = tx.Contacts().IdentityByID(ctx, "i")
				return err
			}))
			return c, i
		}
		copies := func(u *unit) (*conversation.Contact, *conversation.Identity) {
			c, err := u.customer("k")
			require.NoError(t, err)
			i, err := u.tx.Contacts().Identity(u.ctx, "line", "s", "u")
			require.NoError(t, err)
			return c, u.identityOf(i)
		}
		contact, identity := look()
		require.NoError(t, e.unit(t.Context(), Host("w"), func(u *unit) error {
			copies(u)
			return nil
		}))
		c, i := look()
		require.Equal(t, contact, c)
		require.Equal(t, identity, i)

		require.NoError(t, e.unit(t.Context(), Host("w"), func(u *unit) error {
			c, i := copies(u)
			c.Name, i.Contact = "Jun Kim", "other"
			require.EqualValues(t, 2, u.tellContact(c, "saved").Version)
			again, same := copies(u)
			require.Same(t, c, again)
			require.Same(t, i, same)
			again.Memo, same.Picture = "tall", "x"
			u.opens(*same)
			list, err := u.tx.Contacts().Identities(u.ctx, "k")
			require.NoError(t, err)
			require.Empty(t, list)
			list, err = u.tx.Contacts().Identities(u.ctx, "other")
			require.NoError(t, err)
			require.Len(t, list, 1)
			_, err = u.tx.Contacts().SaveContact(u.ctx, *c)
			require.ErrorIs(t, err, errByHand)
			_, err = u.tx.Contacts().SaveIdentity(u.ctx, *i)
			require.ErrorIs(t, err, errByHand)
			return nil
		}))
		c, i = look()
		require.Equal(t, contact.Version+1, c.Version)
		require.Equal(t, "Jun Kim tall", c.Name+" "+c.Memo)
		require.Equal(t, identity.Version+1, i.Version)
		require.EqualValues(t, "other", i.Contact)
	})
}

// TestWhereAConversationGoesItsCustomerIsSeen: the desk to which a conversation is
// taken sees the customer, also when it is taken there as it begins.
func TestWhereAConversationGoesItsCustomerIsSeen(t *testing.T) {
	eachKernel(t, func(t *testing.T, e *Engine) {
		require.NoError(t, e.unit(t.Context(), Host("w"), func(u *unit) error {
			d := u.keepConversation(draft.Open(conversation.Conversation{ID: "c2", Thread: "t2", Contact: "k", Identity: "i",
				Desk: "first"}, "", "customer", u.tx.Now()))
			d.MoveTo("second", "system")
			return nil
		}))
		require.NoError(t, e.db.View(t.Context(), "w", func(ctx context.Context, tx store.Tx) error {
			c, err := tx.Contacts().Contact(ctx, "k")
			require.Equal(t, []conversation.DeskID{"second"}, c.Desks)
			return err
		}))
	})
}
