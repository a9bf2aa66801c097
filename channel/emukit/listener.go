package emukit

import (
	"context"
	"net"
	"sync"
)

// Listener takes connections within the process, for emulators of protocols
// other than HTTP. All methods may be called at once; make it with NewListener.
type Listener struct {
	conns  chan net.Conn
	done   chan struct{}
	once   sync.Once
	asked  chan struct{}
	asking sync.Once
}

// NewListener returns one that nobody accepts from yet.
func NewListener() *Listener {
	return &Listener{conns: make(chan net.Conn), done: make(chan struct{}), asked: make(chan struct{})}
}

// Dial connects to whoever accepts. wrap, if not nil, makes the server's end of
// the connection from what it is. net.ErrClosed after Close, and the context's
// error when nobody accepts in time.
func (l *Listener) Dial(ctx context.Context, wrap func(net.Conn) net.Conn) (net.Conn, error) {
	client, server := net.Pipe()
	if wrap != nil {
		server = wrap(server)
	}
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	l.asking.Do(func() { close(l.asked) })
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Accepting is closed once a server first accepts. Some servers can be closed
// only from then on.
func (l *Listener) Accepting() <-chan struct{} { return l.asked }

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: "emulator", Net: "pipe"} }
