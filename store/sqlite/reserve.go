package sqlite

import (
	"context"
	"slices"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store/driver"
)

// Lock only reads: functions run one after another, so that nobody writes
// before this one ends.
func (r work) Lock(ctx context.Context, k driver.WorkKey) (w transition.Rows, err error) {
	if err := r.writable(); err != nil || len(k.Items) > 0 {
		return w, err
	}
	if k.Offer != "" {
		if w.Offer, err = maybe(r.tx, scanDoc[routing.Offer], `SELECT doc FROM offers WHERE ws = ? AND id = ?`, r.ws,
			string(k.Offer)); err != nil || w.Offer == nil {
			return w, err
		}
		k.Item = w.Offer.Item
	}
	agents := k.Agents
	if k.Item != "" {
		w.Item, err = maybe(r.tx, scanItem, `SELECT `+itemColumns+` FROM items WHERE ws = ? AND id = ?`, r.ws, string(k.Item))
		if err != nil || w.Item == nil {
			return w, err
		}
		if err := r.lockHolds(ctx, &w); err != nil {
			return w, err
		}
		agents = append(slices.Clone(agents), w.Item.Agent)
	}
	if w.Agents, err = r.these(agents); err != nil {
		return w, err
	}
	if k.Lease != "" {
		w.Epoch, _ = r.b.nodes.epoch(k.Lease)
	}
	return w, nil
}

// lockHolds reads what holds the item.
func (r work) lockHolds(ctx context.Context, w *transition.Rows) error {
	offers, assignments, err := r.Holds(ctx, driver.HoldKey{Item: w.Item.ID})
	if len(assignments) > 0 {
		w.Assignment = &assignments[0]
	}
	if len(offers) > 0 && w.Offer == nil {
		w.Offer = &offers[0]
	}
	return err
}

func (r work) Put(_ context.Context, c transition.Change) error {
	if c.Item.ID != "" {
		if err := r.putItem(c); err != nil {
			return err
		}
	}
	for _, a := range c.Agents {
		if err := r.putState(a); err != nil {
			return err
		}
	}
	if c.Turn != "" {
		if err := r.turn(c.Item.Queue, c.Turn); err != nil {
			return err
		}
	}
	if c.Decision == nil {
		return nil
	}
	doc, err := encode(c.Decision)
	if err != nil {
		return err
	}
	return r.change(`INSERT INTO decisions (ws, item, doc) VALUES (?, ?, ?)`, r.ws, string(c.Item.ID), doc)
}

// putItem writes the item and what holds it.
func (r work) putItem(c transition.Change) error {
	doc, err := encode(c.Item)
	if err != nil {
		return err
	}
	if err := r.change(`UPDATE items SET version = ?, state = ?, doc = ? WHERE ws = ? AND id = ?`,
		c.Item.Version, string(c.Item.State), doc, r.ws, string(c.Item.ID)); err != nil {
		return err
	}
	return r.putHold(c)
}

// putHold ends what held the item before it writes what holds it now: both have
// one place.
func (r work) putHold(c transition.Change) error {
	if o := c.EndedOffer; o != nil {
		doc, err := encode(o)
		if err != nil {
			return err
		}
		if err := r.change(`UPDATE offers SET pending = 0, doc = ? WHERE ws = ? AND id = ?`, doc, r.ws, string(o.ID)); err != nil {
			return err
		}
	}
	if a := c.EndedAssignment; a != nil {
		doc, err := encode(a)
		if err != nil {
			return err
		}
		if err := r.change(`UPDATE assignments SET open = 0, doc = ? WHERE ws = ? AND id = ?`, doc, r.ws, string(a.ID)); err != nil {
			return err
		}
	}
	if o := c.Offer; o != nil {
		doc, err := encode(o)
		if err != nil {
			return err
		}
		return r.change(`INSERT INTO offers (ws, id, item, agent, pending, at, doc) VALUES (?, ?, ?, ?, 1, ?, ?)`,
			r.ws, string(o.ID), string(o.Item), string(o.Agent), micro(o.OfferedAt), doc)
	}
	if a := c.Assignment; a != nil {
		doc, err := encode(a)
		if err != nil {
			return err
		}
		return r.change(`INSERT INTO assignments (ws, id, item, agent, open, at, doc) VALUES (?, ?, ?, ?, 1, ?, ?)`,
			r.ws, string(a.ID), string(a.Item), string(a.Agent), micro(a.StartedAt), doc)
	}
	return nil
}

// putState writes an agent's state.
func (r work) putState(a transition.AgentChange) error {
	for _, p := range a.Profiles {
		if err := r.change(`INSERT INTO agent_load (ws, agent, profile, used) VALUES (?, ?, ?, ?)
			ON CONFLICT (ws, agent, profile) DO UPDATE SET used = excluded.used`, r.ws, string(a.ID), string(p),
			a.State.Load[p]); err != nil {
			return err
		}
	}
	return r.change(`UPDATE agents SET presence = ?, reason = ?, open = ?, rev = ?, elig_rev = ?, idle_since = ?,
		beat = CASE WHEN ? THEN 0 ELSE beat END WHERE ws = ? AND id = ?`, string(a.State.Presence), a.State.Reason,
		a.State.Open, a.State.Rev, a.State.EligRev, maybeMicro(a.State.IdleSince), a.Unheard, r.ws, string(a.ID))
}

// turn turns the queue's wheel for the agent.
func (r work) turn(q routing.QueueID, a routing.AgentID) error {
	turn, _, err := r.number(`SELECT turn FROM wheels WHERE ws = ? AND queue = ?`, r.ws, string(q))
	if err != nil {
		return err
	}
	turn++
	if err := r.change(`INSERT INTO wheels (ws, queue, turn) VALUES (?, ?, ?)
		ON CONFLICT (ws, queue) DO UPDATE SET turn = excluded.turn`, r.ws, string(q), turn); err != nil {
		return err
	}
	return r.change(`INSERT INTO turns (ws, agent, queue, turn) VALUES (?, ?, ?, ?)
		ON CONFLICT (ws, agent, queue) DO UPDATE SET turn = excluded.turn`, r.ws, string(a), string(q), turn)
}
