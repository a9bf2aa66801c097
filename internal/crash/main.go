// Command crash holds the promise against the real program: every event that
// was answered 2xx and every answer of an agent survives a SIGKILL, is there
// exactly once, in order, and no conversation ever has two owners.
//
//	go run ./internal/crash -store sqlite -kills 200 -seed 1 -json
//
// It builds examples/helpdesk, plays LINE (channel/line/linetest) with many
// customers who write numbered messages, has the helpdesk's own program of an
// agent answer each with an echo, and kills the process at random moments,
// again and again. Calls of the Messaging API fail at a given rate, most of
// them after LINE has acted on them. Then the traffic stops, everything may
// come to rest, and both sides are compared: what the store says and what the
// customers' phones show.
//
// A push carries a retry key, so that an ambiguous outcome is repeated safely; a
// reply does not, so that its ambiguous outcome is not repeated and shows as
// "unknown", which the report counts apart: it is not harm. Everything else is,
// and makes the exit code 1.
//
// With -nodes the helpdesk runs as several processes on one PostgreSQL, each
// behind a proxy of its own, and more than kills happens to them: replies of the
// server are swallowed after it committed, connections are cut and stall, the
// server crashes and its clock is set, rows stay locked, statements time out,
// processes stand still for longer than their leases. docs/crash.md says what is
// proved.
//
//	go run ./internal/crash -nodes 3 -kills 50 -seed 2
//
// With -channel email customers write mails: the emulator of IMAP and SMTP
// (channel/email/emailtest) is in this process, and loses connections before and
// after it took a mail, gives new UIDs to everything, and answers slowly. A mail
// has no key with which it could be sent again safely, so that an outcome that
// was lost shows as "unknown", as with a reply.
//
//	go run ./internal/crash -channel email -kills 200
//
// What was killed when depends on the machine; the seed fixes the customers,
// the faults and the moments, as far as a real process lets them be fixed.
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
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

// options of a run.
type options struct {
	store     string
	kills     int
	seed      uint64
	customers int
	faults    float64
	keep      bool
	json      bool
	nodes     int
	only      string
	channel   string
	program   string // path of the helpdesk's binary; empty: built
}

var errHarm = errors.New("there is harm; see the report")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	set := flag.NewFlagSet("crash", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&o.store, "store", "sqlite", "sqlite, or postgres: SANGDAM_TEST_POSTGRES or a throw-away server")
	set.IntVar(&o.kills, "kills", 50, "how often the process is killed")
	set.Uint64Var(&o.seed, "seed", 1, "seed of customers, faults and moments")
	set.IntVar(&o.customers, "customers", 40, "customers who write at once")
	set.Float64Var(&o.faults, "faults", 1, "how much of the usual rate of faults LINE has; 0: none")
	set.BoolVar(&o.keep, "keep", false, "keep the data and the program's output, and say where")
	set.BoolVar(&o.json, "json", false, "print one JSON object instead of progress")
	set.IntVar(&o.nodes, "nodes", 1, "processes; more than one: on PostgreSQL, where more than kills happens")
	set.StringVar(&o.only, "only", "", "with -nodes: the `actions` that happen, with commas between; empty: all")
	set.StringVar(&o.channel, "channel", "line", "through what customers write: line or email")
	set.StringVar(&o.program, "program", "", "`path` of a built helpdesk; empty: build it")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if o.kills < 0 || o.customers < 1 || o.customers > 150 || o.faults < 0 || o.faults > 5 {
		return errors.New("-kills is at least 0, -customers 1 to 150, -faults 0 to 5")
	}
	if err := o.checkNodes(); err != nil {
		return err
	}
	if o.nodes > 1 {
		o.store = "postgres"
	}
	progress := stderr
	if !o.json {
		progress = stdout
	}
	r, err := crash(ctx, o, progress)
	if err != nil {
		return err
	}
	if o.json {
		err = json.NewEncoder(stdout).Encode(r)
	} else {
		r.print(stdout)
	}
	if err == nil && r.harm() > 0 {
		err = errHarm
	}
	return err
}
