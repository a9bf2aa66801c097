package line_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"image/png"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

func TestValidateNamesTheFieldAndWhereToFindIt(t *testing.T) {
	a := offline(t)
	good := channel.Account{ID: "a", Kind: line.Kind, Settings: json.RawMessage(`{"channel_id":"123"}`), Secrets: map[string]channel.Secret{
		line.SecretChannel: channel.NewSecret("s3cret"), line.SecretToken: channel.NewSecret("tok/en+=")}}
	require.NoError(t, a.Validate(good))
	for name, c := range map[string]struct {
		bend  func(*channel.Account)
		names string
	}{
		"other kind":  {func(x *channel.Account) { x.Kind = "webchat" }, "kind"},
		"no settings": {func(x *channel.Account) { x.Settings = nil }, "channel_id"},
		"unknown field": {func(x *channel.Account) { x.Settings = json.RawMessage(`{"channel_id":"1","tokn_mode":"jwt"}`) },
			"field that does not exist"},
		"two objects":       {func(x *channel.Account) { x.Settings = json.RawMessage(`{"channel_id":"1"}{}`) }, "more than one"},
		"no channel id":     {func(x *channel.Account) { x.Settings = json.RawMessage(`{}`) }, "Basic settings tab"},
		"channel id a name": {func(x *channel.Account) { x.Settings = json.RawMessage(`{"channel_id":"@shop"}`) }, "channel_id"},
		"empty secret":      {func(x *channel.Account) { delete(x.Secrets, line.SecretChannel) }, "channel_secret"},
		"empty token":       {func(x *channel.Account) { delete(x.Secrets, line.SecretToken) }, "Messaging API tab"},
		"token with break":  {func(x *channel.Account) { x.Secrets[line.SecretToken] = channel.NewSecret("tok\r\nen") }, "channel_token"},
		"unknown mode": {func(x *channel.Account) { x.Settings = json.RawMessage(`{"channel_id":"1","token_mode":"x"}`) },
			"token_mode"},
		"jwt without kid": {func(x *channel.Account) { x.Settings = json.RawMessage(`{"channel_id":"1","token_mode":"jwt"}`) }, "kid"},
		"jwt without key": {func(x *channel.Account) {
			x.Settings = json.RawMessage(`{"channel_id":"1","token_mode":"jwt","kid":"k"}`)
		}, "assertion_key"},
	} {
		acct := good
		acct.Secrets = map[string]channel.Secret{line.SecretChannel: good.Secrets[line.SecretChannel],
			line.SecretToken: good.Secrets[line.SecretToken]}
		c.bend(&acct)
		err := a.Validate(acct)
		require.ErrorIs(t, err, adapter.ErrInvalid, name)
		require.ErrorContains(t, err, c.names, name)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

func TestNewRefusesAddressesThatWouldLeakTheToken(t *testing.T) {
	for _, base := range []string{"http://api.line.me", "api.line.me", "https://user:pw@x.example",
		"https://x.example/?a", "ftp://x.example",
		"%"} {
		_, err := line.New(line.Options{APIBase: base})
		require.ErrorIs(t, err, adapter.ErrInvalid, base)
		_, err = line.New(line.Options{DataAPIBase: base})
		require.ErrorIs(t, err, adapter.ErrInvalid, base)
	}
	_, err := line.New(line.Options{APIBase: "http://127.0.0.1:9100/"})
	require.NoError(t, err)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var asked []string
	a, err := line.New(line.Options{HTTPClient: &http.Client{Transport: emukit.Transport(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		asked = append(asked, r.Host)
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
	}))}})
	require.NoError(t, err)
	acct := withSecret("s")
	acct.Secrets[line.SecretToken] = channel.NewSecret("t")
	_, err = a.Send(t.Context(), acct, plan(t, received, outbound("x")))
	require.Error(t, err)
	require.Equal(t, []string{"api.line.me"}, asked)
}

func stateless(e *emulated) {
	e.acct.Settings = json.RawMessage(`{"channel_id":"` + e.srv.ChannelID() + `","token_mode":"stateless"}`)
	delete(e.acct.Secrets, line.SecretToken)
}

func TestStatelessTokenIsFetchedOnceForAllCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := linetest.New(linetest.Options{})
		defer srv.Close()
		a, err := line.New(line.Options{HTTPClient: &http.Client{Transport: srv.Transport()}})
		require.NoError(t, err)
		e := &emulated{srv: srv, acct: accountOf(srv)}
		stateless(e)
		srv.AddFault(linetest.Fault{Endpoint: "tokenV3", Kind: linetest.FaultDelay, Delay: time.Second, Nth: 1})
		gone, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if i == 0 { // one that goes away spoils it for nobody
					_, _ = a.BotInfo(gone, e.acct)
					return
				}
				if _, err := a.BotInfo(t.Context(), e.acct); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		leave()
		wg.Wait()
		require.Len(t, srv.Calls("tokenV3"), 1)
	})
}

func TestStatelessTokensAreKeptFourteenMinutes(t *testing.T) {
	e := emulate(t, linetest.Options{})
	stateless(e)
	require.NoError(t, e.line.Validate(e.acct))
	_, err := e.line.BotInfo(t.Context(), e.acct)
	require.NoError(t, err)
	e.pass(13*time.Minute + 59*time.Second)
	_, err = e.line.BotInfo(t.Context(), e.acct)
	require.NoError(t, err)
	require.Len(t, e.srv.Calls("tokenV3"), 1)
	e.pass(time.Second)
	_, err = e.line.BotInfo(t.Context(), e.acct)
	require.NoError(t, err)
	require.Len(t, e.srv.Calls("tokenV3"), 2)
}

func TestStatelessTokenIsRenewedOnceAfter401(t *testing.T) {
	e := emulate(t, linetest.Options{})
	stateless(e)
	_, se := e.send(t, e.attempt(t, "one", nil))
	require.Nil(t, se)
	e.srv.RevokeTokens()
	_, se = e.send(t, e.attempt(t, "two", nil))
	require.Nil(t, se)
	require.Len(t, e.srv.Calls("tokenV3"), 2)
	e.srv.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.Fault401, Nth: 1, Times: 5})
	_, se = e.send(t, e.attempt(t, "three", nil))
	require.Equal(t, channel.ReasonCredentials, se.Reason)
	require.Len(t, e.srv.Calls("tokenV3"), 3, "once, not for ever")
	require.Equal(t, []string{"one", "two"}, e.mina.Texts())
}

func TestTokenTroubleNeverMeansSent(t *testing.T) {
	for kind, want := range map[linetest.FaultKind]adapter.Disposition{
		linetest.FaultCutAfter: adapter.Retry, linetest.FaultCutBefore: adapter.Retry, linetest.Fault500Before: adapter.Retry,
		linetest.FaultRate: adapter.Retry, linetest.Fault401: adapter.Permanent,
	} {
		e := emulate(t, linetest.Options{})
		stateless(e)
		e.srv.AddFault(linetest.Fault{Endpoint: "tokenV3", Kind: kind, Nth: 1})
		_, se := e.send(t, e.attempt(t, "x", nil))
		require.Equal(t, want, se.Disposition, kind)
		require.Empty(t, e.srv.Calls("push"))
	}
	e := emulate(t, linetest.Options{})
	stateless(e)
	e.acct.Secrets[line.SecretChannel] = channel.NewSecret("wrong")
	_, se := e.send(t, e.attempt(t, "x", nil))
	require.Equal(t, channel.ReasonCredentials, se.Reason)
}

func TestJWTTokens(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	b64 := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	jwk := fmt.Sprintf(`{"kty":"RSA","alg":"RS256","use":"sig","n":%q,"e":"AQAB","d":%q,"p":%q,"q":%q}`,
		b64(key.N.Bytes()), b64(key.D.Bytes()), b64(key.Primes[0].Bytes()), b64(key.Primes[1].Bytes()))
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for name, secret := range map[string]string{"PEM": string(block), "JWK": jwk} {
		t.Run(name, func(t *testing.T) {
			e := emulate(t, linetest.Options{})
			kid := e.srv.RegisterKey(&key.PublicKey)
			e.acct.Settings = json.RawMessage(`{"channel_id":"` + e.srv.ChannelID() + `","token_mode":"jwt","kid":"` + kid + `"}`)
			e.acct.Secrets = map[string]channel.Secret{line.SecretChannel: e.acct.Secrets[line.SecretChannel],
				line.SecretAssertion: channel.NewSecret(secret)}
			require.NoError(t, e.line.Validate(e.acct))
			for range 3 {
				_, se := e.send(t, e.attempt(t, "x", nil))
				require.Nil(t, se)
			}
			require.Len(t, e.srv.Calls("tokenV2"), 1)
			e.acct.Settings = json.RawMessage(`{"channel_id":"` + e.srv.ChannelID() + `","token_mode":"jwt","kid":"other"}`)
			_, se := e.send(t, e.attempt(t, "x", nil))
			require.Equal(t, channel.ReasonCredentials, se.Reason)
		})
	}
	for _, bad := range []string{"", "x", `{"kty":"RSA"}`, `{"kty":"EC","n":"AQAB"}`, strings.Replace(jwk, `"e":"AQAB"`, `"e":"AQAA"`, 1),
		string(block)[:200]} {
		acct := channel.Account{Kind: line.Kind, Settings: json.RawMessage(`{"channel_id":"1","token_mode":"jwt","kid":"k"}`),
			Secrets: map[string]channel.Secret{
				line.SecretChannel: channel.NewSecret("s"), line.SecretAssertion: channel.NewSecret(bad)}}
		require.ErrorIs(t, offline(t).Validate(acct), adapter.ErrInvalid)
	}
}

func TestSendErrors(t *testing.T) {
	for name, c := range map[string]struct {
		bend        func(*emulated, *adapter.Attempt)
		disposition adapter.Disposition
		reason      channel.Reason
	}{
		"unknown recipient": {func(e *emulated, at *adapter.Attempt) { replaceIn(at, e.mina.ID(), userID) }, adapter.Permanent,
			channel.ReasonUnreachable},
		"refused content": {func(_ *emulated, at *adapter.Attempt) { replaceIn(at, `"type":"text"`, `"type":"telepathy"`) },
			adapter.Permanent, channel.ReasonContent},
		"revoked token": {func(e *emulated, _ *adapter.Attempt) { e.srv.RevokeTokens() }, adapter.Permanent, channel.ReasonCredentials},
		"forbidden": {func(e *emulated, _ *adapter.Attempt) { e.fault(linetest.Fault403) }, adapter.Permanent,
			channel.ReasonCredentials},
		"500": {func(e *emulated, _ *adapter.Attempt) { e.fault(linetest.Fault500Before) }, adapter.Ambiguous,
			channel.ReasonProvider},
		"accepted then 500": {func(e *emulated, _ *adapter.Attempt) { e.fault(linetest.Fault500After) }, adapter.Ambiguous,
			channel.ReasonProvider},
		"cut": {func(e *emulated, _ *adapter.Attempt) { e.fault(linetest.FaultCutBefore) }, adapter.Ambiguous,
			channel.ReasonNetwork},
		"missing characters": {func(_ *emulated, at *adapter.Attempt) { at.Request = []byte(`{"v":2}`) }, adapter.Permanent,
			channel.ReasonContent},
	} {
		t.Run(name, func(t *testing.T) {
			e := emulate(t, linetest.Options{})
			at := e.attempt(t, "x", nil)
			c.bend(e, &at)
			_, se := e.send(t, at)
			require.Equal(t, c.disposition, se.Disposition)
			require.Equal(t, c.reason, se.Reason)
		})
	}
}

func (e *emulated) fault(kind linetest.FaultKind) {
	e.srv.AddFault(linetest.Fault{Endpoint: "push", Kind: kind, Nth: 1})
}

func replaceIn(at *adapter.Attempt, old, new string) {
	at.Request = []byte(strings.Replace(string(at.Request), old, new, 1))
}

func TestAcceptedWithAnUnreadableBodyIsAccepted(t *testing.T) {
	e := emulate(t, linetest.Options{})
	e.fault(linetest.FaultGarbage)
	sent, se := e.send(t, e.attempt(t, "x", nil))
	require.Nil(t, se)
	require.Empty(t, sent.Messages)
	require.NotEmpty(t, sent.RequestID)
}

func TestNumericMessageIDsAreRead(t *testing.T) {
	a, err := line.New(line.Options{HTTPClient: &http.Client{Transport: emukit.Transport(http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		_, _ = w.Write([]byte(`{"sentMessages":[{"id":461230966842064897,"quoteToken":"q"}]}`))
	}))}})
	require.NoError(t, err)
	acct := withSecret("s")
	acct.Secrets[line.SecretToken] = channel.NewSecret("t")
	sent, err := a.Send(t.Context(), acct, plan(t, received, outbound("x")))
	require.NoError(t, err)
	require.Equal(t, []adapter.SentMessage{{ID: "461230966842064897", QuoteHandle: "q"}}, sent.Messages)
}

func TestEachRowGetsTheIDOfItsFirstMessage(t *testing.T) {
	e := emulate(t, linetest.Options{})
	to := channel.Chat{Kind: channel.ChatUser, ID: e.mina.ID()}
	batch := []adapter.Outbound{{Row: "a", To: to, Content: channel.Text(strings.Repeat("x", 6000))},
		{Row: "b", To: to, Content: channel.Text("b")}}
	at, err := e.line.Plan(e.acct, batch, e.now(), newKeys())
	require.NoError(t, err)
	sent, se := e.send(t, at)
	require.Nil(t, se)
	phone := e.mina.Received()
	require.Len(t, phone, 3)
	require.Equal(t, []string{phone[0].MessageID, phone[2].MessageID}, []string{string(sent.Messages[0].ID), string(sent.Messages[1].ID)})
	require.Equal(t, []channel.ProviderMessageID{channel.ProviderMessageID(phone[1].MessageID)}, sent.Messages[0].Parts)
	require.Empty(t, sent.Messages[1].Parts)
	again, se := e.send(t, at)
	require.Nil(t, se)
	require.True(t, again.Duplicate)
	require.Equal(t, sent.Messages, again.Messages, "a repeat names the same ids")
}

// TestARefusalNamesItsRows maps LINE's messages to rows: the first row here is
// two LINE messages, the second and third one each.
func TestARefusalNamesItsRows(t *testing.T) {
	rows := []adapter.Outbound{outbound(strings.Repeat("x", 6000)), outbound("b"), outbound("c")}
	for name, c := range map[string]struct {
		body string
		want []int
	}{
		"the first part": {`{"message":"The request body has 1 error(s)","details":[{"message":"no",` +
			`"property":"messages[0].text"}]}`, []int{0}},
		"the second part": {`{"details":[{"property":"messages[1].text"}]}`, []int{0}},
		"the second row":  {`{"details":[{"property":"messages[2].text"}]}`, []int{1}},
		"two rows, one of them twice": {`{"details":[{"property":"messages[3]"},{"property":"messages[0].text"},` +
			`{"property":"messages[1].text"}]}`, []int{0, 2}},
		"in the text alone": {`{"message":"A message (messages[2]) in the request body is invalid"}`, []int{1}},
		"in the text, with paths": {`{"message":"A message (messages[3]) in the request body is invalid","details":[{"message":"no",` +
			`"property":"/body/contents/0/text"}]}`, []int{2}},
		"the recipient":             {`{"message":"The property, 'to', in the request body is invalid (line: -, column: -)"}`, nil},
		"the list itself":           {`{"details":[{"property":"messages","message":"Size must be between 1 and 5"}]}`, nil},
		"a message and another":     {`{"details":[{"property":"messages[2].text"},{"property":"notificationDisabled"}]}`, nil},
		"a message there was not":   {`{"details":[{"property":"messages[4].text"}]}`, nil},
		"a number that is too long": {`{"details":[{"property":"messages[99999999999999999999].text"}]}`, nil},
		"paths without a message":   {`{"details":[{"property":"/body/contents"}]}`, nil},
		"nothing":                   {`{}`, nil},
		"garbage":                   {`{"details":7,"message":[]`, nil},
	} {
		a, err := line.New(line.Options{HTTPClient: &http.Client{Transport: emukit.Transport(http.HandlerFunc(func(w http.ResponseWriter,
			_ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(c.body))
		}))}})
		require.NoError(t, err)
		acct := withSecret("s")
		acct.Secrets[line.SecretToken] = channel.NewSecret("t")
		_, err = a.Send(t.Context(), acct, plan(t, received, rows...))
		var se *adapter.SendError
		require.ErrorAs(t, err, &se, name)
		require.Equal(t, adapter.Permanent, se.Disposition, name)
		require.Equal(t, channel.ReasonContent, se.Reason, name)
		require.Equal(t, c.want, se.Rows, name)
	}
}

// TestOnlyContentBlamesRows: what is wrong with the account or the recipient is
// every row's.
func TestOnlyContentBlamesRows(t *testing.T) {
	for _, kind := range []linetest.FaultKind{linetest.Fault401, linetest.Fault403, linetest.FaultQuota, linetest.FaultRate,
		linetest.Fault500After} {
		e := emulate(t, linetest.Options{})
		e.fault(kind)
		_, se := e.send(t, e.attempt(t, "x", nil))
		require.Empty(t, se.Rows, kind)
	}
}

func newKeys() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
}

func TestWhatTheAdapterCannotCheckTravelsAlone(t *testing.T) {
	sticker := adapter.Outbound{Row: "s", To: private, Content: channel.Content{Kind: channel.KindSticker,
		Sticker: &channel.Sticker{Package: "1", ID: "1"}}}
	require.Equal(t, []channel.OutboxID{"r"}, plan(t, received, outbound("x"), sticker).Rows)
	require.Equal(t, []channel.OutboxID{"s"}, plan(t, received, sticker, outbound("x")).Rows)
	bad := outbound("")
	require.Len(t, plan(t, received, outbound("x"), bad, outbound("y")).Rows, 1, "a bad row waits for its own turn")
	elsewhere := outbound("x")
	elsewhere.To = group
	require.Len(t, plan(t, received, outbound("x"), elsewhere).Rows, 1)
}

func TestLookingPeopleUp(t *testing.T) {
	e := emulate(t, linetest.Options{})
	e.mina.SetProfile("https://cdn.example/mina.jpg", "ko", "away")
	jun := e.srv.User("Jun").SetStanding(linetest.Stranger)
	g := e.srv.Group("family", e.mina, jun)
	one := channel.Chat{Kind: channel.ChatUser, ID: e.mina.ID()}
	p, err := e.line.Profile(t.Context(), e.acct, one, channel.ProviderUserID(e.mina.ID()))
	require.NoError(t, err)
	require.Equal(t, channel.Profile{Name: "Mina", Picture: "https://cdn.example/mina.jpg", Language: "ko", Status: "away"}, p)
	_, err = e.line.Profile(t.Context(), e.acct, one, channel.ProviderUserID(jun.ID()))
	require.ErrorIs(t, err, adapter.ErrNotFound, "a stranger who never wrote")
	inGroup := channel.Chat{Kind: channel.ChatGroup, ID: g.ChatID()}
	p, err = e.line.Profile(t.Context(), e.acct, inGroup, channel.ProviderUserID(jun.ID()))
	require.NoError(t, err, "members can be looked up in their group")
	require.Equal(t, "Jun", p.Name)
	summary, err := e.line.Group(t.Context(), e.acct, inGroup)
	require.NoError(t, err)
	require.Equal(t, line.GroupSummary{Name: "family", Members: 2}, summary)
	for _, bad := range []channel.ProviderUserID{"", "../message/quota", "U1", channel.ProviderUserID(strings.ToUpper(userID))} {
		_, err := e.line.Profile(t.Context(), e.acct, one, bad)
		require.ErrorIs(t, err, adapter.ErrInvalid, bad)
	}
}

func TestTypingAndRead(t *testing.T) {
	e := emulate(t, linetest.Options{})
	one := channel.Chat{Kind: channel.ChatUser, ID: e.mina.ID()}
	for d, seconds := range map[time.Duration]string{0: "5", 7 * time.Second: "10", time.Hour: "60"} {
		require.NoError(t, e.line.ShowTyping(t.Context(), e.acct, one, d))
		calls := e.srv.Calls("loading")
		require.Contains(t, string(calls[len(calls)-1].Body), `"loadingSeconds":`+seconds+`}`)
		require.True(t, e.mina.Loading())
	}
	require.ErrorIs(t, e.line.ShowTyping(t.Context(), e.acct, group, time.Second), adapter.ErrUnsupported)
	require.ErrorIs(t, e.line.ShowTyping(t.Context(), e.acct, channel.Chat{Kind: channel.ChatUser, ID: "x"}, time.Second),
		adapter.ErrInvalid)
	require.ErrorIs(t, e.line.MarkRead(t.Context(), e.acct, ""), adapter.ErrInvalid)
	require.ErrorIs(t, e.line.MarkRead(t.Context(), e.acct, "forged"), adapter.ErrInvalid)
	e.srv.SetWebhook("http://127.0.0.1:1/")
	e.mina.SendText("hi")
	require.NoError(t, e.srv.WaitIdle(t.Context()))
	var body struct {
		Events []struct {
			Message struct{ MarkAsReadToken string }
		}
	}
	require.NoError(t, json.Unmarshal(e.srv.Webhooks()[0].Body, &body))
	require.NoError(t, e.line.MarkRead(t.Context(), e.acct, body.Events[0].Message.MarkAsReadToken))
	require.False(t, e.mina.ReadUpTo().IsZero())
}

func topics(findings []adapter.Finding, ok bool) string {
	var all []string
	for _, f := range findings {
		if f.OK == ok {
			all = append(all, f.Topic)
		}
	}
	return strings.Join(all, " ")
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	const callback = "https://desk.example/hook/abc"
	answering := func(status int) *http.Client {
		return &http.Client{Transport: emukit.Transport(http.HandlerFunc(func(w http.ResponseWriter,
			_ *http.Request) {
			w.WriteHeader(status)
		}))}
	}
	t.Run("the address is not known", func(t *testing.T) {
		e := emulate(t, linetest.Options{WebhookClient: answering(200), WebhookURL: callback})
		findings, err := e.line.Check(t.Context(), e.acct, "")
		require.NoError(t, err)
		require.Equal(t, "endpoint", topics(findings, false))
		require.NotContains(t, fmt.Sprint(findings), "another tool", "nobody knows")
	})
	for name, c := range map[string]struct {
		status  int
		bend    func(*emulated)
		wrong   string
		mention string
	}{
		"all is well":    {200, func(*emulated) {}, "", ""},
		"bad settings":   {200, func(e *emulated) { e.acct.Settings = nil }, "settings", "channel_id"},
		"wrong token":    {200, func(e *emulated) { e.srv.RevokeTokens() }, "token", "Issue a new channel access token"},
		"no address":     {200, func(e *emulated) { e.srv.SetWebhook("") }, "endpoint", "No webhook address"},
		"another tool":   {200, func(e *emulated) { e.srv.SetWebhook("https://other.example/") }, "endpoint", "another tool"},
		"wrong secret":   {401, func(*emulated) {}, "endpoint_test", "channel secret"},
		"server trouble": {500, func(*emulated) {}, "endpoint_test", "status 500"},
		"month is over":  {200, func(e *emulated) { e.srv.SetConsumption(1000) }, "quota", "are used"},
		"other bot": {200, func(e *emulated) { e.acct.Settings = json.RawMessage(`{"channel_id":"1234567890","bot_user_id":"U0"}`) },
			"bot", "another bot"},
		"info overloaded": {200, func(e *emulated) { e.srv.AddFault(linetest.Fault{Endpoint: "info", Kind: linetest.FaultRate, Nth: 1}) },
			"token", "try again"},
	} {
		t.Run(name, func(t *testing.T) {
			e := emulate(t, linetest.Options{WebhookClient: answering(c.status), WebhookURL: callback, MonthlyQuota: 1000})
			c.bend(e)
			findings, err := e.line.Check(t.Context(), e.acct, callback)
			require.NoError(t, err)
			require.Equal(t, c.wrong, topics(findings, false))
			require.Contains(t, fmt.Sprint(findings), c.mention)
			for _, f := range findings {
				require.True(t, f.OK || f.Remedy != "", "%s has no remedy", f.Topic)
			}
		})
	}
}

func TestEndpointIsSetAndTested(t *testing.T) {
	e := emulate(t, linetest.Options{WebhookClient: &http.Client{Transport: emukit.Transport(http.NotFoundHandler())}})
	_, err := e.line.TestEndpoint(t.Context(), e.acct)
	require.ErrorIs(t, err, adapter.ErrNotFound)
	require.NoError(t, e.line.SetEndpoint(t.Context(), e.acct, "https://desk.example/hook"))
	got, err := e.line.Endpoint(t.Context(), e.acct)
	require.NoError(t, err)
	require.Equal(t, line.Endpoint{URL: "https://desk.example/hook", Active: true}, got)
	result, err := e.line.TestEndpoint(t.Context(), e.acct)
	require.NoError(t, err)
	require.Equal(t, 404, result.StatusCode)
	for _, bad := range []string{"", "http://desk.example/", "https://desk.example/" + strings.Repeat("x", 500)} {
		require.ErrorIs(t, e.line.SetEndpoint(t.Context(), e.acct, bad), adapter.ErrInvalid)
	}
}

func TestAnInvitationIsTheAccountsAddress(t *testing.T) {
	e := emulate(t, linetest.Options{BasicID: "@shop-1"})
	plain, err := e.line.Invite(t.Context(), e.acct, 0)
	require.NoError(t, err)
	require.Equal(t, channel.Invitation{URL: "https://line.me/R/ti/p/%40shop-1"}, plain)
	in, err := e.line.Invite(t.Context(), e.acct, 256)
	require.NoError(t, err)
	decoded, err := png.Decode(bytes.NewReader(in.QR))
	require.NoError(t, err)
	require.Equal(t, 256, decoded.Bounds().Dx())
	for _, size := range []int{-1, 63, 1 << 20} {
		_, err = e.line.Invite(t.Context(), e.acct, size)
		require.ErrorIs(t, err, adapter.ErrInvalid, size)
	}
}

func TestAddFriend(t *testing.T) {
	address, err := line.AddFriendURL("@shop-1")
	require.NoError(t, err)
	require.Equal(t, "https://line.me/R/ti/p/%40shop-1", address)
	chat, err := line.ChatURL("@shop-1", "쿠폰 & 문의")
	require.NoError(t, err)
	require.Equal(t, "https://line.me/R/oaMessage/%40shop-1/?%EC%BF%A0%ED%8F%B0%20%26%20%EB%AC%B8%EC%9D%98", chat)
	for _, bad := range []string{"", "shop", "@", "@a/../b", "@" + strings.Repeat("a", 40)} {
		_, err := line.AddFriendURL(bad)
		require.ErrorIs(t, err, adapter.ErrInvalid, bad)
	}
}

func TestRichMenus(t *testing.T) {
	e := emulate(t, linetest.Options{})
	ctx, user := t.Context(), channel.ProviderUserID(e.mina.ID())
	id, err := e.line.CreateRichMenu(ctx, e.acct, json.RawMessage(
		`{"size":{"width":2500,"height":843},"selected":false,"name":"main","chatBarText":"Menu","areas":[]}`))
	require.NoError(t, err)
	require.ErrorIs(t, e.line.LinkRichMenu(ctx, e.acct, user, id), adapter.ErrInvalid, "no picture yet")
	require.NoError(t, e.line.UploadRichMenuImage(ctx, e.acct, id, "image/png", []byte("png")))
	require.ErrorIs(t, e.line.UploadRichMenuImage(ctx, e.acct, id, "image/png", []byte("png")), adapter.ErrInvalid, "once only")
	require.NoError(t, e.line.SetDefaultRichMenu(ctx, e.acct, id))
	require.Equal(t, string(id), e.mina.RichMenu())
	require.NoError(t, e.line.SetDefaultRichMenu(ctx, e.acct, ""))
	require.NoError(t, e.line.LinkRichMenu(ctx, e.acct, user, id))
	require.Equal(t, string(id), e.mina.RichMenu())
	require.NoError(t, e.line.LinkRichMenu(ctx, e.acct, user, ""))
	require.Empty(t, e.mina.RichMenu())
	require.NoError(t, e.line.CreateRichMenuAlias(ctx, e.acct, "tab-a", id))
	e.mina.SwitchMenu("tab-a", "switched")
	require.Equal(t, string(id), e.mina.RichMenu())
	require.NoError(t, e.line.UpdateRichMenuAlias(ctx, e.acct, "tab-a", id))
	require.NoError(t, e.line.DeleteRichMenuAlias(ctx, e.acct, "tab-a"))
	require.NoError(t, e.line.DeleteRichMenu(ctx, e.acct, id))
	require.ErrorIs(t, e.line.DeleteRichMenu(ctx, e.acct, id), adapter.ErrNotFound)
	require.ErrorIs(t, e.line.DeleteRichMenu(ctx, e.acct, "../../message/quota"), adapter.ErrInvalid)
	require.ErrorIs(t, e.line.CreateRichMenuAlias(ctx, e.acct, "A/b", id), adapter.ErrInvalid)
	_, err = e.line.CreateRichMenu(ctx, e.acct, json.RawMessage(`{"name":"n","chatBarText":"`+strings.Repeat("메", 15)+`"}`))
	require.ErrorIs(t, err, adapter.ErrInvalid)
}

func TestAccountLink(t *testing.T) {
	e := emulate(t, linetest.Options{})
	e.srv.SetWebhook("http://127.0.0.1:1/")
	token, err := e.line.LinkToken(t.Context(), e.acct, channel.ProviderUserID(e.mina.ID()))
	require.NoError(t, err)
	nonce := line.NewNonce()
	require.GreaterOrEqual(t, len(nonce), 22)
	require.NotEqual(t, nonce, line.NewNonce())
	address, err := line.LinkURL("", token, nonce)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(address, line.DefaultLinkDialog+"?"))
	resp, err := (&http.Client{Transport: e.srv.Transport()}).Get(address)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	require.NoError(t, e.srv.WaitIdle(t.Context()))
	require.Contains(t, string(e.srv.Webhooks()[0].Body), nonce)
	require.False(t, e.srv.Link(token, nonce), "a link token works once")
	stale, err := e.line.LinkToken(t.Context(), e.acct, channel.ProviderUserID(e.mina.ID()))
	require.NoError(t, err)
	e.pass(11 * time.Minute)
	require.False(t, e.srv.Link(stale, nonce))
	own, err := line.LinkURL("https://dialog.example/link?tenant=a", "t&1", nonce)
	require.NoError(t, err)
	require.Equal(t, "https://dialog.example/link?linkToken=t%261&nonce="+nonce+"&tenant=a", own, "a query of its own stays")
	for _, dialog := range []string{"https://dialog.example/%zz", "https://dialog.example/?a=%zz", "https://dialog.example/?a=b;c=d",
		"javascript:alert(1)", "//dialog.example/link", "https:dialog.example", "/link"} {
		_, err = line.LinkURL(dialog, token, nonce)
		require.ErrorIs(t, err, adapter.ErrInvalid, dialog)
	}
	_, err = line.LinkURL("", token, "short")
	require.ErrorIs(t, err, adapter.ErrInvalid)
	_, err = e.line.LinkToken(t.Context(), e.acct, "../x")
	require.ErrorIs(t, err, adapter.ErrInvalid)
}

func TestVerifyIDToken(t *testing.T) {
	e := emulate(t, linetest.Options{})
	token, err := e.srv.IDToken(e.mina, "555", "login secret", "nonce-1")
	require.NoError(t, err)
	who, err := e.line.VerifyIDToken(t.Context(), "555", token, "nonce-1")
	require.NoError(t, err)
	require.Equal(t, channel.ProviderUserID(e.mina.ID()), who.User)
	for name, try := range map[string][3]string{
		"other nonce": {"555", token, "nonce-2"}, "other channel": {"556", token, "nonce-1"}, "forged": {"555", token + "x", "nonce-1"},
	} {
		_, err := e.line.VerifyIDToken(t.Context(), try[0], try[1], try[2])
		require.ErrorIs(t, err, adapter.ErrPermissionDenied, name)
	}
	_, err = e.line.VerifyIDToken(t.Context(), "shop", token, "")
	require.ErrorIs(t, err, adapter.ErrInvalid)
	e.pass(2 * time.Hour)
	_, err = e.line.VerifyIDToken(t.Context(), "555", token, "nonce-1")
	require.ErrorIs(t, err, adapter.ErrPermissionDenied)
}
