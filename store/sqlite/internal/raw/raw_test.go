package raw_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

func open(t *testing.T) *raw.Conn {
	c, err := raw.Open(emptyFile(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestValuesComeBack(t *testing.T) {
	c := open(t)
	_, err := c.Exec(`CREATE TABLE v (i INTEGER, t TEXT, b BLOB) STRICT`)
	require.NoError(t, err)
	for _, text := range []string{"", "a\x00b", "😀", strings.Repeat("가", 1<<20)} {
		for _, number := range []int64{0, -1, 1 << 62} {
			n, err := c.Exec(`INSERT INTO v VALUES (?, ?, ?)`, number, text, []byte(text))
			require.NoError(t, err)
			require.Equal(t, 1, n)
			rows := 0
			quoted, blob := raw.Text(text), []byte(text)
			n, err = c.Exec(`DELETE FROM v WHERE i = ? AND t = ? AND t IS ? AND b = ?`, &number, &text, &quoted, &blob)
			require.NoError(t, err)
			require.Equal(t, 1, n, "pointers are what they point to")
			_, err = c.Exec(`INSERT INTO v VALUES (?, ?, ?)`, &number, &quoted, &blob)
			require.NoError(t, err)
			require.NoError(t, c.Query(`SELECT i, t, b, NULL, t IS ? FROM v`, func(r raw.Row) bool {
				rows++
				require.Equal(t, number, r.Int(0))
				require.Equal(t, text, r.Text(1))
				require.Equal(t, text, string(r.Bytes(2)))
				require.True(t, r.Null(3))
				require.True(t, r.Bool(4))
				return true
			}, raw.Text(text)))
			require.Equal(t, 1, rows)
			n, err = c.Exec(`DELETE FROM v`)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
	}
	n, err := c.Exec(`DELETE FROM v`)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestMistakesAreErrors(t *testing.T) {
	c := open(t)
	_, err := c.Exec(`SELECT ?`)
	require.ErrorContains(t, err, "0 arguments for the 1 parameters")
	_, err = c.Exec(`SELECT ?`, 1, 2)
	require.Error(t, err)
	_, err = c.Exec(`SELECT ?`, 1.5)
	require.ErrorContains(t, err, "unknown type")
	_, err = c.Exec(`SELEKT`)
	require.Error(t, err)
	_, err = c.Exec(``)
	require.ErrorContains(t, err, "empty statement")
	_, err = raw.Open(filepath.Join(t.TempDir(), "none"))
	require.Error(t, err, "a file that is not there")
}

func TestAStatementInsideARowIsRefused(t *testing.T) {
	c := open(t)
	require.NoError(t, c.Query(`SELECT 1`, func(raw.Row) bool {
		_, err := c.Exec(`SELECT 2`)
		require.ErrorContains(t, err, "still running")
		return true
	}))
	require.Panics(t, func() { _ = c.Query(`SELECT 1`, func(raw.Row) bool { panic("boom") }) })
	_, err := c.Exec(`SELECT 3`)
	require.NoError(t, err, "the connection is free after a panic")
}

func TestErrorsHaveCodes(t *testing.T) {
	c := open(t)
	for _, sql := range []string{`CREATE TABLE u (k TEXT UNIQUE)`, `INSERT INTO u VALUES ('a')`} {
		_, err := c.Exec(sql)
		require.NoError(t, err)
	}
	_, err := c.Exec(`INSERT INTO u VALUES ('a')`)
	require.True(t, raw.Is(err, raw.CodeConstraint), "%v", err)
	require.False(t, raw.Is(err, raw.CodeFull))

	_, err = c.Exec(`BEGIN`)
	require.NoError(t, err)
	require.True(t, c.InTransaction())
	_, err = c.Exec(`ROLLBACK`)
	require.NoError(t, err)
	require.False(t, c.InTransaction())

	path := filepath.Join(t.TempDir(), "garbage")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("garbage", 1000)), 0o600))
	g, err := raw.Open(path)
	require.NoError(t, err)
	_, err = g.Exec(`SELECT * FROM sqlite_schema`)
	require.True(t, raw.Is(err, raw.CodeNotADB), "%v", err)
	require.NoError(t, g.Close())
}
