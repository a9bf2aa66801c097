package automated_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/errs"
)

func TestAutomatedTexts(t *testing.T) {
	account := automated.Texts{automated.Away: {"ko": "부재중", "": "away"}}
	desk := automated.Texts{automated.Away: {"ja": "不在"}, automated.Greeting: {"zh": "你好", "": "hello"}}
	for _, tc := range []struct{ name, lang, want string }{
		{automated.Away, "ko", "부재중"}, {automated.Away, "ko-KR", "부재중"}, {automated.Away, "ja", "away"},
		{automated.Greeting, "zh-TW", "你好"}, {automated.Greeting, "th", "hello"}, {automated.Welcome, "ko", ""},
	} {
		require.Equal(t, tc.want, automated.Text(tc.name, tc.lang, account, desk), "%s %s", tc.name, tc.lang)
	}
	long := strings.Repeat("가", automated.MaxChars)
	require.NoError(t, automated.Validate("desk", automated.Texts{automated.Away: {"": long}}),
		"500 characters, not bytes")
	require.ErrorIs(t, automated.Validate("desk", automated.Texts{automated.Away: {"": long + "가"}}),
		errs.Invalid)
	require.NoError(t, automated.Validate("desk", automated.Texts{automated.Greeting: {"": long + "가"}}))
}
