package sangdam

import (
	"context"
	"errors"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
)

// Unsend takes back an answer that was not sent yet, because it is held
// (Answer.Hold) or waits behind other messages.
type Unsend struct {
	Key     Key                    `json:"-"`
	Message conversation.MessageID `json:"message"`
}

// Unsend carries the command out. ErrStale when the message was sent or is
// being sent at this moment, so that the customer has it or will have it.
func (e *Engine) Unsend(ctx context.Context, p Principal, c Unsend) (Posted, error) {
	return command(ctx, e, call{opUnsend, p, c.Key, c}, func(u *unit) (Posted, error) {
		d, m, err := u.onMessage(c.Message, ActAnswer)
		if err != nil {
			return Posted{}, err
		}
		if m.Direction != conversation.Outbound {
			return Posted{}, errs.New(errs.Invalid, "sangdam: message %s is not one that was sent from here", m.ID)
		}
		if p.agent() != "" && m.Author.Agent != p.agent() {
			return Posted{}, errs.New(errs.PermissionDenied, "sangdam: message %s was written by somebody else, who alone takes it back",
				m.ID)
		}
		if m.Status == conversation.StatusWithdrawn {
			return Posted{Message: m.ID, Conversation: d.C.ID, Seq: m.Seq}, nil
		}
		if err := u.recall(m); err != nil {
			return Posted{}, err
		}
		d.Withdraw(m, u.actor())
		return Posted{Message: m.ID, Conversation: d.C.ID, Seq: m.Seq}, nil
	})
}

// recall takes what waits to leave out of the outbox; ErrStale when it has left.
func (u *unit) recall(m conversation.Message) error {
	err := u.tx.Outbox().Cancel(u.ctx, channel.OutboxID(m.ID))
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrStale) {
		return errs.New(errs.Stale, "sangdam: message %s has left, or is leaving; it cannot be taken back any more", m.ID)
	}
	if err != nil {
		return err
	}
	if err := u.tx.Outbox().Forget(u.ctx, channel.OutboxID(m.ID)); err != nil {
		return err
	}
	if err := u.dropOriginals(m.Masks); err != nil {
		return err
	}
	return nil
}
