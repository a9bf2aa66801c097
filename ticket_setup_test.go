package sangdam_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// TestCategoriesAreATree of five levels at most, with names of their own on each.
func TestCategoriesAreATree(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		at := d.refund
		for i := range 3 {
			at = d.category(ticket.Intake, at, int64(i)+2, "Level", true)
		}
		save := func(version int64, c ticket.Category) error {
			return errOf(w.eng.SaveCategory(w.ctx, w.host, sangdam.SaveCategory{Tree: ticket.Intake, Version: version, Category: c}))
		}
		require.ErrorIs(t, save(5, ticket.Category{Parent: at, Names: named("Sixth")}), sangdam.ErrInvalid)
		require.ErrorIs(t, save(5, ticket.Category{Parent: d.delivery, Names: named("ＲＥＦＵＮＤ")}), sangdam.ErrAlreadyExists)
		require.ErrorIs(t, save(4, ticket.Category{Names: named("Late")}), sangdam.ErrStale)
		require.NoError(t, save(5, ticket.Category{ID: d.refund, Names: named("Money back")}))
		_, err := w.eng.SubmitTicket(w.ctx, w.host, sangdam.SubmitTicket{Category: d.refund, Title: "x", Content: "x", Consent: true,
			Requester: ticket.Requester{Email: "k@example.com"}, Fields: map[string]ticket.Value{"order": {Text: "1"}}})
		require.ErrorIs(t, err, sangdam.ErrInvalid, "it is offered to customers no longer")

		require.NoError(t, errOf(w.eng.SaveTemplate(w.ctx, w.host,
			sangdam.SaveTemplate{Template: ticket.AnswerTemplate{ID: "t", Title: "Hello",
				Body:        "Hi",
				Resolutions: []ticket.CategoryID{d.resolved}}})))
		gone, err := w.eng.DeleteCategory(w.ctx, w.host, sangdam.DeleteCategory{Tree: ticket.Resolution, Version: 1, Category: d.resolved})
		require.NoError(t, err)
		require.Len(t, gone.Warnings, 1)
		require.Contains(t, gone.Warnings[0].Text, "Hello", "the template whose link fell")
		_, err = w.eng.DeleteCategory(w.ctx, w.host, sangdam.DeleteCategory{Tree: ticket.Intake, Version: 6, Category: d.delivery})
		require.NoError(t, err)
		setup, err := w.eng.TicketSetup(w.ctx, w.agent("a1"))
		require.NoError(t, err)
		require.Empty(t, setup.Trees[ticket.Intake].Categories, "with all below it")
	})
}

// TestACodeIsNeverUsedAgain, and values of a deleted field stay readable.
func TestACodeIsNeverUsedAgain(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{Fields: map[string]ticket.Value{"order": {Text: "A-1"}}})
		saved, err := w.eng.DeleteField(w.ctx, w.host, sangdam.DeleteField{Version: d.fields, Code: "order"})
		require.NoError(t, err)
		d.fields = saved.Version
		_, err = w.eng.SaveField(w.ctx, w.host, sangdam.SaveField{Version: d.fields,
			Field: ticket.Field{Code: "order", Kind: ticket.AgentField, Type: ticket.Number, Names: named("Order")}})
		require.ErrorIs(t, err, sangdam.ErrAlreadyExists)
		require.Equal(t, "A-1", d.read(id).Ticket.Fields["order"].Text)
		require.ErrorIs(t, d.update(w.host, id, sangdam.TicketChange{Fields: map[string]ticket.Value{"order": {Text: "A-2"}}}, nil),
			sangdam.ErrInvalid)
		_, err = w.eng.DeleteField(w.ctx, w.host, sangdam.DeleteField{Version: d.fields, Code: "title"})
		require.ErrorIs(t, err, sangdam.ErrInvalid, "one of the library's is reset")
	})
}

// TestAGroupThatIsNamedStays: deleting it is refused with the names of what
// names it; what an agent owns, others cannot take.
func TestAGroupThatIsNamedStays(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		newTicketDesk(t, w)
		when := condition.Condition{Any: []condition.Clause{{All: []condition.Clause{{Field: "group", Op: condition.In,
			Value: []string{"returns", "x"}}}}}}
		view, err := w.eng.SaveTicketView(w.ctx, w.host, sangdam.SaveTicketView{View: ticket.View{Name: "Returned lamps", When: when}})
		require.NoError(t, err)
		err = w.eng.DeleteGroup(w.ctx, w.host, sangdam.DeleteGroup{Group: "returns", Version: 1})
		require.ErrorIs(t, err, sangdam.ErrConflict)
		require.ErrorContains(t, err, `view "Returned lamps"`)
		require.NoError(t, w.eng.DeleteTicketView(w.ctx, w.host, sangdam.DeleteTicketView{View: view.ID, Version: 1}))
		macro := sangdam.Macro{ID: "m", Title: "To returns", Subject: "ticket", Actions: []trigger.Action{
			trigger.Do(action.Assign, action.AssignParams{Choice: trigger.ChooseInTurn, Group: "returns"})}}
		require.NoError(t, errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: macro})))
		err = w.eng.DeleteGroup(w.ctx, w.host, sangdam.DeleteGroup{Group: "returns", Version: 1})
		require.ErrorContains(t, err, `macro "To returns"`)
		require.NoError(t, w.eng.DeleteMacro(w.ctx, w.host, sangdam.DeleteMacro{Macro: "m", Version: 1}))
		require.NoError(t, w.eng.DeleteGroup(w.ctx, w.host, sangdam.DeleteGroup{Group: "returns", Version: 1}))

		own := ticket.View{ID: "mine", Name: "Mine", Owner: "a1"}
		require.NoError(t, errOf(w.eng.SaveTicketView(w.ctx, w.agent("a1"), sangdam.SaveTicketView{View: own})))
		own.Owner, own.Version = "a2", 1
		_, err = w.eng.SaveTicketView(w.ctx, w.agent("a2"), sangdam.SaveTicketView{View: own})
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
		views, err := w.eng.TicketViews(w.ctx, w.agent("a2"))
		require.NoError(t, err)
		require.Empty(t, views)
		_, err = w.eng.Tickets(w.ctx, w.agent("a2"), sangdam.TicketFilter{View: "mine"}, "", 0)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
	})
}

// TestTemplatesSayWhyTheyAreNotOffered.
func TestTemplatesSayWhyTheyAreNotOffered(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		other := d.category(ticket.Resolution, "", 1, "Refunded", false)
		save := func(p sangdam.Principal, a ticket.AnswerTemplate) sangdam.Saved {
			s, err := w.eng.SaveTemplate(w.ctx, p, sangdam.SaveTemplate{Template: a})
			require.NoError(t, err)
			return s
		}
		save(w.host, ticket.AnswerTemplate{Title: "Linked", Body: "x", SearchCode: "ln", Resolutions: []ticket.CategoryID{d.resolved}})
		save(w.host, ticket.AnswerTemplate{Title: "Other", Body: "x", Resolutions: []ticket.CategoryID{other}})
		require.NotEmpty(t, save(w.agent("a1"), ticket.AnswerTemplate{Title: "Own", Body: "My words", Owner: "a1"}).Warnings)
		list, err := w.eng.Templates(w.ctx, w.agent("a1"), sangdam.TemplateFilter{Resolution: d.resolved})
		require.NoError(t, err)
		offers := map[string]ticket.Offer{}
		for _, o := range list {
			offers[o.Title] = o.Offer
		}
		require.Equal(t, map[string]ticket.Offer{"Linked": ticket.Offered, "Other": ticket.OtherLinks, "Own": ticket.NotLinked}, offers)
		for text, want := range map[string]int{"LN": 1, "my words": 1, "": 3, "nothing": 0} {
			list, err := w.eng.Templates(w.ctx, w.agent("a1"), sangdam.TemplateFilter{Text: text})
			require.NoError(t, err)
			require.Len(t, list, want, text)
		}
		list, err = w.eng.Templates(w.ctx, w.agent("a2"), sangdam.TemplateFilter{})
		require.NoError(t, err)
		require.Len(t, list, 2, "another's own are not shown")
		for _, want := range []struct {
			f     sangdam.TemplateFilter
			title string
		}{{sangdam.TemplateFilter{Linked: other}, "Other"}, {sangdam.TemplateFilter{Private: true}, "Own"},
			{sangdam.TemplateFilter{Shared: true, Text: "li"}, "Linked"}} {
			list, err = w.eng.Templates(w.ctx, w.agent("a1"), want.f)
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, want.title, list[0].Title)
		}
		own := list[0].AnswerTemplate
		own.Title, own.SearchCode = "Edited", "with blank"
		save2 := func(p sangdam.Principal) error {
			return errOf(w.eng.SaveTemplate(w.ctx, p, sangdam.SaveTemplate{Template: own}))
		}
		require.ErrorIs(t, save2(w.host), sangdam.ErrInvalid)
		own.SearchCode = "ed"
		require.ErrorIs(t, save2(w.agent("a2")), sangdam.ErrPermissionDenied)
		require.NoError(t, save2(w.host))
		require.ErrorIs(t, w.eng.DeleteTemplate(w.ctx, w.host, sangdam.DeleteTemplate{Template: own.ID, Version: own.Version}),
			sangdam.ErrStale)
		require.NoError(t, w.eng.DeleteTemplate(w.ctx, w.host, sangdam.DeleteTemplate{Template: own.ID, Version: own.Version + 1}))
	})
}

// TestSwitchesOfAWorkspace: what is off refuses by the switch's name, and what is
// stored stays readable; gaps of languages are told.
func TestSwitchesOfAWorkspace(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{})
		s := sangdam.WorkspaceSettings{Languages: []string{"en", "ko"}, Off: []sangdam.Switch{sangdam.SwitchTicket,
			sangdam.SwitchAssignmentControl}}
		saved, err := w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: s})
		require.NoError(t, err)
		require.Contains(t, said(saved.Warnings), "field order has no text in ko")
		_, err = w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "x"})
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
		require.ErrorContains(t, err, `"ticket" is switched off`)
		require.ErrorIs(t, d.update(w.host, id, sangdam.TicketChange{Title: ptr("x")}, nil), sangdam.ErrUnsupported)
		a := routing.Agent{ID: "a1", Name: "A", Role: "agent", Permissions: []routing.Permission{routing.PermitChat, routing.PermitTicket},
			Assign: routing.AssignmentSwitches{Chat: true, Control: true}}
		w.saveAgent(a)
		_, err = w.eng.SetSwitches(w.ctx, w.agent("a1"), sangdam.SetSwitches{Agent: "a1", Version: 1, Chat: true, Ticket: true})
		require.ErrorContains(t, err, `"assignment_control" is switched off`)
		s.Version, s.Off = saved.Version, []sangdam.Switch{"moon"}
		_, err = w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: s})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		lunch := s
		lunch.Off, lunch.Tickets.Presences = nil, []routing.Presence{"lunch"}
		require.ErrorContains(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: lunch})), "lunch")
		s.Languages = []string{"ko"}
		s.Off = []sangdam.Switch{sangdam.SwitchChat, sangdam.SwitchPhone, sangdam.SwitchAPI}
		_, err = w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: s})
		require.NoError(t, err)
		w.line.User("Mina").SendText("hi")
		w.settle()
		_, err = w.eng.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: w.conversations()[0].ID, Text: "x"})
		require.ErrorContains(t, err, `"chat" is switched off`)
		for _, name := range []string{"phone", "api"} {
			_, err = w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "x", Channel: name})
			require.ErrorContains(t, err, fmt.Sprintf("%q is switched off", name))
		}
		require.NoError(t, errOf(w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "x", Channel: ticket.ChannelHand})))
		setup, err := w.eng.TicketSetup(w.ctx, w.host)
		require.NoError(t, err)
		field, _ := setup.Fields.Field("order")
		require.NotEmpty(t, field.Names["en"], "texts of a language that was removed stay")
	})
}

// TestBannedWordsDoNotLeave in chats either; notes may hold them.
func TestBannedWordsDoNotLeave(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w).Conversation
		require.NoError(t, errOf(w.eng.SaveBannedWord(w.ctx, w.host, sangdam.SaveBannedWord{Word: ticket.BannedWord{Word: "바보"}})))
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c, Content: channel.Text("이 바 보야")})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "바보")
		require.NoError(t, errOf(w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: c, Text: "바보"})))
		hits, err := w.eng.CheckAnswer(w.ctx, w.agent("a1"), "ㅂㅏㅂㅗ")
		require.NoError(t, err)
		require.Len(t, hits, 1)
	})
}
