package board

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
)

func TestNewBoardRefusesABuiltInName(t *testing.T) {
	_, err := New(Options{Strategies: map[string]routing.Strategy{routing.RoundRobin: ownStrategy(nil)}})
	require.ErrorIs(t, err, routing.ErrInvalid)
	_, err = New(Options{Strategies: map[string]routing.Strategy{"mine": nil}})
	require.ErrorIs(t, err, routing.ErrInvalid)
}

// The Board knows each strategy that a queue may name, and no others.
func TestTheBoardHasEveryBuiltInStrategy(t *testing.T) {
	require.ElementsMatch(t, append(routing.BuiltIn(), ""), slices.Collect(maps.Keys(builtIn)))
	require.Equal(t, builtIn[""], builtIn[routing.BuiltIn()[0]])
}

type ownStrategy func(it routing.Item, a routing.Agent, q routing.Queue) float64

func (ownStrategy) Name() string { return "mine" }
func (f ownStrategy) Key(it routing.Item, a routing.Agent, q routing.Queue) float64 {
	return f(it, a, q)
}

func TestOwnStrategyDecidesAndAMisbehavingOneIsRefused(t *testing.T) {
	calls := 0.0
	for name, c := range map[string]struct {
		key  ownStrategy
		want routing.AgentID
		why  string
	}{
		"good":   {func(it routing.Item, a routing.Agent, q routing.Queue) float64 { return -float64(a.ID[0]) }, "c", "strategy"},
		"panics": {func(it routing.Item, a routing.Agent, q routing.Queue) float64 { panic("boom") }, "a", "panicked"},
		"NaN":    {func(it routing.Item, a routing.Agent, q routing.Queue) float64 { return math.NaN() }, "a", "NaN"},
		"wavers": {func(it routing.Item, a routing.Agent, q routing.Queue) float64 { calls++; return calls }, "a", "and then"},
		"meddles": {func(it routing.Item, a routing.Agent, q routing.Queue) float64 {
			a.State.Load[routing.ProfileUnits] = -99
			return 0
		}, "a", "strategy"},
		"ineligible": {func(it routing.Item, a routing.Agent, q routing.Queue) float64 {
			if a.State.Presence != routing.Online {
				t.Errorf("asked about %s, who is not eligible", a.ID)
			}
			return float64(a.ID[0])
		}, "a", "strategy"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, Options{Strategies: map[string]routing.Strategy{"mine": c.key}})
			for _, id := range []string{"a", "b", "c", "d"} {
				a := someone(id, 1)
				if id == "d" {
					a.State.Presence = routing.Break
				}
				b.ApplyAgent(a)
			}
			b.ApplyQueue(queueOf("q", "mine", "a", "b", "c", "d"), 1)
			b.ApplyItem(work("i", "q", 1))
			d, ok := b.Decide()
			require.True(t, ok, "the item is not lost")
			require.Equal(t, c.want, d.Agent)
			require.Contains(t, d.Why, c.why)
			require.NotContains(t, d.Why, "boom", "what a panic holds may be a customer's")
		})
	}
}

func TestClockThatJumpsBackStandsStill(t *testing.T) {
	b := newBoard(t, Options{})
	q := queueOf("q", "")
	q.Overflow = []routing.Overflow{{When: routing.OverflowWait, After: 2 * time.Hour, Do: routing.OverflowTicket}}
	b.ApplyQueue(q, 1)
	b.ApplyItem(work("i", "q", 0))
	b.Tick(t0.Add(-24 * time.Hour))
	require.Empty(t, drain(b))
	at, ok := b.NextWake()
	require.True(t, ok)
	require.Equal(t, t0.Add(2*time.Hour), at)
	b.Tick(at)
	require.Equal(t, []string{"overflow i"}, drain(b))
}

func TestItemOfAnUnknownQueueIsNotLost(t *testing.T) {
	b := newBoard(t, Options{})
	b.ApplyAgent(someone("a", 1))
	b.ApplyItem(work("i", "later", 1))
	require.Empty(t, drain(b))
	x, err := b.Explain("i")
	require.NoError(t, err)
	require.Contains(t, x.Why[0], "not known")
	b.ApplyQueue(queueOf("later", "", "a"), 1)
	require.Equal(t, []string{"i>a"}, drain(b))
}

func TestOlderRowsAreIgnored(t *testing.T) {
	b := newBoard(t, Options{})
	a := someone("a", 1)
	a.State.Rev = 5
	b.ApplyAgent(a)
	old := someone("a", 1)
	old.State.Rev, old.State.Presence = 4, routing.Offline
	b.ApplyAgent(old)
	b.ApplyQueue(queueOf("q", "", "a"), 3)
	b.ApplyQueue(queueOf("q", ""), 2)
	done := work("i", "q", 1)
	done.Version, done.State = 2, routing.ItemDone
	b.ApplyItem(done)
	b.ApplyItem(work("i", "q", 1))
	require.Empty(t, drain(b), "the item ended; its older row does not bring it back")
	b.ApplyItem(work("j", "q", 1))
	require.Equal(t, []string{"j>a"}, drain(b))
}

func TestStuckNamesAnUnsettledDecisionAndAnOverlookedItem(t *testing.T) {
	b := newBoard(t, Options{})
	b.ApplyAgent(someone("a", 1))
	b.ApplyQueue(queueOf("q", "", "a"), 1)
	b.ApplyItem(work("i", "q", 1))
	require.Empty(t, b.Stuck(time.Second), "seen first now")
	b.Tick(t0.Add(2 * time.Hour))
	require.Equal(t, routing.AgentID("a"), b.Stuck(time.Second)[0].Agent, "nobody asked the Board to decide")
	d, _ := b.Decide()
	require.Empty(t, b.Stuck(time.Second))
	b.Tick(t0.Add(3 * time.Hour))
	require.Equal(t, d.ID, b.Stuck(time.Second)[0].Decision)
	require.Equal(t, routing.QueueID("q"), b.Stuck(time.Second)[0].Queue)
}

func TestWeightedAndRandomKeepTheirShares(t *testing.T) {
	for _, n := range []int{2, 200} { // a scan and an index
		b := newBoard(t, Options{Seed: 3, Brief: true})
		q := queueOf("q", routing.Weighted, "a", "b")
		q.Weights = map[routing.AgentID]int{"a": 1, "b": 3, "none": 0}
		for i := range n - 2 {
			id := "none" + string(rune('0'+i%10)) + string(rune('a'+i/10))
			q.Members = append(q.Members, routing.AgentID(id))
			q.Weights[routing.AgentID(id)] = 0
			b.ApplyAgent(someone(id, 1000))
		}
		b.ApplyAgent(someone("a", 1_000_000))
		b.ApplyAgent(someone("b", 1_000_000))
		b.ApplyQueue(q, 1)
		got := map[routing.AgentID]int{}
		for i := range 8000 {
			b.ApplyItem(work("i"+string(rune(i)), "q", i))
			d, ok := b.Decide()
			require.True(t, ok)
			got[d.Agent]++
			b.Settle(d.ID, true)
		}
		require.InDelta(t, 2000, got["a"], 150)
		require.Equal(t, 8000, got["a"]+got["b"], "weight 0 is drawn only when nobody else is able")
	}
}
