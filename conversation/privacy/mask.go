package privacy

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MaskedSpan is a part of a stored text that stands there as asterisks. What stood
// there before is sealed elsewhere, under ID and with the key of Owner.
type MaskedSpan struct {
	// Span is where the asterisks are in the stored text.
	Span
	ID    string `json:"id"`
	Owner string `json:"owner,omitempty"`
	// Type is what was found; empty where a person chose the range.
	Type Type `json:"type,omitempty"`
	// By is who masked it, as histories name actors.
	By string    `json:"by,omitempty"`
	At time.Time `json:"at,omitzero"`
}

// Hidden is a text in which Hide has masked ranges, or Show shown one.
type Hidden struct {
	Text string
	// Masks are all that the text has now, in its order.
	Masks []MaskedSpan
	// Originals are what the new masks hide, by their ids.
	Originals map[string]string
	cuts      []cut
}

// cut is a range of a text that becomes `to` bytes long.
type cut struct {
	Span
	to int
}

// Hide masks ranges of a text that may have masks already: each character
// becomes one asterisk, as by Mask. What is masked stays as it is, so that a
// range around a mask gives a mask on either side of it. mask tells the id and
// the rest of the mask of a range of the text given; its Span does not matter.
func Hide(text string, have []MaskedSpan, spans []Span, mask func(Span) MaskedSpan) Hidden {
	h := Hidden{Originals: map[string]string{}}
	for _, s := range without(Clip(text, spans), have) {
		m := mask(s)
		h.Originals[m.ID] = text[s.Start:s.End]
		m.Span = s
		h.Masks = append(h.Masks, m)
		h.cuts = append(h.cuts, cut{s, utf8.RuneCountInString(text[s.Start:s.End])})
	}
	slices.SortFunc(h.cuts, func(a, b cut) int { return cmp.Compare(a.Start, b.Start) })
	var b strings.Builder
	at := 0
	for _, c := range h.cuts {
		b.WriteString(text[at:c.Start])
		b.WriteString(strings.Repeat("*", c.to))
		at = c.End
	}
	b.WriteString(text[at:])
	h.Text = b.String()
	h.Masks = append(h.Masks, have...)
	for i := range h.Masks {
		h.Masks[i].Span = moved(h.cuts, h.Masks[i].Span)
	}
	slices.SortFunc(h.Masks, byStart)
	return h
}

// Moved tells where a range of the text before stands now; false for one that
// is hidden, wholly or in part.
func (h Hidden) Moved(s Span) (Span, bool) {
	for _, c := range h.cuts {
		if s.Start < c.End && c.Start < s.End {
			return Span{}, false
		}
	}
	return moved(h.cuts, s), true
}

// Show puts the original of a mask back and takes the mask away; false when the
// text has no mask of that id.
func Show(text string, have []MaskedSpan, id, original string) (Hidden, bool) {
	at := slices.IndexFunc(have, func(m MaskedSpan) bool { return m.ID == id })
	if at < 0 || have[at].End > len(text) || have[at].Start > have[at].End {
		return Hidden{Text: text, Masks: have}, false
	}
	s := have[at].Span
	h := Hidden{Text: text[:s.Start] + original + text[s.End:], Masks: slices.Delete(slices.Clone(have), at, at+1),
		cuts: []cut{{s, len(original)}}}
	for i := range h.Masks {
		h.Masks[i].Span = moved(h.cuts, h.Masks[i].Span)
	}
	return h, true
}

// Conceal replaces every occurrence of the originals in another text by
// asterisks: for copies of a masked text. Originals of fewer than four
// characters are left, since they would be found everywhere.
func Conceal(text string, originals map[string]string) string {
	for _, o := range longestFirst(originals) {
		text = strings.ReplaceAll(text, o, strings.Repeat("*", utf8.RuneCountInString(o)))
	}
	return text
}

// Occurrences are where the originals stand in another text, as Conceal looks
// for them.
func Occurrences(text string, originals map[string]string) (spans []Span) {
	for _, o := range longestFirst(originals) {
		for at := 0; ; {
			i := strings.Index(text[at:], o)
			if i < 0 {
				break
			}
			spans = append(spans, Span{at + i, at + i + len(o)})
			at += i + len(o)
		}
	}
	return spans
}

// Unsearched says that some of the originals are too short to be looked for
// elsewhere.
func Unsearched(originals map[string]string) bool {
	for _, o := range originals {
		if utf8.RuneCountInString(o) < fewestConcealed {
			return true
		}
	}
	return false
}

// fewestConcealed is how long what is looked for elsewhere must be.
const fewestConcealed = 4

func longestFirst(originals map[string]string) (out []string) {
	for _, o := range originals {
		if utf8.RuneCountInString(o) >= fewestConcealed {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(out)
}

// without is what of the spans no mask covers.
func without(spans []Span, have []MaskedSpan) (out []Span) {
	have = slices.Clone(have)
	slices.SortFunc(have, byStart)
	for _, s := range spans {
		for _, m := range have {
			if m.Start >= s.End || m.End <= s.Start {
				continue
			}
			if m.Start > s.Start {
				out = append(out, Span{s.Start, m.Start})
			}
			s.Start = m.End
		}
		if s.Start < s.End {
			out = append(out, s)
		}
	}
	return out
}

func byStart(a, b MaskedSpan) int { return cmp.Compare(a.Start, b.Start) }

// moved is where a span is after the cuts, none of which it overlaps in part.
func moved(cuts []cut, s Span) Span {
	var before, within int
	for _, c := range cuts {
		change := c.to - (c.End - c.Start)
		switch {
		case c.End <= s.Start && c.Start < s.Start:
			before += change
		case s.Start <= c.Start && c.End <= s.End:
			within += change
		}
	}
	return Span{s.Start + before, s.End + before + within}
}
