package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/fold"
	"github.com/sangdam/sangdam/store/driver"
)

// Contacts are found here, the same way over every backend: with each contact a
// document is written that is listed under the folded name, email and number,
// once among all contacts and once among those of each of its desks, so that
// whoever sees a small desk need not pass everybody else's customers.

// contactEntry is what one contact is found by.
type contactEntry struct {
	ID      string                `json:"id"`
	Version int64                 `json:"-"`
	Desks   []conversation.DeskID `json:"desks,omitempty"`
	Country string                `json:"country,omitempty"` // of the number, if it tells
	Sort    string                `json:"sort,omitempty"`    // the beginning of the folded name

	name, email, phone, end string // folded; end is the number from its last digit
}

// contactEntries are the documents. ContactsDecl rises whenever fold.Prefix or
// fold.Phone changes what is stored; the engine then saves every contact anew.
var contactEntries = Declare(Kind[contactEntry]{
	Name: "contact.found", Decl: ContactsDecl,
	ID:      func(e *contactEntry) string { return e.ID },
	Version: func(e *contactEntry) *int64 { return &e.Version },
	Tags: []TagIndex[contactEntry]{
		among("name", func(e *contactEntry) string { return e.name }),
		among("email", func(e *contactEntry) string { return e.email }),
		among("phone", func(e *contactEntry) string { return e.phone }),
		among("end", func(e *contactEntry) string { return e.end }),
	},
})

// ContactsDecl is the version of what contacts are found by: contacts that were
// stored under a lower one, or before there was one, are found once they are
// saved again.
const ContactsDecl = 1

// maxDesks is how many desks of one contact have lists of their own; a contact
// of more is in a list that everybody looks at.
const maxDesks = driver.MaxTags/4 - 2

// The lists in which a contact stands.
var (
	amongAll  = []byte{0}
	amongMany = []byte{2}
)

func amongDesk(d conversation.DeskID) []byte { return append([]byte{1}, Exact(string(d))...) }

// among is the index of one text, in each of the contact's lists.
func among(name string, text func(*contactEntry) string) TagIndex[contactEntry] {
	return TagIndex[contactEntry]{Name: name, Order: func(e *contactEntry) []byte { return Exact(text(e)) },
		Values: func(e *contactEntry) [][]byte {
			if text(e) == "" {
				return nil
			}
			if len(e.Desks) > maxDesks {
				return [][]byte{amongAll, amongMany}
			}
			lists := [][]byte{amongAll}
			for _, d := range e.Desks {
				lists = append(lists, amongDesk(d))
			}
			return lists
		}}
}

// entryOf is what the contact is found by; one that was merged by nothing.
func entryOf(c conversation.Contact) contactEntry {
	e := contactEntry{ID: string(c.ID)}
	if c.MergedInto != "" {
		return e
	}
	number, end := fold.Phone(c.Phone)
	e.Desks, e.Country = slices.Compact(slices.Sorted(slices.Values(c.Desks))), number.Country
	e.name, e.email, e.phone, e.end = fold.Prefix(c.Name), fold.Prefix(c.Email), number.National, end
	e.Sort = e.name[:min(len(e.name), cutAt)]
	return e
}

// nothing says that no search can find it.
func (e contactEntry) nothing() bool { return e.name+e.email+e.end == "" }

type contacts struct {
	driver.ContactRepo
	tx Tx
}

func (r contacts) Contacts(ctx context.Context, after conversation.ContactID, limit int) ([]conversation.Contact, error) {
	return limited(limit, func() ([]conversation.Contact, error) { return r.ContactRepo.Contacts(ctx, after, limit) })
}

// SaveContact writes the contact and what it is found by.
func (r contacts) SaveContact(ctx context.Context, c conversation.Contact) (int64, error) {
	version, err := r.ContactRepo.SaveContact(ctx, c)
	if err != nil {
		return 0, err
	}
	e := entryOf(c)
	if c.Version > 0 {
		had, err := contactEntries.Get(ctx, r.tx, e.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, err
		}
		e.Version = had.Version
	}
	switch {
	case !e.nothing():
		err = contactEntries.Save(ctx, r.tx, &e)
	case e.Version > 0:
		err = contactEntries.Delete(ctx, r.tx, &e)
	}
	return version, err
}

// FindContacts asks each list that the query may use for the beginning of what
// it holds, until limit contacts of it may be shown.
func (r contacts) FindContacts(ctx context.Context, q ContactQuery, limit int) ([]conversation.Contact, error) {
	return limited(limit, func() ([]conversation.Contact, error) {
		s := contactSearch{ctx: ctx, r: r, q: q, limit: limit, text: fold.Prefix(q.Text), shown: map[string]bool{}}
		if s.text == "" {
			return s.everybody()
		}
		return s.run()
	})
}

// contactSearch is one run of FindContacts.
type contactSearch struct {
	ctx   context.Context
	r     contacts
	q     ContactQuery
	limit int
	text  string          // folded
	shown map[string]bool // what was asked already, by id
	found []contactEntry
}

// everybody goes through the contacts by id.
func (s *contactSearch) everybody() (out []conversation.Contact, err error) {
	for after := conversation.ContactID(""); ; {
		list, err := s.r.ContactRepo.Contacts(s.ctx, after, maxPage)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			after = c.ID
			if ok, err := s.show(contactEntry{ID: string(c.ID), Desks: c.Desks}); err != nil || !ok || c.MergedInto != "" {
				if err != nil {
					return nil, err
				}
				continue
			}
			if out = append(out, c); len(out) == s.limit {
				return out, nil
			}
		}
		if len(list) < maxPage {
			return out, nil
		}
	}
}

func (s *contactSearch) run() ([]conversation.Contact, error) {
	type part struct {
		tag, prefix string
		of          fold.Number
	}
	parts := []part{{tag: "name", prefix: s.text}, {tag: "email", prefix: s.text}}
	begins, ends := fold.PhoneQuery(s.q.Text)
	for _, n := range begins {
		parts = append(parts, part{"phone", n.National, n})
	}
	for _, n := range ends {
		parts = append(parts, part{"end", n.National, n})
	}
	lists := [][]byte{amongAll}
	if s.q.Desks != nil {
		lists = [][]byte{amongMany}
		for _, d := range s.q.Desks {
			lists = append(lists, amongDesk(d))
		}
	}
	for _, p := range parts {
		for _, list := range lists {
			if err := s.through(p.tag, list, p.prefix, p.of); err != nil {
				return nil, err
			}
		}
	}
	return s.load()
}

// through follows a list from the prefix on.
func (s *contactSearch) through(tag string, list []byte, prefix string, of fold.Number) error {
	from := []byte(prefix[:min(len(prefix), cutAt)])
	var failed error
	l := List[contactEntry]{Tag: tag, Value: list, From: from, To: Next(from), Limit: min(s.limit, maxPage)}
	l.Keep = func(e *contactEntry) bool {
		if failed != nil || !of.Of(e.Country) {
			return false
		}
		ok, err := s.show(*e)
		failed = err
		return ok
	}
	for n := 0; n < s.limit; {
		page, err := contactEntries.List(s.ctx, s.r.tx, l)
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		s.found = append(s.found, page.Items...)
		if n += len(page.Items); page.Next == "" {
			return nil
		}
		l.After = page.Next
	}
	return nil
}

// show asks once whether a contact may be shown.
func (s *contactSearch) show(e contactEntry) (bool, error) {
	ok, asked := s.shown[e.ID]
	if asked {
		return ok, nil
	}
	ok = s.q.Desks == nil || slices.ContainsFunc(e.Desks, func(d conversation.DeskID) bool { return slices.Contains(s.q.Desks, d) })
	if ok && s.q.Show != nil {
		var err error
		if ok, err = s.q.Show(conversation.ContactID(e.ID), e.Desks); err != nil {
			return false, err
		}
	}
	s.shown[e.ID] = ok
	return ok, nil
}

// load reads the first of what was found, by name and then by id.
func (s *contactSearch) load() ([]conversation.Contact, error) {
	slices.SortFunc(s.found, func(a, b contactEntry) int {
		return cmp.Or(strings.Compare(a.Sort, b.Sort), strings.Compare(a.ID, b.ID))
	})
	s.found = slices.CompactFunc(s.found, func(a, b contactEntry) bool { return a.ID == b.ID })
	var ids []conversation.ContactID
	at := map[conversation.ContactID]int{}
	for i, e := range s.found[:min(s.limit, len(s.found))] {
		ids, at[conversation.ContactID(e.ID)] = append(ids, conversation.ContactID(e.ID)), i
	}
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := s.r.ContactRepo.ContactsByID(s.ctx, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b conversation.Contact) int { return cmp.Compare(at[a.ID], at[b.ID]) })
	if len(s.text) > cutAt { // the lists hold the beginning alone
		list = slices.DeleteFunc(list, func(c conversation.Contact) bool {
			return !strings.HasPrefix(fold.Prefix(c.Name), s.text) && !strings.HasPrefix(fold.Prefix(c.Email), s.text)
		})
	}
	return list, nil
}
