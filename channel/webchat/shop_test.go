package webchat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

const workspace = "shop"

var (
	host = sangdam.Host(workspace)
	mina = sangdam.AgentPrincipal(workspace, "mina")
)

// shop is a desk with one agent and a web-chat account, behind a real server.
type shop struct {
	t           testing.TB
	db          *store.DB
	cfg         sangdam.Config
	eng         *sangdam.Engine
	acct        channel.Account
	visitorKey  string
	identityKey string
	web         *httptest.Server
	handler     atomic.Pointer[http.Handler]
	limits      webchat.Limits
	log         *slog.Logger
	halt        func()
	// pages serves what is not the chat, if it is set.
	pages http.Handler
}

type shopOption func(*shop, *webchat.Settings, *routing.WorkStream)

func onStore(db *store.DB) shopOption {
	return func(s *shop, _ *webchat.Settings, _ *routing.WorkStream) { s.db = db }
}

func withLimits(l webchat.Limits) shopOption {
	return func(s *shop, _ *webchat.Settings, _ *routing.WorkStream) { s.limits = l }
}

func withLogger(l *slog.Logger) shopOption {
	return func(s *shop, _ *webchat.Settings, _ *routing.WorkStream) { s.log = l }
}

func withSettings(f func(*webchat.Settings)) shopOption {
	return func(_ *shop, set *webchat.Settings, _ *routing.WorkStream) { f(set) }
}

func openShop(t testing.TB, options ...shopOption) *shop {
	t.Helper()
	s := &shop{t: t, visitorKey: webchat.NewKey(), identityKey: webchat.NewKey()}
	set := webchat.Settings{Origins: []string{"https://shop.example"}, FormURL: webchat.Texts{"": "/inquiry"},
		Consent: &webchat.Consent{Version: "2026-01", Texts: webchat.Texts{"en": "We keep what you write.", "ko": "대화 내용이 저장됩니다.",
			"ja": "会話の内容は保存されます。"}}}
	stream := routing.WorkStream{ID: "web", Name: "Web", ChannelKind: "webchat", Mode: routing.Push, Cost: 1,
		Queue: "all", AutoAccept: true, Live: true,
		Messages: automated.Texts{automated.Greeting: {"": "Hello!", "ko": "안녕하세요!"}}}
	for _, o := range options {
		o(s, &set, &stream)
	}
	if s.db == nil {
		s.db = memory.New(memory.Options{})
	}
	sealer, err := seal.Ephemeral()
	require.NoError(t, err)
	s.cfg = sangdam.Config{DB: s.db, Sealer: sealer, Adapters: []adapter.Adapter{webchat.New()}, Blobs: blob.Memory(),
		Poll: 200 * time.Millisecond}
	s.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load()).ServeHTTP(w, r) }))
	s.start()
	t.Cleanup(func() {
		s.halt()
		s.web.CloseClientConnections()
		s.web.Close()
		_ = s.db.Close()
	})
	s.setUp(set, stream)
	return s
}

// start runs an engine with its handler until halt.
func (s *shop) start() {
	s.t.Helper()
	var err error
	s.eng, err = sangdam.New(s.cfg)
	require.NoError(s.t, err)
	mux := http.NewServeMux()
	chat := webchat.NewHandler(s.eng.Visitor(), webchat.Options{Limits: s.limits, Logger: s.log})
	mux.Handle("/webchat/", http.StripPrefix("/webchat", chat))
	mux.Handle("/webhooks/", s.eng.Webhooks())
	if s.pages != nil {
		mux.Handle("/", s.pages)
	}
	var h http.Handler = mux
	s.handler.Store(&h)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.eng.Run(ctx) }()
	require.Eventually(s.t, func() bool { return s.eng.Ready(ctx) == nil }, 10*time.Second, time.Millisecond)
	s.halt = func() {
		cancel()
		require.NoError(s.t, <-done)
	}
}

// restart is a new process on the same data; connections break.
func (s *shop) restart() {
	s.halt()
	s.web.CloseClientConnections()
	s.start()
}

func (s *shop) setUp(set webchat.Settings, stream routing.WorkStream) {
	t, ctx := s.t, s.t.Context()
	t.Helper()
	require.NoError(t, s.eng.CreateWorkspace(ctx, workspace, "Shop"))
	agent := routing.Agent{ID: "mina", Name: "Mina", Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 100}}
	raw, err := json.Marshal(set)
	require.NoError(t, err)
	_, err = s.eng.SaveAgent(ctx, host, sangdam.SaveAgent{Agent: agent})
	require.NoError(t, err)
	_, err = s.eng.SaveDesk(ctx, host, sangdam.SaveDesk{Desk: routing.Desk{ID: "support", Name: "Support"}, Agent: "mina"})
	require.NoError(t, err)
	_, err = s.eng.SaveQueue(ctx, host, sangdam.SaveQueue{Queue: routing.Queue{ID: "all", Name: "All", Members: []routing.AgentID{"mina"}}})
	require.NoError(t, err)
	_, err = s.eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: stream})
	require.NoError(t, err)
	saved, err := s.eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: channel.Account{Kind: webchat.Kind, Name: "Shop",
		Desk: "support", WorkStream: "web",
		Attachments: true, CustomerAttachments: true, AgentAttachments: true, Settings: raw, Secrets: map[string]channel.Secret{
			webchat.SecretVisitor: channel.NewSecret(s.visitorKey), webchat.SecretIdentity: channel.NewSecret(s.identityKey)}}})
	require.NoError(t, err)
	s.acct = saved.Account
}

func (s *shop) online(p routing.Presence) {
	s.t.Helper()
	require.NoError(s.t, s.eng.SetPresence(s.t.Context(), mina, sangdam.SetPresence{Agent: "mina", Presence: p}))
}

// conversations lists all of them.
func (s *shop) conversations() []conversation.Conversation {
	s.t.Helper()
	page, err := s.eng.Conversations(s.t.Context(), host, conversation.Filter{}, "", 100)
	require.NoError(s.t, err)
	return page.Conversations
}

// mine waits until Mina has the newest conversation.
func (s *shop) mine() conversation.ID {
	s.t.Helper()
	var found conversation.ID
	require.Eventually(s.t, func() bool {
		for _, c := range s.conversations() {
			if c.Agent == "mina" && c.State == conversation.StateActive {
				found = c.ID
				return true
			}
		}
		return false
	}, 20*time.Second, 10*time.Millisecond, "Mina gets the conversation")
	return found
}

func (s *shop) answers(c channel.Content) {
	s.t.Helper()
	_, err := s.eng.Answer(s.t.Context(), mina, sangdam.Answer{Conversation: s.mine(), Content: c})
	require.NoError(s.t, err)
}

// identity signs who a member is, as the host's server would.
func (s *shop) identity(change func(jwt.MapClaims)) string {
	s.t.Helper()
	c := jwt.MapClaims{"sub": "u-17", "aud": s.acct.Token, "exp": time.Now().Add(time.Hour).Unix(), "name": "Kim Mina",
		"email": "kim@example.com"}
	if change != nil {
		change(c)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString([]byte(s.identityKey))
	require.NoError(s.t, err)
	return signed
}

// client speaks the protocol.
type client struct {
	s      *shop
	token  string
	header http.Header
}

func (s *shop) client() *client { return &client{s: s, header: http.Header{}} }

// visitor is a client with a session.
func (s *shop) visitor() *client {
	s.t.Helper()
	c := s.client()
	status, body := c.call("POST", "session", map[string]any{"consent": "2026-01"})
	require.Equal(s.t, 200, status, body)
	c.token = body["token"].(string)
	return c
}

func (c *client) request(method, path string, body any) *http.Request {
	c.s.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		r = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		require.NoError(c.s.t, err)
		r = bytes.NewReader(raw)
	}
	if path != "" && !strings.HasPrefix(path, "?") {
		path = "/" + path
	}
	req, err := http.NewRequestWithContext(c.s.t.Context(), method, c.s.web.URL+"/webchat/v1/"+c.s.acct.Token+path, r)
	require.NoError(c.s.t, err)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for k, v := range c.header {
		req.Header[k] = v
	}
	return req
}

func (c *client) do(req *http.Request) (int, map[string]any, http.Header) {
	c.s.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.s.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(c.s.t, err)
	out := map[string]any{}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		require.NoError(c.s.t, json.Unmarshal(raw, &out))
	} else {
		out["raw"] = string(raw)
	}
	return resp.StatusCode, out, resp.Header
}

func (c *client) call(method, path string, body any) (int, map[string]any) {
	c.s.t.Helper()
	status, out, _ := c.do(c.request(method, path, body))
	return status, out
}

var keys atomic.Int64

func newKey() string { return fmt.Sprintf("key-%08d", keys.Add(1)) }

func (c *client) says(text string) map[string]any {
	c.s.t.Helper()
	status, m := c.call("POST", "messages", map[string]any{"key": newKey(), "text": text})
	require.Equal(c.s.t, 201, status, m)
	return m
}

// texts of all messages, in order.
func (c *client) texts() (out []string) {
	c.s.t.Helper()
	_, body := c.call("GET", "messages", nil)
	for _, m := range body["messages"].([]any) {
		text, _ := m.(map[string]any)["text"].(string)
		out = append(out, text)
	}
	return out
}

// sse is one event of a stream.
type sse struct {
	id, event string
	data      map[string]any
}

// listen follows the stream until stop; events come into the channel.
func (c *client) listen(query, last string) (<-chan sse, func()) {
	c.s.t.Helper()
	ctx, cancel := context.WithCancel(c.s.t.Context())
	req := c.request("GET", "events"+query, nil).WithContext(ctx)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.s.t, err)
	require.Equal(c.s.t, 200, resp.StatusCode)
	require.Equal(c.s.t, "text/event-stream", resp.Header.Get("Content-Type"))
	out := make(chan sse, 1000)
	go func() {
		defer close(out)
		defer resp.Body.Close()
		var e sse
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.event = value
			case "data":
				_ = json.Unmarshal([]byte(value), &e.data) // it fails the test that looks at it
			case "":
				if e.event != "" {
					out <- e
				}
				e = sse{}
			}
		}
	}()
	return out, cancel
}

// await returns the next event that fits.
func await(t testing.TB, events <-chan sse, what string, fits func(sse) bool) sse {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case e, open := <-events:
			require.True(t, open, "the stream ended before %s", what)
			if fits(e) {
				return e
			}
		case <-timeout:
			t.Fatalf("no %s", what)
		}
	}
}

func text(want string) func(sse) bool {
	return func(e sse) bool { return e.event == "message" && e.data["text"] == want }
}

func kind(want string) func(sse) bool { return func(e sse) bool { return e.event == want } }
