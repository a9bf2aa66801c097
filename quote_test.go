package sangdam_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation/bot"
)

// Naming the message is enough to quote it, whoever wrote it.
func TestAnAnswerQuotesWithQuoteOfAlone(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "which one?")
		asked := w.detail(owned.Conversation).Messages[0]
		quote := func(of channel.ProviderMessageID, text string) (sangdam.Posted, error) {
			c := channel.Text(text)
			c.QuoteOf = of
			posted, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: c})
			w.settle()
			return posted, err
		}
		posted, err := quote(asked.Provider, "this one")
		require.NoError(t, err)
		require.Contains(t, string(mina.Received()[0].Message), `"quoteToken":"`+asked.Content.QuoteHandle+`"`)
		first := w.message(owned.Conversation, posted.Message)
		require.Equal(t, asked.ID, first.Quotes)
		posted, err = quote(first.Provider, "I mean this")
		require.NoError(t, err)
		require.Contains(t, string(mina.Received()[1].Message), `"quoteToken":"`+first.Content.QuoteHandle+`"`)
		require.Equal(t, first.ID, w.message(owned.Conversation, posted.Message).Quotes)
		_, err = quote("4711", "what?")
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		sound := mina.Send(linetest.Audio("audio/mp4", []byte("la"), time.Second))
		w.settle()
		_, err = quote(channel.ProviderMessageID(sound.MessageID), "nobody can quote a sound on LINE")
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
		out, err := w.eng.Preview(w.ctx, w.agent("a1"), owned.Conversation,
			channel.Content{Kind: channel.KindText, Text: "?", QuoteOf: channel.ProviderMessageID(sound.MessageID)})
		require.NoError(t, err)
		require.NotEmpty(t, out.Refused)
		require.Len(t, mina.Received(), 2)
	}, quiet)
}

// A text that left as several messages is found by the id of each.
func TestAQuoteOfALaterPartFindsTheWholeMessage(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "tell me all")
		long, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation,
			Content: channel.Text(strings.Repeat("z", 14000))})
		require.NoError(t, err)
		w.settle()
		parts := mina.Received()
		require.Len(t, parts, 3)
		for _, p := range parts {
			mina.Send(linetest.Text("about this").Quoting(p.MessageID))
			w.settle()
			said := w.detail(owned.Conversation).Messages
			m := said[len(said)-1]
			require.Equal(t, channel.ProviderMessageID(p.MessageID), m.Content.QuoteOf)
			require.Equal(t, long.Message, m.Quotes)
		}
		// and an agent may quote by any of them
		c := channel.Text("as I wrote")
		c.QuoteOf = channel.ProviderMessageID(parts[2].MessageID)
		posted, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: c})
		require.NoError(t, err)
		require.Equal(t, long.Message, w.message(owned.Conversation, posted.Message).Quotes)
		mina.Send(linetest.Text("and this?").Quoting("999"))
		w.settle()
		said := w.detail(owned.Conversation).Messages
		require.Empty(t, said[len(said)-1].Quotes, "a message that was never here")
	}, quiet)
}

// A bot that quotes what cannot be quoted is heard without the quote.
func TestABotsAnswerGoesOutWithoutAQuoteThatCannotBe(t *testing.T) {
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		mina.Send(linetest.Audio("audio/mp4", []byte("la"), time.Second))
		w.settle()
		got := mina.Received()
		require.Len(t, got, 2)
		require.Contains(t, string(got[0].Message), "quoteToken")
		require.NotContains(t, string(got[1].Message), "quoteToken")
	}, quiet, withBot(botFunc(func(_ context.Context, turn bot.Turn) (bot.Reply, error) {
		c := channel.Text("I heard")
		c.QuoteOf = turn.Message.Provider
		return bot.Reply{Say: []channel.Content{c}}, nil
	})))
}
