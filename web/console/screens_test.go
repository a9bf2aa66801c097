package console_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// maxScreen is the largest picture that the documents hold, in bytes.
const maxScreen = 150_000

// TestScreens makes the pictures of docs/screens, where the variable SCREENS says
// so; see docs/screens/README.md.
func TestScreens(t *testing.T) {
	if os.Getenv("SCREENS") == "" {
		return
	}
	w := newWorld(t)
	s := &screens{t: t, w: w, b: browsertest.Open(t)}
	s.desk()
	ara, admin := s.signedIn("ara", "ko"), s.signedIn("admin", "en")

	ara.openPage("/conversations/" + s.mina + "?view=mine")
	ara.shows("#thread", "orders/20261129")
	s.take(ara, "inbox-ko")
	ara.dark(true)
	ara.openPage("/conversations/" + s.mina + "?view=mine")
	ara.shows("#thread", "orders/20261129")
	s.take(ara, "inbox-dark")
	ara.dark(false)
	ara.until(`document.querySelector("#text")`)
	eval[bool](ara, `(document.querySelector("#text").focus(), true)`)
	ara.do(chromedp.KeyEvent("/"))
	ara.shows("#canned", "배송")
	s.take(ara, "quick-replies")
	ara.do(chromedp.KeyEvent("\b"), chromedp.EmulateViewport(400, 820))
	ara.openPage("/conversations/" + s.mina + "?view=mine")
	s.take(ara, "phone")
	ara.do(chromedp.EmulateViewport(1200, 760))
	bo := s.signedIn("bo", "ko")
	w.online("bo")
	bo.openPage("/queues")
	bo.shows("#offers .offer", "문의드립니다")
	s.take(bo, "offer")

	for name, path := range map[string]string{"queues": "/queues", "history": "/history?state=closed", "ticket": "/tickets/" + s.ticket,
		"trigger": "/triggers/new", "setup": "/setup", "account": "/setup/accounts/shop",
		"explain": "/conversations/" + s.mina + "/explain"} {
		admin.openPage(path)
		if name == "account" {
			admin.until(`document.querySelector(".findings")`)
		}
		s.take(admin, name)
	}
}

// screens is what the pictures are taken of.
type screens struct {
	t            *testing.T
	w            *world
	b            context.Context
	mina, ticket string
}

// signedIn is an agent's browser in a language.
func (s *screens) signedIn(agent, lang string) *tab {
	p := s.w.open(s.b, agent)
	p.do(chromedp.EmulateViewport(1200, 760))
	eval[bool](p, `(window.chosen = false, fetch("/desk/preferences", {method: "POST", body: new URLSearchParams({lang: "`+lang+`"})})
		.then(() => { window.chosen = true; }), true)`)
	p.until(`window.chosen`)
	return p
}

// take keeps a picture of the page as it stands.
func (s *screens) take(p *tab, name string) {
	s.t.Helper()
	p.until(`document.fonts.status === "loaded"`)
	p.rested()
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(s.t, err)
	require.Less(s.t, len(picture), maxScreen, name)
	dir := filepath.Join("..", "..", "docs", "screens")
	require.NoError(s.t, os.MkdirAll(dir, 0o755))
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644))
}

// desk lets some customers write, and one be served.
func (s *screens) desk() {
	w, ctx, t := s.w, s.t.Context(), s.t
	w.online("ara")
	for id, name := range map[string]string{"ara": "김아라", "bo": "이보라"} {
		agents, err := w.eng.Agents(ctx, w.host)
		require.NoError(t, err)
		for _, a := range agents {
			if string(a.ID) == id {
				a.Name, a.Capacity = name, map[routing.Profile]int{routing.ProfileUnits: map[string]int{"ara": 2, "bo": 1}[id]}
				_, err = w.eng.SaveAgent(ctx, w.host, sangdam.SaveAgent{Agent: a})
				require.NoError(t, err)
			}
		}
	}
	for title, text := range map[string]string{"배송 조회": "#{customer.name}님, 배송은 보통 이틀 걸립니다.", "인사": "안녕하세요, #{agent.name}입니다."} {
		_, err := w.eng.SaveQuickReply(ctx, w.host,
			sangdam.SaveQuickReply{Reply: sangdam.QuickReply{Title: title, Texts: map[string]string{"": text}}})
		require.NoError(t, err)
	}
	say := func(id conversation.ID, text string) {
		_, err := w.eng.Answer(ctx, w.as("ara"), sangdam.Answer{Conversation: id, Content: channel.Text(text)})
		require.NoError(t, err)
	}
	for i, c := range [][2]string{{"박도윤", "환불하고 싶어요"}, {"최하은", "사이즈가 안 맞아요"}, {"Alex Kim", "Do you ship abroad?"}} {
		w.line.User(c[0]).SendText(c[1])
		w.conversationOf(c[0])
		id := w.owned(c[0], "ara")
		say(id, []string{"접수해 드렸습니다. 감사합니다!", "교환을 도와드릴게요.", "Yes, we do."}[i])
		if i < 2 {
			_, err := w.eng.End(ctx, w.host, sangdam.End{Conversation: id, Final: true, Reason: "solved"})
			require.NoError(t, err)
		}
	}
	mina := w.line.User("정민아")
	mina.SendText("안녕하세요, 주문한 상품이 아직 안 왔어요.")
	id := w.owned("정민아", "ara")
	s.mina = string(id)
	say(id, "안녕하세요! 확인해 보겠습니다. 잠시만 기다려 주세요.")
	_, err := w.eng.AddNote(ctx, w.as("ara"), sangdam.AddNote{Conversation: id, Text: "지난달에도 배송이 늦었던 고객"})
	require.NoError(t, err)
	mina.SendText("네! https://shop.example.com/orders/20261129 입니다")
	made, err := w.eng.OpenTicket(ctx, w.host,
		sangdam.OpenTicket{Conversation: id, Title: "A parcel that never came", Body: "Ordered on the 20th."})
	require.NoError(t, err)
	s.ticket = string(made.Ticket)
	for _, name := range []string{"윤지호", "한소희"} {
		w.line.User(name).SendText("문의드립니다")
		w.conversationOf(name)
	}
	w.eventually("what was said has arrived", func() bool { return len(mina.Texts()) > 0 })
}
