package sangdam_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// What was set up by mistake is taken out of use: nothing leads there any more and
// nobody is shown it, while the past keeps its name and nothing is left waiting.

// spare adds a queue that nothing leads to, with a1 as its member.
func (w *replayWorld) spare() {
	w.t.Helper()
	w.saveQueue(routing.Queue{ID: "spare", Name: "Spare", Members: []routing.AgentID{"a1"}})
}

// retireQueue takes a queue out of use, or brings it back.
func (w *replayWorld) retireQueue(id routing.QueueID, retired bool) error {
	w.t.Helper()
	q := w.configuration().Queues[id]
	q.Retired = retired
	return errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: q}))
}

// namers are the commands that let something lead to the queue, each with one that
// takes that back.
func (w *replayWorld) namers(q routing.QueueID) map[string][2]func() error {
	e, ctx, p := w.eng, w.ctx, w.host
	stream := func(change func(*routing.WorkStream)) error {
		s := w.configuration().WorkStreams["line"]
		change(&s)
		return errOf(e.SaveWorkStream(ctx, p, sangdam.SaveWorkStream{WorkStream: s}))
	}
	rule := func(r routing.Rule) func() error {
		r.Name, r.When = "the rule", condition.Condition{All: when("message", condition.Contains, "bill")}
		return func() error { return stream(func(s *routing.WorkStream) { s.Rules = []routing.Rule{r} }) }
	}
	noRule := func() error { return stream(func(s *routing.WorkStream) { s.Rules = nil }) }
	overflow := func(list ...routing.Overflow) func() error {
		return func() error {
			from := w.configuration().Queues["q"]
			from.Overflow = list
			return errOf(e.SaveQueue(ctx, p, sangdam.SaveQueue{Queue: from}))
		}
	}
	tickets := func(q routing.QueueID) func() error {
		return func() error {
			had, err := e.TicketSetup(ctx, p)
			require.NoError(w.t, err)
			had.Settings.Tickets.Queue = q
			return errOf(e.SaveWorkspaceSettings(ctx, p, sangdam.SaveWorkspaceSettings{Settings: had.Settings}))
		}
	}
	moves := []trigger.Action{trigger.Do(action.Queue, action.QueueParams{Queue: q})}
	rest := w.namersByRecords(q, moves)
	rest["fall-back"] = [2]func() error{
		func() error { return stream(func(s *routing.WorkStream) { s.Queue = q }) },
		func() error { return stream(func(s *routing.WorkStream) { s.Queue = "q" }) }}
	rest["rule"] = [2]func() error{rule(routing.Rule{Queue: q}), noRule}
	rest["split"] = [2]func() error{rule(routing.Rule{Split: []routing.Share{{Queue: q, Percent: 40}, {Queue: "q", Percent: 60}}}), noRule}
	rest["overflow"] = [2]func() error{
		overflow(routing.Overflow{When: routing.OverflowExhausted, Do: routing.OverflowQueue, Queue: q}), overflow()}
	rest["tickets"] = [2]func() error{tickets(q), tickets("")}
	return rest
}

// namersByRecords are those namers that are made and deleted.
func (w *replayWorld) namersByRecords(q routing.QueueID, moves []trigger.Action) map[string][2]func() error {
	e, ctx, p := w.eng, w.ctx, w.host
	var group, macro, rule sangdam.Saved
	keep := func(into *sangdam.Saved, saved sangdam.Saved, err error) error {
		if err == nil {
			*into = saved
		}
		return err
	}
	return map[string][2]func() error{
		"group": {func() error {
			saved, err := e.SaveGroup(ctx, p, sangdam.SaveGroup{Group: ticket.Group{ID: "bills", Name: "Bills", Queue: string(q)}})
			return keep(&group, saved, err)
		}, func() error {
			return e.DeleteGroup(ctx, p, sangdam.DeleteGroup{Group: "bills", Version: group.Version})
		}},
		"macro": {func() error {
			saved, err := e.SaveMacro(ctx, p, sangdam.SaveMacro{Macro: sangdam.Macro{ID: "bill", Title: "Bill it", Subject: "conversation",
				Actions: moves}})
			return keep(&macro, saved, err)
		}, func() error {
			return e.DeleteMacro(ctx, p, sangdam.DeleteMacro{Macro: "bill", Version: macro.Version})
		}},
		"trigger": {func() error {
			saved, err := e.SaveTrigger(ctx, p, sangdam.SaveTrigger{Trigger: trigger.Trigger{ID: "bill", Title: "To bills",
				Subject: "conversation", When: condition.Condition{All: when("message", condition.Contains, "bill")}, Actions: moves}})
			return keep(&rule, sangdam.Saved{Version: saved.Version}, err)
		}, func() error {
			return e.DeleteTrigger(ctx, p, sangdam.DeleteTrigger{Trigger: "bill", Version: rule.Version})
		}},
	}
}

// A queue that anything leads to stays in use, and the refusal names what does. Once
// it is out of use nothing can be made to lead there.
func TestAQueueIsOutOfUseOnceNothingLeadsThere(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		withTickets(w.world, "a1", "a2")
		w.spare()
		says := map[string]string{"fall-back": `work stream "line"`, "rule": `rule 1 of work stream "line"`,
			"split": `rule 1 of work stream "line"`, "overflow": `overflow 1 of queue "q"`, "tickets": "workspace settings",
			"group": `group "Bills"`, "macro": `macro "Bill it"`, "trigger": `trigger "To bills"`}
		for name, by := range w.namers("spare") {
			require.NoError(t, by[0](), name)
			err := w.retireQueue("spare", true)
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
			require.ErrorContains(t, err, says[name], name)
			require.False(t, w.configuration().Queues["spare"].Retired, name)
			require.NoError(t, by[1](), name)
		}
		require.NoError(t, w.retireQueue("spare", true))
		for name, by := range w.namers("spare") {
			err := by[0]()
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
			require.ErrorContains(t, err, "out of use", name)
		}
		require.NoError(t, w.retireQueue("spare", false))
		for name, by := range w.namers("spare") {
			require.NoError(t, by[0](), name)
			require.NoError(t, by[1](), name)
		}
	})
}

// What waits in a queue, is offered from it, or is an agent's by it keeps it in use,
// and so does the question whether somebody of it takes a conversation over.
func TestAQueueWithWorkStaysInUse(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		w.billing()
		refused := func(why string) {
			t.Helper()
			err := w.retireQueue("billing", true)
			require.ErrorIs(t, err, sangdam.ErrInvalid, why)
			require.ErrorContains(t, err, "billing", why)
			require.False(t, w.configuration().Queues["billing"].Retired)
		}
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "about my bill")
		_, err := w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: owned.Conversation, Queue: "billing"})
		require.NoError(t, err)
		w.settle()
		refused("it waits")
		w.online("b1")
		require.NotNil(t, w.detail(owned.Conversation).Offer)
		refused("it is offered")
		w.acceptOf(owned.Conversation)
		refused("b1 has it")
		require.NoError(t, errOf(w.eng.Wait(w.ctx, w.agent("b1"), sangdam.Wait{Conversation: owned.Conversation})))
		w.settle()

		other := w.begun(w.line.User("Sora"), "hello")
		asked := w.asks(other, sangdam.Consult{Queue: "billing"})
		refused("b1 is asked")
		require.NoError(t, w.eng.DeclineConsultation(w.ctx, w.agent("b1"), sangdam.DeclineConsultation{Consultation: asked.ID}))
		w.settle()
		require.NoError(t, errOf(w.eng.Enqueue(w.ctx, w.host, sangdam.Enqueue{Subject: order("7"), Queue: "billing"})))
		refused("an order waits")
		require.NoError(t, w.eng.Finish(w.ctx, w.host, sangdam.Finish{Subject: order("7")}))
		require.NoError(t, w.retireQueue("billing", true))

		mina.SendText("and now?")
		w.settle()
		require.Equal(t, routing.QueueID("q"), w.detail(owned.Conversation).Item.Queue, "what waited for the customer goes by the rules")
	}, longOffers)
}

// What a queue out of use is called, and who is shown it.
func TestAQueueOutOfUseIsNamedAndNotChosen(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		w.spare()
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		require.NoError(t, w.retireQueue("spare", true))
		d, err := w.eng.Directory(w.ctx, w.agent("a1"))
		require.NoError(t, err)
		require.Equal(t, "Spare", d.Queues["spare"], "the past calls it by its name")
		require.Equal(t, []routing.QueueID{"spare"}, d.RetiredQueues)
		load, err := w.eng.Load(w.ctx, w.host)
		require.NoError(t, err)
		require.Len(t, load.Queues, 1)

		enters := map[string]func() error{
			"transfer": func() error {
				return errOf(w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: owned.Conversation, Queue: "spare"}))
			},
			"question": func() error {
				return errOf(w.eng.Consult(w.ctx, w.agent("a1"), sangdam.Consult{Conversation: owned.Conversation, Queue: "spare"}))
			},
			"work": func() error {
				return errOf(w.eng.Enqueue(w.ctx, w.host, sangdam.Enqueue{Subject: order("7"), Queue: "spare"}))
			},
		}
		for name, enter := range enters {
			err := enter()
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
			require.ErrorContains(t, err, "out of use", name)
		}
		err = errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: routing.Queue{ID: "spare", Name: "Another"}}))
		require.ErrorIs(t, err, sangdam.ErrAlreadyExists, "its id stands for it")
		require.NoError(t, w.retireQueue("spare", false))
		require.NoError(t, enters["work"]())
	}, longOffers)
}

// A desk's only queue that is out of use is not where a transfer to the desk ends up.
func TestATransferToADeskPassesItsQueueOutOfUse(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		w.billing()
		w.saveQueue(routing.Queue{ID: "bills", Name: "Bills", Desk: "billing", Members: []routing.AgentID{"b1", "b2"}})
		require.NoError(t, w.retireQueue("billing", true))
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		require.NoError(t, errOf(w.eng.Transfer(w.ctx, w.agent("a1"),
			sangdam.Transfer{Conversation: owned.Conversation, Desk: "billing"})))
		require.Equal(t, routing.QueueID("bills"), w.detail(owned.Conversation).Item.Queue)
	}, longOffers)
}

// Whoever gives work to a queue at the moment at which it is taken out of use comes
// first or is refused: nothing waits in a queue that is out of use. The rival may be
// another process, which has read the set-up long before.
func TestWorkNeverEntersAQueueThatIsTakenOutOfUse(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		withTickets(w.world, "a1", "a2")
		w.spare()
		cfg := w.cfg
		cfg.Node = "n2"
		second, err := sangdam.New(cfg)
		require.NoError(t, err)
		_, err = second.Directory(w.ctx, w.host) // which has the set-up from now on
		require.NoError(t, err)
		require.NoError(t, w.retireQueue("spare", true))
		err = errOf(second.Enqueue(w.ctx, w.host, sangdam.Enqueue{Subject: order("0"), Queue: "spare"}))
		require.ErrorContains(t, err, "out of use", "a process that had read it before")
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		group := ticket.Group{ID: "bills", Name: "Bills", Queue: "spare"}
		rivals := map[string]struct{ enter, leave func() error }{
			"work": {func() error {
				return errOf(second.Enqueue(w.ctx, w.host, sangdam.Enqueue{Subject: order("1"), Queue: "spare"}))
			}, func() error { return w.eng.Finish(w.ctx, w.host, sangdam.Finish{Subject: order("1")}) }},
			"transfer": {func() error {
				return errOf(second.Transfer(w.ctx, w.host, sangdam.Transfer{Conversation: owned.Conversation, Queue: "spare"}))
			}, func() error {
				return errOf(w.eng.Transfer(w.ctx, w.host, sangdam.Transfer{Conversation: owned.Conversation, Queue: "q"}))
			}},
			"group": {func() error { return errOf(second.SaveGroup(w.ctx, w.host, sangdam.SaveGroup{Group: group})) }, func() error {
				had, err := w.eng.TicketSetup(w.ctx, w.host)
				require.NoError(t, err)
				return w.eng.DeleteGroup(w.ctx, w.host, sangdam.DeleteGroup{Group: "bills", Version: had.Groups[0].Version})
			}},
		}
		for name, r := range rivals {
			for range 5 {
				require.NoError(t, w.retireQueue("spare", false))
				q := w.configuration().Queues["spare"]
				q.Retired = true
				var enters, retires error
				var both sync.WaitGroup
				both.Go(func() { enters = r.enter() })
				both.Go(func() { retires = errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: q})) })
				both.Wait()
				assert.NotEqual(t, enters == nil, retires == nil, "%s: one is obeyed: %v, %v", name, enters, retires)
				if enters == nil {
					require.NoError(t, r.leave(), name)
				}
			}
		}
	}, longOffers)
}

// A set-up in a file takes out of use what it names so, together with what led there,
// and a file that names it as it was brings it back.
func TestASetUpTakesAQueueOutOfUse(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		w.spare()
		cfg := w.configuration()
		stream, queue := cfg.WorkStreams["line"], cfg.Queues["spare"]
		stream.Queue = "spare"
		setup := sangdam.Setup{Queues: []routing.Queue{queue}, WorkStreams: []routing.WorkStream{stream}}
		apply := func() (sangdam.Applied, error) { return w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: setup}) }
		require.NoError(t, errOf(apply()))
		setup.Queues[0].Retired = true
		_, err := apply()
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, `work stream "line"`)
		setup.WorkStreams[0].Queue = "q"
		require.NoError(t, errOf(apply()))
		require.True(t, w.configuration().Queues["spare"].Retired)
		again, err := apply()
		require.NoError(t, err)
		require.Equal(t, sangdam.PlanKeep, again.Parts[0].Do)
		setup.Queues[0].Retired = false
		require.NoError(t, errOf(apply()))
		require.False(t, w.configuration().Queues["spare"].Retired)
	})
}

// retireDesk takes a desk out of use, or brings it back, and retireStream a work stream.
func (w *replayWorld) retireDesk(id routing.DeskID, retired bool) error {
	w.t.Helper()
	d := w.configuration().Desks[id]
	d.Retired = retired
	return errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Desk: d}))
}

func (w *replayWorld) retireStream(id routing.WorkStreamID, retired bool) error {
	w.t.Helper()
	s := w.configuration().WorkStreams[id]
	s.Retired = retired
	return errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s}))
}

// onDesk moves the account to a desk and a work stream.
func (w *replayWorld) onDesk(d routing.DeskID, s routing.WorkStreamID) error {
	w.t.Helper()
	a := accountOf(w.t, w, w.acct.ID)
	a.Desk, a.WorkStream = d, s
	return errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: a}))
}

// A desk that anything leads to stays in use, and so does one with work; what leads
// there or is on it is named. Afterwards nothing can be made to lead there.
func TestADeskIsOutOfUseOnceNothingLeadsThere(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		withTickets(w.world, "a1", "a2")
		w.billing()
		e, ctx, p := w.eng, w.ctx, w.host
		queue := func(d routing.DeskID) func() error {
			return func() error {
				q := w.configuration().Queues["billing"]
				q.Desk = d
				return errOf(e.SaveQueue(ctx, p, sangdam.SaveQueue{Queue: q}))
			}
		}
		account := func(d routing.DeskID) func() error { return func() error { return w.onDesk(d, "line") } }
		macro := func(subject string, does trigger.Action) [2]func() error {
			var saved sangdam.Saved
			return [2]func() error{func() (err error) {
				m := sangdam.Macro{ID: "bill", Title: "Bill it", Subject: subject, Actions: []trigger.Action{does}}
				made, err := e.SaveMacro(ctx, p, sangdam.SaveMacro{Macro: m})
				saved = made
				return err
			}, func() error { return e.DeleteMacro(ctx, p, sangdam.DeleteMacro{Macro: "bill", Version: saved.Version}) }}
		}
		require.NoError(t, queue("")())
		namers := map[string][2]func() error{
			`queue "billing"`: {queue("billing"), queue("")},
			`account "Shop"`:  {account("billing"), account("support")},
			`macro "Bill it"`: macro("conversation", trigger.Do(action.Queue, action.QueueParams{Desk: "billing", Queue: "billing"})),
			`macro "Bill`:     macro("ticket", trigger.Do(action.Set, action.SetParams{Field: "desk", Value: "billing"})),
		}
		for says, by := range namers {
			require.NoError(t, by[0](), says)
			err := w.retireDesk("billing", true)
			require.ErrorIs(t, err, sangdam.ErrInvalid, says)
			require.ErrorContains(t, err, says)
			require.NoError(t, by[1](), says)
		}
		require.NoError(t, errOf(e.Enqueue(ctx, p, sangdam.Enqueue{Subject: order("7"), Queue: "billing", Desk: "billing"})))
		require.ErrorContains(t, w.retireDesk("billing", true), "wait")
		require.NoError(t, e.Finish(ctx, p, sangdam.Finish{Subject: order("7")}))

		require.NoError(t, w.retireDesk("billing", true))
		for says, by := range namers {
			err := by[0]()
			require.ErrorIs(t, err, sangdam.ErrInvalid, says)
			require.ErrorContains(t, err, "out of use", says)
		}
		for _, give := range []func() error{
			func() error {
				return errOf(e.Enqueue(ctx, p, sangdam.Enqueue{Subject: order("7"), Queue: "billing", Desk: "billing"}))
			},
			func() error { return errOf(e.OpenTicket(ctx, p, sangdam.OpenTicket{Title: "A bill", Desk: "billing"})) },
		} {
			err := give()
			require.ErrorIs(t, err, sangdam.ErrInvalid)
			require.ErrorContains(t, err, "out of use")
		}
		d, err := e.Directory(ctx, p)
		require.NoError(t, err)
		require.Equal(t, []routing.DeskID{"billing"}, d.RetiredDesks)
		require.Equal(t, "Billing", d.Desks["billing"])
		err = errOf(e.SaveDesk(ctx, p, sangdam.SaveDesk{Desk: routing.Desk{ID: "bills", Name: "Billing"}, Agent: "b1"}))
		require.ErrorIs(t, err, sangdam.ErrAlreadyExists, "its name stands for it")
		require.ErrorContains(t, err, "out of use")
		require.NoError(t, w.retireDesk("billing", false))
		for says, by := range namers {
			require.NoError(t, by[0](), says)
			require.NoError(t, by[1](), says)
		}
	})
}

// What a customer began on a desk that is out of use goes on where the account is now.
func TestACustomerOfADeskOutOfUseGoesOnElsewhere(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		w.billing()
		w.online("a1", "b1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "about my bill")
		require.NoError(t, errOf(w.eng.Transfer(w.ctx, w.agent(owned.Agent),
			sangdam.Transfer{Conversation: owned.Conversation, Desk: "billing"})))
		w.settle()
		require.NoError(t, w.retireQueueOnceFree(owned.Conversation))
		require.NoError(t, w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "billing", Agent: "a1"}),
			"who works in the other queue might go on there")
		require.NoError(t, w.retireDesk("billing", true))
		require.Equal(t, routing.DeskID("billing"), w.detail(owned.Conversation).Conversation.Desk, "it is where it was")
		_, err := w.eng.Conversation(w.ctx, w.agent("b1"), owned.Conversation)
		require.NoError(t, err, "and seen by who saw it")
		mina.SendText("and now?")
		w.settle()
		d := w.detail(owned.Conversation)
		require.Equal(t, routing.DeskID("support"), d.Conversation.Desk)
		require.Equal(t, routing.QueueID("q"), d.Item.Queue)
	}, longOffers)
}

// retireQueueOnceFree lets billing's conversation wait for its customer, and takes the
// queue out of use.
func (w *replayWorld) retireQueueOnceFree(c conversation.ID) error {
	w.t.Helper()
	require.ErrorContains(w.t, w.retireDesk("billing", true), "agents have 0", "it is offered")
	w.acceptOf(c)
	require.ErrorContains(w.t, w.retireDesk("billing", true), "agents have 1")
	require.NoError(w.t, errOf(w.eng.Wait(w.ctx, w.agent("b1"), sangdam.Wait{Conversation: c})))
	w.settle()
	require.ErrorContains(w.t, w.retireDesk("billing", true), `queue "billing"`)
	return w.retireQueue("billing", true)
}

// A work stream goes out of use once no account is on it. What was begun on it goes on
// as it says, so that where it leads stays in use.
func TestAWorkStreamIsOutOfUseOnceNoAccountIsOnIt(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		w.spare()
		w.online("a1", "a2")
		owned := w.begun(w.line.User("Mina"), "hello")
		next := w.configuration().WorkStreams["line"]
		next.ID, next.Name, next.Version, next.Queue = "next", "Next", 0, "spare"
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: next})))
		err := w.retireStream("line", true)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, `account "Shop"`)

		cfg := w.configuration()
		stream, account := cfg.WorkStreams["line"], accountOf(t, w, w.acct.ID)
		stream.Retired, account.WorkStream = true, "next"
		setup := sangdam.Setup{WorkStreams: []routing.WorkStream{stream}, Accounts: []channel.Account{account}}
		require.NoError(t, errOf(w.eng.Plan(w.ctx, w.host, setup)))
		require.NoError(t, errOf(w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: setup})), "both at once")
		require.True(t, w.configuration().WorkStreams["line"].Retired)
		for _, save := range []func() error{func() error { return w.onDesk("support", "line") }, func() error {
			setup.Accounts[0].WorkStream = "line"
			return errOf(w.eng.Plan(w.ctx, w.host, setup))
		}} {
			err = save()
			require.ErrorIs(t, err, sangdam.ErrInvalid)
			require.ErrorContains(t, err, "out of use")
		}
		w.answer(owned.Agent, owned.Conversation, "hi")
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent(owned.Agent), sangdam.End{Conversation: owned.Conversation, Final: true})))
		w.settle()
		require.ErrorContains(t, w.retireQueue("q", true), `work stream "line"`)
		require.NoError(t, errOf(w.eng.Reopen(w.ctx, w.host, sangdam.Reopen{Conversation: owned.Conversation})))
		require.Equal(t, routing.QueueID("q"), w.detail(owned.Conversation).Item.Queue)
		w.line.User("Sora").SendText("hello")
		w.settle()
		require.Equal(t, routing.QueueID("spare"), w.of(w.line.User("Sora")).Item.Queue)
		require.NoError(t, w.retireStream("line", false))
	}, longOffers)
}

// Whoever leads something to a desk or work stream at the moment at which it is taken out
// of use comes first or is refused.
func TestNothingIsLedToWhatIsTakenOutOfUse(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		w.billing()
		cfg := w.cfg
		cfg.Node = "n2"
		second, err := sangdam.New(cfg)
		require.NoError(t, err)
		_, err = second.Directory(w.ctx, w.host)
		require.NoError(t, err)
		q := w.configuration().Queues["billing"]
		q.Desk = ""
		w.saveQueue(q)
		stream := w.configuration().WorkStreams["line"]
		stream.ID, stream.Version = "next", 0
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})))
		for range 5 {
			require.NoError(t, w.retireDesk("billing", false))
			require.NoError(t, w.retireStream("next", false))
			account := accountOf(t, w, w.acct.ID)
			account.WorkStream = "next"
			var works, retires, moves, ends error
			var all sync.WaitGroup
			all.Go(func() {
				works = errOf(second.Enqueue(w.ctx, w.host, sangdam.Enqueue{Subject: order("1"), Queue: "billing", Desk: "billing"}))
			})
			all.Go(func() { moves = errOf(second.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: account})) })
			all.Go(func() { retires = w.retireDesk("billing", true) })
			all.Go(func() { ends = w.retireStream("next", true) })
			all.Wait()
			assert.NotEqual(t, works == nil, retires == nil, "one is obeyed: %v, %v", works, retires)
			assert.NotEqual(t, moves == nil, ends == nil, "one is obeyed: %v, %v", moves, ends)
			if works == nil {
				require.NoError(t, w.eng.Finish(w.ctx, w.host, sangdam.Finish{Subject: order("1")}))
			}
			require.NoError(t, w.onDesk("support", "line"))
		}
	})
}
