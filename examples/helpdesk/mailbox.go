package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
)

// A mailbox is a channel: what comes there becomes conversations, and answers
// leave as mails in the same thread.

const (
	mailStreamID  = "mail"
	mailAccountID = "mail"
)

// mailboxOptions are the mailbox of the environment; all empty: none given.
type mailboxOptions struct {
	address, user, password string
	imap, smtp              server
}

// server is a host and a port of the environment.
type server struct {
	host string
	port int
}

func (m mailboxOptions) given() bool { return m.address != "" }

var mailboxNames = []string{"MAIL_ADDRESS", "MAIL_USER", "MAIL_PASSWORD", "MAIL_IMAP", "MAIL_SMTP"}

// parseMailbox reads MAIL_* and names those that are missing.
func parseMailbox(env func(string) string) (m mailboxOptions, err error) {
	var missing []string
	for _, name := range mailboxNames {
		if env(name) == "" {
			missing = append(missing, name)
		}
	}
	switch len(missing) {
	case len(mailboxNames):
		return m, nil
	case 0:
	default:
		return m, fmt.Errorf("not set: %s; a mailbox needs %s", strings.Join(missing, ", "), strings.Join(mailboxNames, ", "))
	}
	m.address, m.user, m.password = env("MAIL_ADDRESS"), env("MAIL_USER"), env("MAIL_PASSWORD")
	if m.imap, err = parseServer("MAIL_IMAP", env("MAIL_IMAP")); err != nil {
		return m, err
	}
	m.smtp, err = parseServer("MAIL_SMTP", env("MAIL_SMTP"))
	return m, err
}

func parseServer(name, value string) (server, error) {
	host, port, err := net.SplitHostPort(value)
	n, bad := strconv.Atoi(port)
	if err != nil || bad != nil {
		return server{}, fmt.Errorf("%s is not a host and a port such as mail.example.com:993", name)
	}
	return server{host, n}, nil
}

// encryption is what servers speak at a port; on this machine none.
func (s server) encryption() string {
	switch {
	case loopback(net.JoinHostPort(s.host, strconv.Itoa(s.port))):
		return email.Plain
	case s.port == 993 || s.port == 465:
		return email.TLS
	}
	return email.StartTLS
}

// adapter connects mailboxes, also such on this machine.
func (m mailboxOptions) adapter() adapter.Adapter {
	var o email.Options
	if m.imap.encryption() == email.Plain || m.smtp.encryption() == email.Plain {
		o.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return email.New(o)
}

// seedMailbox makes the account of the environment's mailbox with its work
// stream, or brings its credentials up to date.
func (h *helpdesk) seedMailbox(ctx context.Context) error {
	m := h.o.mailbox
	if !m.given() {
		return nil
	}
	have, err := h.eng.Configuration(ctx, host())
	if err != nil {
		return err
	}
	if _, ok := have.WorkStreams[mailStreamID]; !ok {
		if _, err := h.eng.SaveWorkStream(ctx, host(), sangdam.SaveWorkStream{WorkStream: mailStream()}); err != nil {
			return err
		}
	}
	all, err := h.eng.Accounts(ctx, host())
	if err != nil {
		return err
	}
	acct := channel.Account{ID: mailAccountID, Kind: email.Kind, Name: m.address, Desk: deskID, WorkStream: mailStreamID,
		Attachments: true, CustomerAttachments: true, AgentAttachments: true}
	acct.Secrets = map[string]channel.Secret{email.SecretThreads: channel.NewSecret(rand.Text())}
	for _, a := range all {
		if a.ID == mailAccountID && !a.Deleted {
			acct = a // its key of threads stays: customers hold tokens made with it
			acct.Secrets = map[string]channel.Secret{}
		}
	}
	acct.Secrets[email.SecretIMAP], acct.Secrets[email.SecretSMTP] = channel.NewSecret(m.password), channel.NewSecret(m.password)
	s := email.Settings{Address: m.address, Name: "Support",
		Mailboxes: []email.Mailbox{{Host: m.imap.host, Port: m.imap.port, Encryption: m.imap.encryption(), User: m.user}},
		SMTP:      email.SMTP{Host: m.smtp.host, Port: m.smtp.port, Encryption: m.smtp.encryption(), User: m.user}}
	if acct.Settings, err = json.Marshal(s); err != nil {
		return err
	}
	if _, err := h.eng.SaveAccount(ctx, host(), sangdam.SaveAccount{Account: acct}); err != nil {
		return fmt.Errorf("the mailbox (%s): %w", strings.Join(mailboxNames, ", "), err)
	}
	return nil
}

func mailStream() routing.WorkStream {
	return routing.WorkStream{ID: mailStreamID, Name: "Mail", ChannelKind: string(email.Kind), Mode: routing.Push, Cost: 1, Queue: queueID,
		OfferFor: 2 * time.Minute, ReopenFor: 7 * 24 * time.Hour, KeepAgentFor: 24 * time.Hour,
		Messages: automated.Texts{
			automated.Greeting: {"ko": "메일을 받았습니다. 곧 답변드리겠습니다.", "": "Your mail has arrived. We will answer soon."},
			automated.Ended:    {"ko": "상담이 종료되었습니다. 이용해 주셔서 감사합니다.", "": "The conversation has ended. Thank you."},
			automated.Rating:   {"ko": "상담은 어떠셨나요?", "": "How was it?"},
		}}
}

// ratingsURL is where customers rate by a link; empty: the internet does not reach
// this server, and nobody is asked.
func ratingsURL(public string) string {
	if !strings.HasPrefix(public, "https://") {
		return ""
	}
	return public + "/ratings"
}
