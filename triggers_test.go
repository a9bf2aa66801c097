package sangdam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// rule makes an active trigger about conversations.
func rule(id trigger.ID, when []condition.Clause, actions ...trigger.Action) trigger.Trigger {
	return trigger.Trigger{ID: id, Title: "Rule " + string(id), Subject: "conversation", Active: true,
		When: condition.Condition{All: when}, Actions: actions}
}

func when(field string, op condition.Op, value any) []condition.Clause {
	return []condition.Clause{{Field: field, Op: op, Value: value}}
}

func (w *world) save(ts ...trigger.Trigger) {
	w.t.Helper()
	for _, t := range ts {
		require.NoError(w.t, errOf(w.eng.SaveTrigger(w.ctx, w.host, sangdam.SaveTrigger{Trigger: t})))
	}
}

func (w *world) runs(t trigger.ID) []sangdam.TriggerRun {
	w.t.Helper()
	page, err := w.eng.TriggerRuns(w.ctx, w.host, sangdam.TriggerRunFilter{Trigger: t}, "", 200)
	require.NoError(w.t, err)
	return page.Runs
}

func tag(add ...string) trigger.Action {
	return trigger.Do(action.Tag, action.TagParams{Add: add})
}

// A message runs the rules in order, each seeing what the earlier did; what they
// do shows who did it, and the run log says why.
func TestTriggersOfAMessage(t *testing.T) {
	var o outside
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		w.online("a1")
		w.save(
			rule("refund", when("message", condition.Contains, "환불"), tag("refund"),
				trigger.Do(action.Message, action.TextParams{Text: action.Texts{"": "#{channel}: 환불 문의를 확인하겠습니다."}})),
			rule("tagged", when("tags", condition.Has, "refund"),
				trigger.Do(action.Set, action.SetParams{Field: "category", Value: "money"}),
				trigger.Do(action.Notice, action.NoticeParams{Target: "room", Text: action.Texts{"": "#{message}"}}),
				trigger.Do(action.Webhook, action.WebhookParams{Target: "hook", Fields: []string{"category", "message"}})),
			rule("never", when("message", condition.Contains, "배송"), tag("delivery")),
			rule("late", when("category", condition.ChangedTo, "money"), tag("late")))
		mina := w.line.User("Mina")
		mina.SendText("환불해 주세요")
		w.settle()
		c := w.only().Conversation
		require.Equal(t, []string{"late", "refund"}, c.Tags)
		require.Equal(t, "money", c.Category)
		require.Contains(t, mina.Texts(), "line: 환불 문의를 확인하겠습니다.")
		require.Equal(t, "환불해 주세요", o.room.Notices()[0].Text)
		var hook struct {
			Kind, ID, Event, Actor, Trigger string
			Happened                        []string
			Depth                           int
			Fields                          map[string]string
		}
		require.NoError(t, json.Unmarshal(o.hooks.Acted()[0].Data, &hook))
		require.Equal(t, "opened", hook.Event)
		require.Equal(t, "customer", hook.Actor)
		require.Contains(t, hook.Happened, "message")
		require.Equal(t, map[string]string{"category": "money", "message": "환불해 주세요"}, hook.Fields)
		require.Equal(t, 1, hook.Depth)
		require.Len(t, w.runs("refund"), 1)
		require.Equal(t, "all[0] message contains: held", w.runs("refund")[0].Why[0].String())
		require.Empty(t, w.runs("never"))
		for _, m := range w.only().Messages {
			if strings.HasPrefix(m.Content.Text, "line:") {
				require.Equal(t, conversation.Author{Kind: conversation.ByTrigger, Name: "refund"}, m.Author)
			}
		}
	}, withOutside(&o))
}

// One save that changes several things is one event and one pass: each rule once.
func TestOneEventIsOnePass(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		c := active(w).Conversation
		w.save(rule("changed", []condition.Clause{{Any: []condition.Clause{{Field: "state", Op: condition.Changed},
			{Field: "agent", Op: condition.Changed},
			{Field: "ended_by", Op: condition.Changed}, {Field: "ended", Op: condition.Changed}}}}, tag("once")))
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: c, Final: true, Reason: "done"})))
		w.settle()
		runs := w.runs("changed")
		require.Len(t, runs, 1)
		require.Equal(t, "ended", runs[0].Event.Kind)
		require.Equal(t, trigger.ByAgent, runs[0].Event.Actor)
	})
}

// Ten triggers with the same condition and ten agents leave it with the tenth.
func TestTheLastAssignmentWins(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 10 {
			id := routing.AgentID(fmt.Sprint("t", i))
			w.saveAgent(routing.Agent{ID: id, Name: string(id), Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
				Capacity: map[routing.Profile]int{routing.ProfileUnits: 5}, Assign: routing.AssignmentSwitches{Chat: true}})
			require.NoError(t, w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "support", Agent: id}))
			w.online(id)
		}
		q := w.configuration().Queues["q"]
		for i := range 10 {
			q.Members = append(q.Members, routing.AgentID(fmt.Sprint("t", i)))
		}
		w.saveQueue(q)
		for i := range 10 {
			w.save(rule(trigger.ID(fmt.Sprint("r", i)), when("event", condition.Is, "opened"), trigger.Do(action.Assign,
				action.AssignParams{Agents: []routing.AgentID{routing.AgentID(fmt.Sprint("t", i))}, Choice: trigger.ChooseOne})))
		}
		w.line.User("Mina").SendText("hi")
		w.settle()
		require.EqualValues(t, "t9", w.only().Conversation.Agent)
		require.EqualValues(t, "t9", w.only().Assignment.Agent)
	})
}

// In turn goes round in the order given, passing over who is not there; when
// nobody is left the log says so.
func TestAssigningInTurn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1", "a2")
		w.save(rule("turn", when("event", condition.Is, "opened"), trigger.Do(action.Assign,
			action.AssignParams{Agents: []routing.AgentID{"a1", "a2"}, Choice: trigger.ChooseInTurn})))
		for i, want := range []routing.AgentID{"a1", "a2", "a1", "a2"} {
			w.line.User(fmt.Sprint("u", i)).SendText("hi")
			w.settle()
			require.Equal(t, want, w.conversations()[0].Agent, i)
		}
		w.line.User("u5").SendText("hi") // both are full
		w.settle()
		require.Empty(t, w.conversations()[0].Agent)
		last := w.runs("turn")[0]
		require.False(t, last.Outcomes[0].Done)
		require.Contains(t, last.Outcomes[0].Note, "none of the agents")
	})
}

// Each action has a turn of its own, also where two of a trigger, or of a macro, say the
// same: the second then names the agent of the first and changes nothing.
func TestEachActionHasItsOwnTurn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1", "a2")
		turns := trigger.Do(action.Assign, action.AssignParams{Agents: []routing.AgentID{"a1", "a2"}, Choice: trigger.ChooseInTurn})
		w.save(rule("turn", when("event", condition.Is, "opened"), turns, tag("between"), turns))
		for i, want := range []routing.AgentID{"a1", "a2", "a1"} {
			w.line.User(fmt.Sprint("u", i)).SendText("hi")
			w.settle()
			require.Equal(t, want, w.conversations()[0].Agent, i)
			for _, at := range []int{0, 2} {
				require.Equal(t, "agent:"+string(want), w.runs("turn")[0].Outcomes[at].Note, "action %d", at)
			}
		}
		require.NoError(t, errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: sangdam.Macro{ID: "m", Title: "Turns",
			Subject: "conversation", Actions: []trigger.Action{turns, turns}}})))
		last := string(w.conversations()[0].ID)
		for _, want := range []string{"agent:a1", "agent:a2"} {
			out, err := w.eng.RunMacro(w.ctx, w.host, sangdam.RunMacro{Macro: "m", Record: last})
			require.NoError(t, err)
			require.Equal(t, want, out[0].Note)
			require.Equal(t, want, out[1].Note)
		}
	})
}

// A trigger that calls itself, two that toggle a field: bounded, and told.
func TestTriggersThatWakeEachOther(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		on := rule("on", when("memo", condition.IsNot, "on"), trigger.Do(action.Set, action.SetParams{Field: "memo", Value: "on"}))
		off := rule("off", when("memo", condition.Is, "on"), trigger.Do(action.Set, action.SetParams{Field: "memo", Value: "off"}))
		self := rule("self", when("happened", condition.Has, "message"),
			trigger.Do(action.Set, action.SetParams{Field: "category", Value: "x"}))
		on.Cascade, off.Cascade, self.Cascade = true, true, true
		w.save(on)
		saved, err := w.eng.SaveTrigger(w.ctx, w.host, sangdam.SaveTrigger{Trigger: off})
		require.NoError(t, err)
		require.Contains(t, said(saved.Warnings), "circle")
		for _, w := range saved.Warnings {
			require.Contains(t, w.Text, `"Rule `, "triggers are named as people name them")
			require.Contains(t, w.Args[0], "Rule ")
		}
		w.save(self)
		w.line.User("Mina").SendText("hi")
		w.settle()
		for _, id := range []trigger.ID{"on", "off", "self"} {
			require.NotEmpty(t, w.runs(id))
			perEvent := map[string]int{}
			for _, r := range w.runs(id) {
				perEvent[r.Event.ID]++
			}
			for ev, n := range perEvent {
				require.Equal(t, 1, n, "%s fires once in event %s", id, ev)
			}
		}
	})
}

// Ten thousand actions: cut, with a note.
func TestTooManyActionsAreCut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		for i := range 12 {
			var actions []trigger.Action
			for range trigger.MaxActions {
				actions = append(actions, trigger.Do(action.Note, action.TextParams{Text: action.Texts{"": "x"}}))
			}
			w.save(rule(trigger.ID(fmt.Sprint("r", i)), when("event", condition.Is, "opened"), actions...))
		}
		w.line.User("Mina").SendText("hi")
		w.settle()
		notes := 0
		for _, m := range w.only().Messages {
			if m.Direction == conversation.Internal {
				notes++
			}
		}
		require.Equal(t, trigger.MaxDone, notes)
		page, err := w.eng.TriggerRuns(w.ctx, w.host, sangdam.TriggerRunFilter{Cut: true}, "", 10)
		require.NoError(t, err)
		require.Len(t, page.Runs, 1)
		require.Contains(t, page.Runs[0].Cut, "more than 100 actions")
	})
	many := rule("many", nil)
	for range 10_000 {
		many.Actions = append(many.Actions, tag("x"))
	}
	inWorld(t, func(w *world) {
		require.ErrorIs(t, errOf(w.eng.SaveTrigger(w.ctx, w.host, sangdam.SaveTrigger{Trigger: many})), sangdam.ErrInvalid)
	})
}

// A web hook that calls back, once with and once without the depth that the
// request carries.
func TestAWebHookThatCallsBack(t *testing.T) {
	for name, tc := range map[string]struct {
		passOn bool
		want   int
	}{"with the depth": {true, trigger.MaxDepth + 1}, "without": {false, 30}} {
		t.Run(name, func(t *testing.T) {
			var o outside
			inWorld(t, func(w *world) {
				o.targets(w)
				w.online("a1")
				c := active(w).Conversation
				calls := 0
				o.onRequest = func(r webhooktest.Request) {
					var data struct{ Depth int }
					require.NoError(t, json.Unmarshal(r.Data, &data))
					ctx := context.WithoutCancel(w.ctx)
					if tc.passOn {
						ctx = sangdam.CausedBy(ctx, data.Depth)
					}
					calls++
					_, err := w.eng.AddNote(ctx, w.host, sangdam.AddNote{Conversation: c, Text: "called back"})
					require.NoError(t, err)
				}
				w.save(rule("loop", when("event", condition.Is, "note"),
					trigger.Do(action.Webhook, action.WebhookParams{Target: "hook"})))
				require.NoError(t, errOf(w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: c, Text: "begin"})))
				w.pass(10 * time.Minute)
				require.Equal(t, tc.want, calls)
				told := ""
				page, err := w.eng.TriggerRuns(w.ctx, w.host, sangdam.TriggerRunFilter{Record: "conversation:" + string(c)}, "", 5)
				require.NoError(t, err)
				for _, r := range page.Runs {
					told += r.Cut
					for _, out := range r.Outcomes {
						told += out.Note
					}
				}
				require.Regexp(t, "in a chain|within an hour", told)
			}, withOutside(&o))
		})
	}
}

// A timed trigger fires once per deadline, also after downtime, and not when the
// time field moved.
func TestTimedTriggers(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		slow := rule("slow", when("state", condition.Is, "waiting"),
			trigger.Do(action.Message, action.TextParams{Text: action.Texts{"": "Still there?"}}))
		slow.After = &trigger.After{Since: "message_at", For: time.Hour}
		w.save(slow)
		mina := w.line.User("Mina")
		c := w.begun(mina, "hi").Conversation
		require.NoError(t, errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c, Content: channel.Text("ok"),
			ThenWait: true})))
		w.settle()
		w.halt()
		w.jump(3 * time.Hour)
		w.start()
		w.pass(2 * time.Second)
		require.Equal(t, 1, times(mina.Texts(), "Still there?"), "once, after the process was down")
		w.jump(3 * time.Hour) // its own message moved the field: another deadline
		w.pass(2 * time.Second)
		require.Equal(t, 2, times(mina.Texts(), "Still there?"))
		slow.Version, slow.Title = 1, "Renamed"
		w.save(slow)
		w.pass(2 * time.Second)
		require.Equal(t, 2, times(mina.Texts(), "Still there?"), "saving it again does not fire it again")
	})
}

func times(list []string, s string) (n int) {
	for _, l := range list {
		if l == s {
			n++
		}
	}
	return n
}

// Switching a timed trigger on arms it for what is there already.
func TestATimedTriggerIsArmedForOpenConversations(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		c := active(w).Conversation
		slow := rule("slow", nil, tag("slow"))
		slow.After = &trigger.After{Since: "opened", For: time.Hour}
		w.save(slow)
		w.settle()
		w.jump(2 * time.Hour)
		w.pass(2 * time.Second)
		require.Equal(t, []string{"slow"}, w.detail(c).Conversation.Tags)
		require.Len(t, w.runs("slow"), 1)
	})
}

// Who may configure saves rules; a stale version, an active one that is deleted,
// an order that leaves one out, and whatever an action names that is not there
// are refused with the reason.
func TestBadTriggers(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		good := rule("r", when("state", condition.Is, "open"), tag("x"))
		for name, change := range map[string]func(*trigger.Trigger){
			"a field that is not there": func(t *trigger.Trigger) { t.When.All[0].Field = "shoe_size" },
			"N54 an operator with SQL":  func(t *trigger.Trigger) { t.When.All[0].Op = "is' OR 1=1 --" },
			"N54 a field with SQL":      func(t *trigger.Trigger) { t.When.All[0].Field = "state; DROP TABLE x" },
			"N55 a pattern that never ends": func(t *trigger.Trigger) {
				t.When.All = when("message", condition.Matches, strings.Repeat("(a+)+", 500))
			},
			"a value that cannot be": func(t *trigger.Trigger) { t.When.All[0].Value = "asleep" },
			"it can never hold": func(t *trigger.Trigger) {
				t.When.All = append(t.When.All,
					when("state", condition.Is, "closed")...)
			},
			"no such record":    func(t *trigger.Trigger) { t.Subject = "invoice" },
			"no title":          func(t *trigger.Trigger) { t.Title = " " },
			"no action":         func(t *trigger.Trigger) { t.Actions = nil },
			"an unknown action": func(t *trigger.Trigger) { t.Actions[0].Kind = "explode" },
			"a misspelt parameter": func(t *trigger.Trigger) {
				t.Actions[0] = trigger.Do("tag",
					map[string]any{"ad": []string{"x"}})
			},
			"a placeholder that is not there": func(t *trigger.Trigger) { t.Actions[0] = text("#{customer.password}") },
			"N57 an expression":               func(t *trigger.Trigger) { t.Actions[0] = text("#{printf \"%9999999d\" 1}") },
			"N57 a dot":                       func(t *trigger.Trigger) { t.Actions[0] = text("#{.}") },
			"ten thousand placeholders":       func(t *trigger.Trigger) { t.Actions[0] = text(strings.Repeat("#{title}", 10_000)) },
			"no such queue": func(t *trigger.Trigger) {
				t.Actions[0] = trigger.Do("queue",
					action.QueueParams{Queue: "nowhere"})
			},
			"no such agent": func(t *trigger.Trigger) {
				t.Actions[0] = trigger.Do("assign", action.AssignParams{Agents: []routing.AgentID{"ghost"}, Choice: trigger.ChooseOne})
			},
			"no way to choose": func(t *trigger.Trigger) {
				t.Actions[0] = trigger.Do("assign", action.AssignParams{Agents: []routing.AgentID{"a1"}, Choice: "dice"})
			},
			"no such target":   func(t *trigger.Trigger) { t.Actions[0] = trigger.Do("webhook", action.WebhookParams{Target: "x"}) },
			"the wrong target": func(t *trigger.Trigger) { t.Actions[0] = trigger.Do("webhook", action.WebhookParams{Target: "mail"}) },
			"two recipients": func(t *trigger.Trigger) {
				t.Actions[0] = trigger.Do("forward", action.ForwardParams{To: "a@b.example, c@d.example"})
			},
			"no such calendar": func(t *trigger.Trigger) {
				t.After = &trigger.After{Since: "opened", For: time.Hour, Calendar: "desk:x"}
			},
			"a wait for ever":   func(t *trigger.Trigger) { t.After = &trigger.After{Since: "opened", For: 1 << 60} },
			"since no time":     func(t *trigger.Trigger) { t.After = &trigger.After{Since: "state", For: time.Hour} },
			"another's version": func(t *trigger.Trigger) { t.Version = 7 },
		} {
			bad := good
			bad.When.All, bad.Actions = append([]condition.Clause{}, good.When.All...), append([]trigger.Action{}, good.Actions...)
			change(&bad)
			err := errOf(w.eng.SaveTrigger(w.ctx, w.host, sangdam.SaveTrigger{Trigger: bad}))
			require.Error(t, err, name)
			if name != "another's version" {
				require.ErrorIs(t, err, sangdam.ErrInvalid, name)
			}
		}
		w.save(good)
		second := good
		second.ID = "s"
		w.save(second)
		list, err := w.eng.Triggers(w.ctx, w.host, "conversation")
		require.NoError(t, err)
		require.Len(t, list.Triggers, 2)
		require.Equal(t, []int{1, 2}, []int{list.Triggers[0].Position, list.Triggers[1].Position})
		require.ErrorIs(t, w.eng.DeleteTrigger(w.ctx, w.host, sangdam.DeleteTrigger{Trigger: "r", Version: 1}),
			sangdam.ErrInvalid, "it is on")
		order := func(ids ...trigger.ID) error {
			return errOf(w.eng.OrderTriggers(w.ctx, w.host,
				sangdam.OrderTriggers{Subject: "conversation", Order: ids, Version: list.Version}))
		}
		require.ErrorIs(t, order("r"), sangdam.ErrInvalid)
		require.ErrorIs(t, order("r", "r"), sangdam.ErrInvalid)
		require.ErrorIs(t, order("r", "x"), sangdam.ErrInvalid)
		require.NoError(t, order("s", "r"))
		require.ErrorIs(t, order("r", "s"), sangdam.ErrStale, "the list was another")
		list, err = w.eng.Triggers(w.ctx, w.host, "conversation")
		require.NoError(t, err)
		require.EqualValues(t, "s", list.Triggers[0].ID)
		require.ErrorIs(t, errOf(w.eng.SwitchTrigger(w.ctx, w.host, sangdam.SwitchTrigger{Trigger: "r", Version: 1})), sangdam.ErrStale)
		off, err := w.eng.SwitchTrigger(w.ctx, w.host, sangdam.SwitchTrigger{Trigger: "r", Version: list.Triggers[1].Version})
		require.NoError(t, err)
		require.NoError(t, w.eng.DeleteTrigger(w.ctx, w.host, sangdam.DeleteTrigger{Trigger: "r", Version: off.Version}))
		require.ErrorIs(t, w.eng.DeleteTrigger(w.ctx, w.host, sangdam.DeleteTrigger{Trigger: "r", Version: off.Version}),
			sangdam.ErrNotFound)
		require.ErrorIs(t, w.eng.TraceTriggers(w.ctx, w.host, sangdam.TraceTriggers{For: 2 * time.Hour}), sangdam.ErrInvalid)
		_, err = w.eng.Triggers(w.ctx, w.host, "invoice")
		require.ErrorIs(t, err, sangdam.ErrInvalid)

		uses := rule("uses", nil, trigger.Do(action.Notice, action.NoticeParams{Target: "room", Text: action.Texts{"": "x"}}))
		w.save(uses)
		err = w.eng.DeleteTarget(w.ctx, w.host, sangdam.DeleteTarget{Target: "room", Version: 1})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "Rule uses")
	}, withOutside(&o))
}

func text(s string) trigger.Action {
	return trigger.Do(action.Message, action.TextParams{Text: action.Texts{"": s}})
}

// What an action cannot do is passed over with the reason; the customer's
// message is there all the same.
func TestActionsThatCannotBeDoneArePassedOver(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		w.online("a1")
		w.save(rule("r", when("event", condition.Is, "opened"),
			trigger.Do(action.Mail, action.MailParams{To: action.ToCustomer, Subject: action.Texts{"": "x"},
				Body: action.Texts{"": "x"}, HTML: true}),
			trigger.Do(action.Assign, action.AssignParams{Agents: []routing.AgentID{"a2"}, Choice: trigger.ChooseOne}),
			trigger.Do(action.Notice, action.NoticeParams{Target: "room", Text: action.Texts{"": "x"}}),
			tag("done")))
		room := w.target("room")
		room.Disabled = true
		require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host, sangdam.SaveTarget{Target: room})))
		w.line.User("Mina").SendText("hi")
		w.settle()
		require.Equal(t, []string{"done"}, w.only().Conversation.Tags)
		outcomes := w.runs("r")[0].Outcomes
		require.Equal(t, "the customer has no mail address", outcomes[0].Note)
		require.Contains(t, outcomes[1].Note, "none of the agents")
		require.Contains(t, outcomes[2].Note, "switched off")
		require.True(t, outcomes[3].Done)
	}, withOutside(&o))
}

// Forward then complete: the conversation ends once the mail was sent, and not
// when it is lost or refused.
func TestForwardingCompletesOnlyAfterTheMail(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		w.online("a1")
		w.save(rule("fw", when("message", condition.Contains, "forward"),
			trigger.Do(action.Forward, action.ForwardParams{To: "partner@outside.example", Complete: true})))
		states := func() (out []conversation.State) {
			for _, c := range w.conversations() {
				out = append(out, c.State)
			}
			return out
		}
		o.mails.Fail()
		w.line.User("u1").SendText("forward this")
		w.settle()
		require.Equal(t, []conversation.State{conversation.StateClosed}, states())
		m := o.mails.Mails()[0]
		require.Equal(t, []string{"partner@outside.example"}, m.To)
		require.Contains(t, m.Text, "forward this")
		require.Contains(t, m.Text, "https://desk.example.com/console/conversations/")

		o.mails.Fail(dropped, refused)
		w.line.User("u2").SendText("forward lost")
		w.settle()
		w.line.User("u3").SendText("forward refused")
		w.settle()
		require.NotContains(t, states()[:2], conversation.StateClosed)
	}, withOutside(&o), withConfig(func(c *sangdam.Config) { c.ConsoleURL = "https://desk.example.com/console/" }))
}

// While misses are kept the log says why a rule did not fire.
func TestTheRunLogTellsOfMissesWhileAsked(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		w.save(rule("r", when("message", condition.Contains, "refund"), tag("x")))
		w.line.User("Mina").SendText("hi")
		w.settle()
		require.Empty(t, w.runs("r"))
		require.NoError(t, w.eng.TraceTriggers(w.ctx, w.host, sangdam.TraceTriggers{For: time.Minute}))
		w.line.User("Mina").SendText("my secret words")
		w.settle()
		runs := w.runs("r")
		require.NotEmpty(t, runs)
		require.False(t, runs[0].Matched)
		raw, err := json.Marshal(runs)
		require.NoError(t, err)
		require.NotContains(t, string(raw), "secret words", "reasons hold no text")
		w.jump(2 * time.Minute)
		w.settle()
		n := len(w.runs("r"))
		w.line.User("Mina").SendText("hi again")
		w.settle()
		require.Len(t, w.runs("r"), n)
	})
}

// A rule gives a customer who waits to a bot: the queue is left, the bot reads
// what was said, and its hand-over brings the conversation back. Where an agent
// works, and where the bot is gone, nothing happens.
func TestARuleStartsABot(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		w.save(rule("bot", when("message", condition.Contains, "robot"), trigger.Do(action.Bot, action.BotParams{Bot: "intake"})))
		for _, bad := range []string{"", "nobody"} {
			bot := rule("x", when("event", condition.Is, "message"), trigger.Do(action.Bot, action.BotParams{Bot: bad}))
			require.ErrorIs(t, errOf(w.eng.SaveTrigger(w.ctx, w.host, sangdam.SaveTrigger{Trigger: bot})), sangdam.ErrInvalid, bad)
		}
		mina := w.line.User("Mina")
		mina.SendText("a robot, please")
		w.settle()
		d := w.only()
		require.Equal(t, conversation.ControlBot, d.Conversation.Control)
		require.Nil(t, d.Offer, "no agent is asked while the bot speaks")
		require.Contains(t, mina.Texts(), "Your order number?", "the bot has read what was said")
		require.Equal(t, "bot:intake", w.runs("bot")[0].Outcomes[0].Note)
		w.invariants()
		mina.SendText("A-17")
		w.settle()
		d = w.only()
		require.Equal(t, conversation.ControlNobody, d.Conversation.Control)
		require.Equal(t, "A-17", d.Conversation.Attributes["order"])
		w.accept()
		mina.SendText("the robot again")
		w.settle()
		require.Equal(t, conversation.ControlAgent, w.only().Conversation.Control)
		require.Equal(t, "somebody else has the word", w.runs("bot")[0].Outcomes[0].Note)
		w.invariants()
	}, withBot(intake), func(_ *world, s *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) { s.Bot = "" })
}
