package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The program serves a page with the widget, and Mina answers who writes there;
// started again it still knows the chat.
func TestTheShopAnswers(t *testing.T) {
	dir, token := t.TempDir(), ""
	for range 2 {
		ctx, stop := context.WithCancel(t.Context())
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- run(ctx, ln, dir) }()
		base := "http://" + ln.Addr().String()
		call := func(method, path string, body, into any) int {
			raw, err := json.Marshal(body)
			require.NoError(t, err)
			req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(raw))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			if s, page := into.(*string); page {
				*s = string(text)
			} else {
				require.NoError(t, json.Unmarshal(text, into))
			}
			return resp.StatusCode
		}
		var page, sheet string
		require.Equal(t, 200, call("GET", "/", nil, &page))
		require.Equal(t, 200, call("GET", "/page/shop.css", nil, &sheet))
		account := regexp.MustCompile(`data-account="([^"]+)"`).FindStringSubmatch(page)
		require.Len(t, account, 2)
		api := "/webchat/v1/" + account[1]
		if token == "" {
			var session struct{ Token string }
			require.Equal(t, 200, call("POST", api+"/session", map[string]string{"consent": "2026-01"}, &session))
			token = session.Token
			require.Equal(t, 201,
				call("POST", api+"/messages", map[string]string{"key": "a-random-key", "text": "Hello"}, new(map[string]any)))
		}
		require.Eventually(t, func() bool {
			var all struct {
				Messages []struct{ Author, Text string }
			}
			call("GET", api+"/messages", nil, &all)
			return len(all.Messages) == 3 && all.Messages[2].Author == "Mina"
		}, 30*time.Second, 50*time.Millisecond)
		stop()
		require.NoError(t, <-done)
	}
}
