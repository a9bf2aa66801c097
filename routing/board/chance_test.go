package board

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
)

// TestEachAttemptDrawsAnew: one item that is decided again and again spreads
// over the agents by their weights, by the index as by the list of the able,
// and so do items that were never decided before.
func TestEachAttemptDrawsAnew(t *testing.T) {
	const decisions = 20_000
	members := []string{"a", "b", "c", "d", "e"}
	for _, strategy := range []string{routing.Random, routing.Weighted} {
		weights := map[routing.AgentID]int{"a": 1, "b": 2, "c": 3, "d": 5, "e": 8}
		for _, by := range []string{"attempts", "attempts, with agents who declined", "items"} {
			q := queueOf("q", strategy, members...)
			sum := 5.0
			if strategy == routing.Weighted {
				q.Weights, sum = weights, 19
			}
			b := newBoard(t, Options{Seed: 7})
			b.ApplyQueue(q, 1)
			for _, m := range members {
				b.ApplyAgent(someone(m, 1))
			}
			got := map[routing.AgentID]int{}
			it := work("i", "q", 0)
			for n := range decisions {
				it.State, it.Version = routing.ItemQueued, it.Version+1
				switch by {
				case "items":
					it.ID = routing.ItemID(fmt.Sprintf("i%d", n))
				case "attempts":
					it.Attempt = n
				default:
					it.Attempt, it.Declined, it.DeclinedAt = n, []routing.AgentID{"e"}, t0
				}
				b.ApplyItem(it)
				d, ok := b.Decide()
				require.True(t, ok)
				got[d.Agent]++
				b.Settle(d.ID, false)
				it.State, it.Version = routing.ItemDone, it.Version+1
				b.ApplyItem(it)
			}
			able := members
			if len(it.Declined) > 0 {
				able = members[:4]
				if sum -= 1; strategy == routing.Weighted {
					sum -= 7
				}
			}
			for _, m := range able {
				p := 1 / sum
				if strategy == routing.Weighted {
					p = float64(weights[routing.AgentID(m)]) / sum
				}
				// 3.9 standard deviations: one of 10,000 even draws is further off.
				require.InDelta(t, p*decisions, got[routing.AgentID(m)], 3.9*math.Sqrt(p*(1-p)*decisions), "%s by %s: agent %s, all %v",
					strategy, by, m, got)
			}
		}
	}
}
