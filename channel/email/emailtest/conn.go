package emailtest

import (
	"net"
	"sync"
)

// watched is a listener of the network whose connections can be cut.
type watched struct {
	net.Listener
	s *Server
}

// Accept implements net.Listener.
func (w *watched) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return w.s.watch(c), nil
}

// watch remembers a connection, so that it can be cut.
func (s *Server) watch(c net.Conn) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &cuttable{Conn: c, s: s, left: s.cutAfter}
	s.cutAfter = 0
	s.conns[w] = true
	return w
}

// cuttable breaks after so many bytes; 0: never.
type cuttable struct {
	net.Conn
	s    *Server
	mu   sync.Mutex
	left int
}

// Write implements net.Conn.
func (c *cuttable) Write(p []byte) (int, error) {
	c.mu.Lock()
	cut := c.left > 0 && len(p) >= c.left
	if n := c.left; cut {
		p = p[:n]
	} else if c.left > 0 {
		c.left -= len(p)
	}
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	if cut {
		_ = c.Close()
		return n, net.ErrClosed
	}
	return n, err
}

// Close implements net.Conn.
func (c *cuttable) Close() error {
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
	return c.Conn.Close()
}
