package sangdam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/fold"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// TicketDetail is a ticket with everything that a console shows beside it.
type TicketDetail struct {
	// Ticket has encrypted fields sealed; see RevealTicketField.
	Ticket ticket.Ticket `json:"ticket"`
	// Entries are the newest 200 entries of the ticket's history, oldest first.
	// Earlier says that there are more, which TicketHistory returns.
	Entries []ticket.Entry `json:"entries"`
	Earlier bool           `json:"earlier,omitempty"`
	// Mails are the mail that the ticket was made from and those behind
	// Entries, with the masks of their conversation. Their files open with
	// AttachmentRef.Ticket. The first mail is left out while the ticket's title
	// or text has masks, because it would show what they hide.
	Mails []conversation.Message `json:"mails,omitempty"`
	// Files are the files that the ticket's fields and Entries name, and those
	// of the tickets that were merged into it.
	Files []TicketFile `json:"files,omitempty"`
	// Item is the ticket's place in routing; nil when it has none.
	Item *routing.Item `json:"item,omitempty"`
}

var qTicket = asks("ticket.read", "Ticket", kindTicket, ActRead)

// Ticket returns a ticket with the newest part of its history.
func (e *Engine) Ticket(ctx context.Context, p Principal, id ticket.ID) (TicketDetail, error) {
	var out TicketDetail
	err := e.readTicket(ctx, p, qTicket, id, func(ctx context.Context, tx store.Tx, w Who, t ticket.Ticket) error {
		hidden, err := e.hiddenFrom(ctx, tx, w)
		if err != nil {
			return err
		}
		out = TicketDetail{Ticket: shownTicket(t, hidden), Earlier: t.Entries > maxPage}
		entries, err := entriesOf(ctx, tx, id, max(0, t.Entries-maxPage), maxPage)
		if err != nil {
			return err
		}
		if out.Mails, err = mailsOf(ctx, tx, t, entries); err != nil {
			return err
		}
		if out.Entries, err = withChatText(ctx, tx, shownEntries(entries, hidden)); err != nil {
			return err
		}
		if out.Files, err = filesOf(ctx, tx, t, out.Entries, hidden); err != nil {
			return err
		}
		it, err := tx.Work().Item(ctx, ticketItem(id))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		out.Item = &it
		return err
	})
	return out, err
}

var qTicketHistory = asks("ticket.history", "TicketHistory", kindTicket, ActRead)

// TicketHistory returns entries of a ticket with Seq above after, oldest first,
// at most limit (1 to 200).
func (e *Engine) TicketHistory(ctx context.Context, p Principal, id ticket.ID, after int64, limit int) (out []ticket.Entry, err error) {
	err = e.readTicket(ctx, p, qTicketHistory, id, func(ctx context.Context, tx store.Tx, w Who, _ ticket.Ticket) error {
		hidden, err := e.hiddenFrom(ctx, tx, w)
		if err != nil {
			return err
		}
		out, err = entriesOf(ctx, tx, id, after, min(max(limit, 1), maxPage))
		if err == nil {
			out, err = withChatText(ctx, tx, listed(shownEntries(out, hidden)))
		}
		return err
	})
	return out, err
}

func (e *Engine) hiddenFrom(ctx context.Context, tx store.Tx, w Who) ([]string, error) {
	if w.Kind != KindAgent {
		return nil, nil
	}
	s, err := e.currentTicketSetup(ctx, tx)
	if err != nil {
		return nil, err
	}
	return hiddenFields(w, s.Fields), nil
}

var qTicketNames = asks("ticket.names", "TicketNames", "tickets", ActList)

// TicketNames returns the numbers and titles of those tickets among ids that
// the principal may see. At most MaxBulk ids at once.
func (e *Engine) TicketNames(ctx context.Context, p Principal, ids ...ticket.ID) (out map[ticket.ID]ticket.Ref, err error) {
	if len(ids) > MaxBulk {
		return nil, errs.New(errs.Invalid, "sangdam: at most %d names are looked up at once, not %d", MaxBulk, len(ids))
	}
	err = e.query(ctx, p, qTicketNames, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		out, err = e.ticketNames(ctx, tx, w, ids)
		return err
	})
	return out, err
}

func (e *Engine) ticketNames(ctx context.Context, tx store.Tx, w Who, ids []ticket.ID) (map[ticket.ID]ticket.Ref, error) {
	var asked []string
	for _, id := range ids {
		if id != "" {
			asked = append(asked, string(id))
		}
	}
	found, err := tickets.GetAll(ctx, tx, asked...)
	if err != nil {
		return nil, err
	}
	out := map[ticket.ID]ticket.Ref{}
	for _, t := range found {
		shown, err := e.sees(ctx, w, ticketResource(t.Ticket))
		if err != nil {
			return nil, err
		}
		if shown {
			out[t.ID] = ticket.Ref{Number: t.Number, Title: t.Title}
		}
	}
	return out, nil
}

// TicketFilter says which tickets to list. A ticket must match everything that
// is given, and of a list one of its values; a States that is empty but not nil
// matches no ticket.
type TicketFilter struct {
	Number       int64                  `json:"number,omitempty"`
	States       []ticket.State         `json:"states,omitzero"`
	Open         bool                   `json:"open,omitempty"` // still to be worked on
	Agent        routing.AgentID        `json:"agent,omitempty"`
	NoAgent      bool                   `json:"no_agent,omitempty"`
	Group        ticket.GroupID         `json:"group,omitempty"`
	Desk         routing.DeskID         `json:"desk,omitempty"`
	Tag          string                 `json:"tag,omitempty"`
	Category     ticket.CategoryID      `json:"category,omitempty"` // or one below it
	Contact      conversation.ContactID `json:"contact,omitempty"`
	Conversation conversation.ID        `json:"conversation,omitempty"`
	Follower     routing.AgentID        `json:"follower,omitempty"`
	// When is a condition over ticket.SchemaFields.
	When condition.Condition `json:"when,omitzero"`
	// View is the id of a saved list of tickets. Its condition must hold too,
	// and its order counts when Order is empty.
	View string `json:"view,omitempty"`
	// Order is ticket.ByUpdated when empty. Any other order is slower on a
	// large workspace: it reads the tickets of the whole workspace in that
	// order, whatever else the filter asks for.
	Order ticket.Order `json:"order,omitempty"`
	Desc  bool         `json:"desc,omitempty"` // from the end: newest, highest
}

// TicketPage is one page of a list; Next is empty at the end.
type TicketPage struct {
	Tickets []ticket.Ticket `json:"tickets"`
	Next    string          `json:"next,omitempty"`
}

var qTickets = asks("ticket.list", "Tickets", "tickets", ActList)

// Tickets lists the tickets that match and that the principal may see. limit is
// 1 to 200, and 0 means 50. page is empty for the first page and otherwise
// TicketPage.Next of the page before, which works only for the same principal
// and filter; any other is ErrInvalid. One call looks at no more than 500
// tickets: a page may have fewer than limit, or none, and still a Next to go on
// with.
func (e *Engine) Tickets(ctx context.Context, p Principal, f TicketFilter, page string, limit int) (TicketPage, error) {
	from, err := e.openPage(ctx, p, "tickets", f, page)
	if err != nil {
		return TicketPage{}, err
	}
	var out TicketPage
	err = e.query(ctx, p, qTickets, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		l, err := e.ticketList(ctx, tx, s, p, f)
		if err != nil {
			return err
		}
		found, err := l.page(from, limit)
		if err != nil {
			return err
		}
		out = TicketPage{Tickets: listed(found.Tickets), Next: found.Next}
		return nil
	})
	if err == nil {
		out.Next, err = e.sealPage(ctx, p, "tickets", f, out.Next)
	}
	return out, err
}

var qCountTickets = asks("ticket.count", "CountTickets", "tickets", ActList)

// CountTickets counts the tickets that match and that the principal may see,
// among the first 10,000 tickets of the list.
func (e *Engine) CountTickets(ctx context.Context, p Principal, f TicketFilter) (Count, error) {
	var out Count
	err := e.query(ctx, p, qCountTickets, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		l, err := e.ticketList(ctx, tx, s, p, f)
		if err != nil {
			return err
		}
		out = Count{}
		for page := ""; ; {
			found, err := l.page(page, maxPage)
			if err != nil {
				return err
			}
			out.N += len(found.Tickets)
			if page = found.Next; page == "" || l.looked >= countedAt {
				out.AtLeast = page != ""
				return nil
			}
		}
	})
	return out, err
}

// ticketList is a prepared list.
type ticketList struct {
	e       *Engine
	ctx     context.Context
	tx      store.Tx
	w       Who
	f       TicketFilter
	setup   *ticketSetup
	hidden  []string
	under   map[ticket.CategoryID]bool // the category and those below it
	chats   []conversation.ID          // the conversation and those that were merged into it
	when    []*condition.Program
	list    store.List[storedTicket]
	looked  int
	trouble error // of the policy, in the middle of a page
}

// ticketList checks a filter and chooses the index for it.
func (e *Engine) ticketList(ctx context.Context, tx store.Tx, s *settings, p Principal, f TicketFilter) (*ticketList, error) {
	w, err := e.who(ctx, tx, s, p)
	if err != nil {
		return nil, err
	}
	setup, err := e.currentTicketSetup(ctx, tx)
	if err != nil {
		return nil, err
	}
	l := &ticketList{e: e, ctx: ctx, tx: tx, w: w, f: f, setup: setup, hidden: hiddenFields(w, setup.Fields)}
	if err := l.view(); err != nil {
		return nil, err
	}
	if err := l.compile("the filter", f.When); err != nil {
		return nil, err
	}
	if l.f.Order == "" {
		l.f.Order = ticket.ByUpdated
	}
	if !slices.Contains(ticket.Orders(), l.f.Order) {
		return nil, errs.New(errs.Invalid, "sangdam: tickets cannot be ordered by %q; use one of %v", shortened(string(l.f.Order)),
			ticket.Orders())
	}
	for _, s := range f.States {
		if !s.Valid() {
			return nil, errs.New(errs.Invalid, "sangdam: a filter names the state %q; use some of %v",
				shortened(string(s)), ticket.States())
		}
	}
	if f.Category != "" {
		l.under = map[ticket.CategoryID]bool{f.Category: true}
		for _, c := range setup.Trees[ticket.Intake].Walk() {
			l.under[c.ID] = l.under[c.ID] || l.under[c.Parent] && c.Parent != ""
		}
	}
	if f.Conversation != "" {
		if l.chats, err = chatsOf(ctx, tx, f.Conversation); err != nil {
			return nil, err
		}
	}
	l.list = l.index()
	l.list.Keep = l.keep
	return l, nil
}

// chatsOf are a conversation and those that were merged into it.
func chatsOf(ctx context.Context, tx store.Tx, id conversation.ID) ([]conversation.ID, error) {
	cv, err := tx.Conversations().Conversation(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	return append([]conversation.ID{id}, cv.Merged...), nil
}

// view adds what a saved view says.
func (l *ticketList) view() error {
	if l.f.View == "" {
		return nil
	}
	v, err := ticketViews.Get(l.ctx, l.tx, l.f.View)
	if errors.Is(err, ErrNotFound) || err == nil && v.Owner != "" && v.Owner != l.w.agent() {
		return noSuch("ticket_view")
	}
	if err != nil {
		return err
	}
	if l.f.Order == "" {
		l.f.Order, l.f.Desc = v.Order, v.Desc
	}
	return l.compile("view "+v.Name, v.When)
}

// compile adds a condition. A field that is not for this principal counts as
// one that does not exist: what it holds cannot be found out by asking.
func (l *ticketList) compile(what string, c condition.Condition) error {
	if c.IsZero() {
		return nil
	}
	schema := l.setup.schema
	if len(l.hidden) > 0 {
		fields := slices.DeleteFunc(schema.Fields(), func(f condition.Field) bool {
			return slices.ContainsFunc(l.hidden, func(code string) bool { return f.Name == "field."+code })
		})
		var err error
		if schema, err = condition.NewSchema(fields...); err != nil {
			return err
		}
	}
	p, err := c.Compile(schema)
	if err != nil {
		return errs.New(errs.Invalid, "sangdam: %s: %w", what, err)
	}
	l.when = append(l.when, p)
	return nil
}

// index chooses the narrowest way into the tickets.
func (l *ticketList) index() store.List[storedTicket] {
	f := l.f
	if f.Number != 0 {
		return store.List[storedTicket]{Index: byNumber, From: store.Int(f.Number), To: store.Int(f.Number + 1)}
	}
	if f.Order != ticket.ByUpdated {
		return store.List[storedTicket]{Index: string(f.Order), Desc: f.Desc}
	}
	tagged := func(tag string, value []byte) store.List[storedTicket] {
		return store.List[storedTicket]{Tag: tag, Value: value, Desc: f.Desc}
	}
	switch {
	case f.Conversation != "":
		return tagged(withChat, store.Exact(string(f.Conversation)))
	case f.Contact != "":
		return tagged(withPerson, store.Exact(string(f.Contact)))
	case f.Agent != "":
		return tagged(withAgent, store.Exact(string(f.Agent)))
	case f.Tag != "":
		return tagged(withLabel, store.Text(f.Tag))
	case f.Group != "":
		return tagged(withGroup, store.Exact(string(f.Group)))
	case len(l.under) == 1:
		return tagged(withIntake, store.Exact(string(f.Category)))
	case len(f.States) == 1:
		return tagged(withState, store.Exact(string(f.States[0])))
	case f.Open:
		return tagged(withOpen, store.Exact("1"))
	}
	return store.List[storedTicket]{Index: byUpdated, Desc: f.Desc}
}

func (l *ticketList) keep(t *storedTicket) bool {
	l.looked++
	if l.trouble != nil || !l.matches(&t.Ticket) {
		return false
	}
	for _, p := range l.when {
		if !p.Match(l.tx.Now(), ticket.Facts{Ticket: &t.Ticket, Fields: l.setup.Fields}) {
			return false
		}
	}
	ok, err := l.e.sees(l.ctx, l.w, ticketResource(t.Ticket))
	l.trouble = err
	return ok && err == nil
}

// matches compares what the filter names.
func (l *ticketList) matches(t *ticket.Ticket) bool {
	f := l.f
	return (f.Number == 0 || t.Number == f.Number) &&
		(f.States == nil || slices.Contains(f.States, t.State)) &&
		(!f.Open || t.State.Open()) &&
		(f.Agent == "" || t.Agent == f.Agent) &&
		(!f.NoAgent || t.Agent == "") &&
		(f.Group == "" || t.Group == f.Group) &&
		(f.Desk == "" || t.Desk == f.Desk) &&
		(f.Tag == "" || slices.ContainsFunc(t.Tags, func(tag string) bool { return fold.Text(tag) == fold.Text(f.Tag) })) &&
		(f.Category == "" || l.under[t.Category]) &&
		(f.Contact == "" || t.Contact == f.Contact) &&
		(f.Conversation == "" || slices.Contains(l.chats, t.Conversation)) &&
		(f.Follower == "" || slices.Contains(t.Followers, f.Follower))
}

func (l *ticketList) page(after string, limit int) (TicketPage, error) {
	if len(l.chats) > 1 && l.list.Tag == withChat {
		return l.pageOfChats(after, limit)
	}
	list := l.list
	list.After, list.Limit = after, limit
	page, err := tickets.List(l.ctx, l.tx, list)
	if err = cmpErr(err, l.trouble); err != nil {
		return TicketPage{}, err
	}
	out := TicketPage{Next: page.Next}
	for _, t := range page.Items {
		out.Tickets = append(out.Tickets, shownTicket(t.Ticket, l.hidden))
	}
	return out, nil
}

// pageOfChats is a page of the tickets of several conversations: those of each in
// turn, at most 200 of each, in the order of the list.
func (l *ticketList) pageOfChats(after string, limit int) (out TicketPage, err error) {
	place := func(t storedTicket) string { return fmt.Sprintf("%020d %s", t.UpdatedAt.UnixMicro(), t.ID) }
	var all []storedTicket
	for _, id := range l.chats {
		list := l.list
		list.Value, list.Limit = store.Exact(string(id)), maxPage
		page, err := tickets.List(l.ctx, l.tx, list)
		if err = cmpErr(err, l.trouble); err != nil {
			return out, err
		}
		all = append(all, page.Items...)
	}
	slices.SortFunc(all, func(a, b storedTicket) int {
		if l.f.Desc {
			a, b = b, a
		}
		return strings.Compare(place(a), place(b))
	})
	for i, t := range all {
		if at := strings.Compare(place(t), after); after != "" && (at == 0 || (at < 0) != l.f.Desc) {
			continue // it was on a page before
		}
		out.Tickets = append(out.Tickets, shownTicket(t.Ticket, l.hidden))
		if len(out.Tickets) == limit && i+1 < len(all) {
			out.Next = place(t)
			break
		}
	}
	return out, nil
}
