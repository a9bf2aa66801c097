package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/internal/browsertest"
)

// patience ends a test that waits for something that does not come; no test
// needs it otherwise.
const patience = 30 * time.Second

// TestMain lets a test start this program as a process: the test's own binary.
func TestMain(m *testing.M) {
	if os.Getenv("HELPDESK_AS_PROGRAM") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(browsertest.Run(m))
}

// lines collects what a program prints.
type lines struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func newLines() *lines { return &lines{changed: make(chan struct{})} }

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	close(l.changed)
	l.changed = make(chan struct{})
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// find returns the rest of the n-th line (from 1) that contains the text, once
// it is printed; "" when the program ended before.
func (l *lines) find(text string, n int, ended <-chan struct{}) string {
	for over := false; ; {
		l.mu.Lock()
		all, changed := l.text.String(), l.changed
		l.mu.Unlock()
		seen := 0
		for line := range strings.Lines(all) {
			if _, rest, ok := strings.Cut(line, text); ok && strings.HasSuffix(line, "\n") {
				if seen++; seen == n {
					return strings.TrimSpace(rest)
				}
			}
		}
		if over {
			return ""
		}
		select {
		case <-changed:
		case <-ended:
			over = true // what was printed last counts
		}
	}
}

// desk is a helpdesk that runs in the test's own process.
type desk struct {
	t     *testing.T
	out   *lines
	errs  *lines
	stop  context.CancelFunc
	done  chan struct{}
	err   error // of run, after done
	base  string
	token string
}

// emulator is LINE on a loopback address.
func emulator(t *testing.T, o linetest.Options) (*linetest.Server, string) {
	t.Helper()
	o.Redeliveries = max(o.Redeliveries, 100)
	o.RedeliverAfter = 20 * time.Millisecond
	srv := linetest.New(o)
	t.Cleanup(srv.Close)
	hs := httptest.NewServer(srv)
	t.Cleanup(hs.Close)
	return srv, hs.URL
}

// lineEnv is the environment that serves the emulator's channel.
func lineEnv(srv *linetest.Server, url string) map[string]string {
	return map[string]string{"LINE_CHANNEL_ID": srv.ChannelID(), "LINE_CHANNEL_SECRET": srv.ChannelSecret(),
		"LINE_CHANNEL_TOKEN": srv.ChannelToken(),
		"LINE_API_BASE":      url, "LINE_DATA_API_BASE": url}
}

// begin runs the program with the data directory and waits for nothing.
func begin(t *testing.T, data string, env map[string]string, args ...string) *desk {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d := &desk{t: t, out: newLines(), errs: newLines(), stop: cancel, done: make(chan struct{})}
	args = append([]string{"-addr", "127.0.0.1:0", "-data", data}, args...)
	go func() {
		d.err = run(ctx, args, func(name string) string { return env[name] }, d.out, d.errs)
		close(d.done)
	}()
	t.Cleanup(func() { cancel(); <-d.done })
	return d
}

// start runs the program and waits until it serves.
func start(t *testing.T, data string, env map[string]string, args ...string) *desk {
	t.Helper()
	d := begin(t, data, env, args...)
	rest := d.out.find("serving on ", 1, d.done)
	if rest == "" {
		require.FailNow(t, "the program ended", "%v\n%s\n%s", d.err, d.out, d.errs)
	}
	d.base, _, _ = strings.Cut(rest, " ")
	return d
}

// firstToken is the token that a first start prints.
func (d *desk) firstToken() *desk {
	d.t.Helper()
	d.token = d.wait("shown this once: ", 1)
	return d
}

// wait returns the rest of the n-th line that has the text.
func (d *desk) wait(text string, n int) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		select {
		case <-d.done:
		case <-ctx.Done():
		}
		close(ended)
	}()
	got := d.out.find(text, n, ended)
	require.NotEmpty(d.t, got, "no line %d with %q in\n%s\n%s", n, text, d.out, d.errs)
	return got
}

// end drains the program; it must end without an error.
func (d *desk) end() {
	d.t.Helper()
	d.stop()
	<-d.done
	require.NoError(d.t, d.err)
}

// call sends a request to the JSON interface and decodes the answer.
func (d *desk) call(method, path, body string) map[string]any {
	d.t.Helper()
	status, raw := d.request(method, path, body, nil)
	require.Equal(d.t, http.StatusOK, status, "%s %s: %s", method, path, raw)
	var out map[string]any
	require.NoError(d.t, json.Unmarshal(raw, &out))
	return out
}

// list is call for answers that are lists.
func (d *desk) list(path string) []map[string]any {
	d.t.Helper()
	status, raw := d.request(http.MethodGet, path, "", nil)
	require.Equal(d.t, http.StatusOK, status, "%s", raw)
	var out []map[string]any
	require.NoError(d.t, json.Unmarshal(raw, &out))
	return out
}

// request sends a request with the token and the header given.
func (d *desk) request(method, path, body string, header http.Header) (int, []byte) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.base+path, bytes.NewReader([]byte(body)))
	require.NoError(d.t, err)
	req.Header.Set("Authorization", "Bearer "+d.token)
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		if k == "Host" {
			req.Host = v[0]
			continue
		}
		req.Header[k] = v
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	return resp.StatusCode, raw
}

// delivered waits until a phone has received n messages and returns them.
func delivered(t *testing.T, srv *linetest.Server, u *linetest.User, n int) []linetest.Delivered {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, srv.WaitDelivered(ctx, u, n), "has %v", u.Texts())
	return u.Received()
}
