package line

import (
	"context"
	"net/http"

	"github.com/sangdam/sangdam/channel"
)

// Quota is the plan's allowance of this month. LINE counts recipients of
// pushes, never replies.
type Quota struct {
	Limited bool  // false: the plan has no limit
	Value   int64 // messages of this month, when Limited
	Used    int64 // approximate, says LINE
}

// Exhausted reports that no message is left.
func (q Quota) Exhausted() bool { return q.Limited && q.Used >= q.Value }

// Quota asks LINE for allowance and consumption.
func (a *Adapter) Quota(ctx context.Context, acct channel.Account) (Quota, error) {
	var limit struct {
		Type  string `json:"type"`
		Value int64  `json:"value"`
	}
	if err := a.callJSON(ctx, acct, "message quota", http.MethodGet, "/v2/bot/message/quota", nil, &limit); err != nil {
		return Quota{}, err
	}
	var used struct {
		Total int64 `json:"totalUsage"`
	}
	if err := a.callJSON(ctx, acct, "message consumption", http.MethodGet, "/v2/bot/message/quota/consumption", nil, &used); err != nil {
		return Quota{}, err
	}
	return Quota{Limited: limit.Type == "limited", Value: limit.Value, Used: used.Total}, nil
}
