package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// action is something that happens to the i-th process or to the server.
type action func(ctx context.Context, w *world, rng *rand.Rand, i int) error

// actions by the name that -only takes.
var actions = map[string]action{
	"kill": func(_ context.Context, w *world, _ *rand.Rand, i int) error {
		w.group.bal.set(i, "")
		w.group.procs[i].kill()
		return w.startNode(i)
	},
	// Ends as under a rolling update, and comes back after others took what it held.
	"handover": func(ctx context.Context, w *world, _ *rand.Rand, i int) error {
		w.group.bal.set(i, "")
		_ = w.group.procs[i].terminate(10 * time.Second) // amid all this it may end with an error
		rest(ctx, lease/2)
		return w.startNode(i)
	},
	// Stands still for longer than its leases, and goes on as if nothing were.
	"pause": func(ctx context.Context, w *world, rng *rand.Rand, i int) error {
		p := w.group.procs[i].cmd.Process
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			return nil //nolint:nilerr // it has just ended by itself
		}
		rest(ctx, lease+upTo(rng, 3*time.Second))
		_ = p.Signal(syscall.SIGCONT)
		return nil
	},
	// Committed, and nobody is told.
	"swallow": func(_ context.Context, w *world, rng *rand.Rand, i int) error {
		w.group.proxies[i].swallow.Store(int64(1 + rng.IntN(8)))
		return nil
	},
	"cut": func(_ context.Context, w *world, _ *rand.Rand, i int) error {
		w.group.proxies[i].cut()
		return nil
	},
	"stall": func(_ context.Context, w *world, rng *rand.Rand, i int) error {
		w.group.proxies[i].stalled.Store(time.Now().Add(time.Second + upTo(rng, 5*time.Second)).UnixNano())
		return nil
	},
	"terminate": func(ctx context.Context, w *world, _ *rand.Rand, _ int) error { return w.admin(ctx, others) },
	"server": func(ctx context.Context, w *world, rng *rand.Rand, _ int) error {
		if err := w.pg.Crash(); err != nil {
			return err
		}
		rest(ctx, upTo(rng, 1500*time.Millisecond))
		return w.pg.Restart()
	},
	// The server's clock is set while everybody reads it.
	"clock": func(ctx context.Context, w *world, rng *rand.Rand, _ int) error {
		by := []string{"8 seconds", "4 seconds", "-2 seconds"}[rng.IntN(3)]
		return w.admin(ctx, `UPDATE fake.clock SET ahead = ahead + '`+by+`'`)
	},
	// Somebody else's transaction stays open, which holds the feed's horizon.
	"foreign": func(ctx context.Context, w *world, rng *rand.Rand, _ int) error {
		end, err := w.pg.Foreign(ctx, w.dsn)
		if err != nil {
			return err
		}
		open := upTo(rng, 4*time.Second)
		go func() {
			rest(ctx, open)
			end()
		}()
		return nil
	},
	// Rows stay locked, now and then beyond the lock time-out.
	"locks": func(ctx context.Context, w *world, rng *rand.Rand, _ int) error {
		held := upTo(rng, 6*time.Second).Seconds()
		return w.admin(ctx, fmt.Sprintf(`BEGIN;
			SELECT 1 FROM (SELECT ws, id FROM sangdam.conversations ORDER BY random() LIMIT 5) r
			JOIN sangdam.conversations c USING (ws, id) FOR UPDATE OF c; SELECT 1 FROM sangdam.agents
			FOR UPDATE; SELECT pg_sleep(%f); COMMIT`, held))
	},
	// Locks in another order than everybody's.
	"deadlock": func(ctx context.Context, w *world, _ *rand.Rand, _ int) error {
		for range 5 {
			err := w.admin(ctx, `BEGIN; SELECT 1 FROM sangdam.agents ORDER BY id DESC FOR UPDATE; SELECT pg_sleep(0.05);
				SELECT 1 FROM sangdam.items WHERE state <> 'done' ORDER BY id DESC FOR UPDATE; SELECT pg_sleep(0.05);
				SELECT 1 FROM sangdam.audit_head FOR UPDATE; COMMIT`)
			if err != nil {
				return err
			}
		}
		return nil
	},
	"timeout": func(ctx context.Context, w *world, _ *rand.Rand, _ int) error {
		const alter = `SET statement_timeout = 0; DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I %s', current_database()); END $$; ` +
			others
		if err := w.admin(ctx, fmt.Sprintf(alter, "SET statement_timeout = 12")); err != nil {
			return err
		}
		rest(ctx, 2*time.Second)
		return w.admin(ctx, fmt.Sprintf(alter, "RESET statement_timeout"))
	},
}

func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }

// actions are the names that a run plays.
func (o options) actions() ([]string, error) {
	if o.only == "" {
		return slices.Sorted(maps.Keys(actions)), nil
	}
	names := strings.Split(o.only, ",")
	for _, name := range names {
		if actions[name] == nil {
			return nil, fmt.Errorf("-only: there is no action %q; there are %s", name,
				strings.Join(slices.Sorted(maps.Keys(actions)), ", "))
		}
	}
	return names, nil
}

func (o options) checkNodes() error {
	_, err := o.actions()
	switch {
	case o.nodes < 1 || o.nodes > 8:
		return errors.New("-nodes is 1 to 8")
	case err != nil:
		return err
	case o.only != "" && o.nodes == 1:
		return errors.New("-only needs -nodes of more than 1")
	}
	return nil
}

// others ends every session but the one that asks.
const others = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`

// fakeClock gives the database a clock that can be set: sessions that begin
// afterwards find it before the server's own.
const fakeClock = `CREATE SCHEMA IF NOT EXISTS fake; CREATE TABLE IF NOT EXISTS fake.clock (ahead interval);
	INSERT INTO fake.clock SELECT '0' WHERE NOT EXISTS (SELECT 1 FROM fake.clock);
	CREATE OR REPLACE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
		'SELECT pg_catalog.clock_timestamp() + (SELECT ahead FROM fake.clock)';
	DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = fake, pg_catalog, public', current_database()); END $$`

func (w *world) prepareClock(ctx context.Context) error {
	return errors.Join(w.admin(ctx, fakeClock), w.admin(ctx, others))
}

// admin runs SQL on the database, past every proxy. What others may do to it,
// deadlocks and lost connections, is part of the experiment; a statement that is
// wrong is not.
func (w *world) admin(ctx context.Context, sql string) error {
	c, err := pgx.Connect(ctx, w.dsn)
	if err != nil {
		return err
	}
	defer c.Close(context.Background()) //nolint:errcheck // it may be gone
	_, err = c.Exec(ctx, sql)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && !strings.HasPrefix(pg.Code, "42") {
		return nil
	}
	return err
}
