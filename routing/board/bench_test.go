package board

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/sangdam/sangdam/routing"
)

// bench drives a Board as an engine does: every decision is settled and
// followed by the rows that a store would have written.
type bench struct {
	b      *Board
	agents []routing.Agent
	byID   map[routing.AgentID]int
	now    time.Time
	item   routing.Item
	sets   [][]routing.Skill
	rng    *rand.Rand
	zipf   *rand.Zipf
	n      int
}

// newBench makes agents of one unit in one queue. With skills, every agent has
// 8 of them and items need one of 256 sets of one or two, a few of them most
// of the time.
func newBench(tb testing.TB, strategy string, agents, skills int) *bench {
	x := &bench{b: newBoard(tb, Options{Seed: 1, Brief: true}), byID: map[routing.AgentID]int{}, rng: rand.New(rand.NewPCG(1, 2))}
	x.now = t0.Add(time.Hour)
	q := routing.Queue{ID: "q", Strategy: strategy, Rank: map[routing.AgentID]int{}, Weights: map[routing.AgentID]int{}}
	for i := range agents {
		a := someone(fmt.Sprintf("a%06d", i), 1)
		for k := range min(8, skills) {
			a.Skills = append(a.Skills, routing.Skill{Name: fmt.Sprint("s", (i*7+k*11+i/64*k)%skills), Level: 1 + k%3})
		}
		a.State.Load, a.State.Turns = map[routing.Profile]int{routing.ProfileUnits: 0}, map[routing.QueueID]int64{"q": 0}
		a.State.IdleSince = t0.Add(time.Duration(i) * time.Millisecond)
		x.byID[a.ID] = i
		x.agents = append(x.agents, a)
		q.Members = append(q.Members, a.ID)
		q.Rank[a.ID], q.Weights[a.ID] = i%100, 1+i%5
		x.b.ApplyAgent(a)
	}
	q.Designated = q.Members[0]
	x.b.ApplyQueue(q, 1)
	x.item = work("i", "q", 1)
	if skills > 0 {
		for i := range 256 {
			set := []routing.Skill{{Name: fmt.Sprint("s", x.rng.IntN(skills)), Level: 1}}
			if i%4 != 0 && skills > 1 {
				set = append(set, routing.Skill{Name: fmt.Sprint("s", x.rng.IntN(skills)), Level: 1})
			}
			x.sets = append(x.sets, set)
		}
		for i := range x.sets { // all of them are live
			x.item.Skills = x.sets[i]
			x.cycle(nil)
		}
		x.zipf = rand.NewZipf(x.rng, 1.2, 1, uint64(len(x.sets)-1))
	}
	x.cycle(nil)
	return x
}

// cycle lets an item come, be assigned and end. It returns false when nobody
// could take it.
func (x *bench) cycle(tb testing.TB) bool {
	x.now = x.now.Add(time.Millisecond)
	x.b.Tick(x.now)
	it := &x.item
	if x.zipf != nil {
		it.Skills = x.sets[x.zipf.Uint64()]
	}
	it.Version++
	it.State, it.QueuedAt, it.EnteredAt, it.Agent = routing.ItemQueued, x.now, x.now, ""
	x.b.ApplyItem(*it)
	d, ok := x.b.Decide()
	if ok {
		x.b.Settle(d.ID, true)
		it.Version++
		it.State, it.Agent = routing.ItemAssigned, d.Agent
		x.b.ApplyItem(*it)
		a := &x.agents[x.byID[d.Agent]]
		x.n++
		a.State.Rev++
		a.State.Load[routing.ProfileUnits] = 1
		a.State.Turns["q"] = int64(x.n)
		x.b.ApplyAgent(*a)
		a.State.Rev++
		a.State.Load[routing.ProfileUnits] = 0
		a.State.IdleSince = x.now
		x.b.ApplyAgent(*a)
	}
	it.Version++
	it.State = routing.ItemDone
	x.b.ApplyItem(*it)
	if tb != nil && !ok {
		tb.Fatal("nobody was chosen")
	}
	return ok
}

// BenchmarkDecision is B7: an item comes, an agent is chosen, the decision is
// settled, all rows are applied, the work ends.
func BenchmarkDecision(b *testing.B) {
	for _, strategy := range []string{routing.RoundRobin, routing.Random, routing.Weighted, routing.LeastLoaded, routing.MostFree,
		routing.LongestIdle, routing.FixedOrder, routing.SkillClosestFirst,
		routing.Designated} {
		for _, n := range []int{10, 100, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/agents=%d", strategy, n), func(b *testing.B) {
				x := newBench(b, strategy, n, 0)
				from := x.b.examined
				loop(b, func() {
					x.cycle(b)
				})
				b.ReportMetric(float64(x.b.examined-from)/float64(b.N), "examined/op")
			})
		}
	}
}

// BenchmarkDecisionSkills is B7 with skills.
func BenchmarkDecisionSkills(b *testing.B) {
	for _, skills := range []int{8, 64} {
		for _, n := range []int{1_000, 100_000} {
			b.Run(fmt.Sprintf("skills=%d/agents=%d", skills, n), func(b *testing.B) {
				x := newBench(b, routing.LongestIdle, n, skills)
				loop(b, func() {
					x.cycle(nil)
				})
			})
		}
	}
}

// loop runs the benchmark and reports processor time too, which other work on
// the machine changes little.
func loop(b *testing.B, op func()) {
	b.ReportAllocs()
	from := processor()
	for b.Loop() {
		op()
	}
	b.ReportMetric(float64(processor()-from)/float64(b.N), "cpu-ns/op")
}

func processor() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// deep is a Board with n waiting items and one agent who is busy.
func deep(tb testing.TB, n int, change func(i int, it *routing.Item)) (*Board, routing.Agent) {
	b := newBoard(tb, Options{Brief: true})
	a := someone("a", 1)
	a.State.Load, a.State.Turns = map[routing.Profile]int{routing.ProfileUnits: 1}, map[routing.QueueID]int64{}
	b.ApplyAgent(a)
	b.ApplyQueue(queueOf("q", routing.LongestIdle, "a"), 1)
	for i := range n {
		it := work(fmt.Sprint("i", i), "q", i)
		it.QueuedAt = t0.Add(time.Duration(i) * time.Microsecond)
		it.EnteredAt = it.QueuedAt
		if change != nil {
			change(i, &it)
		}
		b.ApplyItem(it)
	}
	b.Position("i0")
	b.Decide()
	return b, a
}

// BenchmarkQueue is B8: operations on a queue in which so many wait.
func BenchmarkQueue(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		spread := func(i int, it *routing.Item) { it.Priority = i * 7919 % 5 }
		b.Run(fmt.Sprintf("enqueue+cancel/depth=%d", n), func(b *testing.B) {
			board, _ := deep(b, n, spread)
			it := work("x", "q", n)
			k := 0
			loop(b, func() {
				k += 7919
				it.QueuedAt = t0.Add(time.Duration(k%n) * time.Microsecond)
				it.Version++
				it.State = routing.ItemQueued
				board.ApplyItem(it)
				it.Version++
				it.State = routing.ItemDone
				board.ApplyItem(it)
			})
		})
		b.Run(fmt.Sprintf("position/depth=%d", n), func(b *testing.B) {
			board, _ := deep(b, n, spread)
			ids := make([]routing.ItemID, 4096)
			for i := range ids {
				ids[i] = routing.ItemID(fmt.Sprint("i", i*7919%n))
			}
			k := 0
			loop(b, func() {
				k++
				if _, _, ok := board.Position(ids[k%len(ids)]); !ok {
					b.Fatal("no position")
				}
			})
		})
		b.Run(fmt.Sprintf("next-for-agent/depth=%d", n), func(b *testing.B) {
			board, a := deep(b, n, spread)
			loop(b, func() {
				a.State.Rev++
				a.State.Load[routing.ProfileUnits] = 0
				board.ApplyAgent(a)
				d, ok := board.Decide()
				if !ok {
					b.Fatal("nobody was chosen")
				}
				board.Settle(d.ID, false)
				a.State.Rev++
				a.State.Load[routing.ProfileUnits] = 1
				board.ApplyAgent(a)
				board.Decide()
			})
		})
	}
}

// BenchmarkAdversary is B9.
func BenchmarkAdversary(b *testing.B) {
	b.Run("none-of-1M-items-suits-the-agent", func(b *testing.B) {
		board, a := deep(b, 1_000_000, func(i int, it *routing.Item) {
			it.Skills = []routing.Skill{{Name: fmt.Sprint("s", i%64),
				Level: 1}}
		})
		loop(b, func() {
			a.State.Rev++
			a.State.Load[routing.ProfileUnits] = int(a.State.Rev % 2)
			board.ApplyAgent(a)
			if _, ok := board.Decide(); ok {
				b.Fatal("chosen without the skill")
			}
		})
	})
	b.Run("none-of-100k-agents-suits-the-item", func(b *testing.B) {
		x := newBench(b, routing.LongestIdle, 100_000, 0)
		x.item.Skills = []routing.Skill{{Name: "nobody", Level: 1}}
		x.cycle(nil)
		loop(b, func() {
			if x.cycle(nil) {
				b.Fatal("chosen without the skill")
			}
		})
	})
	b.Run("all-keys-equal", func(b *testing.B) {
		x := newBench(b, routing.Designated, 100_000, 0)
		q := queueOf("q", "", "")
		q.Members = nil
		for _, a := range x.agents {
			q.Members = append(q.Members, a.ID)
		}
		q.Strategy = routing.FixedOrder // without ranks
		x.b.ApplyQueue(q, 2)
		x.cycle(nil)
		loop(b, func() {
			x.cycle(b)
		})
	})
	b.Run("flood-of-VIPs", func(b *testing.B) {
		board, _ := deep(b, 1_000_000, nil)
		it := work("vip", "q", 5)
		it.Priority = 9
		loop(b, func() {
			it.Version++
			it.State = routing.ItemQueued
			board.ApplyItem(it)
			board.Decide()
			it.Version++
			it.State = routing.ItemDone
			board.ApplyItem(it)
		})
	})
}

// BenchmarkRestart is B14, the Board's part: 100,000 open conversations and
// 10,000 agents until the first decision.
func BenchmarkRestart(b *testing.B) {
	q := queueOf("q", routing.LongestIdle)
	var agents []routing.Agent
	var items []routing.Item
	for i := range 10_000 {
		a := someone(fmt.Sprintf("a%05d", i), 10)
		a.State.Load = map[routing.Profile]int{routing.ProfileUnits: 9}
		q.Members = append(q.Members, a.ID)
		agents = append(agents, a)
	}
	for i := range 100_000 {
		it := work(fmt.Sprint("i", i), "q", i)
		if i < 90_000 {
			it.State, it.Agent = routing.ItemAssigned, q.Members[i%len(q.Members)]
		}
		items = append(items, it)
	}
	loop(b, func() {
		board := newBoard(b, Options{})
		board.ApplyQueue(q, 1)
		for _, a := range agents {
			board.ApplyAgent(a)
		}
		for _, it := range items {
			board.ApplyItem(it)
		}
		if d, ok := board.Decide(); !ok || d.Item != "i90000" {
			b.Fatal("wrong first decision")
		}
	})
}

// TestAgentsExaminedAreBounded counts the agents looked at for a decision: it
// catches a scan where there should be an index, on any machine.
func TestAgentsExaminedAreBounded(t *testing.T) {
	for _, strategy := range []string{routing.RoundRobin, routing.Random, routing.Weighted, routing.LeastLoaded, routing.MostFree,
		routing.LongestIdle, routing.FixedOrder, routing.SkillClosestFirst,
		routing.Designated} {
		for _, skills := range []int{0, 64} {
			const n, rounds = 10_000, 500
			x := newBench(t, strategy, n, skills)
			from := x.b.examined
			for range rounds {
				x.cycle(nil)
			}
			per := float64(x.b.examined-from) / rounds
			if limit := 4*math.Ceil(math.Log2(n)) + 8; per > limit {
				t.Errorf("%s with %d skills: %.1f agents examined a decision, at most %.0f", strategy, skills, per, limit)
			}
		}
	}
}

// TestDecidingAllocatesNothing holds the hot path to it.
func TestDecidingAllocatesNothing(t *testing.T) {
	for _, strategy := range []string{routing.RoundRobin, routing.Random, routing.Weighted, routing.LeastLoaded, routing.MostFree,
		routing.LongestIdle, routing.FixedOrder} {
		for _, n := range []int{20, 2_000} {
			x := newBench(t, strategy, n, 0)
			for range 100 {
				x.cycle(t)
			}
			if got := testing.AllocsPerRun(1000, func() { x.cycle(t) }); got >= 1 {
				t.Errorf("%s with %d agents: %v allocations a decision", strategy, n, got)
			}
		}
	}
}
