package board

import (
	"maps"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
)

// witness follows what a Board says of its agents, as a journal does, and holds
// every decision to what Rank makes of it: so nothing sways a decision that a
// journal does not see.
type witness struct {
	agents  map[routing.AgentID]routing.Agent
	decided int
}

// before takes what the Board says before it decides.
func (s *witness) before(b *Board) {
	agents, gone := b.Touched()
	for _, a := range agents {
		s.agents[a.ID] = a
	}
	for _, id := range gone {
		delete(s.agents, id)
	}
}

// after ranks the agents anew for a decision that was made.
func (s *witness) after(t require.TestingT, b *Board, d routing.Decision) {
	if b.brief || d.Agent == "" {
		return
	}
	s.decided++
	it, known := b.Item(d.Item)
	require.True(t, known)
	q := b.queues[d.Queue].row
	all := slices.Collect(maps.Values(s.agents))
	list, builtin := Rank(it, q, b.deskMembers(DeskFor(&it, &q)), all, b.seed, d.At)
	require.True(t, builtin)
	require.Equal(t, d.Agent, list[0].Agent, "%+v\nof %+v", d, list)
	require.Empty(t, list[0].Excluded)
	excluded := map[routing.Exclusion]int{}
	for _, c := range list {
		if a, is := s.agents[c.Agent]; is && slices.Contains(q.Members, a.ID) {
			for _, e := range c.Excluded {
				excluded[e]++
			}
		}
	}
	for _, m := range q.Members {
		if _, is := s.agents[m]; !is {
			return // somebody whom the Board does not know counts as disabled there
		}
	}
	if d.Why == "strategy" || d.Why == "asked again" { // else others are kept out by name
		require.Equal(t, d.Excluded, excluded, "%+v\nof %+v", d, list)
	}
	if d.Key != "" && d.Why == "strategy" {
		require.Equal(t, d.Key, list[0].Key)
	}
	if it.SkillMatch == routing.SkillClosest && builtIn[q.Strategy].drawn() {
		return
	}
	for i, n := range d.Next {
		require.Equal(t, n, routing.Candidate{Agent: list[i+1].Agent, Key: list[i+1].Key}, "%+v\nof %+v", d, list)
	}
}
