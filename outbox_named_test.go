package sangdam

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store/driver"
)

// Which rows fail by a refusal that names some: none where the refusal is not for good,
// and none where an earlier try may have been accepted, unless such content never is.
func TestWhichRowsARefusalNames(t *testing.T) {
	at := adapter.Attempt{Rows: []channel.OutboxID{"1", "2", "3"}}
	unsure := at
	unsure.Unsure = true
	refused := func(d adapter.Disposition, r channel.Reason) *adapter.SendError {
		return &adapter.SendError{Disposition: d, Reason: r, Rows: []int{0, 2}}
	}
	both := []channel.OutboxID{"1", "3"}
	for name, c := range map[string]struct {
		at   adapter.Attempt
		se   *adapter.SendError
		want []channel.OutboxID
	}{
		"content":                    {at, refused(adapter.Permanent, channel.ReasonContent), both},
		"another reason":             {at, refused(adapter.Permanent, channel.ReasonUnreachable), both},
		"content, after no answer":   {unsure, refused(adapter.Permanent, channel.ReasonContent), both},
		"another, after no answer":   {unsure, refused(adapter.Permanent, channel.ReasonUnreachable), nil},
		"not for good":               {at, refused(adapter.Retry, channel.ReasonContent), nil},
		"names nobody":               {at, &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonContent}, nil},
		"the right to reply is over": {at, refused(adapter.Permanent, channel.ReasonReplyHandle), nil},
	} {
		require.Equal(t, c.want, named(c.at, c.se), name)
	}
}

// After it the others go on: those of the refused attempt without their right to reply,
// those that it did not carry with theirs.
func TestWhoKeepsTheRightToReplyAfterARefusal(t *testing.T) {
	row := func(id channel.OutboxID) driver.OutboxRow {
		var r driver.OutboxRow
		r.ID, r.Reply = id, &channel.ReplyHandle{}
		return r
	}
	s := &sender{without: []channel.OutboxID{"2"}, tried: []channel.OutboxID{"1", "2"}}
	left := s.remaining([]driver.OutboxRow{row("1"), row("2"), row("3")})
	require.Len(t, left, 2)
	require.Nil(t, left[0].Reply)
	require.NotNil(t, left[1].Reply)
	require.Nil(t, s.without, "the next round is another one")
}
