package sangdam

import (
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

// An agent who may not go on, or is gone, loses its offers in the transaction
// that makes it so. Its conversations can be many: a job hands them on, a few in
// each transaction. What a customer writes meanwhile hands that conversation on
// at once (react).

const jobHandOn = "hand_on"

func init() {
	registerJob(jobKind{name: jobHandOn, workers: 4, bound: always(15 * time.Minute), tries: jobTries}, (*Engine).handOnJob, nil)
}

// handOnBatch is how many conversations one transaction hands on: each locks an
// item and writes a conversation.
const handOnBatch = 20

// handOn says whose conversations go to others, and why. It is the payload of a
// job.
type handOn struct {
	Agent routing.AgentID `json:"agent"`
	Why   handOnWhy       `json:"why"`
	// Desk bounds it to a desk's, for handOnRemoved.
	Desk routing.DeskID `json:"desk,omitempty"`
}

type handOnWhy string

const (
	// handOnUnable: disabled, or without the permission or the switch.
	handOnUnable handOnWhy = "unable"
	// handOnAway: Offline for longer than requeueAfter.
	handOnAway handOnWhy = "away"
	// handOnRemoved: taken off a desk.
	handOnRemoved handOnWhy = "removed"
)

// withdraw ends the pending offers of agents for items that pass allows, and their
// part in questions before a transfer; nil: all. The items are locked first, all of them, and each agent only after: else
// this and an agent who accepts wait for each other. What ended before the locks
// were there is left alone.
func (u *unit) withdraw(reason string, pass func(routing.Item) bool, agents ...routing.AgentID) error {
	offers, err := u.offeredTo(agents)
	if err != nil {
		return err
	}
	asked, err := u.consulting(agents)
	if err != nil || len(offers)+len(asked) == 0 {
		return err
	}
	items := itemsOf(offers, nil)
	for _, c := range asked {
		items = append(items, routing.ItemID(c.Conversation))
	}
	if err := u.tx.Work().LockItems(u.ctx, items...); err != nil {
		return err
	}
	for _, c := range asked {
		if err := u.leaveConsultation(c, reason, pass, agents); err != nil {
			return err
		}
	}
	locked := offers
	if offers, err = u.offeredTo(agents); err != nil {
		return err
	}
	for _, o := range offers {
		if !slices.ContainsFunc(locked, func(l routing.Offer) bool { return l.Item == o.Item }) {
			return driver.ErrClash // made meanwhile: locked with the others in the next run
		}
		if pass != nil {
			it, err := u.tx.Work().Item(u.ctx, o.Item)
			if err != nil {
				return err
			}
			if !pass(it) {
				continue
			}
		}
		if err := u.endOffer(o.ID, routing.OfferWithdrawn, reason); err != nil {
			return err
		}
	}
	return nil
}

// offeredTo lists the agents' pending offers.
func (u *unit) offeredTo(agents []routing.AgentID) (out []routing.Offer, err error) {
	for _, a := range agents {
		offers, _, err := u.tx.Work().HeldBy(u.ctx, a)
		if err != nil {
			return nil, err
		}
		out = append(out, offers...)
	}
	return out, nil
}

// itemsOf are the items of what an agent holds.
func itemsOf(offers []routing.Offer, owned []routing.Assignment) (out []routing.ItemID) {
	for _, o := range offers {
		out = append(out, o.Item)
	}
	for _, as := range owned {
		out = append(out, as.Item)
	}
	return out
}

// noneOffered has the transaction run again if the agent was offered something
// after withdraw and before its row was written, which from then on refuses
// offers.
func (u *unit) noneOffered(agent routing.AgentID) error {
	offers, _, err := u.tx.Work().HeldBy(u.ctx, agent)
	if err == nil && len(offers) > 0 {
		return driver.ErrClash
	}
	return err
}

// handOn has a job hand the agent's conversations on, if it has any.
func (u *unit) handOn(h handOn) error {
	_, owned, err := u.tx.Work().HeldBy(u.ctx, h.Agent)
	if err != nil || len(owned) == 0 {
		return err
	}
	key, err := digestOf(jobHandOn, h)
	if err != nil {
		return err
	}
	return u.enqueueJob(jobHandOn, key, h)
}

// handOnJob hands conversations on until none is left. The job ends in the
// transaction that finds no more.
func (e *Engine) handOnJob(ctx context.Context, j *runningJob, h handOn) error {
	for {
		more := false
		err := e.unit(ctx, system(j.Workspace), func(u *unit) (err error) {
			if more, err = u.handOnSome(h); err != nil || more {
				return err
			}
			return u.tx.Jobs().Finish(u.ctx, j.ID, j.Token)
		})
		if err != nil || !more {
			return err
		}
	}
}

// handOnSome hands on at most handOnBatch conversations and says whether some
// may be left.
func (u *unit) handOnSome(h handOn) (more bool, err error) {
	a, err := u.tx.Agents().Agent(u.ctx, h.Agent)
	if err != nil {
		return false, err
	}
	back := h.Why == handOnAway && a.State.Presence != routing.Offline
	able := h.Why == handOnUnable && a.Works(routing.PermitChat) && keepsTickets(a)
	if back || able || h.Why == handOnRemoved && u.s.member(h.Desk, h.Agent) {
		return false, nil // what was the reason is over: the agent keeps what is left
	}
	batch, more, err := u.toHandOn(h, a)
	if err != nil || len(batch) == 0 {
		return false, err
	}
	return more, u.handOnItems(h, batch)
}

// handOnItems hands on those of the items that the agent still owns.
func (u *unit) handOnItems(h handOn, batch []routing.ItemID) error {
	// All items before the agent, as in withdraw; what ended meanwhile is not
	// in the list that is read then.
	if err := u.tx.Work().LockItems(u.ctx, batch...); err != nil {
		return err
	}
	_, owned, err := u.tx.Work().HeldBy(u.ctx, h.Agent)
	if err != nil {
		return err
	}
	for _, as := range owned {
		if !slices.Contains(batch, as.Item) {
			continue
		}
		if err := u.worker(as.Item).handedOn(h.Why); err != nil {
			return err
		}
	}
	return nil
}

// toHandOn lists the items of the next conversations, and says whether there
// are more.
func (u *unit) toHandOn(h handOn, a routing.Agent) (batch []routing.ItemID, more bool, err error) {
	_, owned, err := u.tx.Work().HeldBy(u.ctx, h.Agent)
	if err != nil {
		return nil, false, err
	}
	for _, as := range owned {
		goes, err := u.worker(as.Item).goesOn(h, a)
		switch {
		case err != nil:
			return nil, false, err
		case !goes:
			continue
		case len(batch) == handOnBatch:
			return batch, true, nil
		}
		batch = append(batch, as.Item)
	}
	return batch, false, nil
}

// handOnOne gives one conversation to others. Of an agent who is away, a
// persistent one that is answered waits for the customer; what was in wrap-up is
// closed.
func (u *unit) handOnOne(d *draft.Draft, why handOnWhy) error {
	switch {
	case d.C.State == conversation.StateWrapUp:
		return u.endDraft(d, "system", "agent_away", true)
	case d.C.State == conversation.StateWaiting:
		return u.release(d) // the work stream holds capacity; the next message finds somebody
	case why != handOnAway:
		return u.requeue(d, routing.EndRemoved, "", "")
	case d.C.Live || d.C.Unread > 0:
		return u.requeue(d, routing.EndRequeued, "", "")
	}
	// Also where the work stream holds capacity while waiting: nobody is there.
	if err := u.releaseWork(d, routing.EndWaiting, routing.ItemDone); err != nil {
		return err
	}
	return d.Wait(u.p.actor(), true)
}

// RemoveFromDesk takes an agent off a desk (RT12). The agent's conversations of
// that desk go to others; those of other desks stay.
type RemoveFromDesk struct {
	Key   Key             `json:"-"`
	Desk  routing.DeskID  `json:"desk"`
	Agent routing.AgentID `json:"agent"`
}

// RemoveFromDesk carries the command out. The agent's first twenty
// conversations of the desk are handed on within the command, any others by a
// job right after it. ErrInvalid for the desk's last agent.
func (e *Engine) RemoveFromDesk(ctx context.Context, p Principal, c RemoveFromDesk) error {
	_, err := command(ctx, e, call{opRemoveFromDesk, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if err := u.allow(ActConfigure, Resource{Kind: "desk", ID: string(c.Desk)}); err != nil {
			return struct{}{}, err
		}
		u.detail("agent", string(c.Agent))
		if !u.s.member(c.Desk, c.Agent) {
			return struct{}{}, u.tx.Config().RemoveMember(u.ctx, c.Desk, c.Agent) // which knows whether there is such a desk
		}
		offers, owned, err := u.tx.Work().HeldBy(u.ctx, c.Agent)
		if err != nil {
			return struct{}{}, err
		}
		// Offers end first, which takes the agent: the other items before it too.
		if err := u.tx.Work().LockItems(u.ctx, itemsOf(offers, owned)...); err != nil {
			return struct{}{}, err
		}
		err = u.withdraw("left_desk", func(it routing.Item) bool { return u.deskOf(it) == c.Desk }, c.Agent)
		if err != nil {
			return struct{}{}, err
		}
		if err := u.tx.Config().RemoveMember(u.ctx, c.Desk, c.Agent); err != nil {
			return struct{}{}, err
		}
		u.s = u.s.without(c.Desk, c.Agent) // from here on it is so
		h := handOn{Agent: c.Agent, Why: handOnRemoved, Desk: c.Desk}
		more, err := u.handOnSome(h)
		if err != nil {
			return struct{}{}, err
		}
		if more {
			if err := u.handOn(h); err != nil {
				return struct{}{}, err
			}
		}
		if err := u.changedAgent(c.Agent); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, u.configured()
	})
	return err
}
