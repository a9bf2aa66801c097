package console

import (
	"cmp"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// ticketViewForm is a saved list of tickets as its page shows it.
type ticketViewForm struct {
	View   ticket.View
	When   conditionForm
	Lists  []fieldList
	Orders []choice
	// Columns are those of the list, Column is copied for another.
	Columns []columnForm
	Column  columnForm
	Shares  bool // everybody's views are this person's to change
	Fixed   bool // it is for reading alone
}

// findTicketView is the stored view with the fields that its condition may ask.
func (q *request) findTicketView(id string) (v ticket.View, fields []condition.Field, err error) {
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return v, nil, err
	}
	fields = ticket.SchemaFields(set.Fields)
	if id == "new" {
		return ticket.View{Owner: routing.AgentID(q.p.ID), Desc: true}, fields, nil
	}
	saved, err := q.engine.TicketViews(q.r.Context(), q.p)
	if err != nil {
		return v, nil, err
	}
	for _, s := range saved {
		if s.ID == id {
			return s, fields, nil
		}
	}
	return v, nil, errNoPage
}

// editTicketView shows the page of a view; failed is what was wrong with it.
func (q *request) editTicketView(v ticket.View, fields []condition.Field, failed error) error {
	f := ticketViewForm{View: v, Shares: q.may(sangdam.ActConfigure) == nil, When: q.conditionForm("", v.When, fields, operatorsOf(fields))}
	f.Fixed = v.Owner == "" && !f.Shares
	for _, o := range ticket.Orders() {
		f.Orders = append(f.Orders, choice{string(o), q.lang.of("ticket_order", string(o)), o == cmp.Or(v.Order, ticket.ByUpdated)})
	}
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	f.Columns, f.Column = q.columnForms(v, set)
	if f.Lists, err = q.fieldLists(fields); err != nil {
		return err
	}
	return q.edit("ticket-view", cmp.Or(v.Name, q.lang.t("ticket_views.new")), q.r.PathValue("id"), f, failed)
}

func (q *request) savedTicketView() error {
	v, fields, err := q.findTicketView(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	return q.editTicketView(v, fields, nil)
}

func (q *request) saveTicketView() error {
	v, fields, err := q.findTicketView(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	if q.checked("delete") {
		c := sangdam.DeleteTicketView{Key: q.key(), View: v.ID, Version: q.number("version")}
		if err := q.engine.DeleteTicketView(q.r.Context(), q.p, c); err != nil {
			return err
		}
		return q.done("/tickets")
	}
	v.Version, v.Name, v.Order, v.Desc = q.number("version"), q.value("name"), ticket.Order(q.value("order")), q.checked("desc")
	v.Columns = q.readColumns()
	if v.Owner = routing.AgentID(q.p.ID); q.checked("shared") {
		v.Owner = ""
	}
	if v.When, err = q.readCondition("", fields); err == nil {
		var saved sangdam.Saved
		if saved, err = q.engine.SaveTicketView(q.r.Context(), q.p, sangdam.SaveTicketView{Key: q.key(), View: v}); err == nil {
			return q.done("/tickets?list=" + escaped(saved.ID))
		}
	}
	return q.editTicketView(v, fields, err)
}

// operatorsOf are the operators that conditions over these fields may use.
func operatorsOf(fields []condition.Field) map[condition.Type][]condition.Op {
	ops := map[condition.Type][]condition.Op{}
	for _, f := range fields {
		ops[f.Type] = condition.Operators(f.Type)
	}
	return ops
}
