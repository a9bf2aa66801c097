package line

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
)

// quotaDoubt is how long a push waits when LINE speaks of the monthly
// limit but its own figures say that messages remain: reservations of a
// narrowcast do that, and pass.
const quotaDoubt = 5 * time.Minute

// Send performs the Attempt once with exactly the bytes that Plan wrote. A push
// that LINE had accepted before under the same retry key is a success with
// Duplicate set. An error is a *adapter.SendError: whatever may have reached LINE
// without a readable answer is Ambiguous.
func (a *Adapter) Send(ctx context.Context, acct channel.Account, at adapter.Attempt) (adapter.Sent, error) {
	var req request
	if json.Unmarshal(at.Request, &req) != nil || req.V != 1 || len(req.Body) == 0 {
		return adapter.Sent{}, kit.Permanent(channel.ReasonContent, "the stored request is not one of this adapter")
	}
	c := call{method: http.MethodPost, contentType: "application/json", body: req.Body}
	switch {
	case at.Route == RouteReply:
		c.address = a.api + "/v2/bot/message/reply"
	case at.Route == RoutePush && uuidForm.MatchString(at.IdempotencyKey):
		c.address, c.retryKey = a.api+"/v2/bot/message/push", at.IdempotencyKey
	default:
		return adapter.Sent{}, kit.Permanent(channel.ReasonContent,
			"the stored request has a route that LINE does not have, or a push without a retry key")
	}
	ans, err := a.authorised(ctx, acct, c)
	if err != nil {
		return adapter.Sent{}, a.client.Failure(err)
	}
	return a.outcome(ctx, acct, at, req, ans)
}

// outcome is what LINE's answer means.
func (a *Adapter) outcome(ctx context.Context, acct channel.Account, at adapter.Attempt, req request, ans answer) (adapter.Sent, error) {
	sent := adapter.Sent{RequestID: ans.RequestID, Messages: sentMessages(ans, req.Counts)}
	switch {
	case ans.Status/100 == 2:
		return sent, nil
	case ans.Status == http.StatusConflict && at.Route == RoutePush:
		sent.Duplicate = true
		if first := kit.SafeID(ans.Header.Get("X-Line-Accepted-Request-Id")); first != "" {
			sent.RequestID = first
		}
		return sent, nil
	case ans.Status == http.StatusTooManyRequests:
		return adapter.Sent{}, a.tooMany(ctx, acct, at, req.Body, ans)
	}
	return adapter.Sent{}, a.refused(at.Route, ans, req.Counts)
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// sentMessages maps LINE's ids to rows: each row gets the id of its first LINE
// message, and those of the others as Parts. None when LINE's answer does not
// name as many as were sent.
func sentMessages(ans answer, counts []int) []adapter.SentMessage {
	body, _ := kit.ParseObject(ans.Body)
	list := body.List("sentMessages")
	total := 0
	for _, n := range counts {
		total += n
	}
	if len(list) != total {
		return nil
	}
	var all []adapter.SentMessage
	for _, n := range counts {
		if n < 1 || n > len(list) {
			return nil
		}
		m := kit.ReadObject(list[0])
		row := adapter.SentMessage{ID: channel.ProviderMessageID(m.ID("id")), QuoteHandle: m.Str("quoteToken")}
		for _, raw := range list[1:n] {
			if id := kit.ReadObject(raw).ID("id"); id != "" {
				row.Parts = append(row.Parts, channel.ProviderMessageID(id))
			}
		}
		all = append(all, row)
		list = list[n:]
	}
	return all
}

// refused is what an answer other than 2xx, 409 of a push and 429 means: what the
// kit says of its status, and what LINE says beyond that.
func (a *Adapter) refused(route string, ans answer, counts []int) *adapter.SendError {
	e := a.client.Refusal(ans.Answer, a.now())
	hint := ans.hint()
	switch {
	case ans.Status == http.StatusUnauthorized:
		e.Detail = "LINE refused the access token; issue a new one in the LINE console"
	case ans.Status != http.StatusBadRequest:
	case route == RouteReply && ans.blamesToken(hint):
		e.Reason, e.Detail = channel.ReasonReplyHandle, "the reply token was used before or is too old; nothing was sent"
	case strings.Contains(hint, "failed to send messages"):
		e.Reason, e.Detail = channel.ReasonUnreachable, "LINE does not know this recipient for this account"
	default:
		e.Detail += ans.properties()
		e.Rows = ans.guilty(counts)
	}
	return e
}

// hint is LINE's message in lower case. LINE does not guarantee its texts, so
// they only decide between cases of one status.
func (ans answer) hint() string {
	body, _ := kit.ParseObject(ans.Body)
	return strings.ToLower(clip(body.Str("message"), 500))
}

// tooMany tells the three meanings of 429 apart: requests per second, messages
// to one person, and the month's messages. The last is confirmed by LINE's own
// figures, since its texts are not guaranteed.
func (a *Adapter) tooMany(ctx context.Context, acct channel.Account, at adapter.Attempt, body []byte, ans answer) *adapter.SendError {
	hint := ans.hint()
	if strings.Contains(hint, "same user") || strings.Contains(hint, "to the user") {
		return &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonRecipientRate,
			After: patience(at.Tries), Status: ans.Status, Detail: "too many messages to this recipient"}
	}
	limited := a.client.Refusal(ans.Answer, a.now())
	if at.Route == RouteReply || strings.Contains(hint, "rate limit") {
		return limited // replies are never metered
	}
	speaksOfQuota := strings.Contains(hint, "monthly limit")
	q, err := a.Quota(ctx, acct)
	switch {
	case err == nil && q.Exhausted(), err != nil && speaksOfQuota:
		return overQuota(ans.Status,
			"the plan's messages of this month are used up; change the plan in LINE Official Account Manager or wait for the next month")
	case err == nil && q.Limited:
		if need := a.counted(ctx, acct, body); need > q.Value-q.Used {
			return overQuota(ans.Status,
				fmt.Sprintf("LINE counts this push as %d messages, one for each member, and only %d of the month's %d are left; "+
					"change the plan in LINE Official Account Manager, or answer within a minute of a message, which is free",
					need, q.Value-q.Used,
					q.Value))
		}
	}
	if speaksOfQuota {
		return &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonQuota, After: quotaDoubt, Status: ans.Status,
			Detail: "LINE speaks of the monthly limit, yet its own figures say that messages remain"}
	}
	return limited
}

// patience is how long one recipient's messages wait after the n-th refusal as
// too many: LINE names no time, so the first waits are short and they double up
// to a minute. Others of the account go on meanwhile.
func patience(n int) time.Duration {
	return min(5*time.Second<<min(max(n-1, 0), 4), time.Minute)
}

func overQuota(status int, detail string) *adapter.SendError {
	return &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonQuota, Status: status, Detail: detail}
}

// counted is how many of the month's messages a push takes: one for everybody
// in a group or room; 0 when LINE does not say.
func (a *Adapter) counted(ctx context.Context, acct channel.Account, push []byte) int64 {
	var body struct {
		To string `json:"to"`
	}
	_ = json.Unmarshal(push, &body) // Plan wrote it
	var chat channel.Chat
	switch {
	case groupForm.MatchString(body.To):
		chat = channel.Chat{Kind: channel.ChatGroup, ID: body.To}
	case roomForm.MatchString(body.To):
		chat = channel.Chat{Kind: channel.ChatRoom, ID: body.To}
	default:
		return 1
	}
	n, err := a.members(ctx, acct, chat)
	if err != nil {
		return 0
	}
	return int64(n)
}
