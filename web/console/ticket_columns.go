package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/web/export"
)

// Columns of the list of tickets: those of the saved view that is shown, else the
// ones of every list. What is exported is what the screen has.

// listColumns are those of lists that name none.
var listColumns = []string{"number", "title", "requester_name", "category", "state", "priority", "agent", "group", "due", "updated"}

// columnsTable is a list as a view's own columns show it.
type columnsTable struct {
	Heads []string
	Rows  []columnsRow
}

type columnsRow struct {
	ID, URL string
	Number  int64
	Cells   []columnsCell
}

// columnsCell is a value, with the whole of it where the cell is short.
type columnsCell struct {
	Text, Full string
	Link       bool
}

// ticketOptions say how the columns of a view are written for the reader; nil
// columns are those of every list.
func (q *request) ticketOptions(d *sangdam.Directory, set sangdam.TicketSetup, columns []string) export.Options {
	if len(columns) == 0 {
		columns = listColumns
	} else {
		columns = slices.Concat([]string{"number"}, columns)
	}
	return export.Options{Columns: columns, Language: q.lang.tag, Zone: q.zone,
		Title: func(column string) string {
			if column == "number" {
				return q.lang.t("tickets.number")
			}
			return q.lang.of("field", column)
		},
		Word: func(column, code string) string { return q.ticketWord(d, set, column, code) }}
}

func (q *request) ticketWord(d *sangdam.Directory, set sangdam.TicketSetup, column, code string) string {
	switch column {
	case "state":
		return q.lang.of("ticket_state", code)
	case "agent":
		return agentName(d, routing.AgentID(code))
	case "desk":
		return cmp.Or(d.Desks[routing.DeskID(code)], code)
	case "group":
		for _, g := range set.Groups {
			if string(g.ID) == code {
				return g.Name
			}
		}
		return code
	}
	return q.lang.of(column, code)
}

// ticketTable shows tickets in the columns of a view.
func (q *request) ticketTable(d *sangdam.Directory, set sangdam.TicketSetup, columns []string, list []ticket.Ticket) *columnsTable {
	t, cells := export.TicketCells(set, q.ticketOptions(d, set, columns))
	out := &columnsTable{}
	for _, c := range t.Columns {
		out.Heads = append(out.Heads, c.Title)
	}
	for _, one := range list {
		row := columnsRow{ID: string(one.ID), Number: one.Number, URL: q.o.Prefix + "/tickets/" + url.PathEscape(string(one.ID))}
		for i, v := range cells(one) {
			cell := q.shownCell(t.Columns[i].Kind, v)
			cell.Link = i == 0 || i > 0 && columns[i-1] == "title"
			row.Cells = append(row.Cells, cell)
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// maxCell is how much of a text a cell of a list shows.
const maxCell = 120

func (q *request) shownCell(kind export.Kind, v any) columnsCell {
	switch v := v.(type) {
	case nil:
		return columnsCell{}
	case time.Time:
		if kind == export.Date {
			return columnsCell{Text: v.Format("2006-01-02")}
		}
		return columnsCell{Text: q.short(v), Full: q.full(v)}
	case bool:
		return columnsCell{Text: map[bool]string{true: q.lang.t("on"), false: ""}[v]}
	}
	text := strings.TrimSpace(fmt.Sprint(v))
	if long := []rune(text); len(long) > maxCell {
		return columnsCell{Text: string(long[:maxCell]) + "…", Full: text}
	}
	return columnsCell{Text: text}
}

// columnsOf are the columns of the list that is asked for; nil: every list's.
func (q *request) columnsOf(list string) ([]string, error) {
	saved, err := q.engine.TicketViews(q.r.Context(), q.p)
	if err != nil {
		return nil, err
	}
	for _, s := range saved {
		if s.ID == list {
			return s.Columns, nil
		}
	}
	return nil, nil
}

// exportTickets writes the table of exactly what the list shows, all its pages.
func (q *request) exportTickets() error {
	d, err := q.directory()
	if err != nil {
		return err
	}
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	list := cmp.Or(q.r.FormValue("list"), "mine")
	columns, err := q.columnsOf(list)
	if err != nil {
		return err
	}
	t, rows, err := export.Tickets(q.r.Context(), q.engine, q.p, q.ticketFilter(list), q.ticketOptions(d, set, columns))
	if err != nil {
		return err
	}
	return q.table("tickets", t, rows)
}

// columnForm is a column in the editor of a view.
type columnForm struct {
	N       string
	Options []choice
}

// columnForms are the columns of a view, and one to copy for another.
func (q *request) columnForms(v ticket.View, set sangdam.TicketSetup) (out []columnForm, fresh columnForm) {
	row := func(n, chosen string) columnForm {
		f := columnForm{N: n}
		for _, field := range ticket.SchemaFields(set.Fields) {
			label := q.lang.of("field", field.Name)
			if code, own := strings.CutPrefix(field.Name, "field."); own {
				own, _ := set.Fields.Field(code)
				label = cmp.Or(q.inLanguage(own.Names), code)
			}
			if field.Name != "comment" { // there is none in a list
				f.Options = append(f.Options, choice{field.Name, label, field.Name == chosen})
			}
		}
		return f
	}
	for i, c := range v.Columns {
		out = append(out, row(fmt.Sprint(i), c))
	}
	return out, row(newRow, "")
}

// readColumns reads them, in the order of the page.
func (q *request) readColumns() (out []string) {
	for _, n := range q.r.PostForm["column.row"] {
		if c := q.value("column." + n + ".field"); c != "" && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}
