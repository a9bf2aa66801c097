package email

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/smtpout"
)

// Send hands a mail without files over; one with files needs SendFiles.
func (a *Adapter) Send(ctx context.Context, acct channel.Account, at adapter.Attempt) (adapter.Sent, error) {
	return a.SendFiles(ctx, acct, at, func(context.Context, string) (io.ReadCloser, error) {
		return nil, kit.Permanent(channel.ReasonContent, "the mail has files, and nobody gives them")
	})
}

// SendFiles implements adapter.FileSender: it hands over one mail, with its files
// in it.
func (a *Adapter) SendFiles(ctx context.Context, acct channel.Account, at adapter.Attempt, open adapter.OpenFile) (adapter.Sent, error) {
	var r request
	s, err := settingsOf(acct)
	if err != nil || at.Route != RouteSMTP || json.Unmarshal(at.Request,
		&r) != nil || !plainAddress(r.To) || !plainAddress(r.From) || len(r.Mail) == 0 {
		return adapter.Sent{}, kit.Permanent(channel.ReasonContent, "the stored request is not one of this adapter")
	}
	if err := ctx.Err(); err != nil {
		return adapter.Sent{}, err
	}
	raw, err := smtpout.WithFiles(ctx, r.Mail, r.ID, r.Files, open)
	if err != nil {
		return adapter.Sent{}, err
	}
	if err := a.smtp(acct, s.SMTP).Send(ctx, smtpout.Mail{From: r.From, To: r.To, Raw: raw}); err != nil {
		return adapter.Sent{}, err
	}
	return adapter.Sent{Messages: []adapter.SentMessage{{ID: channel.ProviderMessageID(r.ID)}}}, nil
}

// smtp is who takes the account's mails.
func (a *Adapter) smtp(acct channel.Account, s SMTP) smtpout.Server {
	return smtpout.Server{Host: s.Host, Port: s.Port, Encryption: s.Encryption, User: s.User, Password: acct.Secrets[SecretSMTP].Reveal(),
		Dial: a.dial, TLS: a.tls}
}

func (a *Adapter) tlsConfig(host string) *tls.Config {
	conf := &tls.Config{}
	if a.tls != nil {
		conf = a.tls.Clone()
	}
	conf.ServerName, conf.MinVersion = host, tls.VersionTLS12
	return conf
}
