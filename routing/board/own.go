package board

import (
	"fmt"
	"maps"
	"math"

	"github.com/sangdam/sangdam/routing"
)

// ownAmong lets an own strategy choose. One that misbehaves is refused, and
// round robin decides in its place, so that no item waits for a bug.
func (b *Board) ownAmong(p *pool, it *boardItem, able []*boardAgent) choice {
	q := p.q
	keys, err := b.ownKeys(q.own, it, able, q)
	if err == "" {
		again, err2 := b.ownKeys(q.own, it, able, q)
		err = err2
		for i := range again {
			if again[i] != keys[i] {
				err = fmt.Sprintf("answered %v and then %v for agent %q", keys[i], again[i], able[i].id)
			}
		}
	}
	if err != "" {
		return b.first(p, able, kindRoundRobin, fmt.Sprintf("round robin, since strategy %q was refused: it %s", q.row.Strategy, err))
	}
	all := make([]ranking, len(able))
	for i, a := range able {
		all[i] = ranking{a: a, key: agentKey{p.farOf(a), ordered(keys[i])}, own: keys[i]}
	}
	best := 0
	for i := range all {
		if compareRanking(all[i], all[best]) < 0 {
			best = i
		}
	}
	win := all[best]
	ch := choice{a: win.a, key: win.key, own: win.own, keyed: true, why: "strategy"}
	if !b.brief {
		ch.next = firstFive(append(all[:best], all[best+1:]...))
	}
	return ch
}

// ownKeys asks an own strategy for every agent's key and says what is wrong
// with the answers.
func (b *Board) ownKeys(s routing.Strategy, it *boardItem, able []*boardAgent, q *boardQueue) (keys []float64, wrong string) {
	defer func() {
		if recover() != nil { // without the value: it may hold a customer's words, and the reason is kept
			wrong = "panicked"
		}
	}()
	for _, a := range able {
		k := s.Key(it.row, a.view(b), q.row)
		if math.IsNaN(k) {
			return nil, fmt.Sprintf("answered NaN for agent %q", a.id)
		}
		keys = append(keys, k)
	}
	return keys, ""
}

// view is the agent's row with what is decided but not stored yet.
func (a *boardAgent) view(b *Board) routing.Agent {
	row := a.row
	row.State.Load = maps.Clone(row.State.Load)
	if row.State.Load == nil {
		row.State.Load = map[routing.Profile]int{}
	}
	for name, p := range b.profiles {
		if used := a.usedOf(p); used != 0 || row.State.Load[name] != 0 {
			row.State.Load[name] = int(used)
		}
	}
	row.State.Turns = maps.Clone(row.State.Turns)
	for i := range a.turns {
		if t := &a.turns[i]; t.over != 0 {
			if row.State.Turns == nil {
				row.State.Turns = map[routing.QueueID]int64{}
			}
			row.State.Turns[t.q.id] = a.turn(t.q)
		}
	}
	return row
}
