package postgres

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// A schema that the program before wrote opens, and reads the same.
func TestRowsOfTheProgramBeforeAreDocumentsNow(t *testing.T) {
	dsn := pgtest.Start(t)
	old := openAt(t, Options{DSN: dsn, Schema: "made"}).Backend().(*backend)
	old.opts.Schema = "sangdam"
	require.NoError(t, old.migrateOnce(t.Context(), 8))
	doc := func(v any) []byte {
		d, err := encode(v)
		require.NoError(t, err)
		return d
	}
	do := func(text string, args ...any) {
		exec(t, dsn, strings.ReplaceAll(text, "INTO ", "INTO sangdam."), args...)
	}
	y := yesterday
	do(`INSERT INTO workspaces (ws, name, clock) VALUES ('ws', 'W', now())`)
	do(`INSERT INTO config (ws, version) VALUES ('ws', 5)`)
	do(`INSERT INTO accounts (ws, id, version, token, doc, sealed) VALUES ('ws', 'a', 7, 'tok', $1, $2)`, doc(y.account), y.account.Sealed)
	do(`INSERT INTO desks (ws, id, name, seats, members, doc) VALUES ('ws', 'd', $1, 9, 2, $2)`, y.desk.Name, doc(y.desk))
	do(`INSERT INTO desks (ws, id, name, seats, members, doc) VALUES ('ws', 'e', 'empty', 0, 0, $1)`,
		doc(routing.Desk{ID: "e", Name: "empty"}))
	do(`INSERT INTO desk_members (ws, desk, agent) VALUES ('ws', 'd', 'y'), ('ws', 'd', 'x')`)
	do(`INSERT INTO work_streams (ws, id, doc) VALUES ('ws', 'w', $1)`, doc(y.stream))
	do(`INSERT INTO queues (ws, id, doc) VALUES ('ws', 'q', $1)`,
		bytes.Replace(doc(y.queue), []byte(`"v":1`), []byte(`"v":1,"later":{"x":1}`), 1))
	do(`INSERT INTO blobs (ws, name, doc) VALUES ('ws', 'b', $1)`, doc(y.blob))
	do(`INSERT INTO vault (ws, owner, name, sealed) VALUES ('ws', 'contact:c', 'key', '\x00ff'), ('ws', 'contact:c', 'orig', ''),
		('ws', 'contact:d', 'key', '\x01')`)

	readsTheSame(t, openAt(t, Options{DSN: dsn}), "ws")
}

// yesterday is what a program of before kept in tables of their own.
var yesterday = struct {
	account channel.Account
	desk    routing.Desk
	stream  routing.WorkStream
	queue   routing.Queue
	blob    driver.Blob
}{
	account: channel.Account{ID: "a", Version: 7, Kind: "line", Name: "A \"quoted\" 이름", Token: "tok", Desk: "d", WorkStream: "w",
		Sealed: []byte("\x00\xffbox")},
	desk:   routing.Desk{ID: "d", Version: 3, Name: "상담", Seats: 9, Since: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)},
	stream: routing.WorkStream{ID: "w", Version: 2, Name: "W", Cost: 2},
	queue:  routing.Queue{ID: "q", Version: 4, Name: "Q", Members: []routing.AgentID{"x", "y"}},
	blob:   driver.Blob{Name: "b", Type: "image/png", Size: 3, Owner: "message:m", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
}

// readsTheSame compares what the present program reads, and writes each thing again.
func readsTheSame(t *testing.T, db *store.DB, ws store.WorkspaceID) {
	y := yesterday
	found, id, err := db.ResolveAccount(t.Context(), "tok")
	require.NoError(t, err)
	require.Equal(t, ws, found)
	require.Equal(t, y.account.ID, id)
	require.NoError(t, db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		accounts, err := tx.Accounts().Accounts(ctx)
		require.NoError(t, err)
		require.Equal(t, []channel.Account{y.account}, accounts)
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
			Desks:       map[routing.DeskID]routing.Desk{"d": y.desk, "e": {ID: "e", Name: "empty"}},
			Members:     map[routing.DeskID][]routing.AgentID{"d": {"x", "y"}},
			WorkStreams: map[routing.WorkStreamID]routing.WorkStream{"w": y.stream},
			Queues:      map[routing.QueueID]routing.Queue{"q": y.queue},
		}, cfg)
		require.ErrorIs(t, tx.Config().SaveDesk(ctx, routing.Desk{ID: "f", Name: y.desk.Name}), store.ErrAlreadyExists)
		require.NoError(t, tx.Config().SaveDesk(ctx, y.desk))
		require.NoError(t, tx.Config().RemoveMember(ctx, "d", "x"))
		require.ErrorIs(t, tx.Config().RemoveMember(ctx, "d", "y"), store.ErrInvalid)
		require.NoError(t, tx.Config().SaveQueue(ctx, y.queue))
		require.NoError(t, tx.Config().SaveWorkStream(ctx, y.stream))
		v, err := tx.Accounts().SaveAccount(ctx, y.account)
		require.NoError(t, err)
		require.EqualValues(t, 8, v)
		blob, err := tx.Blobs().Blob(ctx, "b")
		require.NoError(t, err)
		require.Equal(t, y.blob, blob)
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
