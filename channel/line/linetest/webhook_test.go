package linetest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/line/line-bot-sdk-go/v8/linebot/webhook"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// everything lets customers do all that they can do.
func everything(t *testing.T, s *linetest.Server) {
	t.Helper()
	mina, jun := s.User("Mina"), s.User("Jun").SetAnonymous(true)
	first := mina.SendText("안녕 😀")
	mina.Send(s.MarkedText("😀 (hi) @all @bot @Jun", linetest.Mark{Piece: "(hi)", ProductID: "p1", EmojiID: "001"},
		linetest.Mark{Piece: "@all", All: true}, linetest.Mark{Piece: "@bot", Self: true},
		linetest.Mark{Piece: "@Jun", User: jun}).Quoting(first.MessageID))
	mina.SendAlbum(linetest.Image("image/jpeg", []byte("1")), linetest.Image("image/jpeg", []byte("2")))
	mina.Send(linetest.ExternalImage("https://cdn.example/o.jpg", "https://cdn.example/p.jpg"))
	mina.Send(linetest.Video("video/mp4", []byte("v"), time.Second, 0))
	mina.Send(linetest.Audio("audio/x-m4a", []byte("a"), time.Second))
	mina.Send(linetest.File("f.pdf", "application/pdf", []byte("f")))
	mina.Send(linetest.Location("here", "there", 37, 127.5))
	mina.Send(linetest.Sticker("446", "1988", "hi", "bye"))
	mina.Send(linetest.Unknown("hologram"))
	mina.SendUnknown("ofTheFuture")
	mina.PressPostback("data", map[string]string{"date": "2026-01-01"})
	mina.EnterBeacon("d41d8cd98f", "enter")
	mina.JoinMembership("joined", 3189)
	mina.JoinMembership("left", 3189)
	mina.JoinMembership("renewed", 3189)
	mina.FinishVideo("track")
	mina.SwitchMenu("none", "tab")
	mina.Unfollow()
	mina.Follow()
	_, err := mina.Unsend(first.MessageID)
	require.NoError(t, err)
	g := s.Group("family", mina, jun)
	said := g.SendText(jun, "from nobody")
	_, err = g.Edit(said.MessageID, "edited")
	require.NoError(t, err)
	g.Add(s.User("Sora"))
	g.Remove(jun)
	g.Dismiss()
	room := s.Room(mina)
	room.SendText(mina, "in a room")
	mina.SetStandby(true)
	mina.SendText("in standby")
	mina.SetStandby(false)
}

// TestEveryWebhookIsOneOfLINE decodes all that is sent with LINE's own types
// and checks the fields that LINE documents as required.
func TestEveryWebhookIsOneOfLINE(t *testing.T) {
	b := newBench(t, linetest.Options{WebhookBatch: 3})
	b.srv.Hold()
	everything(t, b.srv)
	b.srv.Release(false)
	b.wait(t)
	kinds := map[string]int{}
	batched := false
	for _, body := range b.bodies {
		var req webhook.CallbackRequest
		require.NoError(t, json.Unmarshal(body, &req), "%s", body)
		require.Equal(t, b.srv.BotUserID(), req.Destination)
		batched = batched || len(req.Events) > 1
		var raw struct{ Events []map[string]json.RawMessage }
		require.NoError(t, json.Unmarshal(body, &raw))
		for i, event := range req.Events {
			kinds[event.GetType()]++
			if _, unknown := event.(webhook.UnknownEvent); unknown {
				require.Equal(t, "ofTheFuture", event.GetType())
			}
			common(t, raw.Events[i])
			if m, ok := event.(webhook.MessageEvent); ok {
				requiredOf(t, m)
			}
		}
	}
	require.True(t, batched)
	for _, kind := range []string{"message", "messageEdited", "unsend", "follow", "unfollow", "join", "leave", "memberJoined", "memberLeft",
		"postback", "videoPlayComplete", "beacon", "membership", "ofTheFuture"} {
		require.Positive(t, kinds[kind], kind)
	}
	for _, env := range b.received() {
		_, err := b.line.Parse(b.acct, env)
		require.NoError(t, err, "%s", env.Raw)
	}
}

// common checks what every event has: 26 characters of a ULID, a time, a mode,
// the redelivery flag, a source with its ids in LINE's form, and a reply token
// only where one can reply.
func common(t *testing.T, e map[string]json.RawMessage) {
	t.Helper()
	require.Regexp(t, `^"[0-9A-HJKMNP-TV-Z]{26}"$`, string(e["webhookEventId"]))
	require.Regexp(t, `^[0-9]{13}$`, string(e["timestamp"]))
	require.Regexp(t, `^"(active|standby)"$`, string(e["mode"]))
	require.JSONEq(t, `{"isRedelivery":false}`, string(e["deliveryContext"]))
	require.Regexp(t, `^\{"type":"(user","userId":"U|group","groupId":"C|room","roomId":"R)[0-9a-f]{32}"`, string(e["source"]))
	kind := strings.Trim(string(e["type"]), `"`)
	_, has := e["replyToken"]
	mute := string(e["mode"]) == `"standby"` || kind == "unsend" || kind == "unfollow" || kind == "leave" || kind == "memberLeft"
	require.Equal(t, !mute, has, kind)
}

func requiredOf(t *testing.T, m webhook.MessageEvent) {
	t.Helper()
	switch c := m.Message.(type) {
	case webhook.TextMessageContent:
		require.NotEmpty(t, c.Id)
		require.NotEmpty(t, c.QuoteToken)
		require.NotEmpty(t, c.MarkAsReadToken)
	case webhook.ImageMessageContent:
		require.NotEmpty(t, c.QuoteToken)
		require.NotNil(t, c.ContentProvider)
	case webhook.VideoMessageContent:
		require.NotEmpty(t, c.QuoteToken)
		require.Positive(t, c.Duration)
	case webhook.AudioMessageContent:
		require.NotNil(t, c.ContentProvider)
	case webhook.FileMessageContent:
		require.NotEmpty(t, c.FileName)
		require.Positive(t, c.FileSize)
	case webhook.LocationMessageContent:
		require.NotZero(t, c.Latitude)
	case webhook.StickerMessageContent:
		require.NotEmpty(t, c.QuoteToken)
		require.NotEmpty(t, c.StickerResourceType)
	case webhook.UnknownMessageContent:
		require.Equal(t, "hologram", c.Type)
	default:
		t.Errorf("unexpected message %T", c)
	}
}

func TestMarksAreCountedInUTF16(t *testing.T) {
	b := newBench(t, linetest.Options{})
	b.srv.User("Mina").Send(b.srv.MarkedText("😀가(hi)", linetest.Mark{Piece: "(hi)", ProductID: "p1", EmojiID: "001"}))
	b.wait(t)
	in, err := b.line.Parse(b.acct, b.received()[0])
	require.NoError(t, err)
	require.Equal(t, []channel.Span{{Start: 7, Length: 4, Kind: "emoji", Ref: "p1/001"}}, in.Content.Spans)
}

func TestRedeliveryChangesOnlyTheFlag(t *testing.T) {
	b := newBench(t, linetest.Options{Redeliveries: 2, RedeliverAfter: time.Millisecond})
	b.answer = http.StatusServiceUnavailable
	b.srv.User("Mina").SendText("hello")
	b.wait(t)
	require.Len(t, b.bodies, 3)
	require.NotEqual(t, b.bodies[0], b.bodies[1])
	require.Equal(t, b.bodies[0], bytes.Replace(b.bodies[1], []byte(`"isRedelivery":true`), []byte(`"isRedelivery":false`), 1))
	require.Equal(t, b.bodies[1], b.bodies[2])
	hooks := b.srv.Webhooks()
	require.Equal(t, "error_status_code", hooks[0].Error)
	require.Equal(t, []int{0, 1, 2}, []int{hooks[0].Attempt, hooks[1].Attempt, hooks[2].Attempt})
}

func TestNoRedeliveryUnlessSwitchedOn(t *testing.T) {
	b := newBench(t, linetest.Options{})
	b.answer = http.StatusServiceUnavailable
	b.srv.User("Mina").SendText("hello")
	b.wait(t)
	require.Len(t, b.bodies, 1)
}

func TestWebhooksHaveTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(3 * time.Second):
			case <-r.Context().Done():
			}
		})
		s := linetest.New(linetest.Options{WebhookURL: "https://bot.example/",
			WebhookClient: &http.Client{Transport: emukit.Transport(slow)}})
		defer s.Close()
		start := time.Now()
		s.User("Mina").SendText("hello")
		require.NoError(t, s.WaitIdle(t.Context()))
		require.Equal(t, 2*time.Second, time.Since(start))
		require.Equal(t, "request_timeout", s.Webhooks()[0].Error)
	})
}

func TestRotatedSecretSignsFromThenOn(t *testing.T) {
	b := newBench(t, linetest.Options{})
	old := b.srv.ChannelSecret()
	b.srv.RotateSecret()
	require.NotEqual(t, old, b.srv.ChannelSecret())
	b.srv.User("Mina").SendText("hello")
	b.wait(t)
	require.Equal(t, http.StatusUnauthorized, b.srv.Webhooks()[0].Status)
	b.acct.Secrets[line.SecretChannelNext] = channel.NewSecret(b.srv.ChannelSecret())
	b.srv.User("Mina").SendText("hello again")
	b.wait(t)
	require.Equal(t, http.StatusOK, b.srv.Webhooks()[1].Status)
}

func TestChaosDuplicatesReordersAndForges(t *testing.T) {
	b := newBench(t, linetest.Options{Seed: 5})
	b.srv.SetChaos(linetest.Chaos{Duplicate: 0.5, Reorder: 0.5})
	b.srv.Hold()
	for range 40 {
		b.srv.User("Mina").SendText("x")
	}
	b.srv.Release(false)
	b.wait(t)
	seen, repeated, unordered := map[string]bool{}, 0, 0
	last := channel.ProviderMessageID("")
	for _, env := range b.received() {
		in, err := b.line.Parse(b.acct, env)
		require.NoError(t, err)
		if seen[env.DedupKey] {
			repeated++
		}
		if in.MessageID < last {
			unordered++
		}
		seen[env.DedupKey], last = true, in.MessageID
	}
	require.Len(t, seen, 40, "nothing is lost")
	require.Positive(t, repeated)
	require.Positive(t, unordered)
	b.srv.SetChaos(linetest.Chaos{WrongSign: 1})
	b.srv.User("Mina").SendText("forged")
	b.wait(t)
	hooks := b.srv.Webhooks()
	require.Equal(t, http.StatusUnauthorized, hooks[len(hooks)-1].Status)
}

func TestTheSameSeedPlaysTheSame(t *testing.T) {
	play := func(seed uint64) string {
		var mu strings.Builder
		hook := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(&mu, r.Body)
		})
		s := linetest.New(linetest.Options{Seed: seed, Now: func() time.Time { return time.Unix(1700000000, 0) },
			WebhookURL: "https://bot.example/", WebhookClient: &http.Client{Transport: emukit.Transport(hook)}})
		defer s.Close()
		everything(t, s)
		require.NoError(t, s.WaitIdle(t.Context()))
		return mu.String()
	}
	require.Equal(t, play(1), play(1))
	require.NotEqual(t, play(1), play(2))
}

func TestVerifyIsAnEmptyWebhook(t *testing.T) {
	b := newBench(t, linetest.Options{})
	require.Equal(t, http.StatusOK, b.srv.SendVerify())
	require.JSONEq(t, `{"destination":"`+b.srv.BotUserID()+`","events":[]}`, string(b.bodies[0]))
}

func TestRawEventsAreSentAsTheyAre(t *testing.T) {
	b := newBench(t, linetest.Options{})
	b.srv.SendRaw(json.RawMessage(`{"type":"things","weird":1e3}`))
	b.wait(t)
	require.Contains(t, string(b.bodies[0]), `[{"type":"things","weird":1e3}]`)
}
