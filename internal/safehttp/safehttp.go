// Package safehttp is the one HTTP client for addresses that others choose:
// web hooks that a tenant typed in, media and avatars that a provider or a
// customer named. It keeps such a request from reaching what only this machine
// can reach:
//
//   - every name is resolved here, every address of the answer is checked, and
//     the connection goes to an address that was checked, on each hop anew;
//   - URLs are http or https, without user information, in ASCII, on allowed
//     ports; a redirect is checked like the first URL, never goes from https to
//     http, and takes credentials to no other origin;
//   - proxies of the environment are not used, cookies not kept, nothing is
//     decompressed;
//   - time and size are bounded for the answer as a whole;
//   - no error and no log line holds a byte of the answer, a path or a query.
//
// Beside the client it has what is needed to judge what was fetched or
// uploaded: Sniff, CheckImage, FileName, Inline and ServeHeaders.
package safehttp

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Defaults of Options.
const (
	DefaultTimeout      = 30 * time.Second
	DefaultMaxBytes     = 10 << 20
	DefaultMaxRedirects = 3
)

// maxHeaderBytes bounds the header of an answer; none that is useful comes near.
const maxHeaderBytes = 64 << 10

// Options are the settings of New. The zero value reaches public addresses on
// the default ports and nothing else.
type Options struct {
	// AllowPrivate are addresses that may be reached although they are not
	// public, such as 10.1.2.0/24 for the host's own services.
	AllowPrivate []netip.Prefix
	// AllowHosts are exact names, such as crm.internal, that may resolve to
	// private, shared or loopback addresses. Link-local addresses, where clouds
	// keep their credentials, need AllowPrivate all the same.
	AllowHosts []string
	// Ports are the ports that may be reached. Nil: 80, 443, 8080 and 8443.
	Ports []uint16
	// AnyPort lifts the restriction of ports.
	AnyPort bool
	// Timeout bounds a request from its start until its answer has been read,
	// redirects included. 0: 30 s.
	Timeout time.Duration
	// MaxBytes bounds the body of an answer. 0: 10 MiB. A Request may ask for
	// another bound.
	MaxBytes int64
	// MaxRedirects is how many redirects Fetch follows. 0: 3; below 0: none.
	MaxRedirects int
	// UserAgent is sent with every request. Empty: "Sangdam".
	UserAgent string
	// RootCAs are the authorities to trust. Nil: the system's.
	RootCAs *x509.CertPool
	// Resolver looks names up. Nil: net.DefaultResolver.
	Resolver Resolver
	// Logger gets one line per request: host, status, duration. Nil is silent.
	Logger *slog.Logger
}

// Client makes requests. It may be used concurrently.
type Client struct {
	opts      Options
	policy    policy
	resolver  Resolver
	transport *http.Transport
	log       *slog.Logger
	// dialAddr connects to an address that was checked; tests replace it.
	dialAddr dialFunc
}

// New returns a client. One per process is enough.
func New(o Options) *Client {
	c := &Client{opts: withDefaults(o), policy: newPolicy(o), resolver: o.Resolver, log: o.Logger}
	if c.resolver == nil {
		c.resolver = net.DefaultResolver
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.dialAddr = c.dialChecked
	c.transport = &http.Transport{
		Proxy:                  nil, // not from the environment: it would dial for us, unchecked
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // a gzip bomb stays as small as it came
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
	}
	return c
}

// Close closes connections that are idle. Requests under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

func withDefaults(o Options) Options {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxRedirects == 0 {
		o.MaxRedirects = DefaultMaxRedirects
	}
	if o.UserAgent == "" {
		o.UserAgent = "Sangdam"
	}
	return o
}

// canonicalHost is how hosts are compared: lower case, no final dot.
func canonicalHost(host string) string {
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
