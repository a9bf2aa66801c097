package emailtest_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/stretchr/testify/require"
	"github.com/wneessen/go-mail/smtp"

	"github.com/sangdam/sangdam/channel/email/emailtest"
)

// unread counts what is in the desk's mailbox, as any IMAP client sees it.
func unread(t *testing.T, conn net.Conn) uint32 {
	t.Helper()
	c := imapclient.New(conn, nil)
	defer c.Close()
	require.NoError(t, c.Login("desk", "secret").Wait())
	box, err := c.Select("INBOX", nil).Wait()
	require.NoError(t, err)
	return box.NumMessages
}

func send(t *testing.T, s *emailtest.Server, to, raw string) error {
	t.Helper()
	conn, err := s.Dial(t.Context(), "tcp", "smtp.shop.test:587")
	require.NoError(t, err)
	c, err := smtp.NewClient(conn, "smtp.shop.test")
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Auth(smtp.PlainAuth("", "desk", "secret", "smtp.shop.test", true)))
	require.NoError(t, c.Mail("help@shop.test"))
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	require.NoError(t, err)
	_, err = w.Write([]byte(raw))
	require.NoError(t, err)
	return w.Close()
}

// The page is a customer's mailbox: what the desk sends is read there, answered,
// or let bounce, and what is written arrives at the desk.
func TestTheCustomersPage(t *testing.T) {
	s := emailtest.New(emailtest.Options{})
	t.Cleanup(s.Close)
	web := httptest.NewServer(s.Page("mina@example.com"))
	t.Cleanup(web.Close)
	get := func() string {
		r, err := http.Get(web.URL + "/")
		require.NoError(t, err)
		defer r.Body.Close()
		all, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return string(all)
	}
	require.Contains(t, get(), "Nothing has arrived yet")
	require.NoError(t, send(t, s, "mina@example.com",
		"From: help@shop.test\r\nSubject: <b>order</b>\r\nMessage-ID: <ours@shop.test>\r\n\r\nOn its way.\r\n"))
	page := get()
	require.Contains(t, page, "On its way.")
	require.Contains(t, page, "&lt;b&gt;order&lt;/b&gt;", "what a mail says is text on the page")
	for _, form := range []struct {
		path   string
		values url.Values
	}{{"/write", url.Values{"from": {"jun@example.com"}, "subject": {"x"}, "text": {"hello"}}},
		{"/answer", url.Values{"id": {"ours@shop.test"}, "text": {"thanks"}}}, {"/answer", url.Values{"id": {"ours@shop.test"},
			"what": {"bounce"}}}} {
		r, err := http.PostForm(web.URL+form.path, form.values)
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		require.Equal(t, http.StatusOK, r.StatusCode)
	}
	conn, err := s.Dial(t.Context(), "tcp", "imap.shop.test:143")
	require.NoError(t, err)
	require.EqualValues(t, 3, unread(t, conn))
}

// Over the network it is a mail server like any other, and mails to the desk's
// own address, with a plus too, come back to its mailbox.
func TestOverTheNetwork(t *testing.T) {
	s := emailtest.New(emailtest.Options{})
	t.Cleanup(s.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = s.ServeIMAP(l) }()
	require.NoError(t, send(t, s, "help+token@shop.test", "From: help@shop.test\r\nSubject: x\r\n\r\nback\r\n"))
	s.Fail(emailtest.NoSuchUser)
	require.Error(t, send(t, s, "gone@example.com", "x"))
	conn, err := net.DialTimeout("tcp", l.Addr().String(), 30*time.Second)
	require.NoError(t, err)
	require.EqualValues(t, 1, unread(t, conn))
	require.Len(t, s.Received(""), 1)
}
