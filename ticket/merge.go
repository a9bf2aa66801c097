package ticket

import (
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
)

// Merge puts a ticket into another one: its tags and followers are added, its links
// move along (of those beyond MaxLinks only the tickets that were merged into it),
// it is complete, and from then on what is written to it goes to the target. The
// target's contact, requester and fields stay as they are; of the customer only the
// time of the last word is taken over, where it is later. The comments of the
// merged ticket stay in its own history, to which the target's link leads. Merging
// the same two again is a no-op and reports false. The caller moves the links of
// the linked tickets with MoveLinks.
//
// ErrInvalid for a ticket and itself, and for more than MaxTags tags or MaxFollowers
// followers together; ErrConflict when one of the two was merged before, or the
// target is complete. After an error both drafts are to be thrown away.
func Merge(from, into *Draft) (bool, error) {
	switch {
	case from.T.ID == into.T.ID:
		return false, errs.New(errs.Invalid, "ticket: it cannot be merged into itself")
	case from.T.MergedInto == into.T.ID:
		return false, nil
	case from.T.MergedInto != "" || into.T.MergedInto != "":
		return false, errs.New(errs.Conflict, "ticket: one of the two was merged before; merge into its target")
	case into.T.State == Complete:
		return false, errs.New(errs.Conflict, "ticket: ticket %s is complete and takes no other", into.T.ID)
	}
	if err := into.SetTags(slices.Concat(into.T.Tags, from.T.Tags)...); err != nil {
		return false, err
	}
	for _, a := range from.T.Followers {
		if err := into.Follow(a, true); err != nil {
			return false, err
		}
	}
	for _, l := range from.T.Links {
		if l.To != into.T.ID && (len(into.T.Links) < MaxLinks || l.As == MergedOf) { // a former part is never lost
			into.addLink(l)
		}
	}
	into.dropLinks(from.T.ID)
	into.addLink(Link{from.T.ID, MergedOf})
	if from.T.State != Complete {
		from.T.State, from.T.Custom, from.T.StateAt = Complete, "", from.now
	}
	from.T.MergedInto, from.T.Links = into.T.ID, nil
	if into.T.CustomerAt.Before(from.T.CustomerAt) {
		into.T.CustomerAt = from.T.CustomerAt
	}
	from.entry.Kind, into.entry.Kind = Merged, Merged
	from.entry.From, into.entry.From = into.T.ID, from.T.ID
	return true, nil
}

// ReplyTo is Reply for the customer's words that were meant for a ticket which was
// merged into this one: they are read here, and open nothing again.
func (d *Draft) ReplyTo(merged ID, text string, files ...string) error {
	if err := d.say(Replied, text, files); err != nil {
		return err
	}
	d.entry.From, d.T.CustomerAt = merged, d.now
	return nil
}

// MoveLinks makes the links of a ticket that lead to from, which was merged, lead
// to into, each relation once. A link of into to itself is dropped.
func (d *Draft) MoveLinks(from, into ID) {
	var out []Link
	for _, l := range d.T.Links {
		if l.To == from {
			l.To = into
		}
		if l.To != d.T.ID && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	d.T.Links = out
}

// SplitOff begins a ticket of its own from an entry of another: its text becomes
// the new inquiry, with its masks but without its files. Channel, conversation,
// customer, consent, language, desk, category and group are taken over; agent, tags
// and fields are not. The two are linked. number is as of Open. ErrInvalid for an
// entry of another ticket or without a text, and as of Open and Relate.
func SplitOff(d *Draft, e Entry, id ID, number int64, title string) (*Draft, error) {
	if e.Ticket != d.T.ID || e.Text == "" {
		return nil, errs.New(errs.Invalid, "ticket: only a comment of this ticket can become a ticket of its own")
	}
	n, err := Open(Ticket{ID: id, Channel: d.T.Channel, Conversation: d.T.Conversation, Title: title, Body: e.Text, Contact: d.T.Contact,
		Requester: d.T.Requester, Desk: d.T.Desk, ConsentAt: d.T.ConsentAt, Language: d.T.Language, Category: d.T.Category,
		Group: d.T.Group}, number, d.actor, d.now)
	if err != nil {
		return nil, err
	}
	if len(e.Masks) > 0 {
		n.setMasks(BodyPart, e.Masks)
	}
	if err := Relate(n, SplitFrom, d); err != nil {
		return nil, err
	}
	d.entry.Kind = Split
	return n, nil
}
