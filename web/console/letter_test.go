package console_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/routing"
)

// byMail makes an account that fetches mails from the emulator.
func (w *world) byMail() {
	w.t.Helper()
	ctx := w.t.Context()
	_, err := w.eng.SaveWorkStream(ctx, w.host, sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "mail", Name: "Mail",
		ChannelKind: "email", Mode: routing.Push, Cost: 1, Queue: "everyone", AutoAccept: true}})
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
// loaded from elsewhere until somebody asks for it. N36.
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
