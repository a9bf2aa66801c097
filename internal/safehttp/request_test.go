package safehttp

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
)

// Every hop is checked.
func TestRedirectsAreChecked(t *testing.T) {
	for _, location := range []string{
		"http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://[::ffff:7f00:1]/", "//127.0.0.1/",
		"http://2130706433/",
		"http://evil.example/", "https://evil.example/", "http://user:pw@good.example/", "file:///etc/passwd", "gopher://x.example/",
		"javascript:alert(1)",
		"http://good.example:22/", "http://%zz/", "http://good.example/" + strings.Repeat("a", 9<<10),
	} {
		c, dialed, _ := simulated(t, map[string][]string{"good.example": {"8.8.8.8"}, "evil.example": {"10.0.0.1"}}, Options{},
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
			})
		_, err := get(c, "http://good.example/start")
		require.ErrorIs(t, err, errs.Invalid, location)
		require.Equal(t, []string{"8.8.8.8:80"}, dialed.list(), location)
		require.NotContains(t, err.Error(), "meta-data", "a location is not quoted")
	}
}

func TestRedirectsAreFollowedAndCounted(t *testing.T) {
	hops := 0
	handler := func(w http.ResponseWriter, r *http.Request) {
		if n := len(r.URL.Path) - 1; n > 0 {
			hops++
			http.Redirect(w, r, "/"+strings.Repeat("x", n-1), http.StatusFound)
			return
		}
		hello(w, r)
	}
	answers := map[string][]string{"good.example": {"8.8.8.8"}}
	c, _, _ := simulated(t, answers, Options{}, handler)
	body, err := get(c, "http://good.example/xxx")
	require.NoError(t, err)
	require.Equal(t, "hello", body)
	require.Equal(t, 3, hops)
	_, err = get(c, "http://good.example/xxxx")
	require.ErrorIs(t, err, errs.Invalid)
	require.ErrorContains(t, err, "3 times")

	c, _, _ = simulated(t, answers, Options{MaxRedirects: -1}, handler)
	_, err = get(c, "http://good.example/x")
	require.ErrorIs(t, err, errs.Invalid)
}

// Credentials stay at the origin they were meant for, also when a later
// hop leads back to it.
func TestRedirectDropsCredentials(t *testing.T) {
	seen := make(map[string]http.Header)
	c, _, _ := simulated(t, map[string][]string{"a.example": {"8.8.8.8"}, "sub.a.example": {"8.8.4.4"}}, Options{},
		func(w http.ResponseWriter, r *http.Request) {
			seen[r.Host+r.URL.Path] = r.Header.Clone()
			switch r.Host + r.URL.Path {
			case "a.example/1":
				http.Redirect(w, r, "/2", http.StatusFound)
			case "a.example/2":
				http.Redirect(w, r, "http://sub.a.example/3", http.StatusFound)
			case "sub.a.example/3":
				http.Redirect(w, r, "http://a.example/4", http.StatusFound)
			default:
				hello(w, r)
			}
		})
	f, err := c.Fetch(t.Context(), Request{URL: "http://a.example/1", Header: http.Header{
		"Authorization": {"Bearer secret"}, "x-line-signature": {"sig"}, "Cookie": {"c=1"}, "X-Own": {"1"}, "Accept": {"image/*"},
	}})
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, same := range []string{"a.example/1", "a.example/2"} {
		require.Equal(t, "Bearer secret", seen[same].Get("Authorization"), same)
		require.Equal(t, "sig", seen[same].Get("X-Line-Signature"), same)
	}
	for _, other := range []string{"sub.a.example/3", "a.example/4"} {
		require.NotNil(t, seen[other], other)
		for _, name := range []string{"Authorization", "X-Line-Signature", "Cookie", "X-Own", "Referer"} {
			require.Empty(t, seen[other].Values(name), "%s at %s", name, other)
		}
		require.Equal(t, "image/*", seen[other].Get("Accept"))
		require.Equal(t, "Sangdam", seen[other].Get("User-Agent"))
	}
}

func TestRedirectFromHTTPSToHTTPIsRefused(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
	}))
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	_, err := get(loopback(t, Options{RootCAs: pool}), s.URL)
	require.ErrorIs(t, err, errs.Invalid)
	require.ErrorContains(t, err, "from https to http")

	_, err = get(loopback(t, Options{}), s.URL)
	require.ErrorIs(t, err, errs.Unavailable)
	require.ErrorContains(t, err, "certificate")
}

// Sizes.
func TestAnswersThatAreTooLarge(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}
	c := loopback(t, Options{MaxBytes: 100_000})
	f, err := c.Fetch(t.Context(), Request{URL: serve(t, endless).URL})
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, f)
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorIs(t, err, errs.Invalid)
	require.Equal(t, int64(100_000), n)
	_, err = f.Read(make([]byte, 1))
	require.ErrorIs(t, err, ErrTooLarge, "it stays refused")
	require.NoError(t, f.Close())

	sized := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 1000))
	}).URL
	for limit, want := range map[int64]error{999: ErrTooLarge, 1000: nil, 1001: nil} {
		f, err := c.Fetch(t.Context(), Request{URL: sized, MaxBytes: limit})
		require.ErrorIs(t, err, want, limit)
		if err == nil {
			b, err := io.ReadAll(f)
			require.NoError(t, err)
			require.Len(t, b, 1000)
			require.NoError(t, f.Close())
		}
	}
	unsized := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 500))
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(make([]byte, 500))
	}).URL
	for limit, want := range map[int64]error{999: ErrTooLarge, 1000: nil} {
		f, err := c.Fetch(t.Context(), Request{URL: unsized, MaxBytes: limit})
		require.NoError(t, err)
		require.Equal(t, int64(-1), f.Size)
		_, err = io.ReadAll(f)
		require.ErrorIs(t, err, want, limit)
		require.NoError(t, f.Close())
	}
}

// A small answer that would grow is not grown.
func TestGzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 50<<20))
	require.NoError(t, z.Close())
	asked := ""
	encoded := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}).URL
	c := loopback(t, Options{})
	_, err := get(c, encoded)
	require.ErrorIs(t, err, errs.Unsupported)
	require.Equal(t, "identity", asked)
	res, err := c.Send(t.Context(), Request{URL: encoded})
	require.NoError(t, err)
	require.True(t, res.OK())

	file := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bomb.Bytes()) }).URL
	body, err := get(c, file)
	require.NoError(t, err)
	require.Len(t, body, bomb.Len(), "a compressed file is a file")
}

// Time. The servers wait for the client to give up; the client's bound is
// short, the test's own is that it ends.
func TestSlowServers(t *testing.T) {
	drip := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte("x")); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(time.Millisecond):
			case <-r.Context().Done():
			}
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client left
		<-r.Context().Done()
	}
	c := loopback(t, Options{Timeout: 50 * time.Millisecond})
	for name, h := range map[string]http.HandlerFunc{"drips": drip, "silent": silent} {
		_, err := get(c, serve(t, h).URL)
		require.ErrorIs(t, err, errs.Unavailable, name)
		require.ErrorContains(t, err, "in time", name)
		_, err = c.Send(t.Context(), Request{URL: serve(t, h).URL, Body: []byte("x")})
		if name == "silent" {
			require.ErrorIs(t, err, errs.Unavailable, name)
		}
	}
	_, err := loopback(t, Options{}).Send(t.Context(), Request{URL: serve(t, silent).URL, Timeout: 20 * time.Millisecond})
	require.ErrorIs(t, err, errs.Unavailable, "a request's own bound")
}

func TestSlowHeader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() //nolint:errcheck // a test's server
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
				for i := 0; ; i++ {
					if _, err := fmt.Fprintf(conn, "X-%d: y\r\n", i); err != nil {
						return
					}
				}
			}()
		}
	}()
	_, err = get(loopback(t, Options{Timeout: 5 * time.Second}), "http://"+l.Addr().String())
	require.ErrorIs(t, err, errs.Unavailable, "an endless header is cut")
}

func TestCancelledByTheCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := loopback(t, Options{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 5000))
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	}).URL
	f, err := c.Fetch(ctx, Request{URL: url})
	if err == nil {
		_, err = io.ReadAll(f)
		_ = f.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Send(ctx, Request{URL: url})
	require.ErrorIs(t, err, context.Canceled)
}

// Nothing of an answer is in an error or a log line.
func TestErrorsQuoteNothing(t *testing.T) {
	const secret = "TOPSECRET"
	raw := func(answer string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			}
		}()
		return "http://" + l.Addr().String() + "/path-" + secret + "?token=" + secret
	}
	var log strings.Builder
	c := loopback(t, Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, answer := range []string{
		"", secret, "HTTP/1.1 " + secret + " x\r\n\r\n", "HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: " + secret + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + secret + "\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret,
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + secret, "HTTP/1.1 500 " + secret + "\r\nContent-Length: 9\r\n\r\n" + secret,
		"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n" + secret,
		"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/" + secret + "\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: " + secret + "://x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: " + secret + "\r\nContent-Length: 0\r\n\r\n",
	} {
		_, err := get(c, raw(answer))
		require.Error(t, err, answer)
		require.NotNil(t, errs.KindOf(err), "%q: %v", answer, err)
		require.NotContains(t, strings.ToUpper(err.Error()), secret, answer)
	}
	require.NotContains(t, strings.ToUpper(log.String()), secret)
}

func TestStatusErrors(t *testing.T) {
	c := loopback(t, Options{})
	for status, kind := range map[int]error{
		400: errs.Invalid, 401: errs.PermissionDenied, 403: errs.PermissionDenied, 404: errs.NotFound,
		408: errs.Unavailable, 410: errs.NotFound,
		425: errs.Unavailable, 429: errs.Unavailable, 500: errs.Unavailable, 503: errs.Unavailable, 304: errs.Invalid,
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		})
		_, err := c.Fetch(t.Context(), Request{URL: s.URL})
		require.ErrorIs(t, err, kind, status)
		var e *StatusError
		require.True(t, errors.As(err, &e))
		require.Equal(t, StatusError{Status: status, RetryAfter: 7 * time.Second}, *e)

		res, err := c.Send(t.Context(), Request{URL: s.URL})
		require.NoError(t, err)
		require.Equal(t, Result{Status: status, RetryAfter: 7 * time.Second}, res)
		require.False(t, res.OK())
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "5": 5 * time.Second, "-1": 0, "soon": 0, "86401": 24 * time.Hour, "99999999999999999999": 0,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0, "Mon, 01 Jan 2525 00:00:00 GMT": 24 * time.Hour,
	} {
		require.Equal(t, want, retryAfter(http.Header{"Retry-After": {text}}), text)
	}
}

func TestSend(t *testing.T) {
	var method, body, sig string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		method, body, sig = r.Method, string(b), r.Header.Get("X-Signature")
		w.WriteHeader(http.StatusNoContent)
	})
	c := loopback(t, Options{UserAgent: "x"})
	res, err := c.Send(t.Context(), Request{URL: s.URL, Body: []byte("payload"), Header: http.Header{"X-Signature": {"sig"}}})
	require.NoError(t, err)
	require.True(t, res.OK())
	require.Equal(t, []string{"POST", "payload", "sig"}, []string{method, body, sig})

	_, err = c.Send(t.Context(), Request{URL: s.URL, Method: "BAD METHOD"})
	require.ErrorIs(t, err, errs.Invalid)
	for _, h := range []http.Header{{"X": {"a\r\nHost: evil"}}, {"X\r\nY": {"a"}}, {"X": {"a\x00"}}} {
		_, err = c.Send(t.Context(), Request{URL: s.URL, Header: h})
		require.ErrorIs(t, err, errs.Invalid)
	}
}

// A signed body was meant for one URL.
func TestSendDoesNotFollow(t *testing.T) {
	followed := false
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/next" {
			followed = true
		}
		http.Redirect(w, r, "/next", http.StatusTemporaryRedirect)
	})
	res, err := loopback(t, Options{}).Send(t.Context(), Request{URL: s.URL, Body: []byte("x")})
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, res.Status)
	require.False(t, res.OK())
	require.False(t, followed)
}

// What a server calls a picture is looked at.
func TestFetchedTypeIsSniffed(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png; charset=x")
		_, _ = io.WriteString(w, "<html><script>alert(1)</script>")
	})
	f, err := loopback(t, Options{}).Fetch(t.Context(), Request{URL: s.URL})
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // a test
	require.Equal(t, "text/html", f.Type)
	require.Equal(t, "image/png", f.DeclaredType)
	require.False(t, Inline(f.Type))
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "<html><script>alert(1)</script>", string(b), "sniffing takes nothing away")
}

func TestEmptyAnswer(t *testing.T) {
	f, err := loopback(t, Options{}).Fetch(t.Context(), Request{URL: serve(t, func(http.ResponseWriter, *http.Request) {}).URL})
	require.NoError(t, err)
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Empty(t, b)
	require.NoError(t, f.Close())
}
