// Package board decides who gets which work: Board is a deterministic state machine
// that takes rows and a reading of the clock and returns decisions. The engine runs
// one a workspace. A host that only uses the engine reads Explanation; one with
// conversations and a database of its own can run a Board alone.
//
// # Answers for people
//
// Position and ExpectedWait are for the customer, Explain for whoever asks why
// an item waits, Stuck for the watchdog.
//
// # Cost
//
// A decision with all its rows takes one to three microseconds at 100,000
// agents, and waiting items cost nothing until an agent who could take them
// appears. Queues of fewer than 64 members are scanned; larger ones keep an
// index for each kind of demand that is waiting or was lately. The first item
// of a new kind of demand builds it in one pass over the members.
package board

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// Board decides who gets which work. It is a deterministic state machine: rows
// and the time go in, decisions come out. It has no clock, no goroutine and no
// I/O, and is not safe for concurrent use.
//
// Its input is state, not history. Rows may come in any order and more than
// once; older ones are ignored. A decision applies inside at once, as pending:
// the item is taken and the capacity reserved until Settle and the rows that
// the store wrote. Everything that sways a decision is in the rows, so that a
// Board built from the rows alone decides exactly as one that lived through.
//
// The order of decisions is fixed: first what waits in closed queues with an
// overflow rule for it; then, by effective priority (Priority and ageing),
// QueuedAt, Seq and id, the first waiting item that has an eligible agent, who
// is chosen by the queue's strategy; then relaxation, overflow by wait,
// by exhaustion and by length. A Board is quiet when none of them applies.
//
// The Board reads a row's slices and maps during the Apply calls and when it
// explains; whoever changes one afterwards applies the changed row next.
type Board struct {
	seed       uint64
	strategies map[string]routing.Strategy
	brief      bool
	now        time.Time
	nowNs      int64

	agents   map[routing.AgentID]*boardAgent
	byID     []*boardAgent // ascending, when sorted
	sorted   bool
	queues   map[routing.QueueID]*boardQueue
	desks    map[routing.DeskID]*boardDesk
	items    map[routing.ItemID]*boardItem
	pendings map[int64]*pending
	lastID   int64

	profiles  map[routing.Profile]int32
	presences map[routing.Presence]int32
	skills    map[string]int32
	demands   map[string][]boardUse // see usesOf

	calendars calendars

	dirty   []*boardQueue // with dirty classes
	early   indexed[*boardItem]
	late    indexed[*boardItem]
	crowded []*boardQueue
	timers  indexed[*boardTimer]

	dead     map[routing.ItemID]int64 // versions of items that ended
	deadRing []routing.ItemID
	deadNext int

	indexed []*pool // with an index
	clock   uint64  // of index use

	spareItems   []*boardItem
	spareQueued  []*queuedItem
	sparePending []*pending
	scratch      []byte
	sorting      []routing.Skill
	able         []*boardAgent // scratch of choosing

	watch map[routing.ItemID]int64 // Stuck: since when

	touched []*boardAgent // since the last Touched

	// examined counts agents looked at while choosing; tests bound it.
	examined int
}

// Options configure a Board. The zero value is useful.
type Options struct {
	// Seed of the random and weighted strategies.
	Seed uint64
	// Strategies are own ones, by the name that Queue.Strategy holds; a
	// built-in name is ErrInvalid.
	Strategies map[string]routing.Strategy
	// Brief leaves Key, Next and Excluded out of decisions, which makes
	// deciding allocation-free; for simulation.
	Brief bool
}

// New returns an empty Board at the zero time. ErrInvalid for a strategy that is
// nil, is built in, or has another Name than its key.
func New(o Options) (*Board, error) {
	for name, s := range o.Strategies {
		if _, taken := builtIn[name]; taken {
			return nil, errs.New(errs.Invalid, "routing: strategy %q is built in: choose another name", name)
		}
		if s == nil {
			return nil, errs.New(errs.Invalid, "routing: strategy %q is nil", name)
		}
		if own := s.Name(); own != name {
			return nil, errs.New(errs.Invalid, "routing: strategy %q calls itself %q: register it under its own name", name, own)
		}
	}
	b := &Board{
		seed: o.Seed, brief: o.Brief, strategies: maps.Clone(o.Strategies),
		agents: map[routing.AgentID]*boardAgent{}, queues: map[routing.QueueID]*boardQueue{}, desks: map[routing.DeskID]*boardDesk{},
		items: map[routing.ItemID]*boardItem{}, pendings: map[int64]*pending{},
		profiles: map[routing.Profile]int32{routing.ProfileUnits: 0}, presences: map[routing.Presence]int32{},
		skills: map[string]int32{}, demands: map[string][]boardUse{}, dead: map[routing.ItemID]int64{}, watch: map[routing.ItemID]int64{},
	}
	b.early = indexed[*boardItem]{less: enteredBefore, place: func(it *boardItem) *int32 { return &it.earlyPos }}
	b.late = indexed[*boardItem]{less: enteredBefore, place: func(it *boardItem) *int32 { return &it.latePos }}
	b.timers = indexed[*boardTimer]{
		less:  func(x, y *boardTimer) bool { return x.at < y.at },
		place: func(t *boardTimer) *int32 { return &t.pos },
	}
	return b, nil
}

func enteredBefore(x, y *boardItem) bool {
	if !x.row.EnteredAt.Equal(y.row.EnteredAt) {
		return x.row.EnteredAt.Before(y.row.EnteredAt)
	}
	if x.row.Seq != y.row.Seq {
		return x.row.Seq < y.row.Seq
	}
	return x.id < y.id
}

// Decide returns the next decision, already applied inside as pending, or
// false when the Board is quiet: nothing more is to be done until a row, a
// Tick or a Settle comes. End every decision with Settle.
func (b *Board) Decide() (routing.Decision, bool) {
	b.sortAgents()
	for b.early.len() > 0 {
		it := b.early.top()
		if rule, ok := b.overflowRule(it, true); ok {
			return b.decideOverflow(it, rule), true
		}
		b.early.remove(it)
	}
	for {
		c := b.nextClass()
		if c == nil {
			break
		}
		if ch, ok := b.choose(c, c.head()); ok {
			return b.give(c, ch), true
		}
		b.clean(c)
	}
	for b.late.len() > 0 {
		it := b.late.top()
		if b.relaxDue(it) {
			return b.decideRelax(it), true
		}
		if b.triggered(it) {
			rule, _ := b.overflowRule(it, false)
			return b.decideOverflow(it, rule), true
		}
		b.late.remove(it)
	}
	return b.decideLength()
}

// Idle reports whether nothing can come to be decided before another row comes:
// no agent is present, and no item is open.
func (b *Board) Idle() bool {
	if len(b.pendings) > 0 {
		return false
	}
	for _, it := range b.items {
		if it.state != routing.ItemDone {
			return false
		}
	}
	for _, a := range b.agents {
		if a.known && a.row.State.Presence != routing.Offline {
			return false
		}
	}
	return true
}

// Settle ends a pending decision. With ok the store wrote it: what it reserved
// stands until the rows come, whose echo changes nothing. Without, it is
// undone, and the caller applies fresh rows of what the decision named before
// it decides again, else the same decision comes. An id that is not pending is
// ignored.
func (b *Board) Settle(id int64, ok bool) {
	p := b.pendings[id]
	if p == nil {
		return
	}
	delete(b.pendings, id)
	p.settled = true
	it, a := p.it, p.agent
	if a != nil {
		a.settleReserve(id, ok)
		b.touch(a)
	}
	if !ok || it.version > p.version {
		b.endPending(p)
		b.hold(it)
		b.standing(it)
	} // else it waits for the item's row
	if a != nil {
		b.rekey(a)
		b.gained(a)
	}
}

// endPending forgets the decision; its item is free to follow its row.
func (b *Board) endPending(p *pending) {
	p.it.pend = nil
	*p = pending{}
	b.sparePending = append(b.sparePending, p)
}

// Tick tells the Board that time passes. A clock that jumps back is taken as
// standing still: Tick with an earlier time does nothing.
func (b *Board) Tick(now time.Time) {
	if !now.After(b.now) {
		return
	}
	b.now, b.nowNs = now, now.UnixNano()
	for b.timers.len() > 0 && b.timers.top().at <= b.nowNs {
		t := b.timers.top()
		b.timers.remove(t)
		switch {
		case t.it != nil:
			b.leave(t.it)
			b.standing(t.it)
		case t.a != nil:
			b.openAgent(t.a)
			b.agentChanged(t.a)
		}
	}
}

// NextWake returns when Tick may bring something new, false when only rows
// can: the end of a preference, an overflow by wait, a relaxation, the moment
// decliners may be asked again, own hours and hours of queues. Ageing needs no
// wake, since it makes nothing eligible.
func (b *Board) NextWake() (time.Time, bool) {
	if b.timers.len() == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, b.timers.top().at).In(b.now.Location()), true
}

// setTimer arms the timer for at, or disarms it with 0.
func (b *Board) setTimer(t *boardTimer, at int64) {
	b.timers.remove(t)
	if at != 0 {
		t.at = at
		b.timers.push(t)
	}
}

// intern returns the number of a name.
func intern[T comparable](m map[T]int32, name T) int32 {
	if n, ok := m[name]; ok {
		return n
	}
	n := int32(len(m))
	m[name] = n
	return n
}

// sortAgents gives every agent its rank by id.
func (b *Board) sortAgents() {
	if b.sorted {
		return
	}
	b.sorted = true
	slices.SortFunc(b.byID, func(x, y *boardAgent) int { return cmp.Compare(x.id, y.id) })
	for i, a := range b.byID {
		a.ord = int32(i)
	}
	for len(b.indexed) > 0 {
		b.dropIndex(b.indexed[0])
	}
}

// sortMembers orders a queue's members by id.
func (q *boardQueue) sortMembers() {
	if q.sorted {
		return
	}
	q.sorted = true
	slices.SortFunc(q.members, func(x, y *boardAgent) int { return cmp.Compare(x.id, y.id) })
}
