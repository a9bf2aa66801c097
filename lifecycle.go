package sangdam

import (
	"context"
	"errors"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// Deadline kinds; see runDeadlines.
const (
	dueOffer     = "offer"
	dueWrapUp    = "wrap_up"
	dueAutoClose = "auto_close"
	dueLost      = "agent_lost"
	dueSilent    = "agent_silent"
	dueLink      = "account_link"
)

// schedule sets the deadlines of the conversation that follow from its state, as
// far as they are others than before.
func (u *unit) schedule(d *draft.Draft) error {
	stream := u.s.routing.WorkStreams[d.C.WorkStream]
	id := string(d.C.ID)
	was := d.Was()
	open, closed := d.C.State.HoldsThread(), was.ID != "" && !was.State.HoldsThread()
	if stream.AutoClose > 0 {
		until := quietUntil(d.C, stream)
		var err error
		switch {
		case !open && !closed:
			err = u.tx.Deadlines().Clear(u.ctx, dueAutoClose, id)
		case open && (was.ID == "" || closed || !until.Equal(quietUntil(was, stream))):
			err = u.tx.Deadlines().Set(u.ctx, dueAutoClose, id, until)
		}
		if err != nil {
			return err
		}
	}
	if stream.WrapUp > 0 && d.C.State == conversation.StateWrapUp && !d.C.WrapUpAt.Equal(was.WrapUpAt) {
		return u.tx.Deadlines().Set(u.ctx, dueWrapUp, id, d.C.WrapUpAt.Add(stream.WrapUp))
	}
	return nil
}

// quietUntil is when a conversation in which nobody writes any more ends.
func quietUntil(c conversation.Conversation, stream routing.WorkStream) time.Time {
	last := c.LastMessageAt
	if last.IsZero() {
		last = c.UpdatedAt // kept by a program that did not note it
	}
	return last.Add(stream.AutoClose)
}

// customerEnded: the customer closed a live chat. The agent keeps it for
// wrap-up; if nobody owned it, it is closed.
func (u *unit) customerEnded(acct channel.Account, in adapter.Inbound) error {
	identity, err := u.identity(acct, in.Author)
	if err != nil {
		return err
	}
	open, _, err := u.tx.Conversations().ByThread(u.ctx, u.s.thread(in.Chat, acct.ID, acct.WorkStream, identity.Contact))
	if err != nil || open == nil {
		return err
	}
	return u.endDraft(u.conversationOf(*open), "customer", "customer_ended", false)
}

// endDraft ends a conversation. While an agent owns it, an end by the customer,
// or by the agent where the work stream gives time for it, leads to wrap-up;
// anything else closes. The assignment or offer ends in the same transaction.
func (u *unit) endDraft(d *draft.Draft, by, reason string, final bool) error {
	stream := u.s.routing.WorkStreams[d.C.WorkStream]
	talking := !d.C.State.Ended()
	if acct, ok := u.s.accounts[d.C.Account]; ok && talking && by != "customer" && !acct.Deleted {
		if _, err := u.sayAutomated(acct, d, automated.Ended); err != nil {
			return err
		}
	}
	asked := func(err error) error {
		if err != nil || !talking || by == "customer" || u.unrated {
			return err
		}
		return u.askAtEnd(d)
	}
	if d.C.State == conversation.StateActive && !final && (by == "customer" || stream.WrapUp > 0) {
		return asked(d.WrapUp(by, reason))
	}
	if err := u.releaseWork(d, routing.EndClosed, routing.ItemDone); err != nil {
		return err
	}
	if err := u.tx.Deadlines().Clear(u.ctx, dueWrapUp, string(d.C.ID)); err != nil {
		return err
	}
	return asked(d.Close(by, reason))
}

// releaseWork ends whatever holds the conversation's item and leaves the item
// in the state given. A conversation without an item is fine.
func (u *unit) releaseWork(d *draft.Draft, reason routing.EndReason, then routing.ItemState) error {
	// The item first: what it is given to after this statement makes the save
	// a clash, and the transaction runs again.
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(d.C.ID))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return u.freeItem(it, reason, then)
}

// End ends a conversation in the agent's name: it is closed and leaves the
// console (CV6). Where the work stream has a wrap-up time, an active
// conversation goes to the state wrap-up first, unless Final is given.
type End struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	// Final closes the conversation at once, without a wrap-up time.
	Final bool `json:"final,omitempty"`
	// Unrated ends without asking the customer for a rating.
	Unrated bool `json:"unrated,omitempty"`
	// Reason is a short code for reports, e.g. "resolved"; not a text.
	Reason string `json:"reason,omitempty"`
	// Seen is the Seq of the last event that the agent has seen. When the
	// customer has written after it the command is ErrStale, so that no message
	// stays unread in a conversation that ended. 0: not checked.
	Seen int64 `json:"seen,omitempty"`
}

// State is the result of a command that changes a conversation's state: the
// conversation, its state now, and the Seq of its last event.
type State struct {
	Conversation conversation.ID    `json:"conversation"`
	State        conversation.State `json:"state"`
	Seq          int64              `json:"seq"`
}

func stateOf(d *draft.Draft) State {
	return State{Conversation: d.C.ID, State: d.C.State, Seq: d.C.EventSeq}
}

// End carries the command out. The principal must own the conversation, or be
// allowed to end those of others (ActEnd).
func (e *Engine) End(ctx context.Context, p Principal, c End) (State, error) {
	return command(ctx, e, call{opEnd, p, c.Key, c}, func(u *unit) (State, error) {
		d, err := u.draft(c.Conversation, ActEnd)
		if err != nil {
			return State{}, err
		}
		if err := u.seen(d, c.Seen); err != nil {
			return State{}, err
		}
		u.unrated = c.Unrated
		if err := u.endDraft(d, p.actor(), c.Reason, c.Final); err != nil {
			return State{}, err
		}
		u.detail("state", string(d.C.State))
		return stateOf(d), nil
	})
}

// Wait says that it is the customer's turn: the conversation waits for the
// customer. It has no owner then, unless its work stream keeps capacity for
// waiting conversations.
type Wait struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	// Seen as in End.
	Seen int64 `json:"seen,omitempty"`
}

// Wait carries the command out; the principal must own the conversation.
func (e *Engine) Wait(ctx context.Context, p Principal, c Wait) (State, error) {
	return command(ctx, e, call{opWait, p, c.Key, c}, func(u *unit) (State, error) {
		d, err := u.draft(c.Conversation, ActEnd)
		if err != nil {
			return State{}, err
		}
		if err := u.seen(d, c.Seen); err != nil {
			return State{}, err
		}
		if err := u.wait(d); err != nil {
			return State{}, err
		}
		return stateOf(d), nil
	})
}

// seen refuses when the customer wrote after the event that the agent has seen.
func (u *unit) seen(d *draft.Draft, last int64) error {
	if last == 0 || last >= d.C.EventSeq {
		return nil
	}
	latest, err := u.tx.Conversations().Latest(u.ctx, d.C.ID, 0, maxPage)
	if err != nil {
		return err
	}
	for _, m := range latest {
		if m.Seq > last && m.Direction == conversation.Inbound {
			return errs.New(errs.Stale, "sangdam: the customer has written since; read conversation %s again", d.C.ID)
		}
	}
	return nil
}

// release takes a waiting conversation from the agent whose capacity it holds.
func (u *unit) release(d *draft.Draft) error {
	if err := u.releaseWork(d, routing.EndRemoved, routing.ItemDone); err != nil {
		return err
	}
	d.Release(u.p.actor())
	return nil
}

func (u *unit) wait(d *draft.Draft) error {
	hold := u.s.routing.WorkStreams[d.C.WorkStream].HoldWhileWaiting
	if !hold {
		if err := u.releaseWork(d, routing.EndWaiting, routing.ItemDone); err != nil {
			return err
		}
	}
	return d.Wait(u.p.actor(), !hold)
}

// Reopen opens a closed conversation again and puts it into its queue. A live
// conversation (Conversation.Live) and one that was merged cannot be opened
// again.
type Reopen struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
}

// Reopen carries the command out. ErrAlreadyExists when the same thread has
// another open conversation, ErrInvalid for one that is not closed, is live or
// was merged.
func (e *Engine) Reopen(ctx context.Context, p Principal, c Reopen) (State, error) {
	return command(ctx, e, call{opReopen, p, c.Key, c}, func(u *unit) (State, error) {
		d, err := u.draft(c.Conversation, ActTake)
		if err != nil {
			return State{}, err
		}
		if err := u.underPresentContact(d); err != nil {
			return State{}, err
		}
		open, _, err := u.tx.Conversations().ByThread(u.ctx, d.C.Thread)
		if err != nil {
			return State{}, err
		}
		if open != nil {
			return State{}, u.alreadyOpen(*open)
		}
		if err := d.Reopen(p.actor()); err != nil {
			return State{}, err
		}
		acct, _, err := e.account(u.s, d.C.Account)
		if err != nil {
			return State{}, err
		}
		if err := u.enqueue(acct, d, conversation.Message{}); err != nil {
			return State{}, err
		}
		return stateOf(d), nil
	})
}

// underPresentContact brings a conversation that is about to open again under
// the contact its customer belongs to now: linking may not have moved it yet.
func (u *unit) underPresentContact(d *draft.Draft) error {
	if d.C.Contact == "" || d.C.Identity == "" {
		return nil
	}
	i, err := u.tx.Contacts().IdentityByID(u.ctx, d.C.Identity)
	if err != nil {
		return err
	}
	if i.Erased() {
		return errs.New(errs.Unsupported, "sangdam: the customer of conversation %s was erased; it cannot be opened again", d.C.ID)
	}
	u.opens(i)
	if i.Contact != d.C.Contact {
		d.Link(i.Contact, u.threadOf(d.C, i.Contact), u.p.actor())
	}
	return nil
}

// alreadyOpen refuses to open a second conversation of a thread. It names the
// open one to whoever may see it.
func (u *unit) alreadyOpen(open conversation.Conversation) error {
	w, err := u.e.who(u.ctx, u.tx, u.s, u.p)
	if err != nil {
		return err
	}
	ok, err := u.e.sees(u.ctx, w, conversationResource(open))
	if err != nil {
		return err
	}
	if !ok {
		return errs.New(errs.AlreadyExists, "sangdam: another conversation with this customer is open, on a desk of others")
	}
	return errs.New(errs.AlreadyExists, "sangdam: conversation %s of the same thread is open; go on there", open.ID)
}
