package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// backupWithin bounds a base backup: it copies some 100 MB, on a busy machine.
const backupWithin = 2 * time.Minute

// Backup makes a base backup of the running server, as pg_basebackup does, which not
// every package of PostgreSQL's programs has. The copy is not started: Restart does
// that, and brings it to the moment when Backup ended. With standby it follows the
// server from then on, until Promote.
func (s *Server) Backup(standby bool) (*Server, error) {
	return s.copied(func(to *process) error {
		ctx, cancel := context.WithTimeout(context.Background(), backupWithin)
		defer cancel()
		conn, err := pgx.Connect(ctx, s.own.dsn("postgres"))
		if err != nil {
			return fmt.Errorf("pgtest: backup: %w", err)
		}
		defer conn.Close(context.Background()) //nolint:errcheck // its end ends the slot and a backup that failed
		label, err := s.copyWhileItRuns(ctx, conn, to)
		if err != nil {
			return err
		}
		written := []error{to.write("backup_label", label)}
		if standby {
			written = append(written, to.write("standby.signal", ""),
				to.write("postgresql.auto.conf", "primary_conninfo = '"+s.own.dsn("postgres")+"'\n"))
		}
		return errors.Join(written...)
	})
}

// copyWhileItRuns copies the data, then the log that makes it whole, which a slot keeps
// meanwhile, and returns the label that says where recovery begins.
func (s *Server) copyWhileItRuns(ctx context.Context, conn *pgx.Conn, to *process) (label string, err error) {
	var version int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return "", fmt.Errorf("pgtest: backup: %w", err)
	}
	begin, end := "pg_backup_start('pgtest', true)", "pg_backup_stop(false)"
	if version < 15_00_00 {
		begin, end = "pg_start_backup('pgtest', true, false)", "pg_stop_backup(false, false)"
	}
	for _, sql := range []string{
		"SELECT pg_create_physical_replication_slot('pgtest_' || pg_backend_pid(), true, true)",
		"SELECT " + begin,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return "", fmt.Errorf("pgtest: backup: %w", err)
		}
	}
	if err := to.command("/bin/sh", "-c", copyFiles, "copy", s.own.data(), to.data()); err != nil {
		return "", err
	}
	if err := conn.QueryRow(ctx, "SELECT labelfile FROM "+end).Scan(&label); err != nil {
		return "", fmt.Errorf("pgtest: backup: %w", err)
	}
	return label, to.command("/bin/sh", "-c", copyLog, "copy", s.own.data(), to.data())
}

// Files come and go while they are copied, which the log makes up for: what tar says
// of them is no failure. What belongs to the running server alone is left out.
const copyFiles = `mkdir -m 700 "$2" &&
tar -C "$1" --exclude='./pg_wal/*' --exclude='./pg_replslot/*' --exclude='./pg_dynshmem/*' --exclude='./pg_notify/*' \
	--exclude='./postmaster.*' --exclude=pgsql_tmp --exclude=pg_internal.init -cf - . 2>/dev/null | tar -C "$2" -xf -`

const copyLog = `tar -C "$1/pg_wal" -cf - . 2>/dev/null | tar -C "$2/pg_wal" -xf -`

// write makes a file among the data, which the server may rename and read.
func (p *process) write(name, content string) error {
	path := filepath.Join(p.data(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	return giveAway(path)
}

// Files copies the data of a server that does not run. Restart starts the copy.
func (s *Server) Files() (*Server, error) {
	return s.copied(func(to *process) error { return to.command("/bin/cp", "-a", s.own.data(), to.data()) })
}

func (s *Server) copied(by func(to *process) error) (*Server, error) {
	if s.own == nil {
		return nil, errors.New("pgtest: the server of " + EnvDSN + " is not ours to copy")
	}
	dir, err := os.MkdirTemp("", "sangdam-pg-")
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	to := &process{bin: s.own.bin, dir: dir}
	err = errors.Join(giveAway(dir), to.watch())
	if err == nil {
		err = by(to)
	}
	if err == nil {
		to.port, err = freePort()
	}
	if err != nil {
		to.stop()
		return nil, err
	}
	return &Server{admin: to.dsn("postgres"), own: to}, nil
}

// Promote ends the recovery of a standby: it is a server of its own from then on.
func (s *Server) Promote() error { return s.own.command("pg_ctl", "promote", "-w", "-D", s.own.data()) }
