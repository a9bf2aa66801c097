package line

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
)

// request is the persisted form of an Attempt's Request: the exact body, and
// how many LINE messages each row became, so that the ids in LINE's answer
// find their rows.
type request struct {
	V      int             `json:"v"`
	Counts []int           `json:"counts"`
	Body   json.RawMessage `json:"body"`
}

type replyBody struct {
	ReplyToken string            `json:"replyToken"`
	Messages   []json.RawMessage `json:"messages"`
}

type pushBody struct {
	To       string            `json:"to"`
	Messages []json.RawMessage `json:"messages"`
}

// Plan takes as many rows as fit into one request of five LINE messages and
// 2 MB. It replies while the first row's handle has more than five seconds left,
// and pushes under a fresh retry key otherwise. A reply whose outcome is not known
// may be repeated until ten seconds before its handle expires. Rows that LINE might
// refuse for reasons the adapter cannot know (rich, sticker) are planned alone.
func (a *Adapter) Plan(_ channel.Account, batch []adapter.Outbound, now time.Time, newKey func() string) (adapter.Attempt, error) {
	if len(batch) == 0 {
		return adapter.Attempt{}, kit.Permanent(channel.ReasonContent, "there is nothing to send")
	}
	to := batch[0].To
	if !validChat(to) {
		return adapter.Attempt{}, kit.Permanent(channel.ReasonUnreachable, "the recipient's id does not have the form of a LINE id")
	}
	var at adapter.Attempt
	var req request
	var messages []json.RawMessage
	size := 0
	for i, out := range batch {
		rendered, err := render(out, strings.HasPrefix(a.api, "http://"))
		if err != nil {
			if i == 0 {
				return adapter.Attempt{}, err
			}
			break
		}
		for _, m := range rendered {
			size += len(m) + 1
		}
		if i == 0 && size > maxRequestBytes {
			return adapter.Attempt{}, kit.Permanent(channel.ReasonContent, "the message is larger than LINE's 2 MB")
		}
		if i > 0 && (out.To != to || len(messages)+len(rendered) > MaxMessages || size > maxRequestBytes || alone(out)) {
			break
		}
		messages = append(messages, rendered...)
		req.Counts = append(req.Counts, len(rendered))
		at.Rows = append(at.Rows, out.Row)
		if alone(out) {
			break
		}
	}
	return address(at, batch[0], messages, req, now, newKey)
}

// address chooses the route and closes the request.
func address(at adapter.Attempt, first adapter.Outbound, messages []json.RawMessage, req request, now time.Time,
	newKey func() string) (adapter.Attempt, error) {
	var body any
	if h := first.Reply; h != nil && h.Token != "" && now.Add(replyMargin).Before(h.Expires) {
		at.Route = RouteReply
		at.IdempotentFor = max(h.Expires.Sub(now)-repeatMargin, 0)
		body = replyBody{ReplyToken: h.Token, Messages: messages}
	} else {
		at.Route = RoutePush
		at.IdempotencyKey = newKey()
		at.IdempotentFor = retryKeyLife
		body = pushBody{To: first.To.ID, Messages: messages}
	}
	req.V = 1
	var err error
	if req.Body, err = encode(body); err == nil {
		at.Request, err = encode(req)
	}
	if err != nil {
		return adapter.Attempt{}, kit.Permanent(channel.ReasonContent, "the message cannot be encoded")
	}
	return at, nil
}

// alone says that LINE may refuse the row for something only LINE knows.
func alone(out adapter.Outbound) bool {
	return out.Content.Kind == channel.KindRich || out.Content.Kind == channel.KindSticker
}

// encode is json.Marshal without the escaping of <, > and &, which would only
// make the request longer.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Forms of LINE's ids. They are checked before an id reaches a path or a
// request; inbound ids are taken as they come.
var (
	userForm    = regexp.MustCompile(`^(U[0-9a-f]{32}|L[0-9A-Za-z_-]{67})$`)
	groupForm   = regexp.MustCompile(`^C[0-9a-f]{32}$`)
	roomForm    = regexp.MustCompile(`^R[0-9a-f]{32}$`)
	contentForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
)

func validUser(id channel.ProviderUserID) bool { return userForm.MatchString(string(id)) }

func validChat(c channel.Chat) bool {
	switch c.Kind {
	case channel.ChatUser:
		return userForm.MatchString(c.ID)
	case channel.ChatGroup:
		return groupForm.MatchString(c.ID)
	case channel.ChatRoom:
		return roomForm.MatchString(c.ID)
	}
	return false
}
