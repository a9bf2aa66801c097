package privacy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/conversation/privacy"
)

type spans = []privacy.Span

func TestMask(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		spans spans
		want  string
	}{
		"nothing":            {"abc", nil, "abc"},
		"middle":             {"a 1234 b", spans{{2, 6}}, "a **** b"},
		"hangul":             {"이름 홍길동 님", spans{{7, 16}}, "이름 *** 님"},
		"cuts a character":   {"가나다", spans{{4, 5}}, "가*다"},
		"beyond the end":     {"abc", spans{{-5, 1}, {2, 99}}, "*b*"},
		"reversed":           {"abc", spans{{2, 1}}, "abc"},
		"empty":              {"abc", spans{{1, 1}}, "abc"},
		"overlapping":        {"abcdef", spans{{3, 5}, {1, 4}}, "a****f"},
		"accent follows":     {"e\u0301x", spans{{0, 1}}, "**x"},
		"accent alone":       {"e\u0301x", spans{{1, 3}}, "**x"},
		"decomposed hangul":  {"\u1112\u1161\u11ab국", spans{{0, 3}}, "***국"},
		"skin tone":          {"👍🏽x", spans{{0, 4}}, "**x"},
		"invalid bytes":      {"a\xff\xfeb", spans{{1, 2}}, "a*\xfeb"},
		"line break":         {"1\n2", spans{{0, 3}}, "***"},
		"stray continuation": {"\x80\x80\x80\x80\x80x", spans{{4, 5}}, "\x80\x80\x80\x80*x"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, privacy.Mask(tc.text, tc.spans))
		})
	}
}

func TestKeepLast(t *testing.T) {
	text := "card 4111-1111-1111-1234 pin 123456"
	masked := privacy.Mask(text, privacy.KeepLast(text, spans{{5, 24}, {29, 35}}, 4))
	require.Equal(t, "card ***************1234 pin ******", masked, "six digits are too few to keep four")
	require.Equal(t, "********", privacy.Mask("12345678", privacy.KeepLast("12345678", spans{{0, 8}}, 0)))
	require.Equal(t, "****5-6 78", privacy.Mask("12345-6 78", privacy.KeepLast("12345-6 78", spans{{0, 10}}, 4)))
}

func TestCheck(t *testing.T) {
	text := "가나다"
	require.NoError(t, privacy.Check(text, spans{{0, 3}, {3, 9}}))
	for _, bad := range []privacy.Span{{-1, 3}, {0, 10}, {3, 3}, {6, 3}, {1, 3}, {0, 4}} {
		require.ErrorIs(t, privacy.Check(text, spans{bad}), privacy.ErrInvalid, "%v", bad)
	}
}

func TestSpanJSON(t *testing.T) {
	data, err := json.Marshal(spans{{1, 5}})
	require.NoError(t, err)
	require.JSONEq(t, `[{"start":1,"end":5}]`, string(data))
	var back spans
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, spans{{1, 5}}, back)
	finding, err := json.Marshal(privacy.Finding{Span: privacy.Span{Start: 1, End: 5}, Type: privacy.RRN, Confidence: privacy.High})
	require.NoError(t, err)
	require.JSONEq(t, `{"start":1,"end":5,"type":"rrn","confidence":3}`, string(finding))
	var f privacy.Finding
	require.NoError(t, json.Unmarshal(finding, &f))
	require.Equal(t, privacy.RRN, f.Type)
	for _, bad := range []string{`{"start":"1","end":5}`, `{"start":{"$ne":""},"end":2}`, `[1,5]`, `{"start":1.5,"end":2}`} {
		var s privacy.Span
		require.Error(t, json.Unmarshal([]byte(bad), &s), bad)
	}
}

func checkMask(t require.TestingT, text string, list spans) {
	clipped := privacy.Clip(text, list)
	masked, moved := privacy.Apply(text, list)
	require.Equal(t, utf8.RuneCountInString(text), utf8.RuneCountInString(masked), "as many characters")
	at, movedAt := 0, 0
	require.Len(t, moved, len(clipped))
	for i, s := range clipped {
		require.Equal(t, text[at:s.Start], masked[movedAt:moved[i].Start], "the rest is unchanged")
		hidden := masked[moved[i].Start:moved[i].End]
		require.Equal(t, strings.Repeat("*", utf8.RuneCountInString(text[s.Start:s.End])), hidden)
		at, movedAt = s.End, moved[i].End
	}
	require.Equal(t, text[at:], masked[movedAt:])

	again, same := privacy.Apply(masked, moved)
	require.Equal(t, masked, again, "idempotent")
	require.Equal(t, moved, same)
	require.Equal(t, clipped, privacy.Clip(text, clipped))
	require.Equal(t, clipped, privacy.Merge(clipped))
	for _, s := range list {
		for i := max(0, s.Start); i < min(len(text), s.End); i++ {
			covered := false
			for _, c := range clipped {
				covered = covered || c.Start <= i && i < c.End
			}
			require.True(t, covered, "byte %d", i)
		}
	}
}

func TestMaskProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SampledFrom([]string{"a", "1", "가", "e\u0301", "👍🏽", "\xff", "\xe3\x81", "\u200d",
			"\n", "*", "\u1161", "が", "か\u3099"}))
		text := strings.Join(pieces.Draw(t, "text"), "")
		var list spans
		for range rapid.IntRange(0, 4).Draw(t, "spans") {
			list = append(list, privacy.Span{Start: rapid.IntRange(-2, len(text)+2).Draw(t, "start"),
				End: rapid.IntRange(-2, len(text)+2).Draw(t,
					"end")})
		}
		checkMask(t, text, list)
	})
}

func FuzzMask(f *testing.F) {
	f.Add("이름 홍길동 e\u0301 \xff", 3, 9, 12, 14)
	f.Fuzz(func(t *testing.T, text string, a, b, c, d int) {
		checkMask(t, text, spans{{a, b}, {c, d}})
		for _, s := range privacy.KeepLast(text, spans{{a, b}}, 4) {
			if s.Start > s.End {
				t.Fatal(s)
			}
		}
	})
}
