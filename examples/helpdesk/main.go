// Command helpdesk is a whole help desk in one process: a LINE account, a desk
// that is always open, two agents, and an interface for playing the agent with
// curl.
//
//	go run ./examples/helpdesk
//
// It listens on 127.0.0.1:8080, keeps its data in ./helpdesk-data, and prints
// what it serves and then, line by line, what happens: ids and kinds, never
// what somebody wrote. -h lists the flags and the environment.
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
	"strings"
	"syscall"
)

func main() {
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
	h, err := open(ctx, o, stdout, stderr)
	if err != nil {
		return err
	}
	return errors.Join(h.serve(ctx, ln), h.db.Close())
}
