package board

import (
	"slices"

	"github.com/sangdam/sangdam/routing"
)

// ApplyAgent tells the Board an agent's row. An older State.Rev is ignored, and
// so is an equal one unless the settings' Version is newer. Settings are read
// again only when Version is 0 or changed.
func (b *Board) ApplyAgent(row routing.Agent) {
	a := b.agent(row.ID)
	if a.seen && olderAgent(&row, &a.row, a.known) {
		return
	}
	settings := !a.known || row.Version == 0 || row.Version != a.row.Version
	a.row, a.known, a.seen = row, true, true
	if settings {
		b.readSettings(a)
	}
	b.readState(a)
	b.agentChanged(a)
}

func olderAgent(row, have *routing.Agent, known bool) bool {
	if row.State.Rev != have.State.Rev {
		return row.State.Rev < have.State.Rev
	}
	return known && row.Version <= have.Version
}

// RemoveAgent takes an agent off the Board; rows older than the last one stay
// ignored. What it holds stays held until the items' rows say otherwise.
func (b *Board) RemoveAgent(id routing.AgentID) {
	a := b.agents[id]
	if a == nil || !a.known {
		return
	}
	a.known = false
	b.openAgent(a)
	b.agentChanged(a)
}

// agent returns the agent, known or not: members and preferences may come
// before the agent's own row.
func (b *Board) agent(id routing.AgentID) *boardAgent {
	a := b.agents[id]
	if a == nil {
		a = &boardAgent{id: id, row: routing.Agent{ID: id}}
		a.timer.a = a
		b.agents[id] = a
		b.byID = append(b.byID, a)
		b.sorted = false
	}
	return a
}

// readSettings flattens what the administrator set.
func (b *Board) readSettings(a *boardAgent) {
	b.leaveIndexes(a)
	a.holds, a.perms = 0, 0
	for p, bit := range permissionBits {
		if a.row.May(p) {
			a.holds |= bit
			if a.row.SwitchedOn(p) {
				a.perms |= bit
			}
		}
	}
	a.skills, a.mask = a.skills[:0], 0
	for _, s := range a.row.Skills {
		if s.Level > 0 {
			id := intern(b.skills, s.Name)
			a.skills = append(a.skills, boardSkill{id, int32(s.Level)})
			a.mask |= 1 << (id % 64)
		}
	}
	for p := range a.row.Capacity {
		intern(b.profiles, p)
	}
	a.limit = slices.Grow(a.limit[:0], len(b.profiles))[:len(b.profiles)]
	for i := range a.limit {
		a.limit[i] = unlimited
	}
	a.limit[0] = 0
	for p, n := range a.row.Capacity {
		a.limit[b.profiles[p]] = int64(n)
	}
	a.load, a.held, a.added = sized(a.load, len(b.profiles)), sized(a.held, len(b.profiles)), sized(a.added, len(b.profiles))
	if a.extra == nil {
		a.extra = make([]reserve, 0, 1)
	}
	a.schedule = nil
	if h := a.row.Hours; h != nil {
		a.schedule, _ = h.Compile() // one that does not compile never opens
	}
	b.openAgent(a)
	b.joinIndexes(a)
}

var permissionBits = map[routing.Permission]uint8{
	routing.PermitTicket: 1, routing.PermitChat: 2, routing.PermitPhone: 4, routing.PermitCallBack: 8, routing.PermitHandOver: 16,
	routing.PermitLogs: 32, routing.PermitReveal: 64,
}

// readState flattens what changes as the agent works.
func (b *Board) readState(a *boardAgent) {
	s := &a.row.State
	presence := s.Presence
	if presence == "" {
		presence = routing.Offline
	}
	a.presence = intern(b.presences, presence)
	a.idleSince = nanos(s.IdleSince)
	clear(a.load)
	for p, n := range s.Load {
		a.load = addTo(a.load, intern(b.profiles, p), int64(n))
	}
	a.dropStored()
	for i := range a.turns {
		t := &a.turns[i]
		t.row = s.Turns[t.q.id]
		t.q.wheel = max(t.q.wheel, t.row)
	}
}

// openAgent sets whether the agent is within own hours, and ready.
func (b *Board) openAgent(a *boardAgent) {
	var wake int64
	a.open = a.row.Hours == nil
	if a.schedule != nil && a.known {
		a.open = a.schedule.At(b.now).Open
		if at, ok := a.schedule.NextChange(b.now); ok {
			wake = at.UnixNano()
		}
	}
	b.setTimer(&a.timer, wake)
	a.ready = a.known && !a.row.Disabled && a.open
}

// agentChanged follows any change of the agent to whatever it may affect.
func (b *Board) agentChanged(a *boardAgent) {
	b.touch(a)
	for i := 0; i < len(a.prefers); {
		it := a.prefers[i]
		if b.onlyOf(it, it.class.p) != it.class.only {
			b.leave(it) // takes it out of prefers
			b.standing(it)
			continue
		}
		i++
	}
	b.rekey(a)
	b.gained(a)
}

// gained marks every class that the agent may be able to serve now.
func (b *Board) gained(a *boardAgent) {
	if !a.ready {
		return
	}
	for _, q := range a.queues {
		for i := range q.waiting {
			w := &q.waiting[i]
			if w.mask&^a.mask != 0 || !w.p.able(a) {
				continue
			}
			for _, c := range w.p.waiting {
				b.mark(c, a)
			}
		}
		if q.row.Reserve > 0 {
			b.gainedReserve(q, a)
		}
	}
	for _, c := range a.only {
		if c.p.able(a) && a.memberOf(c.p.q) {
			b.mark(c, a)
		}
	}
}

// gainedReserve marks the classes that wait for one agent alone, in a queue
// that starts nothing until enough agents are able: this one may make enough.
func (b *Board) gainedReserve(q *boardQueue, a *boardAgent) {
	for _, p := range q.pools {
		if !p.able(a) {
			continue
		}
		for _, c := range p.special {
			if c.only != nil && len(c.items.s) > 0 {
				b.markFull(c)
			}
		}
	}
}

// reserve counts a decision's uses and its turn of the queue's wheel for the
// agent until its row has them.
// The store raises Rev with every reservation, so the n-th outstanding one
// shows at the earliest n revisions on.
func (a *boardAgent) reserve(decision int64, uses []boardUse, q *boardQueue, turn int64) {
	rev := a.row.State.Rev
	for _, e := range a.extra {
		rev = max(rev, e.rev)
	}
	a.extra = append(a.extra, reserve{decision: decision, rev: rev + 1, uses: uses, q: q, turn: turn})
	a.setTurn(q)
	for _, u := range uses {
		a.added = addTo(a.added, u.profile, u.units)
	}
}

// settleReserve ends what reserve began when the decision is settled: at once
// when it was not written, and then later ones show a revision earlier, else
// when the row has come that can have it.
func (a *boardAgent) settleReserve(decision int64, ok bool) {
	i := slices.IndexFunc(a.extra, func(e reserve) bool { return e.decision == decision })
	if i < 0 {
		return
	}
	a.extra[i].settled = true
	if !ok {
		rev := a.extra[i].rev
		a.dropReserve(i)
		for j := range a.extra {
			if a.extra[j].rev > rev {
				a.extra[j].rev--
			}
		}
	}
	a.dropStored()
}

// dropStored ends the settled reserves that the agent's row has.
func (a *boardAgent) dropStored() {
	for i := 0; i < len(a.extra); {
		if e := &a.extra[i]; e.settled && a.row.State.Rev >= e.rev {
			a.dropReserve(i)
		} else {
			i++
		}
	}
}

func (a *boardAgent) dropReserve(i int) {
	for _, u := range a.extra[i].uses {
		a.added[u.profile] -= u.units
	}
	last := len(a.extra) - 1
	q := a.extra[i].q
	a.extra[i] = a.extra[last]
	a.extra[last] = reserve{}
	a.extra = a.extra[:last]
	a.setTurn(q)
}

// setTurn sets the agent's decided turn in the queue, 0 for none.
func (a *boardAgent) setTurn(q *boardQueue) {
	var turn int64
	for _, e := range a.extra {
		if e.q == q {
			turn = max(turn, e.turn)
		}
	}
	for i := range a.turns {
		if a.turns[i].q == q {
			a.turns[i].over = turn
		}
	}
}

// hold makes the item take the capacity of whoever has it: the agent its row
// names, or the one of a pending decision that is newer than the row.
func (b *Board) hold(it *boardItem) {
	var a *boardAgent
	if it.state.Held() && it.agent != "" {
		a = b.agent(it.agent)
	}
	if p := it.pend; p != nil && p.agent != nil && (a == nil || it.version <= p.version) {
		a = p.agent
	}
	if a == it.holder && slices.Equal(it.taken, it.uses) {
		return
	}
	was := it.holder
	if was != nil {
		for _, u := range it.taken {
			was.held[u.profile] -= u.units
		}
	}
	it.holder, it.taken = a, nil
	if a != nil {
		it.taken = it.uses
		for _, u := range it.taken {
			a.held = addTo(a.held, u.profile, u.units)
		}
		b.touch(a)
		b.rekey(a)
	}
	if was != nil {
		b.touch(was)
		b.rekey(was)
		b.gained(was)
	}
}

// sized grows the slice to n, so that working allocates nothing.
func sized(s []int64, n int) []int64 {
	for len(s) < n {
		s = append(slices.Grow(s, n-len(s)), 0)
	}
	return s
}

// addTo adds n at index i, growing the slice.
func addTo(s []int64, i int32, n int64) []int64 {
	for len(s) <= int(i) {
		s = append(s, 0)
	}
	s[i] += n
	return s
}
