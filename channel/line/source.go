package line

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/kit"
)

// object is JSON of which only some fields are known.
type object = kit.Object

// source is where an event came from.
type source struct {
	kind string // as sent; empty when there is none
	chat channel.Chat
	user channel.ProviderUserID
}

func readSource(event object) source {
	var room [4]kit.Member
	o := kit.ReadObjectInto(room[:], event.Get("source"))
	s := source{kind: o.Str("type"), user: channel.ProviderUserID(o.ID("userId"))}
	switch s.kind {
	case "user":
		s.chat = channel.Chat{Kind: channel.ChatUser, ID: string(s.user)}
	case "group":
		s.chat = channel.Chat{Kind: channel.ChatGroup, ID: o.ID("groupId")}
	case "room":
		s.chat = channel.Chat{Kind: channel.ChatRoom, ID: o.ID("roomId")}
	case "":
	default:
		s.chat = unknownChat(s.kind, maps.Keys(o.Fields()), o.ID)
	}
	return s
}

// unknownChat makes a chat of a kind that LINE may add one day, of its own id
// or of whatever ids it has, so that two of them are never taken for one and
// none for the user's own chat. Zero when it has none.
func unknownChat(kind string, keys iter.Seq[string], id func(string) string) channel.Chat {
	own := id(kind + "Id")
	if own == "" {
		var ids []string
		for _, key := range slices.Sorted(keys) {
			if v := id(key); v != "" && key != "type" {
				ids = append(ids, key+"="+v)
			}
		}
		if own = strings.Join(ids, "/"); own == "" {
			return channel.Chat{}
		}
	}
	whole := kind + ":" + own
	if len(whole) > 150 || !kit.Printable(whole) {
		sum := sha256.Sum256([]byte(whole))
		whole = "sha256:" + hex.EncodeToString(sum[:])
	}
	return channel.Chat{Kind: channel.ChatOther, ID: whole}
}
