package main

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shares returns what theory says each of n agents of capacity 1 holds under a
// load of a, when whoever comes while some are free gets agent i of them with
// the chance pick(i, free). States are the sets of busy agents; those in which
// somebody waits are the full set too, with the geometric weight of M/M/n.
func shares(n int, a float64, pick func(i int, free uint) float64) []float64 {
	full := uint(1)<<n - 1
	p := make([]float64, full+1)
	for i := range p {
		p[i] = 1 / float64(len(p))
	}
	for range 5000 { // Gauss–Seidel on the balance equations
		for s := uint(0); s <= full; s++ {
			in, out := 0.0, float64(bits.OnesCount(s))
			if s != full {
				out += a
			}
			for i := range n {
				if other := s ^ 1<<i; s>>i&1 == 0 {
					in += p[other] // i ended
				} else {
					in += p[other] * a * pick(i, full&^other)
				}
			}
			p[s] = in / out
		}
	}
	p[full] /= 1 - a/float64(n)
	held, sum := make([]float64, n), 0.0
	for s, x := range p {
		sum += x
		for i := range n {
			if s>>i&1 == 1 {
				held[i] += x
			}
		}
	}
	for i := range held {
		held[i] /= sum
	}
	return held
}

// byWeight picks among the free in proportion to their weights.
func byWeight(weights ...float64) func(int, uint) float64 {
	return func(i int, free uint) float64 {
		sum := 0.0
		for j, w := range weights {
			if free>>j&1 == 1 {
				sum += w
			}
		}
		return weights[i] / sum
	}
}

// TestEveryAgentHoldsWhatTheorySays looks at single agents: those who are alike
// to the strategy hold the same, the others what the states say. A group's mean
// hides a draw that favours somebody.
func TestEveryAgentHoldsWhatTheorySays(t *testing.T) {
	const rho = 0.641
	even := byWeight(1, 1, 1, 1, 1)
	lowest := func(i int, free uint) float64 {
		if bits.TrailingZeros(free) == i {
			return 1
		}
		return 0
	}
	weights := []float64{1, 2, 3, 5, 8}
	var five, weighted []string
	for i, w := range weights {
		five = append(five, fmt.Sprintf(`{"name":"a%d","count":1,"capacity":1,"queues":["q"]}`, i))
		weighted = append(weighted, fmt.Sprintf(`{"name":"a%d","count":1,"capacity":1,"queues":["q"],"weight":%g}`, i, w))
	}
	inside, all := 0, 0
	for n, c := range []struct {
		strategy, agents string
		pick             func(int, uint) float64
	}{
		{"random", agentsJSON(5, 1, `"q"`, ""), even},
		{"random", strings.Join(weighted, ","), even},
		{"weighted", agentsJSON(5, 1, `"q"`, ""), even},
		{"weighted", agentsJSON(5, 1, `"q"`, `,"weight":7`), even},
		{"weighted", strings.Join(weighted, ","), byWeight(weights...)},
		{"round_robin", agentsJSON(5, 1, `"q"`, ""), even},
		{"longest_idle", strings.Join(five, ","), even},
		{"least_loaded", agentsJSON(5, 1, `"q"`, ""), lowest},
		{"fixed_order", agentsJSON(5, 1, `"q"`, ""), lowest},
	} {
		seed := *oracleSeed + 500 + n
		s, err := readScenario(strings.NewReader(scenarioOf(seed, *oracleArrivals, queueJSON("q", 5*rho, ""), c.agents, c.strategy)))
		require.NoError(t, err)
		sim, err := newSimulation(&s)
		require.NoError(t, err)
		require.NoError(t, sim.run(nil))
		for i, theory := range shares(5, 5*rho, c.pick) {
			e := sim.m.people[i].estimate(len(sim.m.spans))
			off := math.Abs(e.Mean-theory) / e.CI95
			all++
			if off <= 1 {
				inside++
			}
			if !(off <= t999/t95) {
				t.Errorf("%s (case %d, seed %d): agent %d holds %v, theory says %.4f", c.strategy, n, seed, i, e, theory)
			}
		}
	}
	t.Logf("%d of %d figures inside the 95 %% interval", inside, all)
	require.GreaterOrEqual(t, inside*20, all*17, "the figures of one run sway together: 85 %, not 95")
}

func TestSharesOfAKnownChain(t *testing.T) {
	for _, held := range shares(5, 3.2, byWeight(1, 1, 1, 1, 1)) {
		require.InDelta(t, 0.64, held, 1e-9)
	}
	two := shares(2, 1, byWeight(1, 0.000001)) // the first is busy with a/(1+a) of what does not wait
	require.InDelta(t, 1, two[0]+two[1], 1e-9)
	require.Greater(t, two[0], two[1])
}
