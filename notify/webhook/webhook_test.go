package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
)

// The example of the Standard Webhooks specification.
func TestTheVectorOfTheStandard(t *testing.T) {
	secret := channel.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	body := []byte(`{"test": 2432232314}`)
	h := http.Header{}
	h.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	at := time.Unix(1614265330, 0)
	require.NoError(t, webhook.Verify(h, body, at, secret))
	require.NoError(t, webhook.Verify(h, body, at.Add(webhook.Tolerance), webhook.NewSecret(), secret), "either secret")
	h.Set("webhook-signature", "v2,xx v1a,yy v1,!! v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	require.NoError(t, webhook.Verify(h, body, at, secret), "among others")

	for name, bad := range map[string]func() error{
		"late":      func() error { return webhook.Verify(h, body, at.Add(webhook.Tolerance+time.Second), secret) },
		"early":     func() error { return webhook.Verify(h, body, at.Add(-webhook.Tolerance-time.Second), secret) },
		"changed":   func() error { return webhook.Verify(h, append(body, ' '), at, secret) },
		"other key": func() error { return webhook.Verify(h, body, at, webhook.NewSecret()) },
		"no secret": func() error { return webhook.Verify(h, body, at) },
		"empty":     func() error { return webhook.Verify(h, body, at, channel.Secret{}) },
		"no header": func() error { return webhook.Verify(http.Header{}, body, at, secret) },
	} {
		require.ErrorIs(t, bad(), notify.ErrInvalid, name)
	}
}

func target(s *webhooktest.Server) notify.Target {
	return notify.Target{ID: "t", Kind: webhook.Kind, Name: "CRM", Settings: json.RawMessage(`{"url":"https://crm.example.com/hook"}`),
		Secrets: map[string]channel.Secret{webhook.SecretName: s.Secret()}}
}

// An empty or short secret would let anybody sign, whatever the hook.
func TestTargetsThatAreRefused(t *testing.T) {
	c := webhook.New(webhook.Options{})
	good := target(webhooktest.New(webhooktest.Options{}))
	require.NoError(t, c.Validate(good))
	for name, change := range map[string]func(*notify.Target){
		"no secret":       func(t *notify.Target) { t.Secrets = nil },
		"an empty secret": func(t *notify.Target) { t.Secrets = secrets("") },
		"empty base64":    func(t *notify.Target) { t.Secrets = secrets("whsec_") },
		"a short one": func(t *notify.Target) {
			t.Secrets = secrets("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)))
		},
		"no prefix": func(t *notify.Target) { t.Secrets = secrets(base64.StdEncoding.EncodeToString(make([]byte, 32))) },
		"a bad next one": func(t *notify.Target) {
			t.Secrets = secrets(webhook.NewSecret().Reveal())
			t.Secrets[webhook.SecretNext] = channel.Secret{}
		},
		"no url":          func(t *notify.Target) { t.Settings = nil },
		"a file":          func(t *notify.Target) { t.Settings = json.RawMessage(`{"url":"file:///etc/passwd"}`) },
		"with user":       func(t *notify.Target) { t.Settings = json.RawMessage(`{"url":"https://u:p@example.com/"}`) },
		"a port":          func(t *notify.Target) { t.Settings = json.RawMessage(`{"url":"https://example.com:25/"}`) },
		"unknown setting": func(t *notify.Target) { t.Settings = json.RawMessage(`{"uri":"https://example.com/"}`) },
	} {
		bad := good
		change(&bad)
		require.ErrorIs(t, c.Validate(bad), notify.ErrInvalid, name)
	}
}

func secrets(s string) map[string]channel.Secret {
	return map[string]channel.Secret{webhook.SecretName: channel.NewSecret(s)}
}

func TestARequestIsSignedAndKnownAgain(t *testing.T) {
	s := webhooktest.New(webhooktest.Options{})
	c, tg := webhook.New(webhook.Options{Transport: s.Transport()}), target(s)
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	n := notify.Notice{ID: "n1", Event: "ticket.created", Subject: "ticket:1", At: at, Title: "환불", Link: "https://desk.example.com/1"}
	request, err := c.Plan(tg, n, at)
	require.NoError(t, err)
	s.Fail(webhooktest.Fault{Lost: true})
	_, err = c.Send(t.Context(), tg, request)
	require.Equal(t, adapter.Ambiguous, disposition(t, err))
	tg.Secrets[webhook.SecretNext] = tg.Secrets[webhook.SecretName]
	tg.Secrets[webhook.SecretName] = webhook.NewSecret() // the receiver has not changed over yet
	r, err := c.Send(t.Context(), tg, request)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, r.Status)
	got := s.Requests()
	require.Len(t, got, 2)
	require.Len(t, s.Acted(), 1)
	require.Equal(t, "n1", got[0].ID)
	require.Equal(t, "ticket.created", got[0].Type)
	require.True(t, got[0].Timestamp.Equal(at))
	require.JSONEq(t, `{"subject":"ticket:1","title":"환불","link":"https://desk.example.com/1"}`, string(got[0].Data))
	require.Empty(t, s.Refused())
}

func TestWhatTheAnswersMean(t *testing.T) {
	s := webhooktest.New(webhooktest.Options{})
	c, tg := webhook.New(webhook.Options{Transport: s.Transport()}), target(s)
	request, err := c.Plan(tg, notify.Notice{ID: "n", Event: "e", Data: json.RawMessage(`{"a":1}`)}, time.Now())
	require.NoError(t, err)
	for _, tc := range []struct {
		f     webhooktest.Fault
		want  adapter.Disposition
		after time.Duration
	}{
		{webhooktest.Fault{Status: 500}, adapter.Retry, 0}, {webhooktest.Fault{Status: 404}, adapter.Retry, 0},
		{webhooktest.Fault{Status: 301}, adapter.Retry, 0}, {webhooktest.Fault{Status: 410}, adapter.Permanent, 0},
		{webhooktest.Fault{Status: 429}, adapter.RateLimited, 0}, {webhooktest.Fault{Status: 503, RetryAfter: 120}, adapter.RateLimited,
			2 * time.Minute},
		{webhooktest.Fault{Status: 429, RetryAfter: 1 << 30}, adapter.RateLimited, 24 * time.Hour},
	} {
		s.Fail(tc.f)
		_, err := c.Send(t.Context(), tg, request)
		require.Equal(t, tc.want, disposition(t, err), "%+v", tc.f)
		se, _ := errors.AsType[*adapter.SendError](err)
		require.Equal(t, tc.after, se.After, "%+v", tc.f)
	}
	require.Empty(t, s.Requests())
}

func disposition(t *testing.T, err error) adapter.Disposition {
	t.Helper()
	se, ok := errors.AsType[*adapter.SendError](err)
	require.True(t, ok, "%v", err)
	return se.Disposition
}

// Addresses of private networks are not called, unless they are allowed.
func TestPrivateAddressesAreNotCalled(t *testing.T) {
	s := webhooktest.New(webhooktest.Options{})
	server := newServer(t, s)
	tg := target(s)
	tg.Settings = json.RawMessage(`{"url":` + strconv.Quote(server) + `}`)
	require.ErrorIs(t, webhook.New(webhook.Options{}).Validate(tg), notify.ErrInvalid, "not an allowed port")
	tg.Settings = json.RawMessage(`{"url":"http://127.0.0.1/"}`)
	closed := webhook.New(webhook.Options{})
	request, err := closed.Plan(tg, notify.Notice{ID: "n", Event: "e"}, time.Now())
	require.NoError(t, err)
	_, err = closed.Send(t.Context(), tg, request)
	require.Equal(t, adapter.Permanent, disposition(t, err))

	tg.Settings = json.RawMessage(`{"url":` + strconv.Quote(server) + `}`)
	open := webhook.New(webhook.Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	require.NoError(t, open.Validate(tg))
	_, err = open.Send(t.Context(), tg, request)
	require.NoError(t, err)
	require.Len(t, s.Requests(), 1)
}

// What a receiver gets from anybody never makes it act or panic.
func FuzzVerify(f *testing.F) {
	f.Add("id", "1614265330", "v1,AAAA", []byte("{}"))
	f.Add("", "-1", strings.Repeat("v1, ", 100), []byte{})
	secret := channel.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	f.Fuzz(func(t *testing.T, id, stamp, signature string, body []byte) {
		h := http.Header{webhook.HeaderID: {id}, webhook.HeaderTimestamp: {stamp}, webhook.HeaderSignature: {signature}}
		require.Error(t, webhook.Verify(h, body, time.Unix(1614265330, 0), secret))
	})
}
