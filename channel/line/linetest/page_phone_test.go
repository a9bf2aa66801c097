package linetest_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/sangdam/sangdam/internal/browsertest"
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
	p := page{t, browsertest.Open(t), web.URL}
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
	return eval[[]string](p,
		`[...document.querySelectorAll("#chat li.mine, #chat li.theirs")].map(li => li.className + ": " + li.firstChild.textContent)`)
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
			return r.width > 1 && !e.closest("#choices") && (r.right > innerWidth || r.left < 0 ||
				e.closest("#say, #who") && (r.bottom > innerHeight || r.top < 0));
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
	p := page{t, browsertest.Open(t), "http://" + ln.Addr().String()}
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
	require.Equal(t, []string{"mine: before", "theirs: first answer", "theirs: second answer", "mine: still here", "theirs: answer after"},
		p.bubbles())
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
		require.Equal(t, 1, strings.Count(sent, `"kind":"text"`), sent)
		require.Contains(t, sent, fmt.Sprintf("I am customer %d", n))
	}
	// In one turn of the browser: the next customer is chosen and Send pressed.
	eval[any](p, `(() => { el("name").value = "Next"; el("text").value = "whose?"; el("who").requestSubmit(); el("say").requestSubmit(); `+
		`})()`)
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
	require.Equal(t, []string{"text"}, eval[[]string](p,
		`[...document.querySelectorAll("#say button, #say input")].filter(b => !b.disabled).map(b => b.id)`),
		"what was typed can be gone on with, and nothing can be sent")
	p.shot("blocked")
	eval[any](p, `el("say").requestSubmit()`)
	resp, err := http.Post(p.url+"/_emulator/users/Mina/messages", "application/json",
		strings.NewReader(`{"type":"text","text":"let me in"}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Equal(t, "[]", strings.TrimSpace(p.sent("Mina")))
	p.do(chromedp.Click(chromedp.CSS("#follow")), stands("friend"), chromedp.Click(chromedp.CSS("#send:enabled")),
		shows("mine", "half a thought"))
	require.Equal(t, linetest.Friend, srv.User("Mina").Standing())
}

func TestPicturesAreShown(t *testing.T) {
	p, srv := openPage(t)
	picture := drawing(t)
	file := filepath.Join(t.TempDir(), "pic.png")
	require.NoError(t, os.WriteFile(file, picture, 0o600))
	loaded := func(n int) step {
		return chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`(//li//img[@data-loaded])[%d]`, n)))
	}
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#picture"), []string{file}), loaded(1))
	p.do(chromedp.Reload(), loaded(1))
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		_, _ = w.Write(picture)
	}))
	t.Cleanup(outside.Close)
	pushMessage(t, srv, srv.User("Mina").ID(),
		`{"type":"image","originalContentUrl":"https://pictures.example/a.png","previewImageUrl":"https://pictures.example/p.png"}`)
	p.do(shows("theirs", "[image]")) // it cannot be fetched: its text stands instead
	// A picture that can be, under the headers that a desk serves files with.
	pushMessage(t, srv, srv.User("Mina").ID(), fmt.Sprintf(`{"type":"image","originalContentUrl":%q,"previewImageUrl":%q}`,
		outside.URL+"/a.png", outside.URL+"/p.png?preview"))
	p.do(loaded(2))
	p.shot("pictures")
}

// pressing presses the button with the label, in a message or under the chat.
func pressing(label string) step {
	return chromedp.Click(chromedp.Search(fmt.Sprintf(`//button[text()="%s"][not(@disabled)]`, label)))
}

// Every kind of choice can be pressed on the page, and what it said is there
// after a reload.
func TestEveryChoiceCanBePressedOnThePage(t *testing.T) {
	p, srv := openPage(t)
	srv.SetWebhook("http://127.0.0.1:1/")
	u := srv.User("Mina")
	p.use("Mina")
	quick := func(action, label string) {
		t.Helper()
		pushMessage(t, srv, u.ID(), `{"type":"text","text":"choose","quickReply":{"items":[{"type":"action","action":`+action+`}]}}`)
		p.do(pressing(label))
	}
	quick(`{"type":"message","label":"Say","text":"said by choice"}`, "Say")
	p.do(shows("mine", "said by choice"))
	quick(`{"type":"postback","label":"Buy","data":"buy","displayText":"I buy it"}`, "Buy")
	p.do(shows("mine", "I buy it"))
	quick(`{"type":"datetimepicker","label":"When","data":"visit","mode":"date","initial":"2026-03-05","min":"2026-03-01",`+
		`"max":"2026-03-31"}`, "When")
	p.do(chromedp.WaitVisible(chromedp.CSS("#fields input")))
	p.shot("picker")
	p.do(chromedp.Click(chromedp.CSS("#answer")), shows("note", "When: 2026-03-05"))
	quick(`{"type":"location","label":"Where"}`, "Where")
	p.do(chromedp.WaitVisible(chromedp.CSS("#fields input")), chromedp.Click(chromedp.CSS("#answer")), shows("mine", "Seoul City Hall"))
	quick(`{"type":"clipboard","label":"Copy","clipboardText":"CODE-7"}`, "Copy")
	p.do(shows("note", "copied CODE-7"))
	file := filepath.Join(t.TempDir(), "pic.png")
	require.NoError(t, os.WriteFile(file, drawing(t), 0o600))
	quick(`{"type":"cameraRoll","label":"Photo"}`, "Photo")
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#picture"), []string{file}), chromedp.WaitVisible(chromedp.CSS("li.mine img[data-loaded]")))
	pushMessage(t, srv, u.ID(), `{"type":"template","altText":"a","template":{"type":"carousel","columns":[
		{"title":"One","text":"first","actions":[{"type":"postback","label":"Take one","data":"1"}]},
		{"title":"Two","text":"second","actions":[{"type":"postback","label":"Take two","data":"2","displayText":"the second"}]}]}}`)
	p.do(pressing("Take two"), shows("mine", "the second"))
	p.do(chromedp.Click(chromedp.CSS("#sticker:enabled")), chromedp.Click(chromedp.CSS("#stickers button")),
		chromedp.WaitVisible(chromedp.CSS("li.mine .sticker")))
	want := p.bubbles()
	p.do(chromedp.Reload(), stands("friend"), chromedp.WaitVisible(chromedp.CSS("li.mine .sticker")))
	require.Equal(t, want, p.bubbles())
	require.Equal(t, []string{}, eval[[]string](p, `[...document.querySelectorAll("#choices button")].map(b => b.textContent)`),
		"what was answered asks no more")
	require.Empty(t, eval[string](p, `el("trouble").textContent`))
	require.NoError(t, srv.WaitIdle(t.Context()))
	var datas []string
	for _, h := range srv.Webhooks() {
		var body struct {
			Events []struct{ Postback *struct{ Data string } }
		}
		require.NoError(t, json.Unmarshal(h.Body, &body))
		if e := body.Events[0].Postback; e != nil {
			datas = append(datas, e.Data)
		}
	}
	require.Equal(t, []string{"buy", "visit", "2"}, datas)
}

// What is written in one tab shows in another, what the account has read is
// marked, and its writing shows.
func TestThePhoneIsOneInEveryTab(t *testing.T) {
	p, srv := openPage(t)
	srv.SetWebhook("http://127.0.0.1:1/")
	u := srv.User("Mina")
	p.use("Mina")
	u.SendText("from elsewhere")
	p.do(shows("mine", "from elsewhere"))
	status, _, _ := api(t, srv, "POST", "/v2/bot/chat/loading/start", fmt.Sprintf(`{"chatId":%q,"loadingSeconds":20}`, u.ID()))
	require.Equal(t, http.StatusAccepted, status)
	p.do(chromedp.WaitVisible(chromedp.CSS("#writing")))
	require.NoError(t, srv.WaitIdle(t.Context()))
	var body struct {
		Events []struct {
			Message struct{ MarkAsReadToken string }
		}
	}
	hooks := srv.Webhooks()
	require.NoError(t, json.Unmarshal(hooks[len(hooks)-1].Body, &body))
	status, _, _ = api(t, srv, "POST", "/v2/bot/chat/markAsRead", fmt.Sprintf(`{"markAsReadToken":%q}`,
		body.Events[0].Message.MarkAsReadToken))
	require.Equal(t, http.StatusOK, status)
	p.do(shows("mine", "Read"))
}

// TestThePageLooksLikeAMessenger keeps pictures of a whole talk for people to
// look at; nothing may stand out of the window.
func TestThePageLooksLikeAMessenger(t *testing.T) {
	p, srv := openPage(t)
	u := srv.User("민아")
	p.use("민아")
	u.SendText("안녕하세요, 어제 주문한 원피스가 아직 안 왔어요 😢")
	pushMessage(t, srv, u.ID(), `{"type":"text","text":"안녕하세요! 확인해 보겠습니다. https://shop.example/orders/1234","sender":{"name":"지수"}}`)
	u.Send(linetest.Image("image/png", drawing(t)))
	u.SendText("이 상품이에요")
	pushMessage(t, srv, u.ID(), `{"type":"sticker","packageId":"446","stickerId":"1993","sender":{"name":"지수"}}`)
	u.Send(linetest.Sticker("446", "1990"))
	u.Send(linetest.Location("우리 집", "서울특별시 중구 세종대로 110", 37.566295, 126.977945))
	pushMessage(t, srv, u.ID(),
		`{"type":"template","altText":"a","template":{"type":"buttons","title":"배송 조회","text":"언제 받으시겠어요?","actions":[
		{"type":"postback","label":"내일","data":"1"},{"type":"postback","label":"모레","data":"2"}]}}`)
	_, err := u.Press("내일", linetest.Answer{})
	require.NoError(t, err)
	pushMessage(t, srv, u.ID(), `{"type":"text","text":"다른 날짜도 고를 수 있어요.","sender":{"name":"지수"},"quickReply":{"items":[
		{"type":"action","action":{"type":"datetimepicker","label":"날짜 고르기","data":"d","mode":"date"}},
		{"type":"action","action":{"type":"location","label":"위치 보내기"}},{"type":"action","action":{"type":"camera","label":"사진 찍기"}},
		{"type":"action","action":{"type":"message","label":"괜찮아요","text":"괜찮아요"}}]}}`)
	p.do(shows("theirs", "다른 날짜도"), chromedp.WaitVisible(chromedp.CSS("li.mine img[data-loaded]")))
	for _, width := range []int64{320, 400, 1000} {
		p.do(chromedp.EmulateViewport(width, 760))
		eval[any](p, `down()`)
		p.shot(fmt.Sprintf("talk-%d", width))
		eval[any](p, `document.querySelector("main").scrollTop = 0`)
		p.shot(fmt.Sprintf("talk-top-%d", width))
		require.LessOrEqual(t, eval[int64](p, `document.documentElement.scrollWidth`), width)
		require.Empty(t, eval[[]string](p, `[...document.querySelectorAll("main li *")].filter(e => {
			const r = e.getBoundingClientRect(), m = document.querySelector("main").getBoundingClientRect();
			return r.width > 1 && (r.right > m.right || r.left < m.left);
		}).map(e => e.textContent)`), "at %d pixels", width)
	}
	p.do(chromedp.Click(chromedp.CSS("#sticker:enabled")), chromedp.WaitVisible(chromedp.CSS("#stickers button")))
	p.shot("stickers")
}

// drawing is a PNG picture.
func drawing(t *testing.T) []byte {
	t.Helper()
	var picture bytes.Buffer
	img := image.NewRGBA(image.Rect(0, 0, 240, 160))
	for x := range 240 {
		for y := range 160 {
			img.Set(x, y, color.RGBA{uint8(x), 160, uint8(y), 255})
		}
	}
	require.NoError(t, png.Encode(&picture, img))
	return picture.Bytes()
}

// pushMessage sends any message to the user as the account.
func pushMessage(t *testing.T, s *linetest.Server, to, message string) {
	t.Helper()
	status, body, _ := api(t, s, "POST", "/v2/bot/message/push", fmt.Sprintf(`{"to":%q,"messages":[%s]}`, to, message))
	require.Equal(t, http.StatusOK, status, body)
}
