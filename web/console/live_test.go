package console_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/sqlite"
	"github.com/sangdam/sangdam/ticket"
)

// restart ends the web server and every connection, and starts it again at the
// same address when up is called, for the engine that there is then.
func (w *world) restart() (up func()) {
	addr := w.web.Listener.Addr().String()
	w.web.CloseClientConnections()
	w.web.Close()
	return func() {
		var ln net.Listener
		w.eventually("the address is free", func() (ok bool) {
			var err error
			ln, err = net.Listen("tcp", addr)
			return err == nil
		})
		w.web = &httptest.Server{Listener: ln, Config: &http.Server{Handler: w.pages()}} //nolint:gosec // a test's server
		w.web.Start()
		w.t.Cleanup(func() { w.web.CloseClientConnections(); w.web.Close() })
	}
}

// A restart in the middle: the banner says so within five seconds, what is
// written is kept, and afterwards nothing is missing and nothing is there twice,
// in two tabs.
func TestARestartLosesAndDoublesNothing(t *testing.T) {
	w := newWorld(t)
	mina := w.line.User("Mina")
	mina.SendText("one")
	id := w.owned("Mina", "ara")
	b := browsertest.Open(t)
	p := w.open(b, "ara")
	p.openPage("/conversations/" + string(id))
	second, stop := chromedp.NewContext(p.ctx)
	t.Cleanup(stop)
	q := &tab{t: t, w: w, ctx: second}
	q.openPage("/conversations/" + string(id))
	p.shows("#thread .theirs", "one")
	p.say("two")
	q.shows("#thread .ours", "two")
	for _, x := range []*tab{p, q} {
		x.until(`document.querySelector("#banner").hidden`)
	}

	up := w.restart()
	down := time.Now()
	p.until(`!document.querySelector("#banner").hidden`)
	require.Less(t, time.Since(down), 5*time.Second, "the banner is true")
	p.say("three, while nobody serves")
	p.shows("#pending", "three, while nobody serves")
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#text").value = "a draft"; ` +
		`document.querySelector("#text").dispatchEvent(new Event("input", {bubbles: true}))`))
	_, err := w.eng.Answer(t.Context(), w.as("ara"), sangdam.Answer{Conversation: id, Content: channel.Text("by another way")})
	require.NoError(t, err)
	up()
	for _, x := range []*tab{p, q} {
		x.until(`document.querySelector("#banner").hidden`)
		x.shows("#lines .ours", "by another way")
		x.shows("#lines .ours", "three, while nobody serves")
		x.until(`document.querySelectorAll("#pending > li").length === 0`)
		require.Equal(t, 4, eval[int](x, `document.querySelectorAll("#lines .message").length`), "nothing twice")
	}
	require.ElementsMatch(t, []string{"two", "by another way", "three, while nobody serves"}, w.texts(mina, 3))
	p.openPage("/conversations/" + string(id))
	require.Equal(t, "a draft", eval[string](p, `document.querySelector("#text").value`), "drafts survive a reload")
	mina.SendText("five")
	p.shows("#lines .theirs", "five")
	q.shows("#lines .theirs", "five")
}

// An older copy of the file is put back, and grows past what the pages have seen:
// they show what is there now without being told.
func TestPagesBeginAnewAfterAnOlderCopyWasPutBack(t *testing.T) {
	open := func(dir string) *store.DB {
		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	w := newWorldOn(t, open(t.TempDir()))
	mina := w.line.User("Mina")
	mina.SendText("kept")
	id := w.owned("Mina", "ara")
	b := browsertest.Open(t)
	p := w.open(b, "ara")
	p.openPage("/conversations/" + string(id))
	p.shows("#lines .theirs", "kept")
	older := t.TempDir()
	require.NoError(t, sqlite.Backup(t.Context(), w.db, filepath.Join(older, "sangdam.db")))
	mina.SendText("lost")
	p.shows("#lines .theirs", "lost")

	up := w.restart()
	w.end()
	require.NoError(t, w.db.Close())
	w.db = open(older)
	w.cfg.DB = w.db
	w.begin()
	_, err := w.eng.Answer(t.Context(), w.as("ara"), sangdam.Answer{Conversation: id, Content: channel.Text("new")})
	require.NoError(t, err)
	for i := range 30 { // events of something else
		name := fmt.Sprint("desk", i)
		desk := routing.Desk{ID: routing.DeskID(name), Name: name}
		_, err := w.eng.SaveDesk(t.Context(), w.host, sangdam.SaveDesk{Desk: desk, Agent: "zed"})
		require.NoError(t, err)
	}
	up()
	p.shows("#lines .ours", "new")
	require.Equal(t, 2, eval[int](p, `document.querySelectorAll("#lines .message").length`), "and what is lost is gone")
}

// Enter belongs to the input method while something is composed: Korean is sent
// once and whole, Japanese is only confirmed.
func TestEnterWhileComposing(t *testing.T) {
	w := newWorld(t)
	mina := w.line.User("Mina")
	mina.SendText("hi")
	id := w.owned("Mina", "ara")
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/conversations/" + string(id))
	p.until(`document.querySelector("#text")`)
	compose := func(text string) {
		p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, input.ImeSetComposition,
				input.ImeSetCompositionParams{Text: text, SelectionStart: int64(len([]rune(text))),
					SelectionEnd: int64(len([]rune(text)))})
			return err
		}))
	}
	// What Chromium tells a page of Enter while it composes: keydown 229, then the
	// end of the composition, on some systems another keydown.
	enter := func(again bool) {
		eval[bool](p, `(() => { const t = document.querySelector("#text");
			t.dispatchEvent(new KeyboardEvent("keydown",
				{key: "Process", code: "Enter", keyCode: 229, isComposing: true, bubbles: true, cancelable: true}));
			return true; })()`)
		p.do(chromedp.Func(func(ctx context.Context, tt *chromedp.Target) error {
			_, err := cdp.Call(ctx, tt, input.InsertText, input.InsertTextParams{Text: eval[string](p, `window.composedNow`)})
			return err
		}))
		if again {
			eval[bool](p, `(document.querySelector("#text").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", code: "Enter", `+
				`keyCode: 13, bubbles: true, cancelable: true})), true)`)
		}
	}
	eval[bool](p, `(document.querySelector("#text").focus(), document.addEventListener("compositionupdate", e => window.composedNow = `+
		`e.data), true)`)
	for i, again := range []bool{false, true} {
		p.do(chromedp.KeyEvent("안녕하세"))
		compose("요")
		enter(again)
		p.until(fmt.Sprintf(`document.querySelectorAll("#lines .ours").length === %d`, i+1))
		require.Equal(t, "", eval[string](p, `document.querySelector("#text").value`))
	}
	compose("にほん")
	enter(false)
	require.Equal(t, "にほん", eval[string](p, `document.querySelector("#text").value`), "Japanese is confirmed, not sent")
	p.do(chromedp.KeyEvent("\r"))
	require.Equal(t, []string{"안녕하세요", "안녕하세요", "にほん"}, w.texts(mina, 3))
}

// corpus are texts that would run if they were taken for markup.
var corpus = []string{
	`<script>window.hacked=1</script>`, `"><img src=x onerror="window.hacked=1">`, `'><svg onload=window.hacked=1>`,
	`<iframe srcdoc="<script>parent.hacked=1</script>">`,
	`{{constructor.constructor('window.hacked=1')()}}`, `javascript:window.hacked=1`, `<a href="javascript:window.hacked=1">x</a>`,
	`</textarea><script>window.hacked=1</script>`,
	`<math><mtext><table><mglyph><style><img src=x onerror=window.hacked=1>`, `" hx-get="/desk/x" hx-trigger="load" x="`,
	`<div hx-on:click="window.hacked=1" hx-trigger="load">`,
	"\u202egnp.exe", `https://a.example/"onmouseover="window.hacked=1`, `data:text/html,<script>window.hacked=1</script>`,
}

// Whatever customers and agents write stays text.
func TestNothingThatIsWrittenRuns(t *testing.T) {
	w := newWorld(t)
	mina := w.line.User(corpus[1])
	for _, text := range corpus {
		mina.SendText(text)
	}
	c := w.conversationOf(corpus[1])
	_, err := w.eng.Assign(t.Context(), w.host, sangdam.Assign{Conversation: c.ID, Agent: "ara", Force: true})
	require.NoError(t, err)
	w.eventually("all are there", func() bool {
		d, err := w.eng.Conversation(t.Context(), w.host, c.ID)
		require.NoError(t, err)
		return len(d.Messages) == len(corpus)
	})
	evil := strings.Join(corpus, "\n")
	_, err = w.eng.AddNote(t.Context(), w.as("ara"), sangdam.AddNote{Conversation: c.ID, Text: evil})
	require.NoError(t, err)
	contact, _, err := w.eng.Contact(t.Context(), w.host, c.Contact)
	require.NoError(t, err)
	contact.Memo, contact.Email = evil, corpus[2]
	_, err = w.eng.SaveContact(t.Context(), w.host, sangdam.SaveContact{Contact: contact, Version: contact.Version})
	require.NoError(t, err)
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: corpus[0], Body: evil,
		Requester: ticket.Requester{Name: corpus[1]}})
	require.NoError(t, err)
	_, err = w.eng.SaveConversationView(t.Context(), w.as("ara"),
		sangdam.SaveConversationView{View: sangdam.ConversationView{Name: corpus[0],
			Owner: "ara"}})
	require.NoError(t, err)
	_, err = w.eng.SavePanel(t.Context(), w.as("ara"), sangdam.SavePanel{Conversation: c.ID, Memo: evil})
	require.NoError(t, err)
	p := w.open(browsertest.Open(t), "ara")
	for _, path := range []string{"/conversations/" + string(c.ID), "/conversations?view=all", "/me",
		"/conversations/" + string(c.ID) +
			"?linked_from=%22%3E%3Cimg%20src=x%20onerror=window.hacked=1%3E&linked_name=%3Cscript%3Ewindow.hacked=1%3C/script%3E",
		"/conversations/" + string(c.ID) + "/link?q=%22%3E%3Cscript%3Ewindow.hacked=1%3C/script%3E", "/history?q=hacked",
		"/history?q=" + "%22%3E%3Cscript%3Ewindow.hacked=1%3C/script%3E",
		"/queues", "/tickets?list=open", "/tickets/" + string(made.Ticket), "/conversations/" + string(c.ID) + "/explain"} {
		p.openPage(path)
		p.until(`document.querySelector("#banner").hidden`)
		require.False(t, eval[bool](p, `"hacked" in window`), path)
		require.Zero(t, eval[int](p, `document.querySelectorAll("main iframe, main script, main [onerror], main [onload], main `+
			`a[href^='javascript:'], main a[href^='data:']").length`), path)
	}
	p.openPage("/conversations/" + string(c.ID))
	require.Equal(t, len(corpus), eval[int](p, `document.querySelectorAll("#lines .theirs").length`))
	require.Contains(t, eval[string](p, `document.querySelector("#lines").innerText`), corpus[0], "shown as it was written")
}

// A file goes up, is shown, and is sent; a prepared answer comes by "/".
func TestFilesAndPreparedAnswers(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("hi")
	id := w.owned("Mina", "ara")
	_, err := w.eng.SaveTemplate(t.Context(), w.host,
		sangdam.SaveTemplate{Template: ticket.AnswerTemplate{Title: "Delivery", SearchCode: "deli", Body: "Two days, {customer}."}})
	require.NoError(t, err)
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/conversations/" + string(id))
	p.until(`document.querySelector("#text")`)
	eval[bool](p, `(document.querySelector("#text").focus(), true)`)
	p.do(chromedp.KeyEvent("/deli"))
	p.shows("#canned", "Delivery")
	p.do(chromedp.KeyEvent("\r"))
	require.Equal(t, "Two days, Mina.", eval[string](p, `document.querySelector("#text").value`))
	up := w.client("ara").do(http.MethodPost, "/files?name=note.txt&conversation="+string(id), "hello there")
	body, err := io.ReadAll(up.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, up.StatusCode, "%s", body)
}

// A list of very many conversations comes in pages, and no page holds more than
// 300 rows.
func TestALongListComesInPages(t *testing.T) {
	n := 2_000
	w := newWorld(t)
	require.NoError(t, w.db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		for i := range n {
			id := conversation.ID(fmt.Sprintf("c%06d", i))
			c := conversation.Conversation{ID: id, Thread: string(id), State: conversation.StateOpen, Desk: "support", WorkStream: "line",
				Account: "shop",
				Channel: "line", Chat: channel.Chat{Kind: channel.ChatUser, ID: string(id)}, Control: conversation.ControlNobody,
				Preview:  fmt.Sprintf("message %d", i),
				OpenedAt: tx.Now(), UpdatedAt: tx.Now().Add(time.Duration(i) * time.Millisecond)}
			if _, err := tx.Conversations().SaveConversation(ctx, c); err != nil {
				return err
			}
		}
		return nil
	}))
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/conversations?view=all")
	rows := `document.querySelectorAll("#rows > li").length`
	require.Equal(t, 50, eval[int](p, rows))
	for want := 100; want <= 300; want += 50 {
		p.click("#more")
		p.until(fmt.Sprintf(rows+" === %d", want))
	}
	require.False(t, eval[bool](p, `!!document.querySelector("#more")`), "no page holds more")
	seen := map[string]bool{}
	resp := func(url string) string { return url }
	for url := "/conversations?view=all&rows=300"; url != ""; {
		p.openPage(resp(url))
		require.LessOrEqual(t, eval[int](p, rows), 300)
		for _, id := range eval[[]string](p, `[...document.querySelectorAll("#rows > li")].map(li => li.id)`) {
			require.False(t, seen[id], "%s is on two pages", id)
			seen[id] = true
		}
		next := eval[string](p, `([...document.querySelectorAll("#list > a.more:not(#more)")].map(a => a.getAttribute("href")).find(h => `+
			`h.includes("page=") ) || "")`)
		if next = strings.TrimPrefix(next, "/desk"); next != "" {
			next += "&rows=300"
		}
		url = next
	}
	require.Len(t, seen, n)
}

// A ticket is made out of a conversation and worked on to its end.
func TestATicketInTheBrowser(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("my parcel is broken")
	id := w.owned("Mina", "ara")
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/conversations/" + string(id))
	p.click("#make-ticket")
	p.shows("h1", "my parcel is broken")
	p.fill("comment", "I ask the store house")
	p.fill("priority", "1")
	p.fill("state", "in_progress")
	p.fill("agent", "ara")
	p.click("#ticket-form button[type=submit]")
	p.shows(".entries .kind-commented", "I ask the store house")
	p.shows(".entries", "High")
	p.shot("ticket")
	p.openPage("/tickets?list=mine")
	p.shows("table", "my parcel is broken")
	p.openPage("/conversations/" + string(id))
	p.shows("#panel", "my parcel is broken")
}
