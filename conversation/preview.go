package conversation

import (
	"strings"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
)

// previewRunes is how much of a message lists show.
const previewRunes = 80

// Preview is the beginning of a content for lists, on one line. The text given
// is the masked one.
func Preview(c channel.Content) string {
	text := strings.Join(strings.Fields(c.Text), " ")
	if text == "" && c.Kind != channel.KindText {
		return "[" + string(c.Kind) + "]"
	}
	if utf8.RuneCountInString(text) > previewRunes {
		text = string([]rune(text)[:previewRunes]) + "…"
	}
	return text
}
