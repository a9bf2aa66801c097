package privacy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/conversation/privacy"
)

func found(text string, types ...privacy.Type) map[string]privacy.Type {
	all := map[string]privacy.Type{}
	for _, f := range privacy.Detect(text, types...) {
		if f.Confidence >= privacy.Medium {
			all[text[f.Start:f.End]] = f.Type
		}
	}
	return all
}

// TestVectors holds the published vectors and the edges of each rule.
func TestVectors(t *testing.T) {
	for text, want := range map[string]privacy.Type{
		"960121-1021413":         privacy.RRN,
		"900101-1234568":         privacy.RRN,
		"900101-1234567":         privacy.RRN, // a wrong check digit denies nothing
		"9001011234567":          privacy.RRN,
		"000229-3234567":         privacy.RRN, // 2000 was a leap year
		"900101-5123452":         privacy.FRN,
		"900101-8123452":         privacy.FRN,
		"123-45-67891":           privacy.Business,
		"M12345678":              privacy.Passport,
		"D123Q4567":              privacy.Passport,
		"11-12-345678-90":        privacy.DriverLicence,
		"010-1234-5678":          privacy.Phone,
		"019-123-4567":           privacy.Phone,
		"02-123-4567":            "", // no exchange begins with 1
		"02-323-4567":            privacy.Phone,
		"070-1234-5678":          privacy.Phone,
		"1588-1234":              "",
		"16001234":               "",
		"1899-9999":              "",
		"010-1234-567":           "",
		"010-1234-56789":         "",
		"4111 1111 1111 1111":    privacy.Card,
		"4111 1111 1111 1112":    "", // Luhn
		"1111 1111 1111 1117":    "", // no issuer
		"378282246310005":        privacy.Card,
		"30569309025904":         privacy.Card,
		"6759649826438453":       "", // an issuer that is not listed
		"900101-9234567":         "", // digit 7
		"900101-0234567":         "",
		"900230-1234567":         "", // date
		"010229-3234567":         "", // 2001 was no leap year
		"123-45-67890":           "", // check digit
		"12345-67891":            "", // groups
		"X12345678":              "",
		"M1234567":               "",
		"M123456789":             "",
		"AM12345678":             "",
		"10-12-345678-90":        "", // region
		"110-123-456789":         "", // no bank nearby
		"1900101-1234567":        "", // part of a longer number
		"900101-12345678":        "",
		"900101-1234567 신한은행":    privacy.RRN,
		"192.168.0.1":            "",
		"hong@example.com":       "",
		"0000-0000-0000-0000":    "",
		"82-10-1234-5678":        privacy.Phone,
		"00821012345678":         privacy.Phone,
		"0120-123-456":           "",
		"1-800-555-0199":         "",
		"20260115-0001234 입금 계좌": "",
	} {
		t.Run(text, func(t *testing.T) {
			all := found(text)
			if want == "" {
				require.Empty(t, all)
				return
			}
			require.Len(t, all, 1)
			for _, got := range all {
				require.Equal(t, want, got)
			}
		})
	}
}

func TestConfidence(t *testing.T) {
	for text, want := range map[string]privacy.Confidence{
		"900101-1234568":      privacy.High,   // check digit
		"900101-1234567":      privacy.Medium, // none, but written as one
		"주민번호 9001011234567":  privacy.High,   // said so
		"주문번호 9001011234567":  privacy.Low,    // said otherwise
		"상품 M12345678":        privacy.Low,
		"여권 m12345678":        privacy.High,
		"0323334444":          privacy.Low,
		"주문 4111111111111111": privacy.Medium,
	} {
		f := privacy.Detect(text)
		require.Len(t, f, 1, text)
		require.Equal(t, want, f[0].Confidence, text)
	}
	require.Len(t, privacy.SpansOf(privacy.Detect("주문 9001011234567, 900101-1234568"), privacy.Medium), 1)
}

func TestOptionalTypes(t *testing.T) {
	text := "hong.gildong+x@example.co.kr、 10.0.0.1, 2001:db8::1, a@b, 1.2.3, 999.1.1.1, ｈong＠example.com."
	require.Equal(t, map[string]privacy.Type{
		"hong.gildong+x@example.co.kr": privacy.Email, "ｈong＠example.com": privacy.Email,
		"10.0.0.1": privacy.IP, "2001:db8::1": privacy.IP,
	}, found(text, privacy.Email, privacy.IP))
	require.Empty(t, found(text))
	require.Empty(t, found("900101-1234568 010-1234-5678", privacy.Card), "only what was asked for")
}

// TestDisguised writes a resident number in every way that normalisation
// undoes and expects the span of exactly its characters.
func TestDisguised(t *testing.T) {
	styles := []string{"0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "⁰¹²³⁴⁵⁶⁷⁸⁹", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"}
	invisible := []string{"", "", "", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060", "\u202e", "\ufe0f\u20e3", "\x00"}
	separators := []string{"", "-", "－", "–", "—", "−", " ", "\u00a0", "\u3000", ".", "・", "\n", "\r\n", " - ", "-\n", "/", "_"}
	around := rapid.SampledFrom([]string{"", "제 번호는 ", "안녕하세요\n\n", "is ", "、", "é", "\xff", "👍🏽", "(", "\u1112\u1161\u11ab"})
	rapid.Check(t, func(t *rapid.T) {
		digits := []rune(rapid.SampledFrom(styles).Draw(t, "style"))
		var b strings.Builder
		for i, c := range "9601211021413" {
			if i == 6 {
				b.WriteString(rapid.SampledFrom(separators).Draw(t, "separator"))
			} else if i > 0 {
				b.WriteString(rapid.SampledFrom(invisible).Draw(t, "invisible"))
			}
			b.WriteRune(digits[c-'0'])
		}
		before, after := around.Draw(t, "before"), around.Draw(t, "after")
		text := before + b.String() + after
		got := privacy.Detect(text)
		require.Len(t, got, 1, "%q", text)
		require.Equal(t, privacy.RRN, got[0].Type)
		require.Equal(t, b.String(), text[got[0].Start:got[0].End], "%q", text)
		require.Equal(t, privacy.High, got[0].Confidence)
	})
}

func TestSplitOverMessages(t *testing.T) {
	parts := []string{"제 주민번호는 960121-", "1021413 입니다", "감사합니다"}
	for _, part := range parts {
		require.Empty(t, privacy.Detect(part))
	}
	all := privacy.DetectAcross(parts)
	require.Len(t, all, 3)
	require.Equal(t, "960121-", parts[0][all[0][0].Start:all[0][0].End])
	require.Equal(t, "1021413", parts[1][all[1][0].Start:all[1][0].End])
	require.Empty(t, all[2])
	require.Empty(t, privacy.DetectAcross(nil))
	three := privacy.DetectAcross([]string{"x", "010-1234-5678", "y"})
	require.Empty(t, three[0])
	require.Len(t, three[1], 1)
}

func TestTwoNumbersSideBySide(t *testing.T) {
	require.Equal(t, map[string]privacy.Type{
		"010-1234-5678": privacy.Phone, "010-8765-4321": privacy.Phone, "960121-1021413": privacy.RRN, "4111-1111-1111-1111": privacy.Card,
	}, found("010-1234-5678\n010-8765-4321 960121-1021413 / 4111-1111-1111-1111"))
}

func FuzzDetect(f *testing.F) {
	for _, s := range corpus(f) {
		f.Add(s.text)
	}
	f.Add("+(((0 1 0-1\xff2345678")
	f.Fuzz(func(t *testing.T, text string) {
		types := append(privacy.Types(), privacy.Email, privacy.IP)
		end := 0
		findings := privacy.Detect(text, types...)
		for _, f := range findings {
			if f.Start < end || f.End <= f.Start || f.End > len(text) {
				t.Fatalf("%q: %v", text, findings)
			}
			end = f.End
		}
		for _, f := range findings {
			masked := privacy.Mask(text, []privacy.Span{f.Span})
			if strings.Contains(masked, text[f.Start:f.End]) && strings.Count(text, text[f.Start:f.End]) == 1 {
				t.Fatalf("%q: %v survives", text, f)
			}
		}
	})
}

func BenchmarkDetect(b *testing.B) {
	for name, text := range map[string]string{
		"no digits": strings.Repeat("안녕하세요, 배송이 언제 되는지 궁금합니다. ", 10),
		"a phone":   "안녕하세요, 배송 문의드립니다. 연락처는 010-1234-5678 이고 주문번호는 20260115-0001234 입니다.",
		"64 KiB":    strings.Repeat("1-", 32<<10),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				privacy.Detect(text)
			}
		})
	}
}
