package board

import (
	"slices"

	"github.com/sangdam/sangdam/routing"
)

// ApplyDesk tells the Board who belongs to a desk, as of a version of the
// configuration; one that is not newer is ignored, except for the first. Nobody
// may take an item of a desk that the Board has not been told of. members may
// be in any order.
func (b *Board) ApplyDesk(id routing.DeskID, members []routing.AgentID, version int64) {
	d := b.desk(id)
	if d.version != 0 && version <= d.version {
		return
	}
	was := d.members
	d.version = version
	d.members = slices.Compact(slices.Sorted(slices.Values(members)))
	for _, a := range was {
		if !onDesk(d.members, a) {
			b.changeDesks(b.agent(a), func(a *boardAgent) {
				a.desks = slices.DeleteFunc(a.desks, func(have *boardDesk) bool { return have == d })
			})
		}
	}
	for _, a := range d.members {
		if !onDesk(was, a) {
			b.changeDesks(b.agent(a), func(a *boardAgent) { a.desks = append(a.desks, d) })
		}
	}
}

// changeDesks changes the desks of an agent and what rests on them.
func (b *Board) changeDesks(a *boardAgent, change func(*boardAgent)) {
	b.leaveIndexes(a)
	change(a)
	b.joinIndexes(a)
	b.agentChanged(a)
}

// desk returns the desk, known or not: items may come before it.
func (b *Board) desk(id routing.DeskID) *boardDesk {
	d := b.desks[id]
	if d == nil {
		d = &boardDesk{}
		b.desks[id] = d
	}
	return d
}

// deskMembers are the agents of a desk, ascending.
func (b *Board) deskMembers(id routing.DeskID) []routing.AgentID {
	if d := b.desks[id]; d != nil {
		return d.members
	}
	return nil
}
