package memory

import (
	"context"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

func (r conversations) PutEarly(_ context.Context, e conversation.Early) error {
	t := r.t
	return do(t, func() error {
		k := providerKey{e.Account, e.Chat, e.Message}
		if old, ok := get(t, t.s.early, k); !ok || e.At.After(old.At) {
			put(t, t.s.early, k, clone(e))
		}
		return nil
	})
}

func (r conversations) TakeEarly(_ context.Context, account channel.AccountID, chat channel.Chat,
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
