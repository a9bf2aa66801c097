package sangdam

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store"
)

// atTime is a transaction that knows nothing but the time.
type atTime struct {
	store.Tx
	now time.Time
}

func (t atTime) Now() time.Time { return t.now }

// candidate is a piece of work, an agent and a configuration by chance.
type candidate struct {
	it  routing.Item
	a   routing.Agent
	cfg routing.Configuration
	now time.Time
}

func (c candidate) unit() *unit {
	return &unit{s: &settings{routing: c.cfg}, tx: atTime{now: c.now}}
}

// board tells whether the router, to which the rows came in an order by chance, gives
// the work to the agent.
func (c candidate) board(t *testing.T, r *rand.Rand) bool {
	b, err := board.New(board.Options{})
	require.NoError(t, err)
	b.Tick(c.now)
	rows := []func(){func() { b.ApplyAgent(c.a) }, func() { b.ApplyItem(c.it) }}
	for _, q := range c.cfg.Queues {
		rows = append(rows, func() { b.ApplyQueue(q, 1) })
	}
	for d, members := range c.cfg.Members {
		rows = append(rows, func() { b.ApplyDesk(d, members, 1) })
	}
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for _, row := range rows {
		row()
	}
	d, decided := b.Decide()
	if decided {
		require.Equal(t, c.a.ID, d.Agent)
	}
	return decided
}

// byChance makes a candidate of whom each check agrees mostly.
func byChance(r *rand.Rand) candidate {
	now := time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)
	mostly := func() bool { return r.IntN(8) > 0 }
	some := func(id routing.AgentID) []routing.AgentID {
		if mostly() {
			return []routing.AgentID{id, "other"}
		}
		return []routing.AgentID{"other"}
	}
	desks := []routing.DeskID{"", "one", "two"}
	c := candidate{now: now, cfg: routing.Configuration{
		Queues:  map[routing.QueueID]routing.Queue{"q": {ID: "q", Members: some("a"), Desk: desks[r.IntN(3)], OutsideHours: true}},
		Members: map[routing.DeskID][]routing.AgentID{"one": some("a"), "two": some("a")}}}
	c.a = routing.Agent{ID: "a", Version: 1, Disabled: !mostly(), Capacity: map[routing.Profile]int{routing.ProfileUnits: 2},
		Assign: routing.AssignmentSwitches{Chat: mostly(), Ticket: mostly()}, Skills: []routing.Skill{{Name: "japanese", Level: r.IntN(4)}},
		State: routing.AgentState{Presence: routing.Online, Rev: 1, EligRev: 1, IdleSince: now,
			Load: map[routing.Profile]int{routing.ProfileUnits: r.IntN(3)}}}
	for _, p := range []routing.Permission{routing.PermitChat, routing.PermitTicket} {
		if mostly() {
			c.a.Permissions = append(c.a.Permissions, p)
		}
	}
	if !mostly() {
		c.a.State.Presence = routing.Break
	}
	if !mostly() {
		c.a.Hours = &hours.Calendar{Zone: "UTC"} // never open
	}
	c.it = routing.Item{ID: "i", Version: 1, State: routing.ItemQueued, Queue: "q", Mode: routing.Push, QueuedAt: now, EnteredAt: now,
		Desk: desks[r.IntN(3)], Permission: []routing.Permission{routing.PermitChat, routing.PermitTicket}[r.IntN(2)],
		Uses: []routing.Use{{Profile: routing.ProfileUnits, Units: 1}}, OfferFor: time.Minute}
	if r.IntN(2) == 0 {
		c.it.Skills = []routing.Skill{{Name: "japanese", Level: 1}}
		c.it.SkillMatch = routing.SkillExact
	}
	if !mostly() {
		c.it.Presences = []routing.Presence{routing.Break}
	}
	if !mostly() {
		c.it.Designated = []routing.AgentID{"a", "other"}[r.IntN(2)]
	}
	if !mostly() {
		c.it.Declined, c.it.DeclinedAt = []routing.AgentID{"a"}, now
	}
	return c
}

// The Board gives work to an agent, a person may give it, and a decision about it is
// carried out by one rule, board.Eligible:
//   - The Board gives it if and only if nothing excludes the agent.
//   - A person passes over what an agent declined and for whom the work is designated,
//     and capacity is left to the reservation; one who forces passes over all but that
//     the agent is disabled.
//   - A decision is refused if the agent is no member of the queue or not on the desk.
//     What else changes of an agent is told by its revision.
//
// So what the Board decides may a person do, too, and is carried out.
func TestWhoMayTakeWorkIsOneRule(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	given := 0
	for n := range 5_000 {
		c := byChance(r)
		u := c.unit()
		why := u.eligible(c.it, c.a)
		about := fmt.Sprintf("seed %d, the %dth: %v of %+v for %+v in %+v", seed, n, why, c.a, c.it, c.cfg)
		has := func(of ...routing.Exclusion) bool {
			return slices.ContainsFunc(of, func(x routing.Exclusion) bool { return slices.Contains(why, x) })
		}
		except := func(of ...routing.Exclusion) []routing.Exclusion {
			return slices.DeleteFunc(slices.Clone(why), func(x routing.Exclusion) bool { return slices.Contains(of, x) })
		}
		gives := c.board(t, r)
		require.Equal(t, len(why) == 0, gives, about)
		chosen := u.excluded(c.it, c.a, false)
		require.ElementsMatch(t, except(routing.ExcludeDeclined, routing.ExcludeDesignated, routing.ExcludeCapacity), chosen, about)
		require.Equal(t, has(routing.ExcludeDisabled), len(u.excluded(c.it, c.a, true)) > 0, about)
		serves := u.serves(c.it, c.a.ID)
		require.Equal(t, !has(routing.ExcludeMember, routing.ExcludeDesk), serves, about)
		require.Equal(t, has(routing.ExcludePermission, routing.ExcludeSwitch, routing.ExcludeDisabled), !c.a.Works(c.it.Permission), about)
		require.True(t, !gives || serves && len(chosen) == 0 && c.a.Works(c.it.Permission), about)
		if gives {
			given++
		}
	}
	require.Greater(t, given, 250, "seed %d: or this test tells nothing", seed)
}
