// Package measure holds what every benchmark of the project does alike: it
// calibrates against the disk before and after each round, interleaves what is
// measured with a control of the same run, throws rounds away during which the
// machine changed, and reports median, least and most. Figures are ratios: what
// a machine can do is in the calibration.
package measure

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// CalibrateFor is how long one calibration lasts.
const CalibrateFor = 300 * time.Millisecond

// steady is by how much the calibrations around a round may differ.
const steady = 2.0

// Calibrate returns how many appends of 4 KiB a second the file system of dir
// makes durable, one after another, each with its own sync.
func Calibrate(dir string) (float64, error) {
	f, err := os.Create(filepath.Join(dir, "calibrate"))
	if err != nil {
		return 0, err
	}
	defer func() {
		f.Close()
		os.Remove(f.Name())
	}()
	page := make([]byte, 4096)
	n, begin := 0, time.Now()
	for time.Since(begin) < CalibrateFor {
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := syncData(f); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// Side does a given number of units of work and says how long that took.
type Side func(units int) (time.Duration, error)

// Plan is a comparison.
type Plan struct {
	// Dir is where the data lies: its file system is calibrated.
	Dir string
	// Rounds that must count; 0: 7. At most three times as many are tried.
	Rounds int
	// Units of work of each side in a round.
	Units int
	// Prepare, if not nil, makes ready what Ours needs; it is not measured.
	Prepare func(units int)
	// Ours is measured; Control may be nil.
	Ours, Control Side
}

// Round is one that counted, in units a second.
type Round struct {
	Calibration, Ours, Control float64
	OurCPU, ControlCPU         time.Duration // of this process, all goroutines
}

// Result of a comparison.
type Result struct {
	Rounds    []Round `json:"-"`
	Discarded int     `json:"discarded"` // rounds during which the disk changed
	// Share is Ours by Control, X is Ours by the calibration.
	Share Spread `json:"share"`
	X     Spread `json:"x"`
	// CPUShare is the control's processor time by ours, for the same work: it
	// says what the software costs and hardly depends on what else the machine
	// does. 0 where the system does not tell.
	CPUShare Spread `json:"cpu_share"`
	Ours     Spread `json:"per_second"`
	OurCPU   Spread `json:"cpu_us"` // a unit, in microseconds
}

// Compare runs the rounds. The sides take turns at being first.
func Compare(p Plan) (Result, error) {
	var out Result
	want := p.Rounds
	if want == 0 {
		want = 7
	}
	for try := 0; len(out.Rounds) < want; try++ {
		if try == 3*want {
			return out, fmt.Errorf("measure: only %d of %d rounds were steady; run it on a quieter machine", len(out.Rounds), try)
		}
		r, ok, err := round(p, try%2 == 1)
		if err != nil {
			return out, err
		}
		if !ok {
			out.Discarded++
			continue
		}
		out.Rounds = append(out.Rounds, r)
	}
	out.Ours = Of(out.Rounds, func(r Round) float64 { return r.Ours })
	out.OurCPU = Of(out.Rounds, func(r Round) float64 { return float64(r.OurCPU.Microseconds()) / float64(p.Units) })
	out.X = Of(out.Rounds, func(r Round) float64 { return r.Ours / r.Calibration })
	if p.Control != nil {
		out.Share = Of(out.Rounds, func(r Round) float64 { return r.Ours / r.Control })
		out.CPUShare = Of(out.Rounds, func(r Round) float64 { return r.ControlCPU.Seconds() / max(r.OurCPU.Seconds(), 1e-9) })
	}
	return out, nil
}

func round(p Plan, controlFirst bool) (Round, bool, error) {
	before, err := Calibrate(p.Dir)
	if err != nil {
		return Round{}, false, err
	}
	if p.Prepare != nil {
		p.Prepare(p.Units)
	}
	var r Round
	sides := []struct {
		run  Side
		rate *float64
		cpu  *time.Duration
	}{{p.Ours, &r.Ours, &r.OurCPU}, {p.Control, &r.Control, &r.ControlCPU}}
	if controlFirst {
		slices.Reverse(sides)
	}
	for _, s := range sides {
		if s.run == nil {
			continue
		}
		runtime.GC() // what one side left behind is not the other's
		used := CPUTime()
		took, err := s.run(p.Units)
		if err != nil {
			return r, false, err
		}
		*s.cpu = CPUTime() - used
		*s.rate = float64(p.Units) / took.Seconds()
	}
	after, err := Calibrate(p.Dir)
	if err != nil {
		return r, false, err
	}
	r.Calibration = (before + after) / 2
	return r, max(before, after) < steady*min(before, after), nil
}

// Spread is how figures of several rounds lie.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// String prints median (min to max).
func (s Spread) String() string { return fmt.Sprintf("%.3g (%.3g to %.3g)", s.Median, s.Min, s.Max) }

// Of is the spread of a figure of each element; zero for none.
func Of[E any](all []E, figure func(E) float64) Spread {
	if len(all) == 0 {
		return Spread{}
	}
	vs := make([]float64, len(all))
	for i, e := range all {
		vs[i] = figure(e)
	}
	slices.Sort(vs)
	return Spread{Median: (vs[(len(vs)-1)/2] + vs[len(vs)/2]) / 2, Min: vs[0], Max: vs[len(vs)-1]}
}

// Latencies are how long units of work took.
type Latencies []time.Duration

// At returns the latency that a share q of the units did not exceed, by nearest
// rank; it sorts.
func (l Latencies) At(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	rank := int(math.Ceil(q * float64(len(l))))
	return l[min(max(rank, 1), len(l))-1]
}

// Above returns the share of units that took longer than d.
func (l Latencies) Above(d time.Duration) float64 {
	if len(l) == 0 {
		return 0
	}
	n := 0
	for _, v := range l {
		if v > d {
			n++
		}
	}
	return float64(n) / float64(len(l))
}
