package sangdam_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// A macro does what whoever runs it may do, and no more: all of it or none.
func TestAMacroActsWithTheRightsOfWhoRunsIt(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		w.online("a1")
		c := w.begun(w.line.User("Mina"), "hi").Conversation
		save := func(m sangdam.Macro) error {
			return errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: m}))
		}
		require.NoError(t, save(sangdam.Macro{ID: "thanks", Title: "Thanks", Subject: "conversation",
			Actions: []trigger.Action{tag("thanked"), text("Thank you!"),
				trigger.Do(action.End, action.EndParams{Reason: "done"})}}))
		require.NoError(t, save(sangdam.Macro{ID: "complete", Title: "Complete", Subject: "ticket",
			Actions: []trigger.Action{tag("closed"), setting("state", string(ticket.Complete))}}))
		require.ErrorIs(t, errOf(w.eng.RunMacro(w.ctx, w.agent("a2"), sangdam.RunMacro{Macro: "thanks", Record: string(c)})),
			sangdam.ErrPermissionDenied)
		require.Empty(t, w.detail(c).Conversation.Tags, "nothing half done")
		run := sangdam.RunMacro{Key: "k", Macro: "thanks", Record: string(c)}
		out, err := w.eng.RunMacro(w.ctx, w.agent("a1"), run)
		require.NoError(t, err)
		require.Len(t, out, 3)
		again, err := w.eng.RunMacro(w.ctx, w.agent("a1"), run)
		require.NoError(t, err)
		require.Equal(t, out, again)
		w.settle()
		got := w.detail(c)
		require.Equal(t, conversation.StateClosed, got.Conversation.State)
		require.Equal(t, []string{"thanked"}, got.Conversation.Tags)
		said := 0
		for _, m := range got.Messages {
			if m.Content.Text == "Thank you!" {
				said++
				require.EqualValues(t, "a1", m.Author.Agent, "the person says it")
			}
		}
		require.Equal(t, 1, said)

		id := d.open(sangdam.OpenTicket{Agent: "a1"})
		require.ErrorIs(t, errOf(w.eng.RunMacro(w.ctx, w.agent("a1"), sangdam.RunMacro{Macro: "complete", Record: string(id)})),
			sangdam.ErrPermissionDenied,
			"only administrators complete")
		require.Empty(t, d.read(id).Ticket.Tags)
		require.NoError(t, errOf(w.eng.RunMacro(w.ctx, w.host, sangdam.RunMacro{Macro: "complete", Record: string(id)})))
		require.Equal(t, ticket.Complete, d.read(id).Ticket.State)
		d.replays(id)
	})
}

func TestBadMacros(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		good := sangdam.Macro{ID: "m", Title: "M", Subject: "conversation", Actions: []trigger.Action{tag("x")}}
		for name, change := range map[string]func(*sangdam.Macro){
			"no title":       func(m *sangdam.Macro) { m.Title = "" },
			"no such record": func(m *sangdam.Macro) { m.Subject = "invoice" },
			"no action":      func(m *sangdam.Macro) { m.Actions = nil },
			"for triggers alone": func(m *sangdam.Macro) {
				m.Actions = []trigger.Action{trigger.Do(action.Webhook, action.WebhookParams{Target: "hook"})}
			},
			"a misspelt one": func(m *sangdam.Macro) { m.Actions = []trigger.Action{{Kind: "tags"}} },
		} {
			bad := good
			change(&bad)
			require.ErrorIs(t, errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: bad})), sangdam.ErrInvalid, name)
		}
		require.NoError(t, errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: good})))
		require.ErrorIs(t, errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: good})), sangdam.ErrAlreadyExists)
		require.ErrorIs(t, w.eng.DeleteMacro(w.ctx, w.host, sangdam.DeleteMacro{Macro: "m", Version: 9}), sangdam.ErrStale)
		list, err := w.eng.Macros(w.ctx, w.agent("a1"), "conversation")
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.NoError(t, w.eng.DeleteMacro(w.ctx, w.host, sangdam.DeleteMacro{Macro: "m", Version: 1}))
		require.ErrorIs(t, errOf(w.eng.RunMacro(w.ctx, w.host, sangdam.RunMacro{Macro: "m", Record: "x"})), sangdam.ErrNotFound)
	}, withOutside(&o))
}

// TestMacrosHaveAnOrder: a new one comes last, a saved place moves it there, and
// who may run one on a record finds it.
func TestMacrosHaveAnOrder(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		save := func(id string, version int64, position int, actions ...trigger.Action) error {
			return errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: sangdam.Macro{ID: id, Title: "Z" + id, Subject: "ticket",
				Version: version, Position: position, Actions: actions}}))
		}
		order := func(list []sangdam.Macro, err error) (ids []string) {
			require.NoError(t, err)
			for _, m := range list {
				ids = append(ids, m.ID)
			}
			return ids
		}
		listed := func() []string { return order(w.eng.Macros(w.ctx, w.agent("a1"), "ticket")) }
		require.NoError(t, save("c", 0, 0, tag("c")))
		require.NoError(t, save("b", 0, 0, setting("state", string(ticket.Complete))))
		require.NoError(t, save("a", 0, 0, tag("a")))
		require.Equal(t, []string{"c", "b", "a"}, listed())
		require.NoError(t, save("a", 1, 1, tag("a")))
		require.Equal(t, []string{"a", "c", "b"}, listed())
		require.NoError(t, save("a", 2, 0, tag("again")))
		require.Equal(t, []string{"a", "c", "b"}, listed(), "it stays")
		require.NoError(t, save("a", 3, 100, tag("again")))
		require.Equal(t, []string{"c", "b", "a"}, listed())
		require.ErrorIs(t, save("a", 4, -1, tag("a")), sangdam.ErrInvalid)
		require.ErrorIs(t, save("a", 3, 1, tag("a")), sangdam.ErrStale)

		id := string(d.open(sangdam.OpenTicket{Desk: "support"}))
		for p, want := range map[string][]string{"a1": {"c", "a"}, "boss": {"c", "b", "a"}} {
			who := w.agent("a1")
			if p == "boss" {
				who = sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator)
			}
			require.Equal(t, want, order(w.eng.MacrosFor(w.ctx, who, "ticket", id)))
		}
		require.ErrorIs(t, errOf(w.eng.MacrosFor(w.ctx, w.host, "ticket", "none")), sangdam.ErrNotFound)
		require.ErrorIs(t, errOf(w.eng.MacrosFor(w.ctx, w.host, "invoice", id)), sangdam.ErrInvalid)
		require.NotContains(t, w.eng.MacroActions("ticket"), action.Webhook)
		require.Contains(t, w.eng.MacroActions("ticket"), action.Set)
	})
}
