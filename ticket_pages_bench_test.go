package sangdam

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// BenchmarkPagesOfTickets is what a page costs among many tickets: lists, a
// saved view and searches, the p99 of each.
//
//	SANGDAM_BENCH_TICKETS=1000000 SANGDAM_BENCH_DATA=/var/tmp/tickets \
//		go test -run '^$' -bench PagesOfTickets -benchtime 500x -timeout 2h .
//
// SANGDAM_BENCH_DATA keeps the data on SQLite for the next run, and so does the
// database that SANGDAM_BENCH_DSN names on PostgreSQL.
func BenchmarkPagesOfTickets(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("SANGDAM_BENCH_TICKETS"))
	if err != nil {
		n = 20_000
	}
	b.Run("sqlite", func(b *testing.B) {
		dir := os.Getenv("SANGDAM_BENCH_DATA")
		if dir == "" {
			dir = b.TempDir()
		}
		db, err := sqlite.Open(b.Context(), sqlite.Options{Dir: dir})
		require.NoError(b, err)
		pagesOfTickets(b, db, n, func() {})
	})
	b.Run("postgres", func(b *testing.B) {
		dsn := os.Getenv("SANGDAM_BENCH_DSN")
		if dsn == "" {
			dsn = pgtest.Start(b)
		}
		db, err := postgres.Open(b.Context(), postgres.Options{DSN: dsn})
		require.NoError(b, err)
		pagesOfTickets(b, db, n, func() { // as a server does by itself, where it was not started for a test
			conn, err := pgx.Connect(b.Context(), dsn)
			require.NoError(b, err)
			_, err = conn.Exec(b.Context(), "VACUUM ANALYZE")
			require.NoError(b, errors.Join(err, conn.Close(b.Context())))
		})
	})
}

func pagesOfTickets(b *testing.B, db *store.DB, n int, seeded func()) {
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	keys, err := seal.Ephemeral()
	require.NoError(b, err)
	e, err := New(Config{DB: db, Sealer: keys, Poll: time.Hour})
	require.NoError(b, err)
	ctx, host := b.Context(), Host("w")
	if err := e.CreateWorkspace(ctx, "w", "W"); err != nil {
		require.ErrorIs(b, err, ErrAlreadyExists)
	}
	newest, err := e.Tickets(ctx, host, TicketFilter{Order: ticket.ByNumber, Desc: true}, "", 1)
	require.NoError(b, err)
	from := 0
	if len(newest.Tickets) > 0 {
		from = int(newest.Tickets[0].Number)
	}
	begun := time.Now()
	seedTickets(b, e, from, n, max(n/1000, 10))
	if from < n {
		b.Logf("%d tickets seeded in %s", n-from, time.Since(begun).Round(time.Second))
		seeded()
	}
	urgent := ticket.View{ID: "urgent", Name: "Urgent", When: condition.Condition{All: []condition.Clause{
		{Field: "priority", Op: condition.Gte, Value: 1.0}}}}
	if _, err := e.SaveTicketView(ctx, host, SaveTicketView{View: urgent}); err != nil {
		require.ErrorIs(b, err, ErrAlreadyExists)
	}
	list := func(f TicketFilter) func() (int, error) {
		return func() (int, error) {
			page, err := e.Tickets(ctx, host, f, "", 50)
			return len(page.Tickets), err
		}
	}
	search := func(text string) func() (int, error) {
		return func() (int, error) {
			found, err := e.SearchTickets(ctx, host, text, "", 20)
			return len(found.Tickets), err
		}
	}
	for _, page := range []struct {
		name string
		do   func() (int, error)
	}{
		{"list", list(TicketFilter{Desc: true})},
		{"agent", list(TicketFilter{Agent: "a7", Desc: true})},
		{"label", list(TicketFilter{Tag: "shop7", Desc: true})},
		{"view", list(TicketFilter{View: "urgent", Desc: true})},
		{"rare", search("rare lamp")},
		{"common", search("has not arrived")},
		{"one", search(fmt.Sprint("order ", n*734217/1_000_000))},
		{"alike", search(fmt.Sprint("order ", n/2))}, // 500000: two groups of four digits, which hundreds of others have
	} {
		b.Run(page.name, func(b *testing.B) {
			var took []time.Duration
			shown := 0
			for b.Loop() {
				at := time.Now()
				found, err := page.do()
				took = append(took, time.Since(at))
				if shown = found; err != nil || found == 0 {
					b.Fatalf("%d found, %v", found, err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(shown), "shown")
		})
	}
}
