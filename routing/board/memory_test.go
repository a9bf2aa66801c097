package board

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
)

// A board through which many items pass keeps nothing of those that are done.
func TestABoardKeepsNothingOfWhatIsDone(t *testing.T) {
	b, err := New(Options{Seed: 1})
	require.NoError(t, err)
	b.ApplyQueue(queueOf("q", "", "a"), 1)
	a := someone("a", 2)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var before uint64
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
