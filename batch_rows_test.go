package sangdam_test

import (
	"context"
	"flag"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/store"
)

var growTo = flag.Int("grow", 20_000, "conversations that TestRowsReadStayFlatAsTablesGrow grows the tables to")

// grown are the tables of a conversation: which columns name a row of its own, and
// what others shall be; of documents, those of a kind.
var grown = []struct {
	table string
	own   []string
	other map[string]string
	kind  string
}{
	{table: "documents", own: []string{"id"}, other: map[string]string{"i0": ownBytes("i0")}, kind: "contact"},
	{table: "documents", own: []string{"id"}, other: map[string]string{"u0": ownBytes("u0"), "i0": ownBytes("i0")}, kind: "identity"},
	{table: "document_tags", own: []string{"id"}, other: map[string]string{"ord": ownBytes("ord")}, kind: "contact"},
	{table: "conversations", own: []string{"id", "thread", "contact"}, other: nil},
	{table: "messages", own: []string{"id", "conversation", "chat_id", "provider"}, other: nil},
	{table: "conversation_events", own: []string{"conversation"}, other: nil},
	{table: "items", own: []string{"id"}, other: map[string]string{"seq": "nextval(pg_get_serial_sequence('sangdam.items', 'seq'))"}},
	{table: "assignments", own: []string{"id", "item"}, other: nil},
	{table: "decisions", own: []string{"item"}, other: map[string]string{"n": ""}},
	{table: "events", own: nil, other: map[string]string{"id": "", "xid": ""}},
	{table: "inbox", own: []string{"id", "dedup", "lane"},
		other: map[string]string{"seq": "nextval(pg_get_serial_sequence('sangdam.inbox', 'seq'))"}},
	{table: "jobs", own: []string{"id", "key"}, other: map[string]string{"state": "'done'", "claimable": "NULL"}},
}

// ownBytes is a row's own value of a column of bytes.
func ownBytes(column string) string { return "t." + column + " || convert_to('-' || series.n, 'UTF8')" }

// grow adds rows like one that is there to each table.
func (w *wholeWay) grow(c *pgx.Conn, n int) {
	w.t.Helper()
	for _, g := range grown {
		var columns []string
		rows, err := c.Query(w.t.Context(),
			`SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'sangdam' AND table_name = $1`, g.table)
		require.NoError(w.t, err)
		columns, err = pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(w.t, err)
		var into, from []string
		for _, name := range columns {
			value := "t." + name
			for _, own := range g.own {
				if own == name {
					value = "t." + name + " || '-' || series.n"
				}
			}
			if other, is := g.other[name]; is {
				if value = other; value == "" {
					continue // the table numbers its rows
				}
			}
			into, from = append(into, name), append(from, value)
		}
		of := ""
		if g.kind != "" {
			of = ` WHERE kind = '` + g.kind + `'`
		}
		_, err = c.Exec(w.t.Context(), `INSERT INTO sangdam.`+g.table+` (`+strings.Join(into, ", ")+`) SELECT `+strings.Join(from, ", ")+
			` FROM sangdam.`+g.table+` t, generate_series(1, $1) series(n)
			WHERE t.ctid = (SELECT ctid FROM sangdam.`+g.table+of+` LIMIT 1)`, n)
		require.NoError(w.t, err, g.table)
	}
}

// rowsConnections are few, so that those whose plans are the oldest are used.
const rowsConnections = 3

// read is how many rows and entries of indexes the server's statistics say were
// read so far. A connection reports what it did with the first statement a second
// later.
func (w *wholeWay) read(c *pgx.Conn) (rows, entries float64) {
	w.t.Helper()
	time.Sleep(1100 * time.Millisecond)
	var ready, done sync.WaitGroup
	ready.Add(rowsConnections)
	for range rowsConnections {
		done.Go(func() {
			err := w.db.View(context.Background(), ws, func(_ context.Context, tx store.Tx) error {
				_ = tx.Now() // asks on a connection of its own
				ready.Done()
				ready.Wait()
				return nil
			})
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	done.Wait()
	require.NoError(w.t,
		c.QueryRow(w.t.Context(), `SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::float8 FROM pg_stat_user_tables`).Scan(&rows))
	require.NoError(w.t, c.QueryRow(w.t.Context(), `SELECT sum(idx_tup_read)::float8 FROM pg_stat_user_indexes`).Scan(&entries))
	return rows, entries
}

// TestRowsReadStayFlatAsTablesGrow: statements are planned while the tables are
// empty, and nobody but the store has them analysed. What a new conversation reads
// stays the same when they have grown.
func TestRowsReadStayFlatAsTablesGrow(t *testing.T) {
	if testing.Short() {
		t.Skip("fills tables; the plain run does")
	}
	w := newWholeWayOver(t, nil, rowsConnections)
	c, err := pgx.Connect(t.Context(), w.dsn)
	require.NoError(t, err)
	defer func() { _ = c.Close(context.Background()) }()
	for _, g := range grown {
		_, err := c.Exec(t.Context(), `ALTER TABLE sangdam.`+g.table+` SET (autovacuum_enabled = off)`)
		require.NoError(t, err)
	}
	w.run()
	w.anew(32, 4) // every connection has its plans
	measure := func() (rows, entries float64) {
		before, entriesBefore := w.read(c)
		w.anew(1, 8)
		w.anew(32, 4)
		rows, entries = w.read(c)
		return (rows - before) / (8 + 4*32), (entries - entriesBefore) / (8 + 4*32)
	}
	rows, entries := measure()
	w.grow(c, *growTo)
	w.analysed(c)
	w.anew(32, 2) // the router has read the feed
	manyRows, manyEntries := measure()
	t.Logf("rows a conversation: %.1f, then %.1f; entries: %.1f, then %.1f", rows, manyRows, entries, manyEntries)
	require.LessOrEqual(t, manyRows, 2*rows+20)
	require.LessOrEqual(t, manyEntries, 2*entries+20)
}

// analysed waits until the store has had the tables analysed that have grown so
// far. It looks after so many statements, which are therefore made here.
func (w *wholeWay) analysed(c *pgx.Conn) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		for range 500 {
			require.NoError(w.t, w.db.View(w.t.Context(), ws, func(_ context.Context, tx store.Tx) error { _ = tx.Now(); return nil }))
		}
		due := 0
		require.NoError(w.t, c.QueryRow(w.t.Context(), `SELECT count(*) FROM pg_stat_user_tables
			WHERE n_live_tup >= 1000 AND last_analyze IS NULL AND last_autoanalyze IS NULL`).Scan(&due))
		return due == 0
	}, time.Minute, 50*time.Millisecond)
}

// TestManyWaitingCostNoMoreEach: customers who wrote while no engine ran, and whose
// conversations are then begun and assigned, cost the server no more each when many
// of them wait. As many came before them: a database that grows from nothing to
// thousands in a second reads more until its tables are analysed.
func TestManyWaitingCostNoMoreEach(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands wait; the plain run does")
	}
	each := func(waiting int) (rows, entries float64) {
		w := newWholeWayOver(t, nil, rowsConnections)
		c, err := pgx.Connect(t.Context(), w.dsn)
		require.NoError(t, err)
		defer func() { _ = c.Close(context.Background()) }()
		wait := func() {
			var group errgroup.Group
			group.SetLimit(32)
			for range waiting {
				group.Go(func() error { w.write(); return nil })
			}
			require.NoError(t, group.Wait())
		}
		wait()
		stop := w.run()
		w.until(&w.count, int64(waiting))
		stop()
		w.analysed(c)
		wait()
		rows, entries = w.read(c)
		w.run()
		w.until(&w.count, int64(2*waiting))
		allRows, allEntries := w.read(c)
		return (allRows - rows) / float64(waiting), (allEntries - entries) / float64(waiting)
	}
	rows, entries := each(200)
	manyRows, manyEntries := each(2500)
	t.Logf("rows a conversation: %.1f, then %.1f; entries: %.1f, then %.1f", rows, manyRows, entries, manyEntries)
	require.LessOrEqual(t, manyRows, 2*rows+20)
	require.LessOrEqual(t, manyEntries, 2*entries+20)
}
