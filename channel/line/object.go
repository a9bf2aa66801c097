package line

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
)

// object is a JSON object read field by field. Compared with a struct, field
// names are exact in case, the last of duplicate keys wins without being
// merged, and a field of another type than expected spoils nothing but itself.
// Its values alias the bytes it was read from; nothing writes into them.
type object []member

type member struct {
	key   []byte // unescaped
	value json.RawMessage
}

// toObject reads bytes of which nothing is known.
func toObject(raw []byte) (object, bool) {
	if !json.Valid(raw) {
		return nil, false
	}
	o := readObject(raw)
	return o, o != nil
}

// readObject splits valid JSON; nil when it is not an object. It does not look
// into the values, so that an event is validated once and each level is walked
// once, which is what makes this several times faster than decoding into maps.
func readObject(raw []byte) object {
	i := skipBlank(raw, 0)
	if i == len(raw) || raw[i] != '{' {
		return nil
	}
	o := make(object, 0, 8) // as many as LINE's message events have
	for i = skipBlank(raw, i+1); raw[i] != '}'; i = skipComma(raw, i) {
		end := skipString(raw, i)
		key := plainKey(raw[i:end])
		i = skipBlank(raw, end) // to the colon
		i = skipBlank(raw, i+1) // to the value
		end = skipValue(raw, i)
		o = append(o, member{key, json.RawMessage(raw[i:end:end])})
		i = end
	}
	return o
}

// readList splits valid JSON; nil when it is not an array.
func readList(raw []byte) []json.RawMessage {
	i := skipBlank(raw, 0)
	if i == len(raw) || raw[i] != '[' {
		return nil
	}
	list := []json.RawMessage{}
	for i = skipBlank(raw, i+1); raw[i] != ']'; i = skipComma(raw, i) {
		end := skipValue(raw, i)
		list = append(list, json.RawMessage(raw[i:end:end]))
		i = end
	}
	return list
}

// plainKey is unquote without a copy in the usual case.
func plainKey(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if verbatim(inner) {
		return inner
	}
	s, _ := unquote(quoted)
	return []byte(s)
}

func skipBlank(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r') {
		i++
	}
	return i
}

// skipComma goes from the end of a value to the next one, or to the bracket.
func skipComma(raw []byte, i int) int {
	if i = skipBlank(raw, i); raw[i] == ',' {
		i = skipBlank(raw, i+1)
	}
	return i
}

// skipString goes from the opening quote behind the closing one.
func skipString(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipValue(raw []byte, i int) int {
	switch raw[i] {
	case '"':
		return skipString(raw, i)
	case '{', '[':
		return skipNested(raw, i)
	}
	for ; i < len(raw); i++ {
		switch raw[i] {
		case ',', ']', '}', ' ', '\n', '\t', '\r':
			return i
		}
	}
	return i
}

// skipNested counts brackets instead of recursing: depth is the sender's.
func skipNested(raw []byte, i int) int {
	depth := 0
	for {
		switch raw[i] {
		case '"':
			i = skipString(raw, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

// unquote reads a valid JSON string with its quotes.
func unquote(raw []byte) (string, bool) {
	if inner := raw[1 : len(raw)-1]; verbatim(inner) {
		return string(inner), true
	}
	var s string
	err := json.Unmarshal(raw, &s) // replaces what is not UTF-8
	return s, err == nil
}

// verbatim says that a JSON string stands for just its own bytes.
func verbatim(inner []byte) bool {
	return bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner)
}

// get returns the value of the last field of that name, or nil.
func (o object) get(key string) json.RawMessage {
	for i := len(o) - 1; i >= 0; i-- {
		if string(o[i].key) == key {
			return o[i].value
		}
	}
	return nil
}

// fields is the object as encoding/json has it.
func (o object) fields() map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(o))
	for _, m := range o {
		all[string(m.key)] = m.value
	}
	return all
}

// object returns the object under key, or nil.
func (o object) object(key string) object { return readObject(o.get(key)) }

// list returns the array under key, or nil.
func (o object) list(key string) []json.RawMessage { return readList(o.get(key)) }

// text returns a string.
func (o object) text(key string) (string, bool) { return toText(o.get(key)) }

func toText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return unquote(raw)
}

// str is text without the second result.
func (o object) str(key string) string {
	s, _ := o.text(key)
	return s
}

// id returns a string, or the digits of a number: LINE documents some ids as
// numbers and sends them as strings, and some exceed 2^53.
func (o object) id(key string) string {
	raw := o.get(key)
	if s, ok := toText(raw); ok {
		return s
	}
	if len(raw) == 0 || len(raw) > 40 || len(bytes.Trim(raw, "0123456789")) > 0 {
		return ""
	}
	return string(raw)
}

// int returns a whole number, also one in quotes.
func (o object) int(key string) (int64, bool) {
	raw := o.get(key)
	if len(raw) > 0 && raw[0] != '"' {
		i, err := strconv.ParseInt(string(raw), 10, 64)
		return i, err == nil
	}
	var n json.Number
	if json.Unmarshal(raw, &n) != nil {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

func (o object) float(key string) (float64, bool) {
	var f *float64
	if json.Unmarshal(o.get(key), &f) != nil || f == nil {
		return 0, false
	}
	return *f, true
}

func (o object) bool(key string) bool { return string(o.get(key)) == "true" }

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
	case "":
	default:
		s.chat = unknownChat(s.kind, maps.Keys(o.fields()), o.id)
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
	if len(whole) > 150 || !printable(whole) {
		sum := sha256.Sum256([]byte(whole))
		whole = "sha256:" + hex.EncodeToString(sum[:])
	}
	return channel.Chat{Kind: channel.ChatOther, ID: whole}
}
