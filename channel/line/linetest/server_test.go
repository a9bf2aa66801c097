package linetest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// bench is an emulator, an adapter and a webhook receiver that stores every
// envelope, all without a network.
type bench struct {
	srv  *linetest.Server
	line *line.Adapter
	acct channel.Account

	mu        sync.Mutex
	envelopes []adapter.Envelope
	bodies    [][]byte
	keys      int
	answer    int // status for webhooks; 0: the adapter's
}

func newBench(t *testing.T, o linetest.Options) *bench {
	t.Helper()
	b := &bench{}
	o.WebhookURL = "https://bot.example/hook"
	o.WebhookClient = &http.Client{Transport: emukit.Transport(http.HandlerFunc(b.hook))}
	b.srv = linetest.New(o)
	t.Cleanup(b.srv.Close)
	var err error
	b.line, err = line.New(line.Options{HTTPClient: &http.Client{Transport: b.srv.Transport()}, Now: o.Now})
	require.NoError(t, err)
	b.acct = account(b.srv)
	return b
}

func account(srv *linetest.Server) channel.Account {
	return channel.Account{
		ID: "acct", Kind: line.Kind,
		Settings: json.RawMessage(`{"channel_id":"` + srv.ChannelID() + `"}`),
		Secrets: map[string]channel.Secret{
			line.SecretChannel: channel.NewSecret(srv.ChannelSecret()),
			line.SecretToken:   channel.NewSecret(srv.ChannelToken()),
		},
	}
}

func (b *bench) hook(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bodies = append(b.bodies, body)
	rec, err := b.line.Receive(b.acct, adapter.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body})
	switch {
	case err != nil:
		w.WriteHeader(http.StatusUnauthorized)
	case b.answer != 0:
		w.WriteHeader(b.answer)
	default:
		for _, e := range rec.Envelopes {
			e.ReceivedAt = time.Now()
			b.envelopes = append(b.envelopes, e)
		}
	}
}

func (b *bench) received() []adapter.Envelope {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]adapter.Envelope(nil), b.envelopes...)
}

func (b *bench) wait(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, b.srv.WaitIdle(ctx))
}

func TestConversationThereAndBack(t *testing.T) {
	b := newBench(t, linetest.Options{})
	u := b.srv.User("Mina")
	posted := u.SendText("환불 부탁드려요 🙏")
	b.wait(t)
	envs := b.received()
	require.Len(t, envs, 1)
	in, err := b.line.Parse(b.acct, envs[0])
	require.NoError(t, err)
	require.Equal(t, adapter.EventMessage, in.Kind)
	require.Equal(t, channel.ProviderMessageID(posted.MessageID), in.MessageID)
	require.Equal(t, "환불 부탁드려요 🙏", in.Content.Text)
	require.NotNil(t, in.Reply)

	at, err := b.line.Plan(b.acct, []adapter.Outbound{{Row: "1", To: in.Chat, Content: channel.Text("네"), Reply: in.Reply}}, time.Now(),
		uuid.NewString)
	require.NoError(t, err)
	require.Equal(t, line.RouteReply, at.Route)
	sent, err := b.line.Send(t.Context(), b.acct, at)
	require.NoError(t, err)
	require.Len(t, sent.Messages, 1)

	at, err = b.line.Plan(b.acct, []adapter.Outbound{{Row: "2", To: in.Chat, Content: channel.Text("다음")}}, time.Now(), uuid.NewString)
	require.NoError(t, err)
	require.Equal(t, line.RoutePush, at.Route)
	_, err = b.line.Send(t.Context(), b.acct, at)
	require.NoError(t, err)
	again, err := b.line.Send(t.Context(), b.acct, at)
	require.NoError(t, err)
	require.True(t, again.Duplicate)
	require.Equal(t, []string{"네", "다음"}, u.Texts())
}

func TestOverARealConnection(t *testing.T) {
	srv := linetest.New(linetest.Options{})
	t.Cleanup(srv.Close)
	hs := httptest.NewServer(srv)
	t.Cleanup(hs.Close)
	a, err := line.New(line.Options{APIBase: hs.URL, DataAPIBase: hs.URL})
	require.NoError(t, err)
	u := srv.User("Jun")
	at, err := a.Plan(account(srv), []adapter.Outbound{{Row: "1", To: channel.Chat{Kind: channel.ChatUser, ID: u.ID()},
		Content: channel.Text("hi")}}, time.Now(), uuid.NewString)
	require.NoError(t, err)
	srv.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultCutAfter, Nth: 1})
	_, err = a.Send(t.Context(), account(srv), at)
	var failure *adapter.SendError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, adapter.Ambiguous, failure.Disposition)
	sent, err := a.Send(t.Context(), account(srv), at)
	require.NoError(t, err)
	require.True(t, sent.Duplicate)
	require.Equal(t, []string{"hi"}, u.Texts())
	require.Empty(t, u.Repeated())
}
