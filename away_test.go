package sangdam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/trigger/condition"
)

// mornings is open from midnight to nine; a bubble begins at midnight.
func mornings() *hours.Calendar {
	return &hours.Calendar{Zone: "UTC", Week: hours.Every([]hours.Interval{{From: 0, To: hours.At(9, 0)}}, 0, 1, 2, 3, 4, 5, 6)}
}

func withMornings() worldOption { return withDesk(func(d *routing.Desk) { d.Hours = mornings() }) }

func TestNobodyIsToldThatWeAreAwayInTheMiddleOfATalk(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.jump(8*time.Hour + 55*time.Minute)
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		w.answer("a1", owned.Conversation, "I am looking into it")
		w.jump(6 * time.Minute) // closed since a minute
		require.NoError(t, w.eng.Heartbeat(w.ctx, ws, "a1"))
		mina.SendText("thank you")
		w.settle()
		require.NotContains(t, mina.Texts(), "We are away.", "an agent answered six minutes ago")
		w.answer("a1", owned.Conversation, "nearly there")
		w.jump(3 * time.Hour)
		mina.SendText("and now?")
		w.settle()
		require.NotContains(t, mina.Texts(), "We are away.", "an agent answered since the desk closed")
	}, withMornings(), longOffers)
}

func TestWhoABotAnswersIsNotToldThatWeAreAway(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.jump(12 * time.Hour)
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		require.NotContains(t, mina.Texts(), "We are away.")
		mina.SendText("A-1")
		w.settle()
		require.Contains(t, mina.Texts(), "We are away.", "the bot handed over: people would be asked")
	}, withMornings(), withBot(intake))
}

func TestACustomerIsToldOnceInAStretchOfClosedTime(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		if !w.real {
			w.jump(12 * time.Hour)
		}
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned.Conversation, Final: true})))
		mina.SendText("again")
		w.settle()
		require.Equal(t, 1, strings.Count(strings.Join(mina.Texts(), "|"), "We are away."), "in two conversations")
		if w.real {
			return
		}
		w.jump(24 * time.Hour)
		mina.SendText("the next evening")
		w.settle()
		require.Equal(t, 2, strings.Count(strings.Join(mina.Texts(), "|"), "We are away."))
	}, withDesk(func(d *routing.Desk) {
		d.Hours = &hours.Calendar{Zone: "UTC", Week: hours.Every([]hours.Interval{{From: 0, To: hours.At(0, 1)}}, time.Sunday, time.Monday,
			time.Tuesday,
			time.Wednesday, time.Thursday, time.Friday, time.Saturday)}
	}), withQueue(func(q *routing.Queue) { q.OutsideHours = true }), longOffers)
}

func TestTheHoursOfTheQueueThatServesCount(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		billing := routing.Queue{ID: "billing", Name: "Billing", Members: []routing.AgentID{"a1"}, Hours: mornings()}
		require.NoError(t, errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: billing})))
		s := w.configuration().WorkStreams["line"]
		s.Rules = []routing.Rule{{Name: "billing", Queue: "billing",
			When: condition.Condition{All: []condition.Clause{{Field: "message", Op: condition.Contains, Value: "invoice"}}}}}
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})))
		w.jump(12 * time.Hour) // billing is closed, everything else is open
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		mina.SendText("where is my invoice?")
		jun.SendText("hello")
		w.settle()
		require.Contains(t, mina.Texts(), "We are away.")
		require.NotContains(t, jun.Texts(), "We are away.")
	}, longOffers)
}

// A conversation that was transferred is served in the hours of the desk that it
// went to, and its customer is told by these, not by those of the account's desk.
func TestTheHoursOfTheDeskThatServesCount(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		twoDesks(w, routing.Queue{Desk: "service"}) // without hours: always open
		w.jump(8 * time.Hour)
		w.online("a1", "a3")
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		moved := w.begun(mina, "hello")
		_, err := w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: moved.Conversation, Desk: "service"})
		require.NoError(t, err)
		w.settle()
		w.jump(4 * time.Hour) // the account's desk is closed
		mina.SendText("is anybody there?")
		jun.SendText("hello")
		w.settle()
		require.NotContains(t, mina.Texts(), "We are away.", "the desk that serves is open")
		require.Contains(t, jun.Texts(), "We are away.")
	}, withMornings(), longOffers)
}

func TestATextOfBlanksIsNone(t *testing.T) {
	for _, name := range []string{automated.Greeting, automated.Away, automated.Welcome, automated.Ended} {
		t.Run(name, func(t *testing.T) {
			replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
				w.jump(12 * time.Hour)
				w.online("a1")
				mina := w.line.User("Mina")
				mina.Follow()
				owned := w.begun(mina, "hello")
				require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned.Conversation, Final: true})))
				w.settle()
				require.Empty(t, mina.Texts())
				for _, m := range w.detail(owned.Conversation).Messages {
					require.Equal(t, conversation.Inbound, m.Direction)
				}
			}, withMornings(), withQueue(func(q *routing.Queue) { q.OutsideHours = true }), withStream(func(s *routing.WorkStream) {
				s.OfferFor, s.Messages = time.Hour, automated.Texts{name: {"": " \n\u3000"}}
			}))
		})
	}
}

func TestATextThatTheChannelCannotCarryIsRefusedWhenItIsSaved(t *testing.T) {
	inWorld(t, func(w *world) {
		long := strings.Repeat("x", 20_001)
		s := w.configuration().WorkStreams["line"]
		s.Messages = automated.Texts{automated.Greeting: {"ko": long}}
		require.ErrorIs(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})), sangdam.ErrInvalid)
		d := w.configuration().Desks["support"]
		d.Messages = automated.Texts{automated.Ended: {"": long}}
		require.ErrorIs(t, errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Desk: d})), sangdam.ErrInvalid)
		a := w.acct
		a.Messages = automated.Texts{automated.Greeting: {"": long}}
		a.Secrets = map[string]channel.Secret{}
		_, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: a})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "greeting")
	})
}

func TestAnAgentsAnswerInTheNightBringsNoAwayMessage(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.jump(time.Hour)
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		w.jump(12 * time.Hour)
		w.answer("a1", owned.Conversation, "an answer in the night")
		require.Equal(t, []string{"Hello!", "an answer in the night"}, mina.Texts())
	}, withMornings(), longOffers)
}

// Open until 24:00 every day has no minute in which anybody is away.
func TestNobodyIsAwayAroundMidnightWhenOpenAllDay(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.jump(23*time.Hour + 59*time.Minute + 25*time.Second)
		mina := w.line.User("Mina")
		mina.SendText("late")
		w.settle()
		w.pass(40 * time.Second)
		mina.SendText("early")
		w.settle()
		require.Equal(t, []string{"Hello!"}, mina.Texts())
	}, withDesk(func(d *routing.Desk) {
		d.Hours = &hours.Calendar{Zone: "UTC", Week: hours.Every([]hours.Interval{{From: 0, To: hours.At(24, 0)}}, 0, 1, 2, 3, 4, 5, 6)}
	}))
}
