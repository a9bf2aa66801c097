package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/browsertest"
)

// The main job: a customer writes, the offer comes, is taken, answered, ended.
func TestAnAgentAnswersACustomer(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "ara")
	p.shows("#list", "You have no conversation")
	p.shot("empty")
	p.click("#presence")
	p.click("#presence-online")
	p.shows("#presence", "Online")

	mina := w.line.User("Mina")
	mina.SendText("Where is my parcel?")
	p.shows("#offers .offer", "Where is my parcel?")
	p.shows("#offers .offer", "Mina")
	p.until(`document.title.startsWith("(1)")`)
	p.shot("offer")
	p.click("#offers .offer .primary")
	p.shows("#thread", "Where is my parcel?")
	p.say("It is on its way.")
	require.Equal(t, []string{"It is on its way."}, w.texts(mina, 1))
	p.shows("#thread .ours", "It is on its way.")
	p.until(`document.querySelectorAll("#thread .ours").length === 1`)
	p.shows("#thread .ours .status", "sent")

	mina.SendText("Thanks!")
	p.shows("#thread .theirs", "Thanks!")
	p.click(".modes [data-mode=note]")
	p.say("She is friendly")
	p.shows("#lines .note", "She is friendly")
	p.shot("thread")
	p.click("#end-open")
	p.click("#end button[type=submit]")
	p.shows("#work-head", "Ended")
	p.shows("#cannot", "Ended")
	require.Equal(t, []string{"It is on its way."}, w.texts(mina, 1), "a note goes to nobody")
}

func TestShots(t *testing.T) {
	w := newWorld(t)
	w.online("ara")
	b := browsertest.Open(t)
	mina, jun := w.line.User("Mina"), w.line.User("김준호")
	mina.SendText("안녕하세요, 주문한 상품이 아직 안 왔어요.")
	id := w.owned("Mina", "ara")
	jun.SendText("환불하고 싶어요")
	w.conversationOf("김준호")
	p := w.open(b, "ara")
	p.openPage("/conversations/" + string(id))
	p.say("확인해 보겠습니다. 잠시만 기다려 주세요.")
	w.texts(mina, 1)
	mina.SendText("네! https://shop.example.com/orders/20261129 여기 있어요")
	p.shows("#thread", "orders")
	for _, lang := range []string{"en", "ko"} {
		eval[bool](p, `(fetch("/desk/preferences", {method: "POST", body: new URLSearchParams({lang: "`+lang+`"})}), true)`)
		p.until(`(() => { const x = new XMLHttpRequest(); x.open("GET", location.href, false); x.send(); return x.responseText.includes('lang="` + lang + `"'); })()`)
		for _, width := range []int64{1400, 1000, 400} {
			p.do(chromedp.EmulateViewport(width, 850))
			for _, dark := range []bool{false, true} {
				p.dark(dark)
				p.openPage("/conversations/" + string(id))
				p.shows("#thread", "orders")
				name := map[bool]string{true: "dark", false: "light"}[dark]
				p.shot(lang + "-" + name + "-" + map[int64]string{1400: "wide", 1000: "middle", 400: "narrow"}[width])
			}
		}
		p.do(chromedp.EmulateViewport(400, 850))
		p.dark(false)
		p.openPage("/conversations?view=all")
		p.shot(lang + "-list-narrow")
		p.do(chromedp.EmulateViewport(1400, 850))
		for _, page := range []string{"/queues", "/history?q=", "/conversations/" + string(id) + "/explain"} {
			p.openPage(page)
			p.shot(lang + "-page" + map[string]string{"/queues": "-queues", "/history?q=": "-history"}[page])
		}
	}
}

// A send is taken back within its five seconds: the words stand in the composer
// again, and the customer never had them. Colleagues see who is replying.
func TestASendIsUndoneAndColleaguesSeeWhoReplies(t *testing.T) {
	w := newWorld(t)
	mina := w.line.User("Mina")
	mina.SendText("hello")
	id := w.owned("Mina", "ara")
	b := browsertest.Open(t)
	p, colleague := w.open(b, "ara"), w.open(b, "bo")
	colleague.openPage("/conversations/" + string(id) + "?view=all")
	colleague.until(`document.querySelector("#banner").hidden`)
	p.openPage("/conversations/" + string(id))
	p.until(`document.querySelector("#banner").hidden`)
	p.say("Too early")
	colleague.shows("#typing", "Ara Kim")
	p.click(".undo button")
	p.until(`document.querySelector("#text").value === "Too early"`)
	p.shows("#lines .ours", "Taken back")
	require.Empty(t, mina.Texts())
	p.say(", now")
	require.Equal(t, []string{"Too early, now"}, w.texts(mina, 1))
	p.until(`!document.querySelector(".undo")`)
}
