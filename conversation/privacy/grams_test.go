package privacy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/conversation/privacy"
)

// searched does what a store does with tokens and terms.
func searched(text, query string) bool {
	tokens, terms := privacy.Grams(text), privacy.Query(query)
	for _, term := range terms {
		if !slices.ContainsFunc(tokens, func(s string) bool {
			return s == term.Token || term.Prefix && strings.HasPrefix(s, term.Token)
		}) {
			return false
		}
	}
	return len(terms) > 0
}

func TestSearch(t *testing.T) {
	for _, tc := range []struct {
		text, query string
		want        bool
	}{
		{"주문을 환불해 주세요", "환불", true},
		{"주문을 환불해 주세요", "불", true},
		{"주문을 환불해 주세요", "요", true}, // the last of a run
		{"환 불", "환불", true},
		{"환불요청", "환불 요청", true},
		{"환불 요청", "환불요청", true},
		{"요청 환불", "환불 요청", true}, // any order
		{"환급", "환불", false},
		{"환, 불", "환불", false},
		{"返金してください", "返金", true},
		{"我要退款", "退款", true},
		{"カード", "ｶｰﾄﾞ", true},
		{"がっこう", "かっこう", false},
		{"ขอเงินคืน", "เงิน", true},
		{"Where is my REFUND?", "refund", true},
		{"refunded", "fund", true},
		{"a b", "ab", false},
		{"café Ångström", "CAFE angstrom", true},
		{"Straße", "STRASSE", true},
		{"ＡＢＣ１２３", "abc123", true},
		{"\u1112\u1161\u11ab\u1107\u116e\u11af", "한", true},
		{"re\u200bfund", "refund", true},
		{"order 12345", "234", true},
		{"010-1234-5678", "0101234", false}, // punctuation parts
		{"이름 *** 님", "***", false},
		{"이름 *** 님", "", false},
		{"anything", "!?", false},
		{"ΌΔΟΣ", "οδος", true},
	} {
		require.Equal(t, tc.want, privacy.Contains(tc.text, tc.query), "%q in %q", tc.query, tc.text)
		if tc.want {
			require.True(t, searched(tc.text, tc.query), "tokens of %q in %q", tc.query, tc.text)
		}
	}
	require.False(t, searched("환급", "환불"))
	require.False(t, searched("anything", "?"))
}

func TestTokenForm(t *testing.T) {
	require.Equal(t, []string{"aaagbaaagc", "aaagc"}, privacy.Grams("Ab"))
	require.Len(t, privacy.Grams("Abc"), 4) // two pairs, a triple and the last character
	require.Equal(t, []string{"angfialnii", "alnii"}, privacy.Grams("환불"))
	require.Equal(t, []privacy.Term{{Token: "alnii", Prefix: true}}, privacy.Query("불"))
	require.Equal(t, []privacy.Term{{Token: "angfialnii"}}, privacy.Query("환불 환불"))
}

func TestNumbersHaveTokensOfFourDigits(t *testing.T) {
	require.Contains(t, privacy.Grams("주문 734217"), "yhdec")
	query := privacy.Query("734217")
	require.Equal(t, []privacy.Term{{Token: "yhdec"}, {Token: "ydecb"}, {Token: "yecbh"}}, query, "no triple of digits says more")
	require.Len(t, privacy.Query("a1234"), 2) // a12, 1234
	require.Len(t, privacy.Query("123"), 1)
	for text, part := range map[string]string{"a1234b": "1234b", "010-1234-5678": "12345", "ORD2026113000077": "13000077", "１２３４５": "2345",
		"12345": "34"} {
		require.Equal(t, privacy.Contains(text, part), searched(text, part), "%q in %q", part, text)
	}
}

func TestMaskedTextIsNotFound(t *testing.T) {
	text := "주민번호 960121-1021413 환불"
	masked := privacy.Mask(text, privacy.SpansOf(privacy.Detect(text), privacy.Medium))
	require.False(t, searched(masked, "960121"))
	require.False(t, searched(masked, "1021413"))
	require.True(t, searched(masked, "환불"))
}

func TestSearchIsBounded(t *testing.T) {
	long := strings.Repeat("가나다라 ", privacy.MaxIndexed)
	require.False(t, searched(long+"환불", "환불"))
	require.LessOrEqual(t, len(privacy.Query(manyRunes(privacy.MaxQuery))), privacy.MaxTerms)
	// 64 KiB of compatibility characters of many letters each.
	var b strings.Builder
	for b.Len() < privacy.MaxIndexed {
		b.WriteRune(rune(0x3300 + b.Len()/3%0x57))
		b.WriteRune(rune(0x4e00 + b.Len()/3))
	}
	require.LessOrEqual(t, len(privacy.Grams(b.String())), privacy.MaxTokens)
}

// manyRunes returns n different Hangul syllables and Han characters, parted
// now and then.
func manyRunes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteRune(rune(0x4e00 + i*7%20000))
		if i%2 == 1 {
			b.WriteByte('.')
		}
	}
	return b.String()
}

var tokenForm = regexp.MustCompile(`^([a-p]{5}([a-p]{5})?|z[a-p]{7}|y[a-j]{4})$`)

func checkGrams(t require.TestingT, text, query string) {
	tokens := privacy.Grams(text)
	seen := map[string]bool{}
	for _, token := range tokens {
		require.Regexp(t, tokenForm, token)
		require.False(t, seen[token], "twice")
		seen[token] = true
	}
	require.Equal(t, tokens, privacy.Grams(text))
	if privacy.Contains(text, query) {
		require.True(t, searched(text, query), "%q in %q", query, text)
	}
}

func TestGramsProperties(t *testing.T) {
	piece := rapid.SampledFrom([]string{"환불", "환", "불", " ", "  ", "Refund", "re", "é", "e\u0301", "ß", "İ", "が", "か\u3099", ".", "*", "1",
		"①", "\u200b", "ﬁ", "𝟎", "เงิน", "\u0345", "ǰ", "👍🏽", "\xff"})
	text := rapid.Map(rapid.SliceOf(piece), func(s []string) string { return strings.Join(s, "") })
	rapid.Check(t, func(t *rapid.T) {
		a, q, b := text.Draw(t, "before"), text.Draw(t, "query"), text.Draw(t, "after")
		checkGrams(t, a+" "+q+" "+b, q)
		if len(privacy.Query(q)) > 0 && len(privacy.Query(q)) < privacy.MaxTerms && len(q) < privacy.MaxQuery {
			require.True(t, privacy.Contains(a+" "+q+" "+b, q), "a text is found by its own part: %q", q)
		}
	})
}

func FuzzGrams(f *testing.F) {
	f.Add("주문을 환불해 주세요", "환불")
	f.Add("Straße \u0345ǰ İ", "STRASSE")
	f.Fuzz(func(t *testing.T, text, query string) { checkGrams(t, text, query) })
}

func BenchmarkGrams(b *testing.B) {
	text := strings.Repeat("주문한 상품을 환불하고 싶어요. Order 1234 please. ", 4)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		privacy.Grams(text)
	}
}
