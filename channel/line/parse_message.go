package line

import (
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// parseMessage reads the message of a message or messageEdited event.
func parseMessage(msg object, src source, in inbound, kind channel.EventKind) (channel.Inbound, error) {
	in.Kind = kind
	in.MessageID = channel.ProviderMessageID(msg.id("id"))
	if in.MessageID == "" || len(in.MessageID) > 200 {
		return channel.Inbound{}, errs.New(errs.Invalid, "line: the %s event has no usable message id", kind)
	}
	name := msg.str("type")
	if name == "" {
		return channel.Inbound{}, errs.New(errs.Invalid, "line: the message has no type")
	}
	content, known, err := messageContent(name, msg)
	if err != nil {
		return channel.Inbound{}, err
	}
	if !known {
		// Parsed as far as every message goes, so that it has its place in the
		// conversation.
		in = unsupported(in, "message/"+name)
	} else {
		in.Content = content
		in.Type = name
	}
	in.Content.QuoteOf = channel.ProviderMessageID(msg.id("quotedMessageId"))
	in.Content.QuoteHandle = msg.str("quoteToken")
	in.ReadHandle = msg.str("markAsReadToken")
	return attributed(in, src)
}

func messageContent(name string, msg object) (c channel.Content, known bool, err error) {
	switch name {
	case "text":
		text, ok := msg.text("text")
		if !ok {
			return c, false, errs.New(errs.Invalid, "line: the text message has no text")
		}
		return channel.Content{Kind: channel.KindText, Text: text, Spans: spans(text, msg)}, true, nil
	case "image":
		c = channel.Content{Kind: channel.KindImage, Media: media(msg)}
		set := msg.object("imageSet")
		c.Media.SetID = set.id("id")
		c.Media.SetIndex = small(set, "index")
		c.Media.SetTotal = small(set, "total")
	case "video":
		c = channel.Content{Kind: channel.KindVideo, Media: media(msg)}
	case "audio":
		c = channel.Content{Kind: channel.KindAudio, Media: media(msg)}
	case "file":
		c = channel.Content{Kind: channel.KindFile, Media: media(msg)}
		c.Media.Name = safeName(msg.str("fileName"))
		if size, ok := msg.int("fileSize"); ok && size > 0 {
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
	n, ok := o.int(key)
	if !ok || n < 0 || n > 1000 {
		return 0
	}
	return int(n)
}

// media refers to LINE's copy, or to the outside address of an external
// provider, which LINE does not serve.
func media(msg object) *channel.Media {
	m := &channel.Media{State: "pending"}
	if ms, ok := msg.int("duration"); ok && ms > 0 && ms < (24*time.Hour*365).Milliseconds() {
		m.Duration = time.Duration(ms) * time.Millisecond
	}
	provider := msg.object("contentProvider")
	if provider.str("type") != "external" {
		m.Provider = msg.id("id")
		return m
	}
	m.URL = webAddress(provider.str("originalContentUrl"))
	m.Preview = webAddress(provider.str("previewImageUrl"))
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
	l := &channel.Location{Title: msg.str("title"), Address: msg.str("address")}
	l.Latitude, _ = msg.float("latitude")
	l.Longitude, _ = msg.float("longitude")
	text := l.Title
	if l.Address != "" && l.Address != l.Title {
		text = strings.TrimSpace(text + " " + l.Address)
	}
	return channel.Content{Kind: channel.KindLocation, Location: l, Text: text}
}

func sticker(msg object) channel.Content {
	s := &channel.Sticker{
		Package: msg.id("packageId"),
		ID:      msg.id("stickerId"),
		Kind:    msg.str("stickerResourceType"),
		Text:    msg.str("text"),
	}
	keywords := msg.list("keywords")
	for _, raw := range keywords[:min(len(keywords), 15)] { // LINE's own limit
		keyword, _ := toText(raw)
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
