package mail

import (
	"context"
	"encoding/json"
	"io"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/smtpout"
	"github.com/sangdam/sangdam/notify"
)

// Send hands a mail without files over; one with files needs SendFiles.
func (c *Carrier) Send(ctx context.Context, t notify.Target, planned []byte) (notify.Receipt, error) {
	return c.SendFiles(ctx, t, planned, func(context.Context, string) (io.ReadCloser, error) {
		return nil, notify.Refuse(channel.ReasonContent, 0, "the mail has files, and nobody gives them")
	})
}

// SendFiles implements notify.FileCarrier.
func (c *Carrier) SendFiles(ctx context.Context, t notify.Target, planned []byte, open adapter.OpenFile) (notify.Receipt, error) {
	var r request
	s, err := notify.Settings[Settings](t)
	if err == nil {
		err = json.Unmarshal(planned, &r)
	}
	if err != nil {
		return notify.Receipt{}, notify.Refuse(channel.ReasonContent, 0, "the planned mail or the target's settings cannot be read")
	}
	raw, err := smtpout.WithFiles(ctx, r.Mail, r.ID, r.Files, open)
	if err != nil {
		return notify.Receipt{}, err
	}
	if err := c.server(s, t).Send(ctx, smtpout.Mail{From: r.From, To: r.To, Raw: raw}); err != nil {
		return notify.Receipt{}, err
	}
	return notify.Receipt{Status: 250}, nil
}
