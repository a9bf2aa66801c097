package routing

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/routing/hours"
)

// administrator is the Role that always may take call-backs (RT9).
const administrator = "administrator"

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
func Eligible(it Item, a Agent, q Queue, desk []AgentID, now time.Time) []Exclusion {
	var out []Exclusion
	exclude := func(when bool, e Exclusion) {
		if when {
			out = append(out, e)
		}
	}
	exclude(a.Disabled, ExcludeDisabled)
	exclude(!slices.Contains(q.Members, a.ID), ExcludeMember)
	exclude(DeskFor(&it, &q) != "" && !onDesk(desk, a.ID), ExcludeDesk)
	exclude(designatedElsewhere(&it, &q, a.ID), ExcludeDesignated)
	exclude(!a.May(it.Permission), ExcludePermission)
	exclude(!a.SwitchedOn(it.Permission), ExcludeSwitch)
	exclude(!presenceAllowed(it.Presences, a.State.Presence), ExcludePresence)
	exclude(!calendarOpen(a.Hours, now), ExcludeHours)
	exclude(!hasSkills(requiredSkills(&it), a.Skills), ExcludeSkill)
	exclude(!hasRoom(&a, it.Uses), ExcludeCapacity)
	exclude(slices.Contains(it.Declined, a.ID) && now.Before(askAgainAt(&it)), ExcludeDeclined)
	return out
}

// DeskFor is the desk whose agents alone may take the item from the queue: the
// queue's, else the item's own; empty where neither belongs to one.
func DeskFor(it *Item, q *Queue) DeskID {
	if q.Desk != "" {
		return q.Desk
	}
	return it.Desk
}

// onDesk looks an agent up among a desk's agents, which are ascending.
func onDesk(desk []AgentID, a AgentID) bool {
	_, found := slices.BinarySearch(desk, a)
	return found
}

// May reports whether the agent holds the permission: phone brings ticket, an
// administrator always has call-back, a plain agent only with phone (RT9). The
// empty permission asks for nothing.
func (a *Agent) May(p Permission) bool {
	has := func(p Permission) bool { return slices.Contains(a.Permissions, p) }
	switch p {
	case "":
		return true
	case PermitTicket:
		return has(PermitTicket) || has(PermitPhone)
	case PermitCallBack:
		return a.Role == administrator || has(PermitCallBack) && has(PermitPhone)
	}
	return has(p)
}

// Works reports whether the agent does such work at all: not disabled, with the
// permission and with its assignment switched on.
func (a *Agent) Works(p Permission) bool { return !a.Disabled && a.May(p) && a.SwitchedOn(p) }

// SwitchedOn reports whether the agent's assignment switch lets the kind of
// work through (RT9).
func (a *Agent) SwitchedOn(p Permission) bool {
	switch p {
	case PermitTicket:
		return a.Assign.Ticket
	case PermitChat:
		return a.Assign.Chat
	}
	return true
}

// hasRoom reports whether the uses fit into what is free, in every profile.
func hasRoom(a *Agent, uses []Use) bool {
	for _, u := range uses {
		limit, set := a.Capacity[u.Profile]
		if !set && u.Profile != ProfileUnits {
			continue
		}
		if a.State.Load[u.Profile]+u.Units > limit {
			return false
		}
	}
	return true
}

func designatedElsewhere(it *Item, q *Queue, a AgentID) bool {
	if it.Designated != "" {
		return it.Designated != a
	}
	return q.Strategy == Designated && q.Designated != a
}

func presenceAllowed(allowed []Presence, p Presence) bool {
	if len(allowed) == 0 {
		return p == Online
	}
	return slices.Contains(allowed, p)
}

// requiredSkills are the requirements that must be met: none under ignore and
// closest, all under exact, those not yet dropped under relaxed.
func requiredSkills(it *Item) []Skill {
	switch it.SkillMatch {
	case SkillIgnore, SkillClosest:
		return nil
	case SkillRelaxed:
		return it.Skills[:max(0, len(it.Skills)-it.Relaxed)]
	}
	return it.Skills
}

func hasSkills(required, has []Skill) bool {
	for _, r := range required {
		if levelOf(has, r.Name) < max(1, r.Level) {
			return false
		}
	}
	return true
}

// levelOf returns the level of the named skill, 0 when it is missing.
func levelOf(skills []Skill, name string) int {
	for _, s := range skills {
		if s.Name == name {
			return s.Level
		}
	}
	return 0
}

// askAgainAt is when those who declined the item may be asked again.
func askAgainAt(it *Item) time.Time {
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
