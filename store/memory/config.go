package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

type config struct{ t *tx }

// configuration is one row: administrators are few, and rivals run again.
type configuration struct {
	version int64
	desks   map[routing.DeskID]routing.Desk
	members map[routing.DeskID][]routing.AgentID
	streams map[routing.WorkStreamID]routing.WorkStream
	queues  map[routing.QueueID]routing.Queue
}

func (r config) row() configuration {
	c, _ := get(r.t, r.t.s.config, struct{}{})
	return c
}

// raise counts a change of the configuration without changing its content.
func (r config) raise() { r.change(func(*configuration) {}) }

func (r config) change(fn func(*configuration)) {
	c := r.row()
	c = configuration{version: c.version + 1, desks: copied(c.desks), members: copied(c.members), streams: copied(c.streams),
		queues: copied(c.queues)}
	fn(&c)
	put(r.t, r.t.s.config, struct{}{}, c)
}

// copied is a shallow copy that is never nil.
func copied[K comparable, V any](m map[K]V) map[K]V {
	out := make(map[K]V, len(m)+1)
	maps.Copy(out, m)
	return out
}

func (r config) Configuration(_ context.Context, known int64) (routing.Configuration, error) {
	return read(r.t, func() (routing.Configuration, error) {
		c := r.row()
		if c.version == known {
			c = configuration{version: known}
		}
		r.t.found(len(c.desks) + len(c.streams) + len(c.queues))
		return clone(routing.Configuration{
			Version: c.version, Desks: copied(c.desks), Members: copied(c.members),
			WorkStreams: copied(c.streams), Queues: copied(c.queues),
		}), nil
	})
}

// Hold guards the configuration as it is now: a rival's change runs this
// transaction again.
func (r config) Hold(ctx context.Context) error {
	version, err := read(r.t, func() (int64, error) { return r.row().version, nil })
	if err != nil {
		return err
	}
	return r.t.Guard(ctx, driver.GuardConfig, "", version)
}

func (r config) SaveDesk(_ context.Context, d routing.Desk) error {
	return do(r.t, func() error {
		c := r.row()
		for id, other := range c.desks {
			if id != d.ID && other.Name == d.Name {
				return errs.New(errs.AlreadyExists, "memory: desk %q has the same name; choose another", id)
			}
		}
		if n := len(c.members[d.ID]); d.Seats > 0 && d.Seats < n {
			return errs.New(errs.Invalid, "memory: desk %q has %d agents, more than %d seats; remove agents first", d.ID, n, d.Seats)
		}
		r.change(func(c *configuration) { c.desks[d.ID] = clone(d) })
		return nil
	})
}

func (r config) SaveWorkStream(_ context.Context, w routing.WorkStream) error {
	return do(r.t, func() error {
		r.change(func(c *configuration) { c.streams[w.ID] = clone(w) })
		return nil
	})
}

func (r config) SaveQueue(_ context.Context, q routing.Queue) error {
	return do(r.t, func() error {
		r.membersChanged(r.row().queues[q.ID].Members, q.Members)
		r.change(func(c *configuration) { c.queues[q.ID] = clone(q) })
		return nil
	})
}

// membersChanged raises EligRev of who came or went.
func (r config) membersChanged(was, is []routing.AgentID) {
	for _, a := range was {
		if !slices.Contains(is, a) {
			agents{r.t}.raise(a)
		}
	}
	for _, a := range is {
		if !slices.Contains(was, a) {
			agents{r.t}.raise(a)
		}
	}
}

func (r config) AddMember(_ context.Context, id routing.DeskID, a routing.AgentID) error {
	return do(r.t, func() error {
		d, ok := r.row().desks[id]
		if !ok {
			return missing("desk", string(id))
		}
		members := r.row().members[id]
		at, found := slices.BinarySearch(members, a)
		if found {
			return nil
		}
		if d.Seats > 0 && len(members) >= d.Seats {
			return errs.New(errs.Invalid, "memory: all %d seats of desk %q are taken; add seats or remove an agent", d.Seats, id)
		}
		agents{r.t}.raise(a)
		r.change(func(c *configuration) { c.members[id] = slices.Insert(slices.Clone(members), at, a) })
		return nil
	})
}

func (r config) RemoveMember(_ context.Context, id routing.DeskID, a routing.AgentID) error {
	return do(r.t, func() error {
		if _, ok := r.row().desks[id]; !ok {
			return missing("desk", string(id))
		}
		members := r.row().members[id]
		at, found := slices.BinarySearch(members, a)
		if !found {
			return nil
		}
		if len(members) == 1 {
			return errs.New(errs.Invalid, "memory: the last agent of desk %q cannot be removed; add another first", id)
		}
		agents{r.t}.raise(a)
		r.change(func(c *configuration) { c.members[id] = slices.Delete(slices.Clone(members), at, at+1) })
		return nil
	})
}
