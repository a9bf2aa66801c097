package email_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
)

func sendMail(t *testing.T, s *emailtest.Server, acct channel.Account, out adapter.Outbound) error {
	t.Helper()
	a := email.New(email.Options{Dial: s.Dial})
	if out.To.ID == "" {
		out.To = channel.Chat{Kind: channel.ChatThread, ID: shopKey.Begin("first@example.com")}
	}
	at, err := a.Plan(acct, []adapter.Outbound{out}, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), func() string { return "key" })
	require.NoError(t, err)
	_, err = a.Send(t.Context(), acct, at)
	return err
}

func server(t *testing.T) *emailtest.Server {
	s := emailtest.New(emailtest.Options{User: "desk", Password: password})
	t.Cleanup(s.Close)
	return s
}

// Nothing that others wrote, in a subject, a name or an id, adds a header or a
// recipient.
func TestHeadersCannotBeInjected(t *testing.T) {
	s := server(t)
	evil := `{"to":"mina@example.com","name":"Mina\r\nBcc: all@example.com",` +
		`"answers":"a@b>\r\nX-Evil: 1","references":["c@d\r\nX-Evil: 2","ok@example.com"]}`
	require.NoError(t, sendMail(t, s, account(), adapter.Outbound{Row: "r", Content: channel.Text("hi"), State: []byte(evil),
		Subject: "x\r\nBcc: all@example.com\r\n\r\n<script>", SenderName: "Kim\r\nX-Evil: 3"}))
	got := s.Received("")
	require.Len(t, got, 1, "one recipient")
	require.Equal(t, "mina@example.com", got[0].To)
	require.Empty(t, got[0].Header("Bcc"))
	require.Empty(t, got[0].Header("X-Evil"))
	require.Equal(t, "hi", got[0].Text)
	require.Empty(t, got[0].Header("In-Reply-To"), "an id that is none is left out")
}

// A layout stands around the answer, chosen by event and language, and what the
// text holds is text in it.
func TestLayouts(t *testing.T) {
	s := server(t)
	acct := account(func(s *email.Settings) {
		s.Layouts = []email.Layout{{HTML: "<i>any</i>#{content}"}, {Event: "answer", HTML: "<h1>answer</h1>#{content}"},
			{Event: "answer", Language: "ko", HTML: "<b>답변</b>#{content}"}}
	})
	state := []byte(chatState)
	require.NoError(t, sendMail(t, s, acct, adapter.Outbound{Row: "1", Content: channel.Text("a <script> b\nc"), State: state}))
	acct.Language = "ko"
	require.NoError(t, sendMail(t, s, acct, adapter.Outbound{Row: "2", Content: channel.Text("x"), State: state}))
	require.NoError(t, sendMail(t, s, acct, adapter.Outbound{Row: "3", Content: channel.Text("x"), State: state, Automatic: true}))
	got := s.Received("")
	require.Equal(t, "<h1>answer</h1>a &lt;script&gt; b<br>\nc", strings.ReplaceAll(strings.TrimSpace(got[0].HTML), "\r\n", "\n"))
	require.Equal(t, "answer\n\na <script> b\nc", got[0].Text, "the plain part is made from the layout")
	require.Contains(t, got[1].HTML, "답변")
	require.Contains(t, got[2].HTML, "any")
	require.Equal(t, "auto-replied", got[2].Header("Auto-Submitted"))
	require.Equal(t, "All", got[2].Header("X-Auto-Response-Suppress"))
	require.Empty(t, got[1].Header("Auto-Submitted"))
}

// Addresses in an answer are links in its HTML, and nothing else is.
func TestAddressesAreLinks(t *testing.T) {
	s := server(t)
	acct := account(func(s *email.Settings) { s.Layouts = []email.Layout{{HTML: "#{content}"}} })
	require.NoError(t, sendMail(t, s, acct, adapter.Outbound{Row: "1", State: []byte(chatState),
		Content: channel.Text("see https://shop.test/a?b=1&c=2. or javascript:alert(1) or https://x.test/\"onclick=alert(1) " +
			"<https://y.test/>")}))
	require.Equal(t, `see <a href="https://shop.test/a?b=1&amp;c=2">https://shop.test/a?b=1&amp;c=2</a>. or javascript:alert(1) or `+
		`<a href="https://x.test/">https://x.test/</a>&#34;onclick=alert(1) &lt;<a href="https://y.test/">https://y.test/</a>&gt;`,
		strings.TrimSpace(s.Received("")[0].HTML))
}

// A layout is for what a mail tells and for the customer's language; one of plain
// text makes plain mails, and what a trigger says has none.
func TestALayoutForEachEventAndLanguage(t *testing.T) {
	s := server(t)
	acct := account(func(s *email.Settings) {
		s.Layouts = []email.Layout{{HTML: "any #{content}"}, {Event: "automatic", HTML: "machine #{content}"},
			{Event: "received", Language: "ko", HTML: "접수 #{content}"}, {Event: "received", HTML: "received #{content}"},
			{Event: "on_hold", HTML: "hold #{content}"}, {Event: "handled", Language: "ja", HTML: "回答 #{content}"},
			{Event: "solved", Text: "-- solved --\n#{content}\n-- Shop --"},
			{Event: "solved", Language: "ko", HTML: "<p>#{content}</p>", Text: "own: #{content}"}}
	})
	acct.Language = "ja-JP"
	for _, c := range []struct {
		event, language string
		automatic       bool
		html, text      string
	}{
		{"received", "ko-KR", true, "접수 x", "접수 x"}, {"received", "", true, "received x", "received x"},
		{"on_hold", "ko", false, "hold x", "hold x"}, {"handled", "", false, "回答 x", "回答 x"},
		{"handled", "en", false, "any x", "any x"},
		{"", "en", true, "machine x", "machine x"}, {"solved", "ko", false, "<p>x</p>", "own: x"},
		{"solved", "en", false, "", "-- solved --\nx\n-- Shop --"}, {"trigger", "ja", true, "", "x"},
	} {
		before := len(s.Received(""))
		require.NoError(t, sendMail(t, s, acct, adapter.Outbound{Row: "1", Content: channel.Text("x"), State: []byte(chatState),
			Event:    c.event,
			Language: c.language, Automatic: c.automatic}))
		m := s.Received("")[before]
		text := strings.ReplaceAll(strings.TrimSpace(m.Text), "\r\n", "\n")
		require.Equal(t, []string{c.html, c.text}, []string{strings.TrimSpace(m.HTML), text}, "%+v", c)
	}
}

// The references of a thread stay its first and its newest, and answers come
// back to an address that holds the token.
func TestHeadersOfAnAnswer(t *testing.T) {
	s := server(t)
	var refs []string
	for i := range 10 {
		refs = append(refs, fmt.Sprintf(`"r%d@example.com"`, i))
	}
	state := `{"to":"mina@example.com","answers":"last@example.com","references":[` + strings.Join(refs, ",") + `]}`
	require.NoError(t, sendMail(t, s, account(), adapter.Outbound{Row: "r", Message: "018f2f6e-7c00-7abc-8def-0123456789ab",
		Content: channel.Text("hi"), State: []byte(state), Subject: "RE: order"}))
	m := s.Received("")[0]
	require.Equal(t, "RE: order", m.Subject)
	require.Equal(t, []string{"last@example.com"}, m.InReplyTo)
	require.Len(t, m.References, 11)
	thread, msg, ok := shopKey.Read(m.ID)
	require.True(t, ok)
	require.Equal(t, "018f2f6e-7c00-7abc-8def-0123456789ab", msg)
	back, ok := shopKey.ReadAddress("help@shop.test", m.ReplyTo[0].Addr)
	require.True(t, ok)
	require.Equal(t, thread, back)
}

// What servers answer, at each moment, means what it says.
func TestWhatServersAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  emailtest.Fault
		want   adapter.Disposition
		reason channel.Reason
		after  time.Duration
	}{
		"greylisting":    {emailtest.Greylisted, adapter.Retry, channel.ReasonProvider, 5 * time.Minute},
		"a full mailbox": {emailtest.MailboxFull, adapter.Retry, channel.ReasonRecipientRate, 0},
		"nobody":         {emailtest.NoSuchUser, adapter.Permanent, channel.ReasonUnreachable, 0},
		"too large":      {emailtest.TooLarge, adapter.Permanent, channel.ReasonTooLarge, 0},
		"refused as spam": {emailtest.Fault{At: emailtest.AtData, Code: 554, Status: [3]int{5, 7, 1}}, adapter.Permanent,
			channel.ReasonContent, 0},
		"not our address": {emailtest.Fault{At: emailtest.AtMail, Code: 553, Status: [3]int{5, 7, 1}}, adapter.Permanent,
			channel.ReasonCredentials, 0},
		"enough for now": {emailtest.Fault{At: emailtest.AtMail, Code: 421, Status: [3]int{4, 7, 0}}, adapter.RateLimited,
			channel.ReasonRate, time.Minute},
		"a moment's trouble": {emailtest.Fault{At: emailtest.AtData, Code: 451, Status: [3]int{4, 3, 0}}, adapter.Retry,
			channel.ReasonProvider, 0},
		"cut after the mail": {emailtest.Fault{At: emailtest.AtData, Drop: true}, adapter.Ambiguous, channel.ReasonNetwork, 0},
	} {
		s := server(t)
		s.Fail(tc.fault)
		err := sendMail(t, s, account(), adapter.Outbound{Row: "r", Content: channel.Text("hi"), State: []byte(chatState)})
		se, is := errors.AsType[*adapter.SendError](err)
		require.True(t, is, "%s: %v", name, err)
		require.Equal(t, []any{tc.want, tc.reason, tc.after}, []any{se.Disposition, se.Reason, se.After}, name)
		require.NotContains(t, err.Error(), "mina", "no recipient in an error")
	}
}

// Files go out as links; a bounce without the mail's id finds it by the token.
func TestFilesAndBounces(t *testing.T) {
	s := server(t)
	c := channel.Text("see")
	c.Attachments = []channel.Media{{Name: "a.pdf", URL: "https://desk.test/files/1"}}
	require.NoError(t, sendMail(t, s, account(), adapter.Outbound{Row: "r", Content: c, State: []byte(chatState)}))
	m := s.Received("")[0]
	require.Equal(t, "see\n\na.pdf: https://desk.test/files/1", m.Text)
	a := email.New(email.Options{})
	vague := "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.test\r\nSubject: failure notice\r\n\r\n550 no such user. It was mail " + m.ID +
		"\r\n"
	in, err := a.Parse(account(), adapter.Envelope{Raw: []byte(vague)})
	require.NoError(t, err)
	require.Equal(t, adapter.EventFailed, in.Kind)
	require.Equal(t, shopKey.Begin("first@example.com"), in.Chat.ID)
	loop, err := a.Parse(account(), adapter.Envelope{Raw: m.Raw})
	require.NoError(t, err)
	require.Equal(t, adapter.EventOther, loop.Kind, "our own mail came back")
	other := account()
	other.ID = "other"
	foreign, err := a.Parse(other, adapter.Envelope{Raw: []byte(strings.Replace(string(m.Raw), "help@shop.test", "info@shop.test", 1))})
	require.NoError(t, err)
	require.Equal(t, adapter.EventMessage, foreign.Kind, "another desk of this house writes")
	require.True(t, foreign.Silent, "and nothing automatic answers it")
}

// What Unpack gives is the file, or the cleaned HTML; nothing else is there.
func TestUnpack(t *testing.T) {
	s := server(t)
	raw, _ := s.Compose(emailtest.Letter{From: "mina@example.com", Subject: "x", Text: "see",
		HTML: `<p>see <img src="cid:one"><img src="https://evil.example/p.gif"></p><script>x</script>`,
		Files: []emailtest.File{{Name: "a.txt", Type: "text/plain", Data: []byte("words")}, {Name: "one.png", Type: "image/png",
			CID: "one", Data: []byte("png")}}})
	a, env := email.New(email.Options{}), adapter.Envelope{Raw: raw}
	in, err := a.Parse(account(), env)
	require.NoError(t, err)
	var got []string
	for _, f := range in.Content.Attachments {
		sink := &memorySink{}
		require.NoError(t, a.Unpack(account(), env, f.Provider, sink))
		got = append(got, f.Name+" "+sink.kind+" "+string(sink.data))
	}
	require.Equal(t, []string{`mail.html text/html <p>see <img src="cid:one"><img data-later="https://evil.example/p.gif"></p>`,
		"a.txt text/plain words", "one.png image/png png"}, got)
	require.Equal(t, "one", in.Content.Attachments[2].ContentID)
	for _, ref := range []string{"", "file/9", "file/-1", "../x", "file/x"} {
		require.ErrorIs(t, a.Unpack(account(), env, ref, &memorySink{}), adapter.ErrNotFound, ref)
	}
}

type memorySink struct {
	kind string
	data []byte
}

func (m *memorySink) Begin(kind string, _ int64) error { m.kind = kind; return nil }

func (m *memorySink) Write(p []byte) (int, error) {
	m.data = append(m.data, p...)
	return len(p), nil
}

// What a customer called itself, a template or an automatic answer cannot put
// markup into the HTML of a mail: only the layout's own elements are there.
func TestN38MarkupInAutomaticMailsIsText(t *testing.T) {
	s := server(t)
	acct := account(func(s *email.Settings) { s.Layouts = []email.Layout{{HTML: "<h1>Shop</h1>#{content}"}} })
	evil := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</h1><svg onload=alert(1)>`,
		`<a href="javascript:alert(1)">x</a>`,
		`<style>@import '//evil.example/x.css'</style>`, `<!--`, `&lt;b&gt;`, "<plaintext>\r\n.\r\nMAIL FROM:<x@y>"}
	for i, text := range evil {
		for _, event := range []string{"", "received", "solved"} {
			before := len(s.Received(""))
			require.NoError(t, sendMail(t, s, acct,
				adapter.Outbound{Row: channel.OutboxID(fmt.Sprint(i, event)), State: []byte(chatState), Event: event,
					Automatic: event != "", Content: channel.Text(text)}))
			m := s.Received("")[before]
			doc, err := html.Parse(strings.NewReader(m.HTML))
			require.NoError(t, err)
			var made []string
			for n := range doc.Descendants() {
				if n.Type != html.TextNode {
					made = append(made, n.Data)
				}
			}
			require.Equal(t, []string{"html", "head", "body", "h1"}, slices.DeleteFunc(made, func(e string) bool { return e == "br" }),
				text)
		}
	}
}
