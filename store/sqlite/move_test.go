package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/fold"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
	"github.com/sangdam/sangdam/store/storetest"
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
	y := storetest.EarlierRows()
	do(`INSERT INTO workspaces (num, id, name, config_version) VALUES (1, 'ws', 'W', 5)`)
	do(`INSERT INTO accounts (ws, id, version, token, doc, sealed) VALUES (1, 'a', 7, 'tok', ?, ?)`, doc(y.Account), y.Account.Sealed)
	do(`INSERT INTO desks (ws, id, name, seats, members, doc) VALUES (1, 'd', ?, 9, 2, ?)`, y.Desk.Name, doc(y.Desk))
	do(`INSERT INTO desks (ws, id, name, seats, members, doc) VALUES (1, 'e', 'empty', 0, 0, '{"id":"e","name":"empty"}')`)
	do(`INSERT INTO desk_members (ws, desk, agent) VALUES (1, 'd', 'y'), (1, 'd', 'x')`)
	do(`INSERT INTO work_streams (ws, id, doc) VALUES (1, 'w', ?)`, doc(y.Stream))
	do(`INSERT INTO queues (ws, id, doc) VALUES (1, 'q', json_insert(?, '$.later', json('{"x":1}')))`, doc(y.Queue))
	do(`INSERT INTO blobs (ws, name, doc) VALUES (1, 'b', ?)`, doc(y.Blob))
	do(`INSERT INTO vault (ws, owner, name, sealed) VALUES (1, 'contact:c', 'key', x'00ff'), (1, 'contact:c', 'orig', x''),
		(1, 'contact:d', 'key', x'01')`)
	do(`INSERT INTO contacts (ws, id, version, name, email, phone, doc) VALUES (1, 'c', 3, '', '', '', ?)`, doc(y.Contact))
	for _, i := range []conversation.Identity{y.Identity, y.Distant} {
		do(`INSERT INTO identities (ws, id, version, contact, kind, scope, user, doc) VALUES (1, ?, ?, 'c', 'line', 's', ?, ?)`,
			string(i.ID), i.Version, string(i.User), doc(i))
	}
	do(`INSERT INTO documents (ws, kind, id, version, decl, body) VALUES (1, 'contact.found', 'c', 1, 1, CAST('{"id":"c"}' AS BLOB))`)
	for _, tag := range []driver.Tag{{Name: "name", Order: []byte(fold.Prefix("김미나"))}, {Name: "email", Order: []byte("mina@example.com")},
		{Name: "phone", Order: []byte("1012345678")}, {Name: "end", Order: []byte("8765432101")}} {
		for _, list := range [][]byte{{0}, []byte("\x01d")} {
			do(`INSERT INTO document_tags (ws, kind, name, value, ord, id) VALUES (1, 'contact.found', ?, ?, ?, 'c')`, tag.Name, list,
				tag.Order)
		}
	}
	c.Close()

	db, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	defer db.Close()
	storetest.ReadsEarlier(t, db, "ws")
}
