package privacy

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// Type is a type of personal data. Unknown values may come from a later
// program; show them as they are.
type Type string

const (
	RRN           Type = "rrn"            // Korean resident number
	FRN           Type = "frn"            // Korean foreigner registration number
	Business      Type = "business"       // Korean business number
	Passport      Type = "passport"       // Korean passport number, Japanese after a word for it
	DriverLicence Type = "driver_licence" // Korean driver licence number, Japanese after a word for it
	MyNumber      Type = "my_number"      // Japanese individual number, after a word for it
	Phone         Type = "phone"          // mobile or fixed-line number of a person
	Card          Type = "card"           // payment card number
	Account       Type = "account"        // bank account number
	Email         Type = "email"          // only when asked for
	IP            Type = "ip"             // only when asked for
)

// Types returns the types that Detect seeks when none are named: all but Email
// and IP.
func Types() []Type {
	return []Type{RRN, FRN, MyNumber, Card, Phone, DriverLicence, Business, Passport, Account}
}

// Confidence says how sure a finding is.
type Confidence uint8

const (
	// Low: the shape fits, but something else is more likely.
	Low Confidence = 1
	// Medium: the shape fits and nothing speaks against it. Policies act from
	// here on.
	Medium Confidence = 2
	// High: a check digit, an unmistakable form or a word nearby confirms it.
	High Confidence = 3
)

// Finding is personal data found in a text.
type Finding struct {
	Span
	Type       Type       `json:"type"`
	Confidence Confidence `json:"confidence"`
}

// Detect returns the personal data found in text, in order and without
// overlaps, with spans in bytes of text itself. It seeks the types named, or
// Types when none are. Time and memory are linear in the length of the text;
// it has no limit of its own, and takes up to 0.25 s for 64 KiB of nothing but
// digits.
func Detect(text string, types ...Type) []Finding {
	if len(types) == 0 {
		types = Types()
	}
	if !worthScanning(text, types) {
		return nil
	}
	d := detector{cells: cells(text), types: types}
	d.numbers()
	if d.wants(Passport) {
		d.passports()
	}
	if d.wants(Email) {
		d.emails()
	}
	if d.wants(IP) {
		d.addresses()
	}
	return d.resolve()
}

// DetectAcross seeks in the parts as in one text, so that a number split over
// two messages is found: pass the last few messages of one author, oldest
// first. The result has one list per part; a finding that crosses parts stands
// in the list of each, with the bytes that lie there.
func DetectAcross(parts []string, types ...Type) [][]Finding {
	found := make([][]Finding, len(parts))
	for _, f := range Detect(strings.Join(parts, "\n"), types...) {
		start := 0
		for i, part := range parts {
			s := Span{max(f.Start, start) - start, min(f.End, start+len(part)) - start}
			if s.Start < s.End {
				found[i] = append(found[i], Finding{s, f.Type, f.Confidence})
			}
			start += len(part) + 1
		}
	}
	return found
}

// SpansOf returns the spans of the findings that are at least as sure as min.
func SpansOf(findings []Finding, min Confidence) []Span {
	var spans []Span
	for _, f := range findings {
		if f.Confidence >= min {
			spans = append(spans, f.Span)
		}
	}
	return spans
}

// fewestDigits is how many digits the shortest numbers sought by default have:
// a passport of the new form, a Japanese account.
const fewestDigits = 7

func worthScanning(text string, types []Type) bool {
	if slices.Contains(types, Email) || slices.Contains(types, IP) {
		return true
	}
	n := 0
	for _, r := range text {
		if isDigit(r) || r >= 0x80 && unicode.IsNumber(r) {
			n++
		}
		// One character such as U+3251 (㉑) brings two digits.
		if n*2 >= fewestDigits {
			return true
		}
	}
	return false
}

type detector struct {
	cells  []cell
	types  []Type
	digits []byte // of all groups, see numbers
	found  []candidate

	beforeCell int // see textBefore; at cell 0 there is no text before
	beforeText string
	trap       int // where the last trap word ends in beforeText
}

// candidate is a finding in positions of cells.
type candidate struct {
	from, to   int
	kind       Type
	confidence Confidence
}

func (d *detector) wants(t Type) bool { return slices.Contains(d.types, t) }

func (d *detector) add(t Type, from, to int, c Confidence) {
	if c > 0 && d.wants(t) {
		d.found = append(d.found, candidate{from, to, t, c})
	}
}

// resolve keeps, of candidates that overlap, the surest, then the longest,
// then the type that stands first in Types.
func (d *detector) resolve() []Finding {
	order := Types()
	slices.SortStableFunc(d.found, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(b.confidence, a.confidence),
			cmp.Compare(b.to-b.from, a.to-a.from),
			cmp.Compare(slices.Index(order, a.kind), slices.Index(order, b.kind)),
			cmp.Compare(a.from, b.from),
		)
	})
	taken := make([]bool, len(d.cells))
	var findings []Finding
	for _, c := range d.found {
		if slices.Contains(taken[c.from:c.to], true) {
			continue
		}
		for i := c.from; i < c.to; i++ {
			taken[i] = true
		}
		span := Span{d.cells[c.from].start, d.cells[c.to-1].end}
		findings = append(findings, Finding{span, c.kind, c.confidence})
	}
	slices.SortFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Start, b.Start) })
	return findings
}
