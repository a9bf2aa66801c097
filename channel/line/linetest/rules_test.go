package linetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/line/line-bot-sdk-go/v8/linebot/channel_access_token"
	"github.com/line/line-bot-sdk-go/v8/linebot/messaging_api"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

// clock is LINE's time under the test's hand. The emulator asks for it while it sends
// webhooks, too.
type clock struct{ passed atomic.Int64 }

func (c *clock) Now() time.Time {
	return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC).Add(time.Duration(c.passed.Load()))
}

func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }

func start(t *testing.T, o linetest.Options) (*linetest.Server, *clock) {
	t.Helper()
	c := &clock{}
	o.Now = c.Now
	s := linetest.New(o)
	t.Cleanup(s.Close)
	return s, c
}

// api calls the emulator and returns status, body and header.
func api(t *testing.T, s *linetest.Server, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, "https://api.line.me"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.ChannelToken())
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: s.Transport()}).Do(req)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NotEmpty(t, resp.Header.Get("X-Line-Request-Id"))
	return resp.StatusCode, string(raw), resp.Header
}

func push(t *testing.T, s *linetest.Server, to, text string, header ...string) (int, string, http.Header) {
	t.Helper()
	return api(t, s, "POST", "/v2/bot/message/push", fmt.Sprintf(`{"to":%q,"messages":[{"type":"text","text":%q}]}`, to, text), header...)
}

// tokenOf lets the user write and returns the reply token.
func tokenOf(t *testing.T, s *linetest.Server, say func()) string {
	t.Helper()
	s.SetWebhook("http://127.0.0.1:1/") // nobody answers, but LINE has tried
	say()
	require.NoError(t, s.WaitIdle(t.Context()))
	hooks := s.Webhooks()
	var body struct{ Events []struct{ ReplyToken string } }
	require.NoError(t, json.Unmarshal(hooks[len(hooks)-1].Body, &body))
	return body.Events[0].ReplyToken
}

func replyWith(t *testing.T, s *linetest.Server, token string, header ...string) (int, string) {
	t.Helper()
	code, body, _ := api(t, s, "POST", "/v2/bot/message/reply", `{"replyToken":"`+token+`","messages":[{"type":"text","text":"x"}]}`,
		header...)
	return code, body
}

func TestReplyTokenWorksOnceWithinAMinute(t *testing.T) {
	s, c := start(t, linetest.Options{})
	u := s.User("Mina")
	say := func() { u.SendText("hi") }
	first := tokenOf(t, s, say)
	code, _ := replyWith(t, s, first)
	require.Equal(t, 200, code)
	code, body := replyWith(t, s, first)
	require.Equal(t, 400, code)
	require.JSONEq(t, `{"message":"Invalid reply token"}`, body)
	second := tokenOf(t, s, say)
	c.pass(time.Minute)
	code, _ = replyWith(t, s, second)
	require.Equal(t, 200, code)
	third := tokenOf(t, s, say)
	c.pass(61 * time.Second)
	code, _ = replyWith(t, s, third)
	require.Equal(t, 400, code)
	code, _ = replyWith(t, s, tokenOf(t, s, say), "X-Line-Retry-Key", "00000000-0000-4000-8000-000000000001")
	require.Equal(t, 400, code, "replies have no retry key")
	u.SetStandby(true)
	require.Empty(t, tokenOf(t, s, say))
	require.Len(t, u.Received(), 2)
	require.Zero(t, s.Consumption(), "replies are free")
}

func TestRedeliveryStartsTheMinuteAnewUpToTwentyMinutes(t *testing.T) {
	for after, want := range map[time.Duration]int{5 * time.Minute: 200, 21 * time.Minute: 400} {
		s, c := start(t, linetest.Options{Redeliveries: 1, RedeliverAfter: 50 * time.Millisecond})
		s.SetWebhook("http://127.0.0.1:1/")
		s.User("Mina").SendText("hi")
		require.NoError(t, s.Wait(t.Context(), func() bool { return len(s.Webhooks()) == 1 }))
		s.Hold()
		c.pass(after)
		s.Release(false)
		require.NoError(t, s.WaitIdle(t.Context()))
		hooks := s.Webhooks()
		var body struct{ Events []struct{ ReplyToken string } }
		require.NoError(t, json.Unmarshal(hooks[len(hooks)-1].Body, &body))
		code, _ := replyWith(t, s, body.Events[0].ReplyToken)
		require.Equal(t, want, code, after)
	}
}

func TestRetryKeyIsRemembered24Hours(t *testing.T) {
	s, c := start(t, linetest.Options{})
	u := s.User("Mina")
	const key = "00000000-0000-4000-8000-000000000001"
	_, first, header := push(t, s, u.ID(), "x", "X-Line-Retry-Key", key)
	code, again, repeated := push(t, s, u.ID(), "x", "X-Line-Retry-Key", key)
	require.Equal(t, 409, code)
	require.Equal(t, header.Get("X-Line-Request-Id"), repeated.Get("X-Line-Accepted-Request-Id"))
	require.NotEqual(t, header.Get("X-Line-Request-Id"), repeated.Get("X-Line-Request-Id"))
	var a, b struct {
		Message      string
		SentMessages []map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(first), &a))
	require.NoError(t, json.Unmarshal([]byte(again), &b))
	require.Equal(t, a.SentMessages, b.SentMessages)
	require.Equal(t, "The retry key is already accepted", b.Message)
	c.pass(24 * time.Hour)
	code, _, _ = push(t, s, u.ID(), "x", "X-Line-Retry-Key", key)
	require.Equal(t, 200, code)
	require.Len(t, u.Received(), 2)
	require.Len(t, u.Repeated(), 1)
	code, _, _ = push(t, s, u.ID(), "x", "X-Line-Retry-Key", "seven")
	require.Equal(t, 400, code)
	code, _, _ = api(t, s, "GET", "/v2/bot/info", "", "X-Line-Retry-Key", key)
	require.Equal(t, 400, code)
}

func TestPushIsAcceptedWhetherItArrivesOrNot(t *testing.T) {
	s, c := start(t, linetest.Options{})
	u := s.User("Mina")
	arrives := func(want bool) {
		t.Helper()
		before := len(u.Received())
		code, _, _ := push(t, s, u.ID(), "x")
		require.Equal(t, 200, code)
		require.Equal(t, want, len(u.Received()) > before)
	}
	arrives(true)
	u.SetStanding(linetest.Blocked)
	arrives(false)
	u.SetStanding(linetest.Deleted)
	arrives(false)
	u.SetStanding(linetest.Stranger)
	arrives(false)
	u.SendText("now I wrote")
	arrives(true)
	c.pass(7*24*time.Hour - time.Second)
	arrives(true)
	c.pass(time.Second)
	arrives(false)
	require.EqualValues(t, 3, s.Consumption(), "only who is reached counts")
	code, body, _ := push(t, s, "U00000000000000000000000000000000", "x")
	require.Equal(t, 400, code)
	require.JSONEq(t, `{"message":"Failed to send messages"}`, body)
	code, _, _ = push(t, s, "Mina", "x")
	require.Equal(t, 400, code)
}

func TestQuotaCountsRecipientsByMonth(t *testing.T) {
	s, c := start(t, linetest.Options{MonthlyQuota: 5})
	a, b := s.User("a"), s.User("b")
	g := s.Group("g", a, b)
	code, _, _ := api(t, s, "POST", "/v2/bot/message/push",
		`{"to":"`+a.ID()+`","messages":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}`)
	require.Equal(t, 200, code)
	require.EqualValues(t, 1, s.Consumption(), "by recipient, not by message")
	code, _, _ = push(t, s, g.ChatID(), "x")
	require.Equal(t, 200, code)
	require.EqualValues(t, 3, s.Consumption())
	code, _, _ = api(t, s, "POST", "/v2/bot/message/multicast",
		`{"to":["`+a.ID()+`","`+b.ID()+`","U00000000000000000000000000000000"],"messages":[{"type":"text","text":"m"}]}`)
	require.Equal(t, 200, code)
	code, body, _ := push(t, s, a.ID(), "x")
	require.Equal(t, 429, code)
	require.JSONEq(t, `{"message":"You have reached your monthly limit."}`, body)
	_, body, _ = api(t, s, "GET", "/v2/bot/message/quota", "")
	require.JSONEq(t, `{"type":"limited","value":5}`, body)
	c.pass(30 * 24 * time.Hour) // the first of April
	code, _, _ = push(t, s, a.ID(), "x")
	require.Equal(t, 200, code)
}

func TestRatesAreTokenBuckets(t *testing.T) {
	s, c := start(t, linetest.Options{Rates: map[string]rate.Limit{"push": 2}})
	u := s.User("Mina")
	for i, want := range []int{200, 200, 429} {
		code, body, _ := push(t, s, u.ID(), "x")
		require.Equal(t, want, code, i)
		if want == 429 {
			require.Contains(t, body, "rate limit")
		}
	}
	code, _, _ := api(t, s, "GET", "/v2/bot/info", "")
	require.Equal(t, 200, code, "each endpoint has its own")
	c.pass(time.Second)
	code, _, _ = push(t, s, u.ID(), "x")
	require.Equal(t, 200, code)
	for i := range 61 {
		code, _, _ = api(t, s, "POST", "/v2/bot/message/broadcast", `{"messages":[{"type":"text","text":"x"}]}`)
		require.Equal(t, i == 60, code == 429, "60 broadcasts an hour")
	}
}

func TestOneUserCannotBeFlooded(t *testing.T) {
	s, c := start(t, linetest.Options{RecipientPerMinute: 2})
	u := s.User("Mina")
	for _, want := range []int{200, 200, 429} {
		code, _, _ := push(t, s, u.ID(), "x")
		require.Equal(t, want, code)
	}
	c.pass(time.Minute)
	code, _, _ := push(t, s, u.ID(), "x")
	require.Equal(t, 200, code)
}

func TestTokensExpire(t *testing.T) {
	s, c := start(t, linetest.Options{})
	code, _, _ := api(t, s, "GET", "/v2/bot/info", "", "Authorization", "Bearer wrong")
	require.Equal(t, 401, code)
	_, body, _ := api(t, s, "POST", "/oauth2/v3/token",
		"grant_type=client_credentials&client_id="+s.ChannelID()+"&client_secret="+s.ChannelSecret())
	var got struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Equal(t, 900, got.ExpiresIn)
	code, _, _ = api(t, s, "GET", "/v2/bot/info", "", "Authorization", "Bearer "+got.AccessToken)
	require.Equal(t, 200, code)
	c.pass(15 * time.Minute)
	code, _, _ = api(t, s, "GET", "/v2/bot/info", "", "Authorization", "Bearer "+got.AccessToken)
	require.Equal(t, 401, code)
	code, body, _ = api(t, s, "POST", "/oauth2/v3/token", "grant_type=client_credentials&client_id="+s.ChannelID()+"&client_secret=wrong")
	require.Equal(t, 400, code)
	require.Contains(t, body, `"error":"invalid_client"`)
	code, _, _ = api(t, s, "POST", "/oauth2/v2.1/token",
		"grant_type=client_credentials&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=x.y.z")
	require.Equal(t, 400, code)
}

// TestLINEsOwnSDKIsServed: a client that was written against LINE works.
func TestLINEsOwnSDKIsServed(t *testing.T) {
	s, _ := start(t, linetest.Options{BotName: "Shop"})
	u := s.User("Mina")
	hc := &http.Client{Transport: s.Transport()}
	bot, err := messaging_api.NewMessagingApiAPI(s.ChannelToken(), messaging_api.WithHTTPClient(hc))
	require.NoError(t, err)
	info, err := bot.GetBotInfo()
	require.NoError(t, err)
	require.Equal(t, s.BotUserID(), info.UserId)
	resp, err := bot.PushMessage(&messaging_api.PushMessageRequest{To: u.ID(), Messages: []messaging_api.MessageInterface{
		&messaging_api.TextMessage{Text: "from the SDK"}, &messaging_api.StickerMessage{PackageId: "446", StickerId: "1988"}}},
		"00000000-0000-4000-8000-000000000001")
	require.NoError(t, err)
	require.Len(t, resp.SentMessages, 2)
	require.Equal(t, []string{"from the SDK", "[sticker]"}, u.Texts())
	profile, err := bot.GetProfile(u.ID())
	require.NoError(t, err)
	require.Equal(t, "Mina", profile.DisplayName)
	oauth, err := channel_access_token.NewChannelAccessTokenAPI(channel_access_token.WithHTTPClient(hc))
	require.NoError(t, err)
	token, err := oauth.IssueStatelessChannelTokenByClientSecret(s.ChannelID(), s.ChannelSecret())
	require.NoError(t, err)
	require.NotEmpty(t, token.AccessToken)
}

func TestFaultsHitTheCallTheyName(t *testing.T) {
	s, _ := start(t, linetest.Options{})
	u := s.User("Mina")
	s.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.Fault500After, Nth: 2})
	var codes []int
	for range 3 {
		code, _, _ := push(t, s, u.ID(), "x")
		codes = append(codes, code)
	}
	require.Equal(t, []int{200, 500, 200}, codes)
	require.Len(t, u.Received(), 3, "accepted all the same")
	s.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.Fault500Before, Nth: 1, Times: 2})
	for _, want := range []int{500, 500, 200} {
		code, _, _ := push(t, s, u.ID(), "x")
		require.Equal(t, want, code)
	}
	require.Len(t, u.Received(), 4)
	s.AddFault(linetest.Fault{Kind: linetest.FaultRate, Probability: 1})
	code, _, _ := api(t, s, "GET", "/v2/bot/info", "")
	require.Equal(t, 429, code)
	s.ClearFaults()
	code, _, _ = api(t, s, "GET", "/v2/bot/info", "")
	require.Equal(t, 200, code)
}

func TestParseFault(t *testing.T) {
	f, err := linetest.ParseFault("push:cut-after:10%")
	require.NoError(t, err)
	require.Equal(t, "push", f.Endpoint)
	require.InDelta(t, 0.1, f.Probability, 1e-9)
	f, err = linetest.ParseFault("*:500-before:3+2")
	require.NoError(t, err)
	require.Equal(t, [2]int{3, 2}, [2]int{f.Nth, f.Times})
	for _, bad := range []string{"", "push", "push:cut-after", "push:explode:1", "nowhere:401:1", "push:401:x", "push:401:0"} {
		_, err := linetest.ParseFault(bad)
		require.Error(t, err, bad)
	}
}

func TestRefusesWhatLINERefuses(t *testing.T) {
	s, _ := start(t, linetest.Options{})
	u := s.User("Mina")
	g := s.Group("g", u)
	label := func(n int) string {
		return `{"type":"action","action":{"type":"message","text":"x","label":"` + strings.Repeat("가", n) + `"}}`
	}
	for name, c := range map[string]struct {
		message, property string
	}{
		"unknown type": {`{"type":"telepathy"}`, "messages[0].type"},
		"no text":      {`{"type":"text"}`, "messages[0].text"},
		"empty text":   {`{"type":"text","text":""}`, "messages[0].text"},
		"text of 5001": {`{"type":"text","text":"` + strings.Repeat("가", 5001) + `"}`, "messages[0].text"},
		"2501 emoji":   {`{"type":"text","text":"` + strings.Repeat("😀", 2501) + `"}`, "messages[0].text"},
		"http picture": {`{"type":"image","originalContentUrl":"http://x.example/a","previewImageUrl":"https://x.example/a"}`,
			"messages[0].originalContentUrl"},
		"no preview":  {`{"type":"video","originalContentUrl":"https://x.example/a"}`, "messages[0].previewImageUrl"},
		"no duration": {`{"type":"audio","originalContentUrl":"https://x.example/a"}`, "messages[0].duration"},
		"title of 101": {`{"type":"location","title":"` + strings.Repeat("x", 101) + `","address":"a","latitude":0,"longitude":0}`,
			"messages[0].title"},
		"latitude of 91": {`{"type":"location","title":"t","address":"a","latitude":91,"longitude":0}`, "messages[0].latitude"},
		"mention to one": {`{"type":"textV2","text":"{a}","substitution":{"a":{"type":"mention","mentionee":{"type":"all"}}}}`,
			"messages[0].substitution.a"},
		"lone brace":             {`{"type":"textV2","text":"a } b"}`, "messages[0].text"},
		"placeholder of nothing": {`{"type":"textV2","text":"{a}"}`, "messages[0].text"},
		"sender named LINE":      {`{"type":"text","text":"x","sender":{"name":"LINE shop"}}`, "messages[0].sender.name"},
		"sender of 21": {`{"type":"text","text":"x","sender":{"name":"` + strings.Repeat("x", 21) + `"}}`,
			"messages[0].sender.name"},
		"14 quick replies": {`{"type":"text","text":"x","quickReply":{"items":[` + strings.TrimSuffix(strings.Repeat(label(1)+",", 14),
			",") + `]}}`, "messages[0].quickReply.items"},
		"label of 21": {`{"type":"text","text":"x","quickReply":{"items":[` + label(21) + `]}}`,
			"messages[0].quickReply.items[0].action.label"},
		"quote on a picture": {`{"type":"image","quoteToken":"q","originalContentUrl":"https://x.example/a",` +
			`"previewImageUrl":"https://x.example/a"}`, "messages[0].quoteToken"},
		"confirm with one": {`{"type":"template","altText":"a","template":{"type":"confirm","text":"x","actions":[{"type":"message",` +
			`"label":"a","text":"b"}]}}`, "messages[0].template.actions"},
		"uneven columns": {`{"type":"template","altText":"a","template":{"type":"carousel","columns":[{"text":"x","title":"t",` +
			`"actions":[{"type":"message","label":"a","text":"b"}]},{"text":"x","actions":[{"type":"message","label":"a","text":"b"}]}]}}`,
			"messages[0].template.columns"},
		"bubble over 30 KB": {`{"type":"flex","altText":"a","contents":{"type":"bubble","x":"` + strings.Repeat("x", 31<<10) + `"}}`,
			"messages[0].contents"},
		"no alt text": {`{"type":"flex","contents":{"type":"bubble"}}`, "messages[0].altText"},
		"javascript": {`{"type":"text","text":"x","quickReply":{"items":[{"type":"action","action":{"type":"uri","label":"l",` +
			`"uri":"javascript:x"}}]}}`, "messages[0].quickReply.items[0].action.uri"},
	} {
		code, body, _ := api(t, s, "POST", "/v2/bot/message/push", `{"to":"`+u.ID()+`","messages":[`+c.message+`]}`)
		require.Equal(t, 400, code, name)
		var refusal messaging_api.ErrorResponse
		require.NoError(t, json.Unmarshal([]byte(body), &refusal), name)
		require.NotEmpty(t, refusal.Message)
		require.Equal(t, c.property, refusal.Details[0].Property, name)
	}
	require.Empty(t, u.Received())
	for name, body := range map[string]string{
		"no messages": `{"to":"` + u.ID() + `","messages":[]}`,
		"six messages": `{"to":"` + u.ID() + `","messages":[` + strings.Repeat(`{"type":"text","text":"x"},`, 5) +
			`{"type":"text","text":"x"}]}`,
		"not JSON": `{`,
	} {
		code, _, _ := api(t, s, "POST", "/v2/bot/message/push", body)
		require.Equal(t, 400, code, name)
	}
	code, _, _ := api(t, s, "POST", "/v2/bot/message/push", `{"pad":"`+strings.Repeat("x", 2<<20)+`"}`)
	require.Equal(t, 413, code)
	code, _, _ = api(t, s, "POST", "/v2/bot/message/push", `{}`, "Content-Type", "text/plain")
	require.Equal(t, 415, code)
	code, _, _ = api(t, s, "POST", "/v2/bot/message/push",
		`{"to":"`+g.ChatID()+
			`","messages":[{"type":"textV2","text":"{a} {{x}}","substitution":{"a":{"type":"mention","mentionee":{"type":"all"}}}}]}`)
	require.Equal(t, 200, code, "mentions are for groups")
	code, _, _ = api(t, s, "POST", "/v2/bot/message/validate/push", `{"messages":[{"type":"telepathy"}]}`)
	require.Equal(t, 400, code)
}

func TestGroups(t *testing.T) {
	s, _ := start(t, linetest.Options{})
	a, b := s.User("a"), s.User("b").SetStanding(linetest.Blocked)
	g := s.Group("family", a, b)
	_, _, _ = push(t, s, g.ChatID(), "all")
	require.Equal(t, []string{"all"}, b.Texts(), "who blocked the account still reads the group")
	_, body, _ := api(t, s, "GET", "/v2/bot/group/"+g.ChatID()+"/members/ids", "")
	require.Contains(t, body, a.ID())
	code, _, _ := api(t, s, "GET", "/v2/bot/room/"+g.ChatID()+"/members/count", "")
	require.Equal(t, 404, code, "a group is no room")
	_, body, _ = api(t, s, "GET", "/v2/bot/followers/ids?limit=1", "")
	require.Contains(t, body, a.ID())
	code, _, _ = api(t, s, "POST", "/v2/bot/group/"+g.ChatID()+"/leave", "")
	require.Equal(t, 200, code)
	code, _, _ = push(t, s, g.ChatID(), "gone")
	require.Equal(t, 400, code)
	_, err := a.Edit(a.SendText("x").MessageID, "y")
	require.Error(t, err, "one-to-one messages cannot be edited")
}
