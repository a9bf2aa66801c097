package console_test

import (
	"bytes"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// A desk's page: the picture is what its content says, customers add its LINE
// account by the picture shown, and nobody is taken off it before it is said how
// many conversations go to others.
func TestTheExtrasOfADesk(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("hello")
	w.owned("Mina", "ara")
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/desks/support")
	p.shows(".hint", "since "+time.Now().UTC().Format("2006"))
	p.shows("#invitations code", "line")
	p.until(`document.querySelector("#invitations img").naturalWidth > 100`)
	p.shot("desk")
	eval[bool](p, `(document.querySelector("[name=member][value=ara]").checked = false, true)`)
	p.save()
	p.shows("#hand-on", "Ara Kim is taken off Support. Conversations that go to others: 1")
	p.shot("hand-on")
	cfg, err := w.eng.Configuration(t.Context(), w.host)
	require.NoError(t, err)
	require.Contains(t, cfg.Members["support"], routing.AgentID("ara"), "not yet")
	p.click("[name=hand_on]")
	p.save()
	p.shows(".notice.good", "Saved")
	cfg, err = w.eng.Configuration(t.Context(), w.host)
	require.NoError(t, err)
	require.NotContains(t, cfg.Members["support"], routing.AgentID("ara"))

	p.openPage("/setup/desks/support")
	eval[bool](p, `(() => { const data = new DataTransfer(), e = document.querySelector("[name=picture]");
		data.items.add(new File(["<script>alert(1)</script>"], "a.png", {type: "image/png"})); e.files = data.files; return true; })()`)
	p.click("#picture button")
	p.shows(".notice.bad", "PNG, JPEG, GIF or WebP")
	var file bytes.Buffer
	require.NoError(t, png.Encode(&file, image.NewGray(image.Rect(0, 0, 300, 300))))
	require.Equal(t, http.StatusSeeOther, w.client("admin").sendPicture("/setup/desks/support/picture", file.Bytes()).StatusCode)
	p.openPage("/setup/desks/support")
	p.until(`document.querySelector(".desk-picture").naturalWidth === 256`)
	require.Equal(t, http.StatusConflict, w.client("admin").sendPicture("/setup/desks/support/picture", file.Bytes()).StatusCode,
		"it has a picture by now, which this page did not show")
	require.Equal(t, http.StatusBadRequest, w.client("admin").sendPicture("/setup/desks/support/picture",
		append(file.Bytes(), make([]byte, 10_000_000)...)).StatusCode)
	p.click("#picture .danger")
	p.shows(".notice.good", "Saved")
	require.False(t, eval[bool](p, `!!document.querySelector(".desk-picture")`))
	require.NoError(t, chromedp.Do(p.ctx))
}

// sendPicture sends a form with a file.
func (c client) sendPicture(path string, file []byte) *http.Response {
	c.w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("picture", "a.png")
	require.NoError(c.w.t, err)
	_, err = part.Write(file)
	require.NoError(c.w.t, err)
	require.NoError(c.w.t, form.Close())
	req, err := http.NewRequestWithContext(c.w.t.Context(), http.MethodPost, c.w.web.URL+"/desk"+path, &body)
	require.NoError(c.w.t, err)
	req.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Accept": {"text/html"}, "Content-Type": {form.FormDataContentType()}}
	req.AddCookie(&http.Cookie{Name: "who", Value: c.agent})
	one := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := one.Do(req)
	require.NoError(c.w.t, err)
	c.w.t.Cleanup(func() { _, _ = io.Copy(io.Discard, resp.Body); _ = resp.Body.Close() })
	return resp
}

// A desk of an id that is taken is refused, what was typed stays, and the desk that
// has the id is as it was; a desk without an agent is refused too.
func TestADeskOfATakenIDIsRefused(t *testing.T) {
	w := newWorld(t)
	form := url.Values{"id": {"support"}, "name": {"Another one"}, "member": {"bo"}, "version": {"0"}}
	send := func() (int, string) {
		resp := w.client("admin").do(http.MethodPost, "/setup/desks/new", form.Encode())
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	status, body := send()
	require.Equal(t, http.StatusConflict, status, body)
	require.Contains(t, body, `value="Another one"`, "what was typed stays")
	require.Contains(t, body, `value="bo" checked`)
	form.Set("id", "another")
	form.Del("member")
	status, body = send()
	require.Equal(t, http.StatusBadRequest, status, body)
	cfg, err := w.eng.Configuration(t.Context(), w.host)
	require.NoError(t, err)
	require.NotEqual(t, "Another one", cfg.Desks["support"].Name)
	require.NotContains(t, cfg.Desks, routing.DeskID("another"))
	form.Set("member", "bo")
	status, body = send()
	require.Equal(t, http.StatusSeeOther, status, body)
}
