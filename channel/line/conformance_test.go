package line_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/channeltest"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

func harness() channeltest.Harness {
	goldens := golden()
	for i := range goldens {
		goldens[i].Received = received
	}
	media := func(kind channel.ContentKind, m channel.Media) channel.Content {
		return channel.Content{Kind: kind, Text: "a caption", Media: &m}
	}
	return channeltest.Harness{
		Open: open, Golden: goldens, Unknown: unknown(), Broken: broken(),
		Samples: map[channel.ContentKind]channel.Content{
			channel.KindText:  channel.Text("{braces} <b>&amp; 한글 👍🏽"),
			channel.KindImage: media(channel.KindImage, channel.Media{URL: "https://cdn.example/a b.jpg", Type: "image/jpeg", Size: 1000}),
			channel.KindVideo: media(channel.KindVideo,
				channel.Media{URL: "https://cdn.example/v.mp4", Preview: "https://cdn.example/v.jpg",
					Type: "video/mp4"}),
			channel.KindAudio: media(channel.KindAudio, channel.Media{URL: "https://cdn.example/s.m4a", Type: "audio/mp4",
				Duration: 3 * time.Second}),
			channel.KindFile: media(channel.KindFile, channel.Media{URL: "https://cdn.example/f.pdf", Name: "invoice.pdf",
				Type: "application/pdf"}),
			channel.KindLocation: {Kind: channel.KindLocation,
				Location: &channel.Location{Title: "Office", Latitude: 37.5, Longitude: 127}},
			channel.KindSticker: {Kind: channel.KindSticker, Sticker: &channel.Sticker{Package: "446", ID: "1988"}},
			channel.KindCard:    {Kind: channel.KindCard, Cards: []channel.Card{card("one"), card("two")}},
			channel.KindRich: {Kind: channel.KindRich, Rich: json.RawMessage(
				`{"type":"flex","altText":"receipt",` +
					`"contents":{"type":"bubble","body":{"type":"box","layout":"vertical","contents":[]}}}`)},
		},
	}
}

func card(title string) channel.Card {
	return channel.Card{Title: title, Text: "text", Image: "https://cdn.example/c.png", Choices: []channel.Choice{
		{Label: "Buy", Kind: "postback", Data: "buy=" + title}, {Label: "Look", Kind: "uri", URI: "https://shop.example/"},
	}}
}

func open(t *testing.T) *channeltest.Fixture {
	srv := linetest.New(linetest.Options{Seed: 3, MonthlyQuota: 100000})
	t.Cleanup(srv.Close)
	log := &channeltest.Log{}
	ad := func(rt http.RoundTripper) *line.Adapter {
		a, err := line.New(line.Options{
			HTTPClient: &http.Client{Transport: rt},
			Logger:     slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		require.NoError(t, err)
		return a
	}
	mina := srv.User("Mina")
	return &channeltest.Fixture{
		Adapter: ad(srv.Transport()), Account: accountOf(srv), Verification: line.SecretChannel,
		Webhook:         func(events ...[]byte) adapter.Request { return webhook(srv, events...) },
		SignatureHeader: "X-Line-Signature",
		Chat:            channel.Chat{Kind: channel.ChatUser, ID: mina.ID()},
		Reply: func(t *testing.T) *channel.ReplyHandle {
			return &channel.ReplyHandle{Token: replyToken(t, srv, mina), Expires: time.Now().Add(50 * time.Second)}
		},
		Delivered: mina.Texts,
		Requests: func() [][]byte {
			var all [][]byte
			for _, c := range append(srv.Calls("push"), srv.Calls("reply")...) {
				all = append(all, c.Body)
			}
			return all
		},
		Fail:    func(f channeltest.Fault) { fail(srv, f) },
		Refused: func(*testing.T) adapter.Adapter { return ad(emukit.Unreachable()) },
		Log:     log, Now: time.Now,
	}
}

func accountOf(srv *linetest.Server) channel.Account {
	return channel.Account{
		ID: "acct", Kind: line.Kind, Name: "Shop",
		Settings: json.RawMessage(`{"channel_id":"` + srv.ChannelID() + `"}`),
		Secrets: map[string]channel.Secret{
			line.SecretChannel: channel.NewSecret(srv.ChannelSecret()),
			line.SecretToken:   channel.NewSecret(srv.ChannelToken()),
		},
	}
}

func webhook(srv *linetest.Server, events ...[]byte) adapter.Request {
	return signed(srv.ChannelSecret(),
		[]byte(`{"destination":"`+srv.BotUserID()+`","events":[`+string(bytes.Join(events, []byte(",")))+`]}`))
}

func signed(secret string, body []byte) adapter.Request {
	return adapter.Request{Method: http.MethodPost, Body: body, Header: http.Header{"X-Line-Signature": {linetest.Sign(secret, body)}}}
}

// replyToken lets the user write and takes the token from the webhook.
func replyToken(t *testing.T, srv *linetest.Server, u *linetest.User) string {
	t.Helper()
	var event struct{ ReplyToken string }
	srv.SetWebhook("http://127.0.0.1:1/") // nobody there; the token lives once the webhook was tried
	u.SendText("hello")
	require.NoError(t, srv.WaitIdle(t.Context()))
	var body struct{ Events []json.RawMessage }
	hooks := srv.Webhooks()
	require.NoError(t, json.Unmarshal(hooks[len(hooks)-1].Body, &body))
	require.NoError(t, json.Unmarshal(body.Events[0], &event))
	return event.ReplyToken
}

func fail(srv *linetest.Server, f channeltest.Fault) {
	if f == channeltest.QuotaUsed { // the adapter confirms by the figures
		srv.SetConsumption(1 << 40)
	}
	kind := map[channeltest.Fault]linetest.FaultKind{
		channeltest.AcceptedThenCut: linetest.FaultCutAfter, channeltest.CutBefore: linetest.FaultCutBefore,
		channeltest.AcceptedThen500: linetest.Fault500After, channeltest.Failed500: linetest.Fault500Before,
		channeltest.TooFast: linetest.FaultRate, channeltest.QuotaUsed: linetest.FaultQuota,
		channeltest.RecipientFlood: linetest.FaultRecipient, channeltest.Unauthorized: linetest.Fault401,
		channeltest.RowRefused: linetest.FaultContent,
	}[f]
	srv.AddFault(linetest.Fault{Endpoint: "push", Kind: kind, Nth: 1, Message: 1})
}

func TestConformance(t *testing.T) {
	report := channeltest.Run(t, harness())
	require.Zero(t, report.Cannot, "LINE's emulator has means for every check")
}

func FuzzParse(f *testing.F) {
	a, err := line.New(line.Options{})
	require.NoError(f, err)
	channeltest.Fuzz(f, a, channel.Account{ID: "acct", Kind: line.Kind}, harness())
}
