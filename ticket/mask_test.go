package ticket_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/ticket"
)

func masked(id string) func(privacy.Span) privacy.MaskedSpan {
	return func(privacy.Span) privacy.MaskedSpan { return privacy.MaskedSpan{ID: id} }
}

// A part that was masked is nowhere in ticket or history, and the history still
// makes the ticket, also after the mask was taken away again.
func TestAMaskedPartIsNowhereInTheHistory(t *testing.T) {
	const number = "900101-1234568"
	tk, history := fresh(t, "t1")
	d := edit(t, tk, "agent:mina", time.Minute)
	d.T.Body = "제 번호는 " + number + " 입니다"
	tk, history = end(t, d, history)
	d = edit(t, tk, "agent:mina", 2*time.Minute)
	d.T.Body = "번호는 " + number
	require.NoError(t, d.Comment("called"))
	tk, history = end(t, d, history)

	d = edit(t, tk, "agent:mina", 3*time.Minute)
	was, at := tk.Body, strings.Index(tk.Body, number)
	originals, err := d.Hide(ticket.BodyPart, []privacy.Span{{Start: at, End: at + len(number)}}, masked("m1"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"m1": number}, originals)
	for i := range history {
		history[i], _ = history[i].Rewritten(ticket.BodyPart, was, d.T.Body, originals)
	}
	tk, history = end(t, d, history)
	require.Equal(t, "번호는 **************", tk.Body)
	last := history[len(history)-1]
	require.Equal(t, ticket.Masked, last.Kind)
	require.Equal(t, ticket.BodyPart, last.About)
	raw, err := json.Marshal([]any{tk, history})
	require.NoError(t, err)
	require.NotContains(t, string(raw), number)
	replayed, err := ticket.Replay(history)
	require.NoError(t, err)
	require.Equal(t, tk.Body, replayed.Body)
	require.Equal(t, tk.Masks, replayed.Masks)

	d = edit(t, tk, "agent:mina", 4*time.Minute)
	ok, err := d.Show(ticket.BodyPart, "m1", number)
	require.NoError(t, err)
	require.True(t, ok)
	tk, history = end(t, d, history)
	require.Equal(t, was, tk.Body)
	require.Equal(t, ticket.Unmasked, history[len(history)-1].Kind)
	replayed, err = ticket.Replay(history)
	require.NoError(t, err)
	require.Equal(t, was, replayed.Body)
	require.Empty(t, replayed.Masks)
}

func TestACommentIsMasked(t *testing.T) {
	e := ticket.Entry{Ticket: "t1", Seq: 3, Text: "my card 4111"}
	e, originals := e.Hide([]privacy.Span{{Start: 8, End: 12}}, masked("m"))
	require.Equal(t, "my card ****", e.Text)
	require.Equal(t, map[string]string{"m": "4111"}, originals)
	e, ok := e.Show("m", "4111")
	require.True(t, ok)
	require.Equal(t, "my card 4111", e.Text)
	_, ok = e.Show("m", "4111")
	require.False(t, ok)

	seq, ok := ticket.CommentPart(12).Comment()
	require.True(t, ok)
	require.EqualValues(t, 12, seq)
	for _, p := range []ticket.Part{"", "title", "entry/", "entry/-1", "entry/x", "entry/0"} {
		_, ok := p.Comment()
		require.False(t, ok, "%q", p)
	}
	_, _, err := ticket.Ticket{}.Text("memo")
	require.ErrorIs(t, err, ticket.ErrInvalid)
}
