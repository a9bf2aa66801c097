package board

import (
	"cmp"
	"slices"

	"github.com/sangdam/sangdam/internal/chance"
	"github.com/sangdam/sangdam/routing"
)

// agentIndex finds a pool's best agent without looking at all of them. It is a
// cache: decisions are the same without it.
//
// For strategies that order, heap holds an entry for every agent that may be
// able. It is kept lazily: an entry's key is at most the agent's true key, and
// an agent that is no longer able stays, until either comes to the top and is
// put right. Only a key that falls needs work at once: a second entry, which
// makes the first void.
//
// For strategies that draw, a Fenwick tree holds the weights of the able
// agents in the order of their ids; it is kept eagerly.
type agentIndex struct {
	heap []indexEntry
	live int // agents with an entry that is not void; of a draw, the able ones
	mark uint32

	drawn   bool
	slots   []*boardAgent // that the pool covers, by id
	weights []uint64
	sums    []uint64 // 1-based
	total   uint64
}

type indexEntry struct {
	key agentKey
	ord int32
	a   *boardAgent
}

func (e *indexEntry) before(f *indexEntry) bool {
	if e.key != f.key {
		return e.key.compare(f.key) < 0
	}
	return e.ord < f.ord
}

// poolPlace is an agent's place in the index of a pool that covers it.
type poolPlace struct {
	p      *pool
	fixed  agentKey // the part of the key that the settings give
	bound  agentKey // of the entry that is not void
	listed bool     // there is one; of a draw, the agent is able
	mark   uint32
	slot   int32
}

// maxIndexes is how many pools have an index at a time.
const maxIndexes = 1024

// indexable reports whether an index serves the pool: own strategies are asked
// every time, and a draw among the closest needs all of them.
func (p *pool) indexable() bool {
	return p.q.kind != kindOwn && !(p.closest && p.q.kind.drawn())
}

// dynamic reports whether the strategy's key changes as agents work.
func (k strategyKind) dynamic() bool {
	return k == kindRoundRobin || k == kindLeastLoaded || k == kindMostFree || k == kindLongestIdle
}

// keyAt is keyOf with the fixed part taken from the place.
func (pl *poolPlace) keyAt(a *boardAgent) agentKey {
	k := pl.fixed
	if q := pl.p.q; q.kind.dynamic() {
		k.key = q.kind.moving(a, q)
	}
	return k
}

// moving is the key of a dynamic strategy as the agent stands now.
func (k strategyKind) moving(a *boardAgent, q *boardQueue) int64 {
	switch k {
	case kindRoundRobin:
		return a.turn(q)
	case kindLeastLoaded:
		return a.usedOf(0)
	case kindMostFree:
		return a.usedOf(0) - a.limitOf(0)
	}
	return a.idleSince
}

// ableNow is able for an agent that the pool covers.
func (p *pool) ableNow(a *boardAgent) bool {
	return p.there(a) && a.fits(p.uses)
}

func (a *boardAgent) placeIn(p *pool) *poolPlace {
	for i := range a.places {
		if a.places[i].p == p {
			return &a.places[i]
		}
	}
	return nil
}

// indexOf returns the pool's index, building it where needed.
func (b *Board) indexOf(p *pool) *agentIndex {
	b.clock++
	p.used = b.clock
	if p.index != nil {
		return p.index
	}
	if len(b.indexed) >= maxIndexes {
		b.dropIndex(slices.MinFunc(b.indexed, func(x, y *pool) int { return cmp.Compare(x.used, y.used) }))
	}
	x := &agentIndex{drawn: p.q.kind.drawn()}
	p.index = x
	b.indexed = append(b.indexed, p)
	for _, a := range p.q.members {
		if p.covers(a) {
			a.places = append(a.places, p.newPlace(a, int32(len(x.slots))))
			if x.drawn {
				x.slots = append(x.slots, a)
			}
		}
	}
	if x.drawn {
		x.weights = make([]uint64, len(x.slots))
		x.sums = make([]uint64, len(x.slots)+1)
	}
	for _, a := range p.q.members {
		if pl := a.placeIn(p); pl != nil {
			b.rekeyPlace(a, pl)
		}
	}
	return x
}

func (p *pool) newPlace(a *boardAgent, slot int32) poolPlace {
	pl := poolPlace{p: p, slot: slot}
	pl.fixed.far = p.farOf(a)
	if !p.q.kind.dynamic() && !p.q.kind.drawn() {
		pl.fixed = p.keyOf(a, p.q.kind)
	}
	return pl
}

func (b *Board) dropIndex(p *pool) {
	for _, a := range p.q.members {
		a.places = slices.DeleteFunc(a.places, func(pl poolPlace) bool { return pl.p == p })
	}
	p.index = nil
	b.indexed = slices.DeleteFunc(b.indexed, func(other *pool) bool { return other == p })
}

// leaveIndexes takes an agent out before its settings change.
func (b *Board) leaveIndexes(a *boardAgent) {
	for i := range a.places {
		pl := &a.places[i]
		x := pl.p.index
		if x.drawn {
			x.weigh(pl.slot, 0)
		}
		if pl.listed {
			x.live--
		}
	}
	a.places = a.places[:0]
}

// joinIndexes puts an agent in after its settings changed.
func (b *Board) joinIndexes(a *boardAgent) {
	for _, p := range slices.Clone(b.indexed) {
		switch {
		case !a.memberOf(p.q) || !p.covers(a):
		case p.index.drawn:
			slot, found := slices.BinarySearchFunc(p.index.slots, a.id,
				func(s *boardAgent, id routing.AgentID) int { return cmp.Compare(s.id, id) })
			if !found {
				b.dropIndex(p)
				continue
			}
			a.places = append(a.places, p.newPlace(a, int32(slot)))
		default:
			a.places = append(a.places, p.newPlace(a, 0))
		}
	}
	b.rekey(a)
}

// rekey follows a change of what the agent's keys and ability rest on.
func (b *Board) rekey(a *boardAgent) {
	for i := range a.places {
		b.rekeyPlace(a, &a.places[i])
	}
}

func (b *Board) rekeyPlace(a *boardAgent, pl *poolPlace) {
	p := pl.p
	x := p.index
	able := p.ableNow(a)
	if x.drawn {
		x.setAble(pl, able, a)
		return
	}
	if !able {
		return
	}
	k := pl.keyAt(a)
	if pl.listed && pl.bound.compare(k) <= 0 {
		return
	}
	if !pl.listed {
		pl.listed = true
		x.live++
	}
	pl.bound = k
	x.push(indexEntry{k, a.ord, a})
	if len(x.heap) > 2*x.live+scanLimit {
		x.compact(p)
	}
}

// pickIndexed chooses by the index among those who did not decline.
func (b *Board) pickIndexed(c *class, it *boardItem) (choice, bool) {
	x := b.indexOf(c.p)
	if x.drawn {
		return b.drawIndexed(c, it, x)
	}
	if len(c.declined) == 0 && b.brief {
		if !b.settleTop(c.p, x) {
			return choice{}, false
		}
		top := &x.heap[0]
		return choice{a: top.a, key: top.key, keyed: true, why: "strategy"}, true
	}
	return b.firstIndexed(c, x)
}

// firstIndexed takes the first six that did not decline off the heap and puts
// them back.
func (b *Board) firstIndexed(c *class, x *agentIndex) (ch choice, found bool) {
	var taken []indexEntry
	want := 6
	if b.brief {
		want = 1
	}
	for want > 0 && b.settleTop(c.p, x) {
		e := x.pop()
		taken = append(taken, e)
		e.a.placeIn(c.p).listed = false // no double comes up meanwhile
		if slices.Contains(c.declined, e.a.id) {
			continue
		}
		want--
		if !found {
			ch, found = choice{a: e.a, key: e.key, keyed: true, why: "strategy"}, true
		} else {
			ch.next = append(ch.next, ranking{a: e.a, key: e.key})
		}
	}
	for _, e := range taken {
		e.a.placeIn(c.p).listed = true
		x.push(e)
	}
	return ch, found
}

// settleTop puts the top of the heap right; false when nobody is able.
func (b *Board) settleTop(p *pool, x *agentIndex) bool {
	for len(x.heap) > 0 {
		e := &x.heap[0]
		b.examined++
		pl := e.a.placeIn(p)
		switch {
		case pl == nil || !pl.listed || pl.bound != e.key:
			x.pop() // void
		case !p.ableNow(e.a):
			pl.listed = false
			x.live--
			x.pop()
		default:
			k := pl.keyAt(e.a)
			if k == e.key {
				return true
			}
			pl.bound = k
			x.sink(0, indexEntry{k, e.ord, e.a})
		}
	}
	return false
}

// drawIndexed draws by the tree; those who declined weigh nothing meanwhile.
func (b *Board) drawIndexed(c *class, it *boardItem, x *agentIndex) (choice, bool) {
	p := c.p
	for _, id := range c.declined {
		if a := b.agents[id]; a != nil {
			if pl := a.placeIn(p); pl != nil {
				x.weigh(pl.slot, 0)
				defer b.rekeyPlace(a, pl)
			}
		}
	}
	b.examined++
	switch {
	case x.live == 0:
		return choice{}, false
	case x.total == 0:
		return b.among(c, it, p.q.members) // perhaps some of weight 0
	}
	a := x.slots[x.find(chance.Draw(b.seed, it.id, it.row.Attempt, x.total))]
	return choice{a: a, why: "strategy"}, true
}

func (x *agentIndex) push(e indexEntry) {
	x.heap = append(x.heap, e)
	i := len(x.heap) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&x.heap[parent]) {
			break
		}
		x.heap[i] = x.heap[parent]
		i = parent
	}
	x.heap[i] = e
}

func (x *agentIndex) pop() indexEntry {
	top := x.heap[0]
	n := len(x.heap) - 1
	last := x.heap[n]
	x.heap[n] = indexEntry{}
	x.heap = x.heap[:n]
	if n > 0 {
		x.sink(0, last)
	}
	return top
}

// sink puts e at the hole i or below it.
func (x *agentIndex) sink(i int, e indexEntry) {
	for {
		first := 4*i + 1
		if first >= len(x.heap) {
			break
		}
		best := first
		for c := first + 1; c < min(first+4, len(x.heap)); c++ {
			if x.heap[c].before(&x.heap[best]) {
				best = c
			}
		}
		if !x.heap[best].before(&e) {
			break
		}
		x.heap[i] = x.heap[best]
		i = best
	}
	x.heap[i] = e
}

// compact drops the void entries.
func (x *agentIndex) compact(p *pool) {
	x.mark++
	kept := x.heap[:0]
	for _, e := range x.heap {
		pl := e.a.placeIn(p)
		if pl != nil && pl.listed && pl.bound == e.key && pl.mark != x.mark {
			pl.mark = x.mark
			kept = append(kept, e)
		}
	}
	clear(x.heap[len(kept):])
	x.heap = kept
	for i := (len(kept) - 2) / 4; i >= 0 && len(kept) > 1; i-- {
		x.sink(i, kept[i])
	}
}

// setAble gives an agent its weight in a draw, or none.
func (x *agentIndex) setAble(pl *poolPlace, able bool, a *boardAgent) {
	if able != pl.listed {
		pl.listed = able
		if able {
			x.live++
		} else {
			x.live--
		}
	}
	var w uint64
	if able {
		w = pl.p.q.weightOf(a)
	}
	x.weigh(pl.slot, w)
}

// weigh sets the weight of a slot.
func (x *agentIndex) weigh(slot int32, w uint64) {
	d := w - x.weights[slot] // wraps; so do the sums, back to what is right
	if d == 0 {
		return
	}
	x.weights[slot] = w
	x.total += d
	for i := int(slot) + 1; i < len(x.sums); i += i & -i {
		x.sums[i] += d
	}
}

// find returns the slot in whose share of the weights n lies.
func (x *agentIndex) find(n uint64) int {
	step := 1
	for step*2 < len(x.sums) {
		step *= 2
	}
	at := 0
	for ; step > 0; step /= 2 {
		if next := at + step; next < len(x.sums) && x.sums[next] <= n {
			at = next
			n -= x.sums[next]
		}
	}
	return at
}
