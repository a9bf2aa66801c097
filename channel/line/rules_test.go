package line_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// The tests of this file are named after the rules that an integration of LINE
// must satisfy; their numbers are those of the project's facts about LINE.

// noNetwork fails a test that calls LINE.
type noNetwork struct{ t *testing.T }

func (n noNetwork) RoundTrip(*http.Request) (*http.Response, error) {
	n.t.Error("LINE was called")
	return nil, errors.New("no network here")
}

func offline(t *testing.T) *line.Adapter {
	t.Helper()
	a, err := line.New(line.Options{HTTPClient: &http.Client{Transport: noNetwork{t}}})
	require.NoError(t, err)
	return a
}

func withSecret(secret string) channel.Account {
	return channel.Account{ID: "acct", Kind: line.Kind, Settings: json.RawMessage(`{"channel_id":"1"}`),
		Secrets: map[string]channel.Secret{line.SecretChannel: channel.NewSecret(secret)}}
}

func status(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 200
	}
	var re *adapter.ReceiveError
	require.ErrorAs(t, err, &re)
	return re.Status
}

// Known answers, published by LINE's documentation and SDKs.
func TestRule01_SignatureVectors(t *testing.T) {
	a := offline(t)
	for _, v := range []struct {
		secret, body, signature string
		status                  int
	}{
		{"8c570fa6dd201bb328f1c1eac23a96d8", `{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}`,
			"GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=", 200},
		{"SECRET", `{}`, "3q8QXTAGaey18yL8FWTqdVlbMr6hcuNvM4tefa0o9nA=", 400},
		{"channel_secret", "bodybodybodybody", "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=", 400},
		{"test_secret", `{"hello":"world"}`, "t7Hn4ZDHqs6e+wdvI5TyQIvzie0DmMUmuXEBqyyE/tM=", 400},
		{"test_secret", `{"hello":"world"}`, "t7Hn4ZDHqs6e+wdvi5TyQIvzie0DmMUmuXEBqyyE/tM=", 401},
		{"test_channel_secret", "i am not jason", "Z8YlPpm0lQOqPipiCHVbiuwIDIzRzD7w5hvHgmwEuEs=", 400},
	} {
		req := adapter.Request{Method: http.MethodPost, Body: []byte(v.body), Header: http.Header{"x-line-signature": {v.signature}}}
		_, err := a.Receive(withSecret(v.secret), req)
		require.Equal(t, v.status, status(t, err), v.body)
		if v.status != 401 {
			require.Equal(t, v.signature, line.Sign(channel.NewSecret(v.secret), []byte(v.body)))
		}
		if err != nil {
			require.NotContains(t, err.Error(), "jason")
		}
	}
}

func TestRule01_RefusedRequests(t *testing.T) {
	a := offline(t)
	acct := withSecret("s")
	body := []byte(`{"destination":"` + botID + `","events":[]}`)
	bend := func(change func(*adapter.Request)) adapter.Request {
		req := signed("s", body)
		change(&req)
		return req
	}
	signature := linetest.Sign("s", body)
	for name, c := range map[string]struct {
		req    adapter.Request
		status int
	}{
		"fine":              {bend(func(*adapter.Request) {}), 200},
		"identity encoding": {bend(func(r *adapter.Request) { r.Header.Set("Content-Encoding", "identity") }), 200},
		"gzip":              {bend(func(r *adapter.Request) { r.Header.Set("Content-Encoding", "gzip") }), 401},
		"two signatures":    {bend(func(r *adapter.Request) { r.Header.Add("X-Line-Signature", signature) }), 401},
		"missing":           {bend(func(r *adapter.Request) { r.Header.Del("X-Line-Signature") }), 401},
		"truncated":         {bend(func(r *adapter.Request) { r.Header.Set("X-Line-Signature", signature[:40]) }), 401},
		"unpadded":          {bend(func(r *adapter.Request) { r.Header.Set("X-Line-Signature", strings.TrimRight(signature, "=")) }), 401},
		"hexadecimal":       {bend(func(r *adapter.Request) { r.Header.Set("X-Line-Signature", strings.Repeat("ab", 32)) }), 401},
		"url alphabet":      {bend(func(r *adapter.Request) { r.Header.Set("X-Line-Signature", strings.Repeat("-", 43)+"=") }), 401},
		"GET":               {bend(func(r *adapter.Request) { r.Method = http.MethodGet }), 405},
		"too large": {signed("s", []byte(`{"destination":"x","events":[],"pad":"`+strings.Repeat("x", line.MaxWebhookBytes)+`"}`)),
			413},
		"events missing":   {signed("s", []byte(`{"destination":"x"}`)), 400},
		"events null":      {signed("s", []byte(`{"destination":"x","events":null}`)), 400},
		"events no list":   {signed("s", []byte(`{"destination":"x","events":{}}`)), 400},
		"trailing garbage": {signed("s", []byte(`{"destination":"x","events":[]}x`)), 400},
		"empty body":       {signed("s", nil), 400},
		"other secret":     {signed("other", body), 401},
		"the empty key":    {signed("", body), 401}, // channel_secret_next is empty here
		"deep":             {signed("s", []byte(`{"events":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`}`)), 400},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Receive(acct, c.req)
			require.Equal(t, c.status, status(t, err))
		})
	}
	// A request signed with the empty key must not pass an account without one.
	_, err := a.Receive(withSecret(""), signed("", body))
	require.Equal(t, 401, status(t, err))
	acct.Settings = json.RawMessage(`{"channel_id":"1","bot_user_id":"` + userID + `"}`)
	_, err = a.Receive(acct, signed("s", body))
	require.Equal(t, 400, status(t, err), "meant for another bot")
}

func TestRule01_TwoSecretsDuringRotation(t *testing.T) {
	a := offline(t)
	acct := withSecret("old")
	acct.Secrets[line.SecretChannelNext] = channel.NewSecret("new")
	body := []byte(`{"destination":"x","events":[]}`)
	for secret, want := range map[string]int{"old": 200, "new": 200, "older": 401, "": 401} {
		_, err := a.Receive(acct, signed(secret, body))
		require.Equal(t, want, status(t, err), secret)
	}
}

func receive(t *testing.T, events ...string) []adapter.Envelope {
	t.Helper()
	rec, err := offline(t).Receive(withSecret("s"), signed("s",
		[]byte(`{"destination":"`+botID+`","events":[`+strings.Join(events, ",")+`]}`)))
	require.NoError(t, err)
	require.Equal(t, 200, rec.Status)
	return rec.Envelopes
}

func TestRule02_ReceivingDoesNoIO(t *testing.T) {
	a := offline(t) // its transport fails the test
	for _, env := range receive(t, golden()[0].Raw) {
		_, err := a.Parse(withSecret("s"), env)
		require.NoError(t, err)
	}
}

func TestRule03_NoEvents(t *testing.T) {
	require.Empty(t, receive(t))
}

func TestRule04_OneBadEventKeepsItsSiblings(t *testing.T) {
	a := offline(t)
	for _, bad := range broken() {
		envs := receive(t, golden()[0].Raw, string(bad), golden()[1].Raw)
		require.Len(t, envs, 3)
		fine := 0
		for _, env := range envs {
			if _, err := a.Parse(withSecret("s"), env); err == nil {
				fine++
			} else {
				require.ErrorIs(t, err, adapter.ErrInvalid)
			}
		}
		require.Equal(t, 2, fine, "%s", bad)
	}
}

func TestRule04_AnEventOverOneMebibyteIsKeptCut(t *testing.T) {
	envs := receive(t, `{"type":"message","pad":"`+strings.Repeat("x", 1<<20)+`"}`, golden()[0].Raw)
	require.Len(t, envs, 2)
	require.Len(t, envs[1].Raw, 1<<20)
	_, err := offline(t).Parse(withSecret("s"), envs[1])
	require.ErrorIs(t, err, adapter.ErrInvalid)
}

func TestRule05_DedupKey(t *testing.T) {
	first := message("77", fromUser, `{"id":"1","type":"text","text":"x"}`)
	again := strings.Replace(first, `"isRedelivery":false`, `"isRedelivery":true`, 1)
	require.NotEqual(t, first, again)
	require.Equal(t, "01FZ74A0TDDPYRVKNK77XKC377", receive(t, first)[0].DedupKey)
	require.Equal(t, receive(t, first)[0].DedupKey, receive(t, again)[0].DedupKey)
	// Old payloads have no event id: the key must survive a redelivery too.
	drop := func(s string) string {
		return strings.Replace(s, `"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC377",`, "", 1)
	}
	require.Equal(t, receive(t, drop(first))[0].DedupKey, receive(t, drop(again))[0].DedupKey)
	require.NotEqual(t, receive(t, drop(first))[0].DedupKey, receive(t, strings.Replace(drop(first), `"x"`, `"y"`, 1))[0].DedupKey)
	// An id that cannot be a key is replaced, not trusted.
	long := strings.Replace(first, "01FZ74A0TDDPYRVKNK77XKC377", strings.Repeat("k", 500), 1)
	require.LessOrEqual(t, len(receive(t, long)[0].DedupKey), 200)
	// isRedelivery is no reason to skip: the first copy may never have arrived.
	in, err := offline(t).Parse(withSecret("s"), receive(t, again)[0])
	require.NoError(t, err)
	require.Equal(t, adapter.EventMessage, in.Kind)
}

func TestRule06_EventsAreOrderedByTheirOwnTime(t *testing.T) {
	at := func(ms int64, id string) string {
		return fmt.Sprintf(`{"type":"unfollow","timestamp":%d,"webhookEventId":%q,%s}`, ms, id, fromUser)
	}
	envs := receive(t, at(3000, "c"), at(1000, "a1"), `{"type":"x","webhookEventId":"timeless"}`, at(1000, "a2"), at(2000, "b"),
		at(-5, "absurd"))
	var order []string
	for _, e := range envs {
		order = append(order, e.DedupKey)
	}
	require.Equal(t, []string{"a1", "a2", "b", "c", "timeless", "absurd"}, order)
	require.Equal(t, time.UnixMilli(1000).UTC(), envs[0].OccurredAt)
}

func TestRule06_Lanes(t *testing.T) {
	for want, source := range map[string]string{
		"user:" + userID: fromUser, "group:" + groupID: fromGroup,
		"room:" + roomID: `"source":{"type":"room","roomId":"` + roomID + `"}`,
		"":               "",
	} {
		require.Equal(t, want, receive(t, raw("unfollow", "01", source, ""))[0].Lane)
	}
	long := receive(t, raw("unfollow", "01", `"source":{"type":"user","userId":"`+strings.Repeat("U", 5000)+`"}`, ""))[0].Lane
	require.LessOrEqual(t, len(long), 200)
}

func TestRule07_StandbyIsSilent(t *testing.T) {
	parse := func(mode, token string) adapter.Inbound {
		event := `{"type":"message","mode":"` + mode + `","timestamp":1700000000000,` + fromUser + `,"replyToken":"` + token +
			`","message":{"id":"1","type":"text","text":"x"}}`
		in, err := offline(t).Parse(withSecret("s"), adapter.Envelope{Raw: []byte(event), ReceivedAt: received})
		require.NoError(t, err)
		return in
	}
	require.False(t, parse("active", token).Silent)
	for _, mode := range []string{"standby", "of-the-future"} {
		in := parse(mode, token)
		require.True(t, in.Silent)
		require.Nil(t, in.Reply)
		require.Equal(t, "x", in.Content.Text, "it is recorded all the same")
	}
}

func TestRule08_UnknownKindsAreShown(t *testing.T) {
	want := []string{"things", "ofTheFuture", "message/hologram", "source/planet"}
	for i, event := range unknown() {
		in, err := offline(t).Parse(withSecret("s"), adapter.Envelope{Raw: event, ReceivedAt: received})
		require.NoError(t, err)
		require.Equal(t, adapter.EventUnsupported, in.Kind)
		require.Equal(t, want[i], in.Type)
	}
	in, err := offline(t).Parse(withSecret("s"), adapter.Envelope{Raw: unknown()[2], ReceivedAt: received})
	require.NoError(t, err)
	require.Equal(t, private, in.Chat, "an unknown message has its place in the conversation")
	require.Equal(t, channel.ProviderMessageID("42"), in.MessageID)
	require.NotNil(t, in.Reply)
}

// A chat of a kind that LINE may add is one of its own, by whatever ids it has;
// what is said in it is kept, and nothing is sent there.
func TestRule08_AnUnknownSourceIsAChatOfItsOwn(t *testing.T) {
	parse := func(source string) adapter.Inbound {
		event := `{"type":"message","timestamp":1700000000000,"replyToken":"` + token + `","source":` + source +
			`,"message":{"id":"43","type":"text","text":"hi"}}`
		in, err := offline(t).Parse(withSecret("s"), adapter.Envelope{Raw: []byte(event), ReceivedAt: received})
		require.NoError(t, err)
		require.Equal(t, adapter.EventUnsupported, in.Kind)
		require.Equal(t, channel.Text("hi"), in.Content)
		require.Equal(t, channel.ProviderMessageID("43"), in.MessageID)
		require.True(t, in.Silent)
		require.Nil(t, in.Reply)
		return in
	}
	seen := map[channel.Chat]string{}
	for _, source := range []string{`{"type":"planet","planetId":"P1"}`, `{"type":"planet","planetId":"P2"}`,
		`{"type":"moon","moonId":"P1"}`,
		`{"type":"planet","userId":"` + private.ID + `"}`, `{"type":"planet","orbitId":"O1","userId":"` + private.ID + `"}`,
		`{"type":"planet","planetId":"` + strings.Repeat("x", 500) + `"}`, `{"type":"planet","planetId":"한국"}`} {
		chat := parse(source).Chat
		require.Equal(t, channel.ChatOther, chat.Kind)
		require.NotEmpty(t, chat.ID)
		require.LessOrEqual(t, len(chat.ID), 200)
		require.Empty(t, seen[chat], "%s has the chat of %s", source, seen[chat])
		seen[chat] = source
	}
	require.Equal(t, parse(`{"type":"planet","planetId":"P1"}`).Chat,
		parse(`{"weight":7,"userId":"U1","planetId":"P1","type":"planet"}`).Chat)
	require.Zero(t, parse(`{"type":"planet"}`).Chat)
	_, err := offline(t).Plan(withSecret("s"), []adapter.Outbound{{Row: "r", To: parse(`{"type":"planet","planetId":"P1"}`).Chat,
		Content: channel.Text("x")}}, received, uuid.NewString)
	require.Error(t, err)
}

func TestRule08_DuplicateKeysTheLastWinsWhole(t *testing.T) {
	event := `{"type":"follow","type":"message","TYPE":"unsend",` + fromUser +
		`,"message":{"id":"1","type":"text","text":"first","quoteToken":"q"},"message":{"id":"2","type":"text","text":"second"}}`
	in, err := offline(t).Parse(withSecret("s"), adapter.Envelope{Raw: []byte(event), ReceivedAt: received})
	require.NoError(t, err)
	require.Equal(t, adapter.EventMessage, in.Kind)
	require.Equal(t, channel.Text("second"), in.Content)
}

func outbound(text string) adapter.Outbound {
	return adapter.Outbound{Row: "r", To: private, Content: channel.Text(text)}
}

func plan(t *testing.T, now time.Time, batch ...adapter.Outbound) adapter.Attempt {
	t.Helper()
	at, err := offline(t).Plan(withSecret("s"), batch, now, uuid.NewString)
	require.NoError(t, err)
	return at
}

func TestRule09_ReplyWhileFreshElsePush(t *testing.T) {
	out := outbound("x")
	out.Reply = &channel.ReplyHandle{Token: token, Expires: received.Add(50 * time.Second)}
	for after, route := range map[time.Duration]string{0: "reply", 44 * time.Second: "reply", 45 * time.Second: "push",
		51 * time.Second: "push", time.Hour: "push"} {
		at := plan(t, received.Add(after), out)
		require.Equal(t, route, at.Route, after)
		if route == "reply" {
			require.Empty(t, at.IdempotencyKey)
			require.Equal(t, max(40*time.Second-after, 0), at.IdempotentFor, "repeated until ten seconds before the handle expires")
			require.Contains(t, string(at.Request), token)
		} else {
			require.NotEmpty(t, at.IdempotencyKey)
			require.NotContains(t, string(at.Request), token)
		}
	}
}

func TestRule09_ReplyHandleFollowsArrivalAndAge(t *testing.T) {
	parse := func(receivedAt time.Time, token string) *channel.ReplyHandle {
		event := strings.ReplaceAll(golden()[0].Raw, "38ef843bde154d9b91c21320ffd17a0f", token)
		in, err := offline(t).Parse(withSecret("s"), adapter.Envelope{Raw: []byte(event), ReceivedAt: receivedAt})
		require.NoError(t, err)
		return in.Reply
	}
	require.Equal(t, received.Add(50*time.Second), parse(received, token).Expires)
	late := occurred.Add(20*time.Minute - 10*time.Second)
	require.Equal(t, occurred.Add(20*time.Minute), parse(late, token).Expires, "never beyond 20 minutes after the event")
	require.Nil(t, parse(occurred.Add(20*time.Minute), token))
	require.Nil(t, parse(occurred.Add(48*time.Hour), token))
	require.Nil(t, parse(received, strings.Repeat("0", 32)), "the console's dummy token")
	require.Nil(t, parse(received, strings.Repeat("f", 32)))
}

// emulated is an adapter on an emulator whose clock the test moves.
type emulated struct {
	srv  *linetest.Server
	line *line.Adapter
	acct channel.Account
	mina *linetest.User

	passed atomic.Int64 // of the emulator's time, for which it asks while it sends webhooks, too
}

func (e *emulated) now() time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(e.passed.Load()))
}

func (e *emulated) pass(d time.Duration) { e.passed.Add(int64(d)) }

func emulate(t *testing.T, o linetest.Options) *emulated {
	t.Helper()
	e := &emulated{}
	o.Now = e.now
	e.srv = linetest.New(o)
	t.Cleanup(e.srv.Close)
	var err error
	e.line, err = line.New(line.Options{HTTPClient: &http.Client{Transport: e.srv.Transport()}, Now: o.Now})
	require.NoError(t, err)
	e.acct = accountOf(e.srv)
	e.mina = e.srv.User("Mina")
	return e
}

func (e *emulated) attempt(t *testing.T, text string, reply *channel.ReplyHandle) adapter.Attempt {
	t.Helper()
	at, err := e.line.Plan(e.acct, []adapter.Outbound{{Row: "r", To: channel.Chat{Kind: channel.ChatUser, ID: e.mina.ID()},
		Content: channel.Text(text), Reply: reply}}, e.now(), uuid.NewString)
	require.NoError(t, err)
	return at
}

func (e *emulated) send(t *testing.T, at adapter.Attempt) (adapter.Sent, *adapter.SendError) {
	t.Helper()
	sent, err := e.line.Send(t.Context(), e.acct, at)
	if err == nil {
		return sent, nil
	}
	var se *adapter.SendError
	require.ErrorAs(t, err, &se)
	return sent, se
}

func TestRule09_DeadReplyTokenIsCertainlyNotSent(t *testing.T) {
	e := emulate(t, linetest.Options{})
	handle := &channel.ReplyHandle{Token: replyToken(t, e.srv, e.mina), Expires: e.now().Add(50 * time.Second)}
	at := e.attempt(t, "late", handle)
	e.pass(61 * time.Second)
	_, se := e.send(t, at)
	require.Equal(t, adapter.Permanent, se.Disposition)
	require.Equal(t, channel.ReasonReplyHandle, se.Reason)
	require.Empty(t, e.mina.Received())
}

func TestRule10_OneKeyByteEqualRepeatsAndConflictIsSuccess(t *testing.T) {
	e := emulate(t, linetest.Options{})
	at := e.attempt(t, "once", nil)
	require.Less(t, at.IdempotentFor, 24*time.Hour)
	e.srv.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultCutAfter, Nth: 1})
	_, se := e.send(t, at)
	require.Equal(t, adapter.Ambiguous, se.Disposition)
	e.pass(at.IdempotentFor - time.Second)
	sent, se := e.send(t, at)
	require.Nil(t, se)
	require.True(t, sent.Duplicate)
	require.Equal(t, e.mina.Received()[0].MessageID, string(sent.Messages[0].ID), "ids come from the 409's body")
	require.NotEmpty(t, sent.Messages[0].QuoteHandle)
	calls := e.srv.Calls("push")
	require.Equal(t, calls[0].Body, calls[1].Body)
	require.Equal(t, calls[0].RetryKey, calls[1].RetryKey)
	require.Equal(t, calls[0].RequestID, sent.RequestID, "the accepted request, not the repeat")
	require.Len(t, e.mina.Received(), 1)
	// Why it expires: after 24 hours LINE sends again under the same key.
	e.pass(time.Hour)
	_, se = e.send(t, at)
	require.Nil(t, se)
	require.Len(t, e.mina.Repeated(), 1)
}

func TestRule10_APushWithoutKeyNeverLeaves(t *testing.T) {
	e := emulate(t, linetest.Options{})
	for _, key := range []string{"", "not-a-uuid"} {
		at := e.attempt(t, "x", nil)
		at.IdempotencyKey = key
		_, se := e.send(t, at)
		require.Equal(t, adapter.Permanent, se.Disposition)
	}
	require.Empty(t, e.srv.Calls("push"))
}

func TestRule11_AcceptedIsNotDelivered(t *testing.T) {
	for _, standing := range []linetest.Standing{linetest.Blocked, linetest.Deleted, linetest.Stranger} {
		e := emulate(t, linetest.Options{})
		e.mina.SetStanding(standing)
		sent, se := e.send(t, e.attempt(t, "x", nil))
		require.Nil(t, se)
		require.Len(t, sent.Messages, 1)
		require.Empty(t, e.mina.Received(), standing)
	}
	c := offline(t).Capabilities()
	require.False(t, c.Delivered || c.Read, "LINE reports neither")
}

func TestRule12_ThreeMeaningsOf429(t *testing.T) {
	for name, c := range map[string]struct {
		fault       linetest.FaultKind
		quota, used int64
		want        adapter.Disposition
		reason      channel.Reason
	}{
		"rate":                       {linetest.FaultRate, 100, 0, adapter.RateLimited, channel.ReasonRate},
		"rate, though quota is used": {linetest.FaultRate, 100, 100, adapter.RateLimited, channel.ReasonRate},
		"quota, confirmed":           {linetest.FaultQuota, 100, 100, adapter.Permanent, channel.ReasonQuota},
		"quota, not confirmed":       {linetest.FaultQuota, 100, 50, adapter.Retry, channel.ReasonQuota},
		"recipient":                  {linetest.FaultRecipient, 100, 0, adapter.Retry, channel.ReasonRecipientRate},
	} {
		t.Run(name, func(t *testing.T) {
			e := emulate(t, linetest.Options{MonthlyQuota: c.quota})
			e.srv.SetConsumption(c.used)
			e.srv.AddFault(linetest.Fault{Endpoint: "push", Kind: c.fault, Nth: 1})
			_, se := e.send(t, e.attempt(t, "x", nil))
			require.Equal(t, c.want, se.Disposition)
			require.Equal(t, c.reason, se.Reason)
			require.Equal(t, 429, se.Status)
		})
	}
}

func TestRule12_TooManyToOnePersonWaitsLongerEachTime(t *testing.T) {
	e := emulate(t, linetest.Options{})
	fault, err := linetest.ParseFault("push:429-recipient:1+20")
	require.NoError(t, err)
	e.srv.AddFault(fault)
	at := e.attempt(t, "x", nil)
	var waits []time.Duration
	for at.Tries = 1; at.Tries <= 6; at.Tries++ {
		_, se := e.send(t, at)
		waits = append(waits, se.After)
	}
	require.Equal(t, []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute},
		waits)
}

func TestRule12_QuotaThatCannotBeAskedIsStillQuota(t *testing.T) {
	e := emulate(t, linetest.Options{MonthlyQuota: 1})
	e.srv.AddFault(linetest.Fault{Endpoint: "quota", Kind: linetest.Fault500Before, Nth: 1})
	_, se := e.send(t, e.attempt(t, "last", nil))
	require.Nil(t, se)
	_, se = e.send(t, e.attempt(t, "one too many", nil))
	require.Equal(t, channel.ReasonQuota, se.Reason)
	require.Equal(t, adapter.Permanent, se.Disposition)
}

func TestRule13_UnsendTakesTheMediaToo(t *testing.T) {
	e := emulate(t, linetest.Options{})
	posted := e.mina.Send(linetest.Image("image/png", []byte("png")))
	_, err := e.mina.Unsend(posted.MessageID)
	require.NoError(t, err)
	require.ErrorIs(t, e.line.FetchMedia(t.Context(), e.acct, posted.MessageID, &sink{}), adapter.ErrStale)
}

// sink keeps a stream of at most limit bytes.
type sink struct {
	mediaType string
	size      int64
	data      []byte
	limit     int
}

var errTooLarge = errors.New("too large")

func (s *sink) Begin(mediaType string, size int64) error {
	s.mediaType, s.size = mediaType, size
	return nil
}

func (s *sink) Write(p []byte) (int, error) {
	if s.limit > 0 && len(s.data)+len(p) > s.limit {
		return 0, errTooLarge
	}
	s.data = append(s.data, p...)
	return len(p), nil
}

func TestRule14_Media(t *testing.T) {
	e := emulate(t, linetest.Options{})
	var got sink
	picture := e.mina.Send(linetest.Image("image/png", []byte("picture")))
	require.NoError(t, e.line.FetchMedia(t.Context(), e.acct, picture.MessageID, &got))
	require.Equal(t, "image/png", got.mediaType)
	require.Equal(t, "picture", string(got.data))

	film := e.mina.Send(linetest.Video("video/mp4", []byte("film"), time.Second, 2))
	for range 2 {
		require.ErrorIs(t, e.line.FetchMedia(t.Context(), e.acct, film.MessageID, &sink{}), adapter.ErrUnavailable)
	}
	require.NoError(t, e.line.FetchMedia(t.Context(), e.acct, film.MessageID, &sink{}))

	lost := e.mina.Send(linetest.Audio("audio/x-m4a", []byte("x"), time.Second))
	e.srv.FailContent(lost.MessageID)
	require.ErrorIs(t, e.line.FetchMedia(t.Context(), e.acct, lost.MessageID, &sink{}), adapter.ErrNotFound, "it never will be ready")
	require.ErrorIs(t, e.line.FetchMedia(t.Context(), e.acct, "123", &sink{}), adapter.ErrNotFound)

	large := e.mina.Send(linetest.File("a.bin", "application/octet-stream", make([]byte, 1<<20)))
	capped := &sink{limit: 100_000}
	require.ErrorIs(t, e.line.FetchMedia(t.Context(), e.acct, large.MessageID, capped), errTooLarge)
	require.LessOrEqual(t, len(capped.data), 100_000, "the cap holds while streaming")
	for _, ref := range []string{"", "../profile/" + userID, "1/2", "1?x", strings.Repeat("1", 100)} {
		require.ErrorIs(t, e.line.FetchMedia(t.Context(), e.acct, ref, &sink{}), adapter.ErrInvalid)
	}
}
