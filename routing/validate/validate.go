// Package validate refuses a configuration of routing that cannot work, before it is
// saved: the engine's saves and its Apply ask it. Every error names the thing and
// what to change.
package validate

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// Limits of a configuration; beyond them it is ErrInvalid.
const (
	MaxOverflowRules = 32   // of a queue
	maxRules         = 500  // of a work stream
	maxSkills        = 64   // of a rule, an item or an agent
	MaxUnits         = 1e6  // of a cost, a capacity or a limit
	maxSlope         = 1000 // of AgeingPerMinute
)

func invalid(format string, args ...any) error {
	return errs.New(errs.Invalid, "routing: "+format, args...)
}

// Configuration checks the whole configuration as it would be after a
// save, so that what cannot work is refused when it is saved: unknown queues
// and strategies, queues and desks out of use that something leads to, cycles in overflow, negative numbers, percentages that do not
// add up, hours that never open. strategies are the names of own ones. Every
// error is ErrInvalid and names the thing and what to change. Rules' conditions
// are checked by classify.New, required skills by Skills.
func Configuration(c routing.Configuration, strategies ...string) error {
	for _, id := range sorted(c.Desks) {
		if err := validateDesk(c.Desks[id]); err != nil {
			return err
		}
	}
	for _, id := range sorted(c.Queues) {
		if err := validateQueueIn(c, id, strategies); err != nil {
			return err
		}
	}
	if err := overflowCycle(c.Queues); err != nil {
		return err
	}
	if err := retired(c); err != nil {
		return err
	}
	for _, id := range sorted(c.WorkStreams) {
		if err := validateWorkStream(c.WorkStreams[id], c.Queues); err != nil {
			return err
		}
	}
	return nil
}

// validateQueueIn checks a queue and the desk and queues that it names.
func validateQueueIn(c routing.Configuration, id routing.QueueID, strategies []string) error {
	q := c.Queues[id]
	if err := validateQueue(q, strategies); err != nil {
		return err
	}
	if _, ok := c.Desks[q.Desk]; q.Desk != "" && !ok {
		return invalid("queue %q works for desk %q, which does not exist: create it or choose another", id, q.Desk)
	}
	for i, o := range q.Overflow {
		if o.Do == routing.OverflowQueue {
			if _, ok := c.Queues[o.Queue]; !ok {
				return invalid("queue %q, overflow %d leads to queue %q, which does not exist: create it or choose another",
					id, i+1, o.Queue)
			}
		}
	}
	return nil
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func validateQueue(q routing.Queue, strategies []string) error {
	if q.ID == "" {
		return invalid("a queue has no id: give it one")
	}
	if q.Strategy != "" && !slices.Contains(routing.BuiltIn(), q.Strategy) && !slices.Contains(strategies, q.Strategy) {
		return invalid("queue %q names strategy %q, which does not exist: choose one of %s, or give yours to the engine",
			q.ID, q.Strategy, strings.Join(routing.BuiltIn(), ", "))
	}
	if q.Strategy == routing.Designated && q.Designated == "" {
		return invalid("queue %q uses the designated strategy but designates nobody: set Designated", q.ID)
	}
	if q.Designated != "" && !slices.Contains(q.Members, q.Designated) {
		return invalid("queue %q designates agent %q, who is no member: add the agent or choose another", q.ID, q.Designated)
	}
	if q.Reserve < 0 {
		return invalid("queue %q keeps back %d agents: use 0 or more", q.ID, q.Reserve)
	}
	if s := q.AgeingPerMinute; math.IsNaN(s) || s < 0 || s > maxSlope {
		return invalid("queue %q ages by %v a minute: use 0 to %d", q.ID, s, maxSlope)
	}
	for _, a := range sorted(q.Weights) {
		if w := q.Weights[a]; w < 0 || w > MaxUnits {
			return invalid("queue %q weighs agent %q with %d: use 0 to %d", q.ID, a, w, int(MaxUnits))
		}
	}
	if dup := duplicate(q.Members); dup != "" {
		return invalid("queue %q has member %q twice: remove one", q.ID, dup)
	}
	if err := Hours(q.Hours, "queue %q", q.ID); err != nil {
		return err
	}
	return validateOverflow(q)
}

func duplicate[T cmp.Ordered](s []T) (dup T) {
	s = slices.Sorted(slices.Values(s))
	for i := range s {
		if i > 0 && s[i] == s[i-1] {
			return s[i]
		}
	}
	return dup
}

// shortest is the shortest time that anybody means. What is below was written as
// seconds or milliseconds where nanoseconds are due.
const shortest = time.Millisecond

func validateOverflow(q routing.Queue) error {
	if len(q.Overflow) > MaxOverflowRules {
		return invalid("queue %q has %d overflow rules: at most %d", q.ID, len(q.Overflow), MaxOverflowRules)
	}
	for i, o := range q.Overflow {
		bad := func(what string, args ...any) error {
			return invalid("queue %q, overflow %d: "+what, append([]any{q.ID, i + 1}, args...)...)
		}
		switch o.When {
		case routing.OverflowWait:
			if o.After < shortest {
				return bad("waits %v: set After to %v or more; JSON has nanoseconds, five minutes are 300000000000", o.After, shortest)
			}
		case routing.OverflowLength:
			if o.Limit < 0 || o.Limit > MaxUnits {
				return bad("limit %d: use 0 to %d", o.Limit, int(MaxUnits))
			}
		case routing.OverflowHours:
			if q.Hours == nil {
				return bad("acts outside hours, but the queue has none: set Hours")
			}
		case routing.OverflowExhausted:
		default:
			return bad("unknown case %q: use hours, wait, length or exhausted", o.When)
		}
		switch o.Do {
		case routing.OverflowQueue:
			if o.Queue == q.ID {
				return bad("leads to itself: choose another queue")
			}
		case routing.OverflowMessage:
			if o.Message == "" {
				return bad("sends a message without a name: set Message")
			}
		case routing.OverflowTicket, routing.OverflowCallBack:
		default:
			return bad("unknown action %q: use queue, message, ticket or call_back", o.Do)
		}
	}
	return nil
}

// overflowCycle finds a way from a queue back to itself.
func overflowCycle(queues map[routing.QueueID]routing.Queue) error {
	const (
		unseen = iota
		open
		done
	)
	state := map[routing.QueueID]int{}
	var path []routing.QueueID
	var visit func(id routing.QueueID) error
	visit = func(id routing.QueueID) error {
		state[id] = open
		path = append(path, id)
		for _, o := range queues[id].Overflow {
			if o.Do != routing.OverflowQueue {
				continue
			}
			switch state[o.Queue] {
			case open:
				return invalid("overflow runs in a circle: %v leads back to %q; change one of them",
					path[slices.Index(path, o.Queue):], o.Queue)
			case unseen:
				if err := visit(o.Queue); err != nil {
					return err
				}
			}
		}
		state[id] = done
		path = path[:len(path)-1]
		return nil
	}
	for _, id := range sorted(queues) {
		if state[id] == unseen {
			if err := visit(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func validateWorkStream(ws routing.WorkStream, queues map[routing.QueueID]routing.Queue) error {
	known := func(q routing.QueueID) bool { _, ok := queues[q]; return ok }
	switch {
	case ws.ID == "":
		return invalid("a work stream has no id: give it one")
	case ws.Mode != routing.Push && ws.Mode != routing.Pick:
		return invalid("work stream %q has mode %q: use push or pick", ws.ID, ws.Mode)
	case ws.Cost < 0 || ws.ChannelCost < 0 || ws.Cost > MaxUnits || ws.ChannelCost > MaxUnits:
		return invalid("work stream %q costs %d units and %d of its channel: use 0 to %d", ws.ID, ws.Cost, ws.ChannelCost, int(MaxUnits))
	case !known(ws.Queue):
		return invalid("work stream %q falls back to queue %q, which does not exist: create it or choose another", ws.ID, ws.Queue)
	case ws.SkillMatch == routing.SkillRelaxed && ws.RelaxAfter < shortest:
		return invalid("work stream %q relaxes skills after %v: set RelaxAfter to %v or more; in JSON it is in nanoseconds", ws.ID,
			ws.RelaxAfter, shortest)
	case len(ws.Rules) > maxRules:
		return invalid("work stream %q has %d rules: at most %d", ws.ID, len(ws.Rules), maxRules)
	}
	if err := SkillMatch(ws.SkillMatch, "work stream %q", ws.ID); err != nil {
		return err
	}
	for name, d := range map[string]time.Duration{
		"OfferFor": ws.OfferFor, "WrapUp": ws.WrapUp, "AutoClose": ws.AutoClose, "ReopenFor": ws.ReopenFor,
		"KeepAgentFor": ws.KeepAgentFor, "RecentAgentWithin": ws.RecentAgentWithin, "AskAgain": ws.AskAgain,
	} {
		if err := Duration(d, name, "work stream %q", ws.ID); err != nil {
			return err
		}
	}
	for i, r := range ws.Rules {
		if err := validateRule(ws.ID, i, r, known); err != nil {
			return err
		}
	}
	return Hours(ws.Hours, "work stream %q", ws.ID)
}

// Duration refuses a time below 0 and one that is shorter than anybody means (see
// shortest). 0, which means a default or none, passes. Errors are ErrInvalid.
func Duration(d time.Duration, name, what string, args ...any) error {
	if d < 0 {
		return invalid(what+": %s is negative: use 0 or more", append(args, name)...)
	}
	if d > 0 && d < shortest {
		return invalid(what+": %s is %v: use %v or more; JSON has nanoseconds, a minute is 60000000000", append(args, name, d, shortest)...)
	}
	return nil
}

// Cost refuses what is no number of units of an agent's capacity. Errors are ErrInvalid.
func Cost(units int, what string, args ...any) error {
	if units < 0 || units > MaxUnits {
		return invalid(what+" costs %d units: use 0 to %d", append(args, units, int(MaxUnits))...)
	}
	return nil
}

// SkillMatch refuses a way of matching skills that is none. Errors are ErrInvalid.
func SkillMatch(m routing.SkillMatch, what string, args ...any) error {
	switch m {
	case "", routing.SkillIgnore, routing.SkillExact, routing.SkillClosest, routing.SkillRelaxed:
		return nil
	}
	return invalid(what+" matches skills by %q: use ignore, exact, closest or relaxed", append(args, m)...)
}

func validateRule(ws routing.WorkStreamID, i int, r routing.Rule, known func(routing.QueueID) bool) error {
	bad := func(what string, args ...any) error {
		return invalid("work stream %q, rule %d (%s): "+what, append([]any{ws, i + 1, r.Name}, args...)...)
	}
	if r.Queue != "" && !known(r.Queue) {
		return bad("queue %q does not exist: create it or choose another", r.Queue)
	}
	if r.Queue != "" && len(r.Split) > 0 {
		return bad("sets a queue and a split: keep one")
	}
	sum := 0
	for _, s := range r.Split {
		if !known(s.Queue) {
			return bad("queue %q of the split does not exist: create it or choose another", s.Queue)
		}
		if s.Percent < 0 || s.Percent > 100 {
			return bad("a share of %d percent: use 0 to 100", s.Percent)
		}
		sum += s.Percent
	}
	if len(r.Split) > 0 && sum != 100 {
		return bad("the split adds up to %d percent: make it 100", sum)
	}
	return validateSkills(r.Skills, func(what string, args ...any) error { return bad(what, args...) })
}

func validateSkills(skills []routing.Skill, bad func(string, ...any) error) error {
	if len(skills) > maxSkills {
		return bad("%d skills: at most %d", len(skills), maxSkills)
	}
	seen := map[string]bool{}
	for _, s := range skills {
		switch {
		case s.Name == "":
			return bad("a skill has no name: give it one")
		case s.Level < 1 || s.Level > MaxUnits:
			return bad("skill %q has level %d: use 1 or more", s.Name, s.Level)
		case seen[s.Name]:
			return bad("skill %q is there twice: remove one", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// Skills checks that every skill that a rule requires is held by at
// least one of the agents, at that level; a skill that nobody has makes items
// wait for ever. The error is ErrInvalid and names the rule and the skill.
func Skills(c routing.Configuration, agents []routing.Agent) error {
	best := map[string]int{}
	for _, a := range agents {
		for _, s := range a.Skills {
			best[s.Name] = max(best[s.Name], s.Level)
		}
	}
	for _, id := range sorted(c.WorkStreams) {
		ws := c.WorkStreams[id]
		if ws.SkillMatch == routing.SkillIgnore || ws.SkillMatch == routing.SkillClosest {
			continue
		}
		for i, r := range ws.Rules {
			for _, s := range r.Skills {
				if best[s.Name] < s.Level {
					return invalid("work stream %q, rule %d (%s) needs skill %q at level %d, which no agent has: give it to one or "+
						"change the rule", id, i+1, r.Name, s.Name, s.Level)
				}
			}
		}
	}
	return nil
}

// Hours refuses a calendar that is malformed or never opens; what names
// it in the error, by a format with its arguments. Nil is none and fine.
func Hours(c *hours.Calendar, what string, args ...any) error {
	if c == nil {
		return nil
	}
	s, err := c.Compile()
	if err != nil {
		return invalid(what+": hours: %w", append(args, err)...)
	}
	if _, ok := s.NextOpen(time.Unix(0, 0)); !ok {
		return invalid(what+": the hours never open: add an interval, or an exception that opens", args...)
	}
	return nil
}
