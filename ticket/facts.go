package ticket

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/trigger/condition"
)

// fieldPrefix begins the names under which conditions know the fields that a
// workspace made.
const fieldPrefix = "field."

// SchemaFields lists what conditions may ask of a ticket: its members, and each
// field of the workspace as "field.<code>". Deleted and encrypted fields, files
// and system fields are not among them.
func SchemaFields(all Fields) []condition.Field {
	states := make([]string, 0, len(States()))
	for _, s := range States() {
		states = append(states, string(s))
	}
	out := []condition.Field{
		{Name: "state", Type: condition.TypeEnum, Values: states},
		{Name: "custom_state", Type: condition.TypeID},
		{Name: "channel", Type: condition.TypeID},
		{Name: "desk", Type: condition.TypeID},
		{Name: "group", Type: condition.TypeID},
		{Name: "agent", Type: condition.TypeID},
		{Name: "category", Type: condition.TypeID},
		{Name: "resolution", Type: condition.TypeID},
		{Name: "priority", Type: condition.TypeNumber},
		{Name: "tags", Type: condition.TypeSet},
		{Name: "followers", Type: condition.TypeSet},
		{Name: "title", Type: condition.TypeText},
		{Name: "body", Type: condition.TypeText},
		{Name: "comment", Type: condition.TypeText},
		{Name: "language", Type: condition.TypeID},
		{Name: "contact", Type: condition.TypeID},
		{Name: "conversation", Type: condition.TypeID},
		{Name: "requester_name", Type: condition.TypeText},
		{Name: "requester_email", Type: condition.TypeText},
		{Name: "requester_phone", Type: condition.TypeText},
		{Name: "handed_to", Type: condition.TypeText},
		{Name: "overflow", Type: condition.TypeID},
		{Name: "merged", Type: condition.TypeBool},
		{Name: "breached", Type: condition.TypeBool},
		{Name: "created", Type: condition.TypeTime},
		{Name: "updated", Type: condition.TypeTime},
		{Name: "state_since", Type: condition.TypeTime},
		{Name: "solved", Type: condition.TypeTime},
		{Name: "customer_at", Type: condition.TypeTime},
		{Name: "answered_at", Type: condition.TypeTime},
		{Name: "due", Type: condition.TypeTime},
	}
	for _, f := range all.List {
		if t, ok := f.factType(); ok {
			out = append(out, condition.Field{Name: fieldPrefix + f.Code, Type: t})
		}
	}
	return out
}

// factType is how conditions see a field; false: not at all.
func (n Field) factType() (condition.Type, bool) {
	if n.Deleted || n.Encrypted || n.Kind == SystemField {
		return "", false
	}
	t, ok := map[FieldType]condition.Type{Text: condition.TypeText, Multiline: condition.TypeText, Radio: condition.TypeID,
		Dropdown: condition.TypeID, Date: condition.TypeTime, Number: condition.TypeNumber, Checkbox: condition.TypeSet}[n.Type]
	return t, ok
}

// Facts is a ticket as conditions see it. Fields are those of the workspace;
// Comment is what was said in the event, where there is one. It is safe for
// concurrent use while nobody changes the ticket.
type Facts struct {
	Ticket  *Ticket
	Fields  Fields
	Comment string
}

// Fact implements condition.Facts.
func (f Facts) Fact(name string) (condition.Fact, bool) {
	fact, ok := f.Ticket.textFact(name)
	if !ok {
		fact, ok = f.Ticket.otherFact(name)
	}
	switch {
	case ok:
	case name == "comment":
		fact = condition.Text(f.Comment)
	case len(name) > len(fieldPrefix) && name[:len(fieldPrefix)] == fieldPrefix:
		fact = f.field(name[len(fieldPrefix):])
	}
	return fact, !fact.Equal(condition.Fact{})
}

// textFact are the facts that are texts and ids.
func (t *Ticket) textFact(name string) (condition.Fact, bool) {
	var s string
	switch name {
	case "state":
		s = string(t.State)
	case "custom_state":
		s = t.Custom
	case "channel":
		s = t.Channel
	case "desk":
		s = string(t.Desk)
	case "group":
		s = string(t.Group)
	case "agent":
		s = string(t.Agent)
	case "category":
		s = string(t.Category)
	case "resolution":
		s = string(t.Resolution)
	case "title":
		s = t.Title
	case "body":
		s = t.Body
	case "language":
		s = t.Language
	case "contact":
		s = string(t.Contact)
	case "conversation":
		s = string(t.Conversation)
	case "requester_name":
		s = t.Requester.Name
	case "requester_email":
		s = t.Requester.Email
	case "requester_phone":
		s = t.Requester.Phone
	case "handed_to":
		s = t.HandedTo
	case "overflow":
		s = t.Origin.Overflow
	default:
		return condition.Fact{}, false
	}
	return condition.Text(s), true
}

// otherFact are the facts that are numbers, times and sets.
func (t *Ticket) otherFact(name string) (condition.Fact, bool) {
	switch name {
	case "priority":
		return condition.Number(float64(t.Priority)), true
	case "tags":
		return condition.Set(t.Tags), true
	case "followers":
		var ids []string
		for _, a := range t.Followers {
			ids = append(ids, string(a))
		}
		return condition.Set(ids), true
	case "merged":
		return condition.Bool(t.MergedInto != ""), true
	case "breached":
		return condition.Bool(slices.ContainsFunc(t.Clocks, func(c Clock) bool { return c.Breached })), true
	case "created":
		return condition.Time(t.CreatedAt), true
	case "updated":
		return condition.Time(t.UpdatedAt), true
	case "state_since":
		return condition.Time(t.StateAt), true
	case "solved":
		return condition.Time(t.SolvedAt), true
	case "customer_at":
		return condition.Time(t.CustomerAt), true
	case "answered_at":
		return condition.Time(t.AnsweredAt), true
	case "due":
		return condition.Time(t.Due()), true
	}
	return condition.Fact{}, false
}

func (f Facts) field(code string) condition.Fact {
	field, ok := f.Fields.Field(code)
	if !ok {
		return condition.Fact{}
	}
	t, ok := field.factType()
	v, set := f.Ticket.Fields[code]
	if !ok || !set {
		return condition.Fact{}
	}
	switch t {
	case condition.TypeNumber:
		if v.Number == nil {
			return condition.Fact{}
		}
		return condition.Number(*v.Number)
	case condition.TypeSet:
		return condition.Set(v.List)
	case condition.TypeTime:
		at, err := time.Parse(dateLayout, v.Text)
		if err != nil {
			return condition.Fact{}
		}
		return condition.Time(at)
	}
	return condition.Text(v.Text)
}

// Due is when the next of the ticket's clocks runs out; zero: none runs.
func (t *Ticket) Due() time.Time {
	var due time.Time
	for _, c := range t.Clocks {
		if !c.DueAt.IsZero() && (due.IsZero() || c.DueAt.Before(due)) {
			due = c.DueAt
		}
	}
	return due
}
