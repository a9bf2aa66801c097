package sangdam_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// quiet is a stream without automated messages and with patient offers.
var quiet = withStream(func(s *routing.WorkStream) { s.OfferFor, s.Messages = time.Hour, nil })

// A reply whose first try had no answer is repeated with the same bytes; that
// the token is used then means that the first try arrived. It is never planned
// anew as a push, which would say it twice.
func TestAReplyWithoutAnAnswerIsRepeatedAndNeverPushed(t *testing.T) {
	alongside(t, everyStore)
	for name, c := range map[string]struct {
		fault       linetest.FaultKind
		again       bool // the emulator answers a repeat as the first time
		unconfirmed bool
	}{
		"accepted, no answer":              {fault: linetest.FaultCutAfter, unconfirmed: true},
		"accepted, 500":                    {fault: linetest.Fault500After, unconfirmed: true},
		"accepted, the repeat is answered": {fault: linetest.FaultCutAfter, again: true},
		"not accepted, no answer":          {fault: linetest.FaultCutBefore},
		"not accepted, 500":                {fault: linetest.Fault500Before},
	} {
		t.Run(name, func(t *testing.T) {
			stores := []string{onMemory, onSQLite}
			if c.unconfirmed {
				stores = append(stores, onPG)
			}
			replay(t, stores, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				mina := w.line.User("Mina")
				owned := w.begun(mina, "hello")
				w.line.AddFault(linetest.Fault{Endpoint: "reply", Kind: c.fault, Nth: 1})
				posted, err := w.eng.Answer(w.ctx, w.agent("a1"),
					sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("once")})
				require.NoError(t, err)
				w.settle()
				m := w.message(owned.Conversation, posted.Message)
				require.Equal(t, conversation.StatusSent, m.Status)
				require.Equal(t, c.unconfirmed, m.Unconfirmed)
				require.Equal(t, []string{"once"}, mina.Texts())
				require.Len(t, w.line.Calls("reply"), 2)
				require.Empty(t, w.line.Calls("push"))
				w.answer("a1", owned.Conversation, "and on")
				require.Equal(t, []string{"once", "and on"}, mina.Texts(), "the lane goes on")
			}, quiet, withEmulator(linetest.Options{RepeatReplies: c.again}))
		})
	}
}

// A reply that stays without an answer until its token has less than ten
// seconds left is not sent again, not as a push either: people are to look.
func TestAReplyIsNotRepeatedWhenItsTokenIsNearlyOver(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		w.line.AddFault(linetest.Fault{Endpoint: "reply", Kind: linetest.FaultHangBefore, Nth: 1, Times: 100})
		posted, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("lost")})
		require.NoError(t, err)
		w.pass(2 * time.Minute)
		require.Equal(t, conversation.StatusUnknown, w.message(owned.Conversation, posted.Message).Status)
		calls := w.line.Calls("reply")
		require.NotEmpty(t, calls)
		require.LessOrEqual(t, calls[len(calls)-1].At.Sub(calls[0].At), 40*time.Second)
		require.Empty(t, mina.Texts())
		require.Empty(t, w.line.Calls("push"))
	}, quiet)
}

// A process that dies while a reply is on its way leaves it to the next one,
// which repeats it while the token lives.
func TestAReplyInTheAirAtACrashIsRepeated(t *testing.T) {
	for _, kind := range []linetest.FaultKind{linetest.FaultHangAfter, linetest.FaultHangBefore} {
		inWorld(t, func(w *world) {
			c := active(w)
			w.line.AddFault(linetest.Fault{Endpoint: "reply", Kind: kind, Nth: 1})
			_, err := w.eng.Answer(w.ctx, w.agent(c.Agent), sangdam.Answer{Conversation: c.Conversation, Content: channel.Text("once")})
			require.NoError(t, err)
			w.pass(time.Millisecond) // in the air
			w.halt()
			w.eng, err = sangdam.New(w.cfg)
			require.NoError(t, err)
			w.start()
			w.pass(20 * time.Second)
			d := w.detail(c.Conversation)
			require.Equal(t, conversation.StatusSent, d.Messages[len(d.Messages)-1].Status)
			require.Equal(t, []string{"once"}, w.line.User("Mina").Texts())
			require.Empty(t, w.line.Calls("push"))
		}, quiet, withConfig(func(cfg *sangdam.Config) {
			cfg.DrainFor, cfg.Lease, cfg.SendTimeout = time.Millisecond, 5*time.Second, 4*time.Second
		}))
	}
}

// A push whose outcome is unknown and a process that is down for longer than
// LINE remembers the retry key, or an account that pauses that long: the
// message is not sent again.
func TestAPushIsNotRepeatedAfterItsRetryKeyIsForgotten(t *testing.T) {
	for _, down := range []bool{true, false} {
		replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
			w.online("a1")
			mina := w.line.User("Mina")
			owned := w.begun(mina, "hello")
			w.beat(2*time.Minute, "a1")
			w.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultCutAfter, Nth: 1})
			w.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultCutBefore, Nth: 2, Times: 1000})
			posted, err := w.eng.Answer(w.ctx, w.agent("a1"),
				sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("only once")})
			require.NoError(t, err)
			w.settle()
			w.halt()
			if !down {
				w.start()
			}
			w.pass(time.Second)
			if down {
				w.pass(25 * time.Hour)
				w.eng, err = sangdam.New(w.cfg)
				require.NoError(t, err)
				w.start()
			} else {
				w.jump(25 * time.Hour)
			}
			w.line.ClearFaults()
			w.pass(10 * time.Minute)
			require.Equal(t, []string{"only once"}, mina.Texts())
			require.Equal(t, conversation.StatusUnknown, w.message(owned.Conversation, posted.Message).Status)
		}, quiet)
	}
}

// A refusal after a try without an answer does not prove that the try failed.
func TestARefusalAfterADoubtfulTryIsUnknownNotFailed(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		w.beat(2*time.Minute, "a1")
		w.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultCutAfter, Nth: 1})
		w.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.Fault401, Nth: 2})
		posted, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("once")})
		require.NoError(t, err)
		w.settle()
		m := w.message(owned.Conversation, posted.Message)
		require.Equal(t, conversation.StatusUnknown, m.Status)
		require.Equal(t, channel.ReasonCredentials, m.Reason)
		require.Equal(t, []string{"once"}, mina.Texts())
	}, quiet)
}

// A push to a group counts every member: one that needs more than the month has
// left fails at once and says how many, and holds nobody else up.
func TestAPushThatNeedsMoreThanRemainsFailsWithHowMany(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		var members []*linetest.User
		for _, name := range []string{"Mina", "Jun", "Seo", "Haru"} {
			members = append(members, w.line.User(name))
		}
		g := w.line.Group("Family", members...)
		w.online("a1")
		g.SendText(members[0], "hello from the group")
		w.settle()
		group := w.acceptOf(w.only().Conversation.ID)
		w.beat(2*time.Minute, "a1")
		posted, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: group.Conversation, Content: channel.Text("to all")})
		require.NoError(t, err)
		w.settle()
		m := w.message(group.Conversation, posted.Message)
		require.Equal(t, conversation.StatusFailed, m.Status)
		require.Equal(t, channel.ReasonQuota, m.Reason)
		require.Contains(t, m.Detail, "4 messages")
		require.Contains(t, m.Detail, "3 of the month's 3")
		owned := w.begun(w.line.User("Other"), "and I?")
		w.answer("a1", owned.Conversation, "free")
		w.answer("a1", owned.Conversation, "paid")
		require.Equal(t, []string{"free", "paid"}, w.line.User("Other").Texts())
	}, quiet, withEmulator(linetest.Options{MonthlyQuota: 3}))
}

// LINE speaks of the monthly limit though its figures say otherwise: only that
// push waits, other chats go on, and a free reply in the same chat takes the
// waiting one along, in order.
func TestDoubtAboutTheQuotaHoldsOnlyThatRow(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		w.answer("a1", owned.Conversation, "free")
		w.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultQuota, Nth: 1})
		posted, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("waits")})
		require.NoError(t, err)
		w.quotaHeld(posted.Message)
		jun := w.line.User("Jun")
		other := w.begunWhileHeld(jun, "me too")
		w.answerWhileHeld(other.Conversation, "free", jun)
		w.answerWhileHeld(other.Conversation, "paid", jun)
		require.Equal(t, []string{"free", "paid"}, jun.Texts())
		require.Equal(t, []string{"free"}, mina.Texts())
		mina.SendText("anybody there?")
		w.eventually(func() bool { return w.detail(owned.Conversation).Conversation.Reply != nil })
		w.answerWhileHeld(owned.Conversation, "taken along", mina)
		require.Equal(t, "free waits taken along", strings.Join(mina.Texts(), " "))
		require.Equal(t, "reply", mina.Received()[1].Route)
		require.Equal(t, "reply", mina.Received()[2].Route)
		w.settle()
		require.Equal(t, conversation.StatusSent, w.message(owned.Conversation, posted.Message).Status)
	}, quiet, withEmulator(linetest.Options{MonthlyQuota: 100}))
}

// quotaHeld waits until a message waits for the plan.
func (w *replayWorld) quotaHeld(id conversation.MessageID) {
	w.t.Helper()
	w.eventually(func() bool { return len(w.line.Calls("push")) == 1 && len(w.line.Calls("consumption")) == 1 })
	if !w.real {
		w.settle()
	}
}

// begunWhileHeld and answerWhileHeld are begun and answer where the outbox does
// not come to rest.
func (w *replayWorld) begunWhileHeld(u *linetest.User, text string) sangdam.Owned {
	w.t.Helper()
	n := len(w.conversations())
	u.SendText(text)
	w.eventually(func() bool { return len(w.conversations()) == n+1 && w.of(u).Offer != nil })
	d := w.of(u)
	owned, err := w.eng.Accept(w.ctx, w.agent(d.Offer.Agent), sangdam.Accept{Offer: d.Offer.ID})
	require.NoError(w.t, err)
	return owned
}

func (w *replayWorld) answerWhileHeld(c conversation.ID, text string, u *linetest.User) {
	w.t.Helper()
	_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c, Content: channel.Text(text)})
	require.NoError(w.t, err)
	w.eventually(func() bool { got := u.Texts(); return len(got) > 0 && got[len(got)-1] == text })
}

// eventually waits for a condition, in whichever time the world has.
func (w *replayWorld) eventually(cond func() bool) {
	w.t.Helper()
	if w.real {
		require.Eventually(w.t, cond, 20*time.Second, 20*time.Millisecond)
		return
	}
	for range 200 {
		synctest.Wait()
		if cond() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.True(w.t, cond(), "it does not come to pass")
}

// Of several messages in one push that LINE refuses by the name of one, that one fails
// and the others go out in the next push, together.
func TestOnlyWhatARefusalNamesFails(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		w.beat(2*time.Minute, "a1") // the right to reply is over
		w.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultRate, Nth: 1})
		w.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultContent, Nth: 1, Message: 1})
		var posted []conversation.MessageID
		for _, text := range []string{"one", "two", "three", "four"} {
			p, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text(text)})
			require.NoError(t, err)
			posted = append(posted, p.Message)
			w.eventually(func() bool { return len(w.line.Calls("push")) == 1 }) // the others come while the first one waits
		}
		w.beat(10*time.Second, "a1")
		w.settle()
		require.Equal(t, []string{"one", "two", "four"}, mina.Texts())
		for i, want := range []conversation.Status{conversation.StatusSent, conversation.StatusSent, conversation.StatusFailed,
			conversation.StatusSent} {
			m := w.message(owned.Conversation, posted[i])
			require.Equal(t, want, m.Status, "%s", m.Content.Text)
			require.Equal(t, want == conversation.StatusFailed, m.Reason == channel.ReasonContent)
		}
		require.Len(t, w.line.Calls("push"), 4, "the first, once more after its wait, the three others, the two that were not named")
	}, quiet)
}
