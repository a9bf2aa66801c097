package sangdam

import (
	"errors"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/ticket"
)

// ticketed says that what a customer writes in the conversation is for a ticket:
// the work stream says so, tickets are on, and no agent has the chat.
func (u *unit) ticketed(d *draft.Draft) bool {
	return u.s.routing.WorkStreams[d.C.WorkStream].Tickets && d.C.Agent == "" && u.off(SwitchTicket) == nil
}

// becomesTicket makes a ticket of a customer's message, unless the conversation
// has one that is not complete: then the message joins that one.
func (u *unit) becomesTicket(acct channel.Account, d *draft.Draft, m conversation.Message) error {
	if d.C.Ticket != "" {
		w, err := u.mergedInto(ticket.ID(d.C.Ticket))
		if err == nil && w.now.State != ticket.Complete {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	t := ticket.Ticket{Channel: ticket.ChannelChat, Body: shownText(m.Content)}
	if string(acct.Kind) == ticket.ChannelEmail {
		t.Channel = ticket.ChannelEmail
	}
	if l := m.Content.Letter; l != nil {
		t.Title = l.Subject
	}
	if err := u.asksFor(&t, m.Author.Identity); err != nil {
		return err
	}
	u.inherit(&t, d.C)
	made, err := u.openTicket(t, TicketChange{})
	if err != nil {
		return err
	}
	u.begunTicket, d.C.Ticket = made.T.ID, string(made.T.ID)
	d.Note(conversation.EvTicket, u.actor(), "", string(made.T.ID))
	return nil
}

// asksFor names the writer of a message as who asks.
func (u *unit) asksFor(t *ticket.Ticket, by conversation.IdentityID) error {
	if by == "" {
		return nil
	}
	who, err := u.tx.Contacts().IdentityByID(u.ctx, by)
	if err != nil {
		return err
	}
	t.Requester.Name = who.Name
	if strings.Contains(string(who.User), "@") {
		t.Requester.Email = string(who.User)[strings.LastIndexByte(string(who.User), ':')+1:]
	}
	return nil
}

// shownText is a text without what is folded: quotations and signatures.
func shownText(c channel.Content) string {
	var out strings.Builder
	at := 0
	for _, s := range c.Spans {
		if (s.Kind == "quoted" || s.Kind == "signature") && s.Start >= at && s.Start+s.Length <= len(c.Text) {
			out.WriteString(c.Text[at:s.Start])
			at = s.Start + s.Length
		}
	}
	out.WriteString(c.Text[at:])
	if text := strings.TrimSpace(out.String()); text != "" {
		return text
	}
	return c.Text
}
