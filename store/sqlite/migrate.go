package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	moderncsqlite "modernc.org/sqlite"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// programVersion is the schema that this program writes. A schema names the
// lowest program that it serves: a newer schema that only adds things serves
// this program too, so that a program can be rolled back by one version. It is
// the number of migrations: a new one is a new file, and each says the version
// that it makes.
var programVersion = countMigrations()

//go:embed migrations/*.sql
var migrations embed.FS

func countMigrations() int64 {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return int64(len(files))
}

// schema is what schema_info says.
type schema struct{ version, minProgram int64 }

// migrate brings the file to programVersion, or refuses it. The caller holds
// the lock on the directory.
func migrate(ctx context.Context, path string, log *slog.Logger) error {
	found, err := readSchema(path)
	if err != nil {
		return err
	}
	if found.minProgram > programVersion {
		return errs.New(errs.Unsupported, "sqlite: %s has schema %d, which needs a program of schema %d or later; this one is of schema "+
			"%d: run the newer program, or restore a backup from before the upgrade", path, found.version, found.minProgram, programVersion)
	}
	if found.version >= programVersion {
		return nil
	}
	if err := runMigrations(ctx, path, programVersion); err != nil {
		return err
	}
	log.Info("sqlite: schema migrated", "file", path, "from", found.version, "to", programVersion)
	return nil
}

// readSchema sets the file to WAL and reads its schema; version 0 is an empty
// file.
func readSchema(path string) (schema, error) {
	c, err := openConn(path)
	if err != nil {
		return schema{}, err
	}
	defer c.Close()
	var tables, ours int64
	err = c.Query(`SELECT count(*), coalesce(sum(name = 'schema_info'), 0) FROM sqlite_schema WHERE type = 'table'`, func(r raw.Row) bool {
		tables, ours = r.Int(0), r.Int(1)
		return false
	})
	if err != nil {
		return schema{}, fileError(path, err)
	}
	var s schema
	if ours == 0 {
		if unfinished(c, tables) {
			return s, nil
		}
		return s, errs.New(errs.Invalid, "sqlite: %s is a database of another program; name another directory", path)
	}
	err = c.Query(`SELECT version, min_program FROM schema_info`, func(r raw.Row) bool {
		s = schema{r.Int(0), r.Int(1)}
		return false
	})
	return s, fileError(path, err)
}

// unfinished reports whether the file is empty, or holds nothing but what the
// migrations keep for themselves, because the first one was interrupted.
func unfinished(c *raw.Conn, tables int64) bool {
	var own int64
	err := c.Query(`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('migrations', 'sqlite_sequence')`,
		func(r raw.Row) bool {
			own = r.Int(0)
			return false
		})
	return err == nil && own == tables
}

// runMigrations applies what is missing up to a schema, each migration in a
// transaction.
func runMigrations(ctx context.Context, path string, schema int64) (err error) {
	own := &moderncsqlite.Driver{}
	if err := own.RegisterDeterministicScalarFunction("sha256", 1, sha256Of); err != nil {
		return errs.New(errs.Unavailable, "sqlite: migrating %s: %w", path, err)
	}
	db := sql.OpenDB(connector{own, fileURL(path) + "?_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"})
	db.SetMaxOpenConns(1)
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithTableName("migrations"), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	if _, err := p.UpTo(ctx, schema); err != nil {
		return errs.New(errs.Unavailable, "sqlite: migrating %s: %w", path, err)
	}
	return nil
}

// connector opens connections of a driver that is registered nowhere: what is added
// to it is not added to the host's connections.
type connector struct {
	own  *moderncsqlite.Driver
	name string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.own.Open(c.name) }

func (c connector) Driver() driver.Driver { return c.own }

// sha256Of is a function that migrations call: keys of documents that are too long
// are their beginning and a hash.
func sha256Of(_ *moderncsqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	b, is := args[0].([]byte)
	if !is {
		return nil, errs.New(errs.Invalid, "sqlite: sha256 is of a blob, not of %T", args[0])
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// fileURL names a file for the database/sql driver, whatever its name holds.
func fileURL(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

const (
	// busyTimeout is how long, in milliseconds, a lock of a foreign program
	// (the sqlite3 shell, say) is waited for.
	busyTimeout = 5000
	// logKept is how many bytes of the log's file are kept for use again.
	logKept = 64 << 20
)

// openConn opens a connection with the settings that every connection has.
func openConn(path string) (*raw.Conn, error) {
	c, err := raw.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	for _, pragma := range []string{
		fmt.Sprintf(`PRAGMA busy_timeout = %d`, busyTimeout),
		`PRAGMA journal_mode = WAL`,
		`PRAGMA synchronous = FULL`,
		`PRAGMA foreign_keys = ON`,
		`PRAGMA secure_delete = ON`,
		`PRAGMA trusted_schema = OFF`,
		`PRAGMA temp_store = MEMORY`,
		`PRAGMA cache_size = -16384`,
		fmt.Sprintf(`PRAGMA journal_size_limit = %d`, logKept),
	} {
		if _, err := c.Exec(pragma); err != nil {
			c.Close()
			return nil, fileError(path, err)
		}
	}
	return c, nil
}

// fileError says what is wrong with the file as a whole.
func fileError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case raw.Is(err, raw.CodeNotADB), raw.Is(err, raw.CodeCorrupt):
		return errs.New(errs.Invalid, "sqlite: %s is damaged or is not a SQLite database; restore a backup: %w", path, err)
	case raw.Is(err, raw.CodeBusy):
		return errs.New(errs.Unavailable, "sqlite: %s is locked by another program; close it: %w", path, err)
	}
	return errs.New(errs.Unavailable, "sqlite: %s: %w", path, err)
}
