package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store/driver"
)

// byItem and byOffer select the item of a WorkKey, whose id is $2.
const (
	byItem  = `= $2`
	byOffer = `= (SELECT o.item FROM sd.offers o WHERE o.ws = $1 AND o.id = $2)`
)

// Lock implements driver.WorkRepo in one round trip. The item is locked first,
// then the agents by id, which is the order of every path, so that no two can
// wait for each other; what the locks cover is read after them.
func (w work) Lock(ctx context.Context, k driver.WorkKey) (transition.Rows, error) {
	if len(k.Items) > 0 {
		return transition.Rows{}, w.lockItems(ctx, k.Items)
	}
	rows, all, err := w.ahead.rows(k)
	if err = errors.Join(err, w.writable()); all || err != nil {
		return rows, err
	}
	if err := w.forget(ctx); err != nil {
		return rows, err
	}
	rows = transition.Rows{}
	var items []routing.Item
	var agents agentSet
	var offers []routing.Offer
	var assignments []routing.Assignment
	ws, id, which, offer := key(w.ws), key(k.Item), byItem, `item = $2 AND open`
	if k.Offer != "" {
		id, which, offer = key(k.Offer), byOffer, `id = $2`
	}
	var list []stmt
	if id == "" {
		list = agents.statements(`a.id = ANY($2)`, " FOR NO KEY UPDATE OF a", ws, keys(k.Agents))
	} else {
		list = append(list, collect(query(`SELECT `+itemColumns+` FROM sd.items WHERE ws = $1 AND id `+which+` FOR NO KEY UPDATE`, ws, id),
			&items, scanItem))
		list = append(list,
			agents.statements(`(a.id = ANY($3) OR a.id = (SELECT i.agent FROM sd.items i WHERE i.ws = $1 AND i.id `+which+`))`,
				" FOR NO KEY UPDATE OF a", ws, id, keys(k.Agents))...)
		list = append(list,
			collect(query(`SELECT doc FROM sd.offers WHERE ws = $1 AND `+offer, ws, id), &offers, document[routing.Offer]),
			collect(query(`SELECT doc FROM sd.assignments WHERE ws = $1 AND item `+which+` AND open`, ws, id), &assignments,
				document[routing.Assignment]))
	}
	if k.Lease != "" {
		list = append(list, query(`SELECT epoch FROM sd.leases WHERE name = $1 FOR KEY SHARE`, key(k.Lease)).rows(func(r pgx.Rows) error {
			return r.Scan(&rows.Epoch)
		}))
	}
	err = w.lock(ctx, list...)
	rows.Item, rows.Agents, rows.Offer, rows.Assignment = first(items), agents.list, first(offers), first(assignments)
	return rows, err
}

func (w work) lockItems(ctx context.Context, ids []routing.ItemID) error {
	if err := w.writable(); err != nil {
		return err
	}
	return w.lock(ctx, query(`SELECT 1 FROM sd.items WHERE ws = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE`, key(w.ws), keys(ids)))
}

// Put implements driver.WorkRepo. The wheel comes late among the statements: it
// is one row a queue.
func (w work) Put(ctx context.Context, c transition.Change) error {
	if w.ahead.takes(c) {
		return w.put(ctx, c)
	}
	if err := w.forget(ctx); err != nil {
		return err
	}
	var b batch
	if o := c.EndedOffer; o != nil {
		b.add(w.endOffer(*o))
	}
	if a := c.EndedAssignment; a != nil {
		b.add(w.endAssignment(*a))
	}
	if o := c.Offer; o != nil {
		b.insert(key(w.ws), intoOffers)(offerRow(*o))
	}
	if a := c.Assignment; a != nil {
		b.insert(key(w.ws), intoAssignments)(assignmentRow(*a))
	}
	if c.Item.ID != "" {
		b.add(w.saveItem(c.Item, c.Item.Version-1))
	}
	for _, s := range w.saveAgents(c.Agents) {
		b.add(s, nil)
	}
	if d := c.Decision; d != nil {
		doc, err := encode(*d)
		b.insert(key(w.ws), intoDecisions)([]any{key(c.Item.ID), doc}, err)
	}
	if c.Turn != "" {
		b.add(w.turnWheel(c.Item.Queue, c.Turn), nil)
	}
	if b.err != nil {
		return b.err
	}
	w.news |= driver.NewsRouting
	return w.write(ctx, b.list...)
}

// saveAgents writes the states of agents, whose rows are locked.
func (t *tx) saveAgents(changes []transition.AgentChange) (list []stmt) {
	var states [][]any
	for _, a := range changes {
		for _, p := range a.Profiles {
			list = append(list, t.saveLoad(a.ID, p, a.State.Load[p]))
		}
		if a.Unheard {
			list = append(list, query(`DELETE FROM sd.agent_beats WHERE ws = $1 AND agent = $2`, key(t.ws), key(a.ID)))
		}
		states = append(states, stateRow(key(a.ID), a.State))
	}
	if len(states) > 0 {
		list = append(list, ofStates.of(key(t.ws), states))
	}
	return list
}

// saveLoad writes what an agent, whose row is locked, has in use.
func (t *tx) saveLoad(a routing.AgentID, p routing.Profile, used int) stmt {
	return query(`INSERT INTO sd.agent_loads (ws, agent, profile, used) VALUES ($1, $2, $3, $4)
		ON CONFLICT (ws, agent, profile) DO UPDATE SET used = excluded.used`, key(t.ws), key(a), key(p), used)
}

func (t *tx) turnWheel(queue routing.QueueID, agent routing.AgentID) stmt {
	return query(`WITH t AS (INSERT INTO sd.wheels AS w (ws, queue, turn) VALUES ($1, $2, 1)
			ON CONFLICT (ws, queue) DO UPDATE SET turn = w.turn + 1 RETURNING turn)
		INSERT INTO sd.agent_turns (ws, queue, agent, turn) SELECT $1, $2, $3, turn FROM t
			ON CONFLICT (ws, agent, queue) DO UPDATE SET turn = excluded.turn`, key(t.ws), key(queue), key(agent))
}
