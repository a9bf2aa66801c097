package sangdam

import (
	"context"
	"errors"
	"slices"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// The rule of who may do and see what is asked here and nowhere else
// (docs/design.md, Rights).

// who is the principal with what the library knows of it.
func (e *Engine) who(ctx context.Context, tx store.Tx, s *settings, p Principal) (Who, error) {
	w := Who{Principal: p}
	if p.agent() == "" {
		return w, nil
	}
	w.Desks = s.desksOf(p.agent())
	a, err := tx.Agents().Agent(ctx, p.agent())
	switch {
	case err == nil:
		w.Agent = &a
	case !errors.Is(err, ErrNotFound): // one that only the host knows is the policy's
		return w, err
	}
	return w, nil
}

// permit decides about one record or list, in this order: what is stored of the
// agent, whether it owns the conversation or is asked to, the policy. The first two
// stand above a host's own policy. Whoever may not know of a record gets the answer for one
// that is not there, whatever was tried.
func (e *Engine) permit(ctx context.Context, w Who, a Action, r Resource) error {
	if w.Kind == KindAgent && len(w.Roles) == 0 {
		return denied(w.Principal, a)
	}
	if err := enabled(w); err != nil {
		return err
	}
	err := permitted(w, a, r)
	if err == nil {
		if owns(w, a, r) || consulted(w, a, r) {
			return nil
		}
		err = e.policy.Authorize(ctx, w, a, r)
	}
	if errors.Is(err, ErrPermissionDenied) && a != ActRead && r.ID != "" && (r.Kind == kindTicket || slices.Contains(deskBound, r.Kind)) {
		if seen := e.policy.Authorize(ctx, w, ActRead, r); errors.Is(seen, ErrNotFound) {
			err = seen
		}
	}
	switch {
	case errors.Is(err, ErrNotFound) && consulted(w, ActRead, r): // who knows of it
		return denied(w.Principal, a)
	case errors.Is(err, ErrNotFound):
		return noSuch(r.Kind)
	}
	return err
}

// sees says whether the record may be shown.
func (e *Engine) sees(ctx context.Context, w Who, r Resource) (bool, error) {
	err := e.permit(ctx, w, ActRead, r)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrPermissionDenied) {
		return false, nil
	}
	return err == nil, err
}

// recordKinds are the kinds of record that something else may be about (work, a
// notice, a macro): how each is loaded for the question who sees it. The file that
// a kind belongs to registers it.
var recordKinds = map[string]func(ctx context.Context, tx store.Tx, id string) (Resource, error){}

func registerRecord(kind string, of func(ctx context.Context, tx store.Tx, id string) (Resource, error)) {
	recordKinds[kind] = of
}

func init() {
	registerRecord(kindConversation, func(ctx context.Context, tx store.Tx, id string) (Resource, error) {
		c, err := tx.Conversations().Conversation(ctx, conversation.ID(id))
		return conversationResource(c), err
	})
	registerRecord(kindContact, func(ctx context.Context, tx store.Tx, id string) (Resource, error) {
		c, err := living(ctx, tx, conversation.ContactID(id))
		return contactResource(c), err
	})
}

// recordOf is what a policy is asked about a record of a kind that is registered;
// errNoRecord of a kind that is not.
func recordOf(ctx context.Context, tx store.Tx, kind, id string) (Resource, error) {
	of, known := recordKinds[kind]
	if !known {
		return Resource{}, errNoRecord
	}
	r, err := of(ctx, tx, id)
	if errors.Is(err, ErrNotFound) {
		err = noSuch(kind)
	}
	return r, err
}

var errNoRecord = errs.New(errs.Invalid, "sangdam: records of this kind are the host's")

// itemRecord is what a policy is asked about a piece of work: the record that it
// is about. Of work of the host's own the item is the record.
func itemRecord(ctx context.Context, tx store.Tx, item routing.ItemID) (Resource, error) {
	if s := item.Subject(); workers[s.Kind] != nil {
		return recordOf(ctx, tx, s.Kind, s.ID)
	}
	it, err := tx.Work().Item(ctx, item)
	if errors.Is(err, ErrNotFound) {
		err = noSuch(kindWork)
	}
	return workResource(it), err
}

// seesItem says whether the record that a piece of work is about may be shown;
// one that is gone is not.
func (e *Engine) seesItem(ctx context.Context, tx store.Tx, w Who, item routing.ItemID) (bool, error) {
	r, err := itemRecord(ctx, tx, item)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return e.sees(ctx, w, r)
}

// within is the part of all conversations that the policy's Scope leaves.
func (e *Engine) within(w Who) *conversation.Within {
	scope := e.policy.Scope(w, kindConversation)
	if !scope.Limited {
		return nil
	}
	return &conversation.Within{Desks: scope.Desks, Owner: w.agent()}
}

func conversationResource(c conversation.Conversation) Resource {
	r := headResource(driver.ConversationHeadOf(c))
	r.Asked = c.Asked()
	return r
}

// headResource is what lists and counts ask about: nobody who is asked to take a
// conversation over finds it there by that alone.
func headResource(h driver.ConversationHead) Resource {
	return Resource{Kind: kindConversation, ID: string(h.ID), Desk: h.Desk, Owner: h.Agent, Account: h.Account, Channel: h.Channel,
		Stream: h.WorkStream, Contact: h.Contact, State: h.State}
}

func contactResource(c conversation.Contact) Resource {
	return Resource{Kind: kindContact, ID: string(c.ID), Desks: c.Desks}
}

// Bounds of a call that reads many records.
const (
	// lookedAt is how many records a page looks at; with fewer found than
	// asked for it ends there and says where to go on.
	lookedAt = 500
	// countedAt is how many records a count looks at.
	countedAt = 10_000
)

// counted goes through the conversations of a filter, newest change first, and
// counts those that may be shown: at most most, after looking at no more than
// look. What rights ask about is read, and nothing else; who had a conversation
// last (Served) stands in it alone.
func (e *Engine) counted(ctx context.Context, tx store.Tx, w Who, f conversation.Filter, most, look int) (Count, error) {
	f.Within = e.within(w)
	shown := e.countable(tx, w, f.Served)
	var out Count
	for page := ""; ; {
		heads, next, err := tx.Conversations().Heads(ctx, f, page, min(maxPage, look, most+1))
		if err != nil {
			return Count{}, err
		}
		for _, h := range heads {
			ok, err := shown(ctx, h)
			if err != nil {
				return Count{}, err
			}
			if !ok {
				continue
			}
			if out.N == most {
				out.AtLeast = true
				return out, nil
			}
			out.N++
		}
		if look -= len(heads); next == "" || look <= 0 {
			out.AtLeast = next != ""
			return out, nil
		}
		page = next
	}
}

// countable tells of each conversation whether it counts: it may be seen, and was
// served by the agent who is asked for, if any.
func (e *Engine) countable(tx store.Tx, w Who, served conversation.AgentID) func(context.Context, driver.ConversationHead) (bool, error) {
	if served == "" {
		return func(ctx context.Context, h driver.ConversationHead) (bool, error) {
			return e.sees(ctx, w, headResource(h))
		}
	}
	return func(ctx context.Context, h driver.ConversationHead) (bool, error) {
		c, err := tx.Conversations().Conversation(ctx, h.ID)
		if err != nil || served != c.ServedBy() {
			return false, err
		}
		return e.sees(ctx, w, headResource(h))
	}
}

// seen goes through the conversations of a filter, newest change first, and
// returns those that may be shown: at most limit, after looking at no more than
// look. next is the store's place to go on; empty at the end.
func (e *Engine) seen(ctx context.Context, tx store.Tx, w Who, f conversation.Filter, page string, limit,
	look int) (out []conversation.Conversation, next string, err error) {
	f.Within = e.within(w)
	chunk := min(limit, maxPage)
	for next = page; ; {
		from := next
		var list []conversation.Conversation
		list, next, err = tx.Conversations().List(ctx, f, from, min(chunk, look))
		if err != nil {
			return nil, "", err
		}
		out = slices.Grow(out, min(len(list), limit-len(out)))
		for i, c := range list {
			if f.Served != "" && f.Served != c.ServedBy() {
				continue
			}
			ok, err := e.sees(ctx, w, headResource(driver.ConversationHeadOf(c)))
			if err != nil {
				return nil, "", err
			}
			if !ok {
				continue
			}
			if out = append(out, c); len(out) == limit && i+1 < len(list) {
				// Full in the middle of what was read: the place to go on is here.
				_, next, err = tx.Conversations().List(ctx, f, from, i+1)
				return out, next, err
			}
		}
		look -= len(list)
		if next == "" || len(out) == limit || look <= 0 {
			return out, next, nil
		}
		chunk = maxPage
	}
}
