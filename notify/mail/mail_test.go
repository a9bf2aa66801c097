package mail_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/mail"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
)

func open(t *testing.T, o mailtest.Options) (*mailtest.Server, *mail.Carrier, notify.Target) {
	s := mailtest.New(o)
	t.Cleanup(s.Close)
	return s, mail.New(mail.Options{Dial: s.Dial}), notify.Target{ID: "t", Kind: mail.Kind, Name: "Shop",
		Settings: json.RawMessage(`{"host":"mail.example.com","encryption":"none","from":"help@shop.example","name":"상담 센터",` +
			`"reply_to":"reply@shop.example"}`)}
}

var notice = notify.Notice{ID: "n-1", Event: "ticket.created", To: notify.Recipient{Name: "김민수", Address: "minsu@example.com"},
	Title: "문의가 접수되었습니다", Text: "안녕하세요.\n곧 답변드리겠습니다.", HTML: "<p>안녕하세요.</p>"}

func send(t *testing.T, c *mail.Carrier, tg notify.Target, n notify.Notice) error {
	t.Helper()
	require.NoError(t, c.Validate(tg))
	request, err := c.Plan(tg, n, time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	_, err = c.Send(t.Context(), tg, request)
	return err
}

func TestAMailArrivesAsItWasMeant(t *testing.T) {
	s, c, tg := open(t, mailtest.Options{})
	require.NoError(t, send(t, c, tg, notice))
	got := s.Mails()
	require.Len(t, got, 1)
	m := got[0]
	require.Equal(t, "help@shop.example", m.From)
	require.Equal(t, []string{"minsu@example.com"}, m.To)
	require.Equal(t, notice.Title, m.Subject)
	require.Equal(t, notice.Text, strings.ReplaceAll(strings.TrimSpace(m.Text), "\r\n", "\n"))
	require.Equal(t, notice.HTML, strings.TrimSpace(m.HTML))
	require.Equal(t, []string{"<n-1@shop.example>"}, m.Header["Message-Id"])
	require.Equal(t, []string{"auto-generated"}, m.Header["Auto-Submitted"])
	require.Equal(t, []string{"<reply@shop.example>"}, m.Header["Reply-To"])
	require.Contains(t, m.Header["From"][0], "상담 센터")
}

// TestAMailOfHTMLAloneHasAPlainPart for who reads none.
func TestAMailOfHTMLAloneHasAPlainPart(t *testing.T) {
	s, c, tg := open(t, mailtest.Options{})
	alone := notice
	alone.Text, alone.HTML = "", `<p>Thanks, <a href="https://shop.example/1">Mina</a></p>`
	require.NoError(t, send(t, c, tg, alone))
	m := s.Mails()[0]
	require.Equal(t, "Thanks, Mina (https://shop.example/1)", strings.TrimSpace(m.Text))
	require.Equal(t, alone.HTML, strings.TrimSpace(m.HTML))
}

// What others typed adds no header and no recipient.
func TestHeadersCannotBeInjected(t *testing.T) {
	s, c, tg := open(t, mailtest.Options{})
	evil := notice
	evil.Title = "Re: x\r\nBcc: all@example.com\r\n\r\n<script>"
	evil.To.Name = "Kim\r\nBcc: all@example.com"
	evil.ID = "a\r\nX-Evil: 1"
	request, err := c.Plan(tg, evil, time.Now())
	require.NoError(t, err)
	_, err = c.Send(t.Context(), tg, request)
	require.NoError(t, err)
	m := s.Mails()[0]
	require.Equal(t, []string{"minsu@example.com"}, m.To)
	require.NotContains(t, m.Header, "Bcc")
	require.NotContains(t, m.Header, "X-Evil")
	require.Equal(t, "Re: x  Bcc: all@example.com    <script>", m.Subject)

	for _, address := range []string{"", "x", "a@example.com, b@example.com", "Kim <a@example.com>",
		"a@example.com\r\nRCPT TO:<b@example.com>", "a@example.com>\x00",
		"<a@example.com>", "group: a@example.com;"} {
		n := notice
		n.To.Address = address
		_, err := c.Plan(tg, n, time.Now())
		se, ok := errors.AsType[*adapter.SendError](err)
		require.True(t, ok, address)
		require.Equal(t, adapter.Permanent, se.Disposition, address)
	}
}

func TestWhatTheServersAnswersMean(t *testing.T) {
	s, c, tg := open(t, mailtest.Options{})
	for _, tc := range []struct {
		f    mailtest.Fault
		want adapter.Disposition
	}{{mailtest.Fault{Code: 451}, adapter.Retry}, {mailtest.Fault{Code: 550}, adapter.Permanent},
		{mailtest.Fault{Drop: true}, adapter.Ambiguous}} {
		s.Fail(tc.f)
		err := send(t, c, tg, notice)
		se, ok := errors.AsType[*adapter.SendError](err)
		require.True(t, ok, "%+v: %v", tc.f, err)
		require.Equal(t, tc.want, se.Disposition, "%+v", tc.f)
		require.NotContains(t, err.Error(), "minsu", "no recipient in an error")
	}
	s.Close()
	se, ok := errors.AsType[*adapter.SendError](send(t, c, tg, notice))
	require.True(t, ok)
	require.Equal(t, adapter.Retry, se.Disposition, "nobody was there")
}

func TestLoggingIn(t *testing.T) {
	s, c, tg := open(t, mailtest.Options{User: "u", Password: "right"})
	se, ok := errors.AsType[*adapter.SendError](send(t, c, tg, notice))
	require.True(t, ok)
	require.Equal(t, channel.ReasonCredentials, se.Reason, "the server wants a user")
	require.Empty(t, s.Mails())
}

func TestTargetsThatAreRefused(t *testing.T) {
	c := mail.New(mail.Options{})
	password := map[string]channel.Secret{mail.SecretPassword: channel.NewSecret("x")}
	require.NoError(t, c.Validate(notify.Target{Settings: json.RawMessage(`{"host":"smtp.example.com","from":"a@example.com","user":"u"}`),
		Secrets: password}))
	for name, tg := range map[string]notify.Target{
		"nothing":          {},
		"no host":          {Settings: json.RawMessage(`{"from":"a@example.com"}`)},
		"a URL":            {Settings: json.RawMessage(`{"host":"smtp://example.com","from":"a@example.com"}`)},
		"no sender":        {Settings: json.RawMessage(`{"host":"smtp.example.com"}`)},
		"two senders":      {Settings: json.RawMessage(`{"host":"smtp.example.com","from":"a@example.com, b@example.com"}`)},
		"a bad port":       {Settings: json.RawMessage(`{"host":"smtp.example.com","from":"a@example.com","port":70000}`)},
		"a bad encryption": {Settings: json.RawMessage(`{"host":"smtp.example.com","from":"a@example.com","encryption":"rot13"}`)},
		"no password":      {Settings: json.RawMessage(`{"host":"smtp.example.com","from":"a@example.com","user":"u"}`)},
		"no user":          {Settings: json.RawMessage(`{"host":"smtp.example.com","from":"a@example.com"}`), Secrets: password},
		"plain password": {Settings: json.RawMessage(`{"host":"smtp.example.com","from":"a@example.com","user":"u","encryption":"none"}`),
			Secrets: password},
		"a broken name": {Settings: json.RawMessage(`{"host":"smtp.example.com","from":"a@example.com","name":"a\r\nBcc: b"}`)},
	} {
		require.ErrorIs(t, c.Validate(tg), notify.ErrInvalid, name)
	}
}

// A server in a private network is reached only where that is allowed.
func TestOverTheNetwork(t *testing.T) {
	s := mailtest.New(mailtest.Options{})
	t.Cleanup(s.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = s.Serve(l) }()
	at := netip.MustParseAddrPort(l.Addr().String())
	settings, err := json.Marshal(mail.Settings{Host: "127.0.0.1", Port: int(at.Port()), Encryption: mail.Plain, From: "a@example.com"})
	require.NoError(t, err)
	tg := notify.Target{Settings: settings}
	require.Error(t, send(t, mail.New(mail.Options{}), tg, notice))
	require.Empty(t, s.Mails())
	require.NoError(t, send(t, mail.New(mail.Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}), tg, notice))
	require.Len(t, s.Mails(), 1)
}
