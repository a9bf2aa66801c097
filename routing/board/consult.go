package board

import (
	"cmp"
	"slices"
	"time"

	"github.com/sangdam/sangdam/routing"
)

// Consult chooses whom of the item's queue its owner asks whether to take it
// over: who would be offered it first if it waited there, of those who were not
// asked yet. The item is as Redirected makes it; desk, seed and now are as for
// Rank. Decision.Agent is empty where nobody can take it now, and left says
// whether somebody is there who only has no room.
func Consult(it routing.Item, q routing.Queue, desk []routing.AgentID, agents []routing.Agent, asked []routing.AgentID, seed uint64,
	now time.Time) (d routing.Decision, left bool) {
	agents = slices.DeleteFunc(slices.Clone(agents), func(a routing.Agent) bool { return slices.Contains(asked, a.ID) })
	list, _ := Rank(it, q, desk, agents, seed, now)
	d = routing.Decision{Kind: routing.DecideConsult, At: now, Item: it.ID, ItemVersion: it.Version, Queue: q.ID,
		Strategy: cmp.Or(q.Strategy, routing.RoundRobin),
		Excluded: map[routing.Exclusion]int{}}
	for _, c := range list {
		for _, e := range c.Excluded {
			d.Excluded[e]++
		}
		switch {
		case len(c.Excluded) > 0:
			left = left || slices.Equal(c.Excluded, []routing.Exclusion{routing.ExcludeCapacity})
		case d.Agent == "":
			d.Agent, d.Key, d.Why, left = c.Agent, c.Key, "strategy", true
		case len(d.Next) < 5:
			d.Next = append(d.Next, routing.Candidate{Agent: c.Agent, Key: c.Key})
		}
	}
	return d, left
}
