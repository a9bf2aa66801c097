package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/notify"
)

// editor sets the workspace's editor type.
func (w *world) editor(e sangdam.Editor) {
	w.t.Helper()
	set, err := w.eng.TicketSetup(w.t.Context(), w.host)
	require.NoError(w.t, err)
	set.Settings.Editor = e
	_, err = w.eng.SaveWorkspaceSettings(w.t.Context(), w.host, sangdam.SaveWorkspaceSettings{Settings: set.Settings})
	require.NoError(w.t, err)
}

func (w *world) fetch(method, path string, form url.Values) (status int, body string) {
	w.t.Helper()
	resp := w.client("admin").do(method, path, form.Encode())
	raw, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return resp.StatusCode, string(raw)
}

// A layout in the browser follows the editor type: HTML, then, once the type is
// plain text, shown as of the other type, saved as it is with another subject, and
// converted.
func TestALayoutFollowsTheEditorTypeInTheBrowser(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/layouts/new")
	require.False(t, eval[bool](p, `!!document.querySelector("[name=plain]")`), "HTML alone is offered")
	p.fill("event", "solved")
	p.fill("html", "<h1>Shop</h1>\n<p>#{content}</p>")
	p.click(".form-end .primary")
	p.shows(".notice.good", "Saved")
	p.openPage("/setup/workspace")
	require.Equal(t, "html", eval[string](p, `document.querySelector("[name=editor]").value`))
	p.fill("editor", "text")
	p.save()
	p.shows(".notice.warn", "mail layout solved/*")
	p.openPage("/setup/tickets")
	p.shows("#layouts", "This layout is HTML")
	p.click("#layouts .links a")
	p.shows("#other-form", "It stays in use as it is.")
	require.True(t, eval[bool](p, `document.querySelector("[name=html]").readOnly`))
	p.fill("subject", "Solved")
	p.click(".form-end .primary")
	p.shows(".notice.good", "Saved")
	stored := func() notify.Layout {
		all, err := w.eng.MailLayouts(t.Context(), w.host)
		require.NoError(t, err)
		require.Len(t, all, 1)
		return all[0]
	}
	require.Equal(t, "<h1>Shop</h1>\n<p>#{content}</p>", stored().HTML)
	require.Equal(t, "Solved", stored().Subject)
	p.click("#other-form a")
	p.until(`document.querySelector("[name=plain]")`)
	require.Equal(t, "Shop\n\n#{content}", eval[string](p, `document.querySelector("[name=plain]").value`))
	require.False(t, eval[bool](p, `!!document.querySelector("[name=html]")`))
	p.shot("layout-converted")
	p.click(".form-end .primary")
	p.shows(".notice.good", "Saved")
	require.Equal(t, "Shop\n\n#{content}", stored().Plain)
	require.Empty(t, stored().HTML)
}

// What is typed in the other form is refused in the reader's language and stays
// in the form; a plain one is previewed as text.
func TestALayoutOfTheOtherFormIsRefused(t *testing.T) {
	w := newWorld(t)
	w.editor(sangdam.EditorText)
	status, body := w.fetch(http.MethodGet, "/setup/layouts/new", nil)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `name="plain"`)
	require.NotContains(t, body, `name="html"`)
	form := url.Values{"event": {"solved"}, "html": {"<h1>Shop</h1>#{content}"}}
	status, body = w.fetch(http.MethodPost, "/setup/layouts/new", form)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "editor type of this workspace is text")
	require.Contains(t, body, "&lt;h1&gt;Shop", "what was typed stays")
	form = url.Values{"event": {"solved"}, "plain": {"<Shop> #{number}\r\n#{content}"}, "text": {"Solved."}}
	status, body = w.fetch(http.MethodPost, "/setup/layouts/preview", form)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "<pre>&lt;Shop&gt; ‹number›\nSolved.</pre>")
	status, _ = w.fetch(http.MethodPost, "/setup/layouts/new", form)
	require.Equal(t, http.StatusSeeOther, status)
	w.editor(sangdam.EditorHTML)
	_, body = w.fetch(http.MethodGet, "/setup/layouts/solved~all?convert=1", nil)
	require.Contains(t, body, "&lt;p&gt;&amp;lt;Shop&amp;gt; #{number}&lt;br&gt;\n#{content}&lt;/p&gt;")
}

// Layouts of a mail account do so too: rows of the other type stay to the byte
// until they are converted, which shows them and saves nothing.
func TestAMailAccountsLayoutsFollowTheEditorType(t *testing.T) {
	w := newWorld(t)
	w.byMail()
	id := w.mailAccount()
	account := func() (channel.Account, email.Settings) {
		all, err := w.eng.Accounts(t.Context(), w.host)
		require.NoError(t, err)
		for _, a := range all {
			if string(a.ID) == id {
				var s email.Settings
				require.NoError(t, json.Unmarshal(a.Settings, &s))
				return a, s
			}
		}
		t.Fatal("gone")
		return channel.Account{}, email.Settings{}
	}
	a, s := account()
	s.Layouts = []email.Layout{{Event: "solved", HTML: "\r\n<h1>Shop</h1>\r\n#{content}"}}
	a.Settings, _ = json.Marshal(s) //nolint:errchkjson // strings
	_, err := w.eng.SaveAccount(t.Context(), w.host, sangdam.SaveAccount{Account: a})
	require.NoError(t, err)
	w.editor(sangdam.EditorText)
	_, body := w.fetch(http.MethodGet, "/setup/accounts/"+id, nil)
	require.Contains(t, body, "This layout is HTML")
	require.Contains(t, body, `name="layout.0.was" value="0"`)
	require.Contains(t, body, `name="layout.new.text"`)
	require.NotContains(t, body, `name="layout.new.html"`)

	form := url.Values{"kind": {"email"}, "version": {"2"}, "name": {"Mail"}, "desk": {"support"}, "stream": {"mail"},
		"address":     {"help@shop.test"},
		"attachments": {"1"}, "mailbox.row": {"0"}, "mailbox.0.stored": {"1"}, "mailbox.0.host": {"imap.shop.test"},
		"mailbox.0.encryption": {"none"},
		"mailbox.0.user":       {"desk"}, "smtp.host": {"smtp.shop.test"}, "smtp.encryption": {"none"}, "smtp.user": {"desk"},
		"layout.row": {"0"}, "layout.0.event": {"solved"}, "layout.0.was": {"0"}, "layout.0.html": {"<h1>Shop</h1>\n#{content}"}}
	status, body := w.fetch(http.MethodPost, "/setup/accounts/"+id, form)
	require.Equal(t, http.StatusSeeOther, status, body)
	_, kept := account()
	require.Equal(t, s.Layouts, kept.Layouts)

	form.Set("version", "3")
	form.Set("convert", "0")
	status, body = w.fetch(http.MethodPost, "/setup/accounts/"+id, form)
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, body, "This layout is HTML")
	require.Regexp(t, `name="layout.0.text"[^>]*>\s*Shop\n\n#\{content\}<`, body)
	_, kept = account()
	require.Equal(t, s.Layouts, kept.Layouts, "nothing is saved yet")

	form.Del("convert")
	form.Del("layout.0.was")
	status, body = w.fetch(http.MethodPost, "/setup/accounts/"+id, form)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "settings.layouts[0] is HTML")
	form.Set("layout.0.text", "Shop\r\n#{content}")
	form.Del("layout.0.html")
	status, body = w.fetch(http.MethodPost, "/setup/accounts/"+id, form)
	require.Equal(t, http.StatusSeeOther, status, body)
	_, kept = account()
	require.Equal(t, []email.Layout{{Event: "solved", Text: "Shop\n#{content}"}}, kept.Layouts)

	w.editor(sangdam.EditorHTML)
	form.Set("version", "4")
	form.Set("layout.0.was", "0")
	form.Set("convert", "0")
	_, body = w.fetch(http.MethodPost, "/setup/accounts/"+id, form)
	require.True(t, strings.Contains(body, "&lt;p&gt;Shop&lt;br&gt;\n#{content}&lt;/p&gt;"), "converted the other way")
}
