package board

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/routing"
)

// acted reports whether the queue's rule has acted on the item already.
func acted(it *routing.Item, q routing.QueueID, rule int) bool {
	return slices.ContainsFunc(it.Overflowed, func(s string) bool {
		at := strings.LastIndexByte(s, '/')
		if at < 0 || s[:at] != string(q) {
			return false
		}
		n, err := strconv.Atoi(s[at+1:])
		return err == nil && n == rule
	})
}

// applicable reports whether the rule could act on the item at all: it has not
// yet, and does not lead where the item has been.
func (b *Board) applicable(it *boardItem, rule int) bool {
	o := &it.q.row.Overflow[rule]
	if acted(&it.row, it.q.id, rule) {
		return false
	}
	if o.Do != routing.OverflowQueue {
		return true
	}
	target := b.queues[o.Queue]
	return target != nil && target.known && o.Queue != it.q.id && !slices.Contains(it.row.Visited, o.Queue)
}

// overflowRule returns the first rule that applies to a waiting item now. Early
// is before matching: only hours and wait count then.
func (b *Board) overflowRule(it *boardItem, early bool) (int, bool) {
	if early && b.isOpen(it) {
		return 0, false
	}
	for i := range it.q.row.Overflow {
		if b.applicable(it, i) && b.applies(it, i, early) {
			return i, true
		}
	}
	return 0, false
}

func (b *Board) applies(it *boardItem, rule int, early bool) bool {
	o := &it.q.row.Overflow[rule]
	switch o.When {
	case routing.OverflowHours:
		return !b.isOpen(it)
	case routing.OverflowWait:
		return nanos(it.row.EnteredAt.Add(o.After)) <= b.nowNs
	case routing.OverflowLength:
		return !early && it.q.entries.position(entryKey(it), it) >= o.Limit
	case routing.OverflowExhausted:
		return !early && it.class != nil && b.isExhausted(it.class)
	}
	return false
}

// triggered reports whether time or exhaustion makes the item overflow.
func (b *Board) triggered(it *boardItem) bool {
	for i := range it.q.row.Overflow {
		when := it.q.row.Overflow[i].When
		if (when == routing.OverflowWait || when == routing.OverflowExhausted) && b.applicable(it, i) && b.applies(it, i, false) {
			return true
		}
	}
	return false
}

func entryKey(it *boardItem) itemKey { return itemKey{since: nanos(it.row.EnteredAt)} }

// isExhausted reports, of a class that nobody can serve, whether someone could
// but for having declined. Agents whom the queue keeps back could, and did not
// decline.
func (b *Board) isExhausted(c *class) bool {
	if c.only == nil && c.p.q.row.Reserve > 0 && slices.ContainsFunc(c.p.q.members, func(a *boardAgent) bool {
		return c.p.able(a) && !slices.Contains(c.declined, a.id)
	}) {
		return false
	}
	return slices.ContainsFunc(c.declined, func(id routing.AgentID) bool {
		a := b.agents[id]
		return a != nil && (c.only == nil || c.only == a) && b.ableMember(c.p, a)
	})
}

// exhausted puts the items of a class that nobody can serve up for overflow.
func (b *Board) exhausted(c *class) {
	if len(c.declined) == 0 || !c.p.q.exhausts || !b.isExhausted(c) {
		return
	}
	for _, s := range c.items.s {
		b.late.push(s.it)
	}
}

func (b *Board) decideOverflow(it *boardItem, rule int) routing.Decision {
	d := b.decide(routing.DecideOverflow, it)
	d.Rule = rule
	o := it.q.row.Overflow[rule]
	d.Overflow = &o
	d.Why = "overflow: " + string(o.When)
	b.leave(it)
	return d
}

// relaxDue reports whether the waiting item's next requirement is to be
// dropped.
func (b *Board) relaxDue(it *boardItem) bool {
	at, ok := relaxAt(&it.row)
	return ok && !at.After(b.now)
}

func (b *Board) decideRelax(it *boardItem) routing.Decision {
	d := b.decide(routing.DecideRelax, it)
	d.Why = "waited for a skill"
	b.leave(it)
	return d
}

// maxLengths is how many length rules of a queue are followed: the bits of
// boardItem.fresh.
const maxLengths = 64

// setRules notes which kinds of overflow the queue has.
func (q *boardQueue) setRules() {
	q.exhausts, q.closes, q.entries, q.lengths, q.ranks = false, false, nil, nil, nil
	for i, o := range q.row.Overflow {
		switch o.When {
		case routing.OverflowExhausted:
			q.exhausts = true
		case routing.OverflowHours:
			q.closes = true
		case routing.OverflowLength:
			q.entries = &ranked{}
			if len(q.lengths) == maxLengths {
				continue
			}
			q.lengths = append(q.lengths, lengthRule{index: i, limit: o.Limit})
		}
	}
}

func (b *Board) enterLengths(q *boardQueue, it *boardItem) {
	if q.entries == nil {
		return
	}
	key := entryKey(it)
	q.entries.add(key, it)
	for i := range q.lengths {
		r := &q.lengths[i]
		if b.applicable(it, r.index) {
			r.fresh.add(key, it)
			it.fresh |= 1 << i
		}
		if q.n > r.limit && !q.crowded {
			q.crowded = true
			b.crowded = append(b.crowded, q)
		}
	}
}

func (q *boardQueue) leaveLengths(it *boardItem) {
	if q.entries == nil {
		return
	}
	key := entryKey(it)
	q.entries.remove(key, it)
	for i := range q.lengths {
		if it.fresh&(1<<i) != 0 {
			q.lengths[i].fresh.remove(key, it)
		}
	}
	it.fresh = 0
}

// decideLength lets the last to enter a queue that is too long overflow, queue
// by queue in the order of their ids.
func (b *Board) decideLength() (routing.Decision, bool) {
	for len(b.crowded) > 0 {
		i := 0
		for j, q := range b.crowded {
			if q.id < b.crowded[i].id {
				i = j
			}
		}
		q := b.crowded[i]
		if it := q.overlong(); it != nil {
			if rule, ok := b.overflowRule(it, false); ok {
				return b.decideOverflow(it, rule), true
			}
		}
		q.crowded = false
		b.crowded = slices.Delete(b.crowded, i, i+1)
	}
	return routing.Decision{}, false
}

// overlong returns the last item to enter that a length rule applies to.
func (q *boardQueue) overlong() *boardItem {
	for i := range q.lengths {
		r := &q.lengths[i]
		if r.fresh.n == 0 {
			continue
		}
		it := r.fresh.last()
		if q.entries.position(entryKey(it), it) >= r.limit {
			return it
		}
	}
	return nil
}
