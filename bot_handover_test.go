package sangdam_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/routing"
)

// The script of a bot starts anew with a new turn: a greeting is not the order
// number that it asked for the last time.
func TestAReopenedConversationStartsTheScriptAnew(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		for _, text := range []string{"hello", "A-17"} {
			mina.SendText(text)
			w.settle()
		}
		id := w.of(mina).Conversation.ID
		w.acceptOf(id)
		w.answer("a1", id, "done")
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: id})))
		w.settle()
		before := len(mina.Texts())
		mina.SendText("hello again")
		w.settle()
		d := w.of(mina)
		require.Equal(t, id, d.Conversation.ID)
		require.NotEqual(t, "hello again", d.Conversation.Attributes["order"])
		require.Contains(t, mina.Texts()[before:], "Your order number?")
	}, withBot(intake), withStream(func(s *routing.WorkStream) { s.OfferFor, s.ReopenFor = time.Hour, time.Hour }))
}

// echoing repeats what it hears and hands over when asked for a person.
func echoing(calls *atomic.Int64) botFunc {
	return func(_ context.Context, t bot.Turn) (bot.Reply, error) {
		calls.Add(1)
		if t.Message.Content.Text == "a person please" {
			return bot.Reply{HandOver: true, Say: []channel.Content{channel.Text("A person will help.")}}, nil
		}
		return bot.Reply{Say: []channel.Content{channel.Text("re: " + t.Message.Content.Text)}}, nil
	}
}

// A conversation that was handed to a queue over the bot's head is the queue's,
// while somebody is asked and between two offers alike.
func TestABotIsOutOnceAQueueHasTheConversation(t *testing.T) {
	for name, offer := range map[string]time.Duration{"while an agent is asked": time.Hour, "between two offers": 0} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
				calls.Store(0)
				w.online("a1", "a2")
				mina := w.line.User("Mina")
				mina.SendText("hi")
				w.settle()
				id := w.of(mina).Conversation.ID
				require.NoError(t, errOf(w.eng.Transfer(w.ctx, w.host, sangdam.Transfer{Conversation: id, Queue: "q"})))
				w.settle()
				require.NotNil(t, w.detail(id).Offer)
				mina.SendText("a person please")
				w.beat(time.Minute, "a1", "a2")
				require.NotEqual(t, conversation.ControlBot, w.detail(id).Conversation.Control)
				require.LessOrEqual(t, calls.Load(), int64(2))
			}, withBot(echoing(&calls)), withStream(func(s *routing.WorkStream) { s.OfferFor, s.Messages = offer, nil }))
		})
	}
}

// A notice of the host takes the word from the bot; the customer goes on with
// people, never with nobody.
func TestANoticeOfTheHostLeavesTheCustomerWithPeople(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		id := w.of(mina).Conversation.ID
		require.NoError(t, errOf(w.eng.Answer(w.ctx, w.host,
			sangdam.Answer{Conversation: id, Content: channel.Text("Your parcel has left.")})))
		w.settle()
		mina.SendText("is anybody there?")
		w.settle()
		d := w.detail(id)
		require.NotEqual(t, conversation.ControlBot, d.Conversation.Control)
		require.NotNil(t, d.Item, "it waits in a queue")
		require.NotNil(t, d.Offer, "and who is online is asked")
	}, withBot(intake), longOffers)
}

// Three tries are a bot's, whichever way they end: it fails, or the process
// dies over it. Then a person is asked.
func TestDeadProcessesAndFailuresOfABotAreCountedTogether(t *testing.T) {
	for dead, heard := range map[int]bool{1: true, 3: false} {
		t.Run(fmt.Sprint(dead, " dead processes"), func(t *testing.T) {
			var hold chan struct{}
			var fails atomic.Int64
			b := botFunc(func(ctx context.Context, _ bot.Turn) (bot.Reply, error) {
				select {
				case <-hold:
				case <-ctx.Done():
					return bot.Reply{}, ctx.Err()
				}
				if fails.Add(-1) >= 0 {
					return bot.Reply{}, fmt.Errorf("once")
				}
				return bot.Reply{Say: []channel.Content{channel.Text("I am well")}}, nil
			})
			replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
				hold = make(chan struct{})
				fails.Store(1)
				mina := w.line.User("Mina")
				mina.SendText("hi")
				w.settle()
				w.halt() // the first process ends while the bot thinks
				for range dead - 1 {
					w.pass(40 * time.Second)
					w.dieOver("bot")
				}
				w.pass(40 * time.Second)
				close(hold)
				var err error
				w.eng, err = sangdam.New(w.cfg)
				require.NoError(t, err)
				w.start()
				w.pass(time.Minute)
				if heard {
					require.Contains(t, mina.Texts(), "I am well")
					return
				}
				require.Equal(t, conversation.ControlNobody, w.of(mina).Conversation.Control, "people have the customer")
				require.NotNil(t, w.of(mina).Item)
			}, withBot(b), quiet)
		})
	}
}

// dieOver is another process that claims what is due of a kind and ends.
func (w *replayWorld) dieOver(kind string) {
	w.t.Helper()
	jobs, err := w.db.System().ClaimJobs(w.ctx, "dying", map[string]int{kind: 1}, time.Second)
	require.NoError(w.t, err)
	require.Len(w.t, jobs, 1)
}
