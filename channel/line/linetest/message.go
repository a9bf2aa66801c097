package linetest

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf16"
)

// Message is what a customer sends. Make one with Text, Image, Video, Audio,
// File, Location, Sticker or Unknown.
type Message struct {
	kind     string
	fields   fields
	content  *content
	quotable bool
	quote    string
}

// posted is a customer's message that the emulator remembers.
type posted struct {
	id      string
	chat    *Chat
	by      *User
	kind    string
	at      time.Time
	unsent  bool
	content *content
}

// Text is a text message.
func Text(text string) Message {
	return Message{kind: "text", fields: fields{{"text", text}}, quotable: true}
}

// Mark is an emoji or mention in a text. Give the piece of text it covers.
type Mark struct {
	Piece string
	// ProductID and EmojiID make it a LINE emoji.
	ProductID, EmojiID string
	// User makes it a mention, All one of everybody, Self one of the account.
	User      *User
	All, Self bool
}

// MarkedText is a text message in which the first occurrence of each Mark's
// piece is an emoji or a mention.
func (s *Server) MarkedText(text string, marks ...Mark) Message {
	emojis, mentionees := []any{}, []any{}
	for _, m := range marks {
		index, length, ok := utf16Index(text, m.Piece)
		if !ok {
			continue
		}
		place := fields{{"index", index}, {"length", length}}
		switch {
		case m.EmojiID != "":
			emojis = append(emojis, append(place, field{"productId", m.ProductID}, field{"emojiId", m.EmojiID}))
		case m.All:
			mentionees = append(mentionees, append(place, field{"type", "all"}))
		case m.Self:
			mentionees = append(mentionees, append(place, field{"type", "user"}, field{"userId", s.botID}, field{"isSelf", true}))
		case m.User != nil:
			mentionees = append(mentionees, append(place, field{"type", "user"}, field{"userId", m.User.id}, field{"isSelf", false}))
		}
	}
	msg := Text(text)
	if len(emojis) > 0 {
		msg.fields = append(msg.fields, field{"emojis", emojis})
	}
	if len(mentionees) > 0 {
		msg.fields = append(msg.fields, field{"mention", fields{{"mentionees", mentionees}}})
	}
	return msg
}

// utf16Index finds piece and counts as LINE does.
func utf16Index(text, piece string) (index, length int, ok bool) {
	whole, part := utf16.Encode([]rune(text)), utf16.Encode([]rune(piece))
	for i := 0; len(part) > 0 && i+len(part) <= len(whole); i++ {
		if slices.Equal(whole[i:i+len(part)], part) {
			return i, len(part), true
		}
	}
	return 0, 0, false
}

// Image is a picture whose content the account can fetch.
func Image(mediaType string, data []byte) Message {
	return Message{kind: "image", quotable: true, content: &content{mediaType: mediaType, data: data},
		fields: fields{{"contentProvider", map[string]string{"type": "line"}}}}
}

// ExternalImage is a picture that LINE does not keep.
func ExternalImage(url, preview string) Message {
	return Message{kind: "image", quotable: true, fields: fields{{"contentProvider",
		fields{{"type", "external"}, {"originalContentUrl", url}, {"previewImageUrl", preview}}}}}
}

// Video is a film; its content is not ready for the first unready fetches.
func Video(mediaType string, data []byte, length time.Duration, unready int) Message {
	return Message{kind: "video", quotable: true, content: &content{mediaType: mediaType, data: data, unready: unready, slow: true},
		fields: fields{{"duration", length.Milliseconds()}, {"contentProvider", map[string]string{"type": "line"}}}}
}

// Audio is a sound.
func Audio(mediaType string, data []byte, length time.Duration) Message {
	return Message{kind: "audio", content: &content{mediaType: mediaType, data: data, slow: true},
		fields: fields{{"duration", length.Milliseconds()}, {"contentProvider", map[string]string{"type": "line"}}}}
}

// File is any file.
func File(name, mediaType string, data []byte) Message {
	return Message{kind: "file", content: &content{mediaType: mediaType, data: data},
		fields: fields{{"fileName", name}, {"fileSize", len(data)}}}
}

// Location is a place.
func Location(title, address string, latitude, longitude float64) Message {
	f := fields{}
	if title != "" {
		f = append(f, field{"title", title})
	}
	if address != "" {
		f = append(f, field{"address", address})
	}
	return Message{kind: "location", fields: append(f, field{"latitude", latitude}, field{"longitude", longitude})}
}

// Sticker is a sticker.
func Sticker(packageID, stickerID string, keywords ...string) Message {
	f := fields{{"packageId", packageID}, {"stickerId", stickerID}, {"stickerResourceType", "STATIC"}}
	if len(keywords) > 0 {
		f = append(f, field{"keywords", keywords})
	}
	return Message{kind: "sticker", fields: f, quotable: true}
}

// Unknown is a message of a type that does not exist.
func Unknown(kind string) Message {
	return Message{kind: kind, fields: fields{{"novelty", "yes"}}}
}

// reads is what one reads of the message.
func (m Message) reads() string {
	if m.kind == "text" {
		for _, f := range m.fields {
			if text, ok := f.value.(string); ok && f.key == "text" {
				return text
			}
		}
	}
	return "[" + m.kind + "]"
}

// Quoting makes the message an answer to an earlier one.
func (m Message) Quoting(messageID string) Message {
	m.quote = messageID
	return m
}

// Send lets the user write in the one-to-one chat.
func (u *User) Send(m Message) Posted { return u.Chat.Send(u, m) }

// SendText lets the user write.
func (u *User) SendText(text string) Posted { return u.Send(Text(text)) }

// SendAlbum sends pictures as one set. Their events come in undefined order,
// here reversed.
func (u *User) SendAlbum(pictures ...Message) []Posted {
	u.srv.mu.Lock()
	set := u.srv.nextMessageID()
	u.srv.mu.Unlock()
	all := make([]Posted, len(pictures))
	for i := len(pictures) - 1; i >= 0; i-- {
		m := pictures[i]
		m.fields = append(slices.Clone(m.fields), field{"imageSet", fields{{"id", set}, {"index", i + 1}, {"total", len(pictures)}}})
		all[i] = u.Send(m)
	}
	return all
}

// SendText lets a member write in the chat.
func (c *Chat) SendText(by *User, text string) Posted { return c.Send(by, Text(text)) }

// Send lets a member write in the chat.
func (c *Chat) Send(by *User, m Message) Posted {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	return c.send(by, m)
}

// send is Send; the lock is held.
func (c *Chat) send(by *User, m Message) Posted {
	s := c.srv
	if c.kind == "user" {
		by.wrote = s.now()
	}
	p := &posted{id: s.nextMessageID(), chat: c, by: by, kind: m.kind, at: s.now()}
	if m.content != nil { // the same Message may be sent again
		own := *m.content
		p.content = &own
	}
	s.messages.Put(p.id, p)
	by.keepSent(controlSentMessage{ID: p.id, Kind: p.kind, Text: m.reads(), Message: m.fields})
	msg := fields{{"type", m.kind}, {"id", p.id}}
	msg = append(msg, m.fields...)
	if m.quotable {
		msg = append(msg, field{"quoteToken", "q" + s.hex(40)})
	}
	if m.quote != "" {
		msg = append(msg, field{"quotedMessageId", m.quote})
	}
	read := "r" + s.hex(40)
	s.reads.Put(read, p.id)
	msg = append(msg, field{"markAsReadToken", read})
	out := s.emit(event{kind: "message", chat: c, by: by, replyable: true, fields: fields{{"message", msg}}})
	out.MessageID = p.id
	return out
}

// Edit changes the text of a message in a group, the only place where LINE
// lets users edit.
func (c *Chat) Edit(messageID, text string) (Posted, error) {
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.messages.Get(messageID)
	if !ok || p.chat != c || p.kind != "text" || c.kind != "group" || p.unsent {
		return Posted{}, fmt.Errorf("linetest: message %s cannot be edited: only texts in groups can", messageID)
	}
	token := "q" + s.hex(40)
	out := s.emit(event{kind: "messageEdited", chat: c, by: p.by, replyable: true, fields: fields{
		{"message", fields{{"type", "text"}, {"id", p.id}, {"quoteToken", token}, {"text", text}}}}})
	out.MessageID = p.id
	return out, nil
}

// Unsend takes a message back; its content is gone.
func (c *Chat) Unsend(messageID string) (Posted, error) {
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.messages.Get(messageID)
	if !ok || p.chat != c || p.unsent {
		return Posted{}, fmt.Errorf("linetest: message %s cannot be unsent: it is not there", messageID)
	}
	p.unsent = true
	for i := range p.by.sent {
		if p.by.sent[i].ID == p.id {
			s.entries++
			p.by.sent[i].Unsent, p.by.sent[i].Message, p.by.sent[i].changed = true, nil, s.entries
		}
	}
	if p.content != nil {
		p.content = &content{gone: true}
	}
	out := s.emit(event{kind: "unsend", chat: c, by: p.by, fields: fields{{"unsend", map[string]string{"messageId": p.id}}}})
	out.MessageID = p.id
	return out, nil
}
