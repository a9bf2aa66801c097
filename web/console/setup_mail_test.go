package console_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// A mail account in the browser: made, told what is wrong with its password, and
// then mails come in and answers go out in its layout. Passwords never come out;
// the address stays once it is used; a mailbox and an account go only when they
// are off.
func TestAMailAccountIsMadeInTheBrowser(t *testing.T) {
	w := newWorld(t)
	_, err := w.eng.SaveWorkStream(t.Context(), w.host, sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "mail", Name: "Mail",
		ChannelKind: "email", Mode: routing.Push, Cost: 1, Queue: "everyone", AutoAccept: true, ReopenFor: time.Hour}})
	require.NoError(t, err)
	b := browsertest.Open(t)
	p := w.open(b, "admin")
	p.openPage("/setup/accounts/new?kind=email")
	p.fill("name", "Help by mail")
	p.fill("desk", "support")
	p.fill("stream", "mail")
	p.fill("address", "help@shop.test")
	p.fill("sender", "Shop")
	p.fillServer("mailbox.0.", "imap.shop.test", "not-the-password")
	p.fillServer("smtp.", "smtp.shop.test", "secret")
	p.click(`[data-rows=layout] [data-act=add]`)
	p.fill("layout.0.html", "<h1>Shop</h1>")
	p.save()
	p.shows("#summary dl", "help@shop.test")
	require.NotContains(t, p.text("#summary"), "not-the-password")
	p.click("#finish")
	p.shows(".notice.bad", "#{content}")
	require.Equal(t, "help@shop.test", eval[string](p, `document.querySelector("[name=address]").value`), "what was typed stays")
	p.fillServer("mailbox.0.", "imap.shop.test", "not-the-password")
	p.fillServer("smtp.", "smtp.shop.test", "secret")
	p.fill("layout.0.html", "<h1>Shop</h1>#{content}")
	eval[bool](p, `(document.querySelector("#mail-preview").addEventListener("load", () => { window.shown = true; }), true)`)
	p.click(`[name=preview][value="0"]`)
	p.until(`window.shown && document.querySelector("#mail-preview").offsetHeight > 100`)
	p.save()
	p.click("#finish")
	p.shows(".notice.good", "Saved")
	p.shows("#next", "Choose who gets what")
	p.shows(".findings .wrong", "user and password")
	p.shows(".findings .fine", "mails can be sent as help@shop.test")
	p.shows(".findings .wrong", "DMARC")
	p.shot("mail-wrong-password")
	require.NotContains(t, eval[string](p, `document.documentElement.outerHTML`), "not-the-password", "secrets never come out")
	p.fill("mailbox.0.password", "secret")
	p.save()
	p.shows(".findings .fine", "mails of INBOX can be fetched")
	p.shot("mail")

	w.online("ara")
	w.mail.Write(emailtest.Letter{From: "mina@example.com", Name: "Mina", Subject: "Where is it?", Text: "My parcel is lost"})
	p.shows("#live .good", "Mina")
	ara := w.open(b, "ara")
	ara.openPage("/conversations?view=mine")
	ara.click("#rows a")
	ara.shows("#thread", "My parcel is lost")
	ara.say("It leaves today")
	w.eventually("the answer at the customer's", func() bool { return len(w.mail.Received("mina@example.com")) > 0 })
	got := w.mail.Received("mina@example.com")[0]
	require.Contains(t, string(got.Raw), "<h1>Shop</h1>", "in the account's layout")
	require.Contains(t, got.Text, "It leaves today")

	p.openPage("/setup/accounts/" + w.mailAccount())
	require.True(t, eval[bool](p, `document.querySelector("[name=address]").readOnly`), "threads rest on it")
	require.False(t, eval[bool](p, `!!document.querySelector("#delete")`), "it is on")
	p.fill("disabled", "1")
	p.save()
	p.click("#delete")
	p.shows("h1", "Channels")
	require.Empty(t, w.mailAccount())
}

// fillServer writes how a server is reached.
func (p *tab) fillServer(prefix, host, password string) {
	p.fill(prefix+"host", host)
	p.fill(prefix+"encryption", "none")
	p.fill(prefix+"user", "desk")
	p.fill(prefix+"password", password)
}

// mailAccount is the id of the mail account that is there.
func (w *world) mailAccount() string {
	all, err := w.eng.Accounts(w.t.Context(), w.host)
	require.NoError(w.t, err)
	for _, a := range all {
		if a.Kind == "email" && !a.Deleted {
			return string(a.ID)
		}
	}
	return ""
}

// A preview runs nothing and loads nothing, whatever is written; without a place
// for the text it says so.
func TestAMailLayoutIsPreviewedWhereNothingRuns(t *testing.T) {
	w := newWorld(t)
	shown := func(html string) string {
		resp := w.client("admin").do(http.MethodPost, "/setup/mail/preview", url.Values{"preview": {"3"}, "layout.3.html": {html}}.Encode())
		require.True(t, strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "sandbox; default-src 'none'"))
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(body)
	}
	require.Contains(t, shown("<h1>Shop</h1>#{content}<script>alert(1)</script>"), "<h1>Shop</h1>This is where the text")
	require.NotContains(t, shown("<h1>Shop</h1>"), "<h1>")
	resp := w.client("admin").
		do(http.MethodPost, "/setup/mail/preview", url.Values{"preview": {"0"}, "layout.0.text": {"<b> #{content} --"}}.Encode())
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), "<pre>&lt;b&gt; This is where the text", "one of plain mails")
}

// What the page has no field for stays, a second mailbox has a password of its
// own, and one that is on is not taken away.
func TestMailboxesComeAndGo(t *testing.T) {
	w := newWorld(t)
	_, err := w.eng.SaveWorkStream(t.Context(), w.host, sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "mail", Name: "Mail",
		ChannelKind: "email", Mode: routing.Push, Cost: 1, Queue: "everyone", ReopenFor: time.Hour}})
	require.NoError(t, err)
	form := url.Values{"kind": {"email"}, "name": {"Help"}, "desk": {"support"}, "stream": {"mail"}, "address": {"help@shop.test"},
		"disabled": {"1"}, "mailbox.row": {"0"}, "mailbox.0.host": {"imap.shop.test"}, "mailbox.0.encryption": {"none"},
		"mailbox.0.user": {"desk"}, "mailbox.0.password": {"secret"}, "mailbox.0.folders": {"INBOX, Old mails"},
		"smtp.host": {"smtp.shop.test"}, "smtp.encryption": {"none"}}
	post := func(id string) *http.Response {
		return w.client("admin").do(http.MethodPost, "/setup/accounts/"+id, form.Encode())
	}
	require.Equal(t, http.StatusSeeOther, post("new").StatusCode)
	id := w.mailAccount()
	settings := func() string {
		all, err := w.eng.Accounts(t.Context(), w.host)
		require.NoError(t, err)
		for _, a := range all {
			if string(a.ID) == id {
				form.Set("version", strings.TrimSpace(string(rune('0'+a.Version))))
				return string(a.Settings)
			}
		}
		return ""
	}
	require.Contains(t, settings(), `"folders":["INBOX","Old mails"]`)
	form.Set("mailbox.0.stored", "1")
	form["mailbox.row"] = []string{"0", "1"}
	for name, value := range map[string]string{"host": "imap.shop.test", "encryption": "none", "user": "desk", "password": "secret"} {
		form.Set("mailbox.1."+name, value)
	}
	form.Del("mailbox.0.password")
	require.Equal(t, http.StatusSeeOther, post(id).StatusCode)
	require.Equal(t, 2, strings.Count(settings(), "imap.shop.test"), "the first password is kept, the second is new")
	form["mailbox.row"] = []string{"0"}
	require.Equal(t, http.StatusBadRequest, post(id).StatusCode, "the second is on")
}
