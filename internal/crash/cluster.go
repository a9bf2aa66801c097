package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is several processes on one database.
type cluster struct {
	desks   []*desk
	procs   []*child
	proxies []*proxy
	bal     *balancer
	ended   int // processes that ended by themselves
}

// prepareCluster puts a proxy before the database for each process and a
// balancer before them all.
func (w *world) prepareCluster(program string) (stop func(), err error) {
	server, err := url.Parse(w.dsn)
	if err != nil {
		return nil, err
	}
	g := &cluster{bal: &balancer{bases: make([]string, w.o.nodes)}, procs: make([]*child, w.o.nodes)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	front := &http.Server{Handler: g.bal, ReadHeaderTimeout: 10 * time.Second}
	go front.Serve(ln) //nolint:errcheck // ends with Close
	w.side.serves("http://" + ln.Addr().String())
	stop = func() {
		_ = front.Close()
		for _, p := range g.proxies {
			_ = p.ln.Close()
		}
	}
	for i := range w.o.nodes {
		p, err := newProxy(server.Host)
		if err != nil {
			stop()
			return nil, err
		}
		g.proxies = append(g.proxies, p)
		d, err := w.newDesk(program, fmt.Sprint("crash", i), p.dsn(*server))
		if err != nil {
			stop()
			return nil, err
		}
		g.desks = append(g.desks, d)
	}
	w.group, w.desk = g, g.desks[0]
	return stop, nil
}

// startNode begins the i-th process anew.
func (w *world) startNode(i int) error {
	g := w.group
	g.bal.set(i, "")
	c, err := g.desks[i].start(func(base string) { g.bal.set(i, base) })
	if err == nil {
		g.procs[i] = c
	}
	return err
}

// revive starts what ended by itself, as a supervisor of processes would.
func (w *world) revive() error {
	for i, c := range w.group.procs {
		if !c.dead() {
			continue
		}
		if w.group.ended++; w.group.ended <= 5 {
			fmt.Fprintf(w.out, "process %d ended by itself: %v; %s\n", i, c.err, c.tail.String())
		}
		if err := w.startNode(i); err != nil {
			return err
		}
	}
	return nil
}

// runCluster lets customers write while everything goes wrong, then waits until
// everything is done or nothing moves, and audits.
func (w *world) runCluster(ctx context.Context) (*report, error) {
	begun := time.Now()
	r := &report{Channel: w.o.channel, Store: w.o.store, Seed: w.o.seed, Kills: w.o.kills, Nodes: w.o.nodes, Actions: map[string]int{}}
	g := w.group
	defer func() {
		for _, c := range g.procs {
			if c != nil {
				c.kill()
			}
		}
	}()
	if err := w.beginCluster(ctx); err != nil {
		return nil, err
	}
	if err := w.side.ready(ctx); err != nil {
		return nil, err
	}
	traffic, stopTraffic := context.WithCancel(ctx)
	defer stopTraffic()
	left := w.side.start(traffic, w.o.customers, w.o.seed)
	if err := w.chaos(ctx, r); err != nil {
		return nil, err
	}
	stopTraffic()
	left()
	w.side.finish()
	if err := w.comeToRest(ctx, w.revive, r); err != nil {
		return nil, err
	}
	for _, c := range g.procs {
		if err := w.drains(ctx, c, r); err != nil {
			return nil, err
		}
	}
	w.side.serves("")
	if err := w.audit(ctx, r); err != nil {
		return nil, err
	}
	if err := w.takenOver(ctx, r); err != nil {
		return nil, err
	}
	for _, p := range g.proxies {
		r.Swallowed += p.swallowed.Load()
	}
	r.Ended = g.ended
	r.Seconds = time.Since(begun).Round(time.Millisecond).Seconds()
	return r, nil
}

// takenOver reads how often what one process alone may fetch went to another.
func (w *world) takenOver(ctx context.Context, r *report) error {
	c, err := pgx.Connect(ctx, w.dsn)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	return c.QueryRow(ctx, `SELECT coalesce(sum(epoch - 1), 0) FROM sangdam.leases WHERE name LIKE 'runner/%'`).
		Scan(&r.TakenOver)
}

// beginCluster starts the processes one after the other: the first makes the
// desk and the token that all share.
func (w *world) beginCluster(ctx context.Context) error {
	for i, d := range w.group.desks {
		if err := w.beginNode(ctx, i); err != nil {
			return err
		}
		d.mu.Lock()
		if i > 0 {
			d.token = w.desk.shownToken()
		}
		d.mu.Unlock()
	}
	return nil
}

// beginNode starts a process until it serves: on a busy machine it may end by itself
// because the database did not answer it in time, and is started again as later on.
func (w *world) beginNode(ctx context.Context, i int) error {
	const starts = 5
	for n := 1; ; n++ {
		if err := w.startNode(i); err != nil {
			return err
		}
		c := w.group.procs[i]
		err := w.serves(ctx, c)
		if err == nil || !c.dead() || n == starts {
			return err
		}
		w.group.ended++
	}
}

// chaos does as many actions as were asked for, at random moments. They come
// from a deck in which each is once, so that a short run has them all.
func (w *world) chaos(ctx context.Context, r *report) error {
	rng := rand.New(rand.NewPCG(w.o.seed, 0xdead))
	if err := w.prepareClock(ctx); err != nil {
		return err
	}
	all, err := w.o.actions()
	if err != nil {
		return err
	}
	var deck []string
	for n := range w.o.kills {
		rest(ctx, time.Duration(150+rng.IntN(900))*time.Millisecond)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.revive(); err != nil {
			return err
		}
		if len(deck) == 0 {
			deck = append(deck, all...)
			rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		name, node := deck[0], rng.IntN(w.o.nodes)
		w.side.disturb(n)
		deck = deck[1:]
		r.Actions[name]++
		if have, of := w.side.taken(); !w.o.json {
			fmt.Fprintf(w.out, "action %d of %d: %s at process %d; %d of %d events acknowledged\n", n+1, w.o.kills, name, node, have, of)
		}
		if err := actions[name](ctx, w, rng, node); err != nil {
			return fmt.Errorf("action %s: %w", name, err)
		}
	}
	return nil
}
