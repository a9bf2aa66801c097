package console_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// macro saves one about tickets.
func (w *world) macro(id string, actions ...trigger.Action) {
	w.t.Helper()
	w.macroAbout("ticket", id, actions...)
}

func (w *world) macroAbout(subject, id string, actions ...trigger.Action) {
	w.t.Helper()
	_, err := w.eng.SaveMacro(w.t.Context(), w.host, sangdam.SaveMacro{Macro: sangdam.Macro{ID: id, Title: "Macro " + id,
		Subject: subject, Actions: actions}})
	require.NoError(w.t, err)
}

// TestMacrosAreMadeAndOrderedInTheBrowser: an administrator adds actions, what is
// wrong keeps what was typed, and the list is moved and shortened.
func TestMacrosAreMadeAndOrderedInTheBrowser(t *testing.T) {
	w := newWorld(t)
	w.macro("b", trigger.Do(action.Set, action.SetParams{Field: "state", Value: "on_hold"}))
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/triggers")
	p.click(`a[href$="/macros?subject=ticket"]`)
	p.shows("table.found", "State: On hold")
	p.click(`a[href$="/macros/new?subject=ticket"]`)
	p.until(`document.querySelector("#macro [data-kinds]")`)
	require.NotContains(t, eval[[]string](p, `[...document.querySelectorAll("[data-kinds] option")].map(o => o.value)`), "webhook")
	eval[bool](p, `(document.querySelector("[name=title]").value = "Refund", document.querySelector("#macro .primary").click(), true)`)
	p.shows(".notice.bad", "actions")
	require.Equal(t, "Refund", eval[string](p, `document.querySelector("[name=title]").value`))
	for _, kind := range []string{"tag", "note"} {
		eval[bool](p, `(document.querySelector("[data-kinds]").value = "`+kind+`", document.querySelector("[data-act=add]").click(), true)`)
	}
	eval[bool](p, `(document.querySelector("[name='action.0.add']").value = "refund, money",
		document.querySelector("[name^='action.1.text']").value = "Ask the bank", document.querySelector("#macro .primary").click(), true)`)
	p.shows(".notice.good", "Saved")
	made := eval[string](p, `location.pathname.replace("/desk", "")`)
	p.looks(made, "macro")
	p.openPage("/macros")
	titles := `[...document.querySelectorAll("table.found tbody a")].map(a => a.innerText).join()`
	require.Equal(t, "Macro b,Refund", eval[string](p, titles))
	p.shows("table.found", "Tags added: refund, money")
	eval[bool](p, `(document.querySelector("tr:last-child [value=up]").focus(), true)`)
	p.do(chromedp.KeyEvent("\r"))
	p.until(titles + ` === "Refund,Macro b"`)
	p.looks("/macros", "macros")
	p.openPage(made)
	p.click("#delete-macro")
	p.until(titles + ` === "Macro b"`)
}

// TestAMacroIsRunOnATicketInTheBrowser: an agent sees what it will do, in words,
// before it does it; what the agent may not do is not offered.
func TestAMacroIsRunOnATicketInTheBrowser(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1)[0]
	at := "/tickets/" + string(id)
	require.NotContains(t, bodyOf(t, w.client("ara").do(http.MethodGet, at, "")), "choose-macro", "there is none")
	w.macro("refund", trigger.Do(action.Set, action.SetParams{Field: "state", Value: "on_hold"}),
		trigger.Do(action.Assign, action.AssignParams{Agents: []routing.AgentID{"bo"}, Choice: trigger.ChooseOne}),
		trigger.Do(action.Priority, action.PriorityParams{Value: 2}),
		trigger.Do(action.Tag, action.TagParams{Add: []string{"refund"}, Remove: []string{"old"}}),
		trigger.Do(action.Note, action.TextParams{Text: action.Texts{"": "Ask the bank", "ko": "은행에 문의"}}))
	w.macro("close", trigger.Do(action.Set, action.SetParams{Field: "state", Value: "complete"}))
	p := w.open(browsertest.Open(t), "ara")
	p.openPage(at)
	require.Equal(t, []string{"refund"}, eval[[]string](p, `[...document.querySelectorAll("#choose-macro option")].map(o => o.value)`))
	eval[bool](p, `(document.querySelector("#choose-macro button").focus(), true)`)
	p.do(chromedp.KeyEvent("\r"))
	for _, line := range []string{"State: On hold", "Bo Lee", "Priority: Urgent", "Tags added: refund", "Tags removed: old",
		"Ask the bank"} {
		p.shows("#does", line)
	}
	require.Equal(t, ticket.Unassigned, w.ticket(id).State, "nothing has happened yet")
	p.looks("/run-macro?subject=ticket&macro=refund&record="+string(id), "run-macro")
	p.openPage("/run-macro?subject=ticket&macro=refund&record=" + string(id))
	eval[bool](p, `(document.querySelector("#run .primary").focus(), true)`)
	p.do(chromedp.KeyEvent("\r"))
	p.shows(".entries", "Ask the bank")
	got := w.ticket(id)
	require.Equal(t, []any{ticket.OnHold, "bo", ticket.Urgent, []string{"refund"}},
		[]any{got.State, string(got.Agent), got.Priority, got.Tags})
	resp := w.client("ara").do(http.MethodPost, "/run-macro", "subject=ticket&macro=close&record="+string(id))
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Equal(t, ticket.OnHold, w.ticket(id).State)
	require.Contains(t, bodyOf(t, w.client("admin").do(http.MethodGet, at, "")), `value="close"`)
}

// TestAMacroIsRunOnAConversationInTheBrowser: the panel leads to those that the agent may
// run, and back when one is done.
func TestAMacroIsRunOnAConversationInTheBrowser(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("hello")
	id := w.owned("Mina", "ara")
	at := "/conversations/" + string(id)
	choice := "/run-macro?subject=conversation&record=" + string(id)
	require.Contains(t, bodyOf(t, w.client("ara").do(http.MethodGet, choice, "")), "No macro that you may run here")
	w.macroAbout("conversation", "refund", trigger.Do(action.Tag, action.TagParams{Add: []string{"refund"}}),
		trigger.Do(action.Note, action.TextParams{Text: action.Texts{"": "Ask the bank"}}))
	w.macroAbout("conversation", "lead", trigger.Do(action.Assign,
		action.AssignParams{Agents: []routing.AgentID{"bo"}, Choice: trigger.ChooseOne}))
	p := w.open(browsertest.Open(t), "ara")
	p.openPage(at)
	p.click("#macros-link")
	p.until(`document.querySelector("#choose-macro")`)
	require.Equal(t, []string{"refund"}, eval[[]string](p, `[...document.querySelectorAll("#choose-macro option")].map(o => o.value)`))
	p.looks(choice, "choose-macro")
	p.openPage(choice)
	p.click("#choose-macro button")
	p.shows("#does", "Tags added: refund")
	p.click("#run .primary")
	p.shows("#thread", "Ask the bank")
	detail, err := w.eng.Conversation(t.Context(), w.host, id)
	require.NoError(t, err)
	require.Equal(t, []string{"refund"}, detail.Conversation.Tags)
	require.Equal(t, http.StatusNotFound, w.client("zed").do(http.MethodGet, choice, "").StatusCode, "of another desk")
	require.Equal(t, http.StatusNotFound, w.client("ara").do(http.MethodGet, choice+"&macro=lead", "").StatusCode)
}

// What a macro could not do to a conversation is told on its page, and whoever moved it out
// of their own sight is led to the list.
func TestWhatAMacroLeftOfAConversationIsTold(t *testing.T) {
	w := newWorld(t)
	_, err := w.eng.SaveQueue(t.Context(), w.host, sangdam.SaveQueue{Queue: routing.Queue{ID: "far", Name: "Far away", Desk: "elsewhere",
		Members: []routing.AgentID{"zed"}}})
	require.NoError(t, err)
	w.line.User("Mina").SendText("hello")
	id := w.owned("Mina", "ara")
	w.macroAbout("conversation", "urgent", trigger.Do(action.Priority, action.PriorityParams{Value: 3}))
	w.macroAbout("conversation", "away", trigger.Do(action.Queue, action.QueueParams{Queue: "far"}))
	at := "/conversations/" + string(id)
	run := func(macro string) *http.Response {
		return w.client("ara").do(http.MethodPost, "/run-macro", "key="+macro+"&subject=conversation&macro="+macro+"&record="+string(id))
	}
	resp := run("urgent")
	require.Equal(t, []any{http.StatusSeeOther, "/desk" + at}, []any{resp.StatusCode, resp.Header.Get("Location")})
	ara := w.client("ara")
	for _, c := range resp.Cookies() {
		ara.header = http.Header{"Cookie": {c.Name + "=" + c.Value}}
	}
	require.Contains(t, bodyOf(t, ara.do(http.MethodGet, at, "")), "was not done")
	for range 2 { // the second is the first, sent again
		resp = run("away")
		require.Equal(t, []any{http.StatusSeeOther, "/desk/conversations"}, []any{resp.StatusCode, resp.Header.Get("Location")})
	}
	require.Equal(t, http.StatusNotFound, ara.do(http.MethodGet, at, "").StatusCode)
}
