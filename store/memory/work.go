package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store/driver"
)

type work struct{ t *tx }

// hold is an item's open offer or open assignment: one row an item, which is
// the constraint that there is at most one of both.
type hold struct {
	agent      routing.AgentID
	offer      routing.OfferID
	assignment routing.AssignmentID
}

func (s *space) holdChanged(id routing.ItemID, was, is *hold) {
	if was != nil {
		s.holdsOf.remove(was.agent, id)
	}
	if is != nil {
		s.holdsOf.add(is.agent, id)
	}
}

func (s *space) itemChanged(id routing.ItemID, _, is *routing.Item) {
	delete(s.openItems, id)
	if is != nil && is.State != routing.ItemDone {
		s.openItems[id] = struct{}{}
	}
}

func (r work) SaveItem(_ context.Context, it routing.Item) (int64, error) {
	t := r.t
	return write(t, func() (int64, error) {
		old, exists := get(t, t.s.items, it.ID)
		if old.Version != it.Version {
			return 0, driver.ErrClash
		}
		it = clone(it)
		it.Version++
		it.Seq = old.Seq
		if !exists {
			t.b.order++
			it.Seq = t.b.order
		}
		put(t, t.s.items, it.ID, it)
		return it.Version, nil
	})
}

// Lock writes the rows as they are, so that the commit is a clash if a rival
// changes one meanwhile.
func (r work) Lock(_ context.Context, k driver.WorkKey) (transition.Rows, error) {
	t := r.t
	return write(t, func() (transition.Rows, error) {
		var w transition.Rows
		if len(k.Items) > 0 {
			for _, id := range k.Items {
				if it, ok := get(t, t.s.items, id); ok {
					put(t, t.s.items, id, it)
				}
			}
			return w, nil
		}
		if o, ok := get(t, t.s.offers, k.Offer); ok {
			k.Item, w.Offer = o.Item, copyOf(o)
		}
		if it, ok := get(t, t.s.items, k.Item); ok {
			w.Item = copyOf(it)
			put(t, t.s.items, k.Item, it)
		}
		ids := slices.Clone(k.Agents)
		if h, held := get(t, t.s.holds, k.Item); held {
			ids = append(ids, h.agent)
			if o, ok := get(t, t.s.offers, h.offer); ok && w.Offer == nil { // the one that is asked for may have ended
				w.Offer = copyOf(o)
			}
			if a, ok := get(t, t.s.assignments, h.assignment); ok {
				w.Assignment = copyOf(a)
			}
		}
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			if a, ok := get(t, t.s.agents, id); ok {
				w.Agents = append(w.Agents, t.s.view(a))
				put(t, t.s.agents, id, a)
			}
		}
		if k.Lease != "" {
			w.Epoch = t.b.leases[k.Lease].epoch
			t.checks = append(t.checks, func() error {
				if t.b.leases[k.Lease].epoch != w.Epoch {
					return driver.ErrClash
				}
				return nil
			})
		}
		return w, nil
	})
}

func copyOf[T any](v T) *T {
	v = clone(v)
	return &v
}

func (r work) Put(_ context.Context, c transition.Change) error {
	t := r.t
	c = clone(c)
	return do(t, func() error {
		if o := c.Offer; o != nil && has(t, t.s.offers, o.ID) {
			return driver.ErrClash
		}
		if a := c.Assignment; a != nil && has(t, t.s.assignments, a.ID) {
			return driver.ErrClash
		}
		if c.Item.ID != "" {
			put(t, t.s.items, c.Item.ID, c.Item)
			r.putHold(c)
		}
		for _, a := range c.Agents {
			row, _ := get(t, t.s.agents, a.ID)
			a.State.BeatAt = time.Time{}
			row.State = a.State
			if a.Unheard {
				row.session++
			}
			put(t, t.s.agents, a.ID, row)
		}
		if c.Turn != "" {
			r.turn(c.Item.Queue, c.Turn)
		}
		if c.Decision != nil {
			list, _ := get(t, t.s.decisions, c.Item.ID)
			put(t, t.s.decisions, c.Item.ID, append(slices.Clone(list), *c.Decision))
		}
		return nil
	})
}

// putHold writes offers and assignments and which of them holds the item.
func (r work) putHold(c transition.Change) {
	t := r.t
	if o := c.EndedOffer; o != nil {
		put(t, t.s.offers, o.ID, *o)
	}
	if a := c.EndedAssignment; a != nil {
		put(t, t.s.assignments, a.ID, *a)
	}
	switch o, a := c.Offer, c.Assignment; {
	case o != nil:
		put(t, t.s.offers, o.ID, *o)
		put(t, t.s.holds, c.Item.ID, hold{agent: o.Agent, offer: o.ID})
	case a != nil:
		put(t, t.s.assignments, a.ID, *a)
		put(t, t.s.holds, c.Item.ID, hold{agent: a.Agent, assignment: a.ID})
	default:
		drop(t, t.s.holds, c.Item.ID)
	}
}

// turn turns the queue's wheel for the agent.
func (r work) turn(queue routing.QueueID, id routing.AgentID) {
	n, _ := get(r.t, r.t.s.wheels, queue)
	put(r.t, r.t.s.wheels, queue, n+1)
	a, _ := get(r.t, r.t.s.agents, id)
	a.State.Turns = maps.Clone(a.State.Turns)
	if a.State.Turns == nil {
		a.State.Turns = map[routing.QueueID]int64{}
	}
	a.State.Turns[queue] = n + 1
	put(r.t, r.t.s.agents, id, a)
}

func (r work) Holds(_ context.Context, k driver.HoldKey) (offers []routing.Offer, assignments []routing.Assignment, err error) {
	t := r.t
	_, err = read(t, func() (struct{}, error) {
		add := func(h hold) {
			if o, ok := get(t, t.s.offers, h.offer); ok {
				offers = append(offers, clone(o))
			}
			if a, ok := get(t, t.s.assignments, h.assignment); ok {
				assignments = append(assignments, clone(a))
			}
		}
		switch {
		case k.Offer != "":
			add(hold{offer: k.Offer})
		case k.Item != "":
			h, _ := get(t, t.s.holds, k.Item)
			add(h)
		default:
			for _, h := range some(t, t.s.holds, t.s.holdsOf.keys(k.Agent)) {
				if h.agent == k.Agent {
					add(h)
				}
			}
		}
		return struct{}{}, nil
	})
	slices.SortFunc(offers, func(a, b routing.Offer) int {
		return cmp.Or(a.OfferedAt.Compare(b.OfferedAt), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(assignments, func(a, b routing.Assignment) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
	})
	return offers, assignments, err
}

func (r work) Items(_ context.Context, ids []routing.ItemID, each func(routing.Item)) error {
	t := r.t
	list, err := read(t, func() ([]routing.Item, error) {
		keys := mapKeys(t.s.openItems)
		if ids != nil {
			keys = slices.Values(ids)
		}
		var list []routing.Item
		for id, it := range some(t, t.s.items, keys) {
			if ids == nil && it.State != routing.ItemDone || slices.Contains(ids, id) {
				list = append(list, clone(it))
			}
		}
		slices.SortFunc(list, func(a, b routing.Item) int { return cmp.Compare(a.Seq, b.Seq) })
		t.found(len(list))
		return list, nil
	})
	for _, it := range list {
		each(it)
	}
	return err
}

func (r work) Decisions(_ context.Context, item routing.ItemID) ([]routing.Decision, error) {
	return read(r.t, func() ([]routing.Decision, error) {
		list, _ := get(r.t, r.t.s.decisions, item)
		return clones(list), nil
	})
}
