package sangdam_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/routing"
)

// talker is a bot that repeats what it hears, hands over when asked for a
// person, and notes what it read.
type talker struct {
	name string
	mu   sync.Mutex
	read []string
	data []map[string]string
	now  map[conversation.ID]int
	most int // calls for one conversation at once
}

func (b *talker) Name() string { return b.name }

func (b *talker) Next(_ context.Context, t bot.Turn) (bot.Reply, error) {
	text := t.Message.Content.Text
	b.enter(t, 1)
	time.Sleep(20 * time.Millisecond)
	b.enter(t, -1)
	b.mu.Lock()
	b.read, b.data = append(b.read, text), append(b.data, t.Data)
	b.mu.Unlock()
	if strings.Contains(text, "person") {
		return bot.Reply{HandOver: true}, nil
	}
	return bot.Reply{Say: []channel.Content{channel.Text(b.name + ": " + text)}, Data: map[string]string{"last": text}}, nil
}

func (b *talker) enter(t bot.Turn, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now == nil {
		b.now = map[conversation.ID]int{}
	}
	b.now[t.Conversation.ID] += n
	b.most = max(b.most, b.now[t.Conversation.ID])
}

func (b *talker) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.read...)
}

func quietStream(s *routing.WorkStream) { s.OfferFor, s.Messages = time.Hour, nil }

// count says how often a text is among others.
func count(all []string, text string) (n int) {
	for _, s := range all {
		if s == text {
			n++
		}
	}
	return n
}

// A customer who returns meets the bot again, which begins anew: what a person
// handled is not the bot's, and it remembers nothing of before.
func TestAReturningCustomerMeetsTheBotAgain(t *testing.T) {
	alongside(t, everyStore)
	for _, reopen := range []time.Duration{0, time.Hour} {
		t.Run(reopen.String(), func(t *testing.T) {
			var b *talker
			withTalker := func(w *world, s *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
				b = &talker{name: "intake"}
				s.Bot, w.cfg.Bots = "intake", []bot.Bot{b}
			}
			replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				mina := w.line.User("Mina")
				for _, text := range []string{"hi bot", "a person please"} {
					mina.SendText(text)
					w.settle()
				}
				id := w.of(mina).Conversation.ID
				require.Equal(t, conversation.BotHandedOver, w.of(mina).Conversation.BotOutcome)
				w.acceptOf(id)
				mina.SendText("for the agent alone")
				w.settle()
				w.answer("a1", id, "done")
				_, err := w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: id})
				require.NoError(t, err)
				w.settle()
				n := len(mina.Texts())
				mina.SendText("a new question")
				w.settle()
				d := w.of(mina)
				require.Equal(t, reopen > 0, d.Conversation.ID == id)
				require.Equal(t, conversation.ControlBot, d.Conversation.Control)
				require.Empty(t, d.Conversation.BotOutcome)
				require.Equal(t, []string{"hi bot", "a person please", "a new question"}, b.all())
				require.Empty(t, b.data[2], "the memory is empty when a turn begins")
				require.Equal(t, []string{"intake: a new question"}, mina.Texts()[n:])
			}, withTalker, withStream(func(s *routing.WorkStream) { quietStream(s); s.ReopenFor = reopen }))
		})
	}
}

// A hand-over that comes after a person took over changes nothing.
func TestALateHandOverDoesNotTakeTheConversationFromThePerson(t *testing.T) {
	var hold chan struct{}
	b := botFunc(func(ctx context.Context, _ bot.Turn) (bot.Reply, error) {
		select {
		case <-hold:
		case <-ctx.Done():
			return bot.Reply{}, ctx.Err()
		}
		return bot.Reply{HandOver: true, Say: []channel.Content{channel.Text("handing over")}}, nil
	})
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		hold = make(chan struct{})
		w.online("a1", "a2")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		id := w.of(mina).Conversation.ID
		_, err := w.eng.Assign(w.ctx, w.host, sangdam.Assign{Conversation: id, Agent: "a1"})
		require.NoError(t, err)
		close(hold)
		w.beat(time.Minute, "a1", "a2")
		d := w.detail(id)
		require.Equal(t, conversation.StateActive, d.Conversation.State)
		require.Equal(t, routing.AgentID("a1"), d.Conversation.Agent)
		require.Equal(t, conversation.BotTaken, d.Conversation.BotOutcome)
		require.Nil(t, d.Offer)
		require.NotContains(t, mina.Texts(), "handing over")
	}, withBot(b), withStream(quietStream))
}

// Each account meets its own work stream's bot.
func TestEachWorkStreamHasItsOwnBot(t *testing.T) {
	var one, two *talker
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		stream := routing.WorkStream{ID: "line2", Name: "LINE 2", ChannelKind: "line", Mode: routing.Push, Cost: 1, Queue: "q", Bot: "two"}
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})))
		acct := w.acct
		acct.ID, acct.Token, acct.Name, acct.WorkStream, acct.Version = "", "", "Shop 2", "line2", 0
		acct.Secrets = map[string]channel.Secret{"channel_secret": channel.NewSecret(w.line.ChannelSecret()),
			"channel_token": channel.NewSecret(w.line.ChannelToken())}
		second, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.NoError(t, err)
		for i := range 5 {
			for name, token := range map[string]string{"one": w.acct.Token, "two": second.Token} {
				w.line.SetWebhook("https://host.test/webhooks/" + token)
				w.line.User("Mina").SendText(fmt.Sprintf("to %s %d", name, i))
				w.settle()
			}
		}
		require.Equal(t, []string{"to one 0", "to one 1", "to one 2", "to one 3", "to one 4"}, one.all())
		require.Equal(t, []string{"to two 0", "to two 1", "to two 2", "to two 3", "to two 4"}, two.all())
	}, func(w *world, s *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		one, two = &talker{name: "one"}, &talker{name: "two"}
		quietStream(s)
		s.Bot, s.ThreadPerAccount, w.cfg.Bots = "one", true, []bot.Bot{one, two}
	})
}

// Quick messages of several customers, two processes on PostgreSQL: one message
// of a conversation at a time, in order.
func TestABotReadsOneMessageAtATime(t *testing.T) {
	var b *talker
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		if w.real {
			cfg := w.cfg
			cfg.Node = "n2"
			second, err := sangdam.New(cfg)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(w.ctx)
			done := make(chan error, 1)
			go func() { done <- second.Run(ctx) }()
			defer func() { cancel(); require.NoError(t, <-done) }()
		}
		users := []*linetest.User{w.line.User("A"), w.line.User("B"), w.line.User("C")}
		for i := range 8 {
			for _, u := range users {
				u.SendText(fmt.Sprint(u.Name(), i))
			}
		}
		for _, u := range users {
			var want []string
			for i := range 8 {
				want = append(want, fmt.Sprint("intake: ", u.Name(), i))
			}
			w.until("every message is answered", func() bool { return len(u.Texts()) >= len(want) })
			require.Equal(t, want, u.Texts())
		}
		require.Equal(t, 1, b.most, "never two of one conversation at once")
		require.Len(t, b.all(), 24, "and none twice")
	}, func(w *world, s *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		b = &talker{name: "intake"}
		quietStream(s)
		s.Bot, w.cfg.Bots = "intake", []bot.Bot{b}
	})
}

// until waits for a condition, in fake time or real.
func (w *replayWorld) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		require.True(w.t, time.Now().Before(end), "not within a minute: %s", what)
		if w.real {
			time.Sleep(50 * time.Millisecond)
		} else {
			w.world.pass(50 * time.Millisecond)
		}
	}
}

// An answer that went out is not said again because the bot stumbles at what
// comes next; tries are counted for each message.
func TestAnAnswerGivenIsNotRepeatedWhenTheBotFailsNext(t *testing.T) {
	failed := map[string]int{}
	b := botFunc(func(_ context.Context, t bot.Turn) (bot.Reply, error) {
		text := t.Message.Content.Text
		if text != "one" && failed[text] < 2 {
			failed[text]++
			return bot.Reply{}, errors.New("no")
		}
		return bot.Reply{Say: []channel.Content{channel.Text("re: " + text)}}, nil
	})
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		clear(failed)
		mina := w.line.User("Mina")
		for _, text := range []string{"one", "two", "three"} {
			mina.SendText(text)
		}
		w.pass(time.Minute)
		require.Equal(t, []string{"re: one", "re: two", "re: three"}, mina.Texts())
		require.Equal(t, conversation.ControlBot, w.of(mina).Conversation.Control)
	}, withBot(b), withStream(quietStream))
}

// The lease of a bot's job ends under it (the store's clock steps, the process
// stands still): the answer is said once, and what came meanwhile is answered.
func TestABotAnswersOnceThoughItsLeaseEnded(t *testing.T) {
	var mu sync.Mutex
	var release chan struct{}
	calls := 0
	b := botFunc(func(_ context.Context, turn bot.Turn) (bot.Reply, error) {
		mu.Lock()
		calls++
		first := calls == 1
		mu.Unlock()
		if first {
			<-release
		}
		return bot.Reply{Say: []channel.Content{channel.Text("bot: " + turn.Message.Content.Text)}}, nil
	})
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		release, calls = make(chan struct{}), 0
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle() // the bot thinks
		w.jump(31 * time.Second)
		w.pass(3 * time.Second) // the job is taken again and answered
		mina.SendText("and more")
		w.pass(3 * time.Second)
		close(release) // the first worker wakes
		w.pass(30 * time.Second)
		require.Equal(t, []string{"bot: hello", "bot: and more"}, mina.Texts())
	}, withBot(b), withStream(quietStream))
}

// A slow bot has its own limit and is not asked again while it thinks.
func TestASlowBotIsAskedOnce(t *testing.T) {
	calls := 0
	b := botFunc(func(ctx context.Context, turn bot.Turn) (bot.Reply, error) {
		calls++
		select {
		case <-ctx.Done():
			return bot.Reply{}, ctx.Err()
		case <-time.After(55 * time.Second): // more than a lease
			return bot.Reply{Say: []channel.Content{channel.Text("thought it over")}}, nil
		}
	})
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		calls = 0
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.pass(58 * time.Second)
		require.Equal(t, 1, calls)
		require.Equal(t, []string{"thought it over"}, mina.Texts())
		require.Equal(t, conversation.ControlBot, w.of(mina).Conversation.Control)
	}, withBot(b), withStream(quietStream))
}

// A bot that goes on although its time is over is left behind, not called a
// second time beside itself.
func TestABotThatIgnoresItsLimitIsLeftBehind(t *testing.T) {
	var release chan struct{}
	calls := 0
	b := botFunc(func(context.Context, bot.Turn) (bot.Reply, error) {
		calls++
		<-release
		return bot.Reply{Say: []channel.Content{channel.Text("much too late")}}, nil
	})
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		release, calls = make(chan struct{}), 0
		defer close(release)
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.beat(15*time.Second, "a1")
		d := w.of(mina)
		require.Equal(t, conversation.BotFailed, d.Conversation.BotOutcome)
		require.NotNil(t, d.Offer, "a person is asked")
		require.Equal(t, 1, calls)
		require.Empty(t, mina.Texts())
	}, withBot(b), withStream(quietStream), withConfig(func(c *sangdam.Config) { c.BotTimeout = 10 * time.Second }))
}

// A reply that cannot be kept gives the customer to people.
func TestABotWhoseReplyCannotBeKeptHandsOver(t *testing.T) {
	b := botFunc(func(context.Context, bot.Turn) (bot.Reply, error) {
		return bot.Reply{Say: []channel.Content{{Kind: channel.KindRich, Text: "x", Rich: []byte("{not json")}}}, nil
	})
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		w.until("a person is asked", func() bool { return w.of(mina).Offer != nil })
		d := w.of(mina)
		require.Equal(t, conversation.ControlNobody, d.Conversation.Control)
		require.Equal(t, conversation.BotFailed, d.Conversation.BotOutcome)
	}, withBot(b), withStream(quietStream))
}

// What a bot or an automated text said, and nobody may have heard, makes people
// look: the customer is not left in silence with the bot.
func TestAnAnswerThatDidNotArriveBringsAPerson(t *testing.T) {
	alongside(t, everyStore)
	for name, fault := range map[string]linetest.FaultKind{"unknown": linetest.FaultCutBefore, "failed": linetest.Fault403} {
		t.Run(name, func(t *testing.T) {
			var b *talker
			replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				w.line.AddFault(linetest.Fault{Endpoint: "reply", Kind: fault, Nth: 1})
				mina := w.line.User("Mina")
				mina.SendText("hi")
				w.settle()
				w.until("a person is asked, or the customer heard", func() bool { return len(mina.Texts()) > 0 || w.of(mina).Offer != nil })
				d := w.of(mina)
				if len(mina.Texts()) > 0 {
					require.Equal(t, conversation.ControlBot, d.Conversation.Control, "it arrived: the bot goes on")
					return
				}
				require.Equal(t, conversation.BotUnsent, d.Conversation.BotOutcome)
				require.Equal(t, conversation.ControlNobody, d.Conversation.Control)
			}, func(w *world, s *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
				b = &talker{name: "intake"}
				quietStream(s)
				s.Bot, w.cfg.Bots = "intake", []bot.Bot{b}
			})
		})
	}
}

// A bot that is taken off the work stream goes on with those whom it has.
func TestABotTakenOffTheWorkStreamLeavesNobodyAlone(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hi")
		w.settle()
		cfg, err := w.eng.Configuration(w.ctx, w.host)
		require.NoError(t, err)
		s := cfg.WorkStreams["line"]
		s.Bot = ""
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})))
		mina.SendText("still you?")
		w.settle()
		require.Equal(t, []string{"intake: hi", "intake: still you?"}, mina.Texts())
		require.Equal(t, conversation.ControlBot, w.of(mina).Conversation.Control)
	}, withBot(&talker{name: "intake"}), withStream(quietStream))
}

// What a bot's error says may be the customer's words: it is never logged.
func TestABotsErrorIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	b := botFunc(func(_ context.Context, turn bot.Turn) (bot.Reply, error) {
		return bot.Reply{}, fmt.Errorf("cannot make sense of %q", turn.Message.Content.Text)
	})
	inWorld(t, func(w *world) {
		w.line.User("Mina").SendText("my number is 900101")
		w.pass(time.Minute)
		require.NotEmpty(t, log.String())
		require.NotContains(t, log.String(), "900101")
	}, withBot(b), withConfig(func(c *sangdam.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }))
}
