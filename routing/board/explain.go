package board

import (
	"cmp"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// Explanation says why an item waits, or why somebody was chosen: who was
// considered and what excluded each.
type Explanation struct {
	Item  routing.ItemID  `json:"item"`
	Queue routing.QueueID `json:"queue"`
	// Agent is who was chosen; empty for an item that waits.
	Agent    routing.AgentID `json:"agent,omitempty"`
	At       time.Time       `json:"at,omitzero"`
	Strategy string          `json:"strategy"`
	// Why says in a sentence each what keeps the item waiting.
	Why []string `json:"why,omitempty"`
	// Position from 1, of so many that wait in the queue.
	Position int `json:"position"`
	Of       int `json:"of"`
	// Considered are all agents that the Board knows: by id for an item that
	// waits, else those who could be chosen first, in their order.
	Considered []Considered `json:"considered"`
	// Excluded counts agents per reason; an agent may count in several.
	Excluded map[routing.Exclusion]int `json:"excluded"`
	// Exact says of a decision that Considered is what it rested on, evaluated
	// anew, and leads to Agent. Where it does not (an own strategy, a decision of
	// which only the summary is kept) Recorded is all that is known.
	Exact bool `json:"exact,omitempty"`
	// Recorded is the summary of the decision that was kept with it.
	Recorded *routing.Decision `json:"recorded,omitempty"`
}

// Considered is one agent in an Explanation.
type Considered struct {
	Agent routing.AgentID `json:"agent"`
	// Excluded is why the agent cannot take the item; empty when it can.
	Excluded []routing.Exclusion `json:"excluded,omitempty"`
	// Declined says that the agent declined before and is asked after everyone
	// else.
	Declined bool `json:"declined,omitempty"`
	// Key is what the strategy orders an agent by who can take the item, of a
	// decision; lower is asked first. A weight, where it draws by weights.
	Key string `json:"key,omitempty"`
}

// Explain says why a waiting item waits: it looks at every agent anew, by
// Eligible. ErrNotFound for an item that does not wait. Call it when the Board
// is quiet; before, an eligible agent may just not have been chosen yet.
func (b *Board) Explain(id routing.ItemID) (Explanation, error) {
	it := b.items[id]
	if it == nil || !it.placed() {
		return Explanation{}, errs.New(errs.NotFound, "routing: item %q does not wait on this board", id)
	}
	q := it.q
	x := Explanation{
		Item: id, Queue: q.id, At: b.now, Strategy: q.strategyName(), Excluded: map[routing.Exclusion]int{},
	}
	x.Position, x.Of, _ = b.Position(id)
	eligible, declined := 0, 0
	for _, a := range b.agentsByID() {
		if !a.known {
			continue
		}
		c := Considered{Agent: a.id, Declined: slices.Contains(it.row.Declined, a.id)}
		c.Excluded = b.exclusionsOf(it, a)
		for _, e := range c.Excluded {
			x.Excluded[e]++
		}
		switch {
		case len(c.Excluded) == 0:
			eligible++
		case slices.Equal(c.Excluded, []routing.Exclusion{routing.ExcludeDeclined}):
			declined++
		}
		x.Considered = append(x.Considered, c)
	}
	x.Why = b.reasons(it, eligible, declined)
	return x, nil
}

// exclusionsOf is Eligible, with what is decided but not stored yet and with
// the queue's reserve.
func (b *Board) exclusionsOf(it *boardItem, a *boardAgent) []routing.Exclusion {
	q := it.q
	out := Eligible(it.row, a.view(b), q.row, b.deskMembers(DeskFor(&it.row, &q.row)), b.now)
	if len(out) > 0 || it.class == nil {
		return out
	}
	if only := it.class.only; only != nil && only != a {
		return []routing.Exclusion{routing.ExcludeReserved}
	}
	if q.row.Reserve > 0 && !b.enough(it.class) {
		return []routing.Exclusion{routing.ExcludeReserved}
	}
	return nil
}

func (b *Board) agentsByID() []*boardAgent {
	b.sortAgents()
	return b.byID
}

// staffed reports whether a member of the item's queue is on the item's desk.
func (b *Board) staffed(it *boardItem) bool {
	desk := DeskFor(&it.row, &it.q.row)
	return desk == "" || slices.ContainsFunc(it.q.members, func(a *boardAgent) bool { return onDesk(b.deskMembers(desk), a.id) })
}

// reasons puts into words what keeps the item waiting.
func (b *Board) reasons(it *boardItem, eligible, declined int) []string {
	var why []string
	say := func(when bool, s string) {
		if when {
			why = append(why, s)
		}
	}
	q := it.q
	say(!q.known, "the queue is not known: create it or move the item")
	say(it.row.Mode == routing.Pick, "the work stream is pick: agents choose from the queue")
	say(q.known && len(q.members) == 0, "the queue has no members")
	say(len(q.members) > 0 && !b.staffed(it), "no member of the queue is on the desk that the item belongs to")
	closed := b.closedUntil(it)
	say(closed != "", closed)
	say(it.row.Designated != "", "only the designated agent may take it")
	say(it.class != nil && b.waitsFor(it), "it waits for its preferred agent, who is present but busy")
	if it.row.Mode == routing.Pick || closed != "" {
		return why
	}
	say(eligible == 0 && declined > 0, "exhausted: every agent who could take it declined")
	say(eligible == 0 && declined == 0 && len(q.members) > 0, "no agent can take it now")
	say(eligible > 0, "an agent can take it: it is next to be decided")
	return why
}

// Stuck is an item that should have been assigned and was not, or a decision
// that nobody settled.
type Stuck struct {
	Item  routing.ItemID  `json:"item"`
	Queue routing.QueueID `json:"queue"`
	// Agent could take the item; for an unsettled decision, who was chosen.
	Agent routing.AgentID `json:"agent,omitempty"`
	// Since is when a call of Stuck first saw it, or when the decision was made.
	Since time.Time `json:"since,omitzero"`
	// Decision is the id of the unsettled decision, else 0.
	Decision int64 `json:"decision,omitempty"`
}

// Stuck is the watchdog: it looks for waiting push items with an eligible
// agent, and for unsettled decisions, that have been so for at least bound.
// It goes by Eligible over all agents, not by the Board's indexes, so that it
// finds their faults too. Since the rows do not say when a pair became
// eligible, that time counts from the call of Stuck that saw it first: call it
// regularly, when the Board is quiet. Items are looked at one for each kind of
// demand; the call costs kinds × members.
func (b *Board) Stuck(bound time.Duration) []Stuck {
	var out []Stuck
	seen := map[routing.ItemID]int64{}
	report := func(s Stuck, since int64) {
		if b.nowNs-since >= int64(bound) {
			s.Since = time.Unix(0, since).In(b.now.Location())
			out = append(out, s)
		}
	}
	for _, q := range b.queues {
		for _, c := range q.classes() {
			it := c.head()
			a := b.overlooked(it)
			if a == nil {
				continue
			}
			since, before := b.watch[it.id]
			if !before {
				since = b.nowNs
			}
			seen[it.id] = since
			report(Stuck{Item: it.id, Queue: q.id, Agent: a.id}, since)
		}
	}
	b.watch = seen
	for _, p := range b.pendings {
		s := Stuck{Item: p.it.id, Queue: p.queue, Decision: p.id}
		if p.agent != nil {
			s.Agent = p.agent.id
		}
		report(s, p.since)
	}
	slices.SortFunc(out, func(x, y Stuck) int { return cmp.Compare(x.Item, y.Item) })
	return out
}

// classes lists the queue's classes that have items.
func (q *boardQueue) classes() []*class {
	var out []*class
	for _, p := range q.pools {
		if len(p.general.items.s) > 0 {
			out = append(out, &p.general)
		}
		for _, c := range p.special {
			if len(c.items.s) > 0 {
				out = append(out, c)
			}
		}
	}
	return out
}

// overlooked returns an agent who may take the item.
func (b *Board) overlooked(it *boardItem) *boardAgent {
	for _, a := range it.q.members {
		if a.known && len(b.exclusionsOf(it, a)) == 0 {
			return a
		}
	}
	return nil
}
