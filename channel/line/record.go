package line

import (
	"encoding/hex"
	"io"
	"regexp"
	"strings"

	"github.com/sangdam/sangdam/channel/kit"
)

// Recorder keeps accepted webhooks in the form that the emulator's Replay
// plays (linetest.Recorded), so that a real day can be played again against a
// changed program. What identifies people does not enter the file: see
// kit.Recorder. Kept are kinds, times, lengths, positions, and the ids of events,
// messages, stickers and emoji; ids of users, groups and rooms keep their form,
// a file's name keeps a usual extension, and coordinates are 0.
type Recorder = kit.Recorder

// NewRecorder returns a Recorder that writes to w, one Write a line. Close it
// before w.
func NewRecorder(w io.Writer) *Recorder { return recording.NewRecorder(w) }

// recording is what is known to be harmless of LINE's webhooks.
var recording = kit.Recording{
	Name: "line", MaxBytes: MaxWebhookBytes, MaxDepth: maxDepth,
	Kept: map[string]kit.Shape{
		"events.type": kit.Word, "events.mode": kit.Word, "events.webhookEventId": kit.Ident, "events.timestamp": kit.Number,
		"events.source.type": kit.Word,
		"events.message.id":  kit.Ident, "events.message.type": kit.Word, "events.message.quotedMessageId": kit.Ident,
		"events.message.duration": kit.Number, "events.message.fileSize": kit.Number,
		"events.message.packageId": kit.Ident, "events.message.stickerId": kit.Ident, "events.message.stickerResourceType": kit.Word,
		"events.message.contentProvider.type": kit.Word,
		"events.message.imageSet.id":          kit.Ident, "events.message.imageSet.index": kit.Number,
		"events.message.imageSet.total": kit.Number,
		"events.message.emojis.index":   kit.Number, "events.message.emojis.length": kit.Number,
		"events.message.emojis.productId": kit.Ident, "events.message.emojis.emojiId": kit.Ident,
		"events.message.mention.mentionees.type": kit.Word, "events.message.mention.mentionees.index": kit.Number,
		"events.message.mention.mentionees.length": kit.Number,
		"events.unsend.messageId":                  kit.Ident,
		"events.joined.members.type":               kit.Word, "events.left.members.type": kit.Word,
		"events.postback.params.status": kit.Word,
		"events.link.result":            kit.Word,
		"events.beacon.type":            kit.Word,
		"events.membership.type":        kit.Word, "events.membership.membershipId": kit.Ident,
		"events.module.type": kit.Word, "events.module.reason": kit.Word,
		"events.chatControl.expireAt": kit.Number,
	},
	Names: strings.Fields(`destination events deliveryContext isRedelivery source userId groupId roomId replyToken
		message text emojis mention mentionees isSelf quoteToken markAsReadToken contentProvider originalContentUrl previewImageUrl
		imageSet fileName title address latitude longitude keywords unsend follow isUnblocked joined left members
		postback data params date time datetime newRichMenuAliasId link nonce beacon hwid dm membership module botId scopes
		chatControl videoPlayComplete trackingId delivery`),
	People:    []string{"events.source.userId", "events.source.groupId", "events.source.roomId"}, // Parse takes ids that are numbers
	Alias:     aliasOf,
	Same:      func(place, text string) bool { return place == "events.replyToken" && dummyToken(text) },
	Files:     []string{"events.message.fileName"},
	Addresses: []string{"events.message.contentProvider.originalContentUrl", "events.message.contentProvider.previewImageUrl"},
	Headers: map[string]*regexp.Regexp{
		"Content-Type": regexp.MustCompile(`^application/json(; ?charset=[A-Za-z0-9-]{1,20})?$`),
		"User-Agent":   regexp.MustCompile(`^LineBotWebhook/[0-9.]{1,10}$`),
	},
}

var chatID = regexp.MustCompile(`^[UCR][0-9a-f]{32}$`)

// aliasOf is another id of a user, group or room.
func aliasOf(text string, hash func() [32]byte) (string, bool) {
	if !chatID.MatchString(text) {
		return "", false
	}
	sum := hash()
	return text[:1] + hex.EncodeToString(sum[:16]), true
}
