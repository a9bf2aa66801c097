package sangdam_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// ticketLists are the queries that leave out what one may not see, or show what
// every agent of the workspace may know.
var ticketLists = []string{"Tickets", "TicketNames", "CountTickets", "SearchTickets", "TicketSetup", "TicketViews", "Templates",
	"CheckAnswer"}

// ticketCalls adds the commands and queries of tickets to those that strangers
// try.
func ticketCalls(w *world, calls, queries map[string]func(sangdam.Principal) error) {
	w.t.Helper()
	open := func() ticket.ID {
		t, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "Broken", Desk: "support"})
		require.NoError(w.t, err)
		return t.Ticket
	}
	id, other := open(), open()
	e, ctx := w.eng, w.ctx
	text := "x"
	for name, call := range map[string]func(sangdam.Principal) error{
		"OpenTicket": func(p sangdam.Principal) error { return errOf(e.OpenTicket(ctx, p, sangdam.OpenTicket{Title: "x"})) },
		"SubmitTicket": func(p sangdam.Principal) error {
			return errOf(e.SubmitTicket(ctx, p, sangdam.SubmitTicket{Title: "x", Content: "x"}))
		},
		"UpdateTicket": func(p sangdam.Principal) error {
			return errOf(e.UpdateTicket(ctx, p, sangdam.UpdateTicket{Ticket: id, Version: 1, Change: sangdam.TicketChange{Title: &text}}))
		},
		"ReplyTicket": func(p sangdam.Principal) error {
			return errOf(e.ReplyTicket(ctx, p, sangdam.ReplyTicket{Ticket: id, Text: "x"}))
		},
		"FollowTicket": func(p sangdam.Principal) error {
			return errOf(e.FollowTicket(ctx, p, sangdam.FollowTicket{Ticket: id}))
		},
		"LinkTickets": func(p sangdam.Principal) error {
			return errOf(e.LinkTickets(ctx, p, sangdam.LinkTickets{Ticket: id, To: other}))
		},
		"MergeTickets": func(p sangdam.Principal) error {
			return errOf(e.MergeTickets(ctx, p, sangdam.MergeTickets{From: id, Into: other}))
		},
		"SplitTicket": func(p sangdam.Principal) error {
			return errOf(e.SplitTicket(ctx, p, sangdam.SplitTicket{Ticket: id, Entry: 1, Title: "x"}))
		},
		"BulkTickets": func(p sangdam.Principal) error {
			return errOf(e.BulkTickets(ctx, p, sangdam.BulkTickets{Tickets: []ticket.ID{id}, Change: sangdam.TicketChange{Title: &text}}))
		},
		"HandOver": func(p sangdam.Principal) error {
			return errOf(e.HandOver(ctx, p, sangdam.HandOver{Ticket: id, Version: 1, Target: "x"}))
		},
		"ReportHandOver": func(p sangdam.Principal) error {
			return errOf(e.ReportHandOver(ctx, p, sangdam.ReportHandOver{Target: "x"}))
		},
		"UndoBulk": func(p sangdam.Principal) error { return errOf(e.UndoBulk(ctx, p, sangdam.UndoBulk{Bulk: "x"})) },
		"SavePanel": func(p sangdam.Principal) error {
			return errOf(e.SavePanel(ctx, p, sangdam.SavePanel{Conversation: w.conversations()[1].ID}))
		},
	} {
		calls[name] = call
	}
	setupCalls(w, calls)
	queries["Subscriptions"] = func(p sangdam.Principal) error { return errOf(e.Subscriptions(ctx, p)) }
	queries["MailLayouts"] = func(p sangdam.Principal) error { return errOf(e.MailLayouts(ctx, p)) }
	queries["CommentFiles"] = func(p sangdam.Principal) error { return errOf(e.CommentFiles(ctx, p, id)) }
	queries["TicketFile"] = func(p sangdam.Principal) error { return errOf(e.TicketFile(ctx, p, id, "x")) }
	queries["BulkProgress"] = func(p sangdam.Principal) error { return errOf(e.BulkProgress(ctx, p, "x")) }
	queries["Bulks"] = func(p sangdam.Principal) error { return errOf(e.Bulks(ctx, p, 10)) }
	queries["Receivers"] = func(p sangdam.Principal) error { return errOf(e.Receivers(ctx, p)) }
	queries["MacrosFor"] = func(p sangdam.Principal) error { return errOf(e.MacrosFor(ctx, p, "ticket", string(id))) }
	queries["Ticket"] = func(p sangdam.Principal) error { return errOf(e.Ticket(ctx, p, id)) }
	queries["TicketHistory"] = func(p sangdam.Principal) error { return errOf(e.TicketHistory(ctx, p, id, 0, 10)) }
	queries["TicketChat"] = func(p sangdam.Principal) error { return errOf(e.TicketChat(ctx, p, id, 0, 10)) }
	queries["RevealTicketField"] = func(p sangdam.Principal) error { return errOf(e.RevealTicketField(ctx, p, id, "x")) }
}

// setupCalls adds the commands that set up what tickets need.
func setupCalls(w *world, calls map[string]func(sangdam.Principal) error) {
	e, ctx := w.eng, w.ctx
	for name, call := range map[string]func(sangdam.Principal) error{
		"SaveWorkspaceSettings": func(p sangdam.Principal) error {
			return errOf(e.SaveWorkspaceSettings(ctx, p, sangdam.SaveWorkspaceSettings{}))
		},
		"SaveCategory": func(p sangdam.Principal) error {
			return errOf(e.SaveCategory(ctx, p, sangdam.SaveCategory{Tree: ticket.Intake,
				Category: ticket.Category{Names: map[string]string{"en": "x"}}}))
		},
		"DeleteCategory": func(p sangdam.Principal) error {
			return errOf(e.DeleteCategory(ctx, p, sangdam.DeleteCategory{Tree: ticket.Intake, Category: "x"}))
		},
		"SaveField":    func(p sangdam.Principal) error { return errOf(e.SaveField(ctx, p, sangdam.SaveField{})) },
		"DeleteField":  func(p sangdam.Principal) error { return errOf(e.DeleteField(ctx, p, sangdam.DeleteField{Code: "x"})) },
		"SaveForm":     func(p sangdam.Principal) error { return errOf(e.SaveForm(ctx, p, sangdam.SaveForm{})) },
		"SaveTemplate": func(p sangdam.Principal) error { return errOf(e.SaveTemplate(ctx, p, sangdam.SaveTemplate{})) },
		"DeleteTemplate": func(p sangdam.Principal) error {
			return e.DeleteTemplate(ctx, p, sangdam.DeleteTemplate{Template: "x"})
		},
		"SaveBannedWord": func(p sangdam.Principal) error { return errOf(e.SaveBannedWord(ctx, p, sangdam.SaveBannedWord{})) },
		"DeleteBannedWord": func(p sangdam.Principal) error {
			return e.DeleteBannedWord(ctx, p, sangdam.DeleteBannedWord{Word: "x"})
		},
		"SaveGroup":      func(p sangdam.Principal) error { return errOf(e.SaveGroup(ctx, p, sangdam.SaveGroup{})) },
		"DeleteGroup":    func(p sangdam.Principal) error { return e.DeleteGroup(ctx, p, sangdam.DeleteGroup{Group: "x"}) },
		"SaveTicketView": func(p sangdam.Principal) error { return errOf(e.SaveTicketView(ctx, p, sangdam.SaveTicketView{})) },
		"DeleteTicketView": func(p sangdam.Principal) error {
			return e.DeleteTicketView(ctx, p, sangdam.DeleteTicketView{View: "x"})
		},
		"SaveSubscription": func(p sangdam.Principal) error { return errOf(e.SaveSubscription(ctx, p, sangdam.SaveSubscription{})) },
		"DeleteSubscription": func(p sangdam.Principal) error {
			return e.DeleteSubscription(ctx, p, sangdam.DeleteSubscription{Subscription: "x"})
		},
		"ReplayEvents": func(p sangdam.Principal) error {
			return e.ReplayEvents(ctx, p, sangdam.ReplayEvents{Subscription: "x"})
		},
		"SaveMailLayout": func(p sangdam.Principal) error { return errOf(e.SaveMailLayout(ctx, p, sangdam.SaveMailLayout{})) },
		"DeleteMailLayout": func(p sangdam.Principal) error {
			return e.DeleteMailLayout(ctx, p, sangdam.DeleteMailLayout{Event: "solved"})
		},
		"SaveServiceLevel": func(p sangdam.Principal) error { return errOf(e.SaveServiceLevel(ctx, p, sangdam.SaveServiceLevel{})) },
		"DeleteServiceLevel": func(p sangdam.Principal) error {
			return e.DeleteServiceLevel(ctx, p, sangdam.DeleteServiceLevel{Level: "x"})
		},
	} {
		calls[name] = call
	}
}

// withTickets gives the agents the permission and the switch for tickets.
func withTickets(w *world, ids ...routing.AgentID) {
	w.t.Helper()
	for _, id := range ids {
		w.saveAgent(routing.Agent{ID: id, Name: "Agent " + string(id), Role: "agent",
			Permissions: []routing.Permission{routing.PermitChat, routing.PermitTicket},
			Capacity:    map[routing.Profile]int{routing.ProfileUnits: 2},
			Assign:      routing.AssignmentSwitches{Chat: true, Ticket: true}})
	}
}

// Who may not begin a conversation is told nothing of what is switched off here.
func TestBeginTellsNobodyElseWhatIsSwitchedOff(t *testing.T) {
	inWorld(t, func(w *world) {
		_, err := w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{
			Settings: sangdam.WorkspaceSettings{Off: []sangdam.Switch{sangdam.SwitchChat}}})
		require.NoError(t, err)
		begin := func(p sangdam.Principal) error {
			return errOf(w.eng.Begin(w.ctx, p, sangdam.Begin{Account: w.acct.ID, User: "u", Content: channel.Text("hello")}))
		}
		require.ErrorIs(t, begin(w.host), sangdam.ErrUnsupported)
		require.EqualError(t, begin(sangdam.AgentPrincipal(ws, "stranger")), "sangdam: there is no such account")
	})
}

// TestWhoSeesATicket: those of a desk are for its agents, those of none for all
// with the permission, one's own always; the same in lists and searches.
func TestWhoSeesATicket(t *testing.T) {
	inWorld(t, func(w *world) {
		withTickets(w, "a1", "out")
		w.saveAgent(routing.Agent{ID: "chats", Name: "Chats", Role: "agent", Permissions: []routing.Permission{routing.PermitChat}})
		of := func(c sangdam.OpenTicket) ticket.ID {
			c.Title = "Lamp broken"
			s, err := w.eng.OpenTicket(w.ctx, w.host, c)
			require.NoError(t, err)
			return s.Ticket
		}
		desk, none, own := of(sangdam.OpenTicket{Desk: "support"}), of(sangdam.OpenTicket{}),
			of(sangdam.OpenTicket{Desk: "support", Agent: "out"})
		for agent, want := range map[routing.AgentID][]ticket.ID{"a1": {desk, none, own}, "out": {none, own}, "chats": {}} {
			p := w.agent(agent)
			var seen []ticket.ID
			for _, id := range []ticket.ID{desk, none, own} {
				_, err := w.eng.Ticket(w.ctx, p, id)
				if err == nil {
					seen = append(seen, id)
					continue
				}
				require.ErrorIs(t, err, sangdam.ErrNotFound)
			}
			require.ElementsMatch(t, want, seen, agent)
			page, err := w.eng.Tickets(w.ctx, p, sangdam.TicketFilter{}, "", 0)
			require.NoError(t, err)
			require.Len(t, page.Tickets, len(want))
			n, err := w.eng.CountTickets(w.ctx, p, sangdam.TicketFilter{Open: true})
			require.NoError(t, err)
			require.Equal(t, len(want), n.N)
			found, err := w.eng.SearchTickets(w.ctx, p, "lamp", "", 10)
			require.NoError(t, err)
			require.Len(t, found.Tickets, len(want))
			names, err := w.eng.TicketNames(w.ctx, p, desk, none, own, "nowhere", "")
			require.NoError(t, err)
			require.ElementsMatch(t, want, slices.Collect(maps.Keys(names)))
		}
		_, err := w.eng.TicketNames(w.ctx, w.host, make([]ticket.ID, sangdam.MaxBulk+1)...)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		for _, a := range []sangdam.Action{sangdam.ActTicketBulk, sangdam.ActTicketEdit, sangdam.ActTicketHandOver,
			sangdam.ActTicketComplete} {
			require.ErrorIs(t, w.eng.May(w.ctx, w.agent("chats"), a), sangdam.ErrPermissionDenied)
			require.NoError(t, w.eng.May(w.ctx, sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator), a))
		}
		require.NoError(t, w.eng.May(w.ctx, w.agent("a1"), sangdam.ActTicketBulk))
		require.ErrorIs(t, w.eng.May(w.ctx, w.agent("a1"), sangdam.ActTicketComplete), sangdam.ErrPermissionDenied)
		_, err = w.eng.OpenTicket(w.ctx, w.agent("chats"), sangdam.OpenTicket{Title: "x"})
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
	})
}
