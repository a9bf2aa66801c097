// Package fold says when two texts count as the same: the one rule behind
// unique names, conditions, and every search. It is pure.
//
//   - Text is for comparing: names that differ in case, width or the way in
//     which Hangul is composed are one name. Accents count: Élodie is not Elodie.
//   - Search is for finding and therefore looser: accents of Latin, Greek and
//     Cyrillic letters and invisible characters do not count.
//   - Prefix is Search for a name of which somebody types the beginning: blanks
//     do not count where scripts are written without them.
//   - Number is for telephone numbers, which are digits in many notations.
package fold

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Text brings a text to the form in which texts are compared: compatibility
// forms and full width become plain, Hangul is composed, case is ignored.
func Text(s string) string {
	if plain(s) {
		return s
	}
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
}

// plain reports, for most of the texts that are so, that Text changes nothing:
// it costs no memory then. None of these characters has a case, is another form
// of one, or joins with its neighbour.
func plain(s string) bool {
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf && ('A' > r || r > 'Z'):
		case 0x3041 <= r && r <= 0x3096, 0x30a1 <= r && r <= 0x30fa, r == 'ー', 0x4e00 <= r && r <= 0x9fff, 0xac00 <= r && r <= 0xd7a3:
		default:
			return false
		}
	}
	return true
}

// Search brings a text to the form in which it is searched: Text, without the
// accents of Latin, Greek and Cyrillic letters and without invisible
// characters. Other marks count: が is not か.
func Search(s string) string {
	folded := norm.NFD.String(Text(strings.ToValidUTF8(s, "\ufffd")))
	var b strings.Builder
	b.Grow(len(folded))
	accents := false // the last base letter drops its marks
	for _, r := range folded {
		switch {
		case Invisible(r):
			continue
		case !unicode.Is(unicode.Mn, r):
			accents = unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic)
		case accents:
			continue
		}
		b.WriteRune(r)
	}
	return norm.NFKC.String(b.String())
}

// Prefix brings a name, or the beginning of one that somebody types, to the
// form in which one is the beginning of the other: Search, with one blank for
// any white space, and none at the ends and between characters of dense scripts.
func Prefix(s string) string {
	var b strings.Builder
	last, blank := rune(-1), false
	for _, r := range Search(s) {
		if unicode.IsSpace(r) {
			blank = true
			continue
		}
		if blank && last >= 0 && !(Dense(last) && Dense(r)) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last, blank = r, false
	}
	return b.String()
}

// Invisible reports whether r takes no room: format characters, fillers,
// variation selectors and enclosing marks such as that of a keycap.
func Invisible(r rune) bool {
	switch {
	case r < 0x80:
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
	case r <= 0x9f, r == 0x034f, r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0, r == 0x17b4, r == 0x17b5:
		return r != 0x85
	case r == 0x2028 || r == 0x2029:
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Me, unicode.Variation_Selector)
}

// Dense reports whether r is of a script that is often written without spaces
// where others have them: Hangul, Han, kana, Thai, Lao, Khmer, Myanmar.
func Dense(r rune) bool {
	return r >= 0xe00 && (r == 'ー' || unicode.In(r, unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar))
}
