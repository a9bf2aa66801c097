package console_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/browsertest"
)

// An administrator erases a customer from the panel: what is open is named first,
// then the page says what goes, asks why, and shows the end; nobody else sees it.
func TestACustomerIsErasedOnThePage(t *testing.T) {
	w := newWorld(t)
	w.online("ara")
	w.line.User("Mina").SendText("my secret words")
	id := w.owned("Mina", "ara")
	detail, err := w.eng.Conversation(t.Context(), w.host, id)
	require.NoError(t, err)
	b := browsertest.Open(t)
	ara := w.open(b, "ara")
	ara.openPage("/conversations/" + string(id))
	ara.shows("#thread", "my secret words")
	require.False(t, eval[bool](ara, `!!document.querySelector("#erase-contact")`), "an agent is not offered it")

	p := w.open(b, "admin")
	p.openPage("/conversations/" + string(id) + "?view=all")
	p.click("#erase-contact")
	p.shows("#erase-open", "ended first")
	_, err = w.eng.End(t.Context(), w.host, sangdam.End{Conversation: id, Final: true})
	require.NoError(t, err)
	p.openPage("/contacts/" + string(detail.Contact.ID) + "/erase")
	p.shows("#erase-goes", "1 conversation")
	p.shows("#erase-goes", "1 account")
	p.shot("erase-plan")
	eval[bool](p, `(document.querySelector("#erase input[name=reason]").value = "asked by letter", true)`)
	eval[bool](p, `(document.querySelector("#erase input[name=sure]").checked = true, true)`)
	p.click("#erase button[type=submit]")
	p.shows("#erase-done", "1 conversation")
	p.shot("erase-done")
	p.openPage("/conversations/" + string(id) + "?view=all")
	p.shows("#erased", "Erased on")
	p.shows("#thread", "Erased.")
	require.False(t, eval[bool](p, `document.body.textContent.includes("my secret words")`))
	p.until(`!document.querySelector("#composer").checkVisibility() && !document.querySelector("#make-ticket").checkVisibility()`)
	p.shot("erase-thread")
	rows, err := w.eng.Audit(t.Context(), w.host, 0, 1000)
	require.NoError(t, err)
	last := rows[len(rows)-1]
	require.Equal(t, string(sangdam.ActErase), last.Action)
	require.Equal(t, "asked by letter", last.Details["reason"])
}
