package storm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/adapter"
)

var limits = adapter.AutomaticLimits{PerThread: 3, PerPerson: 10, PerDomain: 30, Within: 24 * time.Hour}

// other is what is on the other side of a scenario: each time that we answer, or
// by itself, it writes again after a while.
type other struct {
	name    string
	threads bool          // each of its mails begins a thread of its own
	people  bool          // and comes under an address of its own
	vouched bool          // its domain vouches for it
	pause   time.Duration // until it writes again
	always  bool          // it writes whether it is answered or not
}

var others = []other{
	{name: "a desk that answers everything", pause: time.Second},
	{name: "an auto-reply without a mark", pause: time.Minute},
	{name: "an auto-reply that begins threads", threads: true, pause: time.Minute},
	{name: "a bounce of a bounce", threads: true, pause: 0},
	{name: "a bounce under many addresses", threads: true, people: true, pause: 0},
	{name: "a list that sends us what we send", pause: 10 * time.Second, vouched: true},
	{name: "an alias of our own", pause: 0, vouched: true},
	{name: "another desk like ours", pause: time.Second, vouched: true},
	{name: "a mailbox that is full", threads: true, pause: time.Hour},
	{name: "somebody who writes under others' names", threads: true, people: true, always: true, pause: time.Second},
}

// paces are how fast the other side is, on top of its own.
var paces = []time.Duration{0, time.Second, time.Minute, 7 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 8 * time.Hour,
	13 * time.Hour, 25 * time.Hour}

type world struct {
	counters map[string]*Counter
	sent     map[string][]time.Time
}

func (w *world) counter(key string) *Counter {
	if w.counters[key] == nil {
		w.counters[key] = &Counter{}
	}
	return w.counters[key]
}

func (w *world) ask(thread, person string, vouched bool, now time.Time) Verdict {
	_, domain, _ := strings.Cut(person, "@")
	v := Decide(limits, Ask{Thread: w.counter("t" + thread), Person: w.counter("p" + person), Domain: w.counter("d" + domain),
		Vouched: vouched}, now)
	if v == Send {
		for _, key := range []string{"thread " + thread, "person " + person, "domain " + domain} {
			w.sent[key] = append(w.sent[key], now)
		}
	}
	return v
}

// most is how many were sent within any day.
func most(at []time.Time) int {
	best := 0
	for i := range at {
		n := 0
		for _, t := range at[i:] {
			if t.Sub(at[i]) < 24*time.Hour {
				n++
			}
		}
		best = max(best, n)
	}
	return best
}

// A hundred scenarios: ten kinds of others at ten paces, for a week, while real
// customers write. No thread, person or stranger's domain ever gets more than its
// limit within any day, and every real customer is told that the mail arrived.
func TestAHundredStorms(t *testing.T) {
	for _, o := range others {
		for _, pace := range paces {
			t.Run(fmt.Sprintf("%s/%s", o.name, pace), func(t *testing.T) { storms(t, o, pace) })
		}
	}
}

func storms(t *testing.T, o other, pace time.Duration) {
	w := &world{counters: map[string]*Counter{}, sent: map[string][]time.Time{}}
	begin := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	now, muted, customers := begin, 0, 0
	for n := 0; n < 3000 && now.Sub(begin) < 7*24*time.Hour; n++ {
		thread, person := "t", "robot@other.example"
		if o.threads {
			thread = fmt.Sprint("t", n)
		}
		if o.people {
			person = fmt.Sprintf("robot%d@other.example", n)
		}
		verdict := w.ask(thread, person, o.vouched, now)
		if n%50 == 0 { // a real customer of another domain, and one of the same
			customers += 2
			for _, at := range []string{"example.com", "other.example"} {
				if w.ask(fmt.Sprint("c", n, at), fmt.Sprintf("mina%d@%s", n, at), true, now) != Send {
					muted++
				}
			}
		}
		step := o.pause + pace
		if verdict != Send && !o.always {
			step = max(step, 5*time.Minute) // nothing to answer; it tries again by itself
		}
		now = now.Add(max(step, time.Millisecond))
	}
	require.Zero(t, muted, "of %d real customers", customers)
	for key, at := range w.sent {
		limit := limits.PerThread
		switch {
		case strings.HasPrefix(key, "person"):
			limit = limits.PerPerson
		case strings.HasPrefix(key, "domain") && o.vouched, key == "domain example.com":
			continue
		case strings.HasPrefix(key, "domain"):
			limit = limits.PerDomain + customers // those who are vouched for do not count
		}
		require.LessOrEqual(t, most(at), limit, key)
	}
	for key, c := range w.counters {
		require.LessOrEqual(t, len(c.At), limits.PerDomain, "%s grows without end", key)
	}
}

// A day later a customer is told again; the limit goes with the clock.
func TestTheWindowGoesWithTheClock(t *testing.T) {
	w := &world{counters: map[string]*Counter{}, sent: map[string][]time.Time{}}
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for range 3 {
		require.Equal(t, Send, w.ask("t", "mina@example.com", false, now))
	}
	require.Equal(t, OfThread, w.ask("t", "mina@example.com", false, now.Add(24*time.Hour-1)))
	require.Equal(t, Send, w.ask("t", "mina@example.com", false, now.Add(24*time.Hour)))
	require.Equal(t, Send, w.ask("another", "mina@example.com", false, now.Add(time.Hour)), "another thread is another matter")
}

// What a channel does not bound is sent.
func TestWithoutLimits(t *testing.T) {
	c := &Counter{}
	for range 100 {
		require.Equal(t, Send, Decide(adapter.AutomaticLimits{}, Ask{Thread: c}, time.Unix(0, 0)))
	}
}
