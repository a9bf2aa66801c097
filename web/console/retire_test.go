package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// retire presses the button that takes the page's part of the set-up out of use, once it
// was said that it is meant.
func (p *tab) retire() {
	p.t.Helper()
	p.click("#retire [name=sure]")
	p.click("#retire button")
}

// A queue that was made by mistake goes out of use by a button and a yes, is then in no
// chooser and apart from the others, and comes back. What is in the way is said in the
// reader's language.
func TestAQueueIsTakenOutOfUseInTheBrowser(t *testing.T) {
	w := newWorld(t)
	spare := routing.Queue{ID: "spare", Name: "Spare", Members: []routing.AgentID{"ara"}}
	_, err := w.eng.SaveQueue(t.Context(), w.host, sangdam.SaveQueue{Queue: spare})
	require.NoError(t, err)
	retired := func() bool {
		cfg, err := w.eng.Configuration(t.Context(), w.host)
		require.NoError(t, err)
		return cfg.Queues["spare"].Retired
	}
	unsure := w.client("admin").do(http.MethodPost, "/setup/queues/spare", "retire=out&version=1")
	require.Equal(t, http.StatusBadRequest, unsure.StatusCode, "without the yes")
	require.False(t, retired())

	p := w.open(browsertest.Open(t), "admin")
	p.speak("ko")
	p.openPage("/setup/queues/everyone")
	p.retire()
	p.shows(".notice.bad", `이곳으로 이어지는 설정이 있습니다: work stream "line"`)
	p.shows("#retire h2", "사용 중지")
	require.NotContains(t, p.text("#retire h2"), "사용 중지됨", "it is in use as before")
	p.openPage("/setup/queues/spare")
	p.retire()
	p.shows("#retire h2", "사용 중지됨")
	p.shot("queue-retired")
	require.True(t, retired())
	p.speak("en")
	p.openPage("/setup")
	require.NotContains(t, p.text("#setup-queues > ul"), "Spare")
	p.shows("#setup-queues details", "out of use")
	p.openPage("/setup/streams/line")
	require.NotContains(t, p.text("select[name=queue]"), "Spare")
	p.openPage("/queues")
	require.NotContains(t, p.text("#live"), "Spare")

	p.openPage("/setup/queues/spare")
	p.fill("name", "Kept")
	p.save()
	p.shows(".notice.good", "Saved")
	require.True(t, retired(), "a save of the page leaves it out of use")
	p.click("#retire button")
	p.until(`document.querySelector("#retire [name=sure]")`)
	require.False(t, retired())
	p.openPage("/setup/streams/line")
	require.Contains(t, p.text("select[name=queue]"), "Kept")
}

// A desk and a work stream go out of use in the same way, once the account is elsewhere.
func TestADeskAndAWorkStreamAreTakenOutOfUseInTheBrowser(t *testing.T) {
	w := newWorld(t)
	cfg, err := w.eng.Configuration(t.Context(), w.host)
	require.NoError(t, err)
	stream := cfg.WorkStreams["line"]
	stream.ID, stream.Name, stream.Version = "spare", "Spare", 0
	_, err = w.eng.SaveWorkStream(t.Context(), w.host, sangdam.SaveWorkStream{WorkStream: stream})
	require.NoError(t, err)
	p := w.open(browsertest.Open(t), "admin")
	p.speak("ko")
	for _, path := range []string{"/setup/desks/support", "/setup/streams/line"} {
		p.openPage(path)
		p.retire()
		p.shows(".notice.bad", `계정 "Shop on LINE"이(가) 있습니다`)
		p.until(`document.querySelector("#retire [name=sure]")`)
	}
	p.speak("en")
	for _, path := range []string{"/setup/desks/elsewhere", "/setup/streams/spare"} {
		p.openPage(path)
		p.retire()
		p.shows("#retire h2", "Out of use")
	}
	cfg, err = w.eng.Configuration(t.Context(), w.host)
	require.NoError(t, err)
	require.True(t, cfg.Desks["elsewhere"].Retired)
	require.True(t, cfg.WorkStreams["spare"].Retired)
	p.openPage("/setup")
	p.shows("#setup-desks details", "out of use")
	p.shows("#setup-streams details", "out of use")
	p.openPage("/setup/accounts/shop")
	require.NotContains(t, p.text("select[name=desk]"), "Elsewhere")
	require.NotContains(t, p.text("select[name=stream]"), "Spare")
	for _, path := range []string{"/setup/desks/elsewhere", "/setup/streams/spare"} {
		p.openPage(path)
		p.save()
		p.shows(".notice.good", "Saved")
		p.click("#retire button")
		p.until(`document.querySelector("#retire [name=sure]")`)
	}
}
