package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/dooray"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// send types into the fields of a form, and sends it with Enter on its button.
func (p *tab) send(form string, values map[string]string) {
	p.t.Helper()
	p.until(`document.readyState === "complete" && document.querySelector("` + form + `")`)
	raw, err := json.Marshal(values)
	require.NoError(p.t, err)
	eval[bool](p, fmt.Sprintf(`((f, v) => { for (const k in v) f.elements[k].value = v[k];
		f.querySelector("button[type=submit]").focus(); return true; })(document.querySelector(%q), %s)`, form, raw))
	p.do(chromedp.KeyEvent("\r"))
}

// comment writes an internal comment on a ticket.
func (w *world) comment(id ticket.ID, text string) {
	w.t.Helper()
	_, err := w.eng.UpdateTicket(w.t.Context(), w.as("bo"), sangdam.UpdateTicket{Ticket: id, Version: w.ticket(id).Version,
		Comment: &sangdam.TicketComment{Text: text}})
	require.NoError(w.t, err)
}

// TestATicketIsSplitInTheBrowser: the comment that goes is chosen, the new ticket has
// it as its inquiry, and the two show each other by number and title.
func TestATicketIsSplitInTheBrowser(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1)[0]
	w.comment(id, "It is dark")
	w.comment(id, "The chair is broken, too")
	p := w.open(browsertest.Open(t), "ara")
	at := "/tickets/" + string(id)
	p.openPage(at)
	p.click(".entries li:last-of-type .entry-split")
	p.until(`document.querySelector("#split [name=entry]:checked")`)
	p.shows(".split-entry:has(:checked)", "The chair is broken")
	p.shot("split-chosen")
	p.send("#split", map[string]string{"title": "Chair"})
	p.shows("h1", "#2 Chair")
	p.shows("#related", "split from")
	p.shows("#related", "#1 Lamp 1")
	p.click("#related a")
	p.shows("h1", "#1")
	p.shows("#related", "#2 Chair")
	p.looks(at+"/split?entry=3", "split")
	made := w.ticket(w.numbered(2))
	require.Equal(t, []any{"The chair is broken, too", "Mina"}, []any{made.Body, made.Requester.Name})

	// What is wrong keeps what was typed.
	body := bodyAs(t, http.StatusBadRequest, w.client("ara").do(http.MethodPost, at+"/split", "title=Kept"))
	require.Contains(t, body, "choose what the new ticket is about")
	require.Contains(t, body, `value="Kept"`)
	w.withoutTickets("bo")
	require.Equal(t, http.StatusForbidden, w.client("bo").do(http.MethodPost, at+"/split", "title=x&entry=2").StatusCode)
	page := bodyOf(t, w.client("bo").do(http.MethodGet, at, ""))
	for _, offered := range []string{"entry-split", `id="link"`, `id="merge"`} {
		require.NotContains(t, page, offered)
	}
}

func (w *world) numbered(n int64) ticket.ID {
	w.t.Helper()
	page, err := w.eng.Tickets(w.t.Context(), w.host, sangdam.TicketFilter{Number: n}, "", 1)
	require.NoError(w.t, err)
	require.Len(w.t, page.Tickets, 1)
	return page.Tickets[0].ID
}

// TestTicketsAreLinkedAndMergedInTheBrowser: by number, in a relation, and apart
// again; a number that is none keeps what was typed.
func TestTicketsAreLinkedAndMergedInTheBrowser(t *testing.T) {
	w := newWorld(t)
	ids := w.opened(3)
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/tickets/" + string(ids[0]))
	p.send("#link", map[string]string{"number": "77", "as": "parent"})
	p.shows(".notice.bad", "there is no ticket 77")
	require.Equal(t, []string{"77", "parent"}, eval[[]string](p,
		`[...document.querySelectorAll("#link [name=number], #link select")].map(f => f.value)`))
	p.send("#link", map[string]string{"number": "#2"})
	p.shows("#related", "#2 Lamp 2")
	p.shows("#related", "parent")
	p.shows(".entries", "Related tickets: – → parent #2")
	require.Equal(t, []ticket.Link{{To: ids[0], As: ticket.Child}}, w.ticket(ids[1]).Links)
	p.looks("/tickets/"+string(ids[0]), "ticket-related", "#related")
	p.openPage("/tickets/" + string(ids[0]))
	eval[bool](p, `(document.querySelector("#related .icon-button").focus(), true)`)
	p.do(chromedp.KeyEvent("\r"))
	p.shows("#related", "None yet")
	require.Empty(t, w.ticket(ids[1]).Links)

	p.send("#merge", map[string]string{"into": "1"})
	p.shows(".notice.bad", "it cannot be merged into itself")
	require.Equal(t, "1", eval[string](p, `document.querySelector("#merge [name=into]").value`))
	p.send("#merge", map[string]string{"into": "3"})
	p.shows("h1", "#3 Lamp 3")
	p.shows("#related", "merged in")
	require.Equal(t, ids[2], w.ticket(ids[0]).MergedInto)
	p.openPage("/tickets/" + string(ids[0]))
	require.False(t, eval[bool](p, `!!document.querySelector("#merge, #link, #hand-over, .entry-split")`), "it was merged")
}

// What cannot be saved keeps everything that was typed in the ticket's form.
func TestATicketThatCannotBeSavedKeepsWhatWasTyped(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1)[0]
	resp := w.client("ara").do(http.MethodPost, "/tickets/"+string(id),
		"version=1&title=&state=on_hold&priority=2&agent=bo&tags=a,b&comment=typed")
	body := bodyAs(t, http.StatusBadRequest, resp)
	for _, want := range []string{`<option value="on_hold" selected>`, `<option value="2" selected>`, `<option value="bo" selected>`,
		`name="tags" value="a,b"`, ">typed</textarea>"} {
		require.Contains(t, body, want)
	}
}

// project saves a target that takes tickets, and lets ara hand over.
func (w *world) project() {
	w.t.Helper()
	w.room.Key("all-key", "boss")
	_, err := w.eng.SaveTarget(w.t.Context(), w.host, sangdam.SaveTarget{Target: notify.Target{ID: "shop", Kind: dooray.KindTask,
		Name: "Shop project", Settings: json.RawMessage(`{"project":"4000"}`),
		Secrets: map[string]channel.Secret{dooray.SecretKey: channel.NewSecret("all-key"),
			notify.SecretHook: channel.NewSecret(strings.Repeat("s3cret-", 4))}}})
	require.NoError(w.t, err)
	w.permit("ara", routing.PermitChat, routing.PermitTicket, routing.PermitHandOver)
}

// TestATicketIsHandedOverInTheBrowser to a project outside: the page says where it
// is and what it is called there, that it came back, and takes it back.
func TestATicketIsHandedOverInTheBrowser(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1)[0]
	at := "/tickets/" + string(id)
	b := browsertest.Open(t)
	p := w.open(b, "ara")
	p.openPage(at)
	require.False(t, eval[bool](p, `!!document.querySelector("#hand-over")`), "there is nowhere to go")
	w.project()
	p.looks(at, "ticket-hand-over", "#hand-over")
	p.openPage(at)
	p.send("#hand-over form", map[string]string{"target": "shop", "note": "Please look"})
	p.until(`document.querySelector("#handed-over")`)
	w.eventually("the task", func() bool { return w.ticket(id).HandedTo != "" })
	task := w.room.Tasks()[0]
	require.Contains(t, task.Body.Content, "Please look")
	p.looks(at, "ticket-handed-over")
	p.openPage(at)
	p.shows("#handed-over", "Handed over to Shop project as "+task.ID)
	p.shows("#handed-over", "Take it back")
	require.False(t, eval[bool](p, `!!document.querySelector("#hand-over")`))

	report := func(r notify.Report) {
		r.Task = task.ID
		_, err := w.eng.ReportHandOver(t.Context(), w.host, sangdam.ReportHandOver{Target: "shop", Report: r})
		require.NoError(t, err)
	}
	report(notify.Report{By: "Lee", Comment: "We have one"})
	report(notify.Report{State: notify.Done})
	p.openPage(at)
	p.shows("#handed-over", "It was handed over to Shop project")
	p.shows(".entries", "Lee: We have one")
	require.Equal(t, "solved", eval[string](p, `document.querySelector("[name=state]").value`))
	report(notify.Report{State: notify.Working})
	p.openPage(at)
	eval[bool](p, `(document.querySelector("#take-back").focus(), true)`)
	p.do(chromedp.KeyEvent("\r"))
	p.until(`document.querySelector("[name=state]").value === "unassigned"`)

	// Nobody else is offered it; what is wrong keeps what was typed.
	require.NotContains(t, bodyOf(t, w.client("bo").do(http.MethodGet, at, "")), "hand-over")
	require.Equal(t, http.StatusForbidden, w.client("bo").do(http.MethodPost, at+"/hand-over", "target=shop&version=9").StatusCode)
	body := bodyAs(t, http.StatusConflict, w.client("ara").do(http.MethodPost, at+"/hand-over", "version=1&note=keep+me&target=shop"))
	require.Contains(t, body, "keep me</textarea>")
	require.Contains(t, body, `<option value="shop" selected>`)
}
