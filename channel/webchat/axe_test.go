package webchat_test

import (
	"compress/gzip"
	"io"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// axeSource is axe-core, which the console's tests brought along.
func axeSource(t *testing.T) string {
	f, err := os.Open("../../web/console/testdata/axe.min.js.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	raw, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(raw)
}

// axe asks for every finding of any level in the widget.
func (b tab) axe(source, name string) {
	b.t.Helper()
	// What fades in has its colours only at the end.
	b.wait(`document.querySelector(".sangdam-webchat").shadowRoot.getAnimations().every((a) => a.playState !== "running")`)
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[chromedp.Void](source))
	require.NoError(b.t, err)
	b.run(`window.axeSays = null; axe.run(document.querySelector(".sangdam-webchat"), {resultTypes: ["violations"]}).then((r) => {
		window.axeSays = r.violations.map((v) => v.id + ": " + v.help + " " +
			v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " " + n.failureSummary).join(" | ")); })`)
	b.wait(`window.axeSays`)
	require.Empty(b.t, js[[]string](b, `window.axeSays`), name)
}

// Every state of the window, light and dark and under a pale brand, has no
// finding of axe-core.
func TestTheWidgetIsAccessible(t *testing.T) {
	source := axeSource(t)
	s := openShop(t)
	for _, colour := range []string{"#1f6feb", "#ffcc00"} {
		s.servePages(`data-lang="en" data-color="` + colour + `"`)
		for _, scheme := range []string{"light", "dark"} {
			s.online(routing.Offline)
			b := s.openTab(browsertest.Open(t)) // a visitor who was never here
			b.looks(1100, 800, scheme)
			b.do(chromedp.Reload())
			b.wait(`document.querySelector(".sangdam-webchat")`)
			name := colour + " " + scheme + " "
			b.axe(source, name+"launcher")
			b.run(`$(".launcher").click()`)
			b.wait(`$(".center h3")`)
			b.axe(source, name+"absent")
			s.online(routing.Online)
			b.wait(`$(".text")`)
			b.axe(source, name+"consent")
			b.run(`$(".do").click()`)
			b.wait(`$("textarea")`)
			b.run(`say("hello, see https://shop.example/hats")`)
			b.wait(`bubbles().length === 2`)
			offer := channel.Text("Which one?")
			offer.Choices = []channel.Choice{{Label: "This", Kind: "message"}, {Label: "Look", Kind: "uri", URI: "https://shop.example/"}}
			s.answers(offer)
			b.wait(`$(".choice")`)
			b.axe(source, name+"chat")
			b.run(`$("[aria-haspopup]").click()`)
			b.wait(`$(".menu")`)
			b.axe(source, name+"menu")
			b.run(`$(".menu .end").click()`)
			b.wait(`$(".after .row")`)
			b.run(`$(".after .row .do:not(.quiet)").click()`)
			b.wait(`$$(".stars input").length === 5`)
			b.run(`$$(".stars input")[2].click()`)
			b.axe(source, name+"rating")
			b.close()
		}
	}
}
