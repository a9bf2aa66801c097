package journal_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/routing/journal"
)

// The long form judges every decision: go test ./routing/journal -journal.every=1
var every = flag.Int("journal.every", 10, "TestDecisionsAreExplainedExactly judges one of so many decisions")

var t0 = time.Date(2025, 3, 3, 9, 0, 0, 0, time.UTC)

// office drives a Board as an engine does, in batches of which some decisions are
// refused, and keeps a journal of it.
type office struct {
	t      *testing.T
	rng    *rand.Rand
	b      *board.Board
	w      *journal.Writer
	now    time.Time
	rows   map[string][]journal.Row
	made   []routing.Decision
	agents []routing.Agent
	queues map[routing.QueueID]routing.Queue
	desks  map[routing.DeskID][]routing.AgentID
	config int64
	items  map[routing.ItemID]routing.Item
	wheel  map[routing.QueueID]int64
	held   []routing.ItemID // oldest first
	n      int
	begun  int
}

var strategies = []string{"", routing.Random, routing.Weighted, routing.LeastLoaded, routing.MostFree, routing.LongestIdle,
	routing.FixedOrder, routing.SkillClosestFirst}

func newOffice(t *testing.T, agents int) *office {
	o := &office{t: t, rng: rand.New(rand.NewPCG(7, 7)), now: t0, rows: map[string][]journal.Row{}, config: 1,
		queues: map[routing.QueueID]routing.Queue{}, desks: map[routing.DeskID][]routing.AgentID{},
		items: map[routing.ItemID]routing.Item{}, wheel: map[routing.QueueID]int64{}}
	var err error
	o.b, err = board.New(board.Options{Seed: 42})
	require.NoError(t, err)
	for i := range agents {
		a := routing.Agent{ID: routing.AgentID(fmt.Sprintf("agent-%04d@shop.example", i)), Version: 1, Name: "A name", Role: "agent",
			Permissions: []routing.Permission{routing.PermitChat, routing.PermitTicket}, Assign: routing.AssignmentSwitches{Chat: true},
			Capacity: map[routing.Profile]int{routing.ProfileUnits: 2 + i%3, routing.ChannelProfile("line"): 3},
			State:    routing.AgentState{Presence: routing.Online, Rev: 1, EligRev: 1, IdleSince: t0}}
		for k := range i % 4 {
			a.Skills = append(a.Skills, routing.Skill{Name: fmt.Sprint("skill", (i+k)%9), Level: 1 + k})
		}
		if i%50 == 0 {
			a.Hours = &hours.Calendar{Zone: "Asia/Seoul", Week: hours.Every([]hours.Interval{{From: hours.At(9, 0), To: hours.At(18, 5)}},
				time.Monday)}
		}
		o.agents = append(o.agents, a)
		o.b.ApplyAgent(a)
	}
	o.configure()
	return o
}

// configure replaces queues and desks.
func (o *office) configure() {
	for d := range 4 {
		var members []routing.AgentID
		for _, a := range o.agents {
			if o.rng.IntN(10) > 0 {
				members = append(members, a.ID)
			}
		}
		id := routing.DeskID(fmt.Sprint("desk", d))
		o.desks[id] = members
		o.b.ApplyDesk(id, members, o.config)
	}
	for i, s := range strategies {
		q := routing.Queue{ID: routing.QueueID(fmt.Sprint("queue", i)), Strategy: s, Weights: map[routing.AgentID]int{},
			Rank: map[routing.AgentID]int{}}
		for _, a := range o.agents {
			if o.rng.IntN(4) > 0 {
				q.Members = append(q.Members, a.ID)
				q.Rank[a.ID], q.Weights[a.ID] = o.rng.IntN(20), o.rng.IntN(4)
			}
		}
		if i%3 == 0 {
			q.Desk = "desk1"
		}
		o.queues[q.ID] = q
		o.b.ApplyQueue(q, o.config)
	}
}

// item lets work come.
func (o *office) item() {
	o.n++
	it := routing.Item{ID: routing.ItemID(fmt.Sprintf("0195b2c4-5f00-7000-8000-%012d", o.n)), Version: 1, State: routing.ItemQueued,
		Desk: routing.DeskID(fmt.Sprint("desk", o.rng.IntN(4))), WorkStream: "line", Account: "0195b2c4-5f00-7000-8000-000000000abc",
		Queue: routing.QueueID(fmt.Sprint("queue", o.rng.IntN(len(strategies)))), Mode: routing.Push, Permission: routing.PermitChat,
		Priority: o.rng.IntN(3), QueuedAt: o.now, EnteredAt: o.now, Seq: int64(o.n), Attempt: o.rng.IntN(3),
		Uses:    []routing.Use{{Profile: routing.ProfileUnits, Units: 1}, {Profile: routing.ChannelProfile("line"), Units: 1}},
		Contact: "a contact", Attributes: map[string]string{"tier": "a customer's word"}}
	for k := range o.rng.IntN(3) {
		it.Skills = append(it.Skills, routing.Skill{Name: fmt.Sprint("skill", (o.n+k)%9), Level: 1})
	}
	it.SkillMatch = []routing.SkillMatch{routing.SkillExact, routing.SkillClosest, routing.SkillIgnore}[o.rng.IntN(3)]
	if o.rng.IntN(8) == 0 {
		it.Preferred = o.agents[o.rng.IntN(len(o.agents))].ID
	}
	if o.rng.IntN(8) == 0 {
		it.Declined, it.DeclinedAt = []routing.AgentID{o.agents[o.rng.IntN(len(o.agents))].ID}, o.now
	}
	o.items[it.ID] = it
	o.b.ApplyItem(it)
}

func (o *office) agent(id routing.AgentID) *routing.Agent {
	var n int
	_, err := fmt.Sscanf(string(id), "agent-%d", &n)
	require.NoError(o.t, err)
	return &o.agents[n]
}

// save changes an agent's state.
func (o *office) save(a *routing.Agent, change func(*routing.AgentState)) {
	a.State.Load, a.State.Turns = maps.Clone(a.State.Load), maps.Clone(a.State.Turns)
	if a.State.Load == nil {
		a.State.Load, a.State.Turns = map[routing.Profile]int{}, map[routing.QueueID]int64{}
	}
	a.State.Rev++
	change(&a.State)
	o.b.ApplyAgent(*a)
}

// batch decides as the router does: at most so many, then they are stored, each
// or not.
func (o *office) batch(most int) {
	if o.w == nil || o.w.Over(o.now, o.config) {
		o.begun++
		var err error
		o.w, err = journal.Begin(fmt.Sprint("journal-", o.begun), journal.Roster{At: o.now, Seed: 42, Version: o.config, Queues: o.queues,
			Desks: o.desks, Agents: o.b.Agents()})
		require.NoError(o.t, err)
	}
	var batch []routing.Decision
	for len(batch) < most {
		o.w.Changed(o.b.Touched())
		d, ok := o.b.Decide()
		if !ok {
			break
		}
		it, _ := o.b.Item(d.Item)
		d.Journal = o.w.Decided(it, d.At)
		batch = append(batch, d)
	}
	if len(batch) == 0 {
		return
	}
	if o.rng.IntN(20) > 0 { // else nothing was committed; they are with the next
		rows, err := o.w.Rows()
		require.NoError(o.t, err)
		for _, r := range rows {
			o.rows[r.Journal] = append(o.rows[r.Journal], r)
		}
		o.w.Stored()
	} else {
		for _, d := range batch {
			o.b.Settle(d.ID, false)
		}
		return
	}
	for _, d := range batch {
		o.settle(d, o.rng.IntN(20) > 0)
	}
}

func (o *office) settle(d routing.Decision, ok bool) {
	o.b.Settle(d.ID, ok)
	if !ok {
		return
	}
	o.made = append(o.made, d)
	it := o.items[d.Item]
	it.State, it.Agent = routing.ItemOffered, d.Agent
	it.Version++
	o.items[d.Item], o.held = it, append(o.held, it.ID)
	o.b.ApplyItem(it)
	o.wheel[d.Queue]++
	o.save(o.agent(d.Agent), func(s *routing.AgentState) {
		for _, u := range it.Uses {
			s.Load[u.Profile] += u.Units
		}
		s.Turns[d.Queue] = o.wheel[d.Queue]
	})
}

// end ends the work that was taken first.
func (o *office) end() {
	if len(o.held) == 0 {
		return
	}
	it := o.items[o.held[0]]
	it.State, it.Version = routing.ItemDone, it.Version+1
	o.b.ApplyItem(it)
	o.save(o.agent(it.Agent), func(s *routing.AgentState) {
		for _, u := range it.Uses {
			s.Load[u.Profile] -= u.Units
		}
		s.IdleSince = o.now
	})
	delete(o.items, it.ID)
	o.held = o.held[1:]
}

// happen lets something else change.
func (o *office) happen() {
	a := &o.agents[o.rng.IntN(len(o.agents))]
	switch o.rng.IntN(40) {
	case 0:
		a.Version++
		a.Skills = []routing.Skill{{Name: fmt.Sprint("skill", o.rng.IntN(9)), Level: 3}}
		o.save(a, func(s *routing.AgentState) { s.EligRev++ })
	case 1, 2, 3:
		p := []routing.Presence{routing.Online, routing.Break, routing.Offline}[o.rng.IntN(3)]
		o.save(a, func(s *routing.AgentState) { s.Presence = p })
	case 4:
		a.Version++
		a.Disabled = !a.Disabled
		o.save(a, func(s *routing.AgentState) { s.EligRev++ })
	}
	if o.rng.IntN(4000) == 0 {
		o.config++
		o.configure()
	}
}

// run makes so many decisions.
func (o *office) run(decisions int) {
	for len(o.made) < decisions {
		for range 1 + o.rng.IntN(20) {
			o.now = o.now.Add(time.Duration(o.rng.IntN(400)) * time.Millisecond)
			o.item()
			o.happen()
			if len(o.held) > len(o.agents) {
				o.end()
			}
		}
		o.b.Tick(o.now)
		o.batch(1 + o.rng.IntN(12))
	}
}

// TestDecisionsAreExplainedExactly: ten thousand decisions of a thousand agents
// are evaluated anew from the journal by code of its own, which knows nothing of
// the library's: who was chosen, in which order the next ones stood and what kept
// each agent out come out as the Board had decided. The journal takes at most
// 1 KiB a decision.
func TestDecisionsAreExplainedExactly(t *testing.T) {
	agents, decisions := 1000, 10_000
	if testing.Short() {
		decisions = 1500
	}
	o := newOffice(t, agents)
	o.run(decisions)
	var bytes int
	for _, rows := range o.rows {
		for _, r := range rows {
			raw, err := json.Marshal(r)
			require.NoError(t, err)
			bytes += len(raw)
			require.Less(t, len(raw), 256<<10, "it fits into a document")
			require.NotContains(t, string(raw), "a customer's word")
			require.NotContains(t, string(raw), "A name")
		}
	}
	t.Logf("%d bytes a decision, %d journals", bytes/len(o.made), o.begun)
	require.LessOrEqual(t, bytes/len(o.made), 1024)
	made := map[string]routing.Decision{}
	for _, d := range o.made {
		made[d.Journal] = d
	}
	judged := 0
	for name, rows := range o.rows {
		require.NoError(t, journal.ReplayAll(rows, func(n int, moment func() journal.Moment) bool {
			if d, carriedOut := made[fmt.Sprint(name, "/", n)]; carriedOut && n%*every == 0 {
				judged++
				agrees(t, d, moment(), n%97 == 0)
			}
			return true
		}))
	}
	require.GreaterOrEqual(t, judged, (len(o.made)-o.begun) / *every * 9 / 10)
	d := o.made[len(o.made)-1]
	name, n, err := journal.Reference(d.Journal)
	require.NoError(t, err)
	m, err := journal.Replay(o.rows[name], n)
	require.NoError(t, err)
	agrees(t, d, m, true)
}

// agrees holds a decision to the second opinion, and the library's explanation
// too where it is asked for.
func agrees(t *testing.T, d routing.Decision, m journal.Moment, explained bool) {
	x := judge(m)
	require.Equal(t, d.Agent, x.order[0], "%+v", d)
	require.Equal(t, d.Key, keyOf(d, x.key[d.Agent]))
	for k, next := range d.Next {
		require.Equal(t, next, routing.Candidate{Agent: x.order[k+1], Key: x.key[x.order[k+1]]})
	}
	if d.Why == "strategy" {
		counts := map[routing.Exclusion]int{}
		for _, member := range m.Queue.Members {
			for _, e := range x.out[member] {
				counts[e]++
			}
		}
		require.Equal(t, d.Excluded, counts)
	}
	if !explained {
		return
	}
	told := m.Explain(d)
	require.True(t, told.Exact)
	require.Len(t, told.Considered, len(m.Agents))
	for k, c := range told.Considered {
		require.ElementsMatch(t, x.out[c.Agent], c.Excluded)
		if k < len(x.order) && len(d.Next) > 0 {
			require.Equal(t, x.order[k], c.Agent)
		}
	}
}

// keyOf: of an agent who was chosen by name the Board keeps no key.
func keyOf(d routing.Decision, key string) string {
	if d.Why != "strategy" || d.Strategy == routing.Random || d.Strategy == routing.Weighted {
		return d.Key
	}
	return key
}

// verdict is what the second opinion says of a moment.
type verdict struct {
	order []routing.AgentID // who could be chosen; of a draw only the first counts
	key   map[routing.AgentID]string
	out   map[routing.AgentID][]routing.Exclusion
}

// candidate is an agent who could be asked, and by what they are ordered.
type candidate struct {
	id    routing.AgentID
	class int
	far   int
	key   int64
}

// keyBy is what the queue's strategy compares.
func keyBy(q routing.Queue, a routing.Agent, missing, over int) int64 {
	switch q.Strategy {
	case "", routing.RoundRobin:
		return a.State.Turns[q.ID]
	case routing.LeastLoaded:
		return int64(a.State.Load["units"])
	case routing.MostFree:
		return int64(a.State.Load["units"] - a.Capacity["units"])
	case routing.LongestIdle:
		return a.State.IdleSince.UnixNano()
	case routing.FixedOrder:
		return int64(q.Rank[a.ID])
	case routing.SkillClosestFirst:
		return int64(missing)<<20 + int64(over)
	}
	return 0
}

// judge is the second opinion: the rules of who may take what and in which order,
// written down once more.
func judge(m journal.Moment) verdict {
	v := verdict{key: map[routing.AgentID]string{}, out: map[routing.AgentID][]routing.Exclusion{}}
	var able []candidate
	members, desk := setOf(m.Queue.Members), setOf(m.Desk)
	for _, a := range m.Agents {
		v.out[a.ID] = objections(m, a, members[a.ID], desk[a.ID])
		if len(v.out[a.ID]) > 0 {
			continue
		}
		c := candidate{id: a.ID, class: 1}
		missing, over := gap(m.Item.Skills, a.Skills)
		if m.Item.SkillMatch == routing.SkillClosest {
			c.far = missing
		}
		c.key = keyBy(m.Queue, a, missing, over)
		v.key[a.ID] = strconv.FormatInt(c.key, 10)
		if m.Item.SkillMatch == routing.SkillClosest {
			v.key[a.ID] = fmt.Sprintf("%d/%s", c.far, v.key[a.ID])
		}
		if a.ID == m.Item.Preferred {
			c.class = 0
		}
		if slices.Contains(m.Item.Declined, a.ID) {
			c.class = 2
		}
		able = append(able, c)
	}
	slices.SortFunc(able, func(x, y candidate) int {
		for _, d := range []int64{int64(x.class - y.class), int64(x.far - y.far), x.key - y.key} {
			if d != 0 {
				return int(max(-1, min(1, d)))
			}
		}
		if x.id < y.id {
			return -1
		}
		return 1
	})
	drawn := m.Queue.Strategy == routing.Random || m.Queue.Strategy == routing.Weighted
	if drawn && able[0].class == 1 {
		able = slices.DeleteFunc(able, func(c candidate) bool { return c.class != 1 || c.far != able[0].far })
		weight := func(id routing.AgentID) uint64 {
			if w, set := m.Queue.Weights[id]; set && m.Queue.Strategy == routing.Weighted {
				return uint64(w)
			}
			return 1
		}
		var sum uint64
		for _, c := range able {
			sum += weight(c.id)
		}
		lot := chance(m.Seed, string(m.Item.ID), m.Item.Attempt, sum)
		for i, c := range able {
			if lot < weight(c.id) {
				able = able[i:]
				break
			}
			lot -= weight(c.id)
		}
	}
	for _, c := range able {
		v.order = append(v.order, c.id)
	}
	return v
}

func setOf(ids []routing.AgentID) map[routing.AgentID]bool {
	out := map[routing.AgentID]bool{}
	for _, id := range ids {
		out[id] = true
	}
	return out
}

// objections are the reasons why an agent may not.
func objections(m journal.Moment, a routing.Agent, member, onDesk bool) (out []routing.Exclusion) {
	it := m.Item
	if a.Disabled {
		out = append(out, "disabled")
	}
	if !member {
		out = append(out, "not_a_member")
	}
	if !onDesk {
		out = append(out, "not_on_the_desk")
	}
	if !slices.Contains(a.Permissions, it.Permission) {
		out = append(out, "no_permission")
	}
	if !a.Assign.Chat {
		out = append(out, "assignment_off")
	}
	if a.State.Presence != "online" {
		out = append(out, "presence")
	}
	if a.Hours != nil {
		seoul := m.At.Add(9 * time.Hour)
		minute := seoul.Hour()*60 + seoul.Minute()
		if seoul.Weekday() != time.Monday || minute < 9*60 || minute >= 18*60+5 {
			out = append(out, "outside_own_hours")
		}
	}
	if it.SkillMatch == routing.SkillExact {
		for _, s := range it.Skills {
			if !slices.ContainsFunc(a.Skills, func(has routing.Skill) bool { return has.Name == s.Name && has.Level >= s.Level }) {
				out = append(out, "skill")
				break
			}
		}
	}
	for _, u := range it.Uses {
		if a.State.Load[u.Profile]+u.Units > a.Capacity[u.Profile] {
			out = append(out, "no_capacity")
			break
		}
	}
	if slices.Contains(it.Declined, a.ID) && m.At.Sub(it.DeclinedAt) < time.Minute {
		out = append(out, "declined")
	}
	return out
}

// gap is by how much skills are short of what is needed, a missing one a million
// and more, and by how much they are above it.
func gap(needed, has []routing.Skill) (short, over int) {
	for _, n := range needed {
		level := 0
		for _, h := range has {
			if h.Name == n.Name {
				level = h.Level
			}
		}
		switch {
		case level == 0:
			short += 1<<20 + n.Level
		case level < n.Level:
			short += n.Level - level
		default:
			over += level - n.Level
		}
	}
	return short, over
}

// chance is the draw: FNV-1a of the item's id, mixed with the seed and the attempt
// as SplitMix64 does, scaled to n.
func chance(seed uint64, item string, attempt int, n uint64) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, c := range []byte(item) {
		h ^= uint64(c)
		h *= 0x100000001b3
	}
	split := func(x uint64) uint64 {
		x += 0x9e3779b97f4a7c15
		x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
		x = (x ^ (x >> 27)) * 0x94d049bb133111eb
		return x ^ (x >> 31)
	}
	high, _ := bits.Mul64(split(split(h^seed)+uint64(attempt)*0x9e3779b97f4a7c15), n)
	return high
}

// TestAJournalWithAGapSaysSo: rows that were deleted, and a decision that is not
// there, are told; nothing is explained by half.
func TestAJournalWithAGapSaysSo(t *testing.T) {
	o := newOffice(t, 20)
	o.run(60)
	rows := o.rows["journal-1"]
	require.Greater(t, len(rows), 3)
	_, err := journal.Replay(rows, 100_000)
	require.ErrorIs(t, err, errs.NotFound)
	_, err = journal.Replay(slices.Delete(slices.Clone(rows), 1, 2), 40)
	require.ErrorIs(t, err, errs.NotFound)
	_, err = journal.Replay(rows[1:], 40)
	require.ErrorIs(t, err, errs.NotFound)
	_, err = journal.Replay(nil, 1)
	require.ErrorIs(t, err, errs.NotFound)
	_, _, err = journal.Reference("nothing")
	require.ErrorIs(t, err, errs.Invalid)
	bad := slices.Clone(rows)
	bad[0].Packed = []byte("what is this")
	_, err = journal.Replay(bad, 1)
	require.Error(t, err)
}
