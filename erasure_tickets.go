package sangdam

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/ticket"
)

// What an erasure takes of tickets: the persons' own, and what they said in those of
// others.

// A ticket of an erasure: whole, or, of the one that another was merged into, the
// entries that were meant for that.
type erasedTicket struct {
	Ticket ticket.ID `json:"ticket"`
	Of     ticket.ID `json:"of,omitempty"`
	After  int64     `json:"after,omitempty"` // the entry that was done last
}

// chosenFields says which fields of tickets hold one of the workspace's own
// options.
func (u *unit) chosenFields() (func(code string) bool, error) {
	s, err := u.ticketSetup()
	if err != nil {
		return nil, err
	}
	chosen := map[string]bool{}
	for _, f := range s.Fields.List {
		chosen[f.Code] = !f.Encrypted && slices.Contains([]ticket.FieldType{ticket.Checkbox, ticket.Radio, ticket.Dropdown}, f.Type)
	}
	return func(code string) bool { return chosen[code] }, nil
}

// eraseTicketStep erases the next entries of a ticket's history, and with the last
// one the ticket.
func (u *unit) eraseTicketStep(v *storedErasure) error {
	at := len(v.Tasks) - 1
	task := v.Tasks[at]
	chosen, err := u.chosenFields()
	if err != nil {
		return err
	}
	stored, err := tickets.Get(u.ctx, u.tx, string(task.Ticket))
	if err != nil {
		return err
	}
	entries, err := entriesOf(u.ctx, u.tx, task.Ticket, task.After, erasedMessagesAtOnce)
	if err != nil {
		return err
	}
	if err := u.eraseEntries(v, at, stored.Ticket, entries, chosen); err != nil {
		return err
	}
	if len(entries) == erasedMessagesAtOnce {
		return nil
	}
	v.Tasks = v.Tasks[:at]
	if task.Of != "" {
		return nil
	}
	return u.eraseTicket(stored, chosen, v)
}

// eraseEntries erases a page of a ticket's history and notes how far it is.
func (u *unit) eraseEntries(v *storedErasure, at int, t ticket.Ticket, entries []ticket.Entry, chosen func(code string) bool) error {
	for _, e := range entries {
		v.Tasks[at].After = e.Seq
		if v.Tasks[at].Of != "" && e.From != v.Tasks[at].Of {
			continue
		}
		if err := u.eraseEntry(t, e, chosen, v); err != nil {
			return err
		}
		if v.Tasks[at].Of != "" {
			if err := u.eraseSaid(t, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *unit) eraseEntry(t ticket.Ticket, e ticket.Entry, chosen func(string) bool, v *storedErasure) error {
	if err := u.releaseTicketFiles(e.Files, v); err != nil {
		return err
	}
	if err := u.dropOriginals(e.Masks); err != nil {
		return err
	}
	if err := u.tx.Search().Delete(u.ctx, searchID(t.ID, e.Seq)); err != nil {
		return err
	}
	return u.rewriteEntry(t, e.Erased(chosen))
}

// eraseSaid takes what a person said in somebody else's ticket out of the notices
// about that and out of what was split off there.
func (u *unit) eraseSaid(t ticket.Ticket, e ticket.Entry) error {
	if e.Text == "" {
		return nil
	}
	if err := u.concealCopies(kindTicket+":"+string(t.ID), map[string]string{"": e.Text}); err != nil {
		return err
	}
	parts := []string{string(t.ID)}
	for n := 0; n < len(parts) && n < maxParts; n++ {
		part, err := tickets.Get(u.ctx, u.tx, parts[n])
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		for _, l := range part.Links {
			if (l.As == ticket.SplitTo || l.As == ticket.MergedOf) && !slices.Contains(parts, string(l.To)) {
				parts = append(parts, string(l.To))
			}
		}
		if n == 0 || err != nil {
			continue
		}
		if err := u.concealInquiry(part, e.Text); err != nil {
			return err
		}
		if err := u.concealCopies(kindTicket+":"+parts[n], map[string]string{"": e.Text}); err != nil {
			return err
		}
	}
	return nil
}

// maxParts bounds the tickets that were split off one, and merged with those.
const maxParts = 200

// concealInquiry takes words out of the inquiry of a ticket, for good, and out of
// what the history tells of it.
func (u *unit) concealInquiry(stored storedTicket, words string) error {
	t, changed := stored.Ticket, false
	for p, text := range map[ticket.Part]*string{ticket.TitlePart: &stored.Title, ticket.BodyPart: &stored.Body} {
		was, originals := *text, map[string]string{"": words}
		if *text = privacy.Conceal(was, originals); was == words {
			*text = strings.Repeat("*", utf8.RuneCountInString(words))
		}
		if *text == was {
			continue
		}
		changed = true
		if err := u.rewriteHistory(t, p, was, *text, originals); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	if err := tickets.Save(u.ctx, u.tx, &stored); err != nil {
		return err
	}
	return u.indexText(stored.Ticket, 0, stored.CreatedAt, ticketText(stored.Ticket))
}

func (u *unit) eraseTicket(stored storedTicket, chosen func(string) bool, v *storedErasure) error {
	t := stored.Ticket
	if t.MergedInto != "" {
		v.Tasks = append(v.Tasks, erasedTicket{Ticket: t.MergedInto, Of: t.ID})
	}
	v.Subjects = append(v.Subjects, ownerTicket+string(t.ID))
	if t.HandedTo != "" && !slices.Contains(v.Handed, t.HandedTo) {
		v.Handed = append(v.Handed, t.HandedTo)
	}
	for code, value := range t.Fields {
		if !chosen(code) {
			if err := u.releaseTicketFiles(value.Files, v); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(u.tx.Vault().DropOwner(u.ctx, ownerTicket+string(t.ID)), u.tx.Search().Delete(u.ctx, searchID(t.ID, 0)),
		u.eraseItem(string(ticketItem(t.ID)))); err != nil {
		return err
	}
	if t.Title == ticket.ErasedText && t.Body == "" && t.Requester == (ticket.Requester{}) {
		return nil // it was done before
	}
	v.Tickets++
	stored.Ticket = t.Erased(chosen)
	if err := tickets.Save(u.ctx, u.tx, &stored); err != nil {
		return err
	}
	return u.tell(erasureTold(stored.Ticket, u.tx.Now()))
}

// releaseTicketFiles drops files that a ticket names, with what they are called.
func (u *unit) releaseTicketFiles(names []string, v *storedErasure) error {
	for _, name := range names {
		v.Files++
		if err := u.releaseFile(name); err != nil {
			return err
		}
		f, err := ticketFiles.Get(u.ctx, u.tx, name)
		if err == nil {
			err = ticketFiles.Delete(u.ctx, u.tx, &f)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
