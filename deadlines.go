package sangdam

import (
	"context"
	"errors"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

// runDeadlines looks at what has become due. Two processes may look at the
// same deadline; the transaction that handles it decides on the present rows.
func (e *Engine) runDeadlines(ctx, drain context.Context) {
	hints, stop := e.wake.subscribe()
	defer stop()
	fails := 0
	for ctx.Err() == nil {
		due, err := e.db.System().Due(ctx, 100)
		failed := err != nil
		for _, d := range due {
			if ctx.Err() != nil {
				return
			}
			if err := e.handleDeadline(drain, d); err != nil {
				failed = true
				e.log.Warn("a deadline could not be handled", "kind", d.Kind, "id", d.ID, "error", err)
			}
		}
		if failed {
			fails++
		} else {
			fails = 0
		}
		if len(due) == 0 || failed {
			e.idle(ctx, hints, nil, fails)
		}
	}
}

func (e *Engine) handleDeadline(ctx context.Context, due driver.Deadline) error {
	err := e.unit(ctx, system(due.Workspace), func(u *unit) error {
		switch due.Kind {
		case dueOffer:
			return u.offerExpired(routing.OfferID(due.ID))
		case dueWrapUp:
			return u.timeOver(conversation.ID(due.ID), due.Kind)
		case dueAutoClose:
			return u.timeOver(conversation.ID(due.ID), due.Kind)
		case dueLost:
			if err := u.agentStayedAway(routing.AgentID(due.ID)); err != nil {
				return err
			}
		}
		// A kind of a newer program is left to it; ours are cleared.
		return u.tx.Deadlines().Clear(u.ctx, due.Kind, due.ID)
	})
	return err
}

// offerExpired ends an offer whose time is over; the next agent is asked.
func (u *unit) offerExpired(id routing.OfferID) error {
	o, err := u.tx.Work().Offer(u.ctx, id)
	if errors.Is(err, ErrNotFound) || (err == nil && o.State != routing.OfferPending) {
		return u.tx.Deadlines().Clear(u.ctx, dueOffer, string(id))
	}
	if err != nil {
		return err
	}
	if u.tx.Now().Before(o.ExpiresAt) {
		return u.tx.Deadlines().Set(u.ctx, dueOffer, string(id), o.ExpiresAt)
	}
	return u.endOffer(id, routing.OfferExpired, "timeout")
}

// timeOver ends a conversation whose wrap-up or silence lasted long enough, or
// moves the deadline when something happened meanwhile.
func (u *unit) timeOver(id conversation.ID, kind string) error {
	cv, err := u.tx.Conversations().Conversation(u.ctx, id)
	if err != nil {
		return err
	}
	stream := u.s.routing.WorkStreams[cv.WorkStream]
	over := cv.State == conversation.StateWrapUp && !u.tx.Now().Before(cv.WrapUpAt.Add(stream.WrapUp))
	if kind == dueAutoClose {
		quiet := cv.UpdatedAt.Add(stream.AutoClose)
		open := cv.State == conversation.StateOpen || cv.State == conversation.StateActive || cv.State == conversation.StateWaiting
		if open && stream.AutoClose > 0 && u.tx.Now().Before(quiet) {
			return u.tx.Deadlines().Set(u.ctx, kind, string(id), quiet)
		}
		over = open && stream.AutoClose > 0
	}
	if err := u.tx.Deadlines().Clear(u.ctx, kind, string(id)); err != nil || !over {
		return err
	}
	d := conversation.Edit(cv, u.tx.Now())
	if err := u.endDraft(d, "system", kind, true); err != nil {
		return err
	}
	return u.finish(d)
}
