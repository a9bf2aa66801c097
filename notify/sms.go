package notify

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
)

// KindSMS is the carrier of SMS.
const KindSMS Kind = "sms"

// MaxSMS is the longest text message in bytes; gateways cut or refuse longer
// ones in ways of their own.
const MaxSMS = 2000

// Gateway sends text messages. A host implements it over the provider that it
// has a contract with.
type Gateway interface {
	// SendSMS sends one message from the sender's number and returns the
	// provider's id. An error is a *adapter.SendError, or a context error, which
	// counts as ambiguous: most gateways have no key that makes a repeat safe.
	SendSMS(ctx context.Context, from, to, text string) (id string, err error)
}

// SMS makes a Carrier of a host's gateway. Its targets have the setting "from",
// the sender's number.
func SMS(g Gateway) Carrier { return smsCarrier{g} }

type smsCarrier struct{ g Gateway }

type smsSettings struct {
	From string `json:"from"`
}

type smsRequest struct{ From, To, Text string }

func (smsCarrier) Kind() Kind { return KindSMS }

// Form implements Describer.
func (smsCarrier) Form() Form {
	return Form{To: PartText, Parts: []Part{
		{Name: "from", Type: PartPhone, Required: true, Leads: true,
			Label: Words{"en": "Sender's number", "ko": "발신 번호", "ja": "発信番号"},
			Hint: Words{
				"en": "3 to 15 digits, + in front if it is international",
				"ko": "숫자 3~15자리, 국제 번호는 앞에 +",
				"ja": "数字3〜15桁、国際番号は先頭に+",
			}},
	}}
}

// Policy: nothing is repeated after an ambiguous outcome.
func (smsCarrier) Policy() Policy {
	return Policy{Timeout: 15 * time.Second, Waits: []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute}}
}

func (smsCarrier) Validate(t Target) error {
	s, err := Settings[smsSettings](t)
	if err != nil {
		return err
	}
	if !phone(s.From) {
		return errs.About("settings.from", errs.New(errs.Invalid,
			"notify: settings.from of an sms target is the sender's number: 3 to 15 digits, + in front if it is international"))
	}
	return nil
}

func (smsCarrier) Plan(t Target, n Notice, _ time.Time) ([]byte, error) {
	s, err := Settings[smsSettings](t)
	if err != nil {
		return nil, Refuse(channel.ReasonCredentials, 0, "the target's settings cannot be read")
	}
	to := strings.NewReplacer("-", "", " ", "", "(", "", ")", "").Replace(n.To.Address)
	text := strings.TrimSpace(n.Text)
	switch {
	case !phone(to):
		return nil, Refuse(channel.ReasonUnreachable, 0, "the recipient has no phone number")
	case text == "" || len(text) > MaxSMS:
		return nil, Refuse(channel.ReasonContent, 0, "a text message has 1 to 2000 bytes")
	}
	return json.Marshal(smsRequest{s.From, to, text})
}

func (c smsCarrier) Send(ctx context.Context, _ Target, request []byte) (Receipt, error) {
	var r smsRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return Receipt{}, Refuse(channel.ReasonContent, 0, "the planned request cannot be read")
	}
	id, err := c.g.SendSMS(ctx, r.From, r.To, r.Text)
	if _, known := errors.AsType[*adapter.SendError](err); err != nil && !known {
		err = &adapter.SendError{Disposition: adapter.Ambiguous, Reason: channel.ReasonNetwork, Detail: "the gateway gave no clear answer"}
	}
	return Receipt{ID: id}, err
}

func phone(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return len(digits) >= 3 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}
