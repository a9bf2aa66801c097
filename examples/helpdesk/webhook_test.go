package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

// textEvent is a signed-off LINE event of a text.
func textEvent(id, user, message, text string) string {
	return fmt.Sprintf(`{"type":"message","webhookEventId":%q,"timestamp":1789000000000,"mode":"active",`+
		`"deliveryContext":{"isRedelivery":false},`+
		`"source":{"type":"user","userId":%q},"message":{"type":"text","id":%q,"text":%q}}`, id, user, message, text)
}

func hook(events ...string) string {
	return `{"destination":"U0","events":[` + strings.Join(events, ",") + `]}`
}

// post sends a body to a path with a signature, as it is.
func (d *desk) post(path, body, signature string) int {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.base+path, strings.NewReader(body))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set("X-Line-Signature", signature)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

const userID = "U0123456789abcdef0123456789abcdef"

// What is refused leaves nothing behind.
func TestWebhooksThatAreRefused(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	d := start(t, t.TempDir(), lineEnv(srv, url)).firstToken()
	good := hook(textEvent("E1", userID, "1", "hello"))
	sign := func(body string) string { return linetest.Sign(srv.ChannelSecret(), []byte(body)) }
	deep := hook(strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000))
	large := hook(textEvent("E1", userID, "1", strings.Repeat("x", 10<<20)))
	cases := []struct {
		name, path, body, signature string
		want                        int
	}{
		{"no signature", "/webhooks/line", good, "", 401},
		{"a short signature", "/webhooks/line", good, sign(good)[:20], 401},
		{"a long signature", "/webhooks/line", good, sign(good) + "AAAA", 401},
		{"a signature in another case", "/webhooks/line", good, swapCase(sign(good)), 401},
		{"a truncated signature", "/webhooks/line", good, strings.TrimRight(sign(good), "="), 401},
		{"one byte changed", "/webhooks/line", strings.Replace(good, "hello", "hallo", 1), sign(good), 401},
		{"another account's signature", "/webhooks/line", good, linetest.Sign("another secret", []byte(good)), 401},
		{"a body of 10 MB", "/webhooks/line", large, sign(large), 413},
		{"deep JSON", "/webhooks/line", deep, sign(deep), 400},
		{"no JSON", "/webhooks/line", "hello", sign("hello"), 400},
		{"no events", "/webhooks/line", `{"destination":"U0"}`, sign(`{"destination":"U0"}`), 400},
		{"an unknown account", "/webhooks/0b9d6a3e-0000-4000-8000-000000000000", good, sign(good), 404},
		{"a path without an account", "/webhooks/", good, sign(good), 401}, // the JSON interface's refusal
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, d.post(c.path, c.body, c.signature))
		})
	}
	t.Run("another method", func(t *testing.T) {
		status, _ := d.request(http.MethodGet, "/webhooks/line", "", nil)
		require.Equal(t, http.StatusMethodNotAllowed, status)
	})
	require.Equal(t, 200, d.post("/webhooks/line", hook(), sign(hook())), "LINE's own test of the address")
	require.Equal(t, 200, d.post("/webhooks/line", good, sign(good)), "the key of what was refused is not taken")
	d.wait(" wrote ", 1)
	require.Len(t, d.call("GET", "/conversations", "")["conversations"], 1)
	d.end()
	require.Equal(t, 1, strings.Count(d.out.String(), " received "), "nothing was half-stored")
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// What is signed and bad is set aside visibly, and its siblings survive.
func TestBadEventsAmongGoodOnes(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	d := start(t, t.TempDir(), lineEnv(srv, url)).firstToken()
	cases := []struct {
		name, event string
		quarantined bool
	}{
		{"no source", `{"type":"message","webhookEventId":"%[1]s","timestamp":1789000000000,"message":{"type":"text","id":"9%[1]s",` +
			`"text":"x"}}`, true},
		{"wrong types", `{"type":"message","webhookEventId":"%[1]s","timestamp":"yesterday","source":[],"message":7}`, true},
		{"not an object", `"%[1]s"`, true},
		{"no type", `{"webhookEventId":"%[1]s","source":{"type":"user","userId":"` + userID + `"}}`, true},
		{"an unknown kind", `{"type":"teleport","webhookEventId":"%[1]s","timestamp":1789000000000,"source":{"type":"user","userId":"` +
			userID + `"}}`, false},
		{"duplicate keys", `{"type":"message","type":"message","webhookEventId":"%[1]s","timestamp":1789000000000,` +
			`"source":{"type":"user","userId":"` + userID + `"},"message":{"type":"text","id":"8%[1]s","text":"a","text":"b"}}`, false},
	}
	bad, good := 0, 0
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before, after := fmt.Sprintf("1%d", i), fmt.Sprintf("2%d", i)
			body := hook(textEvent("B"+before, userID, before, "before"), fmt.Sprintf(c.event, fmt.Sprintf("X%d", i)),
				textEvent("A"+after, userID, after, "after"))
			require.Equal(t, 200, d.post("/webhooks/line", body, linetest.Sign(srv.ChannelSecret(), []byte(body))))
			if good += 2; c.name == "duplicate keys" {
				good++ // the last value of a key counts, as LINE's own libraries read it
			}
			if c.quarantined {
				bad++
				d.wait(" quarantined ", bad)
			}
			d.wait(" wrote ", good)
			require.EqualValues(t, bad, d.call("GET", "/status", "")["quarantined"])
		})
	}
	require.Len(t, d.call("GET", "/conversations", "")["conversations"], 1)
	d.end()
}

func TestAReplayIsAbsorbed(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	d := start(t, t.TempDir(), lineEnv(srv, url)).firstToken()
	body := hook(textEvent("E1", userID, "1", "hello"))
	signature := linetest.Sign(srv.ChannelSecret(), []byte(body))
	for range 20 {
		require.Equal(t, 200, d.post("/webhooks/line", body, signature))
	}
	other := hook(textEvent("E2", userID, "2", "the end"))
	require.Equal(t, 200, d.post("/webhooks/line", other, linetest.Sign(srv.ChannelSecret(), []byte(other))))
	d.wait(" wrote ", 2)
	d.end()
	require.Equal(t, 2, strings.Count(d.out.String(), " wrote "))
	require.Equal(t, 19, strings.Count(d.out.String(), "events=1 new=0"))
}

// Bodies that are too large are not kept.
func TestMemoryStaysFlatUnderLargeBodies(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	d := start(t, t.TempDir(), lineEnv(srv, url))
	body := bytes.Repeat([]byte("x"), 10<<20)
	send := func(n int) {
		for range n {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.base+"/webhooks/line", bytes.NewReader(body))
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(req)
			if err == nil { // the server may close before it has read it all
				require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
				_ = resp.Body.Close()
			}
		}
	}
	send(5)
	before := liveHeap()
	send(50)
	require.Less(t, liveHeap(), before+20<<20, "500 MB were sent")
	d.end()
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
