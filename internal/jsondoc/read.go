package jsondoc

import (
	"encoding"
	stdjson "encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	json "github.com/go-json-experiment/json"
)

// Documents are written by Marshal or by the standard writer: without blanks, each
// member once, under the very name of its field and in the order of the fields. What
// looks like that is read here, by a plan of its type; whatever does not, be it only a
// blank or a name in other letters, the general reader reads from the beginning.

// quick reads what p points to, a zero value, if the document looks as it is written
// here. If it does not, the value is zero again.
func quick(doc []byte, p any) (is looks) {
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Pointer || v.IsNil() || !v.Elem().IsZero() {
		return is
	}
	v = v.Elem()
	r := readerOf(v.Type())
	if r == nil {
		return is
	}
	s, _ := scanners.Get().(*scanner)
	if s == nil {
		s = &scanner{}
	}
	defer scanners.Put(s)
	s.doc, s.at, s.looks = doc, 0, is
	s.read = r(s, v) && s.at == len(doc)
	s.doc = nil
	if !s.read {
		v.SetZero()
	}
	return s.looks
}

// looks is what was seen of a document.
type looks struct {
	read    bool // by the plan of its type
	more    bool // it has members that the type does not know
	foreign bool // it may have times that are not in the form of Micro
}

var scanners sync.Pool // *scanner

// scanner is a place in a document.
type scanner struct {
	looks
	doc  []byte
	at   int
	seen [256]string // texts that were made before, one for each hash
}

// next takes a character.
func (s *scanner) next(c byte) bool {
	if s.at < len(s.doc) && s.doc[s.at] == c {
		s.at++
		return true
	}
	return false
}

// word takes a word.
func (s *scanner) word(w string) bool {
	if rest := s.doc[s.at:]; len(rest) >= len(w) && string(rest[:len(w)]) == w {
		s.at += len(w)
		return true
	}
	return false
}

// text takes a text up to its end: the bytes between the quotes, and whether they are
// the text itself.
func (s *scanner) text() (inner []byte, plain, ok bool) {
	if !s.next('"') {
		return nil, false, false
	}
	begin, ascii := s.at, true
	plain = true
	for ; s.at < len(s.doc); s.at++ {
		switch c := s.doc[s.at]; {
		case c == '"':
			inner = s.doc[begin:s.at]
			s.at++
			return inner, plain, ascii || utf8.Valid(inner)
		case c == '\\':
			plain = false
			s.at++
		case c < ' ':
			return nil, false, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false, false
}

// kept makes a text of bytes, or finds that it was made before: desks, accounts, states
// and languages are the same in one document after the other.
func (s *scanner) kept(b []byte) string {
	n := len(b)
	if n == 0 {
		return ""
	}
	if n > 64 {
		return string(b)
	}
	at := &s.seen[uint8(n*31)^b[n-1]^b[n/2]*7^b[n*3/4]*13]
	if *at != string(b) {
		*at = string(b)
	}
	return *at
}

// value takes a value of any sort as it stands there. What it takes of something that
// is no JSON nobody can read either.
func (s *scanner) value() []byte {
	begin, depth := s.at, 0
	for s.at < len(s.doc) {
		switch s.doc[s.at] {
		case '"':
			if _, _, ok := s.text(); !ok {
				return nil
			}
			if depth == 0 {
				return s.doc[begin:s.at]
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				if depth == 0 {
					s.at++
				}
				return s.doc[begin:s.at]
			}
		case ',':
			if depth == 0 {
				return s.doc[begin:s.at]
			}
		}
		s.at++
	}
	return s.doc[begin:s.at]
}

// number takes a whole number of at most 18 digits. What follows one that is not whole is
// neither a comma nor an end.
func (s *scanner) number(n *int64) bool {
	negative, digits := s.next('-'), 0
	for *n = 0; s.at < len(s.doc) && s.doc[s.at]-'0' <= 9; s.at++ {
		if digits++; digits > 18 {
			return false
		}
		*n = *n*10 + int64(s.doc[s.at]-'0')
	}
	if negative {
		*n = -*n
	}
	return digits == 1 || digits > 1 && s.doc[s.at-digits] != '0'
}

// reader reads a value; false where the general reader has to.
type reader func(s *scanner, v reflect.Value) bool

var readers sync.Map // reflect.Type → reader, nil where the general reader does it all

func readerOf(t reflect.Type) reader {
	if known, ok := readers.Load(t); ok {
		return known.(reader)
	}
	p := readPlanner{within: map[reflect.Type]bool{}}
	r := p.plan(t)
	if p.foreign || t.Kind() != reflect.Struct && t.Kind() != reflect.Slice || t == timeType {
		r = nil
	}
	readers.Store(t, r)
	return r
}

// readPlanner makes the reader of a type.
type readPlanner struct {
	within  map[reflect.Type]bool
	foreign bool
}

var (
	unmarshaler     = reflect.TypeFor[stdjson.Unmarshaler]()
	unmarshalerFrom = reflect.TypeFor[json.UnmarshalerFrom]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// ownRules says that a type reads itself.
func ownRules(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, by := range []reflect.Type{unmarshaler, unmarshalerFrom, textUnmarshaler} {
		if t.Implements(by) || p.Implements(by) {
			return true
		}
	}
	return false
}

func (p *readPlanner) plan(t reflect.Type) reader {
	switch {
	case t == timeType:
		return readTime
	case t.Kind() != reflect.Pointer && ownRules(t):
		return readGeneral
	case p.within[t]:
		p.foreign = true
		return readGeneral
	}
	switch t.Kind() {
	case reflect.String:
		return readText
	case reflect.Bool:
		return readBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return readInt
	case reflect.Pointer, reflect.Struct, reflect.Slice, reflect.Map:
		p.within[t] = true
		defer delete(p.within, t)
		return p.planCompound(t)
	}
	return readGeneral
}

func (p *readPlanner) planCompound(t reflect.Type) reader {
	switch t.Kind() {
	case reflect.Struct:
		return p.planStruct(t)
	case reflect.Pointer:
		return pointerReader(t.Elem(), p.plan(t.Elem()))
	case reflect.Map:
		if t != reflect.TypeFor[map[string]string]() {
			return readGeneral
		}
		return readWords
	}
	if t.Elem().Kind() == reflect.Uint8 {
		return readGeneral
	}
	return sliceReader(t, p.plan(t.Elem()))
}

func pointerReader(to reflect.Type, inner reader) reader {
	return func(s *scanner, v reflect.Value) bool {
		if s.word("null") {
			return true
		}
		v.Set(reflect.New(to))
		return inner(s, v.Elem())
	}
}

// maxHint bounds the room that is made for the elements of a list before they are read.
const maxHint = 16

// sliceReader makes room for as many elements as the last list of its kind had: lists
// of one kind are mostly as long as each other, and one that grows is copied.
func sliceReader(t reflect.Type, inner reader) reader {
	var last atomic.Int32
	return func(s *scanner, v reflect.Value) bool {
		switch {
		case s.word("null"):
			return true
		case s.word("[]"):
			v.Set(reflect.MakeSlice(t, 0, 0))
			return true
		case !s.next('['):
			return false
		}
		v.Grow(min(int(last.Load()), maxHint))
		for n := 0; ; n++ {
			v.Grow(1)
			v.SetLen(n + 1)
			if !inner(s, v.Index(n)) {
				return false
			}
			if s.next(']') {
				if hint := int32(min(n+1, maxHint)); hint != last.Load() {
					last.Store(hint)
				}
				return true
			}
			if !s.next(',') {
				return false
			}
		}
	}
}

// readable is a field of a struct, or of one that is embedded in it.
type readable struct {
	index []int
	name  string // with quotes and colon
	read  reader
}

func (p *readPlanner) planStruct(t reflect.Type) reader {
	all := p.members(t)
	names := map[string]bool{}
	for i := range all {
		name := strings.ToLower(strings.Trim(all[i].name, `":`))
		p.foreign = p.foreign || names[name]
		names[name] = true
	}
	return func(s *scanner, v reflect.Value) bool {
		switch {
		case s.word("null"), s.word("{}"):
			return true
		case !s.next('{'):
			return false
		}
		for i := 0; ; { // members stand in the order of the fields
			n := i
			for n < len(all) && !s.word(all[n].name) {
				n++
			}
			if n < len(all) {
				if !all[n].read(s, within(v, all[n].index)) {
					return false
				}
				i = n + 1
			} else if !s.skip(names) {
				return false
			}
			if s.next('}') {
				return true
			}
			if !s.next(',') {
				return false
			}
		}
	}
}

// skip takes a number under a name that is none of the known ones, whatever the case of
// its letters: what a store adds to a document.
func (s *scanner) skip(known map[string]bool) bool {
	name, plain, ok := s.text()
	if !ok || !plain || !plainName(string(name)) || known[strings.ToLower(string(name))] || !s.next(':') {
		return false
	}
	s.more = true
	var n int64
	return s.number(&n)
}

// members are the fields that are read.
func (p *readPlanner) members(t reflect.Type) (all []readable) {
	plain := eachMember(t, nil, ownRules, func(index []int, name, options string, t reflect.Type) {
		if !slices.Contains([]string{"", "omitempty", "omitzero"}, options) {
			p.foreign = true
			return
		}
		all = append(all, readable{index, `"` + name + `":`, p.plan(t)})
	})
	p.foreign = p.foreign || !plain
	return all
}

// readGeneral is for what hardly any document has.
func readGeneral(s *scanner, v reflect.Value) bool {
	s.foreign = s.foreign || elem(v.Type()) == timeType || len(timesOf(v.Type())) > 0
	value := s.value()
	return len(value) > 0 && json.Unmarshal(value, v.Addr().Interface(), sameRules) == nil
}

func readText(s *scanner, v reflect.Value) bool {
	if s.word("null") {
		return true
	}
	text, ok := s.string()
	if ok {
		v.SetString(text)
	}
	return ok
}

// string takes a text.
func (s *scanner) string() (text string, ok bool) {
	begin := s.at
	inner, plain, ok := s.text()
	switch {
	case !ok:
		return "", false
	case plain:
		return s.kept(inner), true
	}
	var unescaped string // apart from text, which would otherwise be allocated for every call
	err := json.Unmarshal(s.doc[begin:s.at], &unescaped, sameRules)
	return unescaped, err == nil
}

func readBool(s *scanner, v reflect.Value) bool {
	if s.word("true") {
		v.SetBool(true)
		return true
	}
	return s.word("false") || s.word("null")
}

func readInt(s *scanner, v reflect.Value) bool {
	if s.word("null") {
		return true
	}
	var n int64
	if !s.number(&n) || v.OverflowInt(n) {
		return false
	}
	v.SetInt(n)
	return true
}

func readTime(s *scanner, v reflect.Value) bool {
	if s.word("null") {
		return true
	}
	inner, plain, ok := s.text()
	at := v.Addr().Interface().(*time.Time)
	if !ok || !plain || at.UnmarshalText(inner) != nil {
		return false
	}
	s.foreign = s.foreign || at.Location() != time.UTC || at.Nanosecond()%1000 != 0
	return true
}

// readWords reads a map of texts.
func readWords(s *scanner, v reflect.Value) bool {
	if s.word("null") {
		return true
	}
	if !s.next('{') {
		return false
	}
	words := map[string]string{}
	v.Set(reflect.ValueOf(words))
	if s.next('}') {
		return true
	}
	for {
		name, ok := s.string()
		if !ok || !s.next(':') {
			return false
		}
		if words[name], ok = s.string(); !ok {
			return false
		}
		if s.next('}') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}
