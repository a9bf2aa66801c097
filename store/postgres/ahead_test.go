package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/storetest"
	"github.com/stretchr/testify/require"
)

// inner is the driver's transaction, under a name that a parameter does not hide.
type inner = tx

// eager reads all there is ahead of every Update.
type eager struct{ *backend }

func (b eager) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return b.backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		t := tx.Session.(*inner)
		all := func(table, column string) (ids []string) {
			_ = t.read(ctx, query(`SELECT DISTINCT `+column+` FROM sd.`+table+` WHERE ws = $1`, key(ws)).rows(func(r pgx.Rows) error {
				var id string
				err := r.Scan(&id)
				ids = append(ids, unkey[string](id))
				return err
			}))
			return ids
		}
		w := driver.Wanted{NewItems: 3, Queues: []routing.QueueID{"queue", "q1", "q2"}}
		for _, id := range all("items", "id") {
			w.Items = append(w.Items, routing.ItemID(id))
		}
		for _, id := range all("agents", "id") {
			w.Agents = append(w.Agents, routing.AgentID(id))
		}
		for _, id := range all("conversations", "id") {
			w.Conversations = append(w.Conversations, conversation.ID(id))
		}
		w.Threads = append(w.Threads, all("conversations", "thread")...)
		if err := t.read(ctx, query(`SELECT kind, u0 FROM sd.documents WHERE ws = $1 AND u0 IS NOT NULL`,
			key(ws)).rows(func(r pgx.Rows) error {
			k := driver.Keys{Values: make([][]byte, 1)}
			err := r.Scan(&k.Kind, &k.Values[0])
			w.Documents = append(w.Documents, k)
			return err
		}), query(`SELECT account, chat_kind, chat_id, provider FROM sd.messages WHERE ws = $1
			UNION ALL SELECT account, chat_kind, chat_id, message FROM sd.early WHERE ws = $1`, key(ws)).rows(func(r pgx.Rows) error {
			var m driver.ProviderMessage
			err := r.Scan(&m.Account, &m.Chat.Kind, &m.Chat.ID, &m.Message)
			w.Heard = append(w.Heard, m)
			return err
		})); err != nil {
			return err
		}
		if _, err := tx.Ahead(ctx, w); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

// TestStoreReadingAhead: what the suite says of work, agents and conversations
// holds also where every transaction reads all of them ahead.
func TestStoreReadingAhead(t *testing.T) {
	pgtest.Start(t)
	storetest.Run(t, storetest.Harness{
		Name: "postgres, reading ahead",
		Open: func(t testing.TB) *store.DB {
			db := reopen(t, Options{DSN: pgtest.Start(t), MaxConns: 20})
			return store.New(eager{db.Backend().(*backend)})
		},
		Caps: storetest.Caps{GroupedAppends: true, Wakes: true},
		Only: []string{"conversation", "contact", "unique", "answer", "agent", "reserve", "ahead", "ending", "rival"},
	})
}

// TestReadingAheadWaitsBriefly: a row that a stranger holds is a clash to a
// transaction of many pieces, so that each may then wait for its own rows alone.
func TestReadingAheadWaitsBriefly(t *testing.T) {
	db := fresh(t)
	c := conversation.Conversation{ID: "c1", Thread: "t1", State: conversation.StateOpen, OpenedAt: at(1), UpdatedAt: at(1)}
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Conversations().SaveConversation(ctx, c)
		return err
	})
	b := db.Backend().(*backend)
	stranger, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = stranger.Rollback(context.Background()) }()
	_, err = stranger.Exec(t.Context(), b.qualify(`SELECT 1 FROM sd.conversations WHERE id = 'c1' FOR UPDATE`))
	require.NoError(t, err)
	err = b.Update(t.Context(), ws, func(ctx context.Context, tx driver.Tx) error {
		_, err := tx.Ahead(ctx, driver.Wanted{Conversations: []conversation.ID{"c1"}})
		return err
	})
	require.ErrorIs(t, err, driver.ErrClash)
}
