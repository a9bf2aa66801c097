package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/sqlite"
)

// world is everything of one run.
type world struct {
	o     options
	dir   string
	dsn   string // PostgreSQL; "" is SQLite in dir
	side  provider
	desk  *desk
	pg    *pgtest.Server
	group *cluster // of several processes; nil: one
	out   io.Writer
}

// crash runs the whole experiment.
func crash(ctx context.Context, o options, out io.Writer) (*report, error) {
	dir, err := os.MkdirTemp("", "sangdam-crash-")
	if err != nil {
		return nil, err
	}
	if o.keep {
		fmt.Fprintln(out, "everything is kept in", dir)
	} else {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	}
	w := &world{o: o, dir: dir, out: out}
	stop, err := w.setUp(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	if o.nodes > 1 {
		return w.runCluster(ctx)
	}
	return w.run(ctx)
}

// setUp starts what surrounds the helpdesk: the database's server and LINE.
func (w *world) setUp(ctx context.Context) (_ func(), err error) {
	var stops []func()
	stop := func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	switch w.o.store {
	case "sqlite":
	case "postgres":
		server, err := pgtest.New()
		if err != nil {
			return nil, err
		}
		w.pg = server
		stops = append(stops, server.Stop)
		dsn, drop, err := server.NewDatabase(ctx)
		if err != nil {
			return nil, err
		}
		w.dsn = dsn
		stops = append(stops, drop)
	default:
		return nil, fmt.Errorf("-store %q is not sqlite or postgres", w.o.store)
	}
	w.side, err = newProvider(w.o)
	if err != nil {
		return nil, err
	}
	stops = append(stops, w.side.close)
	program := w.o.program
	if program == "" {
		if program, err = build(ctx, w.dir); err != nil {
			return nil, err
		}
	}
	if w.o.nodes > 1 {
		close, err := w.prepareCluster(program)
		if err != nil {
			return nil, err
		}
		stops = append(stops, close)
		return stop, nil
	}
	w.desk, err = w.newDesk(program, "crash", w.dsn)
	return stop, err
}

// newDesk describes one process; where it keeps a log, it is named after it.
func (w *world) newDesk(program, node, dsn string) (*desk, error) {
	log := io.Discard
	if w.o.keep {
		f, err := os.Create(filepath.Join(w.dir, node+".log"))
		if err != nil {
			return nil, err
		}
		log = f
	}
	args := []string{"-addr", "127.0.0.1:0", "-data", filepath.Join(w.dir, "data"), "-auto", "-lease", lease.String(), "-node", node}
	if dsn != "" {
		args = append(args, "-postgres", dsn)
	}
	return &desk{program: program, args: args, log: log, env: w.side.env()}, nil
}

func (w *world) start() (*child, error) {
	return w.desk.start(w.side.serves)
}

// run lets customers write while the process is killed again and again, then
// waits until everything is done or nothing moves, and audits.
func (w *world) run(ctx context.Context) (*report, error) {
	begun := time.Now()
	r := &report{Channel: w.o.channel, Store: w.o.store, Seed: w.o.seed, Kills: w.o.kills}
	c, err := w.start()
	if err != nil {
		return nil, err
	}
	defer func() { c.kill() }()
	if err := w.serves(ctx, c); err != nil {
		return nil, err
	}
	if err := w.side.ready(ctx); err != nil {
		return nil, err
	}
	traffic, stopTraffic := context.WithCancel(ctx)
	defer stopTraffic()
	left := w.side.start(traffic, w.o.customers, w.o.seed)
	recovered, err := w.killLoop(ctx, &c)
	if err != nil {
		return nil, err
	}
	stopTraffic()
	left()
	w.side.finish()
	r.recovery(recovered)
	alive := func() error {
		if c.dead() {
			return fmt.Errorf("the helpdesk ended by itself: %w; %s", c.err, c.tail.String())
		}
		return nil
	}
	if err := w.comeToRest(ctx, alive, r); err != nil {
		return nil, err
	}
	if err := w.drains(ctx, c, r); err != nil {
		return nil, err
	}
	w.side.serves("")
	if err := w.audit(ctx, r); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(begun).Round(time.Millisecond).Seconds()
	return r, nil
}

// killLoop kills and restarts *c and returns the times from a kill to the
// first message that arrived after it, where one did before the next kill.
func (w *world) killLoop(ctx context.Context, c **child) (recovered []time.Duration, err error) {
	rng := rand.New(rand.NewPCG(w.o.seed, 0xdead))
	killed := time.Now()
	for kill := range w.o.kills {
		heard := w.side.heard()
		early := kill > 0 && rng.IntN(5) == 0 // also while the process starts
		life := 30*time.Millisecond + time.Duration(rng.IntN(1500))*time.Millisecond
		if early {
			life = time.Duration(rng.IntN(150)) * time.Millisecond
		} else if err := w.serves(ctx, *c); err != nil {
			return nil, err
		}
		for end := time.Now().Add(life); time.Now().Before(end) && ctx.Err() == nil; rest(ctx, 5*time.Millisecond) {
			if heard >= 0 && kill > 0 && w.side.heard() > heard {
				recovered, heard = append(recovered, time.Since(killed)), -1
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if (*c).dead() {
			return nil, fmt.Errorf("the helpdesk ended by itself: %w; %s", (*c).err, (*c).tail.String())
		}
		(*c).kill()
		killed = time.Now()
		w.side.disturb(kill)
		if *c, err = w.start(); err != nil {
			return nil, err
		}
		if have, of := w.side.taken(); !w.o.json {
			fmt.Fprintf(w.out, "kill %d of %d: %d of %d events acknowledged\n", kill+1, w.o.kills, have, of)
		}
	}
	return recovered, w.serves(ctx, *c)
}

// open opens the data that the helpdesk has left.
func (w *world) open(ctx context.Context) (*store.DB, error) {
	if w.dsn != "" {
		return postgres.Open(ctx, postgres.Options{DSN: w.dsn})
	}
	return sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(w.dir, "data")})
}
