package linetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/rivo/uniseg"

	"github.com/sangdam/sangdam/channel"
)

// invalid refuses what LINE refuses, in LINE's error form, or returns nil. The
// limits are those of the Messaging API reference. The lock is held.
func (s *Server) invalid(messages []json.RawMessage, chatKind string) *reply {
	var c checker
	if len(messages) < 1 || len(messages) > 5 {
		c.add("messages", "Size must be between 1 and 5")
	}
	for i, raw := range messages {
		c.message(fmt.Sprintf("messages[%d]", i), raw, chatKind)
	}
	if len(c.details) == 0 {
		return nil
	}
	bad := fail(http.StatusBadRequest, fmt.Sprintf("The request body has %d error(s)", len(c.details)), c.details...)
	return &bad
}

type checker struct{ details []detail }

func (c *checker) add(property, text string) {
	c.details = append(c.details, detail{Message: text, Property: property})
}

func utf16Units(s string) int { return len(utf16.Encode([]rune(s))) }

// text checks presence and length by count.
func (c *checker) text(at string, m map[string]any, key string, limit int, required bool, count func(string) int) {
	v, has := m[key]
	s, ok := v.(string)
	switch {
	case !has && !required:
	case !ok || required && s == "":
		c.add(at+"."+key, "May not be empty")
	case count(s) > limit:
		c.add(at+"."+key, fmt.Sprintf("Length must be between 0 and %d", limit))
	}
}

func (c *checker) address(at string, m map[string]any, key string, required bool) {
	s, _ := m[key].(string)
	if s == "" && !required {
		return
	}
	u, err := url.Parse(s)
	if err == nil && u.Scheme == "http" && loopback(u.Hostname()) {
		return // a file of this machine, for whoever tries the emulator out
	}
	if err != nil || u.Scheme != "https" || u.Host == "" || len(s) > 2000 || strings.IndexFunc(s,
		func(r rune) bool { return r > '~' || r <= ' ' }) >= 0 {
		c.add(at+"."+key, "invalid uri scheme")
	}
}

func (c *checker) list(at string, m map[string]any, key string, low, high int) []any {
	l, _ := m[key].([]any)
	if len(l) < low || len(l) > high {
		c.add(at+"."+key, fmt.Sprintf("Size must be between %d and %d", low, high))
		return nil
	}
	return l
}

func (c *checker) message(at string, raw json.RawMessage, chatKind string) {
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil || m == nil {
		c.add(at, "Must be an object")
		return
	}
	kind, _ := m["type"].(string)
	switch kind {
	case "text":
		c.text(at, m, "text", 5000, true, utf16Units)
		c.emojis(at, m)
	case "textV2":
		c.text(at, m, "text", 5000, true, utf16Units)
		c.substitution(at, m, chatKind)
	case "sticker":
		c.text(at, m, "packageId", 20, true, utf16Units)
		c.text(at, m, "stickerId", 20, true, utf16Units)
	case "image":
		c.address(at, m, "originalContentUrl", true)
		c.address(at, m, "previewImageUrl", true)
	case "video":
		c.address(at, m, "originalContentUrl", true)
		c.address(at, m, "previewImageUrl", true)
		c.text(at, m, "trackingId", 100, false, utf16Units)
		if _, has := m["trackingId"]; has && chatKind != "user" {
			c.add(at+".trackingId", "trackingId is not available in groups and rooms")
		}
	case "audio":
		c.address(at, m, "originalContentUrl", true)
		if d, ok := m["duration"].(float64); !ok || d <= 0 {
			c.add(at+".duration", "Must be greater than 0")
		}
	case "location":
		c.location(at, m)
	case "imagemap":
		c.text(at, m, "altText", 1500, true, utf16Units)
		c.address(at, m, "baseUrl", true)
		c.list(at, m, "actions", 1, 50)
	case "template":
		c.text(at, m, "altText", 1500, true, utf16Units)
		c.template(at+".template", m)
	case "flex":
		c.text(at, m, "altText", 1500, true, utf16Units)
		c.flex(at+".contents", raw)
	case "coupon":
		c.text(at, m, "couponId", 100, true, utf16Units)
	default:
		c.add(at+".type", "Must be one of the following values: [text, textV2, sticker, image, video, audio, location, imagemap, "+
			"template, flex, coupon]")
		return
	}
	if _, has := m["quoteToken"]; has && kind != "text" && kind != "textV2" && kind != "sticker" {
		c.add(at+".quoteToken", "quoteToken cannot be used with this message")
	}
	c.sender(at, m)
	c.quickReply(at, m)
}

func (c *checker) emojis(at string, m map[string]any) {
	if _, has := m["emojis"]; has {
		c.list(at, m, "emojis", 0, 20)
	}
}

var (
	placeholder = regexp.MustCompile(`^[0-9A-Za-z_]{1,20}$`)
	lineWord    = regexp.MustCompile(`LINE|(?i:\bline\b)`)
)

func (c *checker) substitution(at string, m map[string]any, chatKind string) {
	subs, _ := m["substitution"].(map[string]any)
	text, _ := m["text"].(string)
	used, ok := placeholders(text)
	if !ok {
		c.add(at+".text", "Braces must be doubled or enclose a key of substitution")
	}
	if len(subs) > 100 {
		c.add(at+".substitution", "Size must be between 0 and 100")
	}
	for _, key := range used {
		if _, has := subs[key]; !has {
			c.add(at+".text", "A placeholder has no entry in substitution")
		}
	}
	mentions, emoji := 0, 0
	for key, v := range subs {
		sub, _ := v.(map[string]any)
		switch kind, _ := sub["type"].(string); {
		case !placeholder.MatchString(key):
			c.add(at+".substitution", "A key is invalid")
		case kind == "mention" && chatKind == "user":
			c.add(at+".substitution."+key, "Mentions are available in groups and rooms only")
		case kind == "mention":
			mentions++
		case kind == "emoji":
			emoji++
			c.text(at+".substitution."+key, sub, "productId", 100, true, utf16Units)
			c.text(at+".substitution."+key, sub, "emojiId", 100, true, utf16Units)
		default:
			c.add(at+".substitution."+key+".type", "Must be one of the following values: [mention, emoji]")
		}
	}
	if mentions > 20 || emoji > 20 {
		c.add(at+".substitution", "Too many mentions or emoji")
	}
}

// placeholders reads {key} and skips {{ and }}.
func placeholders(text string) (keys []string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			if strings.HasPrefix(text[i:], "{{") {
				i++
				continue
			}
			end := strings.IndexByte(text[i:], '}')
			if end < 0 || !placeholder.MatchString(text[i+1:i+end]) {
				return keys, false
			}
			keys = append(keys, text[i+1:i+end])
			i += end
		case '}':
			if !strings.HasPrefix(text[i:], "}}") {
				return keys, false
			}
			i++
		}
	}
	return keys, true
}

func (c *checker) location(at string, m map[string]any) {
	c.text(at, m, "title", 100, true, utf16Units)
	c.text(at, m, "address", 100, true, utf16Units)
	lat, okLat := m["latitude"].(float64)
	lon, okLon := m["longitude"].(float64)
	if !okLat || lat < -90 || lat > 90 {
		c.add(at+".latitude", "Must be between -90 and 90")
	}
	if !okLon || lon < -180 || lon > 180 {
		c.add(at+".longitude", "Must be between -180 and 180")
	}
}

func (c *checker) sender(at string, m map[string]any) {
	s, has := m["sender"].(map[string]any)
	if !has {
		return
	}
	c.text(at+".sender", s, "name", 20, false, utf16Units)
	if name, _ := s["name"].(string); lineWord.MatchString(name) {
		c.add(at+".sender.name", "The name has a word that cannot be used")
	}
	c.address(at+".sender", s, "iconUrl", false)
}

func (c *checker) quickReply(at string, m map[string]any) {
	q, has := m["quickReply"].(map[string]any)
	if !has {
		return
	}
	at += ".quickReply"
	for i, item := range c.list(at, q, "items", 1, 13) {
		o, _ := item.(map[string]any)
		a, _ := o["action"].(map[string]any)
		c.action(fmt.Sprintf("%s.items[%d].action", at, i), a, true)
	}
}

func (c *checker) action(at string, a map[string]any, labelled bool) {
	count := uniseg.GraphemeClusterCount
	c.text(at, a, "label", 20, labelled, count)
	switch kind, _ := a["type"].(string); kind {
	case "message":
		c.text(at, a, "text", 300, true, count)
	case "postback":
		c.text(at, a, "data", 300, true, utf16Units)
		c.text(at, a, "displayText", 300, false, count)
		c.text(at, a, "fillInText", 300, false, count)
	case "uri":
		c.text(at, a, "uri", 1000, true, utf16Units)
		s, _ := a["uri"].(string)
		u, err := url.Parse(s)
		if err != nil || !slices.Contains([]string{"http", "https", "line", "tel"}, u.Scheme) {
			c.add(at+".uri", "invalid uri scheme")
		}
	case "clipboard":
		c.text(at, a, "clipboardText", 1000, true, utf16Units)
	case "richmenuswitch":
		c.text(at, a, "data", 300, true, utf16Units)
	case "datetimepicker":
		c.text(at, a, "data", 300, true, utf16Units)
		c.picker(at, a)
	case "camera", "cameraRoll", "location":
		if !strings.Contains(at, ".quickReply.") {
			c.add(at+".type", "This action is available in quick replies only")
		}
	default:
		c.add(at+".type", "Must be a type of action")
	}
}

// picker checks mode and values of a datetimepicker.
func (c *checker) picker(at string, a map[string]any) {
	read := func(key string) string { v, _ := a[key].(string); return v }
	p := channel.Picker{Mode: channel.PickerMode(read("mode")), Initial: read("initial"), Min: read("min"), Max: read("max")}
	if p.Valid() != nil {
		c.add(at, "mode, initial, min or max of the datetimepicker is invalid")
	}
	for _, key := range []string{"initial", "min", "max"} {
		if v := read(key); v != "" && p.Mode != channel.PickTime && (v < "1900-01-01" || v > "2100-12-31T23:59") {
			c.add(at+"."+key, "Must be from 1900-01-01 to 2100-12-31")
		}
	}
}

func (c *checker) template(at string, m map[string]any) {
	t, _ := m["template"].(map[string]any)
	count := uniseg.GraphemeClusterCount
	switch kind, _ := t["type"].(string); kind {
	case "confirm":
		c.text(at, t, "text", 240, true, count)
		c.actions(at, t, 2, 2)
	case "buttons":
		c.illustrated(at, t, 160, 4)
	case "carousel":
		columns := c.list(at, t, "columns", 1, 10)
		c.uniform(at, columns)
		for i, col := range columns {
			o, _ := col.(map[string]any)
			c.illustrated(fmt.Sprintf("%s.columns[%d]", at, i), o, 120, 3)
		}
	case "image_carousel":
		for i, col := range c.list(at, t, "columns", 1, 10) {
			o, _ := col.(map[string]any)
			here := fmt.Sprintf("%s.columns[%d]", at, i)
			c.address(here, o, "imageUrl", true)
			a, _ := o["action"].(map[string]any)
			c.text(here+".action", a, "label", 12, false, count)
			c.action(here+".action", a, false)
		}
	default:
		c.add(at+".type", "Must be one of the following values: [buttons, confirm, carousel, image_carousel]")
	}
}

// illustrated checks a buttons template or a column: its text is shorter with
// a title or a picture.
func (c *checker) illustrated(at string, t map[string]any, plain, actions int) {
	count := uniseg.GraphemeClusterCount
	limit := plain
	if t["title"] != nil || t["thumbnailImageUrl"] != nil {
		limit = 60
	}
	c.text(at, t, "text", limit, true, count)
	c.text(at, t, "title", 40, false, count)
	c.address(at, t, "thumbnailImageUrl", false)
	c.actions(at, t, 1, actions)
}

func (c *checker) actions(at string, t map[string]any, low, high int) {
	for i, raw := range c.list(at, t, "actions", low, high) {
		a, _ := raw.(map[string]any)
		c.action(fmt.Sprintf("%s.actions[%d]", at, i), a, true)
	}
}

// uniform: all columns have a picture or none, a title or none, and the same
// number of actions.
func (c *checker) uniform(at string, columns []any) {
	shape := func(v any) string {
		o, _ := v.(map[string]any)
		l, _ := o["actions"].([]any)
		return fmt.Sprint(o["title"] != nil, o["thumbnailImageUrl"] != nil, len(l))
	}
	for _, col := range columns {
		if shape(col) != shape(columns[0]) {
			c.add(at+".columns", "Columns must have the same shape")
			return
		}
	}
}

const (
	maxBubble       = 30 << 10
	maxFlexCarousel = 50 << 10
)

func (c *checker) flex(at string, raw json.RawMessage) {
	var m struct {
		Contents json.RawMessage `json:"contents"`
	}
	var kind struct {
		Type     string            `json:"type"`
		Contents []json.RawMessage `json:"contents"`
	}
	if json.Unmarshal(raw, &m) != nil || json.Unmarshal(m.Contents, &kind) != nil {
		c.add(at, "Must be an object")
		return
	}
	switch kind.Type {
	case "bubble":
		if len(m.Contents) > maxBubble {
			c.add(at, "Size must be at most 30 KB")
		}
	case "carousel":
		if len(kind.Contents) < 1 || len(kind.Contents) > 12 {
			c.add(at+".contents", "Size must be between 1 and 12")
		}
		if len(m.Contents) > maxFlexCarousel {
			c.add(at, "Size must be at most 50 KB")
		}
	default:
		c.add(at+".type", "Must be one of the following values: [bubble, carousel]")
	}
}
