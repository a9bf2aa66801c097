package email

import (
	"context"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/smtpout"
)

// Check connects to every mailbox and to the SMTP server, and reads what the
// domain publishes about who may send in its name.
func (a *Adapter) Check(ctx context.Context, acct channel.Account, _ string) ([]adapter.Finding, error) {
	s, err := settingsOf(acct)
	if err != nil {
		return nil, err
	}
	var found []adapter.Finding
	for _, m := range s.Mailboxes {
		if !m.Off {
			found = append(found, a.checkMailbox(ctx, acct, m)...)
		}
	}
	found = append(found, a.checkSMTP(ctx, acct, s))
	return append(found, a.checkDomain(ctx, s)...), nil
}

func (a *Adapter) checkMailbox(ctx context.Context, acct channel.Account, m Mailbox) []adapter.Finding {
	topic := "mailbox " + m.Name
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	c, err := a.connectIMAP(ctx, m, acct.Secrets[m.secret()].Reveal())
	if err != nil {
		return []adapter.Finding{{Topic: topic, Detail: strings.TrimPrefix(err.Error(), "email: "),
			Remedy: "compare host, port, encryption, user and password with what the mail service tells"}}
	}
	defer c.stop()
	var found []adapter.Finding
	for _, folder := range m.folders() {
		if _, err := c.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
			found = append(found, adapter.Finding{Topic: topic, Detail: "the folder " + folder + " cannot be opened",
				Remedy: "write its name as the mail service does"})
			continue
		}
		found = append(found, adapter.Finding{OK: true, Topic: topic, Detail: "mails of " + folder + " can be fetched"})
	}
	return found
}

// checkSMTP logs in and offers the sender's address, without a mail.
func (a *Adapter) checkSMTP(ctx context.Context, acct channel.Account, s Settings) adapter.Finding {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	client, stop, err := a.smtp(acct, s.SMTP).Connect(ctx)
	if err != nil {
		return adapter.Finding{Topic: "smtp", Detail: smtpout.Refused(err, "the connection", channel.ReasonProvider).Detail,
			Remedy: "compare host, port, encryption, user and password with what the mail service tells"}
	}
	defer stop()
	if err := client.Mail("<" + s.Address + ">"); err != nil {
		return adapter.Finding{Topic: "smtp", Detail: "the server does not let this user send as " + s.Address,
			Remedy: "use an address of the SMTP user, or have the mail service allow this one"}
	}
	_ = client.Reset() // nothing is sent
	return adapter.Finding{OK: true, Topic: "smtp", Detail: "mails can be sent as " + s.Address}
}
