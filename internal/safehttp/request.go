package safehttp

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// Request is what to ask of a server.
type Request struct {
	// URL is absolute.
	URL string
	// Header is sent along. After a redirect to another origin only Accept and
	// Range are.
	Header http.Header
	// Method is for Send; empty means POST. Fetch uses GET.
	Method string
	// Body is for Send.
	Body []byte
	// MaxBytes, when above 0, replaces Options.MaxBytes.
	MaxBytes int64
	// Timeout, when above 0, replaces Options.Timeout.
	Timeout time.Duration
}

// Result is what Send tells of an answer: never its body, which may come from
// a host that the caller's user cannot reach.
type Result struct {
	// Status is the HTTP status; a redirect is not followed.
	Status int
	// RetryAfter is how long the server asks to wait, at most a day; 0 when it
	// does not say.
	RetryAfter time.Duration
}

// OK says whether the server accepted.
func (r Result) OK() bool { return r.Status >= 200 && r.Status <= 299 }

// Send delivers a request, for example a web hook, and reports the status. It
// follows no redirect, because the body was signed for this URL. An error means
// that no answer came: ErrInvalid and ErrBlocked before anything was sent, or
// ErrUnavailable, after which the server may have acted or not.
func (c *Client) Send(ctx context.Context, r Request) (Result, error) {
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	u, err := c.parseURL(r.URL)
	if err != nil {
		return Result{}, err
	}
	inner, cancel := context.WithTimeout(ctx, c.timeout(r))
	defer cancel()
	res, err := c.roundTrip(ctx, inner, method, u, r.Header, r.Body)
	if err != nil {
		return Result{}, err
	}
	// Reading a short rest lets the connection be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 16<<10))
	_ = res.Body.Close()
	return ResultOf(res), nil
}

// Fetch gets a file. The answer's body is still to be read, and to be closed.
// Errors: ErrInvalid, with ErrBlocked and ErrTooLarge among them, a
// *StatusError for any status but 2xx, ErrUnavailable, or a context error.
func (c *Client) Fetch(ctx context.Context, r Request) (*File, error) {
	u, err := c.parseURL(r.URL)
	if err != nil {
		return nil, err
	}
	inner, cancel := context.WithTimeout(ctx, c.timeout(r))
	res, err := c.follow(ctx, inner, u, r.Header)
	if err != nil {
		cancel()
		return nil, err
	}
	f, err := c.open(ctx, cancel, res, r)
	if err != nil {
		_ = res.Body.Close()
		cancel()
		return nil, err
	}
	return f, nil
}

// follow gets u and the places it redirects to.
func (c *Client) follow(outer, inner context.Context, u *url.URL, header http.Header) (*http.Response, error) {
	for hop := 0; ; hop++ {
		res, err := c.roundTrip(outer, inner, http.MethodGet, u, header, nil)
		if err != nil {
			return nil, err
		}
		if !isRedirect(res) {
			return res, nil
		}
		_ = res.Body.Close()
		if hop >= c.opts.MaxRedirects {
			return nil, errs.New(errs.Invalid, "safehttp: %q: it redirects more often than %d times", u.Hostname(),
				max(0, c.opts.MaxRedirects))
		}
		next, err := c.redirect(u, res.Header.Get("Location"))
		if err != nil {
			return nil, err
		}
		// What was left out stays out, also when a later hop leads back.
		if !sameOrigin(u, next) {
			header = harmless(header)
		}
		u = next
	}
}

func isRedirect(res *http.Response) bool {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return res.Header.Get("Location") != ""
	}
	return false
}

// redirect resolves and checks where an answer sends us. Its errors do not
// quote the location, only its host.
func (c *Client) redirect(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil || len(location) > maxURL {
		return nil, errs.New(errs.Invalid, "safehttp: %q: it redirects to what is no URL", from.Hostname())
	}
	if err := c.checkURL(to); err != nil {
		c.log.Warn("outbound redirect refused", "from", from.Hostname())
		return nil, err
	}
	if from.Scheme == "https" && to.Scheme == "http" {
		return nil, errs.New(errs.Invalid, "safehttp: %q: it redirects from https to http", from.Hostname())
	}
	return to, nil
}

// harmless keeps the headers that may go to another origin.
func harmless(h http.Header) http.Header {
	kept := make(http.Header)
	for _, name := range []string{"Accept", "Range"} {
		if v := h.Values(name); len(v) > 0 {
			kept[name] = v
		}
	}
	return kept
}

// roundTrip makes one request. outer is the caller's context, inner the one
// with the deadline.
func (c *Client) roundTrip(outer, inner context.Context, method string, u *url.URL, header http.Header, body []byte) (*http.Response,
	error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(inner, method, u.String(), reader)
	if err != nil {
		return nil, errs.New(errs.Invalid, "safehttp: %q: the method is not one of HTTP", u.Hostname())
	}
	for name, values := range header {
		if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
			return nil, errs.New(errs.Invalid, "safehttp: %q: a header has a line break in it", u.Hostname())
		}
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	req.Header.Set("Accept-Encoding", "identity")
	start := time.Now()
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		err = explain(outer, u.Hostname(), err)
		c.log.Warn("outbound request failed", "host", u.Hostname(), "error", err, "took", time.Since(start))
		return nil, err
	}
	c.log.Debug("outbound request", "host", u.Hostname(), "status", res.StatusCode, "took", time.Since(start))
	return res, nil
}

func (c *Client) timeout(r Request) time.Duration {
	if r.Timeout > 0 {
		return r.Timeout
	}
	return c.opts.Timeout
}

func (c *Client) maxBytes(r Request) int64 {
	limit := c.opts.MaxBytes
	if r.MaxBytes > 0 {
		limit = r.MaxBytes
	}
	return min(limit, math.MaxInt64-1) // File counts one byte beyond it
}

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, time.Until(at)), maxRetryAfter)
	}
	return 0
}

// ResultOf is what Send would tell of an answer, for a caller that has it by
// another transport. The body stays the caller's.
func ResultOf(res *http.Response) Result {
	return Result{Status: res.StatusCode, RetryAfter: retryAfter(res.Header)}
}

// Exchange is Send for protocols that answer in the body: it returns at most 64
// KiB of it, for a program to read. Nothing of the body may be shown or logged:
// it may come from a host that the caller's user cannot reach.
func (c *Client) Exchange(ctx context.Context, r Request) (Result, []byte, error) {
	u, err := c.parseURL(r.URL)
	if err != nil {
		return Result{}, nil, err
	}
	inner, cancel := context.WithTimeout(ctx, c.timeout(r))
	defer cancel()
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	res, err := c.roundTrip(ctx, inner, method, u, r.Header, r.Body)
	if err != nil {
		return Result{}, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		err = explain(ctx, u.Hostname(), err)
	}
	return ResultOf(res), body, err
}
