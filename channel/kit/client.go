package kit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// Client performs requests to one provider. It is safe for concurrent use.
type Client struct {
	// Name begins errors and log lines, the package's name: "line".
	Name string
	// Provider is the name that a person knows: "LINE".
	Provider string
	// HTTP performs the requests; use NewHTTP, which follows no redirects.
	HTTP *http.Client
	// Timeout bounds Do, the reading of the answer included.
	Timeout time.Duration
	// MaxAnswer is how many bytes of an answer Do reads.
	MaxAnswer int64
	// RequestID is the header of an answer by which the provider names the
	// request; empty: none.
	RequestID string
	// Log gets method, status and request id at debug level.
	Log *slog.Logger
}

// NewHTTP returns a copy of client that never follows a redirect, which would
// carry a token to another host; nil: one with time-outs and without a proxy.
func NewHTTP(client *http.Client) *http.Client {
	if client == nil {
		dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
		client = &http.Client{Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 15 * time.Second,
			IdleConnTimeout: 90 * time.Second, MaxIdleConns: 100, MaxIdleConnsPerHost: 100, ForceAttemptHTTP2: true,
		}}
	}
	copied := *client
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}

// Call is one request.
type Call struct {
	Method  string
	Address string // whole; ids in it are checked by the caller
	Header  http.Header
	Body    []byte // nil: none
}

// Answer is the provider's answer with a bounded body.
type Answer struct {
	Status    int
	Header    http.Header
	Body      []byte
	RequestID string
	// Truncated: the body was cut off, by the bound or on the way. The status
	// arrived, so the outcome is known all the same.
	Truncated bool
}

// TransportError is a call without an answer.
type TransportError struct {
	// Sent is false only when it is certain that nothing of the request reached
	// the provider.
	Sent           bool
	Name, Provider string
	Err            error
}

// Error says whether the request may have arrived.
func (e *TransportError) Error() string {
	if e.Sent {
		return e.Name + ": no answer from " + e.Provider + "; the connection broke or timed out"
	}
	return e.Name + ": " + e.Provider + " could not be reached"
}

// Unwrap keeps context errors reachable. What net/http says is left out: it
// repeats the address, and proxies put all sorts into it.
func (e *TransportError) Unwrap() []error {
	kinds := []error{errs.Unavailable}
	for _, ctxErr := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(e.Err, ctxErr) {
			kinds = append(kinds, ctxErr)
		}
	}
	return kinds
}

// Do sends the call once and reads the answer, whatever its status. An error
// is a *TransportError, or ErrInvalid for a call that cannot be built.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	resp, err := c.Open(ctx, call)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	ans := Answer{Status: resp.StatusCode, Header: resp.Header, RequestID: c.requestID(resp.Header)}
	ans.Body, err = io.ReadAll(io.LimitReader(resp.Body, c.MaxAnswer))
	ans.Truncated = err != nil || int64(len(ans.Body)) == c.MaxAnswer
	c.Log.DebugContext(ctx, c.Name+": call", "method", call.Method, "status", ans.Status, "request", ans.RequestID)
	return ans, nil
}

// Open sends the call once and leaves the body to the caller, who bounds it in
// time by ctx and in size by itself. Errors are as of Do.
func (c *Client) Open(ctx context.Context, call Call) (*http.Response, error) {
	var asked, connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	var body io.Reader
	if call.Body != nil {
		body = bytes.NewReader(call.Body)
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, call.Address, body)
	if err != nil {
		return nil, errs.New(errs.Invalid, "%s: the call cannot be built from the configured base address", c.Name)
	}
	for name, values := range call.Header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "sangdam")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, c.Broken(!unsent(err, asked.Load(), connected.Load()), err)
	}
	return resp, nil
}

// Broken is the *TransportError of this provider.
func (c *Client) Broken(sent bool, err error) *TransportError {
	return &TransportError{Sent: sent, Name: c.Name, Provider: c.Provider, Err: err}
}

// unsent reports that the request certainly never left: no connection was ever
// handed to it. Transports that are not net/http's own do not trace; for them
// only an explicit dial error counts.
func unsent(err error, asked, connected bool) bool {
	if asked {
		return !connected
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func (c *Client) requestID(h http.Header) string {
	if c.RequestID == "" {
		return ""
	}
	return SafeID(h.Get(c.RequestID))
}

// SafeID returns an id of the provider's that ends in logs and on screens, or
// nothing when it is longer than 100 bytes or not printable ASCII.
func SafeID(id string) string {
	if len(id) <= 100 && Printable(id) {
		return id
	}
	return ""
}

// Printable reports that s is of visible ASCII alone.
func Printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
