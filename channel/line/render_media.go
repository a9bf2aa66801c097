package line

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
)

// maxTracking is the longest tracking id of a video.
const maxTracking = 100

// renderMedia sends what LINE can show as such, and a link otherwise. LINE
// fetches media itself, so there must be an https address.
func renderMedia(out adapter.Outbound, near bool) ([]message, error) {
	c := out.Content
	if c.Media == nil {
		return nil, kit.Permanent(channel.ReasonContent, "the attachment is missing")
	}
	address, ok := fileURL(c.Media.URL, near)
	if !ok {
		return nil, kit.Permanent(channel.ReasonContent,
			"the attachment has no public https address of at most 2,000 characters, from which LINE could fetch it")
	}
	m, ok := nativeMedia(c, address, near)
	if m.Type == "video" && c.Media.Track && out.To.Kind == channel.ChatUser && len(out.Message) <= maxTracking {
		m.TrackingID = string(out.Message) // LINE has none in groups and rooms
	}
	if !ok {
		return renderText(linkText(c, address), nil, out.To.Kind)
	}
	if strings.TrimSpace(c.Text) == "" {
		return []message{m}, nil
	}
	caption, err := renderText(c.Text, c.Spans, out.To.Kind)
	return append([]message{m}, caption...), err
}

// renderAttachments sends each further file as a message of its own.
func renderAttachments(out adapter.Outbound, near bool) ([]message, error) {
	var all []message
	for _, m := range out.Content.Attachments {
		one := out
		one.Content = channel.Content{Kind: channel.KindOf(m.Type), Media: &m}
		messages, err := renderMedia(one, near)
		if err != nil {
			return nil, err
		}
		all = append(all, messages...)
	}
	return all, nil
}

func nativeMedia(c channel.Content, address string, near bool) (message, bool) {
	preview, hasPreview := fileURL(c.Media.Preview, near)
	m := message{Type: string(c.Kind), OriginalContentURL: address, PreviewImageURL: preview}
	kind, _, _ := strings.Cut(strings.ToLower(c.Media.Type), ";")
	is := func(types ...string) bool { return kind == "" || slices.Contains(types, kind) }
	switch c.Kind {
	case channel.KindImage:
		if !hasPreview {
			m.PreviewImageURL = address
		}
		return m, is("image/jpeg", "image/png") && c.Media.Size <= 10<<20
	case channel.KindVideo:
		return m, hasPreview && is("video/mp4") && c.Media.Size <= 200<<20
	case channel.KindAudio:
		m.PreviewImageURL = ""
		m.Duration = c.Media.Duration.Milliseconds()
		return m, m.Duration > 0 && is("audio/mpeg", "audio/mp3", "audio/mp4", "audio/m4a", "audio/x-m4a") && c.Media.Size <= 200<<20
	}
	return message{}, false
}

// fileURL is secureURL, and for an emulator on this machine also an address of
// this machine over plain http.
func fileURL(address string, near bool) (string, bool) {
	rest, plain := strings.CutPrefix(address, "http://")
	if !plain || !near {
		return secureURL(address, 2000)
	}
	enc, ok := secureURL("https://"+rest, 2000)
	u, err := url.Parse(enc)
	if !ok || err != nil || !kit.Loopback(u.Hostname()) {
		return "", false
	}
	return "http" + strings.TrimPrefix(enc, "https"), true
}

// linkText is the fallback: caption, name and address.
func linkText(c channel.Content, address string) string {
	var lines []string
	for _, s := range []string{c.Text, c.Media.Name, address} {
		if strings.TrimSpace(s) != "" {
			lines = append(lines, s)
		}
	}
	return strings.Join(lines, "\n")
}
