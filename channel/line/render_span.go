package line

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/kit"
)

// maxSpans is how many mentions, and how many emoji, a message may have.
const maxSpans = 20

type substitution struct {
	Type      string     `json:"type"`
	Mentionee *mentionee `json:"mentionee,omitempty"`
	ProductID string     `json:"productId,omitempty"`
	EmojiID   string     `json:"emojiId,omitempty"`
}

type mentionee struct {
	Type   string `json:"type"`
	UserID string `json:"userId,omitempty"`
}

var emojiForm = regexp.MustCompile(`^[0-9A-Za-z]{1,64}/[0-9A-Za-z]{1,64}$`)

// sendable keeps the spans that LINE can show in a chat of the kind: emoji
// everywhere, mentions in groups and rooms. The others stay as plain text.
func sendable(marked []channel.Span, chat channel.ChatKind) []channel.Span {
	var all []channel.Span
	mentions, emoji := 0, 0
	sorted := slices.Clone(marked)
	slices.SortStableFunc(sorted, func(a, b channel.Span) int { return a.Start - b.Start })
	for _, s := range sorted {
		switch s.Kind {
		case "emoji":
			if !emojiForm.MatchString(s.Ref) {
				continue
			}
			if emoji++; emoji > maxSpans {
				continue
			}
		case "mention", "mention_all":
			if chat != channel.ChatGroup && chat != channel.ChatRoom {
				continue
			}
			if s.Kind == "mention" && !validUser(channel.ProviderUserID(s.Ref)) {
				continue
			}
			if mentions++; mentions > maxSpans {
				continue
			}
		default:
			continue
		}
		all = append(all, s)
	}
	return all
}

// costV2 is the length of an atom in a textV2 text: braces are doubled, spans
// become a placeholder of at most five units.
func costV2(a kit.Atom) int {
	if a.Span != nil {
		return 5
	}
	return kit.UTF16(escapeV2.Replace(a.Text))
}

var escapeV2 = strings.NewReplacer("{", "{{", "}", "}}")

// textV2 builds the text with placeholders {s1}, {s2}, …; plain text when the
// part has no span.
func textV2(part []kit.Atom) message {
	subs := map[string]substitution{}
	var b strings.Builder
	for _, a := range part {
		if a.Span == nil {
			b.WriteString(escapeV2.Replace(a.Text))
			continue
		}
		key := "s" + strconv.Itoa(len(subs)+1)
		subs[key] = substitute(*a.Span)
		b.WriteString("{" + key + "}")
	}
	if len(subs) == 0 {
		return message{Type: "text", Text: join(part)}
	}
	return message{Type: "textV2", Text: b.String(), Substitution: subs}
}

func substitute(s channel.Span) substitution {
	switch s.Kind {
	case "mention_all":
		return substitution{Type: "mention", Mentionee: &mentionee{Type: "all"}}
	case "mention":
		return substitution{Type: "mention", Mentionee: &mentionee{Type: "user", UserID: s.Ref}}
	}
	product, emoji, _ := strings.Cut(s.Ref, "/")
	return substitution{Type: "emoji", ProductID: product, EmojiID: emoji}
}
