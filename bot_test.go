package sangdam_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/trigger/condition"
)

// botFunc is a bot named intake.
type botFunc func(ctx context.Context, t bot.Turn) (bot.Reply, error)

func (botFunc) Name() string                                              { return "intake" }
func (f botFunc) Next(ctx context.Context, t bot.Turn) (bot.Reply, error) { return f(ctx, t) }

// withBot lets the bot speak first.
func withBot(b bot.Bot) worldOption {
	return func(w *world, s *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		s.Bot = b.Name()
		w.cfg.Bots = []bot.Bot{b}
	}
}

func TestTheScriptedBotGreetsAsksAndHandsOver(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		d := w.only()
		require.Equal(t, conversation.ControlBot, d.Conversation.Control)
		require.Nil(t, d.Offer, "no agent is asked while the bot speaks")
		require.Equal(t, []string{"Hello!", "I am a bot.", "Your order number?"}, mina.Texts())
		mina.SendText("A-17")
		w.settle()
		d = w.only()
		require.Equal(t, conversation.ControlNobody, d.Conversation.Control)
		require.Equal(t, "A-17", d.Conversation.Attributes["order"])
		require.NotNil(t, d.Offer)
		require.Equal(t, "A person will help.", mina.Texts()[3])
		for _, m := range d.Messages[2:4] {
			require.Equal(t, conversation.Author{Kind: conversation.ByBot, Name: "intake"}, m.Author)
		}
		w.accept()
		w.invariants()
	}, withBot(intake))
}

// What the bot learnt decides the queue.
func TestTheBotsAnswersClassify(t *testing.T) {
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		mina.SendText("A-17")
		w.settle()
		require.Contains(t, w.only().Item.Skills, routing.Skill{Name: "orders", Level: 1})
	}, withBot(intake), withStream(func(s *routing.WorkStream) {
		s.Rules = []routing.Rule{{Name: "orders", Skills: []routing.Skill{{Name: "orders", Level: 1}},
			When: condition.Condition{All: []condition.Clause{{Field: "bot.answers", Op: condition.Contains, Value: "A-17"}}}}}
	}))
}

// The fence: an answer that comes after a person stepped in is not sent.
func TestALateBotAnswerIsRefused(t *testing.T) {
	var answer chan struct{}
	slow := botFunc(func(ctx context.Context, t bot.Turn) (bot.Reply, error) {
		select {
		case <-answer:
		case <-ctx.Done():
			return bot.Reply{}, ctx.Err()
		}
		return bot.Reply{Say: []channel.Content{channel.Text("too late")}, HandOver: true, Attributes: map[string]string{"x": "y"}}, nil
	})
	inWorld(t, func(w *world) {
		answer = make(chan struct{})
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		id := w.only().Conversation.ID
		_, err := w.eng.Pick(w.ctx, w.agent("a1"), sangdam.Pick{Conversation: id})
		require.NoError(t, err)
		w.settle()
		close(answer)
		w.settle()
		d := w.only()
		require.Equal(t, conversation.StateActive, d.Conversation.State)
		require.Equal(t, routing.AgentID("a1"), d.Conversation.Agent)
		require.Equal(t, []string{"hello", "Hello!"}, texts(d))
		require.Empty(t, d.Conversation.Attributes)
		mina.SendText("and now?")
		w.settle()
		require.Equal(t, []string{"Hello!"}, mina.Texts(), "the bot is out")
		w.invariants()
	}, withBot(slow))
}

// An agent's answer takes the word from the bot too.
func TestAnAnswerByTheHostTakesTheWordFromTheBot(t *testing.T) {
	inWorld(t, func(w *world) {
		w.line.User("Mina").SendText("hello")
		w.settle()
		id := w.only().Conversation.ID
		_, err := w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: id, Content: channel.Text("a person")})
		require.NoError(t, err)
		require.Equal(t, conversation.ControlHost, w.only().Conversation.Control)
		w.settle()
		state := observe(t, w.db, w.line, "")
		var v violations
		state.nothingIsStuck(&v)
		require.Empty(t, v)
	}, withBot(intake))
}

func TestABotThatFailsHandsOver(t *testing.T) {
	for name, fail := range map[string]botFunc{
		"error": func(context.Context, bot.Turn) (bot.Reply, error) { return bot.Reply{}, errors.New("no") },
		"panic": func(context.Context, bot.Turn) (bot.Reply, error) { panic("no") },
		"hangs": func(ctx context.Context, _ bot.Turn) (bot.Reply, error) { <-ctx.Done(); return bot.Reply{}, ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			inWorld(t, func(w *world) {
				w.line.User("Mina").SendText("hello")
				w.pass(5 * time.Minute)
				d := w.only()
				require.Equal(t, conversation.ControlNobody, d.Conversation.Control)
				require.Equal(t, routing.ItemQueued, d.Item.State)
				require.Equal(t, 3, tries)
				w.invariants()
			}, withBot(botFunc(func(ctx context.Context, t bot.Turn) (bot.Reply, error) {
				tries++
				return fail(ctx, t)
			})))
		})
	}
}

// A bot that stumbles once is asked again, with the same turn.
func TestABotThatFailsOnceGoesOn(t *testing.T) {
	tries := 0
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.pass(5 * time.Second)
		require.Equal(t, []string{"Hello!", "I am a bot.", "Your order number?"}, mina.Texts())
		require.Equal(t, 2, tries)
		w.invariants()
	}, withBot(botFunc(func(ctx context.Context, t bot.Turn) (bot.Reply, error) {
		if tries++; tries == 1 {
			panic("once")
		}
		return intake.Next(ctx, t)
	})))
}

// Two quick messages reach the bot one after the other, in order.
func TestQuickMessagesReachTheBotInOrder(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	atOnce, most := 0, 0
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		for _, text := range []string{"one", "two", "three"} {
			mina.SendText(text)
		}
		w.pass(10 * time.Second)
		mina.SendText("four")
		w.pass(10 * time.Second)
		require.Equal(t, []string{"one", "two", "three", "four"}, heard)
		require.Equal(t, 1, most, "never two at once")
		require.Equal(t, []string{"Hello!", "re: one", "re: two", "re: three", "re: four"}, mina.Texts())
		w.invariants()
	}, withBot(botFunc(func(_ context.Context, t bot.Turn) (bot.Reply, error) {
		mu.Lock()
		atOnce++
		most = max(most, atOnce)
		heard = append(heard, t.Message.Content.Text)
		mu.Unlock()
		time.Sleep(time.Second)
		mu.Lock()
		atOnce--
		mu.Unlock()
		return bot.Reply{Say: []channel.Content{channel.Text("re: " + t.Message.Content.Text)}}, nil
	})))
}

// A bot that is no longer registered must not keep conversations.
func TestTheConversationsOfABotThatIsGoneGoToPeople(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		require.Equal(t, conversation.ControlBot, w.only().Conversation.Control)
		w.cfg.Bots = nil
		w.restart()
		mina.SendText("A-17")
		w.settle()
		d := w.only()
		require.Equal(t, conversation.ControlNobody, d.Conversation.Control)
		require.NotNil(t, d.Offer)
		w.line.User("Jun").SendText("hi") // and new ones never meet it
		w.settle()
		require.Len(t, slices.DeleteFunc(w.conversations(),
			func(c conversation.Conversation) bool { return c.Control == conversation.ControlBot }), 2)
		w.invariants()
	}, withBot(intake))
}

func TestABotCanEndTheConversation(t *testing.T) {
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		d := w.only()
		require.Equal(t, conversation.StateClosed, d.Conversation.State)
		require.Equal(t, "bot:intake", d.Conversation.EndedBy)
		require.Equal(t, []string{"Hello!", "all done", "Goodbye."}, mina.Texts())
		w.invariants()
	}, withBot(botFunc(func(context.Context, bot.Turn) (bot.Reply, error) {
		return bot.Reply{Say: []channel.Content{channel.Text("all done")}, End: true}, nil
	})))
}
