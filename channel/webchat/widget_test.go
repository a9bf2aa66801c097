package webchat_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/sqlite"
)

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

// openDurableShop is a shop on SQLite.
func openDurableShop(t *testing.T, options ...shopOption) *shop {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	return openShop(t, append(options, onStore(db))...)
}

// The whole way of a customer in a browser, under a policy that allows a page
// next to nothing.
func TestACustomerTalksThroughTheWidget(t *testing.T) {
	s := openDurableShop(t)
	s.servePages(`data-lang="ko" data-color="#1f6feb"`)
	s.online(routing.Online)
	b := s.openTab(browsertest.Open(t))
	require.Empty(t, js[string](b, `Object.keys(localStorage).join()`), "nothing is kept before consent")
	b.shot("01-launcher")
	b.run(`$(".launcher").click()`)
	b.wait(`$(".text") && $(".do")`)
	require.Equal(t, "대화 내용이 저장됩니다.", js[string](b, `$(".text").textContent`))
	require.Empty(t, js[string](b, `Object.keys(localStorage).join()`))
	b.shot("02-consent")
	b.run(`$(".do").click()`)
	b.wait(`$("textarea") && $(".window").contains($("textarea").getRootNode().activeElement)`)
	b.run(`say("이 모자 파란색 있나요?")`)
	b.wait(`bubbles().length === 2`)
	require.Equal(t, []string{"me: 이 모자 파란색 있나요?", "desk: 안녕하세요!"}, b.bubbles())
	b.wait(`$(".head p").textContent.includes("Mina")`)
	require.NoError(t, s.eng.ShowTyping(t.Context(), mina, s.mine(), time.Second))
	b.wait(`$(".status").textContent.includes("Mina 님이 입력 중")`)
	b.shot("03-typing")
	offer := channel.Text("네, 있습니다. 어느 크기로 드릴까요?")
	offer.Choices = []channel.Choice{{Label: "M", Kind: "message", Text: "M으로 주세요"}, {Label: "L", Kind: "message", Text: "L로 주세요"},
		{Label: "치수표", Kind: "uri", URI: "https://shop.example/sizes"}}
	s.answers(offer)
	b.wait(`$$(".choice").length === 3`)
	b.run(`$$(".choice")[0].click()`)
	b.wait(`bubbles().at(-1) === "me: M으로 주세요"`)
	s.answers(channel.Content{Kind: channel.KindCard, Cards: []channel.Card{{Title: "펠트 모자", Text: "파란색, M\n39,000원",
		Choices: []channel.Choice{{Label: "담기", Kind: "postback", Data: "buy"}}}}})
	b.wait(`$(".card")`)
	require.NoError(t, s.eng.MarkRead(t.Context(), mina, s.mine()))
	b.wait(`$$(".meta").some((m) => m.textContent.includes("읽음"))`)

	b.run(`const f = new File([Uint8Array.from(atob("` + pixel + `"), (c) => c.charCodeAt(0))], "사진.png");
		const d = new DataTransfer(); d.items.add(f);
		$("textarea").dispatchEvent(new ClipboardEvent("paste", {clipboardData: d, bubbles: true}))`)
	b.wait(`$(".picture canvas")`)
	b.shot("04-chat")
	d, err := s.eng.Conversation(t.Context(), host, s.mine())
	require.NoError(t, err)
	require.Equal(t, channel.KindImage, d.Messages[len(d.Messages)-1].Content.Kind)
	b.wait(`localStorage.length > 0`)
	require.Eventually(t, func() bool {
		d, err := s.eng.Conversation(t.Context(), host, s.mine())
		return err == nil && d.Messages[1].Status == conversation.StatusRead
	}, 10*time.Second, 20*time.Millisecond, "the desk sees that it was read")

	b.comesBackAndEnds(s)
}

// comesBackAndEnds goes on after a reload, keeps a copy, ends, rates, and begins again.
func (b tab) comesBackAndEnds(s *shop) {
	t := b.t
	before := b.bubbles()
	b.do(chromedp.Reload())
	b.wait(`document.querySelector(".sangdam-webchat")`)
	b.run(`$(".launcher").click()`)
	b.wait(fmt.Sprintf(`$$(".m").length === %d`, len(before)))
	b.wait(`$(".picture canvas")`)
	require.Equal(t, before, b.bubbles(), "after a reload")

	b.run(`$("[aria-haspopup]").click()`)
	b.wait(`$(".menu")`)
	b.run(`$$(".menu button")[0].click()`)
	b.wait(`seen.saved.some((t) => t.includes("Mina: 네, 있습니다"))`)
	b.run(`$("[aria-haspopup]").click()`)
	b.run(`$(".menu .end").click()`)
	b.wait(`$(".after .row .do:not(.quiet)")`)
	b.run(`$(".after .row .do:not(.quiet)").click()`)
	b.wait(`$$(".stars input").length === 5`)
	b.run(`$$(".stars input")[3].click()`)
	b.shot("05-rating")
	b.run(`$(".after textarea").value = "친절했어요"; $$(".after .do").find((b) => !b.hidden && !b.classList.contains("quiet")).click()`)
	b.wait(`$(".after").textContent.includes("감사합니다")`)
	b.shot("06-rated")
	require.Eventually(t, func() bool {
		r := s.conversations()[0].Rating
		return r != nil && r.Score == 4 && r.Comment == "친절했어요"
	}, 5*time.Second, 20*time.Millisecond)
	b.run(`$(".after .do").click()`)
	b.run(`say("하나 더요")`)
	b.wait(`bubbles().at(-1) === "desk: 안녕하세요!" || bubbles().at(-2) === "me: 하나 더요"`)
	b.clean(s)
}

// Enter sends what was typed once and whole, and where an input method is at
// work when people expect it to.
func TestEnterWithInputMethods(t *testing.T) {
	s := openShop(t)
	s.servePages(`data-lang="ko"`)
	s.online(routing.Online)
	b := s.openTab(browsertest.Open(t))
	b.enter()
	b.run(`
window.key = (type, o) => { const e = new KeyboardEvent(type, {key: "Enter", code: "Enter", bubbles: true, cancelable: true, ...o});
  if (o && o.keyCode) Object.defineProperty(e, "keyCode", {value: o.keyCode}); $("textarea").dispatchEvent(e); };
window.compose = (type, data) => $("textarea").dispatchEvent(new CompositionEvent(type, {data, bubbles: true}));
window.text = (v) => { $("textarea").value = v; $("textarea").dispatchEvent(new InputEvent("input")); };`)
	mine := func(want ...string) {
		t.Helper()
		b.wait(fmt.Sprintf(`$$(".m.mine").length >= %d`, len(want)))
		// The widget sends at once or by a timer of no delay, so that whatever it
		// had in mind is on the page once two such timers of ours have passed.
		b.run(`window.passed = false; setTimeout(() => setTimeout(() => { window.passed = true; }));`)
		b.wait(`window.passed`)
		require.Equal(t, want, js[[]string](b, `$$(".m.mine .bubble").map((x) => x.textContent)`))
	}
	// Chrome, Korean: the press comes while the last syllable is composed, and again after.
	b.run(`compose("compositionstart", ""); text("안녕하세"); compose("compositionupdate", "요"); text("안녕하세요");
key("keydown", {isComposing: true, keyCode: 229}); compose("compositionend", "요"); text("안녕하세요"); key("keydown"); key("keyup");`)
	mine("안녕하세요")
	require.Empty(t, js[string](b, `$("textarea").value`), "nothing of it stays behind")
	// The same where the browser does not report the press again.
	b.run(`compose("compositionstart", ""); compose("compositionupdate", "네"); text("네"); key("keydown", {isComposing: true, keyCode: ` +
		`229}); compose("compositionend", "네"); key("keyup");`)
	mine("안녕하세요", "네")
	// Safari, Korean: the composition ends before the press, which says 229.
	b.run(`compose("compositionstart", ""); compose("compositionupdate", "좋아요"); text("좋아요"); compose("compositionend", "좋아요"); ` +
		`key("keydown", {keyCode: 229}); key("keyup");`)
	mine("안녕하세요", "네", "좋아요")
	require.Empty(t, js[string](b, `$("textarea").value`))
	// Japanese, Chrome: the first press confirms, the second one sends.
	b.run(`compose("compositionstart", ""); compose("compositionupdate", "ありがとう"); text("有難う"); key("keydown", {isComposing: true, ` +
		`keyCode: 229}); compose("compositionend", "有難う"); key("keyup");`)
	mine("안녕하세요", "네", "좋아요")
	require.Equal(t, "有難う", js[string](b, `$("textarea").value`))
	b.run(`key("keydown"); key("keyup");`)
	mine("안녕하세요", "네", "좋아요", "有難う")
	// Japanese, Safari.
	b.run(`compose("compositionstart", ""); compose("compositionupdate", "はい"); text("はい"); compose("compositionend", "はい"); ` +
		`key("keydown", {keyCode: 229}); key("keyup");`)
	mine("안녕하세요", "네", "좋아요", "有難う")
	b.run(`key("keydown"); key("keyup");`)
	mine("안녕하세요", "네", "좋아요", "有難う", "はい")
	// Shift and Enter make a line.
	b.run(`text("a"); key("keydown", {shiftKey: true}); key("keyup");`)
	mine("안녕하세요", "네", "좋아요", "有難う", "はい")
}

// corpus is what must stay text wherever people can write.
var corpus = []string{
	`<script>window.pwned=1</script>`, `<img src=x onerror="window.pwned=1">`, `<svg onload=window.pwned=1>`,
	`"><script>window.pwned=1</script>`,
	`javascript:window.pwned=1`, `<a href="javascript:window.pwned=1">x</a>`, `<iframe srcdoc="<script>parent.pwned=1</script>">`,
	`{{constructor.constructor('window.pwned=1')()}}`,
	`<math><mtext></mtext><mglyph><style><img src=x onerror=window.pwned=1>`, `<details open ontoggle=window.pwned=1>`,
	`'-window.pwned=1-'`,
	"`${window.pwned=1}`",
	`<style>@import'//evil.example'</style>`, `https://evil.example/"onmouseover="window.pwned=1`,
	`</textarea><script>window.pwned=1</script>`, "\u202egnp.exe",
}

// Markup in everything that people can fill shows as text and runs nowhere.
func TestN35MarkupShowsAsText(t *testing.T) {
	all := strings.Join(corpus, "\n")
	s := openShop(t, withSettings(func(set *webchat.Settings) {
		set.Title, set.Intro = webchat.Texts{"": corpus[1]}, webchat.Texts{"": all}
		set.Consent.Texts = webchat.Texts{"": all}
	}), withLimits(webchat.Limits{Messages: 1000}))
	s.servePages(`data-lang="en"`)
	s.online(routing.Online)
	agents, err := s.eng.Agents(t.Context(), host)
	require.NoError(t, err)
	agents[0].Name = `<img src=x onerror=window.pwned=1>`
	_, err = s.eng.SaveAgent(t.Context(), host, sangdam.SaveAgent{Agent: agents[0]})
	require.NoError(t, err)
	s.online(routing.Online)
	b := s.openTab(browsertest.Open(t))
	b.enter()
	b.run(`say("hi")`)
	s.mine()
	for _, evil := range corpus {
		b.run(`say(` + quoted(evil) + `)`)
		c := channel.Text(evil)
		c.Choices = []channel.Choice{{Label: cut(evil, 80), Kind: "message"}}
		s.answers(c)
		s.answers(channel.Content{Kind: channel.KindCard, Cards: []channel.Card{{Title: evil, Text: evil}}})
		b.run(`const d = new DataTransfer(); d.items.add(new File(["x"], ` + quoted(evil) +
			`)); $("textarea").dispatchEvent(new ClipboardEvent("paste", {clipboardData: d, bubbles: true}))`)
	}
	b.wait(fmt.Sprintf(`$$(".m").length >= %d && $$(".pending").length === 0`, 2+4*len(corpus)))
	shown := texts(b)
	for _, evil := range corpus {
		require.Contains(t, shown, "me: "+evil)
		require.Contains(t, shown, "desk: "+evil)
	}
	require.False(t, js[bool](b, `"pwned" in window`))
	require.Zero(t, js[int](b, `$$("script,img,iframe,math,details,style,object,embed,[onerror],[onload]").length`))
	require.Equal(t, "[]", js[string](b, `JSON.stringify($$("a").map((a) => a.protocol).filter((p) => !/^https?:$/.test(p)))`))
	require.True(t, js[bool](b, `$$(".log a").every((a) => a.rel === "noopener noreferrer")`))
	require.Equal(t, "[]", js[string](b, `JSON.stringify(seen.violations)`))
	b.clean(s)
}

func cut(s string, n int) string { return string([]rune(s)[:min(n, len([]rune(s)))]) }

// The widget hears nothing that other windows say to the page, and says
// nothing to them: it has no listener for messages and never posts one to a
// window; its tabs speak over a channel of their own origin.
func TestN15MessagesOfOtherWindowsAreNothing(t *testing.T) {
	files, err := filepath.Glob("widget/*.js")
	require.NoError(t, err)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NotRegexp(t, `(window|self|globalThis|parent|top|opener)\??\.(postMessage|onmessage)|[^.\w]addEventListener\("message"`,
			string(raw), name)
	}
	s := openShop(t)
	s.servePages(`data-lang="en"`)
	s.online(routing.Online)
	b := s.openTab(browsertest.Open(t))
	b.enter()
	b.run(`say("hi")`)
	b.wait(`bubbles().length === 2`)
	for _, said := range []string{`{type: "message", data: {text: "forged"}}`, `{type: "identify", token: "x"}`,
		`{type: "logout"}`, `"end"`, `{tell: "message", id: "x", text: "forged"}`, `{"took": {"text": "forged"}}`} {
		b.run(`window.postMessage(` + said + `, "*"); window.dispatchEvent(new MessageEvent("message", {data: ` + said +
			`, origin: "https://evil.example"}))`)
	}
	b.run(`say("still me")`)
	b.wait(`bubbles().includes("me: still me") && $$(".pending").length === 0`)
	require.Equal(t, []string{"me: hi", "desk: Hello!", "me: still me"}, b.bubbles())
	b.clean(s)
}

// A page that slept (a laptop that was closed, a tab that was frozen) shows, once
// it is awake, what was said meanwhile, once and in order.
func TestAPageThatSleptMissesNothing(t *testing.T) {
	s := openShop(t)
	s.servePages(`data-lang="en"`)
	s.online(routing.Online)
	b := s.openTab(browsertest.Open(t))
	b.enter()
	b.run(`say("before")`)
	b.wait(`bubbles().length === 2`)
	for round := range 3 {
		b.sleeps(true)
		for i := range 3 {
			s.answers(channel.Text(fmt.Sprintf("asleep %d.%d", round, i)))
		}
		s.web.CloseClientConnections() // the network has long forgotten it
		s.answers(channel.Text(fmt.Sprintf("asleep %d.3", round)))
		b.sleeps(false)
		b.run(fmt.Sprintf(`say("awake %d")`, round))
		b.wait(fmt.Sprintf(`bubbles().length === %d && $$(".pending,.failed").length === 0`, 2+5*(round+1)))
	}
	var desk []string
	for _, line := range b.bubbles() {
		if text, ours := strings.CutPrefix(line, "desk: asleep "); ours {
			desk = append(desk, text)
		}
	}
	require.Equal(t, []string{"0.0", "0.1", "0.2", "0.3", "1.0", "1.1", "1.2", "1.3", "2.0", "2.1", "2.2", "2.3"}, desk)
}

// sleeps freezes the page, or wakes it.
func (b tab) sleeps(on bool) {
	b.t.Helper()
	state := "active"
	if on {
		state = "frozen"
	}
	_, err := chromedp.Call(b.ctx, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateState(state)})
	require.NoError(b.t, err)
}

// Two tabs share one stream; when the one that holds it goes, the other goes on.
func TestTwoTabsHaveOneStream(t *testing.T) {
	s := openShop(t)
	var streams atomic.Int64
	s.servePages(`data-lang="en"`)
	inner := *s.handler.Load()
	var counting http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			streams.Add(1)
			defer streams.Add(-1)
		}
		inner.ServeHTTP(w, r)
	})
	s.handler.Store(&counting)
	s.online(routing.Online)
	browser := browsertest.Open(t)
	first := s.openTab(browser)
	first.enter()
	first.run(`say("from the first")`)
	s.mine()
	second := s.openTab(browser)
	second.run(`$(".launcher").click()`)
	second.wait(`bubbles().length === 2`)
	s.answers(channel.Text("to both"))
	for _, b := range []tab{first, second} {
		b.wait(`bubbles().includes("desk: to both")`)
	}
	second.run(`say("from the second")`)
	first.wait(`bubbles().includes("me: from the second")`)
	require.EqualValues(t, 1, streams.Load())
	first.close()
	s.answers(channel.Text("after the first has gone"))
	second.wait(`bubbles().includes("desk: after the first has gone")`)
	require.Eventually(t, func() bool { return streams.Load() == 1 }, 20*time.Second, 20*time.Millisecond)
	require.Equal(t, []string{"me: from the first", "desk: Hello!", "desk: to both", "me: from the second",
		"desk: after the first has gone"}, second.bubbles())
}

// The desk's last agent leaves while the page is open: the customer is told, and
// shown the way to the form.
func TestNobodyIsThere(t *testing.T) {
	s := openShop(t)
	s.servePages(`data-lang="en"`)
	b := s.openTab(browsertest.Open(t))
	b.run(`$(".launcher").click()`)
	b.wait(`$(".center h3")?.textContent === "Nobody is here right now"`)
	require.Equal(t, s.web.URL+"/inquiry", js[string](b, `$(".center a.do").href`))
	b.shot("07-absent")
	s.online(routing.Online)
	b.wait(`$(".text")`) // the consent
	s.online(routing.Offline)
	b.wait(`$(".center h3")?.textContent === "Nobody is here right now"`)
	s.online(routing.Online)
	b.wait(`$(".text")`)
	b.run(`$(".do").click()`)
	b.wait(`$("textarea")`)
	b.run(`say("hello")`)
	s.mine()
	s.online(routing.Offline)
	b.wait(`!$(".notice").hidden && $(".notice a").href.endsWith("/inquiry")`)
	b.shot("08-left")
	b.run(`$(".notice .icon").click()`)
	require.True(t, js[bool](b, `$(".notice").hidden`), "it can be closed")
	b.run(`$("textarea").dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}))`)
	require.True(t, js[bool](b, `$(".window").hidden`))
	require.True(t, js[bool](b, `$(".launcher").getRootNode().activeElement === $(".launcher")`))
	b.clean(s)
}

// Whatever the network and the server do, everything that both said is there
// once and in order.
func TestNothingIsMissingAndNothingTwice(t *testing.T) {
	cuts := 12
	if testing.Short() {
		cuts = 4
	}
	if n, err := strconv.Atoi(os.Getenv("WIDGET_CUTS")); err == nil { // of the nightly run
		cuts = n
	}
	s := openDurableShop(t, withLimits(webchat.Limits{Messages: 10_000, VisitorRequests: 100_000, AddressRequests: 100_000}))
	s.servePages(`data-lang="en"`)
	s.online(routing.Online)
	b := s.openTab(browsertest.Open(t))
	b.enter()
	b.run(`say("m0")`)
	s.mine()
	rng := rand.New(rand.NewPCG(11, 0))
	var wantMine, wantDesk []string
	wantMine, wantDesk = append(wantMine, "m0"), append(wantDesk, "Hello!")
	for n := 1; n <= cuts; n++ {
		b.run(fmt.Sprintf(`say("m%d")`, n))
		if rng.IntN(2) == 0 {
			s.web.CloseClientConnections()
		}
		s.answers(channel.Text(fmt.Sprintf("d%d", n)))
		s.web.CloseClientConnections()
		wantMine, wantDesk = append(wantMine, fmt.Sprintf("m%d", n)), append(wantDesk, fmt.Sprintf("d%d", n))
		switch n {
		case cuts / 3:
			s.restart()
			s.online(routing.Online)
		case cuts / 2:
			b.do(chromedp.Reload())
			b.wait(`document.querySelector(".sangdam-webchat")`)
			b.run(`$(".launcher").click()`)
			b.wait(`$("textarea")`)
		}
	}
	b.wait(fmt.Sprintf(`$$(".m").length === %d && $$(".pending,.failed").length === 0`, 2*(cuts+1)))
	var gotMine, gotDesk []string
	for _, line := range b.bubbles() {
		if text, mine := strings.CutPrefix(line, "me: "); mine {
			gotMine = append(gotMine, text)
		} else {
			gotDesk = append(gotDesk, strings.TrimPrefix(line, "desk: "))
		}
	}
	require.Equal(t, wantMine, gotMine)
	require.Equal(t, wantDesk, gotDesk)
	var stored []string
	for after := int64(0); ; {
		some, err := s.eng.Transcript(t.Context(), host, s.mine(), after, 100)
		require.NoError(t, err)
		for _, m := range some {
			after = m.Seq
			if m.Direction == conversation.Inbound {
				stored = append(stored, m.Content.Text)
			}
		}
		if len(some) == 0 {
			break
		}
	}
	require.Equal(t, wantMine, stored, "the desk has the same")
}

// A member's proof brings the conversation along, and a log-out leaves nothing
// for the next person.
func TestAMemberLogsInAndOut(t *testing.T) {
	s := openShop(t)
	s.servePages(`data-lang="ja"`)
	s.online(routing.Online)
	b := s.openTab(browsertest.Open(t))
	b.enter()
	b.run(`say("ログイン前")`)
	b.wait(`bubbles().length === 2`)
	anonymous := js[string](b, `Object.values(localStorage).join()`)
	b.run(`sangdam.identify(` + quoted(s.identity(nil)) + `)`)
	b.wait(`Object.values(localStorage).join() !== ` + quoted(anonymous))
	b.wait(`bubbles().length === 2`)
	b.run(`say("ログイン後")`)
	b.wait(`bubbles().length === 3 && $$(".pending").length === 0`)
	require.Len(t, s.conversations(), 1)
	b.shot("09-japanese")
	b.run(`sangdam.logout()`)
	b.wait(`$(".text")`)
	require.Empty(t, js[string](b, `Object.keys(localStorage).join()`))
	b.clean(s)
}

// The window in every form: nothing sticks out of the page. Where PAGE_SHOTS
// names a directory it takes pictures, in every language.
func TestTheWindowFits(t *testing.T) {
	s := openShop(t, withSettings(func(set *webchat.Settings) { set.Intro = webchat.Texts{"": "We usually answer within two minutes."} }))
	s.online(routing.Online)
	browser := browsertest.Open(t)
	for i, lang := range []string{"ko", "en", "ja"} {
		if i > 0 && os.Getenv("PAGE_SHOTS") == "" {
			break
		}
		s.servePages(`data-lang="` + lang + `" data-color="` + []string{"#1f6feb", "#ffcc00", "#0b7a4b"}[i] + `"`)
		b := s.openTab(browser)
		b.run(`localStorage.clear()`)
		b.do(chromedp.Reload())
		b.wait(`document.querySelector(".sangdam-webchat")`)
		b.enter()
		b.run(`say("Hello, is the blue one in stock? See https://shop.example/hats/blue")`)
		b.wait(`bubbles().length === 2`)
		offer := channel.Text("It is. Which size do you need?")
		offer.Choices = []channel.Choice{{Label: "M", Kind: "message"}, {Label: "L", Kind: "message"}}
		s.answers(offer)
		s.answers(channel.Content{Kind: channel.KindCard, Cards: []channel.Card{{Title: "Felt hat", Text: "Blue, one left",
			Choices: []channel.Choice{{Label: "Put it aside", Kind: "postback", Data: "x"}}}}})
		b.wait(`$(".card")`)
		for _, form := range []struct {
			name, scheme  string
			width, height int64
		}{{"wide", "light", 1100, 800}, {"dark", "dark", 1100, 800}, {"narrow", "light", 390, 780},
			{"narrow-dark", "dark", 390, 780}, {"zoom",
				"light", 275, 200}} {
			b.looks(form.width, form.height, form.scheme)
			b.shot("10-" + lang + "-" + form.name)
			require.True(t, js[bool](b, `document.documentElement.scrollWidth <= innerWidth`), "nothing sticks out")
		}
		b.close()
	}
}
