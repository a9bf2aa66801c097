package sangdam_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
)

// says changes the automated texts of the work stream.
func (w *replayWorld) says(texts automated.Texts) {
	w.t.Helper()
	s := w.configuration().WorkStreams["line"]
	s.Messages = texts
	require.NoError(w.t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})))
}

func TestAGreetingThatIsSwitchedOnLaterGreetsOnlyNewConversations(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		mina.SendText("hello")
		w.settle()
		w.says(automated.Texts{automated.Greeting: {"": "Hello!"}})
		mina.SendText("second")
		jun.SendText("hi")
		w.settle()
		require.Empty(t, mina.Texts())
		require.Equal(t, []string{"Hello!"}, jun.Texts())
	}, quiet)
}

// Whoever was welcomed with nothing is welcomed when there is something to say.
func TestAWelcomeThatWasBlankIsSaidTheNextTime(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.says(automated.Texts{automated.Welcome: {"": "  "}})
		mina := w.line.User("Mina")
		mina.Follow()
		w.settle()
		require.Empty(t, mina.Texts())
		w.says(automated.Texts{automated.Welcome: {"": "Thanks for adding us."}})
		mina.Unfollow()
		mina.Follow()
		w.settle()
		require.Equal(t, []string{"Thanks for adding us."}, mina.Texts())
	})
}

func TestUnblockingIsNotWelcomedAgain(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		for _, step := range []func(){func() { mina.Follow() }, func() { mina.Unfollow() }, func() { mina.Follow() }} {
			step()
			w.settle()
		}
		require.Equal(t, []string{"Thanks for adding us."}, mina.Texts())
		require.Empty(t, w.conversations(), "following is no conversation")
		mina.SendText("hello")
		w.settle()
		require.Equal(t, []string{"Thanks for adding us.", "Hello!"}, mina.Texts())
	})
}

// The desk stood still while a customer added the account: the right to reply
// is over, and the welcome arrives all the same.
func TestAWelcomeArrivesThoughItsReplyTokenIsOver(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.halt()
		var err error
		w.eng, err = sangdam.New(w.cfg)
		require.NoError(t, err)
		mina := w.line.User("Mina")
		mina.Follow()
		w.pass(3 * time.Minute)
		w.start()
		w.pass(2 * time.Minute)
		require.Equal(t, []string{"Thanks for adding us."}, mina.Texts())
		require.Equal(t, "push", mina.Received()[0].Route)
	})
}

// The last automated words of a conversation open no other one.
func TestTheClosingWordsOpenNothing(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		w.pass(5 * time.Second)
		d := w.only()
		require.Equal(t, conversation.StateClosed, d.Conversation.State)
		require.Equal(t, []string{"hello", "Hello!", "Goodbye."}, texts(d))
		require.Equal(t, []string{"Hello!", "Goodbye."}, mina.Texts())
	}, withStream(func(s *routing.WorkStream) { s.AutoClose = 4 * time.Second }))
}
