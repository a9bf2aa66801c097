package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
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

// inLanguage has the browser's pages in a language.
func (p *tab) inLanguage(lang string) {
	p.t.Helper()
	eval[bool](p, `(window.chosen = false, fetch("/desk/preferences", {method: "POST", body: new URLSearchParams({lang: "`+lang+`"})})
		.then(() => { window.chosen = true; }), true)`)
	p.until(`window.chosen`)
}

// wider lists what goes beyond the screen's width, but for tables that scroll.
func (p *tab) wider() []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 &&
		!e.closest(".scroll, .sr, [popover]")).map(e => e.tagName + "." + e.className + "#" + e.id)`)
}

// looks asks axe-core about a page and takes pictures of it: dark, and in Korean
// on a narrow screen, where nothing is wider than that; wide and at 400 % too when
// somebody wants the pictures, which begin at the element of the selector, if any.
func (p *tab) looks(path, name string, from ...string) {
	p.t.Helper()
	source, pictures := axeSource(p.t), os.Getenv("PAGE_SHOTS") != ""
	for _, c := range []struct {
		as, lang string
		dark     bool
		width    int64
	}{{"", "en", false, 1400}, {"-dark", "en", true, 1400}, {"-ko", "ko", false, 1400}, {"-ko-360", "ko", false, 360},
		{"-320", "en", false, 320}} {
		if !pictures && c.as != "-dark" && c.as != "-ko-360" {
			continue
		}
		p.do(chromedp.EmulateViewport(c.width, 900))
		p.dark(c.dark)
		p.inLanguage(c.lang)
		p.openPage(path)
		p.axe(source, name+c.as)
		require.Empty(p.t, p.wider(), "%s is wider than %d pixels", path, c.width)
		for _, selector := range from {
			eval[bool](p, fmt.Sprintf(`(document.querySelector(%q).scrollIntoView(), true)`, selector))
		}
		p.shot(name + c.as)
	}
	p.do(chromedp.EmulateViewport(1400, 900))
	p.inLanguage("en")
}

// opened makes tickets of the desk.
func (w *world) opened(n int) (ids []ticket.ID) {
	w.t.Helper()
	for i := range n {
		made, err := w.eng.OpenTicket(w.t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: fmt.Sprintf("Lamp %d", i+1),
			Tags: []string{"old"}, Requester: ticket.Requester{Name: "Mina"}})
		require.NoError(w.t, err)
		ids = append(ids, made.Ticket)
	}
	return ids
}

func (w *world) ticket(id ticket.ID) ticket.Ticket {
	w.t.Helper()
	got, err := w.eng.Ticket(w.t.Context(), w.host, id)
	require.NoError(w.t, err)
	return got.Ticket
}

// TestManyTicketsAreChangedFromTheList: tickets are chosen with the keyboard, changed
// in one step, what failed is told by number and reason, and it is undone.
func TestManyTicketsAreChangedFromTheList(t *testing.T) {
	w := newWorld(t)
	ids := w.opened(4)
	_, err := w.eng.MergeTickets(t.Context(), w.host, sangdam.MergeTickets{From: ids[1], Into: ids[3]})
	require.NoError(t, err)
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/tickets?list=unassigned")
	p.shows("#bulk-count", "No ticket chosen")
	require.True(t, eval[bool](p, `document.querySelector("#bulk-change").disabled`))
	for _, id := range []ticket.ID{ids[0], ids[2]} {
		eval[bool](p, `(document.querySelector("[name=ticket][value='`+string(id)+`']").focus(), true)`)
		p.do(chromedp.KeyEvent(" "))
	}
	p.shows("#bulk-count", "2 chosen")
	eval[bool](p, `(document.querySelector("[data-all]").focus(), true)`)
	p.do(chromedp.KeyEvent(" "))
	p.until(`document.querySelectorAll("[name=ticket]:checked").length === document.querySelectorAll("[name=ticket]").length`)
	p.shot("bulk-list")
	form := url.Values{"ticket": {string(ids[0]), string(ids[1]), string(ids[2])}}
	p.openPage("/bulk/new?" + form.Encode())
	p.shows("summary", "3 tickets")

	// What changes nothing is refused, and what was chosen stays.
	eval[bool](p, `(document.querySelector("[name=ticket][value='`+string(ids[2])+`']").click(),
		document.querySelector("#bulk .primary").click(), true)`)
	p.shows(".notice.bad", "the bulk change changes nothing")
	require.Equal(t, []bool{true, true, false}, eval[[]bool](p, `[...document.querySelectorAll("[name=ticket]")].map(b => b.checked)`))
	eval[bool](p, `((f, v) => { for (const k in v) f[k].value = v[k]; return true; })(document.querySelector("#bulk"),
		{state: "=on_hold", priority: "=2", agent: "=bo", add_tags: "new, urgent", remove_tags: "old", comment: "Batch 7"})`)
	p.shot("bulk-filled")
	eval[bool](p, `(document.querySelector("#bulk .primary").focus(), true)`)
	p.do(chromedp.KeyEvent("\r"))
	p.shows("#bulk-says", "1 of 2 changed")
	p.shows(".failures", "#2")
	p.shows(".failures", "it was merged into ticket #")
	p.shows(".why-list", "Agent: Bo Lee")
	got := w.ticket(ids[0])
	require.Equal(t, []any{ticket.OnHold, ticket.Urgent, "bo", []string{"new", "urgent"}},
		[]any{got.State, got.Priority, string(got.Agent), got.Tags})
	require.Equal(t, ticket.Unassigned, w.ticket(ids[2]).State, "it was left out")
	page := eval[string](p, `location.pathname.replace("/desk", "")`)
	p.looks(page, "bulk-one")
	p.openPage(page)
	p.click("#undo-bulk")
	p.shows("#bulk-says", "1 of 1 changed")
	require.Equal(t, []string{"old"}, w.ticket(ids[0]).Tags)
	require.False(t, eval[bool](p, `!!document.querySelector("#undo-bulk")`))
	p.looks("/bulk", "bulk-all")
	p.looks("/tickets?list=open", "bulk-tickets")
	p.looks("/bulk/new?"+form.Encode(), "bulk-new")
	p.openPage("/bulk")
	p.shows("table.found", "Taken back")
	p.shows("table.found", "Ara Kim")

	// Administrators find it too, and are not offered to undo it; others do not.
	boss := w.open(browsertest.Open(t), "admin")
	boss.openPage(page)
	boss.shows("#bulk-says", "1 of 2 changed")
	require.False(t, eval[bool](boss, `!!document.querySelector("#undo-bulk")`))
	require.Equal(t, http.StatusNotFound, w.client("bo").do(http.MethodGet, page, "").StatusCode)
}

// TestFieldsAndAMacroOfManyTickets: what is left empty stays, what is wrong keeps what
// was typed, and the macro that was looked at is run on each ticket.
func TestFieldsAndAMacroOfManyTickets(t *testing.T) {
	w := newWorld(t)
	for i, f := range []ticket.Field{{Code: "shelf", Type: ticket.Text}, {Code: "weight", Type: ticket.Number},
		{Code: "secret", Type: ticket.Text, Encrypted: true}, {Code: "size", Type: ticket.Dropdown, Options: []ticket.Option{
			{Code: "s", Names: map[string]string{"en": "Small"}}, {Code: "l", Names: map[string]string{"en": "Large"}}}},
		{Code: "parts", Type: ticket.Checkbox, Options: []ticket.Option{{Code: "bulb", Names: map[string]string{"en": "Bulb"}}}}} {
		f.Kind, f.Names, f.Position = ticket.AgentField, map[string]string{"en": "Its " + f.Code}, i+1
		_, err := w.eng.SaveField(t.Context(), w.host, sangdam.SaveField{Version: int64(i), Field: f})
		require.NoError(t, err)
	}
	w.macro("shelve", trigger.Do(action.Tag, action.TagParams{Add: []string{"shelved"}}),
		trigger.Do(action.Set, action.SetParams{Field: "state", Value: "on_hold"}))
	ids := w.opened(2)
	filled := sangdam.TicketChange{Fields: map[string]ticket.Value{"shelf": {Text: "A1"}, "size": {Text: "s"}}}
	_, err := w.eng.UpdateTicket(t.Context(), w.host, sangdam.UpdateTicket{Ticket: ids[0], Version: 1, Change: filled})
	require.NoError(t, err)
	form := "/bulk/new?" + url.Values{"ticket": {string(ids[0]), string(ids[1])}}.Encode()
	p := w.open(browsertest.Open(t), "ara")
	p.looks(form, "bulk-fields", "#own-fields")
	p.openPage(form)
	require.False(t, eval[bool](p, `!!document.querySelector("[name='field.secret']")`), "it would stand in the open")
	for field, value := range map[string]string{"field.weight": "heavy", "field.size": "l", "macro": "shelve"} {
		p.fill(field, value)
	}
	for _, box := range []string{"[name=clear][value=shelf]", "[name='field.parts']"} {
		p.click(box)
	}
	p.save()
	p.shows(".notice.bad", "heavy")
	require.Equal(t, []any{"heavy", "l", "shelve", true, true}, eval[[]any](p, `(q => [q("[name='field.weight']").value,
		q("[name='field.size']").value, q("[name=macro]").value, q("[name=clear][value=shelf]").checked,
		q("[name='field.parts']").checked])(s => document.querySelector(s))`))
	p.fill("field.weight", "2.5")
	p.fill("field.shelf", "B2")
	p.save()
	p.shows(".notice.bad", "choose one")
	p.fill("field.shelf", "")
	p.save()
	p.shows("#bulk-says", "2 of 2 changed")
	for _, line := range []string{"Its size: Large", "Its weight: 2.5", "Its parts: Bulb", "Its shelf: –", "Tags added: shelved"} {
		p.shows(".why-list", line)
	}
	p.looks(eval[string](p, `location.pathname.replace("/desk", "")`), "bulk-macro")
	got := w.ticket(ids[0])
	weight := 2.5
	require.Equal(t, map[string]ticket.Value{"weight": {Number: &weight}, "size": {Text: "l"}, "parts": {List: []string{"bulb"}}},
		got.Fields)
	require.Equal(t, []any{ticket.OnHold, []string{"old", "shelved"}}, []any{got.State, got.Tags})
	p.openPage("/bulk")
	p.click("table.found tbody a")
	p.click("#undo-bulk")
	p.shows("main", "Takes back an earlier change")
	p.shows("#bulk-says", "2 of 2 changed")
	got = w.ticket(ids[0])
	require.Equal(t, filled.Fields, got.Fields)
	require.Equal(t, []any{ticket.Unassigned, []string{"old"}}, []any{got.State, got.Tags})
}

// TestAllTicketsThatMatchAreChanged: also those of pages that were not shown, of a
// list and of a search.
func TestAllTicketsThatMatchAreChanged(t *testing.T) {
	w := newWorld(t)
	ids := w.opened(53)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/tickets?list=unassigned")
	p.click("#bulk-form [name=all]")
	p.click("#bulk-change")
	p.shows("summary", "53 tickets")
	eval[bool](p, `(document.querySelector("[name=state]").value = "=complete", document.querySelector("#bulk .primary").click(), true)`)
	p.shows("#bulk-says", "53 of 53 changed")
	require.Equal(t, ticket.Complete, w.ticket(ids[0]).State)
	p.openPage("/tickets?q=lamp&list=open")
	require.Equal(t, 53, eval[int](p, `document.querySelectorAll("[name=ticket]").length`))
	p.openPage("/bulk/new?all=1&q=lamp&list=open")
	p.shows("summary", "53 tickets")
}

// Who may not work on tickets is not offered to change many, and is refused.
func TestBulkChangesNeedThePermissionForTickets(t *testing.T) {
	w := newWorld(t)
	w.opened(1)
	w.withoutTickets("bo")
	page := bodyOf(t, w.client("bo").do(http.MethodGet, "/tickets?list=open", ""))
	require.NotContains(t, page, "bulk-form")
	require.Equal(t, http.StatusForbidden, w.client("bo").do(http.MethodGet, "/bulk", "").StatusCode)
	require.Equal(t, http.StatusForbidden, w.client("bo").do(http.MethodPost, "/bulk", "ticket=x").StatusCode)
	resp := w.client("ara").do(http.MethodGet, "/bulk/new?list=open", "")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	resp = w.client("ara").do(http.MethodPost, "/bulk", "ticket=nowhere&state=%3Don_hold&priority=%3Dx&comment=keep+me")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
}

// withoutTickets takes the permission for tickets from an agent.
func (w *world) withoutTickets(id string) {
	w.t.Helper()
	w.permit(id, routing.PermitChat)
}

// permit gives an agent exactly these permissions.
func (w *world) permit(id string, all ...routing.Permission) {
	w.t.Helper()
	agents, err := w.eng.Agents(w.t.Context(), w.host)
	require.NoError(w.t, err)
	for _, a := range agents {
		if string(a.ID) == id {
			a.Permissions = all
			_, err = w.eng.SaveAgent(w.t.Context(), w.host, sangdam.SaveAgent{Agent: a})
			require.NoError(w.t, err)
		}
	}
}
