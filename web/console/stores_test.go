package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/sqlite"
)

// A customer and two agents, each in a browser of its own, on the stores that
// people run: what one declines comes to the other, a note goes along with the
// conversation, the end asks for a rating, and the history finds it all.
func TestACustomerAndTwoAgentsOnEveryStore(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *store.DB{
		"sqlite": func(t *testing.T) *store.DB {
			db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
			require.NoError(t, err)
			return db
		},
		"postgres": func(t *testing.T) *store.DB {
			db, err := postgres.Open(t.Context(), postgres.Options{DSN: pgtest.Start(t)})
			require.NoError(t, err)
			return db
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			twoAgents(t, newWorldOn(t, db))
		})
	}
}

func twoAgents(t *testing.T, w *world) {
	cfg, err := w.eng.Configuration(t.Context(), w.host)
	require.NoError(t, err)
	stream := cfg.WorkStreams["line"]
	stream.Messages = automated.Texts{automated.Rating: {"": "How was it?"}}
	_, err = w.eng.SaveWorkStream(t.Context(), w.host, sangdam.SaveWorkStream{WorkStream: stream})
	require.NoError(t, err)
	b := browsertest.Open(t)
	ara, bo := w.open(b, "ara"), w.open(b, "bo")
	w.online("ara", "bo")
	mina := w.line.User("Mina")
	mina.SendText("배송이 늦어요")
	ara.shows("#offers .offer", "배송이 늦어요")
	bo.until(`document.querySelectorAll("#offers .offer").length === 0`)
	ara.click("#offers .offer form[action$='/decline'] button")
	bo.shows("#offers .offer", "배송이 늦어요")
	ara.until(`document.querySelectorAll("#offers .offer").length === 0`)
	bo.click("#offers .offer .primary")
	bo.shows("#thread", "배송이 늦어요")
	bo.say("확인할게요")
	require.Equal(t, []string{"확인할게요"}, w.texts(mina, 1))
	bo.click("#transfer-open")
	bo.fill("agent", "ara")
	bo.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#transfer [name=note]").value = "창고에 물어보세요"`))
	bo.click("#transfer-now")
	w.eventually("ara has it", func() bool { return w.conversationOf("Mina").Agent == routing.AgentID("ara") || w.offered("ara") })
	if w.offered("ara") {
		ara.click("#offers .offer .primary")
	} else {
		ara.openPage("/conversations/" + string(w.conversationOf("Mina").ID) + "?view=mine")
	}
	ara.shows("#lines .note", "창고에 물어보세요")
	ara.say("오늘 출발했습니다")
	require.Equal(t, "오늘 출발했습니다", w.texts(mina, 2)[1])
	ara.click("#end-open")
	ara.click("#end button[type=submit]")
	require.Equal(t, "How was it?", w.texts(mina, 3)[2])
	_, err = mina.Press("5 ★", linetest.Answer{})
	require.NoError(t, err)
	ara.shows("#panel", "★★★★★")
	ara.openPage("/history?handled=yes")
	ara.shows("table", "Mina")
}

// offered says that something is offered to the agent.
func (w *world) offered(agent string) bool {
	held, err := w.eng.Held(w.t.Context(), w.as(agent), routing.AgentID(agent))
	require.NoError(w.t, err)
	return len(held.Offers) > 0
}

// The main job with the keyboard alone: presence, the offer, the answer, a note,
// and the end, without a pointer.
func TestTheMainJobWithTheKeyboardAlone(t *testing.T) {
	w := newWorld(t)
	mina := w.line.User("Mina")
	p := w.open(browsertest.Open(t), "ara")
	press := func(selector string) {
		t.Helper()
		p.tabTo(selector)
		p.do(chromedp.KeyEvent("\r"))
	}
	press("#presence")
	press("#presence-online")
	p.shows("#presence", "Online")
	mina.SendText("hello")
	p.shows("#offers .offer", "hello")
	press("#offers .primary")
	p.until(`document.activeElement && document.activeElement.id === "text"`)
	p.do(chromedp.KeyEvent("hi, Mina"), chromedp.KeyEvent("\r"))
	require.Equal(t, []string{"hi, Mina"}, w.texts(mina, 1))
	press(`[data-mode=note]`)
	p.do(chromedp.KeyEvent("calm"), chromedp.KeyEvent("\r"))
	p.shows("#lines .note", "calm")
	press("#end-open")
	press("#end button[type=submit]")
	p.shows("#cannot", "Ended")
}

// tabTo goes on with the Tab key until the element has the focus.
func (p *tab) tabTo(selector string) {
	p.t.Helper()
	for range 120 {
		if eval[bool](p, `!!document.activeElement && document.activeElement.matches(`+"`"+selector+"`"+`)`) {
			return
		}
		p.do(chromedp.KeyEvent("\t"))
	}
	require.Fail(p.t, "the keyboard does not get there", selector)
}
