package sangdam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// A notice of the host reaches the customer and changes nothing, whoever has the
// word.
func TestANoticeLeavesTheConversationAsItIs(t *testing.T) {
	alongside(t, everyStore)
	notify := func(w *replayWorld, id conversation.ID, text string) {
		w.t.Helper()
		require.NoError(w.t, errOf(w.eng.Notify(w.ctx, w.host, sangdam.Notify{Conversation: id, Content: channel.Text(text)})))
		w.settle()
	}
	t.Run("a bot", func(t *testing.T) {
		replay(t, everyStore, func(t *testing.T, w *replayWorld) {
			mina := w.line.User("Mina")
			mina.SendText("hello")
			w.settle()
			before := w.of(mina)
			require.Equal(t, conversation.ControlBot, before.Conversation.Control)
			notify(w, before.Conversation.ID, "Your parcel has left.")
			after := w.of(mina).Conversation
			require.Equal(t, conversation.ControlBot, after.Control)
			require.Equal(t, before.Conversation.Fence, after.Fence)
			require.Contains(t, mina.Texts(), "Your parcel has left.")
		}, withBot(intake), longOffers)
	})
	t.Run("an agent, then nobody", func(t *testing.T) {
		replay(t, everyStore, func(t *testing.T, w *replayWorld) {
			w.online("a1")
			mina := w.line.User("Mina")
			owned := w.begun(mina, "hello")
			reply := w.detail(owned.Conversation).Conversation.Reply
			notify(w, owned.Conversation, "Your parcel has left.")
			c := w.detail(owned.Conversation).Conversation
			require.Equal(t, reply, c.Reply, "the right to reply is the answer's")
			require.EqualValues(t, "a1", c.Agent)
			require.Equal(t, 1, c.Unread, "the notice is no answer")
			require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned.Conversation, Final: true})))
			w.settle()
			notify(w, owned.Conversation, "It is there.")
			c = w.detail(owned.Conversation).Conversation
			require.Equal(t, conversation.StateClosed, c.State)
			require.Contains(t, mina.Texts(), "It is there.")
			require.ErrorIs(t, errOf(w.eng.Notify(w.ctx, w.agent("a1"), sangdam.Notify{Conversation: owned.Conversation,
				Content: channel.Text("x")})), sangdam.ErrPermissionDenied)
		}, quiet, longOffers)
	})
}

// An agent writes first and has the conversation; a host's waits for the answer.
func TestADeskBeginsAConversation(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1", "a2")
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		begin := func(p sangdam.Principal, user string, text string) (sangdam.Posted, error) {
			out, err := w.eng.Begin(w.ctx, p,
				sangdam.Begin{Account: w.acct.ID, User: channel.ProviderUserID(user), Content: channel.Text(text)})
			w.settle()
			return out, err
		}
		first, err := begin(w.agent("a1"), mina.ID(), "Your order is ready.")
		require.NoError(t, err)
		require.Equal(t, []string{"Your order is ready."}, mina.Texts())
		c := w.detail(first.Conversation).Conversation
		require.EqualValues(t, "a1", c.Agent)
		require.Equal(t, conversation.StateActive, c.State)
		mina.SendText("thank you")
		w.settle()
		require.Equal(t, first.Conversation, w.of(mina).Conversation.ID, "the answer joins it")
		again, err := begin(w.agent("a1"), mina.ID(), "You are welcome.")
		require.NoError(t, err)
		require.Equal(t, first.Conversation, again.Conversation, "the open one is joined")
		_, err = begin(w.agent("a2"), mina.ID(), "Me too.")
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied, "it is somebody else's")

		second, err := begin(w.host, jun.ID(), "We are moving.")
		require.NoError(t, err)
		d := w.detail(second.Conversation)
		require.Equal(t, conversation.StateWaiting, d.Conversation.State)
		require.Nil(t, d.Offer, "nobody is asked before the customer answers")
		jun.SendText("where to?")
		w.settle()
		require.NotNil(t, w.of(jun).Offer)
		require.Equal(t, second.Conversation, w.of(jun).Conversation.ID)
	}, quiet, longOffers)
}

func TestBeginningThatCannotBe(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.Follow()
		mina.Unfollow()
		w.settle()
		w.newAgent("stranger")
		begin := func(p sangdam.Principal, c sangdam.Begin) error { return errOf(w.eng.Begin(w.ctx, p, c)) }
		text := channel.Text("hello")
		user := channel.ProviderUserID(w.line.User("Jun").ID())
		require.ErrorContains(t, begin(w.host, sangdam.Begin{Account: w.acct.ID, User: channel.ProviderUserID(mina.ID()), Content: text}),
			"blocked")
		require.ErrorIs(t, begin(w.host, sangdam.Begin{Account: w.acct.ID, Content: text}), sangdam.ErrInvalid)
		require.ErrorIs(t, begin(w.host, sangdam.Begin{Account: w.acct.ID, User: channel.ProviderUserID(strings.Repeat("u", 201)),
			Content: text}),
			sangdam.ErrInvalid)
		require.ErrorIs(t, begin(w.host, sangdam.Begin{Account: "none", User: user, Content: text}), sangdam.ErrNotFound)
		require.ErrorIs(t, begin(w.host, sangdam.Begin{Account: w.acct.ID, User: user, Content: channel.Text(" ")}), sangdam.ErrInvalid)
		require.ErrorIs(t, begin(w.agent("stranger"), sangdam.Begin{Account: w.acct.ID, User: user, Content: text}), sangdam.ErrNotFound,
			"not on the desk")
		require.NoError(t, w.eng.SetPresence(w.ctx, w.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: routing.Offline}))
		require.ErrorIs(t, begin(w.agent("a1"), sangdam.Begin{Account: w.acct.ID, User: user, Content: text}),
			sangdam.ErrInvalid, "offline")
		w.pass(time.Second)
		require.Empty(t, w.line.User("Jun").Texts(), "and nothing is half done")
	}, quiet, longOffers)
}
