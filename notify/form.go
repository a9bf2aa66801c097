package notify

import (
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

// Describer is a Carrier that says what its targets are made of, so that a console
// has fields for them. The settings of a carrier that does not are typed as JSON,
// and its secrets by name.
type Describer interface {
	Carrier
	// Form is constant, and never written to.
	Form() Form
}

// Form is what the targets of a kind are made of.
type Form struct {
	// Name is what people call the kind; nil: the kind itself.
	Name Words `json:"name,omitempty"`
	// Parts are in the order in which people fill them in.
	Parts []Part `json:"parts"`
	// To is how the recipient of a notice is typed; empty: notices have none, they
	// all go to the target itself.
	To PartType `json:"to,omitempty"`
}

// Part is a member of a target's settings or one of its secrets.
type Part struct {
	// Name is that of the member or secret: 1 to 100 letters, digits, "_" and "-".
	Name  string   `json:"name"`
	Type  PartType `json:"type"`
	Label Words    `json:"label"`
	Hint  Words    `json:"hint,omitempty"` // the text beside the field
	Like  string   `json:"like,omitempty"` // an example
	// Required parts are asked for before anything is sent; Validate is what refuses.
	Required bool `json:"required,omitempty"`
	// Of is, of a secret, the setting that it belongs to: where that is emptied, the
	// secret is forgotten.
	Of string `json:"of,omitempty"`
	// Leads marks the setting by which people know where a target leads.
	Leads bool `json:"leads,omitempty"`
	// Choices are what a PartChoice can be. The first stands for one that is not set.
	Choices []Choice `json:"choices,omitempty"`
}

// Choice is a value that a setting can have.
type Choice struct {
	Value string `json:"value"`
	Label Words  `json:"label"`
}

// PartType is what is typed into a field.
type PartType string

// The types of a Part. In the settings a number is a JSON number, a list an array of
// strings, and everything else a string.
const (
	PartText   PartType = "text"
	PartMail   PartType = "email"
	PartURL    PartType = "url"
	PartPhone  PartType = "tel"
	PartNumber PartType = "number" // a whole one
	PartList   PartType = "list"   // typed with commas between
	PartChoice PartType = "choice"
	PartSecret PartType = "password" // no setting but a secret
)

// Words are a text by language, "en" at least; the keys are BCP 47 tags.
type Words map[string]string

// In is the text in a language, else in the language without its variant, else in
// English.
func (w Words) In(language string) string {
	base, _, _ := strings.Cut(language, "-")
	for _, l := range []string{language, base} {
		if text := w[l]; text != "" {
			return text
		}
	}
	return w["en"]
}

// Path is where the part stands in a target, as Wrong names it.
func (p Part) Path() string {
	if p.Type == PartSecret {
		return "secrets." + p.Name
	}
	return "settings." + p.Name
}

// Check refuses a form that no page could show: a part without a name, a type or an
// English label, one that is there twice, a choice of nothing, recipients of no type.
func (f Form) Check() error {
	seen := map[string]bool{}
	if f.To != "" && !f.To.known() {
		return errs.New(errs.Invalid, "notify: a form has recipients of a type that there is not; use one such as PartText")
	}
	for i, p := range f.Parts {
		switch {
		case p.Name == "" || len(p.Name) > 100 || strings.ContainsFunc(p.Name, noLetter):
			return errs.New(errs.Invalid, "notify: part %d of a form has a name that is not 1 to 100 letters, digits, _ and -", i)
		case seen[p.Path()]:
			return errs.New(errs.Invalid, "notify: part %s of a form is there twice; leave one out", p.Name)
		case !p.Type.known():
			return errs.New(errs.Invalid, "notify: part %s of a form has a type that there is not; use one such as PartText", p.Name)
		case p.Label["en"] == "":
			return errs.New(errs.Invalid, "notify: part %s of a form has no English label", p.Name)
		case p.Type == PartChoice && len(p.Choices) == 0:
			return errs.New(errs.Invalid, "notify: part %s of a form is a choice of nothing; fill in Choices", p.Name)
		}
		seen[p.Path()] = true
	}
	return nil
}

func noLetter(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

func (t PartType) known() bool {
	switch t {
	case PartText, PartMail, PartURL, PartPhone, PartNumber, PartList, PartChoice, PartSecret:
		return true
	}
	return false
}
