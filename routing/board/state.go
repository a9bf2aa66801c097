package board

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// boardAgent is what the Board knows of an agent: its row, flattened so that a
// decision touches no map, and what is decided but not in the row yet.
type boardAgent struct {
	id    routing.AgentID
	ord   int32 // rank of the id among all agents
	known bool  // a row was applied and the agent was not removed
	seen  bool  // a row was applied once; row tells which is older
	row   routing.Agent

	queues []*boardQueue // of which it is a member
	desks  []*boardDesk  // that it belongs to

	holds    uint8 // bits of the permissions held
	perms    uint8 // of those, the ones switched on
	presence int32
	skills   []boardSkill
	mask     uint64 // of skills, see boardSkill
	schedule *hours.Schedule
	open     bool // own hours
	ready    bool // known, not disabled, within own hours

	limit     []int64 // per profile
	idleSince int64
	load      []int64 // per profile, as the row says
	held      []int64 // per profile, as the items and pending decisions say
	extra     []reserve
	added     []int64 // per profile, the sum of extra
	turns     []boardTurn

	touched bool // it is in Board.touched

	timer   boardTimer
	prefers []*boardItem // items that wait for it, or may come to
	only    []*class     // waiting classes that it alone may serve
	places  []poolPlace  // in the indexes of pools
}

// reserve is what a decision took of an agent, until the agent's row has it.
type reserve struct {
	decision int64
	rev      int64 // the earliest State.Rev that can have it
	uses     []boardUse
	q        *boardQueue
	turn     int64
	settled  bool
}

// boardTurn is an agent's last turn of a queue's wheel.
type boardTurn struct {
	q    *boardQueue
	row  int64
	over int64 // decided, not in the row yet; 0 for none
}

// boardSkill is a skill with its name as a number; bit id%64 of a mask stands
// for it.
type boardSkill struct{ id, level int32 }

// boardUse is a demand with its profile as a number; profile 0 is the units.
type boardUse struct {
	profile int32
	units   int64
}

// boardItem is a piece of work. What somebody has is most of what a desk knows, for
// hours, and takes part in no decision: of it the Board keeps only whose capacity it
// takes. The whole row is there while the item is queued.
type boardItem struct {
	id      routing.ItemID
	version int64
	state   routing.ItemState
	agent   routing.AgentID // as the row says
	uses    []boardUse      // shared, never changed
	*queuedItem

	holder *boardAgent // whose capacity it takes
	taken  []boardUse  // what it takes
	pend   *pending
}

// queuedItem is a queued item: its row and where it stands in the Board.
type queuedItem struct {
	row routing.Item
	q   *boardQueue

	key      itemKey
	waiting  bool   // in the structures of its queue
	class    *class // of a waiting push item
	fresh    uint64 // bits of the length rules that have not acted
	heapPos  int32  // in class.items
	queuePos int32  // in q.items
	earlyPos int32  // in Board.early
	latePos  int32  // in Board.late
	prefPos  int32  // in pref.prefers
	pref     *boardAgent
	timer    boardTimer
}

// placed reports whether the item is in the list of a queue.
func (it *boardItem) placed() bool { return it.queuedItem != nil && it.queuePos != 0 }

// pending is a decision whose rows have not come yet.
type pending struct {
	id      int64
	kind    routing.DecisionKind
	it      *boardItem
	agent   *boardAgent
	version int64 // of the item
	queue   routing.QueueID
	since   int64
	settled bool
}

// boardQueue is a queue and what waits in it.
type boardQueue struct {
	id      routing.QueueID
	version int64
	known   bool
	row     routing.Queue
	kind    strategyKind
	own     routing.Strategy
	only    *boardAgent // of the designated strategy

	members  []*boardAgent // by id, when sorted
	sorted   bool
	items    []*boardItem // queued, not pending
	n        int          // waiting
	pools    map[string]*pool
	waiting  []waitingPool
	dirty    indexed[*class]
	dirtyPos int32 // in Board.dirty

	ranks   *ranked // made when a position is asked first
	entries *ranked // by EnteredAt; only with length rules
	lengths []lengthRule
	crowded bool // length rules may apply

	exhausts bool // has a rule for it
	closes   bool // has a rule for hours
	calendar *calendar
	wheel    int64
	flow     flow
}

// boardDesk is a desk, known or not: who belongs to it.
type boardDesk struct {
	version int64
	members []routing.AgentID // ascending
}

// waitingPool is a pool with waiting items, its mask beside it.
type waitingPool struct {
	mask uint64
	p    *pool
}

// lengthRule is an overflow rule on length, with the waiting items on which it
// has not acted.
type lengthRule struct {
	index int
	limit int
	fresh ranked
}

// pool is one kind of demand in a queue: items of a pool ask the same of an
// agent, except for what class tells apart.
type pool struct {
	q         *boardQueue
	key       string
	desk      *boardDesk // to which its agents must belong; nil for any
	perm      uint8
	otherPerm routing.Permission // one that perms has no bit for
	presences []int32
	uses      []boardUse
	required  []boardSkill
	mask      uint64
	closest   bool            // closeness goes before the strategy's key
	needed    []routing.Skill // for closeness and the skill_closest strategy
	general   class
	special   map[string]*class
	waiting   []*class // with items, for anyone
	waitPos   int32    // in q.waiting
	index     *agentIndex
	used      uint64 // when the index served last
}

// class is the waiting items of a pool that the same agents may take. Its
// items are interchangeable but for their order.
type class struct {
	p        *pool
	key      string
	only     *boardAgent
	declined []routing.AgentID
	again    bool // the decliners may be asked again
	items    itemHeap
	waitPos  int32 // in p.waiting or only.only

	// A class that is not dirty has no agent who could take its items. cands
	// are the agents who may have become able since, unless full.
	dirtyPos int32
	cands    []*boardAgent
	full     bool
}

func (c *class) head() *boardItem { return c.items.s[0].it }

// boardTimer wakes its owner at a moment, in nanoseconds of Unix time.
type boardTimer struct {
	at  int64
	pos int32
	it  *boardItem
	a   *boardAgent
}

// nanos is t in nanoseconds of Unix time, 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// fits reports whether the uses fit into what is free.
func (a *boardAgent) fits(uses []boardUse) bool {
	for _, u := range uses {
		if a.usedOf(u.profile)+u.units > a.limitOf(u.profile) {
			return false
		}
	}
	return true
}

func (a *boardAgent) limitOf(p int32) int64 {
	if int(p) < len(a.limit) {
		return a.limit[p]
	}
	if p == 0 {
		return 0
	}
	return unlimited
}

// usedOf is the larger of what the agent's row and the decisions since, and
// what the items say: either may be ahead, and neither may be exceeded.
func (a *boardAgent) usedOf(p int32) int64 {
	return max(at(a.load, p)+at(a.added, p), at(a.held, p))
}

func at(s []int64, p int32) int64 {
	if int(p) < len(s) {
		return s[p]
	}
	return 0
}

const unlimited = 1 << 62

func (a *boardAgent) memberOf(q *boardQueue) bool { return slices.Contains(a.queues, q) }

// turn returns the agent's last turn in the queue, 0 for never.
func (a *boardAgent) turn(q *boardQueue) int64 {
	for i := range a.turns {
		if t := &a.turns[i]; t.q == q {
			return max(t.row, t.over)
		}
	}
	return 0
}

// covers reports whether the agent's settings suit the pool; what changes as
// the agent works is left out.
func (p *pool) covers(a *boardAgent) bool {
	if p.mask&^a.mask != 0 || p.perm&^a.perms != 0 || !p.deskOf(a) {
		return false
	}
	if p.otherPerm != "" && !slices.Contains(a.row.Permissions, p.otherPerm) {
		return false
	}
	for _, r := range p.required {
		if !a.hasSkill(r) {
			return false
		}
	}
	return true
}

// deskOf reports whether the agent is on the desk that the pool's items belong
// to.
func (p *pool) deskOf(a *boardAgent) bool { return p.desk == nil || slices.Contains(a.desks, p.desk) }

func (a *boardAgent) hasSkill(r boardSkill) bool {
	for _, s := range a.skills {
		if s.id == r.id {
			return s.level >= r.level
		}
	}
	return false
}

// present reports whether nothing but capacity may keep the agent, a member
// of the queue, from the pool's items.
func (p *pool) present(a *boardAgent) bool {
	return p.there(a) && p.covers(a)
}

// there reports whether the agent is there for the pool's items: neither switched
// off nor outside own hours, and in a presence that they allow.
func (p *pool) there(a *boardAgent) bool {
	return a.ready && slices.Contains(p.presences, a.presence)
}

// able reports whether the agent, a member of the queue, may take the pool's
// items now. It is Eligible without membership, designation and declines.
func (p *pool) able(a *boardAgent) bool {
	return p.ableNow(a) && p.covers(a)
}
