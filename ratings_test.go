package sangdam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
)

// asking sets the texts that ask for a rating.
func asking(s *routing.WorkStream) {
	s.ReopenFor = time.Hour
	s.Messages[automated.Rating] = map[string]string{"": "How was it?"}
	s.Messages[automated.Rated] = map[string]string{"": "Thank you."}
	s.Messages[automated.RatingComment] = map[string]string{"": "Add a comment"}
}

// served is a conversation that was answered and has ended.
func (w *world) toldGoodbye(u *linetest.User, end sangdam.End) sangdam.Owned {
	w.t.Helper()
	w.online("a1")
	u.SendText("hi")
	w.settle()
	c := w.accept()
	require.NoError(w.t,
		errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c.Conversation, Content: channel.Text("ok")})))
	end.Conversation = c.Conversation
	require.NoError(w.t, errOf(w.eng.End(w.ctx, w.agent("a1"), end)))
	w.settle()
	return c
}

func (w *world) press(u *linetest.User, label string) {
	w.t.Helper()
	_, err := u.Press(label, linetest.Answer{})
	require.NoError(w.t, err)
	w.settle()
}

// On LINE the end asks with a button for each score. One answer counts, a
// comment may follow, and none of it opens the conversation again.
func TestACustomerOnLINERates(t *testing.T) {
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		c := w.toldGoodbye(mina, sangdam.End{})
		require.Equal(t, "How was it?", mina.Texts()[len(mina.Texts())-1])
		old := mina.Choices()
		require.Len(t, old, 5)
		w.press(mina, "4 ★")
		require.Equal(t, "Thank you.", mina.Texts()[len(mina.Texts())-1])
		d := w.detail(c.Conversation)
		require.Equal(t, conversation.StateClosed, d.Conversation.State)
		require.Equal(t, 4, d.Conversation.Rating.Score)

		w.press(mina, "Add a comment")
		mina.SendText("Quick and friendly")
		w.settle()
		d = w.detail(c.Conversation)
		require.Equal(t, conversation.StateClosed, d.Conversation.State, "a comment opens nothing")
		require.Equal(t, "Quick and friendly", d.Conversation.Rating.Comment)
		mina.SendText("Another question")
		w.settle()
		require.Equal(t, conversation.StateOpen, w.detail(c.Conversation).Conversation.State, "the next text is one again")
		w.invariants()
	}, withStream(asking))
}

// A second answer, a late one and a forged one change nothing.
func TestARatingOnLINECountsOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		c := w.toldGoodbye(mina, sangdam.End{})
		d := w.detail(c.Conversation)
		last := d.Messages[len(d.Messages)-1]
		five, two := last.Content.Choices[0].Data, last.Content.Choices[3].Data
		require.True(t, strings.HasSuffix(five, ":5") && strings.HasSuffix(two, ":2"))
		jun.PressPostback(five, nil)
		mina.PressPostback(strings.TrimSuffix(five, "5")+"9", nil)
		w.settle()
		require.Nil(t, w.detail(c.Conversation).Conversation.Rating, "not another's, and no score that is none")
		mina.PressPostback(five, nil)
		mina.PressPostback(two, nil)
		w.settle()
		require.Equal(t, 5, w.detail(c.Conversation).Conversation.Rating.Score)

		mina.SendText("again")
		w.settle()
		w.accept()
		require.NoError(t, errOf(w.eng.Answer(w.ctx, w.agent("a1"),
			sangdam.Answer{Conversation: c.Conversation, Content: channel.Text("yes")})))
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: c.Conversation, Unrated: true})))
		mina.PressPostback(two, nil)
		w.settle()
		cv := w.detail(c.Conversation).Conversation
		require.Equal(t, conversation.StateClosed, cv.State)
		require.False(t, cv.RatedThisEnd(), "an old button does not rate a new ending")
		require.NoError(t, errOf(w.eng.AskRating(w.ctx, w.agent("a1"), sangdam.AskRating{Conversation: c.Conversation})))
		require.ErrorIs(t, errOf(w.eng.AskRating(w.ctx, w.agent("a1"), sangdam.AskRating{Conversation: c.Conversation})),
			sangdam.ErrAlreadyExists)
		w.settle()
		w.press(mina, "1 ★")
		require.Equal(t, 1, w.detail(c.Conversation).Conversation.Rating.Score)
		w.invariants()
	}, withStream(asking))
}

// Who was not answered, and who was not asked in words, is not asked.
func TestNobodyIsAskedForARatingOfNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		require.ErrorIs(t, errOf(w.eng.AskRating(w.ctx, w.agent("a1"), sangdam.AskRating{Conversation: c.Conversation})),
			sangdam.ErrInvalid, "it goes on")
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: c.Conversation})))
		w.settle()
		require.Equal(t, []string{"Hello!", "Goodbye."}, w.line.User("Mina").Texts())
	}, withStream(asking))
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		c := w.toldGoodbye(mina, sangdam.End{})
		require.Equal(t, []string{"Hello!", "ok", "Goodbye."}, mina.Texts())
		err := errOf(w.eng.AskRating(w.ctx, w.agent("a1"), sangdam.AskRating{Conversation: c.Conversation}))
		require.ErrorContains(t, err, "rating")
		require.ErrorIs(t, err, sangdam.ErrInvalid)
	})
	inWorld(t, func(w *world) {
		s := w.configuration().WorkStreams["line"]
		s.Messages[automated.RatingComment] = map[string]string{"en": strings.Repeat("x", 21)}
		require.ErrorContains(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})), "label of a button")
	})
}
