package sangdam

import (
	"context"
	"errors"

	"github.com/sangdam/sangdam/ticket"
)

// LinkTickets relates two tickets to each other or, with Remove, deletes every
// relation between them.
type LinkTickets struct {
	Key    Key             `json:"-"`
	Ticket ticket.ID       `json:"ticket"`
	To     ticket.ID       `json:"to"`
	As     ticket.Relation `json:"as,omitempty"` // what To is to Ticket; empty: ticket.Related
	Remove bool            `json:"remove,omitempty"`
}

// LinkTickets carries the command out. The principal needs the right to edit
// both tickets. To link two tickets that are linked already changes nothing.
func (e *Engine) LinkTickets(ctx context.Context, p Principal, c LinkTickets) (TicketState, error) {
	return command(ctx, e, call{opLinkTickets, p, c.Key, c}, func(u *unit) (TicketState, error) {
		d, other, err := u.bothTickets(c.Ticket, c.To)
		if err != nil {
			return TicketState{}, err
		}
		if c.Remove {
			ticket.Unlink(d, other)
			return ticketState(d), nil
		}
		as := c.As
		if as == "" {
			as = ticket.Related
		}
		return ticketState(d), ticket.Relate(d, as, other)
	})
}

// bothTickets are drafts of two tickets on which the principal may edit; the
// audit row names the first.
func (u *unit) bothTickets(a, b ticket.ID) (*ticket.Draft, *ticket.Draft, error) {
	for _, id := range []ticket.ID{b, a} {
		if _, err := u.onTicket(id, ActTicketEdit); err != nil {
			return nil, nil, err
		}
	}
	first, err := u.editTicket(a)
	if err != nil {
		return nil, nil, err
	}
	second, err := u.editTicket(b)
	return first, second, err
}

// MergeTickets merges the ticket From into the ticket Into. What is written to
// From later goes to Into. The comments of From stay in its own history; its
// files can be opened by whoever may read Into.
type MergeTickets struct {
	Key  Key       `json:"-"`
	From ticket.ID `json:"from"`
	Into ticket.ID `json:"into"`
}

// MergedTickets is the result of MergeTickets.
type MergedTickets struct {
	Into TicketState `json:"into"`
	// Merged is false when the two had been merged before, so that nothing was
	// changed.
	Merged bool `json:"merged"`
}

// MergeTickets carries the command out. The principal needs the right to edit
// both tickets. ErrConflict when one of them was merged into a third, or Into
// is complete. To merge the same two again changes nothing;
// MergedTickets.Merged is false then.
func (e *Engine) MergeTickets(ctx context.Context, p Principal, c MergeTickets) (MergedTickets, error) {
	return command(ctx, e, call{opMergeTickets, p, c.Key, c}, func(u *unit) (MergedTickets, error) {
		into, err := u.onTicket(c.Into, ActTicketEdit)
		if err != nil {
			return MergedTickets{}, err
		}
		from, err := u.onTicket(c.From, ActTicketEdit)
		if err != nil {
			return MergedTickets{}, err
		}
		if from.now.MergedInto != "" && from.now.MergedInto == c.Into {
			t := into.now
			return MergedTickets{Into: TicketState{Ticket: t.ID, Number: t.Number, State: t.State, Version: into.stored.Version}}, nil
		}
		df, err := u.editTicket(c.From)
		if err != nil {
			return MergedTickets{}, err
		}
		di, err := u.editTicket(c.Into)
		if err != nil {
			return MergedTickets{}, err
		}
		linked := df.T.Links
		merged, err := ticket.Merge(df, di)
		if err != nil {
			return MergedTickets{}, err
		}
		u.detail("into", string(c.Into))
		return MergedTickets{Into: ticketState(di), Merged: merged}, u.moveLinks(linked, c.From, c.Into)
	})
}

// moveLinks makes the tickets that were linked to a merged one point to its
// target. One that was merged itself, or is gone, is left as it is.
func (u *unit) moveLinks(links []ticket.Link, from, into ticket.ID) error {
	for _, l := range links {
		if l.To == into {
			continue
		}
		d, err := u.editTicket(l.To)
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		d.MoveLinks(from, into)
	}
	return nil
}

// SplitTicket makes a new ticket of one entry in a ticket's history: a comment,
// an answer, or what the customer wrote. The entry's text is the new ticket's
// inquiry, and the two tickets are linked.
type SplitTicket struct {
	Key    Key       `json:"-"`
	Ticket ticket.ID `json:"ticket"`
	Entry  int64     `json:"entry"` // the comment's number in the history
	Title  string    `json:"title"`
}

// SplitTicket carries the command out and returns the new ticket. ErrInvalid
// for an entry of the history that has no text.
func (e *Engine) SplitTicket(ctx context.Context, p Principal, c SplitTicket) (TicketState, error) {
	return command(ctx, e, call{opSplitTicket, p, c.Key, c}, func(u *unit) (TicketState, error) {
		if _, err := u.onTicket(c.Ticket, ActTicketEdit); err != nil {
			return TicketState{}, err
		}
		entry, err := u.entry(c.Ticket, c.Entry)
		if err != nil {
			return TicketState{}, err
		}
		filled, err := withChatText(u.ctx, u.tx, []ticket.Entry{entry})
		if err != nil {
			return TicketState{}, err
		}
		d, err := u.editTicket(c.Ticket)
		if err != nil {
			return TicketState{}, err
		}
		number, err := nextTicketNumber(u.ctx, u.tx)
		if err != nil {
			return TicketState{}, err
		}
		n, err := ticket.SplitOff(d, filled[0], ticket.ID(newID()), number, c.Title)
		if err != nil {
			return TicketState{}, err
		}
		u.keepNew(n)
		u.detail("split", string(n.T.ID))
		return ticketState(n), nil
	})
}
