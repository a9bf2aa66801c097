package sangdam

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// Contacts that an earlier program stored are found and seen once each has been
// saved by this one: with what it is found by, and with the desks it wrote to.
// The indexer does that for each workspace once, a chunk a transaction.

// contactChunk is how many contacts are saved in one transaction.
const contactChunk = 50

func contactsKey(ws id.Workspace) string { return "contacts/" + string(ws) }

func contactsMark() []byte { return []byte(strconv.Itoa(store.ContactsDecl)) }

// contactsAreNew says of a new workspace that it has no earlier contacts.
func (e *Engine) contactsAreNew(ctx context.Context, ws id.Workspace) error {
	err := e.db.System().PutMeta(ctx, contactsKey(ws), nil, contactsMark())
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// renewContacts saves the workspace's contacts anew, unless that was done.
func (e *Engine) renewContacts(ctx context.Context, ws id.Workspace) error {
	if _, done := e.renewed.Load(ws); done {
		return nil
	}
	had, err := e.db.System().Meta(ctx, contactsKey(ws))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if string(had) != string(contactsMark()) {
		if err := e.saveContacts(ctx, ws); err != nil {
			return err
		}
		if err := e.db.System().PutMeta(ctx, contactsKey(ws), had, contactsMark()); err != nil {
			return err
		}
	}
	e.renewed.Store(ws, true)
	return nil
}

// saveContacts walks over all contacts by id.
func (e *Engine) saveContacts(ctx context.Context, ws id.Workspace) error {
	for after, more := conversation.ContactID(""), true; more; {
		var last conversation.ContactID
		err := e.unit(ctx, system(ws), func(u *unit) error {
			list, err := u.tx.Contacts().Contacts(u.ctx, after, contactChunk)
			if err != nil {
				return err
			}
			more = len(list) == contactChunk
			for _, c := range list {
				last = c.ID
				desks, err := u.desksOf(c)
				if err != nil {
					return err
				}
				own := u.customerOf(c)
				own.Desks = withDesk(c.Desks, desks...)
				u.contacts[c.ID].anew = true // for what it is found by
				u.tellContact(own, "desks")
			}
			return nil
		})
		if err != nil {
			return err
		}
		after = last
	}
	return nil
}

// desksOf are the desks on which a contact has conversations. Of very many the
// ones that changed last are looked at.
func (u *unit) desksOf(c conversation.Contact) ([]routing.DeskID, error) {
	list, _, err := u.tx.Conversations().List(u.ctx, conversation.Filter{Contact: c.ID}, "", maxPage)
	if err != nil {
		return nil, err
	}
	identities, err := u.tx.Contacts().Identities(u.ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var desks []routing.DeskID
	for _, cv := range list {
		if cv.Desk != "" {
			desks = append(desks, cv.Desk)
		}
	}
	for _, i := range identities {
		desks = slices.Concat(desks, i.Desks)
	}
	return desks, nil
}
