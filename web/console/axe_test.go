package console_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// axeSource is axe-core 4.14.1 (npm axe-core, MPL-2.0, unchanged), for tests only.
func axeSource(t *testing.T) string {
	f, err := os.Open("testdata/axe.min.js.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	raw, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(raw)
}

// axe asks for every finding of any level on the page.
func (p *tab) axe(source, name string) {
	p.t.Helper()
	p.rested()
	_, err := chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](source))
	require.NoError(p.t, err)
	eval[bool](p, `(window.axeSays = null, axe.run(document, {resultTypes: ["violations"]}).then(r => {
		window.axeSays = r.violations.map(v =>
		v.id + ": " + v.help + " " + v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + n.failureSummary).join(" | ")); }), true)`)
	p.until(`window.axeSays`)
	require.Empty(p.t, eval[[]string](p, `window.axeSays`), name)
}

// rested waits for what moves to stand: while a card comes up it is pale.
func (p *tab) rested() {
	p.t.Helper()
	p.until(`[...document.getAnimations()].every(a => a.playState !== "running" || a.effect.getTiming().iterations === Infinity)`)
}

// fillRows gives the pages of a work stream and of a trigger rows to show.
func (w *world) fillRows() {
	cfg, err := w.eng.Configuration(w.t.Context(), w.host)
	require.NoError(w.t, err)
	stream, five := cfg.WorkStreams["line"], 5
	asks := condition.Condition{All: []condition.Clause{{Field: "message", Op: condition.Contains, Value: "parcel"},
		{Any: []condition.Clause{{Field: "language", Op: condition.Is, Value: "ko"},
			{Field: "attribute.plan", Op: condition.Is, Value: "gold"}}}}}
	stream.Rules = []routing.Rule{{Name: "Parcels", When: asks, Priority: &five, Queue: "everyone"},
		{Name: "Gold", Set: map[string]string{"plan": "gold"}, Skills: []routing.Skill{{Name: "ko", Level: 2}}, Stop: true}}
	_, err = w.eng.SaveWorkStream(w.t.Context(), w.host, sangdam.SaveWorkStream{WorkStream: stream})
	require.NoError(w.t, err)
	_, err = w.eng.SaveTrigger(w.t.Context(), w.host, sangdam.SaveTrigger{Trigger: trigger.Trigger{ID: "full", Title: "Says so",
		Subject: "ticket", After: &trigger.After{Since: "created", For: time.Hour},
		Actions: []trigger.Action{trigger.Do("assign", action.AssignParams{Agents: []routing.AgentID{"ara"}, Choice: trigger.ChooseOne}),
			trigger.Do("mail", action.MailParams{To: action.ToCustomer, Subject: action.Texts{"ko": "제목"},
				Body: action.Texts{"": "Hello"}, HTML: true})}}})
	require.NoError(w.t, err)
}

// Every page, light and dark, has no finding of axe-core.
func TestEveryPageIsAccessible(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("hello")
	id := w.owned("Mina", "admin")
	w.line.User("Jun").SendText("waiting")
	w.conversationOf("Jun")
	p := w.open(browsertest.Open(t), "admin")
	source := axeSource(t)
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Conversation: id, Title: "A lost parcel", Body: "It never came"})
	require.NoError(t, err)
	w.fillRows()
	c := "/conversations/" + string(id)
	for _, path := range []string{"/conversations?view=all", c, "/queues", "/history?q=hello", c + "/explain", "/setup",
		"/setup/agents/ara",
		"/setup/agents/new", "/setup/desks/support", "/setup/queues/everyone", "/setup/streams/line", "/setup/accounts/shop",
		"/setup/accounts/new", "/setup/accounts/new?kind=email", "/setup/accounts/new?kind=webchat", "/setup/workspace",
		"/setup/channels", "/operations",
		"/tickets?list=open", "/tickets/" + string(made.Ticket), "/setup/tickets", "/triggers", "/triggers/new", "/triggers/full",
		"/setup/levels/new", "/ticket-views/new",
		"/setup/hooks", "/setup/hooks/new", "/setup/hooks/crm", "/setup/targets",
		"/setup/targets/new", "/setup/targets/hook", "/operations/deliveries",
		"/operations/deliveries/" + w.hook(), "/setup/layouts/new", "/setup/notice", "/me", "/replies", "/replies/new", c + "/link"} {
		for _, dark := range []bool{false, true} {
			p.dark(dark)
			p.openPage(path)
			if strings.Contains(path, "accounts/shop") {
				p.until(`document.querySelector(".findings")`)
			}
			p.axe(source, fmt.Sprintf("%s dark=%v", path, dark))
			p.shot(map[bool]string{false: "page", true: "dark"}[dark] +
				strings.NewReplacer("/", "-", "?", "-", "=", "-", string(id), "c", string(made.Ticket), "t").Replace(path))
		}
	}
	p.do(chromedp.EmulateViewport(400, 850))
	p.dark(false)
	for _, path := range []string{"/conversations?view=all", c, "/setup", "/setup/desks/support", "/operations",
		"/tickets/" + string(made.Ticket)} {
		p.openPage(path)
		p.axe(source, path+" narrow")
		require.LessOrEqual(t, eval[int](p, `document.documentElement.scrollWidth`), 400, "%s is wider than the screen", path)
		p.shot("narrow" + strings.NewReplacer("/", "-", "?", "-", "=", "-", string(id), "c", string(made.Ticket), "t").Replace(path))
	}
	p.do(chromedp.EmulateViewport(320, 700)) // 1280 pixels at 400 %
	for _, path := range []string{"/setup", "/setup/channels", "/setup/workspace", "/setup/accounts/shop", "/setup/accounts/new?kind=email",
		"/setup/streams/line", "/setup/tickets", "/triggers", "/triggers/full"} {
		p.openPage(path)
		require.LessOrEqual(t, eval[int](p, `Math.max(document.documentElement.scrollWidth, document.querySelector("main").scrollWidth)`),
			320, "%s is wider than the screen", path)
	}
}
