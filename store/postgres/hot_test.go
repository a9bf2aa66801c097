package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/stretchr/testify/require"
)

// TestRowsThatChangeAgainAndAgainBesideASnapshot: the head of the audit chain, the
// workspace's clock, an agent and a queue's turn are rows that are written again and again. A
// foreign transaction that holds a snapshot keeps each version of them. What they
// cost then grows, by no more than a page in some dozens of changes of the row
// itself; the clock's, which is written once a second at most, by no more.
func TestRowsThatChangeAgainAndAgainBesideASnapshot(t *testing.T) {
	dsn := pgtest.Start(t)
	db := openAt(t, Options{DSN: dsn, DisableNotify: true})
	b := db.Backend().(*backend)
	q := &queues{t: t, db: db, b: b, dsn: dsn}
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "a"})
		return err
	})
	presence := []routing.Presence{routing.Online, routing.Break}
	change := func(n int) {
		for n := range n {
			update(t, db, func(ctx context.Context, tx store.Tx) error {
				return tx.Audit().Append(ctx, driver.AuditEntry{Actor: "x", Action: "y", At: tx.Now()})
			})
			require.NoError(t, b.run(t.Context(), query(`INSERT INTO sd.wheels AS w (ws, queue, turn) VALUES ($1, 'q', 1)
				ON CONFLICT (ws, queue) DO UPDATE SET turn = w.turn + 1`, key(ws))))
			update(t, db, func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Agents().SetPresence(ctx, "a", presence[n%2], "", tx.Now())
				return err
			})
		}
	}
	pages := func() map[string]int {
		return map[string]int{
			"audit head": q.pages(`SELECT hash FROM sd.audit_head WHERE ws = $1 FOR UPDATE`, key(ws)),
			"clock":      q.pages(clock, key(ws)),
			"agent":      q.pages(`SELECT doc FROM sd.agents WHERE ws = $1 AND id = 'a' FOR NO KEY UPDATE`, key(ws)),
			"turn":       q.pages(aheadWheels, key(ws), []string{"q"}),
		}
	}
	change(50)
	free := pages()
	foreign, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = foreign.Close(context.Background()) }()
	_, err = foreign.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ")
	require.NoError(t, err)
	_, err = foreign.Exec(t.Context(), "SELECT count(*) FROM sangdam.audit_head")
	require.NoError(t, err)
	begin := time.Now()
	const changes = 600
	change(changes)
	now := pages()
	t.Logf("before: %v; after %d changes beside a snapshot: %v", free, changes, now)
	for _, name := range []string{"audit head", "turn", "agent"} {
		require.LessOrEqual(t, now[name], free[name]+changes/20, name)
	}
	require.LessOrEqual(t, now["clock"], free["clock"]+5+int(time.Since(begin).Seconds()), "clock")
}
