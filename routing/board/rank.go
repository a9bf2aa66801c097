package board

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/internal/chance"
	"github.com/sangdam/sangdam/routing"
)

// Rank puts agents into the order in which they would be asked for the item: who
// is preferred and able, then the eligible by the queue's strategy, each with its
// key, and then the others by id with what excludes each. It goes by Eligible and
// the definitions of the strategies, not by the Board, so that it can say later
// what a Board had to decide, and whether it did. desk and now are as in Eligible;
// seed is the Board's.
//
// Of a strategy that draws only the one who is drawn has a place. known is false
// for an own strategy: the eligible then stand by id, without keys.
func Rank(it routing.Item, q routing.Queue, desk []routing.AgentID, agents []routing.Agent, seed uint64,
	now time.Time) (list []Considered, known bool) {
	kind, known := builtIn[q.Strategy]
	if !known {
		kind = kindOwn
	}
	r := ranker{it: &it, q: &q, kind: kind, seed: seed}
	if it.PreferredUntil.IsZero() || it.PreferredUntil.After(now) {
		r.first = it.Preferred
	}
	list = make([]Considered, 0, len(agents))
	place := map[routing.AgentID]rankPlace{}
	for i := range agents {
		a := &agents[i]
		c := Considered{Agent: a.ID, Declined: slices.Contains(it.Declined, a.ID), Excluded: Eligible(it, *a, q, desk, now)}
		if len(c.Excluded) == 0 {
			c.Key, place[a.ID] = r.place(a)
		}
		list = append(list, c)
	}
	if r.kind.drawn() {
		r.draw(agents, place)
	}
	slices.SortFunc(list, func(x, y Considered) int {
		p, able := place[x.Agent]
		o, other := place[y.Agent]
		if !able || !other {
			return cmp.Or(excludedLast(able, other), cmp.Compare(x.Agent, y.Agent))
		}
		return cmp.Or(cmp.Compare(p.group, o.group), p.key.compare(o.key), cmp.Compare(x.Agent, y.Agent))
	})
	return list, known
}

// excludedLast orders who may before who may not.
func excludedLast(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return -1
	}
	return 1
}

// rankPlace is where an eligible agent stands: the preferred one, then the others,
// then those who declined before and may be asked again.
type rankPlace struct {
	group int
	key   agentKey
}

const (
	rankPreferred = iota
	rankStrategy
	rankAgain
)

// ranker gives eligible agents of one item their places.
type ranker struct {
	it    *routing.Item
	q     *routing.Queue
	kind  strategyKind
	seed  uint64
	first routing.AgentID // who is preferred still; empty for nobody
}

// place is the agent's place and its key in words.
func (r *ranker) place(a *routing.Agent) (string, rankPlace) {
	p := rankPlace{group: rankStrategy, key: r.key(a)}
	text := strconv.FormatInt(p.key.key, 10)
	switch {
	case r.kind == kindRandom || r.kind == kindDesignated || r.kind == kindOwn:
		text = ""
	case r.kind == kindWeighted:
		text = strconv.FormatUint(r.weight(a), 10)
	case r.it.SkillMatch == routing.SkillClosest:
		text = strconv.FormatInt(p.key.far, 10) + "/" + text
	}
	if i := slices.Index(r.it.Declined, a.ID); i >= 0 {
		return text, rankPlace{group: rankAgain, key: agentKey{key: int64(i)}}
	}
	if a.ID == r.first {
		p.group = rankPreferred
	}
	return text, p
}

// key is the agent's key under a built-in strategy; lower is asked first.
func (r *ranker) key(a *routing.Agent) agentKey {
	var k agentKey
	short, surplus := distance(r.it.Skills, a.Skills)
	if r.it.SkillMatch == routing.SkillClosest {
		k.far = short
	}
	s := &a.State
	switch r.kind {
	case kindRoundRobin:
		k.key = s.Turns[r.q.ID]
	case kindLeastLoaded:
		k.key = int64(s.Load[routing.ProfileUnits])
	case kindMostFree:
		k.key = int64(s.Load[routing.ProfileUnits]) - int64(a.Capacity[routing.ProfileUnits])
	case kindLongestIdle:
		k.key = nanos(s.IdleSince)
	case kindFixedOrder:
		k.key = unlimited
		if rank, ok := r.q.Rank[a.ID]; ok {
			k.key = int64(rank)
		}
	case kindSkillClosest:
		k.key = short*missingSkill + surplus
	}
	return k
}

func (r *ranker) weight(a *routing.Agent) uint64 {
	if w, ok := r.q.Weights[a.ID]; ok && r.kind == kindWeighted {
		return uint64(max(0, w))
	}
	return 1
}

// draw puts the one who is drawn before the others whom the strategy chooses from.
func (r *ranker) draw(agents []routing.Agent, place map[routing.AgentID]rankPlace) {
	var able []*routing.Agent
	best := int64(unlimited)
	for i := range agents {
		if p, ok := place[agents[i].ID]; ok && p.group != rankAgain {
			able = append(able, &agents[i])
			best = min(best, p.key.far)
		}
	}
	able = slices.DeleteFunc(able, func(a *routing.Agent) bool { return place[a.ID].key.far != best })
	slices.SortFunc(able, func(x, y *routing.Agent) int { return cmp.Compare(x.ID, y.ID) })
	var total uint64
	for _, a := range able {
		total += r.weight(a)
	}
	var n uint64
	switch {
	case len(able) == 0:
		return
	case total == 0: // all weigh nothing: evenly
		n = chance.Draw(r.seed, r.it.ID, r.it.Attempt, uint64(len(able)))
	default:
		n = chance.Draw(r.seed, r.it.ID, r.it.Attempt, total)
	}
	for _, a := range able {
		w := r.weight(a)
		if total == 0 {
			w = 1
		}
		if n < w {
			p := place[a.ID]
			p.key = agentKey{far: -1}
			place[a.ID] = p
			return
		}
		n -= w
	}
}
