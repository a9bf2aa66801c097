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

// Validate checks that the fields are customer fields that exist and are not
// deleted, each once. The error is ErrInvalid and names the field.
func (f Form) Validate(all Fields) error {
	for i, c := range f.Fields {
		field, ok := all.Field(c)
		if !ok || field.Deleted || field.Kind != CustomerField || slices.Contains(f.Fields[:i], c) {
			return errs.New(errs.Invalid, "ticket: the form names %q, which is no customer field, is deleted, or is there twice", clip(c))
		}
	}
	return nil
}

// Shown lists the fields of a ticket's form in order: category, email, title and
// content, then the customer fields that the form names, and consent last. Deleted
// fields are left out.
func (f Form) Shown(all Fields) []Field {
	var out []Field
	for _, c := range slices.Concat([]string{"category", "email", "title", "content"}, f.Fields, []string{"consent"}) {
		if field, ok := all.Field(c); ok && !field.Deleted {
			out = append(out, field)
		}
	}
	return out
}

// AgentFields lists what agents fill at the bottom of a ticket: on a ticket whose
// channel is phone first the phone fields, then in every case the agent fields by
// Position. Agent fields that are AdminsOnly are among them only if admin is set.
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

// Missing lists, of the fields that are given, the codes of those that are required
// and have no value in the ticket. The values of category, email, title, content
// and consent are members of the ticket itself; the others stand in Ticket.Fields.
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

// CheckSubmission checks what a customer sends by the inquiry form: the category is
// offered to customers, every required field is there, and each value belongs to a
// field that the form shows and fits it. tree is that of the Intake categories. The
// error is *MissingFields for required fields, else ErrInvalid.
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
