package mail

import (
	"context"
	"encoding/json"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/smtpout"
	"github.com/sangdam/sangdam/notify"
)

// Send implements notify.Carrier.
func (c *Carrier) Send(ctx context.Context, t notify.Target, planned []byte) (notify.Receipt, error) {
	var r request
	s, err := notify.Settings[Settings](t)
	if err == nil {
		err = json.Unmarshal(planned, &r)
	}
	if err != nil {
		return notify.Receipt{}, notify.Refuse(channel.ReasonContent, 0, "the planned mail or the target's settings cannot be read")
	}
	if err := c.server(s, t).Send(ctx, smtpout.Mail{From: r.From, To: r.To, Raw: r.Mail}); err != nil {
		return notify.Receipt{}, err
	}
	return notify.Receipt{Status: 250}, nil
}
