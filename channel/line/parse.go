package line

import (
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
)

// Parse turns one event into library terms. It is pure and never panics. What
// is not known (event, message or source type) is EventUnsupported with its
// name in Type; ErrInvalid is only for what is not an event at all, or a
// message that cannot be attributed to any chat.
func (a *Adapter) Parse(_ channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	event, err := eventOf(env.Raw)
	if err != nil {
		return adapter.Inbound{}, err
	}
	kind := event.Str("type")
	if kind == "" {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the event has no type")
	}
	src := readSource(event)
	in := adapter.Inbound{
		Type:       clip(kind, 100),
		Chat:       src.chat,
		Author:     adapter.Author{User: src.user},
		OccurredAt: event.Millis("timestamp"),
	}
	if in.OccurredAt.IsZero() {
		in.OccurredAt = env.ReceivedAt
	}
	if mode := event.Str("mode"); mode != "" && mode != "active" {
		// Another module leads the chat: nothing may be sent, by push neither.
		in.Silent, in.Standby = true, mode == "standby"
	}
	in.Reply = replyHandle(event, env, in)
	if event.Object("deliveryContext").Bool("isRedelivery") {
		detail(&in, "redelivery", "true")
	}
	return parseEvent(event, src, in)
}

// eventOf reads an event that is neither too large nor nested too deeply.
func eventOf(raw []byte) (event object, err error) {
	if len(raw) <= maxEventBytes && kit.Valid(raw, maxDepth) {
		event = kit.ReadObject(raw)
	} else if len(raw) > maxEventBytes || !kit.Shallow(raw, maxDepth) {
		return nil, errs.New(errs.Invalid, "line: the event is too large or nested too deeply")
	}
	if event == nil {
		return nil, errs.New(errs.Invalid, "line: the event is not a JSON object")
	}
	return event, nil
}

// parseEvent fills in by kind of event.
func parseEvent(event object, src source, in inbound) (adapter.Inbound, error) {
	switch event.Str("type") {
	case "message":
		return parseMessage(event.Object("message"), src, in, adapter.EventMessage)
	case "messageEdited":
		return parseMessage(event.Object("message"), src, in, adapter.EventEdit)
	case "unsend":
		in.Kind = adapter.EventUnsend
		in.MessageID = channel.ProviderMessageID(event.Object("unsend").ID("messageId"))
		if in.MessageID == "" {
			return adapter.Inbound{}, errs.New(errs.Invalid, "line: the unsend event names no message")
		}
	case "follow":
		in.Kind = adapter.EventFollow
		if event.Object("follow").Bool("isUnblocked") {
			detail(&in, "unblocked", "true")
		}
	case "unfollow":
		in.Kind = adapter.EventUnfollow
	case "join":
		in.Kind = adapter.EventJoin
	case "leave":
		in.Kind = adapter.EventLeave
	case "memberJoined":
		in.Kind = adapter.EventMemberJoined
		in.Members = members(event.Object("joined"))
	case "memberLeft":
		in.Kind = adapter.EventMemberLeft
		in.Members = members(event.Object("left"))
	case "postback":
		return parsePostback(event.Object("postback"), src, in)
	case "accountLink":
		in.Kind = adapter.EventAccountLink
		link := event.Object("link")
		detail(&in, "result", link.Str("result"))
		detail(&in, "nonce", link.Str("nonce"))
	default:
		return parseOther(event, in), nil
	}
	return attributed(in, src)
}

// attributed refuses an event that changes a chat but names none. Events of
// source types that LINE may add one day are shown as unsupported instead, with
// what they say, and nothing is sent because of them: nobody knows where it
// would go. A failed account link is the one event here that has no source by
// design.
func attributed(in inbound, src source) (adapter.Inbound, error) {
	unknown := src.kind != "" && (in.Chat.Kind == "" || in.Chat.Kind == channel.ChatOther)
	switch {
	case unknown:
		content := in.Content
		in = unsupported(in, "source/"+src.kind)
		if content.Kind != "" {
			in.Content = content
		}
		in.Silent, in.Reply = true, nil
		return in, nil
	case in.Chat.ID != "" || in.Kind == adapter.EventAccountLink:
		return in, nil
	}
	return adapter.Inbound{}, errs.New(errs.Invalid, "line: the %s event names no chat", in.Kind)
}

func unsupported(in inbound, kind string) adapter.Inbound {
	in.Kind = adapter.EventUnsupported
	in.Type = clip(kind, 100)
	in.Content = channel.Content{Kind: channel.KindUnsupported}
	return in
}

func parsePostback(postback object, src source, in inbound) (adapter.Inbound, error) {
	in.Kind = adapter.EventPostback
	data, ok := postback.Text("data")
	if !ok {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the postback event has no data")
	}
	p := &channel.Postback{Data: data}
	params := postback.Object("params")
	for key, value := range params.Fields() {
		if v, ok := kit.TextOf(value); ok {
			if p.Params == nil {
				p.Params = map[string]string{}
			}
			p.Params[key] = v
		}
	}
	in.Content = channel.Content{Kind: channel.KindPostback, Text: p.Picked(), Postback: p}
	return attributed(in, src)
}

// maxTag is how much is kept of the name of what was sent: LINE's delivery tags
// and tracking ids have at most 100 characters.
const maxTag = 400

// parseOther reads the events that do not touch the conversation, and those
// that are not known.
func parseOther(event object, in inbound) adapter.Inbound {
	in.Kind = adapter.EventOther
	switch event.Str("type") {
	case "videoPlayComplete":
		in.Kind, in.Tag = adapter.EventWatched, clip(event.Object("videoPlayComplete").Str("trackingId"), maxTag)
	case "beacon":
		beacon := event.Object("beacon")
		detail(&in, "hwid", beacon.Str("hwid"))
		detail(&in, "beacon", beacon.Str("type"))
		detail(&in, "device_message", beacon.Str("dm"))
	case "membership":
		membership := event.Object("membership")
		detail(&in, "membership", membership.Str("type"))
		detail(&in, "membership_id", membership.ID("membershipId"))
	case "module":
		module := event.Object("module")
		detail(&in, "module", module.Str("type"))
		detail(&in, "bot_id", module.Str("botId"))
		detail(&in, "reason", module.Str("reason"))
	case "activated":
		if until := event.Object("chatControl").Millis("expireAt"); !until.IsZero() {
			detail(&in, "control_until", until.Format(time.RFC3339))
		}
	case "deactivated", "botSuspended", "botResumed":
	case "delivery":
		in.Kind, in.Tag = adapter.EventNotified, clip(event.Object("delivery").Str("data"), maxTag)
	default:
		return unsupported(in, event.Str("type"))
	}
	return in
}

func members(o object) []adapter.Author {
	var all []adapter.Author
	for _, raw := range o.List("members") {
		member := kit.ReadObject(raw)
		if user := member.ID("userId"); user != "" {
			all = append(all, adapter.Author{User: channel.ProviderUserID(user)})
		}
	}
	return all
}

// replyHandle counts the token's life from the first arrival of the event,
// which is the cautious side: a redelivery would start it anew.
func replyHandle(event object, env adapter.Envelope, in adapter.Inbound) *channel.ReplyHandle {
	token := event.Str("replyToken")
	if token == "" || in.Silent || dummyToken(token) || len(token) > 500 || !kit.Printable(token) {
		return nil
	}
	dead := in.OccurredAt.Add(replyCap)
	if !env.ReceivedAt.Before(dead) {
		return nil
	}
	expires := env.ReceivedAt.Add(replyLife)
	if dead.Before(expires) {
		expires = dead
	}
	return &channel.ReplyHandle{Token: token, Expires: expires}
}

// dummyToken recognises what LINE's console once sent as a test: 32 zeros or
// 32 times f.
func dummyToken(token string) bool {
	return len(token) == 32 && (strings.Trim(token, "0") == "" || strings.Trim(token, "f") == "")
}

// inbound is adapter.Inbound while it is being filled.
type inbound = adapter.Inbound

// detail is a short fact of the event; empty ones are left out.
func detail(in *inbound, key, value string) {
	if value == "" {
		return
	}
	if in.Details == nil {
		in.Details = map[string]string{}
	}
	in.Details[key] = clip(value, 500)
}

// clip shortens s to at most n bytes without cutting a rune.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
