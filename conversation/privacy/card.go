package privacy

import "strings"

var cardWords = []string{
	"카드", "card", "visa", "master", "amex", "カード", "クレジット", "maestro", "마에스트로", "dankort", "mir", "uatp", "kort",
}

// card finds payment card numbers: a known issuer, its length, and Luhn. What
// begins like those of Maestro, Dankort, Mir and UATP is a card only after a
// word for one.
func (d *detector) card(w *window) {
	s := w.digits
	known := issuer(s)
	if known == unknownIssuer || !luhn(s) || !cardGroups(w) {
		return
	}
	hint := d.hint(w.from, cardWords)
	switch {
	case hint == inFavor:
		d.add(Card, w.from, w.to, High)
	case known == namedIssuer:
	case known == rareIssuer && w.plain():
		d.add(Card, w.from, w.to, Low)
	case w.plain() && (hint == against || w.inCode()), known == rareIssuer, w.soft != 0:
		d.add(Card, w.from, w.to, Medium)
	default:
		d.add(Card, w.from, w.to, High)
	}
}

// cardGroups reports whether the digits are grouped as on a card.
func cardGroups(w *window) bool {
	switch len(w.digits) {
	case 12:
		return w.fits(4, 8)
	case 14:
		return w.fits(4, 10)
	case 15:
		return w.fits(4, 10) || w.fits(4, 8, 12) || w.fits(4, 9)
	case 13:
		return w.fits(4, 7, 10) || w.fits(4, 8, 12)
	}
	return w.fits(4, 8, 12, 16)
}

type issuerClass int8

const (
	unknownIssuer issuerClass = iota
	namedIssuer               // a prefix that so many numbers have that a word must stand before it
	rareIssuer                // a prefix or length that other numbers have as well
	knownIssuer
)

// issuer knows the ranges of ISO/IEC 7812 that the card schemes publish, and
// the 9 that Korean domestic cards begin with.
func issuer(s string) issuerClass {
	if len(s) < 12 || len(s) > 19 {
		return unknownIssuer
	}
	n, first4 := len(s), atoi(s[:4])
	in := func(lo, hi int) bool { return lo <= first4 && first4 <= hi }
	switch {
	case s[0] == '4' && n == 16:
		return knownIssuer
	case s[0] == '4' && (n == 13 || n == 19):
		return rareIssuer
	case (in(5100, 5599) || in(2221, 2720)) && n == 16:
		return knownIssuer
	case (in(3400, 3499) || in(3700, 3799)) && n == 15:
		return knownIssuer
	case (in(3528, 3589) || in(6011, 6011) || in(6440, 6599)) && n >= 16:
		return knownIssuer
	case in(6200, 6299) && n >= 16:
		return knownIssuer
	case (in(3000, 3059) || in(3600, 3699) || in(3800, 3999)) && n == 14:
		return knownIssuer
	case strings.HasPrefix(s, "9") && n == 16:
		return rareIssuer
	case in(5000, 5099) || in(5600, 5899) || in(6000, 6999): // Maestro, Dankort
		return namedIssuer
	case in(2200, 2204) && n >= 16, s[0] == '1' && n == 15: // Mir, UATP
		return namedIssuer
	}
	return unknownIssuer
}

func luhn(s string) bool {
	sum := 0
	for i := range len(s) {
		n := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
