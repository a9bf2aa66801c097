package postgres

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/sangdam/sangdam/internal/errs"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations in the order of their files' names; the n-th makes schema version
// n. Changes only add; what is to go leaves one release later, so that N and
// N+1 run side by side.
var migrations = readMigrations()

func readMigrations() []string {
	files, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	var out []string
	for _, f := range files {
		text, err := migrationFiles.ReadFile("migrations/" + f.Name())
		if err != nil {
			panic(err)
		}
		out = append(out, string(text))
	}
	return out
}

// programVersion is compared with the schema's min_program: it rises when a
// program can serve a schema that older ones cannot.
const programVersion = 4

// migrate brings the schema to this program's version, or refuses one that is
// too new. Several nodes may do it at once: goose's table locker lets one in.
func (b *backend) migrate(ctx context.Context) error {
	version, err := b.schemaVersion(ctx)
	if err != nil || version >= len(migrations) {
		return err
	}
	for try := 1; ; try++ {
		err := b.migrateOnce(ctx, len(migrations))
		if err == nil {
			break
		}
		// "IF NOT EXISTS" by two at once fails for one of them.
		if try == 5 || !raced(err) {
			return errs.New(errs.Unavailable, "store: migrating the schema %q: %w", b.opts.Schema, stepFailed(err))
		}
	}
	_, err = b.schemaVersion(ctx)
	return err
}

// schemaVersion is 0 for none, and ErrInvalid for a schema that is too new.
func (b *backend) schemaVersion(ctx context.Context) (version int, err error) {
	minProgram := 0
	c, err := b.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	err = c.QueryRow(ctx, b.qualify(`SELECT version, min_program FROM sd.schema_info`)).Scan(&version, &minProgram)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000") { // no table, no schema
		return 0, nil
	}
	if err != nil {
		return 0, mapped(err)
	}
	if minProgram > programVersion {
		return 0, errs.New(errs.Invalid,
			"store: the schema %q has version %d and needs a program of storage version %d; this one is %d, install a newer one",
			b.opts.Schema, version, minProgram, programVersion)
	}
	return version, nil
}

func raced(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "23505" || pg.Code == "42P07" || pg.Code == "42P06")
}

// stepFailed says why a migration ended. Its statements are ours and hold no
// customer's values, so the server's own message may be told. The steps that are done
// stay done, whatever ends it.
func stepFailed(err error) error {
	pg, refused := errors.AsType[*pgconn.PgError](err)
	words, known := "", false
	if refused {
		words, known = inWords[pg.Code]
	}
	switch {
	case known:
		return errors.New("PostgreSQL: " + words + " (SQLSTATE " + pg.Code + ")")
	case refused:
		return errors.New(pg.Message + " (SQLSTATE " + pg.Code + ")")
	case broke(err):
		return fmt.Errorf("the connection to PostgreSQL broke; the steps that are done stay done, "+
			"and the next start goes on after them: %w", err)
	}
	return err
}

// broke reports whether the connection was lost, by what pgx, the pool of
// database/sql or the network say of it.
func broke(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) { // which passes for the network's own
		return false
	}
	for _, lost := range []error{sql.ErrConnDone, sqldriver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, lost) {
			return true
		}
	}
	_, ofNet := errors.AsType[net.Error](err)
	return ofNet
}

// migrateOnce applies what is missing up to a version of the schema.
func (b *backend) migrateOnce(ctx context.Context, to int) error {
	cfg := b.pool.Config().ConnConfig.Copy()
	delete(cfg.RuntimeParams, "lock_timeout") // DDL may wait for running work
	db := stdlib.OpenDB(*cfg)
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{b.opts.Schema}.Sanitize()); err != nil {
		return err
	}
	locker, err := lock.NewPostgresTableLocker(lock.WithTableName(b.opts.Schema+".goose_lock"),
		lock.WithTableLockTimeout(200*time.Millisecond, 1500), lock.WithTableLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	var steps []*goose.Migration
	for i, text := range migrations {
		steps = append(steps, goose.NewGoMigration(int64(i+1), &goose.GoFunc{RunTx: b.step(text)}, nil))
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, nil, goose.WithGoMigrations(steps...),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLocker(locker), goose.WithTableName(b.opts.Schema+".goose_db_version"), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = provider.UpTo(ctx, int64(to))
	return err
}

// step runs a migration with unqualified names in our schema.
func (b *backend) step(text string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL search_path TO "+pgx.Identifier{b.opts.Schema}.Sanitize()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, text) // several statements, no arguments, our own text
		return err
	}
}
