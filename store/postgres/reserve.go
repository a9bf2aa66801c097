package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// hold is an item with whoever holds it, all rows locked: item first, then the
// agents by id, which is the order of every path, so that no two can wait for
// each other. One round trip.
type hold struct {
	item       *routing.Item
	agents     agentSet
	offer      *routing.Offer
	assignment *routing.Assignment
	lease      bool
}

// byItem and byOffer select the item ($2) of a hold.
const (
	byItem  = `= $2`
	byOffer = `= (SELECT o.item FROM sd.offers o WHERE o.ws = $1 AND o.id = $2)`
)

// hold locks and reads. other is a further agent to lock; lease and epoch are
// checked when lease is not empty.
func (w work) hold(ctx context.Context, which, id string, other routing.AgentID, lease string, epoch int64) (*hold, error) {
	h := &hold{}
	var items []routing.Item
	var offers []routing.Offer
	var assignments []routing.Assignment
	ws := key(w.ws)
	list := []stmt{collect(query(`SELECT `+itemColumns+` FROM sd.items WHERE ws = $1 AND id `+which+` FOR NO KEY UPDATE`, ws, id), &items, w.tx.item)}
	list = append(list, h.agents.statements(`(a.id = $3 OR a.id = (SELECT i.agent FROM sd.items i WHERE i.ws = $1 AND i.id `+which+`))`,
		" FOR NO KEY UPDATE OF a", ws, id, key(other))...)
	if which == byOffer {
		list = append(list, collect(query(`SELECT doc FROM sd.offers WHERE ws = $1 AND id = $2`, ws, id), &offers, document[routing.Offer]))
	} else {
		list = append(list, collect(query(`SELECT doc FROM sd.offers WHERE ws = $1 AND item = $2 AND open`, ws, id), &offers, document[routing.Offer]))
	}
	list = append(list, collect(query(`SELECT doc FROM sd.assignments WHERE ws = $1 AND item `+which+` AND open`, ws, id), &assignments, document[routing.Assignment]))
	if lease != "" {
		list = append(list, query(`SELECT 1 FROM sd.leases WHERE name = $1 AND epoch = $2 FOR KEY SHARE`, key(lease), epoch).rows(func(pgx.Rows) error {
			h.lease = true
			return nil
		}))
	}
	err := w.lock(ctx, list...)
	h.item, h.offer, h.assignment = first(items), first(offers), first(assignments)
	return h, err
}

func refused(check, format string, args ...any) error {
	return &routing.Refused{Check: check, Detail: fmt.Sprintf(format, args...)}
}

// Reserve implements routing.WorkRepo.
func (w work) Reserve(ctx context.Context, r routing.Reservation) error {
	if (r.Offer == nil) == (r.Assignment == nil) {
		return errs.New(errs.Invalid, "store: a Reservation needs an Offer or an Assignment, exactly one")
	}
	h, err := w.hold(ctx, byItem, key(r.Item), r.Agent, r.Lease, r.Epoch)
	if err != nil {
		return err
	}
	if err := h.allows(r); err != nil {
		return err
	}
	var b batch
	m := moves{}
	w.replace(&b, m, h, r)
	it := *h.item
	it.Agent = r.Agent
	if r.Offer != nil {
		o := *r.Offer
		o.State = routing.OfferPending
		it.State = routing.ItemOffered
		b.add(w.putOffer(o))
	} else {
		a := *r.Assignment
		a.Forced = a.Forced || r.Force
		it.State = routing.ItemAssigned
		b.add(w.putAssignment(a))
	}
	if r.Decision != nil {
		it.Attempt++ // it counts decisions
	}
	m.take(r.Agent, usesOf(r), r.Force)
	b.add(w.saveItem(it))
	w.settle(&b, m, h)
	if r.Decision != nil {
		doc, err := encode(*r.Decision)
		b.add(query(`INSERT INTO sd.decisions (ws, item, doc) VALUES ($1, $2, $3)`, key(w.ws), key(r.Item), doc), err)
	}
	if r.Turn {
		b.add(w.turnWheel(it.Queue, r.Agent), nil)
	}
	return w.finish(ctx, b, it)
}

// finish queues the statements of a transition of the item.
func (w work) finish(ctx context.Context, b batch, it routing.Item) error {
	if b.err != nil {
		return b.err
	}
	it.Version++
	w.knows(it)
	w.wakes = true
	return w.write(ctx, b.list...)
}

// turnWheel comes late among the statements: the queue's wheel is one row.
func (t *tx) turnWheel(queue routing.QueueID, agent routing.AgentID) stmt {
	return query(`WITH t AS (INSERT INTO sd.wheels AS w (ws, queue, turn) VALUES ($1, $2, 1)
			ON CONFLICT (ws, queue) DO UPDATE SET turn = w.turn + 1 RETURNING turn)
		INSERT INTO sd.agent_turns (ws, queue, agent, turn) SELECT $1, $2, $3, turn FROM t
			ON CONFLICT (ws, agent, queue) DO UPDATE SET turn = excluded.turn`, key(t.ws), key(queue), key(agent))
}

// allows runs the checks of design.md section 5 on locked rows.
func (h *hold) allows(r routing.Reservation) error {
	if h.item == nil || h.item.Version != r.ItemVersion {
		return refused("item", "it is not there in version %d", r.ItemVersion)
	}
	if h.item.State == routing.ItemDone {
		return refused("item", "it is done")
	}
	var offer routing.OfferID
	var assignment routing.AssignmentID
	if h.offer != nil {
		offer = h.offer.ID
	}
	if h.assignment != nil {
		assignment = h.assignment.ID
	}
	if offer != r.FromOffer || assignment != r.FromAssignment {
		return refused("held", "the item is %s, otherwise than this reservation takes it", h.item.State)
	}
	a := h.agents.find(key(r.Agent))
	if a == nil {
		return refused("eligibility", "there is no such agent")
	}
	if r.EligRev != 0 && a.State.EligRev != r.EligRev {
		return refused("eligibility", "the agent changed: revision %d, decided on %d", a.State.EligRev, r.EligRev)
	}
	if r.Lease != "" && !h.lease {
		return refused("lease", "epoch %d is over", r.Epoch)
	}
	if r.Force {
		return nil
	}
	return h.fits(r)
}

// fits is the capacity check; what the reservation releases of the same agent
// is free again.
func (h *hold) fits(r routing.Reservation) error {
	id := key(r.Agent)
	a := h.agents.find(id)
	free := map[routing.Profile]int{}
	if h.item.Agent == r.Agent {
		free = sum(h.uses())
	}
	for p, n := range sum(usesOf(r)) {
		if used, limit := a.State.Load[p]-free[p], h.agents.capacity(id, p); used+n > limit {
			return refused("capacity", "profile %s: %d in use, %d wanted, %d allowed", p, used, n, limit)
		}
	}
	return nil
}

// uses is what the present hold of the item uses.
func (h *hold) uses() []routing.Use {
	switch {
	case h.offer != nil:
		return h.offer.Uses
	case h.assignment != nil:
		return h.assignment.Uses
	}
	return nil
}

// replace ends the hold that the reservation takes over.
func (w work) replace(b *batch, m moves, h *hold, r routing.Reservation) {
	if h.offer != nil {
		o := *h.offer
		o.State, o.EndedAt, o.Reason = routing.OfferWithdrawn, r.Now, string(r.FromReason)
		m.release(o.Agent, o.Uses)
		b.add(w.endOffer(o))
	}
	if h.assignment != nil {
		a := *h.assignment
		a.EndedAt, a.EndReason = r.Now, r.FromReason
		m.release(a.Agent, a.Uses)
		m.idle(a.Agent, r.Now)
		b.add(w.endAssignment(a))
	}
}

// Accept implements routing.WorkRepo.
func (w work) Accept(ctx context.Context, offer routing.OfferID, as routing.AssignmentID, now time.Time) (routing.Assignment, error) {
	if err := w.writable(); err != nil {
		return routing.Assignment{}, err
	}
	h, err := w.hold(ctx, byOffer, key(offer), "", "", 0)
	if err != nil {
		return routing.Assignment{}, err
	}
	o, err := h.pending()
	if err != nil {
		return routing.Assignment{}, err
	}
	if !o.ExpiresAt.IsZero() && !now.Before(o.ExpiresAt) {
		return routing.Assignment{}, refused("expired", "the offer stood until %s", o.ExpiresAt.Format(time.RFC3339))
	}
	o.State, o.EndedAt = routing.OfferAccepted, micro(now)
	a := routing.Assignment{ID: as, Item: o.Item, Agent: o.Agent, Uses: o.Uses, StartedAt: micro(now)}
	it := *h.item
	it.State = routing.ItemAssigned
	var b batch
	b.add(w.endOffer(o))
	b.add(w.putAssignment(a))
	b.add(w.saveItem(it))
	return a, w.finish(ctx, b, it)
}

// pending returns the offer if it still stands.
func (h *hold) pending() (routing.Offer, error) {
	switch {
	case h.offer == nil || h.item == nil:
		return routing.Offer{}, errNotFound("offer")
	case h.offer.State != routing.OfferPending:
		return routing.Offer{}, refused("ended", "the offer was %s", h.offer.State)
	}
	return *h.offer, nil
}

// EndOffer implements routing.WorkRepo.
func (w work) EndOffer(ctx context.Context, offer routing.OfferID, state routing.OfferState, reason string, now time.Time) (routing.Offer, error) {
	if state != routing.OfferDeclined && state != routing.OfferExpired && state != routing.OfferWithdrawn {
		return routing.Offer{}, errs.New(errs.Invalid, "store: an offer cannot end as %q; use declined, expired or withdrawn", state)
	}
	if err := w.writable(); err != nil {
		return routing.Offer{}, err
	}
	h, err := w.hold(ctx, byOffer, key(offer), "", "", 0)
	if err != nil {
		return routing.Offer{}, err
	}
	o, err := h.pending()
	if err != nil {
		return routing.Offer{}, err
	}
	if state == routing.OfferExpired && now.Before(o.ExpiresAt) {
		return routing.Offer{}, refused("expired", "the offer stands until %s", o.ExpiresAt.Format(time.RFC3339))
	}
	o.State, o.EndedAt, o.Reason = state, micro(now), reason
	it := routing.OfferEnded(*h.item, o.Agent, state, now)
	m := moves{}
	m.release(o.Agent, o.Uses)
	if state != routing.OfferWithdrawn {
		m.of(o.Agent).elig = true
	}
	var b batch
	b.add(w.endOffer(o))
	b.add(w.saveItem(it))
	w.settle(&b, m, h)
	return o, w.finish(ctx, b, it)
}

// EndAssignment implements routing.WorkRepo.
func (w work) EndAssignment(ctx context.Context, item routing.ItemID, as routing.AssignmentID, reason routing.EndReason, then routing.ItemState, now time.Time) (routing.Assignment, error) {
	if then != routing.ItemQueued && then != routing.ItemDone {
		return routing.Assignment{}, errs.New(errs.Invalid, "store: after an assignment an item is queued or done, not %q", then)
	}
	if err := w.writable(); err != nil {
		return routing.Assignment{}, err
	}
	h, err := w.hold(ctx, byItem, key(item), "", "", 0)
	if err != nil {
		return routing.Assignment{}, err
	}
	if h.item == nil || h.assignment == nil || as != "" && h.assignment.ID != as {
		return routing.Assignment{}, refused("ended", "the item has no such open assignment")
	}
	a := *h.assignment
	a.EndedAt, a.EndReason = micro(now), reason
	it := *h.item
	it.State, it.Agent = then, ""
	m := moves{}
	m.release(a.Agent, a.Uses)
	m.idle(a.Agent, now)
	var b batch
	b.add(w.endAssignment(a))
	b.add(w.saveItem(it))
	w.settle(&b, m, h)
	return a, w.finish(ctx, b, it)
}

// moves is what a transition does to agents.
type moves map[routing.AgentID]*move

type move struct {
	units map[routing.Profile]int // to add; negative releases
	open  int
	force bool
	elig  bool
	idle  time.Time
}

func (m moves) of(a routing.AgentID) *move {
	if m[a] == nil {
		m[a] = &move{units: map[routing.Profile]int{}}
	}
	return m[a]
}

func (m moves) take(a routing.AgentID, uses []routing.Use, force bool) {
	v := m.of(a)
	v.open++
	v.force = force
	for p, n := range sum(uses) {
		v.units[p] += n
	}
}

func (m moves) release(a routing.AgentID, uses []routing.Use) {
	v := m.of(a)
	v.open--
	for p, n := range sum(uses) {
		v.units[p] -= n
	}
}

func (m moves) idle(a routing.AgentID, at time.Time) { m.of(a).idle = micro(at) }

func sum(uses []routing.Use) map[routing.Profile]int {
	out := map[routing.Profile]int{}
	for _, u := range uses {
		out[u.Profile] += u.Units
	}
	return out
}

// settle writes the agents' states and loads, whose rows are locked.
func (w work) settle(b *batch, m moves, h *hold) {
	for _, id := range slices.Sorted(maps.Keys(m)) {
		v := m[id]
		for _, p := range slices.Sorted(maps.Keys(v.units)) {
			if n := v.units[p]; n != 0 {
				b.add(w.shiftLoad(id, p, n, v.force), nil)
			}
		}
		a := h.agents.find(key(id))
		if a == nil {
			continue
		}
		st := a.State
		st.Open += v.open
		st.Rev++
		if v.elig {
			st.EligRev++
		}
		if v.idle.After(st.IdleSince) {
			st.IdleSince = v.idle
		}
		b.add(w.saveState(key(id), st), nil)
	}
}

// shiftLoad is the one conditional statement a profile: it takes units only
// where they fit.
func (t *tx) shiftLoad(a routing.AgentID, p routing.Profile, n int, force bool) stmt {
	if n < 0 {
		return asClash("load", `UPDATE sd.agent_loads SET used = used - $4 WHERE ws = $1 AND agent = $2 AND profile = $3 RETURNING 1`,
			key(t.ws), key(a), key(p), -n)
	}
	return asClash("capacity", `INSERT INTO sd.agent_loads AS l (ws, agent, profile, used) SELECT $1, $2, $3, $4::int
			WHERE $5 OR $3 <> 'units' OR EXISTS (SELECT 1 FROM sd.agent_loads WHERE ws = $1 AND agent = $2 AND profile = $3)
		ON CONFLICT (ws, agent, profile) DO UPDATE SET used = l.used + excluded.used
			WHERE $5 OR l.used + excluded.used <= coalesce(l.cap, CASE WHEN l.profile = 'units' THEN 0 ELSE 2147483647 END)
		RETURNING 1`, key(t.ws), key(a), key(p), n, force)
}

// usesOf is what the new hold uses.
func usesOf(r routing.Reservation) []routing.Use {
	if r.Offer != nil {
		return r.Offer.Uses
	}
	return r.Assignment.Uses
}
