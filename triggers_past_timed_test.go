package sangdam_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// waiting makes a rule wait.
func waiting(t trigger.Trigger, since string, d time.Duration, calendar string) trigger.Trigger {
	t.After = &trigger.After{Since: since, For: d, Calendar: calendar}
	return t
}

// TestTimedRulesOnThePast: rules that wait for a time fired as things happened, and
// fire on the past of them as often, on the same records: also those whose moment
// came long after the last change, whose own action moved what they wait for, which
// count open hours alone, and of which nothing held when the time had come. The
// clock of PostgreSQL cannot be moved; TestATrialComesToItsTimes is about it.
func TestTimedRulesOnThePast(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		const hour = time.Hour
		later := func(n int) {
			w.jump(time.Duration(n) * hour)
			w.pass(2 * time.Second)
		}
		calendar := ownHours(d)
		w.online("a1")
		lived := []trigger.Trigger{
			waiting(ticketRule("open", when("state", condition.Is, "unassigned"), tag("old")), "created", 2*hour, ""),
			waiting(ticketRule("held", when("state", condition.Is, "on_hold"), tag("held")), "state_since", hour, ""),
			waiting(ticketRule("quiet", nil, tag("quiet")), "updated", 5*hour, ""), // moves it itself
			waiting(ticketRule("hours", nil, tag("hours")), "created", 3*hour, calendar),
			waiting(ticketRule("time", when("event", condition.Is, "time"), tag("time")), "created", hour, ""),
			waiting(rule("unread", when("unread", condition.Gt, 0.0), tag("unread")), "customer_at", hour, ""),
			waiting(rule("silent", when("actor", condition.Is, "system"), tag("silent")), "message_at", 4*hour, ""),
		}
		w.save(lived...)
		mina := w.line.User("Mina")
		o := w.begun(mina, "hello")
		first, second := d.open(sangdam.OpenTicket{}), d.open(sangdam.OpenTicket{})
		w.settle()
		later(1)
		require.NoError(t, d.update(w.host, second, sangdam.TicketChange{State: ptr(ticket.OnHold)}, nil))
		w.answer("a1", o.Conversation, "good day")
		w.settle()
		mina.SendText("and now?")
		w.settle()
		later(2)
		require.NoError(t, d.update(w.host, second, sangdam.TicketChange{State: ptr(ticket.InProgress)}, nil))
		require.NoError(t, d.update(w.host, first, sangdam.TicketChange{Title: ptr("Lamp, broken")}, nil))
		w.settle()
		later(24)
		later(24)
		for _, r := range lived {
			fired := 0
			records := map[string]bool{}
			for _, run := range w.runs(r.ID) {
				if run.Matched {
					fired, records[run.Record] = fired+1, true
				}
			}
			require.NotZero(t, fired, "%s never fired, which tells nothing", r.ID)
			r.ID, r.Title = "again-"+r.ID, "Again "+r.Title
			trial := w.tries(w.host, r, time.Time{})
			require.Equal(t, []int{fired, len(records), 0}, []int{trial.Result.Now.Events, trial.Result.Now.Records, trial.LeftOut}, r.ID)
			recent := w.tries(w.host, r, trial.At)
			require.Zero(t, recent.Result.Now.Events, "nothing was due since")
		}
		stored := lived[0]
		stored.Version = 1
		same := w.tries(w.host, stored, time.Time{}).Result
		require.Equal(t, []int{1, 1, 0, 0}, []int{same.Now.Events, same.Was.Events, same.Gained.Events, same.Lost.Events})
		stored.After = &trigger.After{Since: "created", For: 1000 * hour}
		never := w.tries(w.host, stored, time.Time{}).Result
		require.Equal(t, []int{0, 1, 1}, []int{never.Now.Events, never.Was.Events, never.Lost.Events})
		require.Equal(t, []string{"ticket:" + string(first)}, samples(never.Lost))
	})
}

// ownHours opens the workspace at night alone, in the clock of the memory store,
// which begins at midnight; the name is that of the record's own hours.
func ownHours(d *ticketDesk) string {
	d.t.Helper()
	d.settings(sangdam.WorkspaceSettings{Hours: &hours.Calendar{Zone: "UTC", Week: hours.Every([]hours.Interval{
		{From: hours.At(0, 0), To: hours.At(2, 0)}}, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday,
		time.Sunday)}})
	return "own"
}
