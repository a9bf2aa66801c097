package console_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// byMail makes an account that fetches mails from the emulator.
func (w *world) byMail(change ...func(*routing.WorkStream)) {
	w.t.Helper()
	ctx := w.t.Context()
	stream := routing.WorkStream{ID: "mail", Name: "Mail", ChannelKind: "email", Mode: routing.Push, Cost: 1, Queue: "everyone",
		AutoAccept: true}
	for _, fn := range change {
		fn(&stream)
	}
	_, err := w.eng.SaveWorkStream(ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})
	require.NoError(w.t, err)
	raw, err := json.Marshal(email.Settings{Address: "help@shop.test", Name: "Shop",
		Mailboxes: []email.Mailbox{{Host: "imap.shop.test", Encryption: email.Plain, User: "desk"}},
		SMTP:      email.SMTP{Host: "smtp.shop.test", Encryption: email.Plain, User: "desk"}})
	require.NoError(w.t, err)
	secret := channel.NewSecret("secret")
	_, err = w.eng.SaveAccount(ctx, w.host, sangdam.SaveAccount{Account: channel.Account{Kind: "email", Name: "Mail", Desk: "support",
		WorkStream: "mail", Settings: raw, Attachments: true, CustomerAttachments: true, Secrets: map[string]channel.Secret{
			email.SecretThreads: channel.NewSecret("0123456789abcdef0123"), email.SecretIMAP: secret, email.SecretSMTP: secret}}})
	require.NoError(w.t, err)
}

// A mail shows its head, its text with what is quoted folded away, and its HTML in
// a frame of no origin, in which no script runs, nothing is sent and nothing is
// loaded from elsewhere until somebody asks for it.
func TestAMailIsShownInASandboxedFrame(t *testing.T) {
	w := newWorld(t)
	w.byMail()
	w.online("ara")
	var dot bytes.Buffer
	require.NoError(t, png.Encode(&dot, image.NewRGBA(image.Rect(0, 0, 3, 3))))
	html := `<p>It is <b>broken</b></p><img src="cid:dot" alt="dot"><img src="https://elsewhere.test/p.png" alt="logo">` +
		strings.Join(corpus, "") + `<a href="https://shop.example/a">link</a><form action="https://elsewhere.test"><input name="q"></form>`
	p := w.open(browsertest.Open(t), "ara")
	w.mail.Write(emailtest.Letter{From: "mina@example.com", Name: "Mina", Subject: corpus[0] + "Broken", Cc: []string{"jun@example.com"},
		Text: "It is broken\n\nOn Mon, Nov 2, 2026 at 9:00 AM Shop <help@shop.test> wrote:\n> How is it?\n", HTML: html,
		Files: []emailtest.File{{Name: "dot.png", Type: "image/png", CID: "dot", Data: dot.Bytes()}}})
	p.openPage("/conversations?view=mine")
	p.until(`document.querySelector("#rows a")`)
	p.click("#rows a")
	p.shows(".letter-head", "Broken")
	p.shows(".letter-head", "jun@example.com")
	require.False(t, eval[bool](p, `"hacked" in window`))
	p.until(`document.querySelector("details.letter") && document.querySelector("details.letter ` +
		`iframe").getAttribute("src").includes("cid=")`)
	require.Equal(t, "none", eval[string](p, `getComputedStyle(document.querySelector("#thread .fold")).display`),
		"what is quoted is folded away")
	p.click(".unfold input")
	require.NotEqual(t, "none", eval[string](p, `getComputedStyle(document.querySelector("#thread .fold")).display`))
	eval[bool](p, `(document.querySelector("details.letter iframe").addEventListener("load", () => { window.framed = true; }), true)`)
	p.click("details.letter summary")
	p.until(`window.framed`)
	require.Equal(t, "allow-popups allow-popups-to-escape-sandbox",
		eval[string](p, `document.querySelector("details.letter iframe").getAttribute("sandbox")`))
	p.shot("mail-frame")

	frame := eval[string](p, `document.querySelector("details.letter iframe").getAttribute("src")`)
	get := func(path string) (*http.Response, string) {
		resp := w.client("ara").do(http.MethodGet, strings.TrimPrefix(path, "/desk"), "")
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp, string(raw)
	}
	resp, body := get(frame)
	policy := resp.Header.Get("Content-Security-Policy")
	require.True(t, strings.HasPrefix(policy, "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; "),
		policy)
	require.Contains(t, body, "<b>broken</b>")
	require.Contains(t, body, "data:image/png;base64,", "its own picture")
	for _, never := range []string{"elsewhere.test", "<script", "<form", "<iframe", "onerror=", `href="javascript:`, "<svg"} {
		require.NotContains(t, body, never)
	}
	shown := eval[string](p, `document.querySelector("details.letter a.pictures").getAttribute("href")`)
	resp, body = get(shown)
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "img-src data: https:;")
	require.Equal(t, "no-referrer", resp.Header.Get("Referrer-Policy"))
	require.Contains(t, body, `src="https://elsewhere.test/p.png"`)
	for _, bad := range []string{"/letters/none/0", strings.Replace(frame, "/0?", "/x?", 1)} {
		resp, _ = get(bad)
		require.Equal(t, http.StatusNotFound, resp.StatusCode, bad)
	}
}

// ticketBy has a customer write until the mailbox is followed, and gives the ticket
// that the mail became.
func (w *world) ticketBy(l emailtest.Letter) (tk ticket.Ticket) {
	w.t.Helper()
	for n := 0; tk.ID == ""; n++ {
		w.mail.Write(l)
		for end := time.Now().Add(time.Minute); tk.ID == "" && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			page, err := w.eng.Tickets(w.t.Context(), w.host, sangdam.TicketFilter{}, "", 10)
			require.NoError(w.t, err)
			if len(page.Tickets) > 0 {
				tk = page.Tickets[0]
			}
		}
		require.Less(w.t, n, 5)
	}
	return tk
}

// A mail that became a ticket shows its HTML on the ticket's page, in the same
// frame: its own pictures, none from elsewhere until somebody asks, nothing that
// runs. What a customer answers has its own, with what it quotes folded away; once
// the ticket's text is masked the frame is gone.
func TestATicketShowsItsMailsInASandboxedFrame(t *testing.T) {
	w := newWorld(t)
	w.byMail(func(s *routing.WorkStream) { s.Tickets = true })
	var dot bytes.Buffer
	require.NoError(t, png.Encode(&dot, image.NewRGBA(image.Rect(0, 0, 3, 3))))
	letter := emailtest.Letter{From: "mina@example.com", Name: "Mina", Subject: "Broken", Cc: []string{"jun@example.com"},
		Text: "It is broken",
		HTML: `<p>It is <b>broken</b></p><img src="cid:dot" alt="dot"><img src="https://elsewhere.test/p.png" alt="logo">` +
			strings.Join(corpus, ""),
		Files: []emailtest.File{{Name: "dot.png", Type: "image/png", CID: "dot", Data: dot.Bytes()}}}
	ready := func(d sangdam.TicketDetail, n int) bool {
		return len(d.Mails) == n && !slices.ContainsFunc(d.Mails[n-1].Content.Files(), func(f channel.Media) bool { return f.Blob == "" })
	}
	tk := w.ticketBy(letter)
	read := func() sangdam.TicketDetail {
		d, err := w.eng.Ticket(t.Context(), w.host, tk.ID)
		require.NoError(t, err)
		return d
	}
	w.eventually("the mail's files", func() bool { return ready(read(), 1) })
	_, err := w.eng.UpdateTicket(t.Context(), w.host, sangdam.UpdateTicket{Ticket: tk.ID, Version: tk.Version,
		Comment: &sangdam.TicketComment{Text: "Which one?", Public: true}})
	require.NoError(t, err)
	w.eventually("the answer", func() bool { return len(w.mail.Received("mina@example.com")) > 0 })
	reply := emailtest.Answer(w.mail.Received("mina@example.com")[0],
		"The red one\n\nOn Mon, Nov 2, 2026 at 9:00 AM Shop <help@shop.test> wrote:\n> Which?\n")
	reply.HTML = "<p>The <i>red</i> one</p>"
	w.mail.Write(reply)
	w.eventually("the reply", func() bool { return ready(read(), 2) })

	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/tickets/" + string(tk.ID))
	p.shows(".letter-head", "jun@example.com")
	require.Equal(t, 2, eval[int](p, `document.querySelectorAll("details.letter iframe").length`))
	require.Equal(t, "none", eval[string](p, `getComputedStyle(document.querySelector(".entry .fold")).display`),
		"what is quoted is folded away")
	eval[bool](p, `(document.querySelector("details.letter iframe").addEventListener("load", () => { window.framed = true; }), true)`)
	p.click("details.letter summary")
	p.until(`window.framed`)
	require.False(t, eval[bool](p, `"hacked" in window`))
	require.Equal(t, "allow-popups allow-popups-to-escape-sandbox",
		eval[string](p, `document.querySelector("details.letter iframe").getAttribute("sandbox")`))
	p.shot("ticket-mail-frame")
	frame := strings.TrimPrefix(eval[string](p, `document.querySelector("details.letter iframe").getAttribute("src")`), "/desk")
	require.True(t, strings.HasPrefix(frame, "/tickets/"+string(tk.ID)+"/letters/"), frame)
	resp := w.client("admin").do(http.MethodGet, frame, "")
	require.True(t, strings.HasPrefix(resp.Header.Get("Content-Security-Policy"),
		"sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; "))
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(raw), "<b>broken</b>")
	require.Contains(t, string(raw), "data:image/png;base64,")
	for _, never := range []string{"elsewhere.test", "<script", "onerror=", "<svg"} {
		require.NotContains(t, string(raw), never)
	}
	_, err = w.eng.MaskTicket(t.Context(), w.host, sangdam.MaskTicket{Ticket: tk.ID, Part: ticket.BodyPart, Version: read().Ticket.Version,
		Spans: []privacy.Span{{Start: 6, End: 12}}})
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, w.client("admin").do(http.MethodGet, frame, "").StatusCode)
	p.openPage("/tickets/" + string(tk.ID))
	require.Equal(t, 1, eval[int](p, `document.querySelectorAll("details.letter iframe").length`))
}
