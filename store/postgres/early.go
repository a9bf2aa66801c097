package postgres

import (
	"context"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// PutEarly implements driver.ConversationRepo.
func (c conversations) PutEarly(ctx context.Context, e conversation.Early) error {
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

// TakeEarly implements driver.ConversationRepo.
func (c conversations) TakeEarly(ctx context.Context, account channel.AccountID, chat channel.Chat,
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
