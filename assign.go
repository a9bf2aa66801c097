package sangdam

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/ticket"
)

// changedItem reads an item again, records the change in the feed and tells the
// router after the commit.
func (u *unit) changedItem(id routing.ItemID) error {
	it, err := u.tx.Work().Item(u.ctx, id)
	if err != nil {
		return err
	}
	u.moved++
	u.after.items = append(u.after.items, it)
	return u.event("item", string(id), it.Version, string(it.State))
}

// changedAgent does the same for an agent's row.
func (u *unit) changedAgent(id routing.AgentID) error {
	a, err := u.tx.Agents().Agent(u.ctx, id)
	if err != nil {
		return err
	}
	u.moved++
	u.after.agents = append(u.after.agents, a)
	return u.event("agent", string(id), a.State.Rev, string(a.State.Presence))
}

// enqueue classifies a conversation and puts its item into a queue. m is the
// message that caused it; it may be empty.
func (u *unit) enqueue(acct channel.Account, d *draft.Draft, m conversation.Message) error {
	it, err := u.classify(acct, d, m)
	if err != nil {
		return err
	}
	if q := u.s.routing.Queues[it.Queue]; q.Desk == "" && !u.s.staffed(q, d.C.Desk) {
		d.MoveTo(acct.Desk, u.p.actor()) // a transfer took it away, and the desk has no part in this queue, or is out of use
	}
	stream := u.s.routing.WorkStreams[d.C.WorkStream]
	if d.C.LastAgent != "" && stream.KeepAgentFor > 0 {
		it.Preferred, it.PreferredUntil = d.C.LastAgent, u.tx.Now().Add(stream.KeepAgentFor)
	}
	if it.Preferred == "" && d.C.Version == 0 && stream.RecentAgentWithin > 0 {
		if it.Preferred, err = u.recentAgent(d, stream.RecentAgentWithin); err != nil {
			return err
		}
		it.PreferredUntil = u.tx.Now().Add(stream.RecentAgentWithin)
	}
	return u.putInQueue(d, it)
}

// recentAgent is the agent of the contact's most recent conversation, if it
// ended within the time (RT5).
func (u *unit) recentAgent(d *draft.Draft, within time.Duration) (routing.AgentID, error) {
	if d.C.Contact == "" {
		return "", nil
	}
	recent, _, err := u.tx.Conversations().List(u.ctx, conversation.Filter{Contact: d.C.Contact}, "", 5)
	if err != nil {
		return "", err
	}
	for _, c := range recent {
		if c.ID != d.C.ID && c.LastAgent != "" && !c.ClosedAt.IsZero() && u.tx.Now().Sub(c.ClosedAt) <= within {
			return c.LastAgent, nil
		}
	}
	return "", nil
}

// putInQueue saves a queued item, new or known, and records it.
func (u *unit) putInQueue(d *draft.Draft, it routing.Item) error {
	if d.C.Version > 0 || u.moved > 0 { // one that begins has no item yet
		old, err := u.freed(it.ID)
		switch {
		case err == nil:
			it.Version, it.Attempt = old.Version, old.Attempt
		case !errors.Is(err, ErrNotFound):
			return err
		}
	}
	u.toDesk(d, it.Queue)
	it.Desk = d.C.Desk
	if _, err := u.tx.Work().SaveItem(u.ctx, it); err != nil {
		return err
	}
	if err := d.Queued(u.p.actor(), string(it.Queue)); err != nil {
		return err
	}
	return u.changedItem(it.ID)
}

// resume gives a waiting conversation whose customer wrote again to its agent,
// or to the queue with that agent preferred (docs/design.md section 6.3).
func (u *unit) resume(acct channel.Account, d *draft.Draft, m conversation.Message) error {
	if d.C.Agent == "" {
		return u.enqueue(acct, d, m)
	}
	// The work stream holds capacity while waiting.
	away, err := u.away(d.C)
	if err != nil {
		return err
	}
	if away {
		return u.requeue(d, routing.EndRequeued, "", "")
	}
	return d.Assigned(d.C.Agent, "customer")
}

// goOn gives an active conversation in which the customer wrote to others if its
// agent will not read it: Offline, or not allowed to work on it any more.
func (u *unit) goOn(d *draft.Draft) error {
	a, err := u.tx.Agents().Agent(u.ctx, d.C.Agent)
	if err != nil {
		return err
	}
	allowed := u.s.routing.WorkStreams[d.C.WorkStream].Presences
	switch {
	case !a.Works(routing.PermitChat):
		return u.requeue(d, routing.EndRemoved, "", "")
	case a.State.Presence == routing.Offline && !slices.Contains(allowed, routing.Offline):
		return u.requeue(d, routing.EndRequeued, "", "")
	}
	return nil
}

// away says that a conversation's agent is not there to go on with it.
func (u *unit) away(c conversation.Conversation) (bool, error) {
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(c.ID))
	if err != nil {
		return false, err
	}
	a, err := u.tx.Agents().Agent(u.ctx, c.Agent)
	if err != nil {
		return false, err
	}
	for _, x := range u.eligible(it, a) {
		if x == routing.ExcludePresence || x == routing.ExcludeDisabled || x == routing.ExcludeHours {
			return true, nil
		}
	}
	return false, nil
}

// requeue takes a conversation from whoever holds it and queues it again.
func (u *unit) requeue(d *draft.Draft, reason routing.EndReason, queue routing.QueueID, designated routing.AgentID) error {
	if err := u.releaseWork(d, reason, routing.ItemQueued); err != nil {
		return err
	}
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(d.C.ID))
	if errors.Is(err, ErrNotFound) {
		acct, _, err := u.e.account(u.s, d.C.Account)
		if err != nil {
			return err
		}
		if it, err = u.classify(acct, d, conversation.Message{}); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if queue == "" {
		queue = it.Queue
	}
	from := d.C.Agent
	it.Visited = nil // it begins anew, by whomever: it may visit any queue again
	it = transition.Enter(it, queue, u.tx.Now())
	it.Designated, it.Preferred = designated, ""
	if keep := u.s.routing.WorkStreams[d.C.WorkStream].KeepAgentFor; from != "" && reason == routing.EndRequeued && keep > 0 {
		it.Preferred, it.PreferredUntil = from, u.tx.Now().Add(keep) // if it comes back before somebody else takes it
	}
	if from != "" && reason == routing.EndTransferred {
		it.Declined, it.DeclinedAt = []routing.AgentID{from}, u.tx.Now() // asked again only after everyone else
	}
	return u.putInQueue(d, it)
}

// Accept takes an offer of routing: its agent becomes the owner.
type Accept struct {
	Key   Key             `json:"-"`
	Offer routing.OfferID `json:"offer"`
}

// Owned is the result of every command that gives a conversation, or by an offer
// a ticket or work of the host's own, to an agent.
type Owned struct {
	Conversation conversation.ID      `json:"conversation,omitempty"`
	Ticket       ticket.ID            `json:"ticket,omitempty"`
	Work         routing.Subject      `json:"work,omitzero"`
	Agent        routing.AgentID      `json:"agent"`
	Assignment   routing.AssignmentID `json:"assignment"`
}

// Accept carries the command out. Of several accepts of one conversation
// exactly one succeeds. The others get a *routing.Refused (ErrStale), and so
// does whoever accepts an offer that has expired, was withdrawn or answered, or
// whose agent has left the queue or the desk or lost the permission since.
func (e *Engine) Accept(ctx context.Context, p Principal, c Accept) (Owned, error) {
	return command(ctx, e, call{opAccept, p, c.Key, c}, func(u *unit) (Owned, error) {
		offer, err := u.offer(c.Offer)
		if err != nil {
			return Owned{}, err
		}
		if err := u.stillServes(offer); err != nil {
			return Owned{}, err
		}
		as, err := u.tx.Work().Accept(u.ctx, c.Offer, routing.AssignmentID(newID()), u.tx.Now())
		if err != nil {
			return Owned{}, err
		}
		if err := u.tx.Deadlines().Clear(u.ctx, dueOffer, string(c.Offer)); err != nil {
			return Owned{}, err
		}
		offer.State = routing.OfferAccepted
		u.after.offers = append(u.after.offers, offer)
		return u.own(as)
	})
}

// stillServes refuses an offer to an agent who may no longer take it. Presence,
// hours and capacity were decided when the offer was made.
func (u *unit) stillServes(o routing.Offer) error {
	if o.State != routing.OfferPending {
		return nil // the store says how it ended
	}
	it, err := u.tx.Work().Item(u.ctx, o.Item)
	if err != nil {
		return err
	}
	a, err := u.tx.Agents().Agent(u.ctx, o.Agent)
	if err != nil {
		return err
	}
	if !u.serves(it, o.Agent) || !a.Works(it.Permission) {
		return &routing.Refused{Check: "eligibility", Detail: "the agent may no longer take this work"}
	}
	return nil
}

// own records an assignment in what the work is about.
func (u *unit) own(as routing.Assignment) (Owned, error) { return u.ownAfter(as, "") }

// ownAfter is own where the agent was asked before, and has said yes to that.
func (u *unit) ownAfter(as routing.Assignment, consulted string) (Owned, error) {
	out, err := u.worker(as.Item).owned(as, consulted)
	if err != nil {
		return Owned{}, err
	}
	out.Agent, out.Assignment = as.Agent, as.ID
	if err := u.changedItem(as.Item); err != nil {
		return Owned{}, err
	}
	if err := u.changedAgent(as.Agent); err != nil {
		return Owned{}, err
	}
	u.after.owned = append(u.after.owned, as)
	return out, nil
}

// offer loads an offer for its agent, or for who may speak for agents and see
// what it is about.
func (u *unit) offer(id routing.OfferID) (routing.Offer, error) {
	u.resource = Resource{Kind: kindOffer, ID: string(id)}
	o, err := u.tx.Work().Offer(u.ctx, id)
	if errors.Is(err, ErrNotFound) {
		return o, noSuch(kindOffer)
	}
	if err != nil {
		return o, err
	}
	if o.Agent != u.p.agent() {
		w, err := u.acting()
		if err != nil {
			return o, err
		}
		if ok, err := u.e.seesItem(u.ctx, u.tx, w, o.Item); err != nil || !ok {
			return o, cmp.Or(err, noSuch(kindOffer))
		}
	}
	r, err := u.worker(o.Item).offerTo(o)
	if err != nil {
		return o, err
	}
	return o, u.allow(ActOffer, r)
}

// Decline refuses an offer; the next agent is asked.
type Decline struct {
	Key   Key             `json:"-"`
	Offer routing.OfferID `json:"offer"`
	// Reason is a short code; not a text.
	Reason string `json:"reason,omitempty"`
}

// Decline carries the command out. An offer that has ended already is a
// *routing.Refused (ErrStale).
func (e *Engine) Decline(ctx context.Context, p Principal, c Decline) error {
	_, err := command(ctx, e, call{opDecline, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if _, err := u.offer(c.Offer); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, u.endOffer(c.Offer, routing.OfferDeclined, c.Reason)
	})
	return err
}

// endOffer ends a pending offer and records it.
func (u *unit) endOffer(id routing.OfferID, state routing.OfferState, reason string) error {
	o, err := u.tx.Work().EndOffer(u.ctx, id, state, reason, u.tx.Now())
	if err != nil {
		return err
	}
	if err := u.tx.Deadlines().Clear(u.ctx, dueOffer, string(id)); err != nil {
		return err
	}
	if err := u.changedItem(o.Item); err != nil {
		return err
	}
	if err := u.changedAgent(o.Agent); err != nil {
		return err
	}
	o.State = state
	u.after.offers = append(u.after.offers, o)
	return u.worker(o.Item).answered(o)
}

// Pick takes a waiting conversation out of its queue (RT8). It works in pick
// mode and in push mode.
type Pick struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
}

// Pick carries the command out for the agent that the principal is. ErrStale
// when another agent has the conversation or it no longer waits; ErrInvalid,
// with the reasons, when the agent may not take it: presence, permission,
// membership, skills or capacity.
func (e *Engine) Pick(ctx context.Context, p Principal, c Pick) (Owned, error) {
	return command(ctx, e, call{opPick, p, c.Key, c}, func(u *unit) (Owned, error) {
		if _, err := u.draft(c.Conversation, ActTake); err != nil {
			return Owned{}, err
		}
		if p.agent() == "" {
			return Owned{}, errs.New(errs.Invalid, "sangdam: only an agent picks; use Assign to give a conversation to one")
		}
		return u.give(c.Conversation, p.agent(), give{reason: routing.EndTransferred})
	})
}

// Assign gives a conversation to an agent, whoever holds it now.
type Assign struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	Agent        routing.AgentID `json:"agent"`
	// Force goes beyond the agent's capacity, presence and skills; the audit
	// log shows it.
	Force bool `json:"force,omitempty"`
}

// Assign carries the command out. Errors are those of Pick; with Force only an
// agent who is unknown or disabled is refused.
func (e *Engine) Assign(ctx context.Context, p Principal, c Assign) (Owned, error) {
	act := ActAssign
	if c.Force {
		act = ActForce
	}
	return command(ctx, e, call{opAssign, p, c.Key, c}, func(u *unit) (Owned, error) {
		if _, err := u.draft(c.Conversation, act); err != nil {
			return Owned{}, err
		}
		u.detail("agent", string(c.Agent))
		if c.Force {
			u.detail("forced", "true")
		}
		return u.give(c.Conversation, c.Agent, give{force: c.Force, from: true, reason: routing.EndTransferred})
	})
}

// give says how a person gives a conversation to an agent.
type give struct {
	force bool // beyond capacity and eligibility
	from  bool // also from who holds it now
	// reason ends the hold that is replaced.
	reason routing.EndReason
	// consulted is the question that the agent says yes to; empty for none.
	consulted string
}

// give is the one path of pick, transfer and force: the same Reserve as the
// router's, on what is true at the moment of the write.
func (u *unit) give(c conversation.ID, agent routing.AgentID, how give) (Owned, error) {
	work := u.tx.Work()
	it, err := u.workItem(c)
	if err != nil {
		return Owned{}, err
	}
	a, err := u.tx.Agents().Agent(u.ctx, agent)
	if err != nil {
		return Owned{}, err
	}
	if why := u.excluded(it, a, how.force); len(why) > 0 {
		return Owned{}, errs.New(errs.Invalid, "sangdam: agent %s cannot take this conversation: %v", agent, why)
	}
	// On the revision just read: an agent who is switched off meanwhile gets nothing.
	r := transition.Reservation{Item: it.ID, ItemVersion: it.Version, Agent: agent, EligRev: a.State.EligRev,
		Force: how.force, Now: u.tx.Now(),
		Assignment: &routing.Assignment{ID: routing.AssignmentID(newID()), Item: it.ID, Agent: agent, Uses: it.Uses, StartedAt: u.tx.Now(),
			Forced: how.force}}
	offer, held, err := work.Held(u.ctx, it.ID)
	if err != nil {
		return Owned{}, err
	}
	var before []routing.AgentID
	if held != nil {
		if !how.from || held.Agent == agent {
			return Owned{}, &routing.Refused{Check: "held", Detail: "an agent has it already"}
		}
		r.FromAssignment, r.FromReason = held.ID, how.reason
		before = append(before, held.Agent)
	}
	if offer != nil {
		r.FromOffer, r.FromReason = offer.ID, how.reason
		before = append(before, offer.Agent)
	}
	if err := work.Reserve(u.ctx, r); err != nil {
		return Owned{}, overtaken(err)
	}
	if offer != nil { // only now: a rule goes on after a refusal, and the offer with it
		if err := u.tx.Deadlines().Clear(u.ctx, dueOffer, string(offer.ID)); err != nil {
			return Owned{}, err
		}
	}
	for _, b := range before {
		if b != agent {
			if err := u.changedAgent(b); err != nil {
				return Owned{}, err
			}
		}
	}
	return u.ownAfter(*r.Assignment, how.consulted)
}

// workItem returns the conversation's item. A conversation that a bot has, or
// that waits for the customer, is queued first: a person steps in.
func (u *unit) workItem(c conversation.ID) (routing.Item, error) {
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(c))
	if err == nil && it.State != routing.ItemDone || err != nil && !errors.Is(err, ErrNotFound) {
		return it, err
	}
	d, err := u.conversation(c)
	if err != nil {
		return it, err
	}
	if d.C.State != conversation.StateOpen && d.C.State != conversation.StateWaiting {
		return it, errs.New(errs.Stale, "sangdam: conversation %s is %s and does not wait for an agent", c, d.C.State)
	}
	acct, _, err := u.e.account(u.s, d.C.Account)
	if err != nil {
		return it, err
	}
	d.TakeFromBot(u.p.actor())
	if err := u.enqueue(acct, d, conversation.Message{}); err != nil {
		return it, err
	}
	return u.tx.Work().Item(u.ctx, routing.ItemID(c))
}

// excluded lists why an agent may not take an item. A person's choice may pass
// over declines and, with force, over everything but a disabled agent.
func (u *unit) excluded(it routing.Item, a routing.Agent, force bool) []routing.Exclusion {
	var out []routing.Exclusion
	for _, x := range u.eligible(it, a) {
		switch {
		case x == routing.ExcludeDeclined, x == routing.ExcludeDesignated, x == routing.ExcludeReserved:
		case force && x != routing.ExcludeDisabled:
		case x == routing.ExcludeCapacity: // Reserve checks it, with rivals
		default:
			out = append(out, x)
		}
	}
	return out
}

// Transfer hands a conversation on to an agent, to a queue, to a desk, or to a
// queue with a desk; to a queue or a desk it goes without anybody having agreed
// to take it (Consult asks first). A queue that works for a desk takes the
// conversation to that desk; with any other queue the conversation stays on its
// desk, unless Desk is given too. With Desk alone it waits in its present queue
// if that queue may hold work of the desk, and otherwise in the first queue
// that names the desk.
type Transfer struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	Agent        routing.AgentID `json:"agent,omitempty"`
	Queue        routing.QueueID `json:"queue,omitempty"`
	Desk         routing.DeskID  `json:"desk,omitempty"`
}

// Transfer carries the command out. To an agent the conversation goes in one
// transaction, so that it always has exactly one owner; errors are those of
// Pick. ErrInvalid for a queue of which no member is on the desk, since nobody
// could take the conversation there.
func (e *Engine) Transfer(ctx context.Context, p Principal, c Transfer) (State, error) {
	return command(ctx, e, call{opTransfer, p, c.Key, c}, func(u *unit) (State, error) {
		d, err := u.draft(c.Conversation, ActTransfer)
		if err != nil {
			return State{}, err
		}
		if (c.Agent == "") == (c.Queue == "" && c.Desk == "") {
			return State{}, errs.New(errs.Invalid, "sangdam: a transfer names either an agent, or a queue or a desk")
		}
		if c.Agent != "" {
			u.detail("agent", string(c.Agent))
			if _, err := u.give(c.Conversation, c.Agent, give{from: true, reason: routing.EndTransferred}); err != nil {
				return State{}, err
			}
			return State{Conversation: c.Conversation, State: conversation.StateActive}, nil
		}
		return u.toQueue(d, c)
	})
}

// toQueue moves a conversation to the queue, or to a queue of the desk.
func (u *unit) toQueue(d *draft.Draft, c Transfer) (State, error) {
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(c.Conversation))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return State{}, err
	}
	queue, desk, err := u.transferTarget(d, it.Queue, c)
	if err != nil {
		return State{}, err
	}
	u.detail("queue", string(queue))
	if desk != d.C.Desk {
		u.detail("desk", string(desk))
		d.MoveTo(desk, u.p.actor())
	}
	if err := u.requeue(d, routing.EndTransferred, queue, ""); err != nil {
		return State{}, err
	}
	return stateOf(d), nil
}
