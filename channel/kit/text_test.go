package kit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCountsAsProvidersDo(t *testing.T) {
	for s, want := range map[string][2]int{
		"":        {0, 0},
		"a":       {1, 1},
		"가":       {1, 1},
		"😀":       {2, 1},
		"👍🏽":      {4, 1},
		"👨‍👩‍👧‍👦": {11, 1},
		"e\u0301": {2, 1},
		"🇰🇷":      {4, 1},
	} {
		require.Equal(t, want, [2]int{UTF16(s), Graphemes(s)}, s)
	}
}

func TestShortenNeverCutsAGrapheme(t *testing.T) {
	require.Equal(t, "abc", Shorten("abc", 3, UTF16))
	require.Equal(t, "ab…", Shorten("abcd", 3, UTF16))
	require.Equal(t, "…", Shorten("👨‍👩‍👧‍👦x", 5, UTF16))
	require.Equal(t, "👨‍👩‍👧‍👦…", Shorten("👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 2, Graphemes))
	require.Equal(t, "ab…", Shorten("ab cd", 4, UTF16))
}

func TestSplitLosesNothing(t *testing.T) {
	text := strings.Repeat("긴 낱말 👨‍👩‍👧‍👦 ", 40) + "\n끝"
	var all strings.Builder
	for _, part := range Split(Atoms(text, nil), 50, func(a Atom) int { return Graphemes(a.Text) }) {
		var whole string
		for _, a := range part {
			whole += a.Text
		}
		require.LessOrEqual(t, Graphemes(whole), 50)
		all.WriteString(whole)
	}
	require.Equal(t, text, all.String())
}
