package console_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/ticket"
)

// byPost has public answers on tickets go by mail.
func (w *world) byPost() {
	_, err := w.eng.SaveTarget(w.t.Context(), w.host, sangdam.SaveTarget{Target: notify.Target{ID: "mail", Kind: "mail", Name: "Mail",
		Settings: json.RawMessage(`{"host":"smtp.shop.test","encryption":"none","from":"help@shop.test"}`)}})
	require.NoError(w.t, err)
	_, err = w.eng.SaveWorkspaceSettings(w.t.Context(), w.host, sangdam.SaveWorkspaceSettings{
		Settings: sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "mail"}}})
	require.NoError(w.t, err)
}

// TestFilesOnATicketInTheBrowser: files are chosen, taken back and sent with a
// public answer, also without words, and again; an internal note keeps its own.
func TestFilesOnATicketInTheBrowser(t *testing.T) {
	w := newWorld(t)
	w.byPost()
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Title: "Lamp", Body: "It is broken", Desk: "support",
		Requester: ticket.Requester{Name: "Mina", Email: "mina@example.com"}})
	require.NoError(t, err)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	guide, wrong, inside := file("사용 설명서.pdf", "%PDF-1.7 guide"), file("wrong.txt", "wrong"), file("inside.txt", "for us alone")
	p := w.open(browsertest.Open(t), "admin")
	choose := func(n int, paths ...string) { p.chooseFiles(n, paths...) }
	save := func(chips int) {
		eval[bool](p, `(document.querySelector("#ticket-form .primary").click(), true)`)
		p.until(`document.readyState === "complete" && document.querySelectorAll(".entries .file-chip").length === ` +
			strconv.Itoa(chips))
	}
	p.openPage("/tickets/" + string(made.Ticket))
	p.shows("#ticket-file-hint", "at most 10 in one message and 200.0 MB each")
	p.shows(".hint", "by mail, with at most 10 files of 6.7 MB together")
	choose(2, guide, wrong)
	p.click(".attaching .file-chip:nth-child(2) [data-unattach]")
	p.shows(".attaching .file-chip", "사용 설명서.pdf")
	eval[bool](p, `(document.querySelector("[name=public]").click(), true)`)
	p.shot("ticket-files")
	save(1)
	w.eventually("the mail", func() bool { return len(w.post.Mails()) == 1 })
	raw := w.post.Mails()[0].Raw
	require.Contains(t, raw, base64.StdEncoding.EncodeToString([]byte("%PDF-1.7 guide")))
	require.NotContains(t, raw, base64.StdEncoding.EncodeToString([]byte("wrong")))
	require.True(t, strings.HasPrefix(w.post.Mails()[0].Text, "사용 설명서.pdf"), "a file alone has words: its name")

	choose(1, inside)
	eval[bool](p, `(document.querySelector("[name=comment]").value = "look at this", true)`)
	save(2)
	eval[bool](p, `(document.querySelector(".attaching details input").click(), document.querySelector("[name=public]").click(), true)`)
	save(3)
	w.eventually("the mail again", func() bool { return len(w.post.Mails()) == 2 })
	detail, err := w.eng.Ticket(t.Context(), w.host, made.Ticket)
	require.NoError(t, err)
	last := detail.Entries[len(detail.Entries)-1]
	require.Equal(t, []any{ticket.Answered, 1}, []any{last.Kind, len(last.Files)})

	// What cannot be saved keeps what was chosen.
	choose(1, wrong)
	eval[bool](p, `(document.querySelector("[name=title]").required = false, document.querySelector("[name=title]").value = "", true)`)
	eval[bool](p, `(document.querySelector("#ticket-form .primary").click(), true)`)
	p.until(`document.readyState === "complete" && document.querySelector(".notice.bad")`)
	p.shows(".attaching .file-chip", "wrong.txt")
	p.filesInKorean("/tickets/"+string(made.Ticket), guide, inside)
	for _, f := range detail.Files {
		path := "/tickets/" + string(made.Ticket) + "/files/" + f.Blob
		require.Equal(t, 200, w.client("admin").do("GET", path, "").StatusCode)
		require.Equal(t, 404, w.client("zed").do("GET", path, "").StatusCode)
	}
}

// chooseFiles chooses files and waits until so many are up.
func (p *tab) chooseFiles(n int, paths ...string) {
	p.t.Helper()
	p.do(chromedp.SetUploadFiles("#ticket-file", paths))
	p.until(`document.querySelectorAll(".attaching .file-chip [name=file]").length === ` + strconv.Itoa(n))
}

// filesInKorean looks at the page in Korean, on a narrow screen too.
func (p *tab) filesInKorean(path string, files ...string) {
	p.t.Helper()
	eval[bool](p, `(window.chosen = false, fetch("/desk/preferences", {method: "POST", body: new URLSearchParams({lang: "ko"})})
		.then(() => { window.chosen = true; }), true)`)
	p.until(`window.chosen`)
	p.openPage(path)
	p.chooseFiles(len(files), files...)
	p.shot("ticket-files-ko")
	p.do(chromedp.EmulateViewport(360, 740))
	eval[bool](p, `(document.querySelector(".attaching").scrollIntoView({block: "center"}), true)`)
	p.shot("ticket-files-ko-360")
	require.Empty(p.t, eval[[]string](p, `[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > 361)
		.map(e => e.tagName + "." + e.className)`), "wider than the screen")
}

// An agent whose answer leaves by nothing is told so on the ticket's page.
func TestAnAnswerThatGoesNowhereIsToldOnThePage(t *testing.T) {
	w := newWorld(t)
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Title: "Lamp", Desk: "support",
		Requester: ticket.Requester{Name: "Mina", Email: "mina@example.com"}})
	require.NoError(t, err)
	p := w.open(browsertest.Open(t), "admin")
	p.inLanguage("ko")
	p.openPage("/tickets/" + string(made.Ticket))
	p.fill("comment", "We look into it")
	eval[bool](p, `(document.querySelector("[name=public]").click(), document.querySelector("#ticket-form .primary").click(), true)`)
	p.shows(".notice.warn", "고객에게 보내지 않았습니다")
	p.shot("answer-unsent")
	p.shows(".entries .late", "답변을 남기기만 하고 보내지 않음")
	bulk, err := w.eng.BulkTickets(t.Context(), w.host, sangdam.BulkTickets{Tickets: []ticket.ID{made.Ticket},
		Comment: &sangdam.TicketComment{Text: "To all of you", Public: true}})
	require.NoError(t, err)
	p.looks("/bulk/"+bulk.ID, "bulk-unsent")
}
