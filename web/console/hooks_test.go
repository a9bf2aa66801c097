package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// callHook hands a web hook to the receiver that is there.
func (w *world) callHook(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	to := w.hooks
	w.mu.Unlock()
	if to == nil {
		return nil, http.ErrServerClosed
	}
	return to.Transport().RoundTrip(r)
}

// receive is a receiver with a secret, from now on.
func (w *world) receive(secret string) *webhooktest.Server {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = webhooktest.New(webhooktest.Options{Secret: channel.NewSecret(secret)})
	return w.hooks
}

// hook is a delivery to a target that does not answer, with a subscription beside it.
func (w *world) hook() string {
	w.t.Helper()
	ctx := w.t.Context()
	_, err := w.eng.SaveTarget(ctx, w.host, sangdam.SaveTarget{Target: notify.Target{ID: "hook", Kind: webhook.Kind,
		Name: "CRM of the shop", Settings: json.RawMessage(`{"url":"https://crm.shop.example/hooks/with-a-long-name/of-the-desk"}`),
		Secrets: map[string]channel.Secret{webhook.SecretName: webhook.NewSecret()}}})
	require.NoError(w.t, err)
	_, err = w.eng.SaveSubscription(ctx, w.host, sangdam.SaveSubscription{Subscription: sangdam.Subscription{ID: "crm", Name: "CRM",
		Target: "hook", Events: []string{"ticket", "conversation.opened"}}})
	require.NoError(w.t, err)
	saved, err := w.eng.SendNotice(ctx, w.host, sangdam.SendNotice{Target: "hook", Notice: notify.Notice{Event: "order.paid",
		Subject: "order:20261129-000001", Data: json.RawMessage(`{"order": "20261129-000001", "sum": 42000}`)}})
	require.NoError(w.t, err)
	w.eventually("it was tried", func() bool {
		d, err := w.eng.Delivery(ctx, w.host, saved.ID)
		require.NoError(w.t, err)
		return d.Tries > 0
	})
	return saved.ID
}

// speak chooses the language of a tab.
func (p *tab) speak(lang string) {
	p.t.Helper()
	eval[bool](p, `(window.chosen = false, fetch("/desk/preferences", {method: "POST", body: new URLSearchParams({lang: "`+lang+`"})})
		.then(() => { window.chosen = true; }), true)`)
	p.until(`window.chosen`)
}

// pictures keeps a page as people see it: wide, narrow, dark, in Korean.
func (p *tab) pictures(path, name string) {
	p.t.Helper()
	if os.Getenv("PAGE_SHOTS") == "" { // nobody looks
		return
	}
	for _, as := range []struct {
		is, lang string
		width    int64
		dark     bool
	}{{"wide", "en", 1400, false}, {"narrow", "en", 360, false}, {"dark", "en", 1400, true}, {"ko", "ko", 1400, false},
		{"ko-narrow", "ko", 360, false}} {
		p.speak(as.lang)
		p.dark(as.dark)
		p.do(chromedp.EmulateViewport(as.width, 900))
		p.openPage(path)
		p.shot(name + "-" + as.is)
	}
	p.speak("en")
	p.dark(false)
	p.do(chromedp.EmulateViewport(1400, 900))
}

// TestAWebHookIsSetUpAndFollowedInTheBrowser: a target whose secret is shown once,
// a subscription to events of the list, why a delivery failed, and what was missed
// once more.
func TestAWebHookIsSetUpAndFollowedInTheBrowser(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/operations/deliveries")
	p.shows(".empty", "no target yet")
	p.openPage("/setup/targets/new")
	p.fill("name", "CRM")
	p.fill("set.url", "http://127.0.0.1/")
	p.save()
	p.shows(".field-wrong", "cannot be called")
	p.fill("set.url", "https://crm.shop.example/hook")
	p.save()
	p.until(`document.querySelector("#secret")`)
	first := eval[string](p, `document.querySelector("#secret").textContent`)
	hooks := w.receive(first)
	p.shot("hook-target-made")
	targets, err := w.eng.Targets(t.Context(), w.host)
	require.NoError(t, err)
	target := string(targets[0].ID)
	at := "/setup/targets/" + target
	p.openPage(at)
	require.NotContains(t, eval[string](p, `document.documentElement.outerHTML`), first, "it was shown once")

	p.openPage("/setup/hooks/new?target=" + target)
	p.fill("name", "Tickets to the CRM")
	p.save()
	p.shows(".notice.bad", "names 0 events")
	eval[bool](p, `(document.querySelector("[name=event][value='ticket.created']").checked = true)`)
	p.save()
	p.shows(".notice.good", "Saved")
	subs, err := w.eng.Subscriptions(t.Context(), w.host)
	require.NoError(t, err)
	require.Equal(t, []string{"ticket.created"}, subs[0].Events)

	hooks.Fail(webhooktest.Fault{Status: 503})
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: "broken"})
	require.NoError(t, err)
	w.eventually("it was tried twice", func() bool { return len(hooks.Acted()) == 1 })
	p.openPage("/operations/deliveries?target=" + target)
	p.shows("table.found", "ticket.created")
	p.pictures("/operations/deliveries?target="+target, "deliveries")
	p.openPage("/operations/deliveries?target=" + target)
	eval[bool](p, `(document.querySelector("[name=state]").value = "sent", document.querySelector("[name=state]").focus(), true)`)
	p.do(chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
	p.until(`location.search.includes("state=sent") && document.querySelector("table.found a")`)
	p.click("table.found tbody a")
	p.shows("#attempts", "failed, tried again")
	p.shows("#attempts", "the receiver failed: the receiver answered Service Unavailable")
	p.shows("#attempts", "delivered")
	p.shows(".facts", "Subscription Tickets to the CRM")
	p.shows(`.facts a[href="/desk/tickets/`+string(made.Ticket)+`"]`, "ticket:")
	p.shows("#body", `"kind": "created"`)
	one := eval[string](p, `location.pathname.replace("/desk", "")`)
	p.pictures(one, "delivery")
	p.openPage(one)
	p.click("#again")
	p.shows(".facts", "Repeats")
	w.eventually("it came again under its id", func() bool { return len(hooks.Requests()) == 2 && len(hooks.Acted()) == 1 })
	p.rotatesAndReplays(target, "/setup/hooks/"+subs[0].ID, hooks)
}

// rotatesAndReplays goes on with what an administrator does later.
func (p *tab) rotatesAndReplays(target, hook string, hooks *webhooktest.Server) {
	w, at := p.w, "/setup/targets/"+target
	old := hooks.Secret().Reveal()
	p.openPage(at)
	p.click("#rotate")
	p.until(`document.querySelector("#secret")`)
	second := eval[string](p, `document.querySelector("#secret").textContent`)
	require.NotEqual(p.t, old, second)
	p.pictures(at, "hook-target")
	hooks = w.receive(second)
	p.openPage(hook)
	p.pictures(hook, "hook")
	p.openPage(hook)
	p.click("#replay button")
	p.shows(".notice.good", "Asked for")
	w.eventually("the events of the last hour came, signed with the new secret", func() bool { return len(hooks.Acted()) == 1 })
	require.Empty(p.t, hooks.Refused())
	p.openPage(at)
	p.click("#retire")
	p.shows(".notice.good", "Saved")
	p.until(`document.querySelector("#rotate")`)
	hooks = w.receive(old)
	p.openPage("/operations/deliveries?target=" + target)
	p.fill("dead", "")
	p.click("#replay button")
	p.shows(".notice.good", "Asked for")
	w.eventually("the old one signs nothing any more", func() bool { return len(hooks.Refused()) > 0 })
	p.openPage("/operations/deliveries?target=" + target)
	later := time.Now().UTC().Add(2 * time.Hour).Format("2006-01-02T15:04")
	p.fill("from", later)
	p.click("#replay button")
	p.shows(".notice.bad", "begins before it ends")

	p.openPage(at)
	p.click("#delete")
	p.shows(".notice.bad", `used by subscription "Tickets to the CRM"`)
	p.openPage(hook)
	p.click("#delete")
	p.shows("#subscriptions", "no subscription yet")
	p.openPage(at)
	p.click("#delete")
	p.shows("#targets", "no target yet")
}

// Content of a notice is shown to who may read the record alone, and a secret is in
// the one answer that made it: a request that comes again gets none.
func TestASecretIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	form := url.Values{"key": {"once"}, "name": {"CRM"}, "set.url": {"https://crm.shop.example/hook"}, "version": {"0"}}
	admin := w.client("admin")
	body := bodyOf(t, admin.do(http.MethodPost, "/setup/targets/new", form.Encode()))
	require.Contains(t, body, "whsec_")
	resp := admin.do(http.MethodPost, "/setup/targets/new", form.Encode())
	require.Equal(t, http.StatusConflict, resp.StatusCode)
	again, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NotContains(t, string(again), "whsec_")
	list := bodyOf(t, admin.do(http.MethodGet, "/setup/targets", ""))
	require.Contains(t, list, "https://crm.shop.example/hook")
	require.NotContains(t, list, "whsec_")
}
