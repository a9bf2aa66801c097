package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

// output is a buffer that a test can read while the program writes.
type output struct {
	mu    sync.Mutex
	b     bytes.Buffer
	ready chan struct{}
	once  sync.Once
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.b.Write(p)
	if strings.Contains(o.b.String(), "LINE_CHANNEL_TOKEN=") { // and what follows it, which is written with it
		o.once.Do(func() { close(o.ready) })
	}
	return n, err
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func TestServesUntilItIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &output{ready: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-addr", "127.0.0.1:0", "-token", "tok", "-secret", "sec", "-channel-id", "42", "-fault",
			"info:500-before:1"}, out)
	}()
	<-out.ready
	base := regexp.MustCompile(`http://[0-9.:]+`).FindString(out.String())
	get := func(path string) (int, string) {
		req, err := http.NewRequest(http.MethodGet, base+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer tok")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	require.Contains(t, out.String(), "export LINE_API_BASE="+base+" LINE_DATA_API_BASE="+base+"\n")
	require.Contains(t, out.String(), "export LINE_CHANNEL_ID=42 LINE_CHANNEL_SECRET=sec LINE_CHANNEL_TOKEN=tok\n")
	require.Contains(t, out.String(), "no -webhook is given: what customers write reaches nobody")
	code, _ := get("/v2/bot/info")
	require.Equal(t, 500, code, "the fault")
	code, _ = get("/v2/bot/info")
	require.Equal(t, 200, code)
	_, body := get("/_emulator/state")
	require.Contains(t, body, `"channel_id":"42"`)
	_, body = get("/")
	require.Contains(t, body, "phone.js")
	cancel()
	require.NoError(t, <-done)
}

func TestReplayFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "recorded.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"path":"/hook","body":{"events":[]}}`+"\n"), 0o600))
	status := http.StatusOK
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Line-Signature") != linetest.Sign("sec", body) {
			status = http.StatusUnauthorized
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(target.Close)
	var out bytes.Buffer
	args := []string{"-replay", file, "-webhook", target.URL, "-secret", "sec", "-repeat", "3"}
	require.NoError(t, run(t.Context(), args, &out))
	require.JSONEq(t, `{"sent":3,"failed":0,"status":{"200":3}}`, out.String())
	status = http.StatusInternalServerError
	require.ErrorContains(t, run(t.Context(), args, io.Discard), "3 of 3")
}

func TestWrongUse(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown flag":          {"-no-such-flag"},
		"bad fault":             {"-fault", "push"},
		"replay without target": {"-replay", "x"},
		"replay without file":   {"-replay", "/no/such/file", "-webhook", "http://127.0.0.1:1"},
		"bad address":           {"-addr", "nowhere:99999"},
	} {
		require.Error(t, run(t.Context(), args, io.Discard), name)
	}
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, io.Discard), flag.ErrHelp)
}
