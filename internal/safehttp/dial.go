package safehttp

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// dialTimeout bounds one attempt to connect, so that a name with one dead
// address still works.
const dialTimeout = 5 * time.Second

// maxAddresses is how many addresses of a name are tried.
const maxAddresses = 4

// Resolver looks up the addresses of a name; *net.Resolver is one.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is "ip".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

type dialFunc func(ctx context.Context, host string, to netip.AddrPort) (net.Conn, error)

// dial is the transport's way to connect. The name is resolved once, all its
// addresses are checked, and one of those addresses, not the name, is dialled:
// an answer that changes between check and connection changes nothing.
func (c *Client) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, errs.New(errs.Invalid, "safehttp: the URL has no host and port to connect to")
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || !c.policy.port(uint16(port)) {
		return nil, blocked(host, "its port is not among the allowed ones")
	}
	addrs, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	// One bad address spoils the name: who controls it chose the mixture.
	for _, a := range addrs {
		if err := c.policy.address(host, a); err != nil {
			return nil, err
		}
	}
	for _, a := range addrs[:min(len(addrs), maxAddresses)] {
		var conn net.Conn
		if conn, err = c.dialAddr(ctx, host, netip.AddrPortFrom(a.Unmap(), uint16(port))); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := c.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return nil, unavailable(host, "its name could not be resolved")
	}
	return addrs, nil
}

// dialChecked connects, and checks the address once more where the system is
// about to use it.
func (c *Client) dialChecked(ctx context.Context, host string, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{
		Timeout: dialTimeout,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			used, err := netip.ParseAddrPort(address)
			if err != nil {
				return blocked(host, "its address cannot be read")
			}
			return c.policy.address(host, used.Addr())
		},
	}
	return d.DialContext(ctx, "tcp", to.String())
}

// DialContext connects to a host and port under the client's rules, for
// protocols other than HTTP, such as mail. Only TCP is spoken; network is not
// looked at.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return c.dial(ctx, network, address)
}
