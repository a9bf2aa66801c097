package email

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/kit"
)

// Send makes a connection, hands over one mail, and says good-bye. Until the
// mail's last byte is on its way a failure is certain; what happens between it
// and the answer is ambiguous.
func (a *Adapter) Send(ctx context.Context, acct channel.Account, at channel.Attempt) (channel.Sent, error) {
	var r request
	s, err := settingsOf(acct)
	if err != nil || at.Route != RouteSMTP || json.Unmarshal(at.Request,
		&r) != nil || !plainAddress(r.To) || !plainAddress(r.From) || len(r.Mail) == 0 {
		return channel.Sent{}, kit.Permanent(channel.ReasonContent, "the stored request is not one of this adapter")
	}
	if err := ctx.Err(); err != nil {
		return channel.Sent{}, err
	}
	client, stop, err := a.connectSMTP(ctx, acct, s.SMTP)
	if err != nil {
		return channel.Sent{}, err
	}
	defer stop()
	if err := client.Mail("<" + r.From + ">"); err != nil {
		return channel.Sent{}, refused(err, "the sender's address", channel.ReasonCredentials)
	}
	if err := client.Rcpt("<" + r.To + ">"); err != nil {
		return channel.Sent{}, refused(err, "the recipient", channel.ReasonUnreachable)
	}
	w, err := client.Data()
	if err != nil {
		return channel.Sent{}, refused(err, "the mail", channel.ReasonContent)
	}
	if _, err := w.Write(r.Mail); err != nil { // the closing dot never left
		return channel.Sent{}, unsent("the connection broke while the mail was sent")
	}
	if err := w.Close(); err != nil {
		if reply, answered := errors.AsType[*textproto.Error](err); answered {
			return channel.Sent{}, refused(reply, "the mail", channel.ReasonContent)
		}
		return channel.Sent{}, &channel.SendError{Disposition: channel.Ambiguous, Reason: channel.ReasonNetwork,
			Detail: "the mail was sent and the server's answer is missing"}
	}
	_ = client.Quit() // the mail is accepted, whatever comes now
	return channel.Sent{Messages: []channel.SentMessage{{ID: channel.ProviderMessageID(r.ID)}}}, nil
}

// connectSMTP opens a connection, encrypted and logged in as the settings say.
// stop closes it, and so does the end of ctx.
func (a *Adapter) connectSMTP(ctx context.Context, acct channel.Account, s SMTP) (*smtp.Client, func(), error) {
	conn, err := a.dial(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.port())))
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
	client, err := a.greet(conn, s)
	if err == nil && s.User != "" {
		if err = login(client, s, acct.Secrets[SecretSMTP].Reveal()); err != nil {
			err = refused(err, "user or password", channel.ReasonCredentials)
		}
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return client, stop, nil
}

func (a *Adapter) tlsConfig(host string) *tls.Config {
	conf := &tls.Config{}
	if a.tls != nil {
		conf = a.tls.Clone()
	}
	conf.ServerName, conf.MinVersion = host, tls.VersionTLS12
	return conf
}

// greet says hello, encrypted unless the settings forbid it.
func (a *Adapter) greet(conn net.Conn, s SMTP) (*smtp.Client, error) {
	if s.Encryption == TLS {
		conn = tls.Client(conn, a.tlsConfig(s.Host))
	}
	client, err := smtp.NewClient(conn, s.Host)
	if err != nil {
		return nil, refused(err, "the connection", channel.ReasonProvider)
	}
	if err := client.Hello("sangdam"); err != nil {
		return nil, refused(err, "the greeting", channel.ReasonProvider)
	}
	if s.Encryption == "" || s.Encryption == StartTLS {
		if has, _ := client.Extension("STARTTLS"); !has {
			return nil, kit.Permanent(channel.ReasonCredentials, "the server offers no STARTTLS; set smtp.encryption to tls if it speaks that")
		}
		if err := client.StartTLS(a.tlsConfig(s.Host)); err != nil {
			return nil, unsent("the encryption could not be agreed on")
		}
	}
	return client, nil
}

func login(client *smtp.Client, s SMTP, password string) error {
	_, offered := client.Extension("AUTH")
	if offered = strings.ToUpper(offered); strings.Contains(offered, "LOGIN") && !strings.Contains(offered, "PLAIN") {
		return client.Auth(smtp.LoginAuth(s.User, password, s.Host, s.Encryption == Plain))
	}
	return client.Auth(smtp.PlainAuth("", s.User, password, s.Host, s.Encryption == Plain))
}

// unsent is a failure after which the server certainly has no mail.
func unsent(detail string) *channel.SendError {
	return &channel.SendError{Disposition: channel.Retry, Reason: channel.ReasonNetwork, Detail: detail}
}

// greylisted is how long a server usually wants to be left alone that takes mails
// only at the second try.
const greylisted = 5 * time.Minute

// refused reads an answer of the server: 5xx is final, 4xx is tried again, and
// 421 says that it has had enough of the account. The server's words are left
// out: they may quote the recipient.
func refused(err error, what string, reason channel.Reason) *channel.SendError {
	if se, ok := errors.AsType[*channel.SendError](err); ok {
		return se
	}
	reply, answered := errors.AsType[*textproto.Error](err)
	if !answered {
		return unsent("the connection broke before the mail was sent")
	}
	status, _, _ := strings.Cut(reply.Msg, " ")
	e := &channel.SendError{Disposition: channel.Retry, Reason: channel.ReasonProvider, Status: reply.Code,
		Detail: "the server cannot take " + what + " now"}
	switch {
	case reply.Code == 421 || status == "4.7.28":
		e.Disposition, e.Reason, e.After = channel.RateLimited, channel.ReasonRate, time.Minute
	case reply.Code < 500 && (status == "4.2.1" || status == "4.2.2"):
		e.Reason = channel.ReasonRecipientRate
	case reply.Code < 500 && status == "4.7.1":
		e.After = greylisted
	case reply.Code < 500:
	default:
		e.Disposition, e.Reason, e.Detail = channel.Permanent, final(status, reason), "the server refuses "+what
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
