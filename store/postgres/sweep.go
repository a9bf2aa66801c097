package postgres

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// What is due is found by an index of times. A foreign transaction that holds a
// snapshot, such as a dump, keeps all that was ever there at the index's low end,
// and whoever looks from there walks over it. A sweep therefore remembers up to
// when everything was seen and looks from a little before it: rows may show later
// than their times say, as long as the transaction that wrote them took, or were
// locked by somebody. Once a second a sweep looks back further, and once in a
// minute from the very beginning, which finds what a host's transaction left
// open for minutes, what waited for a pause to end, and whatever else there is.
const (
	sweepMargin  = 2 * time.Second
	wideMargin   = time.Minute
	wideEvery    = time.Second
	wholeEvery   = time.Minute
	theBeginning = -62135596800 * 2 // seconds since 1970
)

// sweep is what is known of one sort of work; all methods may be called at once.
type sweep struct {
	mu          sync.Mutex
	reached     time.Time // by the server's clock: whatever is due before was seen
	wide, whole time.Time // when it looked so last, by this process's clock
	asked       time.Time // when somebody last asked about everything, see look
}

// from is where the next sweep begins.
func (s *sweep) from() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case s.reached.IsZero() || s.whole.IsZero() || now.Sub(s.whole) >= wholeEvery:
		s.whole, s.wide = now, now
		return time.Unix(theBeginning, 0)
	case now.Sub(s.wide) >= wideEvery:
		s.wide = now
		return s.reached.Add(-wideMargin)
	}
	return s.reached.Add(-sweepMargin)
}

// upTo is up to when everything was seen.
func (s *sweep) upTo() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reached.IsZero() {
		return time.Unix(theBeginning, 0)
	}
	return s.reached.Add(-time.Second)
}

// look is where somebody begins who only asks what is due next: once a minute, when
// nobody sweeps, at the beginning.
func (s *sweep) look() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.reached.IsZero() || now.Sub(s.whole) >= wholeEvery && now.Sub(s.asked) >= wholeEvery {
		s.asked = now
		return time.Unix(theBeginning, 0)
	}
	return s.reached.Add(-wideMargin)
}

// saw notes that whatever was due between from and now is seen.
func (s *sweep) saw(from, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.After(s.reached) && !from.After(s.reached) || s.reached.IsZero() {
		s.reached = now
	}
}

// stopped notes that a sweep came no further: there may be more from there on.
func (s *sweep) stopped(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached = at
}

// left notes that something due at a time is still to be found.
func (s *sweep) left(at *time.Time) {
	if at == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.reached.IsZero() || !at.Before(s.reached):
	case at.Before(s.reached.Add(-wideMargin)):
		s.whole = time.Time{}
	default:
		s.wide = time.Time{}
	}
}

// again has the next sweep look at everything.
func (s *sweep) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = time.Time{}
}

// sweeps are those of a database.
type sweeps struct {
	inbox, outbox, deadlines sweep

	mu   sync.Mutex
	jobs map[string]*sweep // by kind
}

func (s *sweeps) job(kind string) *sweep {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs == nil {
		s.jobs = map[string]*sweep{}
	}
	if s.jobs[kind] == nil {
		s.jobs[kind] = &sweep{}
	}
	return s.jobs[kind]
}

// lookForJobs is look for each kind that is done here.
func (s *sweeps) lookForJobs() (kinds []string, since []time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(s.jobs)) {
		kinds, since = append(kinds, kind), append(since, s.jobs[kind].look())
	}
	return kinds, since
}

// again has all next sweeps look at everything.
func (s *sweeps) again() {
	s.inbox.again()
	s.outbox.again()
	s.deadlines.again()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		j.again()
	}
}
