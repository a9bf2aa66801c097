package privacy_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/conversation/privacy"
)

// counted gives masks the ids 1, 2, …
func counted() func(privacy.Span) privacy.MaskedSpan {
	n := 0
	return func(privacy.Span) privacy.MaskedSpan {
		n++
		return privacy.MaskedSpan{ID: fmt.Sprint(n)}
	}
}

func TestARangeAroundAMaskGivesOneOnEitherSide(t *testing.T) {
	next := counted()
	text := "번호 010-1234 끝"
	at := strings.Index(text, "010")
	h := privacy.Hide(text, nil, []privacy.Span{{Start: at, End: at + 3}}, next)
	require.Equal(t, "번호 ***-1234 끝", h.Text)
	h = privacy.Hide(h.Text, h.Masks, []privacy.Span{{Start: 0, End: len(h.Text)}}, next)
	require.Equal(t, strings.Repeat("*", utf8.RuneCountInString(text)), h.Text)
	require.Equal(t, map[string]string{"2": "번호 ", "3": "-1234 끝"}, h.Originals)
	require.Len(t, h.Masks, 3)
	for i, id := range []string{"2", "1", "3"} {
		require.Equal(t, id, h.Masks[i].ID)
	}
}

func TestMarkedPartsFollowTheText(t *testing.T) {
	text := "가나 🙂 라"
	h := privacy.Hide(text, nil, []privacy.Span{{Start: 0, End: 6}}, counted())
	at := strings.Index(text, "🙂")
	s, ok := h.Moved(privacy.Span{Start: at, End: at + 4})
	require.True(t, ok)
	require.Equal(t, "🙂", h.Text[s.Start:s.End])
	_, ok = h.Moved(privacy.Span{Start: 3, End: 8})
	require.False(t, ok, "a part of it is hidden")
}

func TestCopiesOfAMaskedTextAreConcealed(t *testing.T) {
	originals := map[string]string{"1": "010-1234-5678", "2": "12"}
	require.Equal(t, "call ************* or 12", privacy.Conceal("call 010-1234-5678 or 12", originals))
	require.Equal(t, []privacy.Span{{Start: 2, End: 15}}, privacy.Occurrences("a 010-1234-5678 12", originals))
}

// Whatever is masked in whatever order, nothing of it stays, and showing
// everything again gives the text as it was.
func TestWhatIsHiddenComesBackWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("a1*가́🙂")), 0, 24, -1).Draw(t, "text")
		next, now, all := counted(), text, map[string]string{}
		var masks []privacy.MaskedSpan
		for range rapid.IntRange(1, 4).Draw(t, "times") {
			a := rapid.IntRange(0, len(now)).Draw(t, "from")
			b := rapid.IntRange(0, len(now)).Draw(t, "to")
			h := privacy.Hide(now, masks, []privacy.Span{{Start: a, End: b}}, next)
			require.Equal(t, utf8.RuneCountInString(now), utf8.RuneCountInString(h.Text))
			now, masks = h.Text, h.Masks
			for id, o := range h.Originals {
				all[id] = o
			}
			for i, m := range masks {
				require.Equal(t, strings.Repeat("*", utf8.RuneCountInString(all[m.ID])), now[m.Start:m.End])
				require.True(t, i == 0 || masks[i-1].End <= m.Start, "in order, without overlaps")
			}
		}
		for _, m := range rapid.Permutation(masks).Draw(t, "order") {
			h, ok := privacy.Show(now, masks, m.ID, all[m.ID])
			require.True(t, ok)
			now, masks = h.Text, h.Masks
		}
		require.Equal(t, text, now)
		_, ok := privacy.Show(now, masks, "1", "x")
		require.False(t, ok)
	})
}
