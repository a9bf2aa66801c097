package export

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/ticket"
)

// Options of a table of tickets.
type Options struct {
	// Columns are names of fields of conditions (ticket.SchemaFields) or "number";
	// empty: DefaultColumns.
	Columns []string
	// Language of names. Where it has none, or is empty, the first of the workspace's
	// languages that has one is taken.
	Language string
	// Zone of the reader; nil: UTC.
	Zone *time.Location
	// Title is the heading of a column of the library's own; nil: its name.
	Title func(column string) string
	// Word is what a code means to the reader: a state, a priority, a channel, or
	// the id of a desk, group or agent; nil: the code itself.
	Word func(column, code string) string
}

// coded are the columns whose values are codes.
var coded = []string{"state", "priority", "channel", "desk", "group", "agent"}

// DefaultColumns are those of a list of tickets.
func DefaultColumns() []string {
	return []string{"number", "title", "state", "priority", "category", "group", "agent", "requester_name", "requester_email",
		"requester_phone",
		"tags", "created", "updated"}
}

// Tickets makes the table of the tickets that match and that the principal may
// see: those of Engine.Tickets with the same filter, in the same order.
// Encrypted fields are no columns; fields for administrators only have no values
// for others.
func Tickets(ctx context.Context, eng *sangdam.Engine, p sangdam.Principal, f sangdam.TicketFilter, o Options) (Table, Rows, error) {
	setup, err := eng.TicketSetup(ctx, p)
	if err != nil {
		return Table{}, nil, err
	}
	t, cellsOf := TicketCells(setup, o)
	rows := func(yield func([]any, error) bool) {
		for page := ""; ; {
			found, err := eng.Tickets(ctx, p, f, page, 200)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, one := range found.Tickets {
				if !yield(cellsOf(one), nil) {
					return
				}
			}
			if page = found.Next; page == "" {
				return
			}
		}
	}
	return t, rows, nil
}

// TicketCells makes an empty table of tickets, and what makes the cells of one:
// for a page that shows what Tickets exports.
func TicketCells(setup sangdam.TicketSetup, o Options) (Table, func(ticket.Ticket) []any) {
	names := o.Columns
	if len(names) == 0 {
		names = DefaultColumns()
	}
	t := Table{Name: "Tickets", Zone: o.Zone}
	for _, name := range names {
		c := column(name, setup, o.Language)
		if o.Title != nil && !strings.HasPrefix(name, "field.") {
			c.Title = o.Title(name)
		}
		if o.Word != nil && slices.Contains(coded, name) {
			c.Kind = Text
		}
		t.Columns = append(t.Columns, c)
	}
	return t, func(one ticket.Ticket) []any {
		cells := make([]any, len(names))
		for i, name := range names {
			cells[i] = value(name, one, setup, o.Language)
			if code := fmt.Sprint(cells[i]); o.Word != nil && code != "" && slices.Contains(coded, name) {
				cells[i] = o.Word(name, code)
			}
		}
		return cells
	}
}

// column is the column of a field: one of a workspace's own has its name, and
// one that was deleted its code.
func column(name string, s sangdam.TicketSetup, language string) Column {
	c := Column{Title: name}
	code, own := strings.CutPrefix(name, "field.")
	switch {
	case own:
		c.Title = code
		f, _ := s.Fields.Field(code)
		if !f.Deleted && len(f.Names) > 0 {
			c.Title = ticket.Name(f.Names, language, s.Settings.Languages...)
		}
		switch f.Type {
		case ticket.Number:
			c.Kind = Number
		case ticket.Date:
			c.Kind = Date
		}
	case slices.Contains([]string{"created", "updated", "state_since", "solved", "customer_at", "answered_at", "due"}, name):
		c.Kind = Time
	case name == "number" || name == "priority":
		c.Kind = Number
	case name == "breached" || name == "merged":
		c.Kind = Yes
	}
	return c
}

// value is a ticket's cell in a column.
func value(name string, t ticket.Ticket, s sangdam.TicketSetup, language string) any {
	if code, own := strings.CutPrefix(name, "field."); own {
		return fieldValue(t.Fields[code], code, s, language)
	}
	switch name {
	case "number":
		return t.Number
	case "priority":
		return int64(t.Priority)
	case "category":
		return path(s.Trees[ticket.Intake], t.Category, s, language)
	case "resolution":
		return path(s.Trees[ticket.Resolution], t.Resolution, s, language)
	case "tags":
		return strings.Join(t.Tags, ", ")
	case "followers":
		var all []string
		for _, a := range t.Followers {
			all = append(all, string(a))
		}
		return strings.Join(all, ", ")
	case "breached":
		return slices.ContainsFunc(t.Clocks, func(c ticket.Clock) bool { return c.Breached })
	case "merged":
		return t.MergedInto != ""
	}
	if at, is := timeOf(name, t); is {
		if at.IsZero() {
			return nil
		}
		return at
	}
	return textOf(name, t)
}

func timeOf(name string, t ticket.Ticket) (time.Time, bool) {
	all := map[string]time.Time{"created": t.CreatedAt, "updated": t.UpdatedAt, "state_since": t.StateAt, "solved": t.SolvedAt,
		"customer_at": t.CustomerAt, "answered_at": t.AnsweredAt, "due": t.Due()}
	at, is := all[name]
	return at, is
}

func textOf(name string, t ticket.Ticket) string {
	return map[string]string{"state": string(t.State), "custom_state": t.Custom, "channel": t.Channel, "desk": string(t.Desk),
		"group": string(t.Group), "agent": string(t.Agent), "title": t.Title, "body": t.Body, "language": t.Language,
		"contact": string(t.Contact), "conversation": string(t.Conversation), "requester_name": t.Requester.Name,
		"requester_email": t.Requester.Email, "requester_phone": t.Requester.Phone, "handed_to": t.HandedTo,
		"overflow": t.Origin.Overflow}[name]
}

// path is a category with those above it.
func path(tree ticket.Tree, id ticket.CategoryID, s sangdam.TicketSetup, language string) string {
	var names []string
	for _, c := range tree.Path(id) {
		names = append(names, ticket.Name(c.Names, language, s.Settings.Languages...))
	}
	if len(names) == 0 {
		return string(id) // deleted since
	}
	return strings.Join(names, " > ")
}

// fieldValue is the value of a field of the workspace's own.
func fieldValue(v ticket.Value, code string, s sangdam.TicketSetup, language string) any {
	f, _ := s.Fields.Field(code)
	option := func(code string) string {
		i := slices.IndexFunc(f.Options, func(o ticket.Option) bool { return o.Code == code })
		if i < 0 {
			return code
		}
		return ticket.Name(f.Options[i].Names, language, s.Settings.Languages...)
	}
	switch {
	case v.Empty() || len(v.Sealed) > 0:
		return nil
	case v.Number != nil && f.Type == ticket.Number:
		return *v.Number
	case f.Type == ticket.Date:
		if day, err := time.Parse(dateLayout, v.Text); err == nil {
			return day
		}
		return nil
	case len(v.List) > 0:
		var all []string
		for _, c := range v.List {
			all = append(all, option(c))
		}
		return strings.Join(all, ", ")
	case len(v.Files) > 0:
		return strings.Join(v.Files, ", ")
	case f.Type == ticket.Radio || f.Type == ticket.Dropdown:
		return option(v.Text)
	}
	return v.Text
}

// Categories makes the download of a tree: each category before those below it.
func Categories(tree ticket.Tree, languages []string, zone *time.Location) (Table, Rows) {
	t := Table{Name: string(tree.Kind), Zone: zone, Columns: []Column{{Title: "id"}}}
	for _, l := range languages {
		t.Columns = append(t.Columns, Column{Title: "name (" + l + ")"})
	}
	t.Columns = append(t.Columns, Column{"level", Number}, Column{"parent", Text}, Column{"offered", Yes}, Column{"made", Time},
		Column{"changed", Time})
	return t, func(yield func([]any, error) bool) {
		for _, c := range tree.Walk() {
			cells := []any{string(c.ID)}
			for _, l := range languages {
				cells = append(cells, c.Names[l])
			}
			cells = append(cells, tree.Level(c.ID), string(c.Parent), c.Offered, c.CreatedAt, c.UpdatedAt)
			if !yield(cells, nil) {
				return
			}
		}
	}
}
