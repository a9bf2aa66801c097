package dooray_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/dooray"
	"github.com/sangdam/sangdam/notify/dooray/dooraytest"
)

func TestANoticeArrivesInTheRoom(t *testing.T) {
	room := dooraytest.New()
	c := dooray.New(dooray.Options{Transport: room.Transport()})
	tg := notify.Target{Kind: dooray.Kind, Secrets: map[string]channel.Secret{dooray.SecretURL: channel.NewSecret(dooraytest.URL)}}
	require.NoError(t, c.Validate(tg))
	send := func(n notify.Notice) error {
		request, err := c.Plan(tg, n, time.Now())
		require.NoError(t, err)
		_, err = c.Send(t.Context(), tg, request)
		return err
	}
	require.NoError(t, send(notify.Notice{ID: "1", Event: "e", Title: "환불 문의", Text: strings.Repeat("가", 5000),
		Link: "https://desk.example.com/1"}))
	got := room.Notices()
	require.Len(t, got, 1)
	require.Equal(t, "Sangdam", got[0].BotName)
	require.Equal(t, 4001, len([]rune(got[0].Text)), "cut, and shown that it is")
	require.Equal(t, []dooray.Attachment{{Title: "환불 문의", TitleLink: "https://desk.example.com/1", Color: "blue"}}, got[0].Attachments)

	for _, tc := range []struct {
		f      dooraytest.Fault
		want   adapter.Disposition
		reason channel.Reason
	}{
		{dooraytest.Fault{Status: 200}, adapter.Permanent, channel.ReasonContent}, // 200 and yet not written
		{dooraytest.Fault{Status: 400}, adapter.Permanent, channel.ReasonContent},
		{dooraytest.Fault{Status: 404}, adapter.Permanent, channel.ReasonGone},
		{dooraytest.Fault{Status: 429, RetryAfter: "7"}, adapter.RateLimited, channel.ReasonRate},
		{dooraytest.Fault{Status: 502}, adapter.Retry, channel.ReasonProvider},
		{dooraytest.Fault{Lost: true}, adapter.Ambiguous, channel.ReasonNetwork},
	} {
		room.Fail(tc.f)
		se, ok := errors.AsType[*adapter.SendError](send(notify.Notice{ID: "2", Event: "e", Text: "x"}))
		require.True(t, ok, "%+v", tc.f)
		require.Equal(t, tc.want, se.Disposition, "%+v", tc.f)
		require.Equal(t, tc.reason, se.Reason, "%+v", tc.f)
	}
}

func TestTargetsThatAreRefused(t *testing.T) {
	c := dooray.New(dooray.Options{})
	url := func(s string) map[string]channel.Secret {
		return map[string]channel.Secret{dooray.SecretURL: channel.NewSecret(s)}
	}
	require.NoError(t, c.Validate(notify.Target{Secrets: url("https://hook.dooray.com/services/1/2/3")}))
	for name, tg := range map[string]notify.Target{
		"no address":      {},
		"http":            {Secrets: url("http://hook.dooray.com/services/1")},
		"no URL":          {Secrets: url("hook")},
		"unknown setting": {Secrets: url("https://hook.dooray.com/services/1"), Settings: json.RawMessage(`{"bot":"x"}`)},
		"a long name": {Secrets: url("https://hook.dooray.com/services/1"),
			Settings: json.RawMessage(`{"bot_name":"` + strings.Repeat("x", 101) + `"}`)},
	} {
		err := c.Validate(tg)
		require.ErrorIs(t, err, notify.ErrInvalid, name)
		require.NotContains(t, err.Error(), "services/1\"", "the address is a secret")
	}
}
