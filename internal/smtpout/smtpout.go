// Package smtpout hands mails over to a server (SMTP submission) and says what
// its answers mean. Mail as a channel and notices by mail both send by it. What
// it tells of a failure holds no address and no word of the server's: those may
// quote the recipient.
package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
)

// Encryptions of a connection.
const (
	StartTLS = "starttls" // the default, required
	TLS      = "tls"      // from the first byte
	Plain    = "none"     // for a server on this machine
)

// Server is who takes our mails.
type Server struct {
	Host       string
	Port       int    // 0: 587, or 465 for TLS
	Encryption string // empty: StartTLS
	User       string // empty: nobody logs in
	Password   string
	// Dial opens the connection; TLS is the base of its encryption, nil: the
	// system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	TLS  *tls.Config
}

// Mail is one mail to one recipient.
type Mail struct {
	From, To string // of the envelope
	Raw      []byte
}

func (s Server) port() int {
	switch {
	case s.Port != 0:
		return s.Port
	case s.Encryption == TLS:
		return 465
	}
	return 587
}

// Send makes a connection, hands over one mail, and says good-bye. Until the
// mail's last byte is on its way a failure is certain; what happens between it
// and the answer is ambiguous. An error is a *adapter.SendError.
func (s Server) Send(ctx context.Context, m Mail) error {
	client, stop, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := client.Mail("<" + m.From + ">"); err != nil {
		return Refused(err, "the sender's address", channel.ReasonCredentials)
	}
	if err := client.Rcpt("<" + m.To + ">"); err != nil {
		return Refused(err, "the recipient", channel.ReasonUnreachable)
	}
	w, err := client.Data()
	if err != nil {
		return Refused(err, "the mail", channel.ReasonContent)
	}
	if _, err := w.Write(m.Raw); err != nil { // the closing dot never left
		return unsent("the connection broke while the mail was sent")
	}
	if err := w.Close(); err != nil {
		if reply, answered := errors.AsType[*textproto.Error](err); answered {
			return Refused(reply, "the mail", channel.ReasonContent)
		}
		return &adapter.SendError{Disposition: adapter.Ambiguous, Reason: channel.ReasonNetwork,
			Detail: "the mail was sent and the server's answer is missing"}
	}
	_ = client.Quit() // the mail is accepted, whatever comes now
	return nil
}

// Connect opens a connection, encrypted and logged in as the server wants it.
// stop closes it, and so does the end of ctx.
func (s Server) Connect(ctx context.Context) (*smtp.Client, func(), error) {
	conn, err := s.Dial(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.port())))
	if err != nil {
		return nil, nil, unsent("the server cannot be reached")
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	cancelled := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	stop := func() {
		cancelled()
		_ = conn.Close()
	}
	client, err := s.greet(conn)
	if err == nil && s.User != "" {
		if err = s.login(client); err != nil {
			err = Refused(err, "user or password", channel.ReasonCredentials)
		}
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return client, stop, nil
}

func (s Server) conf() *tls.Config {
	conf := &tls.Config{}
	if s.TLS != nil {
		conf = s.TLS.Clone()
	}
	conf.ServerName, conf.MinVersion = s.Host, tls.VersionTLS12
	return conf
}

// greet says hello, encrypted unless the settings forbid it.
func (s Server) greet(conn net.Conn) (*smtp.Client, error) {
	if s.Encryption == TLS {
		conn = tls.Client(conn, s.conf())
	}
	client, err := smtp.NewClient(conn, s.Host)
	if err != nil {
		return nil, Refused(err, "the connection", channel.ReasonProvider)
	}
	if err := client.Hello("sangdam"); err != nil {
		return nil, Refused(err, "the greeting", channel.ReasonProvider)
	}
	if s.Encryption == "" || s.Encryption == StartTLS {
		if has, _ := client.Extension("STARTTLS"); !has {
			return nil, &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonCredentials,
				Detail: "the server offers no STARTTLS; set the encryption to tls if it speaks that"}
		}
		if err := client.StartTLS(s.conf()); err != nil {
			return nil, unsent("the encryption could not be agreed on")
		}
	}
	return client, nil
}

func (s Server) login(client *smtp.Client) error {
	_, offered := client.Extension("AUTH")
	if offered = strings.ToUpper(offered); strings.Contains(offered, "LOGIN") && !strings.Contains(offered, "PLAIN") {
		return client.Auth(smtp.LoginAuth(s.User, s.Password, s.Host, s.Encryption == Plain))
	}
	return client.Auth(smtp.PlainAuth("", s.User, s.Password, s.Host, s.Encryption == Plain))
}

// unsent is a failure after which the server certainly has no mail.
func unsent(detail string) *adapter.SendError {
	return &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonNetwork, Detail: detail}
}

// greylisted is how long a server usually wants to be left alone that takes mails
// only at the second try.
const greylisted = 5 * time.Minute

// Refused reads an answer of the server: 5xx is final, 4xx is tried again, and
// 421 says that it has had enough of the account. reason is what a final one
// means where its status does not tell.
func Refused(err error, what string, reason channel.Reason) *adapter.SendError {
	if se, ok := errors.AsType[*adapter.SendError](err); ok {
		return se
	}
	reply, answered := errors.AsType[*textproto.Error](err)
	if !answered {
		return unsent("the connection broke before the mail was sent")
	}
	status, _, _ := strings.Cut(reply.Msg, " ")
	e := &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonProvider, Status: reply.Code,
		Detail: "the server cannot take " + what + " now"}
	switch {
	case reply.Code == 421 || status == "4.7.28":
		e.Disposition, e.Reason, e.After = adapter.RateLimited, channel.ReasonRate, time.Minute
	case reply.Code < 500 && (status == "4.2.1" || status == "4.2.2"):
		e.Reason = channel.ReasonRecipientRate
	case reply.Code < 500 && status == "4.7.1":
		e.After = greylisted
	case reply.Code < 500:
	default:
		e.Disposition, e.Reason, e.Detail = adapter.Permanent, final(status, reason), "the server refuses "+what
	}
	return e
}

// final says what a refusal for good means where its status tells more than the
// moment at which it came.
func final(status string, reason channel.Reason) channel.Reason {
	switch status {
	case "5.4.5":
		return channel.ReasonQuota
	case "5.2.2", "5.1.1", "5.1.2", "5.1.10", "5.2.1":
		return channel.ReasonUnreachable
	case "5.2.3", "5.3.4":
		return channel.ReasonTooLarge
	case "5.7.8", "5.7.9", "5.7.0":
		return channel.ReasonCredentials
	}
	return reason
}

// Check refuses what no server is reached by, of an IMAP server too. of names the
// settings in the error, password says that there is one.
func Check(of string, s Server, password bool) error {
	_, at, _ := strings.Cut(of, ": ")
	switch {
	case s.Host == "" || len(s.Host) > 253 || strings.ContainsFunc(s.Host,
		func(r rune) bool { return r <= ' ' || r == '/' || r == '@' || r > 0x7E }):
		return errs.About(at+".host", errs.New(errs.Invalid, "%s.host is the name of a mail server, such as mail.example.com", of))
	case s.Port < 0 || s.Port > 65535:
		return errs.About(at+".port", errs.New(errs.Invalid, "%s.port is 1 to 65535", of))
	case s.Encryption != "" && s.Encryption != StartTLS && s.Encryption != TLS && s.Encryption != Plain:
		return errs.About(at+".encryption", errs.New(errs.Invalid, "%s.encryption is %s, %s or %s", of, TLS, StartTLS, Plain))
	case (s.User != "") != password:
		return errs.About(at+".user", errs.New(errs.Invalid, "%s.user and its secret password belong together", of))
	case s.Encryption == Plain && s.User != "" && !local(s.Host):
		return errs.About(at+".encryption", errs.New(errs.Invalid,
			"%s.encryption: a password is never sent without encryption; use %s or %s", of, TLS, StartTLS))
	}
	return nil
}

// local says that a host is this machine, or nobody at all.
func local(host string) bool {
	return strings.HasPrefix(host, "127.") || host == "::1" || host == "localhost" || strings.HasSuffix(host, ".test")
}
