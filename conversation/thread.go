package conversation

import (
	"github.com/sangdam/sangdam/channel"
)

// ByContact reports whether the thread of a chat is that of its contact.
func ByContact(chat channel.Chat) bool { return OfOne(chat) && chat.Kind != channel.ChatThread }

// OfOne reports whether the chat is that of one person, whom its conversation
// belongs to; in the others nobody is the contact.
func OfOne(chat channel.Chat) bool {
	switch chat.Kind {
	case channel.ChatGroup, channel.ChatRoom, channel.ChatOther:
		return false
	}
	return true
}
