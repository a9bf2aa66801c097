package linetest_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

// control calls the control interface.
func control(t *testing.T, s *linetest.Server, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://emulator/_emulator/"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: s.Transport()}).Do(req)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(raw)
}

func TestControlPlaysCustomers(t *testing.T) {
	b := newBench(t, linetest.Options{})
	do := func(want int, method, path, body string) string {
		t.Helper()
		code, out := control(t, b.srv, method, path, body)
		require.Equal(t, want, code, out)
		return out
	}
	do(200, http.MethodPost, "users", `{"name":"Mina"}`)
	do(200, "POST", "users", `{"name":"Jun","standing":"blocked"}`)
	posted := do(200, "POST", "users/Mina/messages", `{"type":"text","text":"hi"}`)
	for _, kind := range []string{"image", "video", "audio", "file", "location", "sticker", "hologram"} {
		do(200, "POST", "users/Mina/messages", `{"type":"`+kind+`"}`)
	}
	var p linetest.Posted
	require.NoError(t, json.Unmarshal([]byte(posted), &p))
	do(200, "POST", "users/Mina/actions", `{"action":"postback","data":"d"}`)
	do(200, "POST", "users/Mina/actions", `{"action":"unfollow"}`)
	do(200, "POST", "users/Mina/actions", `{"action":"follow"}`)
	do(200, "POST", "users/Mina/actions", `{"action":"unsend","message_id":"`+p.MessageID+`"}`)
	group := do(200, "POST", "groups", `{"name":"g","members":["Mina","Sora"]}`)
	var g struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(group), &g))
	do(200, "POST", "groups/"+g.ID+"/messages", `{"type":"text","text":"all","by":"Sora"}`)
	do(200, "POST", "events", `{"type":"things"}`)
	b.wait(t)
	require.Len(t, b.received(), 15)

	_, _, _ = push(t, b.srv, b.srv.User("Mina").ID(), "answer")
	require.Contains(t, do(200, "GET", "users/Mina/received?after=0&wait=5", ""), `"text":"answer"`)
	require.JSONEq(t, `[]`, do(200, "GET", "users/Mina/received?after=1", ""))
	do(200, "POST", "faults", `{"endpoint":"push","kind":"500-before","nth":1}`)
	code, _, _ := push(t, b.srv, b.srv.User("Mina").ID(), "x")
	require.Equal(t, 500, code)
	do(200, "DELETE", "faults", "")
	do(200, "POST", "chaos", `{"duplicate":1}`)
	do(200, "POST", "webhook", `{"url":"https://elsewhere.example/"}`)
	require.Contains(t, do(200, "GET", "state", ""), "https://elsewhere.example/")
	require.Contains(t, do(200, "GET", "calls?endpoint=push", ""), `"status":500`)
	require.Contains(t, do(200, "GET", "webhooks", ""), p.EventID)
	require.Contains(t, do(200, "POST", "secret", "{}"), b.srv.ChannelSecret())

	for path, body := range map[string]string{
		"users": `{}`, "users/Mina/messages": `{"type":""}`, "users/Mina/actions": `{"action":"dance"}`, "groups": `{`,
		"events": `{`, "faults": `{"kind":"explode","nth":1}`, "chaos": `[]`, "webhook": `7`,
	} {
		do(400, "POST", path, body)
	}
	do(400, "POST", "users", `{"name":"x","standing":"unheard of"}`)
	do(404, "POST", "users/Nobody/messages", `{"type":"text","text":"x"}`)
	do(404, "GET", "users/Nobody/received", "")
	do(400, "GET", "users/Mina/received?wait=3600", "")
}

func TestControlRefusesForeignPages(t *testing.T) {
	s, _ := start(t, linetest.Options{})
	req, err := http.NewRequest("POST", "http://emulator/_emulator/users", strings.NewReader(`{"name":"x"}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "text/plain") // what a form of another site can send
	resp, err := (&http.Client{Transport: s.Transport()}).Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnsupportedMediaType, resp.StatusCode)
	require.Empty(t, s.Users())
}

func TestThePageNeedsNoInlineScript(t *testing.T) {
	s, _ := start(t, linetest.Options{})
	hc := &http.Client{Transport: s.Transport()}
	for path, kind := range map[string]string{"/": "text/html", "/phone.js": "javascript", "/phone.css": "text/css"} {
		resp, err := hc.Get("http://emulator" + path)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode, path)
		require.Contains(t, resp.Header.Get("Content-Type"), kind)
		require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'self'")
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NotContains(t, string(body), "://", "nothing is loaded from elsewhere")
		require.NotContains(t, string(body), "innerHTML")
		if path == "/" {
			require.NotContains(t, string(body), "<script>")
			require.NotRegexp(t, `\son[a-z]+=|style=`, string(body))
		}
	}
}

func TestReplayRepeatsShufflesAndSigns(t *testing.T) {
	var mu sync.Mutex
	var got []string
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("X-Line-Signature") != linetest.Sign("s", body) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		got = append(got, r.URL.Path+" "+string(body))
	}))
	t.Cleanup(target.Close)
	lines := `{"path":"/hook/a","headers":{"X-Line-Signature":"old","Content-Length":"3"},"body":"{\"n\":1}"}

{"path":"/hook/b","body":"` + base64.StdEncoding.EncodeToString([]byte(`{"n":2}`)) + `"}
{"path":"/hook/c","body":{"n":3}}
`
	recorded, err := linetest.ReadRecorded(strings.NewReader(lines))
	require.NoError(t, err)
	run := func(seed uint64) ([]string, linetest.Played) {
		got = nil
		played, err := linetest.Replay{Target: target.URL, Secret: "s", Seed: seed}.Run(t.Context(), recorded)
		require.NoError(t, err)
		return got, played
	}
	first, played := run(1)
	again, _ := run(1)
	require.Equal(t, first, again, "the seed plays the same")
	require.Equal(t, played.Sent, played.Status[200])
	count := map[string]int{}
	for _, line := range first {
		count[line]++
	}
	require.Len(t, count, 3)
	for _, line := range []string{`/hook/a {"n":1}`, `/hook/b {"n":2}`, `/hook/c {"n":3}`} {
		require.GreaterOrEqual(t, count[line], 2, line)
		require.LessOrEqual(t, count[line], 10, line)
	}
	other, _ := run(2)
	require.NotEqual(t, first, other)
	unsigned, err := linetest.Replay{Target: target.URL, Repeat: 1}.Run(t.Context(), recorded)
	require.NoError(t, err)
	require.Equal(t, map[int]int{401: 3}, unsigned.Status)
	_, err = linetest.ReadRecorded(strings.NewReader("{}\nnot json\n"))
	require.ErrorContains(t, err, "line 2")
}
