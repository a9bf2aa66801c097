package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// Reserve checks everything before it writes anything, so that a refusal
// leaves nothing behind even if the function goes on. Nobody writes in
// between: functions run one after another.
func (r work) Reserve(ctx context.Context, q routing.Reservation) error {
	if err := r.writable(); err != nil {
		return err
	}
	if (q.Offer == nil) == (q.Assignment == nil) {
		return errs.New(errs.Invalid, "sqlite: a Reservation needs an Offer or an Assignment, exactly one")
	}
	it, err := r.Item(ctx, q.Item)
	if err != nil {
		return err
	}
	offer, assignment, err := r.Held(ctx, q.Item)
	if err != nil {
		return err
	}
	from := hold{offer, assignment}
	if err := r.checkItem(q, it, from); err != nil {
		return err
	}
	if err := r.checkAgent(q); err != nil {
		return err
	}
	if err := r.checkCapacity(q, from); err != nil {
		return err
	}
	return r.give(q, it, from)
}

// hold is what an item is held by: an open offer, an open assignment, or
// nothing.
type hold struct {
	offer      *routing.Offer
	assignment *routing.Assignment
}

// by returns who holds it and what that uses.
func (h hold) by() (routing.AgentID, []routing.Use) {
	switch {
	case h.assignment != nil:
		return h.assignment.Agent, h.assignment.Uses
	case h.offer != nil:
		return h.offer.Agent, h.offer.Uses
	}
	return "", nil
}

// uses is what the reservation asks for.
func uses(q routing.Reservation) []routing.Use {
	if q.Offer != nil {
		return q.Offer.Uses
	}
	return q.Assignment.Uses
}

func (r work) checkItem(q routing.Reservation, it routing.Item, from hold) error {
	if it.Version != q.ItemVersion {
		return refused("item", fmt.Sprintf("the item is at version %d, not %d", it.Version, q.ItemVersion))
	}
	if q.Lease != "" {
		if epoch, ok := r.b.nodes.epoch(q.Lease); !ok || epoch != q.Epoch {
			return refused("lease", "the lease has another epoch")
		}
	}
	named := q.FromOffer != "" || q.FromAssignment != ""
	switch {
	case named && (from.offer == nil || from.offer.ID != q.FromOffer) && (from.assignment == nil || from.assignment.ID != q.FromAssignment):
		return refused("held", "the hold that was to be replaced is not open")
	case !named && (from.offer != nil || from.assignment != nil):
		return refused("held", "the item is offered or assigned already")
	case !named && it.State != routing.ItemQueued:
		return refused("item", "the item is "+string(it.State))
	}
	return nil
}

func (r work) checkAgent(q routing.Reservation) error {
	rev, ok, err := r.number(`SELECT elig_rev FROM agents WHERE ws = ? AND id = ?`, r.ws, string(q.Agent))
	switch {
	case err != nil:
		return err
	case !ok:
		return errs.New(errs.NotFound, "sqlite: there is no agent %s", q.Agent)
	case q.EligRev != 0 && q.EligRev != rev:
		return refused("eligibility", fmt.Sprintf("the agent is at revision %d, not %d", rev, q.EligRev))
	}
	return nil
}

// checkCapacity holds the demand against what is free once the replaced hold
// has ended.
func (r work) checkCapacity(q routing.Reservation, from hold) error {
	if q.Force {
		return nil
	}
	need := map[string]int64{}
	for _, u := range uses(q) {
		need[string(u.Profile)] += int64(u.Units)
	}
	if agent, back := from.by(); agent == q.Agent {
		for _, u := range back {
			need[string(u.Profile)] -= int64(u.Units)
		}
	}
	full := ""
	err := r.each(`SELECT profile, used, cap FROM agent_load WHERE ws = ? AND agent = ? AND cap IS NOT NULL`, func(w raw.Row) {
		profile := w.Text(0)
		if n := need[profile]; n > 0 && w.Int(1)+n > w.Int(2) {
			full = profile
		}
	}, r.ws, string(q.Agent))
	if err == nil && full != "" {
		err = refused("capacity", "the agent has no room in the profile "+full)
	}
	return err
}

// give writes it all.
func (r work) give(q routing.Reservation, it routing.Item, from hold) error {
	if err := r.endHold(q, from); err != nil {
		return err
	}
	if err := r.load(q); err != nil {
		return err
	}
	it.Agent, it.State = q.Agent, routing.ItemAssigned
	if q.Offer != nil {
		it.State = routing.ItemOffered
	}
	if err := r.putHold(q); err != nil {
		return err
	}
	if q.Turn {
		if err := r.turn(it.Queue, q.Agent); err != nil {
			return err
		}
	}
	if q.Decision != nil {
		it.Attempt++
		doc, err := encode(q.Decision)
		if err != nil {
			return err
		}
		if err := r.change(`INSERT INTO decisions (ws, item, doc) VALUES (?, ?, ?)`, r.ws, string(q.Item), doc); err != nil {
			return err
		}
	}
	return r.moveItem(it)
}

// endHold ends what the reservation replaces.
func (r work) endHold(q routing.Reservation, from hold) error {
	agent, back := from.by()
	idle := time.Time{}
	switch {
	case from.assignment != nil:
		idle = q.Now
		if err := r.closeAssignment(from.assignment, q.FromReason, q.Now); err != nil {
			return err
		}
	case from.offer != nil:
		if err := r.closeOffer(*from.offer, routing.OfferWithdrawn, string(q.FromReason), q.Now); err != nil {
			return err
		}
	default:
		return nil
	}
	return r.unload(agent, back, idle)
}

// load takes the capacity with one conditional statement a profile. After
// checkCapacity the condition holds; it stays, since it is the rule.
func (r work) load(q routing.Reservation) error {
	for _, u := range uses(q) {
		if u.Units == 0 {
			continue
		}
		n, err := r.exec(`INSERT INTO agent_load (ws, agent, profile, used) VALUES (?, ?, ?, ?)
			ON CONFLICT (ws, agent, profile) DO UPDATE SET used = used + excluded.used
			WHERE cap IS NULL OR used + excluded.used <= cap OR ?`, r.ws, string(q.Agent), string(u.Profile), u.Units, q.Force)
		if err != nil {
			return err
		}
		if n == 0 {
			return r.undone(refused("capacity", "the agent has no room in the profile "+string(u.Profile)))
		}
	}
	return r.change(`UPDATE agents SET open = open + 1, rev = rev + 1 WHERE ws = ? AND id = ?`, r.ws, string(q.Agent))
}

func (r work) putHold(q routing.Reservation) error {
	if q.Assignment != nil {
		a := *q.Assignment
		a.Forced = a.Forced || q.Force
		return r.putAssignment(a)
	}
	o := *q.Offer
	o.State = routing.OfferPending
	doc, err := encode(o)
	if err != nil {
		return err
	}
	return r.change(`INSERT INTO offers (ws, id, item, agent, pending, at, doc) VALUES (?, ?, ?, ?, 1, ?, ?)`,
		r.ws, string(o.ID), string(o.Item), string(o.Agent), micro(o.OfferedAt), doc)
}

// turn turns the queue's wheel for the agent.
func (r work) turn(q routing.QueueID, a routing.AgentID) error {
	var turn int64
	if _, err := r.returning(`INSERT INTO wheels (ws, queue, turn) VALUES (?, ?, 1)
		ON CONFLICT (ws, queue) DO UPDATE SET turn = turn + 1 RETURNING turn`,
		func(w raw.Row) { turn = w.Int(0) }, r.ws, string(q)); err != nil {
		return err
	}
	return r.change(`INSERT INTO turns (ws, agent, queue, turn) VALUES (?, ?, ?, ?)
		ON CONFLICT (ws, agent, queue) DO UPDATE SET turn = excluded.turn`, r.ws, string(a), string(q), turn)
}
