package board

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// The long form: go test ./routing/board -run TestBoardProperties -board.steps=1000000
// (at most 60 s on two cores). BOARD_SEED replays a seed.
var boardSteps = flag.Int("board.steps", 60_000, "Board steps of TestBoardProperties")

// world drives a Board with random events, as a store, agents and customers
// would, and keeps rows that are on their way to the Board.
type world struct {
	t     testing.TB
	rng   *rand.Rand
	r     *rows
	b     *Board
	seed  uint64
	late  []func(*Board)     // rows on their way
	open  []routing.Decision // not settled
	async bool
	steps int
	items int

	witness witness
}

func newWorld(t testing.TB, seed uint64, async bool) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), r: newRows(t0), seed: seed, async: async,
		witness: witness{agents: map[routing.AgentID]routing.Agent{}}}
	w.b, _ = New(Options{Seed: seed, Brief: w.rng.IntN(4) == 0})
	w.do(func(b *Board) { b.Tick(t0) })
	for i := range 2 + w.rng.IntN(6) {
		w.newAgent(routing.AgentID('a' + rune(i)))
	}
	if w.rng.IntN(6) == 0 { // large enough for an index
		for i := range scanLimit + 10 {
			w.newAgent(routing.AgentID(fmt.Sprintf("x%03d", i)))
		}
	}
	for _, id := range []routing.DeskID{"north", "south"} {
		w.newDesk(id)
	}
	w.newHours()
	for _, id := range []routing.QueueID{"p", "q", "r"} {
		w.newQueue(id)
	}
	return w
}

// newDesk gives a desk other agents; whoever comes or goes is decided on anew.
func (w *world) newDesk(id routing.DeskID) {
	var members []routing.AgentID
	for _, a := range sortedKeys(w.r.agents) {
		if w.chance(80) {
			members = append(members, a)
		}
	}
	for _, a := range sortedKeys(w.r.agents) {
		if slices.Contains(members, a) != slices.Contains(w.r.desks[id], a) {
			w.r.touch(a, func(s *routing.AgentState) { s.EligRev++ })
			w.sendAgent(a)
		}
	}
	w.r.config++
	w.r.desks[id] = members
	version := w.r.config
	w.send(func(b *Board) { b.ApplyDesk(id, members, version) })
}

// newHours changes the operating hours of all but the queues.
func (w *world) newHours() {
	set := Calendars{Workspace: w.shift(), Desks: map[routing.DeskID]*hours.Calendar{}}
	for _, id := range []routing.DeskID{"north", "south"} {
		set.Desks[id] = w.shift()
	}
	set.Streams = map[routing.WorkStreamID]*hours.Calendar{"line": w.shift()}
	set.Accounts = map[string]*hours.Calendar{"shop": w.shift()}
	w.r.config++
	w.r.calendars, w.r.hoursAt = set, w.r.config
	version := w.r.config
	w.send(func(b *Board) { b.ApplyHours(set, version) })
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

func one[T any](w *world, s ...T) T { return s[w.rng.IntN(len(s))] }

func (w *world) do(apply func(*Board)) {
	w.steps++
	apply(w.b)
}

// send brings rows to the Board, at once or in any order later.
func (w *world) send(apply func(*Board)) {
	if !w.async {
		w.do(apply)
		return
	}
	w.late = append(w.late, apply)
	for len(w.late) > 0 && w.chance(60) {
		w.deliver()
	}
}

func (w *world) deliver() {
	i := w.rng.IntN(len(w.late))
	w.do(w.late[i])
	if w.chance(10) {
		return // it will come again
	}
	w.late = slices.Delete(w.late, i, i+1)
}

func (w *world) sendAgent(id routing.AgentID) {
	a := w.r.agents[id]
	w.send(func(b *Board) { b.ApplyAgent(a) })
}

func (w *world) sendItem(id routing.ItemID) {
	it := w.r.items[id]
	w.send(func(b *Board) { b.ApplyItem(it) })
	if it.State == routing.ItemDone {
		delete(w.r.items, id)
	}
}

var skillNames = []string{"ko", "en", "ja", "billing"}

func (w *world) skills(most int) (out []routing.Skill) {
	for _, i := range w.rng.Perm(len(skillNames))[:w.rng.IntN(most+1)] {
		out = append(out, routing.Skill{Name: skillNames[i], Level: 1 + w.rng.IntN(3)})
	}
	return out
}

func (w *world) shift() *hours.Calendar {
	if w.chance(80) {
		return nil
	}
	return &hours.Calendar{Zone: "UTC", Week: hours.Every([]hours.Interval{{From: hours.At(9, w.rng.IntN(60)),
		To: hours.At(9+w.rng.IntN(3)+1, w.rng.IntN(60))}},
		time.Sunday, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday)}
}

func (w *world) newAgent(id routing.AgentID) {
	w.r.saveAgent(id, w.settings)
	w.r.setPresence(id, one(w, routing.Online, routing.Online, routing.Break))
	w.sendAgent(id)
}

func (w *world) settings(a *routing.Agent) {
	a.Role = "agent"
	a.Permissions = []routing.Permission{routing.PermitChat}
	if w.chance(30) {
		a.Permissions = append(a.Permissions, routing.PermitPhone)
	}
	a.Assign = routing.AssignmentSwitches{Chat: !w.chance(5), Ticket: true}
	a.Capacity = map[routing.Profile]int{routing.ProfileUnits: w.rng.IntN(6)}
	if w.chance(40) {
		a.Capacity[routing.ChannelProfile("line")] = w.rng.IntN(4)
	}
	a.Skills = w.skills(3)
	a.Disabled = w.chance(3)
	a.Hours = w.shift()
}

func (w *world) newQueue(id routing.QueueID) {
	q := routing.Queue{ID: id, Weights: map[routing.AgentID]int{}, Rank: map[routing.AgentID]int{}}
	q.Strategy = one(w, "", routing.RoundRobin, routing.Random, routing.Weighted, routing.LeastLoaded, routing.MostFree,
		routing.LongestIdle, routing.FixedOrder, routing.SkillClosestFirst, routing.Designated)
	q.Designated = "a"
	q.Desk = one[routing.DeskID](w, "", "", "", "south")
	for _, a := range sortedKeys(w.r.agents) {
		if w.chance(80) {
			q.Members = append(q.Members, a)
		}
		q.Weights[a] = w.rng.IntN(3)
		if w.chance(70) {
			q.Rank[a] = w.rng.IntN(3)
		}
	}
	w.rng.Shuffle(len(q.Members), func(i, j int) { q.Members[i], q.Members[j] = q.Members[j], q.Members[i] })
	q.AgeingPerMinute = one(w, 0, 0, 0.5, 3)
	q.Reserve = one(w, 0, 0, 0, 0, 1)
	q.Hours, q.OutsideHours = w.shift(), w.chance(30)
	for range w.rng.IntN(3) {
		q.Overflow = append(q.Overflow, routing.Overflow{
			When:  one(w, routing.OverflowHours, routing.OverflowWait, routing.OverflowLength, routing.OverflowExhausted),
			After: time.Duration(1+w.rng.IntN(600)) * time.Second,
			Limit: w.rng.IntN(8), Do: one(w, routing.OverflowQueue, routing.OverflowQueue, routing.OverflowMessage, routing.OverflowTicket),
			Queue: one[routing.QueueID](w, "p", "q", "r", "s"),
		})
	}
	w.r.config++
	w.r.queues[id] = q
	version := w.r.config
	w.send(func(b *Board) { b.ApplyQueue(q, version) })
}

func (w *world) someAgent() routing.AgentID {
	ids := sortedKeys(w.r.agents)
	return ids[w.rng.IntN(len(ids))]
}

func (w *world) newItem() {
	w.items++
	it := routing.Item{
		ID: routing.ItemID("i" + strconv.Itoa(w.items)), State: routing.ItemQueued, Mode: one(w, routing.Push, routing.Push,
			routing.Push, routing.Push, routing.Push, routing.Pick),
		Permission: one(w, routing.PermitChat, routing.PermitChat, routing.PermitChat, routing.PermitPhone), Priority: w.rng.IntN(3),
		Uses: []routing.Use{{Profile: routing.ProfileUnits, Units: w.rng.IntN(3)}}, AutoAccept: w.chance(50),
		Skills: w.skills(2), SkillMatch: one(w, "", routing.SkillExact, routing.SkillIgnore, routing.SkillClosest,
			routing.SkillRelaxed), RelaxAfter: 90 * time.Second,
		QueuedAt: w.r.now.Add(-time.Duration(w.rng.IntN(3)) * time.Minute), EnteredAt: w.r.now,
	}
	it.Queue = one[routing.QueueID](w, "p", "q", "r")
	it.Visited = []routing.QueueID{it.Queue}
	it.Desk = one[routing.DeskID](w, "", "north", "south")
	it.WorkStream = one[routing.WorkStreamID](w, "", "line")
	it.Account = one(w, "", "", "shop")
	if w.chance(30) {
		it.Uses = append(it.Uses, routing.Use{Profile: routing.ChannelProfile("line"), Units: 1})
	}
	if w.chance(10) {
		it.Presences = []routing.Presence{routing.Online, routing.Break}
	}
	if w.chance(20) {
		it.Preferred = w.someAgent()
		if w.chance(70) {
			it.PreferredUntil = w.r.now.Add(time.Duration(w.rng.IntN(200)) * time.Second)
		}
	}
	if w.chance(5) {
		it.Designated = w.someAgent()
	}
	w.r.saveItem(it)
	w.sendItem(it.ID)
}

// pick is one of the items in these states.
func (w *world) pick(states ...routing.ItemState) (routing.ItemID, bool) {
	var ids []routing.ItemID
	for id, it := range w.r.items {
		if slices.Contains(states, it.State) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "", false
	}
	slices.Sort(ids)
	return ids[w.rng.IntN(len(ids))], true
}

// change makes one random event happen.
func (w *world) change() {
	switch n := w.rng.IntN(100); {
	case n < 30:
		if len(w.r.items) < 40 {
			w.newItem()
		}
	case n < 45:
		if id, ok := w.pick(routing.ItemOffered); ok {
			a := w.r.items[id].Agent
			if w.chance(60) {
				w.r.accept(id)
			} else {
				w.r.decline(id)
			}
			w.sendItem(id)
			w.sendAgent(a)
		}
	case n < 65:
		if id, ok := w.pick(routing.ItemAssigned, routing.ItemAssigned, routing.ItemOffered, routing.ItemQueued); ok {
			a := w.r.items[id].Agent
			w.r.end(id, one(w, routing.ItemDone, routing.ItemDone, routing.ItemDone, routing.ItemQueued))
			w.sendItem(id)
			if a != "" {
				w.sendAgent(a)
			}
		}
	case n < 75:
		id := w.someAgent()
		w.r.setPresence(id, one(w, routing.Online, routing.Online, routing.Online, routing.Break, routing.Offline))
		w.sendAgent(id)
	case n < 79:
		id := w.someAgent()
		load := w.r.agents[id].State.Load
		w.r.saveAgent(id, func(a *routing.Agent) {
			w.settings(a)
			for p, n := range load { // not below what is in use
				if limit, ok := a.Capacity[p]; ok && limit < n {
					a.Capacity[p] = n
				}
			}
		})
		w.sendAgent(id)
	case n < 80 && w.chance(30):
		w.newHours()
	case n < 80:
		w.newDesk(one[routing.DeskID](w, "north", "south"))
	case n < 81:
		w.newQueue(one[routing.QueueID](w, "p", "q", "r", "s"))
	case n < 84:
		if id, ok := w.pick(routing.ItemQueued); ok {
			it := w.r.items[id]
			it.Priority = w.rng.IntN(4)
			w.r.saveItem(it)
			w.sendItem(id)
		}
	default:
		w.r.now = w.r.now.Add(time.Duration(w.rng.IntN(40_000)) * time.Millisecond)
		now := w.r.now
		w.do(func(b *Board) { b.Tick(now) })
	}
}

// decide takes decisions until the Board is quiet, settling some at once and
// some later.
func (w *world) decide() {
	for {
		w.steps++
		w.witness.before(w.b)
		d, ok := w.b.Decide()
		if !ok {
			return
		}
		w.witness.after(w.t, w.b, d)
		w.open = append(w.open, d)
		if !w.async || w.chance(70) {
			w.settle(w.rng.IntN(len(w.open)))
		}
	}
}

func (w *world) settle(i int) {
	d := w.open[i]
	w.open = slices.Delete(w.open, i, i+1)
	err := w.r.write(d)
	if err != nil && !w.async {
		w.t.Fatalf("seed %d: the store refused %+v: %v", w.seed, d, err)
	}
	if err == nil && w.async && w.chance(5) {
		err = &routing.Refused{} // the reply was lost: the caller reads fresh rows
	}
	rows := func() {
		if d.Agent != "" {
			w.sendAgent(d.Agent)
		}
		if _, there := w.r.items[d.Item]; there {
			w.sendItem(d.Item)
		}
	}
	if err == nil {
		w.do(func(b *Board) { b.Settle(d.ID, true) })
		rows()
		return
	}
	w.do(func(b *Board) { b.Settle(d.ID, false) })
	async := w.async
	w.async = false // fresh rows come before the next decision
	rows()
	w.async = async
}

// calm settles and delivers everything.
func (w *world) calm() {
	for len(w.open) > 0 {
		w.settle(0)
	}
	for len(w.late) > 0 {
		w.deliver()
	}
}

// compare drains the Board, a Board rebuilt from the rows, and the reference,
// and wants the same decisions of all three.
func (w *world) compare() {
	w.calm()
	rebuilt := w.r.board(Options{Seed: w.seed, Brief: w.b.brief}, w.rng.Perm)
	for {
		kind, item, agent, rule := reference{w.r, w.seed}.next()
		d, ok := w.b.Decide()
		e, ok2 := rebuilt.Decide()
		w.steps += 2
		want := fmt.Sprint(kind, item, agent, rule)
		for name, got := range map[string]string{"lived": fmt.Sprint(d.Kind, d.Item, d.Agent, d.Rule),
			"rebuilt": fmt.Sprint(e.Kind, e.Item, e.Agent, e.Rule)} {
			if got != want {
				w.t.Fatalf("seed %d, step %d: the %s Board decides %s, the reference %s\n%s", w.seed, w.steps, name, got, want,
					w.about(item, d, e))
			}
		}
		if ok != ok2 || !ok {
			break
		}
		d2 := d
		d2.ID = e.ID
		require.Equal(w.t, e, d2, "seed %d: byte for byte", w.seed)
		if err := w.r.write(d); err != nil {
			w.t.Fatalf("seed %d: the store refused %+v: %v", w.seed, d, err)
		}
		for _, b := range []*Board{w.b, rebuilt} {
			id := d.ID
			if b == rebuilt {
				id = e.ID
			}
			b.Settle(id, true)
			if d.Agent != "" {
				b.ApplyAgent(w.r.agents[d.Agent])
			}
			b.ApplyItem(w.r.items[d.Item])
			w.steps += 3
		}
		if w.r.items[d.Item].State == routing.ItemDone {
			delete(w.r.items, d.Item)
		}
	}
	if s := w.b.Stuck(0); len(s) > 0 {
		w.t.Fatalf("seed %d: stuck %+v", w.seed, s)
	}
	w.consistent()
}

// about describes what a difference is about.
func (w *world) about(item routing.ItemID, decisions ...routing.Decision) (out string) {
	ids := []routing.ItemID{item}
	for _, d := range decisions {
		ids = append(ids, d.Item)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if it, ok := w.r.items[id]; ok {
			q := w.r.queues[it.Queue]
			out += fmt.Sprintf("now %v\nitem %+v\nqueue %+v\n", w.r.now, it, q)
			for _, a := range sortedKeys(w.r.agents) {
				out += fmt.Sprintln(a, w.r.agents[a].State, w.r.agents[a].Capacity,
					Eligible(it, w.r.agents[a], q, w.r.desks[DeskFor(&it, &q)],
						w.r.now))
			}
		}
	}
	return out
}

// consistent checks that the Board's books agree with the rows.
func (w *world) consistent() {
	if err := w.r.check(); err != nil {
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
	for id, a := range w.r.agents {
		for p, limit := range a.Capacity {
			if a.State.Load[p] > limit {
				w.t.Fatalf("seed %d: agent %s holds %d of %d in %s", w.seed, id, a.State.Load[p], limit, p)
			}
			if used := w.b.agents[id].usedOf(w.b.profiles[p]); used != int64(a.State.Load[p]) {
				w.t.Fatalf("seed %d: the Board thinks agent %s uses %d of %s, it is %d", w.seed, id, used, p, a.State.Load[p])
			}
		}
	}
	for id, it := range w.r.items {
		have := w.b.items[id]
		if have == nil || have.version != it.Version || (it.State == routing.ItemQueued) != have.placed() {
			w.t.Fatalf("seed %d: the Board has %+v of %+v", w.seed, have, it)
		}
	}
	if len(w.b.items) != len(w.r.items) {
		w.t.Fatalf("seed %d: the Board has %d items of %d", w.seed, len(w.b.items), len(w.r.items))
	}
}

func runWorld(t testing.TB, seed uint64, events int) (steps, explained int) {
	w := newWorld(t, seed, seed%2 == 0)
	compareEvery := []int{5, 50, 100}[seed%3]
	for i := range events {
		w.change()
		if w.chance(70) {
			w.decide()
		}
		if w.chance(2) { // positions are kept from the first question on
			w.b.Position(routing.ItemID("i" + strconv.Itoa(w.items)))
		}
		if i%compareEvery == compareEvery-1 {
			w.compare()
		}
	}
	w.compare()
	return w.steps, w.witness.decided
}

func TestBoardProperties(t *testing.T) {
	if s := os.Getenv("BOARD_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		runWorld(t, seed, 400)
		return
	}
	first := rand.Uint64() >> 1
	t.Logf("first seed %d", first)
	steps, explained, seed := 0, 0, first
	for ; steps < *boardSteps; seed++ {
		n, told := runWorld(t, seed, 400)
		steps, explained = steps+n, explained+told
	}
	t.Logf("%d steps in %d worlds; %d decisions were evaluated anew", steps, seed-first, explained)
	require.Positive(t, explained)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
