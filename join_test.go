package sangdam_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/sqlite"
)

// orders is the host's own table beside the library's.
func (w *replayWorld) orders() {
	w.t.Helper()
	_, err := w.aside.Exec(w.ctx, `CREATE TABLE public.orders (id text PRIMARY KEY, state text NOT NULL)`)
	require.NoError(w.t, err)
}

func (w *replayWorld) order(id string) (state string) {
	w.t.Helper()
	err := w.aside.QueryRow(w.ctx, `SELECT state FROM public.orders WHERE id = $1`, id).Scan(&state)
	if !errors.Is(err, pgx.ErrNoRows) {
		require.NoError(w.t, err)
	}
	return state
}

// hostsTx is a transaction of the host's, which does not outlive the test.
func (w *replayWorld) hostsTx() pgx.Tx {
	w.t.Helper()
	tx, err := w.aside.Begin(w.ctx)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(w.ctx)) })
	return tx
}

// cancels writes the host's part and ours in one transaction of the host's.
func (w *replayWorld) cancels(ctx context.Context, tx pgx.Tx, order string, c conversation.ID) (*sangdam.Joined, error) {
	joined := w.eng.Join(postgres.Host(w.db, tx))
	if _, err := tx.Exec(ctx, `INSERT INTO public.orders VALUES ($1, 'cancelled')`, order); err != nil {
		return joined, err
	}
	_, err := joined.Notify(ctx, w.host, sangdam.Notify{Key: sangdam.Key(order), Conversation: c,
		Content: channel.Text("cancelled: " + order)})
	return joined, err
}

func TestACommandCommitsWithTheHost(t *testing.T) {
	replay(t, []string{onPG}, func(t *testing.T, w *replayWorld) {
		w.orders()
		mina := w.line.User("Mina")
		mina.SendText("please cancel")
		w.settle()
		c := w.of(mina).Conversation.ID

		tx := w.hostsTx()
		_, err := w.cancels(w.ctx, tx, "A-1", c)
		require.NoError(t, err)
		require.NoError(t, tx.Rollback(w.ctx))
		w.settle()
		require.Empty(t, mina.Texts(), "what is rolled back was never said")

		tx = w.hostsTx()
		joined, err := w.cancels(w.ctx, tx, "A-1", c)
		require.NoError(t, err)
		_, err = joined.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: c, Text: "by the shop"})
		require.NoError(t, err)
		w.settle()
		require.Empty(t, mina.Texts(), "nor is what has not committed yet")
		require.NoError(t, tx.Commit(w.ctx))
		joined.Announce()
		w.settle()
		require.Equal(t, []string{"cancelled: A-1"}, mina.Texts())
		require.Equal(t, "cancelled", w.order("A-1"))

		// The same key again is the same message, whoever asks.
		again, err := w.eng.Notify(w.ctx, w.host, sangdam.Notify{Key: "A-1", Conversation: c, Content: channel.Text("cancelled: A-1")})
		require.NoError(t, err)
		w.settle()
		require.Len(t, mina.Texts(), 1)
		entries, err := w.eng.Audit(w.ctx, w.host, 0, 200)
		require.NoError(t, err)
		var audited int
		for _, e := range entries {
			if e.Resource == "conversation:"+string(c) && e.Outcome == "ok" {
				audited++
			}
		}
		require.Equal(t, 2, audited, "the notice and the note stand in the chain: %s", again.Message)
	}, quiet, longOffers)
}

// A command that fails leaves the host's transaction as it was before it.
func TestARefusalLeavesTheHostsTransactionUsable(t *testing.T) {
	replay(t, []string{onPG}, func(t *testing.T, w *replayWorld) {
		w.orders()
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		c := w.of(mina).Conversation.ID
		require.NoError(t, pgx.BeginFunc(w.ctx, w.aside, func(tx pgx.Tx) error {
			joined := w.eng.Join(postgres.Host(w.db, tx))
			for name, err := range map[string]error{
				"no text":    errOf(joined.Notify(w.ctx, w.host, sangdam.Notify{Conversation: c, Content: channel.Text(" ")})),
				"not there":  errOf(joined.Notify(w.ctx, w.host, sangdam.Notify{Conversation: "none", Content: channel.Text("x")})),
				"not for it": errOf(joined.Notify(w.ctx, w.agent("a1"), sangdam.Notify{Conversation: c, Content: channel.Text("x")})),
				"an agent": errOf(joined.Begin(w.ctx, w.agent("a1"),
					sangdam.Begin{Account: w.acct.ID, User: "U1", Content: channel.Text("x")})),
			} {
				require.Error(t, err, name)
			}
			_, err := w.cancels(w.ctx, tx, "A-1", c)
			return err
		}))
		w.settle()
		require.Equal(t, []string{"cancelled: A-1"}, mina.Texts())
		conn, err := w.aside.Acquire(w.ctx)
		require.NoError(t, err)
		defer conn.Release()
		_, err = w.eng.Join(postgres.HostConn(w.db, conn.Conn())).Notify(w.ctx, w.host,
			sangdam.Notify{Conversation: c, Content: channel.Text("x")})
		require.ErrorIs(t, err, sangdam.ErrInvalid, "there is no transaction")
	}, quiet, longOffers)
}

// database/sql over pgx: the connection under the host's transaction is joined.
func TestATransactionOfDatabaseSQLIsJoined(t *testing.T) {
	replay(t, []string{onPG}, func(t *testing.T, w *replayWorld) {
		w.orders()
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		c := w.of(mina).Conversation.ID
		db := stdlib.OpenDBFromPool(w.aside)
		defer func() { require.NoError(t, db.Close()) }()
		conn, err := db.Conn(w.ctx)
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		tx, err := conn.BeginTx(w.ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(w.ctx, `INSERT INTO public.orders VALUES ('A-1', 'cancelled')`)
		require.NoError(t, err)
		require.NoError(t, conn.Raw(func(d any) error {
			joined := w.eng.Join(postgres.HostConn(w.db, d.(*stdlib.Conn).Conn()))
			return errOf(joined.Notify(w.ctx, w.host, sangdam.Notify{Conversation: c, Content: channel.Text("cancelled")}))
		}))
		require.NoError(t, tx.Commit())
		w.settle()
		require.Equal(t, []string{"cancelled"}, mina.Texts(), "found by polling, without Announce")
	}, quiet, longOffers)
}

// While a host's transaction stays open, everybody else's work goes on: other
// customers', other commands with audit entries, and a change of the settings.
func TestAnOpenTransactionOfTheHostStopsNobody(t *testing.T) {
	replay(t, []string{onPG}, func(t *testing.T, w *replayWorld) {
		w.orders()
		w.online("a1")
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		mina.SendText("please cancel")
		w.settle()
		tx := w.hostsTx()
		_, err := w.cancels(w.ctx, tx, "A-1", w.of(mina).Conversation.ID)
		require.NoError(t, err)

		owned := w.begun(jun, "hello")
		require.NoError(t, errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation,
			Content: channel.Text("hi")})))
		q := w.configuration().Queues["q"]
		q.Name = "Renamed"
		w.saveQueue(q)
		w.settle()
		require.Equal(t, []string{"hi"}, jun.Texts())
		require.Equal(t, "Renamed", w.configuration().Queues["q"].Name)
		require.NoError(t, tx.Commit(w.ctx))
		w.settle()
		require.Equal(t, []string{"cancelled: A-1"}, mina.Texts())
	}, quiet, longOffers, withStream(func(s *routing.WorkStream) { s.Cost = 0 }))
}

// cutAt breaks a connection when it is about to send its n-th statement or batch.
type cutAt struct{ left int }

func (c *cutAt) cut(ctx context.Context, conn *pgx.Conn) context.Context {
	if c.left--; c.left == 0 {
		_ = conn.PgConn().Conn().Close()
	}
	return ctx
}

func (c *cutAt) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return c.cut(ctx, conn)
}
func (c *cutAt) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (c *cutAt) TraceBatchStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return c.cut(ctx, conn)
}
func (c *cutAt) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *cutAt) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// Wherever the host's connection breaks, there are both, order and message, or
// neither; and the host's repeat with the same key makes it both, once.
func TestAHostThatIsCutLeavesBothOrNeither(t *testing.T) {
	replay(t, []string{onPG}, func(t *testing.T, w *replayWorld) {
		w.orders()
		mina := w.line.User("Mina")
		mina.SendText("please cancel")
		w.settle()
		c := w.of(mina).Conversation.ID
		for n := 1; ; n++ {
			order := fmt.Sprint("A-", n)
			at := &cutAt{left: n}
			err := w.cancelsOver(at, order, c)
			w.settle()
			said := slices.Contains(mina.Texts(), "cancelled: "+order)
			require.Equal(t, w.order(order) != "", said, "cut before statement %d", n)
			if err == nil {
				require.Greater(t, n, 5, "the transaction has more statements than that")
				require.True(t, said)
				return
			}
			if !said {
				require.NoError(t, w.cancelsOver(&cutAt{}, order, c))
				w.settle()
			}
			require.Equal(t, 1, count(mina.Texts(), "cancelled: "+order))
		}
	}, quiet, longOffers)
}

func (w *replayWorld) cancelsOver(at *cutAt, order string, c conversation.ID) error {
	w.t.Helper()
	cfg, err := pgx.ParseConfig(w.dsn)
	require.NoError(w.t, err)
	cfg.Tracer = at
	ctx, stop := context.WithTimeout(w.ctx, 30*time.Second)
	defer stop()
	traced, err := pgx.ConnectConfig(ctx, cfg)
	require.NoError(w.t, err)
	defer func() { _ = traced.Close(context.WithoutCancel(ctx)) }()
	return pgx.BeginFunc(ctx, traced, func(tx pgx.Tx) error { return errOf(w.cancels(ctx, tx, order, c)) })
}

// On SQLite the host's statements run in the transaction of the command.
func TestTheHostsStatementsCommitWithACommandOnSQLite(t *testing.T) {
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		mina.SendText("please cancel")
		w.settle()
		c := w.only().Conversation.ID
		cancels := func(order, text string, more ...string) error {
			joined := w.eng.Join(sqlite.Host(w.db, func(_ context.Context, h *sqlite.HostTx) error {
				_, err := h.Exec(`INSERT INTO host_orders VALUES (?, 'cancelled')`, order)
				for _, statement := range more {
					if err == nil {
						_, err = h.Exec(statement)
					}
				}
				return err
			}))
			err := errOf(joined.Notify(w.ctx, w.host,
				sangdam.Notify{Key: sangdam.Key(order), Conversation: c, Content: channel.Text(text)}))
			w.settle()
			return err
		}
		orders := func() (n int64) {
			joined := w.eng.Join(sqlite.Host(w.db, func(_ context.Context, h *sqlite.HostTx) error {
				require.NoError(w.t, h.Query(`SELECT count(*) FROM host_orders`, func(r sqlite.HostRow) bool { n = r.Int(0); return true }))
				return errors.New("only looking")
			}))
			require.ErrorContains(w.t, errOf(joined.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: c, Text: "x"})), "only looking")
			return n
		}
		require.ErrorIs(t, cancels("A-1", " "), sangdam.ErrInvalid)
		require.Zero(t, orders(), "the refused command took the host's row along")
		for _, no := range []string{"COMMIT", "PRAGMA user_version = 7", "ATTACH 'x' AS x", "DROP TABLE host_orders", ""} {
			require.ErrorIs(t, cancels("A-1", "cancelled", no), sangdam.ErrInvalid, no)
		}
		require.Zero(t, orders())
		require.Empty(t, mina.Texts())
		require.NoError(t, cancels("A-1", "cancelled"))
		require.EqualValues(t, 1, orders())
		joined := w.eng.Join(sqlite.Host(w.db, func(_ context.Context, h *sqlite.HostTx) error {
			return errors.Join(h.Query(`SELECT id, state, CAST(id AS BLOB), NULL FROM host_orders`, func(r sqlite.HostRow) bool {
				require.Equal(t, []any{"A-1", "cancelled", []byte("A-1"), ""}, []any{r.Text(0), r.Text(1), r.Bytes(2), r.Text(3)})
				require.Equal(t, []bool{false, true}, []bool{r.Null(0), r.Null(3)})
				return true
			}), errors.New("only looking"))
		}))
		require.ErrorContains(t, errOf(joined.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: c, Text: "x"})), "only looking")
		require.Equal(t, []string{"cancelled"}, mina.Texts())
		require.ErrorIs(t, cancels("A-1", "cancelled twice"), sangdam.ErrConflict, "the host's own key")
		require.Equal(t, []string{"cancelled"}, mina.Texts())
	}, quiet, longOffers, func(w *world, _ *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		require.NoError(w.t, w.db.Close())
		db, err := sqlite.Open(w.ctx, sqlite.Options{Dir: w.t.TempDir(),
			HostSchema: []string{`CREATE TABLE IF NOT EXISTS host_orders (id TEXT PRIMARY KEY, state TEXT NOT NULL)`}})
		require.NoError(w.t, err)
		w.db, w.cfg.DB = db, db
	})
}

func TestAHostSchemaMakesTablesOfItsOwnOnly(t *testing.T) {
	for _, no := range []string{"", "DROP TABLE meta", "CREATE TABLE IF NOT EXISTS meta (x)", "CREATE TABLE host_x (y)",
		"PRAGMA user_version = 1"} {
		_, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), HostSchema: []string{no}})
		require.ErrorIs(t, err, sangdam.ErrInvalid, no)
	}
}

// TestTicketsAreOpenedInHostsTransactions: two hosts open tickets at once, and
// others while they have not committed: nobody waits for a number. One that rolls
// back leaves no ticket, only a number that nobody gets.
func TestTicketsAreOpenedInHostsTransactions(t *testing.T) {
	replay(t, []string{onPG}, func(t *testing.T, w *replayWorld) {
		open := func(joined *sangdam.Joined, title string) sangdam.TicketState {
			made, err := joined.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Key: sangdam.Key(title), Title: title, Body: "it never came"})
			require.NoError(t, err)
			return made
		}
		one, two := w.hostsTx(), w.hostsTx()
		first := w.eng.Join(postgres.Host(w.db, one))
		second := w.eng.Join(postgres.Host(w.db, two))
		a, b := open(first, "a"), open(second, "b")
		c, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "c", Body: "it never came"})
		require.NoError(t, err, "nobody waits for them")
		_, err = first.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "for one", Body: "x", Agent: "a1"})
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
		require.NoError(t, one.Commit(w.ctx))
		first.Announce()
		require.NoError(t, two.Rollback(w.ctx))
		w.settle()
		numbers := map[int64]bool{}
		for _, made := range []sangdam.TicketState{a, c} {
			d, err := w.eng.Ticket(w.ctx, w.host, made.Ticket)
			require.NoError(t, err)
			numbers[d.Ticket.Number] = true
		}
		require.Len(t, numbers, 2)
		_, err = w.eng.Ticket(w.ctx, w.host, b.Ticket)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "it was rolled back")
		again, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Key: "a", Title: "a", Body: "it never came"})
		require.NoError(t, err)
		require.Equal(t, a.Ticket, again.Ticket, "the key is known")
	}, quiet, longOffers)
}
