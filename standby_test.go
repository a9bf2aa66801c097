package sangdam_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/routing"
)

// TestTheProvidersBotHasTheWord: while another module at the provider speaks,
// what the customer writes is kept and shown, nobody is asked, and nothing leaves
// by whatever way. When the provider gives the word back the next message begins
// as a new one would.
func TestTheProvidersBotHasTheWord(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SetStandby(true)
		mina.SendText("to the other bot")
		w.settle()
		d := w.only()
		require.Equal(t, []string{"to the other bot"}, texts(d))
		require.Equal(t, conversation.ControlProvider, d.Conversation.Control)
		require.Equal(t, conversation.StateOpen, d.Conversation.State)
		require.Nil(t, d.Offer, "nobody is asked")
		require.Empty(t, mina.Texts(), "no greeting")

		id := d.Conversation.ID
		for name, try := range map[string]func() error{
			"answer": func() error {
				return errOf(w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: id, Content: channel.Text("hello?")}))
			},
			"notify": func() error {
				return errOf(w.eng.Notify(w.ctx, w.host, sangdam.Notify{Conversation: id, Content: channel.Text("hello?")}))
			},
			"begin": func() error {
				return errOf(w.eng.Begin(w.ctx, w.host, sangdam.Begin{Account: w.acct.ID, User: channel.ProviderUserID(mina.ChatID()),
					Content: channel.Text("hello?")}))
			},
		} {
			err := try()
			require.ErrorIs(t, err, sangdam.ErrUnsupported, name)
			require.ErrorContains(t, err, "provider's own bot", name)
		}
		require.Empty(t, mina.Texts())

		mina.SetStandby(false)
		mina.SendText("a person, please")
		w.settle()
		require.Equal(t, conversation.ControlNobody, w.only().Conversation.Control)
		owned := w.acceptOf(id)
		w.answer("a1", owned.Conversation, "here I am")
		w.settle()
		require.Equal(t, []string{"here I am"}, mina.Texts())

		mina.SetStandby(true) // in the middle of the talk
		mina.SendText("the bot again")
		w.settle()
		c := w.only().Conversation
		require.Equal(t, conversation.ControlProvider, c.Control)
		require.EqualValues(t, "a1", c.Agent, "it stays the agent's")
		require.Greater(t, c.Fence, d.Conversation.Fence)
		err := errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: id, Content: channel.Text("hello?")}))
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
		mina.SetStandby(false)
		mina.SendText("you again")
		w.settle()
		require.Equal(t, conversation.ControlAgent, w.only().Conversation.Control)
		w.answer("a1", id, "yes")
		mina.SetStandby(true)
		mina.SendText("bye")
		w.settle()
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: id, Final: true})))
		w.settle()
		require.Equal(t, []string{"here I am", "yes"}, mina.Texts(), "no goodbye either")
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

// TestABotWaitsForTheProvidersBot: our bot loses the word to the provider's, what
// it was about to say is refused, and it is asked anew when the word comes back.
func TestABotWaitsForTheProvidersBot(t *testing.T) {
	b := botFunc(func(_ context.Context, turn bot.Turn) (bot.Reply, error) {
		time.Sleep(2 * time.Second) // it thinks
		return bot.Reply{Say: []channel.Content{channel.Text("bot: " + turn.Message.Content.Text)}}, nil
	})
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		mina.SendText("one")
		w.settle()
		mina.SetStandby(true)
		mina.SendText("two")
		w.settle()
		w.pass(5 * time.Second)
		require.Equal(t, []string{"Hello!"}, mina.Texts(), "the answer came too late")
		mina.SetStandby(false)
		mina.SendText("three")
		w.pass(5 * time.Second)
		require.Equal(t, []string{"Hello!", "bot: three"}, mina.Texts())
	}, withBot(b))
}

// TestALateWordOfTheProviderIsIgnored: control follows the events' own times.
func TestALateWordOfTheProviderIsIgnored(t *testing.T) {
	d := draft.Open(conversation.Conversation{ID: "c", Thread: "t"}, "", "customer", time.Now())
	at := time.Now()
	d.GiveToProvider(at)
	require.False(t, d.TakeFromProvider(at.Add(-time.Second)))
	require.Equal(t, conversation.ControlProvider, d.C.Control)
	require.True(t, d.TakeFromProvider(at.Add(time.Second)))
	d.GiveToProvider(at)
	require.Equal(t, conversation.ControlNobody, d.C.Control)
	d.TakeByHost("host:shop")
	require.Equal(t, conversation.ControlHost, d.C.Control)
	fence := d.C.Fence
	d.GiveToProvider(at.Add(time.Minute))
	require.Greater(t, d.C.Fence, fence)
	require.NoError(t, d.Assigned("a1", "system"))
	require.Equal(t, conversation.ControlProvider, d.C.Control, "only the provider gives it back")
	require.NoError(t, d.Close("system", ""))
	require.Equal(t, conversation.ControlNobody, d.C.Control)
}
