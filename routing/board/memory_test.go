package board

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
)

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A board through which many items pass keeps nothing of those that are done.
func TestABoardKeepsNothingOfWhatIsDone(t *testing.T) {
	b, err := New(Options{Seed: 1})
	require.NoError(t, err)
	b.ApplyQueue(queueOf("q", "", "a"), 1)
	a := someone("a", 2)
	var before int64
	decided := 0
	for n := range 40_000 {
		if n == 10_000 {
			before = heap()
		}
		b.Tick(t0.Add(time.Duration(n) * time.Second))
		a.State.Rev++
		b.ApplyAgent(a)
		it := work(fmt.Sprint("i", n), "q", n)
		b.ApplyItem(it)
		for d, ok := b.Decide(); ok; d, ok = b.Decide() {
			decided++
			b.Settle(d.ID, true)
		}
		it.State, it.Agent, it.Version = routing.ItemOffered, "a", 2
		b.ApplyItem(it)
		it.State, it.Version = routing.ItemDone, 3
		b.ApplyItem(it)
	}
	require.Equal(t, 40_000, decided)
	require.Less(t, heap(), before+4<<20, "30,000 items went through since")
}

// What agents have is most of what a desk knows, and takes part in no decision: it
// costs the collector little. Nor is what a flood needed kept when it is over.
func TestABoardKeepsLittleOfWhatAgentsHave(t *testing.T) {
	b, err := New(Options{Seed: 1})
	require.NoError(t, err)
	b.ApplyQueue(queueOf("q", "", "a"), 1)
	const n = 20_000
	var ids [n]string
	for i := range ids {
		ids[i] = fmt.Sprint("i", i)
	}
	before := heap()
	for i := range n {
		b.ApplyItem(work(ids[i], "q", i))
	}
	queued := (heap() - before) / n
	require.Greater(t, queued, int64(500), "with its whole row")
	for i := range n {
		it := work(ids[i], "q", i)
		it.State, it.Agent, it.Version = routing.ItemAssigned, "a", 2
		b.ApplyItem(it)
	}
	with := (heap() - before) / n
	require.Less(t, with, int64(300), "bytes each with an agent, %d queued", queued)
	_, whole := b.Item(routing.ItemID(ids[0]))
	require.False(t, whole, "nobody is told half a row")
	require.False(t, b.Idle())
	for i := range n {
		it := work(ids[i], "q", i)
		it.State, it.Version = routing.ItemDone, 3
		b.ApplyItem(it)
	}
	require.Less(t, heap()-before, int64(4<<20), "bytes in all when it is over: %d ids of what ended, and room for little", remembered)
	runtime.KeepAlive(b)
}
