package console_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// The main job: a customer writes, the offer comes, is taken, answered, ended.
func TestAnAgentAnswersACustomer(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "ara")
	p.shows("#list", "You have no conversation")
	p.shot("empty")
	p.click("#presence")
	p.click("#presence-online")
	p.shows("#presence", "Online")

	mina := w.line.User("Mina")
	mina.SendText("Where is my parcel?")
	p.shows("#offers .offer", "Where is my parcel?")
	p.shows("#offers .offer", "Mina")
	p.until(`document.title.startsWith("(1)")`)
	p.shot("offer")
	p.click("#offers .offer .primary")
	p.shows("#thread", "Where is my parcel?")
	p.say("It is on its way.")
	require.Equal(t, []string{"It is on its way."}, w.texts(mina, 1))
	p.shows("#thread .ours", "It is on its way.")
	p.until(`document.querySelectorAll("#thread .ours").length === 1`)
	p.shows("#thread .ours .status", "sent")

	mina.SendText("Thanks!")
	p.shows("#thread .theirs", "Thanks!")
	p.click(".modes [data-mode=note]")
	p.say("She is friendly")
	p.shows("#lines .note", "She is friendly")
	p.shot("thread")
	p.click("#end-open")
	p.click("#end button[type=submit]")
	p.shows("#work-head", "Ended")
	p.shows("#cannot", "Ended")
	require.Equal(t, []string{"It is on its way."}, w.texts(mina, 1), "a note goes to nobody")
}

// A send is taken back within its five seconds: the words stand in the composer
// again, and the customer never had them. Colleagues see who is replying.
func TestASendIsUndoneAndColleaguesSeeWhoReplies(t *testing.T) {
	w := newWorld(t)
	mina := w.line.User("Mina")
	mina.SendText("hello")
	id := w.owned("Mina", "ara")
	b := browsertest.Open(t)
	p, colleague := w.open(b, "ara"), w.open(b, "bo")
	colleague.openPage("/conversations/" + string(id) + "?view=all")
	colleague.until(`document.querySelector("#banner").hidden`)
	p.openPage("/conversations/" + string(id))
	p.until(`document.querySelector("#banner").hidden`)
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#text").focus()`), chromedp.KeyEvent("Too early"))
	w.eventually("a colleague sees who replies", func() bool { // nothing tells when both pages hear of each other
		p.do(chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.Backspace))
		return strings.Contains(colleague.text("#typing"), "Ara Kim")
	})
	p.do(chromedp.KeyEvent("\r"))
	p.click(".undo button")
	p.until(`document.querySelector("#text").value === "Too early"`)
	p.shows("#lines .ours", "Taken back")
	require.Empty(t, mina.Texts())
	p.say(", now")
	require.Equal(t, []string{"Too early, now"}, w.texts(mina, 1))
	p.until(`!document.querySelector(".undo")`)
}

// A list is narrowed, saved as a view, and what the history shows is exported as
// a table of exactly that.
func TestViewsFiltersAndExport(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("read me")
	w.line.User("=HYPERLINK(1)").SendText("parcel")
	mina := w.owned("Mina", "ara")
	w.owned("=HYPERLINK(1)", "bo")
	_, err := w.eng.Answer(t.Context(), w.as("ara"), sangdam.Answer{Conversation: mina, Content: channel.Text("done")})
	require.NoError(t, err)
	get := func(path string) string {
		resp := w.client("ara").do(http.MethodGet, path, "")
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
		return string(body)
	}
	require.Contains(t, get("/conversations?view=all"), "Mina")
	unread := get("/conversations?view=all&unread=1")
	require.NotContains(t, unread, "Mina")
	require.Contains(t, unread, "parcel")
	saved := w.client("ara").do(http.MethodPost, "/views?view=all&unread=1&agent=bo", "name=Forgotten+ones")
	require.Equal(t, http.StatusSeeOther, saved.StatusCode)
	view := get(strings.TrimPrefix(saved.Header.Get("Location"), "/desk"))
	require.Contains(t, view, "Forgotten ones")
	require.Contains(t, view, "parcel")
	require.NotContains(t, view, "Mina")
	require.NotContains(t, func() string {
		resp := w.client("bo").do(http.MethodGet, "/conversations", "")
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(body)
	}(), "Forgotten", "a view is its owner's")

	table := get("/history/export?as=csv&handled=yes")
	require.Contains(t, table, "Mina")
	require.NotContains(t, table, "HYPERLINK", "of exactly what is shown")
	require.Contains(t, get("/history/export?as=csv&handled=no"), "'=HYPERLINK(1)", "nothing becomes a formula")
	require.True(t, strings.HasPrefix(get("/history/export?as=xlsx&q=parcel"), "PK"))
	require.Equal(t, http.StatusBadRequest, w.client("ara").do(http.MethodGet, "/history/export?as=exe", "").StatusCode)
}

// What an agent may switch by itself is on its own page.
func TestAnAgentsOwnPage(t *testing.T) {
	w := newWorld(t)
	page := func() string {
		body, err := io.ReadAll(w.client("ara").do(http.MethodGet, "/me", "").Body)
		require.NoError(t, err)
		return string(body)
	}
	require.Contains(t, page(), "An administrator decides this")
	require.Equal(t, http.StatusForbidden, w.client("ara").do(http.MethodPost, "/me/switches", "ticket=1").StatusCode)
	agents, err := w.eng.Agents(t.Context(), w.host)
	require.NoError(t, err)
	for _, a := range agents {
		if a.ID == "ara" {
			a.Assign.Control = true
			_, err = w.eng.SaveAgent(t.Context(), w.host, sangdam.SaveAgent{Agent: a})
			require.NoError(t, err)
		}
	}
	require.Equal(t, http.StatusConflict, w.client("ara").do(http.MethodPost, "/me/switches", "ticket=1&version=1").StatusCode,
		"the page that was opened before is of another version")
	version := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(page())
	require.Equal(t, http.StatusSeeOther,
		w.client("ara").do(http.MethodPost, "/me/switches", "ticket=1&version="+version[1]).StatusCode)
	require.Contains(t, page(), `name="ticket" value="1" checked`)
	require.NotContains(t, page(), `name="chat" value="1" checked`)
}

// An unknown customer is linked to one who is known, and back; what is written
// beside a conversation that ends meanwhile stays.
func TestLinkingACustomerAndUnsavedEdits(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("it is me")
	w.line.User("Kim Mina").SendText("hello")
	id := w.owned("Mina", "admin")
	known := w.conversationOf("Kim Mina")
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/conversations/" + string(id))
	p.click("#link-contact")
	p.fill("q", "Kim")
	p.click(".filters button")
	p.click(".contacts button")
	p.shows("#linked", "Linked")
	d, err := w.eng.Conversation(t.Context(), w.host, id)
	require.NoError(t, err)
	require.Equal(t, known.Contact, d.Contact.ID)
	p.click("#unlink")
	p.shows("#work-head h1", "Mina")
	w.eventually("the link is taken back", func() bool {
		d, err = w.eng.Conversation(t.Context(), w.host, id)
		require.NoError(t, err)
		return d.Contact.Name == "Mina"
	})
	p.until(`!document.querySelector("#unlink") && document.readyState === "complete"`) // not on its way any more

	p.openPage("/conversations/" + string(id))
	p.until(`document.querySelector("#banner").hidden`)
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#contact-form [name=note]").focus()`),
		chromedp.KeyEvent("wants a refund"))
	_, err = w.eng.End(t.Context(), w.host, sangdam.End{Conversation: d.Conversation.ID})
	require.NoError(t, err)
	p.until(`!document.querySelector(".unsaved").hidden`)
	require.Equal(t, "wants a refund", eval[string](p, `document.querySelector("#contact-form [name=note]").value`))
	p.click("#contact-form button[type=submit]")
	p.until(`!document.querySelector("[data-dirty]")`)
	w.eventually("it is saved", func() bool {
		d, err = w.eng.Conversation(t.Context(), w.host, id)
		require.NoError(t, err)
		return d.Conversation.Memo == "wants a refund"
	})
}

// Why somebody was chosen is shown for what was decided before: who could have
// taken it at that moment, by which value they stood in line, and what kept the
// others out, whatever has changed since.
func TestWhySomebodyWasChosenIsShownLater(t *testing.T) {
	w := newWorld(t)
	come := func(a routing.AgentID) {
		require.NoError(t, w.eng.SetPresence(t.Context(), sangdam.AgentPrincipal(ws, a),
			sangdam.SetPresence{Agent: a, Presence: routing.Online}))
	}
	come("ara")
	w.line.User("Mina").SendText("hello")
	id := w.conversationOf("Mina").ID
	w.eventually("an offer", func() bool {
		why, err := w.eng.Explain(t.Context(), w.host, id)
		return err == nil && len(why.Decisions) > 0
	})
	come("bo")
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/conversations/" + string(id) + "/explain")
	p.until(`!document.querySelector("#past")`)
	p.click("#live table a")
	p.shows("#past", "Ara Kim was chosen.")
	p.until(`[...document.querySelectorAll("#past tr")].some(r => r.textContent.includes("Ara Kim") && r.textContent.includes("chosen"))`)
	p.until(`[...document.querySelectorAll("#past tr")].some(r => r.textContent.includes("Bo") && r.querySelector(".chip"))`)
}
