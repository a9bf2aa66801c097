package line

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

const (
	callTimeout  = 15 * time.Second
	mediaTimeout = 10 * time.Minute
	maxAnswer    = 1 << 20 // no answer of LINE but contents comes near
)

// call is one request to LINE.
type call struct {
	method      string
	address     string // base and path; ids in it are checked by the caller
	contentType string
	body        []byte
	retryKey    string // empty: no header at all
}

// answer is LINE's answer with a bounded body.
type answer struct {
	status    int
	header    http.Header
	body      []byte
	requestID string
	truncated bool
}

// transportError is a call without an answer. sent is false only when it is
// certain that nothing of the request reached the provider.
type transportError struct {
	sent bool
	err  error
}

func (e *transportError) Error() string {
	if e.sent {
		return "line: no answer from LINE; the connection broke or timed out"
	}
	return "line: LINE could not be reached"
}

// Unwrap keeps context errors reachable. What net/http says is left out: it
// repeats the address, and proxies put all sorts into it.
func (e *transportError) Unwrap() []error {
	kinds := []error{errs.Unavailable}
	for _, ctxErr := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(e.err, ctxErr) {
			kinds = append(kinds, ctxErr)
		}
	}
	return kinds
}

// authorised performs the call with the account's token and, where tokens are
// issued by us, once more with a new one after a 401: a refused token means
// that the call had no effect.
func (a *Adapter) authorised(ctx context.Context, acct channel.Account, c call) (answer, error) {
	token, renewable, err := a.token(ctx, acct, "")
	if err != nil {
		return answer{}, err
	}
	if err := a.turn(ctx, acct, c); err != nil {
		return answer{}, err
	}
	ans, err := a.perform(ctx, c, "Bearer "+token)
	if err != nil || ans.status != http.StatusUnauthorized || !renewable {
		return ans, err
	}
	if token, _, err = a.token(ctx, acct, token); err != nil {
		return answer{}, err
	}
	if err := a.turn(ctx, acct, c); err != nil {
		return answer{}, err
	}
	return a.perform(ctx, c, "Bearer "+token)
}

// turn waits until the account's rate lets the call go.
func (a *Adapter) turn(ctx context.Context, acct channel.Account, c call) error {
	path, ok := strings.CutPrefix(c.address, a.api)
	if !ok {
		path = strings.TrimPrefix(c.address, a.data)
	}
	return a.limits.wait(ctx, acct.Token, endpointOf(path))
}

// perform sends the call once and reads the answer.
func (a *Adapter) perform(ctx context.Context, c call, authorization string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := a.open(ctx, c, authorization)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	ans := answer{status: resp.StatusCode, header: resp.Header, requestID: requestID(resp.Header, "X-Line-Request-Id")}
	ans.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	// The status line arrived, so the outcome is known even if the body broke.
	ans.truncated = err != nil || len(ans.body) == maxAnswer
	a.log.DebugContext(ctx, "line: call", "method", c.method, "status", ans.status, "request", ans.requestID)
	return ans, nil
}

// open sends the call and leaves the body to the caller.
func (a *Adapter) open(ctx context.Context, c call, authorization string) (*http.Response, error) {
	var asked, connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, c.address, body)
	if err != nil {
		return nil, errs.New(errs.Invalid, "line: the call cannot be built from the configured base address")
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	if c.retryKey != "" {
		req.Header.Set("X-Line-Retry-Key", c.retryKey)
	}
	req.Header.Set("User-Agent", "sangdam")
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, &transportError{sent: !unsent(err, asked.Load(), connected.Load()), err: err}
	}
	return resp, nil
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

// requestID reads an id header, which ends in logs and on screens.
func requestID(h http.Header, name string) string {
	if id := h.Get(name); len(id) <= 100 && printable(id) {
		return id
	}
	return ""
}

// decode reads a 2xx answer into v, or explains the refusal by kind.
func (ans answer) decode(what string, v any) error {
	if ans.status/100 != 2 {
		return refusal(what, ans.status)
	}
	if v == nil {
		return nil
	}
	if ans.truncated || json.Unmarshal(ans.body, v) != nil {
		return errs.New(errs.Unavailable, "line: %s: LINE's answer was cut off or is not JSON", what)
	}
	return nil
}

func refusal(what string, status int) error {
	switch status {
	case http.StatusUnauthorized:
		return errs.New(errs.PermissionDenied, "line: %s: LINE refused the access token (401); issue a new one in the LINE console", what)
	case http.StatusForbidden:
		return errs.New(errs.PermissionDenied, "line: %s: the account's plan or rights do not allow this (403)", what)
	case http.StatusNotFound:
		return errs.New(errs.NotFound, "line: %s: not found (404)", what)
	case http.StatusConflict:
		return errs.New(errs.AlreadyExists, "line: %s: exists already (409)", what)
	case http.StatusGone:
		return errs.New(errs.Stale, "line: %s: no longer there (410)", what)
	}
	if status == http.StatusTooManyRequests || status >= 500 {
		return errs.New(errs.Unavailable, "line: %s: LINE answered %d; try again later", what, status)
	}
	return errs.New(errs.Invalid, "line: %s: LINE refused with status %d", what, status)
}

// callJSON performs an authorised call with an optional JSON body and decodes
// the answer into out unless nil.
func (a *Adapter) callJSON(ctx context.Context, acct channel.Account, what, method, path string, in, out any) error {
	c := call{method: method, address: a.api + path}
	if in != nil {
		body, err := encode(in)
		if err != nil {
			return errs.New(errs.Invalid, "line: %s: the request cannot be encoded", what)
		}
		c.body, c.contentType = body, "application/json"
	}
	ans, err := a.authorised(ctx, acct, c)
	if err != nil {
		return err
	}
	return ans.decode(what, out)
}
