package postcard_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/channeltest"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/postcard"
	"github.com/sangdam/sangdam/channel/postcard/postcardtest"
)

// TestConformance is all that an adapter's author must write: what the events
// mean, a sample of each content, and the emulator behind a fixture.
func TestConformance(t *testing.T) {
	report := channeltest.Run(t, harness())
	require.Equal(t, 2, report.Cannot, "checks that the post office has no means for")
}

func FuzzParse(f *testing.F) {
	a, err := postcard.New(postcard.Options{Office: "https://post.example"})
	require.NoError(f, err)
	channeltest.Fuzz(f, a, account(), harness())
}

func account() channel.Account {
	return channel.Account{ID: "shop", Kind: postcard.Kind, Name: "Shop",
		Secrets: map[string]channel.Secret{postcard.SecretKey: channel.NewSecret("the key of the letter box")}}
}

func harness() channeltest.Harness {
	return channeltest.Harness{
		Golden: []channeltest.Golden{{Name: "card",
			Raw: `{"kind":"card","id":"1","from":"mina","name":"Mina","text":"hello","at":1772442000000}`,
			Want: adapter.Inbound{Kind: adapter.EventMessage, Type: "card", Chat: channel.Chat{Kind: channel.ChatUser, ID: "mina"},
				Author: adapter.Author{User: "mina", Name: "Mina"}, MessageID: "1", Content: channel.Text("hello"),
				OccurredAt: time.UnixMilli(1772442000000).UTC()}}},
		Unknown: [][]byte{[]byte(`{"kind":"parcel lost","from":"mina"}`)},
		Broken: [][]byte{[]byte(`7`), []byte(`{}`), []byte(`{"kind":"card","id":"1","from":"mina"}`),
			[]byte(`{"kind":"card","text":"whose?"}`)},
		Samples: map[channel.ContentKind]channel.Content{channel.KindText: channel.Text("hi")},
		Cannot: map[string]string{
			"send/errors/quota":          "the post has no quota",
			"send/errors/recipient-rate": "nobody gets too many postcards",
		},
		Open: open,
	}
}

func open(t *testing.T) *channeltest.Fixture {
	office := postcardtest.New("the key of the letter box")
	srv := httptest.NewServer(office)
	t.Cleanup(srv.Close)
	log := &channeltest.Log{}
	ad := func(address string) adapter.Adapter {
		a, err := postcard.New(postcard.Options{Office: address,
			Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		require.NoError(t, err)
		return a
	}
	return &channeltest.Fixture{
		Adapter: ad(srv.URL), Account: account(), Verification: postcard.SecretKey,
		Webhook: office.Webhook, SignatureHeader: postcard.SignatureHeader,
		Chat:      channel.Chat{Kind: channel.ChatUser, ID: "mina"},
		Delivered: func() []string { return office.Delivered("mina") },
		Requests:  office.Requests,
		Fail:      func(f channeltest.Fault) { office.Fail(faults[f]) },
		Refused:   func(t *testing.T) adapter.Adapter { return ad(nobody(t)) },
		Log:       log, Now: time.Now,
	}
}

var faults = map[channeltest.Fault]postcardtest.Fault{
	channeltest.CutBefore: postcardtest.CutBefore, channeltest.AcceptedThenCut: postcardtest.AcceptedThenCut,
	channeltest.AcceptedThen500: postcardtest.AcceptedThen500, channeltest.Failed500: postcardtest.Failed,
	channeltest.TooFast: postcardtest.TooFast, channeltest.Unauthorized: postcardtest.WrongKey,
	channeltest.RowRefused: postcardtest.SecondRefused,
}

// nobody is an address at which every connection is refused.
func nobody(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return "http://" + l.Addr().String()
}

func TestNewNeedsAnOffice(t *testing.T) {
	for _, address := range []string{"", "post.example", "ftp://post.example", "http://"} {
		_, err := postcard.New(postcard.Options{Office: address})
		require.ErrorIs(t, err, adapter.ErrInvalid, address)
	}
}

// TestWriteReachesTheWebhook: the office's own side of the protocol.
func TestWriteReachesTheWebhook(t *testing.T) {
	office := postcardtest.New("k")
	office.SetWebhook(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.NotEmpty(t, r.Header.Get(postcard.SignatureHeader))
		w.WriteHeader(http.StatusAccepted)
	}))
	require.Equal(t, http.StatusAccepted, office.Write("/webhooks/token", "mina", "hello"))
}

// A desk that is down is called again a minute later, with the same card.
func TestTheOfficeCallsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := postcardtest.New("k")
		defer office.Close()
		var bodies []string
		office.SetWebhook(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			if bodies = append(bodies, string(body)); len(bodies) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		require.Equal(t, http.StatusServiceUnavailable, office.Write("/webhooks/token", "mina", "hello"))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []string{bodies[0], bodies[0], bodies[0]}, bodies)
	})
}

// A day that was recorded can be played again, with nobody's words in it: a
// repeated card has the key of the first.
func TestARecordedDayIsPlayedAgain(t *testing.T) {
	office := postcardtest.New("the key of the letter box")
	a, err := postcard.New(postcard.Options{Office: "https://post.example"})
	require.NoError(t, err)
	var envelopes []adapter.Envelope
	desk := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		got, err := a.Receive(account(), adapter.Request{Method: r.Method, Header: r.Header, Body: body})
		require.NoError(t, err)
		envelopes = append(envelopes, got.Envelopes...)
	})
	var file bytes.Buffer
	recorder := postcard.NewRecorder(&file)
	office.SetWebhook(recorder.Wrap(desk))
	for _, who := range []string{"mina-of-seoul", "jun-of-busan", "mina-of-seoul"} {
		office.Write("/webhooks/secret-token-of-this-account", who, "My number is 010-1234-5678.")
	}
	require.NoError(t, recorder.Close())
	for _, private := range []string{"mina-", "jun-", "of-", "010", "secret-"} {
		require.NotContains(t, file.String(), private)
	}
	recorded, err := emukit.ReadRecorded(&file)
	require.NoError(t, err)
	genuine, replayed := envelopes, map[string]string{}
	envelopes = nil
	played, err := emukit.Replay{Target: "http://desk", Sign: office.Sign, Repeat: 3,
		Client: &http.Client{Transport: emukit.Transport(desk)}}.Run(t.Context(), recorded)
	require.NoError(t, err)
	require.Equal(t, map[int]int{http.StatusOK: 9}, played.Status)
	for _, env := range envelopes {
		in, err := a.Parse(account(), env)
		require.NoError(t, err)
		require.Len(t, in.Content.Text, len("My number is 010-1234-5678."))
		replayed[env.DedupKey] = in.Chat.ID
	}
	require.Len(t, replayed, 3)
	for _, env := range genuine {
		require.Contains(t, replayed, env.DedupKey)
	}
	require.Equal(t, replayed[genuine[0].DedupKey], replayed[genuine[2].DedupKey], "the same person")
	require.NotEqual(t, replayed[genuine[0].DedupKey], replayed[genuine[1].DedupKey])
}
