package line

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
)

// This file reads webhooks as slowly and as plainly as possible: each object is
// decoded by encoding/json into a map, each field from there. What Receive and
// Parse make of any bytes must be the same; differential_test.go compares.

// object is a JSON object read field by field. Compared with a struct, field
// names are exact in case, the last of duplicate keys wins without being
// merged, and a field of another type than expected spoils nothing but itself.
type refObject map[string]json.RawMessage

func refToObject(raw []byte) (refObject, bool) {
	var o refObject
	if err := json.Unmarshal(raw, &o); err != nil || o == nil {
		return nil, false
	}
	return o, true
}

// object returns the object under key, or nil.
func (o refObject) object(key string) refObject {
	sub, _ := refToObject(o[key])
	return sub
}

// list returns the array under key, or nil.
func (o refObject) list(key string) []json.RawMessage {
	var l []json.RawMessage
	if json.Unmarshal(o[key], &l) != nil {
		return nil
	}
	return l
}

// text returns a string.
func (o refObject) text(key string) (string, bool) {
	raw := bytes.TrimSpace(o[key])
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// str is text without the second result.
func (o refObject) str(key string) string {
	s, _ := o.text(key)
	return s
}

// id returns a string, or the digits of a number: LINE documents some ids as
// numbers and sends them as strings, and some exceed 2^53.
func (o refObject) id(key string) string {
	if s, ok := o.text(key); ok {
		return s
	}
	digits := string(bytes.TrimSpace(o[key]))
	if digits == "" || len(digits) > 40 || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return digits
}

func (o refObject) int(key string) (int64, bool) {
	var n json.Number
	if json.Unmarshal(o[key], &n) != nil {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

func (o refObject) float(key string) (float64, bool) {
	var f *float64
	if json.Unmarshal(o[key], &f) != nil || f == nil {
		return 0, false
	}
	return *f, true
}

func (o refObject) bool(key string) bool {
	var b bool
	return json.Unmarshal(o[key], &b) == nil && b
}

// time reads milliseconds since 1970; the zero time when absent or absurd.
func (o refObject) time(key string) time.Time {
	ms, ok := o.int(key)
	if !ok || ms <= 0 || ms >= time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func refReadSource(event refObject) source {
	o := event.object("source")
	s := source{kind: o.str("type"), user: channel.ProviderUserID(o.id("userId"))}
	switch s.kind {
	case "user":
		s.chat = channel.Chat{Kind: channel.ChatUser, ID: string(s.user)}
	case "group":
		s.chat = channel.Chat{Kind: channel.ChatGroup, ID: o.id("groupId")}
	case "room":
		s.chat = channel.Chat{Kind: channel.ChatRoom, ID: o.id("roomId")}
	case "":
	default:
		s.chat = unknownChat(s.kind, maps.Keys(o), o.id)
	}
	return s
}

func refOpenBody(body []byte, bot string) ([]json.RawMessage, error) {
	if !kit.Shallow(body, maxDepth) {
		return nil, kit.Refuse(http.StatusBadRequest, "the body is nested too deeply")
	}
	top, ok := refToObject(body)
	if !ok {
		return nil, kit.Refuse(http.StatusBadRequest, "the body is not a JSON object")
	}
	var events []json.RawMessage
	if err := json.Unmarshal(top["events"], &events); err != nil || events == nil {
		return nil, kit.Refuse(http.StatusBadRequest, "the body has no list of events")
	}
	if destination, _ := top.text("destination"); bot != "" && destination != bot {
		return nil, kit.Refuse(http.StatusBadRequest, "the webhook is meant for another bot than the account's bot_user_id")
	}
	return events, nil
}

func refEnvelope(acct channel.AccountID, raw json.RawMessage) adapter.Envelope {
	event, _ := refToObject(raw)
	env := adapter.Envelope{
		Account:    acct,
		DedupKey:   refDedupKey(event, raw),
		Lane:       lane(refReadSource(event)),
		OccurredAt: event.time("timestamp"),
		Raw:        raw,
	}
	if len(raw) > maxEventBytes {
		env.Raw = raw[:maxEventBytes] // no longer JSON: quarantined and visible
	}
	return env
}

func refDedupKey(event refObject, raw []byte) string {
	if id, _ := event.text("webhookEventId"); id != "" && len(id) <= 100 && kit.Printable(id) {
		return id
	}
	if event != nil {
		lasting := make(refObject, len(event))
		for k, v := range event {
			if k != "deliveryContext" {
				lasting[k] = v
			}
		}
		if canonical, err := json.Marshal(lasting); err == nil {
			raw = canonical
		}
	}
	sum := sha256.Sum256(bytes.TrimSpace(raw))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func refParse(_ channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	if len(env.Raw) > maxEventBytes || !kit.Shallow(env.Raw, maxDepth) {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the event is too large or nested too deeply")
	}
	event, ok := refToObject(env.Raw)
	if !ok {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the event is not a JSON object")
	}
	kind := event.str("type")
	if kind == "" {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the event has no type")
	}
	src := refReadSource(event)
	in := adapter.Inbound{
		Type:       clip(kind, 100),
		Chat:       src.chat,
		Author:     adapter.Author{User: src.user},
		OccurredAt: event.time("timestamp"),
	}
	if in.OccurredAt.IsZero() {
		in.OccurredAt = env.ReceivedAt
	}
	if mode := event.str("mode"); mode != "" && mode != "active" {
		// Another module leads the chat: nothing may be sent, by push neither.
		in.Silent, in.Standby = true, mode == "standby"
	}
	in.Reply = refReplyHandle(event, env, in)
	if event.object("deliveryContext").bool("isRedelivery") {
		detail(&in, "redelivery", "true")
	}
	return refParseEvent(event, src, in)
}

func refParseEvent(event refObject, src source, in inbound) (adapter.Inbound, error) {
	switch event.str("type") {
	case "message":
		return refParseMessage(event.object("message"), src, in, adapter.EventMessage)
	case "messageEdited":
		return refParseMessage(event.object("message"), src, in, adapter.EventEdit)
	case "unsend":
		in.Kind = adapter.EventUnsend
		in.MessageID = channel.ProviderMessageID(event.object("unsend").id("messageId"))
		if in.MessageID == "" {
			return adapter.Inbound{}, errs.New(errs.Invalid, "line: the unsend event names no message")
		}
	case "follow":
		in.Kind = adapter.EventFollow
		if event.object("follow").bool("isUnblocked") {
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
		in.Members = refMembers(event.object("joined"))
	case "memberLeft":
		in.Kind = adapter.EventMemberLeft
		in.Members = refMembers(event.object("left"))
	case "postback":
		return refParsePostback(event.object("postback"), src, in)
	case "accountLink":
		in.Kind = adapter.EventAccountLink
		link := event.object("link")
		detail(&in, "result", link.str("result"))
		detail(&in, "nonce", link.str("nonce"))
	default:
		return refParseOther(event, in), nil
	}
	return attributed(in, src)
}

func refParsePostback(postback refObject, src source, in inbound) (adapter.Inbound, error) {
	in.Kind = adapter.EventPostback
	data, ok := postback.text("data")
	if !ok {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the postback event has no data")
	}
	p := &channel.Postback{Data: data}
	params := postback.object("params")
	for key := range params {
		if v, ok := params.text(key); ok {
			if p.Params == nil {
				p.Params = map[string]string{}
			}
			p.Params[key] = v
		}
	}
	in.Content = channel.Content{Kind: channel.KindPostback, Text: p.Picked(), Postback: p}
	return attributed(in, src)
}

func refParseOther(event refObject, in inbound) adapter.Inbound {
	in.Kind = adapter.EventOther
	switch event.str("type") {
	case "videoPlayComplete":
		in.Kind, in.Tag = adapter.EventWatched, clip(event.object("videoPlayComplete").str("trackingId"), maxTag)
	case "beacon":
		beacon := event.object("beacon")
		detail(&in, "hwid", beacon.str("hwid"))
		detail(&in, "beacon", beacon.str("type"))
		detail(&in, "device_message", beacon.str("dm"))
	case "membership":
		membership := event.object("membership")
		detail(&in, "membership", membership.str("type"))
		detail(&in, "membership_id", membership.id("membershipId"))
	case "module":
		module := event.object("module")
		detail(&in, "module", module.str("type"))
		detail(&in, "bot_id", module.str("botId"))
		detail(&in, "reason", module.str("reason"))
	case "activated":
		if until := event.object("chatControl").time("expireAt"); !until.IsZero() {
			detail(&in, "control_until", until.Format(time.RFC3339))
		}
	case "deactivated", "botSuspended", "botResumed":
	case "delivery":
		in.Kind, in.Tag = adapter.EventNotified, clip(event.object("delivery").str("data"), maxTag)
	default:
		return unsupported(in, event.str("type"))
	}
	return in
}

func refMembers(o refObject) []adapter.Author {
	var all []adapter.Author
	for _, raw := range o.list("members") {
		member, _ := refToObject(raw)
		if user := member.id("userId"); user != "" {
			all = append(all, adapter.Author{User: channel.ProviderUserID(user)})
		}
	}
	return all
}

func refReplyHandle(event refObject, env adapter.Envelope, in adapter.Inbound) *channel.ReplyHandle {
	token := event.str("replyToken")
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

func refParseMessage(msg refObject, src source, in inbound, kind adapter.EventKind) (adapter.Inbound, error) {
	in.Kind = kind
	in.MessageID = channel.ProviderMessageID(msg.id("id"))
	if in.MessageID == "" || len(in.MessageID) > 200 {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the %s event has no usable message id", kind)
	}
	name := msg.str("type")
	if name == "" {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the message has no type")
	}
	content, known, err := refMessageContent(name, msg)
	if err != nil {
		return adapter.Inbound{}, err
	}
	if !known {
		// Parsed as far as every message goes, so that it has its place in the
		// conversation.
		in = unsupported(in, "message/"+name)
	} else {
		in.Content = content
		in.Type = name
	}
	in.Content.QuoteOf = channel.ProviderMessageID(msg.id("quotedMessageId"))
	in.Content.QuoteHandle = msg.str("quoteToken")
	in.ReadHandle = msg.str("markAsReadToken")
	return attributed(in, src)
}

func refMessageContent(name string, msg refObject) (c channel.Content, known bool, err error) {
	switch name {
	case "text":
		text, ok := msg.text("text")
		if !ok {
			return c, false, errs.New(errs.Invalid, "line: the text message has no text")
		}
		return channel.Content{Kind: channel.KindText, Text: text, Spans: refSpans(text, msg)}, true, nil
	case "image":
		c = channel.Content{Kind: channel.KindImage, Media: refMedia(msg)}
		set := msg.object("imageSet")
		c.Media.SetID = set.id("id")
		c.Media.SetIndex = refSmall(set, "index")
		c.Media.SetTotal = refSmall(set, "total")
	case "video":
		c = channel.Content{Kind: channel.KindVideo, Media: refMedia(msg)}
	case "audio":
		c = channel.Content{Kind: channel.KindAudio, Media: refMedia(msg)}
	case "file":
		c = channel.Content{Kind: channel.KindFile, Media: refMedia(msg)}
		c.Media.Name = safeName(msg.str("fileName"))
		if size, ok := msg.int("fileSize"); ok && size > 0 {
			c.Media.Size = size
		}
	case "location":
		return refLocation(msg), true, nil
	case "sticker":
		return refSticker(msg), true, nil
	default:
		return c, false, nil
	}
	return c, true, nil
}

func refSmall(o refObject, key string) int {
	n, ok := o.int(key)
	if !ok || n < 0 || n > 1000 {
		return 0
	}
	return int(n)
}

func refMedia(msg refObject) *channel.Media {
	m := &channel.Media{State: "pending"}
	if ms, ok := msg.int("duration"); ok && ms > 0 && ms < (24*time.Hour*365).Milliseconds() {
		m.Duration = time.Duration(ms) * time.Millisecond
	}
	provider := msg.object("contentProvider")
	if provider.str("type") != "external" {
		m.Provider = msg.id("id")
		return m
	}
	m.URL = webAddress(provider.str("originalContentUrl"))
	m.Preview = webAddress(provider.str("previewImageUrl"))
	if m.URL == "" {
		m.State = "failed"
	}
	return m
}

func refLocation(msg refObject) channel.Content {
	l := &channel.Location{Title: msg.str("title"), Address: msg.str("address")}
	l.Latitude, _ = msg.float("latitude")
	l.Longitude, _ = msg.float("longitude")
	text := l.Title
	if l.Address != "" && l.Address != l.Title {
		text = strings.TrimSpace(text + " " + l.Address)
	}
	return channel.Content{Kind: channel.KindLocation, Location: l, Text: text}
}

func refSticker(msg refObject) channel.Content {
	s := &channel.Sticker{
		Package: msg.id("packageId"),
		ID:      msg.id("stickerId"),
		Kind:    msg.str("stickerResourceType"),
		Text:    msg.str("text"),
	}
	for i := range msg.list("keywords") {
		if i == 15 { // LINE's own limit
			break
		}
		s.Keywords = append(s.Keywords, refKeyword(msg, i))
	}
	return channel.Content{Kind: channel.KindSticker, Sticker: s, Text: s.Text}
}

func refKeyword(msg refObject, i int) string {
	return refObject{"k": msg.list("keywords")[i]}.str("k")
}

func refSpans(text string, msg refObject) []channel.Span {
	var all []channel.Span
	add := func(o refObject, kind, ref string) {
		index, okIndex := o.int("index")
		length, okLength := o.int("length")
		if !okIndex || !okLength {
			return
		}
		if start, size, ok := kit.ByteIndex(text, index, length); ok {
			all = append(all, channel.Span{Start: start, Length: size, Kind: kind, Ref: ref})
		}
	}
	for _, raw := range bounded(msg.list("emojis")) {
		emoji, _ := refToObject(raw)
		add(emoji, "emoji", emojiRef(emoji.id("productId"), emoji.id("emojiId")))
	}
	for _, raw := range bounded(msg.object("mention").list("mentionees")) {
		mentionee, _ := refToObject(raw)
		kind := "mention"
		switch {
		case mentionee.str("type") == "all":
			kind = "mention_all"
		case mentionee.bool("isSelf"):
			kind = "mention_self"
		}
		add(mentionee, kind, mentionee.id("userId"))
	}
	slices.SortStableFunc(all, func(a, b channel.Span) int { return a.Start - b.Start })
	return all
}
