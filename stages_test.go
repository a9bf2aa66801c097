package sangdam

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
)

// TestChangesOfAUnit: however often a unit writes a record it is one change,
// with the form that the unit found and who began.
func TestChangesOfAUnit(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	u := &unit{p: Host("w")}
	d := draft.Edit(conversation.Conversation{ID: "c", State: conversation.StateOpen, Attributes: map[string]string{"a": "1"}}, now)
	d.C.Attributes["a"] = "2"
	d.AddInbound(conversation.Message{ID: "m", Content: channel.Text("hello")}, nil)
	u.keepConversation(d)
	require.NoError(t, u.gatherConversations())
	u.as = "trigger:t"
	d.C.Attributes["a"] = "3"
	d.Note(conversation.EvQueued, u.actor(), "", "q")
	d.Note(conversation.EvQueued, u.actor(), "q", "r")
	require.NoError(t, u.gatherConversations())

	require.Len(t, u.changes, 2)
	c, m := u.changes[0], u.changes[1]
	require.Equal(t, map[string]string{"a": "1"}, u.conversations["c"].d.Was().Attributes)
	require.Equal(t, "customer", c.actor)
	require.Equal(t, []string{"message", "queued"}, c.events)
	require.Equal(t, "m", m.id)
	require.Equal(t, []string{"created"}, m.events)
}
