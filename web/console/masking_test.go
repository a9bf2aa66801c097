package console_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

const card = "4111 1111 1111 1111"

// finding is what the workspace does with personal data from now on.
func (w *world) finding(what sangdam.OnFound, off ...sangdam.Switch) {
	w.t.Helper()
	had, err := w.eng.TicketSetup(w.t.Context(), w.host)
	require.NoError(w.t, err)
	had.Settings.Masking.Found, had.Settings.Off = what, off
	_, err = w.eng.SaveWorkspaceSettings(w.t.Context(), w.host, sangdam.SaveWorkspaceSettings{Settings: had.Settings})
	require.NoError(w.t, err)
}

// revealing gives an agent the right to see what masks hide.
func (w *world) revealing(id routing.AgentID) {
	w.t.Helper()
	agents, err := w.eng.Agents(w.t.Context(), w.host)
	require.NoError(w.t, err)
	for _, a := range agents {
		if a.ID == id {
			a.Permissions = append(a.Permissions, routing.PermitReveal)
			_, err := w.eng.SaveAgent(w.t.Context(), w.host, sangdam.SaveAgent{Agent: a})
			require.NoError(w.t, err)
		}
	}
}

// An agent selects a number and masks it; another that was found is masked with
// one click; who has the right asks for it with a reason, and takes the mask away.
func TestATextIsMaskedBySelectingIt(t *testing.T) {
	w := newWorld(t)
	w.finding(sangdam.FoundProposed)
	w.revealing("ara")
	w.online("ara")
	mina := w.line.User("Mina")
	mina.SendText("카드 번호는 " + card + " 입니다")
	id := w.owned("Mina", "ara")
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/conversations/" + string(id))
	p.shows("#thread .found-line", "Card number")
	stars := strings.Repeat("*", len(card))

	eval[bool](p, `(() => { const el = document.querySelector("#thread [data-maskable] mark").firstChild, r = document.createRange();
		r.setStart(el, 0); r.setEnd(el, el.length); getSelection().removeAllRanges(); getSelection().addRange(r); return true; })()`)
	p.until(`!document.querySelector("#mask-pick").hidden`)
	p.click("#mask-pick")
	p.shows("#thread .masked", stars)
	p.until(`!document.querySelector("#thread").textContent.includes("4111")`)

	p.until(`!document.querySelector("#list").textContent.includes("4111")`) // the preview follows

	p.click("#thread .masked")
	p.until(`document.querySelector("#mask-sheet:popover-open") !== null`)
	eval[string](p, `document.querySelector("#mask-reason").value = "the bank asks"`)
	p.click("#mask-sheet [value=reveal]")
	p.shows("#mask-original", card)
	p.shot("masked")
	p.click("#mask-sheet [value=unmask]")
	p.shows("#thread", card)

	p.click("#thread [data-mask-span]") // it is proposed again
	p.shows("#thread .masked", stars)
	rows, err := w.eng.Audit(t.Context(), w.host, 0, 1000)
	require.NoError(t, err)
	var reasons []string
	for _, r := range rows {
		if r.Action == string(sangdam.ActReveal) || r.Action == string(sangdam.ActUnmask) {
			reasons = append(reasons, r.Action+": "+r.Details["reason"])
		}
	}
	require.Equal(t, []string{"text.reveal: the bank asks", "text.unmask: the bank asks"}, reasons)
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	return bodyAs(t, http.StatusOK, resp)
}

// bodyAs is the page of an answer that has this status.
func bodyAs(t *testing.T, status int, resp *http.Response) string {
	t.Helper()
	require.Equal(t, status, resp.StatusCode)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(raw)
}

// Without the security service, and without the right, there is no button, and
// whoever asks all the same is refused.
func TestMaskingHasNoButtonWithoutItsSwitchOrRight(t *testing.T) {
	w := newWorld(t)
	w.online("ara")
	w.line.User("Mina").SendText("card " + card)
	id := w.owned("Mina", "ara")
	detail, err := w.eng.Conversation(t.Context(), w.host, id)
	require.NoError(t, err)
	var m conversation.Message
	for _, m = range detail.Messages {
		if strings.Contains(m.Content.Text, card) {
			break
		}
	}
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Title: "T", Body: "B " + card})
	require.NoError(t, err)
	pages := []string{"/conversations/" + string(id), "/tickets/" + string(made.Ticket)}
	mask := url.Values{"span": {"5-24"}, "version": {"1"}, "part": {"body"}}.Encode()
	see := url.Values{"mask": {"x"}, "part": {"body"}, "reason": {"why"}}.Encode()

	admin := w.client("admin")
	for _, path := range pages {
		body := bodyOf(t, admin.do(http.MethodGet, path, ""))
		require.Contains(t, body, "mask-pick", path)
		require.Contains(t, body, "mask-sheet", path)
		require.Contains(t, body, "data-maskable", path)
	}
	ara := w.client("ara")
	require.Contains(t, bodyOf(t, ara.do(http.MethodGet, pages[0], "")), "mask-pick")
	require.NotContains(t, bodyOf(t, ara.do(http.MethodGet, pages[0], "")), "mask-sheet", "a plain agent masks and cannot look")
	require.Equal(t, http.StatusForbidden, ara.do(http.MethodPost, "/messages/"+string(m.ID)+"/reveal", see).StatusCode)

	w.finding(sangdam.FoundStays, sangdam.SwitchSecurity)
	for _, path := range pages {
		body := bodyOf(t, admin.do(http.MethodGet, path, ""))
		for _, of := range []string{"mask-pick", "mask-sheet", "data-maskable"} {
			require.NotContains(t, body, of, path)
		}
	}
	for path, form := range map[string]string{"/messages/" + string(m.ID) + "/mask": mask, "/messages/" + string(m.ID) + "/reveal": see,
		"/tickets/" + string(made.Ticket) + "/mask": mask, "/tickets/" + string(made.Ticket) + "/reveal": see} {
		require.GreaterOrEqual(t, admin.do(http.MethodPost, path, form).StatusCode, 400, path)
	}
	after, err := w.eng.Ticket(t.Context(), w.host, made.Ticket)
	require.NoError(t, err)
	require.Contains(t, after.Ticket.Body, card)
}

// What a mask of a ticket did not reach is said on its page, in the reader's language.
func TestAMaskedTicketSaysWhatItsMaskDidNotReach(t *testing.T) {
	for lang, says := range map[string]string{"en": "too short to be looked for in conversation %s: mask it there too",
		"ko": "너무 짧아 상담 %s에서 찾지 않았습니다"} {
		w := newWorld(t)
		w.online("ara")
		w.line.User("Mina").SendText("I am Kim")
		id := w.owned("Mina", "ara")
		made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Conversation: id, Title: "T", Body: "she is Kim"})
		require.NoError(t, err)
		at, want := "/tickets/"+string(made.Ticket), fmt.Sprintf(says, id)
		admin := w.client("admin")
		admin.header["Accept-Language"] = []string{lang}
		require.NotContains(t, bodyOf(t, admin.do(http.MethodGet, at, "")), want)
		form := url.Values{"span": {"7-10"}, "version": {"1"}, "part": {"body"}, "key": {"k1"}}.Encode()
		done := admin.do(http.MethodPost, at+"/mask", form)
		require.Equal(t, http.StatusSeeOther, done.StatusCode)
		for _, c := range done.Cookies() {
			admin.header["Cookie"] = []string{c.Name + "=" + c.Value}
		}
		body := bodyOf(t, admin.do(http.MethodGet, at, ""))
		require.Contains(t, body, want)
		require.NotContains(t, body, "she is Kim")
	}
}

// What an encrypted field of a ticket holds is asked for on the ticket's page by who
// works on the ticket; the page itself never has it, and each look is
// audited.
func TestAnEncryptedFieldIsShownWhenAsked(t *testing.T) {
	w := newWorld(t)
	setup, err := w.eng.TicketSetup(t.Context(), w.host)
	require.NoError(t, err)
	version, income := setup.Fields.Version, 1200.5
	for _, f := range []ticket.Field{
		{Code: "card", Kind: ticket.AgentField, Type: ticket.Text, Encrypted: true, Names: map[string]string{"en": "Card"}},
		{Code: "income", Kind: ticket.AgentField, Type: ticket.Number, Encrypted: true, Names: map[string]string{"en": "Income"}}} {
		saved, err := w.eng.SaveField(t.Context(), w.host, sangdam.SaveField{Version: version, Field: f})
		require.NoError(t, err)
		version = saved.Version
	}
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: "T",
		Fields: map[string]ticket.Value{"card": {Text: card}, "income": {Number: &income}}})
	require.NoError(t, err)
	page := "/tickets/" + string(made.Ticket)
	require.Equal(t, http.StatusNotFound, w.client("zed").do(http.MethodPost, page+"/fields/card/reveal", "").StatusCode)
	answer := bodyOf(t, w.client("ara").do(http.MethodPost, page+"/fields/income/reveal", ""))
	require.Equal(t, `{"text":"1200.5"}`, strings.TrimSpace(answer))

	p := w.open(browsertest.Open(t), "ara")
	p.openPage(page)
	require.NotContains(t, eval[string](p, `document.documentElement.outerHTML`), card)
	p.click("[data-into='#sealed-card']")
	p.shows("#sealed-card", card)
	require.True(t, eval[bool](p, `document.querySelector("[data-into='#sealed-card']").hidden`))
	p.shot("sealed-field")
	rows, err := w.eng.Audit(t.Context(), w.host, 0, 1000)
	require.NoError(t, err)
	var looks []string
	for _, r := range rows {
		if r.Action == "ticket.reveal_field" {
			looks = append(looks, r.Actor+" "+r.Details["field"])
		}
	}
	require.Equal(t, []string{"agent:ara income", "agent:ara card"}, looks)
}

// A conversation that has ended is found in the history and masked there too.
func TestATextIsMaskedFromTheHistory(t *testing.T) {
	w := newWorld(t)
	w.online("ara")
	w.line.User("Mina").SendText("card " + card)
	id := w.owned("Mina", "ara")
	_, err := w.eng.End(t.Context(), w.host, sangdam.End{Conversation: id, Final: true})
	require.NoError(t, err)
	detail, err := w.eng.Conversation(t.Context(), w.host, id)
	require.NoError(t, err)
	m := detail.Messages[slices.IndexFunc(detail.Messages, func(m conversation.Message) bool {
		return strings.Contains(m.Content.Text, card)
	})]
	ara := w.client("ara")
	w.eventually("the history finds it", func() bool {
		return strings.Contains(bodyOf(t, ara.do(http.MethodGet, "/history?q=card", "")), "/conversations/"+string(id))
	})
	page := bodyOf(t, ara.do(http.MethodGet, "/conversations/"+string(id), ""))
	require.Contains(t, page, "mask-pick")
	require.Contains(t, page, "data-maskable")
	mask := url.Values{"span": {fmt.Sprintf("5-%d", 5+len(card))}, "version": {strconv.FormatInt(m.Version, 10)},
		"conversation": {string(id)}}
	require.Equal(t, http.StatusSeeOther, ara.do(http.MethodPost, "/messages/"+string(m.ID)+"/mask", mask.Encode()).StatusCode)
	for _, path := range []string{"/conversations/" + string(id), "/history?q=card", "/history/export?as=csv&q=card"} {
		require.NotContains(t, bodyOf(t, ara.do(http.MethodGet, path, "")), card[5:], path)
	}
}
