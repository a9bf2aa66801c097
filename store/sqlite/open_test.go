package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// ownerEnv makes the test binary a process that owns a data directory.
const ownerEnv = "SANGDAM_TEST_OWN_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerEnv); dir != "" {
		own(dir)
		return
	}
	os.Exit(m.Run())
}

// own opens the directory, says so, and holds it until its input ends.
func own(dir string) {
	db, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		os.Stdout.WriteString("error " + err.Error() + "\n")
		return
	}
	defer db.Close()
	os.Stdout.WriteString("open\n")
	bufio.NewScanner(os.Stdin).Scan()
}

// owner starts another process that opens the directory and returns what it
// said.
func owner(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerEnv+"="+dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	scan := bufio.NewScanner(out)
	require.True(t, scan.Scan())
	return cmd, scan.Text()
}

func TestOptionsAreChecked(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	blocked := filepath.Join(dir, "blocked") // a lock that cannot be opened, whoever runs the test
	require.NoError(t, os.MkdirAll(filepath.Join(blocked, lockFile), 0o700))
	for name, c := range map[string]struct {
		o    Options
		says string
	}{
		"no directory":         {Options{}, "Options.Dir"},
		"negative batch":       {Options{Dir: dir, MaxBatch: -1}, "Options.MaxBatch"},
		"huge batch":           {Options{Dir: dir, MaxBatch: maxBatch + 1}, "Options.MaxBatch"},
		"negative readers":     {Options{Dir: dir, Readers: -1}, "Options.Readers"},
		"a file":               {Options{Dir: file}, "is not a directory"},
		"below a file":         {Options{Dir: filepath.Join(file, "x")}, "cannot be made"},
		"unwritable directory": {Options{Dir: blocked}, "is not writable"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.o)
			require.ErrorIs(t, err, store.ErrInvalid)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestReadOnlyDirectoryIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(dir, 0o500))
	db, err := Open(t.Context(), Options{Dir: dir})
	if os.Geteuid() == 0 { // root writes where it likes
		require.NoError(t, err)
		require.NoError(t, db.Close())
		return
	}
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorContains(t, err, dir)
}

func TestMissingDirectoryIsMadeAndNobodyElseMayRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b", "what?%20#", "c")
	db := openTest(t, Options{Dir: dir})
	appendKeys(t, db, "l", "k")
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		if e.IsDir() {
			require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), path)
			return nil
		}
		files++
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), path)
		return nil
	}))
	require.GreaterOrEqual(t, files, 4, "data, its log, its shared memory, the lock")
}

func TestDirectoryInUseByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	other, said := owner(t, dir)
	require.Equal(t, "open", said)

	_, err := Open(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "in use by process")
	require.ErrorContains(t, err, "another directory")

	require.NoError(t, other.Process.Kill())
	_ = other.Wait()
	db := openTest(t, Options{Dir: dir}) // the system took the dead one's lock back
	_, said = owner(t, dir)
	require.True(t, strings.HasPrefix(said, "error "), said)
	require.Contains(t, said, "in use")
	update(t, db, saving("a"))
}

func TestDirectoryInUseByThisProcess(t *testing.T) {
	dir := t.TempDir()
	openTest(t, Options{Dir: dir})
	_, err := Open(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, store.ErrUnavailable)
}

func TestGarbageInsteadOfADatabase(t *testing.T) {
	for name, content := range map[string]string{
		"text":             strings.Repeat("this is not a database ", 500),
		"short":            "x",
		"a header alone":   "SQLite format 3\x00 and then garbage",
		"garbage behind a": "SQLite format 3\x00" + strings.Repeat("\xff", 8192),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, dataFile)
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := Open(t.Context(), Options{Dir: dir})
			require.ErrorIs(t, err, store.ErrInvalid)
			require.ErrorContains(t, err, path)
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, content, string(left), "the file was changed")
			require.NoError(t, os.Remove(path))
			openTest(t, Options{Dir: dir}) // the lock was given back
		})
	}
}

// execFile runs SQL on the data of a closed store.
func execFile(t testing.TB, dir, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, dataFile))
	require.NoError(t, err)
	_, err = db.Exec(text)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestDatabaseOfAnotherProgram(t *testing.T) {
	dir := t.TempDir()
	execFile(t, dir, `CREATE TABLE theirs (x)`)
	_, err := Open(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorContains(t, err, "another program")
}

func TestNewerSchema(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, db.System().CreateWorkspace(t.Context(), testWS, ""))
	require.NoError(t, db.Update(t.Context(), testWS, saving("a")))
	require.NoError(t, db.Close())

	execFile(t, dir, fmt.Sprintf(`UPDATE schema_info SET version = %d, min_program = 1; ALTER TABLE documents ADD COLUMN later TEXT;
		INSERT INTO migrations (version_id, is_applied) VALUES (%[1]d, 1)`, programVersion+1))
	db, err = Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err, "a newer schema that still serves this program")
	require.True(t, hasContact(t, db, "a"))
	require.NoError(t, db.Update(t.Context(), testWS, saving("b")))
	require.NoError(t, db.Close())

	execFile(t, dir, fmt.Sprintf(`UPDATE schema_info SET min_program = %d`, programVersion+1))
	_, err = Open(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, store.ErrUnsupported)
	require.ErrorContains(t, err, fmt.Sprintf("schema %d", programVersion+1))
	require.ErrorContains(t, err, "run the newer program")
}

func TestInterruptedFirstMigrationIsFinished(t *testing.T) {
	dir := t.TempDir()
	execFile(t, dir, `CREATE TABLE migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER
		NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now'))); INSERT INTO migrations (version_id, is_applied) VALUES (0, 1)`)
	update(t, openTest(t, Options{Dir: dir}), saving("a"))
}

func TestSettingsOfEveryConnection(t *testing.T) {
	b := backendOf(openTest(t, Options{}))
	check := func(c *raw.Conn) {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1"} {
			got := ""
			require.NoError(t, c.Query("PRAGMA "+pragma, func(r raw.Row) bool { got = r.Text(0); return false }))
			require.Equal(t, want, got, pragma)
		}
	}
	check(b.com.conn)
	reader := <-b.readers
	check(reader)
	b.readers <- reader
}

// TestKeysBeginWithTheWorkspace reads the schema: a key that does not begin
// with the workspace could show one tenant's rows to another.
func TestKeysBeginWithTheWorkspace(t *testing.T) {
	// Keys of the database as a whole, and the token that finds the workspace.
	apart := map[string]bool{
		"schema_info": true, "state": true, "meta": true, "leases": true, "workspaces": true, "migrations": true,
		"documents_g": true,
		// By time or over all workspaces, to find what is to be done.
		"deadlines_due": true, "jobs_due": true, "jobs_by_kind": true, "agents_beat": true,
	}
	c := backendOf(openTest(t, Options{})).com.conn
	found := 0
	require.NoError(t, c.Query(`SELECT m.name, l.name, l.origin, (SELECT name FROM pragma_index_info(l.name) WHERE seqno = 0)
		FROM sqlite_schema m, pragma_index_list(m.name) l WHERE m.type = 'table' AND m.name NOT LIKE 'search_tokens%'`,
		func(r raw.Row) bool {
			if table, index := r.Text(0), r.Text(1); !apart[table] && !apart[index] {
				found++
				require.Equal(t, "ws", r.Text(3), "%s of %s", index, table)
			}
			return true
		}))
	require.Greater(t, found, 40)
	require.NoError(t, c.Query(`SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
		AND name NOT LIKE 'sqlite_%' AND name <> 'migrations'`, func(r raw.Row) bool {
		require.True(t, r.Bool(1), "%s is not STRICT", r.Text(0))
		return true
	}))
}
