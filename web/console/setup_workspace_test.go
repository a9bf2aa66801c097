package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/browsertest"
)

// The workspace's settings in the browser: what is found is masked, an outside
// channel is confirmed, and hours count for everybody.
func TestTheWorkspaceIsSetUpInTheBrowser(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/workspace")
	p.fill("found", "mask")
	p.fill("keep", "2")
	eval[bool](p, `(document.querySelector("[name=personal][value=email]").checked = true)`)
	eval[bool](p, `(document.querySelector("[name=feature][value=sms]").checked = false, true)`)
	p.fill("confirm", "1")
	p.fill("languages", "ko, en")
	p.fill("hours.mode", "week")
	p.fill("hours.zone", "Asia/Seoul")
	p.fill("hours.day.1", "9-18")
	p.save()
	p.shows(".notice.bad", "HH:MM")
	require.Equal(t, "mask", eval[string](p, `document.querySelector("[name=found]").value`), "what was typed stays")
	p.fill("hours.day.1", "09:00-18:00")
	p.save()
	p.shows(".notice.good", "Saved")
	set, err := w.eng.TicketSetup(t.Context(), w.host)
	require.NoError(t, err)
	s := set.Settings
	require.Equal(t, sangdam.FoundMasked, s.Masking.Found)
	require.Equal(t, 2, s.Masking.KeepLast)
	require.Contains(t, s.Masking.Types, privacy.Email)
	require.Equal(t, []sangdam.Switch{sangdam.SwitchSMS}, s.Off)
	require.Equal(t, []string{"ko", "en"}, s.Languages)
	require.Equal(t, "Asia/Seoul", s.Hours.Zone)

	p.openPage("/setup/accounts/shop")
	p.fill("disabled", "1")
	p.save()
	p.shows(".notice.good", "Saved")
	p.fill("disabled", "")
	p.save()
	p.shows(".notice.bad", "leaves the organisation")
	p.fill("confirmed", "1")
	p.save()
	p.shows("#agreed", "Dana Admin confirmed on "+time.Now().UTC().Format("2006"))

	p.openPage("/setup/workspace")
	eval[bool](p, `(document.querySelector("[name=forbidden][value=line]").checked = true)`)
	p.save()
	p.shows(".notice.good", "Saved")
	p.openPage("/setup/channels")
	p.shows("tr", "policy forbids this channel")
	p.click(`table a[href$="/setup/accounts/shop"]`)
	p.fill("disabled", "1")
	p.save()
	p.shows(".notice.good", "Saved")
	p.fill("disabled", "")
	p.fill("confirmed", "1")
	p.save()
	p.shows(".notice.bad", "forbids the channel")
}

// An address that another tool has at the provider is shown, and replaced only
// after somebody has said so.
func TestAnotherToolsWebhookIsShownBeforeItIsReplaced(t *testing.T) {
	w := newWorld(t)
	resp := w.client("admin").do(http.MethodPost, "/setup/accounts/shop/connect", "")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode, "the emulator's webhook leads elsewhere")
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/setup/accounts/shop")
	p.shows("#check .warn", w.web.URL+"/line")
	p.click("[name=replace]")
	p.click(`form[action$="/connect"] button`)
	p.shows(".notice.good", "Saved")
	p.shows(".findings .fine", "LINE sends webhooks to this address")
}

// The page of channels lists every account and says what each kind needs
// beforehand; after an account is saved its page leads on, to pages that are there.
func TestTheChannelsPageSaysWhatComesBeforeAndAfter(t *testing.T) {
	w := newWorld(t)
	w.chat()
	admin := w.client("admin")
	page := bodyOf(t, admin.do(http.MethodGet, "/setup/channels", ""))
	for _, has := range []string{"/setup/accounts/shop", "/setup/accounts/chat", "Messaging API channel of a LINE Official Account",
		"Nothing is needed beforehand", "/setup/accounts/new?kind=line"} {
		require.Contains(t, page, has)
	}
	require.Contains(t, bodyOf(t, admin.do(http.MethodGet, "/setup/accounts/new?kind=line", "")), "Messaging API channel")
	require.NotContains(t, bodyOf(t, admin.do(http.MethodGet, "/setup/accounts/shop", "")), `id="next"`)
	_, next, found := strings.Cut(bodyOf(t, admin.do(http.MethodGet, "/setup/accounts/shop?saved=1", "")), `id="next"`)
	require.True(t, found)
	next, _, _ = strings.Cut(next, "</section>")
	steps := regexp.MustCompile(`href="/desk([^"]+)"`).FindAllStringSubmatch(next, -1)
	require.Len(t, steps, 5, "rules, bot, queue, desk, triggers")
	for _, s := range steps {
		path, _, _ := strings.Cut(s[1], "#")
		require.Equal(t, http.StatusOK, admin.do(http.MethodGet, path, "").StatusCode, path)
	}
}
