package privacy

import (
	"net/netip"
	"strings"
	"unicode"
)

// emails finds addresses around each @.
func (d *detector) emails() {
	for i, c := range d.cells {
		if c.r != '@' {
			continue
		}
		from, to := i, i+1
		for from > 0 && i-from < 64 && mailLocal(d.cells[from-1].r) {
			from--
		}
		for to < len(d.cells) && to-i < 255 && mailDomain(d.cells[to].r) {
			to++
		}
		for to > i+1 && !isLatin(d.cells[to-1].r) {
			to--
		}
		if from < i && topLevel(d.raw(i+1, to)) {
			d.add(Email, from, to, High)
		}
	}
}

func mailLocal(r rune) bool {
	return isLatin(r) || isDigit(r) || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)
}

func mailDomain(r rune) bool { return isLatin(r) || isDigit(r) || r == '.' || r == '-' }

// topLevel reports whether a domain has labels and ends in letters.
func topLevel(domain string) bool {
	dot := strings.LastIndexByte(domain, '.')
	return dot > 0 && len(domain)-dot > 2 && !strings.Contains(domain, "..") && domain[0] != '-' && domain[0] != '.' &&
		strings.IndexFunc(domain[dot+1:], func(r rune) bool { return !unicode.IsLetter(r) }) < 0
}

// addresses finds IPv4 and IPv6 addresses.
func (d *detector) addresses() {
	for i := 0; i < len(d.cells); {
		to := i
		for to < len(d.cells) && ipRune(d.cells[to].r) {
			to++
		}
		end := to
		for end > i && d.cells[end-1].r == '.' {
			end--
		}
		if end-i >= 3 && end-i <= 45 {
			if _, err := netip.ParseAddr(d.raw(i, end)); err == nil {
				d.add(IP, i, end, Medium)
			}
		}
		i = max(to, i+1)
	}
}

func ipRune(r rune) bool {
	return isDigit(r) || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F' || r == ':' || r == '.'
}

// raw returns cells as they are.
func (d *detector) raw(from, to int) string {
	var b strings.Builder
	for _, c := range d.cells[from:to] {
		b.WriteRune(c.r)
	}
	return b.String()
}
