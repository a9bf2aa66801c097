package fold

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

func TestTextsThatAreOneName(t *testing.T) {
	for _, same := range [][]string{
		{"김미나", norm.NFD.String("김미나")},
		{"ＡＢＣ상사", "abc상사", "Abc상사"},
		{"ﾌﾞﾗｳｽ", "ブラウス"},
		{"Straße", "STRASSE"},
		{"Élodie", norm.NFD.String("ÉLODIE")},
		{"ΣΊΣΥΦΟΣ", "σίσυφος"},
	} {
		for _, s := range same {
			if Text(s) != Text(same[0]) {
				t.Errorf("%q and %q are two", s, same[0])
			}
		}
	}
	if Text("Élodie") == Text("Elodie") {
		t.Error("accents do not count")
	}
}

// The short way of Text must not differ from the long one, for any character.
func TestTextIsTheSameByTheShortWay(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if !utf8.ValidRune(r) {
			continue
		}
		for _, s := range []string{string(r), "a" + string(r), "가" + string(r)} {
			if got, want := Text(s), norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))); got != want {
				t.Fatalf("%U: %q instead of %q", r, got, want)
			}
		}
	}
	if n := testing.AllocsPerRun(10, func() { Text("주문 번호 42가 오지 않았습니다") }); n != 0 {
		t.Errorf("%v allocations for a text that is folded already", n)
	}
}

func TestPrefixesOfNames(t *testing.T) {
	for typed, name := range map[string]string{
		"elo": "Élodie", "김미": "김 미나", "김 미": "김미나", "kim  m": "Kim Mina", norm.NFD.String("김미"): "김미나",
		"abc": "ＡＢＣ상사", "한": "\u200b한국", " kim": "Kim", "ﾊﾅｺ": "ハナコ",
	} {
		if !strings.HasPrefix(Prefix(name), Prefix(typed)) {
			t.Errorf("%q is no beginning of %q", typed, name)
		}
	}
	for typed, name := range map[string]string{"か": "がく", "kimm": "Kim Mina", "미나": "김미나"} {
		if strings.HasPrefix(Prefix(name), Prefix(typed)) {
			t.Errorf("%q is a beginning of %q", typed, name)
		}
	}
}

// finds says whether what was typed finds the stored number.
func finds(typed, stored string) bool {
	n, end := Phone(stored)
	begins, ends := PhoneQuery(typed)
	for _, q := range begins {
		if q.Of(n.Country) && strings.HasPrefix(n.National, q.National) {
			return true
		}
	}
	for _, q := range ends {
		if q.Of(n.Country) && strings.HasPrefix(end, q.National) {
			return true
		}
	}
	return false
}

func TestNumbersInOtherNotations(t *testing.T) {
	same := []string{"010-1234-5678", "01012345678", "010 1234 5678", "+82 10-1234-5678", "82-10-1234-5678", "821012345678",
		"+82 (0)10 1234 5678", "0082 10 1234 5678", "０１０－１２３４－５６７８", "(010) 1234.5678"}
	for _, stored := range append(same, "010-1234-5678 ext. 12", "010-1234-5678 내선 3") {
		for _, typed := range append(same, "1234-5678", "5678", "010-12", "+82 10-12", "8210", "+82 010 1") {
			if !finds(typed, stored) {
				t.Errorf("%q does not find %q", typed, stored)
			}
		}
		for _, typed := range []string{"678", "011", "1234", "3456", "김", "", "+", "0", "a5678", "12345678 Kim"} {
			if finds(typed, stored) {
				t.Errorf("%q finds %q", typed, stored)
			}
		}
		known := !strings.HasPrefix(unzeroed(stored), "10") && !strings.HasPrefix(stored, "(") && !strings.HasPrefix(stored, "０")
		if finds("+81 10 1234 5678", stored) == known {
			t.Errorf("a number of Japan and %q, whose country is known: %v", stored, known)
		}
	}
	for typed, stored := range map[string]string{
		"+81 90 1234 5678": "090-1234-5678", "090-12": "+819012345678", "02-1": "02-123-4567", "+886 912": "0912-345-678",
		"+86 138 1234 5678": "13812345678", "13812345678": "+86 138-1234-5678", "202-555": "+1 (202) 555-0123", "1588": "1588-1234",
		"+66 81": "081-234-5678", "6591234567": "+65 9123 4567", "+39 06 1234": "06 1234 5678",
	} {
		if !finds(typed, stored) {
			t.Errorf("%q does not find %q", typed, stored)
		}
	}
	if n, end := Phone("none"); n != (Number{}) || end != "" {
		t.Errorf("%v %q of no number", n, end)
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"김미나", "ＡＢＣ", "+82 (0)10-1234-5678 ext 3", "\xff\u0345ẞ", "İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, fn := range map[string]func(string) string{"Text": Text, "Search": Search, "Prefix": Prefix} {
			once := fn(s)
			if utf8.ValidString(s) && !utf8.ValidString(once) {
				t.Errorf("%s(%q) is no text", name, s)
			}
		}
		if Prefix(" "+s+" ") != Prefix(s) {
			t.Errorf("blanks around %q count", s)
		}
		n, end := Phone(s)
		if len(n.National) > len(end) || len(end) > maxDigits {
			t.Errorf("%q has %v, %q", s, n, end)
		}
		PhoneQuery(s)
	})
}
