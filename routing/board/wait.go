package board

import (
	"time"

	"github.com/sangdam/sangdam/routing"
)

// flow estimates how fast a queue moves: the mean time between two departures
// while someone waits, newer ones counting more.
type flow struct {
	last int64 // the last departure that left someone waiting; 0 for none
	mean float64
	n    int
}

// flowWeight is the weight of the newest departure once the estimate has
// settled.
const flowWeight = 0.05

// depart notes that an item left at now for an agent and n still wait.
func (f *flow) depart(now int64, n int) {
	if f.last != 0 && now > f.last {
		f.n++
		w := max(flowWeight, 1/float64(f.n))
		f.mean += w * (float64(now-f.last) - f.mean)
	}
	f.last = 0
	if n > 0 {
		f.last = now
	}
}

// expect is the time until the item at a position, from 1, departs.
func (f *flow) expect(now int64, pos int) (time.Duration, bool) {
	if f.n == 0 {
		return 0, false
	}
	step := f.mean
	if f.last != 0 {
		step = max(step, float64(now-f.last)) // nothing has moved for longer than usual
	}
	return time.Duration(step * float64(pos)), true
}

// Position returns the place of a waiting item in its queue, from 1, and how
// many wait there; false when it does not wait.
func (b *Board) Position(id routing.ItemID) (pos, of int, ok bool) {
	it := b.items[id]
	if it == nil || !it.placed() || !it.waiting {
		return 0, 0, false
	}
	q := it.q
	if q.ranks == nil {
		q.ranks = &ranked{}
		for _, other := range q.items {
			q.ranks.add(other.key, other)
		}
	}
	return q.ranks.position(it.key, it) + 1, q.n, true
}

// ExpectedWait estimates how long a waiting item will wait from now on: its
// position times the mean time between the queue's recent departures. It is
// false for an item that does not wait and while the Board has not yet seen the
// queue move. It is an estimate for people, learnt since the Board was built;
// no decision rests on it.
func (b *Board) ExpectedWait(id routing.ItemID) (time.Duration, bool) {
	pos, _, ok := b.Position(id)
	if !ok {
		return 0, false
	}
	return b.items[id].q.flow.expect(b.nowNs, pos)
}
