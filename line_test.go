package sangdam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/routing"
)

// fromMina is the source of Mina's events.
const fromMina = `{"type":"user","userId":"` + minaID + `"}`

// lineEvent is an event of any kind as LINE sends it; rest is what it carries.
func lineEvent(kind, id, source, rest string) string {
	if rest != "" {
		rest = "," + rest
	}
	return fmt.Sprintf(`{"type":%q,"webhookEventId":"01J%s","timestamp":%d,"mode":"active","replyToken":"rt%s",`+
		`"deliveryContext":{"isRedelivery":false},"source":%s%s}`, kind, id, time.Now().UnixMilli(), id, source, rest)
}

// The signature is over the bytes as they came: escapes, emoji and half
// surrogates pass, and the same JSON written anew does not.
func TestBodiesWithEmojiAreVerifiedOnTheirBytes(t *testing.T) {
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		raw := func(id, literal string) []byte {
			return bodyOf(lineEvent("message", id, fromMina, `"message":{"type":"text","id":"7`+id+`","text":`+literal+`}`))
		}
		bodies := map[string][]byte{
			"🤨✋✊😭🏁":            raw("1", `"🤨✋✊😭🏁"`),
			"🤨 escaped":        raw("2", `"\uD83E\uDD28 escaped"`),
			"테스트😭":             raw("3", `"테스트😭"`),
			"a/b <&> \u2028 é": raw("4", `"a\/b <&> `+"\u2028"+` é"`),
			"half \ufffd":      raw("5", `"half \ud83d"`),
		}
		for want, b := range bodies {
			require.Equal(t, 200, w.post(b, w.signed(b)), want)
			// what JSON libraries make of it is not what was signed
			var again bytes.Buffer
			require.NoError(t, json.Compact(&again, b))
			var v any
			require.NoError(t, json.Unmarshal(b, &v))
			reencoded, err := json.Marshal(v)
			require.NoError(t, err)
			if !bytes.Equal(reencoded, b) {
				require.GreaterOrEqual(t, w.post(reencoded, w.signed(b)), 400)
			}
		}
		w.settle()
		got := map[string]bool{}
		for _, s := range texts(w.only()) {
			got[s] = true
		}
		for want := range bodies {
			require.True(t, got[want], "%q of %v", want, got)
		}
	})
}

// LINE leaves the user out where nobody consented.
func TestGroupEventsWithoutAUserAreTaken(t *testing.T) {
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		group := `{"type":"group","groupId":"C00112233445566778899aabbccddeeff"}`
		nobody := `{"type":"group","groupId":"C00112233445566778899aabbccddeeff","userId":null}`
		members := `{"members":[{"type":"user","userId":"` + minaID + `"}]}`
		body := bodyOf(lineEvent("join", "1", group, ""),
			lineEvent("message", "2", nobody, `"message":{"type":"text","id":"800","text":"null user"}`),
			lineEvent("message", "3", group, `"message":{"type":"text","id":"801","text":"no user"}`),
			lineEvent("memberJoined", "4", group, `"joined":`+members),
			lineEvent("memberLeft", "5", group, `"left":`+members),
			lineEvent("leave", "6", group, ""))
		require.Equal(t, 200, w.post(body, w.signed(body)))
		w.settle()
		d := w.only()
		var in []string
		for _, m := range d.Messages {
			if m.Direction == conversation.Inbound {
				in = append(in, m.Content.Text)
				require.Empty(t, m.Author.Identity)
			}
		}
		require.Equal(t, []string{"null user", "no user"}, in)
		require.Nil(t, d.Contact)
		q, err := w.eng.Quarantined(w.ctx, w.host, 10)
		require.NoError(t, err)
		require.Empty(t, q)
	})
}

func TestTheConsolesVerifyButtonPassesAndAMissingSignatureDoesNot(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		require.Equal(t, 200, w.line.SendVerify())
		b := bodyOf()
		code := w.post(b, nil)
		require.GreaterOrEqual(t, code, 400)
		require.Less(t, code, 500)
		w.nothingStored()
	})
}

func TestAStickerIsShownAndDoesNotStayUnread(t *testing.T) {
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.Send(linetest.Sticker("446", "1988", "Cony", "hello"))
		w.settle()
		id := w.of(mina).Conversation.ID
		d := w.detail(id)
		require.Equal(t, channel.KindSticker, d.Messages[0].Content.Kind)
		require.Equal(t, "1988", d.Messages[0].Content.Sticker.ID)
		require.Equal(t, 1, d.Conversation.Unread)
		w.acceptOf(id)
		w.answer("a1", id, "hi")
		require.Zero(t, w.detail(id).Conversation.Unread)
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

// Unread counts what there is to read, answered or not.
func TestAMessageTakenBackIsNotUnread(t *testing.T) {
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		p := mina.SendText("oops, the wrong chat")
		w.settle()
		_, err := mina.Unsend(p.MessageID)
		require.NoError(t, err)
		w.settle()
		d := w.of(mina)
		assert.Zero(t, d.Conversation.Unread, "nothing is left to read")
	})
}

func TestTheFeedTellsWhenAnAttachmentIsThere(t *testing.T) {
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		_, cursor, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		mina := w.line.User("Mina")
		mina.Send(linetest.File("견적서 2024.pdf", "application/pdf", []byte("%PDF-1.4")))
		w.settle()
		d := w.of(mina)
		require.EqualValues(t, "ready", d.Messages[0].Content.Media.State)
		require.Equal(t, "견적서 2024.pdf", d.Messages[0].Content.Media.Name)
		evs, _, err := w.eng.Events(w.ctx, w.host, cursor, 1000)
		require.NoError(t, err)
		var kinds []string
		for _, e := range evs {
			kinds = append(kinds, e.Kind)
		}
		require.Contains(t, kinds, string(conversation.EvMedia))
	})
}

func TestAUserWithoutAProfileIsServedAndNotAskedForAgain(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		b := bodyOf(event("1", "who am I?", 0)) // a user the emulator does not know: 404
		require.Equal(t, 200, w.post(b, w.signed(b)))
		w.settle()
		d := w.only()
		require.Equal(t, "who am I?", d.Messages[0].Content.Text)
		require.NotNil(t, d.Offer)
		require.NotNil(t, d.Contact)
		n := len(w.line.Calls("profile"))
		b = bodyOf(event("2", "and now?", 1))
		require.Equal(t, 200, w.post(b, w.signed(b)))
		w.settle()
		require.LessOrEqual(t, len(w.line.Calls("profile")), n, "not asked again for every message")
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

// A chat of a kind that LINE may add one day is a conversation of its own, also
// beside the open one of the user who writes in it. Without any id the message
// stays with the account. Nothing is said in such a chat.
func TestAMessageFromAnUnknownSourceIsKeptByItself(t *testing.T) {
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		text := func(id, text string) string {
			return `"message":{"type":"text","id":"` + id + `","text":"` + text + `"}`
		}
		b := bodyOf(lineEvent("message", "1", fromMina, text("901", "in my own chat")),
			lineEvent("message", "2", `{"type":"planet","planetId":"P1","userId":"`+minaID+`"}`, text("902", "on P1")),
			lineEvent("message", "3", `{"type":"planet","planetId":"P2"}`, text("903", "on P2")),
			lineEvent("message", "4", `{"type":"planet","planetId":"P1"}`, text("904", "on P1 again")),
			lineEvent("message", "5", `{"type":"planet"}`, text("905", "from nowhere")))
		_, cursor, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		require.Equal(t, 200, w.post(b, w.signed(b)))
		w.settle()
		said := map[string][]string{}
		for _, c := range w.conversations() {
			for _, m := range w.detail(c.ID).Messages {
				said[c.Chat.ID] = append(said[c.Chat.ID], m.Content.Text)
			}
		}
		require.Equal(t, map[string][]string{minaID: {"in my own chat", "Hello!"}, "planet:P1": {"on P1", "on P1 again"},
			"planet:P2": {"on P2"}}, said)
		evs, _, err := w.eng.Events(w.ctx, w.host, cursor, 1000)
		require.NoError(t, err)
		kept := 0
		for _, e := range evs {
			if e.Kind == "unsupported:source/planet" {
				kept++
			}
		}
		require.Equal(t, 1, kept, "the one without ids is told at the account")
		for _, c := range w.conversations() {
			if c.Chat.Kind != channel.ChatOther {
				continue
			}
			require.Empty(t, c.Contact)
			_, err := w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: c.ID, Content: channel.Text("hello?")})
			require.ErrorIs(t, err, sangdam.ErrUnsupported)
		}
		q, err := w.eng.Quarantined(w.ctx, w.host, 10)
		require.NoError(t, err)
		require.Empty(t, q)
	})
}

// Who speaks in a group and which group it is are seen by their names, and a
// new name within a day.
func TestAGroupShowsItsNameAndWhoSpeaks(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		g := w.line.Group("Family", mina, jun)
		g.SendText(mina, "from Mina")
		g.SendText(jun, "from Jun")
		w.settle()
		d := w.only()
		b, err := json.Marshal(d)
		require.NoError(t, err)
		var ids []conversation.IdentityID
		for _, m := range d.Messages {
			if m.Direction == conversation.Inbound {
				ids = append(ids, m.Author.Identity)
			}
		}
		require.Len(t, ids, 2)
		found, err := w.eng.FindContacts(w.ctx, w.host, "Mina", 10)
		require.NoError(t, err)
		require.Len(t, found, 1, "the member's profile was fetched")
		assert.True(t, bytes.Contains(b, []byte("Mina")) && bytes.Contains(b, []byte("Jun")), "the agent sees who speaks")
		require.Equal(t, "Family", d.Conversation.ChatName)
		g.Rename("The Kims")
		calls := len(w.line.Calls("summary"))
		g.SendText(mina, "we have a new name")
		w.settle()
		require.Len(t, w.line.Calls("summary"), calls, "a day's name is kept")
		w.jump(25 * time.Hour)
		g.SendText(mina, "still the new name")
		w.settle()
		require.Equal(t, "The Kims", w.only().Conversation.ChatName)
		w.line.AddFault(linetest.Fault{Endpoint: "summary", Kind: linetest.Fault500Before, Nth: 1, Times: 1000})
		w.jump(25 * time.Hour)
		g.SendText(mina, "LINE fails")
		w.settle()
		require.Equal(t, "The Kims", w.only().Conversation.ChatName)
	})
}

func TestAProfileIsAskedForOnceADay(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Haru")
		mina.SendText("hello")
		w.settle()
		require.Equal(t, "Haru", w.of(mina).Contact.Name)
		calls := len(w.line.Calls("profile"))
		mina.SendText("second")
		w.settle()
		require.Len(t, w.line.Calls("profile"), calls, "a day's names are kept")
		w.jump(25 * time.Hour)
		mina.SendText("third")
		w.settle()
		require.Len(t, w.line.Calls("profile"), calls+1, "asked again after a day")
	})
}

// A profile fetched later does not overwrite what a person wrote.
func TestANameGivenByAPersonStays(t *testing.T) {
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("mina_1990")
		mina.SendText("hello")
		w.settle()
		c := *w.of(mina).Contact
		c.Name = "Kim Mina (VIP)"
		_, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: c, Version: c.Version})
		require.NoError(t, err)
		if !w.real {
			w.jump(25 * time.Hour)
		}
		mina.SendText("hello again")
		w.settle()
		d := w.of(mina)
		require.Equal(t, "Kim Mina (VIP)", d.Contact.Name)
		require.Equal(t, "mina_1990", d.Identities[0].Name)
	})
}

func TestNULAndStrayBytesAreTakenEverywhere(t *testing.T) {
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		b := bodyOf(lineEvent("message", "1", fromMina, `"message":{"type":"text","id":"901","text":"call\u0000me back, many thanks"}`))
		require.Equal(t, 200, w.post(b, w.signed(b)))
		w.settle()
		d := w.only()
		require.Equal(t, "call\x00me back, many thanks", d.Messages[0].Content.Text)
		id := d.Conversation.ID
		_, err := w.eng.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: id, Text: "note \x00 with \xff bytes"})
		require.NoError(t, err)
		_, err = w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: id, Content: channel.Text("answer \xff here")})
		require.ErrorIs(t, err, sangdam.ErrUnsupported, "LINE takes UTF-8")
		c := conversation.Contact{Name: "A\x00B", Email: "x\x00@example.com", Memo: "\x00"}
		_, err = w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: c})
		require.NoError(t, err)
		for _, q := range []string{"A\x00", "\x00", "a\xff", "\xff\xfe"} {
			_, err := w.eng.FindContacts(w.ctx, w.host, q, 10)
			assert.NoError(t, err, "%q", q)
		}
		w.settle()
		for _, q := range []string{"thanks\x00", "back \xff", "\x00\x00ab"} {
			_, err := w.eng.Search(w.ctx, w.host, q, 10)
			assert.NoError(t, err, "%q", q)
		}
		got, err := w.eng.Search(w.ctx, w.host, "thanks", 10)
		require.NoError(t, err)
		require.Len(t, got, 1)
		_, err = w.eng.Conversations(w.ctx, w.host, conversation.Filter{Category: "x\x00"}, "", 10)
		assert.NoError(t, err)
		_, err = w.eng.Conversations(w.ctx, w.host, conversation.Filter{}, "bad\x00page", 10)
		assert.ErrorIs(t, err, sangdam.ErrInvalid)
		_, err = w.eng.Conversation(w.ctx, w.host, "no\x00such")
		assert.ErrorIs(t, err, sangdam.ErrNotFound)
	})
}

func TestABotSlowerThanItsReplyTokenIsHeardOnce(t *testing.T) {
	slow := botFunc(func(ctx context.Context, _ bot.Turn) (bot.Reply, error) {
		select {
		case <-time.After(70 * time.Second):
		case <-ctx.Done():
			return bot.Reply{}, ctx.Err()
		}
		return bot.Reply{Say: []channel.Content{channel.Text("the picture says: hello")}}, nil
	})
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		mina.SendText("read this for me")
		w.pass(3 * time.Minute)
		require.Contains(t, mina.Texts(), "the picture says: hello")
		n := 0
		for _, r := range mina.Received() {
			if r.Text == "the picture says: hello" {
				n++
				require.Equal(t, "push", r.Route)
			}
		}
		require.Equal(t, 1, n)
	}, withBot(slow), withConfig(func(c *sangdam.Config) { c.BotTimeout = 2 * time.Minute }))
}

func TestEveryAnswerArrivesOnceWhicheverTokenIsLeft(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "one")
		mina.SendText("two")
		w.settle()
		mina.SendText("three")
		w.settle()
		for i := range 4 {
			w.answer("a1", owned.Conversation, fmt.Sprintf("answer %d", i))
		}
		require.Equal(t, []string{"answer 0", "answer 1", "answer 2", "answer 3"}, mina.Texts())
		require.Empty(t, mina.Repeated())
	}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.Messages = time.Hour, nil }))
}

func TestUsedUpQuotaIsShownAtOnceAndRepliesGoOn(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		w.beat(2*time.Minute, "a1") // the reply token is dead
		w.answer("a1", owned.Conversation, "by push, the last of the month")
		p, err := w.eng.Answer(w.ctx, w.agent("a1"),
			sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("one too many")})
		require.NoError(t, err)
		w.pass(10 * time.Second)
		m := w.message(owned.Conversation, p.Message)
		require.Equal(t, conversation.StatusFailed, m.Status, "not tried for hours")
		require.Equal(t, channel.ReasonQuota, m.Reason)
		mina.SendText("are you there?")
		w.settle()
		w.answer("a1", owned.Conversation, "a reply is free")
		require.Contains(t, mina.Texts(), "a reply is free")
		require.NotContains(t, mina.Texts(), "one too many")
	}, withEmulator(linetest.Options{MonthlyQuota: 1}), withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

// Trouble of LINE that is over at once costs seconds and never a message.
func TestPassingTroubleOnlyDelays(t *testing.T) {
	for f, within := range map[string]time.Duration{"reply:429-rate:1": 3 * time.Second, "reply:500-before:1": 3 * time.Second,
		"reply:cut-before:1": 3 * time.Second, "reply:500-after:1": 3 * time.Second, "reply:cut-after:1+1": 3 * time.Second,
		"push:429-rate:1": 3 * time.Second, "push:500-after:1": 3 * time.Second, "push:429-recipient:1+2": 20 * time.Second} {
		t.Run(f, func(t *testing.T) {
			replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				mina := w.line.User("Mina")
				owned := w.begun(mina, "hello")
				if strings.HasPrefix(f, "push") {
					w.beat(2*time.Minute, "a1")
				}
				fault, err := linetest.ParseFault(f)
				require.NoError(t, err)
				w.line.AddFault(fault)
				posted, err := w.eng.Answer(w.ctx, w.agent("a1"),
					sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("on its way")})
				require.NoError(t, err)
				w.pass(within)
				require.Equal(t, []string{"on its way"}, mina.Texts())
				w.pass(10 * time.Minute)
				require.Equal(t, []string{"on its way"}, mina.Texts())
				require.Empty(t, mina.Repeated())
				require.Equal(t, conversation.StatusSent, w.message(owned.Conversation, posted.Message).Status)
			}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.Messages = time.Hour, nil }))
		})
	}
}

func TestLongTextsArriveWhole(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		long := strings.Repeat("가나다라마바사 ", 700) + strings.Repeat("👨‍👩‍👧‍👦", 400) + strings.Repeat("x", 4999) + "🤨"
		w.answer("a1", owned.Conversation, long)
		require.Equal(t, long, strings.Join(mina.Texts(), ""))
		for _, s := range mina.Texts() {
			require.LessOrEqual(t, len(utf16.Encode([]rune(s))), 5000)
			require.NotContains(t, s, "\ufffd")
		}
		// beyond what five messages hold: refused with a reason before sending
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation,
			Content: channel.Text(strings.Repeat("y", 30000))})
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
	}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.Messages = time.Hour, nil }))
}

func TestALinkTooLongForACardIsSentAsText(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		address := "https://example.com/?q=" + strings.Repeat("%EA%B0%80", 200)
		card := channel.Content{Kind: channel.KindCard, Text: "see",
			Cards: []channel.Card{{Title: "T", Text: "see", Choices: []channel.Choice{{Label: "open", Kind: "uri", URI: address}}}}}
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: card})
		require.NoError(t, err)
		w.settle()
		w.answer("a1", owned.Conversation, "neighbour")
		require.Equal(t, []string{"T\nsee\nopen: " + address, "neighbour"}, mina.Texts())
	}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.Messages = time.Hour, nil }))
}

func TestQuickRepliesHangOnTheLastBubble(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		c := channel.Text(strings.Repeat("z", 14000))
		c.Choices = []channel.Choice{{Label: "Yes", Kind: "message", Text: "yes"}, {Label: "No", Kind: "message", Text: "no"}}
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: c})
		require.NoError(t, err)
		w.settle()
		got := mina.Received()
		require.Len(t, got, 3)
		for i, r := range got {
			require.Equal(t, i == 2, bytes.Contains(r.Message, []byte("quickReply")), i)
		}
	}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.Messages = time.Hour, nil }))
}

func TestATokenThatSomethingElseUsedFallsBackToPush(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		h := w.detail(owned.Conversation).Conversation.Reply
		require.NotNil(t, h)
		body := fmt.Sprintf(`{"replyToken":%q,"messages":[{"type":"text","text":"(LINE's own auto-reply)"}]}`, h.Token)
		r, err := http.NewRequest(http.MethodPost, "https://api.line.test/v2/bot/message/reply", strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+w.line.ChannelToken())
		r.Header.Set("Content-Type", "application/json")
		resp, err := httpClient(w.line).Do(r)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		w.answer("a1", owned.Conversation, "from the agent")
		require.Equal(t, []string{"(LINE's own auto-reply)", "from the agent"}, mina.Texts())
		require.Equal(t, "push", mina.Received()[1].Route)
	}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.Messages = time.Hour, nil }))
}

func TestTheSameUserAtTwoTenantsIsTwoPeople(t *testing.T) {
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		other := sangdam.Host("w2")
		require.NoError(t, w.eng.CreateWorkspace(w.ctx, "w2", "Other"))
		require.NoError(t, errOf(w.eng.SaveAgent(w.ctx, other, sangdam.SaveAgent{Agent: chatAgent("a1")})))
		require.NoError(t, errOf(w.eng.SaveDesk(w.ctx, other,
			sangdam.SaveDesk{Agent: "a1", Desk: routing.Desk{ID: "support", Name: "Support"}})))
		require.NoError(t, errOf(w.eng.SaveQueue(w.ctx, other, sangdam.SaveQueue{Queue: routing.Queue{ID: "q", Name: "Everyone"}})))
		stream := routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line", Mode: routing.Push, Cost: 1, Queue: "q"}
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, other, sangdam.SaveWorkStream{WorkStream: stream})))
		acct, err := w.eng.SaveAccount(w.ctx, other,
			sangdam.SaveAccount{Account: channel.Account{Kind: "line", Name: "Shop 2", Desk: "support",
				WorkStream: "line",
				Settings:   json.RawMessage(fmt.Sprintf(`{"channel_id":%q}`, w.line.ChannelID())),
				Secrets: map[string]channel.Secret{"channel_secret": channel.NewSecret(w.line.ChannelSecret()),
					"channel_token": channel.NewSecret(w.line.ChannelToken())}}})

		require.NoError(t, err)
		b := bodyOf(event("1", "the very same event", 0))
		require.Equal(t, 200, w.post(b, w.signed(b)))
		require.Equal(t, 200, w.postTo(acct.Token, bytes.NewReader(b), w.signed(b)).Code)
		w.settle()
		one := w.only()
		page, err := w.eng.Conversations(w.ctx, other, conversation.Filter{}, "", 10)
		require.NoError(t, err)
		require.Len(t, page.Conversations, 1)
		require.NotEqual(t, one.Conversation.Contact, page.Conversations[0].Contact)
		_, err = w.eng.Conversation(w.ctx, other, one.Conversation.ID)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		w.settle()
		found, err := w.eng.Search(w.ctx, other, "same event", 10)
		require.NoError(t, err)
		require.Len(t, found, 1)
	})
}

func TestTakingBackInAnEndedConversationOpensNothing(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		p := mina.SendText("hello")
		w.settle()
		id := w.of(mina).Conversation.ID
		w.acceptOf(id)
		_, err := w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: id})
		require.NoError(t, err)
		w.settle()
		n := len(mina.Texts())
		_, err = mina.Unsend(p.MessageID)
		require.NoError(t, err)
		w.settle()
		require.Len(t, w.conversations(), 1)
		d := w.detail(id)
		require.Equal(t, conversation.StateClosed, d.Conversation.State)
		require.Empty(t, d.Messages[0].Content.Text)
		require.Len(t, mina.Texts(), n)
	}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.ReopenFor = time.Hour, time.Hour }))
}
