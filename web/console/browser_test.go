package console_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/browsertest"
)

type step = chromedp.Action[chromedp.Void]

// TestMain ends the browser after the tests.
func TestMain(m *testing.M) { os.Exit(browsertest.Run(m)) }

// tab is the console in a browser of its own.
type tab struct {
	t   *testing.T
	w   *world
	ctx context.Context

	mu       sync.Mutex
	troubles []string
}

// open signs an agent in, in a browser context of its own.
func (w *world) open(b context.Context, agent string) *tab {
	w.t.Helper()
	ctx, cancel := chromedp.NewContext(b, chromedp.WithNewBrowserContext())
	w.t.Cleanup(cancel)
	p := &tab{t: w.t, w: w, ctx: ctx}
	p.watch()
	p.do(chromedp.EmulateViewport(1400, 900), chromedp.Navigate(w.web.URL+"/as/"+agent))
	p.until(`document.readyState === "complete" && document.querySelector("#bar")`)
	w.t.Cleanup(func() { require.Empty(w.t, p.said(), "the console of the browser is silent") })
	return p
}

// watch collects errors, exceptions and reports of the content security policy.
func (p *tab) watch() {
	require.NoError(p.t, chromedp.Do(p.ctx))
	require.NoError(p.t, chromedp.Listen(p.ctx, func(ev any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			p.troubles = append(p.troubles, fmt.Sprintf("exception: %+v", e.ExceptionDetails))
		case *log.EventEntryAdded:
			if e.Entry != nil && e.Entry.Level == "error" {
				p.troubles = append(p.troubles, e.Entry.Text+" "+e.Entry.URL)
			}
		}
	}))
}

// said are the troubles so far, but for requests that a test has cut.
func (p *tab) said() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.troubles {
		if !strings.Contains(s, "net::ERR_") && !strings.Contains(s, "the server responded with a status of") {
			out = append(out, s)
		}
	}
	return out
}

func (p *tab) do(steps ...step) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		require.NoError(p.t, err, "the page says: %s\n%v", p.text("body"), p.said())
	}
}

// eval runs a script in the page.
func eval[T any](p *tab, js string) T {
	p.t.Helper()
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](js))
	require.NoError(p.t, err, js)
	return out
}

// until waits for a condition in the page, over navigations too.
func (p *tab) until(js string) {
	p.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("!!("+js+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(end) {
			p.shot("stuck")
			require.Fail(p.t, "the page never came so far", "%s\n%v\n%s\n%v", js, err, p.text("body"), p.said())
		}
	}
}

func (p *tab) text(selector string) string {
	js := fmt.Sprintf(`(document.querySelector(%q) || {innerText: "-"}).innerText`, selector)
	out, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](js)) // only for people
	return out
}

// shows waits until the text stands somewhere in what the selector names.
func (p *tab) shows(selector, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))`, selector, text))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector(%q)`, selector))
	eval[bool](p, fmt.Sprintf(`(document.querySelector(%q).click(), true)`, selector))
}

// openPage goes to a page of the console. Where the page is on its way to
// another by itself the browser gives up one of the two; then it goes again. No
// try has a bound of its own: a tab lives as long as the context of its first step.
func (p *tab) openPage(path string) {
	p.t.Helper()
	there := chromedp.Navigate(p.w.web.URL + "/desk" + path)
	for range 5 {
		err := chromedp.Do(p.ctx, there)
		if err == nil {
			break
		}
		require.ErrorContains(p.t, err, "net::ERR_ABORTED")
	}
	p.until(`document.readyState === "complete" && document.querySelector("#bar")`)
}

// say types an answer and sends it with Enter.
func (p *tab) say(text string) {
	p.t.Helper()
	p.until(`document.querySelector("#text")`)
	eval[bool](p, `(document.querySelector("#text").focus(), true)`)
	p.do(chromedp.KeyEvent(text), chromedp.KeyEvent("\r"))
}

// shot keeps a picture in the directory PAGE_SHOTS, for people.
func (p *tab) shot(name string) {
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
}

// dark asks for dark colours.
func (p *tab) dark(on bool) {
	value := "light"
	if on {
		value = "dark"
	}
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}})
		return err
	}))
}
