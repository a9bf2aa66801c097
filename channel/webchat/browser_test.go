package webchat_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/browsertest"
)

// policy is the content security policy of the host page in every test: it
// allows no styles and no pictures, and the widget must do without.
const policy = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"

// probe notes what a host page would complain about.
const probe = `
window.seen = { violations: [], errors: [], shift: 0, saved: [] };
document.addEventListener("securitypolicyviolation", (e) => seen.violations.push(e.violatedDirective + " " + e.blockedURI));
addEventListener("error", (e) => seen.errors.push(String(e.message)));
addEventListener("unhandledrejection", (e) => seen.errors.push(String(e.reason)));
new PerformanceObserver((l) => l.getEntries().forEach((e) => {
  if (!window.$ || !$(".window:not([hidden])") ||
      e.sources.some((s) => s.node && s.node.getRootNode() === document && !s.node.closest?.(".sangdam-webchat"))) seen.shift += e.value;
})).observe({ type: "layout-shift", buffered: true });
const make = URL.createObjectURL;
URL.createObjectURL = (b) => { b.text().then((t) => seen.saved.push(t)); return make.call(URL, b); };
window.$ = (s) => document.querySelector(".sangdam-webchat").shadowRoot.querySelector(s);
window.$$ = (s) => [...document.querySelector(".sangdam-webchat").shadowRoot.querySelectorAll(s)];
window.bubbles = () => $$(".m").map((m) => (m.classList.contains("mine") ? "me: " : "desk: ") +
  [...m.querySelectorAll(".bubble,.card")].map((b) => b.textContent).join("|"));
window.type = (s) => { const f = $("textarea"); f.value = s; f.dispatchEvent(new InputEvent("input")); };
window.say = (s) => { type(s); $(".send").click(); };
`

// servePages makes the shop serve a page that carries the widget.
func (s *shop) servePages(attributes string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/probe.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write([]byte(probe))
	})
	mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = fmt.Fprintf(w,
			`<!doctype html><html lang="en"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Shop</title>
<script src="/probe.js"></script><h1>A shop</h1><p>%s</p><script async src="/webchat/widget.js" data-account="%s" %s></script></html>`,
			strings.Repeat("Fine hats of felt. ", 60), s.acct.Token, attributes)
	})
	s.pages = mux
	s.halt()
	s.start()
}

// TestMain ends the browser after the tests.
func TestMain(m *testing.M) { os.Exit(browsertest.Run(m)) }

// tab is a page in the browser.
type tab struct {
	t     testing.TB
	ctx   context.Context
	close func()
}

// openTab opens the shop's page in the browser.
func (s *shop) openTab(browser context.Context) tab {
	s.t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	s.t.Cleanup(cancel)
	b := tab{s.t, ctx, cancel}
	b.do(chromedp.Navigate(s.web.URL + "/"))
	b.wait(`document.querySelector(".sangdam-webchat")`)
	return b
}

func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...))
}

func js[T any](b tab, expression string) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return out
}

// run evaluates for the effect.
func (b tab) run(expression string) {
	b.t.Helper()
	js[bool](b, "(() => {"+expression+"; return true})()")
}

// wait waits until the condition holds.
func (b tab) wait(condition string) {
	b.t.Helper()
	holds := `(() => { try { return Boolean(` + condition + `) } catch { return false } })()`
	ok := false
	for end := time.Now().Add(30 * time.Second); !ok && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var err error
		ok, err = chromedp.Run(b.ctx, chromedp.Evaluate[bool](holds))
		require.NoError(b.t, err)
	}
	if !ok {
		said, _ := chromedp.Run(b.ctx,
			chromedp.Evaluate[string](`JSON.stringify([window.seen, `+
				`document.querySelector(".sangdam-webchat")?.shadowRoot.querySelector(".window")?.innerText])`))
		b.shot("failed")
		require.Fail(b.t, "never came: "+condition, said)
	}
}

func (b tab) bubbles() []string { b.t.Helper(); return js[[]string](b, `bubbles()`) }

// shot keeps a picture of the page in the directory PAGE_SHOTS, for people.
func (b tab) shot(name string) {
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" {
		return
	}
	time.Sleep(300 * time.Millisecond) // what moves comes to rest; only for pictures
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
}

// enter opens the window and agrees.
func (b tab) enter() {
	b.t.Helper()
	b.run(`$(".launcher").click()`)
	b.wait(`$(".text") && $(".do")`)
	b.run(`$(".do").click()`)
	b.wait(`$("textarea")`)
}

// clean requires that the host page had nothing to complain about.
func (b tab) clean(s *shop) {
	b.t.Helper()
	require.Equal(b.t, "[]", js[string](b, `JSON.stringify(seen.violations)`))
	require.Equal(b.t, "[]", js[string](b, `JSON.stringify(seen.errors)`))
	require.Empty(b.t, js[string](b, `document.cookie`))
	require.Zero(b.t, js[float64](b, `seen.shift`), "the page moved")
	for _, address := range js[[]string](b, `performance.getEntriesByType("resource").map((e) => e.name)`) {
		require.True(b.t, strings.HasPrefix(address, s.web.URL) || strings.HasPrefix(address, "blob:"), "a request to others: %s", address)
	}
}

// The whole is small, and the part that every page loads is smaller.
func TestTheWidgetIsSmall(t *testing.T) {
	files, err := filepath.Glob("widget/*.js")
	require.NoError(t, err)
	total := 0
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		var z bytes.Buffer
		w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
		require.NoError(t, err)
		_, err = w.Write(raw)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		t.Logf("%s: %d bytes, %d packed", name, len(raw), z.Len())
		total += z.Len()
		if strings.HasSuffix(name, "loader.js") {
			require.LessOrEqual(t, z.Len(), 6_000)
		}
	}
	require.LessOrEqual(t, total, 30_000)
}

func TestAssetsAreServedForEverAndTheLoaderIsNot(t *testing.T) {
	s := openShop(t)
	get := func(path string) (int, http.Header, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.web.URL+"/webchat/"+path, nil)
		require.NoError(t, err)
		c := s.client()
		status, body, h := c.do(req)
		raw, _ := body["raw"].(string)
		return status, h, raw
	}
	status, h, loader := get("widget.js")
	require.Equal(t, 200, status)
	require.Contains(t, h.Get("Cache-Control"), "max-age=300")
	_, rest, _ := strings.Cut(loader, "assets/")
	version, _, _ := strings.Cut(rest, "/")
	require.Len(t, version, 16)
	status, h, _ = get("assets/" + version + "/app.js")
	require.Equal(t, 200, status)
	require.Contains(t, h.Get("Cache-Control"), "immutable")
	require.Equal(t, "*", h.Get("Access-Control-Allow-Origin"))
	for _, path := range []string{"assets/" + version + "/loader.js", "assets/" + version + "/..%2Fhandler.go", "assets/0000/app.js"} {
		status, _, _ = get(path)
		require.Equal(t, 404, status, path)
	}
}

// texts is everything that the window shows, in order.
func texts(b tab) string { return strings.Join(b.bubbles(), "\n") }

// looks sets what the system prefers and how large the window is.
func (b tab) looks(width, height int64, scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	require.NoError(b.t, err)
	b.do(chromedp.EmulateViewport(width, height))
}

func quoted(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
