package line

import (
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
)

// parseMessage reads the message of a message or messageEdited event.
func parseMessage(msg object, src source, in inbound, kind adapter.EventKind) (adapter.Inbound, error) {
	in.Kind = kind
	in.MessageID = channel.ProviderMessageID(msg.ID("id"))
	if in.MessageID == "" || len(in.MessageID) > 200 {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the %s event has no usable message id", kind)
	}
	name := msg.Str("type")
	if name == "" {
		return adapter.Inbound{}, errs.New(errs.Invalid, "line: the message has no type")
	}
	content, known, err := messageContent(name, msg)
	if err != nil {
		return adapter.Inbound{}, err
	}
	if !known {
		// Parsed as far as every message goes, so that it has its place in the
		// conversation.
		in = unsupported(in, "message/"+name)
	} else {
		in.Content = content
		in.Type = name
	}
	in.Content.QuoteOf = channel.ProviderMessageID(msg.ID("quotedMessageId"))
	in.Content.QuoteHandle = msg.Str("quoteToken")
	in.ReadHandle = msg.Str("markAsReadToken")
	return attributed(in, src)
}

func messageContent(name string, msg object) (c channel.Content, known bool, err error) {
	switch name {
	case "text":
		text, ok := msg.Text("text")
		if !ok {
			return c, false, errs.New(errs.Invalid, "line: the text message has no text")
		}
		return channel.Content{Kind: channel.KindText, Text: text, Spans: spans(text, msg)}, true, nil
	case "image":
		c = channel.Content{Kind: channel.KindImage, Media: media(msg)}
		set := msg.Object("imageSet")
		c.Media.SetID = set.ID("id")
		c.Media.SetIndex = small(set, "index")
		c.Media.SetTotal = small(set, "total")
	case "video":
		c = channel.Content{Kind: channel.KindVideo, Media: media(msg)}
	case "audio":
		c = channel.Content{Kind: channel.KindAudio, Media: media(msg)}
	case "file":
		c = channel.Content{Kind: channel.KindFile, Media: media(msg)}
		c.Media.Name = safeName(msg.Str("fileName"))
		if size, ok := msg.Int("fileSize"); ok && size > 0 {
			c.Media.Size = size
		}
	case "location":
		return location(msg), true, nil
	case "sticker":
		return sticker(msg), true, nil
	default:
		return c, false, nil
	}
	return c, true, nil
}

func small(o object, key string) int {
	n, ok := o.Int(key)
	if !ok || n < 0 || n > 1000 {
		return 0
	}
	return int(n)
}

// media refers to LINE's copy, or to the outside address of an external
// provider, which LINE does not serve.
func media(msg object) *channel.Media {
	m := &channel.Media{State: "pending"}
	if ms, ok := msg.Int("duration"); ok && ms > 0 && ms < (24*time.Hour*365).Milliseconds() {
		m.Duration = time.Duration(ms) * time.Millisecond
	}
	provider := msg.Object("contentProvider")
	if provider.Str("type") != "external" {
		m.Provider = msg.ID("id")
		return m
	}
	m.URL = webAddress(provider.Str("originalContentUrl"))
	m.Preview = webAddress(provider.Str("previewImageUrl"))
	if m.URL == "" {
		m.State = "failed"
	}
	return m
}

func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") || len(s) > 2000 {
		return ""
	}
	return u.String()
}

func location(msg object) channel.Content {
	l := &channel.Location{Title: msg.Str("title"), Address: msg.Str("address")}
	l.Latitude, _ = msg.Float("latitude")
	l.Longitude, _ = msg.Float("longitude")
	text := l.Title
	if l.Address != "" && l.Address != l.Title {
		text = strings.TrimSpace(text + " " + l.Address)
	}
	return channel.Content{Kind: channel.KindLocation, Location: l, Text: text}
}

func sticker(msg object) channel.Content {
	s := &channel.Sticker{
		Package: msg.ID("packageId"),
		ID:      msg.ID("stickerId"),
		Kind:    msg.Str("stickerResourceType"),
		Text:    msg.Str("text"),
	}
	keywords := msg.List("keywords")
	for _, raw := range keywords[:min(len(keywords), 15)] { // LINE's own limit
		keyword, _ := kit.TextOf(raw)
		s.Keywords = append(s.Keywords, keyword)
	}
	return channel.Content{Kind: channel.KindSticker, Sticker: s, Text: s.Text}
}

// safeName makes an attacker's file name harmless to show and to store: no
// directories, control, direction or invisible characters, no device names,
// bounded length.
func safeName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		case strings.ContainsRune(`<>:"/\|?*`, r):
			return '_'
		}
		return r
	}, name)
	name = strings.Trim(name, " .")
	if len(name) > 150 {
		ext := path.Ext(name)
		if len(ext) > 12 {
			ext = ""
		}
		name = clip(strings.TrimSuffix(name, ext), 150-len(ext)) + ext
	}
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch {
	case name == "":
		return "file"
	case stem == "CON" || stem == "PRN" || stem == "AUX" || stem == "NUL",
		len(stem) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")):
		return "_" + name
	}
	return name
}
