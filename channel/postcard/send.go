package postcard

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
)

// parcel is what the office takes: up to three cards for one person.
type parcel struct {
	To    string   `json:"to"`
	Cards []string `json:"cards"`
}

// Plan takes as many rows as travel together, in order. A row that cannot be
// sent ends the attempt before it; as the first it is refused for good. The
// request is exact to the byte: it is stored before it is sent, and a repeat
// sends these bytes again under the same key.
func (a *Adapter) Plan(_ channel.Account, batch []adapter.Outbound, _ time.Time, newKey func() string) (adapter.Attempt, error) {
	at := adapter.Attempt{Route: RoutePost, IdempotencyKey: newKey(), IdempotentFor: keyLives}
	p := parcel{To: batch[0].To.ID}
	for i, out := range batch[:min(len(batch), MaxCards)] {
		if reason := objection(out); reason != "" && i == 0 {
			return adapter.Attempt{}, kit.Permanent(reason, "a postcard carries up to 100 characters to one person and nothing else")
		} else if reason != "" {
			break
		}
		at.Rows = append(at.Rows, out.Row)
		p.Cards = append(p.Cards, out.Content.Text)
	}
	var err error
	if at.Request, err = json.Marshal(p); err != nil {
		return adapter.Attempt{}, kit.Permanent(channel.ReasonContent, "the cards cannot be encoded")
	}
	return at, nil
}

// personForm is a person's name at the office. Anything else, a path above all,
// must not become part of a request.
var personForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

func objection(out adapter.Outbound) channel.Reason {
	switch {
	case out.To.Kind != channel.ChatUser || !personForm.MatchString(out.To.ID):
		return channel.ReasonUnreachable
	case out.Content.Kind == channel.KindText && out.Content.Text == "":
		return channel.ReasonContent
	}
	return kit.Carries(capabilities, out.Content)
}

// Send performs the attempt once. The kit tells apart what never left from what
// may have arrived; what is left is the office's own meaning of its statuses.
func (a *Adapter) Send(ctx context.Context, acct channel.Account, at adapter.Attempt) (adapter.Sent, error) {
	var p parcel
	if at.Route != RoutePost || at.IdempotencyKey == "" || json.Unmarshal(at.Request, &p) != nil || len(p.Cards) == 0 {
		return adapter.Sent{}, kit.Permanent(channel.ReasonContent, "the stored request is not one of this adapter")
	}
	ans, err := a.client.Do(ctx, kit.Call{Method: http.MethodPost, Address: a.office + "/parcels", Body: at.Request, Header: http.Header{
		"Authorization": {"Bearer " + acct.Secrets[SecretKey].Reveal()},
		"Content-Type":  {"application/json"}, "Idempotency-Key": {at.IdempotencyKey},
	}})
	if err != nil {
		return adapter.Sent{}, a.client.Failure(err)
	}
	if ans.Status != http.StatusOK {
		refusal := a.client.Refusal(ans, time.Now())
		refusal.Rows = blamed(ans, len(p.Cards))
		return adapter.Sent{}, refusal
	}
	return sent(ans, len(p.Cards)), nil
}

// blamed is the card that the office refuses, if it names one.
func blamed(ans kit.Answer, cards int) []int {
	body, _ := kit.ParseObject(ans.Body)
	if n, named := body.Int("card"); named && n >= 0 && int(n) < cards && ans.Status == http.StatusBadRequest {
		return []int{int(n)}
	}
	return nil
}

// sent reads the office's ids: a list for each card, since a long one goes out
// as two pieces.
func sent(ans kit.Answer, cards int) adapter.Sent {
	var body struct {
		Again bool                          `json:"again"`
		IDs   [][]channel.ProviderMessageID `json:"ids"`
	}
	if json.Unmarshal(ans.Body, &body) != nil || len(body.IDs) != cards {
		return adapter.Sent{Duplicate: body.Again} // accepted, without ids
	}
	out := adapter.Sent{Duplicate: body.Again}
	for _, ids := range body.IDs {
		if len(ids) == 0 {
			return adapter.Sent{Duplicate: body.Again}
		}
		out.Messages = append(out.Messages, adapter.SentMessage{ID: ids[0], Parts: ids[1:]})
	}
	return out
}
