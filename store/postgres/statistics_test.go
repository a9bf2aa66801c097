package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/stretchr/testify/require"
)

// TestGrownTablesAreAnalysed: a database that grew by itself, where autovacuum
// has not come by, reads a document by its key and a list by its tag in few
// pages.
func TestGrownTablesAreAnalysed(t *testing.T) {
	db := openAt(t, Options{DSN: pgtest.Start(t)})
	b := db.Backend().(*backend)
	ctx := context.Background()
	for _, table := range []string{"documents", "document_tags"} {
		require.NoError(t, b.run(ctx, query(`ALTER TABLE sd.`+table+` SET (autovacuum_enabled = off)`)))
	}
	const n = 4000
	id := func(i int) string { return fmt.Sprintf("d%05d", i) }
	require.NoError(t, b.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		var docs []driver.Doc
		for i := range n {
			docs = append(docs, driver.Doc{Kind: "k", ID: id(i), Decl: 1, Body: []byte(`{}`),
				Tags: []driver.Tag{{Name: "of", Value: []byte{byte(i % 20)}, Order: []byte(id(i))}}})
		}
		return tx.Documents.Put(ctx, docs)
	}))
	analysed := func() bool {
		known := 0
		require.NoError(t, b.run(ctx, query(`SELECT count(*) FROM pg_stat_user_tables WHERE schemaname = $1 AND last_analyze IS NOT NULL
			AND relname IN ('documents', 'document_tags')`, b.opts.Schema).rows(func(r pgx.Rows) error { return r.Scan(&known) })))
		return known == 2
	}
	require.Eventually(t, analysed, time.Minute, 50*time.Millisecond)

	jit := ""
	require.NoError(t, b.run(ctx, query(`SHOW jit`).rows(func(r pgx.Rows) error { return r.Scan(&jit) })))
	require.Equal(t, "off", jit, "a list that may be long is compiled for longer than it takes")

	for name, tc := range map[string]struct {
		do    func(ctx context.Context, tx driver.Tx) (int, error)
		found int
		pages int64
	}{
		"a document": {func(ctx context.Context, tx driver.Tx) (int, error) {
			docs, err := tx.Documents.Get(ctx, driver.Keys{Kind: "k", IDs: []string{id(n / 2)}})
			return len(docs), err
		}, 1, 20},
		"fifty": {func(ctx context.Context, tx driver.Tx) (int, error) {
			docs, err := tx.Documents.List(ctx, driver.Range{Kind: "k", Tag: "of", Value: []byte{7}, Desc: true}, driver.Place{}, 50)
			return len(docs), err
		}, 50, 300},
		"the configuration": {func(ctx context.Context, tx driver.Tx) (int, error) {
			_, docs, err := tx.Documents.Configuration(ctx, -1, []string{"desk", "queue", "work_stream"})
			return len(docs), err
		}, 0, 20},
	} {
		require.NoError(t, b.Update(ctx, ws, func(ctx context.Context, dt driver.Tx) error {
			_, err := tc.do(ctx, dt) // the planner reads some pages of its own
			require.NoError(t, err)
			before := pagesRead(t, dt)
			found, err := tc.do(ctx, dt)
			require.NoError(t, err)
			require.Equal(t, tc.found, found, name)
			read := pagesRead(t, dt) - before
			require.LessOrEqual(t, read, tc.pages, "%s: pages", name)
			return nil
		}))
	}
}

// pagesRead is how many pages of the documents' tables and indexes this
// transaction has read.
func pagesRead(t *testing.T, dt driver.Tx) (n int64) {
	t.Helper()
	x := dt.Session.(*tx)
	require.NoError(t, x.read(x.ctx, query(`SELECT sum(pg_stat_get_xact_blocks_fetched(c.oid))::bigint FROM pg_class c
		JOIN pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = $1 AND c.relname LIKE 'document%'`, x.b.opts.Schema).
		rows(func(r pgx.Rows) error { return r.Scan(&n) })))
	return n
}
