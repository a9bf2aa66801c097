// Package storm keeps machines from answering machines for ever. Headers tell
// most of them apart, but not all: a desk that answers everything, an auto-reply
// without a mark, two desks that write to each other. So what is sent without a
// person is counted, in each thread, to each person and to each domain, and is
// held back beyond a limit. It is pure; times are given.
//
// The Engine asks it where Capabilities.Automatic sets limits, as mail does. It is
// no spam filter: it judges what is sent, never what comes.
package storm

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel/adapter"
)

// Counter holds when something automatic was sent lately, the oldest first. It
// is persisted as JSON and stays as small as the limit that it is held against.
type Counter struct {
	At []time.Time `json:"at,omitempty"`
}

// within forgets what is older than the window, and counts the rest.
func (c *Counter) within(now time.Time, window time.Duration) int {
	c.At = slices.DeleteFunc(slices.Clone(c.At), func(t time.Time) bool { return now.Sub(t) >= window })
	return len(c.At)
}

// Ask is who would get an automatic message. A nil counter does not count.
type Ask struct {
	Thread, Person, Domain *Counter
	// Vouched says that the person's domain vouches for what came last: nobody
	// else can make us write to that domain, so it needs no limit of its own.
	Vouched bool
}

// Verdict says what holds a message back; empty: nothing does.
type Verdict string

// The verdicts.
const (
	Send     Verdict = ""
	OfThread Verdict = "thread"  // enough was sent in the thread
	OfPerson Verdict = "person"  // to the person, over all threads
	OfDomain Verdict = "domain"  // to the domain, by whose name anybody may write
	Machine  Verdict = "machine" // a machine wrote what it would answer
	// Provider: the provider's own bot has the word; Decide never says so.
	Provider Verdict = "provider"
)

// Decide says whether an automatic message may be sent at now, and counts it if
// so. What is held back counts nowhere: a storm does not use up what a customer
// has in another thread.
func Decide(l adapter.AutomaticLimits, a Ask, now time.Time) Verdict {
	over := func(c *Counter, limit int) bool { return c != nil && limit > 0 && c.within(now, l.Within) >= limit }
	switch {
	case over(a.Thread, l.PerThread):
		return OfThread
	case over(a.Person, l.PerPerson):
		return OfPerson
	case !a.Vouched && over(a.Domain, l.PerDomain):
		return OfDomain
	}
	for _, c := range []*Counter{a.Thread, a.Person} {
		if c != nil {
			c.At = append(c.At, now)
		}
	}
	if a.Domain != nil && !a.Vouched {
		a.Domain.At = append(a.Domain.At, now)
	}
	return Send
}
