package privacy

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/sangdam/sangdam/internal/fold"
)

// cell is one character of the normal form in which numbers are sought, with
// the bytes of the original that it came from.
type cell struct {
	r          rune
	start, end int
}

// cells returns the normal form of text: NFKC, invisible characters dropped,
// digits, dashes, spaces, dots and line breaks unified.
func cells(text string) []cell {
	out := make([]cell, 0, len(text))
	var it norm.Iter
	it.InitString(norm.NFKC, text)
	for !it.Done() {
		start := it.Pos()
		segment := it.Next()
		end := it.Pos()
		for len(segment) > 0 {
			r, size := utf8.DecodeRune(segment)
			segment = segment[size:]
			if r = unify(r); r >= 0 {
				out = append(out, cell{r, start, end})
			}
		}
	}
	return out
}

// unify maps a character of NFKC text to the one that stands for its class,
// and to -1 when it is invisible.
func unify(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r == '\n', r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029':
		return '\n'
	case r < 0x20 || r == 0x7f:
		return -1
	case r < 0x80:
		return r
	case fold.Invisible(r):
		return -1
	case unicode.Is(unicode.Nd, r):
		return digitOf(r)
	case unicode.Is(unicode.Pd, r), r == '\u2212', r == '\u2500', r == '\u2043':
		return '-'
	case unicode.Is(unicode.Zs, r):
		return ' '
	case r == '\u3002', r == '\u00b7', r == '\u30fb', r == '\u2022', r == '\u2024', r == '\u2219', r == '\u318d', r == '\u22c5':
		return '.'
	}
	return r
}

// digitOf returns the ASCII digit of a decimal digit of any script; Unicode
// lays them out in tens.
func digitOf(r rune) rune {
	for _, rg := range unicode.Nd.R16 {
		if rune(rg.Lo) <= r && r <= rune(rg.Hi) {
			return '0' + (r-rune(rg.Lo))%10
		}
	}
	for _, rg := range unicode.Nd.R32 {
		if rune(rg.Lo) <= r && r <= rune(rg.Hi) {
			return '0' + (r-rune(rg.Lo))%10
		}
	}
	return r
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// isLatin reports whether r is an ASCII letter, which is what makes a run of
// digits part of a code.
func isLatin(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
