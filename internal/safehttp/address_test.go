package safehttp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
)

// names is a resolver of tests: each look-up of a name takes its next answer,
// the last one for ever.
type names struct {
	mu      sync.Mutex
	answers map[string][]string
	asked   int
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	list := n.answers[host]
	if len(list) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(list) > 1 {
		n.answers[host] = list[1:]
	}
	var addrs []netip.Addr
	for text := range strings.FieldsSeq(list[0]) {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs, nil
}

// recorder is a dialler of tests: it notes the address that would have been
// dialled and connects to a test server instead, so that public addresses need
// no network.
type recorder struct {
	mu     sync.Mutex
	dialed []string
	server string
}

func (r *recorder) dial(ctx context.Context, _ string, to netip.AddrPort) (net.Conn, error) {
	r.mu.Lock()
	r.dialed = append(r.dialed, to.String())
	r.mu.Unlock()
	var d net.Dialer
	return d.DialContext(ctx, "tcp", r.server)
}

func (r *recorder) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.dialed...)
}

// simulated returns a client in whose world names resolve as given and every
// address that passes the checks is served by handler.
func simulated(t *testing.T, answers map[string][]string, o Options, handler http.HandlerFunc) (*Client, *recorder, *names) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	n := &names{answers: answers}
	o.Resolver = n
	c := New(o)
	t.Cleanup(c.Close)
	r := &recorder{server: server.Listener.Addr().String()}
	c.dialAddr = r.dial
	return c, r, n
}

// real returns a client that may reach the loopback interface on any port.
func loopback(t *testing.T, o Options) *Client {
	t.Helper()
	o.AllowPrivate = append(o.AllowPrivate, netip.MustParsePrefix("127.0.0.0/8"))
	o.AnyPort = true
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func get(c *Client, url string) (string, error) {
	f, err := c.Fetch(context.Background(), Request{URL: url})
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(f)
	return string(b), errors.Join(err, f.Close())
}

// Addresses that are not public, in every spelling and behind every kind
// of name.
func TestAddressesThatAreNotPublic(t *testing.T) {
	private := []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "fe80::1", "fec0::1", "fc00::1", "fd00::1", "fd00:ec2::254", "ff02::1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "100::1", "5f00::1",
	}
	for _, a := range private {
		t.Run(a, func(t *testing.T) {
			c, dialed, _ := simulated(t, map[string][]string{
				"evil.example": {a}, "evil.example.": {a}, "mixed.example": {"93.184.215.14 " + a}, "xn--9n2bp8q.example": {a},
				"127.0.0.1.nip.io": {a},
			}, Options{}, hello)
			literal := a
			if strings.Contains(a, ":") {
				literal = "[" + a + "]"
			}
			for _, url := range []string{
				"http://" + literal + "/", "https://" + literal + ":8443/", "http://evil.example/", "http://EVIL.example./",
				"http://mixed.example/",
				"http://xn--9n2bp8q.example/", "http://127.0.0.1.nip.io/",
			} {
				_, err := get(c, strings.Replace(url, "EVIL", "evil", 1))
				require.ErrorIs(t, err, ErrBlocked, url)
				require.ErrorIs(t, err, errs.Invalid, url)
				_, err = c.Send(t.Context(), Request{URL: strings.Replace(url, "EVIL", "evil", 1)})
				require.ErrorIs(t, err, ErrBlocked, url)
			}
			require.Empty(t, dialed.list(), "nothing was dialled")
		})
	}
}

func TestPublicAddressesAreReached(t *testing.T) {
	for _, a := range []string{
		"1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
		"169.253.0.1", "223.255.255.255",
		"2606:4700:4700::1111", "2001:4860:4860::8888", "64:ff9b::808:808", "::ffff:8.8.8.8",
	} {
		c, dialed, _ := simulated(t, map[string][]string{"good.example": {a}}, Options{}, hello)
		body, err := get(c, "http://good.example/")
		require.NoError(t, err, a)
		require.Equal(t, "hello", body)
		require.Equal(t, []string{netip.AddrPortFrom(netip.MustParseAddr(a).Unmap(), 80).String()}, dialed.list())
	}
}

// Spellings that programs read differently, refused before anything
// is resolved; and everything that is no plain http or https URL.
func TestURLsThatAreRefused(t *testing.T) {
	for _, url := range []string{
		"http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.1/", "http://127.0.0.1./",
		"http://0/",
		"http://1.2.3.4.5/", "http://example.0x/", "http://[::1", "http://[fe80::1%25eth0]/", "http://[::1%eth0]/",
		"http://１２７.0.0.1/", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "http://예시.example/", "http://127。0。0。1/", "http://a..example/", "http://.example/",
		"http:///path", "http://:80/",
		"http://exa mple/", "http://ex%61mple/", "http://example\\@evil/", "http://example/\x00",
		"http://" + strings.Repeat("a", 64) + ".example/", "http://" + strings.Repeat("a.", 130) + "example/",
		"http://user@good.example/", "http://user:token@good.example/", "http://good.example@127.0.0.1/", "http://:@good.example/",
		"file:///etc/passwd", "gopher://good.example/", "javascript:alert(1)", "data:text/html,x", "ftp://good.example/",
		"ws://good.example/",
		"//good.example/", "good.example", "/path", "", "http:good.example", "HTTPX://good.example/",
		"http://good.example:0/", "http://good.example:65536/", "http://good.example:-1/", "http://good.example:22/",
		"http://good.example:25/",
		"http://good.example:6379/",
		"http://good.example/" + strings.Repeat("a", 8<<10),
	} {
		c, dialed, resolver := simulated(t, map[string][]string{"good.example": {"8.8.8.8"}}, Options{}, hello)
		require.ErrorIs(t, c.CheckURL(url), errs.Invalid, url)
		_, err := get(c, url)
		require.ErrorIs(t, err, errs.Invalid, url)
		_, err = c.Send(t.Context(), Request{URL: url})
		require.ErrorIs(t, err, errs.Invalid, url)
		require.NotContains(t, err.Error(), "token")
		require.Empty(t, dialed.list(), url)
		require.Zero(t, resolver.asked, url)
	}
	c := New(Options{})
	for _, url := range []string{"http://good.example", "https://GOOD.example:443/a?b=c#d", "HTTPS://good.example:8443/",
		"http://xn--9n2bp8q.example/", "http://8.8.8.8/", "http://[2606:4700:4700::1111]/", "http://a_b.example/",
		"http://4chan.example/"} {
		require.NoError(t, c.CheckURL(url), url)
	}
}

// The address that was checked is the one that is dialled, and a new
// connection is checked anew.
func TestRebinding(t *testing.T) {
	c, dialed, resolver := simulated(t, map[string][]string{"rebind.example": {"93.184.215.14", "127.0.0.1"}}, Options{},
		func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close"); hello(w, r) })
	body, err := get(c, "http://rebind.example/")
	require.NoError(t, err)
	require.Equal(t, "hello", body)
	require.Equal(t, 1, resolver.asked, "one look-up per connection, so none can differ from the checked one")
	require.Equal(t, []string{"93.184.215.14:80"}, dialed.list())

	_, err = get(c, "http://rebind.example/")
	require.ErrorIs(t, err, ErrBlocked)
	require.Len(t, dialed.list(), 1)
}

// The second check stands where the system is about to connect: even a dial
// that is told a private address goes nowhere.
func TestDialChecksAgain(t *testing.T) {
	s := serve(t, hello)
	to := netip.MustParseAddrPort(s.Listener.Addr().String())
	_, err := New(Options{}).dialChecked(t.Context(), "evil.example", to)
	require.ErrorIs(t, err, ErrBlocked)
	conn, err := loopback(t, Options{}).dialChecked(t.Context(), "own.example", to)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestRealServerOnLoopback(t *testing.T) {
	s := serve(t, hello)
	_, err := get(New(Options{AnyPort: true}), s.URL)
	require.ErrorIs(t, err, ErrBlocked)
	body, err := get(loopback(t, Options{}), s.URL)
	require.NoError(t, err)
	require.Equal(t, "hello", body)
}

func TestAllowHosts(t *testing.T) {
	answers := map[string][]string{"crm.internal": {"10.1.2.3"}, "shared.internal": {"100.64.1.1"}, "meta.internal": {"169.254.169.254"},
		"sub.crm.internal": {"10.1.2.3"}, "other.example": {"10.1.2.3"}}
	c, _, _ := simulated(t, answers, Options{AllowHosts: []string{"CRM.internal.", "shared.internal", "meta.internal"}}, hello)
	for _, host := range []string{"crm.internal", "shared.internal"} {
		_, err := get(c, "http://"+host+"/")
		require.NoError(t, err, host)
	}
	for _, host := range []string{"meta.internal", "sub.crm.internal", "other.example", "10.1.2.3"} {
		_, err := get(c, "http://"+host+"/")
		require.ErrorIs(t, err, ErrBlocked, host)
	}
}

func TestPorts(t *testing.T) {
	c, dialed, _ := simulated(t, map[string][]string{"good.example": {"8.8.8.8"}}, Options{Ports: []uint16{9000}}, hello)
	_, err := get(c, "http://good.example:9000/")
	require.NoError(t, err)
	_, err = get(c, "http://good.example/")
	require.ErrorIs(t, err, ErrBlocked)
	require.Equal(t, []string{"8.8.8.8:9000"}, dialed.list())
}

// A proxy of the environment would dial for us, unchecked.
func TestEnvironmentProxyIsNotUsed(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	c, dialed, _ := simulated(t, map[string][]string{"good.example": {"8.8.8.8"}}, Options{}, hello)
	_, err := get(c, "http://good.example/")
	require.NoError(t, err)
	require.Equal(t, []string{"8.8.8.8:80"}, dialed.list())
	require.Nil(t, c.transport.Proxy)
}

func TestNextAddressIsTried(t *testing.T) {
	c, _, _ := simulated(t, map[string][]string{"good.example": {"8.8.8.8 8.8.4.4"}}, Options{}, hello)
	through := c.dialAddr
	c.dialAddr = func(ctx context.Context, host string, to netip.AddrPort) (net.Conn, error) {
		if to.Addr().String() == "8.8.8.8" {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}
		return through(ctx, host, to)
	}
	_, err := get(c, "http://good.example/")
	require.NoError(t, err)
}

func TestUnreachable(t *testing.T) {
	var log strings.Builder
	c, _, _ := simulated(t, map[string][]string{"dead.example": {"8.8.8.8"}},
		Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, hello)
	_, err := get(c, "http://unknown.example/?token=secret")
	require.ErrorIs(t, err, errs.Unavailable)
	require.NotErrorIs(t, err, ErrBlocked)
	c.dialAddr = func(context.Context, string, netip.AddrPort) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
	}
	_, err = get(c, "http://dead.example/?token=secret")
	require.ErrorIs(t, err, errs.Unavailable)
	require.ErrorContains(t, err, "dead.example")
	require.NotContains(t, err.Error()+log.String(), "secret")
	require.Contains(t, log.String(), "dead.example")
}
