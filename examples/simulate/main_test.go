package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const core = `{"seed":1,"arrivals":20000,"warmup":2000,"target_s":60,"strategy":"longest_idle",
"queues":[{"name":"q","priority":1,"arrival":{"dist":"exponential","mean_s":75},
"service":{"dist":"exponential","mean_s":300},
"patience":{"dist":"exponential","mean_s":120},"limit":50,"skills":[]}],
"agents":[{"name":"a","count":10,"capacity":1,"queues":["q"],"skills":[]}]}`

func execute(t *testing.T, scenario string, args ...string) (out, notes string, err error) {
	t.Helper()
	var o, n bytes.Buffer
	err = run(args, strings.NewReader(scenario), &o, &n)
	return o.String(), n.String(), err
}

func TestCoreFormInAndOut(t *testing.T) {
	out, notes, err := execute(t, core, "-json")
	require.NoError(t, err)
	require.Empty(t, notes, "no progress bar with -json")
	var got struct {
		Queues []map[string]any
		Agents []map[string]any
		Fairness,
		_ Estimate
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	for _, field := range []string{"name", "arrivals", "p_wait", "mean_wait_s", "p_abandon", "p_overflow", "service_level", "mean_queue",
		"wait_p50_s", "wait_p90_s", "wait_p99_s"} {
		require.Contains(t, got.Queues[0], field)
	}
	require.EqualValues(t, 18000, got.Queues[0]["arrivals"])
	require.Contains(t, got.Queues[0]["p_wait"], "ci95")
	require.Contains(t, got.Agents[0], "occupancy")
	require.Greater(t, got.Fairness.Mean, 0.9)
	again, _, err := execute(t, core, "-json")
	require.NoError(t, err)
	require.Equal(t, out, again, "the same seed gives the same bytes")
}

func TestTableHasAProgressBarOnStandardError(t *testing.T) {
	out, notes, err := execute(t, core)
	require.NoError(t, err)
	require.Contains(t, notes, "100%")
	require.NotContains(t, out, "\r")
	require.Contains(t, out, "mean wait s")
}

func TestCompareOnTheSameArrivals(t *testing.T) {
	out, _, err := execute(t, core, "-json", "-compare", "longest_idle,round_robin")
	require.NoError(t, err)
	var c Comparison
	require.NoError(t, json.Unmarshal([]byte(out), &c))
	require.Len(t, c.Reports, 2)
	require.Zero(t, c.Differences[0].MeanWait.Mean, "identical agents: identical waits")
	_, _, err = execute(t, core, "-compare", "longest_idle")
	require.ErrorContains(t, err, "two strategies")
}

func TestSVG(t *testing.T) {
	file := filepath.Join(t.TempDir(), "waits.svg")
	path := filepath.Join(t.TempDir(), "scenario.json")
	require.NoError(t, os.WriteFile(path, []byte(core), 0o600))
	_, _, err := execute(t, "", "-json", "-scenario", path, "-svg", file)
	require.NoError(t, err)
	drawn, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(drawn), "<polyline"))
}

func TestReserveAndRankHelpTheFirstQueue(t *testing.T) {
	scenario := func(reserve string) string {
		return scenarioOf(3, 30_000, queueJSON("high", 2, `,"priority":2`)+","+queueJSON("low", 2, `,"priority":1`+reserve),
			agentsJSON(5, 1, `"high","low"`, ""), "longest_idle")
	}
	wait := func(s string) (high, low float64) {
		parsed, err := readScenario(strings.NewReader(s))
		require.NoError(t, err)
		r, err := simulate(parsed, nil)
		require.NoError(t, err)
		return r.Queues[0].MeanWait.Mean, r.Queues[1].MeanWait.Mean
	}
	high, low := wait(scenario(""))
	high2, low2 := wait(scenario(`,"reserve":1`))
	require.Less(t, high2, 0.75*high)
	require.Greater(t, low2, low)
}

func TestBadScenarios(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"not JSON":           {`{"seed"`, `{seed`, "not valid JSON"},
		"unknown field":      {`"seed":1`, `"sed":1`, "unknown field"},
		"no arrivals":        {`"arrivals":20000`, `"arrivals":0`, "arrivals"},
		"warmup too long":    {`"warmup":2000`, `"warmup":20000`, "warmup"},
		"too few for means":  {`"warmup":2000`, `"warmup":19990`, "intervals"},
		"negative target":    {`"target_s":60`, `"target_s":-1`, "target_s"},
		"unknown queue":      {`"queues":["q"]`, `"queues":["z"]`, "does not exist"},
		"unknown strategy":   {`longest_idle`, `fastest`, "strategy"},
		"unknown dist":       {`"dist":"exponential"`, `"dist":"zipf"`, "unknown dist"},
		"negative mean":      {`"mean_s":300`, `"mean_s":-300`, "mean_s"},
		"negative limit":     {`"limit":50`, `"limit":-1`, "limit"},
		"no agents":          {`"count":10`, `"count":0`, "count"},
		"no capacity":        {`"capacity":1`, `"capacity":0`, "capacity"},
		"negative cost":      {`"limit":50`, `"cost":-1`, "cost"},
		"unknown rank":       {`"limit":50`, `"rank":["b"]`, "rank"},
		"lognormal without":  {`"dist":"exponential","mean_s":300`, `"dist":"lognormal","mean_s":300`, "cv"},
		"empirical without":  {`"dist":"exponential","mean_s":300`, `"dist":"empirical"`, "values_s"},
		"rates too few":      {`"capacity":1`, `"capacity":2,"rate_by_load":[1]`, "rate_by_load"},
		"skill nobody has":   {`"limit":50,"skills":[]`, `"skills":["ja"],"patience":null`, "nobody can ever serve"},
		"item too expensive": {`"limit":50`, `"cost":2,"patience":null`, "nobody can ever serve"},
	} {
		t.Run(name, func(t *testing.T) {
			s := strings.Replace(core, c.from, c.to, 1)
			s = strings.Replace(s, `"patience":{"dist":"exponential","mean_s":120},`,
				map[bool]string{true: "", false: `"patience":{"dist":"exponential","mean_s":120},`}[strings.Contains(c.to, "null")], 1)
			_, _, err := execute(t, s, "-json")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestDistributionsHaveTheirMeans(t *testing.T) {
	for _, d := range []Distribution{{Dist: "lognormal", Mean: 200, CV: 1.5}, {Dist: "gamma", Mean: 200, CV: 0.5},
		{Dist: "gamma", Mean: 200, CV: 2},
		{Dist: "constant", Mean: 200}, {Dist: "exponential", Mean: 200}, {Dist: "empirical", Values: []float64{100, 300}}} {
		require.NoError(t, d.check())
		require.InDelta(t, 200, d.mean(), 1e-9)
		rng := newStream(5, 0, 0)
		var sum float64
		const n = 400_000
		for range n {
			sum += d.draw(rng)
		}
		require.InEpsilon(t, 200, sum/n, 0.02, d.Dist)
	}
}
