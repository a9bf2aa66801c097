package sangdam

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
)

// messagePart is a further id that the provider gave to a message which left as
// several. The store finds messages by their first id alone.
type messagePart struct {
	ID      string                 `json:"id"`
	Version int64                  `json:"-"`
	Message conversation.MessageID `json:"message"`
}

var messageParts = declare(store.Kind[messagePart]{Name: "message_part",
	ID:      func(p *messagePart) string { return p.ID },
	Version: func(p *messagePart) *int64 { return &p.Version },
})

// partID names a part; a hash, since a provider's ids have no limit.
func partID(acct channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(acct), string(chat.Kind), chat.ID, string(p)}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// keepParts makes a sent message findable by all its ids.
func (u *unit) keepParts(m conversation.Message, sent adapter.SentMessage) error {
	for _, p := range sent.Parts {
		part := messagePart{ID: partID(m.Account, m.Chat, p), Message: m.ID}
		if err := messageParts.Save(u.ctx, u.tx, &part); err != nil {
			return err
		}
	}
	return nil
}

// byProvider finds a message by any of its ids at the provider. ErrNotFound.
func (u *unit) byProvider(acct channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) (conversation.Message, error) {
	m, err := u.tx.Conversations().ByProvider(u.ctx, acct, chat, p)
	if !errors.Is(err, ErrNotFound) {
		return m, err
	}
	part, err := messageParts.Get(u.ctx, u.tx, partID(acct, chat, p))
	if err != nil {
		return m, err
	}
	return u.tx.Conversations().Message(u.ctx, part.Message)
}

// quoting finds what a customer's message quotes; empty when it is not here.
func (u *unit) quoting(acct channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) (conversation.MessageID, error) {
	if p == "" {
		return "", nil
	}
	m, err := u.byProvider(acct, chat, p)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return m.ID, err
}

// quoted fills in what a channel needs to quote the message that an answer
// names by QuoteOf alone. ErrInvalid when there is no such message in the chat,
// ErrUnsupported when the provider lets nobody quote it.
func (u *unit) quoted(c conversation.Conversation, content channel.Content) (channel.Content, conversation.MessageID, error) {
	if content.QuoteOf == "" {
		return content, "", nil
	}
	acct, adapter, err := u.e.account(u.s, c.Account)
	if err != nil {
		return content, "", err
	}
	m, err := u.byProvider(c.Account, c.Chat, content.QuoteOf)
	if errors.Is(err, ErrNotFound) {
		return content, "", errs.New(errs.Invalid, "sangdam: the message to quote is not in this chat; answer without QuoteOf")
	}
	if err != nil {
		return content, "", err
	}
	if content.QuoteHandle == "" && m.UnsentAt.IsZero() {
		content.QuoteHandle = m.Content.QuoteHandle
	}
	if content.QuoteHandle == "" && adapter.Capabilities().Quotes {
		return content, "", errs.New(errs.Unsupported, "sangdam: %s lets nobody quote this message; answer without QuoteOf", acct.Kind)
	}
	return content, m.ID, nil
}
