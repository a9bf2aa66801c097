package sangdam

import (
	"errors"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
)

// receipt moves the status of messages forward: of one, or of all up to a time.
func (u *unit) receipt(acct channel.Account, in adapter.Inbound) error {
	to := conversation.StatusDelivered
	if in.Kind == adapter.EventRead {
		to = conversation.StatusRead
	}
	repo := u.tx.Conversations()
	if in.MessageID != "" {
		m, err := u.byProvider(acct.ID, in.Chat, in.MessageID)
		if errors.Is(err, ErrNotFound) {
			return nil // not a message of ours
		}
		if err != nil {
			return err
		}
		return u.advance(m.Conversation, []conversation.Message{m}, to)
	}
	identity, err := u.identity(acct, in.Author)
	if err != nil {
		return err
	}
	open, last, err := repo.ByThread(u.ctx, u.s.thread(in.Chat, acct.ID, acct.WorkStream, identity.Contact))
	if err != nil {
		return err
	}
	if open == nil {
		open = last
	}
	if open == nil {
		return nil
	}
	// A watermark concerns what was sent lately; older messages keep theirs.
	recent, err := repo.Latest(u.ctx, open.ID, 0, 200)
	if err != nil {
		return err
	}
	var sent []conversation.Message
	for _, m := range recent {
		here := m.Account == acct.ID && m.Chat == in.Chat // the conversation may have messages in other chats, too
		if here && m.Direction == conversation.Outbound && !m.At.After(in.Watermark) {
			sent = append(sent, m)
		}
	}
	return u.advance(open.ID, sent, to)
}

// watched records with the message that its video was watched to its end. A
// name that none of the chat's messages has is another tool's.
func (u *unit) watched(acct channel.Account, in adapter.Inbound) error {
	m, err := u.tx.Conversations().Message(u.ctx, conversation.MessageID(in.Tag))
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) || err == nil && (m.Account != acct.ID || m.Chat != in.Chat) {
		return u.accountEvent(acct, in)
	}
	if err != nil {
		return err
	}
	d, err := u.conversation(m.Conversation)
	if err == nil {
		d.ApplyWatched(m, in.OccurredAt)
	}
	return err
}

// accountEvent announces what belongs to no conversation, under the name that
// the account gave it.
func (u *unit) accountEvent(acct channel.Account, in adapter.Inbound) error {
	return u.tell(driver.Event{Aggregate: kindAccount, ID: string(acct.ID), Desk: acct.Desk, Kind: string(in.Kind), Ref: in.Tag})
}

func (u *unit) advance(c conversation.ID, ms []conversation.Message, to conversation.Status) error {
	d, err := u.conversation(c)
	if err != nil {
		return err
	}
	for _, m := range ms {
		d.ApplyStatus(m, to, "", "")
	}
	return nil
}
