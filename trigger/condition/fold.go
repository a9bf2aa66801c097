package condition

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// needle is a text to be found without regard to case.
type needle struct {
	text string
	// runes is nil when no character of text has a case, which lets the search
	// compare bytes.
	runes []rune
}

func newNeedle(s string) needle {
	n := needle{text: s}
	cased := false
	for _, r := range s {
		cased = cased || unicode.SimpleFold(r) != r || r == utf8.RuneError
		n.runes = append(n.runes, foldRune(r))
	}
	if !cased {
		n.runes = nil
	}
	return n
}

// in reports whether s contains the needle.
func (n needle) in(s string) bool {
	if n.runes == nil {
		return strings.Contains(s, n.text)
	}
	for i, r := range s {
		if foldRune(r) == n.runes[0] && n.begins(s[i:]) {
			return true
		}
	}
	return false
}

// begins reports whether s starts with the needle.
func (n needle) begins(s string) bool {
	if n.runes == nil {
		return strings.HasPrefix(s, n.text)
	}
	for _, want := range n.runes {
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 || foldRune(r) != want {
			return false
		}
		s = s[size:]
	}
	return true
}

// foldRune returns the least of the characters that differ from r in case
// only, so that two characters fold alike exactly when strings.EqualFold takes
// them for equal.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			return r - ('a' - 'A')
		}
		return r
	}
	if 0x2e80 <= r && r < 0xa640 || 0xac00 <= r && r < 0xd800 {
		return r // Han, kana, Hangul and what lies between have no case
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}

// cut returns the first MaxText bytes of s, less a character cut in half.
func cut(s string) string {
	if len(s) <= MaxText {
		return s
	}
	end := MaxText
	for end > MaxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
