package privacy

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/errs"
)

// Span is the half-open range of bytes Start ≤ i < End of a text. In JSON it
// is {"start":0,"end":14}; Check spans that come from outside.
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Check returns ErrInvalid when a span reaches outside text, is reversed or
// empty, or cuts a character in two: for spans that a person or a program
// sent, which must mean what they say.
func Check(text string, spans []Span) error {
	for i, s := range spans {
		if s.Start < 0 || s.Start >= s.End || s.End > len(text) {
			return errs.New(errs.Invalid, "privacy: span %d covers bytes %d to %d of a text of %d: select within the text",
				i, s.Start, s.End, len(text))
		}
		if !boundary(text, s.Start) || !boundary(text, s.End) {
			return errs.New(errs.Invalid, "privacy: span %d (bytes %d to %d) cuts a character in two: select whole characters",
				i, s.Start, s.End)
		}
	}
	return nil
}

// Merge returns the spans in order with those that overlap or touch joined and
// empty ones dropped. The argument is not changed.
func Merge(spans []Span) []Span {
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, func(a, b Span) int { return cmp.Compare(a.Start, b.Start) })
	var merged []Span
	for _, s := range sorted {
		if s.Start >= s.End {
			continue
		}
		if n := len(merged); n > 0 && s.Start <= merged[n-1].End {
			merged[n-1].End = max(merged[n-1].End, s.End)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// Clip returns the spans as Mask uses them: cut to the text, widened to whole
// characters with their accents and other combining marks, and merged.
func Clip(text string, spans []Span) []Span {
	var clipped []Span
	for _, s := range spans {
		s.Start, s.End = min(max(s.Start, 0), len(text)), min(max(s.End, 0), len(text))
		if s.Start < s.End {
			clipped = append(clipped, widen(text, s))
		}
	}
	return Merge(clipped)
}

func widen(text string, s Span) Span {
	for !boundary(text, s.Start) {
		s.Start--
	}
	for s.Start > 0 {
		if r, _ := utf8.DecodeRuneInString(text[s.Start:]); !combines(r) {
			break
		}
		_, size := utf8.DecodeLastRuneInString(text[:s.Start])
		s.Start -= size
	}
	for !boundary(text, s.End) {
		s.End++
	}
	for s.End < len(text) {
		r, size := utf8.DecodeRuneInString(text[s.End:])
		if !combines(r) {
			break
		}
		s.End += size
	}
	return s
}

// combines reports whether r is drawn as part of the character before it.
func combines(r rune) bool {
	switch {
	case r < 0x300:
		return false
	case r == '\u200d', 0x1160 <= r && r <= 0x11ff, 0xd7b0 <= r && r <= 0xd7ff, 0x1f3fb <= r && r <= 0x1f3ff:
		return true
	}
	return unicode.In(r, unicode.M)
}

// boundary reports whether a character begins at byte i, or text ends there.
// Every byte of invalid UTF-8 is a character of its own.
func boundary(text string, i int) bool {
	if i <= 0 || i >= len(text) || utf8.RuneStart(text[i]) {
		return true
	}
	for start := i - 1; start >= 0 && i-start < utf8.UTFMax; start-- {
		if utf8.RuneStart(text[start]) {
			_, size := utf8.DecodeRuneInString(text[start:])
			return start+size <= i
		}
	}
	return true
}

// Mask returns text with each character in the spans, as Clip gives them,
// replaced by one asterisk: as many characters as before, and the rest byte
// for byte as it was.
func Mask(text string, spans []Span) string {
	masked, _ := Apply(text, spans)
	return masked
}

// Apply is Mask and also returns where the spans are in the masked text, which
// is shorter where characters of several bytes were masked. Masking that with
// these changes nothing.
func Apply(text string, spans []Span) (string, []Span) {
	var b strings.Builder
	b.Grow(len(text))
	var moved []Span
	at := 0
	for _, s := range Clip(text, spans) {
		b.WriteString(text[at:s.Start])
		start := b.Len()
		for range text[s.Start:s.End] {
			b.WriteByte('*')
		}
		moved = append(moved, Span{start, b.Len()})
		at = s.End
	}
	b.WriteString(text[at:])
	return b.String(), moved
}

// KeepLast returns the spans shortened so that the last n letters or digits of
// each stay readable, as on a receipt. A span with less than twice n of them
// is kept whole: what would stay is too much of it.
func KeepLast(text string, spans []Span, n int) []Span {
	var kept []Span
	for _, s := range Clip(text, spans) {
		kept = append(kept, keepLast(text, s, n))
	}
	return kept
}

func keepLast(text string, s Span, n int) Span {
	total := 0
	for _, r := range text[s.Start:s.End] {
		if counts(r) {
			total++
		}
	}
	if n <= 0 || total < 2*n {
		return s
	}
	for end := s.End; ; {
		r, size := utf8.DecodeLastRuneInString(text[s.Start:end])
		end -= size
		if counts(r) {
			n--
		}
		if n == 0 {
			return Span{s.Start, end}
		}
	}
}

func counts(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
