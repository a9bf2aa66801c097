package line

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
)

// object is a JSON object read field by field. Compared with a struct, field
// names are exact in case, the last of duplicate keys wins without being
// merged, and a field of another type than expected spoils nothing but itself.
type object map[string]json.RawMessage

func toObject(raw []byte) (object, bool) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil || o == nil {
		return nil, false
	}
	return o, true
}

// object returns the object under key, or nil.
func (o object) object(key string) object {
	sub, _ := toObject(o[key])
	return sub
}

// list returns the array under key, or nil.
func (o object) list(key string) []json.RawMessage {
	var l []json.RawMessage
	if json.Unmarshal(o[key], &l) != nil {
		return nil
	}
	return l
}

// text returns a string.
func (o object) text(key string) (string, bool) {
	raw := bytes.TrimSpace(o[key])
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// str is text without the second result.
func (o object) str(key string) string {
	s, _ := o.text(key)
	return s
}

// id returns a string, or the digits of a number: LINE documents some ids as
// numbers and sends them as strings, and some exceed 2^53.
func (o object) id(key string) string {
	if s, ok := o.text(key); ok {
		return s
	}
	digits := string(bytes.TrimSpace(o[key]))
	if digits == "" || len(digits) > 40 || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return digits
}

func (o object) int(key string) (int64, bool) {
	var n json.Number
	if json.Unmarshal(o[key], &n) != nil {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

func (o object) float(key string) (float64, bool) {
	var f *float64
	if json.Unmarshal(o[key], &f) != nil || f == nil {
		return 0, false
	}
	return *f, true
}

func (o object) bool(key string) bool {
	var b bool
	return json.Unmarshal(o[key], &b) == nil && b
}

// latest is the last instant that JSON and every store can hold.
var latest = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// time reads milliseconds since 1970; the zero time when absent or absurd.
func (o object) time(key string) time.Time {
	ms, ok := o.int(key)
	if !ok || ms <= 0 || ms >= latest.UnixMilli() {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// source is where an event came from.
type source struct {
	kind string // as sent; empty when there is none
	chat channel.Chat
	user channel.ProviderUserID
}

func readSource(event object) source {
	o := event.object("source")
	s := source{kind: o.str("type"), user: channel.ProviderUserID(o.id("userId"))}
	switch s.kind {
	case "user":
		s.chat = channel.Chat{Kind: channel.ChatUser, ID: string(s.user)}
	case "group":
		s.chat = channel.Chat{Kind: channel.ChatGroup, ID: o.id("groupId")}
	case "room":
		s.chat = channel.Chat{Kind: channel.ChatRoom, ID: o.id("roomId")}
	}
	return s
}
