package board

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/sangdam/sangdam/routing"
)

// ApplyItem tells the Board an item's row; a Version that is not newer is
// ignored. An item that is not queued leaves its queue; one that is offered or
// assigned counts against its agent's capacity.
func (b *Board) ApplyItem(row routing.Item) {
	it := b.items[row.ID]
	switch {
	case it == nil:
		if v, ended := b.dead[row.ID]; ended && row.Version <= v {
			return
		}
		it = b.newItem(row.ID)
	case row.Version <= it.version:
		return
	default:
		b.leave(it)
	}
	it.version, it.state, it.agent, it.uses = row.Version, row.State, row.Agent, b.usesOf(row.Uses)
	b.keepRow(it, row)
	if p := it.pend; p != nil && p.settled && row.Version > p.version {
		b.endPending(p)
	}
	b.hold(it)
	b.standing(it)
}

func (b *Board) newItem(id routing.ItemID) *boardItem {
	var it *boardItem
	if n := len(b.spareItems); n > 0 {
		it, b.spareItems = b.spareItems[n-1], b.spareItems[:n-1]
	} else {
		it = &boardItem{}
	}
	it.id = id
	b.items[id] = it
	delete(b.dead, id)
	return it
}

// maxDemands is how many lists of uses are shared by the items that have the same.
const maxDemands = 4096

// usesOf is a row's demand. A desk's work asks few different things, so items that
// ask the same share it.
func (b *Board) usesOf(row []routing.Use) []boardUse {
	k := b.scratch[:0]
	for _, u := range row {
		k = appendUse(k, boardUse{intern(b.profiles, u.Profile), int64(u.Units)})
	}
	b.scratch = k
	if uses, known := b.demands[string(k)]; known {
		return uses
	}
	uses := make([]boardUse, len(row))
	for i, u := range row {
		uses[i] = boardUse{intern(b.profiles, u.Profile), int64(u.Units)}
	}
	if len(b.demands) >= maxDemands {
		clear(b.demands)
	}
	b.demands[string(k)] = uses
	return uses
}

func appendUse(k []byte, u boardUse) []byte {
	return binary.AppendVarint(binary.AppendVarint(k, int64(u.profile)), u.units)
}

// keepRow keeps the row of a queued item, and nothing of another's. The item
// stands nowhere.
func (b *Board) keepRow(it *boardItem, row routing.Item) {
	switch {
	case row.State != routing.ItemQueued:
		b.dropRow(it)
		return
	case it.queuedItem != nil:
	case len(b.spareQueued) > 0:
		n := len(b.spareQueued)
		it.queuedItem, b.spareQueued = b.spareQueued[n-1], b.spareQueued[:n-1]
	default:
		it.queuedItem = &queuedItem{}
	}
	it.row, it.timer.it = row, it
}

func (b *Board) dropRow(it *boardItem) {
	w := it.queuedItem
	if it.queuedItem = nil; w != nil && len(b.spareQueued) < spares {
		*w = queuedItem{}
		b.spareQueued = append(b.spareQueued, w)
	}
}

// spares is how many items that ended, or are queued no more, wait to be used
// again, so that a desk at work allocates none; what a flood needed goes with it.
const spares = 1024

// remembered is how many ended items' versions are kept, so that an older row
// that comes late does not bring one back.
const remembered = 1 << 14

// forget drops an item that ended.
func (b *Board) forget(it *boardItem) {
	id := it.id
	delete(b.items, id)
	if len(b.deadRing) < remembered {
		b.deadRing = append(b.deadRing, id)
	} else {
		delete(b.dead, b.deadRing[b.deadNext])
		b.deadRing[b.deadNext] = id
		b.deadNext = (b.deadNext + 1) % remembered
	}
	b.dead[id] = it.version
	if *it = (boardItem{}); len(b.spareItems) < spares {
		b.spareItems = append(b.spareItems, it)
	}
}

// standing puts an item, which stands nowhere, where its row says.
func (b *Board) standing(it *boardItem) {
	if it.pend != nil {
		return
	}
	switch it.state {
	case routing.ItemQueued:
		b.enter(it)
	case routing.ItemDone:
		b.forget(it)
	}
}

// enter puts a queued item into its queue.
func (b *Board) enter(it *boardItem) {
	if it.queuePos != 0 {
		return
	}
	q := b.queue(it.row.Queue)
	it.q = q
	q.items = append(q.items, it)
	it.queuePos = int32(len(q.items))
	if !q.known {
		return // it waits for the queue's row
	}
	it.waiting = true
	it.key = q.keyOf(&it.row)
	q.n++
	if q.ranks != nil {
		q.ranks.add(it.key, it)
	}
	b.enterLengths(q, it)
	if it.row.Mode != routing.Pick && b.offered(it) {
		b.place(it)
	}
	b.schedule(it)
}

// leave takes a waiting item out of wherever it stands.
func (b *Board) leave(it *boardItem) {
	if !it.placed() {
		return
	}
	q := it.q
	last := q.items[len(q.items)-1]
	q.items[it.queuePos-1] = last
	last.queuePos = it.queuePos
	q.items[len(q.items)-1] = nil
	q.items = q.items[:len(q.items)-1]
	it.queuePos = 0
	if !it.waiting {
		return
	}
	it.waiting = false
	q.n--
	if q.ranks != nil {
		q.ranks.remove(it.key, it)
	}
	q.leaveLengths(it)
	if it.class != nil {
		b.unplace(it)
	}
	b.setTimer(&it.timer, 0)
	b.early.remove(it)
	b.late.remove(it)
}

// Priorities are compared in whole numbers, so that the order is exact: a
// priority is priorityUnit, and ageing adds its thousandths a minute for each
// millisecond.
const priorityUnit = 60_000 * 1000

// ageingEpoch keeps the products small: 2020-01-01 in milliseconds.
const ageingEpoch = 1_577_836_800_000

// slopeOf is the queue's ageing in thousandths a minute.
func slopeOf(q *routing.Queue) int64 { return int64(math.Round(q.AgeingPerMinute * 1000)) }

func millis(nanos int64) int64 { return nanos/int64(time.Millisecond) - ageingEpoch }

// keyOf is the item's place in the queue. All items of a queue age alike, so
// the order among them never changes.
func (q *boardQueue) keyOf(it *routing.Item) itemKey {
	since := nanos(it.QueuedAt)
	return itemKey{slopeOf(&q.row)*millis(since) - int64(it.Priority)*priorityUnit, since}
}

// effective is the item's priority at now, ageing included; it compares items
// of different queues.
func (b *Board) effective(it *boardItem) int64 {
	return slopeOf(&it.q.row)*millis(b.nowNs) - it.key.urgency
}

// schedule arms the timer of a waiting item and puts it up for what time has
// brought already.
func (b *Board) schedule(it *boardItem) {
	q, row := it.q, &it.row
	var wake int64
	due := false
	at := func(t time.Time) {
		n := nanos(t)
		if n <= b.nowNs {
			due = true
		} else if wake == 0 || n < wake {
			wake = n
		}
	}
	if row.Preferred != "" && row.PreferredUntil.After(b.now) {
		at(row.PreferredUntil)
	}
	if len(row.Declined) > 0 {
		if t := askAgainAt(row); t.After(b.now) {
			at(t)
		}
	}
	if next, ok := relaxAt(row); ok {
		at(next)
	}
	for i := range q.row.Overflow {
		if o := &q.row.Overflow[i]; o.When == routing.OverflowWait && b.applicable(it, i) {
			at(row.EnteredAt.Add(o.After))
		}
	}
	c := b.calendarOf(it)
	if c != nil && !c.next.IsZero() && (q.closes || !q.row.OutsideHours) {
		change := max(nanos(c.next), b.nowNs+1) // before the first Tick there is no time to go by
		if wake == 0 || change < wake {
			wake = change
		}
	}
	b.setTimer(&it.timer, wake)
	if due {
		b.late.push(it)
	}
	if q.closes && c != nil && !c.open {
		b.early.push(it)
	}
}

// relaxAt is when the item's next requirement may be dropped.
func relaxAt(it *routing.Item) (time.Time, bool) {
	if it.SkillMatch != routing.SkillRelaxed || it.RelaxAfter <= 0 || it.Relaxed >= len(it.Skills) || it.Mode == routing.Pick {
		return time.Time{}, false
	}
	if it.RelaxAfter > math.MaxInt64/time.Duration(it.Relaxed+1) {
		return time.Time{}, false
	}
	return it.QueuedAt.Add(time.Duration(it.Relaxed+1) * it.RelaxAfter), true
}

// place puts a waiting push item into its class.
func (b *Board) place(it *boardItem) {
	p := b.poolOf(it)
	c := &p.general
	only, declined := b.onlyOf(it, p), it.row.Declined
	again := len(declined) > 0 && !b.now.Before(askAgainAt(&it.row))
	if only != nil || len(declined) > 0 {
		c = b.classOf(p, only, declined, again)
	}
	it.class = c
	c.items.push(it)
	switch {
	case len(c.items.s) == 1:
		c.begin()
		b.markFull(c)
	case c.dirtyPos != 0 && c.head() == it:
		p.q.dirty.fix(c)
	}
	if it.row.Preferred != "" && it.row.PreferredUntil.After(b.now) {
		a := b.agent(it.row.Preferred)
		a.prefers = append(a.prefers, it)
		it.pref, it.prefPos = a, int32(len(a.prefers))
	}
}

// unplace takes an item out of its class.
func (b *Board) unplace(it *boardItem) {
	c := it.class
	wasHead := c.head() == it
	c.items.remove(it)
	it.class = nil
	switch {
	case len(c.items.s) == 0:
		b.clean(c)
		c.end()
	case wasHead && c.dirtyPos != 0:
		c.p.q.dirty.fix(c)
	}
	if a := it.pref; a != nil {
		last := a.prefers[len(a.prefers)-1]
		a.prefers[it.prefPos-1] = last
		last.prefPos = it.prefPos
		a.prefers = a.prefers[:len(a.prefers)-1]
		it.pref, it.prefPos = nil, 0
	}
}

// onlyOf returns the agent who alone may take the item now, if there is one.
func (b *Board) onlyOf(it *boardItem, p *pool) *boardAgent {
	switch {
	case it.row.Designated != "":
		return b.agent(it.row.Designated)
	case p.q.kind == kindDesignated:
		return p.q.only
	case b.waitsForIn(it, p):
		return b.agent(it.row.Preferred)
	}
	return nil
}

// waitsFor reports whether a placed item waits for its preferred agent.
func (b *Board) waitsFor(it *boardItem) bool { return b.waitsForIn(it, it.class.p) }

func (b *Board) waitsForIn(it *boardItem, p *pool) bool {
	row := &it.row
	if row.Preferred == "" || row.Designated != "" || p.q.kind == kindDesignated || !row.PreferredUntil.After(b.now) {
		return false
	}
	a := b.agent(row.Preferred)
	return a.memberOf(p.q) && p.present(a) && !slices.Contains(row.Declined, a.id)
}

// begin lists a class that has items now where agents look for it.
func (c *class) begin() {
	if c.only != nil {
		c.only.only = append(c.only.only, c)
		c.waitPos = int32(len(c.only.only))
		return
	}
	p := c.p
	p.waiting = append(p.waiting, c)
	c.waitPos = int32(len(p.waiting))
	if len(p.waiting) == 1 {
		p.q.waiting = append(p.q.waiting, waitingPool{p.mask, p})
		p.waitPos = int32(len(p.q.waiting))
	}
}

// end takes a class without items off the lists.
func (c *class) end() {
	if c.only != nil {
		c.only.only = dropClass(c.only.only, c)
	} else {
		p := c.p
		p.waiting = dropClass(p.waiting, c)
		if len(p.waiting) == 0 {
			w := p.q.waiting
			last := w[len(w)-1]
			w[p.waitPos-1] = last
			last.p.waitPos = p.waitPos
			w[len(w)-1] = waitingPool{}
			p.q.waiting = w[:len(w)-1]
			p.waitPos = 0
		}
	}
	c.waitPos = 0
	if len(c.declined) > 0 { // the others are few and come again
		delete(c.p.special, c.key)
	}
}

func dropClass(s []*class, c *class) []*class {
	last := s[len(s)-1]
	s[c.waitPos-1] = last
	last.waitPos = c.waitPos
	s[len(s)-1] = nil
	return s[:len(s)-1]
}

// maxPools is how many kinds of demand a queue remembers; beyond it those
// without items are dropped.
const maxPools = 4096

// poolOf finds or makes the pool of a waiting item.
func (b *Board) poolOf(it *boardItem) *pool {
	q, row := it.q, &it.row
	k := b.scratch[:0]
	k = append(append(k, DeskFor(row, &q.row)...), 0)
	k = append(append(k, row.Permission...), 0)
	for _, p := range row.Presences {
		k = append(append(k, p...), 0)
	}
	k = append(k, 1)
	for _, u := range it.uses {
		k = appendUse(k, u)
	}
	k = append(k, 0xff)
	required := requiredSkills(row)
	closest := row.SkillMatch == routing.SkillClosest
	if closest || q.kind == kindSkillClosest {
		k = append(binary.AppendUvarint(k, uint64(len(required))), 2)
		if closest {
			k = append(k, 3)
		}
		k = appendSkills(k, row.Skills)
	} else {
		b.sorting = append(b.sorting[:0], required...)
		slices.SortFunc(b.sorting, func(x, y routing.Skill) int { return cmp.Compare(x.Name, y.Name) })
		k = appendSkills(k, b.sorting)
	}
	b.scratch = k
	if p := q.pools[string(k)]; p != nil {
		return p
	}
	if len(q.pools) >= maxPools {
		b.prunePools(q)
	}
	p := b.newPool(q, row, required, it.uses)
	p.key = string(k)
	p.closest = closest
	q.pools[p.key] = p
	return p
}

func appendSkills(k []byte, skills []routing.Skill) []byte {
	for _, s := range skills {
		k = append(append(k, s.Name...), 0)
		k = binary.AppendVarint(k, int64(s.Level))
	}
	return k
}

func (b *Board) newPool(q *boardQueue, row *routing.Item, required []routing.Skill, uses []boardUse) *pool {
	p := &pool{q: q, uses: uses, needed: slices.Clone(row.Skills), special: map[string]*class{}}
	p.general.p = p
	if d := DeskFor(row, &q.row); d != "" {
		p.desk = b.desk(d)
	}
	if bit, ok := permissionBits[row.Permission]; ok {
		p.perm = bit
	} else {
		p.otherPerm = row.Permission
	}
	for _, r := range row.Presences {
		p.presences = append(p.presences, intern(b.presences, r))
	}
	if len(row.Presences) == 0 {
		p.presences = []int32{intern(b.presences, routing.Online)}
	}
	for _, s := range required {
		id := intern(b.skills, s.Name)
		p.required = append(p.required, boardSkill{id, int32(max(1, s.Level))})
		p.mask |= 1 << (id % 64)
	}
	return p
}

// prunePools drops the pools of a queue that have no items.
func (b *Board) prunePools(q *boardQueue) {
	for key, p := range q.pools {
		if p.idle() {
			if p.index != nil {
				b.dropIndex(p)
			}
			delete(q.pools, key)
		}
	}
}

// idle reports whether no item is in the pool.
func (p *pool) idle() bool {
	for _, c := range p.special {
		if len(c.items.s) > 0 {
			return false
		}
	}
	return len(p.general.items.s) == 0
}

// classOf finds or makes the class of items that ask more than their pool.
func (b *Board) classOf(p *pool, only *boardAgent, declined []routing.AgentID, again bool) *class {
	k := b.scratch[:0]
	if only != nil {
		k = append(k, only.id...)
	}
	k = append(k, 0)
	if again {
		k = append(k, 1)
	}
	for _, d := range declined {
		k = append(append(k, 0), d...)
	}
	b.scratch = k
	if c := p.special[string(k)]; c != nil {
		return c
	}
	c := &class{p: p, key: string(k), only: only, declined: slices.Clone(declined), again: again}
	p.special[c.key] = c
	return c
}
