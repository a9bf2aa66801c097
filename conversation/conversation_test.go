package conversation_test

import (
	"strings"
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

func TestAutomatedTexts(t *testing.T) {
	account := conversation.Texts{conversation.AutoAway: {"ko": "부재중", "": "away"}}
	desk := conversation.Texts{conversation.AutoAway: {"ja": "不在"}, conversation.AutoGreeting: {"zh": "你好", "": "hello"}}
	for _, tc := range []struct{ name, lang, want string }{
		{conversation.AutoAway, "ko", "부재중"}, {conversation.AutoAway, "ko-KR", "부재중"}, {conversation.AutoAway, "ja", "away"},
		{conversation.AutoGreeting, "zh-TW", "你好"}, {conversation.AutoGreeting, "th", "hello"}, {conversation.AutoWelcome, "ko", ""},
	} {
		require.Equal(t, tc.want, conversation.AutoText(tc.name, tc.lang, account, desk), "%s %s", tc.name, tc.lang)
	}
	long := strings.Repeat("가", conversation.MaxAutoChars)
	require.NoError(t, conversation.ValidateTexts("desk", conversation.Texts{conversation.AutoAway: {"": long}}),
		"500 characters, not bytes")
	require.ErrorIs(t, conversation.ValidateTexts("desk", conversation.Texts{conversation.AutoAway: {"": long + "가"}}),
		conversation.ErrInvalid)
	require.NoError(t, conversation.ValidateTexts("desk", conversation.Texts{conversation.AutoGreeting: {"": long + "가"}}))
}
