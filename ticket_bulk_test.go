package sangdam_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// bulk carries a bulk change out and returns its report.
func (d *ticketDesk) bulk(p sangdam.Principal, id string) sangdam.BulkReport {
	d.t.Helper()
	d.settle()
	r, err := d.eng.BulkProgress(d.ctx, p, id)
	require.NoError(d.t, err)
	require.Equal(d.t, sangdam.ErrandDone, r.Bulk.State)
	return r
}

// TestManyTicketsAtOnce: what cannot be changed is reported and the rest goes
// on; the last one can be taken back, but for what was changed since.
func TestManyTicketsAtOnce(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		a1 := w.agent("a1")
		var ids []ticket.ID
		for range 6 {
			ids = append(ids, d.open(sangdam.OpenTicket{Desk: "support", Category: d.delivery, Tags: []string{"old"}}))
		}
		require.NoError(t, errOf(w.eng.MergeTickets(w.ctx, w.host, sangdam.MergeTickets{From: ids[0], Into: ids[1]})))
		ids = append(ids, "nowhere")
		change := sangdam.TicketChange{State: ptr(ticket.Solved), Category: &d.refund, AddTags: []string{"new"},
			RemoveTags: []string{"old"}, Priority: ptr(ticket.High)}
		saved, err := w.eng.BulkTickets(w.ctx, a1, sangdam.BulkTickets{Tickets: ids, Change: change})
		require.NoError(t, err)
		r := d.bulk(a1, saved.ID)
		require.Equal(t, []int{7, 5, 2}, []int{r.Bulk.Total, r.Bulk.Done, r.Bulk.Failed})
		require.Equal(t, []ticket.ID{ids[0], "nowhere"}, []ticket.ID{r.Failures[0].Ticket, r.Failures[1].Ticket})
		require.Contains(t, r.Failures[0].Reason, "merged into ticket #2;")
		require.Equal(t, []int64{1, 0}, []int64{r.Failures[0].Number, r.Failures[1].Number})
		require.True(t, r.Undoable)
		got := d.read(ids[2]).Ticket
		require.Equal(t, []any{ticket.Solved, d.refund, []string{"new"}, ticket.High},
			[]any{got.State, got.Category, got.Tags, got.Priority})
		require.Equal(t, "agent:a1", d.read(ids[2]).Entries[1].Actor)

		require.NoError(t, d.update(w.host, ids[3], sangdam.TicketChange{Title: ptr("Another")}, nil))
		_, err = w.eng.UndoBulk(w.ctx, w.agent("a2"), sangdam.UndoBulk{Bulk: saved.ID})
		require.ErrorIs(t, err, sangdam.ErrConflict, "somebody else's")
		_, err = w.eng.BulkProgress(w.ctx, w.agent("a2"), saved.ID)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		d.lists(saved.ID)
		undo, err := w.eng.UndoBulk(w.ctx, a1, sangdam.UndoBulk{Bulk: saved.ID})
		require.NoError(t, err)
		r = d.bulk(a1, undo.ID)
		require.Equal(t, []int{5, 4, 1}, []int{r.Bulk.Total, r.Bulk.Done, r.Bulk.Failed})
		require.False(t, r.Undoable, "what took something back stays")
		got = d.read(ids[2]).Ticket
		require.Equal(t, []any{ticket.Unassigned, d.delivery, []string{"old"}, ticket.Normal}, []any{got.State, got.Category, got.Tags,
			got.Priority})
		require.Equal(t, ticket.Solved, d.read(ids[3]).Ticket.State, "it was changed since")
		_, err = w.eng.UndoBulk(w.ctx, a1, sangdam.UndoBulk{Bulk: saved.ID})
		require.ErrorIs(t, err, sangdam.ErrConflict, "once")
		for _, id := range ids[:6] {
			d.replays(id)
		}
	})
}

// lists asks who finds a bulk change of a1 in the list: a1, and administrators, who
// may look at it but not take it back.
func (d *ticketDesk) lists(id string) {
	d.t.Helper()
	boss := sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator)
	for _, c := range []struct {
		p    sangdam.Principal
		sees bool
	}{{d.agent("a1"), true}, {boss, true}, {d.host, true}, {d.agent("a2"), false}} {
		list, err := d.eng.Bulks(d.ctx, c.p, 10)
		require.NoError(d.t, err)
		require.Equal(d.t, c.sees, len(list) == 1 && list[0].ID == id, c.p.ID)
	}
	r, err := d.eng.BulkProgress(d.ctx, boss, id)
	require.NoError(d.t, err)
	require.Len(d.t, r.Failures, 2)
	require.False(d.t, r.Undoable, "somebody else's")
	_, err = d.eng.BulkProgress(d.ctx, boss, "none")
	require.ErrorIs(d.t, err, sangdam.ErrNotFound)
}

// TestBulkChangesAskForEachTicket with the rights of who asked, as they are when
// it runs, and refuse what cannot be a bulk change at once.
func TestBulkChangesAskForEachTicket(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{Desk: "support"})
		for _, c := range []sangdam.BulkTickets{{}, {Tickets: []ticket.ID{id}},
			{Tickets: []ticket.ID{id, id}, Change: sangdam.TicketChange{Title: ptr("x")}},
			{Tickets: make([]ticket.ID, sangdam.MaxBulk+1), Change: sangdam.TicketChange{Title: ptr("x")}}} {
			_, err := w.eng.BulkTickets(w.ctx, w.host, c)
			require.ErrorIs(t, err, sangdam.ErrInvalid)
		}
		complete := sangdam.BulkTickets{Tickets: []ticket.ID{id}, Change: sangdam.TicketChange{State: ptr(ticket.Complete)}}
		saved, err := w.eng.BulkTickets(w.ctx, w.agent("a1"), complete)
		require.NoError(t, err)
		require.Equal(t, 1, d.bulk(w.agent("a1"), saved.ID).Bulk.Failed, "complete is for administrators")
		boss := sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator)
		saved, err = w.eng.BulkTickets(w.ctx, boss, complete)
		require.NoError(t, err)
		require.Equal(t, 1, d.bulk(boss, saved.ID).Bulk.Done)
	})
}

// TestBulkChangesAreKeptForATime: 30 days after its end a bulk change is gone with all
// of its tickets, more than one transaction deletes; one that goes on stays.
func TestBulkChangesAreKeptForATime(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		a1 := w.agent("a1")
		ids := []ticket.ID{d.open(sangdam.OpenTicket{Desk: "support"})}
		for n := range 250 {
			ids = append(ids, ticket.ID(fmt.Sprint("nowhere-", n)))
		}
		ask := func(of []ticket.ID, tag string) string {
			change := sangdam.TicketChange{AddTags: []string{tag}}
			saved, err := w.eng.BulkTickets(w.ctx, a1, sangdam.BulkTickets{Tickets: of, Change: change})
			require.NoError(t, err)
			return saved.ID
		}
		kept := func() (is [2]int) {
			require.NoError(t, w.db.View(w.ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
				is[0], is[1], err = sangdam.KeptOfBulks(ctx, tx)
				return err
			}))
			return is
		}
		purge := func(age time.Duration) (transactions int) {
			for more := true; more; transactions++ {
				w.update(func(ctx context.Context, tx store.Tx) (err error) {
					more, err = sangdam.PurgeBulks(ctx, tx, age)
					return err
				})
			}
			return transactions
		}
		first, second := ask(ids, "a"), ask(ids[:1], "b")
		d.bulk(a1, first)
		require.False(t, d.bulk(a1, second).Bulk.Ended.IsZero())
		purge(time.Hour)
		require.Equal(t, [2]int{2, 252}, kept(), "they have just ended")
		require.Equal(t, 2, purge(-time.Hour), "200 rows at once")
		require.Equal(t, [2]int{0, 0}, kept())
		_, err := w.eng.BulkProgress(w.ctx, a1, first)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		_, err = w.eng.UndoBulk(w.ctx, a1, sangdam.UndoBulk{Bulk: second})
		require.ErrorIs(t, err, sangdam.ErrConflict)
		require.Equal(t, []string{"a", "b"}, d.read(ids[0]).Ticket.Tags, "what they changed stays")
		if w.real {
			return // days pass where the clock is passed in
		}
		d.bulk(a1, ask(ids[:1], "c"))
		w.jump(29 * 24 * time.Hour)
		w.pass(2 * time.Minute)
		require.Equal(t, [2]int{1, 1}, kept())
		w.jump(2 * 24 * time.Hour)
		w.pass(2 * time.Minute)
		require.Equal(t, [2]int{0, 0}, kept())
	})
}

// TestPanelsOfAConversation are saved during and after it, with a version that
// messages do not raise.
func TestPanelsOfAConversation(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		chat := d.category(ticket.ChatResolution, "", 0, "Explained", false)
		w.online("a1")
		w.line.User("Mina").SendText("hi")
		w.settle()
		cv := w.conversations()[0]
		save := func(c sangdam.SavePanel) (sangdam.PanelSaved, error) {
			c.Conversation = cv.ID
			return w.eng.SavePanel(w.ctx, w.agent("a1"), c)
		}
		first, err := save(sangdam.SavePanel{Category: chat, Memo: "wants a call"})
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: cv.ID, Text: "x"})))
		_, err = save(sangdam.SavePanel{Memo: "late"})
		require.ErrorIs(t, err, sangdam.ErrStale)
		_, err = save(sangdam.SavePanel{Version: first.Version, Category: d.resolved})
		require.ErrorIs(t, err, sangdam.ErrInvalid, "a category of tickets")
		contact, _, err := w.eng.Contact(w.ctx, w.host, cv.Contact)
		require.NoError(t, err)
		_, err = save(sangdam.SavePanel{Version: first.Version, Contact: &sangdam.ContactPanel{Version: contact.Version + 1, Name: "Kim"}})
		require.ErrorIs(t, err, sangdam.ErrStale)
		require.Equal(t, first.Version, w.detail(cv.ID).Conversation.PanelVersion, "nothing half done")
		require.NoError(t, errOf(w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: cv.ID, Content: channel.Text("bye")})))
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: cv.ID, Final: true})))
		_, err = save(sangdam.SavePanel{Version: first.Version, Category: chat, Memo: "called",
			Contact: &sangdam.ContactPanel{Version: contact.Version, Name: "Kim", Email: "kim@example.com"}})
		require.NoError(t, err)
		got := w.detail(cv.ID)
		require.Equal(t, []string{"called", string(chat), "Kim", "kim@example.com"},
			[]string{got.Conversation.Memo, got.Conversation.Category, got.Contact.Name, got.Contact.Email})
	})
}

// TestABulkChangeRunsAMacro on each ticket, with the rights of who asked for it: all
// of it, or the ticket stays as it was; what it changed is taken back with the rest.
func TestABulkChangeRunsAMacro(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		d.field(ticket.Field{Code: "shelf", Kind: ticket.AgentField, Type: ticket.Text, Names: named("Shelf")})
		macro := func(id string, actions ...trigger.Action) {
			require.NoError(t, errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: sangdam.Macro{ID: id, Title: id,
				Subject: "ticket", Actions: actions}})))
		}
		macro("shelve", trigger.Do(action.Set, action.SetParams{Field: "field.shelf", Value: "B2"}),
			trigger.Do(action.Set, action.SetParams{Field: "state", Value: "on_hold"}),
			trigger.Do(action.Tag, action.TagParams{Add: []string{"shelved"}}),
			trigger.Do(action.Note, action.TextParams{Text: action.Texts{"": "It is on the shelf"}}))
		a1 := w.agent("a1")
		ids := []ticket.ID{d.open(sangdam.OpenTicket{Desk: "support"}), d.open(sangdam.OpenTicket{Desk: "support"})}
		low := sangdam.TicketChange{Priority: ptr(ticket.Low)}
		saved, err := w.eng.BulkTickets(w.ctx, a1, sangdam.BulkTickets{Tickets: append(ids, "nowhere"), Change: low, Macro: "shelve"})
		require.NoError(t, err)
		require.NoError(t, w.eng.DeleteMacro(w.ctx, w.host, sangdam.DeleteMacro{Macro: "shelve", Version: 1}))
		r := d.bulk(a1, saved.ID)
		require.Equal(t, []any{2, 1, "shelve", true}, []any{r.Bulk.Done, r.Bulk.Failed, r.Bulk.Macro.Title, r.Undoable})
		got := d.read(ids[0])
		require.Equal(t, []any{ticket.OnHold, ticket.Low, []string{"shelved"}, "B2"},
			[]any{got.Ticket.State, got.Ticket.Priority, got.Ticket.Tags, got.Ticket.Fields["shelf"].Text})
		last := got.Entries[len(got.Entries)-1]
		require.Equal(t, []any{"It is on the shelf", "agent:a1"}, []any{last.Text, last.Actor})
		undo, err := w.eng.UndoBulk(w.ctx, a1, sangdam.UndoBulk{Bulk: saved.ID})
		require.NoError(t, err)
		require.Equal(t, 2, d.bulk(a1, undo.ID).Bulk.Done)
		was := d.read(ids[0]).Ticket
		require.Equal(t, []any{ticket.Unassigned, ticket.Normal, 0, 0}, []any{was.State, was.Priority, len(was.Tags), len(was.Fields)})

		macro("complete", trigger.Do(action.Tag, action.TagParams{Add: []string{"done"}}),
			trigger.Do(action.Set, action.SetParams{Field: "state", Value: "complete"}))
		saved, err = w.eng.BulkTickets(w.ctx, a1, sangdam.BulkTickets{Tickets: ids, Macro: "complete"})
		require.NoError(t, err)
		require.Equal(t, 2, d.bulk(a1, saved.ID).Bulk.Failed, "only administrators complete")
		require.Empty(t, d.read(ids[0]).Ticket.Tags)
		for _, id := range ids {
			d.replays(id)
		}
	})
}

// TestABulkChangeOfAMacroThatCannotAct leaves the ticket as it was and says why; an
// answer that nothing carries is told, as that of a comment is.
func TestABulkChangeOfAMacroThatCannotAct(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		save := func(id, subject string, actions ...trigger.Action) {
			require.NoError(t, errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: sangdam.Macro{ID: id, Title: id,
				Subject: subject, Actions: actions}})))
		}
		tagged := trigger.Do(action.Tag, action.TagParams{Add: []string{"x"}})
		save("assign", "ticket", tagged, trigger.Do(action.Assign, action.AssignParams{Agents: []routing.AgentID{"a2"},
			Choice: trigger.ChooseOne}))
		save("say", "ticket", trigger.Do(action.Message, action.TextParams{Text: action.Texts{"": "We have it"}}))
		save("chat", "conversation", tagged)
		ids := []ticket.ID{d.open(sangdam.OpenTicket{Desk: "support", Requester: ticket.Requester{Email: "mina@example.com"}})}
		agents, err := w.eng.Agents(w.ctx, w.host)
		require.NoError(t, err)
		for _, a := range agents {
			if a.ID == "a2" {
				a.Disabled = true
				require.NoError(t, errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: a})))
			}
		}
		saved, err := w.eng.BulkTickets(w.ctx, w.host, sangdam.BulkTickets{Tickets: ids, Macro: "assign"})
		require.NoError(t, err)
		r := d.bulk(w.host, saved.ID)
		require.Equal(t, 1, r.Bulk.Failed)
		require.Contains(t, r.Failures[0].Reason, `macro "assign" could not do assign`)
		require.Empty(t, d.read(ids[0]).Ticket.Tags, "all of it, or none")
		saved, err = w.eng.BulkTickets(w.ctx, w.host, sangdam.BulkTickets{Tickets: ids, Macro: "say"})
		require.NoError(t, err)
		r = d.bulk(w.host, saved.ID)
		require.Equal(t, []any{1, 1, "answer_unsent"}, []any{r.Bulk.Done, len(r.Warnings), r.Warnings[0].Code})
		_, err = w.eng.BulkTickets(w.ctx, w.host, sangdam.BulkTickets{Tickets: ids, Macro: "chat"})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		_, err = w.eng.BulkTickets(w.ctx, w.host, sangdam.BulkTickets{Tickets: ids, Macro: "none"})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
	})
}

// TestABulkChangeOfFields keeps no value of an encrypted field, which would stand in
// the open, and takes back what it changed and no more.
func TestABulkChangeOfFields(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		d.field(ticket.Field{Code: "shelf", Kind: ticket.AgentField, Type: ticket.Text, Names: named("Shelf")})
		ids := []ticket.ID{d.open(sangdam.OpenTicket{Desk: "support"}), d.open(sangdam.OpenTicket{Desk: "support"})}
		field := func(code, text string) sangdam.TicketChange {
			return sangdam.TicketChange{Fields: map[string]ticket.Value{code: {Text: text}}}
		}
		_, err := w.eng.BulkTickets(w.ctx, w.host, sangdam.BulkTickets{Tickets: ids, Change: field("card", "4111")})
		require.ErrorContains(t, err, `field "card" is encrypted`)
		require.NoError(t, d.update(w.host, ids[0], field("shelf", "B2"), nil))
		saved, err := w.eng.BulkTickets(w.ctx, w.host, sangdam.BulkTickets{Tickets: ids, Change: field("shelf", "B2")})
		require.NoError(t, err)
		require.Equal(t, 2, d.bulk(w.host, saved.ID).Bulk.Done)
		undo, err := w.eng.UndoBulk(w.ctx, w.host, sangdam.UndoBulk{Bulk: saved.ID})
		require.NoError(t, err)
		r := d.bulk(w.host, undo.ID)
		require.Equal(t, []int{1, 1, 0}, []int{r.Bulk.Total, r.Bulk.Done, r.Bulk.Failed}, "the other had that value before")
		require.Equal(t, "B2", d.read(ids[0]).Ticket.Fields["shelf"].Text)
		require.Empty(t, d.read(ids[1]).Ticket.Fields)
	})
}
