package main

import (
	"flag"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// erlangB is the share of arrivals lost with c servers and load a.
func erlangB(c int, a float64) float64 {
	b := 1.0
	for n := 1; n <= c; n++ {
		b = a * b / (float64(n) + a*b)
	}
	return b
}

// erlangC is the share of arrivals that wait.
func erlangC(c int, a float64) float64 {
	b, rho := erlangB(c, a), a/float64(c)
	return b / (1 - rho*(1-b))
}

// chain solves a birth-death process numerically: arrivals at rate lambda,
// departures at rate down(n) from state n.
func chain(lambda float64, down func(n int) float64, states int) []float64 {
	logs := make([]float64, states)
	most := 0.0
	for n := 1; n < states; n++ {
		logs[n] = logs[n-1] + math.Log(lambda) - math.Log(down(n))
		most = max(most, logs[n])
	}
	var sum float64
	for n := range logs {
		logs[n] = math.Exp(logs[n] - most)
		sum += logs[n]
	}
	for n := range logs {
		logs[n] /= sum
	}
	return logs
}

// loadFor raises a load until what it brings about is common enough to be
// measured.
func loadFor(a, least float64, share func(a float64) float64) float64 {
	for share(a) < least {
		a *= 1.005
	}
	return a
}

// oracle is a scenario with what theory says of it.
type oracle struct {
	name     string
	scenario string
	want     func(r Report) map[string][2]any // figure → theory, estimate
}

const service = 300.0

func scenarioOf(seed int, arrivals int, queues, agents, strategy string) string {
	return fmt.Sprintf(`{"seed":%d,"arrivals":%d,"warmup":%d,"target_s":20,"strategy":%q,"queues":[%s],"agents":[%s]}`,
		seed, arrivals, arrivals/6, strategy, queues, agents)
}

func exponential(mean float64) string {
	return fmt.Sprintf(`{"dist":"exponential","mean_s":%.12g}`, mean)
}

func queueJSON(name string, load float64, extra string) string {
	return fmt.Sprintf(`{"name":%q,"arrival":%s,"service":%s%s}`, name, exponential(service/load), exponential(service), extra)
}

func agentsJSON(count, capacity int, queues, extra string) string {
	return fmt.Sprintf(`{"name":"a","count":%d,"capacity":%d,"queues":[%s]%s}`, count, capacity, queues, extra)
}

var strategies = []string{"longest_idle", "round_robin", "least_loaded", "random", "fixed_order", "most_free", "weighted"}

// More arrivals and other seeds: go test ./examples/simulate -run Theory
// -oracle.arrivals=3000000 -oracle.seed=5000
var (
	oracleArrivals = flag.Int("oracle.arrivals", 300_000, "arrivals of each case of TestAgreesWithQueueingTheory")
	oracleSeed     = flag.Int("oracle.seed", 1000, "seed of its first case")
)

func oracles(arrivals int) (out []oracle) {
	add := func(name, queues, agents string, want func(Report) map[string][2]any) {
		n := len(out)
		out = append(out, oracle{name, scenarioOf(*oracleSeed+n, arrivals, queues, agents, strategies[n%len(strategies)]), want})
	}
	for _, c := range []struct{ agents, capacity int }{{1, 1}, {2, 1}, {3, 1}, {5, 1}, {10, 1}, {30, 1}, {100, 1}, {300, 1}, {1000, 1},
		{1, 3}, {4, 3}, {20, 4}, {2, 2}, {50, 1}, {500, 1}} {
		n := c.agents * c.capacity
		for _, rho := range []float64{0.5, 0.8} {
			a := loadFor(rho*float64(n), 0.1, func(a float64) float64 { return erlangC(n, a) })
			rho := a / float64(n)
			add(fmt.Sprintf("Erlang C %dx%d at %.3f", c.agents, c.capacity, rho), queueJSON("q", a, ""),
				agentsJSON(c.agents, c.capacity, `"q"`,
					""), func(r Report) map[string][2]any {
					pw := erlangC(n, a)
					return map[string][2]any{
						"p_wait":      {pw, r.Queues[0].PWait},
						"mean_wait_s": {pw * service / (float64(n) - a), r.Queues[0].MeanWait},
						"occupancy":   {rho, r.Agents[0].Occupancy},
					}
				})
		}
	}
	for _, n := range []int{1, 3, 10, 40, 200} {
		for _, rho := range []float64{0.7, 1.1} {
			a := loadFor(rho*float64(n), 0.01, func(a float64) float64 { return erlangB(n, a) })
			add(fmt.Sprintf("Erlang B %d at %.1f", n, rho), queueJSON("q", a, `,"limit":0`), agentsJSON(n, 1, `"q"`, ""),
				func(r Report) map[string][2]any {
					return map[string][2]any{"p_overflow": {erlangB(n, a), r.Queues[0].POver}}
				})
			patience := 120.0
			add(fmt.Sprintf("Erlang A %d at %.1f", n, rho), queueJSON("q", a, `,"patience":`+exponential(patience)),
				agentsJSON(n, 1, `"q"`, ""), func(r Report) map[string][2]any {
					lambda := a / service
					p := chain(lambda, func(k int) float64 { return float64(min(k, n))/service + float64(max(0, k-n))/patience }, 10*n+200)
					var wait, queue float64
					for k := n; k < len(p); k++ {
						wait += p[k]
						queue += p[k] * float64(k-n)
					}
					return map[string][2]any{
						"p_wait":      {wait, r.Queues[0].PWait},
						"mean_wait_s": {queue / lambda, r.Queues[0].MeanWait},
						"p_abandon":   {queue / patience / lambda, r.Queues[0].PAbandon},
					}
				})
		}
	}
	twoQueues(add)
	loadedRate(add)
	return out
}

type adds func(name, queues, agents string, want func(Report) map[string][2]any)

// twoQueues: one goes before the other.
func twoQueues(add adds) {
	for _, n := range []int{1, 4, 20} {
		for _, share := range []float64{0.2, 0.6} {
			rho := 0.8
			high, low := rho*share*float64(n), rho*(1-share)*float64(n)
			queues := queueJSON("high", high, `,"priority":2`) + "," + queueJSON("low", low, `,"priority":1`)
			add(fmt.Sprintf("Cobham %d at %.1f", n, share), queues, agentsJSON(n, 1, `"high","low"`, ""), func(r Report) map[string][2]any {
				w0 := erlangC(n, high+low) * service / float64(n)
				s1 := high / float64(n)
				return map[string][2]any{
					"high": {w0 / (1 - s1), r.Queues[0].MeanWait},
					"low":  {w0 / (1 - s1) / (1 - rho), r.Queues[1].MeanWait},
				}
			})
		}
	}
}

// loadedRate: an agent is faster in all, and slower in each, with more at once.
func loadedRate(add adds) {
	rates := []float64{1, 1.6, 1.8}
	a := 1.2
	add("one agent, rate by load", queueJSON("q", a, ""), agentsJSON(1, 3, `"q"`, `,"rate_by_load":[1,1.6,1.8]`),
		func(r Report) map[string][2]any {
			p := chain(a/service, func(k int) float64 { return rates[min(k, 3)-1] / service }, 400)
			var wait, queue float64
			for k := 3; k < len(p); k++ {
				wait += p[k]
				queue += p[k] * float64(k-3)
			}
			return map[string][2]any{"p_wait": {wait, r.Queues[0].PWait}, "mean_wait_s": {queue / (a / service), r.Queues[0].MeanWait}}
		})
}

// TestAgreesWithQueueingTheory runs every case with fixed seeds. At least 90 %
// of the figures lie inside their 95 % interval, and all inside the 99.9 %
// interval.
func TestAgreesWithQueueingTheory(t *testing.T) {
	cases := oracles(*oracleArrivals)
	var mu sync.Mutex
	inside, all := 0, 0
	t.Run("cases", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s, err := readScenario(strings.NewReader(c.scenario))
				require.NoError(t, err)
				r, err := simulate(s, nil)
				require.NoError(t, err)
				for figure, pair := range c.want(r) {
					theory, e := pair[0].(float64), pair[1].(Estimate)
					off := math.Abs(e.Mean-theory) / e.CI95
					mu.Lock()
					all++
					if off <= 1 {
						inside++
					}
					mu.Unlock()
					if off > t999/t95 {
						t.Errorf("%s: %v, theory says %.6g: outside the 99.9 %% interval (%.2f half widths of 95 %%)",
							figure, e, theory, off)
					}
				}
			})
		}
	})
	t.Logf("%d cases, %d of %d figures inside the 95 %% interval", len(cases), inside, all)
	if inside*10 < all*9 {
		t.Errorf("only %d of %d figures lie inside the 95 %% interval", inside, all)
	}
}

// TestWaitsAreTheSameUnderEveryWorkConservingStrategy: with identical agents
// and services drawn in the order of assignment, who serves does not matter to
// those who wait.
func TestWaitsAreTheSameUnderEveryWorkConservingStrategy(t *testing.T) {
	var first []int64
	for _, name := range strategies {
		s, err := readScenario(strings.NewReader(scenarioOf(7, 20_000, queueJSON("q", 9.2, ""), agentsJSON(10, 1, `"q"`, ""), name)))
		require.NoError(t, err)
		sim, err := newSimulation(&s)
		require.NoError(t, err)
		waits := make([]int64, 2*s.Arrivals)
		sim.onAssign = func(n int, wait int64) { waits[n] = wait }
		require.NoError(t, sim.run(nil))
		if first == nil {
			first = waits[:s.Arrivals]
		}
		require.Equal(t, first, waits[:s.Arrivals], "%s: every single wait is the same", name)
	}
}
