package sangdam

import (
	"context"
	"errors"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// asks describes a query, or a call that is meant to be repeated: the policy is
// asked for the first action before anything is read for the answer, about a record
// of the kind.
func asks(name, method, resource string, actions ...Action) *Operation {
	return register(&Operation{Name: name, Method: method, Resources: []string{resource}, Actions: actions, Query: true})
}

// asksFor has refusals of the query call the thing so.
func asksFor(named string, op *Operation) *Operation {
	op.named = named
	return op
}

// inquire is the frame of every query: in a read transaction it asks the policy about
// what of tells, and runs fn if it agreed. of may give the settings that it read.
func (e *Engine) inquire(ctx context.Context, p Principal, op *Operation,
	of func(ctx context.Context, tx store.Tx) (Resource, *settings, error),
	fn func(ctx context.Context, tx store.Tx, w Who) error) error {
	if err := p.made(); err != nil {
		return err
	}
	return e.db.View(ctx, p.Workspace, func(ctx context.Context, tx store.Tx) error {
		r, s, err := of(ctx, tx)
		if err != nil {
			return err
		}
		var w Who
		if s == nil {
			w, err = e.reader(ctx, tx, p)
		} else {
			w, err = e.who(ctx, tx, s, p)
		}
		if err != nil {
			return err
		}
		if err := e.permit(ctx, w, op.Actions[0], r); err != nil {
			if op.named != "" && errors.Is(err, ErrNotFound) {
				err = noSuch(op.named)
			}
			return err
		}
		return fn(ctx, tx, w)
	})
}

// query is inquire about something at large, or by its id: lists, logs, the set-up.
func (e *Engine) query(ctx context.Context, p Principal, op *Operation, id string, fn func(ctx context.Context, tx store.Tx,
	s *settings) error) error {
	if err := e.listable(ctx); err != nil {
		return err
	}
	r := Resource{Kind: op.Resources[0], ID: id}
	if r.Kind == kindAgent {
		r.Owner = routing.AgentID(id)
	}
	var s *settings
	return e.inquire(ctx, p, op, func(ctx context.Context, tx store.Tx) (_ Resource, _ *settings, err error) {
		s, err = e.fresh(ctx, tx)
		return r, s, err
	}, func(ctx context.Context, tx store.Tx, _ Who) error { return fn(ctx, tx, s) })
}

// read is inquire about a conversation.
func (e *Engine) read(ctx context.Context, p Principal, op *Operation, id conversation.ID, fn func(ctx context.Context, tx store.Tx,
	cv conversation.Conversation) error) error {
	var cv conversation.Conversation
	return e.inquire(ctx, p, op, func(ctx context.Context, tx store.Tx) (_ Resource, _ *settings, err error) {
		cv, err = tx.Conversations().Conversation(ctx, id)
		return conversationResource(cv), nil, noneOf(kindConversation, err)
	}, func(ctx context.Context, tx store.Tx, _ Who) error { return fn(ctx, tx, cv) })
}

// readTicket is inquire about a ticket.
func (e *Engine) readTicket(ctx context.Context, p Principal, op *Operation, id ticket.ID, fn func(ctx context.Context, tx store.Tx, w Who,
	t ticket.Ticket) error) error {
	var t storedTicket
	return e.inquire(ctx, p, op, func(ctx context.Context, tx store.Tx) (_ Resource, _ *settings, err error) {
		t, err = tickets.Get(ctx, tx, string(id))
		return ticketResource(t.Ticket), nil, noneOf(kindTicket, err)
	}, func(ctx context.Context, tx store.Tx, w Who) error { return fn(ctx, tx, w, t.Ticket) })
}

// readContact is inquire about a contact, or the one that it was merged into.
func (e *Engine) readContact(ctx context.Context, p Principal, op *Operation, id conversation.ContactID, fn func(ctx context.Context,
	tx store.Tx, c conversation.Contact) error) error {
	var c conversation.Contact
	return e.inquire(ctx, p, op, func(ctx context.Context, tx store.Tx) (_ Resource, _ *settings, err error) {
		c, err = living(ctx, tx, id)
		return contactResource(c), nil, noneOf(kindContact, err)
	}, func(ctx context.Context, tx store.Tx, _ Who) error { return fn(ctx, tx, c) })
}

// noneOf is the error of a look-up, in the words for a record that is not there.
func noneOf(kind string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return noSuch(kind)
	}
	return err
}

// reader is who within a read transaction that needs no settings otherwise.
func (e *Engine) reader(ctx context.Context, tx store.Tx, p Principal) (Who, error) {
	if p.Kind != KindAgent {
		return Who{Principal: p}, nil
	}
	s, err := e.fresh(ctx, tx)
	if err != nil {
		return Who{}, err
	}
	return e.who(ctx, tx, s, p)
}
