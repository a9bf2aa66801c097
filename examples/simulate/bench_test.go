package main

import (
	"strings"
	"syscall"
	"testing"
)

// BenchmarkSimulation1000Agents is B15: assignments a second of wall clock and
// of processor time, which other work on the machine does not change.
func BenchmarkSimulation1000Agents(b *testing.B) {
	s, err := readScenario(strings.NewReader(scenarioOf(1, 200_000, queueJSON("q", 950, ""),
		agentsJSON(1000, 1, `"q"`, ""), "longest_idle")))
	if err != nil {
		b.Fatal(err)
	}
	assignments := 0
	from := processor()
	for b.Loop() {
		sim, err := newSimulation(&s)
		if err != nil {
			b.Fatal(err)
		}
		if err := sim.run(nil); err != nil {
			b.Fatal(err)
		}
		assignments += sim.assignments
	}
	b.ReportMetric(float64(assignments)/b.Elapsed().Seconds(), "assignments/s")
	b.ReportMetric(float64(assignments)/(processor()-from), "assignments/cpu-s")
}

// processor is the processor time of this process in seconds.
func processor() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
