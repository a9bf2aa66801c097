package routing

import (
	"cmp"
	"slices"
	"time"
)

// Consult chooses whom of the item's queue its owner asks whether to take it
// over: who would be offered it first if it waited there, of those who were not
// asked yet. The item is as Redirected makes it; desk, seed and now are as for
// Rank. Decision.Agent is empty where nobody can take it now, and left says
// whether somebody is there who only has no room.
func Consult(it Item, q Queue, desk []AgentID, agents []Agent, asked []AgentID, seed uint64, now time.Time) (d Decision, left bool) {
	agents = slices.DeleteFunc(slices.Clone(agents), func(a Agent) bool { return slices.Contains(asked, a.ID) })
	list, _ := Rank(it, q, desk, agents, seed, now)
	d = Decision{Kind: DecideConsult, At: now, Item: it.ID, ItemVersion: it.Version, Queue: q.ID, Strategy: cmp.Or(q.Strategy, RoundRobin),
		Excluded: map[Exclusion]int{}}
	for _, c := range list {
		for _, e := range c.Excluded {
			d.Excluded[e]++
		}
		switch {
		case len(c.Excluded) > 0:
			left = left || slices.Equal(c.Excluded, []Exclusion{ExcludeCapacity})
		case d.Agent == "":
			d.Agent, d.Key, d.Why, left = c.Agent, c.Key, "strategy", true
		case len(d.Next) < 5:
			d.Next = append(d.Next, Candidate{Agent: c.Agent, Key: c.Key})
		}
	}
	return d, left
}

// Redirected is the item as whoever takes it over from the queue, on the desk, has
// it: its owner stays until then, and nobody has declined it there.
func Redirected(it Item, q QueueID, desk DeskID, now time.Time) Item {
	it.Queue, it.Desk, it.EnteredAt = q, desk, now
	it.Designated, it.Preferred, it.PreferredUntil = "", "", time.Time{}
	it.Declined, it.DeclinedAt = nil, time.Time{}
	return it
}
