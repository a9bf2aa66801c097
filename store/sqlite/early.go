package sqlite

import (
	"context"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

func (r conversations) PutEarly(_ context.Context, e conversation.Early) error {
	doc, err := encode(e)
	if err != nil {
		return err
	}
	return r.change(`INSERT INTO early (ws, account, chat, message, at, doc) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (ws, account, chat, message) DO UPDATE SET at = excluded.at, doc = excluded.doc WHERE excluded.at > at`,
		r.ws, string(e.Account), chatKey(e.Chat), string(e.Message), micro(e.At), doc)
}

func (r conversations) TakeEarly(_ context.Context, account channel.AccountID, chat channel.Chat,
	p channel.ProviderMessageID) (conversation.Early, error) {
	if err := r.writable(); err != nil {
		return conversation.Early{}, err
	}
	of := ` FROM early WHERE ws = ? AND account = ? AND chat = ? AND message = ?`
	key := []any{r.ws, string(account), chatKey(chat), string(p)}
	e, err := one(r.tx, scanDoc[conversation.Early], "early event for this message", `SELECT doc`+of, key...)
	if err != nil {
		return e, err
	}
	return e, r.change(`DELETE`+of, key...)
}
