package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/notify"
)

func TestALayoutMustHoldTheContent(t *testing.T) {
	require.NoError(t, notify.Layout{HTML: "<h1>Shop</h1>#{content}"}.Check())
	for name, l := range map[string]notify.Layout{
		"none":            {HTML: "<h1>Shop</h1>"},
		"empty":           {},
		"twice":           {HTML: "#{content}#{content}"},
		"too large":       {HTML: "#{content}" + strings.Repeat("x", notify.MaxLayout)},
		"misspelt":        {HTML: "#{Content}"},
		"in a comment":    {HTML: "<!-- #{content} -->"},
		"in an attribute": {HTML: `<p title="#{content}">`},
		"both forms":      {HTML: "#{content}", Plain: "#{content}"},
		"plain, none":     {Plain: "Shop"},
		"plain, twice":    {Plain: "#{content} #{content}"},
		"long text":       {HTML: "#{content}", Text: strings.Repeat("x", notify.MaxLayoutText+1)},
	} {
		require.ErrorIs(t, l.Check(), notify.ErrInvalid, name)
	}
	before, after := notify.Layout{HTML: "<p>#{content}</p>"}.Around()
	require.Equal(t, []string{"<p>", "</p>"}, []string{before, after})
	require.NoError(t, notify.Layout{Plain: "<Shop>\n#{content}"}.Check())
	before, after = notify.Layout{Plain: "<Shop>\n#{content}\n--"}.AroundText()
	require.Equal(t, []string{"<Shop>\n", "\n--"}, []string{before, after})
	before, after = notify.Layout{HTML: "<h1>Shop</h1><p>#{content}</p>bye"}.AroundText()
	require.Equal(t, []string{"Shop\n\n", "\n\nbye"}, []string{before, after})
}

func TestTheNearestLayoutIsChosen(t *testing.T) {
	all := []notify.Layout{{HTML: "all"}, {Event: "solved", HTML: "solved"}, {Language: "ko", HTML: "ko"},
		{Event: "solved", Language: "ko", HTML: "both"}}
	get := func(event, language string) (notify.Layout, bool, error) {
		i := slices.IndexFunc(all, func(l notify.Layout) bool { return l.Event == event && l.Language == language })
		return all[max(i, 0)], i >= 0, nil
	}
	for _, tc := range []struct{ event, language, want string }{
		{"solved", "ko", "both"}, {"solved", "ko-KR", "both"}, {"solved", "en", "solved"}, {"received", "ko", "ko"},
		{"received", "en", "all"},
		{"", "", "all"},
	} {
		l, ok, err := notify.Choose(tc.event, tc.language, get)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, tc.want, l.HTML)
	}
	_, ok, err := notify.Choose("x", "y", func(string, string) (notify.Layout, bool, error) { return notify.Layout{}, false, nil })
	require.NoError(t, err)
	require.False(t, ok)
}

func TestNoticesThatNoCarrierTakes(t *testing.T) {
	good := notify.Notice{ID: "1", Event: "ticket.created"}
	require.NoError(t, good.Check())
	for name, change := range map[string]func(*notify.Notice){
		"no id":           func(n *notify.Notice) { n.ID = "" },
		"no event":        func(n *notify.Notice) { n.Event = "" },
		"a long title":    func(n *notify.Notice) { n.Title = strings.Repeat("가", notify.MaxTitle+1) },
		"a large text":    func(n *notify.Notice) { n.Text = strings.Repeat("x", notify.MaxBody+1) },
		"data not JSON":   func(n *notify.Notice) { n.Data = json.RawMessage("{") },
		"a broken line":   func(n *notify.Notice) { n.To.Address = "a@example.com\r\nBcc: all@example.com" },
		"a control in id": func(n *notify.Notice) { n.ID = "a\nb" },
	} {
		n := good
		change(&n)
		require.ErrorIs(t, n.Check(), notify.ErrInvalid, name)
	}
}

// gateway is a host's own, as small as one can be.
type gateway struct {
	sent []string
	err  error
}

func (g *gateway) SendSMS(_ context.Context, from, to, text string) (string, error) {
	g.sent = append(g.sent, from+">"+to+": "+text)
	return "id", g.err
}

func TestTextMessagesGoThroughTheHostsGateway(t *testing.T) {
	g := &gateway{}
	c := notify.SMS(g)
	target := notify.Target{Kind: c.Kind(), Settings: json.RawMessage(`{"from":"16001234"}`)}
	require.NoError(t, c.Validate(target))
	for _, bad := range []string{`{"from":""}`, `{"from":"abc"}`, `{"form":"1"}`, `{"from":"123"} x`, `[]`} {
		require.ErrorIs(t, c.Validate(notify.Target{Settings: json.RawMessage(bad)}), notify.ErrInvalid, bad)
	}
	request, err := c.Plan(target, notify.Notice{To: notify.Recipient{Address: "010-1234-5678"}, Text: "도착했습니다"}, time.Now())
	require.NoError(t, err)
	_, err = c.Send(t.Context(), target, request)
	require.NoError(t, err)
	require.Equal(t, []string{"16001234>01012345678: 도착했습니다"}, g.sent)
	for _, n := range []notify.Notice{{Text: "x"}, {To: notify.Recipient{Address: "me@example.com"}, Text: "x"},
		{To: notify.Recipient{Address: "0101"}}, {To: notify.Recipient{Address: "0101"}, Text: strings.Repeat("x", notify.MaxSMS+1)}} {
		_, err := c.Plan(target, n, time.Now())
		se, ok := errors.AsType[*adapter.SendError](err)
		require.True(t, ok)
		require.Equal(t, adapter.Permanent, se.Disposition)
	}
	g.err = errors.New("connection reset")
	_, err = c.Send(t.Context(), target, request)
	se, ok := errors.AsType[*adapter.SendError](err)
	require.True(t, ok)
	require.Equal(t, adapter.Ambiguous, se.Disposition, "nobody knows whether it was sent")
}
