package sangdam_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

func TestNothingIsSentAgainInAnEndedConversation(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		w.beat(2*time.Minute, "a1") // the right to reply is over
		w.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.Fault403, Nth: 1})
		posted, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("lost")})
		require.NoError(t, err)
		w.settle()
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned.Conversation})))
		w.settle()
		require.Error(t, errOf(w.eng.Resend(w.ctx, w.agent("a1"), sangdam.Resend{Message: posted.Message})))
		require.ErrorIs(t, errOf(w.eng.Resend(w.ctx, w.host, sangdam.Resend{Message: posted.Message})), sangdam.ErrInvalid)
		require.Equal(t, conversation.StateClosed, w.detail(owned.Conversation).Conversation.State)
	}, quiet)
}

func TestAMessageAfterTheEndFindsSomebody(t *testing.T) {
	alongside(t, everyStore)
	for _, reopen := range []time.Duration{0, time.Hour} {
		t.Run(reopen.String(), func(t *testing.T) {
			replay(t, everyStore, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				mina := w.line.User("Mina")
				owned := w.begun(mina, "hello")
				require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned.Conversation})))
				mina.SendText("one more thing")
				w.settle()
				d := w.of(mina)
				require.Equal(t, reopen > 0, d.Conversation.ID == owned.Conversation)
				require.NotNil(t, d.Offer)
				require.Contains(t, texts(d), "one more thing")
			}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.ReopenFor = time.Hour, reopen }))
		})
	}
}

// A message that crosses the end is in the ended conversation or in a new one
// that waits for somebody: it is never lost.
func TestAMessageAtTheMomentOfTheEndIsSeen(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		for i := range 5 {
			u := w.line.User(fmt.Sprint("Customer ", i))
			id := w.begun(u, "hello").Conversation
			ended := make(chan error, 1)
			go func() {
				ended <- errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: id, Final: true}))
			}()
			u.SendText("wait, one more thing")
			require.NoError(t, <-ended)
			w.settle()
			seen := false
			for _, c := range w.conversations() {
				d := w.detail(c.ID)
				if c.Chat.ID != u.ID() || !slices.Contains(texts(d), "wait, one more thing") {
					continue
				}
				seen = true
				if c.State != conversation.StateClosed {
					require.NotNil(t, d.Item)
					require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: c.ID, Final: true})))
				}
			}
			require.True(t, seen)
		}
	}, longOffers)
}

// Customers of an account that is switched off or deleted while they wait can
// neither be answered nor are they stuck: their conversations can be ended.
func TestWhoWaitsWhenAnAccountIsSwitchedOffCanBeEnded(t *testing.T) {
	for _, how := range []string{"disabled", "deleted"} {
		t.Run(how, func(t *testing.T) {
			replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
				mina := w.line.User("Mina")
				mina.SendText("hello")
				w.settle()
				id := w.of(mina).Conversation.ID
				if how == "deleted" {
					require.NoError(t, w.eng.DeleteAccount(w.ctx, w.host,
						sangdam.DeleteAccount{Account: w.acct.ID, Version: w.acct.Version}))
				} else {
					off := w.acct
					off.Disabled = true
					require.NoError(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: off})))
				}
				w.online("a1")
				if d := w.detail(id); d.Offer != nil {
					w.acceptOf(id)
					require.Error(t, errOf(w.eng.Answer(w.ctx, w.agent("a1"),
						sangdam.Answer{Conversation: id, Content: channel.Text("hi")})))
				}
				require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: id, Final: true})))
				require.Equal(t, conversation.StateClosed, w.detail(id).Conversation.State)
			}, longOffers)
		})
	}
}
