package line

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/sangdam/sangdam/channel"
)

// units counts as LINE does in general: UTF-16 code units.
func units(s string) int {
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

// graphemes counts as LINE does in labels, template texts and rich menus.
func graphemes(s string) int { return uniseg.GraphemeClusterCount(s) }

// shorten cuts s to at most n by count (units or graphemes), never inside a
// grapheme, with an ellipsis in place of what went.
func shorten(s string, n int, count func(string) int) string {
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

// byteIndex translates positions in UTF-16 units into byte offsets of text.
// ok is false where a position is outside the text or inside a surrogate pair.
func byteIndex(text string, index, length int64) (start, size int, ok bool) {
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

// spans reads LINE emoji and mentions. A span that does not fit the text is
// left out; the text itself is always whole.
func spans(text string, msg object) []channel.Span {
	var all []channel.Span
	add := func(o object, kind, ref string) {
		index, okIndex := o.int("index")
		length, okLength := o.int("length")
		if !okIndex || !okLength {
			return
		}
		if start, size, ok := byteIndex(text, index, length); ok {
			all = append(all, channel.Span{Start: start, Length: size, Kind: kind, Ref: ref})
		}
	}
	for _, raw := range bounded(msg.list("emojis")) {
		emoji := readObject(raw)
		add(emoji, "emoji", emojiRef(emoji.id("productId"), emoji.id("emojiId")))
	}
	for _, raw := range bounded(msg.object("mention").list("mentionees")) {
		mentionee := readObject(raw)
		kind := "mention"
		switch {
		case mentionee.str("type") == "all":
			kind = "mention_all"
		case mentionee.bool("isSelf"):
			kind = "mention_self"
		}
		add(mentionee, kind, mentionee.id("userId"))
	}
	slices.SortStableFunc(all, func(a, b channel.Span) int { return a.Start - b.Start })
	return all
}

// bounded keeps hostile input from making byteIndex quadratic; LINE's own
// limit is 20.
func bounded[T any](l []T) []T { return l[:min(len(l), 100)] }

// emojiRef is Span.Ref of a LINE emoji: product and emoji, parted by a slash.
func emojiRef(product, emoji string) string { return product + "/" + emoji }

// atom is what a cut never goes through: a grapheme, or a marked span.
type atom struct {
	text string
	span *channel.Span // nil for plain text
}

// maxCluster bounds a grapheme; a longer one (stacked marks) is cut between
// runes, or a message of nothing else could never be sent.
const maxCluster = 256

// atoms cuts text. Spans must be sorted and inside it; overlapping ones are
// treated as plain text.
func atoms(text string, marked []channel.Span) []atom {
	var all []atom
	at := 0
	for i := range marked {
		s := &marked[i]
		if !usable(text, *s, at) {
			continue
		}
		all = appendClusters(all, text[at:s.Start])
		all = append(all, atom{text: text[s.Start : s.Start+s.Length], span: s})
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

func appendClusters(all []atom, text string) []atom {
	state := -1
	for text != "" {
		var cluster string
		cluster, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
		if units(cluster) <= maxCluster {
			all = append(all, atom{text: cluster})
			continue
		}
		for _, r := range cluster {
			all = append(all, atom{text: string(r)})
		}
	}
	return all
}

// split groups atoms into parts of at most limit by cost, each cut after a
// line break or else a blank where one is among the last sixth. Nothing is
// dropped: the parts together are the atoms.
func split(all []atom, limit int, cost func(atom) int) [][]atom {
	var parts [][]atom
	for len(all) > 0 {
		n, used := 0, 0
		for n < len(all) && used+cost(all[n]) <= limit {
			used += cost(all[n])
			n++
		}
		if n == 0 {
			n = 1 // one atom over the limit: LINE's to refuse
		}
		if n < len(all) {
			n = bestCut(all[:n], limit/6, cost)
		}
		parts = append(parts, all[:n])
		all = all[n:]
	}
	return parts
}

func bestCut(part []atom, reach int, cost func(atom) int) int {
	blank, back := 0, 0
	for i := len(part); i > 0 && back <= reach; i-- {
		r, _ := utf8.DecodeLastRuneInString(part[i-1].text)
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
