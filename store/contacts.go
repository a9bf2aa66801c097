package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/fold"
	"github.com/sangdam/sangdam/store/driver"
)

// GuardContact is the row of a contact for Tx.Guard: the key is the contact's id, the
// version its Version.
var GuardContact = driver.GuardDocument(contactRows.Name())

// contactRow is a contact as it is stored. It is listed under the folded name,
// email and number, once among all contacts and once among those of each of its
// desks, so that whoever sees a small desk need not pass everybody else's
// customers.
type contactRow struct {
	conversation.Contact
	Extra map[string]json.RawMessage `json:"-"`
}

var contactRows = Declare(Kind[contactRow]{
	Name: "contact", Decl: ContactsDecl, Largest: largestConfig,
	ID:      func(r *contactRow) string { return string(r.ID) },
	Version: func(r *contactRow) *int64 { return &r.Version },
	Extra:   func(r *contactRow) *map[string]json.RawMessage { return &r.Extra },
	Indexes: []Index[contactRow]{
		{Name: "id", Value: func(r *contactRow) []byte { return Exact(string(r.ID)) }},
		{Name: "merged", Value: func(r *contactRow) []byte {
			if r.MergedInto == "" {
				return nil
			}
			return Exact(string(r.MergedInto))
		}},
	},
	Tags: []TagIndex[contactRow]{
		among("name", func(r *contactRow) string { return fold.Prefix(r.Name) }),
		among("email", func(r *contactRow) string { return fold.Prefix(r.Email) }),
		among("phone", func(r *contactRow) string { return r.number().National }),
		among("end", func(r *contactRow) string {
			_, end := fold.Phone(r.Phone)
			return end // the number from its last digit
		}),
	},
})

// number is the telephone number, with its country if that tells.
func (r *contactRow) number() fold.Number {
	n, _ := fold.Phone(r.Phone)
	return n
}

// identityRow is an identity as it is stored.
type identityRow struct {
	conversation.Identity
	Extra map[string]json.RawMessage `json:"-"`
}

var identityRows = Declare(Kind[identityRow]{
	Name: "identity", Decl: 1, Largest: largestConfig,
	ID:      func(r *identityRow) string { return string(r.ID) },
	Version: func(r *identityRow) *int64 { return &r.Version },
	Extra:   func(r *identityRow) *map[string]json.RawMessage { return &r.Extra },
	Unique:  []Index[identityRow]{{Name: "user", Value: func(r *identityRow) []byte { return userKey(r.Kind, r.Scope, r.User) }}},
	Indexes: []Index[identityRow]{{Name: "contact", Value: func(r *identityRow) []byte { return Exact(string(r.Contact)) }}},
})

// userKey is what a provider calls a person.
func userKey(kind channel.Kind, scope channel.Scope, user channel.ProviderUserID) []byte {
	return Exact(string(Tuple([]byte(kind), []byte(scope), []byte(user))))
}

// IdentityKey names an identity for Tx.Ahead.
func IdentityKey(kind channel.Kind, scope channel.Scope, user channel.ProviderUserID) driver.Keys {
	return driver.Keys{Kind: identityRows.Name(), Values: [][]byte{userKey(kind, scope, user)}}
}

// ContactsDecl is the version of what contacts are found by. A contact that was
// stored under a lower one, or before there was any, is found only once it was
// saved again.
const ContactsDecl = 2

// maxDesks is how many desks of one contact have lists of their own; a contact
// of more is in a list that everybody looks at.
const maxDesks = driver.MaxTags/4 - 2

// The lists in which a contact stands.
var (
	amongAll  = []byte{0}
	amongMany = []byte{2}
)

func amongDesk(d conversation.DeskID) []byte { return append([]byte{1}, Exact(string(d))...) }

// among is the index of one text, in each of the contact's lists. One that was
// merged into another is in none.
func among(name string, text func(*contactRow) string) TagIndex[contactRow] {
	return TagIndex[contactRow]{Name: name, Order: func(r *contactRow) []byte { return Exact(text(r)) },
		Values: func(r *contactRow) [][]byte {
			if r.MergedInto != "" || text(r) == "" {
				return nil
			}
			desks := slices.Compact(slices.Sorted(slices.Values(r.Desks)))
			if len(desks) > maxDesks {
				return [][]byte{amongAll, amongMany}
			}
			lists := [][]byte{amongAll}
			for _, d := range desks {
				lists = append(lists, amongDesk(d))
			}
			return lists
		}}
}

// contacts implements ContactRepo.
type contacts struct{ t *tx }

// remember keeps what this program does not know of a document that it may save.
func (t *tx) remember(kind, id string, extra map[string]json.RawMessage) {
	if len(extra) == 0 {
		return
	}
	if t.extra == nil {
		t.extra = map[[2]string]map[string]json.RawMessage{}
	}
	t.extra[[2]string{kind, id}] = extra
}

func (r contacts) contacts(rows ...contactRow) []conversation.Contact {
	var out []conversation.Contact
	for _, row := range rows {
		r.t.remember(contactRows.Name(), string(row.ID), row.Extra)
		out = append(out, row.Contact)
	}
	return out
}

func (r contacts) Contact(ctx context.Context, id conversation.ContactID) (conversation.Contact, error) {
	row, err := contactRows.Get(ctx, r.t, string(id))
	if err != nil {
		return conversation.Contact{}, err
	}
	return r.contacts(row)[0], nil
}

func (r contacts) ContactsByID(ctx context.Context, ids []conversation.ContactID) ([]conversation.Contact, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	rows, err := contactRows.GetAll(ctx, r.t, names...)
	return r.contacts(rows...), err
}

func (r contacts) Contacts(ctx context.Context, after conversation.ContactID, limit int) ([]conversation.Contact, error) {
	return limited(limit, func() (out []conversation.Contact, err error) {
		l := List[contactRow]{Index: "id"}
		if after != "" {
			l.From = append(Exact(string(after)), 0)
		}
		for len(out) < limit {
			l.Limit = min(limit-len(out), maxPage)
			page, err := contactRows.List(ctx, r.t, l)
			if err != nil {
				return nil, err
			}
			if out = append(out, r.contacts(page.Items...)...); page.Next == "" {
				break
			}
			l.After = page.Next
		}
		return out, nil
	})
}

func (r contacts) MergedInto(ctx context.Context, id conversation.ContactID) ([]conversation.Contact, error) {
	of := Exact(string(id))
	rows, err := contactRows.All(ctx, r.t, List[contactRow]{Index: "merged", From: of, To: append(slices.Clone(of), 0)}, maxOfWorkspace)
	return r.contacts(rows...), err
}

func (r contacts) SaveContact(ctx context.Context, c conversation.Contact) (int64, error) {
	row := contactRow{c, r.t.extra[[2]string{contactRows.Name(), string(c.ID)}]}
	err := contactRows.Save(ctx, r.t, &row)
	return row.Version, err
}

func (r contacts) identity(row identityRow, err error) (conversation.Identity, error) {
	if err != nil {
		return conversation.Identity{}, err
	}
	r.t.remember(identityRows.Name(), string(row.ID), row.Extra)
	return row.Identity, nil
}

func (r contacts) Identity(ctx context.Context, kind channel.Kind, scope channel.Scope, user channel.ProviderUserID) (conversation.Identity,
	error) {
	return r.identity(identityRows.ByKey(ctx, r.t, "user", userKey(kind, scope, user)))
}

func (r contacts) IdentityByID(ctx context.Context, id conversation.IdentityID) (conversation.Identity, error) {
	return r.identity(identityRows.Get(ctx, r.t, string(id)))
}

func (r contacts) SaveIdentity(ctx context.Context, i conversation.Identity) (int64, error) {
	row := identityRow{i, r.t.extra[[2]string{identityRows.Name(), string(i.ID)}]}
	err := identityRows.Save(ctx, r.t, &row)
	return row.Version, err
}

func (r contacts) Identities(ctx context.Context, c conversation.ContactID) (out []conversation.Identity, err error) {
	of := Exact(string(c))
	rows, err := identityRows.All(ctx, r.t, List[identityRow]{Index: "contact", From: of, To: append(slices.Clone(of), 0)}, maxOfWorkspace)
	for _, row := range rows {
		i, _ := r.identity(row, nil)
		out = append(out, i)
	}
	return out, err
}

func (r contacts) PutEarly(ctx context.Context, e conversation.Early) error {
	return r.t.rows.Conversations.PutEarly(ctx, e)
}

func (r contacts) TakeEarly(ctx context.Context, account channel.AccountID, chat channel.Chat,
	p channel.ProviderMessageID) (conversation.Early, error) {
	return r.t.rows.Conversations.TakeEarly(ctx, account, chat, p)
}

// FindContacts asks each list that the query may use for the beginning of what
// it holds, until limit contacts of it may be shown.
func (r contacts) FindContacts(ctx context.Context, q ContactQuery, limit int) ([]conversation.Contact, error) {
	return limited(limit, func() ([]conversation.Contact, error) {
		s := contactSearch{ctx: ctx, r: r, q: q, limit: limit, text: fold.Prefix(q.Text), shown: map[conversation.ContactID]bool{}}
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
	text  string                          // folded
	shown map[conversation.ContactID]bool // what was asked already
	found []contactRow
}

// everybody goes through the contacts by id.
func (s *contactSearch) everybody() (out []conversation.Contact, err error) {
	for after := conversation.ContactID(""); ; {
		list, err := s.r.Contacts(s.ctx, after, maxPage)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			after = c.ID
			if ok, err := s.show(c); err != nil || !ok || c.MergedInto != "" {
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
	return s.first(), nil
}

// through follows a list from the prefix on.
func (s *contactSearch) through(tag string, list []byte, prefix string, of fold.Number) error {
	from := []byte(prefix[:min(len(prefix), cutAt)])
	var failed error
	l := List[contactRow]{Tag: tag, Value: list, From: from, To: Next(from), Limit: min(s.limit, maxPage)}
	l.Keep = func(e *contactRow) bool {
		if failed != nil || !of.Of(e.number().Country) {
			return false
		}
		ok, err := s.show(e.Contact)
		failed = err
		return ok
	}
	for n := 0; n < s.limit; {
		page, err := contactRows.List(s.ctx, s.r.t, l)
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
func (s *contactSearch) show(e conversation.Contact) (bool, error) {
	ok, asked := s.shown[e.ID]
	if asked {
		return ok, nil
	}
	ok = s.q.Desks == nil || slices.ContainsFunc(e.Desks, func(d conversation.DeskID) bool { return slices.Contains(s.q.Desks, d) })
	if ok && s.q.Show != nil {
		var err error
		if ok, err = s.q.Show(e.ID, e.Desks); err != nil {
			return false, err
		}
	}
	s.shown[e.ID] = ok
	return ok, nil
}

// first is the beginning of what was found, by name and then by id.
func (s *contactSearch) first() []conversation.Contact {
	sortedBy := func(r contactRow) string {
		name := fold.Prefix(r.Name)
		return name[:min(len(name), cutAt)]
	}
	slices.SortFunc(s.found, func(a, b contactRow) int {
		return cmp.Or(strings.Compare(sortedBy(a), sortedBy(b)), cmp.Compare(a.ID, b.ID))
	})
	s.found = slices.CompactFunc(s.found, func(a, b contactRow) bool { return a.ID == b.ID })
	list := s.r.contacts(s.found[:min(s.limit, len(s.found))]...)
	if len(s.text) > cutAt { // the lists hold the beginning alone
		list = slices.DeleteFunc(list, func(c conversation.Contact) bool {
			return !strings.HasPrefix(fold.Prefix(c.Name), s.text) && !strings.HasPrefix(fold.Prefix(c.Email), s.text)
		})
	}
	return list
}
