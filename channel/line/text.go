package line

import (
	"github.com/sangdam/sangdam/channel/kit"
	"slices"

	"github.com/sangdam/sangdam/channel"
)

// spans reads LINE emoji and mentions. A span that does not fit the text is
// left out; the text itself is always whole.
func spans(text string, msg object) []channel.Span {
	var all []channel.Span
	add := func(o object, kind, ref string) {
		index, okIndex := o.Int("index")
		length, okLength := o.Int("length")
		if !okIndex || !okLength {
			return
		}
		if start, size, ok := kit.ByteIndex(text, index, length); ok {
			all = append(all, channel.Span{Start: start, Length: size, Kind: kind, Ref: ref})
		}
	}
	for _, raw := range bounded(msg.List("emojis")) {
		emoji := kit.ReadObject(raw)
		add(emoji, "emoji", emojiRef(emoji.ID("productId"), emoji.ID("emojiId")))
	}
	for _, raw := range bounded(msg.Object("mention").List("mentionees")) {
		mentionee := kit.ReadObject(raw)
		kind := "mention"
		switch {
		case mentionee.Str("type") == "all":
			kind = "mention_all"
		case mentionee.Bool("isSelf"):
			kind = "mention_self"
		}
		add(mentionee, kind, mentionee.ID("userId"))
	}
	slices.SortStableFunc(all, func(a, b channel.Span) int { return a.Start - b.Start })
	return all
}

// bounded keeps hostile input from making byteIndex quadratic; LINE's own
// limit is 20.
func bounded[T any](l []T) []T { return l[:min(len(l), 100)] }

// emojiRef is Span.Ref of a LINE emoji: product and emoji, parted by a slash.
func emojiRef(product, emoji string) string { return product + "/" + emoji }
