package sangdam

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/ticket"
)

// What masks hide is sealed under a data key of the person whose text it is.
// Dropping everything of an owner in the vault, keys included, makes it
// unreadable, in copies of the database too.

// Names in the vault: keys of an owner, and originals by the ids of their masks.
const (
	vaultKey      = "key:"
	vaultOriginal = "mask:"
)

func ownerContact(c conversation.ContactID) string { return "contact:" + string(c) }

// maskOwner is whose key seals what a message says: the contact's who wrote it
// or to whom it was written, else one of the conversation alone.
func (u *unit) maskOwner(cv conversation.Conversation, m conversation.Message) (string, error) {
	contact := cv.Contact
	if m.Author.Identity != "" {
		i, err := u.tx.Contacts().IdentityByID(u.ctx, m.Author.Identity)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return "", err
		}
		if err == nil && i.Contact != "" {
			contact = i.Contact
		}
	}
	if contact == "" {
		return "conversation:" + string(cv.ID), nil
	}
	return ownerContact(contact), nil
}

// ticketOwner is whose key seals what a ticket says.
func ticketOwner(t ticket.Ticket) string {
	if t.Contact == "" {
		return ownerTicket + string(t.ID)
	}
	return ownerContact(t.Contact)
}

// sealedOriginal is what the vault keeps of a mask.
type sealedOriginal struct {
	Key    string `json:"key"`
	Sealed []byte `json:"sealed"`
}

func vaultPlace(ws WorkspaceID, owner, name string) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "vault", Row: owner, Column: name}
}

// ownerKey is a data key of the owner: one that is there, else a new one. Two
// transactions may each make one, so that no rival's is ever replaced; erasure
// takes all of them.
func (u *unit) ownerKey(owner string) (name string, key *seal.DataKey, err error) {
	names, err := u.tx.Vault().Names(u.ctx, owner, vaultKey)
	if err != nil {
		return "", nil, err
	}
	if len(names) > 0 {
		key, err := u.e.openOwnerKey(u.ctx, u.tx, owner, names[0])
		return names[0], key, err
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	name = vaultKey + hex.EncodeToString(random[:])
	wrapped, key, err := seal.NewDataKey(u.ctx, u.e.cfg.Sealer, vaultPlace(u.tx.Workspace(), owner, name))
	if err != nil {
		return "", nil, err
	}
	return name, key, u.tx.Vault().AddSealed(u.ctx, owner, name, wrapped)
}

func (e *Engine) openOwnerKey(ctx context.Context, tx store.Tx, owner, name string) (*seal.DataKey, error) {
	wrapped, err := tx.Vault().Sealed(ctx, owner, name)
	if err != nil {
		return nil, err
	}
	return seal.OpenDataKey(ctx, e.cfg.Sealer, vaultPlace(tx.Workspace(), owner, name), wrapped)
}

// keepOriginals seals what masks hide, by the masks' ids.
func (u *unit) keepOriginals(owner string, originals map[string]string) error {
	if len(originals) == 0 {
		return nil
	}
	name, key, err := u.ownerKey(owner)
	if err != nil {
		return err
	}
	for id, text := range originals {
		at := vaultOriginal + id
		sealed, err := key.Seal(vaultPlace(u.tx.Workspace(), owner, at), []byte(text))
		if err != nil {
			return err
		}
		raw, err := json.Marshal(sealedOriginal{Key: name, Sealed: sealed})
		if err != nil {
			return err
		}
		if err := u.tx.Vault().AddSealed(u.ctx, owner, at, raw); err != nil {
			return err
		}
	}
	return nil
}

// original opens what a mask hides. ErrNotFound when it was erased with its
// owner's key.
func (e *Engine) original(ctx context.Context, tx store.Tx, m privacy.MaskedSpan) (string, error) {
	erased := errs.New(errs.NotFound, "sangdam: what this mask hides was erased; it cannot be shown again")
	at := vaultOriginal + m.ID
	raw, err := tx.Vault().Sealed(ctx, m.Owner, at)
	if errors.Is(err, ErrNotFound) {
		return "", erased
	}
	if err != nil {
		return "", err
	}
	var kept sealedOriginal
	if err := json.Unmarshal(raw, &kept); err != nil {
		return "", err
	}
	key, err := e.openOwnerKey(ctx, tx, m.Owner, kept.Key)
	if errors.Is(err, ErrNotFound) {
		return "", erased
	}
	if err != nil {
		return "", err
	}
	plain, err := key.Open(vaultPlace(tx.Workspace(), m.Owner, at), kept.Sealed)
	return string(plain), err
}

// dropOriginals forgets what masks hide that are no more.
func (u *unit) dropOriginals(masks []privacy.MaskedSpan) error {
	for _, m := range masks {
		if err := u.tx.Vault().Drop(u.ctx, m.Owner, vaultOriginal+m.ID); err != nil {
			return err
		}
	}
	return nil
}

// ownersAtOnce is how many owners' keys one transaction seals again.
const ownersAtOnce = 100

// resealOwners brings the keys of all owners under the host's primary key.
func (e *Engine) resealOwners(ctx context.Context, ws WorkspaceID) (n int, err error) {
	for after, more := "", true; more; {
		last, done := after, 0
		err := e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
			last, done = after, 0
			owners, err := tx.Vault().Owners(ctx, after, ownersAtOnce)
			if err != nil {
				return err
			}
			more = len(owners) == ownersAtOnce
			for _, owner := range owners {
				resealed, err := e.resealOwner(ctx, tx, owner)
				if err != nil {
					return err
				}
				last, done = owner, done+resealed
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		after, n = last, n+done
	}
	return n, nil
}

func (e *Engine) resealOwner(ctx context.Context, tx store.Tx, owner string) (n int, err error) {
	names, err := tx.Vault().Names(ctx, owner, vaultKey)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		wrapped, err := tx.Vault().Sealed(ctx, owner, name)
		if err != nil {
			return n, err
		}
		again, fresh, err := seal.Reseal(ctx, e.cfg.Sealer, vaultPlace(tx.Workspace(), owner, name), wrapped)
		if err != nil {
			return n, err
		}
		if !fresh {
			continue
		}
		if err := tx.Vault().PutSealed(ctx, owner, name, again); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
