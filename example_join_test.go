package sangdam_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/sqlite"
)

// An order is cancelled and the customer told, both or neither.
func ExampleEngine_Join() {
	cancel := func(ctx context.Context, pool *pgxpool.Pool, db *store.DB, engine *sangdam.Engine, order string, c conversation.ID) error {
		tx, err := pool.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after Commit
		if _, err := tx.Exec(ctx, "UPDATE orders SET state = 'cancelled' WHERE id = $1", order); err != nil {
			return err
		}
		joined := engine.Join(postgres.Host(db, tx))
		_, err = joined.Notify(ctx, sangdam.Host("shop"), sangdam.Notify{Key: sangdam.Key("cancel " + order), Conversation: c,
			Content: channel.Text("Your order " + order + " is cancelled.")})
		if err != nil {
			return err
		}
		if err := tx.Commit(ctx); err != nil {
			return err // if its outcome is unknown: again, with the same key
		}
		joined.Announce()
		return nil
	}
	_ = cancel
}

// A host whose own tables lie in the same SQLite file: its statements run in the
// transaction of the command.
func ExampleEngine_Join_sqlite() {
	ctx := context.Background()
	dir := must(os.MkdirTemp("", "sangdam"))
	defer func() { _ = os.RemoveAll(dir) }()
	db := must(sqlite.Open(ctx, sqlite.Options{Dir: dir,
		HostSchema: []string{`CREATE TABLE IF NOT EXISTS host_orders (id TEXT PRIMARY KEY, state TEXT NOT NULL)`}}))
	s := open(func(cfg *sangdam.Config, _ *sangdam.Setup) { cfg.DB = db })
	defer s.stop()
	c := s.writes("jun", "Please cancel order 17")

	cancel := func(order string) error {
		joined := s.Join(sqlite.Host(db, func(_ context.Context, h *sqlite.HostTx) error {
			_, err := h.Exec(`INSERT INTO host_orders VALUES (?, 'cancelled')`, order)
			return err
		}))
		_, err := joined.Notify(ctx, s.host, sangdam.Notify{Key: sangdam.Key("cancel " + order), Conversation: c.ID,
			Content: channel.Text("Order " + order + " is cancelled.")})
		return err
	}
	fmt.Println(cancel("17"), s.heard("jun", 1))
	fmt.Println(errors.Is(cancel("17"), sangdam.ErrConflict), "the order is there already, so nothing is said:", s.heard("jun", 1))
	// Output:
	// <nil> [Order 17 is cancelled.]
	// true the order is there already, so nothing is said: [Order 17 is cancelled.]
}

// A host on another database writes what it intends beside its own rows, in its
// own transaction. A relay carries the intents out, as often as it takes: the
// intent's id is the key, so each acts once.
func ExampleNotify_relay() {
	relay := func(ctx context.Context, host *sql.DB, engine *sangdam.Engine) error {
		rows, err := host.QueryContext(ctx, "SELECT id, conversation, words FROM intents WHERE NOT done ORDER BY id LIMIT 100")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, c, words string
			if err := rows.Scan(&id, &c, &words); err != nil {
				return err
			}
			_, err := engine.Notify(ctx, sangdam.Host("shop"), sangdam.Notify{Key: sangdam.Key("intent " + id),
				Conversation: conversation.ID(c), Content: channel.Text(words)})
			if err != nil {
				return err // it is still there at the next round
			}
			if _, err := host.ExecContext(ctx, "UPDATE intents SET done = true WHERE id = ?", id); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	_ = relay
}
