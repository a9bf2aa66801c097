package sangdam_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
	"github.com/sangdam/sangdam/trigger/trial"
)

// tries tries a trigger and returns what came of it.
func (w *replayWorld) tries(p sangdam.Principal, t trigger.Trigger, since time.Time) sangdam.TriggerTrial {
	w.t.Helper()
	saved, err := w.eng.TryTrigger(w.ctx, p, sangdam.TryTrigger{Trigger: t, Since: since})
	require.NoError(w.t, err)
	return w.tried(p, saved.ID)
}

// tried is a trial that is over.
func (w *replayWorld) tried(p sangdam.Principal, id string) (trial sangdam.TriggerTrial) {
	w.t.Helper()
	for range 100 {
		w.settle()
		var err error
		trial, err = w.eng.Trial(w.ctx, p, id)
		require.NoError(w.t, err)
		if trial.State != sangdam.ErrandRunning {
			return trial
		}
	}
	require.Fail(w.t, "the trial never came to its end", "%+v", trial)
	return trial
}

// samples are the records that a trial names.
func samples(d trial.Difference) (out []string) {
	for _, s := range d.Samples {
		out = append(out, s.Record)
	}
	return out
}

// A dry run over histories: what a rule would have done, with the difference to
// the rule as it is stored, and nothing is changed and nothing sent.
func TestTryingATrigger(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		var ids []ticket.ID
		for i := range 5 {
			c := sangdam.OpenTicket{Title: fmt.Sprint("t", i)}
			if i == 2 {
				c.Requester.Email = "mina@example.com"
			}
			ids = append(ids, d.open(c))
		}
		w.settle() // what happens at one time is one event
		for i, id := range ids {
			require.NoError(t, d.update(w.host, id, sangdam.TicketChange{Priority: ptr(ticket.Priority(i % 3))}, nil))
		}
		w.settle()
		mail := trigger.Do(action.Mail, action.MailParams{To: action.ToCustomer, Subject: action.Texts{"": "x"},
			Body: action.Texts{"": "x"}, HTML: true})
		w.save(ticketRule("there", when("event", condition.Is, "created"), tag("new")),
			ticketRule("try", when("priority", condition.ChangedTo, 1.0), tag("high")))
		for _, id := range ids {
			require.NoError(t, errOf(w.eng.ReplyTicket(w.ctx, w.host, sangdam.ReplyTicket{Ticket: id, Text: "hello"})))
		}
		stored, err := w.eng.Triggers(w.ctx, w.host, "ticket")
		require.NoError(t, err)
		edited := stored.Triggers[1].Trigger
		edited.When.All = when("priority", condition.ChangedTo, 2.0)
		edited.Actions = append(edited.Actions, mail, trigger.Do(action.Notice,
			action.NoticeParams{Target: "room", Text: action.Texts{"": "#{title}"}}))
		try := w.tries(w.host, edited, time.Time{})
		require.Equal(t, []int{5, 5, 0}, []int{try.Total, try.Done, try.LeftOut})
		require.Equal(t, []any{sangdam.ErrandDone, sangdam.TrialBound(""), false}, []any{try.State, try.Cut, try.Mixed})
		r := try.Result
		require.Equal(t, 5, r.Records)
		require.Equal(t, 13, r.Events, "opened, five; three changed their priority; five replies")
		require.Equal(t, trial.Matches{Events: 1, Records: 1,
			Actions: map[string]trial.Tally{"tag": {Done: 1}, "mail": {Done: 1, Sent: 1},
				"notice": {Done: 1, Sent: 1}}},
			r.Now)
		require.Equal(t, 2, r.Was.Events)
		require.Equal(t, []string{"ticket:" + string(ids[2])}, samples(r.Gained))
		require.ElementsMatch(t, []string{"ticket:" + string(ids[1]), "ticket:" + string(ids[4])}, samples(r.Lost))
		require.Equal(t, "all[0] priority changed_to: held", r.Gained.Samples[0].Now[0].String())
		require.Equal(t, "all[0] priority changed_to: missed", r.Gained.Samples[0].Was[0].String())

		edited.When.All = when("event", condition.Is, "replied")
		since := w.tries(w.host, edited, try.At.Add(time.Microsecond))
		require.Zero(t, since.Result.Events, "nothing happened since")
		for _, id := range ids {
			require.Empty(t, d.read(id).Ticket.Tags)
			d.replays(id)
		}
		require.Empty(t, o.room.Notices())
		require.Empty(t, o.mails.Mails())
		require.ErrorIs(t, errOf(w.eng.TryTrigger(w.ctx, w.host,
			sangdam.TryTrigger{Trigger: ticketRule("bad", when("nothing", condition.Is, "x"),
				tag("x"))})), sangdam.ErrInvalid)
	}, withOutside(&o))
}

// What a rule did as things happened is what it does on the past of them: each is
// tried as another one, and fires in as many events.
func TestThePastIsAsItWas(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		w.online("a1")
		lived := livedRules()
		w.save(lived...)
		mina := w.line.User("Mina")
		o := w.begun(mina, "hello")
		w.answer("a1", o.Conversation, "good day")
		mina.SendText("refund please")
		w.settle() // what happens at one time is one event
		mina.SendText("and soon")
		w.settle()
		require.NoError(t, errOf(w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: o.Conversation, Text: "refund?"})))
		w.settle()
		require.NoError(t, errOf(w.eng.SavePanel(w.ctx, w.agent("a1"), sangdam.SavePanel{Conversation: o.Conversation, Memo: "hm"})))
		w.settle()
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: o.Conversation, Final: true, Reason: "done"})))
		w.settle()
		mina.SendText("once more")
		w.settle()
		id := d.open(sangdam.OpenTicket{Desk: "support", Category: d.delivery, Requester: ticket.Requester{Email: "jun@example.com"}})
		w.settle()
		agent := routing.AgentID("a1")
		require.NoError(t, d.update(w.agent("a1"), id, sangdam.TicketChange{Agent: &agent, State: ptr(ticket.InProgress)}, nil))
		w.settle()
		require.NoError(t, d.update(w.agent("a1"), id, sangdam.TicketChange{State: ptr(ticket.Solved)},
			&sangdam.TicketComment{Text: "done", Public: true}))
		w.settle()
		require.NoError(t, errOf(w.eng.ReplyTicket(w.ctx, w.host, sangdam.ReplyTicket{Ticket: id, Text: "refund after all"})))
		w.settle()
		for _, r := range lived {
			did := w.runs(r.ID)
			require.NotEmpty(t, did, "%s never fired, which tells nothing", r.ID)
			r.ID, r.Title = "again-"+r.ID, "Again "+r.Title
			trial := w.tries(w.host, r, time.Time{})
			require.Equal(t, len(did), trial.Result.Now.Events, "%s: %+v", r.ID, did)
			require.Zero(t, trial.LeftOut)
		}
	})
}

// livedRules ask about everything that the past of a record tells.
func livedRules() (out []trigger.Trigger) {
	conv := map[string][]condition.Clause{
		"message": when("message", condition.Contains, "refund"), "answer": when("answer", condition.Contains, "good"),
		"opened": when("event", condition.Is, "opened"), "ended": when("event", condition.Is, "ended"),
		"note":     when("event", condition.Is, "note"),
		"assigned": when("happened", condition.Has, "assigned"), "queued": when("happened", condition.Has, "queued"),
		"customer": when("actor", condition.Is, "customer"), "agent": when("actor", condition.Is, "agent"),
		"unread": when("unread", condition.Gt, 1.0), "closed": when("state", condition.ChangedTo, "closed"),
		"control": when("control", condition.Changed, nil), "owner": when("agent", condition.ChangedTo, "a1"),
		"last": when("last_agent", condition.Is, "a1"), "by": when("ended_by", condition.Present, nil),
		"panel": when("event", condition.Is, "panel"), "handled": when("handled", condition.Is, true),
		"open": when("state", condition.Is, "open"), "line": when("channel", condition.Is, "line"),
		"desk":  when("desk", condition.Is, "support"),
		"queue": when("queue", condition.Present, nil), "spoken": when("agent_at", condition.Changed, nil),
	}
	for id, all := range conv {
		out = append(out, rule(trigger.ID("c-"+id), all, tag(id)))
	}
	tick := map[string][]condition.Clause{
		"created": when("event", condition.Is, "created"), "agent": when("agent", condition.ChangedTo, "a1"),
		"solved": when("event", condition.Is, "solved"), "reopened": when("happened", condition.Has, "reopened"),
		"comment": when("comment", condition.Contains, "refund"), "who": when("actor", condition.Is, "agent"),
		"state": when("state", condition.Changed, nil),
	}
	for id, all := range tick {
		out = append(out, ticketRule(trigger.ID("t-"+id), all, tag(id)))
	}
	slices.SortFunc(out, func(a, b trigger.Trigger) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out
}

// Whoever tries a rule learns nothing of what it may not see: not that it matches,
// and no name, also when the rights have become fewer since. A mask hides for a
// trial too.
func TestATrialSeesWhatItsRunnerSees(t *testing.T) {
	policy := &narrowed{hidden: map[string]bool{}}
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		policy.set()
		d := newTicketDesk(t, w)
		w.online("a1")
		boss := sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator)
		secret := w.begun(w.line.User("Mina"), "secret word")
		seen := w.begun(w.line.User("Jun"), "secret word too").Conversation
		hidden := d.open(sangdam.OpenTicket{Title: "secret"})
		shown := d.open(sangdam.OpenTicket{Title: "secret"})
		policy.set(string(secret.Conversation), string(hidden))
		try := rule("try", when("message", condition.Contains, "secret"), tag("x"))
		trial := w.tries(boss, try, time.Time{})
		require.Equal(t, []string{"conversation:" + string(seen)}, samples(trial.Result.Gained))
		require.Equal(t, []int{1, 1, 0, 1}, []int{trial.Total, trial.Done, trial.LeftOut, trial.Result.Records})
		of := w.tries(boss, ticketRule("try", when("title", condition.Is, "secret"), tag("x")), time.Time{})
		require.Equal(t, []string{"ticket:" + string(shown)}, samples(of.Result.Gained))
		require.Equal(t, 1, of.Result.Records)

		policy.set(string(secret.Conversation), string(hidden), string(seen))
		later, err := w.eng.Trial(w.ctx, boss, trial.ID)
		require.NoError(t, err)
		require.Empty(t, later.Result.Gained.Samples, "it may not be seen any more")
		require.Equal(t, 1, later.Result.Gained.Events)
		other := sangdam.AgentPrincipal(ws, "lead", sangdam.RoleAdministrator)
		require.ErrorIs(t, errOf(w.eng.Trial(w.ctx, other, trial.ID)), sangdam.ErrNotFound)
		require.ErrorIs(t, w.eng.StopTrial(w.ctx, other, sangdam.StopTrial{Trial: trial.ID}), sangdam.ErrNotFound)

		policy.set()
		m := w.detail(seen).Messages[0]
		_, err = w.eng.MaskMessage(w.ctx, w.host, sangdam.MaskMessage{Message: m.ID, Version: m.Version,
			Spans: []privacy.Span{{Start: 0, End: len("secret")}}})
		require.NoError(t, err)
		require.Equal(t, []string{"conversation:" + string(secret.Conversation)}, samples(w.tries(boss, try, time.Time{}).Result.Gained))
	}, withConfig(func(cfg *sangdam.Config) { cfg.Policy = policy }))
}

// narrowed is a host's policy that hides some records from agents.
type narrowed struct {
	sangdam.DefaultPolicy
	hidden    map[string]bool
	configure error // the answer about setting up
}

func (p *narrowed) set(ids ...string) {
	p.hidden = map[string]bool{}
	for _, id := range ids {
		p.hidden[id] = true
	}
}

func (p *narrowed) Authorize(ctx context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
	if w.Kind == sangdam.KindAgent && p.hidden[r.ID] {
		return sangdam.ErrNotFound
	}
	if w.Kind == sangdam.KindAgent && a == sangdam.ActConfigure && p.configure != nil {
		return p.configure
	}
	return p.DefaultPolicy.Authorize(ctx, w, a, r)
}

// A trial goes on after the process ended, can be stopped, is one of two at a
// time, and goes after some days.
func TestATrialIsABackgroundJob(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		w.seeded(0, 350, "support")
		try := rule("try", when("message", condition.Contains, "question"), tag("x"))
		w.settle()
		w.halt()
		first, err := w.eng.TryTrigger(w.ctx, w.host, sangdam.TryTrigger{Key: "k", Trigger: try})
		require.NoError(t, err)
		again, err := w.eng.TryTrigger(w.ctx, w.host, sangdam.TryTrigger{Key: "k", Trigger: try})
		require.NoError(t, err)
		require.Equal(t, first.ID, again.ID)
		second, err := w.eng.TryTrigger(w.ctx, w.host, sangdam.TryTrigger{Trigger: try})
		require.NoError(t, err)
		require.ErrorIs(t, errOf(w.eng.TryTrigger(w.ctx, w.host, sangdam.TryTrigger{Trigger: try})), sangdam.ErrConflict)
		require.NoError(t, w.eng.StopTrial(w.ctx, w.host, sangdam.StopTrial{Trial: second.ID}))
		require.NoError(t, w.eng.StopTrial(w.ctx, w.host, sangdam.StopTrial{Trial: second.ID}), "it is over")
		third, err := w.eng.TryTrigger(w.ctx, w.host, sangdam.TryTrigger{Trigger: try})
		require.NoError(t, err, "there is a place again")
		w.next()
		for _, id := range []string{first.ID, third.ID} {
			try := w.tried(w.host, id)
			require.Equal(t, []any{sangdam.ErrandDone, 350, 350, 350, 4, 4},
				[]any{try.State, try.Total, try.Done, try.Result.Now.Events,
					try.Parts, try.Made})
			require.Len(t, try.Result.Gained.Samples, trial.MaxSamples)
		}
		list, err := w.eng.Trials(w.ctx, w.host, "try")
		require.NoError(t, err)
		require.Equal(t, []string{third.ID, second.ID, first.ID}, []string{list[0].ID, list[1].ID, list[2].ID})
		stopped, err := w.eng.Trial(w.ctx, w.host, second.ID)
		require.NoError(t, err)
		require.Equal(t, sangdam.ErrandCancelled, stopped.State)
		require.Zero(t, stopped.Result.Events)
		if w.real {
			return
		}
		w.jump(8 * 24 * time.Hour)
		w.pass(2 * time.Hour)
		require.ErrorIs(t, errOf(w.eng.Trial(w.ctx, w.host, first.ID)), sangdam.ErrNotFound)
		w.inStore(func(tx store.Tx) error {
			left, err := tx.Documents().Get(w.ctx, driver.Keys{Kind: "trigger_trial", IDs: []string{first.ID}})
			require.Empty(t, left)
			if err == nil {
				parts := []string{second.ID + "/0", first.ID + "/3"}
				left, err = tx.Documents().Get(w.ctx, driver.Keys{Kind: "trigger_trial_part", IDs: parts})
				require.Empty(t, left)
			}
			return err
		})
	})
}

// Whoever lost the right to set rules up gets no result.
func TestATrialEndsWithItsRunnersRight(t *testing.T) {
	policy := &narrowed{}
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		policy.set()
		w.seeded(0, 10, "support")
		boss := sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator)
		for _, how := range []error{sangdam.ErrPermissionDenied, sangdam.ErrNotFound} {
			policy.configure = nil
			w.halt()
			saved, err := w.eng.TryTrigger(w.ctx, boss, sangdam.TryTrigger{Trigger: rule("try", nil, tag("x"))})
			require.NoError(t, err)
			policy.configure = how
			w.next()
			w.pass(time.Minute)
			trial, err := w.eng.Trial(w.ctx, w.host, saved.ID)
			require.NoError(t, err)
			require.Equal(t, []any{sangdam.ErrandFailed, 0}, []any{trial.State, trial.Result.Events})
			require.NotEmpty(t, trial.Reason)
		}
	}, withConfig(func(cfg *sangdam.Config) { cfg.Policy = policy }))
}

// A rule that asks what no past is kept of says so, and so does one whose words
// are gone.
func TestATrialSaysWhatItDoesNotKnow(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		w.online("a1")
		mina := w.line.User("Mina")
		m := mina.SendText("taken back")
		w.settle()
		require.NoError(t, errOf(mina.Unsend(m.MessageID)))
		w.settle()
		try := rule("try", append(when("memo", condition.Absent, nil), condition.Clause{Field: "attribute.plan", Op: condition.Absent},
			condition.Clause{Field: "state", Op: condition.Is, Value: "open"}), tag("x"))
		trial := w.tries(w.host, try, time.Time{})
		require.Equal(t, []string{"attribute.plan", "memo"}, trial.Assumed)
		require.Equal(t, 1, trial.Gone)
		require.NotZero(t, trial.Result.Now.Events)
		cost := 3.0
		id := d.open(sangdam.OpenTicket{Desk: "support"})
		require.NoError(t, d.update(w.host, id, sangdam.TicketChange{Fields: map[string]ticket.Value{"cost": {Number: &cost}}}, nil))
		costs := ticketRule("try", when("field.cost", condition.Gt, 1.0), tag("x"))
		all := w.tries(w.host, costs, time.Time{})
		require.Empty(t, all.Assumed)
		require.Equal(t, 1, all.Result.Now.Events)
	})
}
