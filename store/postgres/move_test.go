package postgres

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/fold"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/storetest"
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
	y := storetest.EarlierRows()
	do(`INSERT INTO workspaces (ws, name, clock) VALUES ('ws', 'W', now())`)
	do(`INSERT INTO config (ws, version) VALUES ('ws', 5)`)
	do(`INSERT INTO accounts (ws, id, version, token, doc, sealed) VALUES ('ws', 'a', 7, 'tok', $1, $2)`, doc(y.Account), y.Account.Sealed)
	do(`INSERT INTO desks (ws, id, name, seats, members, doc) VALUES ('ws', 'd', $1, 9, 2, $2)`, y.Desk.Name, doc(y.Desk))
	do(`INSERT INTO desks (ws, id, name, seats, members, doc) VALUES ('ws', 'e', 'empty', 0, 0, $1)`,
		doc(routing.Desk{ID: "e", Name: "empty"}))
	do(`INSERT INTO desk_members (ws, desk, agent) VALUES ('ws', 'd', 'y'), ('ws', 'd', 'x')`)
	do(`INSERT INTO work_streams (ws, id, doc) VALUES ('ws', 'w', $1)`, doc(y.Stream))
	do(`INSERT INTO queues (ws, id, doc) VALUES ('ws', 'q', $1)`,
		bytes.Replace(doc(y.Queue), []byte(`"v":1`), []byte(`"v":1,"later":{"x":1}`), 1))
	do(`INSERT INTO blobs (ws, name, doc) VALUES ('ws', 'b', $1)`, doc(y.Blob))
	do(`INSERT INTO vault (ws, owner, name, sealed) VALUES ('ws', 'contact:c', 'key', '\x00ff'), ('ws', 'contact:c', 'orig', ''),
		('ws', 'contact:d', 'key', '\x01')`)
	do(`INSERT INTO contacts (ws, id, version, name, email, phone, doc) VALUES ('ws', 'c', 3, '', '', '', $1)`, doc(y.Contact))
	for _, i := range []conversation.Identity{y.Identity, y.Distant} {
		do(`INSERT INTO identities (ws, id, version, contact, kind, scope, user_id, doc) VALUES ('ws', $1, $2, 'c', 'line', 's', $3, $4)`,
			string(i.ID), i.Version, string(i.User), doc(i))
	}
	do(`INSERT INTO documents (ws, kind, id, version, decl, body) VALUES ('ws', 'contact.found', 'c', 1, 1, '{"id":"c"}')`)
	for _, tag := range []driver.Tag{{Name: "name", Order: []byte(fold.Prefix("김미나"))}, {Name: "email", Order: []byte("mina@example.com")},
		{Name: "phone", Order: []byte("1012345678")}, {Name: "end", Order: []byte("8765432101")}} {
		for _, list := range [][]byte{{0}, []byte("\x01d")} {
			do(`INSERT INTO document_tags (ws, kind, name, value, ord, id) VALUES ('ws', 'contact.found', $1, $2, $3, 'c')`, tag.Name, list,
				tag.Order)
		}
	}

	storetest.ReadsEarlier(t, openAt(t, Options{DSN: dsn}), "ws")
}
