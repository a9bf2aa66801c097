package sangdam_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/classify"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Every field that a rule may name is filled: one that is accepted and never
// has a fact makes a rule that silently never fires.
func TestEveryFieldOfRulesIsFilled(t *testing.T) {
	fields := append(classify.Fields(), condition.Field{Name: "attribute.order", Type: condition.TypeText},
		condition.Field{Name: "tier", Type: condition.TypeID})
	for _, f := range fields {
		t.Run(f.Name, func(t *testing.T) {
			replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
				hit := routing.Queue{ID: "hit", Name: "Hit", Members: []routing.AgentID{"a1"}}
				require.NoError(t, errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: hit})))
				s := w.configuration().WorkStreams["line"]
				s.Bot = "intake"
				s.Rules = []routing.Rule{{Name: "present", Queue: "hit",
					When: condition.Condition{All: []condition.Clause{{Field: f.Name, Op: condition.Present}}}}}
				require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})))
				accounts, err := w.eng.Accounts(w.ctx, w.host)
				require.NoError(t, err)
				acct := accounts[0]
				acct.Language = "ko"
				_, err = w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
				require.NoError(t, err)
				mina := w.line.User("Mina")
				mina.SendText("hello")
				w.settle()
				if f.Name == "postback" {
					mina.PressPostback("A-17", nil)
				} else {
					mina.SendText("A-17")
				}
				w.settle()
				d := w.of(mina)
				require.NotNil(t, d.Item)
				require.Equal(t, routing.QueueID("hit"), d.Item.Queue)
				if f.Name == "postback" {
					return // its text is what was shown, and nothing was
				}
				require.Equal(t, "A-17", d.Item.Attributes["order"], "a strategy sees what the bot learnt")
			}, withBot(intake), withConfig(func(c *sangdam.Config) {
				c.Fields = []condition.Field{{Name: "tier", Type: condition.TypeID}}
				c.Facts = func(conversation.Conversation) condition.Map {
					return condition.Map{"tier": condition.Text("gold"), "channel": condition.Text("not the host's to say")}
				}
			}))
		})
	}
}

func TestAFieldThatRulesCannotHaveIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.configuration().WorkStreams["line"]
		for _, name := range []string{"contact.tags", "tier", "attribute."} {
			s.Rules = []routing.Rule{{Name: "x", Queue: "q",
				When: condition.Condition{All: []condition.Clause{{Field: name, Op: condition.Present}}}}}
			require.ErrorIs(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})), sangdam.ErrInvalid, name)
		}
		w.cfg.Fields = []condition.Field{{Name: "channel", Type: condition.TypeText}}
		_, err := sangdam.New(w.cfg)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
	})
}

// Values of rules are what they are: no list, no pattern, no wildcard, and
// "is" is the whole text.
func TestRulesTakeTheirValuesAsTheyAre(t *testing.T) {
	for _, c := range []struct {
		op    condition.Op
		value string
		text  string
		hit   bool
	}{
		{condition.Contains, "ask, then wait", "please ask, then wait for it", true},
		{condition.Contains, "ask, then wait", "then wait", false},
		{condition.Contains, `C++ (beta) [x] "q" 100%_`, `is C++ (beta) [x] "q" 100%_ ok?`, true},
		{condition.Contains, `a.b`, `axb`, false},
		{condition.Is, "1", "1", true},
		{condition.Is, "1", "10", false},
		{condition.Is, "1", "please 1", false},
		{condition.Contains, "환불", "빠른환불요청", true},
	} {
		replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
			require.NoError(t, errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: routing.Queue{ID: "hit", Name: "Hit"}})))
			s := w.configuration().WorkStreams["line"]
			when := condition.Condition{All: []condition.Clause{{Field: "message", Op: c.op, Value: c.value}}}
			s.Rules = []routing.Rule{{Name: "r", Queue: "hit", When: when}}
			require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})))
			mina := w.line.User("Mina")
			mina.SendText(c.text)
			w.settle()
			require.Equal(t, c.hit, w.of(mina).Item.Queue == "hit", "%v %q on %q", c.op, c.value, c.text)
		})
	}
}
