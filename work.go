package sangdam

import (
	"errors"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store/driver"
)

// worker is what a piece of work is about, as those see it who hand work out: a
// conversation, a ticket (ticket_assign.go) or a record of the host's own
// (work_host.go). It records in its own terms what becomes of the work's item.
type worker interface {
	// offerTo is what a policy is asked about an offer.
	offerTo(o routing.Offer) (Resource, error)
	// offered and answered record that an agent was asked, and how that ended.
	offered(o routing.Offer, in routing.QueueID) error
	answered(o routing.Offer) error
	// owned records who has the work, by the Board's decision or by a yes. consulted
	// is the question that it was a yes to, "" for none.
	owned(as routing.Assignment, consulted string) (Owned, error)
	// overflowed does what a queue's overflow rule says.
	overflowed(it routing.Item, d routing.Decision) error
	// goesOn says whether the work leaves an agent, and handedOn takes it away.
	goesOn(h handOn, a routing.Agent) (bool, error)
	handedOn(why handOnWhy) error
	// place gives an event of the item what a policy may ask.
	place(ev driver.Event) (driver.Event, error)
}

// workers make what an item is about, for each kind of subject that is ours; the
// file that a kind belongs to registers it. Who may see it is asked of its record
// (itemRecord).
var workers = map[string]func(u *unit, id string) worker{}

func registerWorker(kind string, of func(u *unit, id string) worker) { workers[kind] = of }

func init() {
	registerWorker(routing.SubjectConversation, func(u *unit, id string) worker { return assignedConversation{u, conversation.ID(id)} })
}

// worker is what an item is about.
func (u *unit) worker(it routing.ItemID) worker {
	s := it.Subject()
	if of, ours := workers[s.Kind]; ours {
		return of(u, s.ID)
	}
	return hostWork{u, it}
}

type assignedConversation struct {
	*unit
	id conversation.ID
}

func (c assignedConversation) offerTo(o routing.Offer) (Resource, error) {
	cv, err := c.tx.Conversations().Conversation(c.ctx, c.id)
	r := conversationResource(cv)
	r.Kind, r.ID, r.Owner = kindOffer, string(o.ID), o.Agent
	return r, err
}

func (c assignedConversation) offered(o routing.Offer, in routing.QueueID) error {
	d, err := c.conversation(c.id)
	if err != nil {
		return err
	}
	c.toDesk(d, in)
	d.Note(conversation.EvOffered, "system", "", "agent:"+string(o.Agent))
	return nil
}

func (c assignedConversation) answered(o routing.Offer) error {
	d, err := c.conversation(c.id)
	if err != nil {
		return err
	}
	d.Note(conversation.EvOffer, c.p.actor(), "agent:"+string(o.Agent), string(o.State))
	return nil
}

func (c assignedConversation) owned(as routing.Assignment, consulted string) (Owned, error) {
	d, err := c.conversation(c.id)
	if err != nil {
		return Owned{}, err
	}
	it, err := c.tx.Work().Item(c.ctx, as.Item)
	if err != nil {
		return Owned{}, err
	}
	c.toDesk(d, it.Queue)
	if consulted != "" {
		asked, err := open(d, consulted)
		if err != nil {
			return Owned{}, err
		}
		if asked.Desk != "" {
			d.MoveTo(asked.Desk, c.p.actor())
		}
		d.EndConsultation(conversation.ConsultationAccepted, "", c.p.actor())
	}
	return Owned{Conversation: d.C.ID}, d.Assigned(as.Agent, c.p.actor())
}

func (c assignedConversation) overflowed(it routing.Item, d routing.Decision) error {
	draft, err := c.conversation(c.id)
	if err != nil {
		return err
	}
	if target := c.s.routing.Queues[d.Overflow.Queue]; d.Overflow.Do == routing.OverflowQueue && !c.s.staffed(target, draft.C.Desk) {
		// Nobody there is on its desk: it stays where somebody may take it. Saving
		// the queue warned of it.
		return c.saveItem(transition.OverflowPassed(it, d.Queue, d.Rule))
	}
	it = transition.Overflowed(it, d.Queue, d.Rule, *d.Overflow, c.tx.Now())
	if err := c.overflowOf(draft, &it, d); err != nil {
		return err
	}
	return c.saveItem(it)
}

// overflowOf does with a conversation what the rule did with its item.
func (u *unit) overflowOf(draft *draft.Draft, it *routing.Item, d routing.Decision) error {
	switch d.Overflow.Do {
	case routing.OverflowQueue:
		u.toDesk(draft, it.Queue)
		it.Desk = draft.C.Desk
		return draft.Queued("system", string(it.Queue))
	case routing.OverflowTicket, routing.OverflowCallBack:
		return u.overflowToTicket(draft, *it, d)
	case routing.OverflowMessage:
		if acct, ok := u.s.accounts[draft.C.Account]; ok && !acct.Deleted {
			if _, err := u.sayAutomated(acct, draft, d.Overflow.Message); err != nil {
				return err
			}
		}
		draft.Note(conversation.EvQueued, "system", "overflow:"+string(d.Overflow.When), string(it.Queue))
	}
	return nil
}

func (c assignedConversation) goesOn(h handOn, a routing.Agent) (bool, error) {
	if h.Why == handOnUnable && a.Works(routing.PermitChat) {
		return false, nil
	}
	cv, err := c.tx.Conversations().Conversation(c.ctx, c.id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && (h.Why != handOnRemoved || cv.Desk == h.Desk), err
}

func (c assignedConversation) handedOn(why handOnWhy) error {
	d, err := c.conversation(c.id)
	if err != nil {
		return err
	}
	return c.handOnOne(d, why)
}

func (c assignedConversation) place(ev driver.Event) (driver.Event, error) {
	cv, err := c.tx.Conversations().Conversation(c.ctx, c.id)
	return placed(ev, cv), err
}

// freeItem ends whatever holds a piece of work.
func (u *unit) freeItem(it routing.Item, why routing.EndReason, then routing.ItemState) error {
	offer, held, err := u.tx.Work().Held(u.ctx, it.ID)
	if err != nil {
		return err
	}
	if held != nil {
		if _, err := u.tx.Work().EndAssignment(u.ctx, it.ID, held.ID, why, then, u.tx.Now()); err != nil {
			return overtaken(err)
		}
		if err := u.changedAgent(held.Agent); err != nil {
			return err
		}
		return u.changedItem(it.ID)
	}
	switch {
	case offer != nil:
		if err := u.endOffer(offer.ID, routing.OfferWithdrawn, string(why)); err != nil {
			return overtaken(err)
		}
		if it, err = u.freed(it.ID); err != nil {
			return err
		}
	case it.State.Held():
		return driver.ErrClash // it was held when the caller read it, and is not any more
	}
	if it.State == then {
		return nil
	}
	it.State, it.Agent = then, ""
	return u.saveItem(it)
}

// freed loads work that this transaction has freed, or found free. If it was given
// to somebody meanwhile the transaction runs again.
func (u *unit) freed(id routing.ItemID) (routing.Item, error) {
	it, err := u.tx.Work().Item(u.ctx, id)
	if err == nil && it.State.Held() {
		return it, driver.ErrClash
	}
	return it, err
}

// overtaken has the transaction run again if work was refused because it, or its
// agent, changed after this transaction read it: a decision of this transaction's own
// is then made anew on what is true now. A refusal for any other reason stays one, and
// so does that of a caller who names the offer or the version that it saw.
func overtaken(err error) error {
	if why, is := errors.AsType[*routing.Refused](err); is && why.Overtaken() {
		return driver.ErrClash
	}
	return err
}

// overflowsToQueues does what a queue's overflow rule says where nobody waits on
// the line: the work goes to another queue, and every other rule passes it.
func (u *unit) overflowsToQueues(it routing.Item, d routing.Decision) error {
	if d.Overflow.Do != routing.OverflowQueue || !u.s.staffed(u.s.routing.Queues[d.Overflow.Queue], it.Desk) {
		return u.saveItem(transition.OverflowPassed(it, d.Queue, d.Rule))
	}
	return u.saveItem(transition.Overflowed(it, d.Queue, d.Rule, *d.Overflow, u.tx.Now()))
}

// saveItem stores a piece of work and tells of it.
func (u *unit) saveItem(it routing.Item) error {
	if _, err := u.tx.Work().SaveItem(u.ctx, it); err != nil {
		return err
	}
	return u.changedItem(it.ID)
}
