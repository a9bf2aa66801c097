package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// peerAgents take conversations in turn, without being asked.
const peerAgents = 50

// peerLoads are how many customers write at once and how many conversations they
// begin in a round.
var peerLoads = []struct{ clients, conversations int }{{1, 200}, {8, 800}, {32, 2400}}

// peer is what a desk in Go beside PostgreSQL is compared by: new customers'
// first messages over HTTP on loopback, each customer waiting for the answer,
// until the last conversation is assigned. Profiles and the search index are left
// out, and measured apart. On PostgreSQL the same rows are written by hand on the
// same server, in the same run.
func peer(ctx context.Context, o options) (report, error) {
	p, err := newPlace(ctx, o.store, "shared_buffers="+o.buffers)
	if err != nil {
		return report{}, err
	}
	defer p.gone()
	way, err := openWay(ctx, p, false)
	if err != nil {
		return report{}, err
	}
	way.run(ctx)
	if _, err := way.measure(ctx, 32, 1000, 0); err != nil { // warms up
		return report{}, err
	}
	if o.clients > 0 {
		return peerAlone(ctx, o, way)
	}
	figures := map[string]any{"rounds": o.rounds}
	var by *byHand
	if p.dsn != "" {
		if by, err = newByHand(ctx, p, way.server); err != nil {
			return report{}, err
		}
		defer by.close()
	}
	all := map[int][]peerRound{}
	hand := map[string][]handRound{}
	for range o.rounds {
		for _, l := range peerLoads {
			r, err := way.measure(ctx, l.clients, l.conversations, 0)
			if err != nil {
				return report{}, err
			}
			all[l.clients] = append(all[l.clients], r)
		}
		if by == nil {
			continue
		}
		for _, name := range handNames {
			r, err := by.measure(ctx, name, 2400)
			if err != nil {
				return report{}, err
			}
			r.share = r.cpu / last(all[32]).cpu()
			hand[name] = append(hand[name], r)
		}
	}
	for clients, rounds := range all {
		tell(figures, fmt.Sprintf("%02d clients: ", clients), rounds)
	}
	for name, rounds := range hand {
		figures["by hand, "+name+": a second"] = measure.Of(rounds, func(r handRound) float64 { return r.rate })
		figures["by hand, "+name+": cpu_ms"] = measure.Of(rounds, func(r handRound) float64 { return r.cpu })
		figures["by hand, "+name+": share of 32 clients"] = measure.Of(rounds, func(r handRound) float64 { return r.share })
	}
	half := measure.Of(all[32], func(r peerRound) float64 { return r.rate }).Median / 2
	halves, err := steadily(ctx, way, o.rounds, half)
	if err != nil {
		return report{}, err
	}
	tell(figures, "half load: ", halves)
	if err := way.close(); err != nil {
		return report{}, err
	}
	return report{Figures: figures}, peerWhole(ctx, o, figures)
}

// steadily measures customers who come at a rate, for 5 s and as often as all else is
// measured: the tail of one turn is chance.
func steadily(ctx context.Context, way *way, rounds int, rate float64) ([]peerRound, error) {
	var all []peerRound
	for range rounds {
		r, err := way.measure(ctx, 32, int(5*rate), rate)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// peerAlone measures one number of customers without anything beside, for a profile.
func peerAlone(ctx context.Context, o options, way *way) (report, error) {
	stop, err := startProfile(o)
	if err != nil {
		return report{}, err
	}
	var rounds []peerRound
	for range o.rounds {
		r, err := way.measure(ctx, o.clients, 2400, o.rate)
		if err != nil {
			return report{}, err
		}
		rounds = append(rounds, r)
	}
	if err := stop(); err != nil {
		return report{}, err
	}
	figures := map[string]any{"rounds": o.rounds}
	tell(figures, fmt.Sprintf("%02d clients: ", o.clients), rounds)
	return report{Figures: figures}, way.close()
}

// startProfile begins the profiles that are asked for and returns what ends them.
func startProfile(o options) (stop func() error, err error) {
	var cpu *os.File
	if o.cpuProfile != "" {
		if cpu, err = os.Create(o.cpuProfile); err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, errors.Join(err, cpu.Close())
		}
	}
	return func() (err error) {
		if cpu != nil {
			pprof.StopCPUProfile()
			err = cpu.Close()
		}
		if o.memProfile == "" {
			return err
		}
		f, e := os.Create(o.memProfile)
		if e != nil {
			return errors.Join(err, e)
		}
		return errors.Join(err, pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
	}, nil
}

// peerWhole measures once more with profiles and the search index.
func peerWhole(ctx context.Context, o options, figures map[string]any) error {
	p, err := newPlace(ctx, o.store, "shared_buffers="+o.buffers)
	if err != nil {
		return err
	}
	defer p.gone()
	way, err := openWay(ctx, p, true)
	if err != nil {
		return err
	}
	way.run(ctx)
	var rounds []peerRound
	for n := range o.rounds + 1 {
		r, err := way.measure(ctx, 32, 2400, 0)
		if err != nil {
			return err
		}
		if n > 0 {
			rounds = append(rounds, r)
		}
	}
	tell(figures, "32 clients, with profile and index: ", rounds)
	return way.close()
}

func last[T any](list []T) T { return list[len(list)-1] }

// peerRound is what one round found; times are in milliseconds, of processors a
// conversation.
type peerRound struct {
	rate, program, server float64
	commits, statements   float64
	p50, p99, most        float64
}

func (r peerRound) cpu() float64 { return r.program + r.server }

func tell(figures map[string]any, prefix string, rounds []peerRound) {
	for name, of := range map[string]func(peerRound) float64{
		"a second": func(r peerRound) float64 { return r.rate }, "cpu_ms": peerRound.cpu,
		"cpu_ms of the program": func(r peerRound) float64 { return r.program },
		"cpu_ms of the server":  func(r peerRound) float64 { return r.server },
		"commits":               func(r peerRound) float64 { return r.commits },
		"statements":            func(r peerRound) float64 { return r.statements },
		"answer p50_ms":         func(r peerRound) float64 { return r.p50 },
		"answer p99_ms":         func(r peerRound) float64 { return r.p99 },
		"answer most_ms":        func(r peerRound) float64 { return r.most },
	} {
		figures[prefix+name] = measure.Of(rounds, of)
	}
}

// way is a running engine behind HTTP, and the process of its customers.
type way struct {
	db       *store.DB
	desk     *desk
	clients  *peerClients
	server   int // process of the database's server; 0: there is none
	stop     func() error
	assigned atomic.Int64
	signal   chan struct{}
	sent     int
}

// inboundOnly is a store that hands out neither jobs nor the lead of the search
// index.
type inboundOnly struct{ driver.Backend }

func (b inboundOnly) System() driver.System { return inboundOnlySystem{b.Backend.System()} }

type inboundOnlySystem struct{ driver.System }

func (inboundOnlySystem) ClaimJobs(context.Context, string, map[string]int, time.Duration) ([]driver.Job, error) {
	return nil, nil
}

func (s inboundOnlySystem) Lease(ctx context.Context, name, node string, ttl time.Duration) (int64, error) {
	if !strings.HasPrefix(name, "router/") {
		return 0, store.ErrConflict
	}
	return s.System.Lease(ctx, name, node, ttl)
}

func openWay(ctx context.Context, p place, whole bool) (*way, error) {
	db, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	w := &way{db: db, signal: make(chan struct{}, 1)}
	if w.server, err = p.server(ctx); err != nil {
		return nil, err
	}
	under := db
	if !whole {
		under = store.New(inboundOnly{db.Backend()})
	}
	w.desk, err = newDesk(ctx, under, sangdam.Hooks{Assigned: func(id.Workspace, routing.Assignment) {
		w.assigned.Add(1)
		select {
		case w.signal <- struct{}{}:
		default:
		}
	}}, peerAgents, 1_000_000)
	if err != nil {
		return nil, err
	}
	plain := stream
	plain.Messages, plain.AutoAccept, plain.OfferFor = nil, true, 0
	queue := routing.Queue{ID: "q", Name: "Everyone", Strategy: routing.RoundRobin}
	for i := range peerAgents {
		queue.Members = append(queue.Members, agentID(i))
	}
	err = db.Update(ctx, workspace, func(ctx context.Context, tx store.Tx) error { return tx.Config().SaveWorkStream(ctx, plain) })
	if err != nil {
		return nil, err
	}
	if err := w.desk.saveQueue(ctx, queue); err != nil {
		return nil, err
	}
	if err := w.desk.online(ctx, peerAgents); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: w.desk.hook, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }() // ends with Close
	if w.clients, err = newPeerClients(ctx, "http://"+l.Addr().String()+"/webhooks/x"); err != nil {
		return nil, err
	}
	w.stop = func() error {
		w.clients.close()
		return srv.Close()
	}
	return w, nil
}

// run runs the engine until close, and the agents' consoles, which say now and then
// that they are there.
func (w *way) run(ctx context.Context) {
	beats, cancel := context.WithCancel(ctx)
	ids := make([]routing.AgentID, peerAgents)
	for i := range ids {
		ids[i] = agentID(i)
	}
	go func() {
		for tick := time.NewTicker(5 * time.Second); beats.Err() == nil; {
			_ = w.desk.eng.Heartbeat(beats, workspace, ids...) // the next one may arrive
			select {
			case <-beats.Done():
			case <-tick.C:
			}
		}
	}()
	engine, clients := start(ctx, w.desk.eng), w.stop
	w.stop = func() error {
		cancel()
		return errors.Join(clients(), engine())
	}
}

func (w *way) close() error { return errors.Join(w.stop(), w.db.Close()) }

// until waits until so many conversations are assigned, as long as some are.
func (w *way) until(ctx context.Context, want int64) error {
	for w.assigned.Load() < want {
		select {
		case <-w.signal:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(30 * time.Second):
			return fmt.Errorf("%d conversations were not assigned in 30 s", want-w.assigned.Load())
		}
	}
	return nil
}

// measure has new customers write, as fast as they are answered or, with a rate,
// so many a second.
func (w *way) measure(ctx context.Context, clients, conversations int, rate float64) (peerRound, error) {
	want := w.assigned.Load() + int64(conversations)
	if err := w.clients.prepare(peerOrder{Clients: clients, Count: conversations, From: w.sent, Rate: rate}); err != nil {
		return peerRound{}, err
	}
	w.sent += conversations
	server, err := measure.TreeTime(w.server)
	if err != nil {
		return peerRound{}, err
	}
	stats, program, begin := w.db.Stats(), measure.CPUTime(), time.Now() // looking for the server's processes is not counted
	said, err := w.clients.write()
	if err != nil {
		return peerRound{}, err
	}
	if err := w.until(ctx, want); err != nil {
		return peerRound{}, err
	}
	n, took := float64(conversations), time.Since(begin)
	after := w.db.Stats()
	r := peerRound{rate: n / took.Seconds(), program: (measure.CPUTime() - program).Seconds() * 1000 / n,
		commits: float64(after.Commits-stats.Commits) / n, statements: float64(after.Statements-stats.Statements) / n,
		p50: said.P50, p99: said.P99, most: said.Most}
	now, err := measure.TreeTime(w.server)
	r.server = (now - server).Seconds() * 1000 / n
	return r, err
}
