package sangdam_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
)

// What a customer picks, sends and presses comes into the conversation.
func TestWhatACustomerPicksIsInTheConversation(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		one := w.begun(mina, "hello")
		ask := func(c channel.Choice) {
			content := channel.Text("choose")
			content.Choices = []channel.Choice{c}
			_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: one.Conversation, Content: content})
			require.NoError(t, err)
			w.settle()
		}
		last := func() conversation.Message {
			all := w.detail(one.Conversation).Messages
			return all[len(all)-1]
		}
		ask(channel.Choice{Label: "When?", Kind: channel.ChoiceDate, Data: "visit",
			Picker: &channel.Picker{Mode: channel.PickDateTime, Min: "2026-03-01T09:00", Max: "2026-03-31T18:00"}})
		_, err := mina.Press("When?", linetest.Answer{Picked: "2026-03-05T14:30"})
		require.NoError(t, err)
		w.settle()
		require.Equal(t, channel.KindPostback, last().Content.Kind)
		require.Equal(t, "2026-03-05T14:30", last().Content.Text)
		require.Equal(t, "2026-03-05T14:30", last().Content.Postback.Picked())
		require.Equal(t, "visit", last().Content.Postback.Data)

		ask(channel.Choice{Label: "Where?", Kind: channel.ChoiceLocation})
		_, err = mina.Press("Where?", linetest.Answer{Sends: linetest.Location("Home", "Seoul", 37.5, 127)})
		require.NoError(t, err)
		w.settle()
		require.Equal(t, 37.5, last().Content.Location.Latitude)

		bad := channel.Text("choose")
		bad.Choices = []channel.Choice{{Label: "l", Kind: "of-the-future"}}
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: one.Conversation, Content: bad})
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
		require.ErrorContains(t, err, "of-the-future")
		bad.Choices = []channel.Choice{{Label: "l", Kind: channel.ChoiceDate, Data: "d"}}
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: one.Conversation, Content: bad})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "picker")
	}, longOffers)
}

// A bot is told what was picked, as the text of the message and by name.
func TestABotSeesWhatWasPicked(t *testing.T) {
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		mina.PressPostback("visit", map[string]string{"date": "2026-03-05"})
		w.settle()
		require.Equal(t, "2026-03-05", w.only().Conversation.Attributes["date"])
		require.Equal(t, "visit", w.only().Conversation.Attributes["data"])
	}, withBot(botFunc(func(_ context.Context, t bot.Turn) (bot.Reply, error) {
		return bot.Reply{HandOver: true,
				Attributes: map[string]string{"date": t.Message.Content.Text, "data": t.Message.Content.Postback.Data}},
			nil
	})))
}

// A video that is followed is recorded when it was watched; what another tool
// sent, and notices by telephone number, show in the feed of the account.
func TestAVideoIsWatchedAndANoticeArrives(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		one := w.begun(mina, "hello")
		_, before, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		film := channel.Content{Kind: channel.KindVideo, Media: &channel.Media{URL: "https://cdn.example/v.mp4",
			Preview: "https://cdn.example/v.jpg",
			Type:    "video/mp4", Track: true}}
		sent, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: one.Conversation, Content: film})
		require.NoError(t, err)
		w.settle()
		require.Equal(t, []string{string(sent.Message)}, mina.WatchVideos())
		mina.WatchVideos() // again: it is the first time that counts
		mina.FinishVideo("campaign-7")
		w.line.User("Jun").FinishVideo(string(sent.Message))
		w.line.CompleteDelivery("order-12")
		w.settle()
		for _, m := range w.detail(one.Conversation).Messages {
			require.Equal(t, m.ID == sent.Message, !m.WatchedAt.IsZero())
		}
		evs, err := w.eng.ConversationEvents(w.ctx, w.host, one.Conversation, 0, 200)
		require.NoError(t, err)
		n := 0
		for _, e := range evs {
			if e.Kind == conversation.EvWatched {
				n++
			}
		}
		require.Equal(t, 1, n)
		var told []string
		feed, _, err := w.eng.Events(w.ctx, w.host, before, 500)
		require.NoError(t, err)
		for _, e := range feed {
			if e.Aggregate == "account" && (e.Kind == string(adapter.EventWatched) || e.Kind == string(adapter.EventNotified)) {
				told = append(told, e.Kind+" "+e.Ref)
			}
		}
		require.ElementsMatch(t, []string{"watched campaign-7", "watched " + string(sent.Message), "notified order-12"}, told)
	}, longOffers)
}
