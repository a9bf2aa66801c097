package console_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// An agent writes a quick reply, finds it by the slash in a conversation, filled,
// and sends it; an administrator's is shown and cannot be changed.
func TestAQuickReplyIsFoundByTheSlash(t *testing.T) {
	w := newWorld(t)
	_, err := w.eng.SaveQuickReply(t.Context(), w.host, sangdam.SaveQuickReply{Reply: sangdam.QuickReply{ID: "all", Title: "Closing time",
		Texts: map[string]string{"": "We close at six."}}})
	require.NoError(t, err)
	mina := w.line.User("Mina")
	mina.SendText("when do you close?")
	id := w.owned("Mina", "ara")
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/replies/new")
	eval[bool](p, `(document.querySelector("[name=title]").value = "Thanks", document.querySelector("[name=code]").value = "ty",
		document.querySelector("[name='text.reply.']").value = "Thank you, #{customer.name}!", true)`)
	p.click("#reply-form button.primary")
	p.shows(".notice", "Saved")
	p.openPage("/replies/all")
	p.until(`document.querySelector("fieldset").disabled && !document.querySelector("#delete-reply")`)

	p.openPage("/conversations/" + string(id) + "?view=mine")
	p.until(`document.querySelector("#text")`)
	eval[bool](p, `(document.querySelector("#text").focus(), true)`)
	p.do(chromedp.KeyEvent("/"))
	p.shows("#canned", "We close at six.")
	p.do(chromedp.KeyEvent("ty"))
	p.until(`document.querySelectorAll("#canned button").length === 1`)
	p.do(chromedp.KeyEvent("\r"))
	require.Equal(t, "Thank you, Mina!", eval[string](p, `document.querySelector("#text").value`))
	p.do(chromedp.KeyEvent("\r"))
	require.Equal(t, []string{"Thank you, Mina!"}, w.texts(mina, 1))
}

// The card of an offer says where the customer comes from and how often it was
// here, and the chat icon of every page calls until the offer is answered.
func TestAnOfferSaysWhoComesAndTheIconCalls(t *testing.T) {
	w := newWorld(t)
	w.chat()
	mina := w.visitor("v-" + strings.Repeat("a1", 16))
	mina.From = visitor.Origin{Entry: "https://shop.example/hats", Device: "Chrome, Android", IP: "203.0.113.7"}
	port := w.eng.Visitor()
	first, err := port.Post(t.Context(), mina, "1", channel.Text("first time"))
	require.NoError(t, err)
	_, err = w.eng.End(t.Context(), w.host, sangdam.End{Conversation: first.Conversation, Final: true})
	require.NoError(t, err)
	b := browsertest.Open(t)
	p := w.open(b, "ara")
	p.openPage("/history")
	p.until(`document.querySelector("#chat-icon b").innerText === "0" && !document.querySelector("#chat-icon.calls")`)
	w.online("ara")
	_, err = port.Post(t.Context(), mina, "2", channel.Text("second time"))
	require.NoError(t, err)
	p.shows("#offers .offer", "second time")
	p.shows(".offer-facts", "https://shop.example/hats")
	p.shows(".offer-facts", "Earlier conversations: 1")
	p.until(`document.querySelector("#chat-icon.calls") &&
		getComputedStyle(document.querySelector("#chat-icon")).animationName === "calls"`)
	p.shot("offer")
	icon := eval[[]int](p, `(() => { const r = document.querySelector("#chat-icon").getBoundingClientRect(); return `+
		`[Math.round(innerWidth - r.right), Math.round(innerHeight - r.bottom)]; })()`)
	require.LessOrEqual(t, icon[0], 40, "at the lower right")
	require.LessOrEqual(t, icon[1], 40)
	p.still()
	p.until(`getComputedStyle(document.querySelector("#chat-icon")).animationName === "none"`)
	p.click("#offers .offer .primary")
	p.shows("#panel", "203.0.113.7")
	p.shows("#panel", "Chrome, Android")
	p.say("hello again")
	p.until(`document.querySelector("#chat-icon b").innerText === "1" && !document.querySelector("#chat-icon.calls")`)
}

// A customer of whom nobody knows more than a profile is made one in one step,
// and that is taken back; ending with unsaved edits warns first.
func TestACustomerIsMadeInOneStep(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("it is me")
	id := w.owned("Mina", "ara")
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/conversations/" + string(id))
	p.click("#link-contact")
	p.fill2("#make-contact [name=name]", "Kim Mina")
	p.fill2("#make-contact [name=phone]", "010-1234-5678")
	p.click("#make-contact button")
	p.shows("#linked", "Linked")
	p.shows("#work-head h1", "Kim Mina")
	d, err := w.eng.Conversation(t.Context(), w.host, id)
	require.NoError(t, err)
	require.True(t, d.Contact.Known)
	require.Equal(t, "010-1234-5678", d.Contact.Phone)
	p.click("#unlink")
	p.until(`document.querySelector("#work-head h1").innerText === "Mina"`)

	p.until(`document.querySelector("#banner").hidden`)
	eval[bool](p, `(window.confirm = () => { window.asked = (window.asked || 0) + 1; return false; }, true)`)
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#contact-form [name=note]").focus()`),
		chromedp.KeyEvent("wants a refund"))
	p.click("#end-open")
	p.click("#end button[type=submit]")
	p.until(`window.asked === 1`)
	require.Equal(t, "wants a refund", eval[string](p, `document.querySelector("#contact-form [name=note]").value`))
	c := w.conversationOf("Mina")
	require.Equal(t, routing.AgentID("ara"), c.Agent, "it has not ended")
	eval[bool](p, `(window.confirm = () => true, document.querySelector("#end button[type=submit]").click(), true)`)
	w.eventually("it has ended", func() bool { return w.conversationOf("Mina").State == "closed" })
}

// A live chat that ends says how: the window was closed and nobody came back, or
// the customer pressed end. A reload, or a lost network, ends nothing.
func TestAnAgentSeesHowALiveChatEnded(t *testing.T) {
	w := newWorld(t)
	w.chat()
	port, ctx := w.eng.Visitor(), t.Context()
	mina, jun := w.visitor("v-"+strings.Repeat("a1", 16)), w.visitor("v-"+strings.Repeat("b2", 16))
	own := func(v visitor.Ref, key string) string {
		m, err := port.Post(ctx, v, key, channel.Text("hello"))
		require.NoError(t, err)
		_, err = w.eng.Assign(ctx, w.host, sangdam.Assign{Conversation: m.Conversation, Agent: "ara", Force: true})
		require.NoError(t, err)
		return "/conversations/" + string(m.Conversation)
	}
	p := w.open(browsertest.Open(t), "ara")
	p.openPage(own(mina, "1"))
	require.NoError(t, port.Leave(ctx, mina, "page-1", time.Hour)) // a reload: the page says that it closes
	p.shows("#lines", "closed the window")
	require.NoError(t, port.Back(ctx, mina, "page-2"))
	p.shows("#lines", "The customer is back")
	require.False(t, eval[bool](p, `!!document.querySelector("#ended-how")`))
	require.NoError(t, port.Leave(ctx, mina, "page-2", 0))
	p.shows("#ended-how", "closed the window and did not come back")

	p.openPage(own(jun, "1"))
	require.NoError(t, port.End(ctx, jun, "end"))
	p.shows("#ended-how", "The customer ended it")
}

// chat adds a live web chat.
func (w *world) chat() {
	w.t.Helper()
	_, err := w.eng.SaveWorkStream(w.t.Context(), w.host,
		sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "chat", Name: "Web chat",
			ChannelKind: "webchat", Mode: routing.Push, Cost: 1, Queue: "everyone", Live: true}})
	require.NoError(w.t, err)
	_, err = w.eng.SaveAccount(w.t.Context(), w.host,
		sangdam.SaveAccount{Account: channel.Account{ID: "chat", Kind: "webchat", Name: "Shop chat",
			Desk: "support", WorkStream: "chat", Settings: []byte(`{"no_consent": true}`),
			Secrets: map[string]channel.Secret{webchat.SecretVisitor: channel.NewSecret(webchat.NewKey())}}})
	require.NoError(w.t, err)
}

func (w *world) visitor(name string) visitor.Ref {
	return visitor.Ref{Workspace: ws, Account: "chat", User: channel.ProviderUserID(name)}
}

// fill2 types into what the selector names.
func (p *tab) fill2(selector, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector(%q)`, selector))
	eval[bool](p, fmt.Sprintf(`(document.querySelector(%q).value = %q, true)`, selector, text))
}

// still is a reader who wants no motion.
func (p *tab) still() {
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
}
