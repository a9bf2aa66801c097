package line_test

import (
	"fmt"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/channeltest"
)

// Ids and times of the golden events. The forms are LINE's, the values are not
// anybody's.
const (
	userID  = "U8189cf6745fc0d808977bdb0b9f22995"
	otherID = "U4af4980629f0e1d2c3b4a59687706152"
	groupID = "Ca56f94637c0e1d2c3b4a596877061524"
	roomID  = "Ra8dbf4673c0e1d2c3b4a596877061524"
	botID   = "U8e742f61d673b39c7fff3cecb7536ef0"
	token   = "38ef843bde154d9b91c21320ffd17a0f"
	eventMS = 1700000000000
)

var (
	occurred = time.UnixMilli(eventMS).UTC()
	received = occurred.Add(time.Second)
	reply    = &channel.ReplyHandle{Token: token, Expires: received.Add(50 * time.Second)}

	fromUser  = `"source":{"type":"user","userId":"` + userID + `"}`
	fromGroup = `"source":{"type":"group","groupId":"` + groupID + `","userId":"` + userID + `"}`
	private   = channel.Chat{Kind: channel.ChatUser, ID: userID}
	group     = channel.Chat{Kind: channel.ChatGroup, ID: groupID}
	author    = adapter.Author{User: userID}
)

// raw builds an event as LINE writes it; rest is further fields.
func raw(kind, id, source, rest string) string {
	s := fmt.Sprintf(`{"type":%q,"mode":"active","timestamp":%d,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3%s",`+
		`"deliveryContext":{"isRedelivery":false}`, kind, eventMS, id)
	if source != "" {
		s += "," + source
	}
	if rest != "" {
		s += "," + rest
	}
	return s + "}"
}

func message(id, source, msg string) string {
	return raw("message", id, source, `"replyToken":"`+token+`","message":`+msg)
}

func wanted(kind adapter.EventKind, name string, chat channel.Chat, by adapter.Author) adapter.Inbound {
	return adapter.Inbound{Kind: kind, Type: name, Chat: chat, Author: by, OccurredAt: occurred}
}

func wantedMessage(name string, chat channel.Chat, by adapter.Author, id channel.ProviderMessageID, c channel.Content) adapter.Inbound {
	in := wanted(adapter.EventMessage, name, chat, by)
	in.MessageID, in.Content, in.Reply = id, c, reply
	return in
}

func golden() []channeltest.Golden {
	text := wantedMessage("text", private, author, "468789577898262530", channel.Content{
		Kind: channel.KindText, Text: "😀 (hello) @Bot 안녕", QuoteHandle: "q3Plxr4AgKd", QuoteOf: "468789532432007169",
		Spans: []channel.Span{
			{Start: 5, Length: 7, Kind: "emoji", Ref: "5ac1bfd5040ab15980c9b435/001"},
			{Start: 13, Length: 4, Kind: "mention_self", Ref: botID},
		},
	})
	text.ReadHandle = "30yhdy232"
	silent := wantedMessage("text", private, author, "1", channel.Text("quiet"))
	silent.Silent, silent.Standby, silent.Reply = true, true, nil
	again := wantedMessage("text", private, author, "2", channel.Text("again"))
	again.Details = map[string]string{"redelivery": "true"}
	edit := wantedMessage("text", group, author, "3", channel.Content{Kind: channel.KindText, Text: "edited", QuoteHandle: "q2"})
	edit.Kind = adapter.EventEdit
	unsend := wanted(adapter.EventUnsend, "unsend", group, author)
	unsend.MessageID = "325708"
	follow := wanted(adapter.EventFollow, "follow", private, author)
	follow.Reply, follow.Details = reply, map[string]string{"unblocked": "true"}
	postback := wanted(adapter.EventPostback, "postback", private, author)
	postback.Reply = reply
	postback.Content = channel.Content{Kind: channel.KindPostback, Text: "2017-12-25T01:00",
		Postback: &channel.Postback{Data: "storeId=12345", Params: map[string]string{"datetime": "2017-12-25T01:00"}}}
	joined := wanted(adapter.EventMemberJoined, "memberJoined", group, adapter.Author{})
	joined.Reply, joined.Members = reply, []adapter.Author{{User: userID}, {User: otherID}}
	left := wanted(adapter.EventMemberLeft, "memberLeft", group, adapter.Author{})
	left.Members = []adapter.Author{{User: otherID}}
	join := wanted(adapter.EventJoin, "join", group, adapter.Author{})
	join.Reply = reply
	link := wanted(adapter.EventAccountLink, "accountLink", private, author)
	link.Reply, link.Details = reply, map[string]string{"result": "ok", "nonce": "jh2k3j4h2k3j4"}
	noLink := wanted(adapter.EventAccountLink, "accountLink", channel.Chat{}, adapter.Author{})
	noLink.Details = map[string]string{"result": "failed", "nonce": "jh2k3j4h2k3j4"}
	reads := `"replyToken":"` + token + `"`
	return []channeltest.Golden{
		{Name: "text with emoji, mention, quote", Raw: message("01", fromUser,
			`{"id":"468789577898262530","type":"text","quoteToken":"q3Plxr4AgKd","markAsReadToken":"30yhdy232",`+
				`"quotedMessageId":"468789532432007169","text":"😀 (hello) @Bot 안녕","emojis":[{"index":3,"length":7,`+
				`"productId":"5ac1bfd5040ab15980c9b435","emojiId":"001"}],"mention":{"mentionees":[{"index":11,"length":4,"type":"user",`+
				`"userId":"`+botID+`","isSelf":true}]}}`), Want: text},
		{Name: "standby", Raw: `{"type":"message","mode":"standby","timestamp":1700000000000,` +
			`"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC302","deliveryContext":{"isRedelivery":false},` + fromUser +
			`,"message":{"id":"1","type":"text","text":"quiet"}}`, Want: silent},
		{Name: "redelivered", Raw: `{"type":"message","mode":"active","timestamp":1700000000000,` +
			`"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC303","deliveryContext":{"isRedelivery":true},` + fromUser + `,` + reads +
			`,"message":{"id":"2","type":"text","text":"again"}}`, Want: again},
		{Name: "group without user", Raw: message("04", `"source":{"type":"group","groupId":"`+groupID+`"}`,
			`{"id":"4","type":"text","text":"who am I"}`),
			Want: wantedMessage("text", group, adapter.Author{}, "4", channel.Text("who am I"))},
		{Name: "room", Raw: message("05", `"source":{"type":"room","roomId":"`+roomID+`","userId":"`+userID+`"}`,
			`{"id":"5","type":"text","text":"in a room"}`),
			Want: wantedMessage("text", channel.Chat{Kind: channel.ChatRoom, ID: roomID}, author,
				"5", channel.Text("in a room"))},
		{Name: "mention of all", Raw: message("06", fromGroup,
			`{"id":"6","type":"text","text":"@All hi","mention":{"mentionees":[{"index":0,"length":4,"type":"all"}]}}`),
			Want: wantedMessage("text", group, author, "6", channel.Content{Kind: channel.KindText, Text: "@All hi",
				Spans: []channel.Span{{Start: 0, Length: 4, Kind: "mention_all"}}})},
		{Name: "picture of a set", Raw: message("07", fromUser,
			`{"id":"354718705033693859","type":"image","quoteToken":"q7","contentProvider":{"type":"line"},`+
				`"imageSet":{"id":"E005D41A7288F41B65593ED38FF6E9834B046AB36A37921A56BC236F13A91855","index":1,"total":2}}`),
			Want: wantedMessage("image", private, author, "354718705033693859",
				channel.Content{Kind: channel.KindImage, QuoteHandle: "q7",
					Media: &channel.Media{Provider: "354718705033693859", State: "pending",
						SetID: "E005D41A7288F41B65593ED38FF6E9834B046AB36A37921A56BC236F13A91855", SetIndex: 1, SetTotal: 2}})},
		{Name: "outside picture", Raw: message("08", fromUser,
			`{"id":"8","type":"image","contentProvider":{"type":"external","originalContentUrl":"https://example.com/o.jpg",`+
				`"previewImageUrl":"https://example.com/p.jpg"}}`),
			Want: wantedMessage("image", private, author, "8",
				channel.Content{Kind: channel.KindImage,
					Media: &channel.Media{URL: "https://example.com/o.jpg", Preview: "https://example.com/p.jpg", State: "pending"}})},
		{Name: "video", Raw: message("09", fromUser, `{"id":"9","type":"video","duration":60000,"contentProvider":{"type":"line"}}`),
			Want: wantedMessage("video", private, author, "9", channel.Content{Kind: channel.KindVideo,
				Media: &channel.Media{Provider: "9", Duration: time.Minute, State: "pending"}})},
		{Name: "audio", Raw: message("10", fromUser, `{"id":"10","type":"audio","duration":1500,"contentProvider":{"type":"line"}}`),
			Want: wantedMessage("audio", private, author, "10",
				channel.Content{Kind: channel.KindAudio, Media: &channel.Media{Provider: "10",
					Duration: 1500 * time.Millisecond, State: "pending"}})},
		{Name: "file with a hostile name and more than 2^31 bytes",
			Raw: message("11", fromUser, `{"id":"11","type":"file","fileName":"../../etc/\u202epasswd\u0000.txt","fileSize":4294967296}`),
			Want: wantedMessage("file", private, author, "11", channel.Content{Kind: channel.KindFile,
				Media: &channel.Media{Provider: "11", Name: "passwd.txt", Size: 1 << 32, State: "pending"}})},
		{Name: "location with whole degrees", Raw: message("12", fromUser,
			`{"id":"12","type":"location","title":"my location","address":"Yotsuya","latitude":35,"longitude":139.730367}`),
			Want: wantedMessage("location", private, author, "12", channel.Content{Kind: channel.KindLocation, Text: "my location Yotsuya",
				Location: &channel.Location{Title: "my location", Address: "Yotsuya", Latitude: 35, Longitude: 139.730367}})},
		{Name: "sticker of a new kind", Raw: message("13", fromUser,
			`{"id":"13","type":"sticker","packageId":"11537","stickerId":"52002734","stickerResourceType":"HOLOGRAM","keywords":["cony",`+
				`"sad"],"text":"Let's go"}`), Want: wantedMessage("sticker", private, author, "13",
			channel.Content{Kind: channel.KindSticker, Text: "Let's go",
				Sticker: &channel.Sticker{Package: "11537", ID: "52002734", Kind: "HOLOGRAM", Keywords: []string{"cony", "sad"},
					Text: "Let's go"}})},
		{Name: "message id as number", Raw: message("14", fromUser, `{"id":468789577898262530,"type":"text","text":"big"}`),
			Want: wantedMessage("text", private, author, "468789577898262530", channel.Text("big"))},
		{Name: "edit", Raw: raw("messageEdited", "15", fromGroup,
			reads+`,"message":{"type":"text","id":"3","quoteToken":"q2","text":"edited"}`), Want: edit},
		{Name: "unsend", Raw: raw("unsend", "16", fromGroup, `"unsend":{"messageId":"325708"}`), Want: unsend},
		{Name: "follow", Raw: raw("follow", "17", fromUser, reads+`,"follow":{"isUnblocked":true}`), Want: follow},
		{Name: "unfollow", Raw: raw("unfollow", "18", fromUser, ""), Want: wanted(adapter.EventUnfollow, "unfollow", private, author)},
		{Name: "join", Raw: raw("join", "19", `"source":{"type":"group","groupId":"`+groupID+`"}`, reads), Want: join},
		{Name: "leave", Raw: raw("leave", "20", `"source":{"type":"group","groupId":"`+groupID+`"}`, ""),
			Want: wanted(adapter.EventLeave, "leave", group, adapter.Author{})},
		{Name: "members joined", Raw: raw("memberJoined", "21", `"source":{"type":"group","groupId":"`+groupID+`"}`,
			reads+`,"joined":{"members":[{"type":"user","userId":"`+userID+`"},{"type":"user","userId":"`+otherID+`"}]}`), Want: joined},
		{Name: "member left", Raw: raw("memberLeft", "22", `"source":{"type":"group","groupId":"`+groupID+`"}`,
			`"left":{"members":[{"type":"user","userId":"`+otherID+`"}]}`), Want: left},
		{Name: "postback", Raw: raw("postback", "23", fromUser,
			reads+`,"postback":{"data":"storeId=12345","params":{"datetime":"2017-12-25T01:00","odd":7}}`), Want: postback},
		{Name: "account linked", Raw: raw("accountLink", "24", fromUser, reads+`,"link":{"result":"ok","nonce":"jh2k3j4h2k3j4"}`),
			Want: link},
		{Name: "account link failed, without source",
			Raw: raw("accountLink", "25", "", `"link":{"result":"failed","nonce":"jh2k3j4h2k3j4"}`), Want: noLink},
		tagged(adapter.EventWatched, "26", "videoPlayComplete", fromUser, `"videoPlayComplete":{"trackingId":"track-id"}`, private, author),
		other("27", "beacon", fromUser, `"beacon":{"hwid":"d41d8cd98f","type":"enter","dm":"6b697468"}`, private, author,
			map[string]string{"hwid": "d41d8cd98f", "beacon": "enter", "device_message": "6b697468"}),
		other("28", "membership", fromUser, `"membership":{"type":"joined","membershipId":3189}`, private, author,
			map[string]string{"membership": "joined", "membership_id": "3189"}),
		other("29", "module", "", `"module":{"type":"attached","botId":"`+botID+`","scopes":["message:send"]}`,
			channel.Chat{}, adapter.Author{}, map[string]string{"module": "attached", "bot_id": botID}),
		other("30", "activated", fromUser, `"chatControl":{"expireAt":1700000600000}`, private, author,
			map[string]string{"control_until": "2023-11-14T22:23:20Z"}),
		other("31", "deactivated", fromUser, "", private, author, nil),
		other("32", "botSuspended", "", "", channel.Chat{}, adapter.Author{}, nil),
		other("33", "botResumed", "", "", channel.Chat{}, adapter.Author{}, nil),
		tagged(adapter.EventNotified, "34", "delivery", "", `"delivery":{"data":"track-id"}`, channel.Chat{}, adapter.Author{}),
	}
}

func other(id, kind, source, rest string, chat channel.Chat, by adapter.Author, details map[string]string) channeltest.Golden {
	in := wanted(adapter.EventOther, kind, chat, by)
	in.Details = details
	return channeltest.Golden{Name: kind, Raw: raw(kind, id, source, rest), Want: in}
}

func tagged(what adapter.EventKind, id, kind, source, rest string, chat channel.Chat, by adapter.Author) channeltest.Golden {
	in := wanted(what, kind, chat, by)
	in.Tag = "track-id"
	return channeltest.Golden{Name: kind, Raw: raw(kind, id, source, rest), Want: in}
}

// unknown are events that LINE may invent, or has dropped.
func unknown() [][]byte {
	return [][]byte{
		[]byte(raw("things", "40", fromUser, `"things":{"deviceId":"t2c449c9d1"}`)),
		[]byte(raw("ofTheFuture", "41", fromUser, `"ofTheFuture":[1,2]`)),
		[]byte(message("42", fromUser, `{"id":"42","type":"hologram","depth":3}`)),
		[]byte(message("43", `"source":{"type":"planet","planetId":"P1"}`, `{"id":"43","type":"text","text":"hi"}`)),
	}
}

// broken are events that cannot be attributed or read.
func broken() [][]byte {
	return [][]byte{
		[]byte(`{"mode":"active","timestamp":1700000000000,"webhookEventId":"x1"}`), // no type
		[]byte(`{"type":"message","timestamp":1700000000000,"webhookEventId":"x2","source":null,"message":{"id":"1","type":"text",` +
			`"text":"hi"}}`),
		[]byte(message("52", fromUser, `{"type":"text","text":"no id"}`)),
		[]byte(message("53", fromUser, `{"id":"53","type":"text","text":7}`)),
		[]byte(message("54", fromUser, `"not an object"`)),
		[]byte(message("55", `"source":{"type":"user"}`, `{"id":"55","type":"text","text":"from nobody"}`)),
		[]byte(raw("unsend", "56", fromUser, `"unsend":{}`)),
		[]byte(raw("postback", "57", fromUser, `"postback":{}`)),
		[]byte(`7`),
		[]byte(`null`),
	}
}
