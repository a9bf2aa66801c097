package sangdam

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// A unit has one copy of each contact and identity that it changes, as of
// conversations; see unit_conversations.go.

// contactWork is a contact within a unit.
type contactWork struct {
	stored, now conversation.Contact
	told        []string // what the feed is to tell of it, if it differs
	anew        bool     // written although nothing differs
}

// identityWork is an identity within a unit.
type identityWork struct {
	stored, now conversation.Identity
	anew        bool
}

func (w *contactWork) differs() bool { return w.anew || !reflect.DeepEqual(w.stored, w.now) }

func (w *identityWork) differs() bool { return w.anew || !reflect.DeepEqual(w.stored, w.now) }

// customer is the unit's one copy of a contact. ErrNotFound.
func (u *unit) customer(id conversation.ContactID) (*conversation.Contact, error) {
	if w := u.contacts[id]; w != nil {
		return &w.now, nil
	}
	c, err := u.tx.Contacts().Contact(u.ctx, id)
	if err != nil {
		return nil, err
	}
	return u.customerOf(c), nil
}

// customerOf is the unit's one copy of a contact that it has read.
func (u *unit) customerOf(c conversation.Contact) *conversation.Contact {
	w := u.contacts[c.ID]
	if w == nil {
		w = u.keepContact(c)
		w.stored = c
		w.now.Attributes = maps.Clone(c.Attributes)
	}
	return &w.now
}

// keepContact takes a contact that begins into the unit.
func (u *unit) keepContact(c conversation.Contact) *contactWork {
	if u.contacts == nil {
		u.contacts = map[conversation.ContactID]*contactWork{}
	}
	w := &contactWork{now: c}
	u.contacts[c.ID] = w
	return w
}

// tellContact has the feed tell of a change of a contact, and says in which
// version the contact will be.
func (u *unit) tellContact(c *conversation.Contact, kind string) ContactSaved {
	w := u.contacts[c.ID]
	if !slices.Contains(w.told, kind) {
		w.told = append(w.told, kind)
	}
	out := ContactSaved{Contact: c.ID, Version: w.stored.Version}
	if w.differs() {
		out.Version++
	}
	return out
}

// identityOf is the unit's one copy of an identity that it has read.
func (u *unit) identityOf(i conversation.Identity) *conversation.Identity {
	w := u.identities[i.ID]
	if w == nil {
		w = u.keepIdentity(i)
		w.stored = i
	}
	return &w.now
}

// keepIdentity takes an identity that begins into the unit.
func (u *unit) keepIdentity(i conversation.Identity) *identityWork {
	if u.identities == nil {
		u.identities = map[conversation.IdentityID]*identityWork{}
	}
	w := &identityWork{now: i}
	u.identities[i.ID] = w
	return w
}

// identityVersion is the version in which an identity will be.
func (u *unit) identityVersion(id conversation.IdentityID) int64 {
	w := u.identities[id]
	if w.differs() {
		return w.stored.Version + 1
	}
	return w.stored.Version
}

// writeCustomers is the stage that stores contacts and identities, by their keys:
// first it notes the desks to which conversations have moved, whose members see
// the customer from now on.
func (u *unit) writeCustomers() error {
	for _, id := range u.conversationOrder {
		w := u.conversations[id]
		if w.desk == w.d.C.Desk || w.d.C.Identity == "" {
			continue
		}
		i, err := u.tx.Contacts().IdentityByID(u.ctx, w.d.C.Identity)
		if err != nil {
			return err
		}
		if err := u.wroteTo(i, w.d.C.Desk); err != nil {
			return err
		}
	}
	return u.writeContacts()
}

// writeContacts saves the contacts and identities that differ.
func (u *unit) writeContacts() error {
	for _, id := range slices.Sorted(maps.Keys(u.contacts)) {
		w := u.contacts[id]
		if !w.differs() {
			continue
		}
		version, err := u.rows.Contacts().SaveContact(u.ctx, w.now)
		if err != nil {
			return err
		}
		for _, kind := range w.told {
			if err := u.tell(driver.Event{Aggregate: kindContact, ID: string(id), Version: version, Kind: kind, Contact: id,
				Desks: w.now.Desks}); err != nil {
				return err
			}
		}
	}
	for _, w := range slices.SortedFunc(maps.Values(u.identities), byNaturalKey) {
		if !w.differs() {
			continue
		}
		if _, err := u.rows.Contacts().SaveIdentity(u.ctx, w.now); err != nil {
			return err
		}
	}
	return nil
}

func byNaturalKey(a, b *identityWork) int {
	return cmp.Or(cmp.Compare(a.now.Kind, b.now.Kind), cmp.Compare(a.now.Scope, b.now.Scope), cmp.Compare(a.now.User, b.now.User))
}

// Contacts implements store.Tx.
func (t unitTx) Contacts() store.ContactRepo { return unitContacts{t.Tx.Contacts(), t.u} }

// unitContacts reads what the store has with what the unit changed of it.
type unitContacts struct {
	store.ContactRepo
	u *unit
}

func (r unitContacts) contact(c conversation.Contact) conversation.Contact {
	if w := r.u.contacts[c.ID]; w != nil {
		return w.now
	}
	return c
}

func (r unitContacts) identity(i conversation.Identity) conversation.Identity {
	if w := r.u.identities[i.ID]; w != nil {
		return w.now
	}
	return i
}

// Contact implements store.ContactRepo.
func (r unitContacts) Contact(ctx context.Context, id conversation.ContactID) (conversation.Contact, error) {
	if w := r.u.contacts[id]; w != nil {
		return w.now, nil
	}
	return r.ContactRepo.Contact(ctx, id)
}

// ContactsByID implements store.ContactRepo, of contacts that are stored.
func (r unitContacts) ContactsByID(ctx context.Context, ids []conversation.ContactID) ([]conversation.Contact, error) {
	list, err := r.ContactRepo.ContactsByID(ctx, ids)
	for n := range list {
		list[n] = r.contact(list[n])
	}
	return list, err
}

// Contacts implements store.ContactRepo, of contacts that are stored.
func (r unitContacts) Contacts(ctx context.Context, after conversation.ContactID, limit int) ([]conversation.Contact, error) {
	list, err := r.ContactRepo.Contacts(ctx, after, limit)
	for n := range list {
		list[n] = r.contact(list[n])
	}
	return list, err
}

// Identity implements store.ContactRepo.
func (r unitContacts) Identity(ctx context.Context, kind channel.Kind, scope channel.Scope,
	user channel.ProviderUserID) (conversation.Identity, error) {
	for _, w := range r.u.identities {
		if w.now.Kind == kind && w.now.Scope == scope && w.now.User == user {
			return w.now, nil
		}
	}
	return r.ContactRepo.Identity(ctx, kind, scope, user)
}

// IdentityByID implements store.ContactRepo.
func (r unitContacts) IdentityByID(ctx context.Context, id conversation.IdentityID) (conversation.Identity, error) {
	if w := r.u.identities[id]; w != nil {
		return w.now, nil
	}
	return r.ContactRepo.IdentityByID(ctx, id)
}

// Identities implements store.ContactRepo.
func (r unitContacts) Identities(ctx context.Context, c conversation.ContactID) ([]conversation.Identity, error) {
	list, err := r.ContactRepo.Identities(ctx, c)
	if err != nil || len(r.u.identities) == 0 {
		return list, err
	}
	list = slices.DeleteFunc(list, func(i conversation.Identity) bool { return r.identity(i).Contact != c })
	for n := range list {
		list[n] = r.identity(list[n])
	}
	for id, w := range r.u.identities {
		if w.now.Contact == c && !slices.ContainsFunc(list, func(i conversation.Identity) bool { return i.ID == id }) {
			list = append(list, w.now)
		}
	}
	slices.SortFunc(list, func(a, b conversation.Identity) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list, nil
}

// SaveContact is for the end of the unit.
func (r unitContacts) SaveContact(context.Context, conversation.Contact) (int64, error) {
	return 0, errByHand
}

// SaveIdentity is for the end of the unit.
func (r unitContacts) SaveIdentity(context.Context, conversation.Identity) (int64, error) {
	return 0, errByHand
}
