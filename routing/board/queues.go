package board

import (
	"slices"

	"github.com/sangdam/sangdam/routing"
)

// ApplyQueue tells the Board a queue as of a version of the configuration; one
// that is not newer is ignored, except for the first.
func (b *Board) ApplyQueue(row routing.Queue, version int64) {
	q := b.queue(row.ID)
	if q.version != 0 && version <= q.version {
		return
	}
	appears := !q.known
	b.setQueue(q, row, version, true)
	if appears {
		b.reenterSources(row.ID)
	}
}

// RemoveQueue takes a queue off the Board. Its items stay, waiting for a row
// that moves them or a queue that comes back.
func (b *Board) RemoveQueue(id routing.QueueID, version int64) {
	q := b.queue(id)
	if q.version != 0 && version <= q.version {
		return
	}
	b.setQueue(q, routing.Queue{ID: id}, version, false)
	b.reenterSources(id)
}

// reenterSources looks again at what waits in queues that overflow into a
// queue that came or went.
func (b *Board) reenterSources(target routing.QueueID) {
	for _, q := range b.queues {
		if slices.ContainsFunc(q.row.Overflow, func(o routing.Overflow) bool { return o.Queue == target }) {
			b.setQueue(q, q.row, q.version, q.known)
		}
	}
}

// queue returns the queue, known or not: items may come before the queue's
// own row.
func (b *Board) queue(id routing.QueueID) *boardQueue {
	q := b.queues[id]
	if q == nil {
		q = &boardQueue{id: id, row: routing.Queue{ID: id}}
		q.dirty = indexed[*class]{
			less: func(x, y *class) bool {
				s, t := x.head(), y.head()
				return keyBefore(s.key, t.key, s, t)
			},
			place: func(c *class) *int32 { return &c.dirtyPos },
		}
		b.queues[id] = q
	}
	return q
}

// setQueue replaces a queue's row: everything in it enters again.
func (b *Board) setQueue(q *boardQueue, row routing.Queue, version int64, known bool) {
	items := append([]*boardItem(nil), q.items...)
	for _, it := range items {
		b.leave(it)
	}
	for _, p := range q.pools {
		if p.index != nil {
			b.dropIndex(p)
		}
	}
	for _, a := range q.members {
		a.leaveQueue(q)
	}
	q.row, q.version, q.known = row, version, known
	q.pools = map[string]*pool{}
	b.setStrategy(q)
	b.setMembers(q)
	q.setRules()
	q.calendar = newCalendar(row.Hours)
	for _, it := range items {
		b.enter(it)
	}
	for _, a := range q.members {
		b.agentChanged(a) // items may prefer it
	}
}

func (b *Board) setStrategy(q *boardQueue) {
	q.own, q.only = b.strategies[q.row.Strategy], nil
	kind, ok := builtIn[q.row.Strategy]
	switch {
	case q.own != nil:
		kind = kindOwn
	case !ok:
		kind = kindRoundRobin // validation refuses it; items are not lost over it
	case kind == kindDesignated:
		q.only = b.agent(q.row.Designated)
	}
	q.kind = kind
}

// setMembers makes the row's members the queue's.
func (b *Board) setMembers(q *boardQueue) {
	q.members, q.sorted, q.wheel = nil, false, 0
	for _, id := range q.row.Members {
		a := b.agent(id)
		if a.memberOf(q) {
			continue
		}
		q.members = append(q.members, a)
		a.queues = append(a.queues, q)
		a.turns = append(a.turns, boardTurn{q: q, row: a.row.State.Turns[q.id]})
		a.setTurn(q)
		q.wheel = max(q.wheel, a.turn(q))
	}
}

func (a *boardAgent) leaveQueue(q *boardQueue) {
	a.queues = slices.DeleteFunc(a.queues, func(have *boardQueue) bool { return have == q })
	a.turns = slices.DeleteFunc(a.turns, func(t boardTurn) bool { return t.q == q })
}
