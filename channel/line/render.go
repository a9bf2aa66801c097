package line

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
)

// message is a LINE message object of the kinds that the adapter builds.
type message struct {
	Type               string                  `json:"type"`
	Text               string                  `json:"text,omitempty"`
	Substitution       map[string]substitution `json:"substitution,omitempty"`
	QuoteToken         string                  `json:"quoteToken,omitempty"`
	OriginalContentURL string                  `json:"originalContentUrl,omitempty"`
	PreviewImageURL    string                  `json:"previewImageUrl,omitempty"`
	TrackingID         string                  `json:"trackingId,omitempty"`
	Duration           int64                   `json:"duration,omitempty"`
	Title              string                  `json:"title,omitempty"`
	Address            string                  `json:"address,omitempty"`
	Latitude           *float64                `json:"latitude,omitempty"`
	Longitude          *float64                `json:"longitude,omitempty"`
	PackageID          string                  `json:"packageId,omitempty"`
	StickerID          string                  `json:"stickerId,omitempty"`
	AltText            string                  `json:"altText,omitempty"`
	Template           *template               `json:"template,omitempty"`
	QuickReply         *quickReply             `json:"quickReply,omitempty"`
	Sender             *sender                 `json:"sender,omitempty"`
}

type sender struct {
	Name    string `json:"name,omitempty"`
	IconURL string `json:"iconUrl,omitempty"`
}

type quickReply struct {
	Items []quickReplyItem `json:"items"`
}

type quickReplyItem struct {
	Type   string `json:"type"`
	Action action `json:"action"`
}

type action struct {
	Type        string `json:"type"`
	Label       string `json:"label,omitempty"`
	Text        string `json:"text,omitempty"`
	Data        string `json:"data,omitempty"`
	DisplayText string `json:"displayText,omitempty"`
	URI         string `json:"uri,omitempty"`
	// Of a date picker, and of a choice that copies.
	Mode          string `json:"mode,omitempty"`
	Initial       string `json:"initial,omitempty"`
	Min           string `json:"min,omitempty"`
	Max           string `json:"max,omitempty"`
	ClipboardText string `json:"clipboardText,omitempty"`
}

// render turns one row into its LINE messages, at most MaxMessages. The error
// is a *adapter.SendError. near: the account is one of an emulator on this
// machine, which fetches files over plain http from here.
func render(out adapter.Outbound, near bool) ([]json.RawMessage, error) {
	if out.Content.Kind == channel.KindRich {
		if rich, ok := renderRich(out); ok {
			return []json.RawMessage{rich}, nil
		}
	}
	messages, err := renderKind(out, near)
	if err != nil {
		return nil, err
	}
	more, err := renderAttachments(out, near)
	if err != nil {
		return nil, err
	}
	messages = append(messages, more...)
	if len(messages) > MaxMessages {
		return nil, kit.Permanent(channel.ReasonContent, "the message would take more than five LINE messages; send it in pieces")
	}
	choices, err := renderChoices(out.Content.Choices)
	if err != nil {
		return nil, err
	}
	if choices != nil { // only the last message's quick replies are shown
		messages[len(messages)-1].QuickReply = choices
	}
	quote(messages, out.Content.QuoteHandle)
	from := renderSender(out)
	rendered := make([]json.RawMessage, len(messages))
	for i, m := range messages {
		m.Sender = from
		if rendered[i], err = encode(m); err != nil {
			return nil, kit.Permanent(channel.ReasonContent, "the message cannot be encoded; it holds a number that is none")
		}
	}
	return rendered, nil
}

// quote puts the quote on the first message that can carry one.
func quote(messages []message, handle string) {
	for i := range messages {
		switch messages[i].Type {
		case "text", "textV2", "sticker":
			messages[i].QuoteToken = handle
			return
		}
	}
}

func renderKind(out adapter.Outbound, near bool) ([]message, error) {
	c := out.Content
	switch c.Kind {
	case channel.KindText:
		return renderText(c.Text, c.Spans, out.To.Kind)
	case channel.KindImage, channel.KindVideo, channel.KindAudio, channel.KindFile:
		return renderMedia(out, near)
	case channel.KindLocation:
		return renderLocation(c)
	case channel.KindSticker:
		return renderSticker(c)
	case channel.KindCard:
		return renderCards(c)
	case channel.KindRich:
		if c.Text != "" {
			return renderText(c.Text, nil, out.To.Kind)
		}
		return nil, kit.Permanent(channel.ReasonUnsupported,
			"the rich message is not a LINE message object of at most 50 KB and has no text to send instead")
	}
	return nil, kit.Permanent(channel.ReasonUnsupported, "LINE cannot send content of this kind")
}

func renderText(text string, marked []channel.Span, chat channel.ChatKind) ([]message, error) {
	if strings.TrimSpace(text) == "" {
		return nil, kit.Permanent(channel.ReasonContent, "the text is empty")
	}
	if !utf8.ValidString(text) {
		return nil, kit.Permanent(channel.ReasonContent, "the text is not UTF-8")
	}
	if kit.UTF16(text) > MaxTextUnits {
		return nil, kit.Permanent(channel.ReasonContent, "the text is longer than 20,000 UTF-16 units")
	}
	all := kit.Atoms(text, sendable(marked, chat))
	if !slices.ContainsFunc(all, func(a kit.Atom) bool { return a.Span != nil }) {
		var messages []message
		for _, part := range kit.Split(all, MaxMessageUnits, func(a kit.Atom) int { return kit.UTF16(a.Text) }) {
			messages = append(messages, message{Type: "text", Text: join(part)})
		}
		return messages, nil
	}
	var messages []message
	for _, part := range kit.Split(all, MaxMessageUnits, costV2) {
		messages = append(messages, textV2(part))
	}
	return messages, nil
}

func join(part []kit.Atom) string {
	var b strings.Builder
	for _, a := range part {
		b.WriteString(a.Text)
	}
	return b.String()
}

func renderLocation(c channel.Content) ([]message, error) {
	l := c.Location
	if l == nil || l.Latitude < -90 || l.Latitude > 90 || l.Longitude < -180 || l.Longitude > 180 {
		return nil, kit.Permanent(channel.ReasonContent, "the location has no point on earth")
	}
	point := strconv.FormatFloat(l.Latitude, 'f', 6, 64) + ", " + strconv.FormatFloat(l.Longitude, 'f', 6, 64)
	title := firstOf(l.Title, l.Address, point)
	address := firstOf(l.Address, l.Title, point)
	m := message{
		Type:  "location",
		Title: kit.Shorten(title, 100, kit.UTF16), Address: kit.Shorten(address, 100, kit.UTF16),
		Latitude: &l.Latitude, Longitude: &l.Longitude,
	}
	if m.Title == title && m.Address == address {
		return []message{m}, nil
	}
	// What LINE's 100 characters do not hold follows as text.
	full, err := renderText(title+"\n"+address, nil, channel.ChatUser)
	return append([]message{m}, full...), err
}

func firstOf(choices ...string) string {
	for _, c := range choices {
		if strings.TrimSpace(c) != "" {
			return c
		}
	}
	return ""
}

var digits = regexp.MustCompile(`^[0-9]{1,20}$`)

func renderSticker(c channel.Content) ([]message, error) {
	if c.Sticker == nil || !digits.MatchString(c.Sticker.Package) || !digits.MatchString(c.Sticker.ID) {
		return nil, kit.Permanent(channel.ReasonContent, "a LINE sticker needs the numbers of its package and of itself")
	}
	return []message{{Type: "sticker", PackageID: c.Sticker.Package, StickerID: c.Sticker.ID}}, nil
}

// renderSender is nil when there is nothing that LINE would accept: a missing
// name is better than a refused message.
func renderSender(out adapter.Outbound) *sender {
	var s sender
	if name := strings.TrimSpace(out.SenderName); name != "" && !reserved(name) && utf8.ValidString(name) {
		s.Name = kit.Shorten(name, 20, kit.UTF16)
	}
	if icon, ok := secureURL(out.SenderIcon, 2000); ok {
		s.IconURL = icon
	}
	if s == (sender{}) {
		return nil
	}
	return &s
}

var lineWord = regexp.MustCompile(`LINE|(?i:\bline\b)`)

// reserved: LINE refuses names with words such as its own.
func reserved(name string) bool { return lineWord.MatchString(name) }

// secureURL returns the address percent-encoded when it is https and at most
// n characters.
func secureURL(s string, n int) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", false
	}
	enc := u.String()
	if len(enc) > n || strings.IndexFunc(enc, func(r rune) bool { return r > '~' || r <= ' ' }) >= 0 {
		return "", false
	}
	return enc, true
}

var richTypes = []string{"text", "textV2", "sticker", "image", "video", "audio", "location", "imagemap", "template", "flex", "coupon"}

// renderRich passes a LINE message object through, adding sender and quick
// replies only where it has none. ok is false when it is not such an object.
func renderRich(out adapter.Outbound) (json.RawMessage, bool) {
	given, ok := kit.ParseObject(out.Content.Rich)
	if !ok || len(out.Content.Rich) > 50<<10 || !kit.Shallow(out.Content.Rich, maxDepth) || !slices.Contains(richTypes, given.Str("type")) {
		return nil, false
	}
	rich := given.Fields()
	choices, err := renderChoices(out.Content.Choices)
	if err != nil {
		return nil, false
	}
	if _, has := rich["quickReply"]; !has && choices != nil {
		if rich["quickReply"], err = encode(choices); err != nil {
			return nil, false
		}
	}
	if from := renderSender(out); from != nil && rich["sender"] == nil {
		if rich["sender"], err = encode(from); err != nil {
			return nil, false
		}
	}
	whole, err := encode(rich)
	return whole, err == nil
}
