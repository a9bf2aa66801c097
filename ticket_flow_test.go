package sangdam_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

var everywhere = []string{onMemory, onSQLite, onPG}

// ticketDesk is a set-up for tickets: two intake categories, a resolution, three
// fields, a group and a banned word.
type ticketDesk struct {
	*replayWorld
	delivery, refund, resolved ticket.CategoryID
	fields                     int64
}

func newTicketDesk(t *testing.T, w *replayWorld) *ticketDesk {
	t.Helper()
	withTickets(w.world, "a1", "a2")
	d := &ticketDesk{replayWorld: w}
	d.delivery = d.category(ticket.Intake, "", 0, "Delivery", true)
	d.refund = d.category(ticket.Intake, d.delivery, 1, "Refund", true)
	d.resolved = d.category(ticket.Resolution, "", 0, "Explained", false)
	d.field(ticket.Field{Code: "order", Kind: ticket.CustomerField, Type: ticket.Text, Names: named("Order"), Required: true})
	d.field(ticket.Field{Code: "card", Kind: ticket.AgentField, Type: ticket.Text, Names: named("Card"), Encrypted: true})
	d.field(ticket.Field{Code: "cost", Kind: ticket.AgentField, Type: ticket.Number, Names: named("Cost"), AdminsOnly: true})
	require.NoError(t, errOf(w.eng.SaveForm(w.ctx, w.host,
		sangdam.SaveForm{Form: ticket.Form{Category: d.refund, Fields: []string{"order"}}})))
	require.NoError(t, errOf(w.eng.SaveGroup(w.ctx, w.host,
		sangdam.SaveGroup{Group: ticket.Group{ID: "returns", Name: "Returns", Agents: []ticket.AgentID{"a1"}}})))
	require.NoError(t, errOf(w.eng.SaveBannedWord(w.ctx, w.host,
		sangdam.SaveBannedWord{Word: ticket.BannedWord{Word: "never", Instead: "not yet"}})))
	return d
}

func named(en string) map[string]string { return map[string]string{"en": en} }

func (d *ticketDesk) category(tree ticket.TreeKind, parent ticket.CategoryID, version int64, name string, offered bool) ticket.CategoryID {
	d.t.Helper()
	saved, err := d.eng.SaveCategory(d.ctx, d.host, sangdam.SaveCategory{Tree: tree, Version: version,
		Category: ticket.Category{Parent: parent, Names: named(name), Offered: offered}})
	require.NoError(d.t, err)
	require.Equal(d.t, version+1, saved.Version)
	return ticket.CategoryID(saved.ID)
}

func (d *ticketDesk) field(f ticket.Field) {
	d.t.Helper()
	saved, err := d.eng.SaveField(d.ctx, d.host, sangdam.SaveField{Version: d.fields, Field: f})
	require.NoError(d.t, err)
	d.fields = saved.Version
}

func (d *ticketDesk) open(c sangdam.OpenTicket) ticket.ID {
	d.t.Helper()
	if c.Title == "" {
		c.Title = "Lamp broken"
	}
	s, err := d.eng.OpenTicket(d.ctx, d.host, c)
	require.NoError(d.t, err)
	return s.Ticket
}

func (d *ticketDesk) read(id ticket.ID) sangdam.TicketDetail {
	d.t.Helper()
	out, err := d.eng.Ticket(d.ctx, d.host, id)
	require.NoError(d.t, err)
	return out
}

// update changes the ticket as it is now.
func (d *ticketDesk) update(p sangdam.Principal, id ticket.ID, c sangdam.TicketChange, say *sangdam.TicketComment) error {
	d.t.Helper()
	return errOf(d.eng.UpdateTicket(d.ctx, p, sangdam.UpdateTicket{Ticket: id, Version: d.read(id).Ticket.Version,
		Change: c, Comment: say}))
}

// replays checks that the history alone makes the ticket.
func (d *ticketDesk) replays(id ticket.ID) {
	d.t.Helper()
	var all []ticket.Entry
	for {
		some, err := d.eng.TicketHistory(d.ctx, d.host, id, int64(len(all)), 7)
		require.NoError(d.t, err)
		if len(some) == 0 {
			break
		}
		all = append(all, some...)
	}
	made, err := ticket.Replay(all)
	require.NoError(d.t, err)
	is := d.read(id).Ticket
	is.Version = 0
	want, err := json.Marshal(is)
	require.NoError(d.t, err)
	got, err := json.Marshal(made)
	require.NoError(d.t, err)
	require.JSONEq(d.t, string(want), string(got))
}

func ptr[T any](v T) *T { return &v }

// TestATicketThroughItsLife: what people change is checked, kept with its actor,
// and refused where two changed it at once.
func TestATicketThroughItsLife(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		a1 := w.agent("a1")
		id := d.open(sangdam.OpenTicket{Desk: "support", Category: d.refund, Body: "It does not light.",
			Requester: ticket.Requester{Name: "Kim", Email: "kim@example.com"}, Tags: []string{"lamp"},
			Fields: map[string]ticket.Value{"order": {Text: "A-17"}, "card": {Text: "4111-1111"}}})
		got := d.read(id).Ticket
		require.Equal(t, []any{int64(1), ticket.Unassigned, "api"}, []any{got.Number, got.State, got.Channel})
		require.Empty(t, got.Fields["card"].Text, "an encrypted value is sealed")
		v, err := w.eng.RevealTicketField(w.ctx, a1, id, "card")
		require.NoError(t, err)
		require.Equal(t, "4111-1111", v.Text)
		found, err := w.eng.SearchTickets(w.ctx, a1, "4111", "", 10)
		require.NoError(t, err)
		require.Empty(t, found.Tickets, "and cannot be searched")
		found, err = w.eng.SearchTickets(w.ctx, a1, "A-17", "", 10)
		require.NoError(t, err)
		require.Len(t, found.Tickets, 1)

		require.NoError(t, d.update(a1, id, sangdam.TicketChange{Group: ptr(ticket.GroupID("returns")), Agent: ptr(routing.AgentID("a1")),
			Priority: ptr(ticket.High), AddTags: []string{"urgent"}, Fields: map[string]ticket.Value{"order": {Text: "A-18"}}},
			&sangdam.TicketComment{Text: "looks like the switch"}))
		got = d.read(id).Ticket
		require.Equal(t, []any{ticket.InProgress, ticket.AgentID("a1"), []string{"lamp", "urgent"}}, []any{got.State, got.Agent, got.Tags})
		_, err = w.eng.UpdateTicket(w.ctx, a1, sangdam.UpdateTicket{Ticket: id, Version: 1, Change: sangdam.TicketChange{Title: ptr("x")}})
		require.ErrorIs(t, err, sangdam.ErrStale)

		err = d.update(a1, id, sangdam.TicketChange{}, &sangdam.TicketComment{Text: "We ne ver do that", Public: true})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "never (rather: not yet)")
		require.NoError(t, d.update(a1, id, sangdam.TicketChange{State: ptr(ticket.Solved), Resolution: &d.resolved},
			&sangdam.TicketComment{Text: "A new switch is on its way.", Public: true}))
		err = d.update(a1, id, sangdam.TicketChange{State: ptr(ticket.Complete)}, nil)
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied, "complete is for administrators")
		require.NoError(t, errOf(w.eng.ReplyTicket(w.ctx, w.host, sangdam.ReplyTicket{Ticket: id, Text: "It still does not light"})))

		var told []string
		for _, e := range d.read(id).Entries {
			told = append(told, fmt.Sprintf("%s %s", e.Actor, e.Kind))
		}
		require.Equal(t, []string{"host:host created", "agent:a1 commented", "agent:a1 answered", "customer replied"}, told)
		require.Equal(t, ticket.InProgress, d.read(id).Ticket.State, "the customer's words open it again")
		d.replays(id)
	})
}

// TestFieldsForAdministratorsAreHiddenFromAgents: in the ticket, its history,
// searches and conditions.
func TestFieldsForAdministratorsAreHiddenFromAgents(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{Desk: "support", Fields: map[string]ticket.Value{"cost": {Number: ptr(7.0)}}})
		got, err := w.eng.Ticket(w.ctx, w.agent("a1"), id)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprint(got), "cost")
		require.Contains(t, fmt.Sprint(d.read(id)), "cost")
		cost := sangdam.TicketFilter{}
		require.NoError(t, json.Unmarshal([]byte(`{"when":{"version":1,"all":[{"field":"field.cost","op":"gt","value":1}]}}`), &cost))
		page, err := w.eng.Tickets(w.ctx, w.host, cost, "", 0)
		require.NoError(t, err)
		require.Len(t, page.Tickets, 1)
		_, err = w.eng.Tickets(w.ctx, w.agent("a1"), cost, "", 0)
		require.ErrorIs(t, err, sangdam.ErrInvalid, "for this agent there is no such field")
		require.ErrorIs(t, d.update(w.agent("a1"), id, sangdam.TicketChange{Fields: map[string]ticket.Value{"cost": {}}}, nil),
			sangdam.ErrInvalid)
	})
}

// TestTheInquiryForm: the form's rules hold on the server.
func TestTheInquiryForm(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		good := sangdam.SubmitTicket{Desk: "support", Category: d.refund, Title: "Refund", Content: "Money back", Consent: true,
			Requester: ticket.Requester{Email: "kim@example.com"}, Fields: map[string]ticket.Value{"order": {Text: "A-1"}}}
		for name, spoil := range map[string]func(*sangdam.SubmitTicket){
			"no consent":         func(c *sangdam.SubmitTicket) { c.Consent = false },
			"no mail address":    func(c *sangdam.SubmitTicket) { c.Requester.Email = "" },
			"a field is missing": func(c *sangdam.SubmitTicket) { c.Fields = nil },
			"a foreign field": func(c *sangdam.SubmitTicket) {
				c.Fields = map[string]ticket.Value{"order": {Text: "1"}, "cost": {Number: ptr(1.0)}}
			},
			"an unknown category": func(c *sangdam.SubmitTicket) {
				c.Category = "moon"
			},
			"two lines in a text": func(c *sangdam.SubmitTicket) { c.Fields = map[string]ticket.Value{"order": {Text: "1\n2"}} },
		} {
			c := good
			spoil(&c)
			_, err := w.eng.SubmitTicket(w.ctx, w.host, c)
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
		}
		good.Key = "form-1"
		first, err := w.eng.SubmitTicket(w.ctx, w.host, good)
		require.NoError(t, err)
		again, err := w.eng.SubmitTicket(w.ctx, w.host, good)
		require.NoError(t, err)
		require.Equal(t, first, again, "a form that is sent twice is one ticket")
		require.Equal(t, "customer", d.read(first.Ticket).Entries[0].Actor)
		n, err := w.eng.CountTickets(w.ctx, w.host, sangdam.TicketFilter{Category: d.delivery})
		require.NoError(t, err)
		require.Equal(t, 1, n.N, "found under the category above it")
	})
}

// TestAMergedTicket: replies go to the target and open nothing again, links move
// along and stay single, merging twice does nothing.
func TestAMergedTicket(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		from, into, third := d.open(sangdam.OpenTicket{Tags: []string{"x"}}), d.open(sangdam.OpenTicket{}), d.open(sangdam.OpenTicket{})
		link := func(a, b ticket.ID) {
			require.NoError(t, errOf(w.eng.LinkTickets(w.ctx, w.host, sangdam.LinkTickets{Ticket: a, To: b})))
		}
		link(from, third)
		link(into, third)
		require.NoError(t, d.update(w.host, into, sangdam.TicketChange{State: ptr(ticket.Solved)}, nil))
		m, err := w.eng.MergeTickets(w.ctx, w.agent("a1"), sangdam.MergeTickets{From: from, Into: into})
		require.NoError(t, err)
		require.True(t, m.Merged)
		version := d.read(into).Ticket.Version
		m, err = w.eng.MergeTickets(w.ctx, w.agent("a1"), sangdam.MergeTickets{From: from, Into: into})
		require.NoError(t, err)
		require.False(t, m.Merged)
		require.Equal(t, version, d.read(into).Ticket.Version, "nothing was written")

		reply, err := w.eng.ReplyTicket(w.ctx, w.host, sangdam.ReplyTicket{Ticket: from, Text: "and another thing"})
		require.NoError(t, err)
		require.Equal(t, into, reply.Ticket)
		got := d.read(into)
		last := got.Entries[len(got.Entries)-1]
		require.Equal(t, []any{ticket.Replied, "and another thing", from}, []any{last.Kind, last.Text, last.From})
		require.Equal(t, ticket.Solved, got.Ticket.State)
		require.Equal(t, ticket.Complete, d.read(from).Ticket.State)
		require.Equal(t, []ticket.Link{{To: into, As: ticket.Related}}, d.read(third).Ticket.Links)
		_, err = w.eng.FollowTicket(w.ctx, w.agent("a1"), sangdam.FollowTicket{Ticket: from})
		require.ErrorIs(t, err, sangdam.ErrConflict)
		_, err = w.eng.MergeTickets(w.ctx, w.host, sangdam.MergeTickets{From: from, Into: third})
		require.ErrorIs(t, err, sangdam.ErrConflict)
		for _, id := range []ticket.ID{from, into, third} {
			d.replays(id)
		}
	})
}

// Who may not see the ticket into which one was merged is not told its number.
func TestAMergedTicketDoesNotTellTheNumberOfAHiddenOne(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		withTickets(w.world, "b1")
		require.NoError(t, errOf(w.eng.SaveDesk(w.ctx, w.host,
			sangdam.SaveDesk{Agent: "b1", Desk: routing.Desk{ID: "billing", Name: "Billing"}})))
		from, into := d.open(sangdam.OpenTicket{}), d.open(sangdam.OpenTicket{Desk: "billing"})
		require.NoError(t, errOf(w.eng.MergeTickets(w.ctx, w.host, sangdam.MergeTickets{From: from, Into: into})))
		follow := func(p sangdam.Principal) error {
			return errOf(w.eng.FollowTicket(w.ctx, p, sangdam.FollowTicket{Ticket: from}))
		}
		require.ErrorIs(t, errOf(w.eng.Ticket(w.ctx, w.agent("a1"), into)), sangdam.ErrNotFound)
		require.ErrorIs(t, follow(w.agent("a1")), sangdam.ErrConflict)
		require.NotContains(t, follow(w.agent("a1")).Error(), "#")
		require.ErrorContains(t, follow(w.agent("b1")), "merged into ticket #2;")
	})
}

// TestATicketFromAChat holds its log as it was then, and answers through it.
func TestATicketFromAChat(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		mina := w.line.User("Mina")
		mina.SendText("my lamp is broken")
		w.settle()
		cv := w.conversations()[0]
		opened, err := w.eng.OpenTicket(w.ctx, w.agent("a1"), sangdam.OpenTicket{Conversation: cv.ID})
		require.NoError(t, err)
		mina.SendText("never mind the colour")
		w.settle()
		got := d.read(opened.Ticket).Ticket
		require.Equal(t, []any{"chat", cv.ID, cv.Contact, cv.Desk}, []any{got.Channel, got.Conversation, got.Contact, got.Desk})
		log, err := w.eng.TicketChat(w.ctx, w.agent("a2"), opened.Ticket, 0, 50)
		require.NoError(t, err)
		require.Len(t, log, 2, "without what was written later")
		require.NoError(t, d.update(w.agent("a1"), opened.Ticket, sangdam.TicketChange{},
			&sangdam.TicketComment{Text: "A new one is on its way",
				Public: true}))
		w.settle()
		require.Contains(t, mina.Texts(), "A new one is on its way")
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: cv.ID, Final: true})))
		require.NoError(t, d.update(w.agent("a1"), opened.Ticket, sangdam.TicketChange{}, &sangdam.TicketComment{Text: "It has arrived",
			Public: true}))
		w.settle()
		require.Contains(t, mina.Texts(), "It has arrived", "also when the chat is over")
		_, err = w.eng.OpenTicket(w.ctx, w.agent("a1"), sangdam.OpenTicket{Conversation: "elsewhere", Title: "x"})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		d.replays(opened.Ticket)
	})
}

// TestSplittingATicket makes a comment a ticket of its own.
func TestSplittingATicket(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{Desk: "support", Category: d.refund})
		require.NoError(t, errOf(w.eng.ReplyTicket(w.ctx, w.host, sangdam.ReplyTicket{Ticket: id, Text: "my chair broke too"})))
		s, err := w.eng.SplitTicket(w.ctx, w.agent("a1"), sangdam.SplitTicket{Ticket: id, Entry: 2, Title: "Chair"})
		require.NoError(t, err)
		n := d.read(s.Ticket).Ticket
		require.Equal(t, []any{"my chair broke too", d.refund, routing.DeskID("support"), int64(2)},
			[]any{n.Body, n.Category, n.Desk, n.Number})
		require.Equal(t, []ticket.Link{{To: s.Ticket, As: ticket.SplitTo}}, d.read(id).Ticket.Links)
		_, err = w.eng.SplitTicket(w.ctx, w.agent("a1"), sangdam.SplitTicket{Ticket: id, Entry: 1, Title: "x"})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		d.replays(id)
		d.replays(s.Ticket)
	})
}

// TestSolvedTicketsBecomeComplete after two weeks, and take no reply then.
func TestSolvedTicketsBecomeComplete(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{})
		require.NoError(t, d.update(w.host, id, sangdam.TicketChange{State: ptr(ticket.Solved)}, nil))
		w.jump(13 * 24 * time.Hour)
		w.pass(2 * time.Minute)
		require.Equal(t, ticket.Solved, d.read(id).Ticket.State)
		w.jump(24 * time.Hour)
		w.pass(2 * time.Minute)
		require.Equal(t, ticket.Complete, d.read(id).Ticket.State)
		_, err := w.eng.ReplyTicket(w.ctx, w.host, sangdam.ReplyTicket{Ticket: id, Text: "hello?"})
		require.ErrorIs(t, err, sangdam.ErrConflict)
		d.replays(id)
	})
}

// TestTheHistoryMakesTheTicket: whatever is done in whatever order, replaying
// the history from nothing gives the ticket.
func TestTheHistoryMakesTheTicket(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 1))
		var ids []ticket.ID
		for range 120 {
			if len(ids) < 2 || rng.IntN(12) == 0 {
				ids = append(ids, d.open(sangdam.OpenTicket{Desk: "support", Requester: ticket.Requester{Email: "k@example.com"}}))
				continue
			}
			d.anything(rng, ids)
		}
		for _, id := range ids {
			d.replays(id)
		}
	})
}

// anything does something to the tickets; refusals are as good as effects.
func (d *ticketDesk) anything(rng *rand.Rand, ids []ticket.ID) {
	pick := func() ticket.ID { return ids[rng.IntN(len(ids))] }
	states := ticket.States()
	var err error
	switch rng.IntN(9) {
	case 0:
		err = errOf(d.eng.MergeTickets(d.ctx, d.host, sangdam.MergeTickets{From: pick(), Into: pick()}))
	case 1:
		err = errOf(d.eng.LinkTickets(d.ctx, d.host, sangdam.LinkTickets{Ticket: pick(), To: pick(), Remove: rng.IntN(3) == 0}))
	case 2:
		err = errOf(d.eng.ReplyTicket(d.ctx, d.host, sangdam.ReplyTicket{Ticket: pick(), Text: "word " + fmt.Sprint(rng.IntN(9))}))
	case 3:
		err = errOf(d.eng.SplitTicket(d.ctx, d.host, sangdam.SplitTicket{Ticket: pick(), Entry: rng.Int64N(4), Title: "part"}))
	case 4:
		err = d.update(d.host, pick(), sangdam.TicketChange{State: ptr(states[rng.IntN(len(states))])}, nil)
	case 5:
		err = d.update(d.host, pick(), sangdam.TicketChange{Agent: ptr([]routing.AgentID{"", "a1", "a2"}[rng.IntN(3)])}, nil)
	case 6:
		err = d.update(d.host, pick(),
			sangdam.TicketChange{Fields: map[string]ticket.Value{"card": {Text: strings.Repeat("1", rng.IntN(3))}},
				AddTags: []string{fmt.Sprint(rng.IntN(5))}, RemoveTags: []string{fmt.Sprint(rng.IntN(5))}}, nil)
	case 7:
		err = errOf(d.eng.FollowTicket(d.ctx, d.host, sangdam.FollowTicket{Ticket: pick(), Agent: "a1", Stop: rng.IntN(2) == 0}))
	case 8:
		err = d.update(d.host, pick(), sangdam.TicketChange{}, &sangdam.TicketComment{Text: "said", Public: rng.IntN(2) == 0})
	}
	if err != nil {
		require.Contains(d.t, []string{sangdam.ErrConflict.Error(), sangdam.ErrInvalid.Error(), sangdam.ErrNotFound.Error()},
			kind(err), err)
	}
}
