package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// A file that the program before wrote opens, and reads the same.
func TestRowsOfTheProgramBeforeAreDocumentsNow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sangdam.db")
	require.NoError(t, runMigrations(t.Context(), path, 6))
	c, err := openConn(path)
	require.NoError(t, err)
	do := func(sql string, args ...any) {
		_, err := c.Exec(sql, args...)
		require.NoError(t, err, sql)
	}
	doc := func(v any) raw.Text {
		d, err := encode(v)
		require.NoError(t, err)
		return d
	}
	y := yesterday
	do(`INSERT INTO workspaces (num, id, name, config_version) VALUES (1, 'ws', 'W', 5)`)
	do(`INSERT INTO accounts (ws, id, version, token, doc, sealed) VALUES (1, 'a', 7, 'tok', ?, ?)`, doc(y.account), y.account.Sealed)
	do(`INSERT INTO desks (ws, id, name, seats, members, doc) VALUES (1, 'd', ?, 9, 2, ?)`, y.desk.Name, doc(y.desk))
	do(`INSERT INTO desks (ws, id, name, seats, members, doc) VALUES (1, 'e', 'empty', 0, 0, '{"id":"e","name":"empty"}')`)
	do(`INSERT INTO desk_members (ws, desk, agent) VALUES (1, 'd', 'y'), (1, 'd', 'x')`)
	do(`INSERT INTO work_streams (ws, id, doc) VALUES (1, 'w', ?)`, doc(y.stream))
	do(`INSERT INTO queues (ws, id, doc) VALUES (1, 'q', json_insert(?, '$.later', json('{"x":1}')))`, doc(y.queue))
	do(`INSERT INTO blobs (ws, name, doc) VALUES (1, 'b', ?)`, doc(y.blob))
	do(`INSERT INTO vault (ws, owner, name, sealed) VALUES (1, 'contact:c', 'key', x'00ff'), (1, 'contact:c', 'orig', x''),
		(1, 'contact:d', 'key', x'01')`)
	c.Close()

	db, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	defer db.Close()
	readsTheSame(t, db, "ws")
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
