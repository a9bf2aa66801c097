package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

type contacts struct{ *tx }

func scanContact(r pgx.Rows) (conversation.Contact, error) {
	var version int64
	var doc []byte
	if err := r.Scan(&version, &doc); err != nil {
		return conversation.Contact{}, err
	}
	c, err := decode[conversation.Contact](doc)
	c.Version = version
	return c, err
}

// Contact implements driver.ContactRepo.
func (c contacts) Contact(ctx context.Context, id conversation.ContactID) (conversation.Contact, error) {
	if c.ahead != nil && c.ahead.contacts[key(id)] != nil && c.usable() == nil {
		return c.ahead.contacts[key(id)].contact()
	}
	return one(ctx, c.tx, "contact", query(`SELECT version, doc FROM sd.contacts WHERE ws = $1 AND id = $2`, key(c.ws), key(id)),
		scanContact)
}

// SaveContact implements driver.ContactRepo. The columns name, email and
// phone are left empty: contacts are found by documents (package store), and the
// columns go with the next schema.
func (c contacts) SaveContact(ctx context.Context, v conversation.Contact) (int64, error) {
	doc, err := encode(v)
	if err != nil {
		return 0, err
	}
	if c.ahead != nil {
		columns := []any{"", "", ""}
		if k := c.ahead.contacts[key(v.ID)]; k != nil {
			return c.change(k, v.Version, doc, columns)
		}
		if v.Version == 0 {
			return c.create(c.ahead.contacts, key(v.ID), kept{doc: doc, columns: columns})
		}
	}
	args := []any{key(c.ws), key(v.ID), doc}
	if v.Version == 0 {
		return 1, c.write(ctx,
			query(`INSERT INTO sd.contacts (ws, id, version, name, email, phone, doc) VALUES ($1, $2, 1, '', '', '', $3)`,
				args...))
	}
	return v.Version + 1,
		c.write(ctx, asClash("contact", `UPDATE sd.contacts SET version = version + 1, name = '', email = '', phone = '', doc = $3
		WHERE ws = $1 AND id = $2 AND version = $4 RETURNING 1`, append(args, v.Version)...))
}

func scanIdentity(r pgx.Rows) (conversation.Identity, error) {
	var version int64
	var doc []byte
	if err := r.Scan(&version, &doc); err != nil {
		return conversation.Identity{}, err
	}
	i, err := decode[conversation.Identity](doc)
	i.Version = version
	return i, err
}

// Identity implements driver.ContactRepo.
func (c contacts) Identity(ctx context.Context, kind channel.Kind, scope channel.Scope,
	user channel.ProviderUserID) (conversation.Identity, error) {
	if k, asked := c.ahead.person(kind, scope, user); asked && c.usable() == nil {
		if k == nil {
			return conversation.Identity{}, errNotFound("identity")
		}
		return k.identity()
	}
	return one(ctx, c.tx, "identity",
		query(`SELECT version, doc FROM sd.identities WHERE ws = $1 AND kind = $2 AND scope = $3 AND user_id = $4`,
			key(c.ws), key(kind), key(scope), key(user)), scanIdentity)
}

// IdentityByID implements driver.ContactRepo.
func (c contacts) IdentityByID(ctx context.Context, id conversation.IdentityID) (conversation.Identity, error) {
	if c.ahead != nil && c.ahead.identities[key(id)] != nil && c.usable() == nil {
		return c.ahead.identities[key(id)].identity()
	}
	return one(ctx, c.tx, "identity", query(`SELECT version, doc FROM sd.identities WHERE ws = $1 AND id = $2`, key(c.ws), key(id)),
		scanIdentity)
}

// SaveIdentity implements driver.ContactRepo.
func (c contacts) SaveIdentity(ctx context.Context, i conversation.Identity) (int64, error) {
	doc, err := encode(i)
	if err != nil {
		return 0, err
	}
	if a := c.ahead; a != nil {
		columns, at := []any{key(i.Contact), key(i.Kind), key(i.Scope), key(i.User)}, personKey(i.Kind, i.Scope, i.User)
		known := a.identities[key(i.ID)]
		if known != nil || i.Version == 0 {
			a.people[at] = key(i.ID)
		}
		if known != nil {
			return c.change(known, i.Version, doc, columns)
		}
		if i.Version == 0 {
			return c.create(a.identities, key(i.ID), kept{doc: doc, columns: columns, natural: strings.Join(at[:], "\x00")})
		}
	}
	args := []any{key(c.ws), key(i.ID), key(i.Contact), key(i.Kind), key(i.Scope), key(i.User), doc}
	if i.Version == 0 {
		return 1, c.write(ctx, query(`INSERT INTO sd.identities (ws, id, version, contact, kind, scope, user_id, doc)
			VALUES ($1, $2, 1, $3, $4, $5, $6, $7)`, args...))
	}
	return i.Version + 1,
		c.write(ctx, asClash("identity", `UPDATE sd.identities SET version = version + 1, contact = $3, kind = $4, scope = $5,
		user_id = $6, doc = $7 WHERE ws = $1 AND id = $2 AND version = $8 RETURNING 1`, append(args, i.Version)...))
}

// Identities implements driver.ContactRepo.
func (c contacts) Identities(ctx context.Context, contact conversation.ContactID) ([]conversation.Identity, error) {
	return many(ctx, c.tx, query(`SELECT version, doc FROM sd.identities WHERE ws = $1 AND contact = $2 ORDER BY id`, key(c.ws),
		key(contact)), scanIdentity)
}

// ContactsByID implements driver.ContactRepo.
func (c contacts) ContactsByID(ctx context.Context, ids []conversation.ContactID) ([]conversation.Contact, error) {
	return many(ctx, c.tx, query(`SELECT version, doc FROM sd.contacts WHERE ws = $1 AND id = ANY($2)`, key(c.ws), keys(ids)), scanContact)
}

// Contacts implements driver.ContactRepo.
func (c contacts) Contacts(ctx context.Context, after conversation.ContactID, limit int) ([]conversation.Contact, error) {
	return many(ctx, c.tx,
		query(`SELECT version, doc FROM sd.contacts WHERE ws = $1 AND id > $2 ORDER BY id LIMIT $3`, key(c.ws), key(after),
			limit), scanContact)
}

// PutEarly implements driver.ContactRepo.
func (c contacts) PutEarly(ctx context.Context, e conversation.Early) error {
	c.ahead.mayBeEarly(e.Account, e.Chat, e.Message)
	doc, err := encode(e)
	if err != nil {
		return err
	}
	return c.write(ctx, query(`INSERT INTO sd.early AS o (ws, account, chat_kind, chat_id, message, at, doc)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (ws, account, chat_kind, chat_id, message) DO UPDATE SET at = excluded.at, doc = excluded.doc WHERE o.at < excluded.at`,
		key(c.ws), key(e.Account), key(e.Chat.Kind), key(e.Chat.ID), key(e.Message), e.At, doc))
}

// TakeEarly implements driver.ContactRepo.
func (c contacts) TakeEarly(ctx context.Context, account channel.AccountID, chat channel.Chat,
	p channel.ProviderMessageID) (conversation.Early, error) {
	if err := c.writable(); err != nil {
		return conversation.Early{}, err
	}
	if c.ahead.noEarly(account, chat, p) {
		return conversation.Early{}, errNotFound("early edit")
	}
	c.wrote = true
	return one(ctx, c.tx, "early edit",
		query(`DELETE FROM sd.early WHERE ws = $1 AND account = $2 AND chat_kind = $3 AND chat_id = $4 AND message = $5
		RETURNING doc`, key(c.ws), key(account), key(chat.Kind), key(chat.ID), key(p)), document[conversation.Early])
}
