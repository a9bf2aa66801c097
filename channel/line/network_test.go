package line_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// These run over TCP, since what they tell apart is where a connection breaks.

func networked(t *testing.T) (*linetest.Server, *line.Adapter, adapter.Attempt) {
	t.Helper()
	srv := linetest.New(linetest.Options{})
	t.Cleanup(srv.Close)
	hs := httptest.NewServer(srv)
	t.Cleanup(hs.Close)
	a, err := line.New(line.Options{APIBase: hs.URL, DataAPIBase: hs.URL})
	require.NoError(t, err)
	at, err := a.Plan(accountOf(srv), []adapter.Outbound{{Row: "r", To: channel.Chat{Kind: channel.ChatUser, ID: srv.User("Mina").ID()},
		Content: channel.Text("x")}}, time.Now(), newKeys())
	require.NoError(t, err)
	return srv, a, at
}

func disposition(t *testing.T, err error) adapter.Disposition {
	t.Helper()
	var se *adapter.SendError
	require.ErrorAs(t, err, &se)
	return se.Disposition
}

func TestNetworkCuts(t *testing.T) {
	for _, warm := range []bool{false, true} { // a new connection, and one that is used again
		for _, kind := range []linetest.FaultKind{linetest.FaultCutBefore, linetest.FaultCutAfter} {
			srv, a, at := networked(t)
			if warm {
				_, err := a.BotInfo(t.Context(), accountOf(srv))
				require.NoError(t, err)
			}
			srv.AddFault(linetest.Fault{Endpoint: "push", Kind: kind, Nth: 1})
			_, err := a.Send(t.Context(), accountOf(srv), at)
			require.Equal(t, adapter.Ambiguous, disposition(t, err))
			require.Len(t, srv.Calls("push"), 1, "nothing repeats the request behind our back")
			_, err = a.Send(t.Context(), accountOf(srv), at)
			require.NoError(t, err)
			require.Len(t, srv.User("Mina").Received(), 1)
		}
	}
}

func TestNetworkTimeoutAfterSendingIsAmbiguous(t *testing.T) {
	srv, a, at := networked(t)
	srv.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultHangAfter, Nth: 1})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if srv.WaitDelivered(t.Context(), srv.User("Mina"), 1) == nil {
			cancel()
		}
	}()
	_, err := a.Send(ctx, accountOf(srv), at)
	require.Equal(t, adapter.Ambiguous, disposition(t, err))
}

func TestNetworkRefusedConnectionIsRetry(t *testing.T) {
	srv, _, at := networked(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ln.Close()
	a, err := line.New(line.Options{APIBase: "http://" + ln.Addr().String()})
	require.NoError(t, err)
	_, err = a.Send(t.Context(), accountOf(srv), at)
	require.Equal(t, adapter.Retry, disposition(t, err))
}

func TestNetworkUntrustedCertificateIsRetry(t *testing.T) {
	srv, _, at := networked(t)
	hs := httptest.NewUnstartedServer(http.NotFoundHandler())
	hs.Config.ErrorLog = log.New(io.Discard, "", 0)
	hs.StartTLS()
	t.Cleanup(hs.Close)
	a, err := line.New(line.Options{APIBase: hs.URL})
	require.NoError(t, err)
	_, err = a.Send(t.Context(), accountOf(srv), at)
	require.Equal(t, adapter.Retry, disposition(t, err), "the handshake failed, so nothing was sent")
}

func TestNetworkCutMediaIsUnavailable(t *testing.T) {
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("half"))
	}))
	t.Cleanup(hs.Close)
	a, err := line.New(line.Options{APIBase: hs.URL, DataAPIBase: hs.URL})
	require.NoError(t, err)
	acct := withSecret("s")
	acct.Secrets[line.SecretToken] = channel.NewSecret("t")
	got := &sink{}
	require.ErrorIs(t, a.FetchMedia(t.Context(), acct, "1", got), adapter.ErrUnavailable)
	require.EqualValues(t, 1000, got.size)
}

func TestAReplyRefusedWithoutNamingAFieldIsTheToken(t *testing.T) {
	for body, want := range map[string]channel.Reason{
		`{"message":"Invalid reply token"}`: channel.ReasonReplyHandle,
		`{"message":"ungültiges Token"}`:    channel.ReasonReplyHandle,
		`garbage`:                           channel.ReasonReplyHandle,
		`{"message":"A message (messages[0]) in the request body is invalid"}`:                channel.ReasonContent,
		`{"message":"The request body has 1 error(s)","details":[{"property":"replyToken"}]}`: channel.ReasonReplyHandle,
		`{"message":"The request body has 1 error(s)",` +
			`"details":[{"message":"the customer's words","property":"messages[0].text"}]}`: channel.ReasonContent,
	} {
		a, err := line.New(line.Options{HTTPClient: &http.Client{Transport: emukit.Transport(http.HandlerFunc(func(w http.ResponseWriter,
			_ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(body))
		}))}})
		require.NoError(t, err)
		acct := withSecret("s")
		acct.Secrets[line.SecretToken] = channel.NewSecret("t")
		out := outbound("x")
		out.Reply = &channel.ReplyHandle{Token: token, Expires: received.Add(time.Hour)}
		_, err = a.Send(t.Context(), acct, plan(t, received, out))
		var se *adapter.SendError
		require.ErrorAs(t, err, &se)
		require.Equal(t, want, se.Reason, body)
		require.NotContains(t, err.Error(), "words")
	}
}
