package sangdam_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// ticketRule makes an active trigger about tickets.
func ticketRule(id trigger.ID, when []condition.Clause, actions ...trigger.Action) trigger.Trigger {
	t := rule(id, when, actions...)
	t.Subject = "ticket"
	return t
}

func setting(field, value string) trigger.Action {
	return trigger.Do(action.Set, action.SetParams{Field: field, Value: value})
}

func assignTo(choice trigger.Choice, group string, agents ...routing.AgentID) trigger.Action {
	return trigger.Do(action.Assign, action.AssignParams{Group: group, Agents: agents, Choice: choice})
}

// A conversation, a form and a Go call each open a ticket, and rules assign and
// mail it; what the rule did stands in the history by itself.
func TestTriggersAssignAndMailATicket(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		o.targets(w.world)
		w.saveAgent(routing.Agent{ID: "a1", Name: "Kim", Email: "kim@shop.example", Role: "agent",
			Permissions: []routing.Permission{routing.PermitChat, routing.PermitTicket},
			Capacity:    map[routing.Profile]int{routing.ProfileUnits: 2}, Assign: routing.AssignmentSwitches{Chat: true, Ticket: true}})
		w.online("a1")
		chat := rule("chat", when("message", condition.Contains, "ticket"), trigger.Do(action.Ticket, action.OpenTicketParams{
			Title: action.Texts{"": "From a chat: #{message}"}, Category: string(d.refund), Tags: []string{"chat"}}))
		w.save(chat,
			ticketRule("assign", when("event", condition.Is, "created"), assignTo(trigger.ChooseInTurn, "returns"),
				trigger.Do(action.Priority, action.PriorityParams{Value: 1})),
			ticketRule("tell", when("agent", condition.Changed, nil),
				trigger.Do(action.Mail, action.MailParams{To: action.ToAssignee,
					Subject: action.Texts{"": "Ticket #{number}"}, Body: action.Texts{"": "#{title}: #{record.link}"}, HTML: true})),
			ticketRule("thank", when("event", condition.Is, "created"),
				trigger.Do(action.Mail, action.MailParams{To: action.ToCustomer,
					Subject: action.Texts{"ko": "#{customer.name}님의 문의", "": "Your inquiry"},
					Body:    action.Texts{"": "<p>#{title}</p>"}, HTML: true})))
		w.line.User("Mina").SendText("a ticket, please")
		w.settle()
		form, err := w.eng.SubmitTicket(w.ctx, w.host,
			sangdam.SubmitTicket{Category: d.refund, Title: "Form <b>", Content: "x", Consent: true,
				Language:  "ko",
				Requester: ticket.Requester{Name: "민수", Email: "minsu@example.com"},
				Fields:    map[string]ticket.Value{"order": {Text: "17"}}})
		require.NoError(t, err)
		call := d.open(sangdam.OpenTicket{Title: "Call"})
		w.settle()
		page, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
		require.NoError(t, err)
		require.Len(t, page.Tickets, 3)
		for _, found := range page.Tickets {
			require.EqualValues(t, "a1", found.Agent, found.Title)
			require.EqualValues(t, "returns", found.Group)
			require.Equal(t, ticket.High, found.Priority)
		}
		subjects := map[string]int{}
		for _, m := range o.mails.Mails() {
			subjects[m.Subject]++
			if m.Subject == "민수님의 문의" {
				require.Equal(t, "<p>Form &lt;b&gt;</p>", strings.TrimSpace(m.HTML))
				require.Equal(t, []string{"minsu@example.com"}, m.To)
			}
		}
		require.Equal(t, 1, subjects["민수님의 문의"])
		require.Len(t, o.mails.Mails(), 4, "one to each assignee and one customer with an address")
		var actors []string
		for _, e := range d.read(form.Ticket).Entries {
			actors = append(actors, e.Actor)
		}
		require.Equal(t, "trigger:assign", actors[len(actors)-1])
		d.replays(form.Ticket)
		d.replays(call)
	}, withOutside(&o), withConfig(func(c *sangdam.Config) { c.ConsoleURL = "https://desk.example.com" }))
}

// A group that was emptied, an agent who was taken out of it, disabled or
// switched off between rule and action: passed over, and the log says so.
func TestAgentsWhoAreGoneArePassedOver(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		w := d.world
		w.save(ticketRule("in", when("title", condition.Contains, "group"), assignTo(trigger.ChooseRandom, "returns")),
			ticketRule("one", when("title", condition.Contains, "one"), assignTo(trigger.ChooseOne, "", "a2")))
		group := ticket.Group{ID: "returns", Version: 1, Name: "Returns"}
		require.NoError(t, errOf(w.eng.SaveGroup(w.ctx, w.host, sangdam.SaveGroup{Group: group})))
		w.saveAgent(routing.Agent{ID: "a2", Name: "Gone", Role: "agent", Disabled: true,
			Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}})
		a, b := d.open(sangdam.OpenTicket{Title: "group"}), d.open(sangdam.OpenTicket{Title: "one"})
		require.EqualValues(t, "returns", d.read(a).Ticket.Group)
		require.Empty(t, d.read(a).Ticket.Agent)
		require.Contains(t, w.runs("in")[0].Outcomes[0].Note, "stays with group returns")
		require.Empty(t, d.read(b).Ticket.Agent)
		require.Contains(t, w.runs("one")[0].Outcomes[0].Note, "none of the agents")
		err := w.eng.DeleteGroup(w.ctx, w.host, sangdam.DeleteGroup{Group: "returns", Version: 2})
		require.ErrorContains(t, err, `trigger "Rule in"`)
	})
}

func inTickets(t *testing.T, fn func(d *ticketDesk), options ...worldOption) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) { fn(newTicketDesk(t, w)) }, options...)
}

// A rule acts as itself, whoever caused the event: it sets what an agent
// may not.
func TestARuleActsWithItsOwnRights(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		w := d.world
		w.save(ticketRule("cost", when("tags", condition.Has, "dear"), setting("field.cost", "900")),
			ticketRule("sealed", when("tags", condition.Has, "dear"), setting("field.card", "4111")))
		id := d.open(sangdam.OpenTicket{Agent: "a1"})
		err := d.update(w.agent("a1"), id, sangdam.TicketChange{Fields: map[string]ticket.Value{"cost": {Number: ptr(1.0)}}}, nil)
		require.ErrorIs(t, err, sangdam.ErrInvalid, "not the agent itself")
		require.NoError(t, d.update(w.agent("a1"), id, sangdam.TicketChange{AddTags: []string{"dear"}}, nil))
		got := d.read(id).Ticket
		require.InDelta(t, 900, *got.Fields["cost"].Number, 0)
		require.NotContains(t, got.Fields, "card", "what is encrypted is not set by rules")
		last := d.read(id).Entries
		require.Equal(t, "trigger:cost", last[len(last)-1].Actor)
		require.ErrorIs(t, errOf(w.eng.SaveTrigger(w.ctx, w.agent("a1"),
			sangdam.SaveTrigger{Trigger: ticketRule("x", nil, setting("title", "x"))})), sangdam.ErrPermissionDenied)
	})
}

// Forward then complete, and a timed rule that counts open hours.
func TestForwardedTicketsAndTimedRules(t *testing.T) {
	var o outside
	inTickets(t, func(d *ticketDesk) {
		w := d.world
		o.targets(w)
		late := ticketRule("late", when("state", condition.Is, "unassigned"), setting("title", "late"))
		late.After = &trigger.After{Since: "created", For: 2 * time.Hour}
		w.save(ticketRule("fw", when("title", condition.Contains, "forward"), trigger.Do(action.Forward,
			action.ForwardParams{To: "partner@outside.example", Complete: true})), late)
		fw := d.open(sangdam.OpenTicket{Title: "forward", Body: "the inquiry",
			Fields: map[string]ticket.Value{"card": {Text: "4111 1111"}}})
		waits := d.open(sangdam.OpenTicket{Title: "waits"})
		w.settle()
		require.Equal(t, ticket.Complete, d.read(fw).Ticket.State)
		require.Contains(t, o.mails.Mails()[0].Text, "the inquiry")
		require.NotContains(t, o.mails.Mails()[0].Text, "4111", "encrypted fields are never in the mail")
		link := "https://desk.example.com/tickets/" + string(fw) + "\n"
		require.True(t, strings.HasSuffix(strings.ReplaceAll(o.mails.Mails()[0].Text, "\r\n", "\n"), link), "the link is at the bottom")
		w.jump(3 * time.Hour)
		w.pass(2 * time.Second)
		require.Equal(t, "late", d.read(waits).Ticket.Title)
		require.Len(t, w.runs("late"), 2, "one that fired, and one with the reason why not")
		w.jump(3 * time.Hour)
		w.pass(2 * time.Second)
		require.Len(t, w.runs("late"), 2)
	}, withOutside(&o), withConfig(func(c *sangdam.Config) { c.ConsoleURL = "https://desk.example.com" }))
}

// What is masked in a ticket stays masked in its forward.
func TestAForwardHidesWhatIsMasked(t *testing.T) {
	var o outside
	inTickets(t, func(d *ticketDesk) {
		o.targets(d.world)
		d.save(ticketRule("fw", when("tags", condition.Has, "out"), trigger.Do(action.Forward,
			action.ForwardParams{To: "partner@outside.example"})))
		id := d.open(sangdam.OpenTicket{Title: "Lamp", Body: "my number is 4111 1111"})
		masked, err := d.eng.MaskTicket(d.ctx, d.host, sangdam.MaskTicket{Ticket: id, Part: ticket.BodyPart,
			Version: d.read(id).Ticket.Version,
			Spans:   []privacy.Span{{Start: len("my number is "), End: len("my number is 4111 1111")}}})
		require.NoError(t, err)
		require.NotZero(t, masked.Version)
		require.NoError(t, d.update(d.host, id, sangdam.TicketChange{AddTags: []string{"out"}}, nil))
		d.settle()
		require.Len(t, o.mails.Mails(), 1)
		require.Contains(t, o.mails.Mails()[0].Text, "my number is *")
		require.NotContains(t, o.mails.Mails()[0].Raw, "4111")
	}, withOutside(&o))
}

// A ticket that is forwarded is complete when the server has accepted the mail, not
// when it is queued. One whose mail is refused for good stays open and says why;
// one whose outcome nobody knows stays as it is.
func TestAForwardedTicketWaitsForTheMail(t *testing.T) {
	var o outside
	inTickets(t, func(d *ticketDesk) {
		w := d.world
		o.targets(w)
		w.save(ticketRule("fw", when("title", condition.Contains, "forward"), trigger.Do(action.Forward,
			action.ForwardParams{To: "partner@outside.example", Complete: true})))
		o.mails.Fail(mailtest.Fault{Code: 451}, refused, dropped)
		later := d.open(sangdam.OpenTicket{Title: "forward, but not now"})
		w.settle()
		require.Equal(t, ticket.Unassigned, d.read(later).Ticket.State, "queued is not accepted")
		bad := d.open(sangdam.OpenTicket{Title: "forward refused"})
		w.settle()
		lost := d.open(sangdam.OpenTicket{Title: "forward lost"})
		w.settle()
		w.jump(time.Minute)
		w.pass(2 * time.Second)
		require.Equal(t, ticket.Complete, d.read(later).Ticket.State, "it was taken at the second try")
		got := d.read(bad)
		require.Equal(t, ticket.Unassigned, got.Ticket.State)
		last := got.Entries[len(got.Entries)-1]
		require.Equal(t, []any{ticket.Commented, "trigger:fw"}, []any{last.Kind, last.Actor})
		require.Contains(t, last.Text, "the server refuses")
		require.NotContains(t, last.Text, "partner@")
		require.Equal(t, ticket.Unassigned, d.read(lost).Ticket.State)
		require.Len(t, d.read(lost).Entries, 1)
	}, withOutside(&o))
}

// Whatever happens to tickets, and whatever rules there are: in one event each
// rule fires at most once and in order, and the history makes the ticket.
func TestTriggersByChance(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		rng := rand.New(rand.NewPCG(7, 11))
		fields := []string{"title", "language", "field.order"}
		for i := range 12 {
			r := ticketRule(trigger.ID(fmt.Sprintf("r%02d", i)), when(fields[rng.IntN(2)], condition.Is, string(rune('a'+rng.IntN(4)))),
				setting(fields[rng.IntN(3)], string(rune('a'+rng.IntN(4)))), tag(fmt.Sprint("t", rng.IntN(5))))
			if rng.IntN(2) == 0 {
				r.When = condition.Condition{Any: []condition.Clause{{Field: "priority", Op: condition.Changed},
					{Field: "tags", Op: condition.Changed}}}
			}
			r.Cascade = rng.IntN(2) == 0
			w.save(r)
		}
		var ids []ticket.ID
		for range 6 {
			ids = append(ids, d.open(sangdam.OpenTicket{Title: string(rune('a' + rng.IntN(4)))}))
		}
		for range 25 {
			id := ids[rng.IntN(len(ids))]
			c := sangdam.TicketChange{Title: ptr(string(rune('a' + rng.IntN(4))))}
			if rng.IntN(2) == 0 {
				c.Priority = ptr(ticket.Priority(rng.IntN(4) - 1))
			}
			require.NoError(t, d.update(w.host, id, c, nil))
		}
		w.settle()
		for _, id := range ids {
			d.replays(id)
			page, err := w.eng.TriggerRuns(w.ctx, w.host, sangdam.TriggerRunFilter{Record: "ticket:" + string(id)}, "", 200)
			require.NoError(t, err)
			seen, last := map[string]bool{}, map[string]sangdam.TriggerRun{}
			for i := len(page.Runs) - 1; i >= 0; i-- {
				r := page.Runs[i]
				key := r.Event.ID + string(r.Trigger)
				require.False(t, seen[key], "%s fires once in an event", r.Trigger)
				seen[key] = true
				if before, ok := last[r.Event.ID]; ok && before.Pass == r.Pass {
					require.Less(t, before.Trigger, r.Trigger, "in their order")
				}
				last[r.Event.ID] = r
			}
		}
	})
}

// Ten triggers with the same condition and ten agents leave the ticket with the
// tenth; a disabled one that comes after it changes nothing.
func TestTheLastOfTenTriggersAssignsTheTicket(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		var ids []routing.AgentID
		for i := range 11 {
			ids = append(ids, routing.AgentID(fmt.Sprint("t", i)))
		}
		withTickets(d.world, ids...)
		for i, id := range ids {
			d.save(ticketRule(trigger.ID(fmt.Sprintf("r%02d", i)), when("event", condition.Is, "created"),
				assignTo(trigger.ChooseOne, "", id)))
		}
		d.saveAgent(routing.Agent{ID: ids[10], Name: "Gone", Role: "agent", Disabled: true,
			Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}})
		id := d.open(sangdam.OpenTicket{})
		require.Equal(t, ids[9], d.read(id).Ticket.Agent)
		require.Contains(t, d.runs("r10")[0].Outcomes[0].Note, "none of the agents")
		d.replays(id)
	})
}

// Over 10,000 tickets, ten agents get what one in ten means when a rule chooses by
// chance: each is within its interval (99.9 %, ten of them looked at). The draw
// follows from the engine's seed and the ids of the tickets, so a run is another
// one each time. The desks are twenty, because the store in memory looks through
// all documents of a kind at each listing.
func TestRandomOverTenThousandTickets(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const n, desks = 10_000, 20
	var ids []routing.AgentID
	for i := range 10 {
		ids = append(ids, routing.AgentID(fmt.Sprint("t", i)))
	}
	got := map[routing.AgentID]int{}
	for desk := range uint64(desks) {
		inTickets(t, func(d *ticketDesk) {
			withTickets(d.world, ids...)
			d.save(ticketRule("random", when("event", condition.Is, "created"), assignTo(trigger.ChooseRandom, "", ids...)))
			for range n / desks {
				d.open(sangdam.OpenTicket{})
			}
			for page := ""; ; {
				found, err := d.eng.Tickets(d.ctx, d.host, sangdam.TicketFilter{}, page, 200)
				require.NoError(t, err)
				for _, one := range found.Tickets {
					got[one.Agent]++
				}
				if page = found.Next; page == "" {
					break
				}
			}
		}, withConfig(func(c *sangdam.Config) { c.Seed = seed + desk }))
	}
	require.Len(t, got, len(ids), "nobody else, and no ticket is left over")
	sum := 0
	for _, id := range ids {
		sum += got[id]
		require.InDelta(t, n/10, got[id], 3.9*math.Sqrt(n*0.1*0.9), "%s, seed %d", id, seed)
	}
	require.Equal(t, n, sum)
}

// One save that changes four things is one event, with the ticket as it was.
func TestOneSaveOfATicketIsOneEvent(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		w := d.world
		id := d.open(sangdam.OpenTicket{Title: "before"})
		w.save(ticketRule("four", []condition.Clause{{Field: "title", Op: condition.ChangedFrom, Value: "before"},
			{Field: "priority", Op: condition.Changed},
			{Field: "agent", Op: condition.ChangedTo, Value: "a1"}, {Field: "state", Op: condition.Changed}}, tag("four")))
		agent := routing.AgentID("a1")
		require.NoError(t, d.update(w.host, id, sangdam.TicketChange{Title: ptr("after"), Priority: ptr(ticket.Urgent), Agent: &agent,
			State: ptr(ticket.OnHold)}, nil))
		require.Equal(t, []string{"four"}, d.read(id).Ticket.Tags)
		runs := w.runs("four")
		require.Len(t, runs, 1)
		require.Equal(t, trigger.ByHost, runs[0].Event.Actor)
		require.Subset(t, runs[0].Happened, []string{"state", "assigned", "changed"})
	})
}
