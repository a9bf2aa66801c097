package sqlite

import (
	"context"
	"encoding/json"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// contacts implements driver.ContactRepo.
type contacts struct{ *tx }

func scanContact(w raw.Row) (conversation.Contact, error) {
	var c conversation.Contact
	err := decode(w.View(0), &c)
	c.Version = w.Int(1)
	return c, err
}

func scanIdentity(w raw.Row) (conversation.Identity, error) {
	var i conversation.Identity
	err := decode(w.View(0), &i)
	i.Version = w.Int(1)
	return i, err
}

func (r contacts) Contact(_ context.Context, id conversation.ContactID) (conversation.Contact, error) {
	return one(r.tx, scanContact, "contact "+string(id), `SELECT doc, version FROM contacts WHERE ws = ? AND id = ?`, r.ws, string(id))
}

// SaveContact leaves the columns name, email and phone empty: contacts are found
// by documents (package store), and the columns go with the next schema.
func (r contacts) SaveContact(_ context.Context, c conversation.Contact) (int64, error) {
	doc, err := encode(c)
	if err != nil {
		return 0, err
	}
	return r.saved("contact", string(c.ID), c.Version,
		`INSERT INTO contacts (ws, id, version, name, email, phone, doc) VALUES (?, ?, 1, '', '', '', ?) RETURNING version`,
		[]any{r.ws, string(c.ID), doc},
		`UPDATE contacts SET version = version + 1, name = '', email = '', phone = '', doc = ? WHERE ws = ? AND id = ? AND version = ?
			RETURNING version`,
		[]any{doc, r.ws, string(c.ID), c.Version})
}

func (r contacts) Identity(_ context.Context, kind channel.Kind, scope channel.Scope, user channel.ProviderUserID) (conversation.Identity,
	error) {
	return one(r.tx, scanIdentity, "identity of this user", `SELECT doc, version FROM identities
		WHERE ws = ? AND kind = ? AND scope = ? AND user = ?`, r.ws, string(kind), string(scope), string(user))
}

func (r contacts) IdentityByID(_ context.Context, id conversation.IdentityID) (conversation.Identity, error) {
	return one(r.tx, scanIdentity, "identity "+string(id), `SELECT doc, version FROM identities WHERE ws = ? AND id = ?`, r.ws, string(id))
}

func (r contacts) SaveIdentity(_ context.Context, i conversation.Identity) (int64, error) {
	doc, err := encode(i)
	if err != nil {
		return 0, err
	}
	return r.saved("identity", string(i.ID), i.Version,
		`INSERT INTO identities (ws, id, version, contact, kind, scope, user, doc) VALUES (?, ?, 1, ?, ?, ?, ?, ?) RETURNING version`,
		[]any{r.ws, string(i.ID), string(i.Contact), string(i.Kind), string(i.Scope), string(i.User), doc},
		`UPDATE identities SET version = version + 1, contact = ?, kind = ?, scope = ?, user = ?, doc = ? WHERE ws = ? AND id = ?
			AND version = ? RETURNING version`,
		[]any{string(i.Contact), string(i.Kind), string(i.Scope), string(i.User), doc, r.ws, string(i.ID), i.Version})
}

func (r contacts) Identities(_ context.Context, c conversation.ContactID) ([]conversation.Identity, error) {
	return list(r.tx, scanIdentity, `SELECT doc, version FROM identities WHERE ws = ? AND contact = ? ORDER BY id`, r.ws, string(c))
}

func (r contacts) ContactsByID(_ context.Context, ids []conversation.ContactID) ([]conversation.Contact, error) {
	of, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	return list(r.tx, scanContact, `SELECT doc, version FROM contacts WHERE ws = ? AND id IN (SELECT value FROM json_each(?))`, r.ws,
		string(of))
}

func (r contacts) Contacts(_ context.Context, after conversation.ContactID, limit int) ([]conversation.Contact, error) {
	return list(r.tx, scanContact, `SELECT doc, version FROM contacts WHERE ws = ? AND id > ? ORDER BY id LIMIT ?`, r.ws,
		string(after), limit)
}

func (r contacts) PutEarly(_ context.Context, e conversation.Early) error {
	doc, err := encode(e)
	if err != nil {
		return err
	}
	return r.change(`INSERT INTO early (ws, account, chat, message, at, doc) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (ws, account, chat, message) DO UPDATE SET at = excluded.at, doc = excluded.doc WHERE excluded.at > at`,
		r.ws, string(e.Account), chatKey(e.Chat), string(e.Message), micro(e.At), doc)
}

func (r contacts) TakeEarly(_ context.Context, account channel.AccountID, chat channel.Chat,
	p channel.ProviderMessageID) (conversation.Early, error) {
	if err := r.writable(); err != nil {
		return conversation.Early{}, err
	}
	return one(r.tx, scanDoc[conversation.Early], "early event for this message",
		`DELETE FROM early WHERE ws = ? AND account = ? AND chat = ? AND message = ? RETURNING doc`, r.ws, string(account), chatKey(chat),
		string(p))
}
