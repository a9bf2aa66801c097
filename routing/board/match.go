package board

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/sangdam/sangdam/internal/chance"
	"github.com/sangdam/sangdam/routing"
)

// scanLimit is the pool size up to which a plain scan beats an index.
const scanLimit = 64

// countLimit is the number of members up to which a decision counts the
// exclusions.
const countLimit = 1024

// mark says that the agent may have become able to serve the class.
func (b *Board) mark(c *class, a *boardAgent) {
	if c.full {
		return
	}
	if !slices.Contains(c.cands, a) {
		if len(c.cands) >= scanLimit {
			b.markFull(c)
			return
		}
		c.cands = append(c.cands, a)
	}
	b.markDirty(c)
}

// markFull says that anyone may be able to serve the class.
func (b *Board) markFull(c *class) {
	c.full = true
	b.markDirty(c)
}

func (b *Board) markDirty(c *class) {
	q := c.p.q
	if c.dirtyPos != 0 {
		return
	}
	q.dirty.push(c)
	if q.dirtyPos == 0 {
		b.dirty = append(b.dirty, q)
		q.dirtyPos = int32(len(b.dirty))
	}
}

// clean says that nobody can serve the class until something changes.
func (b *Board) clean(c *class) {
	q := c.p.q
	q.dirty.remove(c)
	c.full, c.cands = false, c.cands[:0]
	if q.dirty.len() == 0 && q.dirtyPos != 0 {
		last := b.dirty[len(b.dirty)-1]
		b.dirty[q.dirtyPos-1] = last
		last.dirtyPos = q.dirtyPos
		b.dirty = b.dirty[:len(b.dirty)-1]
		q.dirtyPos = 0
	}
}

// nextClass returns the dirty class whose head goes first of all, nil for
// none.
func (b *Board) nextClass() *class {
	var best *class
	for _, q := range b.dirty {
		if c := q.dirty.top(); best == nil || b.goesFirst(c.head(), best.head()) {
			best = c
		}
	}
	return best
}

// goesFirst orders the heads of different queues.
func (b *Board) goesFirst(x, y *boardItem) bool {
	if p, q := b.effective(x), b.effective(y); p != q {
		return p > q
	}
	x0, y0 := itemKey{since: x.key.since}, itemKey{since: y.key.since}
	return keyBefore(x0, y0, x, y)
}

// choice is an agent chosen for an item.
type choice struct {
	a     *boardAgent
	why   string
	key   agentKey
	own   float64 // the key of an own strategy
	keyed bool
	next  []ranking
}

// agentKey orders agents: how far the skills are off, where closeness counts,
// then the strategy's key. Ties go by agent id.
type agentKey struct{ far, key int64 }

func (k agentKey) compare(l agentKey) int {
	return cmp.Or(cmp.Compare(k.far, l.far), cmp.Compare(k.key, l.key))
}

// ranking is an agent with its key.
type ranking struct {
	a   *boardAgent
	key agentKey
	own float64
}

func compareRanking(x, y ranking) int {
	return cmp.Or(x.key.compare(y.key), cmp.Compare(x.a.ord, y.a.ord))
}

// choose picks the agent for the class's first item.
func (b *Board) choose(c *class, it *boardItem) (choice, bool) {
	q := c.p.q
	if q.row.Reserve > 0 && !b.enough(c) {
		b.exhausted(c)
		return choice{}, false
	}
	if c.only != nil {
		return b.chooseOnly(c)
	}
	if a := b.preferred(c, it); a != nil {
		return choice{a: a, why: "preferred"}, true
	}
	if ch, ok := b.pick(c, it); ok {
		return ch, true
	}
	if c.again {
		for _, id := range c.declined {
			if a := b.agents[id]; a != nil && b.ableMember(c.p, a) {
				return choice{a: a, why: "asked again"}, true
			}
		}
	}
	b.exhausted(c)
	return choice{}, false
}

func (b *Board) ableMember(p *pool, a *boardAgent) bool {
	b.examined++
	return p.able(a) && a.memberOf(p.q)
}

func (b *Board) chooseOnly(c *class) (choice, bool) {
	a := c.only
	if !b.ableMember(c.p, a) {
		return choice{}, false
	}
	if !c.again && slices.Contains(c.declined, a.id) {
		b.exhausted(c)
		return choice{}, false
	}
	why := "designated"
	if it := c.head(); it.row.Designated == "" && c.p.q.kind != kindDesignated {
		why = "preferred"
	}
	return choice{a: a, why: why}, true
}

// preferred returns the item's preferred agent if it is to be asked first and
// able.
func (b *Board) preferred(c *class, it *boardItem) *boardAgent {
	row := &it.row
	if row.Preferred == "" || !row.PreferredUntil.IsZero() && !row.PreferredUntil.After(b.now) {
		return nil
	}
	a := b.agents[row.Preferred]
	if a == nil || slices.Contains(c.declined, a.id) || !b.ableMember(c.p, a) {
		return nil
	}
	return a
}

// enough reports whether more agents are able than the queue keeps back.
func (b *Board) enough(c *class) bool {
	n := 0
	for _, a := range c.p.q.members {
		b.examined++
		if c.p.able(a) {
			if n++; n > c.p.q.row.Reserve {
				return true
			}
		}
	}
	return false
}

// pick chooses by the queue's strategy among those who did not decline.
func (b *Board) pick(c *class, it *boardItem) (choice, bool) {
	q := c.p.q
	q.sortMembers()
	switch {
	case !c.full && q.row.Reserve == 0:
		return b.among(c, it, c.cands)
	case len(q.members) < scanLimit || !c.p.indexable():
		return b.among(c, it, q.members)
	}
	return b.pickIndexed(c, it)
}

// among chooses from the able ones of a few agents.
func (b *Board) among(c *class, it *boardItem, agents []*boardAgent) (choice, bool) {
	able := b.able[:0]
	for _, a := range agents {
		b.examined++
		if c.p.able(a) && !slices.Contains(c.declined, a.id) {
			able = append(able, a)
		}
	}
	b.able = able
	switch {
	case len(able) == 0:
		return choice{}, false
	case c.p.q.kind.drawn():
		return b.drawAmong(c.p, it, able), true
	case c.p.q.kind == kindOwn:
		return b.ownAmong(c.p, it, able), true
	}
	return b.first(c.p, able, c.p.q.kind, "strategy"), true
}

// first chooses the agent with the lowest key.
func (b *Board) first(p *pool, able []*boardAgent, kind strategyKind, why string) choice {
	best := ranking{a: able[0], key: p.keyOf(able[0], kind)}
	for _, a := range able[1:] {
		if r := (ranking{a: a, key: p.keyOf(a, kind)}); compareRanking(r, best) < 0 {
			best = r
		}
	}
	ch := choice{a: best.a, key: best.key, keyed: true, why: why}
	if !b.brief && len(able) > 1 {
		all := make([]ranking, 0, len(able)-1)
		for _, a := range able {
			if a != best.a {
				all = append(all, ranking{a: a, key: p.keyOf(a, kind)})
			}
		}
		ch.next = firstFive(all)
	}
	return ch
}

func firstFive(all []ranking) []ranking {
	slices.SortFunc(all, compareRanking)
	return all[:min(5, len(all))]
}

// drawAmong draws one of the able agents, in the order of their ids. Where
// closeness counts, only the closest take part.
func (b *Board) drawAmong(p *pool, it *boardItem, able []*boardAgent) choice {
	slices.SortFunc(able, func(x, y *boardAgent) int { return cmp.Compare(x.ord, y.ord) })
	if p.closest {
		best := int64(unlimited)
		for _, a := range able {
			best = min(best, p.farOf(a))
		}
		able = slices.DeleteFunc(able, func(a *boardAgent) bool { return p.farOf(a) != best })
	}
	var total uint64
	for _, a := range able {
		total += p.q.weightOf(a)
	}
	if total == 0 {
		n := chance.Draw(b.seed, it.id, it.row.Attempt, uint64(len(able)))
		return choice{a: able[n], why: "strategy"}
	}
	n := chance.Draw(b.seed, it.id, it.row.Attempt, total)
	for _, a := range able {
		w := p.q.weightOf(a)
		if n < w {
			return choice{a: a, why: "strategy"}
		}
		n -= w
	}
	return choice{a: able[len(able)-1], why: "strategy"}
}

// weightOf is the agent's weight in a drawn strategy.
func (q *boardQueue) weightOf(a *boardAgent) uint64 {
	if q.kind == kindWeighted {
		if w, ok := q.row.Weights[a.id]; ok {
			return uint64(max(0, w))
		}
	}
	return 1
}

// farOf is how far the agent's skills are off, where closeness counts.
func (p *pool) farOf(a *boardAgent) int64 {
	if !p.closest {
		return 0
	}
	short, _ := distance(p.needed, a.row.Skills)
	return short
}

// keyOf is the agent's key under a built-in strategy that orders.
func (p *pool) keyOf(a *boardAgent, kind strategyKind) agentKey {
	k := agentKey{far: p.farOf(a)}
	if kind.dynamic() {
		k.key = kind.moving(a, p.q)
		return k
	}
	switch kind {
	case kindFixedOrder:
		k.key = unlimited
		if r, ok := p.q.row.Rank[a.id]; ok {
			k.key = int64(r)
		}
	case kindSkillClosest:
		short, surplus := distance(p.needed, a.row.Skills)
		k.key = short*missingSkill + surplus
	}
	return k
}

// give makes the decision that the chosen agent gets the class's first item.
func (b *Board) give(c *class, ch choice) routing.Decision {
	it, q, a := c.head(), c.p.q, ch.a
	d := b.decide(routing.DecideOffer, it)
	if it.row.AutoAccept {
		d.Kind = routing.DecideAssign
	}
	d.Agent, d.EligRev = a.id, a.row.State.EligRev
	d.Strategy, d.Why = q.strategyName(), ch.why
	if !b.brief {
		b.summarise(&d, c, it, ch)
	}
	p := it.pend
	p.kind, p.agent = d.Kind, a
	q.wheel++
	b.leave(it)
	q.flow.depart(b.nowNs, q.n)
	a.reserve(p.id, c.p.uses, q, q.wheel)
	b.hold(it)
	return d
}

// decide begins a decision about the item.
func (b *Board) decide(kind routing.DecisionKind, it *boardItem) routing.Decision {
	b.lastID++
	var p *pending
	if n := len(b.sparePending); n > 0 {
		p, b.sparePending = b.sparePending[n-1], b.sparePending[:n-1]
	} else {
		p = &pending{}
	}
	*p = pending{id: b.lastID, kind: kind, it: it, version: it.version, queue: it.row.Queue, since: b.nowNs}
	it.pend = p
	b.pendings[p.id] = p
	return routing.Decision{
		ID: p.id, Kind: kind, At: b.now, Item: it.id, ItemVersion: it.version, Queue: it.row.Queue,
	}
}

func (q *boardQueue) strategyName() string {
	if q.row.Strategy == "" {
		return routing.RoundRobin
	}
	return q.row.Strategy
}

// summarise adds what is kept of a decision: key, runners-up, exclusions.
func (b *Board) summarise(d *routing.Decision, c *class, it *boardItem, ch choice) {
	render := func(k agentKey, own float64) string {
		var s string
		if c.p.closest {
			s = strconv.FormatInt(k.far, 10) + "/"
		}
		if c.p.q.kind == kindOwn && own != 0 {
			return s + strconv.FormatFloat(own, 'g', -1, 64)
		}
		return s + strconv.FormatInt(k.key, 10)
	}
	if ch.keyed {
		d.Key = render(ch.key, ch.own)
	}
	for _, r := range ch.next {
		d.Next = append(d.Next, routing.Candidate{Agent: r.a.id, Key: render(r.key, r.own)})
	}
	if len(c.p.q.members) > countLimit {
		return
	}
	d.Excluded = map[routing.Exclusion]int{}
	for _, a := range c.p.q.members {
		c.exclusions(a, func(e routing.Exclusion) { d.Excluded[e]++ })
	}
}

// exclusions names what keeps a member of the queue from the class's items.
func (c *class) exclusions(a *boardAgent, exclude func(routing.Exclusion)) {
	p := c.p
	for _, e := range [...]struct {
		when bool
		why  routing.Exclusion
	}{
		{a.row.Disabled || !a.known, routing.ExcludeDisabled},
		{!p.deskOf(a), routing.ExcludeDesk},
		{c.only != nil && c.only != a, routing.ExcludeDesignated},
		{p.perm&^a.holds != 0, routing.ExcludePermission},
		{p.perm&a.holds&^a.perms != 0, routing.ExcludeSwitch},
		{!slices.Contains(p.presences, a.presence), routing.ExcludePresence},
		{!a.open, routing.ExcludeHours},
		{slices.ContainsFunc(p.required, func(r boardSkill) bool { return !a.hasSkill(r) }), routing.ExcludeSkill},
		{!a.fits(p.uses), routing.ExcludeCapacity},
		{!c.again && slices.Contains(c.declined, a.id), routing.ExcludeDeclined},
	} {
		if e.when {
			exclude(e.why)
		}
	}
}
