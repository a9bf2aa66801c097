package ticket

import (
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
)

// Merge puts a ticket into another one: its customer, tags and followers are
// added, its links move along (of those beyond MaxLinks only the tickets that were
// merged into it), and from then on what is written to it goes to the target. The
// comments of the merged ticket stay in its own history, to which the target's
// link leads. Merging the same two again is a no-op and reports false. The caller
// moves the links of the linked tickets with MoveLinks.
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

// ReplyTo adds the customer's words that were meant for a ticket which was merged
// into this one: they are read here, and open nothing again.
func (d *Draft) ReplyTo(merged ID, text string, files ...string) error {
	if err := d.say(Replied, text, files); err != nil {
		return err
	}
	d.entry.From, d.T.CustomerAt = merged, d.now
	return nil
}

// MoveLinks makes a ticket that was linked to a merged one point to the target,
// each relation once.
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
// the new inquiry, customer and category are taken over, and the two are linked.
func SplitOff(d *Draft, e Entry, id ID, number int64, title string) (*Draft, error) {
	if e.Ticket != d.T.ID || e.Text == "" {
		return nil, errs.New(errs.Invalid, "ticket: only a comment of this ticket can become a ticket of its own")
	}
	n, err := Open(Ticket{ID: id, Channel: d.T.Channel, Conversation: d.T.Conversation, Title: title, Body: e.Text, Contact: d.T.Contact,
		Requester: d.T.Requester, ConsentAt: d.T.ConsentAt, Language: d.T.Language, Category: d.T.Category,
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
