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
)

// inner is the driver's transaction, under a name that a parameter does not hide.
type inner = tx

// eager reads all there is ahead of every Update.
type eager struct{ *backend }

func (b eager) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return b.backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		t := tx.(*inner)
		all := func(table, column string) (ids []string) {
			_ = t.read(ctx, query(`SELECT DISTINCT `+column+` FROM sd.`+table+` WHERE ws = $1`, key(ws)).rows(func(r pgx.Rows) error {
				var id string
				err := r.Scan(&id)
				ids = append(ids, unkey[string](id))
				return err
			}))
			return ids
		}
		w := driver.Wanted{Queues: []routing.QueueID{"queue", "q1", "q2"}}
		for _, id := range all("items", "id") {
			w.Items = append(w.Items, routing.ItemID(id))
		}
		for _, id := range all("agents", "id") {
			w.Agents = append(w.Agents, routing.AgentID(id))
		}
		for _, id := range all("conversations", "id") {
			w.Conversations = append(w.Conversations, conversation.ID(id))
		}
		if err := tx.Ahead(ctx, w); err != nil {
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
		Only: []string{"conversation", "agent", "reserve", "ahead", "ending", "rival"},
	})
}
