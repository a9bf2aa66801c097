package sangdam

import (
	"context"
	"errors"
	"time"

	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
)

// A live chat ends with its window, but not with a reload or a lost network: a
// page says that it closes, and the end comes after a grace in which another
// page of the same visitor may open. The grace is a deadline of the store, so
// that it survives restarts and holds at every process.

// dueLeft is the deadline at which a visitor who closed the page is gone.
const dueLeft = "visitor_left"

func init() {
	registerDeadline(dueLeft, deadlineKind{run: func(u *unit, id string) error { return u.visitorGone(conversation.ID(id)) }})
}

// Leave begins the grace.
func (p visitorPort) Leave(ctx context.Context, v visitor.Ref, page string, grace time.Duration) error {
	if page == "" || len(page) > 100 || grace < 0 {
		return errs.New(errs.Invalid, "sangdam: leaving names the page in at most 100 bytes, and a grace that is not negative")
	}
	return p.e.unit(ctx, visitorPrincipal(v), func(u *unit) error {
		if _, err := u.visiting(v); err != nil {
			return err
		}
		cv, err := p.thread(u.ctx, u.tx, u.s, v)
		if err != nil || cv == nil || !cv.Live || !cv.State.HoldsThread() {
			return err
		}
		u.conversationOf(*cv).Leave(page)
		return u.tx.Deadlines().Set(u.ctx, dueLeft, string(cv.ID), u.tx.Now().Add(grace))
	})
}

// Back ends the grace. A page that has left does not bring its visitor back: its
// connection may live a moment longer than itself.
func (p visitorPort) Back(ctx context.Context, v visitor.Ref, page string) error {
	return p.e.unit(ctx, visitorPrincipal(v), func(u *unit) error {
		if _, err := u.visiting(v); err != nil {
			return err
		}
		cv, err := p.thread(u.ctx, u.tx, u.s, v)
		if err != nil || cv == nil || cv.Left == nil || cv.Left.Page == page {
			return err
		}
		u.conversationOf(*cv).Return()
		return u.tx.Deadlines().Clear(u.ctx, dueLeft, string(cv.ID))
	})
}

// visitorGone ends a conversation whose visitor closed the page and neither came
// back nor wrote.
func (u *unit) visitorGone(c conversation.ID) error {
	cv, err := u.tx.Conversations().Conversation(u.ctx, c)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := u.tx.Deadlines().Clear(u.ctx, dueLeft, string(c)); err != nil {
		return err
	}
	if err != nil || cv.Left == nil || !cv.State.HoldsThread() || cv.LastCustomerAt.After(cv.Left.At) {
		return nil
	}
	return u.endDraft(u.conversationOf(cv), "customer", "customer_left", false)
}
