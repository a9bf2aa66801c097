package emukit

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main is the main function of a standalone emulator: it ends by an interrupt,
// and tells an error on standard error with status 1. run gets the arguments
// without the program's name; flag.ErrHelp is no error.
func Main(name string, run func(ctx context.Context, args []string, out io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// Service is one address that a standalone emulator serves.
type Service struct {
	// Addr is where it listens, such as 127.0.0.1:9100.
	Addr string
	// Serve takes the listener's connections until it is closed.
	Serve func(net.Listener) error
	// Stop, if not nil, ends Serve in an orderly way; else the listener is closed.
	Stop func(context.Context) error
}

// Web is the service of an API or a page.
func Web(addr string, h http.Handler) Service {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return Service{Addr: addr, Serve: s.Serve, Stop: func(ctx context.Context) error {
		if s.Shutdown(ctx) != nil { // pages that wait for news keep it open
			return s.Close()
		}
		return nil
	}}
}

// Serve listens for all the services, calls ready with the addresses in their
// order, and returns when ctx ends, with nil, or with the error of the first
// service that fails. Who is being served gets two seconds to finish.
func Serve(ctx context.Context, ready func(addrs []net.Addr), services ...Service) error {
	var listeners []net.Listener
	var addrs []net.Addr
	defer func() {
		for _, l := range listeners {
			_ = l.Close() // closed already where the service was stopped
		}
	}()
	for _, s := range services {
		l, err := net.Listen("tcp", s.Addr)
		if err != nil {
			return err
		}
		listeners, addrs = append(listeners, l), append(addrs, l.Addr())
	}
	failed := make(chan error, len(services))
	for i, s := range services {
		go func() { failed <- s.Serve(listeners[i]) }()
	}
	ready(addrs)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, s := range services {
		if s.Stop == nil {
			continue
		}
		if err := s.Stop(closing); err != nil {
			return err
		}
	}
	return nil
}
