package board

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/internal/chance"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/routing/transition"
)

// rows is a store in memory that keeps its promises to the letter: what a
// Board is fed from in tests. Rows are replaced, never changed in place.
type rows struct {
	now    time.Time
	agents map[routing.AgentID]routing.Agent
	items  map[routing.ItemID]routing.Item
	queues map[routing.QueueID]routing.Queue
	desks  map[routing.DeskID][]routing.AgentID
	// Operating hours of desks and work streams, and as of which configuration.
	calendars Calendars
	hoursAt   int64
	config    int64
	seq       int64
	wheel     map[routing.QueueID]int64
}

func newRows(now time.Time) *rows {
	return &rows{now: now, agents: map[routing.AgentID]routing.Agent{}, items: map[routing.ItemID]routing.Item{},
		queues: map[routing.QueueID]routing.Queue{},
		desks:  map[routing.DeskID][]routing.AgentID{}, wheel: map[routing.QueueID]int64{}}
}

// board builds a Board from the rows alone; order shuffles them.
func (r *rows) board(o Options, order func(n int) []int) *Board {
	b, err := New(o)
	if err != nil {
		panic(err)
	}
	var apply []func()
	for _, q := range r.queues {
		apply = append(apply, func() { b.ApplyQueue(q, r.config) })
	}
	for d, members := range r.desks {
		apply = append(apply, func() { b.ApplyDesk(d, members, r.config) })
	}
	apply = append(apply, func() { b.ApplyHours(r.calendars, r.hoursAt) })
	for _, a := range r.agents {
		apply = append(apply, func() { b.ApplyAgent(a) })
	}
	for _, it := range r.items {
		apply = append(apply, func() { b.ApplyItem(it) })
	}
	apply = append(apply, func() { b.Tick(r.now) })
	for _, i := range order(len(apply)) {
		apply[i]()
	}
	return b
}

func (r *rows) saveAgent(id routing.AgentID, change func(*routing.Agent)) routing.Agent {
	a := r.agents[id]
	a.ID = id
	a.Capacity, a.Skills = maps.Clone(a.Capacity), slices.Clone(a.Skills)
	change(&a)
	a.Version++
	a.State.Rev++
	a.State.EligRev++
	r.agents[id] = a
	return a
}

func (r *rows) touch(id routing.AgentID, change func(*routing.AgentState)) routing.Agent {
	a := r.agents[id]
	a.State.Load, a.State.Turns = maps.Clone(a.State.Load), maps.Clone(a.State.Turns)
	if a.State.Load == nil {
		a.State.Load = map[routing.Profile]int{}
	}
	if a.State.Turns == nil {
		a.State.Turns = map[routing.QueueID]int64{}
	}
	change(&a.State)
	a.State.Rev++
	r.agents[id] = a
	return a
}

func (r *rows) setPresence(id routing.AgentID, p routing.Presence) routing.Agent {
	return r.touch(id, func(s *routing.AgentState) {
		if s.Presence == p {
			return
		}
		s.Presence = p
		s.EligRev++
		if p == routing.Online {
			s.IdleSince = r.now
		}
	})
}

func (r *rows) saveItem(it routing.Item) routing.Item {
	old, known := r.items[it.ID]
	if !known {
		r.seq++
		it.Seq = r.seq
	}
	it.Version = old.Version + 1
	r.items[it.ID] = it
	return it
}

func (r *rows) load(id routing.AgentID, uses []routing.Use, sign int) routing.Agent {
	return r.touch(id, func(s *routing.AgentState) {
		for _, u := range uses {
			s.Load[u.Profile] += sign * u.Units
		}
		s.Open += sign
	})
}

// reserve is Tx C.
func (r *rows) reserve(d routing.Decision) error {
	it, a := r.items[d.Item], r.agents[d.Agent]
	switch {
	case it.State != routing.ItemQueued || it.Version != d.ItemVersion:
		return &routing.Refused{Check: "item"}
	case a.State.EligRev != d.EligRev:
		return &routing.Refused{Check: "eligibility"}
	case !hasRoom(&a, it.Uses):
		return &routing.Refused{Check: "capacity"}
	}
	r.load(d.Agent, it.Uses, 1)
	r.wheel[it.Queue]++
	r.touch(d.Agent, func(s *routing.AgentState) { s.Turns[it.Queue] = r.wheel[it.Queue] })
	it.State, it.Agent = routing.ItemOffered, d.Agent
	if d.Kind == routing.DecideAssign {
		it.State = routing.ItemAssigned
	}
	it.Attempt++
	r.saveItem(it)
	return nil
}

// write carries a decision out, whatever its kind.
func (r *rows) write(d routing.Decision) error {
	it := r.items[d.Item]
	if d.Kind == routing.DecideOffer || d.Kind == routing.DecideAssign {
		return r.reserve(d)
	}
	if it.State != routing.ItemQueued || it.Version != d.ItemVersion {
		return &routing.Refused{Check: "item"}
	}
	switch d.Kind {
	case routing.DecideOverflow:
		r.saveItem(transition.Overflowed(it, it.Queue, d.Rule, *d.Overflow, r.now))
	case routing.DecideRelax:
		r.saveItem(transition.Relaxed(it))
	}
	return nil
}

func (r *rows) accept(id routing.ItemID) {
	it := r.items[id]
	it.State = routing.ItemAssigned
	r.saveItem(it)
}

// decline ends the item's offer.
func (r *rows) decline(id routing.ItemID) {
	it := r.items[id]
	a := it.Agent
	r.load(a, it.Uses, -1)
	r.touch(a, func(s *routing.AgentState) { s.EligRev++ })
	it.Declined = append(slices.DeleteFunc(slices.Clone(it.Declined), func(d routing.AgentID) bool { return d == a }), a)
	it.State, it.Agent, it.DeclinedAt = routing.ItemQueued, "", r.now
	r.saveItem(it)
}

// end ends the item's assignment or, when it is queued, takes it out.
func (r *rows) end(id routing.ItemID, then routing.ItemState) {
	it := r.items[id]
	if it.State == routing.ItemOffered || it.State == routing.ItemAssigned {
		r.load(it.Agent, it.Uses, -1)
		r.touch(it.Agent, func(s *routing.AgentState) { s.IdleSince = r.now })
	}
	it.State, it.Agent = then, ""
	if then == routing.ItemQueued {
		it.EnteredAt = r.now
	}
	r.saveItem(it)
}

// check says what is wrong with the rows: capacity exceeded, a load that is
// not the sum of what the agent holds.
func (r *rows) check() error {
	sums := map[routing.AgentID]map[routing.Profile]int{}
	for _, it := range r.items {
		if it.State == routing.ItemOffered || it.State == routing.ItemAssigned {
			if sums[it.Agent] == nil {
				sums[it.Agent] = map[routing.Profile]int{}
			}
			for _, u := range it.Uses {
				sums[it.Agent][u.Profile] += u.Units
			}
		}
	}
	for id, a := range r.agents {
		for p, n := range a.State.Load {
			if n != sums[id][p] {
				return fmt.Errorf("agent %s: load %d of %s, holds %d", id, n, p, sums[id][p])
			}
		}
	}
	return nil
}

// reference decides by brute force, as the documentation of Board says, with
// no state but the rows. It is slow and short.
type reference struct {
	r    *rows
	seed uint64
}

func (f reference) waiting() (out []routing.Item) {
	for _, it := range f.r.items {
		if _, known := f.r.queues[it.Queue]; known && it.State == routing.ItemQueued {
			out = append(out, it)
		}
	}
	return out
}

func (f reference) effective(it routing.Item) int64 { // in millionths, exact for the slopes and times of these tests
	slope := int64(f.r.queues[it.Queue].AgeingPerMinute * 10)
	return int64(it.Priority)*600_000 + slope*f.r.now.Sub(it.QueuedAt).Milliseconds()
}

func (f reference) next() (kind routing.DecisionKind, item routing.ItemID, agent routing.AgentID, rule int) {
	items := f.waiting()
	slices.SortFunc(items, func(x, y routing.Item) int { return enteredCompare(x, y) })
	for _, it := range items { // closed queues
		if q := f.r.queues[it.Queue]; f.closed(it) && f.hasHoursRule(q) {
			if rule, ok := f.rule(it, items, true); ok {
				return routing.DecideOverflow, it.ID, "", rule
			}
		}
	}
	byUrgency := slices.Clone(items)
	slices.SortStableFunc(byUrgency, func(x, y routing.Item) int {
		switch p, q := f.effective(x), f.effective(y); {
		case p > q:
			return -1
		case p < q:
			return 1
		case !x.QueuedAt.Equal(y.QueuedAt):
			return x.QueuedAt.Compare(y.QueuedAt)
		case x.Seq != y.Seq:
			return int(x.Seq - y.Seq)
		}
		return 0
	})
	for _, it := range byUrgency {
		if it.Mode == routing.Pick || f.kept(it) {
			continue
		}
		if a, ok := f.choose(it); ok {
			kind := routing.DecideOffer
			if it.AutoAccept {
				kind = routing.DecideAssign
			}
			return kind, it.ID, a, 0
		}
	}
	for _, it := range items { // what time or exhaustion brought
		if at, ok := relaxAt(&it); ok && !at.After(f.r.now) {
			return routing.DecideRelax, it.ID, "", 0
		}
		q := f.r.queues[it.Queue]
		triggered := false
		for i, o := range q.Overflow {
			due := o.When == routing.OverflowWait && !it.EnteredAt.Add(o.After).After(f.r.now) ||
				o.When == routing.OverflowExhausted && f.exhausted(it)
			triggered = triggered || due && f.applicable(it, q, i)
		}
		if rule, ok := f.rule(it, items, false); ok && triggered {
			return routing.DecideOverflow, it.ID, "", rule
		}
	}
	for _, id := range sortedKeys(f.r.queues) { // too long
		q := f.r.queues[id]
		for i, o := range q.Overflow {
			if o.When != routing.OverflowLength {
				continue
			}
			for _, it := range slices.Backward(items) {
				if it.Queue == id && f.applicable(it, q, i) {
					if rule, ok := f.rule(it, items, false); ok && f.place(it, items) >= o.Limit {
						return routing.DecideOverflow, it.ID, "", rule
					}
				}
			}
		}
	}
	return "", "", "", 0
}

func enteredCompare(x, y routing.Item) int {
	if c := x.EnteredAt.Compare(y.EnteredAt); c != 0 {
		return c
	}
	return int(x.Seq - y.Seq)
}

// closed says whether the operating hours that count for the item are over: its
// account's, else its desk's, its queue's, its work stream's, the workspace's.
func (f reference) closed(it routing.Item) bool {
	q := f.r.queues[it.Queue]
	set := f.r.calendars
	for _, c := range []*hours.Calendar{set.Accounts[it.Account], set.Desks[DeskFor(&it, &q)], q.Hours, set.Streams[it.WorkStream],
		set.Workspace} {
		if c != nil {
			return !calendarOpen(c, f.r.now)
		}
	}
	return false
}

// kept says whether the item is offered to nobody until its hours begin.
func (f reference) kept(it routing.Item) bool {
	return f.closed(it) && !f.r.queues[it.Queue].OutsideHours
}

func (f reference) hasHoursRule(q routing.Queue) bool {
	return slices.ContainsFunc(q.Overflow, func(o routing.Overflow) bool { return o.When == routing.OverflowHours })
}

func (f reference) applicable(it routing.Item, q routing.Queue, i int) bool {
	if slices.Contains(it.Overflowed, string(q.ID)+"/"+strconv.Itoa(i)) {
		return false
	}
	o := q.Overflow[i]
	_, known := f.r.queues[o.Queue]
	return o.Do != routing.OverflowQueue || known && o.Queue != q.ID && !slices.Contains(it.Visited, o.Queue)
}

func (f reference) place(it routing.Item, byEntry []routing.Item) (n int) {
	for _, other := range byEntry {
		if other.Queue == it.Queue && enteredCompare(other, it) < 0 {
			n++
		}
	}
	return n
}

func (f reference) rule(it routing.Item, byEntry []routing.Item, early bool) (int, bool) {
	q := f.r.queues[it.Queue]
	for i, o := range q.Overflow {
		if !f.applicable(it, q, i) {
			continue
		}
		if o.When == routing.OverflowHours && f.closed(it) ||
			o.When == routing.OverflowWait && !it.EnteredAt.Add(o.After).After(f.r.now) ||
			!early && o.When == routing.OverflowLength && f.place(it, byEntry) >= o.Limit ||
			!early && o.When == routing.OverflowExhausted && f.exhausted(it) {
			return i, true
		}
	}
	return 0, false
}

// eligible are those who may take the item, those who declined and may be
// asked again apart.
func (f reference) eligible(it routing.Item) (fresh, again, refused []routing.Agent) {
	q := f.r.queues[it.Queue]
	for _, id := range sortedKeys(f.r.agents) {
		a := f.r.agents[id]
		switch e := Eligible(it, a, q, f.r.desks[DeskFor(&it, &q)], f.r.now); {
		case len(e) == 0 && slices.Contains(it.Declined, id):
			again = append(again, a)
		case len(e) == 0:
			fresh = append(fresh, a)
		case slices.Equal(e, []routing.Exclusion{routing.ExcludeDeclined}):
			refused = append(refused, a)
		}
	}
	return fresh, again, refused
}

func (f reference) exhausted(it routing.Item) bool {
	if it.Mode == routing.Pick || f.kept(it) {
		return false
	}
	if p, ok := f.waitsFor(it); ok {
		return slices.Contains(it.Declined, p)
	}
	fresh, again, refused := f.eligible(it)
	return len(fresh) == 0 && len(again)+len(refused) > 0
}

// waitsFor returns the preferred agent while the item waits for it alone.
func (f reference) waitsFor(it routing.Item) (routing.AgentID, bool) {
	q := f.r.queues[it.Queue]
	if it.Preferred == "" || !it.PreferredUntil.After(f.r.now) || it.Designated != "" || q.Strategy == routing.Designated {
		return "", false
	}
	a, known := f.r.agents[it.Preferred]
	if !known || slices.Contains(it.Declined, a.ID) {
		return "", false
	}
	e := Eligible(it, a, q, f.r.desks[DeskFor(&it, &q)], f.r.now)
	return a.ID, len(e) == 0 || slices.Equal(e, []routing.Exclusion{routing.ExcludeCapacity})
}

func (f reference) choose(it routing.Item) (routing.AgentID, bool) {
	q := f.r.queues[it.Queue]
	fresh, again, _ := f.eligible(it)
	if q.Reserve > 0 && f.able(it, q) <= q.Reserve {
		return "", false
	}
	named := func(id routing.AgentID, s []routing.Agent) bool {
		return slices.ContainsFunc(s, func(a routing.Agent) bool { return a.ID == id })
	}
	if p, ok := f.waitsFor(it); ok {
		return p, named(p, fresh)
	}
	if it.Preferred != "" && (it.PreferredUntil.IsZero() || it.PreferredUntil.After(f.r.now)) && named(it.Preferred, fresh) {
		return it.Preferred, true
	}
	if len(fresh) > 0 {
		return f.best(it, q, fresh), true
	}
	for _, id := range it.Declined {
		if named(id, again) {
			return id, true
		}
	}
	return "", false
}

// able counts the agents who could do the work, designation and declines
// aside.
func (f reference) able(it routing.Item, q routing.Queue) (n int) {
	it.Designated, it.Declined, q.Strategy = "", nil, ""
	for _, a := range f.r.agents {
		if len(Eligible(it, a, q, f.r.desks[DeskFor(&it, &q)], f.r.now)) == 0 {
			n++
		}
	}
	return n
}

func (f reference) best(it routing.Item, q routing.Queue, able []routing.Agent) routing.AgentID {
	far := func(a routing.Agent) int64 {
		if it.SkillMatch != routing.SkillClosest {
			return 0
		}
		short, _ := distance(it.Skills, a.Skills)
		return short
	}
	if q.Strategy == routing.Random || q.Strategy == routing.Weighted {
		return f.drawn(it, q, able, far)
	}
	key := func(a routing.Agent) int64 {
		switch q.Strategy {
		case routing.LeastLoaded:
			return int64(a.State.Load[routing.ProfileUnits])
		case routing.MostFree:
			return int64(a.State.Load[routing.ProfileUnits] - a.Capacity[routing.ProfileUnits])
		case routing.LongestIdle:
			return nanos(a.State.IdleSince)
		case routing.FixedOrder:
			if r, ok := q.Rank[a.ID]; ok {
				return int64(r)
			}
			return unlimited
		case routing.SkillClosestFirst:
			short, surplus := distance(it.Skills, a.Skills)
			return short*missingSkill + surplus
		case routing.Designated:
			return 0
		}
		return a.State.Turns[q.ID]
	}
	best := able[0]
	for _, a := range able[1:] {
		if far(a) < far(best) || far(a) == far(best) && key(a) < key(best) {
			best = a
		}
	}
	return best.ID
}

func (f reference) drawn(it routing.Item, q routing.Queue, able []routing.Agent, far func(routing.Agent) int64) routing.AgentID {
	nearest := far(slices.MinFunc(able, func(x, y routing.Agent) int { return int(far(x) - far(y)) }))
	able = slices.DeleteFunc(able, func(a routing.Agent) bool { return far(a) != nearest })
	var total uint64
	weight := func(a routing.Agent) uint64 {
		if w, ok := q.Weights[a.ID]; ok && q.Strategy == routing.Weighted {
			return uint64(w)
		}
		return 1
	}
	for _, a := range able {
		total += weight(a)
	}
	if total == 0 {
		return able[chance.Draw(f.seed, it.ID, it.Attempt, uint64(len(able)))].ID
	}
	n := chance.Draw(f.seed, it.ID, it.Attempt, total)
	for _, a := range able {
		if n < weight(a) {
			return a.ID
		}
		n -= weight(a)
	}
	panic("unreachable")
}
