package console_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/web/console"
)

// What exists on another desk and what does not exist are answered alike, word for
// word, and ids are random: nobody finds out by trying.
func TestTheUnknownAndTheForeignAreAnsweredAlike(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("hello")
	id := w.owned("Mina", "ara")
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: "secret"})
	require.NoError(t, err)
	d, err := w.eng.Conversation(t.Context(), w.host, id)
	require.NoError(t, err)
	answer := func(method, path string) string {
		c := w.client("zed")
		c.header.Set("Hx-Request", "true") // the part alone: a page has the time in it
		resp := c.do(method, path, "text=x&version=1&title=x")
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, resp.StatusCode, path)
		return string(body)
	}
	for _, path := range []string{"/conversations/" + string(id), "/tickets/" + string(made.Ticket),
		"/files/" + string(d.Messages[0].ID) + "/0"} {
		parts := strings.Split(path, "/")
		require.Len(t, parts[2], 36)
		unknown := strings.Replace(path, parts[2], parts[2][:24]+"000000000000", 1)
		require.Equal(t, answer(http.MethodGet, unknown), answer(http.MethodGet, path), path)
	}
	for _, path := range []string{"/answer", "/note", "/take", "/end", "/panel"} {
		require.Equal(t, answer(http.MethodPost, "/conversations/"+string(id)[:24]+"000000000000"+path),
			answer(http.MethodPost, "/conversations/"+string(id)+path), path)
	}
}

// What is written into quick replies, notices, and where a customer comes from
// stays text too.
func TestNothingInRepliesNoticesAndOffersRuns(t *testing.T) {
	w := newWorld(t)
	w.chat()
	evil := strings.Join(corpus, "\n")
	_, err := w.eng.SaveQuickReply(t.Context(), w.host, sangdam.SaveQuickReply{Reply: sangdam.QuickReply{ID: "evil",
		Title: corpus[0], Texts: map[string]string{"": evil, `"><img onerror=window.hacked=1>`: evil}}})
	require.NoError(t, err)
	set, err := w.eng.TicketSetup(t.Context(), w.host)
	require.NoError(t, err)
	set.Settings.AgentNotice = sangdam.AgentNotice{Version: corpus[1], Texts: map[string]string{"": evil}}
	_, err = w.eng.SaveWorkspaceSettings(t.Context(), w.host, sangdam.SaveWorkspaceSettings{Settings: set.Settings})
	require.NoError(t, err)
	p := w.open(browsertest.Open(t), "ara")
	inert := func(what string) {
		t.Helper()
		require.False(t, eval[bool](p, `"hacked" in window`), what)
		require.Zero(t, eval[int](p, `document.querySelectorAll("body iframe, main script, body [onerror], body [onload], main `+
			`a[href^='javascript:'], #bar script").length`), what)
	}
	p.until(`location.pathname === "/desk/notice"`)
	p.shows(".pre", corpus[0])
	inert("the notice")
	p.click("#confirm-notice")
	p.until(`location.pathname === "/desk/conversations" && document.querySelector("#list")`)

	w.online("ara")
	mina := w.visitor("v-" + strings.Repeat("a1", 16))
	mina.From = visitor.Origin{Entry: corpus[1], Device: corpus[2], IP: corpus[0]}
	m, err := w.eng.Visitor().Post(t.Context(), mina, "1", channel.Text(evil))
	require.NoError(t, err)
	p.shows(".offer-facts", corpus[1])
	inert("the offer")
	p.click("#offers .offer .primary")
	p.shows("#panel", corpus[2])
	p.until(`document.querySelector("#text")`)
	eval[bool](p, `(document.querySelector("#text").value = "/", document.querySelector("#text").dispatchEvent(new Event("input", `+
		`{bubbles: true})), true)`)
	p.shows("#canned", corpus[0])
	inert("what the slash lists")
	for _, path := range []string{"/replies", "/replies/evil", "/conversations/" + string(m.Conversation) + "/link",
		"/history?q=" + url.QueryEscape(corpus[1])} {
		p.openPage(path)
		inert(path)
	}
}

// What panics, the host's own code too, is answered without a word of it; what
// was begun on purpose and cut off stays cut off.
func TestN68APanicTellsNothing(t *testing.T) {
	w := newWorld(t)
	var said any = "the secret of mina@example.com"
	h, err := console.NewHandler(w.eng,
		console.Options{Prefix: "/desk", Authenticate: func(*http.Request) (sangdam.Principal, error) { panic(said) }})
	require.NoError(t, err)
	for range 2 {
		rw := httptest.NewRecorder()
		h.ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/desk/conversations", nil))
		require.Equal(t, http.StatusInternalServerError, rw.Code)
		require.Equal(t, "something went wrong\n", rw.Body.String())
	}
	said = http.ErrAbortHandler
	require.PanicsWithValue(t, said, func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/desk/conversations", nil))
	})
}

// unread is a body that counts what is read of it.
type unread struct {
	io.Reader
	n int
}

func (u *unread) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	u.n += n
	return n, err
}

// Whoever only looks has nothing to send: a form beside a GET was read without any
// bound, its files onto the disk.
func TestWhoLooksSendsNothing(t *testing.T) {
	w := newWorld(t)
	h, err := console.NewHandler(w.eng, console.Options{Prefix: "/desk",
		Authenticate: func(*http.Request) (sangdam.Principal, error) {
			return sangdam.AgentPrincipal(ws, "mina", sangdam.RoleAgent), nil
		}})
	require.NoError(t, err)
	for _, at := range []string{"/desk/conversations", "/desk/tickets", "/desk/history", "/desk/assets/none"} {
		body := &unread{Reader: strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"q\"; filename=\"a\"\r\n\r\n" +
			strings.Repeat("y", 1<<20) + "\r\n--x--\r\n")}
		r := httptest.NewRequest(http.MethodGet, at, body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.Zero(t, body.n, at)
	}
}

// A host whose sessions cannot be read for a moment signs nobody out: who is led to
// the sign-in loses what was typed, and cannot sign in there either.
func TestWhoCannotBeToldAtTheMomentIsNotSignedOut(t *testing.T) {
	w := newWorld(t)
	away := fmt.Errorf("the host's database at 10.0.0.7 is away: %w", sangdam.ErrUnavailable)
	h, err := console.NewHandler(w.eng, console.Options{Prefix: "/desk", SignIn: "/sign-in",
		Authenticate: func(*http.Request) (sangdam.Principal, error) { return sangdam.Principal{}, away }})
	require.NoError(t, err)
	for _, header := range []http.Header{{"Accept": {"text/html"}}, {"Accept": {"text/html"}, "Hx-Request": {"true"}},
		{"Accept": {"application/json"}}} {
		rw, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/desk/conversations", nil)
		r.Header = header
		h.ServeHTTP(rw, r)
		require.Equal(t, http.StatusServiceUnavailable, rw.Code, header)
		require.Empty(t, rw.Header().Get("Location")+rw.Header().Get("HX-Redirect"))
		require.NotContains(t, rw.Body.String(), "10.0.0.7")
	}
}

// TestAConsoleMountedWrongSaysHow: a host that takes the path off the request gets the
// remedy and not a bare "not found".
func TestAConsoleMountedWrongSaysHow(t *testing.T) {
	w := newWorld(t)
	stripped := http.StripPrefix("/desk", w.page)
	for _, path := range []string{"/desk/", "/desk/conversations", "/desk/assets/console.css"} {
		rw := httptest.NewRecorder()
		stripped.ServeHTTP(rw, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusNotFound, rw.Code)
		require.Contains(t, rw.Body.String(), "below /desk/")
		require.Contains(t, rw.Body.String(), "without http.StripPrefix")
	}
	rw := httptest.NewRecorder()
	w.page.ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/desktop", nil))
	require.Contains(t, rw.Body.String(), "below /desk/")
}

// What a page tells of the command before it is nobody else's: words in an address
// are shown on no page, and what a save warns of is shown once it was made.
func TestNoAddressPutsWordsOnAPage(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("hello")
	id := w.owned("Mina", "ara")
	c := w.client("admin")
	body := func(path string) string {
		resp := c.do(http.MethodGet, path, "")
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
		return regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(raw), "") // forms lead back to the address
	}
	for _, path := range []string{"/setup/queues/everyone", "/setup/desks/support", "/setup/accounts/shop", "/setup/workspace",
		"/conversations/" + string(id), "/me", "/setup/channels"} {
		words := []string{"warn", "saved", "linked_from", "linked_name", "error", "message", "notice", "told", "reason"}
		for i, name := range words {
			words[i] = name + "=stranger-" + name
		}
		require.NotContains(t, body(path+"?"+strings.Join(words, "&")), "stranger-", path)
	}
}
