package privacy_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/conversation/privacy"
)

// generator makes lines of a corpus in the form of testdata/corpus.txt: texts
// with one datum of a kind in one of its required forms, and traps, which hold
// numbers that are nobody's. No number is of a person: digits are drawn, check
// digits are computed.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0))} }

func (g generator) pick(of ...string) string { return of[g.IntN(len(of))] }

// digits fills a pattern: # is any digit, 1 to 9 in a pair of brackets one of
// those, everything else stands for itself. [2-9] is a digit from 2 to 9.
func (g generator) digits(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '#':
			b.WriteByte('0' + byte(g.IntN(10)))
		case c == '[':
			lo, hi := pattern[i+1], pattern[i+3]
			b.WriteByte(lo + byte(g.IntN(int(hi-lo)+1)))
			i += 4
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// form is a required form of a kind: the language of the templates, where %s is
// the datum, and how the datum is made.
type form struct {
	kind      privacy.Type
	language  string
	templates []string
	datum     func(g generator) string
}

// line draws a text from a form, marked, escaped and with its language.
func (g generator) line(f form) string {
	text := strings.ReplaceAll(g.pick(f.templates...), "%s", "[["+string(f.kind)+":"+f.datum(g)+"]]")
	return f.language + "\t" + escaped(text)
}

// trap draws a text that holds nothing personal.
func (g generator) trap() string {
	t := traps[g.IntN(len(traps))]
	return t.language + "\t" + escaped(strings.ReplaceAll(g.pick(t.templates...), "%s", t.datum(g)))
}

func escaped(text string) string {
	return strings.NewReplacer("\n", `\n`, "\u200b", `\u200b`, `"`, `\"`).Replace(text)
}

// lines returns so many texts for each kind, and so many traps.
func (g generator) lines(perKind, ofTraps int) (out []string) {
	for _, kind := range append(privacy.Types(), privacy.Email, privacy.IP) {
		var own []form
		for _, f := range forms {
			if f.kind == kind {
				own = append(own, f)
			}
		}
		for n := range perKind { // each form in turn
			out = append(out, g.line(own[n%len(own)]))
		}
	}
	for range ofTraps {
		out = append(out, g.trap())
	}
	return out
}

// written draws how a number is written: its groups with one of the
// separators, in one of ten times with digits of full width, in one of twenty
// with an invisible character.
func (g generator) written(separators []string, groups ...string) string {
	s := strings.Join(groups, g.pick(separators...))
	switch g.IntN(20) {
	case 0, 1:
		return strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' {
				return '０' + r - '0'
			}
			return r
		}, s)
	case 2:
		at := 1 + g.IntN(len(groups[0])-1)
		return s[:at] + "\u200b" + s[at:]
	}
	return s
}

var (
	dashes = []string{"-", "-", "-", " ", "－", "–", "."}
	plain  = []string{""}
)

func (g generator) birthDate() string {
	return fmt.Sprintf("%02d%02d%02d", g.IntN(100), 1+g.IntN(12), 1+g.IntN(28))
}

// resident draws a resident number; half have a right check digit, as those
// issued before October 2020.
func (g generator) resident(sex string, base int) (front, back string) {
	s := g.birthDate() + g.digits(sex+"#####")
	sum := 0
	for i, weight := range []int{2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5} {
		sum += int(s[i]-'0') * weight
	}
	last := (base - sum%11) % 10
	if g.IntN(2) == 0 {
		last = g.IntN(10)
	}
	s += strconv.Itoa(last)
	return s[:6], s[6:]
}

func (g generator) businessNumber() string {
	s := g.digits("[1-6]########")
	sum := int(s[8]-'0') * 5 / 10
	for i, weight := range []int{1, 3, 7, 1, 3, 7, 1, 3, 5} {
		sum += int(s[i]-'0') * weight
	}
	return s + strconv.Itoa((10-sum%10)%10)
}

func (g generator) myNumber() string {
	s := g.digits("[1-9]##########")
	sum := 0
	for i, weight := range []int{6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2} {
		sum += int(s[i]-'0') * weight
	}
	if sum%11 < 2 {
		return s + "0"
	}
	return s + strconv.Itoa(11-sum%11)
}

// luhn draws a number of the length with the prefix and a right check digit.
func (g generator) luhn(prefix string, length int) string {
	s := g.digits(prefix + strings.Repeat("#", length-1-len(g.digits(prefix))))
	sum := 0
	for i := range s {
		n := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return s + strconv.Itoa((10-sum%10)%10)
}

// cut cuts a number into groups of the lengths; the last takes the rest.
func cut(s string, lengths ...int) (groups []string) {
	for _, n := range lengths {
		groups, s = append(groups, s[:n]), s[n:]
	}
	return append(groups, s)
}

// ean draws an article number.
func (g generator) ean(prefix string) string {
	s := prefix + g.digits(strings.Repeat("#", 12-len(prefix)))
	sum := 0
	for i := range s {
		sum += int(s[i]-'0') * (1 + 2*(i%2))
	}
	return s + strconv.Itoa((10-sum%10)%10)
}

func (g generator) time(layout string) string {
	at := fmt.Sprintf("%04d %02d %02d %02d %02d %02d", 2015+g.IntN(15), 1+g.IntN(12), 1+g.IntN(28), g.IntN(24), g.IntN(60), g.IntN(60))
	f := strings.Fields(at)
	return strings.NewReplacer("Y", f[0], "M", f[1], "D", f[2], "h", f[3], "m", f[4], "s", f[5]).Replace(layout)
}
