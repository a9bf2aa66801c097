// Command bench measures what a whole engine does: the time until somebody is
// offered a conversation, acknowledgements under load, a burst and a store that
// stalls, memory per open conversation, and a restart with much open work.
// What is held against a control statement by statement is a Go benchmark of
// the store it belongs to; docs/performance.md lists all of them.
//
//	go run ./internal/bench -case assign            # B5
//	go run ./internal/bench -case assign -store postgres
//	go run ./internal/bench -case ack               # B6
//	go run ./internal/bench -case memory            # B11
//	go run ./internal/bench -case restart           # B14, engine part
//	go run ./internal/bench -case widgets           # idle web-chat visitors
//	go run ./internal/bench -case console           # pages of a large desk
//	go run ./internal/bench -case rules             # one event and 10,000 rules
//	go run ./internal/bench -case peer -store postgres  # the whole way over HTTP
//	go run ./internal/bench -case peer
//	go run ./internal/bench -case drain -store postgres # 100,000 customers wait
//
// Data lies under TMPDIR: set it to a RAM file system to see what the software
// alone costs. Every case is power-cut durable.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if address := os.Getenv(clientEnv); address != "" {
		if err := holdStreams(address, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench: client:", err)
			os.Exit(1)
		}
		return
	}
	if address := os.Getenv(peerEnv); address != "" {
		if err := playCustomers(address, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench: customers:", err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(residentEnv) != "" {
		if err := beResident(ctx, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench: console:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// garbage is how the collector is set, unless GOGC says otherwise: as a host is told
// to set it, and examples/helpdesk does.
const garbage = 400

// options of a run.
type options struct {
	store         string
	rounds        int
	conversations int
	agents        int
	burst         int
	widgets       int
	waiting       int
	clients       int
	rate          float64
	buffers       string
	cpuProfile    string
	memProfile    string
}

// cases by name; each returns what is printed.
var cases = map[string]func(context.Context, options) (report, error){
	"assign":  assign,
	"ack":     acknowledge,
	"memory":  memory,
	"restart": restart,
	"widgets": widgets,
	"rules":   rules,
	"peer":    peer,
	"drain":   drain,
	"backlog": backlog,
	"console": consolePages,
}

// report is what a case found.
type report struct {
	Case       string         `json:"case"`
	Store      string         `json:"store"`
	Durability string         `json:"durability"`
	Figures    map[string]any `json:"figures"`
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	name := flags.String("case", "", "assign, ack, memory, restart, widgets, console, rules, peer, drain or backlog")
	flags.IntVar(&o.widgets, "widgets", 5_000, "connections of widgets")
	flags.IntVar(&o.waiting, "waiting", 100_000, "customers that wait in -case drain and backlog")
	flags.IntVar(&o.clients, "clients", 0, "of backlog, so many customers at once; of peer, too, without controls and half load")
	flags.Float64Var(&o.rate, "rate", 0, "of peer with -clients: so many webhooks a second at fixed moments")
	flags.StringVar(&o.buffers, "buffers", "1GB", "of peer: shared_buffers of PostgreSQL, whose own 128MB are flushed beside the commits")
	flags.StringVar(&o.cpuProfile, "cpuprofile", "", "file for a profile of the processor time of -case peer -clients")
	flags.StringVar(&o.memProfile, "memprofile", "", "file for a profile of what -case peer -clients allocated")
	asJSON := flags.Bool("json", false, "print one JSON object")
	flags.StringVar(&o.store, "store", "sqlite", "sqlite or, for assign, restart, peer, drain and backlog, postgres")
	flags.IntVar(&o.rounds, "rounds", 7, "rounds that must count")
	flags.IntVar(&o.conversations, "conversations", 100_000, "open conversations of memory, restart and console")
	flags.IntVar(&o.agents, "agents", 10_000, "agents of restart")
	flags.IntVar(&o.burst, "burst", 10_000, "webhooks of ack's burst of a second")
	if err := flags.Parse(args); err != nil {
		return err
	}
	do, ok := cases[*name]
	if !ok {
		return errors.New("-case must be assign, ack, memory, restart, widgets, console, rules, peer, drain or backlog")
	}
	onPostgres := []string{"assign", "restart", "peer", "drain", "backlog"}
	if o.store != "sqlite" && (o.store != "postgres" || !slices.Contains(onPostgres, *name)) {
		return errors.New("-store must be sqlite, or postgres for -case assign, restart, peer, drain and backlog")
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	r, err := do(ctx, o)
	if err != nil {
		return err
	}
	r.Case, r.Store, r.Durability = *name, o.store, "power cut"
	if *asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	fmt.Fprintf(out, "%s on %s, durable over a power cut\n", r.Case, r.Store)
	var names []string
	for k := range r.Figures {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		fmt.Fprintf(out, "  %-34s %v\n", k, r.Figures[k])
	}
	return nil
}
