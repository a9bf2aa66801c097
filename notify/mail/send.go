package mail

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
	"github.com/sangdam/sangdam/notify"
)

// Send implements notify.Carrier: a connection, one mail, and good-bye. Until
// the last byte of the mail is on its way a failure is certain; what happens
// between it and the answer is ambiguous.
func (c *Carrier) Send(ctx context.Context, t notify.Target, planned []byte) (notify.Receipt, error) {
	var r request
	s, err := notify.Settings[Settings](t)
	if err == nil {
		err = json.Unmarshal(planned, &r)
	}
	if err != nil {
		return notify.Receipt{}, notify.Refuse(channel.ReasonContent, 0, "the planned mail or the target's settings cannot be read")
	}
	client, stop, err := c.connect(ctx, s, t)
	if err != nil {
		return notify.Receipt{}, err
	}
	defer stop()
	if err := client.Mail("<" + r.From + ">"); err != nil {
		return notify.Receipt{}, refused(err, "the sender's address", channel.ReasonCredentials)
	}
	if err := client.Rcpt("<" + r.To + ">"); err != nil {
		return notify.Receipt{}, refused(err, "the recipient", channel.ReasonUnreachable)
	}
	w, err := client.Data()
	if err != nil {
		return notify.Receipt{}, refused(err, "the mail", channel.ReasonContent)
	}
	if _, err := w.Write(r.Mail); err != nil {
		// The closing dot never left: the server has taken nothing.
		return notify.Receipt{}, unsent("the connection broke while the mail was sent")
	}
	if err := w.Close(); err != nil {
		if reply, answered := errors.AsType[*textproto.Error](err); answered {
			return notify.Receipt{}, refused(reply, "the mail", channel.ReasonContent)
		}
		return notify.Receipt{}, &channel.SendError{Disposition: channel.Ambiguous, Reason: channel.ReasonNetwork,
			Detail: "the mail was sent and the server's answer is missing"}
	}
	_ = client.Quit() // the mail is accepted, whatever comes now
	return notify.Receipt{Status: 250}, nil
}

// connect opens a connection, encrypted and logged in as the settings say. stop
// closes it, and so does the end of ctx.
func (c *Carrier) connect(ctx context.Context, s Settings, t notify.Target) (*smtp.Client, func(), error) {
	conn, err := c.dial(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.port())))
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
	client, err := greet(conn, s)
	if err == nil && s.User != "" {
		if err = login(client, s, t); err != nil {
			err = refused(err, "user or password", channel.ReasonCredentials)
		}
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return client, stop, nil
}

// greet says hello, encrypted unless the settings forbid it.
func greet(conn net.Conn, s Settings) (*smtp.Client, error) {
	conf := &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12}
	if s.Encryption == TLS {
		conn = tls.Client(conn, conf)
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
			return nil, notify.Refuse(channel.ReasonCredentials, 0, "the server offers no STARTTLS; set encryption to tls if it speaks that")
		}
		if err := client.StartTLS(conf); err != nil {
			return nil, unsent("the encryption could not be agreed on")
		}
	}
	return client, nil
}

func login(client *smtp.Client, s Settings, t notify.Target) error {
	password := t.Secrets[SecretPassword].Reveal()
	_, offered := client.Extension("AUTH")
	if offered = strings.ToUpper(offered); strings.Contains(offered, "LOGIN") && !strings.Contains(offered, "PLAIN") {
		return client.Auth(smtp.LoginAuth(s.User, password, s.Host, false))
	}
	return client.Auth(smtp.PlainAuth("", s.User, password, s.Host, false))
}

// unsent is a failure after which the server certainly has no mail.
func unsent(detail string) error {
	return &channel.SendError{Disposition: channel.Retry, Reason: channel.ReasonNetwork, Detail: detail}
}

// refused reads an answer of the server: 5xx is final, anything else is tried
// again. The server's words are left out: they may quote the recipient.
func refused(err error, what string, reason channel.Reason) error {
	if se, ok := errors.AsType[*channel.SendError](err); ok {
		return se
	}
	reply, answered := errors.AsType[*textproto.Error](err)
	switch {
	case !answered:
		return unsent("the connection broke before the mail was sent")
	case reply.Code >= 500:
		return notify.Refuse(reason, reply.Code, "the server refuses "+what)
	}
	return &channel.SendError{Disposition: channel.Retry, Reason: channel.ReasonProvider, Status: reply.Code,
		Detail: "the server cannot take " + what + " now"}
}
