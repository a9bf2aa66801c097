package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// proxy stands between one process and PostgreSQL and misbehaves on demand.
type proxy struct {
	ln     net.Listener
	target string

	swallow   atomic.Int64 // how many replies are still to be thrown away
	swallowed atomic.Int64
	stalled   atomic.Int64 // unix nanoseconds until which nothing passes

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newProxy(target string) (*proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{ln: ln, target: target, conns: map[net.Conn]bool{}}
	go p.serve()
	return p, nil
}

// dsn is the server's own, through the proxy.
func (p *proxy) dsn(server url.URL) string {
	server.Host = p.ln.Addr().String()
	return server.String()
}

func (p *proxy) serve() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		go p.handle(client)
	}
}

func (p *proxy) handle(client net.Conn) {
	defer client.Close() //nolint:errcheck // one of the two ended
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // one of the two ended
	p.keep(client, server)
	defer p.forget(client, server)
	go func() {
		p.requests(server, client)
		_ = server.Close()
	}()
	p.replies(client, server)
}

func (p *proxy) requests(server, client net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		p.wait()
		if n > 0 {
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// idle is how PostgreSQL ends a reply when no transaction is open any more.
var idle = []byte{'Z', 0, 0, 0, 5, 'I'}

// replies passes on what the server says. A reply that is to be swallowed is
// one after which no transaction is open: what was asked is done, and the
// client learns only that its connection is gone.
func (p *proxy) replies(client, server net.Conn) {
	buf := make([]byte, 256<<10)
	for loggedIn := false; ; {
		n, err := server.Read(buf)
		p.wait()
		if n > 0 {
			ended := bytes.HasSuffix(buf[:n], idle)
			if loggedIn && ended && n > 40 && p.take() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
			loggedIn = loggedIn || ended
		}
		if err != nil {
			return
		}
	}
}

// take says whether this reply is one to be swallowed.
func (p *proxy) take() bool {
	for {
		left := p.swallow.Load()
		if left <= 0 {
			return false
		}
		if p.swallow.CompareAndSwap(left, left-1) {
			p.swallowed.Add(1)
			return true
		}
	}
}

func (p *proxy) wait() {
	for d := time.Until(time.Unix(0, p.stalled.Load())); d > 0; d = time.Until(time.Unix(0, p.stalled.Load())) {
		time.Sleep(min(d, 50*time.Millisecond))
	}
}

// cut resets every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = c.Close()
	}
}

func (p *proxy) keep(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
}

func (p *proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// balancer passes webhooks to the processes that serve, one after the other.
type balancer struct {
	mu    sync.Mutex
	bases []string // "" while a process does not serve
	next  int
}

func (b *balancer) set(i int, base string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bases[i] = base
}

func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.bases {
		b.next++
		if base := b.bases[b.next%len(b.bases)]; base != "" {
			return base
		}
	}
	return ""
}

// ServeHTTP implements http.Handler.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, err := url.Parse(b.pick())
	if err != nil || to.Host == "" {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2500*time.Millisecond)
	defer cancel()
	pass := &httputil.ReverseProxy{
		Rewrite:      func(pr *httputil.ProxyRequest) { pr.SetURL(to) },
		Transport:    &http.Transport{DisableKeepAlives: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	pass.ServeHTTP(w, r.WithContext(ctx))
}
