package webchat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// vitals watches what a page's visitors feel, as web-vitals counts it.
const vitals = `window.vitals = {fcp: 0, lcp: 0, cls: 0, inp: 0, blocked: 0};
const watch = (type, f, o) => {
  try { new PerformanceObserver((l) => l.getEntries().forEach(f)).observe({type, buffered: true, ...o}); } catch {}
};
watch("paint", (e) => { if (e.name === "first-contentful-paint") vitals.fcp = e.startTime; });
watch("largest-contentful-paint", (e) => { vitals.lcp = e.startTime; });
watch("layout-shift", (e) => { if (!e.hadRecentInput) vitals.cls += e.value; });
watch("event", (e) => { if (e.interactionId) vitals.inp = Math.max(vitals.inp, e.duration); }, {durationThreshold: 16});
watch("longtask", (e) => { vitals.blocked += e.duration - 50; });`

type vital struct{ FCP, LCP, CLS, INP, Blocked float64 }

// BenchmarkHostPage opens a page of the host by turns without and with the
// widget, each in a browser context of its own, presses a button on it, and says
// what the widget makes of the page's web-vitals: medians, and with by without.
//
//	go test ./channel/webchat -run '^$' -bench HostPage -benchtime 40x
func BenchmarkHostPage(b *testing.B) {
	s := openShop(b)
	s.servePages(`data-lang="en"`)
	carry := s.pages
	s.pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/vitals.js" {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(vitals)) // the reader's connection is its own concern
			return
		}
		if r.URL.Path != "/with" && r.URL.Path != "/without" {
			carry.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		widget := ""
		if r.URL.Path == "/with" {
			widget = `<script async src="/webchat/widget.js" data-account="` + s.acct.Token + `" data-lang="en"></script>`
		}
		_, _ = fmt.Fprintf(w,
			`<!doctype html><html lang="en"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Shop</title>
<script src="/vitals.js"></script><h1>A shop</h1><button>Buy</button>%s%s</html>`,
			strings.Repeat("<p>"+strings.Repeat("Fine hats of felt. ", 60)+"</p>", 40), widget)
	})
	s.halt()
	s.start()
	s.online(routing.Online)
	browser := browsertest.Open(b)
	all := map[string][]vital{}
	for range b.N {
		for _, path := range []string{"/without", "/with"} {
			all[path] = append(all[path], measured(b, s, browser, path))
		}
	}
	for name, of := range map[string]func(vital) float64{"fcp-ms": func(v vital) float64 { return v.FCP },
		"lcp-ms": func(v vital) float64 { return v.LCP },
		"cls":    func(v vital) float64 { return v.CLS }, "inp-ms": func(v vital) float64 { return v.INP },
		"blocked-ms": func(v vital) float64 { return v.Blocked }} {
		without, with := middle(all["/without"], of), middle(all["/with"], of)
		b.ReportMetric(without, name+"-without")
		b.ReportMetric(with, name+"-with")
		if without > 0 {
			b.ReportMetric(with/without, name+"-ratio")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// measured is one visit.
func measured(b *testing.B, s *shop, browser context.Context, path string) (v vital) {
	b.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	defer cancel()
	wait := `!!vitals.lcp`
	if path == "/with" {
		wait += ` && !!document.querySelector(".sangdam-webchat")?.shadowRoot.querySelector(".launcher")`
	}
	require.NoError(b, chromedp.Do(ctx, chromedp.EmulateViewport(1100, 800), chromedp.Navigate(s.web.URL+path)))
	come := func(condition string) {
		require.Eventually(b, func() bool { ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); return err == nil && ok },
			20*time.Second, 10*time.Millisecond, condition)
	}
	come(wait)
	require.NoError(b, chromedp.Do(ctx, chromedp.Click("button")))
	come(`new Promise((r) => requestAnimationFrame(() => setTimeout(() => r(true), 100)))` + ` && true`)
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify(vitals)`))
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal([]byte(raw), &v))
	return v
}

func middle(all []vital, of func(vital) float64) float64 {
	var list []float64
	for _, v := range all {
		list = append(list, of(v))
	}
	slices.Sort(list)
	return list[len(list)/2]
}
