package ticket

import (
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
)

// Form says which customer fields belong to an intake category, in order.
type Form struct {
	Category CategoryID `json:"category"`
	Version  int64      `json:"version"`
	Fields   []string   `json:"fields"` // codes of customer fields
}

// Validate checks that the fields are customer fields that exist, each once.
func (f Form) Validate(all Fields) error {
	for i, c := range f.Fields {
		field, ok := all.Field(c)
		if !ok || field.Deleted || field.Kind != CustomerField || slices.Contains(f.Fields[:i], c) {
			return errs.New(errs.Invalid, "ticket: the form names %q, which is no customer field, is deleted, or is there twice", clip(c))
		}
	}
	return nil
}

// Shown lists the fields of a ticket's form in order: category first, then the
// other system fields and the customer fields of the category, consent last.
// Deleted fields are left out.
func (f Form) Shown(all Fields) []Field {
	var out []Field
	for _, c := range slices.Concat([]string{"category", "email", "title", "content"}, f.Fields, []string{"consent"}) {
		if field, ok := all.Field(c); ok && !field.Deleted {
			out = append(out, field)
		}
	}
	return out
}

// AgentFields lists what agents fill at the bottom of a ticket, in order; those
// for administrators only if admin is set, and phone fields only on tickets
// whose channel is phone.
func (f Fields) AgentFields(channel string, admin bool) []Field {
	var out, phone []Field
	for _, x := range f.List {
		if x.Kind == AgentField && !x.Deleted && (admin || !x.AdminsOnly) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, byPosition)
	if channel == ChannelPhone {
		for _, x := range SystemFields() {
			if x.Kind == PhoneField {
				field, _ := f.Field(x.Code)
				phone = append(phone, field)
			}
		}
	}
	return append(phone, out...)
}

// Missing lists the codes of required fields without a value among the given
// ones; what stands in the ticket itself (category, email, title, content,
// consent) is looked up there.
func Missing(t Ticket, fields []Field) []string {
	var out []string
	for _, f := range fields {
		if f.Required && !t.has(f.Code) {
			out = append(out, f.Code)
		}
	}
	return out
}

func (t Ticket) has(code string) bool {
	switch code {
	case "category":
		return t.Category != ""
	case "email":
		return t.Requester.Email != ""
	case "title":
		return t.Title != ""
	case "content":
		return t.Body != ""
	case "consent":
		return !t.ConsentAt.IsZero()
	}
	return !t.Fields[code].Empty()
}

// CheckSubmission checks what a customer sends by the inquiry form: the
// category is offered to customers, every required field is there, and there is
// no value of a field that the form does not show.
func (f Form) CheckSubmission(t Ticket, all Fields, tree Tree) error {
	if !tree.OfferedTo(t.Category) {
		return errs.New(errs.Invalid, "ticket: the category is not offered to customers; pick another")
	}
	shown := f.Shown(all)
	if missing := Missing(t, shown); len(missing) > 0 {
		return &MissingFields{Codes: missing}
	}
	for c, v := range t.Fields {
		i := slices.IndexFunc(shown, func(x Field) bool { return x.Code == c })
		if i < 0 {
			return errs.New(errs.Invalid, "ticket: the form has no field %q", clip(c))
		}
		if err := shown[i].Check(v); err != nil {
			return err
		}
	}
	return nil
}

// MissingFields is the refusal of a ticket whose required fields are empty. It
// is ErrInvalid.
type MissingFields struct{ Codes []string }

// Error names the fields.
func (m *MissingFields) Error() string {
	return errs.New(errs.Invalid, "ticket: required fields are empty: %v", m.Codes).Error()
}

// Unwrap makes it ErrInvalid.
func (m *MissingFields) Unwrap() error { return errs.Invalid }
