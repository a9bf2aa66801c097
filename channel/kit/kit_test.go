package kit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

func postClient(t *testing.T, address string) *Client {
	t.Helper()
	return &Client{Name: "post", Provider: "the post", HTTP: NewHTTP(nil), Timeout: 5 * time.Second, MaxAnswer: 10,
		RequestID: "X-Request", Log: slog.New(slog.DiscardHandler)}
}

// TestWhatCertainlyNeverLeft: only a call that had no connection may be sent
// again by a route without a key.
func TestWhatCertainlyNeverLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	c := postClient(t, address)
	_, err = c.Do(t.Context(), Call{Method: "POST", Address: address, Body: []byte("x")})
	require.Equal(t, adapter.Retry, c.Failure(err).Disposition, "nobody listens")

	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	_, err = c.Do(t.Context(), Call{Method: "POST", Address: cut.URL, Body: []byte("x")})
	require.Equal(t, adapter.Ambiguous, c.Failure(err).Disposition, "the connection was cut after the request")
	require.NotContains(t, err.Error(), cut.URL)

	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err = c.Do(ctx, Call{Method: "POST", Address: cut.URL})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, channel.ReasonCredentials, c.Failure(errors.New("no token")).Reason)
}

func TestAnswersAreBoundedAndFollowNoRedirect(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request", "abc")
		w.Header().Set("Location", "https://elsewhere.example/")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "0123456789abc")
	}))
	defer s.Close()
	ans, err := postClient(t, s.URL).
		Do(t.Context(), Call{Method: "GET", Address: s.URL, Header: http.Header{"Authorization": {"Bearer x"}}})
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, ans.Status)
	require.True(t, ans.Truncated)
	require.Len(t, ans.Body, 10)
	require.Equal(t, "abc", ans.RequestID)
}

func TestRefusalByStatus(t *testing.T) {
	c, now := postClient(t, ""), time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for status, want := range map[int]adapter.SendError{
		500: {Disposition: adapter.Ambiguous, Reason: channel.ReasonProvider},
		408: {Disposition: adapter.Ambiguous, Reason: channel.ReasonProvider},
		429: {Disposition: adapter.RateLimited, Reason: channel.ReasonRate},
		400: {Disposition: adapter.Permanent, Reason: channel.ReasonContent},
		401: {Disposition: adapter.Permanent, Reason: channel.ReasonCredentials},
		403: {Disposition: adapter.Permanent, Reason: channel.ReasonCredentials},
		404: {Disposition: adapter.Permanent, Reason: channel.ReasonUnreachable},
		413: {Disposition: adapter.Permanent, Reason: channel.ReasonContent},
		302: {Disposition: adapter.Permanent, Reason: channel.ReasonProvider},
	} {
		got := c.Refusal(Answer{Status: status}, now)
		require.Equal(t, want.Disposition, got.Disposition, status)
		require.Equal(t, want.Reason, got.Reason, status)
	}
	for value, want := range map[string]time.Duration{
		"": time.Second, "30": 30 * time.Second, "-4": time.Second, "soon": time.Second, "99999999999": time.Hour, "90000": time.Hour,
		now.Add(2 * time.Minute).Format(http.TimeFormat): 2 * time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat):    time.Second,
	} {
		require.Equal(t, want, RetryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
}

func TestCarries(t *testing.T) {
	caps := adapter.Capabilities{Send: map[channel.ContentKind]adapter.Level{channel.KindText: adapter.Full},
		Limits: map[channel.ContentKind]adapter.Limits{channel.KindText: {MaxChars: 3, Unit: "utf16"}}}
	require.Empty(t, Carries(caps, channel.Text("abc")))
	require.Equal(t, channel.ReasonContent, Carries(caps, channel.Text("a😀b")))
	require.Equal(t, channel.ReasonUnsupported, Carries(caps, channel.Content{Kind: channel.KindImage}))
	require.Equal(t, channel.ReasonUnsupported, Carries(caps, channel.Content{Kind: channel.KindText,
		Choices: []channel.Choice{{Label: "x"}}}))
}

func TestVerify(t *testing.T) {
	s := Signed{Header: "X-Post-Signature", MaxBytes: 10, Hint: "; look at the letter box"}
	old, next := channel.NewSecret("old"), channel.NewSecret("next")
	request := func(signature, body string) adapter.Request {
		return adapter.Request{Method: "POST", Header: http.Header{"x-post-signature": {signature}}, Body: []byte(body)}
	}
	require.NoError(t, s.Verify(request(Sign(old, []byte("x")), "x"), old, next))
	require.NoError(t, s.Verify(request(Sign(next, []byte("x")), "x"), old, next))
	require.Equal(t, "lWlnTeh6L0AEVScIK1YpYxYYKcxYk0tg+1nxbR30Gk0=", Sign(old, []byte("x")), "also with a hash that was used before")
	require.Equal(t, Sign(old, []byte("x")), Sign(old, []byte("x")))
	require.NotEqual(t, Sign(old, []byte("x")), Sign(next, []byte("x")))
	for name, c := range map[string]struct {
		req    adapter.Request
		status int
	}{
		"other body":   {request(Sign(old, []byte("x")), "y"), 401},
		"empty secret": {request(Sign(channel.Secret{}, []byte("x")), "x"), 401},
		"cut":          {request(Sign(old, []byte("x"))[:10], "x"), 401},
		"too large":    {request("", "01234567890"), 413},
		"method":       {adapter.Request{Method: "GET"}, 405},
		"encoded":      {adapter.Request{Header: http.Header{"Content-Encoding": {"gzip"}}}, 401},
	} {
		var refused *adapter.ReceiveError
		require.ErrorAs(t, s.Verify(c.req, old, channel.Secret{}), &refused, name)
		require.Equal(t, c.status, refused.Status, name)
	}
}

// FuzzObject holds the reader of objects against encoding/json.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{"a":1,"a":"2","b":{"c":[1,{"d":null}]}}`, `[]`, `{"a":`, `{"\u0061":true}`, `"x"`,
		`{"\\":"\"","a\"":["\\\"","\\\\"],"b":"\\","c":{"d\\\"":"}\\"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, ok := ParseObject(raw)
		var want map[string]json.RawMessage
		wantOK := json.Unmarshal(raw, &want) == nil && want != nil
		if ok != wantOK {
			t.Fatalf("read %v, encoding/json %v", ok, wantOK)
		}
		for key, value := range want {
			if v := got.Get(key); !bytes.Equal(v, value) {
				t.Fatalf("%q is %s, encoding/json has %s", key, v, value)
			}
		}
		if valid := Valid(raw, 3); valid != (json.Valid(raw) && Shallow(raw, 3)) {
			t.Fatalf("valid %v and at most 3 deep, encoding/json and Shallow say otherwise", valid)
		}
	})
}

func TestValidIsWhatJSONHas(t *testing.T) {
	for _, raw := range []string{``, ` `, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a":1}`,
		` { "a" : 1 , "b":[ ] } `, `{a:1}`, `{"a" 1}`,
		`[`, `[1`, `[1,`, `[1,]`, `[1}`, `{"a":1]`, `[1 2]`, `[]`, `[ 1 , 2 ]`, `{}{}`, `1 2`, `,`, `:`, `]`, "\ufeff{}",
		"\v1", "[1\x00]",
		`tru`, `true`, `truee`, `null`, `nul`, `false`, `True`, `0`, `-0`, `-`, `01`, `1.`, `.1`, `1.5`, `1e`, `1e+`,
		`1E-05`, `1.0e7`, `+1`, `0x1`, `NaN`,
		`"`, `"a`, `"a"`, `"\"`, `"\\"`, `"\q"`, `"\u12"`, `"\u12g4"`, `"\uD800"`, `"\uAbCd\/\b\f\n\r\t"`, "\"\n\"",
		"\"\x7f\xff\"", `"\u12"34"`} {
		for cut := range len(raw) + 1 {
			require.Equal(t, json.Valid([]byte(raw[:cut])), Valid([]byte(raw[:cut]), 9), "%q", raw[:cut])
		}
	}
	for _, deep := range []int{mostDepth, mostDepth + 1} {
		raw := bytes.Repeat([]byte("["), deep)
		raw = append(raw, bytes.Repeat([]byte("]"), deep)...)
		require.Equal(t, json.Valid(raw), Valid(raw, mostDepth), deep)
	}
	require.False(t, Valid(bytes.Repeat([]byte("["), 1<<20), 64))
}

func TestBracketsNestAtMostAsDeepAsAsked(t *testing.T) {
	for raw, deep := range map[string]int{`1`: 0, `{}`: 1, `[{"a":[1]},{"b":{}}]`: 3, `["[[[[", "\"[["]`: 1, `[[]][[]]`: 2, `[[[[`: 4} {
		require.True(t, Shallow([]byte(raw), deep), raw)
		require.Equal(t, deep == 0, Shallow([]byte(raw), deep-1), raw)
	}
	require.False(t, Shallow(bytes.Repeat([]byte("["), 1<<20), 64))
}
