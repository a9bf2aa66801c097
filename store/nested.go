package store

import (
	"bytes"
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// formerBody is where Extra keeps the whole body of a document that has unknown members
// within its members. No member of a body has this name.
const formerBody = "\x00"

// shape is what a type knows of its JSON: an object with known members, or a list or map
// of such objects.
type shape struct {
	known map[string]bool   // names of members, in small letters; nil: not an object
	parts map[string]*shape // those of them that hold objects
	each  *shape            // of a list's elements, or of a map's values
	list  bool
}

// shapeOf is the shape of a type; nil where nothing within it can be unknown, or where
// the type reads itself. Those that were made are in done.
func shapeOf(t reflect.Type, done map[reflect.Type]*shape) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if readsItself(t) {
		return nil
	}
	if s, is := done[t]; is {
		return s
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Map:
		if each := shapeOf(t.Elem(), done); each != nil {
			return &shape{each: each, list: t.Kind() == reflect.Slice}
		}
	case reflect.Struct:
		s := &shape{known: map[string]bool{}, parts: map[string]*shape{}}
		done[t] = s // before its members, which may be of the type again
		eachMember(t, func(name string, f reflect.StructField) {
			s.known[strings.ToLower(name)] = true
			if part := shapeOf(f.Type, done); part != nil {
				s.parts[name] = part
			}
		})
		return s
	}
	return nil
}

func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// more says that a value has members, at whatever depth, that its shape does not know.
func (s *shape) more(raw json.RawMessage) bool {
	found := false
	s.eachPart(raw, func(name string, v json.RawMessage, part *shape) {
		found = found || s.known != nil && !s.known[strings.ToLower(name)] || part != nil && part.more(v)
	})
	return found
}

// eachPart calls fn for each member or element of a value, with its shape.
func (s *shape) eachPart(raw json.RawMessage, fn func(name string, v json.RawMessage, part *shape)) {
	if s.list {
		var list []json.RawMessage
		_ = json.Unmarshal(raw, &list) // what is no list has no elements
		for _, v := range list {
			fn("", v, s.each)
		}
		return
	}
	var in map[string]json.RawMessage
	_ = json.Unmarshal(raw, &in)
	for name, v := range in {
		part := s.each
		if s.known != nil {
			part = s.parts[name]
		}
		fn(name, v, part)
	}
}

// carry returns now with the members of was that the shape does not know: of an object
// those that it has at the same place, of a list those of the element with the same id.
// An object whose id is another is another.
func (s *shape) carry(was, now json.RawMessage) (json.RawMessage, error) {
	if s.list {
		return s.carryList(was, now)
	}
	var a, b map[string]json.RawMessage
	if json.Unmarshal(was, &a) != nil || json.Unmarshal(now, &b) != nil || a == nil || b == nil ||
		s.known != nil && !bytes.Equal(a["id"], b["id"]) {
		return now, nil
	}
	whole := maps.Clone(b)
	for name, v := range a {
		present, is := b[name]
		part := s.each
		if s.known != nil {
			part = s.parts[name]
		}
		switch {
		case is && part != nil:
			var err error
			if whole[name], err = part.carry(v, present); err != nil {
				return nil, err
			}
		case !is && s.known != nil && !s.known[strings.ToLower(name)]:
			whole[name] = v
		}
	}
	return written(whole, b, now)
}

func (s *shape) carryList(was, now json.RawMessage) (json.RawMessage, error) {
	var a, b []json.RawMessage
	if json.Unmarshal(was, &a) != nil || json.Unmarshal(now, &b) != nil {
		return now, nil
	}
	former := map[string]json.RawMessage{}
	for _, v := range a {
		if id := idOf(v); id != "" {
			former[id] = v
		}
	}
	whole := slices.Clone(b)
	for i, v := range b {
		if match, is := former[idOf(v)]; is {
			var err error
			if whole[i], err = s.each.carry(match, v); err != nil {
				return nil, err
			}
		}
	}
	if slices.EqualFunc(whole, b, equal) {
		return now, nil
	}
	return json.Marshal(whole)
}

// idOf is an element's member "id" as it is written; nothing where it has none.
func idOf(raw json.RawMessage) string {
	var in map[string]json.RawMessage
	_ = json.Unmarshal(raw, &in)
	if id := string(in["id"]); id != `""` && id != "null" {
		return id
	}
	return ""
}

func equal(a, b json.RawMessage) bool { return bytes.Equal(a, b) }

// written is an object, as it stood where nothing came to it.
func written(whole, before map[string]json.RawMessage, as json.RawMessage) (json.RawMessage, error) {
	if maps.EqualFunc(whole, before, equal) {
		return as, nil
	}
	return json.Marshal(whole)
}
