package fold

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Number is a telephone number as it is compared.
type Number struct {
	// Country is the calling code, "82"; empty when the notation does not tell.
	Country string
	// National are the digits after the country's code and the leading zero.
	National string
}

// Of reports whether the number may be of the country; it may be of any while
// one of both is not known.
func (n Number) Of(country string) bool {
	return n.Country == "" || country == "" || n.Country == country
}

const (
	// maxDigits is how many digits of a number are looked at: E.164 has 15.
	maxDigits = 40
	// longNumber is how many digits a number without a sign for the country must
	// have for its first ones to be the country's code.
	longNumber = 11
	// shortest is how many digits a search for the beginning of a number needs.
	shortest = 2
	// shortestEnd is how many it needs for the end of one.
	shortestEnd = 4
)

// Phone reads a stored number, and returns all its digits from the last to the
// first besides, so that an ending is a prefix. 010-1234-5678,
// +82 10 1234 5678, 82-10-1234-5678 and +82 (0)10 1234 5678 have one National.
// Extensions are left out. No digits: all is empty.
func Phone(s string) (n Number, end string) {
	d, abroad := digits(s)
	end = reversed(d)
	code, rest := country(d)
	switch {
	case abroad && code != "":
		n = Number{code, unzeroed(rest)}
	case !abroad && len(d) >= longNumber && len(code) > 1:
		// Codes of one digit (1, 7) are left: Chinese mobile numbers begin so.
		n = Number{code, unzeroed(rest)}
	default:
		n = Number{"", unzeroed(d)}
	}
	return n, end
}

// PhoneQuery reads what somebody typed to find a number: how the beginning of
// one may be meant, and what endings it may be, from the last digit to the
// first. None for a text that is no part of a telephone number.
func PhoneQuery(s string) (begins, ends []Number) {
	if strings.Trim(norm.NFKC.String(s), "0123456789 +-.()/‐‑‒–—―−ー\t") != "" {
		return nil, nil
	}
	d, abroad := digits(s)
	code, rest := country(d)
	var all []Number
	switch {
	case abroad && code != "":
		all = []Number{{code, unzeroed(rest)}}
	case code != "":
		all = []Number{{"", d}, {code, unzeroed(rest)}}
	default:
		all = []Number{{"", unzeroed(d)}}
	}
	for _, n := range all {
		if len(n.National) >= shortest || len(d) >= shortest && n.Country == "" && n.National != "" {
			begins = append(begins, n)
		}
		if len(n.National) >= shortestEnd {
			ends = append(ends, Number{n.Country, reversed(n.National)})
		}
	}
	return begins, ends
}

// digits are the digits of a number, up to an extension; abroad says that they
// begin with the code of a country.
func digits(s string) (d string, abroad bool) {
	var b strings.Builder
	for _, r := range norm.NFKC.String(s) {
		switch {
		case '0' <= r && r <= '9' && b.Len() < maxDigits:
			b.WriteRune(r)
		case r == '+' && b.Len() == 0:
			abroad = true
		case b.Len() > 4 && (r == '#' || r == ';' || r == ',' || 'a' <= r|0x20 && r|0x20 <= 'z' || Dense(r) && r != 'ー'):
			return trunk(b.String(), abroad)
		}
	}
	return trunk(b.String(), abroad)
}

// trunk takes the 00 of international calls for a plus.
func trunk(d string, abroad bool) (string, bool) {
	if rest, ok := strings.CutPrefix(d, "00"); ok && !abroad {
		return rest, true
	}
	return d, abroad
}

// twoDigits are the calling codes of two digits; 1 and 7 have one, and all
// others three.
var twoDigits = strings.Fields("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 " +
	"60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98")

// country parts the calling code off; empty when the digits begin with none.
func country(d string) (code, rest string) {
	n := 3
	switch {
	case d == "" || d[0] == '0':
		return "", d
	case d[0] == '1' || d[0] == '7':
		n = 1
	case len(d) >= 2 && slices.Contains(twoDigits, d[:2]):
		n = 2
	}
	if len(d) < n {
		return "", d
	}
	return d[:n], d[n:]
}

// unzeroed drops the zeros that a number has in its own country alone.
func unzeroed(d string) string { return strings.TrimLeft(d, "0") }

func reversed(d string) string {
	b := []byte(d)
	slices.Reverse(b)
	return string(b)
}
