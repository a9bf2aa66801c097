package console_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/ticket"
)

// TestTheColumnsOfAViewDecideTheList: columns are chosen and moved in the browser,
// the list has them in their order, and what is exported equals the screen.
func TestTheColumnsOfAViewDecideTheList(t *testing.T) {
	w := newWorld(t)
	for _, one := range []sangdam.OpenTicket{{Title: "Lamp", Priority: ticket.High, Agent: "ara"}, {Title: "=1+1"}} {
		one.Requester = ticket.Requester{Name: "Mina", Phone: "+82 10 1"}
		_, err := w.eng.OpenTicket(t.Context(), w.host, one)
		require.NoError(t, err)
	}
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/ticket-views/new")
	add := `document.querySelector("[data-rows=column] [data-act=add]").click()`
	eval[bool](p, `(`+add+`, `+add+`, `+add+`, true)`)
	eval[bool](p, `((a, v) => { a.forEach((s, i) => { s.value = v[i]; }); return true; })(
		[...document.querySelectorAll("[data-rows=column] select")], ["agent", "priority", "title"])`)
	p.click(`[data-rows=column] .row-tools:nth-of-type(3) [data-act=up]`)
	eval[bool](p, `(document.querySelector("[name=name]").value = "Mine own", document.querySelector(".form-end .primary").click(), true)`)
	// The first of a row is its box to choose it by.
	table := `[...document.querySelectorAll("table.own-columns tr")].map(r => [...r.children].slice(1).map(c => c.innerText))`
	p.until(`document.querySelectorAll("table.own-columns tr").length === 3`)
	shown := eval[[][]string](p, table)
	require.Equal(t, []string{"Number", "Agent", "Title", "Priority"}, shown[0])
	require.ElementsMatch(t, [][]string{{"1", "Ara Kim", "Lamp", "High"}, {"2", "", "=1+1", "Normal"}}, shown[1:])
	link := eval[string](p, `document.querySelector(".exports a:last-child").getAttribute("href").replace("/desk", "")`)
	raw, err := io.ReadAll(w.client("admin").do("GET", link, "").Body)
	require.NoError(t, err)
	exported, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))).ReadAll()
	require.NoError(t, err)
	for _, row := range exported {
		if row[2] == "'=1+1" {
			row[2] = "=1+1" // no formula in the file
		}
	}
	require.Equal(t, shown, exported, "the export is the screen")
	p.shot("view-columns")
	p.do(chromedp.EmulateViewport(360, 740))
	p.shot("view-columns-360")
	p.click("#edit-view")
	p.until(`[...document.querySelectorAll("[data-rows=column] select")].map(s => s.value).join() === "agent,title,priority"`)
	p.openPage("/tickets?list=open")
	p.shows("table.found", "Lamp")
	require.False(t, eval[bool](p, `!!document.querySelector("table.own-columns")`))
	require.Equal(t, 200, w.client("admin").do("GET", "/tickets/export?list=open&as=xlsx", "").StatusCode)
}
