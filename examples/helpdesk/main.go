// Command helpdesk is a whole help desk in one process: a LINE account, a desk
// that is always open, the agents' console with log-in, and an interface for
// playing an agent with curl.
//
//	go run ./examples/helpdesk -demo
//
// shows it without an account: it also plays LINE, with a customer's phone at
// http://127.0.0.1:9100, and prints a link by which you enter the console as
// one of three agents; the other two are a program that answers while you are
// not there. Its data is kept apart in ./helpdesk-data/demo. Without -demo, with
// the LINE_* variables, it serves a real account:
//
//	go run ./examples/helpdesk
//
// It listens on 127.0.0.1:8080, keeps its data in ./helpdesk-data, prints the
// administrator's password at its first start, what it serves and then, line by
// line, what happens: ids and kinds, never what somebody wrote. -h lists the
// flags and the environment.
//
// With -record FILE it keeps accepted webhooks, with names, texts, tokens and
// people's ids replaced (line.Recorder), so that a real day can be played again
// against a changed program, each webhook several times and shuffled; -secret is
// the channel secret of the desk that is played against, with which it signs:
//
//	go run ./examples/helpdesk -record day.jsonl
//	go run ./channel/line/linetest/cmd/lineemu -replay day.jsonl -webhook http://127.0.0.1:8080/webhooks/line -secret SECRET
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// garbage is how much may be allocated before the next collection, in percent of
// what is in use. The live heap of a desk is some megabytes, so that with the
// usual 100 the collector runs some twenty times a second under load; with 400 a
// new customer costs the program a quarter less processor time, for some tens of
// megabytes. Whoever has less to spare sets GOGC, or GOMEMLIMIT to what the process
// may take.
const garbage = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "helpdesk:", oneLine(err))
		os.Exit(1)
	}
}

// oneLine keeps a joined error on one line, for logs that are read by line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// run serves until ctx ends, finishes what is under way, and returns nil; or it
// says why it cannot serve.
func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, env, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", o.addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s; choose another -addr: %w", o.addr, err)
	}
	defer ln.Close() //nolint:errcheck // the server closes it first; this is for failed starts
	if o.demo {
		d, err := startDemo(&o, ln.Addr())
		if err != nil {
			return err
		}
		defer d.close() //nolint:errcheck // the desk has drained; nobody listens any more
	}
	if o.home = o.publicURL; o.home == "" {
		o.home = "http://" + reachable(ln.Addr())
	}
	o.filesURL = filesURL(o, ln.Addr())
	h, err := open(ctx, o, stdout, stderr)
	if err != nil {
		return err
	}
	return errors.Join(h.serve(ctx, ln), h.close())
}

// filesURL is the address of agents' attachments. LINE fetches them over https;
// the emulator on this machine takes them from here. Without one they cannot be
// sent.
func filesURL(o options, here net.Addr) string {
	switch {
	case strings.HasPrefix(o.publicURL, "https://"):
		return strings.TrimSuffix(o.publicURL, "/") + "/files"
	case o.demo:
		return "http://" + reachable(here) + "/files"
	}
	return ""
}
