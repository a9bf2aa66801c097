// Package transition is what may happen to a piece of work: it is reserved for
// an agent, its offer is accepted or ends, its assignment ends, it is saved.
// Each is a pure function from the rows that concern it and a request to the
// rows as they are afterwards, or to the reason why not, mostly a
// *routing.Refused. A store only locks and loads the rows and writes what comes
// out, so that every store gives the same answer; package store is the caller.
//
// Whoever writes a store of their own needs none of it: store.DB calls it above
// every backend. It decides nothing about who is suited; that is board.Eligible
// and the Board.
package transition

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sangdam/sangdam/routing"
)

// Rows are what concerns one item, as it stands.
type Rows struct {
	// Item is nil when there is none.
	Item *routing.Item
	// Offer is the item's open offer, or the one that was asked for by its id,
	// which may have ended; Assignment the open assignment. Nil for none.
	Offer      *routing.Offer
	Assignment *routing.Assignment
	// Agents are whoever holds the item and whoever is to get it, without those
	// whom the store does not know.
	Agents []routing.Agent
	// Epoch is that of the lease which was asked for.
	Epoch int64
}

// Change is what a transition writes, all of it or nothing. Versions and
// revisions are raised already.
type Change struct {
	// Item is the zero one where nothing but agents changed.
	Item routing.Item
	// EndedOffer and EndedAssignment were open before; Offer and Assignment are
	// new. Nil for none.
	EndedOffer      *routing.Offer
	EndedAssignment *routing.Assignment
	Offer           *routing.Offer
	Assignment      *routing.Assignment
	// Agents are those whose state changed.
	Agents []AgentChange
	// Turn, if not empty, turns the wheel of the item's queue for the agent.
	Turn routing.AgentID
	// Decision is kept with the item; nil for none.
	Decision *routing.Decision
}

// AgentChange is an agent's state after a transition.
type AgentChange struct {
	ID    routing.AgentID
	State routing.AgentState
	// Unheard drops the heart-beats that there were: they belong to one stay.
	Unheard bool
	// Profiles are those whose Load changed.
	Profiles []routing.Profile
}

func refused(check, detail string) error { return &routing.Refused{Check: check, Detail: detail} }

// step is a transition under way.
type step struct {
	rows Rows
	c    Change
}

func begin(w Rows) *step { return &step{rows: w, c: Change{Item: *w.Item}} }

// end is the change, with the item in the state and with the holder.
func (s *step) end(state routing.ItemState, holder routing.AgentID) Change {
	s.c.Item.State, s.c.Item.Agent = state, holder
	s.c.Item.Version++
	return s.c
}

// agent returns the agent's change, nil for an agent whom the store does not
// know. The pointer is good until the next call.
func (s *step) agent(id routing.AgentID) *AgentChange {
	for i := range s.c.Agents {
		if s.c.Agents[i].ID == id {
			return &s.c.Agents[i]
		}
	}
	a := find(s.rows.Agents, id)
	if a == nil {
		return nil
	}
	c := AgentChange{ID: id, State: a.State}
	c.State.Load, c.State.Turns = maps.Clone(a.State.Load), maps.Clone(a.State.Turns)
	if c.State.Load == nil {
		c.State.Load = map[routing.Profile]int{}
	}
	c.State.Rev++
	s.c.Agents = append(s.c.Agents, c)
	return &s.c.Agents[len(s.c.Agents)-1]
}

func find(list []routing.Agent, id routing.AgentID) *routing.Agent {
	if i := slices.IndexFunc(list, func(a routing.Agent) bool { return a.ID == id }); i >= 0 {
		return &list[i]
	}
	return nil
}

// load adds one hold with its uses to the agent, or takes it away with a sign
// of -1.
func (s *step) load(id routing.AgentID, uses []routing.Use, sign int) *AgentChange {
	c := s.agent(id)
	if c == nil {
		return nil
	}
	c.State.Open += sign
	for _, u := range uses {
		if u.Units == 0 {
			continue
		}
		c.State.Load[u.Profile] += sign * u.Units
		if !slices.Contains(c.Profiles, u.Profile) {
			c.Profiles = append(c.Profiles, u.Profile)
		}
	}
	maps.DeleteFunc(c.State.Load, func(_ routing.Profile, n int) bool { return n == 0 })
	return c
}

// endOffer ends the open offer and gives back what it held.
func (s *step) endOffer(state routing.OfferState, reason string, now time.Time) *AgentChange {
	o := *s.rows.Offer
	o.State, o.Reason, o.EndedAt = state, reason, now
	s.c.EndedOffer = &o
	if state == routing.OfferAccepted { // the assignment goes on holding it
		return nil
	}
	return s.load(o.Agent, o.Uses, -1)
}

// endAssignment ends the open assignment, gives back what it held, and notes
// when the agent's work ended.
func (s *step) endAssignment(reason routing.EndReason, now time.Time) {
	a := *s.rows.Assignment
	a.EndReason, a.EndedAt = reason, now
	s.c.EndedAssignment = &a
	if c := s.load(a.Agent, a.Uses, -1); c != nil && now.After(c.State.IdleSince) {
		c.State.IdleSince = now
	}
}

// fits checks that what the agent has now is within the capacity, in every
// profile of the uses. A profile without an entry has no limit, but for units,
// of which there are none.
func fits(a *routing.Agent, now routing.AgentState, uses []routing.Use) error {
	for _, u := range uses {
		limit, limited := a.Capacity[u.Profile]
		if !limited && u.Profile != routing.ProfileUnits {
			limit = math.MaxInt
		}
		if u.Units > 0 && now.Load[u.Profile] > limit {
			return refused("capacity", "no room in profile "+string(u.Profile))
		}
	}
	return nil
}
