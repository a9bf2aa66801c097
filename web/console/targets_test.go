package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
)

// pager is a way out that a host brought: the console knows nothing of its kind.
type pager struct{}

func (pager) Kind() notify.Kind     { return "pager" }
func (pager) Policy() notify.Policy { return notify.Policy{Timeout: time.Second} }

func (pager) Validate(t notify.Target) error {
	s, err := notify.Settings[struct {
		Station string `json:"station"`
	}](t)
	if err == nil && (s.Station == "" || t.Secrets["code"].Empty()) {
		err = notify.Wrong("settings.station", "pager: settings.station names the station, the secret \"code\" opens it")
	}
	return err
}

func (pager) Plan(_ notify.Target, n notify.Notice, _ time.Time) ([]byte, error) {
	return []byte(n.To.Address + " " + n.Text), nil
}

func (pager) Send(context.Context, notify.Target, []byte) (notify.Receipt, error) {
	return notify.Receipt{}, nil
}

// buzzer is a way out that a host brought, of whose kind the console knows nothing
// but what it says itself.
type buzzer struct{ pager }

func (buzzer) Kind() notify.Kind { return "buzzer" }

func (buzzer) Form() notify.Form {
	return notify.Form{Name: notify.Words{"en": "Buzzer of the ward", "ko": "병동 호출기"}, To: notify.PartText, Parts: []notify.Part{
		{Name: "station", Type: notify.PartText, Required: true, Leads: true, Label: notify.Words{"en": "Station", "ko": "기지국"}},
		{Name: "tries", Type: notify.PartNumber, Label: notify.Words{"en": "Tries"}},
		{Name: "code", Type: notify.PartSecret, Required: true, Label: notify.Words{"en": "Code"}},
	}}
}

func (buzzer) Validate(t notify.Target) error {
	s, err := notify.Settings[struct {
		Station string `json:"station"`
		Tries   int    `json:"tries"`
	}](t)
	switch {
	case err != nil:
		return err
	case s.Station == "south":
		return notify.Wrong("settings.station", "there is no such station; ask the ward")
	case t.Secrets["code"].Reveal() == "short":
		return notify.Wrong("secrets.code", "use a longer one")
	}
	return nil
}

// oneTarget is the target that is there.
func (w *world) oneTarget() notify.Target {
	w.t.Helper()
	all, err := w.eng.Targets(w.t.Context(), w.host)
	require.NoError(w.t, err)
	require.Len(w.t, all, 1)
	return all[0]
}

// wrongAt waits until something is wrong with a field, which is said beside it, has
// the focus and is told to who cannot see.
func (p *tab) wrongAt(field, text string) {
	p.t.Helper()
	p.shows(".notice.bad", text)
	p.until(`document.querySelectorAll("[aria-invalid]").length === 1 && document.activeElement.name === "` + field + `" &&
		document.getElementById(document.activeElement.getAttribute("aria-describedby")).innerText.includes("` + text + `")`)
}

// TestAMailTargetIsSetUpInTheBrowser: what is wrong is said beside its field, the
// password never comes out, a test mail goes out, who saves second is told, and
// the target is switched off and deleted.
func TestAMailTargetIsSetUpInTheBrowser(t *testing.T) {
	w := newWorld(t)
	w.post = mailtest.New(mailtest.Options{User: "desk", Password: "not-to-be-seen"})
	t.Cleanup(w.post.Close)
	b := browsertest.Open(t)
	p := w.open(b, "admin")
	p.openPage("/setup/targets")
	p.shows("#targets", "no target yet")
	p.looks("/setup/targets/new?kind=mail", "target-mail-new")
	p.openPage("/setup/targets")
	p.click(`#new-target a[href$="kind=mail"]`)
	p.until(`document.querySelector("[name='set.host']")`)
	for field, value := range map[string]string{"name": "Answers", "set.from": "help", "set.host": "smtp.shop.test", "set.port": "often",
		"set.name": "Shop", "set.user": "desk"} {
		p.fill(field, value)
	}
	p.save()
	p.wrongAt("set.port", "often")
	p.fill("set.port", "587")
	p.save()
	p.wrongAt("set.from", "help@example.com")
	require.Equal(t, "smtp.shop.test", eval[string](p, `document.querySelector("[name='set.host']").value`), "what was typed stays")
	p.fill("set.from", "help@shop.test")
	p.save()
	p.wrongAt("set.user", "belong together")
	p.shot("target-mail-wrong")
	p.fill("set.encryption", "none")
	p.fill("secret.password", "mistyped-one")
	eval[bool](p, `(document.querySelector(".form-end button").focus(), true)`)
	p.do(chromedp.KeyEvent("\r"))
	p.shows(".notice.good", "Saved")
	require.NotContains(t, eval[string](p, `document.documentElement.outerHTML`), "mistyped-one", "secrets never come out")
	made := w.oneTarget()
	require.Equal(t, []any{notify.Kind("mail"), "Answers", []string{"password"}}, []any{made.Kind, made.Name, made.SecretNames})
	require.JSONEq(t, `{"host":"smtp.shop.test","port":587,"encryption":"none","from":"help@shop.test","name":"Shop","user":"desk"}`,
		string(made.Settings))
	at := "/setup/targets/" + string(made.ID)
	p.looks(at, "target-mail", "#test")
	p.tested(at, "mina@example.com", "password or secret is wrong")
	p.openPage(at)
	p.fill("secret.password", "not-to-be-seen")
	p.save()
	p.shows(".notice.good", "Saved")
	require.NotContains(t, eval[string](p, `document.documentElement.outerHTML`), "not-to-be-seen")
	p.tested(at, "mina@example.com", "delivered")
	got := w.post.Mails()
	require.Equal(t, []any{"help@shop.test", []string{"mina@example.com"}, "Test from Sangdam"},
		[]any{got[0].From, got[0].To, got[0].Subject})
	p.changedByTwo(w.open(b, "admin"), at)
	p.looks("/setup/targets", "targets")
	p.openPage(at)
	p.click("#delete")
	p.shows("#targets", "no target yet")
}

// changedByTwo goes on with the page in two tabs: who saves second is told. Then
// the target is switched off, and forgets the password with its user.
func (p *tab) changedByTwo(second *tab, at string) {
	t, w := p.t, p.w
	second.openPage(at)
	p.openPage(at)
	p.fill("set.name", "Shop of Mina")
	p.save()
	p.shows(".notice.good", "Saved")
	second.fill("set.name", "Another shop")
	second.save()
	second.shows(".notice.bad", "changed by somebody else")
	require.Contains(t, string(w.oneTarget().Settings), "Shop of Mina")
	p.fill("set.user", "")
	p.fill("disabled", "1")
	p.save()
	p.shows("#test", "Switch the target on")
	require.Empty(t, w.oneTarget().SecretNames)
}

// tested sends a test message from a target's page and waits until its own page
// says what became of it.
func (p *tab) tested(at, to, became string) {
	p.t.Helper()
	p.openPage(at)
	if to != "" {
		p.fill("to", to)
	}
	p.click("#test button")
	p.shows("h1", "target.test")
	p.shows("#live .facts", became)
}

// reports asks the engine's handler of what receivers report.
func (w *world) reports(r *http.Request) int {
	got := httptest.NewRecorder()
	w.eng.TargetHooks().ServeHTTP(got, r)
	return got.Code
}

// TestARoomAndItsTasksAreSetUpInTheBrowser: the messenger's room takes a test, and
// the address to which a project reports is shown once.
func TestARoomAndItsTasksAreSetUpInTheBrowser(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/targets/new?kind=dooray")
	p.fill("name", "Room of the desk")
	p.fill("secret.url", "https://hook.dooray.com/services/1/2/not-to-be-seen")
	p.fill("set.bot_name", "Desk")
	p.save()
	p.shows(".notice.good", "Saved")
	room := w.oneTarget()
	at := "/setup/targets/" + string(room.ID)
	p.looks(at, "target-room")
	p.openPage(at)
	require.NotContains(t, eval[string](p, `document.documentElement.outerHTML`), "not-to-be-seen")
	p.tested(at, "", "delivered")
	require.Len(t, w.room.Notices(), 1)
	p.openPage(at)
	p.click("#delete")
	p.shows("#targets", "no target yet")

	p.openPage("/setup/targets/new?kind=dooray_task")
	p.fill("name", "Repairs")
	p.fill("set.project", "four")
	p.fill("secret.key", "key-of-the-project")
	p.save()
	p.wrongAt("set.project", "a number")
	p.fill("set.project", "4000")
	p.fill("set.to", "55, 66")
	p.fill("secret.key", "key-of-the-project")
	p.fill("key.new.name", "key:ara")
	p.fill("key.new", "key-of-ara")
	p.save()
	p.until(`document.querySelector("#secret")`)
	p.shot("target-tasks-made")
	made := w.oneTarget()
	require.Equal(t, []string{"hook", "key", "key:ara"}, made.SecretNames)
	require.JSONEq(t, `{"project":"4000","to":["55","66"]}`, string(made.Settings))
	address, err := url.Parse(p.text("#secret"))
	require.NoError(t, err)
	require.Equal(t, "desk.example.com", address.Host)
	report, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address.String(), http.NoBody)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, w.reports(report), "the address is known, and an empty report refused")
	at = "/setup/targets/" + string(made.ID)
	p.looks(at, "target-tasks", "#keys-of")
	p.openPage(at)
	require.NotContains(t, eval[string](p, `document.documentElement.outerHTML`), address.Path)
	require.False(t, eval[bool](p, `!!document.querySelector("#test")`), "a test would be a task that somebody has to do")
	p.fill("drop.key:ara", "1")
	p.save()
	p.shows(".notice.good", "Saved")
	require.Equal(t, []string{"hook", "key"}, w.oneTarget().SecretNames)
	p.click("#rotate")
	p.until(`document.querySelector("#secret")`)
	require.Equal(t, http.StatusNotFound, w.reports(report), "the old address has ended")
}

// TestAHostsOwnKindHasAPage of its settings and the names of its secrets, as far as
// anybody can know them.
func TestAHostsOwnKindHasAPage(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/targets/new?kind=pager")
	p.fill("name", "Night watch")
	p.fill("settings", `{"station":`)
	p.save()
	p.wrongAt("settings", "JSON")
	p.fill("settings", `{"station": "North"}`)
	p.save()
	p.wrongAt("settings", "opens it")
	p.fill("key.new.name", "code")
	p.fill("key.new", "not-to-be-seen")
	p.save()
	p.shows(".notice.good", "Saved")
	made := w.oneTarget()
	require.Equal(t, []string{"code"}, made.SecretNames)
	at := "/setup/targets/" + string(made.ID)
	p.looks(at, "target-other")
	p.tested(at, "north", "delivered")
	p.openPage(at)
	require.NotContains(t, eval[string](p, `document.documentElement.outerHTML`), "not-to-be-seen")
}

// Without a script a form is the same; what is wrong is said in the reader's
// language, and of a kind that the page does not know it shows what is there.
func TestATargetIsSetUpWithoutAScript(t *testing.T) {
	w := newWorld(t)
	c := w.client("admin")
	c.header.Set("Accept-Language", "ko")
	form := url.Values{"key": {"one"}, "version": {"0"}, "kind": {"mail"}, "name": {"메일"}, "set.from": {"help"},
		"set.host": {"smtp.shop.test"}}
	resp := c.do(http.MethodPost, "/setup/targets/new", form.Encode())
	require.Contains(t, bodyAs(t, http.StatusBadRequest, resp), "메일 주소가 아닙니다")
	form.Set("set.from", "help@shop.test")
	form.Set("key", "two")
	require.Equal(t, http.StatusSeeOther, c.do(http.MethodPost, "/setup/targets/new", form.Encode()).StatusCode)
	made := w.oneTarget()
	nobody := bodyAs(t, http.StatusBadRequest, c.do(http.MethodPost, "/setup/targets/"+string(made.ID)+"/test", "key=three"))
	require.Contains(t, nobody, "받을 사람을 적으세요")
	require.Contains(t, nobody, `value="help@shop.test"`)

	_, err := w.eng.SaveTarget(t.Context(), w.host, sangdam.SaveTarget{Target: notify.Target{ID: "pager", Kind: "pager", Name: "Pager",
		Settings: json.RawMessage(`{"station":"North"}`), Secrets: map[string]channel.Secret{"code": channel.NewSecret("not-to-be-seen")}}})
	require.NoError(t, err)
	page := bodyOf(t, c.do(http.MethodGet, "/setup/targets/pager", ""))
	require.NotContains(t, page, "not-to-be-seen")
	require.Contains(t, page, "비밀 값")
	d, err := w.eng.Directory(t.Context(), w.as("ara"))
	require.NoError(t, err)
	require.Equal(t, []notify.Kind{"buzzer", "dooray", "dooray_task", "mail", "pager", "webhook"}, d.TargetKinds)
}

// A kind that the console does not know has a form of what its carrier says, and what
// is wrong stands beside the field that the carrier names.
func TestAKindThatDescribesItselfHasAForm(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/targets")
	p.shows("#new-target", "Buzzer of the ward")
	p.openPage("/setup/targets/new?kind=buzzer")
	p.fill("name", "Ward")
	p.fill("set.station", "south")
	p.fill("set.tries", "often")
	p.fill("secret.code", "short")
	p.save()
	p.wrongAt("set.tries", "often")
	p.fill("set.tries", "3")
	p.fill("secret.code", "short")
	p.save()
	p.wrongAt("set.station", "ask the ward")
	p.fill("set.station", "north")
	p.fill("secret.code", "short")
	p.save()
	p.wrongAt("secret.code", "longer")
	p.shot("target-described-wrong")
	p.fill("secret.code", "not-to-be-seen")
	p.save()
	p.shows(".notice.good", "Saved")
	made := w.oneTarget()
	require.Equal(t, []string{"code"}, made.SecretNames)
	require.JSONEq(t, `{"station":"north","tries":3}`, string(made.Settings))
	at := "/setup/targets/" + string(made.ID)
	p.looks(at, "target-described")
	p.tested(at, "mina", "delivered")
	p.openPage("/setup/targets")
	p.shows("#targets", "north")
	c := w.client("admin")
	c.header.Set("Accept-Language", "ko")
	page := bodyOf(t, c.do(http.MethodGet, at, ""))
	require.Contains(t, page, "기지국")
	require.Contains(t, page, "Tries", "what has no Korean is said in English")
	require.NotContains(t, page, "not-to-be-seen")
}
