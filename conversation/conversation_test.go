package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestALateFollowUndoesNothing(t *testing.T) {
	var i conversation.Identity
	require.True(t, i.SetFollow(true, noon))
	require.True(t, i.SetFollow(false, noon.Add(time.Minute)))
	require.False(t, i.SetFollow(true, noon.Add(30*time.Second)))
	require.False(t, *i.Follows)
}

// Every state is either one in which the thread is held or one in which the talk is over.
func TestATalkHoldsItsThreadUntilItEnds(t *testing.T) {
	for _, s := range conversation.States() {
		require.NotEqual(t, s.HoldsThread(), s.Ended(), s)
		require.True(t, s.Ended() || !s.Closed(), s)
	}
}
