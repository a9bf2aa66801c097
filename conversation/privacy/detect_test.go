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
		"960121-1021413":            privacy.RRN,
		"900101-1234568":            privacy.RRN,
		"900101-1234567":            privacy.RRN, // a wrong check digit denies nothing
		"9001011234567":             privacy.RRN,
		"000229-3234567":            privacy.RRN, // 2000 was a leap year
		"900101-5123452":            privacy.FRN,
		"900101-8123452":            privacy.FRN,
		"123-45-67891":              privacy.Business,
		"M12345678":                 privacy.Passport,
		"D123Q4567":                 privacy.Passport,
		"11-12-345678-90":           privacy.DriverLicence,
		"010-1234-5678":             privacy.Phone,
		"019-123-4567":              privacy.Phone,
		"02-123-4567":               privacy.Phone, // no exchange begins with 1, but people write it
		"021234567":                 "",
		"02-023-4567":               "",
		"02-323-4567":               privacy.Phone,
		"070-1234-5678":             privacy.Phone,
		"1588-1234":                 "",
		"16001234":                  "",
		"1899-9999":                 "",
		"010-1234-567":              "",
		"010-1234-56789":            "",
		"4111 1111 1111 1111":       privacy.Card,
		"4111 1111 1111 1112":       "", // Luhn
		"1111 1111 1111 1117":       "", // no issuer
		"378282246310005":           privacy.Card,
		"30569309025904":            privacy.Card,
		"6759649826438453":          "", // Maestro, and nothing says that it is a card
		"Maestro 6759649826438453":  privacy.Card,
		"카드 5019717010103742":       privacy.Card, // Dankort
		"Mir card 2200000000000053": privacy.Card,
		"カード 135410014004955":       privacy.Card, // UATP
		"주문 6759649826438453":       "",
		"050-3456-7890":             privacy.Phone,
		"060-1234-5678":             privacy.Phone,
		"電話番号0312345678":            privacy.Phone,
		"電話番号は03(1234)5678":         privacy.Phone,
		"0312345678":                "",
		"0800-123-4567":             "",
		"08001234567":               "",
		"口座番号は1234567":              privacy.Account,
		"普通 1234567 タナカ":            privacy.Account,
		"口座に1234567円":               "",
		"1234567":                   "",
		"マイナンバー 1234 5678 9018":     privacy.MyNumber,
		"個人番号は123456789012":         privacy.MyNumber, // a wrong check digit denies nothing
		"追跡番号 1234-5678-9018":       "",
		"1234-5678-9018":            "",
		"パスポート TK1234567":           privacy.Passport,
		"TK1234567":                 "",
		"免許証番号 305012345670":        privacy.DriverLicence,
		"305012345670":              "",
		"+100 000 000":              "",
		"+200 000 000":              "",
		"+123 456 789":              "",
		"+44 20 7946 0958":          privacy.Phone,
		"+999 1234 5678":            privacy.Phone,
		"+0 12345678":               "",
		"900101-9234567":            "", // digit 7
		"900101-0234567":            "",
		"900230-1234567":            "", // date
		"010229-3234567":            "", // 2001 was no leap year
		"123-45-67890":              "", // check digit
		"12345-67891":               "", // groups
		"X12345678":                 "",
		"M1234567":                  "",
		"M123456789":                "",
		"AM12345678":                "",
		"10-12-345678-90":           "", // region
		"110-123-456789":            "", // no bank nearby
		"1900101-1234567":           "", // part of a longer number
		"900101-12345678":           "",
		"900101-1234567 신한은행":       privacy.RRN,
		"192.168.0.1":               "",
		"hong@example.com":          "",
		"0000-0000-0000-0000":       "",
		"82-10-1234-5678":           privacy.Phone,
		"00821012345678":            privacy.Phone,
		"0120-123-456":              "",
		"1-800-555-0199":            "",
		"20260115-0001234 입금 계좌":    "",
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
	text := "hong.gildong+x@example.co.kr、 10.0.0.1, 2001:db8::1, a@b, 1.2.3, 999.1.1.1, ｈong＠example.com." +
		" std::cout, a::b, text192.168.1.1, v1.2.3.4, 버전 10.15.7.1, 10:20:30, react@18.2.0, @홍대.한국," +
		" 홍길동@예시.한국으로, 메일은kim@example.com입니다, müller@münchen.example.de, host:192.0.2.7:8080, [2001:db8::2]:80"
	require.Equal(t, map[string]privacy.Type{
		"hong.gildong+x@example.co.kr": privacy.Email, "ｈong＠example.com": privacy.Email,
		"10.0.0.1": privacy.IP, "2001:db8::1": privacy.IP, "192.0.2.7": privacy.IP, "2001:db8::2": privacy.IP,
		"홍길동@예시.한국": privacy.Email, "kim@example.com": privacy.Email, "müller@münchen.example.de": privacy.Email,
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

// TestWhatOnlyLooksLikeATelephoneNumber: dates, lots, amounts and parcels that
// other detectors took for one, beside all ways to write the same mobile.
func TestWhatOnlyLooksLikeATelephoneNumber(t *testing.T) {
	for _, text := range []string{
		"2025-03-09 14", "2025-03-09 14:05:30", "Parcel 00987654321 left", "주문번호 2025030900456", "sales rose by +200 000 000 in March",
		"order number 20034567", "lot 2025 0309 1405", "송장 123456789012", "가격은 1,234,567원", "계좌로 1234567890원", "대표번호 1588-1234",
		"쿠폰번호 0894252106",
	} {
		require.Empty(t, found(text), text)
	}
	for _, text := range []string{
		"+82 10-1234-5678", "82-10-1234-5678", "+821012345678", "0082 10 1234 5678", "010-1234-5678", "０１０－１２３４－５６７８",
		"연락처 01012345678 입니다", "010.1234.5678", "주문자 01012345678",
	} {
		all := found(text)
		require.Len(t, all, 1, text)
		for _, kind := range all {
			require.Equal(t, privacy.Phone, kind, text)
		}
	}
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
