package kit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/sangdam/sangdam/channel"
)

// UTF16 counts UTF-16 code units, as LINE does in messages.
func UTF16(s string) int {
	n := 0
	for _, r := range s {
		n += runeUnits(r)
	}
	return n
}

func runeUnits(r rune) int {
	if r >= 0x10000 {
		return 2
	}
	return 1
}

// Graphemes counts the graphemes of s: what a reader sees as one character each.
func Graphemes(s string) int { return uniseg.GraphemeClusterCount(s) }

// Count counts s in a unit of adapter.Limits: utf16, grapheme, rune or byte. An
// unknown unit counts runes.
func Count(unit, s string) int {
	switch unit {
	case "utf16":
		return UTF16(s)
	case "grapheme":
		return Graphemes(s)
	case "byte":
		return len(s)
	}
	return utf8.RuneCountInString(s)
}

// Shorten cuts s to at most n by count (UTF16 or Graphemes), never inside a
// grapheme, with an ellipsis in place of what went.
func Shorten(s string, n int, count func(string) int) string {
	if count(s) <= n {
		return s
	}
	end, used, rest, state := 0, 0, s, -1
	for rest != "" {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used += count(cluster); used > n-1 {
			break
		}
		end += len(cluster)
	}
	return strings.TrimRightFunc(s[:end], unicode.IsSpace) + "…"
}

// ByteIndex translates a range in UTF-16 code units, from index and of length, into
// byte offsets of text. ok is false where the range is empty, reaches outside the
// text, or begins or ends inside a surrogate pair.
func ByteIndex(text string, index, length int64) (start, size int, ok bool) {
	if index < 0 || length <= 0 || index > int64(len(text)) || length > int64(len(text)) {
		return 0, 0, false
	}
	start, end := -1, -1
	at := int64(0)
	for i, r := range text {
		if at == index {
			start = i
		}
		if at == index+length {
			end = i
		}
		at += int64(runeUnits(r))
	}
	if at == index+length {
		end = len(text)
	}
	if start < 0 || end < 0 {
		return 0, 0, false
	}
	return start, end - start, true
}

// Atom is what a cut never goes through: a grapheme, or a marked span.
type Atom struct {
	Text string
	Span *channel.Span // nil for plain text
}

// maxCluster bounds a grapheme; a longer one (stacked marks) is cut between
// runes, or a message of nothing else could never be sent.
const maxCluster = 256

// Atoms cuts text. Spans must be sorted and inside it; overlapping ones are
// treated as plain text.
func Atoms(text string, marked []channel.Span) []Atom {
	var all []Atom
	at := 0
	for i := range marked {
		s := &marked[i]
		if !usable(text, *s, at) {
			continue
		}
		all = appendClusters(all, text[at:s.Start])
		all = append(all, Atom{Text: text[s.Start : s.Start+s.Length], Span: s})
		at = s.Start + s.Length
	}
	return appendClusters(all, text[at:])
}

func usable(text string, s channel.Span, from int) bool {
	if s.Start < from || s.Length <= 0 || s.Length > len(text) || s.Start > len(text)-s.Length {
		return false
	}
	end := s.Start + s.Length
	return utf8.RuneStart(text[s.Start]) && (end == len(text) || utf8.RuneStart(text[end]))
}

func appendClusters(all []Atom, text string) []Atom {
	state := -1
	for text != "" {
		var cluster string
		cluster, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
		if UTF16(cluster) <= maxCluster {
			all = append(all, Atom{Text: cluster})
			continue
		}
		for _, r := range cluster {
			all = append(all, Atom{Text: string(r)})
		}
	}
	return all
}

// Split groups atoms into parts of at most limit by cost, each cut after a
// line break or else a blank where one is among the last sixth. Nothing is
// dropped: the parts together are the atoms. An atom that alone costs more than
// limit is a part of its own, for the provider to refuse.
func Split(all []Atom, limit int, cost func(Atom) int) [][]Atom {
	var parts [][]Atom
	for len(all) > 0 {
		n, used := 0, 0
		for n < len(all) && used+cost(all[n]) <= limit {
			used += cost(all[n])
			n++
		}
		if n == 0 {
			n = 1 // one atom over the limit: the provider's to refuse
		}
		if n < len(all) {
			n = bestCut(all[:n], limit/6, cost)
		}
		parts = append(parts, all[:n])
		all = all[n:]
	}
	return parts
}

func bestCut(part []Atom, reach int, cost func(Atom) int) int {
	blank, back := 0, 0
	for i := len(part); i > 0 && back <= reach; i-- {
		r, _ := utf8.DecodeLastRuneInString(part[i-1].Text)
		if r == '\n' {
			return i
		}
		if blank == 0 && unicode.IsSpace(r) {
			blank = i
		}
		back += cost(part[i-1])
	}
	if blank > 0 {
		return blank
	}
	return len(part)
}
