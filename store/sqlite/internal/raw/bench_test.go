package raw_test

import (
	"database/sql/driver"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

const (
	schema = `CREATE TABLE t(ws INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, doc TEXT NOT NULL,
		PRIMARY KEY(ws, id)) STRICT`
	insert = `INSERT INTO t VALUES(?,?,?,?,?) ON CONFLICT DO NOTHING`
	lookup = `SELECT version, name, doc FROM t WHERE ws=? AND id=?`
)

func emptyFile(tb testing.TB) string {
	path := filepath.Join(tb.TempDir(), "t.db")
	require.NoError(tb, os.WriteFile(path, nil, 0o600))
	return path
}

// BenchmarkLookup compares a lookup by key through this package with the same
// through the database/sql driver's own connection, without database/sql.
func BenchmarkLookup(b *testing.B) {
	doc := make([]byte, 400)
	for i := range doc {
		doc[i] = 'x'
	}
	b.Run("raw", func(b *testing.B) {
		c, err := raw.Open(emptyFile(b))
		require.NoError(b, err)
		defer c.Close()
		_, err = c.Exec(schema)
		require.NoError(b, err)
		_, err = c.Exec(insert, 1, "a", 1, "n", string(doc))
		require.NoError(b, err)
		_, err = c.Exec("BEGIN")
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			if err := c.Query(lookup, func(r raw.Row) bool { n = len(r.View(2)); return false }, 1, "a"); err != nil || n != len(doc) {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("driver", func(b *testing.B) {
		c, err := (&sqlite.Driver{}).Open(emptyFile(b))
		require.NoError(b, err)
		defer c.Close()
		for _, sql := range []string{schema, `INSERT INTO t VALUES(1,'a',1,'n','` + string(doc) + `')`, "BEGIN"} {
			s, err := c.Prepare(sql)
			require.NoError(b, err)
			_, err = s.Exec(nil) //nolint:staticcheck // the driver's own interface is what is measured
			require.NoError(b, err)
			require.NoError(b, s.Close())
		}
		s, err := c.Prepare(lookup)
		require.NoError(b, err)
		defer s.Close()
		b.ReportAllocs()
		dest := make([]driver.Value, 3)
		for b.Loop() {
			rows, err := s.Query([]driver.Value{int64(1), "a"}) //nolint:staticcheck // as above
			if err != nil {
				b.Fatal(err)
			}
			if err := rows.Next(dest); err != nil && err != io.EOF {
				b.Fatal(err)
			}
			if err := rows.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
