package console_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
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
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// streams counts the event streams that are open. It is called before the first
// request.
func (w *world) streams() *atomic.Int64 {
	var open atomic.Int64
	inner := w.web.Config.Handler
	w.web.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			open.Add(1)
			defer open.Add(-1)
		}
		inner.ServeHTTP(rw, r)
	})
	return &open
}

// another is a tab of the same browser.
func (p *tab) another(path string) *tab {
	p.t.Helper()
	ctx, stop := chromedp.NewContext(p.ctx)
	p.t.Cleanup(stop)
	q := &tab{t: p.t, w: p.w, ctx: ctx}
	q.openPage(path)
	return q
}

func (p *tab) connected() {
	p.t.Helper()
	p.until(`document.querySelector("#banner").hidden`)
}

// However many tabs a browser has, one stream serves them all, and a draft is in
// every tab.
func TestOneStreamServesEveryTab(t *testing.T) {
	w := newWorld(t)
	open := w.streams()
	w.line.User("Mina").SendText("hello")
	id := w.owned("Mina", "ara")
	p := w.open(browsertest.Open(t), "ara")
	path := "/conversations/" + string(id)
	p.openPage(path)
	tabs := []*tab{p, p.another(path), p.another(path), p.another("/queues"), p.another("/history")}
	for _, q := range tabs {
		q.connected()
	}
	w.eventually("one stream", func() bool { return open.Load() == 1 })
	_, err := w.eng.Answer(t.Context(), w.as("ara"), sangdam.Answer{Conversation: id, Content: channel.Text("to every tab")})
	require.NoError(t, err)
	for _, q := range tabs[:3] {
		q.shows("#lines .ours", "to every tab")
	}
	require.EqualValues(t, 1, open.Load())
	tabs[2].do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#text").value = "half a sen"; ` +
		`document.querySelector("#text").dispatchEvent(new Event("input", {bubbles: true}))`))
	tabs[2].until(`document.querySelector("#text").value === "half a sen"`)
}

// The network is cut again and again, at random moments: nothing is missing on
// either side and nothing is there twice, and while nothing is cut the banner
// keeps silent. CONSOLE_CUTS says how often.
func TestTheNetworkIsCutAgainAndAgain(t *testing.T) {
	cuts := 10
	if n, err := strconv.Atoi(os.Getenv("CONSOLE_CUTS")); err == nil { // of the nightly run
		cuts = n
	}
	w := newWorld(t)
	w.chat()
	w.online("ara")
	port, mina := w.eng.Visitor(), w.visitor("v-"+strings.Repeat("a1", 16))
	speaks := func(text string) conversation.ID {
		m, err := port.Post(t.Context(), mina, text, channel.Text(text))
		require.NoError(t, err)
		return m.Conversation
	}
	id := speaks("m0.")
	_, err := w.eng.Assign(t.Context(), w.host, sangdam.Assign{Conversation: id, Agent: "ara", Force: true})
	require.NoError(t, err)
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/conversations/" + string(id))
	p.shows("#lines .theirs", "m0.")
	p.connected()
	rng := rand.New(rand.NewPCG(7, 0))
	said, heard := []string{}, []string{"m0."}
	for n := 1; n <= cuts; n++ {
		said, heard = append(said, fmt.Sprintf("a%d.", n)), append(heard, fmt.Sprintf("m%d.", n))
		speaks(heard[n])
		if rng.IntN(2) == 0 {
			w.web.CloseClientConnections()
		}
		p.say(said[n-1])
		time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond) // before, amid and after the sending
		w.web.CloseClientConnections()
	}
	p.until(`document.querySelectorAll("#pending > li").length === 0`)
	p.shows("#lines .ours", said[cuts-1])
	p.shows("#lines .theirs", heard[cuts])
	for who, want := range map[string][]string{"ours": said, "theirs": heard} {
		got := eval[[]string](p, `[...document.querySelectorAll("#lines .`+who+` .bubble .text")].map(e => e.innerText)`)
		require.GreaterOrEqual(t, len(got), min(cuts, 30), "a page has the newest")
		require.Equal(t, want[len(want)-len(got):], got)
	}
	var all []conversation.Message
	for more := true; more; {
		after := int64(0)
		if len(all) > 0 {
			after = all[len(all)-1].Seq
		}
		some, err := w.eng.Transcript(t.Context(), w.host, id, after, 100)
		require.NoError(t, err)
		all, more = append(all, some...), len(some) > 0
	}
	var kept []string
	for _, m := range all {
		if m.Direction == conversation.Outbound {
			kept = append(kept, m.Content.Text)
		}
	}
	require.Equal(t, said, kept, "the desk has each once, in order")

	p.connected()
	eval[bool](p, `(window.false_ = 0, new MutationObserver(() => { if (!document.querySelector("#banner").hidden) window.false_++; })
		.observe(document.querySelector("#banner"), {attributes: true}), window.since = Date.now(), true)`)
	p.until(`Date.now() - window.since > 6000`) // longer than the longest silence that it bears
	require.Zero(t, eval[int](p, `window.false_`), "the banner is never false")
}

// A worker that says the server is gone, as one that did not wake up whole with its
// page, is left behind: the banner is not false for long. The clock is the page's.
func TestAWorkerThatFindsNoServerIsLeftBehind(t *testing.T) {
	w := newWorld(t)
	w.online("ara")
	p := w.open(browsertest.Open(t), "ara")
	_, err := chromedp.Call(p.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		window.SharedWorker = class {
			constructor() {
				const two = new MessageChannel();
				this.port = two.port1;
				two.port2.onmessage = (m) => {
					if (m.data.ping) two.port2.postMessage({pong: true});
					else if (m.data.url) { two.port2.postMessage({state: "down"}); window.downAt = performance.now(); }
				};
			}
		};
		document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
			if (document.querySelector("#banner").hidden) window.upAt ||= performance.now();
		}).observe(document.querySelector("#banner"), {attributes: true}));`})
	require.NoError(t, err)
	p.openPage("/conversations?view=mine")
	p.until(`window.upAt > 0`)
	require.Less(t, eval[float64](p, `window.upAt - window.downAt`), 4000.0, "two silences of the worker were 4.2 s")
	w.line.User("Mina").SendText("hello")
	p.until(`document.querySelector("#bar").dataset.offers !== "0" || document.querySelectorAll("#rows li").length > 0`)
}

// A console that slept (a laptop that was closed) shows, once it is awake, what
// happened meanwhile, once; what stood in the composer is still there.
func TestAConsoleThatSleptMissesNothing(t *testing.T) {
	w := newWorld(t)
	w.online("ara")
	mina := w.line.User("Mina")
	mina.SendText("before")
	id := w.owned("Mina", "ara")
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/conversations/" + string(id))
	p.connected()
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#text").value = "a draft"; ` +
		`document.querySelector("#text").dispatchEvent(new Event("input", {bubbles: true}))`))
	life := func(state string) {
		_, err := chromedp.Call(p.ctx, page.SetWebLifecycleState,
			page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateState(state)})
		require.NoError(t, err)
	}
	life("frozen")
	for i := range 5 {
		mina.SendText(fmt.Sprintf("asleep %d", i))
	}
	w.eventually("all has arrived", func() bool {
		d, err := w.eng.Conversation(t.Context(), w.host, id)
		return err == nil && len(d.Messages) == 6
	})
	w.web.CloseClientConnections()
	life("active")
	p.shows("#lines .theirs", "asleep 4")
	require.Equal(t, 6, eval[int](p, `document.querySelectorAll("#lines .theirs").length`))
	require.Equal(t, "a draft", eval[string](p, `document.querySelector("#text").value`))
	p.connected()
}

// Consent by buttons is refused where nobody can press one (mail), and on web
// chat, which asks on its own page: in words, and nothing of it is kept (CV15).
func TestConsentIsRefusedWhereItCannotBeAsked(t *testing.T) {
	w := newWorld(t)
	w.chat()
	p := w.open(browsertest.Open(t), "admin")
	save := func(a channel.Account) error {
		a.Notice = channel.Notice{Version: "1", Consent: true}
		a.Messages = automated.Texts{automated.Notice: {"": "We keep it."}, automated.ConsentYes: {"": "Yes"},
			automated.ConsentNo: {"": "No"}, automated.Refused: {"": "Bye"}}
		_, err := w.eng.SaveAccount(t.Context(), w.host, sangdam.SaveAccount{Account: a})
		return err
	}
	accounts, err := w.eng.Accounts(t.Context(), w.host)
	require.NoError(t, err)
	for _, a := range accounts {
		switch a.Kind {
		case "webchat":
			require.ErrorIs(t, save(a), sangdam.ErrUnsupported)
			require.ErrorContains(t, save(a), "on its own page")
		default:
			require.NoError(t, save(a), "LINE asks by buttons")
		}
	}
	_, err = w.eng.SaveWorkStream(t.Context(), w.host, sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "mail", Name: "Mail",
		ChannelKind: "email", Mode: routing.Push, Cost: 1, Queue: "everyone"}})
	require.NoError(t, err)
	mail := channel.Account{ID: "mail", Kind: "email", Name: "Mail", Desk: "support", WorkStream: "mail", Disabled: true}
	require.ErrorIs(t, save(mail), sangdam.ErrUnsupported)
	require.ErrorContains(t, save(mail), "has no buttons")
	for path, offered := range map[string]bool{"/setup/accounts/shop": true, "/setup/accounts/chat": false,
		"/setup/accounts/new?kind=email": false} {
		p.openPage(path)
		require.Equal(t, offered, eval[bool](p, `!!document.querySelector("[name=ask_consent]")`), path)
	}
	accounts, err = w.eng.Accounts(t.Context(), w.host)
	require.NoError(t, err)
	for _, a := range accounts {
		require.Equal(t, a.Kind == "line", a.Notice.Consent, "%s", a.Name)
	}
}
