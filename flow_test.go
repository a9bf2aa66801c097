package sangdam_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// The main job: a signed LINE text in, the right agent's answer out.
func TestFirstTextIsGreetedOfferedAcceptedAndAnswered(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		u := w.line.User("Mina")
		u.SendText("환불 되나요?")
		w.settle()

		require.Equal(t, []string{"Hello!"}, u.Texts(), "greeted within a second")
		require.Equal(t, "reply", u.Received()[0].Route, "by the reply API, which costs nothing")
		d := w.only()
		require.Equal(t, conversation.StateOpen, d.Conversation.State)
		require.NotNil(t, d.Offer)
		require.Equal(t, "a1", string(d.Offer.Agent))
		require.Equal(t, "Mina", d.Contact.Name, "the profile was fetched")

		owned := w.accept()
		require.Equal(t, "a1", string(owned.Agent))
		posted, err := w.eng.Answer(w.ctx, w.agent("a1"),
			sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("네, 가능합니다.")})
		require.NoError(t, err)
		w.settle()

		require.Equal(t, []string{"Hello!", "네, 가능합니다."}, u.Texts())
		d = w.only()
		require.Equal(t, conversation.StateActive, d.Conversation.State)
		require.True(t, d.Conversation.Handled)
		require.Equal(t, []string{"환불 되나요?", "Hello!", "네, 가능합니다."}, texts(d))
		for _, m := range d.Messages[1:] {
			require.Equal(t, conversation.StatusSent, m.Status)
			require.NotEmpty(t, m.Provider)
		}
		require.Equal(t, posted.Message, d.Messages[2].ID)

		found, err := w.eng.Search(w.ctx, w.agent("a1"), "환불", 10)
		require.NoError(t, err)
		require.Len(t, found, 1, "two-syllable words are found")

		_, err = w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned.Conversation})
		require.NoError(t, err)
		w.settle()
		require.Equal(t, conversation.StateClosed, w.only().Conversation.State)
		require.Equal(t, "Goodbye.", u.Texts()[2])
	})
}

func TestDeclinedAndExpiredOffersGoToTheNextAgent(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1", "a2")
		w.line.User("Mina").SendText("hi")
		w.settle()
		first := w.only().Offer
		require.NoError(t, w.eng.Decline(w.ctx, w.agent(first.Agent), sangdam.Decline{Offer: first.ID}))
		w.settle()
		second := w.only().Offer
		require.NotNil(t, second)
		require.NotEqual(t, first.Agent, second.Agent)
		w.pass(16 * time.Second) // nobody answers
		third := w.only().Offer
		if third != nil {
			require.NotEqual(t, second.ID, third.ID)
		}
		_, err := w.eng.Accept(w.ctx, w.agent(second.Agent), sangdam.Accept{Offer: second.ID})
		require.ErrorIs(t, err, sangdam.ErrStale, "an expired offer cannot be accepted")
	})
}
