package console

import (
	"net/url"
	"slices"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// openTicket makes a ticket: by hand, or from a conversation.
func (q *request) openTicket() error {
	c := sangdam.OpenTicket{Key: q.key(), Conversation: conversation.ID(q.value("conversation")), Title: q.value("title"),
		Body: q.value("body"), Requester: ticket.Requester{Name: q.value("name"), Email: q.value("email"), Phone: q.value("phone")}}
	made, err := q.engine.OpenTicket(q.r.Context(), q.p, c)
	if err != nil {
		return err
	}
	return q.done("/tickets/" + url.PathEscape(string(made.Ticket)))
}

// saveTicket saves what differs from what is stored, and a comment with it.
func (q *request) saveTicket() error {
	id := ticket.ID(q.r.PathValue("id"))
	detail, err := q.engine.Ticket(q.r.Context(), q.p, id)
	if err != nil {
		return err
	}
	c := sangdam.UpdateTicket{Key: q.key(), Ticket: id, Version: q.number("version")}
	comment := q.value("comment")
	if files := q.r.PostForm["file"]; comment != "" || len(files) > 0 {
		c.Comment = &sangdam.TicketComment{Text: comment, Public: q.checked("public"), Files: files}
	}
	var saved sangdam.TicketState
	if c.Change, err = q.ticketChange(detail.Ticket); err == nil {
		saved, err = q.engine.UpdateTicket(q.r.Context(), q.p, c)
	}
	if err != nil {
		return q.showTicket(comment, err)
	}
	page := "/tickets/" + url.PathEscape(string(id))
	if len(saved.Warnings) > 0 {
		q.tell(page, word{Warnings: q.lang.warned(saved.Warnings)})
	}
	return q.done(page)
}

// retype puts what was typed in the form of a ticket back into it.
func (q *request) retype(v *ticketView) {
	if _, sent := q.r.PostForm["title"]; !sent { // another form of the page was
		return
	}
	v.Row.Title, v.Tags = q.value("title"), q.value("tags")
	for name, list := range map[string][]choice{"state": v.States, "priority": v.Priorities, "agent": v.Agents, "group": v.Groups,
		"category": v.Categories, "resolution": v.Resolution} {
		for i := range list {
			list[i].Chosen = list[i].Value == q.value(name)
		}
	}
	for i, f := range v.Fields {
		values := q.r.PostForm["field."+f.Code]
		v.Fields[i].Value = q.value("field." + f.Code)
		for j, o := range f.Options {
			f.Options[j].Chosen = slices.Contains(values, o.Value)
		}
	}
}

// differs points to a value of the form where it is not the stored one.
func differs[T ~string](was T, typed string) *T {
	if string(was) == typed {
		return nil
	}
	v := T(typed)
	return &v
}

func (q *request) ticketChange(t ticket.Ticket) (c sangdam.TicketChange, err error) {
	c.Title = differs(t.Title, q.value("title"))
	c.State = differs(t.State, q.value("state"))
	c.Category = differs(t.Category, q.value("category"))
	c.Resolution = differs(t.Resolution, q.value("resolution"))
	c.Group = differs(t.Group, q.value("group"))
	c.Agent = differs(t.Agent, q.value("agent"))
	n, err := q.whole("priority")
	if err != nil {
		return c, err
	}
	if p := ticket.Priority(n); p != t.Priority {
		c.Priority = &p
	}
	tags := words(q.value("tags"))
	for _, tag := range tags {
		if !slices.Contains(t.Tags, tag) {
			c.AddTags = append(c.AddTags, tag)
		}
	}
	for _, tag := range t.Tags {
		if !slices.Contains(tags, tag) {
			c.RemoveTags = append(c.RemoveTags, tag)
		}
	}
	c.Fields, err = q.fieldValues(t)
	return c, err
}

// fieldValues are the fields of the form that hold something else now.
func (q *request) fieldValues(t ticket.Ticket) (map[string]ticket.Value, error) {
	out := map[string]ticket.Value{}
	for _, code := range q.r.PostForm["field"] {
		if q.value("fieldtype."+code) == string(ticket.File) {
			continue
		}
		v, err := q.typedField(code)
		if err != nil {
			return nil, err
		}
		was := t.Fields[code]
		if len(was.Sealed) > 0 && v.Empty() { // what is sealed is not shown, and stays
			continue
		}
		if !sameValue(was, v) {
			out[code] = v
		}
	}
	return out, nil
}

// sameValue says whether what was typed is what is stored.
func sameValue(was, v ticket.Value) bool {
	return was.Text == v.Text && slices.Equal(was.List, v.List) && (was.Number == nil) == (v.Number == nil) &&
		(v.Number == nil || *was.Number == *v.Number)
}

func (q *request) followTicket() error {
	c := sangdam.FollowTicket{Key: q.key(), Ticket: ticket.ID(q.r.PathValue("id")), Agent: routing.AgentID(q.p.ID), Stop: q.checked("stop")}
	if _, err := q.engine.FollowTicket(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/tickets/" + url.PathEscape(q.r.PathValue("id")))
}
