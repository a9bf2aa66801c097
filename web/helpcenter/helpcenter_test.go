package helpcenter_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/internal/placetest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/web/helpcenter"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Run(m)) }

const ws = "w"

// world is a desk with two categories, of which one has fields, and the form.
type world struct {
	t              *testing.T
	eng            *sangdam.Engine
	host           sangdam.Principal
	web            *httptest.Server
	refund, hidden ticket.CategoryID
}

func newWorld(t *testing.T, change func(*helpcenter.Options)) *world {
	w := &world{t: t, host: sangdam.Host(ws)}
	sealer, err := seal.Ephemeral()
	require.NoError(t, err)
	w.eng, err = sangdam.New(sangdam.Config{DB: memory.New(memory.Options{}), Sealer: sealer, Blobs: blob.Memory(),
		Poll: 50 * time.Millisecond})
	require.NoError(t, err)
	ctx := t.Context()
	require.NoError(t, w.eng.CreateWorkspace(ctx, ws, "Shop"))
	run, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.eng.Run(run) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	require.Eventually(t, func() bool { return w.eng.Ready(ctx) == nil }, 30*time.Second, 5*time.Millisecond)
	_, err = w.eng.SaveAgent(ctx, w.host, sangdam.SaveAgent{Agent: routing.Agent{ID: "ara", Name: "Ara Secret-Agent", Role: "agent"}})
	require.NoError(t, err)
	_, err = w.eng.SaveDesk(ctx, w.host, sangdam.SaveDesk{Desk: routing.Desk{ID: "support", Name: "Support"}, Agent: "ara"})
	require.NoError(t, err)
	w.refund = w.category("Refund", "환불", true)
	w.hidden = w.category("Internal", "내부", false)
	w.field(ticket.Field{Code: "order", Kind: ticket.CustomerField, Type: ticket.Text, Required: true,
		Names: map[string]string{"en": "Order",
			"ko": "주문 번호"}})
	w.field(ticket.Field{Code: "photo", Kind: ticket.CustomerField, Type: ticket.File, Names: map[string]string{"en": "Picture"}})
	_, err = w.eng.SaveForm(ctx, w.host, sangdam.SaveForm{Form: ticket.Form{Category: w.refund, Fields: []string{"order", "photo"}}})
	require.NoError(t, err)
	o := helpcenter.Options{Prefix: "/help", Workspace: ws, Desk: "support", MaxFile: 1000}
	if change != nil {
		change(&o)
	}
	h, err := helpcenter.NewHandler(w.eng, o)
	require.NoError(t, err)
	w.web = httptest.NewServer(h)
	t.Cleanup(func() { w.web.CloseClientConnections(); w.web.Close() })
	return w
}

func (w *world) category(en, ko string, offered bool) ticket.CategoryID {
	set, err := w.eng.TicketSetup(w.t.Context(), w.host)
	require.NoError(w.t, err)
	c, err := w.eng.SaveCategory(w.t.Context(), w.host, sangdam.SaveCategory{Tree: ticket.Intake, Version: set.Trees[ticket.Intake].Version,
		Category: ticket.Category{Names: map[string]string{"en": en, "ko": ko}, Offered: offered}})
	require.NoError(w.t, err)
	return ticket.CategoryID(c.ID)
}

func (w *world) field(f ticket.Field) {
	set, err := w.eng.TicketSetup(w.t.Context(), w.host)
	require.NoError(w.t, err)
	_, err = w.eng.SaveField(w.t.Context(), w.host, sangdam.SaveField{Version: set.Fields.Version, Field: f})
	require.NoError(w.t, err)
}

func (w *world) get(query string) string {
	resp, err := http.Get(w.web.URL + "/help/?" + query)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
	require.Contains(w.t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Empty(w.t, resp.Cookies())
	return string(body)
}

// send posts the form as its page does; files are by the field's name.
func (w *world) send(form url.Values, files map[string]string, header http.Header) (int, string) {
	var body bytes.Buffer
	out := multipart.NewWriter(&body)
	for name, values := range form {
		for _, v := range values {
			require.NoError(w.t, out.WriteField(name, v))
		}
	}
	for name, content := range files {
		f, err := out.CreateFormFile(name, "broken <b>.txt")
		require.NoError(w.t, err)
		_, err = f.Write([]byte(content))
		require.NoError(w.t, err)
	}
	require.NoError(w.t, out.Close())
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.web.URL+"/help/", &body)
	require.NoError(w.t, err)
	req.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Content-Type", out.FormDataContentType())
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	require.NotContains(w.t, string(got), "Secret-Agent")
	return resp.StatusCode, string(got)
}

func (w *world) filled() url.Values {
	return url.Values{"key": {"0123456789abcdef"}, "category": {string(w.refund)}, "f.email": {"mina@example.com"},
		"f.title": {"Money back"}, "f.content": {"It never came\r\nPlease help"}, "f.order": {"A-17"}, "consent": {"1"}}
}

func (w *world) tickets() []ticket.Ticket {
	page, err := w.eng.Tickets(w.t.Context(), w.host, sangdam.TicketFilter{}, "", 50)
	require.NoError(w.t, err)
	return page.Tickets
}

// An inquiry with a file becomes one ticket, however often the form is sent.
func TestAnInquiryBecomesOneTicket(t *testing.T) {
	w := newWorld(t, nil)
	first := w.get("lang=ko")
	require.Contains(t, first, "환불")
	require.NotContains(t, first, "내부", "what is not offered is not shown")
	page := w.get("lang=ko&category=" + string(w.refund))
	require.Contains(t, page, "주문 번호")
	require.Regexp(t, `name="key" value="\w{20,}"`, page)
	for range 2 {
		status, body := w.send(w.filled(), map[string]string{"f.photo": "a picture"}, nil)
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, "<strong>1</strong>")
	}
	all := w.tickets()
	require.Len(t, all, 1)
	require.Equal(t, "It never came\nPlease help", all[0].Body)
	require.Equal(t, "A-17", all[0].Fields["order"].Text)
	require.Equal(t, routing.DeskID("support"), all[0].Desk)
	require.False(t, all[0].ConsentAt.IsZero())
	file, err := w.eng.TicketFile(t.Context(), w.host, all[0].ID, all[0].Fields["photo"].Files[0])
	require.NoError(t, err)
	defer file.Close()
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.Equal(t, "a picture", string(content))
}

// What is wrong is told beside its field, in the customer's language, what was
// typed stays, and nothing is kept.
func TestWhatIsWrongIsTold(t *testing.T) {
	w := newWorld(t, nil)
	for name, c := range map[string]struct {
		spoil func(url.Values)
		files map[string]string
		says  string
	}{
		"no mail":     {func(v url.Values) { v.Del("f.email") }, nil, "필수 항목입니다"},
		"no order":    {func(v url.Values) { v.Set("f.order", "  ") }, nil, "필수 항목입니다"},
		"two lines":   {func(v url.Values) { v.Set("f.order", "1\n2") }, nil, "확인해 주세요"},
		"no consent":  {func(v url.Values) { v.Del("consent") }, nil, "동의하셔야"},
		"no key":      {func(v url.Values) { v.Del("key") }, nil, "다시 열어"},
		"not offered": {func(v url.Values) { v.Set("category", string(w.hidden)) }, nil, "유형을 선택"},
		"large file":  {func(url.Values) {}, map[string]string{"f.photo": strings.Repeat("x", 1001)}, "보다 큰 파일"},
	} {
		form := w.filled()
		form.Set("lang", "ko")
		form.Set("f.title", `"><script>alert(1)</script>`)
		c.spoil(form)
		status, body := w.send(form, c.files, nil)
		require.Equal(t, http.StatusBadRequest, status, name)
		require.Contains(t, body, c.says, name)
		require.NotContains(t, body, "<script>", name)
		if name != "not offered" {
			require.Contains(t, body, "It never came", "%s: what was typed stays", name)
		}
	}
	require.Empty(t, w.tickets())
}

// Other sites, programs and floods leave nothing.
func TestTheFormIsNotForPrograms(t *testing.T) {
	w := newWorld(t, func(o *helpcenter.Options) { o.PerHour = 2 })
	for _, h := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://evil.example"}}, {}} {
		status, _ := w.send(w.filled(), nil, h)
		require.Equal(t, http.StatusForbidden, status)
	}
	trap := w.filled()
	trap.Set("website", "https://spam.example")
	status, _ := w.send(trap, nil, nil)
	require.Equal(t, http.StatusOK, status, "a program learns nothing")
	require.Empty(t, w.tickets())
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		form := w.filled()
		form.Set("key", strings.Repeat(string(rune('a'+i)), 20))
		status, body := w.send(form, nil, nil)
		require.Equal(t, want, status, body)
	}
	require.Len(t, w.tickets(), 2)
	status, _ = w.send(w.filled(), map[string]string{"f.photo": strings.Repeat("x", 2<<20)}, nil)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
}

// Forms are read before it is known whether one may send them, and their files wait on
// the disk meanwhile: an address has a few of them under way at once, and no more.
func TestAnAddressHasFewFormsUnderWay(t *testing.T) {
	w := newWorld(t, nil)
	// A body is sent once the form asks for it, so that who has written knows that it is read.
	asked := &http.Transport{ExpectContinueTimeout: time.Hour}
	t.Cleanup(asked.CloseIdleConnections)
	var slow []*io.PipeWriter
	answers := make(chan error, 10)
	for range 5 {
		body, in := io.Pipe()
		slow = append(slow, in)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.web.URL+"/help/", body)
		require.NoError(t, err)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		r.Header.Set("Expect", "100-continue")
		go func() {
			res, err := asked.RoundTrip(r)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body) // its end is sent when the form has given its place back
				_ = res.Body.Close()
			}
			answers <- err
		}()
		_, err = in.Write([]byte("--x\r\nContent-Disposition: form-data; name=\"f.photo\"; filename=\"a\"\r\n\r\n"))
		require.NoError(t, err)
	}
	status, _ := w.send(url.Values{}, nil, nil)
	require.Equal(t, http.StatusTooManyRequests, status, "a sixth form beside five")
	for _, in := range slow {
		_ = in.Close()
	}
	for range slow {
		<-answers
	}
	status, _ = w.send(w.filled(), nil, nil)
	require.Equal(t, http.StatusOK, status, "and there is room again when those have ended")
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
	w := newWorld(t, nil)
	form, err := helpcenter.NewHandler(w.eng, helpcenter.Options{Prefix: "/help", Workspace: ws})
	require.NoError(t, err)
	ratings, err := helpcenter.NewRatings(w.eng, helpcenter.RatingOptions{Prefix: "/ratings"})
	require.NoError(t, err)
	for at, h := range map[string]http.Handler{"/help/": form, "/ratings/shop/token": ratings} {
		body := &unread{Reader: strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"lang\"; filename=\"a\"\r\n\r\n" +
			strings.Repeat("y", 1<<20) + "\r\n--x--\r\n")}
		r := httptest.NewRequest(http.MethodGet, at, body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.Zero(t, body.n, at)
	}
}

// A form that is cut off is not taken for one that was left half empty, and what is
// no form or too large is refused as what it is.
func TestAFormThatIsCutOffIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	whole := w.filled().Encode()
	for _, c := range []struct {
		kind, body string
		want       int
	}{
		{"application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(whole)+10, whole), http.StatusBadRequest},
		{"application/x-www-form-urlencoded", "Transfer-Encoding: chunked\r\n\r\nZZ\r\na=1", http.StatusBadRequest},
		{"application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 12<<20, strings.Repeat("a", 12<<20)),
			http.StatusRequestEntityTooLarge},
		{"multipart/form-data", "Content-Length: 1\r\n\r\na", http.StatusBadRequest},
		{"multipart/form-data; boundary=B", "Content-Length: 9\r\n\r\n--B\r\n", http.StatusBadRequest},
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.web.Listener.Addr().String())
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "POST /help/ HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nContent-Type: %s\r\n%s",
			c.kind, c.body)
		if err == nil { // what is too large may be refused before it is all sent
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, c.kind)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, c.want, resp.StatusCode, c.kind)
		require.NoError(t, conn.Close())
	}
	require.Empty(t, w.tickets())
}

// What panics, the host's own code too, is answered without a word of it, and
// the next request is served.
func TestN68APanicTellsNothing(t *testing.T) {
	panics := true
	w := newWorld(t, func(o *helpcenter.Options) {
		o.Who = func(*http.Request) (ticket.Requester, conversation.ContactID) {
			if panics {
				panic("the secret of mina@example.com")
			}
			return ticket.Requester{}, ""
		}
	})
	status, body := w.send(w.filled(), nil, nil)
	require.Equal(t, http.StatusInternalServerError, status)
	require.Equal(t, "something went wrong\n", body)
	require.Empty(t, w.tickets())
	panics = false
	status, body = w.send(w.filled(), nil, nil)
	require.Equal(t, http.StatusOK, status, body)
}

func TestOptionsAreChecked(t *testing.T) {
	w := newWorld(t, nil)
	for _, o := range []helpcenter.Options{{}, {Workspace: ws, Prefix: "help"}, {Workspace: ws, Language: "xx"},
		{Workspace: ws, PerHour: -1}} {
		_, err := helpcenter.NewHandler(w.eng, o)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
	}
	_, err := helpcenter.NewHandler(nil, helpcenter.Options{Workspace: ws})
	require.ErrorIs(t, err, sangdam.ErrInvalid)
}

// Every language has every text, with the same places.
func TestEveryLanguageHasEveryText(t *testing.T) {
	all := map[string]map[string]string{}
	files, err := filepath.Glob("texts/*.json")
	require.NoError(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		texts := map[string]string{}
		require.NoError(t, json.Unmarshal(raw, &texts))
		all[strings.TrimSuffix(filepath.Base(f), ".json")] = texts
	}
	placetest.Same(t, all)
}

// A customer fills the form in with the keyboard, without a script on the page,
// and axe-core finds nothing, light and dark.
func TestTheFormInTheBrowser(t *testing.T) {
	w := newWorld(t, nil)
	ctx, cancel := chromedp.NewContext(browsertest.Open(t))
	t.Cleanup(cancel)
	f, err := os.Open("../console/testdata/axe.min.js.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	axe, err := io.ReadAll(z)
	require.NoError(t, err)
	for _, query := range []string{"lang=en", "lang=ko&category=" + string(w.refund)} {
		require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(400, 850), chromedp.Navigate(w.web.URL+"/help/?"+query),
			chromedp.Evaluate[chromedp.Void](string(axe))))
		require.NoError(t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](
			`window.says = null; axe.run(document, {resultTypes: ["violations"]}).then(r => { window.says = r.violations.map(v => v.id + `+
				`" " + v.nodes[0].html); })`)))
		require.Eventually(t, func() bool {
			says, err := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify(window.says)`))
			return err == nil && says == "[]"
		}, 30*time.Second, 20*time.Millisecond, "%s", func() string {
			says, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify(window.says)`)) // for people
			return says
		}())
		if dir := os.Getenv("PAGE_SHOTS"); dir != "" {
			shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "help-"+query[5:7]+".png"), shot, 0o600))
		}
	}
	require.NoError(t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector('[name="f.email"]').focus()`),
		chromedp.KeyEvent("mina@example.com\t"), chromedp.KeyEvent("환불\t"), chromedp.KeyEvent("신발이 안 왔어요\t"), chromedp.KeyEvent("A-1\t"),
		chromedp.KeyEvent("\t"),
		chromedp.KeyEvent(" "), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r")))
	require.Eventually(t, func() bool { return len(w.tickets()) == 1 }, 30*time.Second, 20*time.Millisecond)
	require.Equal(t, "신발이 안 왔어요", w.tickets()[0].Body)
}
