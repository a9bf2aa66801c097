package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Earlier is what programs of before kept in tables of their own: the tests of a
// store's migrations write it there, and ReadsEarlier reads it.
type Earlier struct {
	Account  channel.Account
	Desk     routing.Desk
	Stream   routing.WorkStream
	Queue    routing.Queue
	Blob     driver.Blob
	Contact  conversation.Contact
	Identity conversation.Identity
	Distant  conversation.Identity // of a long name at the provider, whose key is cut
}

// EarlierRows are rows of each sort.
func EarlierRows() Earlier {
	return Earlier{
		Account: channel.Account{ID: "a", Version: 7, Kind: "line", Name: "A \"quoted\" 이름", Token: "tok", Desk: "d", WorkStream: "w",
			Sealed: []byte("\x00\xffbox")},
		Desk:   routing.Desk{ID: "d", Version: 3, Name: "상담", Seats: 9, Since: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)},
		Stream: routing.WorkStream{ID: "w", Version: 2, Name: "W", Cost: 2},
		Queue:  routing.Queue{ID: "q", Version: 4, Name: "Q", Members: []routing.AgentID{"x", "y"}},
		Blob: driver.Blob{Name: "b", Type: "image/png", Size: 3, Owner: "message:m",
			CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		Contact: conversation.Contact{ID: "c", Version: 3, Name: "김미나", Email: "Mina@Example.com", Phone: "+82 10-1234-5678",
			Desks: []conversation.DeskID{"d"}, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)},
		Identity: conversation.Identity{ID: "i", Version: 2, Contact: "c", Kind: "line", Scope: "s", User: "U 이름"},
		Distant: conversation.Identity{ID: "j", Version: 1, Contact: "c", Kind: "line", Scope: "s",
			User: channel.ProviderUserID(strings.Repeat("길", 150))},
	}
}

// ReadsEarlier compares what the present program reads with EarlierRows, and writes
// each thing again.
func ReadsEarlier(t *testing.T, db *store.DB, ws store.WorkspaceID) {
	t.Helper()
	y := EarlierRows()
	readsPeople(t, db, ws, y)
	found, id, err := db.ResolveAccount(t.Context(), "tok")
	require.NoError(t, err)
	require.Equal(t, ws, found)
	require.Equal(t, y.Account.ID, id)
	require.NoError(t, db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		accounts, err := tx.Accounts().Accounts(ctx)
		require.NoError(t, err)
		require.Equal(t, []channel.Account{y.Account}, accounts)
		return nil
	}))
	err = db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Accounts().SaveAccount(ctx, channel.Account{ID: "other", Token: "tok"})
		return err
	})
	require.ErrorIs(t, err, store.ErrAlreadyExists)
	require.NoError(t, db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		cfg, err := tx.Config().Configuration(ctx, 0)
		require.NoError(t, err)
		require.Equal(t, routing.Configuration{Version: 5,
			Desks:       map[routing.DeskID]routing.Desk{"d": y.Desk, "e": {ID: "e", Name: "empty"}},
			Members:     map[routing.DeskID][]routing.AgentID{"d": {"x", "y"}},
			WorkStreams: map[routing.WorkStreamID]routing.WorkStream{"w": y.Stream},
			Queues:      map[routing.QueueID]routing.Queue{"q": y.Queue},
		}, cfg)
		require.ErrorIs(t, tx.Config().SaveDesk(ctx, routing.Desk{ID: "f", Name: y.Desk.Name}), store.ErrAlreadyExists)
		require.NoError(t, tx.Config().SaveDesk(ctx, y.Desk))
		require.NoError(t, tx.Config().RemoveMember(ctx, "d", "x"))
		require.ErrorIs(t, tx.Config().RemoveMember(ctx, "d", "y"), store.ErrInvalid)
		require.NoError(t, tx.Config().SaveQueue(ctx, y.Queue))
		require.NoError(t, tx.Config().SaveWorkStream(ctx, y.Stream))
		v, err := tx.Accounts().SaveAccount(ctx, y.Account)
		require.NoError(t, err)
		require.EqualValues(t, 8, v)
		blob, err := tx.Blobs().Blob(ctx, "b")
		require.NoError(t, err)
		require.Equal(t, y.Blob, blob)
		require.NoError(t, tx.Blobs().Release(ctx, "b"))
		owners, err := tx.Vault().Owners(ctx, "", 5)
		require.NoError(t, err)
		require.Equal(t, []string{"contact:c", "contact:d"}, owners)
		names, err := tx.Vault().Names(ctx, "contact:c", "k")
		require.NoError(t, err)
		require.Equal(t, []string{"key"}, names)
		sealed, err := tx.Vault().Sealed(ctx, "contact:c", "key")
		require.NoError(t, err)
		require.Equal(t, []byte("\x00\xff"), sealed)
		require.NoError(t, tx.Vault().PutSealed(ctx, "contact:c", "key", []byte("new")))
		return tx.Vault().DropOwner(ctx, "contact:d")
	}))
	// What a newer program put into a document stays when this one saves it.
	require.NoError(t, db.View(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		docs, err := tx.Documents().Get(ctx, driver.Keys{Kind: "queue", IDs: []string{"q"}})
		require.NoError(t, err)
		require.Contains(t, string(docs[0].Body), `"later":{"x":1}`)
		return nil
	}))
}

// readsPeople finds a contact by what it was found by before, and a person by what
// the provider calls them.
func readsPeople(t *testing.T, db *store.DB, ws store.WorkspaceID, y Earlier) {
	t.Helper()
	require.NoError(t, db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Contacts().Contact(ctx, "c")
		require.NoError(t, err)
		require.Equal(t, y.Contact, c)
		for _, text := range []string{"김미", "mina@", "010-1234-5678", "5678"} {
			found, err := tx.Contacts().FindContacts(ctx, store.ContactQuery{Text: text, Desks: []routing.DeskID{"d"}}, 10)
			require.NoError(t, err)
			require.Equal(t, []conversation.Contact{y.Contact}, found, text)
		}
		i, err := tx.Contacts().Identity(ctx, "line", "s", y.Distant.User)
		require.NoError(t, err)
		require.Equal(t, y.Distant, i)
		i, err = tx.Contacts().Identity(ctx, "line", "s", y.Identity.User)
		require.NoError(t, err)
		require.Equal(t, y.Identity, i)
		all, err := tx.Contacts().Identities(ctx, "c")
		require.NoError(t, err)
		require.Equal(t, []conversation.Identity{y.Identity, y.Distant}, all)
		v, err := tx.Contacts().SaveContact(ctx, c)
		require.NoError(t, err)
		require.EqualValues(t, 4, v)
		v, err = tx.Contacts().SaveIdentity(ctx, i)
		require.NoError(t, err)
		require.EqualValues(t, 3, v)
		return nil
	}))
}
