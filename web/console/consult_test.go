package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// ask lets the owner ask whom the form names, with a note.
func (p *tab) ask(field, whom, note string) {
	p.t.Helper()
	p.click("#transfer-open")
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#transfer [name=` + field + `]").value = "` + whom + `";
		document.querySelector("#transfer [name=note]").value = "` + note + `"`))
	p.shot("consult-form")
	p.click("#transfer-ask")
	p.until(`document.querySelector("#consulting")`)
}

// narrow looks at a question on a telephone's screen.
func (p *tab) narrow(page, source, name string) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(400, 850))
	p.openPage(page)
	p.until(`document.querySelector("#consulting, #asked")`)
	p.axe(source, name+" narrow")
	require.LessOrEqual(p.t, eval[int](p, `document.documentElement.scrollWidth`), 400, name)
	p.shot("consult-narrow-" + name)
	p.do(chromedp.EmulateViewport(1400, 900))
}

// A warm transfer in three browsers: the owner asks and goes on answering, the
// colleague reads and notes, says no with a word, is asked again and it is taken
// back; another desk is asked and says yes with a key. All of it live, and after a
// reload; nothing of it is a finding of axe-core.
func TestAskingBeforeTheHandOver(t *testing.T) {
	w := newWorld(t)
	_, err := w.eng.SaveQueue(t.Context(), w.host, sangdam.SaveQueue{Queue: routing.Queue{ID: "far", Name: "Far away", Desk: "elsewhere",
		Members: []routing.AgentID{"zed"}}})
	require.NoError(t, err)
	w.online("ara", "bo", "zed")
	mina := w.line.User("Mina")
	mina.SendText("where is my parcel?")
	id := w.owned("Mina", "ara")
	source := axeSource(t)
	b := browsertest.Open(t)
	ara, bo, zed := w.open(b, "ara"), w.open(b, "bo"), w.open(b, "zed")
	page := "/conversations/" + string(id) + "?view=mine"
	ara.openPage(page)

	ara.ask("agent", "bo", "You know the warehouse")
	ara.shows("#consulting", "Asked Bo Lee to take over")
	ara.until(`/^0:\d\d$/.test(document.querySelector("#consulting .elapsed").textContent)`)
	ara.say("one moment, Mina")
	require.Equal(t, []string{"one moment, Mina"}, w.texts(mina, 1))
	bo.shows("#offers .offer.asks", "Ara Kim asks you to take over")
	bo.shows("#offers .offer.asks .offer-text", "where is my parcel?")
	bo.shows("#offers .offer.asks .offer-note", "You know the warehouse")
	bo.until(`/^\(\d+\)/.test(document.title) && /\d/.test(document.querySelector("#offers .countdown").textContent)`)
	bo.axe(source, "who is asked")
	bo.shot("consult-card")
	bo.click("#offers .offer.asks .button")
	bo.shows("#asked", "Ara Kim asks you to take over")
	bo.shows("#thread", "one moment, Mina")
	bo.say("it left on Friday")
	ara.shows("#lines .note", "it left on Friday")
	ara.openPage(page)
	ara.shows("#consulting", "Bo Lee")
	ara.axe(source, "who asks")
	ara.shot("consult-owner")
	bo.openPage(page)
	bo.shows("#asked", "Ara Kim")
	bo.until(`document.querySelector("#offers .offer.asks").hidden`) // it stands below the thread
	bo.axe(source, "who reads while asked")
	ara.narrow(page, source, "owner")
	bo.narrow(page, source, "asked")
	bo.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#asked [name=reason]").value = "busy"`))
	bo.click("#asked form[action$='/decline'] button")
	ara.shows("#consult-told", "Bo Lee declined: busy")
	ara.shows("#thread", "Asking Bo Lee: declined")
	ara.axe(source, "who was told")
	ara.shot("consult-told")
	bo.until(`!document.querySelector("#offers .offer") && !document.querySelector("#asked")`)

	ara.ask("queue", "everyone", "")
	bo.shows("#offers .offer.asks", "where is my parcel?")
	bo.shot("consult-card")
	ara.click("#withdraw")
	ara.until(`!document.querySelector("#consulting")`)
	bo.until(`!document.querySelector("#offers .offer")`)
	require.Equal(t, routing.AgentID("ara"), w.conversationOf("Mina").Agent)
	w.yes(ara, zed, mina)
}

// yes lets ara ask another desk, whose agent says yes with a key.
func (w *world) yes(ara, zed *tab, mina *linetest.User) {
	ara.ask("desk", "elsewhere", "a case for you")
	zed.shows("#offers .offer.asks", "Mina")
	zed.click("#offers .offer.asks .button")
	zed.shows("#thread", "one moment, Mina")
	zed.shot("consult-other-desk")
	zed.do(chromedp.Evaluate[chromedp.Void](
		`document.dispatchEvent(new KeyboardEvent("keydown", {code: "KeyA", altKey: true, bubbles: true, cancelable: true}))`))
	w.eventually("zed has it", func() bool { return w.conversationOf("Mina").Agent == "zed" })
	zed.shows("#thread", "Asking Zed Stranger: accepted")
	ara.until(`!document.querySelector("#work[data-id]")`)
	require.Equal(w.t, conversation.ConsultationAccepted, w.conversationOf("Mina").Consultation.State)
	zed.say("Zed here")
	require.Equal(w.t, "Zed here", w.texts(mina, 2)[1])
	zed.click("#explain-link")
	zed.shows("#live", "asked to take over")
}
