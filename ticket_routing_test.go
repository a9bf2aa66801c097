package sangdam_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// routed lets tickets find agents in the queue of the chats.
func (d *ticketDesk) routed(r sangdam.TicketRouting) {
	d.t.Helper()
	r.Queue = "q"
	setup, err := d.eng.TicketSetup(d.ctx, d.host)
	require.NoError(d.t, err)
	s := setup.Settings
	s.Tickets = r
	require.NoError(d.t, errOf(d.eng.SaveWorkspaceSettings(d.ctx, d.host, sangdam.SaveWorkspaceSettings{Settings: s})))
}

// worksOn makes an agent one who takes tickets, at most so many at once.
func (d *ticketDesk) worksOn(id routing.AgentID, tickets int, switched bool) {
	d.t.Helper()
	d.saveAgent(routing.Agent{ID: id, Name: "Agent " + string(id), Email: string(id) + "@shop.example", Role: "agent",
		Permissions: []routing.Permission{routing.PermitChat, routing.PermitTicket},
		Capacity:    map[routing.Profile]int{routing.ProfileUnits: 10, routing.SubjectProfile(routing.SubjectTicket): tickets},
		Assign:      routing.AssignmentSwitches{Chat: true, Ticket: switched}})
}

func (d *ticketDesk) held(a routing.AgentID) sangdam.Held {
	d.t.Helper()
	h, err := d.eng.Held(d.ctx, d.host, a)
	require.NoError(d.t, err)
	return h
}

// TestTicketsFindAnAgent: who has the permission, the switch and room; what is
// solved makes room; a person may go beyond it.
func TestTicketsFindAnAgent(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		d.routed(sangdam.TicketRouting{AutoAccept: true})
		d.worksOn("a1", 1, true)
		d.worksOn("a2", 5, false)
		w.online("a1", "a2")
		first := d.open(sangdam.OpenTicket{Desk: "support"})
		w.settle()
		got := d.read(first)
		require.Equal(t, []any{routing.AgentID("a1"), ticket.InProgress}, []any{got.Ticket.Agent, got.Ticket.State},
			"a2 has the switch off")
		require.Equal(t, routing.ItemAssigned, got.Item.State)
		second := d.open(sangdam.OpenTicket{Desk: "support"})
		w.settle()
		require.Empty(t, d.read(second).Ticket.Agent, "a1 has one already")
		require.ErrorIs(t, d.update(w.host, second, sangdam.TicketChange{Agent: ptr(routing.AgentID("a2"))}, nil), sangdam.ErrInvalid)
		require.NoError(t, d.update(w.agent("a1"), first, sangdam.TicketChange{State: ptr(ticket.Solved)}, nil))
		w.settle()
		require.Equal(t, routing.AgentID("a1"), d.read(second).Ticket.Agent)
		require.Len(t, d.held("a1").Assignments, 1)
		third := d.open(sangdam.OpenTicket{Desk: "support", Agent: "a1"})
		require.Len(t, d.held("a1").Assignments, 2, "a person may give more")
		require.NoError(t, d.update(w.host, third, sangdam.TicketChange{Agent: ptr(routing.AgentID(""))}, nil))
		require.Len(t, d.held("a1").Assignments, 1)
		require.Equal(t, routing.ItemQueued, d.read(third).Item.State)

		disabled := routing.Agent{ID: "a1", Name: "A", Role: "agent", Disabled: true}
		w.saveAgent(disabled)
		w.settle()
		require.Empty(t, d.read(second).Ticket.Agent, "whoever is disabled loses its tickets")
		require.Equal(t, ticket.Unassigned, d.read(second).Ticket.State)
		for _, id := range []ticket.ID{first, second, third} {
			d.replays(id)
		}
	})
}

// TestAnOfferOfATicket is answered like one of a chat, and shares the agent's
// units with them.
func TestAnOfferOfATicket(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		d.routed(sangdam.TicketRouting{Cost: 2, OfferFor: time.Hour})
		w.online("a1")
		id := d.open(sangdam.OpenTicket{Desk: "support"})
		w.settle()
		offers := d.held("a1").Offers
		require.Len(t, offers, 1)
		require.Equal(t, routing.Subject{Kind: routing.SubjectTicket, ID: string(id)}, offers[0].Item.Subject())
		_, err := w.eng.Accept(w.ctx, w.agent("a2"), sangdam.Accept{Offer: offers[0].ID})
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
		owned, err := w.eng.Accept(w.ctx, w.agent("a1"), sangdam.Accept{Offer: offers[0].ID})
		require.NoError(t, err)
		require.Equal(t, []any{id, routing.AgentID("a1")}, []any{owned.Ticket, owned.Agent})
		require.Equal(t, routing.AgentID("a1"), d.read(id).Ticket.Agent)
		w.line.User("Mina").SendText("hi")
		w.settle()
		require.Empty(t, d.held("a1").Offers, "the ticket takes both units")
		require.NoError(t, d.update(w.agent("a1"), id, sangdam.TicketChange{State: ptr(ticket.Solved)}, nil))
		w.settle()
		require.Len(t, d.held("a1").Offers, 1)

		declined := d.open(sangdam.OpenTicket{Desk: "support"})
		require.NoError(t, w.eng.Decline(w.ctx, w.agent("a1"), sangdam.Decline{Offer: d.held("a1").Offers[0].ID}))
		w.settle()
		require.Equal(t, routing.ItemOffered, d.read(declined).Item.State)
		d.replays(id)
	})
}

// TestAConversationOverflowsToATicket: it leaves the queue and waits for the
// customer; the ticket holds queue, wait and chat log, and there is one at most.
func TestAConversationOverflowsToATicket(t *testing.T) {
	for _, do := range []routing.OverflowDo{routing.OverflowTicket, routing.OverflowCallBack} {
		t.Run(string(do), func(t *testing.T) { overflows(t, do) })
	}
}

func overflows(t *testing.T, do routing.OverflowDo) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		mina := w.line.User("Mina")
		mina.SendText("my lamp is broken")
		w.pass(2 * time.Minute)
		cv := w.conversations()[0]
		require.Equal(t, conversation.StateWaiting, cv.State)
		page, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{Conversation: cv.ID}, "", 0)
		require.NoError(t, err)
		require.Len(t, page.Tickets, 1)
		got := page.Tickets[0]
		require.Equal(t, []any{"q", "wait", do == routing.OverflowCallBack, cv.Contact},
			[]any{got.Origin.Queue, got.Origin.Overflow, got.Origin.CallBack, got.Contact})
		require.GreaterOrEqual(t, got.Origin.Waited, time.Minute)
		log, err := w.eng.TicketChat(w.ctx, w.host, got.ID, 0, 10)
		require.NoError(t, err)
		require.NotEmpty(t, log)
		require.Equal(t, routing.ItemDone, w.detail(cv.ID).Item.State)

		mina.SendText("hello?")
		w.pass(2 * time.Minute)
		n, err := w.eng.CountTickets(w.ctx, w.host, sangdam.TicketFilter{})
		require.NoError(t, err)
		require.Equal(t, 1, n.N)
		d.replays(got.ID)
	}, withQueue(func(q *routing.Queue) {
		q.Overflow = []routing.Overflow{{When: routing.OverflowWait, After: time.Minute, Do: do}}
	}))
}

// TestServiceLevelsWarnAndBreach in open hours, each once, and stop while the
// ticket is on hold.
func TestServiceLevelsWarnAndBreach(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		require.NoError(t, errOf(w.eng.SaveServiceLevel(w.ctx, w.host,
			sangdam.SaveServiceLevel{Level: ticket.ServiceLevel{ID: "gold", Name: "Gold",
				Goals: map[ticket.Target]time.Duration{ticket.FirstAnswer: 2 * time.Hour}, WarnBefore: 30 * time.Minute,
				Calendar: "desk:support"}})))
		id := d.open(sangdam.OpenTicket{Desk: "support"}) // on a Saturday: counting begins on Monday at nine
		alarms := w.alarms(id)
		w.jump(2*24*time.Hour + 10*time.Hour) // Monday, ten
		w.pass(2 * time.Minute)
		require.Empty(t, alarms())
		w.jump(30 * time.Minute)
		w.pass(2 * time.Minute)
		require.Equal(t, []string{"level_warning"}, alarms())
		require.NoError(t, d.update(w.host, id, sangdam.TicketChange{State: ptr(ticket.OnHold)}, nil))
		w.jump(2 * time.Hour)
		w.pass(2 * time.Minute)
		require.Equal(t, []string{"level_warning"}, alarms(), "the clock stands still")
		require.NoError(t, d.update(w.host, id, sangdam.TicketChange{State: ptr(ticket.Unassigned)}, nil))
		w.jump(time.Hour)
		w.pass(2 * time.Minute)
		require.Equal(t, []string{"level_warning", "level_breach"}, alarms())
		require.True(t, d.read(id).Ticket.Clocks[0].Breached)
		var late sangdam.TicketFilter
		require.NoError(t, late.When.UnmarshalJSON([]byte(`{"version":1,"all":[{"field":"breached","op":"is","value":true}]}`)))
		n, err := w.eng.CountTickets(w.ctx, w.host, late)
		require.NoError(t, err)
		require.Equal(t, 1, n.N)
		d.replays(id)
	}, withDesk(func(desk *routing.Desk) {
		nine := []hours.Interval{{From: 9 * 60, To: 18 * 60}}
		desk.Hours = &hours.Calendar{Zone: "UTC",
			Week: hours.Every(nine, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)}
	}))
}

// alarms reads what the feed tells of a ticket's service levels from now on.
func (w *replayWorld) alarms(id ticket.ID) func() []string {
	w.t.Helper()
	_, cursor, err := w.eng.Events(w.ctx, w.host, "", 1)
	require.NoError(w.t, err)
	var all []string
	return func() []string {
		w.t.Helper()
		for {
			var list []store.Event
			before := cursor
			list, cursor, err = w.eng.Events(w.ctx, w.host, cursor, 100)
			require.NoError(w.t, err)
			for _, e := range list {
				if e.ID == string(id) && (e.Kind == "level_warning" || e.Kind == "level_breach") {
					all = append(all, e.Kind)
				}
			}
			if cursor == before {
				return all
			}
		}
	}
}

// Two conversations of one person become one: their tickets are those of the one
// that goes on, each has its chat log, and overflow makes no further one.
func TestTicketsOfMergedConversations(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		newTicketDesk(t, w)
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		ticketOf := func(u *linetest.User, texts ...string) ticket.ID {
			for _, text := range texts {
				u.SendText(text)
				w.settle()
			}
			made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Conversation: w.of(u).Conversation.ID})
			require.NoError(t, err)
			return made.Ticket
		}
		first, second := ticketOf(mina, "from home"), ticketOf(work, "from work", "the lamp")
		work.SendText("after the ticket")
		w.settle()
		gone := w.of(work).Conversation.ID
		logs := func(id ticket.ID) (out []string) {
			for after := int64(0); ; {
				some, err := w.eng.TicketChat(w.ctx, w.host, id, after, 1)
				require.NoError(t, err)
				if len(some) == 0 {
					return out
				}
				after, out = some[0].Seq, append(out, some[0].Content.Text)
			}
		}
		had := logs(second)
		require.Equal(t, []string{"from work", "the lamp"}, had)
		w.link(work, w.known(mina))
		w.settle()
		kept := w.of(work).Conversation
		require.Equal(t, []conversation.ID{gone}, kept.Merged)

		require.Equal(t, had, logs(second))
		require.Equal(t, []string{"from home"}, logs(first))
		for _, f := range []sangdam.TicketFilter{{Conversation: kept.ID}, {Conversation: kept.ID, Desc: true},
			{Conversation: kept.ID, Order: ticket.ByNumber}} {
			var ids []ticket.ID
			for page, more := "", true; more; more = page != "" {
				list, err := w.eng.Tickets(w.ctx, w.host, f, page, 1)
				require.NoError(t, err)
				require.Less(t, len(ids), 3)
				for _, t := range list.Tickets {
					ids = append(ids, t.ID)
				}
				page = list.Next
			}
			require.ElementsMatch(t, []ticket.ID{first, second}, ids, "%+v", f)
		}
		seen, err := w.eng.Ticket(w.ctx, w.host, first)
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: first, Version: seen.Ticket.Version,
			Change: sangdam.TicketChange{State: ptr(ticket.Solved)}})))
		if w.real {
			return // two minutes of a real clock; overflow asks the same query on every store
		}
		w.pass(2 * time.Minute)
		require.Equal(t, conversation.StateWaiting, w.detail(kept.ID).Conversation.State, "it overflowed")
		n, err := w.eng.CountTickets(w.ctx, w.host, sangdam.TicketFilter{})
		require.NoError(t, err)
		require.Equal(t, 2, n.N)
	}, withQueue(func(q *routing.Queue) {
		q.Overflow = []routing.Overflow{{When: routing.OverflowWait, After: time.Minute, Do: routing.OverflowTicket}}
	}), withStream(func(s *routing.WorkStream) { s.Messages = nil }))
}
