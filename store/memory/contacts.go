package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
)

type contacts struct{ t *tx }

// userKey is the natural key of an identity.
type userKey struct {
	kind  channel.Kind
	scope channel.Scope
	user  channel.ProviderUserID
}

func (s *space) identityChanged(id conversation.IdentityID, was, is *conversation.Identity) {
	if was != nil {
		s.identitiesOf.remove(was.Contact, id)
	}
	if is != nil {
		s.identitiesOf.add(is.Contact, id)
	}
}

func (r contacts) Contact(_ context.Context, id conversation.ContactID) (conversation.Contact, error) {
	return one(r.t, r.t.s.contacts, "contact", id)
}

func (r contacts) SaveContact(_ context.Context, c conversation.Contact) (int64, error) {
	t := r.t
	return write(t, func() (int64, error) {
		if old, _ := get(t, t.s.contacts, c.ID); old.Version != c.Version {
			return 0, driver.ErrClash
		}
		c = clone(c)
		c.Version++
		put(t, t.s.contacts, c.ID, c)
		return c.Version, nil
	})
}

func (r contacts) Identity(_ context.Context, kind channel.Kind, scope channel.Scope, user channel.ProviderUserID) (conversation.Identity,
	error) {
	t := r.t
	return read(t, func() (conversation.Identity, error) {
		id, ok := get(t, t.s.byUser, userKey{kind, scope, user})
		if !ok {
			return conversation.Identity{}, missing("identity of channel", string(kind))
		}
		i, _ := get(t, t.s.identities, id)
		t.found(1)
		return clone(i), nil
	})
}

func (r contacts) IdentityByID(_ context.Context, id conversation.IdentityID) (conversation.Identity, error) {
	return one(r.t, r.t.s.identities, "identity", id)
}

func (r contacts) SaveIdentity(_ context.Context, i conversation.Identity) (int64, error) {
	t := r.t
	return write(t, func() (int64, error) {
		old, _ := get(t, t.s.identities, i.ID)
		if old.Version != i.Version {
			return 0, driver.ErrClash
		}
		was, is := userKey{old.Kind, old.Scope, old.User}, userKey{i.Kind, i.Scope, i.User}
		if holder, taken := get(t, t.s.byUser, is); taken && holder != i.ID {
			return 0, driver.ErrClash
		}
		if old.Version > 0 && was != is {
			drop(t, t.s.byUser, was)
		}
		put(t, t.s.byUser, is, i.ID)
		i = clone(i)
		i.Version++
		put(t, t.s.identities, i.ID, i)
		return i.Version, nil
	})
}

func (r contacts) Identities(_ context.Context, c conversation.ContactID) ([]conversation.Identity, error) {
	t := r.t
	return read(t, func() ([]conversation.Identity, error) {
		var out []conversation.Identity
		for _, i := range some(t, t.s.identities, t.s.identitiesOf.keys(c)) {
			if i.Contact == c {
				out = append(out, clone(i))
			}
		}
		slices.SortFunc(out, func(a, b conversation.Identity) int { return cmp.Compare(a.ID, b.ID) })
		t.found(len(out))
		return out, nil
	})
}

func (r contacts) ContactsByID(_ context.Context, ids []conversation.ContactID) ([]conversation.Contact, error) {
	t := r.t
	return read(t, func() ([]conversation.Contact, error) {
		var list []conversation.Contact
		for _, c := range some(t, t.s.contacts, slices.Values(ids)) {
			if slices.Contains(ids, c.ID) {
				list = append(list, clone(c))
			}
		}
		t.found(len(list))
		return list, nil
	})
}

func (r contacts) Contacts(_ context.Context, after conversation.ContactID, limit int) ([]conversation.Contact, error) {
	t := r.t
	return read(t, func() ([]conversation.Contact, error) {
		var list []conversation.Contact
		for id, c := range each(t, t.s.contacts) {
			if id > after {
				list = append(list, c)
			}
		}
		slices.SortFunc(list, func(a, b conversation.Contact) int { return cmp.Compare(a.ID, b.ID) })
		list = clones(first(list, limit))
		t.found(len(list))
		return list, nil
	})
}

func (r contacts) PutEarly(_ context.Context, e conversation.Early) error {
	t := r.t
	return do(t, func() error {
		k := providerKey{e.Account, e.Chat, e.Message}
		if old, ok := get(t, t.s.early, k); !ok || e.At.After(old.At) {
			put(t, t.s.early, k, clone(e))
		}
		return nil
	})
}

func (r contacts) TakeEarly(_ context.Context, account channel.AccountID, chat channel.Chat,
	p channel.ProviderMessageID) (conversation.Early, error) {
	t := r.t
	return write(t, func() (conversation.Early, error) {
		k := providerKey{account, chat, p}
		e, ok := get(t, t.s.early, k)
		if !ok {
			return conversation.Early{}, missing("early edit or unsend of message", string(p))
		}
		drop(t, t.s.early, k)
		return clone(e), nil
	})
}
