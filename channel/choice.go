package channel

import (
	"net/url"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// ChoiceKind says what happens when a Choice is pressed.
type ChoiceKind string

const (
	ChoiceMessage    ChoiceKind = "message"     // the customer says Text, or the label
	ChoicePostback   ChoiceKind = "postback"    // Data comes back, Text or the label is shown
	ChoiceURI        ChoiceKind = "uri"         // URI opens
	ChoiceLocation   ChoiceKind = "location"    // the customer is asked for a place and sends it
	ChoiceCamera     ChoiceKind = "camera"      // the customer takes a picture and sends it
	ChoiceCameraRoll ChoiceKind = "camera_roll" // the customer sends a picture that is there
	ChoiceDate       ChoiceKind = "date"        // the customer picks a moment, see Picker; it comes back with Data
	ChoiceClipboard  ChoiceKind = "clipboard"   // Text is copied; nothing comes back
)

// ChoiceKinds lists every kind that this package knows.
func ChoiceKinds() []ChoiceKind {
	return []ChoiceKind{ChoiceMessage, ChoicePostback, ChoiceURI, ChoiceLocation, ChoiceCamera, ChoiceCameraRoll,
		ChoiceDate, ChoiceClipboard}
}

// Choice is something the customer can press.
type Choice struct {
	Label string     `json:"label"`
	Kind  ChoiceKind `json:"kind"`
	Text  string     `json:"text,omitempty"`
	Data  string     `json:"data,omitempty"`
	URI   string     `json:"uri,omitempty"`
	// Picker is set for ChoiceDate.
	Picker *Picker `json:"picker,omitempty"`
}

// Picker is what a ChoiceDate asks for. Initial, Min and Max are written as the
// mode requires: 2026-03-01, 14:30, or 2026-03-01T14:30; each may be empty.
// They are in the customer's local time, without a zone.
type Picker struct {
	Mode    PickerMode `json:"mode"`
	Initial string     `json:"initial,omitempty"`
	Min     string     `json:"min,omitempty"`
	Max     string     `json:"max,omitempty"`
}

// PickerMode says what the customer picks. It is also the key of the answer in
// Postback.Params.
type PickerMode string

const (
	PickDate     PickerMode = "date"
	PickTime     PickerMode = "time"
	PickDateTime PickerMode = "datetime"
)

var pickerForms = map[PickerMode]string{PickDate: "2006-01-02", PickTime: "15:04", PickDateTime: "2006-01-02T15:04"}

// Postback is what a pressed choice carried.
type Postback struct {
	Data   string            `json:"data"`
	Params map[string]string `json:"params,omitempty"`
}

// Picked returns what the customer picked at a ChoiceDate, and "" for any other
// choice.
func (p Postback) Picked() string {
	for _, mode := range []PickerMode{PickDateTime, PickDate, PickTime} {
		if v := p.Params[string(mode)]; v != "" {
			return v
		}
	}
	return ""
}

// Valid returns ErrInvalid with what is wrong with a choice on any channel, and
// nil for a kind that this package does not know.
func (c Choice) Valid() error {
	if strings.TrimSpace(c.Label) == "" {
		return errs.New(errs.Invalid, "channel: a choice has no label")
	}
	switch c.Kind {
	case "":
		return errs.New(errs.Invalid, "channel: a choice has no kind; %q for one that the customer says", ChoiceMessage)
	case ChoicePostback, ChoiceDate:
		if c.Data == "" {
			return errs.New(errs.Invalid, "channel: a choice of kind %q needs the data that comes back", c.Kind)
		}
	case ChoiceURI:
		if u, err := url.Parse(c.URI); err != nil || u.Scheme == "" {
			return errs.New(errs.Invalid, "channel: a choice of kind %q needs an address", c.Kind)
		}
	case ChoiceClipboard:
		if c.Text == "" {
			return errs.New(errs.Invalid, "channel: a choice of kind %q needs the text that is copied", c.Kind)
		}
	}
	if c.Kind != ChoiceDate {
		return nil
	}
	if c.Picker == nil {
		return errs.New(errs.Invalid, "channel: a choice of kind %q needs a picker", c.Kind)
	}
	return c.Picker.Valid()
}

// Valid returns ErrInvalid for a mode that does not exist, a value that is not
// written as the mode requires, a Min that is not before Max, and an Initial
// outside of them.
func (p Picker) Valid() error {
	form, known := pickerForms[p.Mode]
	if !known {
		return errs.New(errs.Invalid, "channel: a picker's mode is %q, %q or %q", PickDate, PickTime, PickDateTime)
	}
	for _, v := range []string{p.Initial, p.Min, p.Max} {
		if v == "" {
			continue
		}
		if at, err := time.Parse(form, v); err != nil || at.Format(form) != v {
			return errs.New(errs.Invalid, "channel: initial, min and max of a picker of mode %q have the form %s", p.Mode, form)
		}
	}
	// The forms are ordered as text is.
	if p.Min != "" && p.Max != "" && p.Min >= p.Max {
		return errs.New(errs.Invalid, "channel: a picker's min must be before its max")
	}
	if p.Initial != "" && (p.Initial < p.Min || p.Max != "" && p.Initial > p.Max) {
		return errs.New(errs.Invalid, "channel: a picker's initial value must be from min to max")
	}
	return nil
}

// Accepts says whether a customer can have picked the value: it is written as
// the mode requires and lies between Min and Max, both included.
func (p Picker) Accepts(value string) bool {
	p.Initial = value
	return value != "" && p.Valid() == nil
}
