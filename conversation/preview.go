package conversation

import (
	"strings"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
)

// previewRunes is how much of a message lists show.
const previewRunes = 80

// Preview returns the beginning of a message's text on one line, for lists.
// Give it the text with its masks.
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
