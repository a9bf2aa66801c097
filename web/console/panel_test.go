package console_test

import (
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/ticket"
)

// An agent chooses what a conversation was about from the chat's own tree of
// categories, whose levels are seen; trees of tickets are not among them.
func TestACategoryOfTheChatIsChosenInThePanel(t *testing.T) {
	w := newWorld(t)
	version := map[ticket.TreeKind]int64{}
	category := func(tree ticket.TreeKind, parent ticket.CategoryID, ko string) ticket.CategoryID {
		saved, err := w.eng.SaveCategory(t.Context(), w.host, sangdam.SaveCategory{Tree: tree, Version: version[tree],
			Category: ticket.Category{Parent: parent, Names: map[string]string{"en": "Of " + ko, "ko": ko}}})
		require.NoError(t, err)
		version[tree] = saved.Version
		return ticket.CategoryID(saved.ID)
	}
	category(ticket.Resolution, "", "티켓")
	delivery := category(ticket.ChatResolution, "", "배송")
	late := category(ticket.ChatResolution, delivery, "지연")
	w.line.User("Mina").SendText("where is it")
	id := w.owned("Mina", "ara")
	p := w.open(browsertest.Open(t), "ara")
	p.speak("ko")
	p.openPage("/conversations/" + string(id))
	p.until(`document.querySelector("#panel [name=category]")`)
	require.Len(t, eval[[]string](p, `[...document.querySelector("#panel [name=category]").options].map(o => o.label)`), 3,
		"none, and the two of the chat")
	p.shows("#panel [name=category]", "지연")
	p.fill("category", string(late))
	eval[bool](p, `(document.querySelector("#panel [name=category]").form.requestSubmit(), true)`)
	w.eventually("it is kept", func() bool {
		d, err := w.eng.Conversation(t.Context(), w.host, id)
		require.NoError(t, err)
		return d.Conversation.Category == string(late)
	})
	for _, width := range []int64{1400, 360} {
		p.do(chromedp.EmulateViewport(width, 900))
		p.openPage("/conversations/" + string(id))
		p.until(`document.querySelector("#panel [name=category]").value === "` + string(late) + `"`)
		p.shot("category-" + strconv.FormatInt(width, 10))
	}
}
