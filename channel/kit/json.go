package kit

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// Object is a JSON object read field by field. Compared with a struct, field
// names are exact in case, the last of duplicate keys wins without being
// merged, and a field of another type than expected spoils nothing but itself.
// Its values alias the bytes it was read from; nothing writes into them.
type Object []Member

// Member is one field.
type Member struct {
	Key   []byte // unescaped
	Value json.RawMessage
}

// mostDepth is how deep encoding/json reads.
const mostDepth = 10_000

// ParseObject reads bytes of which nothing is known.
func ParseObject(raw []byte) (Object, bool) {
	if !Valid(raw, mostDepth) {
		return nil, false
	}
	o := ReadObject(raw)
	return o, o != nil
}

// ReadObject splits valid JSON; nil when it is not an object. It does not look
// into the values, so that an event is validated once and each level is walked
// once, which is what makes this several times faster than decoding into maps.
func ReadObject(raw []byte) Object {
	return ReadObjectInto(make(Object, 0, 8), raw) // as many as a usual event has
}

// ReadObjectInto is ReadObject into room that the caller has, which its stack may
// hold: what is there is overwritten, and what does not fit is put elsewhere.
func ReadObjectInto(room Object, raw []byte) Object {
	i := skipBlank(raw, 0)
	if i == len(raw) || raw[i] != '{' {
		return nil
	}
	o := room[:0]
	for i = skipBlank(raw, i+1); raw[i] != '}'; i = skipComma(raw, i) {
		end := skipString(raw, i)
		key := plainKey(raw[i:end])
		i = skipBlank(raw, end) // to the colon
		i = skipBlank(raw, i+1) // to the value
		end = skipValue(raw, i)
		o = append(o, Member{key, json.RawMessage(raw[i:end:end])})
		i = end
	}
	return o
}

// ReadList splits valid JSON; nil when it is not an array.
func ReadList(raw []byte) []json.RawMessage {
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

// skipString goes from the opening quote behind the closing one. A quote ends the
// string unless an odd number of backslashes is before it.
func skipString(raw []byte, i int) int {
	for begin := i + 1; ; {
		i++
		i += bytes.IndexByte(raw[i:], '"')
		back := i
		for back > begin && raw[back-1] == '\\' {
			back--
		}
		if (i-back)%2 == 0 {
			return i + 1
		}
	}
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

// Get returns the value of the last field of that name, or nil.
func (o Object) Get(key string) json.RawMessage {
	for i := len(o) - 1; i >= 0; i-- {
		if string(o[i].Key) == key {
			return o[i].Value
		}
	}
	return nil
}

// Fields is the object as encoding/json has it.
func (o Object) Fields() map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(o))
	for _, m := range o {
		all[string(m.Key)] = m.Value
	}
	return all
}

// Object returns the object under key, or nil.
func (o Object) Object(key string) Object { return ReadObject(o.Get(key)) }

// List returns the array under key, or nil.
func (o Object) List(key string) []json.RawMessage { return ReadList(o.Get(key)) }

// Text returns a string.
func (o Object) Text(key string) (string, bool) { return TextOf(o.Get(key)) }

// TextOf reads a valid JSON value that is a string.
func TextOf(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return unquote(raw)
}

// Str is text without the second result.
func (o Object) Str(key string) string {
	s, _ := o.Text(key)
	return s
}

// ID returns a string, or the digits of a number: providers document some
// ids as numbers and send strings, and some exceed 2^53.
func (o Object) ID(key string) string {
	raw := o.Get(key)
	if s, ok := TextOf(raw); ok {
		return s
	}
	if len(raw) == 0 || len(raw) > 40 || len(bytes.Trim(raw, "0123456789")) > 0 {
		return ""
	}
	return string(raw)
}

// Int returns a whole number, also one in quotes.
func (o Object) Int(key string) (int64, bool) {
	raw := o.Get(key)
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

// Float returns a number.
func (o Object) Float(key string) (float64, bool) {
	var f *float64
	if json.Unmarshal(o.Get(key), &f) != nil || f == nil {
		return 0, false
	}
	return *f, true
}

// Bool reports that the value is true.
func (o Object) Bool(key string) bool { return string(o.Get(key)) == "true" }

// latest is the last instant that JSON and every store can hold.
var latest = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Millis reads milliseconds since 1970; the zero time when absent or absurd.
func (o Object) Millis(key string) time.Time {
	ms, ok := o.Int(key)
	if !ok || ms <= 0 || ms >= latest.UnixMilli() {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Shallow reports that the brackets of raw nest at most depth deep. Ask it
// before anything recursive sees bytes from outside.
func Shallow(raw []byte, depth int) bool {
	level, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if level++; level > depth {
				return false
			}
		case c == '}' || c == ']':
			level--
		}
	}
	return true
}
