package sangdam

import (
	"context"
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// Actions on tickets. Whether a ticket may be seen is ActRead, as of every other
// record.
const (
	ActTicketOpen     Action = "ticket.open"
	ActTicketSubmit   Action = "ticket.submit" // the inquiry form, in a customer's name
	ActTicketEdit     Action = "ticket.edit"
	ActTicketAnswer   Action = "ticket.answer" // a public comment
	ActTicketReply    Action = "ticket.reply"  // a customer's words
	ActTicketComplete Action = "ticket.complete"
	ActTicketHandOver Action = "ticket.hand_over"
	ActTicketReport   Action = "ticket.report"  // what another system tells of a ticket that it took
	ActTicketBulk     Action = "ticket.bulk"    // many at once; each is asked for by itself, too
	ActTemplate       Action = "template.write" // templates and views of one's own
)

// Kinds of record around tickets.
const (
	kindTicket      = "ticket"
	kindTicketOffer = "ticket_offer"
	kindGroup       = "group"
)

func ticketResource(t ticket.Ticket) Resource {
	return Resource{Kind: kindTicket, ID: string(t.ID), Desk: t.Desk, Owner: t.Agent, Contact: t.Contact}
}

// ticketPolicy is the part of DefaultPolicy that is about tickets: those of a
// desk are for its agents, those of none for all who have the permission for
// tickets, and one's own always.
func ticketPolicy(w Who, a Action, r Resource) error {
	supervisor := w.has(RoleSupervisor)
	permitted := w.Agent == nil || w.Agent.May(routing.PermitTicket)
	onDesk := r.Desk == "" && permitted || r.Desk != "" && w.On(r.Desk)
	if !supervisor && r.ID != "" && string(r.Owner) != w.ID && !onDesk {
		return noSuch(kindTicket)
	}
	switch a {
	case ActRead:
		return nil
	case ActTicketOpen, ActTicketEdit, ActTicketAnswer, ActTicketBulk, ActMask:
		return mayWorkOnTickets(w)
	case ActTicketHandOver:
		if w.Agent != nil && !supervisor && !w.has(RoleAdministrator) && !w.Agent.May(routing.PermitHandOver) {
			return errs.New(errs.PermissionDenied,
				"sangdam: agent %s has no permission to hand tickets over; an administrator can grant it", w.Agent.ID)
		}
		return mayWorkOnTickets(w)
	case ActReveal, ActUnmask:
		return mayReveal(w, a)
	}
	return denied(w.Principal, a)
}

// mayWorkOnTickets refuses a plain agent without the permission.
func mayWorkOnTickets(w Who) error {
	if w.Agent == nil || w.has(RoleAdministrator) || w.has(RoleSupervisor) || w.Agent.May(routing.PermitTicket) {
		return nil
	}
	return errs.New(errs.PermissionDenied, "sangdam: agent %s has no permission for tickets; an administrator can grant it", w.Agent.ID)
}

// onTicket asks for a right on a ticket and returns it.
func (u *unit) onTicket(id ticket.ID, a Action) (*ticketWork, error) {
	w, err := u.ticketWork(id)
	if err != nil {
		u.resource, u.action = Resource{Kind: kindTicket, ID: string(id)}, a
		return nil, err
	}
	if err := u.allow(a, ticketResource(w.now)); err != nil {
		return nil, err
	}
	return w, u.off(SwitchTicket)
}

// hiddenFields are the codes that are not for this principal: agent fields for
// administrators only.
func hiddenFields(w Who, all ticket.Fields) (out []string) {
	if w.Kind != KindAgent || w.has(RoleAdministrator) {
		return nil
	}
	for _, f := range all.List {
		if f.AdminsOnly {
			out = append(out, f.Code)
		}
	}
	return out
}

// shownTicket is the ticket without the fields that are hidden.
func shownTicket(t ticket.Ticket, hidden []string) ticket.Ticket {
	if len(hidden) == 0 || len(t.Fields) == 0 {
		return t
	}
	fields := map[string]ticket.Value{}
	for code, v := range t.Fields {
		if !slices.Contains(hidden, code) {
			fields[code] = v
		}
	}
	t.Fields = fields
	return t
}

// shownEntries are the entries without changes of hidden fields.
func shownEntries(list []ticket.Entry, hidden []string) []ticket.Entry {
	if len(hidden) == 0 {
		return list
	}
	for i := range list {
		list[i].Changes = slices.DeleteFunc(slices.Clone(list[i].Changes), func(c ticket.Change) bool {
			return slices.ContainsFunc(hidden, func(code string) bool { return c.Member == "fields."+code })
		})
	}
	return list
}

func init() {
	registerRecord(kindTicket, func(ctx context.Context, tx store.Tx, id string) (Resource, error) {
		t, err := tickets.Get(ctx, tx, id)
		return ticketResource(t.Ticket), err
	})
}
