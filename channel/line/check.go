package line

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
)

// BotInfo is what LINE says of the account itself.
type BotInfo struct {
	UserID         string `json:"userId"`
	BasicID        string `json:"basicId"`
	PremiumID      string `json:"premiumId"`
	DisplayName    string `json:"displayName"`
	PictureURL     string `json:"pictureUrl"`
	ChatMode       string `json:"chatMode"`       // "chat" or "bot"
	MarkAsReadMode string `json:"markAsReadMode"` // "manual" or "auto"
}

// BotInfo asks LINE who the token belongs to.
func (a *Adapter) BotInfo(ctx context.Context, acct channel.Account) (BotInfo, error) {
	var info BotInfo
	err := a.callJSON(ctx, acct, "bot info", http.MethodGet, "/v2/bot/info", nil, &info)
	return info, err
}

// Endpoint is the webhook address that LINE has for the account.
type Endpoint struct {
	URL    string `json:"endpoint"`
	Active bool   `json:"active"`
}

// Endpoint asks LINE for the webhook address that it has for the account; ErrNotFound
// when none is set.
func (a *Adapter) Endpoint(ctx context.Context, acct channel.Account) (Endpoint, error) {
	var e Endpoint
	err := a.callJSON(ctx, acct, "webhook address", http.MethodGet, "/v2/bot/channel/webhook/endpoint", nil, &e)
	return e, err
}

// SetEndpoint replaces the webhook address at LINE, which takes up to a minute
// to apply. It must be https and at most 500 characters. An account has one
// address: whatever tool was there before receives nothing more.
func (a *Adapter) SetEndpoint(ctx context.Context, acct channel.Account, address string) error {
	enc, ok := secureURL(address, 500)
	if !ok {
		return errs.New(errs.Invalid, "line: the webhook address must be https and at most 500 characters")
	}
	in := struct {
		Endpoint string `json:"endpoint"`
	}{enc}
	return a.callJSON(ctx, acct, "webhook address", http.MethodPut, "/v2/bot/channel/webhook/endpoint", in, nil)
}

// EndpointTest is the outcome of LINE's own test call.
type EndpointTest struct {
	Success    bool   `json:"success"`
	Timestamp  string `json:"timestamp"`
	StatusCode int    `json:"statusCode"` // 0 or less: there was no answer
	Reason     string `json:"reason"`
	Detail     string `json:"detail"`
}

// TestEndpoint has LINE call the address that is set; at most 60 times an hour.
// ErrNotFound when none is set.
func (a *Adapter) TestEndpoint(ctx context.Context, acct channel.Account) (EndpointTest, error) {
	var t EndpointTest
	err := a.callJSON(ctx, acct, "webhook test", http.MethodPost, "/v2/bot/channel/webhook/test", struct{}{}, &t)
	return t, err
}

// Check asks LINE and says in words what is wrong. The findings stop where a
// further question would only repeat the same trouble. The error is the
// context's alone; everything else is a Finding.
func (a *Adapter) Check(ctx context.Context, acct channel.Account, callbackURL string) ([]adapter.Finding, error) {
	if err := a.Validate(acct); err != nil {
		return []adapter.Finding{{Topic: "settings", Detail: err.Error(), Remedy: "Correct the account's settings and save."}}, nil
	}
	findings := []adapter.Finding{{OK: true, Topic: "settings", Detail: "Settings and secrets are complete."}}
	info, err := a.BotInfo(ctx, acct)
	if err != nil {
		return append(findings, tokenFinding(err)), ctx.Err()
	}
	findings = append(findings, adapter.Finding{OK: true, Topic: "token", Detail: "LINE accepts the access token."})
	findings = append(findings, botFindings(acct, info)...)
	more, err := a.endpointFindings(ctx, acct, callbackURL)
	if err != nil {
		return append(findings, more...), err
	}
	findings = append(findings, more...)
	findings = append(findings, a.quotaFinding(ctx, acct), adapter.Finding{
		OK: true, Topic: "redelivery",
		Detail: "LINE has no interface that tells whether webhook redelivery is on; it is off by default, and then a webhook that fails " +
			"is lost.",
		Remedy: "Switch on \"Webhook redelivery\" on the Messaging API tab of the LINE console.",
	})
	return findings, ctx.Err()
}

func tokenFinding(err error) adapter.Finding {
	f := adapter.Finding{Topic: "token", Detail: err.Error()}
	switch {
	case errors.Is(err, errs.PermissionDenied):
		f.Remedy = "Issue a new channel access token on the Messaging API tab of the LINE console, of the same channel as the channel " +
			"secret."
	case errors.Is(err, errs.Unavailable):
		f.Remedy = "Check that this server reaches api.line.me over https, and try again."
	default:
		f.Remedy = "Check that the channel is of the Messaging API kind."
	}
	return f
}

func botFindings(acct channel.Account, info BotInfo) []adapter.Finding {
	findings := []adapter.Finding{{OK: true, Topic: "bot", Detail: fmt.Sprintf("The account is %q with the ID %s.",
		clip(info.DisplayName, 100), clip(info.BasicID, 50))}}
	if s, err := ParseSettings(acct.Settings); err == nil && s.BotUserID != "" && s.BotUserID != info.UserID {
		findings = append(findings, adapter.Finding{
			Topic: "bot", Detail: "The access token belongs to another bot than the setting bot_user_id names; webhooks would be refused.",
			Remedy: "Set bot_user_id to " + clip(info.UserID, 50) + ", or leave it out.",
		})
	}
	mode := adapter.Finding{OK: true, Topic: "chat_mode", Detail: "Response mode is Bot."}
	if info.ChatMode == "chat" {
		mode.Detail = "Chat is switched on: people can answer from LINE Official Account Manager too, unseen by this desk."
		mode.Remedy = "If only this desk shall answer, switch Chat off under Response settings of LINE Official Account Manager."
	}
	return append(findings, mode)
}

func (a *Adapter) endpointFindings(ctx context.Context, acct channel.Account, callbackURL string) ([]adapter.Finding, error) {
	if callbackURL == "" {
		return []adapter.Finding{{Topic: "endpoint",
			Detail: "The address by which LINE reaches this server is not known, so it cannot be told whether webhooks come here.",
			Remedy: "Have the host set the public address of this server, and check again."}}, nil
	}
	f := adapter.Finding{Topic: "endpoint", Remedy: "Enter " + callbackURL +
		" as Webhook URL on the Messaging API tab of the LINE console and switch on \"Use webhook\"."}
	e, err := a.Endpoint(ctx, acct)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, errs.NotFound):
		f.Detail = "No webhook address is set at LINE; nothing will arrive."
		return []adapter.Finding{f}, nil
	case err != nil:
		f.Detail = err.Error()
		return []adapter.Finding{f}, nil
	case e.URL != callbackURL:
		f.Detail = "LINE sends this account's webhooks to another address, perhaps of another tool; an account has one address only, so " +
			"nothing arrives here: " + clip(e.URL, 500)
		f.Replaces = clip(e.URL, 500)
		return []adapter.Finding{f}, nil
	case !e.Active:
		f.Detail = "The webhook address is right, but \"Use webhook\" is off."
		return []adapter.Finding{f}, nil
	}
	ok := adapter.Finding{OK: true, Topic: "endpoint", Detail: "LINE sends webhooks to this address."}
	return []adapter.Finding{ok, a.endpointTest(ctx, acct)}, ctx.Err()
}

func (a *Adapter) endpointTest(ctx context.Context, acct channel.Account) adapter.Finding {
	f := adapter.Finding{Topic: "endpoint_test"}
	t, err := a.TestEndpoint(ctx, acct)
	switch {
	case err != nil:
		f.Detail = err.Error()
		f.Remedy = "LINE allows 60 tests an hour; try again later."
	case t.Success:
		f.OK, f.Detail = true, "LINE called this address and got 200."
	case t.StatusCode == http.StatusUnauthorized:
		f.Detail = "LINE called this address and the signature did not match."
		f.Remedy = "Copy the channel secret of the same channel again from the Basic settings tab of the LINE console."
	case t.StatusCode > 0:
		f.Detail = fmt.Sprintf("LINE called this address and got status %d.", t.StatusCode)
		f.Remedy = "See this server's log, and what stands between it and the internet."
	default:
		f.Detail = "LINE could not call this address: " + clip(t.Reason, 100)
		f.Remedy = "The address must be reachable from the internet, with a certificate of a public authority and TLS 1.2 or newer."
	}
	return f
}

func (a *Adapter) quotaFinding(ctx context.Context, acct channel.Account) adapter.Finding {
	q, err := a.Quota(ctx, acct)
	switch {
	case err != nil:
		return adapter.Finding{Topic: "quota", Detail: err.Error(), Remedy: "Try again later."}
	case q.Exhausted():
		return adapter.Finding{
			Topic: "quota", Detail: fmt.Sprintf("All %d messages of this month are used; only replies within about a minute still reach "+
				"customers.", q.Value),
			Remedy: "Change the plan in LINE Official Account Manager or wait for the next month.",
		}
	case q.Limited:
		return adapter.Finding{OK: true, Topic: "quota",
			Detail: fmt.Sprintf("About %d of %d messages of this month are used.", q.Used, q.Value)}
	}
	return adapter.Finding{OK: true, Topic: "quota", Detail: "The plan has no limit of messages."}
}
