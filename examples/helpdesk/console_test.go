package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/browsertest"
)

// show is a page in a tab of its own.
type show struct {
	t   *testing.T
	ctx context.Context
}

func openTab(t *testing.T, b context.Context, address string, width int64) show {
	ctx, cancel := chromedp.NewContext(b)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 820), chromedp.Navigate(address)))
	return show{t, ctx}
}

// until waits for a condition in the page, over navigations too.
func (s show) until(js string) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ok, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool]("!!("+js+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(end) {
			body, _ := chromedp.Run(s.ctx, chromedp.Evaluate[string]("document.body.innerText")) // only for people
			require.Fail(s.t, "the page never came so far", "%s\n%v\n%s", js, err, body)
		}
	}
}

func (s show) has(selector, text string) {
	s.t.Helper()
	s.until(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))`, selector, text))
}

func (s show) click(selector string) {
	s.t.Helper()
	s.until(fmt.Sprintf(`document.querySelector(%q)`, selector))
	s.run(fmt.Sprintf(`document.querySelector(%q).click()`, selector))
}

func (s show) run(js string) {
	s.t.Helper()
	require.NoError(s.t, chromedp.Do(s.ctx, chromedp.Evaluate[chromedp.Void](js)))
}

// write types into the field and sends it.
func (s show) write(field, text string) {
	s.t.Helper()
	s.until(fmt.Sprintf(`document.querySelector(%q)`, field))
	s.run(fmt.Sprintf(`document.querySelector(%q).focus()`, field))
	require.NoError(s.t, chromedp.Do(s.ctx, chromedp.KeyEvent(text), chromedp.KeyEvent("\r")))
}

// Whoever tries the demonstration opens three pages: a customer writes on the
// phone, another in the shop's chat, the offers come in the console, and the
// answers arrive.
func TestTheDemonstrationInTheBrowser(t *testing.T) {
	d := begin(t, t.TempDir(), nil, "-demo", "-demo-addr", "127.0.0.1:0", "-auto=false")
	enter := d.wait("you, the agent: ", 1)
	mobile, _, _ := strings.Cut(d.wait("customer's phone at ", 1), " ")
	b := browsertest.Open(t)
	console := openTab(t, b, enter, 1060)
	console.has("#presence", "Online")
	console.run(`document.cookie = "sangdam_lang=ko; path=/console/"; location.reload()`)
	console.has("#presence", "온라인")
	customer := openTab(t, b, mobile, 400)
	customer.until(`document.querySelector("#standing").innerText`)
	customer.write("#text", "안녕하세요! 어제 주문한 신발이 언제 도착하나요?")
	customer.has("#chat", "신발")
	console.has("#offers .offer", "신발")
	console.click("#offers .offer .primary")
	console.has("#thread", "신발")
	console.write("#text", "안녕하세요, 미나 님. 지금 확인해 보겠습니다.")
	customer.has("#chat", "지금 확인해 보겠습니다")
	customer.write("#text", "감사합니다 :)")
	console.has("#thread .theirs", "감사합니다")
	console.write("#text", "내일 오전에 도착할 예정이에요.")
	customer.has("#chat", "내일 오전에")
	console.has("#thread .ours .status", "보냄")
	visitor := openTab(t, b, strings.Split(enter, "/enter/")[0]+"/shop?lang=ko", 380)
	inWidget := `document.querySelector(".sangdam-webchat").shadowRoot.querySelector`
	visitor.until(`document.querySelector(".sangdam-webchat") && ` + inWidget + `(".launcher")`)
	visitor.run(inWidget + `(".launcher").click()`)
	visitor.until(inWidget + `(".do")`)
	visitor.run(inWidget + `(".do").click()`)
	visitor.until(inWidget + `("textarea")`)
	visitor.run(inWidget + `("textarea").focus()`)
	require.NoError(t, chromedp.Do(visitor.ctx, chromedp.KeyEvent("운동화 270 사이즈도 있나요?"), chromedp.KeyEvent("\r")))
	console.has("#offers .offer", "운동화")
	console.click("#offers .offer .primary")
	console.has("#thread", "운동화")
	console.write("#text", "네, 270 사이즈도 있습니다. 흰색과 검은색이 있어요.")
	visitor.until(inWidget + `(".window").innerText.includes("흰색과 검은색")`)
	console.has("#thread .ours .status", "읽음")
	sideBySide(t, console, customer, visitor)
	asked, err := http.NewRequest(http.MethodGet, strings.Split(enter, "/enter/")[0]+"/shop", http.NoBody)
	require.NoError(t, err)
	asked.Header.Set("Accept-Language", "fr, ja;q=0.8")
	shop, err := http.DefaultClient.Do(asked)
	require.NoError(t, err)
	page, err := io.ReadAll(shop.Body)
	require.NoError(t, err)
	_ = shop.Body.Close()
	require.Regexp(t, `widget\.js" data-account="[^"]+" data-lang="ja"`, string(page))
	help, err := http.Get(strings.Split(enter, "/enter/")[0] + "/help/?lang=ko")
	require.NoError(t, err)
	page, err = io.ReadAll(help.Body)
	require.NoError(t, err)
	_ = help.Body.Close()
	require.Contains(t, string(page), "반품·환불")
	d.end()
	require.NotContains(t, d.out.String()+d.errs.String(), "신발", "what somebody wrote is never printed")
}

// sideBySide keeps a picture of the pages in the directory PAGE_SHOTS.
func sideBySide(t *testing.T, pages ...show) {
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" {
		return
	}
	out := image.NewRGBA(image.Rect(0, 0, 1060+400+380+80, 820+40))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.RGBA{0xdf, 0xe2, 0xea, 0xff}), image.Point{}, draw.Src)
	x := 20
	for _, p := range pages {
		raw, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		shot, err := png.Decode(bytes.NewReader(raw))
		require.NoError(t, err)
		draw.Draw(out, shot.Bounds().Add(image.Pt(x, 20)), shot, image.Point{}, draw.Src)
		x += shot.Bounds().Dx() + 20
	}
	var buf bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&buf, out))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "product.png"), buf.Bytes(), 0o600))
}

// post sends a form as the page of the same origin does.
func post(t *testing.T, c *http.Client, address string, form url.Values) *http.Response {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := c.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// The first start prints a password once; with it the administrator signs in,
// and out again, and the session is gone.
func TestSigningInAndOut(t *testing.T) {
	data := t.TempDir()
	d := start(t, data, nil)
	password := regexp.MustCompile(`shown this once: (\S+)`).FindStringSubmatch(d.wait("sign in as admin; the password, ", 1))
	require.Len(t, password, 2)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	wrong := post(t, c, d.base+"/sign-in", url.Values{"name": {"admin"}, "password": {"wrong"}})
	unknown := post(t, c, d.base+"/sign-in", url.Values{"name": {"nobody"}, "password": {"wrong"}})
	require.Equal(t, []int{http.StatusUnauthorized, http.StatusUnauthorized}, []int{wrong.StatusCode, unknown.StatusCode})
	a, err := io.ReadAll(wrong.Body)
	require.NoError(t, err)
	u, err := io.ReadAll(unknown.Body)
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(string(a), "admin", "nobody"), string(u), "one answer for both")
	in := post(t, c, d.base+"/sign-in", url.Values{"name": {" Admin "}, "password": {password[1]}, "next": {"//evil.example/"}})
	require.Equal(t, http.StatusSeeOther, in.StatusCode)
	require.Equal(t, "/console/", in.Header.Get("Location"))
	require.Contains(t, in.Header.Get("Set-Cookie"), "HttpOnly; SameSite=Lax")
	page, err := c.Get(d.base + "/console/conversations")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, page.StatusCode)
	_ = page.Body.Close()
	kept, err := url.Parse(d.base)
	require.NoError(t, err)
	old := jar.Cookies(kept)
	require.Equal(t, http.StatusSeeOther, post(t, c, d.base+"/sign-out", nil).StatusCode)
	jar.SetCookies(kept, old)
	page, err = c.Get(d.base + "/console/conversations")
	require.NoError(t, err)
	_ = page.Body.Close()
	require.NotEqual(t, http.StatusOK, page.StatusCode, "the session is gone, not only its cookie")
	for range 6 {
		wrong = post(t, c, d.base+"/sign-in", url.Values{"name": {"admin"}, "password": {"wrong"}})
	}
	require.Equal(t, http.StatusTooManyRequests, wrong.StatusCode)
	resp, err := c.Get(d.base + "/enter/anything")
	require.NoError(t, err)
	_ = resp.Body.Close()
	require.Equal(t, http.StatusNotFound, resp.StatusCode, "only a demonstration has such a link")
	d.end()
	again := start(t, data, nil)
	again.end()
	require.NotContains(t, again.out.String(), "shown this once", "a second start prints no password")
}
