package linetest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/line/line-bot-sdk-go/v8/linebot/messaging_api"
	"github.com/line/line-bot-sdk-go/v8/linebot/webhook"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// shape compares JSON with the type of LINE's SDK that it was decoded into. The
// SDK's types are generated from LINE's public schema: a name they do not have
// is not in it, and in webhooks a field that is always written is a required
// one. The SDK itself overlooks all of this when it decodes.
type shape struct {
	required bool            // demand the fields that are always written
	optional map[string]bool // but not these, by type and name
	faults   []string
}

func (s *shape) fault(at, format string, args ...any) {
	s.faults = append(s.faults, at+": "+fmt.Sprintf(format, args...))
}

func (s *shape) check(at string, data any, v reflect.Value) {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v.IsNil() {
			s.fault(at, "was not decoded")
			return
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		s.object(at, data, v)
	case reflect.Slice:
		s.list(at, data, v)
	case reflect.Map:
		entries, ok := data.(map[string]any)
		if !ok || len(entries) != v.Len() {
			s.fault(at, "is not an object of %d entries", v.Len())
			return
		}
		for _, key := range v.MapKeys() {
			s.check(at+"."+key.String(), entries[key.String()], v.MapIndex(key))
		}
	default:
		// The value must have survived: 2^53 and beyond, whole degrees, all of it.
		want, err := json.Marshal(v.Interface())
		got, errGot := json.Marshal(data)
		if err != nil || errGot != nil || !bytes.Equal(got, want) {
			s.fault(at, "%s became %s", got, want)
		}
	}
}

func (s *shape) list(at string, data any, v reflect.Value) {
	items, ok := data.([]any)
	if !ok || len(items) != v.Len() {
		s.fault(at, "is not a list of %d", v.Len())
		return
	}
	for i, item := range items {
		s.check(fmt.Sprintf("%s[%d]", at, i), item, v.Index(i))
	}
}

func (s *shape) object(at string, data any, v reflect.Value) {
	name := v.Type().Name()
	if strings.HasPrefix(name, "Unknown") {
		s.fault(at, "is %s to the SDK", name)
		return
	}
	given, ok := data.(map[string]any)
	if !ok {
		s.fault(at, "is not an object")
		return
	}
	rest := maps.Clone(given)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous { // the discriminator
			if given["type"] == nil {
				s.fault(at, "has no type")
			}
			delete(rest, "type")
			continue
		}
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		value, has := given[tag]
		delete(rest, tag)
		switch {
		case has:
			s.check(at+"."+tag, value, v.Field(i))
		case s.required && options != "omitempty" && !s.optional[name+"."+tag]:
			s.fault(at, "%s has no %s", name, tag)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		s.fault(at, "%s does not have %s", name, key)
	}
}

// shapeOf decodes raw into v, a pointer to a type of the SDK, and compares.
func (s *shape) of(t *testing.T, raw []byte, v any) []string {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, v), "%s", raw)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var data any
	require.NoError(t, dec.Decode(&data))
	s.faults = nil
	s.check("", data, reflect.ValueOf(v))
	return s.faults
}

func webhookShape() *shape {
	return &shape{required: true, optional: map[string]bool{
		// Optional in LINE's documentation, though the SDK always writes it.
		"StickerMessageContent.keywords": true,
	}}
}

// TestEveryWebhookHasTheShapeOfLINEs holds all that customers can do against
// the types generated from LINE's schema, messageEdited included, field by
// field. Only what is meant to be unknown may be unknown.
func TestEveryWebhookHasTheShapeOfLINEs(t *testing.T) {
	b := newBench(t, linetest.Options{WebhookBatch: 4, Redeliveries: 1, RedeliverAfter: time.Millisecond})
	b.srv.Hold()
	everything(t, b.srv)
	b.srv.Release(false)
	b.wait(t)
	require.Equal(t, 200, b.srv.SendVerify())
	kinds := map[string]int{}
	for _, d := range b.srv.Webhooks() {
		var req webhook.CallbackRequest
		faults := webhookShape().of(t, d.Body, &req)
		faults = slices.DeleteFunc(faults, func(f string) bool {
			return strings.HasSuffix(f, "is UnknownEvent to the SDK") && bytes.Contains(d.Body, []byte(`"ofTheFuture"`)) ||
				strings.HasSuffix(f, "is UnknownMessageContent to the SDK") && bytes.Contains(d.Body, []byte(`"hologram"`))
		})
		require.Empty(t, faults, "%s", d.Body)
		for _, e := range req.Events {
			kinds[e.GetType()]++
		}
	}
	require.Positive(t, kinds["messageEdited"])
	require.Greater(t, len(kinds), 12)
}

func TestTheShapeCheckNotices(t *testing.T) {
	good := `{"destination":"U1","events":[{"type":"message","message":{"type":"text","id":"1","text":"x","quoteToken":"q"},` +
		`"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC301","deliveryContext":{"isRedelivery":false},"timestamp":1,"source":{"type":"user",` +
		`"userId":"U2"},"mode":"active"}]}`
	require.Empty(t, webhookShape().of(t, []byte(good), &webhook.CallbackRequest{}))
	for old, bent := range map[string]string{
		`,"quoteToken":"q"`:                  ``,
		`"text":"x"`:                         `"text":"x","colour":"red"`,
		`"type":"text","id"`:                 `"type":"hologram","id"`,
		`"type":"message","message"`:         `"type":"massage","message"`,
		`"isRedelivery":false`:               ``,
		`,"mode":"active"`:                   ``,
		`"type":"user"`:                      `"type":"planet"`,
		`"timestamp":1`:                      `"timestamp":1,"timeStamp":2`,
		`"destination":"U1",`:                ``,
		`"source":{"type":"user",`:           `"source":{"type":"user","groupId":"C1",`,
		`"deliveryContext":{"isRedelivery":`: `"delivery":{"isRedelivery":`,
	} {
		require.Contains(t, good, old)
		faults := webhookShape().of(t, []byte(strings.Replace(good, old, bent, 1)), &webhook.CallbackRequest{})
		require.NotEmpty(t, faults, "%s for %s", bent, old)
	}
}

func TestTheShapeCheckNoticesBadRequests(t *testing.T) {
	good := `{"to":"U1","messages":[{"type":"text","text":"x","sender":{"name":"J"}}]}`
	require.Empty(t, (&shape{}).of(t, []byte(good), &messaging_api.PushMessageRequest{}))
	for old, bent := range map[string]string{
		`"text":"x"`:    `"text":"x","colour":"red"`,
		`"type":"text"`: `"type":"telepathy"`,
		`"name":"J"`:    `"nick":"J"`,
		`"to":"U1"`:     `"to":"U1","force":true`,
	} {
		require.NotEmpty(t, (&shape{}).of(t, []byte(strings.Replace(good, old, bent, 1)), &messaging_api.PushMessageRequest{}), bent)
	}
}

// TestEveryRequestHasTheShapeOfLINEs lets the adapter send all that it can and
// holds each body against the SDK's type of the endpoint.
func TestEveryRequestHasTheShapeOfLINEs(t *testing.T) {
	b := newBench(t, linetest.Options{})
	mina := b.srv.User("Mina")
	group := b.srv.Group("family", mina)
	send := func(to channel.Chat, c channel.Content, reply *channel.ReplyHandle) {
		t.Helper()
		out := adapter.Outbound{Row: "r", To: to, Content: c, Reply: reply, SenderName: "Jisoo", SenderIcon: "https://cdn.example/j.png"}
		at, err := b.line.Plan(b.acct, []adapter.Outbound{out}, time.Now(), func() string { return b.uuid() })
		require.NoError(t, err, c.Kind)
		_, err = b.line.Send(t.Context(), b.acct, at)
		require.NoError(t, err, "%s: %s", c.Kind, at.Request)
	}
	private, family := channel.Chat{Kind: channel.ChatUser, ID: mina.ID()}, channel.Chat{Kind: channel.ChatGroup, ID: group.ChatID()}
	for _, c := range sendable(mina.ID()) {
		send(private, c, nil)
		send(family, c, nil)
	}
	send(private, channel.Text("a reply"), &channel.ReplyHandle{Token: tokenOf(t, b.srv, func() { mina.SendText("hello") }),
		Expires: time.Now().Add(time.Minute)})
	require.NoError(t, b.line.ShowTyping(t.Context(), b.acct, private, time.Second))
	require.NoError(t, b.line.SetEndpoint(t.Context(), b.acct, "https://bot.example/hook"))
	in, err := b.line.Parse(b.acct, b.received()[len(b.received())-1])
	require.NoError(t, err)
	require.NoError(t, b.line.MarkRead(t.Context(), b.acct, in.ReadHandle))

	kinds := map[string]int{}
	for endpoint, v := range map[string]func() any{
		"push":       func() any { return &messaging_api.PushMessageRequest{} },
		"reply":      func() any { return &messaging_api.ReplyMessageRequest{} },
		"loading":    func() any { return &messaging_api.ShowLoadingAnimationRequest{} },
		"markAsRead": func() any { return &messaging_api.MarkMessagesAsReadByTokenRequest{} },
		"webhookSet": func() any { return &messaging_api.SetWebhookEndpointRequest{} },
	} {
		calls := b.srv.Calls(endpoint)
		require.NotEmpty(t, calls, endpoint)
		for _, call := range calls {
			decoded := v()
			require.Empty(t, (&shape{}).of(t, substituted(t, call.Body), decoded), "%s: %s", endpoint, call.Body)
			if p, ok := decoded.(*messaging_api.PushMessageRequest); ok {
				for _, m := range p.Messages {
					kinds[m.GetType()]++
				}
			}
		}
	}
	require.Subset(t, slices.Collect(maps.Keys(kinds)), []string{"text", "textV2", "sticker", "image", "video", "audio", "location",
		"template", "flex"})
}

// substituted checks the substitutions of textV2 messages and takes them out:
// the SDK writes them but cannot decode a message that has any.
func substituted(t *testing.T, body []byte) []byte {
	t.Helper()
	var whole map[string]any
	require.NoError(t, json.Unmarshal(body, &whole))
	messages, _ := whole["messages"].([]any)
	found := false
	for _, m := range messages {
		message, _ := m.(map[string]any)
		entries, _ := message["substitution"].(map[string]any)
		for _, entry := range entries {
			found = true
			raw, err := json.Marshal(entry)
			require.NoError(t, err)
			v, err := messaging_api.UnmarshalSubstitutionObject(raw)
			require.NoError(t, err)
			s := &shape{}
			s.check("substitution", entry, reflect.ValueOf(v))
			require.Empty(t, s.faults, "%s", raw)
		}
		delete(message, "substitution")
	}
	if !found {
		return body
	}
	rest, err := json.Marshal(whole)
	require.NoError(t, err)
	return rest
}

// uuid makes retry keys.
func (b *bench) uuid() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", b.keys)
}

// sendable has every kind of content that the adapter declares, with all that
// can hang on it.
func sendable(user string) []channel.Content {
	choices := []channel.Choice{
		{Label: "yes", Kind: "message", Text: "Yes!"}, {Label: "buy", Kind: "postback", Data: "buy=1", Text: "buying"},
		{Label: "look", Kind: "uri", URI: "https://shop.example/"},
	}
	media := func(kind channel.ContentKind, m channel.Media) channel.Content {
		return channel.Content{Kind: kind, Text: "a caption", Media: &m, Choices: choices}
	}
	card := channel.Card{Title: "One", Text: "text", Image: "https://cdn.example/c.png", Choices: choices[1:]}
	return []channel.Content{
		{Kind: channel.KindText, Text: "plain", Choices: choices},
		{Kind: channel.KindText, Text: "{x} (hi) @Mina", QuoteHandle: "q1", Spans: []channel.Span{
			{Start: 4, Length: 4, Kind: "emoji", Ref: "5ac1bfd5040ab15980c9b435/001"}, {Start: 9, Length: 5, Kind: "mention", Ref: user}}},
		media(channel.KindImage, channel.Media{URL: "https://cdn.example/a.jpg", Type: "image/jpeg", Size: 1000}),
		media(channel.KindVideo, channel.Media{URL: "https://cdn.example/v.mp4", Preview: "https://cdn.example/v.jpg", Type: "video/mp4"}),
		media(channel.KindAudio, channel.Media{URL: "https://cdn.example/s.m4a", Type: "audio/mp4", Duration: 3 * time.Second}),
		media(channel.KindFile, channel.Media{URL: "https://cdn.example/f.pdf", Name: "invoice.pdf", Type: "application/pdf"}),
		{Kind: channel.KindLocation, Location: &channel.Location{Title: "Office", Latitude: 37.5, Longitude: 127}},
		{Kind: channel.KindSticker, Sticker: &channel.Sticker{Package: "446", ID: "1988"}},
		{Kind: channel.KindCard, Cards: []channel.Card{card}},
		{Kind: channel.KindCard, Cards: []channel.Card{card, card}},
		{Kind: channel.KindRich, Choices: choices, Rich: json.RawMessage(
			`{"type":"flex","altText":"receipt","contents":{"type":"bubble","body":{"type":"box","layout":"vertical",` +
				`"contents":[{"type":"text","text":"x"}]}}}`)},
	}
}
