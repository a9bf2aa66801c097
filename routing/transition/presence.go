package transition

import (
	"time"

	"github.com/sangdam/sangdam/routing"
)

// Presence records presence and reason of an agent: no change when they are so
// already. Another presence makes the agent another one to a decision that was
// under way, and who goes online is idle from now on.
func Presence(a routing.Agent, p routing.Presence, reason string, now time.Time) Change {
	s := a.State
	if s.Presence == p && s.Reason == reason {
		return Change{}
	}
	moved := s.Presence != p
	gone := moved && (p == routing.Offline || s.Presence == routing.Offline)
	s.Presence, s.Reason = p, reason
	s.Rev++
	if moved {
		s.EligRev++
	}
	if moved && p == routing.Online {
		s.IdleSince = now
	}
	if gone {
		s.BeatAt = time.Time{}
	}
	return Change{Agents: []AgentChange{{ID: a.ID, State: s, Unheard: gone}}}
}

// Eligibility makes decisions about the agents that are under way void, since
// what they may be given has changed.
func Eligibility(agents []routing.Agent) Change {
	var c Change
	for _, a := range agents {
		a.State.Rev++
		a.State.EligRev++
		c.Agents = append(c.Agents, AgentChange{ID: a.ID, State: a.State})
	}
	return c
}
