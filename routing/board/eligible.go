package board

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// defaultAskAgain stands in for a zero AskAgain.
const defaultAskAgain = time.Minute

// Eligible answers whether the agent may take the item from the queue at now:
// nothing when it may, else every reason why not. It is the one rule of who
// may take what (design.md section 6, rule 5): the Board, Explain and those who
// pick, transfer and force all go by it. A person who picks may disregard
// ExcludeDeclined, one who forces ExcludeCapacity.
//
// desk are the agents of DeskFor(it, q), ascending; an item that belongs to no
// desk asks for none. Whether another agent must be asked before (preferred
// agents, the strategy) is no part of it. An own calendar that does not compile
// counts as closed.
func Eligible(it routing.Item, a routing.Agent, q routing.Queue, desk []routing.AgentID, now time.Time) []routing.Exclusion {
	var out []routing.Exclusion
	exclude := func(when bool, e routing.Exclusion) {
		if when {
			out = append(out, e)
		}
	}
	exclude(a.Disabled, routing.ExcludeDisabled)
	exclude(!slices.Contains(q.Members, a.ID), routing.ExcludeMember)
	exclude(DeskFor(&it, &q) != "" && !onDesk(desk, a.ID), routing.ExcludeDesk)
	exclude(designatedElsewhere(&it, &q, a.ID), routing.ExcludeDesignated)
	exclude(!a.May(it.Permission), routing.ExcludePermission)
	exclude(!a.SwitchedOn(it.Permission), routing.ExcludeSwitch)
	exclude(!presenceAllowed(it.Presences, a.State.Presence), routing.ExcludePresence)
	exclude(!calendarOpen(a.Hours, now), routing.ExcludeHours)
	exclude(!hasSkills(requiredSkills(&it), a.Skills), routing.ExcludeSkill)
	exclude(!hasRoom(&a, it.Uses), routing.ExcludeCapacity)
	exclude(slices.Contains(it.Declined, a.ID) && now.Before(askAgainAt(&it)), routing.ExcludeDeclined)
	return out
}

// DeskFor is the desk whose agents alone may take the item from the queue: the
// queue's, else the item's own; empty where neither belongs to one.
func DeskFor(it *routing.Item, q *routing.Queue) routing.DeskID {
	if q.Desk != "" {
		return q.Desk
	}
	return it.Desk
}

// onDesk looks an agent up among a desk's agents, which are ascending.
func onDesk(desk []routing.AgentID, a routing.AgentID) bool {
	_, found := slices.BinarySearch(desk, a)
	return found
}

// hasRoom reports whether the uses fit into what is free, in every profile.
func hasRoom(a *routing.Agent, uses []routing.Use) bool {
	for _, u := range uses {
		limit, set := a.Capacity[u.Profile]
		if !set && u.Profile != routing.ProfileUnits {
			continue
		}
		if a.State.Load[u.Profile]+u.Units > limit {
			return false
		}
	}
	return true
}

func designatedElsewhere(it *routing.Item, q *routing.Queue, a routing.AgentID) bool {
	if it.Designated != "" {
		return it.Designated != a
	}
	return q.Strategy == routing.Designated && q.Designated != a
}

func presenceAllowed(allowed []routing.Presence, p routing.Presence) bool {
	if len(allowed) == 0 {
		return p == routing.Online
	}
	return slices.Contains(allowed, p)
}

// requiredSkills are the requirements that must be met: none under ignore and
// closest, all under exact, those not yet dropped under relaxed.
func requiredSkills(it *routing.Item) []routing.Skill {
	switch it.SkillMatch {
	case routing.SkillIgnore, routing.SkillClosest:
		return nil
	case routing.SkillRelaxed:
		return it.Skills[:max(0, len(it.Skills)-it.Relaxed)]
	}
	return it.Skills
}

func hasSkills(required, has []routing.Skill) bool {
	for _, r := range required {
		if levelOf(has, r.Name) < max(1, r.Level) {
			return false
		}
	}
	return true
}

// levelOf returns the level of the named skill, 0 when it is missing.
func levelOf(skills []routing.Skill, name string) int {
	for _, s := range skills {
		if s.Name == name {
			return s.Level
		}
	}
	return 0
}

// askAgainAt is when those who declined the item may be asked again.
func askAgainAt(it *routing.Item) time.Time {
	wait := it.AskAgain
	if wait == 0 {
		wait = defaultAskAgain
	}
	if it.DeclinedAt.After(it.EnteredAt) {
		return it.DeclinedAt.Add(wait)
	}
	return it.EnteredAt.Add(wait)
}

// calendarOpen reports whether the calendar, if there is one, is open.
func calendarOpen(c *hours.Calendar, now time.Time) bool {
	if c == nil {
		return true
	}
	s, err := c.Compile()
	return err == nil && s.At(now).Open
}
