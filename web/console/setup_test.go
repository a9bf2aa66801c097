package console_test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// fill writes into a field of a form.
func (p *tab) fill(name, value string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector('[name=%q]')`, name))
	eval[bool](p, fmt.Sprintf(`(() => { const e = document.querySelector('[name=%q]');
		if (e.type === "checkbox") e.checked = %q !== ""; else e.value = %q;
		e.dispatchEvent(new Event("change", {bubbles: true})); return true; })()`, name, value, value))
}

// save sends the page's form.
func (p *tab) save() { p.click(".form-end button") }

// An administrator sets a desk up from nothing, in the browser.
func TestADeskIsSetUpInTheBrowser(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/agents/new")
	p.fill("id", "nari")
	p.fill("name", "Nari")
	p.fill("email", "first@shop.example")
	p.save()
	p.shows(".notice.good", "Saved")
	p.openPage("/setup/desks/new")
	p.fill("id", "returns")
	p.fill("name", "Returns")
	for _, words := range []string{"NARI", "first@shop"} { // the first agent is found by name or mail
		eval[bool](p, fmt.Sprintf(`(() => { const i = document.querySelector("[data-finds]"); i.value = %q;
			return i.dispatchEvent(new Event("input", {bubbles: true})); })()`, words))
		require.Equal(t, []string{"nari"}, eval[[]string](p,
			`[...document.querySelectorAll("#members input")].filter(i => i.offsetParent).map(i => i.value)`))
	}
	p.shot("desk-find")
	eval[bool](p, `(document.querySelector('[name=member][value=nari]').checked = true)`)
	p.fill("hours.mode", "week")
	p.fill("hours.zone", "Asia/Seoul")
	p.fill("hours.day.1", "9-18")
	p.fill("text.away.", "We are back tomorrow")
	p.save()
	p.shows(".notice.bad", "HH:MM")
	require.Equal(t, "We are back tomorrow", eval[string](p, `document.querySelector('[name="text.away."]').value`), "what was typed stays")
	p.fill("hours.day.1", "09:00-12:00, 13:00-18:00")
	p.fill("hours.ex.0.from", "2099-01-01")
	p.fill("hours.ex.0.name", "New Year")
	p.fill("hours.ex.0.holiday", "1")
	p.save()
	p.shows(".notice.good", "Saved")
	require.Equal(t, "09:00-12:00, 13:00-18:00", eval[string](p, `document.querySelector('[name="hours.day.1"]').value`))
	p.openPage("/setup/queues/new")
	p.fill("id", "returns")
	p.fill("name", "Returns")
	p.fill("desk", "returns")
	eval[bool](p, `(document.querySelector('[name=member][value=nari]').checked = true)`)
	p.fill("overflow.0.when", "wait")
	p.fill("overflow.0.after", "60")
	p.fill("overflow.0.do", "queue")
	p.fill("overflow.0.queue", "everyone")
	p.save()
	p.shows(".notice.good", "Saved")
	p.setsUpAStreamWithRules()
	cfg, err := w.eng.Configuration(t.Context(), w.host)
	require.NoError(t, err)
	require.Equal(t, []routing.AgentID{"nari"}, cfg.Members["returns"])
	require.Equal(t, "Asia/Seoul", cfg.Desks["returns"].Hours.Zone)
	require.Len(t, cfg.Desks["returns"].Hours.Exceptions, 1)
	require.Equal(t, routing.QueueID("everyone"), cfg.Queues["returns"].Overflow[0].Queue)
	rules := cfg.WorkStreams["returns"].Rules
	require.Len(t, rules, 2)
	require.Equal(t, []routing.Skill{{Name: "ko", Level: 2}}, rules[0].Skills, "in the order in which the rows stand")
	require.Equal(t, condition.Condition{All: []condition.Clause{is("language", "ko"),
		{Any: []condition.Clause{is("attribute.plan", "gold")}}}}, rules[0].When, "groups, and an attribute that no rule knew")
	require.Equal(t, "parcel", rules[1].When.All[0].Value)
	require.Equal(t, 5, *rules[1].Priority)
	require.Equal(t, map[string]string{"plan": "gold"}, rules[1].Set)
	p.shot("rules")
}

// setsUpAStreamWithRules makes two rules, the second by hand in JSON, and orders them.
func (p *tab) setsUpAStreamWithRules() {
	t := p.t
	p.openPage("/setup/streams/new")
	p.fill("id", "returns")
	p.fill("name", "Returns")
	p.fill("kind", "line")
	p.fill("queue", "returns")
	p.click(`[data-rows=rule] > p [data-act=add]`)
	p.fill("rule.0.name", "Parcels")
	p.fill("rule.0.all.0.field", "message")
	p.until(`![...document.querySelector('[name="rule.0.all.0.op"]').options].some(o => o.value === "gt" && !o.hidden)`)
	p.fill("rule.0.all.0.op", "contains")
	require.True(t, eval[bool](p, `[...document.querySelector("#of-desk").options].some(o => o.value === "returns" && o.label === `+
		`"Returns")`), "values that are known are offered")
	p.fill("rule.0.all.0.value", "parcel")
	p.fill("rule.0.priority", "soon")
	p.fill("rule.0.set", "plan = gold")
	p.save()
	p.shows(".notice.bad", "soon")
	require.Equal(t, "soon", eval[string](p, `document.querySelector('[name="rule.0.priority"]').value`), "what was typed stays")
	p.fill("rule.0.priority", "5")
	p.click(`[data-rows=rule] > p [data-act=add]`)
	p.fill("rule.1.name", "Everything in Korean")
	p.fill("rule.1.queue", "everyone")
	p.fill("rule.1.skills", "ko 2")
	p.fill("rule.1.all.0.field", "language")
	p.fill("rule.1.all.0.value", "ko")
	p.click(`[data-path="rule.1.all."] > .buttons [data-clause=group]`)
	p.fill("rule.1.all.1.in.0.field", "attribute.")
	p.fill("rule.1.all.1.in.0.attribute", "plan")
	p.fill("rule.1.all.1.in.0.value", "gold")
	p.fill("rule.1.all.1.group", "any")
	p.click(`[data-row="1"] [data-act=up]`)
	p.save()
	p.shows(".notice.good", "Saved")
}

// The LINE account: pasted, checked at once, its address set, tested, and the
// first message seen as it comes.
func TestALINEAccountIsConnectedInTheBrowser(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/accounts/new")
	p.fill("name", "Second")
	p.fill("channel_id", w.line.ChannelID())
	p.fill("secret", "0123456789abcdef0123456789abcdef")
	p.fill("token", "not-the-token")
	p.fill("desk", "support")
	p.fill("stream", "line")
	p.save()
	p.shows("#summary dl", "Second")
	p.shows("#summary dl", "given, not shown")
	require.NotContains(t, p.text("#summary"), "not-the-token")
	p.click("#finish")
	p.shows("h1", "Second")
	p.shows(".findings .wrong", "token")
	require.NotContains(t, eval[string](p, `document.documentElement.outerHTML`), "not-the-token", "secrets never come out (N65)")
	p.fill("secret", w.line.ChannelSecret())
	p.fill("token", w.line.ChannelToken())
	p.fill("notice_version", "2")
	p.save()
	p.shows(".findings .fine", "accepts the access token")
	require.Equal(t, "2", eval[string](p, `document.querySelector("[name=notice_version]").value`))
	p.shows("#webhook", "https://desk.example.com/webhooks/")
	p.click("[name=replace]")
	p.click(`form[action$="/connect"] button`)
	p.shows(".notice.good", "Saved")
	p.shows(".findings .fine", "LINE sends webhooks to this address")
	p.shot("account")

	p.openPage("/setup/accounts/shop")
	p.shows("#live", "Waiting for the first message")
	w.line.SetWebhook(w.web.URL + "/line")
	w.line.User("Mina").SendText("hello")
	p.shows("#live .good", "Mina")
}

// A web-chat account is made without any JSON; its key is made for it, and the
// preview shows the widget as a visitor sees it.
func TestAWebChatAccountIsMadeAndPreviewed(t *testing.T) {
	w := newWorld(t)
	_, err := w.eng.SaveWorkStream(t.Context(), w.host, sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "chat", Name: "Chat",
		ChannelKind: "webchat", Mode: routing.Push, Cost: 1, Queue: "everyone", ReopenFor: time.Hour}})
	require.NoError(t, err)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/accounts/new?kind=webchat")
	p.fill("name", "Shop page")
	p.fill("desk", "support")
	p.fill("stream", "chat")
	p.fill("color", "#aa3311")
	p.fill("title.ko", "신발 가게")
	p.fill("form_url", "javascript:alert(1)")
	p.fill("consent.ko", "대화 내용이 저장됩니다")
	p.save()
	p.shows("#summary dl", "#aa3311")
	p.click("#finish")
	p.shows(".notice.bad", "links in settings")
	p.fill("form_url", "/help/")
	p.save()
	p.click("#finish")
	p.shows(".notice.good", "Saved")
	p.shows("#snippet-ko", "/webchat/widget.js")
	p.shows("#snippets", "日本語")
	require.Equal(t, "신발 가게", eval[string](p, `document.querySelector('[name="title.ko"]').value`))
	preview := eval[string](p, `document.querySelector("#snippets a.button").getAttribute("href")`)
	p.do(chromedp.Navigate(w.web.URL + preview))
	p.until(`[...document.querySelectorAll("*")].some(e => e.shadowRoot)`)
	p.shot("preview")
}

// The line that the console gives for a shop's pages is the adapter's own one, and
// the preview's: with the colour, since the launcher is drawn before the settings
// are asked for.
func TestTheSnippetHasTheAccountsColour(t *testing.T) {
	w := newWorld(t)
	w.chat()
	accounts, err := w.eng.Accounts(t.Context(), w.host)
	require.NoError(t, err)
	a := accounts[slices.IndexFunc(accounts, func(a channel.Account) bool { return a.Kind == "webchat" })]
	a.Settings = []byte(`{"no_consent":true,"color":"#aa3311","members_only":true}`)
	_, err = w.eng.SaveAccount(t.Context(), w.host, sangdam.SaveAccount{Account: a})
	require.NoError(t, err)
	page := bodyOf(t, w.client("admin").do(http.MethodGet, "/setup/accounts/"+string(a.ID), ""))
	for _, lang := range []string{"ko", "en", "ja"} {
		require.Contains(t, html.UnescapeString(page), webchat.Snippet(w.web.URL+"/webchat", a, lang))
	}
	require.Contains(t, page, `name="members_only" value="1" checked`)
	preview := bodyOf(t, w.client("admin").do(http.MethodGet, "/setup/accounts/"+string(a.ID)+"/preview", ""))
	require.Contains(t, preview, `data-color="#aa3311"`)
}

// Addresses of single languages, which the page of a web-chat account does not
// show, stay when it is saved there.
func TestAddressesOfLanguagesStayWithTheAccount(t *testing.T) {
	w := newWorld(t)
	w.chat()
	stored := func() channel.Account {
		accounts, err := w.eng.Accounts(t.Context(), w.host)
		require.NoError(t, err)
		return accounts[slices.IndexFunc(accounts, func(a channel.Account) bool { return a.Kind == "webchat" })]
	}
	a := stored()
	a.Settings = []byte(`{"form_url":{"":"/help/","ko":"/ko/help/"},"login_url":{"ja":"/ja/login"},` +
		`"consent":{"version":"1","texts":{"":"It is kept."},"url":{"ko":"/ko/policy"}}}`)
	_, err := w.eng.SaveAccount(t.Context(), w.host, sangdam.SaveAccount{Account: a})
	require.NoError(t, err)
	a = stored()
	form := url.Values{"version": {strconv.FormatInt(a.Version, 10)}, "kind": {"webchat"}, "name": {"Shop chat"}, "desk": {"support"},
		"stream": {"chat"}, "form_url": {"/inquiry/"}, "consent.": {"It is kept."}, "consent_version": {"1"}, "policy": {"/policy"}}
	resp := w.client("admin").do(http.MethodPost, "/setup/accounts/"+string(a.ID), form.Encode())
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	require.JSONEq(t, `{"form_url":{"":"/inquiry/","ko":"/ko/help/"},"login_url":{"ja":"/ja/login"},`+
		`"consent":{"version":"1","texts":{"":"It is kept."},"url":{"":"/policy","ko":"/ko/policy"}}}`, string(stored().Settings))
}

// What would a customer hear: the form answers beside itself.
func TestWhatACustomerWouldHear(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/desks/support")
	p.fill("hours.mode", "week")
	p.fill("hours.zone", "UTC")
	p.fill("hours.day.1", "09:00-18:00")
	p.fill("text.away.ko", "지금은 상담 시간이 아닙니다")
	p.fill("text.greeting.", "Hello!")
	p.save()
	p.shows(".notice.good", "Saved")
	p.openPage("/setup")
	p.fill("at", "2099-01-05T20:00") // a Monday evening
	p.fill("language", "ko")
	p.click(`form[action$="/setup/heard"] button`)
	p.shows("#heard", "지금은 상담 시간이 아닙니다")
	p.fill("at", "2099-01-05T10:00")
	p.click(`form[action$="/setup/heard"] button`)
	p.shows("#heard", "Hello!")
}

// Two administrators who save at once: the second is told, and keeps what was
// typed.
func TestTheSecondAdministratorIsTold(t *testing.T) {
	w := newWorld(t)
	b := browsertest.Open(t)
	first, second := w.open(b, "admin"), w.open(b, "admin")
	first.openPage("/setup/queues/everyone")
	second.openPage("/setup/queues/everyone")
	first.fill("name", "First")
	first.save()
	first.shows(".notice.good", "Saved")
	second.fill("name", "Second")
	second.save()
	second.shows(".notice.bad", "faster")
	require.Equal(t, "Second", eval[string](second, `document.querySelector("[name=name]").value`))
	require.NoError(t, chromedp.Do(first.ctx))
}

// A trigger is written in rows, or in JSON, tried on the past, refused while it
// cannot be read, and switched.
func TestATriggerInTheBrowser(t *testing.T) {
	w := newWorld(t)
	_, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: "A broken lamp"})
	require.NoError(t, err)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/triggers/new?subject=ticket")
	p.fill("title", "Urgent ones first")
	p.click(`[name="condition.mode"][value=json]`)
	p.fill("when", `{"all": [`)
	p.addAction("tag")
	p.fill("action.0.add", "vip, soon")
	p.addAction("mail")
	p.fill("action.1.to", "customer")
	p.fill("action.1.subject.ko", "받았습니다")
	p.fill("action.1.body.ko", "곧 답하겠습니다")
	p.click(`[data-row="1"] [data-act=up]`)
	p.click(".form-end button.primary")
	p.shows(".notice.bad", "Conditions cannot be read")
	require.Equal(t, `{"all": [`, eval[string](p, `document.querySelector("[name=when]").value`))
	p.click(`[name="condition.mode"][value=rows]`)
	p.fill("all.0.field", "title")
	p.fill("all.0.op", "contains")
	p.fill("all.0.value", "lamp")
	p.click(`[data-block=all] [data-clause=add]`)
	p.fill("all.1.field", "priority")
	p.fill("all.1.op", "gte")
	p.fill("all.1.value", "high")
	p.click(".form-end button.primary")
	p.shows(".notice.bad", "high")
	require.Equal(t, "high", eval[string](p, `document.querySelector('[name="all.1.value"]').value`), "what was typed stays")
	p.fill("all.1.value", "0")
	p.click("#try")
	p.shows("#live", "Done")
	p.shows("#live", "acts in 1 event of 1 record")
	p.shows("#live h3", "New: 1 record")
	p.shows("#live table", "all[0] title contains: held")
	require.Equal(t, "0", eval[string](p, `document.querySelector('[name="all.1.value"]').value`), "what was typed stays")
	p.shot("trial")
	p.click(".form-end button.primary")
	p.shows(".notice", "Saved")
	list, err := w.eng.Triggers(t.Context(), w.host, "ticket")
	require.NoError(t, err)
	require.Len(t, list.Triggers[0].When.All, 2)
	require.Equal(t, []trigger.Action{
		trigger.Do("mail", map[string]any{"to": "customer", "subject": map[string]string{"ko": "받았습니다"},
			"body": map[string]string{"ko": "곧 답하겠습니다"}, "html": true}),
		trigger.Do("tag", map[string]any{"add": []string{"vip", "soon"}})}, list.Triggers[0].Actions,
		"in the order in which the rows stand")
	p.click("#try")
	p.shows("#live", "Done")
	p.openPage("/triggers/" + string(list.Triggers[0].ID))
	p.click("#trials a") // a result is found again
	p.shows("#live", "Done")
	p.openPage("/triggers?subject=ticket")
	p.shows("table", "Urgent ones first")
	p.click(`table form[action$="/switch"] button`)
	p.shows("table .state", "On")
}

// addAction adds a row for an action.
func (p *tab) addAction(kind string) {
	eval[bool](p, fmt.Sprintf(`(document.querySelector("[data-kinds]").value = %q, true)`, kind))
	p.click(`[data-rows=action] > p [data-act=add]`)
}

// What tickets are made with is changed in place, refused with a reason, and
// taken away.
func TestTheSetUpOfTicketsIsChanged(t *testing.T) {
	w := newWorld(t)
	post := func(what string, form url.Values) int {
		return w.client("admin").do(http.MethodPost, "/setup/"+what, form.Encode()).StatusCode
	}
	set := func() sangdam.TicketSetup {
		s, err := w.eng.TicketSetup(t.Context(), w.host)
		require.NoError(t, err)
		return s
	}
	page := func(path string) string {
		body, err := io.ReadAll(w.client("admin").do(http.MethodGet, path, "").Body)
		require.NoError(t, err)
		return string(body)
	}
	require.Equal(t, http.StatusSeeOther, post("tickets/group", url.Values{"name": {"Returns"}, "agent": {"ara"}}))
	g := set().Groups[0]
	require.Equal(t, http.StatusSeeOther, post("tickets/group", url.Values{"id": {string(g.ID)}, "version": {"1"}, "name": {"Refunds"},
		"agent": {"ara", "bo"}, "queue": {"everyone"}}))
	require.Equal(t, "Refunds", set().Groups[0].Name)
	require.Len(t, set().Groups[0].Agents, 2)
	require.Equal(t, http.StatusConflict, post("tickets/group", url.Values{"id": {string(g.ID)}, "version": {"1"}, "name": {"Late"}}),
		"somebody was faster")

	require.Equal(t, http.StatusSeeOther,
		post("tickets/category", url.Values{"tree": {"intake"}, "name.ko": {"배송"}, "name.en": {"Delivery"}}))
	c := set().Trees[ticket.Intake].Walk()[0]
	version := strconv.FormatInt(set().Trees[ticket.Intake].Version, 10)
	require.Equal(t, http.StatusSeeOther,
		post("tickets/category", url.Values{"tree": {"intake"}, "version": {version}, "id": {string(c.ID)},
			"name.ko": {"배송 문의"}, "name.en": {"Shipping"}, "offered": {"1"}}))
	require.Equal(t, map[string]string{"ko": "배송 문의", "en": "Shipping"}, set().Trees[ticket.Intake].Walk()[0].Names)

	fields := func() string { return strconv.FormatInt(set().Fields.Version, 10) }
	require.Equal(t, http.StatusSeeOther, post("tickets/field", url.Values{"version": {fields()}, "code": {"size"}, "name.en": {"Size"},
		"type": {"dropdown"}, "kind": {"agent"}, "options": {"s = Small\nl"}}))
	require.Contains(t, page("/setup/tickets"), "<option value=\"s\">Small</option>", "the preview shows the field")
	require.Equal(t, http.StatusSeeOther, post("tickets/field", url.Values{"version": {fields()}, "change": {"1"}, "code": {"size"},
		"name.en": {"Shoe size"}, "options": {"s = Small\nm = Medium"}, "required": {"1"}}))
	f, _ := set().Fields.Field("size")
	require.Equal(t, "Shoe size", f.Names["en"])
	require.True(t, f.Required && f.Options[1].Code == "m")

	level := url.Values{"name": {"Gold"}, "goal.first_answer": {"60"}, "warn": {"90"}, "condition.mode": {"rows"},
		"all.0.field": {"priority"}, "all.0.op": {"gte"}, "all.0.value": {"1"}}
	require.Equal(t, http.StatusBadRequest, post("levels/new", level), "the warning comes before the end")
	level.Set("warn", "15")
	require.Equal(t, http.StatusSeeOther, post("levels/new", level))
	l := set().Levels[0]
	require.Equal(t, time.Hour, l.Goals[ticket.FirstAnswer])
	require.Contains(t, page("/setup/levels/"+l.ID), `value="60"`)
	require.Equal(t, http.StatusSeeOther, post("levels/"+l.ID, url.Values{"delete": {"1"}, "version": {"1"}}))
	require.Empty(t, set().Levels)
}

// Prepared answers and banned words are made, changed and taken away on the page
// of tickets; one that somebody else changed meanwhile is not overwritten.
func TestPreparedAnswersAndBannedWordsAreChanged(t *testing.T) {
	w := newWorld(t)
	post := func(what string, form url.Values) int {
		return w.client("admin").do(http.MethodPost, "/setup/tickets/"+what, form.Encode()).StatusCode
	}
	saved, err := w.eng.SaveCategory(t.Context(), w.host, sangdam.SaveCategory{Tree: ticket.Resolution,
		Category: ticket.Category{Names: map[string]string{"en": "Delivered"}}})
	require.NoError(t, err)
	templates := func() []sangdam.OfferedTemplate {
		all, err := w.eng.Templates(t.Context(), w.host, sangdam.TemplateFilter{})
		require.NoError(t, err)
		return all
	}
	require.Equal(t, http.StatusSeeOther, post("template", url.Values{"title": {"Delivery"}, "code": {"deli"}, "body": {"Two days."}}))
	form := url.Values{"id": {templates()[0].ID}, "version": {"1"}, "title": {"Delivery"}, "code": {"deli"}, "body": {"Three days."},
		"resolution": {saved.ID}}
	require.Equal(t, http.StatusSeeOther, post("template", form))
	require.Equal(t, "Three days.", templates()[0].Body)
	require.Equal(t, []ticket.CategoryID{ticket.CategoryID(saved.ID)}, templates()[0].Resolutions)
	require.Equal(t, http.StatusConflict, post("template", form), "somebody was faster")
	form.Set("version", "2")
	form.Set("delete", "1")
	require.Equal(t, http.StatusSeeOther, post("template", form))
	require.Empty(t, templates())

	words := func() []ticket.BannedWord {
		set, err := w.eng.TicketSetup(t.Context(), w.host)
		require.NoError(t, err)
		return set.Banned
	}
	require.Equal(t, http.StatusSeeOther, post("word", url.Values{"word": {"cheap"}}))
	form = url.Values{"id": {words()[0].ID}, "version": {"1"}, "word": {"cheap"}, "instead": {"good value"}}
	require.Equal(t, http.StatusSeeOther, post("word", form))
	require.Equal(t, "good value", words()[0].Instead)
	require.Equal(t, http.StatusConflict, post("word", form), "somebody was faster")
	form.Set("version", "2")
	form.Set("delete", "1")
	require.Equal(t, http.StatusSeeOther, post("word", form))
	require.Empty(t, words())
}

// A tree of categories goes out as a table from the page on which it is written,
// and a category that is changed there stays below its parent.
func TestATreeOfCategoriesIsDownloaded(t *testing.T) {
	w := newWorld(t)
	admin := w.client("admin")
	post := func(form url.Values) {
		set, err := w.eng.TicketSetup(t.Context(), w.host)
		require.NoError(t, err)
		form.Set("tree", "intake")
		form.Set("version", strconv.FormatInt(set.Trees[ticket.Intake].Version, 10))
		require.Equal(t, http.StatusSeeOther, admin.do(http.MethodPost, "/setup/tickets/category", form.Encode()).StatusCode)
	}
	tree := func() []ticket.Category {
		set, err := w.eng.TicketSetup(t.Context(), w.host)
		require.NoError(t, err)
		return set.Trees[ticket.Intake].Walk()
	}
	const address = "/setup/tickets/categories?tree=intake"
	require.NotContains(t, bodyOf(t, admin.do(http.MethodGet, "/setup/tickets", "")), address, "there is nothing to download")
	post(url.Values{"name.en": {"Delivery"}, "name.ko": {"배송"}})
	top := tree()[0]
	post(url.Values{"name.en": {"Late"}, "parent": {string(top.ID)}})
	below := tree()[1]
	post(url.Values{"id": {string(below.ID)}, "name.en": {"=Lost"}, "name.ko": {"분실"}})
	require.Equal(t, top.ID, tree()[1].Parent)

	require.Contains(t, bodyOf(t, admin.do(http.MethodGet, "/setup/tickets", "")), address)
	resp := admin.do(http.MethodGet, address+"&as=csv", "")
	require.Contains(t, resp.Header.Get("Content-Disposition"), "categories-intake-")
	table := bodyOf(t, resp)
	require.Contains(t, table, "배송")
	require.Contains(t, table, "분실")
	require.Contains(t, table, "'=Lost", "nothing becomes a formula")
	require.True(t, strings.HasPrefix(bodyOf(t, admin.do(http.MethodGet, address+"&as=xlsx", "")), "PK"))
	for path, want := range map[string]int{"?tree=none&as=csv": http.StatusNotFound, "?tree=intake&as=exe": http.StatusBadRequest} {
		require.Equal(t, want, admin.do(http.MethodGet, "/setup/tickets/categories"+path, "").StatusCode, path)
	}
}

// A mail's layout is refused without a place for its text, shown as a customer
// sees it where nothing can run, saved and taken away.
func TestAMailLayoutIsWritten(t *testing.T) {
	w := newWorld(t)
	post := func(path string, form url.Values) (*http.Response, string) {
		resp := w.client("admin").do(http.MethodPost, "/setup/layouts/"+path, form.Encode())
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp, string(body)
	}
	form := url.Values{"event": {"received"}, "language": {"ko"}, "subject": {"문의 #{ticket.number}"}, "html": {"<h1>Shop</h1>"},
		"text": {"문의를 받았습니다."}}
	resp, body := post("new", form)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Contains(t, body, "문의를 받았습니다.", "what was typed stays")
	form.Set("subject", "We have it")
	form.Set("html", `<h1>Shop</h1>#{content}<script>alert(1)</script>`)
	resp, body = post("preview", form)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.True(t, strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "sandbox; default-src 'none'"))
	require.Contains(t, body, "<h1>Shop</h1>문의를 받았습니다.")
	form.Set("html", "<h1>Shop</h1>#{content}")
	resp, body = post("new", form)
	require.Equal(t, http.StatusSeeOther, resp.StatusCode, body)
	all, err := w.eng.MailLayouts(t.Context(), w.host)
	require.NoError(t, err)
	require.Len(t, all, 1)
	form.Set("version", "1")
	form.Set("subject", "Changed")
	resp, body = post("received~ko", form)
	require.Equal(t, http.StatusSeeOther, resp.StatusCode, body)
	resp, body = post("received~ko", url.Values{"delete": {"1"}, "version": {"2"}})
	require.Equal(t, http.StatusSeeOther, resp.StatusCode, body)
}
