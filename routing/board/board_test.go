package board

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
)

var t0 = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// someone is an agent online with so many units and everything permitted.
func someone(id string, units int, skills ...routing.Skill) routing.Agent {
	return routing.Agent{
		ID: routing.AgentID(id), Version: 1, Role: "agent", Permissions: []routing.Permission{routing.PermitChat, routing.PermitTicket},
		Capacity: map[routing.Profile]int{routing.ProfileUnits: units}, Skills: skills,
		Assign: routing.AssignmentSwitches{Ticket: true, Chat: true},
		State:  routing.AgentState{Presence: routing.Online, EligRev: 1, Rev: 1, IdleSince: t0},
	}
}

// work is a push item that waits since t0 + seq seconds.
func work(id string, q string, seq int) routing.Item {
	at := t0.Add(time.Duration(seq) * time.Second)
	return routing.Item{
		ID: routing.ItemID(id), Version: 1, State: routing.ItemQueued, Queue: routing.QueueID(q), Mode: routing.Push,
		Permission: routing.PermitChat,
		Uses:       []routing.Use{{Profile: routing.ProfileUnits, Units: 1}}, AutoAccept: true, QueuedAt: at, EnteredAt: at,
		Seq:     int64(seq),
		Visited: []routing.QueueID{routing.QueueID(q)},
	}
}

func queueOf(id, strategy string, members ...string) routing.Queue {
	q := routing.Queue{ID: routing.QueueID(id), Name: id, Strategy: strategy}
	for _, m := range members {
		q.Members = append(q.Members, routing.AgentID(m))
	}
	return q
}

func newBoard(t testing.TB, o Options) *Board {
	t.Helper()
	b, err := New(o)
	require.NoError(t, err)
	b.Tick(t0.Add(time.Hour))
	return b
}

// drain settles every decision as written and returns who got what.
func drain(b *Board) (out []string) {
	for {
		d, ok := b.Decide()
		if !ok {
			return out
		}
		switch d.Kind {
		case routing.DecideAssign, routing.DecideOffer:
			out = append(out, fmt.Sprintf("%s>%s", d.Item, d.Agent))
		default:
			out = append(out, fmt.Sprintf("%s %s", d.Kind, d.Item))
		}
		b.Settle(d.ID, true)
	}
}

func TestRoundRobinTurnsTheWheelPerQueue(t *testing.T) {
	b := newBoard(t, Options{})
	for _, id := range []string{"c", "a", "b"} {
		b.ApplyAgent(someone(id, 10))
	}
	b.ApplyQueue(queueOf("q", routing.RoundRobin, "c", "b", "a"), 1)
	b.ApplyQueue(queueOf("r", routing.RoundRobin, "c", "b", "a"), 1)
	for i := range 5 {
		b.ApplyItem(work(fmt.Sprint("i", i), "q", i))
	}
	b.ApplyItem(work("j", "r", 9))
	require.Equal(t, []string{"i0>a", "i1>b", "i2>c", "i3>a", "i4>b", "j>a"}, drain(b))
}

func TestRoundRobinGoesOnFromTheRows(t *testing.T) {
	b := newBoard(t, Options{})
	a, c := someone("a", 9), someone("c", 9)
	a.State.Turns = map[routing.QueueID]int64{"q": 7}
	c.State.Turns = map[routing.QueueID]int64{"q": 6}
	b.ApplyQueue(queueOf("q", "", "a", "c"), 1)
	b.ApplyAgent(a)
	b.ApplyAgent(c)
	b.ApplyItem(work("i", "q", 1))
	b.ApplyItem(work("j", "q", 2))
	require.Equal(t, []string{"i>c", "j>a"}, drain(b))
}

func TestLeastLoadedTakesTheFewestUnits(t *testing.T) {
	b := newBoard(t, Options{})
	a := someone("a", 5)
	a.State.Load = map[routing.Profile]int{routing.ProfileUnits: 2}
	b.ApplyAgent(a)
	b.ApplyAgent(someone("b", 5))
	b.ApplyQueue(queueOf("q", routing.LeastLoaded, "a", "b"), 1)
	for i := range 9 {
		b.ApplyItem(work(fmt.Sprint("i", i), "q", i))
	}
	require.Equal(t, []string{"i0>b", "i1>b", "i2>a", "i3>b", "i4>a", "i5>b", "i6>a", "i7>b"}, drain(b))
	pos, of, ok := b.Position("i8")
	require.True(t, ok)
	require.Equal(t, [2]int{1, 1}, [2]int{pos, of})
}

func TestSettleNotWrittenUndoes(t *testing.T) {
	b := newBoard(t, Options{})
	b.ApplyAgent(someone("a", 1))
	b.ApplyQueue(queueOf("q", "", "a"), 1)
	b.ApplyItem(work("i", "q", 1))
	b.ApplyItem(work("j", "q", 2))
	d, ok := b.Decide()
	require.True(t, ok)
	_, ok = b.Decide()
	require.False(t, ok, "the agent is full while the decision is pending")
	b.Settle(d.ID, false)
	require.Equal(t, []string{"i>a"}, drain(b))
}

func TestEchoAfterSettleIsANoOp(t *testing.T) {
	b := newBoard(t, Options{})
	a := someone("a", 2)
	b.ApplyAgent(a)
	b.ApplyQueue(queueOf("q", "", "a"), 1)
	b.ApplyItem(work("i", "q", 1))
	require.Equal(t, []string{"i>a"}, drain(b))
	a.State.Rev, a.State.Load = 2, map[routing.Profile]int{routing.ProfileUnits: 1}
	b.ApplyAgent(a)
	it := work("i", "q", 1)
	it.Version, it.State, it.Agent = 2, routing.ItemAssigned, "a"
	b.ApplyItem(it)
	b.ApplyItem(work("j", "q", 2))
	b.ApplyItem(work("k", "q", 3))
	require.Equal(t, []string{"j>a"}, drain(b))
}

// An item's row may come before its agent's: what the agent has by it counts at once,
// and no longer than until the item's next row.
func TestAnItemsRowTakesCapacityBeforeItsAgentsDoes(t *testing.T) {
	b := newBoard(t, Options{})
	b.ApplyQueue(queueOf("q", "", "a"), 1)
	b.ApplyAgent(someone("a", 2))
	has := work("has", "q", 1)
	has.State, has.Agent, has.Uses = routing.ItemAssigned, "a", []routing.Use{{Profile: routing.ProfileUnits, Units: 2}}
	b.ApplyItem(has)
	b.ApplyItem(work("next", "q", 2))
	_, ok := b.Decide()
	require.False(t, ok, "there is no room")
	has.Version, has.Uses[0].Units = 2, 1
	b.ApplyItem(has)
	d, ok := b.Decide()
	require.True(t, ok, "it takes less now")
	b.Settle(d.ID, false)
	has.Version, has.Uses = 3, []routing.Use{{Profile: routing.ProfileUnits, Units: 2}}
	b.ApplyItem(has)
	_, ok = b.Decide()
	require.False(t, ok)
	has.Version, has.State = 4, routing.ItemDone
	b.ApplyItem(has)
	d, ok = b.Decide()
	require.True(t, ok, "it takes nothing any more")
	require.Equal(t, routing.AgentID("a"), d.Agent)
	require.Equal(t, routing.ItemID("next"), d.Item)
}
