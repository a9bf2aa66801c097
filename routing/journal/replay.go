package journal

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
)

// Moment is what a decision rested on.
type Moment struct {
	At   time.Time
	Seed uint64
	// Version is that of the configuration.
	Version int64
	Item    routing.Item
	Queue   routing.Queue
	// Desk are the agents of board.DeskFor the item, ascending.
	Desk []routing.AgentID
	// Agents are all that the Board knew, by id. Without what decisions do not rest
	// on: names, pictures, mail addresses, attributes.
	Agents []routing.Agent
}

// Replay returns what the n-th decision of a journal rested on. The rows are those
// of one journal from its first on, in the order of Seq, as far as the decision at
// least. ErrNotFound when they do not reach it, or one of them is missing.
func Replay(rows []Row, n int) (Moment, error) {
	var found *Moment
	err := play(rows, func(p *player, r *recordForm) bool {
		if r.N == n {
			m := p.moment(r)
			found = &m
		}
		return found == nil
	})
	switch {
	case err != nil:
		return Moment{}, err
	case found == nil:
		return Moment{}, errs.New(errs.NotFound, "journal: decision %d is not in these rows: they were deleted", n)
	}
	return *found, nil
}

// ReplayAll calls fn with the number of each decision and a function that tells
// what it rested on, good during the call, in their order until fn returns false.
func ReplayAll(rows []Row, fn func(n int, moment func() Moment) bool) error {
	return play(rows, func(p *player, r *recordForm) bool { return fn(r.N, func() Moment { return p.moment(r) }) })
}

// play reads a journal and calls fn at each record, once it is applied, until it
// returns false.
func play(rows []Row, fn func(*player, *recordForm) bool) error {
	p := player{}
	var packed bytes.Buffer
	for i, row := range rows {
		if row.Seq != i {
			return errs.New(errs.NotFound, "journal: row %d is missing: it was deleted", i)
		}
		packed.Write(row.Packed)
		if row.More {
			continue
		}
		raw := []byte(row.Plain)
		if packed.Len() > 0 {
			var err error
			if raw, err = unpack(packed.Bytes()); err != nil {
				return err
			}
			packed.Reset()
		}
		if more, err := p.read(raw, fn); err != nil || !more {
			return err
		}
	}
	return nil
}

// player is a journal as far as it was read.
type player struct {
	begun  bool
	roster rosterForm
	agents []routing.Agent // by place; without an id for one who is only named
	here   []bool
}

// read takes the roster, which comes first, or records, and says whether more is
// wanted.
func (p *player) read(raw []byte, fn func(*player, *recordForm) bool) (more bool, err error) {
	var records []recordForm
	if p.begun {
		err = json.Unmarshal(raw, &records)
	} else {
		err = json.Unmarshal(raw, &p.roster)
	}
	if err != nil {
		return false, errs.New(errs.Unavailable, "journal: a row cannot be read; it was damaged or written by a newer program: %w", err)
	}
	if !p.begun {
		p.begun = true
		for _, c := range p.roster.Agents {
			p.apply(c)
		}
	}
	for i := range records {
		for _, c := range records[i].Changes {
			p.apply(c)
		}
		if !fn(p, &records[i]) {
			return false, nil
		}
	}
	return true, nil
}

// apply puts an agent as it stands in the place of how it stood.
func (p *player) apply(c changeForm) {
	for len(p.agents) <= c.Agent {
		p.agents, p.here = append(p.agents, routing.Agent{}), append(p.here, false)
	}
	a := &p.agents[c.Agent]
	p.here[c.Agent] = !c.Gone
	if s := c.Settings; s != nil {
		*a = routing.Agent{ID: c.ID, Role: s.Role, Permissions: s.Permissions, Capacity: s.Capacity, Skills: s.Skills, Hours: s.Hours,
			Disabled: s.Disabled, Assign: s.Assign}
	}
	a.State = routing.AgentState{Presence: c.Presence, Load: map[routing.Profile]int{}, Turns: map[routing.QueueID]int64{}}
	if c.Idle != 0 {
		a.State.IdleSince = time.UnixMicro(c.Idle).UTC()
	}
	for profile, n := range c.Load {
		a.State.Load[routing.Profile(profile)] = n
	}
	for q, turn := range c.Turns {
		a.State.Turns[routing.QueueID(q)] = turn
	}
}

// moment is what the record's decision rested on.
func (p *player) moment(r *recordForm) Moment {
	m := Moment{At: time.Unix(0, r.At).UTC(), Seed: p.roster.Seed, Version: p.roster.Version, Item: r.Item,
		Queue: routing.Queue{ID: r.Item.Queue}}
	for _, q := range p.roster.Queues {
		if q.ID == r.Item.Queue {
			m.Queue = routing.Queue{ID: q.ID, Strategy: q.Strategy, Desk: q.Desk, Members: p.named(q.Members), Weights: p.byID(q.Weights),
				Rank: p.byID(q.Rank), Designated: q.Designated}
		}
	}
	desk := board.DeskFor(&m.Item, &m.Queue)
	for _, d := range p.roster.Desks {
		if d.ID == desk {
			m.Desk = p.named(d.Members)
		}
	}
	slices.Sort(m.Desk)
	for i, a := range p.agents {
		if p.here[i] {
			m.Agents = append(m.Agents, a)
		}
	}
	slices.SortFunc(m.Agents, func(x, y routing.Agent) int { return strings.Compare(string(x.ID), string(y.ID)) })
	return m
}

// named are the agents at the places, without those whom the Board never knew.
func (p *player) named(places []int) []routing.AgentID {
	var out []routing.AgentID
	for _, i := range places {
		if i < len(p.agents) && p.agents[i].ID != "" {
			out = append(out, p.agents[i].ID)
		}
	}
	return out
}

func (p *player) byID(of map[int]int) map[routing.AgentID]int {
	out := map[routing.AgentID]int{}
	for i, n := range maps.All(of) {
		if i < len(p.agents) && p.agents[i].ID != "" {
			out[p.agents[i].ID] = n
		}
	}
	return out
}

// Explain evaluates the moment anew, and says of the decision that was made then
// whether it is what comes out. The keys of an own strategy are those that were
// recorded with the decision.
func (m Moment) Explain(d routing.Decision) board.Explanation {
	x := board.Explanation{Item: d.Item, Queue: d.Queue, At: d.At, Agent: d.Agent, Strategy: d.Strategy, Recorded: &d,
		Excluded: map[routing.Exclusion]int{}}
	var known bool
	x.Considered, known = board.Rank(m.Item, m.Queue, m.Desk, m.Agents, m.Seed, m.At)
	for _, c := range x.Considered {
		for _, e := range c.Excluded {
			x.Excluded[e]++
		}
	}
	if !known {
		recorded(x.Considered, d)
		return x
	}
	x.Exact = len(x.Considered) > 0 && len(x.Considered[0].Excluded) == 0 && x.Considered[0].Agent == d.Agent
	return x
}

// recorded puts those whom the decision names first, with their keys.
func recorded(list []board.Considered, d routing.Decision) {
	named := append([]routing.Candidate{{Agent: d.Agent, Key: d.Key}}, d.Next...)
	place := func(a routing.AgentID) int {
		if i := slices.IndexFunc(named, func(c routing.Candidate) bool { return c.Agent == a }); i >= 0 {
			return i
		}
		return len(named)
	}
	for i := range list {
		if p := place(list[i].Agent); p < len(named) {
			list[i].Key = named[p].Key
		}
	}
	slices.SortStableFunc(list, func(x, y board.Considered) int { return place(x.Agent) - place(y.Agent) })
}
