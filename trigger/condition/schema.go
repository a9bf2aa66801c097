package condition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

// Type is the type of a field.
type Type string

// The types. Text is what people write and ignores case; id and enum compare
// exactly; set is a list of ids such as tags or skills.
const (
	TypeText     Type = "text"
	TypeNumber   Type = "number"
	TypeBool     Type = "bool"
	TypeTime     Type = "time"
	TypeEnum     Type = "enum"
	TypeSet      Type = "set"
	TypeDuration Type = "duration"
	TypeID       Type = "id"
)

// Field declares what a condition may ask about.
type Field struct {
	// Name is 1 to 100 of A–Z a–z 0–9 _ . : -, unique in the schema.
	Name string `json:"name"`
	Type Type   `json:"type"`
	// Values are the allowed values of an enum (needed) or a set (optional).
	Values []string `json:"values,omitempty"`
}

// Schema is the list of fields that conditions of one kind may use. It is
// immutable and safe for concurrent use.
type Schema struct {
	fields []Field
	byName map[string]int
	// events allows the operators of events; calendars are those that
	// within_hours may name.
	events    bool
	calendars []string
}

// NewSchema checks the fields; errors are ErrInvalid.
func NewSchema(fields ...Field) (*Schema, error) {
	s := &Schema{fields: slices.Clone(fields), byName: make(map[string]int, len(fields))}
	for i, f := range s.fields {
		if err := checkField(f); err != nil {
			return nil, err
		}
		if _, twice := s.byName[f.Name]; twice {
			return nil, errs.New(errs.Invalid, "condition: the schema has field %q twice: remove one", f.Name)
		}
		s.byName[f.Name] = i
		s.fields[i].Values = slices.Clone(f.Values)
	}
	return s, nil
}

func checkField(f Field) error {
	if !fieldName(f.Name) {
		return errs.New(errs.Invalid, "condition: field name %s: use 1 to 100 of A-Z a-z 0-9 _ . : -", shown(f.Name))
	}
	if operators[f.Type] == nil {
		return errs.New(errs.Invalid, "condition: field %q has type %s: use one of text, number, bool, time, enum, set, duration, id",
			f.Name, shown(string(f.Type)))
	}
	switch {
	case f.Type == TypeEnum && len(f.Values) == 0:
		return errs.New(errs.Invalid, "condition: enum field %q has no values: list them, or make it an id", f.Name)
	case f.Type != TypeEnum && f.Type != TypeSet && len(f.Values) > 0:
		return errs.New(errs.Invalid, "condition: field %q of type %s lists values: only enum and set do", f.Name, f.Type)
	case slices.Contains(f.Values, ""):
		return errs.New(errs.Invalid, "condition: field %q lists an empty value: remove it", f.Name)
	}
	return nil
}

func fieldName(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.:-", c) >= 0) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 100
}

// ForEvents returns the schema with the operators of events: changed,
// changed_to and changed_from, and within_hours of the named calendars. The
// facts of such conditions should implement Changes and Hours; where they do
// not, nothing has changed and no calendar is open.
func (s *Schema) ForEvents(calendars ...string) *Schema {
	return &Schema{fields: s.fields, byName: s.byName, events: true, calendars: slices.Clone(calendars)}
}

// CheckCalendar refuses a calendar that within_hours may not name; the empty
// name stands for every hour and is right.
func (s *Schema) CheckCalendar(name string) error {
	if name == "" || slices.Contains(s.calendars, name) {
		return nil
	}
	return errs.New(errs.Invalid, "condition: there is no calendar %s: use one of %s", shown(name), names(s.calendars))
}

// Operators returns the operators that a condition of this schema may use on a
// field of the type, in the order in which a form offers them.
func (s *Schema) Operators(t Type) []Op {
	list := Operators(t)
	if !s.events || list == nil {
		return list
	}
	list = append(list, Changed)
	if t != TypeSet && t != TypeTime && t != TypeDuration {
		list = append(list, ChangedTo, ChangedFrom)
	}
	if t == TypeTime && len(s.calendars) > 0 {
		list = append(list, WithinHours)
	}
	return list
}

// Fields returns the fields in the order given, for forms that offer them.
func (s *Schema) Fields() []Field { return slices.Clone(s.fields) }

// ExactFields returns the names of the id and enum fields: those that an Index
// can list programs under.
func (s *Schema) ExactFields() []string {
	var out []string
	for _, f := range s.fields {
		if f.Type == TypeID || f.Type == TypeEnum {
			out = append(out, f.Name)
		}
	}
	return out
}

// Field returns the field of the name.
func (s *Schema) Field(name string) (Field, bool) {
	i, ok := s.byName[name]
	if !ok {
		return Field{}, false
	}
	return s.fields[i], true
}

// Operators returns the operators that suit the type in every schema, in the
// order in which a form offers them; nil for an unknown type.
func Operators(t Type) []Op { return slices.Clone(operators[t]) }

// operators says which operators suit a type.
var operators = map[Type][]Op{
	TypeText:     {Is, IsNot, Contains, NotContains, StartsWith, Matches, In, NotIn, Present, Absent},
	TypeNumber:   {Is, IsNot, Gt, Gte, Lt, Lte, Between, In, NotIn, Present, Absent},
	TypeBool:     {Is, IsNot, Present, Absent},
	TypeTime:     {Gt, Gte, Lt, Lte, Between, OlderThan, NewerThan, Present, Absent},
	TypeEnum:     {Is, IsNot, In, NotIn, Present, Absent},
	TypeSet:      {Has, HasAny, HasAll, HasNone, Present, Absent},
	TypeDuration: {Is, IsNot, Gt, Gte, Lt, Lte, Between, Present, Absent},
	TypeID:       {Is, IsNot, In, NotIn, Present, Absent},
}

// names lists up to 12 names for an error.
func names[T ~string](all []T) string {
	list := all
	if len(list) > 12 {
		list = list[:12]
	}
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = string(v)
	}
	text := strings.Join(parts, ", ")
	if len(all) > len(list) {
		text += fmt.Sprintf(" and %d more", len(all)-len(list))
	}
	return text
}
