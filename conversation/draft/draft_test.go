package draft_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func open(t require.TestingT) *draft.Draft {
	d := draft.Open(conversation.Conversation{ID: "c", Thread: "t", WorkStream: "s"}, "", "customer", noon)
	require.Len(t, d.Events, 1)
	return d
}

// Whatever is done to a draft, its events are numbered without a gap, the
// customer's stream too, and notes leave no hole in it.
func TestNumbersHaveNoGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := open(t)
		n := 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			n++
			id := conversation.MessageID("m" + string(rune('0'+n/10)) + string(rune('0'+n%10)))
			switch rapid.IntRange(0, 8).Draw(t, "step") {
			case 0:
				d.AddInbound(conversation.Message{ID: id, Content: channel.Text("in"), OccurredAt: noon}, nil)
			case 1:
				_, _, _ = d.AddOutbound(conversation.Message{ID: id, Content: channel.Text("out"),
					Author: conversation.Author{Kind: conversation.ByAgent, Agent: "a"}})
			case 2:
				d.AddNote(conversation.Message{ID: id, Content: channel.Text("note")})
			case 3:
				_ = d.Assigned("a", "agent:a")
			case 4:
				_ = d.Wait("agent:a", true)
			case 5:
				_ = d.Queued("system", "q")
			case 6:
				_ = d.Close("agent:a", "done")
			case 7:
				_ = d.Reopen("customer")
			case 8:
				if len(d.Messages) > 0 {
					d.ApplyUnsend(d.Messages[0], noon)
				}
			}
		}
		shown := int64(0)
		for i, e := range d.Events {
			require.EqualValues(t, i+1, e.Seq)
			if e.CustomerSeq != 0 {
				shown++
				require.Equal(t, shown, e.CustomerSeq)
				require.NotEqual(t, conversation.EvNote, e.Kind)
			}
		}
		require.EqualValues(t, len(d.Events), d.C.EventSeq)
		require.Equal(t, shown, d.C.CustomerSeq)
		require.Equal(t, d.C.State == conversation.StateActive, d.C.Agent != "",
			"who is active has an agent, and nobody else: %s", d.C.State)
	})
}

func TestOnlyTheLegalChangesOfState(t *testing.T) {
	all := []conversation.State{conversation.StateOpen, conversation.StateActive, conversation.StateWaiting, conversation.StateWrapUp,
		conversation.StateClosed}
	legal := map[conversation.State]string{
		conversation.StateOpen: "active waiting wrap-up closed", conversation.StateActive: "open active waiting wrap-up closed",
		conversation.StateWaiting: "open active wrap-up closed", conversation.StateWrapUp: "wrap-up closed",
		conversation.StateClosed: "open",
	}
	for _, from := range all {
		for _, to := range all {
			want := strings.Contains(" "+legal[from]+" ", " "+string(to)+" ")
			require.Equal(t, want, draft.CanMove(from, to), "%s to %s", from, to)
		}
	}
}

func TestAClosedLiveConversationIsFinal(t *testing.T) {
	d := draft.Open(conversation.Conversation{ID: "c", Live: true}, "", "customer", noon)
	require.NoError(t, d.Close("agent:a", "done"))
	require.ErrorIs(t, d.Reopen("customer"), errs.Invalid)
	require.Equal(t, conversation.StateClosed, d.C.State)
	_, _, err := d.AddOutbound(conversation.Message{ID: "m", Author: conversation.Author{Kind: conversation.ByAgent, Agent: "a"}})
	require.ErrorIs(t, err, errs.Invalid)
}

func TestContinue(t *testing.T) {
	at := func(s conversation.State, live bool, ago time.Duration) *conversation.Conversation {
		return &conversation.Conversation{ID: "last", State: s, Live: live, ClosedAt: noon.Add(-ago)}
	}
	cases := []struct {
		name       string
		open, last *conversation.Conversation
		want       draft.Continuation
	}{
		{"nothing yet", nil, nil, draft.Begin},
		{"one is open", at(conversation.StateOpen, false, 0), nil, draft.Join},
		{"closed within the window", nil, at(conversation.StateClosed, false, 59*time.Minute), draft.Reopen},
		{"closed at the end of the window", nil, at(conversation.StateClosed, false, time.Hour), draft.Begin},
		{"closed but live", nil, at(conversation.StateClosed, true, time.Minute), draft.Begin},
		{"in wrap-up", nil, at(conversation.StateWrapUp, false, 0), draft.Begin},
		{"merged away", nil, &conversation.Conversation{State: conversation.StateClosed, ClosedAt: noon, MergedInto: "x"},
			draft.Begin},
	}
	for _, tc := range cases {
		require.Equal(t, tc.want, draft.Continue(tc.open, tc.last, time.Hour, noon), tc.name)
	}
}

func TestThreadKeysKeepApartWhatMustBe(t *testing.T) {
	user, group := channel.Chat{Kind: channel.ChatUser, ID: "u"}, channel.Chat{Kind: channel.ChatGroup, ID: "u"}
	across := draft.ThreadKey(user, "acct1", "contact", "stream", false)
	require.Equal(t, across, draft.ThreadKey(channel.Chat{Kind: channel.ChatUser, ID: "other"}, "acct2", "contact", "stream", false),
		"a contact goes on across channels")
	different := []string{across,
		draft.ThreadKey(user, "acct1", "contact", "stream", true), draft.ThreadKey(user, "acct2", "contact", "stream", true),
		draft.ThreadKey(user, "acct1", "contact2", "stream", false),
		draft.ThreadKey(user, "acct1", "contact", "stream2", false),
		draft.ThreadKey(group, "acct1", "", "stream", false), draft.ThreadKey(channel.Chat{Kind: channel.ChatRoom, ID: "u"},
			"acct1", "", "stream", false),
		draft.ThreadKey(channel.Chat{Kind: channel.ChatThread, ID: "u"}, "acct1", "", "stream", false)}
	seen := map[string]bool{}
	for _, k := range different {
		require.False(t, seen[k], k)
		seen[k] = true
	}
}

// A status never goes down, in whatever order reports arrive.
func TestStatusMovesForwardOnly(t *testing.T) {
	order := []conversation.Status{conversation.StatusQueued, conversation.StatusUnknown, conversation.StatusSent,
		conversation.StatusFailed, conversation.StatusDelivered, conversation.StatusRead}
	for i, low := range order {
		for _, high := range order[i:] {
			require.Equal(t, high, draft.Advance(low, high))
			require.Equal(t, high, draft.Advance(high, low))
		}
	}
	require.Equal(t, conversation.StatusReceived, draft.Advance(conversation.StatusReceived, conversation.StatusRead))
	require.Equal(t, conversation.StatusSent, draft.Advance(conversation.StatusSent, "from the future"))
	require.Equal(t, conversation.StatusQueued, draft.Advance(conversation.StatusSending, conversation.StatusQueued))
}

func TestEditsAndUnsendsFollowTheirOwnTime(t *testing.T) {
	d := open(t)
	m := d.AddInbound(conversation.Message{ID: "m", Content: channel.Text("first"), OccurredAt: noon}, nil)
	require.True(t, d.ApplyEdit(m, conversation.Message{Content: channel.Text("newest")}, noon.Add(2*time.Second)))
	m = d.Messages[0]
	require.False(t, d.ApplyEdit(m, conversation.Message{Content: channel.Text("late")}, noon.Add(time.Second)), "an older edit")
	require.Equal(t, "newest", d.Messages[0].Content.Text)
	require.True(t, d.ApplyUnsend(m, noon.Add(3*time.Second)))
	m = d.Messages[0]
	require.Empty(t, m.Content.Text)
	require.Empty(t, d.C.Preview, "nothing of it is left in lists")
	require.False(t, d.ApplyUnsend(m, noon.Add(4*time.Second)), "once")
	require.False(t, d.ApplyEdit(m, conversation.Message{Content: channel.Text("back")}, noon.Add(time.Hour)), "taken back is taken back")
}

func TestTheFenceRefusesALateAnswer(t *testing.T) {
	d := open(t)
	d.GiveToBot("b", conversation.Message{Seq: 1})
	fence := d.C.Fence
	require.NoError(t, d.CheckFence(conversation.ControlBot, fence))
	require.NoError(t, d.Assigned("a", "agent:a"))
	require.ErrorIs(t, d.CheckFence(conversation.ControlBot, fence), errs.Stale)
	fence = d.C.Fence
	require.NoError(t, d.Assigned("b", "agent:b"))
	require.NotEqual(t, fence, d.C.Fence, "another agent holds it now")
}

func TestARatingCountsOncePerClosure(t *testing.T) {
	d := open(t)
	require.ErrorIs(t, d.Rate(5, ""), errs.Invalid, "nothing has ended")
	require.NoError(t, d.Close("agent:a", "done"))
	require.NoError(t, d.Rate(5, "thanks"))
	require.ErrorIs(t, d.Rate(1, ""), errs.AlreadyExists)
	later := draft.Edit(d.C, noon.Add(time.Hour))
	require.NoError(t, later.Reopen("customer"))
	require.NoError(t, later.Close("agent:a", "done"))
	require.NoError(t, later.Rate(3, ""), "another closure")
}

func TestARightToReplyStaysInItsChat(t *testing.T) {
	d := open(t)
	d.AddInbound(conversation.Message{ID: "1", Chat: channel.Chat{Kind: channel.ChatUser, ID: "u1"}, Content: channel.Text("a"),
		OccurredAt: noon}, &channel.ReplyHandle{Token: "t", Expires: noon.Add(time.Minute)})
	d.AddInbound(conversation.Message{ID: "2", Chat: channel.Chat{Kind: channel.ChatUser, ID: "u2"}, Content: channel.Text("b"),
		OccurredAt: noon}, nil)
	require.Nil(t, d.C.Reply)
}

// Events of the same millisecond lead to the same, in whatever order they come.
func TestTheOrderOfArrivalDoesNotMatter(t *testing.T) {
	edit := func(text string, at time.Time) conversation.Early {
		c := channel.Text(text)
		return conversation.Early{Message: "m", At: at, Content: &c}
	}
	unsend := func(at time.Time) conversation.Early { return conversation.Early{Message: "m", At: at, Unsent: true} }
	for _, pair := range [][2]conversation.Early{
		{edit("a", noon), edit("b", noon)}, {edit("a", noon), edit("b", noon.Add(time.Second))}, {edit("a", noon), unsend(noon)},
		{edit("a", noon.Add(time.Hour)), unsend(noon)}, {unsend(noon), unsend(noon.Add(time.Second))},
	} {
		one, other := pair[0].Merge(pair[1]), pair[1].Merge(pair[0])
		require.Equal(t, one, other)
		require.Equal(t, pair[0].Unsent || pair[1].Unsent, one.Unsent, "what was taken back stays so")
	}
	texts := map[string]bool{}
	for _, order := range [][]string{{"x", "y"}, {"y", "x"}} {
		d := open(t)
		m := d.AddInbound(conversation.Message{ID: "m", Content: channel.Content{Kind: channel.KindText, Text: "0", QuoteOf: "q"},
			OccurredAt: noon}, nil)
		for _, text := range order {
			d.ApplyEdit(m, conversation.Message{Content: channel.Text(text)}, noon.Add(time.Second))
			m = d.Messages[0]
		}
		texts[m.Content.Text] = true
		require.EqualValues(t, "q", m.Content.QuoteOf, "what it answers stays")
	}
	require.Len(t, texts, 1)
	for _, order := range [][]bool{{true, false}, {false, true}} {
		var i conversation.Identity
		for _, follows := range order {
			i.SetFollow(follows, noon)
		}
		require.False(t, *i.Follows)
	}
}
