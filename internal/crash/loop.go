package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/sqlite"
)

const (
	servesWithin = time.Minute      // a start that takes longer is an error
	quiet        = 30 * time.Second // nothing moved for so long: what is not done is stuck
	settled      = lease + 2*time.Second
	restWithin   = 5 * time.Minute // what still moves then goes in circles
)

// world is everything of one run.
type world struct {
	o     options
	dir   string
	dsn   string // PostgreSQL; "" is SQLite in dir
	srv   *linetest.Server
	tap   *tap
	crowd *crowd
	desk  *desk
	pg    *pgtest.Server
	group *cluster     // of several processes; nil: one
	heard atomic.Int64 // calls that were answered as accepted
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
	w := &world{o: o, dir: dir, out: out, tap: newTap()}
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
	w.srv = linetest.New(linetest.Options{Seed: w.o.seed, WebhookClient: &http.Client{Transport: w.tap}, WebhookParallel: 16, WebhookBatch: 4,
		Redeliveries: 1 << 30, RedeliverAfter: 200 * time.Millisecond})
	w.tap.secret = w.srv.ChannelSecret()
	w.srv.SetChaos(linetest.Chaos{Duplicate: 0.05 * w.o.faults, Reorder: 0.05 * w.o.faults})
	for _, f := range faults(w.o.faults) {
		w.srv.AddFault(f)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	line := &http.Server{Handler: w.listen(w.srv), ReadHeaderTimeout: 10 * time.Second}
	go line.Serve(ln) //nolint:errcheck // ends with Close
	stops = append(stops, w.srv.Close, func() { _ = line.Close() })
	w.crowd = &crowd{srv: w.srv, tap: w.tap}
	program := w.o.program
	if program == "" {
		if program, err = build(ctx, w.dir); err != nil {
			return nil, err
		}
	}
	api := "http://" + ln.Addr().String()
	if w.o.nodes > 1 {
		close, err := w.prepareCluster(program, api)
		if err != nil {
			return nil, err
		}
		stops = append(stops, close)
		return stop, nil
	}
	w.desk, err = w.newDesk(program, api, "crash", w.dsn)
	return stop, err
}

// faults is what goes wrong at LINE: most of it after LINE has acted, which
// separates a correct integration from a naive one.
func faults(much float64) []linetest.Fault {
	var all []linetest.Fault
	for _, f := range []struct {
		endpoint string
		kind     linetest.FaultKind
		percent  float64
	}{
		{"push", linetest.FaultCutAfter, 4}, {"push", linetest.Fault500After, 2}, {"push", linetest.FaultGarbage, 1},
		{"push", linetest.FaultHangAfter, 0.3},
		{"push", linetest.FaultCutBefore, 2}, {"push", linetest.Fault500Before, 2}, {"push", linetest.FaultRate, 0.1},
		{"reply", linetest.FaultCutAfter, 1}, {"reply", linetest.Fault500After, 1}, {"reply", linetest.FaultGarbage, 1},
		{"reply", linetest.FaultCutBefore, 1}, {"reply", linetest.FaultRate, 0.1},
	} {
		if p := f.percent / 100 * much; p > 0 {
			all = append(all, linetest.Fault{Endpoint: f.endpoint, Kind: f.kind, Probability: p})
		}
	}
	return all
}

// listen counts the calls that put a message on a phone and were answered so.
func (w *world) listen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(rw, r)
		if strings.HasPrefix(r.URL.Path, "/v2/bot/message/") {
			w.heard.Add(1)
		}
	})
}

// newDesk describes one process; where it keeps a log, it is named after it.
func (w *world) newDesk(program, api, node, dsn string) (*desk, error) {
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
	return &desk{program: program, args: args, log: log, env: []string{
		"LINE_CHANNEL_ID=" + w.srv.ChannelID(), "LINE_CHANNEL_SECRET=" + w.srv.ChannelSecret(), "LINE_CHANNEL_TOKEN=" + w.srv.ChannelToken(),
		"LINE_API_BASE=" + api, "LINE_DATA_API_BASE=" + api}}, nil
}

func (w *world) start() (*child, error) {
	return w.desk.start(func(base string) { w.srv.SetWebhook(base + "/webhooks/line") })
}

// run lets customers write while the process is killed again and again, then
// waits until everything is done or nothing moves, and audits.
func (w *world) run(ctx context.Context) (*report, error) {
	begun := time.Now()
	r := &report{Store: w.o.store, Seed: w.o.seed, Kills: w.o.kills}
	c, err := w.start()
	if err != nil {
		return nil, err
	}
	defer func() { c.kill() }()
	if err := w.serves(ctx, c); err != nil {
		return nil, err
	}
	traffic, stopTraffic := context.WithCancel(ctx)
	defer stopTraffic()
	left := w.crowd.start(traffic, w.o.customers, w.o.seed)
	recovered, err := w.killLoop(ctx, &c)
	if err != nil {
		return nil, err
	}
	stopTraffic()
	left()
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
	if err := c.terminate(40 * time.Second); err != nil {
		r.found(&r.Broken, "SIGTERM: %v; %s", err, c.tail.String())
	}
	w.srv.SetWebhook("")
	if err := w.audit(ctx, r); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(begun).Round(time.Millisecond).Seconds()
	return r, nil
}

// serves waits until a process serves.
func (w *world) serves(ctx context.Context, c *child) error {
	select {
	case <-c.serving:
		return nil
	case <-c.exited:
		return fmt.Errorf("the helpdesk ended by itself: %w; %s", c.err, c.tail.String())
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(servesWithin):
		return errors.New("the helpdesk does not serve; " + c.tail.String())
	}
}

// killLoop kills and restarts *c and returns the times from a kill to the
// first message that arrived after it, where one did before the next kill.
func (w *world) killLoop(ctx context.Context, c **child) (recovered []time.Duration, err error) {
	rng := rand.New(rand.NewPCG(w.o.seed, 0xdead))
	killed := time.Now()
	for kill := range w.o.kills {
		heard := w.heard.Load()
		early := kill > 0 && rng.IntN(5) == 0 // also while the process starts
		life := 30*time.Millisecond + time.Duration(rng.IntN(1500))*time.Millisecond
		if early {
			life = time.Duration(rng.IntN(150)) * time.Millisecond
		} else if err := w.serves(ctx, *c); err != nil {
			return nil, err
		}
		for end := time.Now().Add(life); time.Now().Before(end) && ctx.Err() == nil; rest(ctx, 5*time.Millisecond) {
			if heard >= 0 && kill > 0 && w.heard.Load() > heard {
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
		if *c, err = w.start(); err != nil {
			return nil, err
		}
		if acked, seen, _ := w.tap.counts(); !w.o.json {
			fmt.Fprintf(w.out, "kill %d of %d: %d of %d events acknowledged\n", kill+1, w.o.kills, acked, seen)
		}
	}
	return recovered, w.serves(ctx, *c)
}

// comeToRest waits until every event is acknowledged and nothing waits, or
// until nothing moved for as long as makes the rest stuck. alive looks after the
// processes meanwhile.
func (w *world) comeToRest(ctx context.Context, alive func() error, r *report) error {
	type state struct {
		acked, arrived int
		status         status
	}
	var last state
	begun := time.Now()
	moved := begun
	for ctx.Err() == nil {
		if err := alive(); err != nil {
			return err
		}
		s, err := w.desk.status(ctx)
		acked, seen, _ := w.tap.counts()
		now := state{acked, w.crowd.arrived(), s}
		if now != last {
			last, moved = now, time.Now()
		}
		done := err == nil && s.idle() && acked == seen && w.written() <= seen
		still := time.Since(moved)
		if done && still > settled {
			return nil
		}
		if still > quiet || time.Since(begun) > restWithin {
			r.found(&r.Stuck, "not done %s after the traffic stopped: %d of %d events acknowledged, status %+v, error %v",
				time.Since(begun).Round(time.Second), acked, seen, s, err)
			return nil
		}
		rest(ctx, 250*time.Millisecond)
	}
	return ctx.Err()
}

func (w *world) written() int {
	n := 0
	for _, p := range w.crowd.everybody() {
		n += len(p.wrote())
	}
	return n
}

// open opens the data that the helpdesk has left.
func (w *world) open(ctx context.Context) (*store.DB, error) {
	if w.dsn != "" {
		return postgres.Open(ctx, postgres.Options{DSN: w.dsn})
	}
	return sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(w.dir, "data")})
}
