package jsondoc

import (
	"encoding"
	stdjson "encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Marshal makes the same bytes as json.Marshal in about half of the time. Most of a
// document are short texts, numbers and times; the standard writer gives each time to
// its own method, and reads what that has made once more. What is not one of those,
// or a struct, a pointer or a list of them, the standard writer writes.
func Marshal(v any) ([]byte, error) {
	return inRoom(func(b []byte) ([]byte, error) { return write(b, v) })
}

// MarshalMore is Marshal of a value that is an object, with members before its own, as
// they stand in a document: `"a":1,"b":2`.
func MarshalMore(members string, v any) ([]byte, error) {
	return inRoom(func(b []byte) ([]byte, error) {
		b = append(append(b, '{'), members...)
		own := len(b)
		b, err := write(b, v)
		if err != nil {
			return nil, err
		}
		if string(b[own:]) == "{}" {
			return append(b[:own], '}'), nil
		}
		b[own] = ','
		return b, nil
	})
}

// write appends the document of a value.
func write(b []byte, v any) ([]byte, error) {
	r := reflect.ValueOf(v)
	if r.IsValid() {
		if w := writerOf(r.Type()); w != nil {
			return w(b, r)
		}
	}
	doc, err := stdjson.Marshal(v)
	return append(b, doc...), err
}

// inRoom makes a document in a buffer that is used again, and copies it once.
func inRoom(write func(b []byte) ([]byte, error)) ([]byte, error) {
	room, _ := rooms.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	defer rooms.Put(room)
	out, err := write((*room)[:0])
	if err != nil {
		return nil, err
	}
	if cap(out) <= mostRoom {
		*room = out
	}
	return append(make([]byte, 0, len(out)), out...), nil
}

// mostRoom is the largest buffer that is kept for the next document.
const mostRoom = 64 << 10

var rooms sync.Pool // *[]byte

// writer appends a value.
type writer func(b []byte, v reflect.Value) ([]byte, error)

var writers sync.Map // reflect.Type → writer, nil where the standard writer does it all

func writerOf(t reflect.Type) writer {
	if known, ok := writers.Load(t); ok {
		return known.(writer)
	}
	p := planner{within: map[reflect.Type]bool{}}
	w := p.plan(t)
	if p.foreign {
		w = nil
	}
	writers.Store(t, w)
	return w
}

// planner makes the writer of a type.
type planner struct {
	within map[reflect.Type]bool
	// foreign: something in the type has a rule of its own that is not kept here.
	foreign bool
}

var (
	marshaler     = reflect.TypeFor[stdjson.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func (p *planner) plan(t reflect.Type) writer {
	switch {
	case t == timeType:
		return writeTime
	case t.Implements(marshaler), t.Implements(textMarshaler):
		return writeStandard
	case reflect.PointerTo(t).Implements(marshaler), reflect.PointerTo(t).Implements(textMarshaler), p.within[t]:
		p.foreign = true // it depends on whether the value has an address; or the type holds itself
		return writeStandard
	}
	switch t.Kind() {
	case reflect.String:
		return writeString
	case reflect.Bool:
		return func(b []byte, v reflect.Value) ([]byte, error) { return strconv.AppendBool(b, v.Bool()), nil }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(b []byte, v reflect.Value) ([]byte, error) { return strconv.AppendInt(b, v.Int(), 10), nil }
	case reflect.Array:
		p.plan(t.Elem())
	case reflect.Pointer, reflect.Struct, reflect.Slice:
		p.within[t] = true
		defer delete(p.within, t)
		return p.planCompound(t)
	}
	return writeStandard
}

func (p *planner) planCompound(t reflect.Type) writer {
	switch {
	case t.Kind() == reflect.Struct:
		return p.planStruct(t)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return writeStandard
	}
	inner := p.plan(t.Elem())
	if t.Kind() == reflect.Pointer {
		return func(b []byte, v reflect.Value) ([]byte, error) {
			if v.IsNil() {
				return append(b, "null"...), nil
			}
			return inner(b, v.Elem())
		}
	}
	return func(b []byte, v reflect.Value) (_ []byte, err error) {
		if v.IsNil() {
			return append(b, "null"...), nil
		}
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = inner(b, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
}

// member is a field of a struct, or of one that is embedded in it.
type member struct {
	index []int
	name  string // with quotes and colon
	omit  func(reflect.Value) bool
	write writer
}

func (p *planner) planStruct(t reflect.Type) writer {
	all := p.members(t)
	names := map[string]bool{}
	for i := range all {
		p.foreign = p.foreign || names[all[i].name]
		names[all[i].name] = true
	}
	return func(b []byte, v reflect.Value) (_ []byte, err error) {
		b = append(b, '{')
		begin := len(b)
		for i := range all {
			m := &all[i]
			f := within(v, m.index)
			if m.omit != nil && m.omit(f) {
				continue
			}
			if len(b) > begin {
				b = append(b, ',')
			}
			if b, err = m.write(append(b, m.name...), f); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
}

// members are the fields that are written.
func (p *planner) members(t reflect.Type) (all []member) {
	plain := eachMember(t, nil, ownWriting, func(index []int, name, options string, t reflect.Type) {
		omit, ok := omission(t, options)
		if !ok {
			p.foreign = true
			return
		}
		all = append(all, member{index, `"` + name + `":`, omit, p.plan(t)})
	})
	p.foreign = p.foreign || !plain
	return all
}

// eachMember calls fn for each member of a struct, those of structs embedded in it
// among them, with its name, its options and its type. It is false where there are
// others: under names that are not plain, or of an embedded type that has rules of its
// own, as own says, or is no struct.
func eachMember(t reflect.Type, at []int, own func(reflect.Type) bool,
	fn func(index []int, name, options string, t reflect.Type)) (plain bool) {
	plain = true
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		index := append(slices.Clone(at), i)
		switch {
		case plainlyEmbedded(f, name) && !own(f.Type):
			plain = eachMember(f.Type, index, own, fn) && plain
			continue
		case f.Anonymous: // whose members are the struct's own, by rules of their own
			plain = false
			continue
		case !f.IsExported() || name == "-" && options == "":
			continue
		case name == "":
			name = f.Name
		}
		if !plainName(name) {
			plain = false
			continue
		}
		fn(index, name, options, f.Type)
	}
	return plain
}

// plainlyEmbedded says that the members of a field are those of the struct that it is
// in.
func plainlyEmbedded(f reflect.StructField, tag string) bool {
	return f.Anonymous && tag == "" && f.IsExported() && f.Type.Kind() == reflect.Struct
}

// ownWriting says that a type writes itself.
func ownWriting(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Implements(marshaler) || t.Implements(textMarshaler) || p.Implements(marshaler) || p.Implements(textMarshaler)
}

// within is a field of a struct, or of one that is embedded in it.
func within(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		v = v.Field(i)
	}
	return v
}

// plainName says that a name has no letters but those of ASCII, digits and underscores.
func plainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}

// omission is when a member is left out; nil for never. ok is false for options that
// are not known here.
func omission(t reflect.Type, options string) (omit func(reflect.Value) bool, ok bool) {
	switch options {
	case "":
		return nil, true
	case "omitzero":
		if t == timeType {
			return func(v reflect.Value) bool {
				at, _ := reflect.TypeAssert[time.Time](v)
				return at.IsZero()
			}, true
		}
		_, own := t.MethodByName("IsZero")
		_, byPointer := reflect.PointerTo(t).MethodByName("IsZero")
		return reflect.Value.IsZero, !own && !byPointer && t.Kind() != reflect.Interface
	case "omitempty":
		switch t.Kind() {
		case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
			return func(v reflect.Value) bool { return v.Len() == 0 }, true
		case reflect.Struct:
			return nil, true
		}
		return reflect.Value.IsZero, true
	}
	return nil, false
}

// writeStandard is for what hardly any document has.
func writeStandard(b []byte, v reflect.Value) ([]byte, error) {
	written, err := stdjson.Marshal(v.Interface())
	return append(b, written...), err
}

func writeTime(b []byte, v reflect.Value) ([]byte, error) {
	t, _ := reflect.TypeAssert[time.Time](v)
	if year := t.Year(); t.Location() != time.UTC || year < 0 || year > 9999 {
		return writeStandard(b, v)
	}
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"'), nil
}

func writeString(b []byte, v reflect.Value) ([]byte, error) {
	s := v.String()
	if !verbatim(s) {
		written, err := stdjson.Marshal(s)
		return append(b, written...), err
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}

// verbatim says that the standard writer writes a text as it is.
func verbatim(s string) bool {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			ascii = false
		case escaped[c]:
			return false
		}
	}
	return ascii || utf8.ValidString(s) && !strings.Contains(s, "\u2028") && !strings.Contains(s, "\u2029")
}

// escaped are the characters of ASCII that the standard writer does not write as they
// are.
var escaped = func() (is [utf8.RuneSelf]bool) {
	for c := range ' ' {
		is[c] = true
	}
	for _, c := range `"\<>&` {
		is[c] = true
	}
	return is
}()
