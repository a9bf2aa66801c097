package linetest_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

type step = chromedp.Action[chromedp.Void]

// page is the phone in a browser.
type page struct {
	t   *testing.T
	ctx context.Context
	url string
}

func openPage(t *testing.T) (page, *linetest.Server) {
	srv := linetest.New(linetest.Options{})
	t.Cleanup(srv.Close)
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	p := page{t, browser(t), web.URL}
	p.do(chromedp.Navigate(web.URL), stands("friend"))
	return p, srv
}

func (p page) do(steps ...step) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		body, _ := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS("body"), chromedp.NodeReady))
		require.NoError(p.t, err, "the page says: %s", body)
	}
}

// stands waits until the customer on the page is there and stands so.
func stands(as string) step {
	return chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//*[@id="standing"][text()="%s"]`, as)))
}

// shows waits for a bubble of the class with the text.
func shows(class, text string) step {
	return chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//li[contains(@class,"%s")][contains(.,"%s")]`, class, text)))
}

// use gives the phone to the customer and waits until it is theirs.
func (p page) use(name string) {
	p.t.Helper()
	p.do(chromedp.SetValue(chromedp.CSS("#name"), name), chromedp.Click(chromedp.CSS("#who button")), stands("friend"))
}

func (p page) say(text string) {
	p.t.Helper()
	p.do(chromedp.SetValue(chromedp.CSS("#text"), text), chromedp.Click(chromedp.CSS("#send:enabled")), shows("mine", text))
}

func eval[T any](p page, js string) T {
	p.t.Helper()
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](js))
	require.NoError(p.t, err)
	return out
}

func (p page) bubbles() []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll("#chat li")].map(li => li.className + ": " + li.firstChild.textContent)`)
}

// shot keeps a picture of the page in the directory PAGE_SHOTS, for people.
func (p page) shot(name string) {
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
}

// sent is what the emulator holds for said by the customer.
func (p page) sent(name string) string {
	p.t.Helper()
	resp, err := http.Get(p.url + "/_emulator/users/" + name + "/sent")
	require.NoError(p.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return string(body)
}

func TestTheChatIsThereAgainAfterReloadAndSwitch(t *testing.T) {
	p, srv := openPage(t)
	p.use("Mina")
	p.say("one")
	status, _, _ := push(t, srv, srv.User("Mina").ID(), "two")
	require.Equal(t, 200, status)
	p.do(shows("theirs", "two"))
	p.say("three")
	want := []string{"mine: one", "theirs: two", "mine: three"}
	require.Equal(t, want, p.bubbles())
	p.do(chromedp.Reload(), shows("mine", "three"))
	require.Equal(t, want, p.bubbles())
	p.use("Jun")
	p.say("I am Jun")
	require.Equal(t, []string{"mine: I am Jun"}, p.bubbles())
	p.do(chromedp.Reload(), shows("mine", "I am Jun")) // the tab keeps its customer
	p.use("Mina")
	p.do(shows("mine", "three"))
	require.Equal(t, want, p.bubbles())
	p.do(chromedp.Click(chromedp.CSS("li.mine button")), shows("gone", "one"), chromedp.Reload(), shows("gone", "one"))
}

func TestThePageFitsNarrowPhones(t *testing.T) {
	p, srv := openPage(t)
	u := srv.User("Mina")
	p.say(strings.Repeat("looooong", 20))
	message := `{"type":"text","text":"` + strings.Repeat("가나다", 40) + `","quickReply":{"items":[` + strings.TrimSuffix(strings.Repeat(
		`{"type":"action","action":{"type":"message","label":"twenty letters here!","text":"ok"}},`, 5), ",") + `]}}`
	pushMessage(t, srv, u.ID(), message)
	p.do(shows("theirs", "가나다"))
	for _, width := range []int64{320, 360, 390, 476, 900} {
		p.do(chromedp.EmulateViewport(width, 640))
		p.shot(fmt.Sprintf("width-%d", width))
		require.LessOrEqual(t, eval[int64](p, `document.documentElement.scrollWidth`), width, "nothing to scroll sideways")
		outside := eval[[]string](p, `[...document.querySelectorAll("button, input, label, li")].filter(e => {
			const r = e.getBoundingClientRect();
			return r.width > 1 && (r.right > innerWidth || r.left < 0 || e.closest("#say, #who") && (r.bottom > innerHeight || r.top < 0));
		}).map(e => e.id || e.textContent)`)
		require.Empty(t, outside, "at %d pixels", width)
	}
}

func TestThePageOutlivesARestartOfTheEmulator(t *testing.T) {
	serve := func(addr string) (*linetest.Server, *http.Server, net.Listener) {
		ln, err := net.Listen("tcp", addr)
		require.NoError(t, err)
		srv := linetest.New(linetest.Options{}) // the same seed: ids come again
		hs := &http.Server{Handler: srv}
		go func() { _ = hs.Serve(ln) }()
		t.Cleanup(srv.Close)
		t.Cleanup(func() { _ = hs.Close() })
		return srv, hs, ln
	}
	first, hs, ln := serve("127.0.0.1:0")
	p := page{t, browser(t), "http://" + ln.Addr().String()}
	p.do(chromedp.Navigate(p.url), stands("friend"))
	p.say("before")
	for _, text := range []string{"first answer", "second answer"} {
		status, _, _ := push(t, first, first.User("Mina").ID(), text)
		require.Equal(t, 200, status)
		p.do(shows("theirs", text))
	}
	require.NoError(t, hs.Close())
	p.do(chromedp.SetValue(chromedp.CSS("#text"), "still here"), chromedp.Click(chromedp.CSS("#send:enabled")),
		chromedp.WaitVisible(chromedp.Search(`//*[@id="trouble"][string-length(text())>0]`)))
	require.Equal(t, "still here", eval[string](p, `document.getElementById("text").value`), "what was typed is kept")
	p.shot("down")

	second, _, _ := serve(ln.Addr().String())
	second.User("Somebody else") // who has the id that Mina had
	p.do(chromedp.Click(chromedp.CSS("#send:enabled")), shows("mine", "still here"))
	require.Contains(t, p.sent("Mina"), "still here")
	require.Empty(t, eval[string](p, `document.getElementById("text").value`))
	status, _, _ := push(t, second, second.User("Mina").ID(), "answer after")
	require.Equal(t, 200, status)
	p.do(shows("theirs", "answer after"))
	require.Equal(t, []string{"mine: before", "theirs: first answer", "theirs: second answer", "mine: still here", "theirs: answer after"}, p.bubbles())
	p.do(chromedp.WaitVisible(chromedp.Search(`//*[@id="trouble"][not(text())]`)))
}

// TestAMessageIsAlwaysTheCustomersOnThePage: more customers one after another
// than a browser opens connections to one host, so that polls that were not
// ended would hold up the next message until another is on the page.
func TestAMessageIsAlwaysTheCustomersOnThePage(t *testing.T) {
	p, srv := openPage(t)
	for n := range 9 {
		p.use(fmt.Sprintf("Cust%d", n))
		p.say(fmt.Sprintf("I am customer %d", n))
	}
	for n := range 9 {
		sent := p.sent(fmt.Sprintf("Cust%d", n))
		require.Equal(t, 1, strings.Count(sent, "I am customer"), sent)
		require.Contains(t, sent, fmt.Sprintf("I am customer %d", n))
	}
	// In one turn of the browser: the next customer is chosen and Send pressed.
	eval[any](p, `(() => { el("name").value = "Next"; el("text").value = "whose?"; el("who").requestSubmit(); el("say").requestSubmit(); })()`)
	p.do(chromedp.WaitVisible(chromedp.Search(`//*[@id="standing"][text()="friend"]`)))
	require.NotContains(t, p.sent("Cust8"), "whose?", "not said by the customer of before")
	require.Equal(t, "whose?", eval[string](p, `el("text").value`))
	p.do(chromedp.Click(chromedp.CSS("#send:enabled")), shows("mine", "whose?"))
	require.Contains(t, p.sent("Next"), "whose?")
	require.Len(t, srv.Users(), 11)
}

func TestWhoBlockedTheAccountCannotWrite(t *testing.T) {
	p, srv := openPage(t)
	p.do(chromedp.SetValue(chromedp.CSS("#text"), "half a thought"), chromedp.Click(chromedp.CSS("#unfollow")), stands("blocked"))
	require.Equal(t, 3.0, eval[float64](p, `[...document.querySelectorAll("#say button, #say input")].filter(b => b.disabled).length`))
	p.shot("blocked")
	eval[any](p, `el("say").requestSubmit()`)
	resp, err := http.Post(p.url+"/_emulator/users/Mina/messages", "application/json", strings.NewReader(`{"type":"text","text":"let me in"}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Equal(t, "[]", strings.TrimSpace(p.sent("Mina")))
	p.do(chromedp.Click(chromedp.CSS("#follow")), stands("friend"), chromedp.Click(chromedp.CSS("#send:enabled")), shows("mine", "half a thought"))
	require.Equal(t, linetest.Friend, srv.User("Mina").Standing())
}

func TestPicturesAreShown(t *testing.T) {
	p, srv := openPage(t)
	var picture bytes.Buffer
	drawing := image.NewRGBA(image.Rect(0, 0, 120, 80))
	for x := range 120 {
		for y := range 80 {
			drawing.Set(x, y, color.RGBA{uint8(2 * x), 160, uint8(3 * y), 255})
		}
	}
	require.NoError(t, png.Encode(&picture, drawing))
	file := filepath.Join(t.TempDir(), "pic.png")
	require.NoError(t, os.WriteFile(file, picture.Bytes(), 0o600))
	loaded := func(n int) step {
		return chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`(//li/img[@data-loaded])[%d]`, n)))
	}
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#picture"), []string{file}), loaded(1))
	p.do(chromedp.Reload(), loaded(1))
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(picture.Bytes())
	}))
	t.Cleanup(outside.Close)
	pushMessage(t, srv, srv.User("Mina").ID(), `{"type":"image","originalContentUrl":"https://pictures.example/a.png","previewImageUrl":"https://pictures.example/p.png"}`)
	p.do(shows("theirs", "[image]")) // it cannot be fetched: its text stands instead
	// A picture that can be: the emulator takes https alone, as LINE does.
	eval[any](p, fmt.Sprintf(`showTheirs({text: "[image]", route: "push", chat: "U", message: {type: "image", previewImageUrl: %q}})`, outside.URL+"/p.png"))
	p.do(loaded(2))
	p.shot("pictures")
}

// pushMessage sends any message to the user as the account.
func pushMessage(t *testing.T, s *linetest.Server, to, message string) {
	t.Helper()
	status, body, _ := api(t, s, "POST", "/v2/bot/message/push", fmt.Sprintf(`{"to":%q,"messages":[%s]}`, to, message))
	require.Equal(t, http.StatusOK, status, body)
}
