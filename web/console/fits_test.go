package console_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/ticket"
)

// notPages are routes that answer a part, a file, or another page.
var notPages = []string{"/{$}", "/alive", "/events", "/bar", "/canned", "/notice", "/files/{id}/{n}", "/tickets/{id}/files/{file}",
	"/tickets/export", "/history/export", "/history/backups", "/history/backups/{id}", "/conversations/{id}/earlier", "/setup/heard",
	"/setup/accounts/{id}/check", "/setup/accounts/{id}/qr", "/setup/accounts/{id}/first", "/setup/accounts/{id}/preview",
	"/triggers/{id}/trials/{trial}", "/setup/tickets/categories"}

// pagePaths are addresses of every page there is, made of the routes.
func pagePaths(w *world, conversation, ticketID, delivery string) (out []string) {
	of := map[string]string{"/conversations/{id}": conversation, "/conversations/{id}/explain": conversation,
		"/conversations/{id}/link": conversation, "/tickets/{id}": ticketID, "/tickets/{id}/split": ticketID,
		"/setup/agents/{id}": "ara", "/setup/desks/{id}": "support", "/setup/queues/{id}": "everyone",
		"/setup/streams/{id}": "line", "/setup/accounts/{id}": "shop", "/bulk/{id}": w.bulked(ticketID),
		"/setup/hooks/{id}": "crm", "/setup/targets/{id}": "hook", "/operations/deliveries/{id}": delivery}
	for _, r := range w.page.Routes() {
		if r.Method != http.MethodGet || slices.Contains(notPages, r.Path) {
			continue
		}
		id := of[r.Path]
		if id == "" {
			id = "new"
		}
		out = append(out, strings.ReplaceAll(r.Path, "{id}", id))
	}
	return append(out, "/bulk/new?list=open&all=1", "/setup/hooks/new", "/setup/targets/new", "/setup/targets/new?kind=mail",
		"/setup/targets/new?kind=dooray", "/setup/targets/new?kind=dooray_task", "/conversations?view=all",
		"/history?state=open", "/setup/accounts/new?kind=webchat", "/setup/accounts/new?kind=email")
}

// bulked changes a ticket, and one that is not there, and returns the bulk change.
func (w *world) bulked(id string) string {
	w.t.Helper()
	saved, err := w.eng.BulkTickets(w.t.Context(), w.host, sangdam.BulkTickets{Tickets: []ticket.ID{ticket.ID(id), "nowhere"},
		Change: sangdam.TicketChange{AddTags: []string{strings.Repeat("long", 20)}}})
	require.NoError(w.t, err)
	return saved.ID
}

// No page has a horizontal scroll bar on a screen of 360 pixels, nor at a zoom of
// 400 % (320 by 256).
func TestEveryPageFitsNarrowScreens(t *testing.T) {
	w := newWorld(t)
	w.chat()
	long := "https://shop.example.com/" + strings.Repeat("a-very-long-path/", 12)
	w.line.User("Mina " + strings.Repeat("n", 60)).SendText(long)
	id := w.owned("Mina "+strings.Repeat("n", 60), "admin")
	made, err := w.eng.OpenTicket(t.Context(), w.host,
		sangdam.OpenTicket{Conversation: id, Title: strings.Repeat("unbroken", 12), Body: long})
	require.NoError(t, err)
	delivery := w.hook()
	b := browsertest.Open(t)
	p := w.open(b, "admin")
	for lang, size := range map[string][2]int64{"en": {360, 740}, "ko": {320, 256}, "ja": {320, 256}} {
		eval[bool](p, `(window.chosen = false, fetch("/desk/preferences", {method: "POST", body: new URLSearchParams({lang: "`+lang+`"})})
			.then(() => { window.chosen = true; }), true)`)
		p.until(`window.chosen`)
		for _, path := range pagePaths(w, string(id), string(made.Ticket), delivery) {
			p.do(chromedp.EmulateViewport(size[0], size[1]))
			p.openPage(path)
			wide := eval[[]string](p, `[...document.querySelectorAll("html, body, body *")].filter(e => e.scrollWidth > e.clientWidth + 1 &&
				(e === document.documentElement || ["auto", "scroll"].includes(getComputedStyle(e).overflowX)) &&
				!e.closest(".scroll, .rail, textarea, code, pre, [popover]")).map(e => e.tagName + "." + e.className + "#" + e.id)`)
			require.Empty(t, wide, "%s in %s is wider than %d pixels", path, lang, size[0])
			covered := eval[bool](p, `(() => { const b = document.querySelector(".form-end button.primary"); if (!b) return false;
				b.scrollIntoView({block: "center"}); const r = b.getBoundingClientRect();
				return !b.contains(document.elementFromPoint(r.right - 8, r.top + r.height / 2)); })()`)
			require.False(t, covered, "%s: something covers the button that saves", path)
			bar := eval[float64](p, `(() => { const b = document.querySelector(".form-end");
				return b && getComputedStyle(b).position === "sticky" ? b.offsetHeight / innerHeight : 0; })()`)
			require.Less(t, bar, 0.15, "%s: the bar that stays takes too much of the height", path)
			if strings.HasSuffix(path, string(id)) { // and one can still answer there
				p.until(`(() => { const b = document.querySelector("#send"); b.scrollIntoView({block: "center"});
					const r = b.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight && r.height > 20 &&
					b.contains(document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2)); })()`)
			}
			p.shot("fits-" + lang +
				strings.NewReplacer("/", "-", "?", "-", "=", "-", string(id), "c", string(made.Ticket), "t").Replace(path))
		}
	}
}

// On a phone every entry of the navigation is in sight, with its word, for an
// administrator too, who has the most of them; words stay within their entries.
func TestTheNavigationFitsAPhone(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	for _, lang := range []string{"en", "ko", "ja"} {
		p.do(chromedp.EmulateViewport(1200, 800))
		p.inLanguage(lang)
		p.do(chromedp.EmulateViewport(360, 740))
		p.openPage("/operations")
		require.Empty(t, eval[[]string](p, `[...document.querySelectorAll(".rail li a, .rail-button")].filter(e => {
			if (!e.offsetParent) return false;
			const r = e.getBoundingClientRect(), word = document.createRange();
			word.selectNodeContents(e.querySelector("span:last-child"));
			const s = word.getBoundingClientRect();
			return r.left < 0 || r.right > innerWidth + 1 || s.left < r.left - 1 || s.right > r.right + 1;
		}).map(e => e.textContent)`), lang)
		p.shot("navigation-" + lang)
	}
}
