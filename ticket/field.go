package ticket

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/errs"
)

// FieldType is what a field holds (TK2).
type FieldType string

// The types of fields.
const (
	Text      FieldType = "text"
	Multiline FieldType = "multiline"
	Checkbox  FieldType = "checkbox" // several of the options
	Radio     FieldType = "radio"    // one of the options
	Dropdown  FieldType = "dropdown" // one of the options
	Date      FieldType = "date"     // 2006-01-02
	Number    FieldType = "number"
	File      FieldType = "file"
)

// FieldKind is who fills a field (TK3).
type FieldKind string

// The kinds of fields.
const (
	CustomerField FieldKind = "customer" // on the form, of the categories that name it
	AgentField    FieldKind = "agent"    // at the bottom of the ticket
	PhoneField    FieldKind = "phone"    // on tickets whose channel is phone
	SystemField   FieldKind = "system"   // the library's; can be reset, not deleted
)

// Option is a value that a checkbox, radio or drop-down field offers.
type Option struct {
	Code  string            `json:"code"`
	Names map[string]string `json:"names"`
}

// Field describes a value that tickets carry.
type Field struct {
	// Code is the field's name in the API. It is unique and can never be used
	// again, even after deletion.
	Code string    `json:"code"`
	Kind FieldKind `json:"kind"`
	Type FieldType `json:"type"`
	// Names and Descriptions are texts by language, as Guide and the Names of
	// Options are.
	Names        map[string]string `json:"names"`
	Descriptions map[string]string `json:"descriptions,omitempty"`
	// Guide is shown in the empty input.
	Guide    map[string]string `json:"guide,omitempty"`
	Options  []Option          `json:"options,omitempty"`
	Default  *Value            `json:"default,omitempty"`
	Required bool              `json:"required,omitempty"`
	// Encrypted says that the values are sealed: they cannot be searched, listed or
	// exported in the open, and are in no mail. Only texts, dates and numbers can be.
	Encrypted bool `json:"encrypted,omitempty"`
	// AdminsOnly hides an agent field from plain agents.
	AdminsOnly bool `json:"admins_only,omitempty"`
	// Position orders the agent fields; ties go by code. The order of customer fields
	// is that of each Form.
	Position int `json:"position"`
	// Deleted fields take no new values; those that tickets have stay readable
	// and are exported under the code.
	Deleted bool `json:"deleted,omitempty"`
}

// Limits of fields.
const (
	MaxFields      = 300
	MaxOptions     = 100
	MaxValueText   = 5000    // characters of a text or multi-line value
	MaxValueFiles  = 10      // files in one field
	MaxNumberDigit = 1 << 53 // size of a number: up to here JSON keeps whole ones exactly
	dateLayout     = "2006-01-02"
)

// Fields is all fields of a workspace, deleted ones too. The system and phone fields
// stand in List only once they were changed. The methods that change something
// return the changed list, or the list as it was with an error, and leave the
// receiver as it is.
type Fields struct {
	Version int64   `json:"version"`
	List    []Field `json:"list"`
}

// SystemFields are those that every workspace has, as they are when reset
// (TK3). Category stands first and consent last in every form.
func SystemFields() []Field {
	field := func(code string, t FieldType, required bool, en, ko string) Field {
		return Field{Code: code, Kind: SystemField, Type: t, Required: required, Names: map[string]string{"en": en, "ko": ko}}
	}
	return []Field{
		field("category", Dropdown, true, "Category", "접수유형"),
		field("email", Text, true, "Email", "이메일"),
		field("title", Text, true, "Title", "제목"),
		field("content", Multiline, true, "Content", "내용"),
		field("consent", Checkbox, true, "Consent to the collection of personal data", "개인정보 수집 동의"),
		{Code: "phone_time", Kind: PhoneField, Type: Text, Names: map[string]string{"en": "Time of the call", "ko": "통화 시간"}},
		{Code: "phone_direction", Kind: PhoneField, Type: Radio, Names: map[string]string{"en": "In or out", "ko": "수신/발신"},
			Options: []Option{{"in", map[string]string{"en": "In", "ko": "수신"}}, {"out", map[string]string{"en": "Out", "ko": "발신"}}}},
		{Code: "callback", Kind: PhoneField, Type: Radio, Names: map[string]string{"en": "Call-back booked", "ko": "콜백 예약"},
			Options: []Option{{"yes", map[string]string{"en": "Yes", "ko": "예"}}, {"no", map[string]string{"en": "No", "ko": "아니요"}}}},
		{Code: "callback_time", Kind: PhoneField, Type: Text, Names: map[string]string{"en": "Booked time", "ko": "예약 시간"}},
		{Code: "callback_number", Kind: PhoneField, Type: Text, Names: map[string]string{"en": "Number to call", "ko": "콜백 번호"}},
	}
}

// system returns the library's own form of a field.
func system(code string) (Field, bool) {
	list := SystemFields()
	i := slices.IndexFunc(list, func(f Field) bool { return f.Code == code })
	if i < 0 {
		return Field{}, false
	}
	return list[i], true
}

// Field returns the field of a code, deleted ones too, and system and phone fields
// also where List has none of them.
func (f Fields) Field(code string) (Field, bool) {
	if i := slices.IndexFunc(f.List, func(x Field) bool { return x.Code == code }); i >= 0 {
		return f.List[i], true
	}
	return system(code)
}

// Add makes a customer or agent field. ErrAlreadyExists for a code that is or ever
// was in use; ErrInvalid for the other kinds, for more than MaxFields (deleted ones
// count) and as of Field.Validate.
func (f Fields) Add(n Field) (Fields, error) {
	if n.Kind == SystemField || n.Kind == PhoneField {
		return f, errs.New(errs.Invalid, "ticket: fields of kind %s are the library's; make a customer or agent field", n.Kind)
	}
	if _, used := f.Field(n.Code); used {
		return f, errs.New(errs.AlreadyExists, "ticket: the field code %q is or was in use and can never be used again; choose another",
			clip(n.Code))
	}
	if len(f.List) >= MaxFields {
		return f, errs.New(errs.Invalid, "ticket: there are %d fields, deleted ones counted; no more can be made", MaxFields)
	}
	n.Deleted = false
	if err := n.Validate(); err != nil {
		return f, err
	}
	f.List = append(slices.Clone(f.List), n)
	return f, nil
}

// Change replaces the field of n's code. Kind, type and encryption stay, since values
// of tickets rest on them, and of the system fields category, title, content and
// consent stay required; else ErrInvalid, as of Field.Validate too. ErrNotFound for a
// code without a field, or whose field is deleted.
func (f Fields) Change(n Field) (Fields, error) {
	old, ok := f.Field(n.Code)
	switch {
	case !ok || old.Deleted:
		return f, errs.New(errs.NotFound, "ticket: there is no field %q", clip(n.Code))
	case n.Kind != old.Kind || n.Type != old.Type || n.Encrypted != old.Encrypted:
		return f, errs.New(errs.Invalid, "ticket: kind, type and encryption of field %s cannot be changed; make another field", n.Code)
	case old.Kind == SystemField && n.Code != "email" && !n.Required:
		return f, errs.New(errs.Invalid, "ticket: field %s is always required", n.Code)
	}
	n.Deleted = false
	if err := n.Validate(); err != nil {
		return f, err
	}
	return f.put(n), nil
}

// Delete marks a field as Deleted, so that no form shows it; its code stays used.
// ErrNotFound for a code without a field, or whose field is deleted; ErrInvalid for a
// system or phone field, which Reset is for.
func (f Fields) Delete(code string) (Fields, error) {
	old, ok := f.Field(code)
	switch {
	case !ok || old.Deleted:
		return f, errs.New(errs.NotFound, "ticket: there is no field %q", clip(code))
	case old.Kind == SystemField || old.Kind == PhoneField:
		return f, errs.New(errs.Invalid, "ticket: field %s is the library's; it can be reset, not deleted", code)
	}
	old.Deleted = true
	return f.put(old), nil
}

// Reset makes a system or phone field what SystemFields says again. ErrInvalid for
// every other code.
func (f Fields) Reset(code string) (Fields, error) {
	own, ok := system(code)
	if !ok {
		return f, errs.New(errs.Invalid, "ticket: %q is no field of the library's; delete it instead", clip(code))
	}
	return f.put(own), nil
}

func (f Fields) put(n Field) Fields {
	f.List = slices.Clone(f.List)
	if i := slices.IndexFunc(f.List, func(x Field) bool { return x.Code == n.Code }); i >= 0 {
		f.List[i] = n
	} else {
		f.List = append(f.List, n)
	}
	return f
}

// Validate checks a field by itself: its code, type and kind, texts within MaxName
// and MaxDescription, options where its type takes some, and a default that it would
// take. The error is ErrInvalid and names the field.
func (n Field) Validate() error {
	if !code(n.Code) {
		return errs.New(errs.Invalid, "ticket: the code of a field is 1 to 50 of a-z 0-9 _ and begins with a letter, not %q", clip(n.Code))
	}
	if !slices.Contains([]FieldType{Text, Multiline, Checkbox, Radio, Dropdown, Date, Number, File}, n.Type) {
		return errs.New(errs.Invalid, "ticket: field %s has no known type %q", n.Code, clip(string(n.Type)))
	}
	if !slices.Contains([]FieldKind{CustomerField, AgentField, PhoneField, SystemField}, n.Kind) {
		return errs.New(errs.Invalid, "ticket: field %s has no known kind %q", n.Code, clip(string(n.Kind)))
	}
	if err := checkNames("field "+n.Code, n.Names); err != nil {
		return err
	}
	for _, texts := range []map[string]string{n.Descriptions, n.Guide} {
		for _, t := range texts {
			if err := checkText("a text of field "+n.Code, t, 0, MaxDescription); err != nil {
				return err
			}
		}
	}
	if err := n.checkOptions(); err != nil {
		return err
	}
	if n.Default != nil {
		return n.Check(*n.Default)
	}
	return nil
}

func (n Field) checkOptions() error {
	own := n.Code == "category" || n.Code == "consent" // their options are the tree and the consent text
	choice := n.Type == Checkbox || n.Type == Radio || n.Type == Dropdown
	switch {
	case !choice && len(n.Options) > 0:
		return errs.New(errs.Invalid, "ticket: field %s of type %s takes no options", n.Code, n.Type)
	case choice && !own && (len(n.Options) < 1 || len(n.Options) > MaxOptions):
		return errs.New(errs.Invalid, "ticket: field %s has %d options; use 1 to %d", n.Code, len(n.Options), MaxOptions)
	case n.Encrypted && (choice || n.Type == File):
		return errs.New(errs.Invalid, "ticket: field %s of type %s cannot be encrypted; only texts, dates and numbers can", n.Code, n.Type)
	case n.Encrypted && n.Kind == SystemField:
		return errs.New(errs.Invalid, "ticket: field %s is the library's and cannot be encrypted", n.Code)
	}
	seen := map[string]bool{}
	for _, o := range n.Options {
		if !code(o.Code) || seen[o.Code] {
			return errs.New(errs.Invalid, "ticket: field %s has an option without a code of its own", n.Code)
		}
		seen[o.Code] = true
		if err := checkNames("an option of field "+n.Code, o.Names); err != nil {
			return err
		}
	}
	return nil
}

// Value is what a ticket holds in a field. Which member is set follows from the
// field's type: Text for text, multi-line, radio, drop-down and date, Number,
// List for a checkbox, Files. Of an encrypted field Sealed is set and nothing
// else.
type Value struct {
	Text   string   `json:"text,omitempty"`
	Number *float64 `json:"number,omitempty"`
	List   []string `json:"list,omitempty"`
	Files  []string `json:"files,omitempty"` // names of blobs
	Sealed []byte   `json:"sealed,omitempty"`
}

// Empty reports whether there is no value.
func (v Value) Empty() bool {
	return strings.TrimSpace(v.Text) == "" && v.Number == nil && len(v.List) == 0 && len(v.Files) == 0 && len(v.Sealed) == 0
}

// Check refuses a value that the field cannot hold, with ErrInvalid, which names the
// field and never the value. An empty value passes: whether one is required is for
// the form to say. What stands in Sealed is not looked at.
func (n Field) Check(v Value) error {
	bad := func(format string, args ...any) error {
		return errs.New(errs.Invalid, "ticket: field "+n.Code+": "+format, args...)
	}
	switch {
	case len(v.Sealed) > 0 && !n.Encrypted:
		return bad("it is not encrypted")
	case v.Number != nil && n.Type != Number, len(v.List) > 0 && n.Type != Checkbox, len(v.Files) > 0 && n.Type != File,
		v.Text != "" && (n.Type == Number || n.Type == Checkbox || n.Type == File):
		return bad("the value is not of type %s", n.Type)
	case v.Number != nil && (*v.Number != *v.Number || *v.Number > MaxNumberDigit || *v.Number < -MaxNumberDigit):
		return bad("the number is out of range")
	case len(v.Files) > MaxValueFiles:
		return bad("%d files; at most %d", len(v.Files), MaxValueFiles)
	case !utf8.ValidString(v.Text) || utf8.RuneCountInString(v.Text) > MaxValueText:
		return bad("the text is not valid or longer than %d characters", MaxValueText)
	case n.Type == Text && strings.ContainsAny(v.Text, "\r\n"):
		return bad("it has one line")
	}
	return n.checkChoice(v, bad)
}

func (n Field) checkChoice(v Value, bad func(string, ...any) error) error {
	offered := func(c string) bool { return slices.ContainsFunc(n.Options, func(o Option) bool { return o.Code == c }) }
	switch n.Type {
	case Date:
		if _, err := time.Parse(dateLayout, v.Text); v.Text != "" && err != nil {
			return bad("a date is written 2006-01-02")
		}
	case Radio, Dropdown:
		if v.Text != "" && n.Code != "category" && !offered(v.Text) {
			return bad("there is no such option")
		}
	case Checkbox:
		for i, c := range v.List {
			if n.Code != "consent" && !offered(c) || slices.Contains(v.List[:i], c) {
				return bad("there is no such option, or it is there twice")
			}
		}
	}
	return nil
}

// byPosition orders fields.
func byPosition(a, b Field) int {
	return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Code, b.Code))
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
