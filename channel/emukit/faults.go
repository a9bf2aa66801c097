package emukit

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// When says which calls a fault hits, of those that it concerns.
type When struct {
	// Nth is the first call that is hit, counted from when the fault was added,
	// from 1. Zero means that Probability decides.
	Nth int
	// Times is how many calls are hit in all; 0 means one when Nth is set and no
	// end otherwise.
	Times int
	// Probability of a hit when Nth is zero.
	Probability float64
}

// ParseWhen reads what people write on a command line: a number (the n-th
// call), n+m (m calls from the n-th on) or a share such as 5%.
func ParseWhen(s string) (When, error) {
	var w When
	var err error
	if share, is := strings.CutSuffix(s, "%"); is {
		w.Probability, err = strconv.ParseFloat(share, 64)
		w.Probability /= 100
	} else {
		first, more, several := strings.Cut(s, "+")
		w.Nth, err = strconv.Atoi(first)
		if several && err == nil {
			w.Times, err = strconv.Atoi(more)
		}
	}
	if err != nil {
		return When{}, fmt.Errorf("%q says no time: write a number, n+m, or a share such as 5%%", s)
	}
	return w, nil
}

// Faults are scripts of what goes wrong, F being what an emulator knows to do
// wrong. They are asked in the order in which they were added; the first that
// applies is used. The zero value has none; all methods may be called at once.
type Faults[F any] struct {
	mu      sync.Mutex
	scripts []*script[F]
}

type script[F any] struct {
	fault      F
	when       When
	seen, hits int
}

// Add adds a script: the fault, for the calls that when says.
func (f *Faults[F]) Add(fault F, when When) {
	if when.Nth > 0 && when.Times == 0 {
		when.Times = 1
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts = append(f.scripts, &script[F]{fault: fault, when: when})
}

// Fail lets the next calls go wrong, one fault each.
func (f *Faults[F]) Fail(faults ...F) {
	for _, fault := range faults {
		f.Add(fault, When{Nth: 1})
	}
}

// Clear removes every script.
func (f *Faults[F]) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts = nil
}

// Next counts a call that every script concerns and returns its fault, the zero
// F for none. Scripts with a Probability never hit: they need NextOf.
func (f *Faults[F]) Next() F {
	return f.NextOf(func(F) bool { return true }, func() float64 { return 1 })
}

// NextOf is Next for a call that some scripts concern. chance gives numbers from
// 0 to 1; it is asked once for each script that is tried, whether it has a
// Probability or not, so that a seeded source repeats.
func (f *Faults[F]) NextOf(concerns func(F) bool, chance func() float64) (picked F) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := false
	for _, s := range f.scripts {
		if !concerns(s.fault) {
			continue
		}
		s.seen++
		if !found && s.applies(chance()) {
			s.hits++
			found, picked = true, s.fault
		}
	}
	return picked
}

func (s *script[F]) applies(chance float64) bool {
	if s.when.Times > 0 && s.hits >= s.when.Times {
		return false
	}
	if s.when.Nth > 0 {
		return s.seen >= s.when.Nth
	}
	return chance < s.when.Probability
}
