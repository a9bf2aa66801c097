package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/validate"
)

// Scenario is what is simulated; README.md describes it. Times are seconds.
type Scenario struct {
	Seed     uint64  `json:"seed"`
	Arrivals int     `json:"arrivals"`
	Warmup   int     `json:"warmup"`
	Target   float64 `json:"target_s"`
	Strategy string  `json:"strategy"`
	Queues   []Queue `json:"queues"`
	Agents   []Group `json:"agents"`
}

// Queue is one stream of arrivals and where it waits.
type Queue struct {
	Name     string        `json:"name"`
	Priority int           `json:"priority"`
	Ageing   float64       `json:"ageing_per_minute"`
	Arrival  Distribution  `json:"arrival"`
	Service  Distribution  `json:"service"`
	Patience *Distribution `json:"patience"`
	Limit    *int          `json:"limit"`
	Skills   []Skill       `json:"skills"`
	Match    string        `json:"skill_match"`
	Cost     *int          `json:"cost"`
	Rank     []string      `json:"rank"`
	Reserve  int           `json:"reserve"`
	Strategy string        `json:"strategy"`
}

// Group is a number of alike agents.
type Group struct {
	Name       string    `json:"name"`
	Count      int       `json:"count"`
	Capacity   int       `json:"capacity"`
	Queues     []string  `json:"queues"`
	Skills     []Skill   `json:"skills"`
	Weight     *int      `json:"weight"`
	RateByLoad []float64 `json:"rate_by_load"`
}

// Skill is "name", "name:level" or {"name":…,"level":…}.
type Skill routing.Skill

// UnmarshalJSON reads the three forms.
func (s *Skill) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		s.Name, s.Level = text, 1
		if name, level, ok := strings.Cut(text, ":"); ok {
			s.Name = name
			if _, err := fmt.Sscanf(level, "%d", &s.Level); err != nil {
				return fmt.Errorf("skill %q: the level is not a number", text)
			}
		}
		return nil
	}
	return json.Unmarshal(data, (*routing.Skill)(s))
}

// maxArrivals bounds the memory and time of a run.
const maxArrivals = 1_000_000_000

// readScenario reads and checks a scenario.
func readScenario(r io.Reader) (Scenario, error) {
	var s Scenario
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("the scenario is not valid JSON of the form in README.md: %w", err)
	}
	return s, s.check()
}

func (s *Scenario) check() error {
	switch {
	case s.Arrivals < 1 || s.Arrivals > maxArrivals:
		return fmt.Errorf("arrivals is %d: use 1 to %d", s.Arrivals, maxArrivals)
	case s.Warmup < 0 || s.Warmup >= s.Arrivals:
		return fmt.Errorf("warmup is %d: use 0 to less than arrivals", s.Warmup)
	case s.Arrivals-s.Warmup < 2*batches:
		return fmt.Errorf("%d arrivals after warmup: at least %d are needed for intervals", s.Arrivals-s.Warmup, 2*batches)
	case !finite(s.Target) || s.Target < 0:
		return fmt.Errorf("target_s is %v: use 0 or more", s.Target)
	case len(s.Queues) == 0 || len(s.Agents) == 0:
		return errors.New("a scenario needs queues and agents")
	}
	return s.checkNames()
}

// checkNames looks at each group of agents and each queue.
func (s *Scenario) checkNames() error {
	groups := map[string]bool{}
	for i, g := range s.Agents {
		if g.Name == "" || groups[g.Name] {
			return fmt.Errorf("agents[%d]: the name %q is empty or used twice", i, g.Name)
		}
		groups[g.Name] = true
		if err := g.check(s); err != nil {
			return fmt.Errorf("agents %q: %w", g.Name, err)
		}
	}
	names := map[string]bool{}
	for i, q := range s.Queues {
		if q.Name == "" || names[q.Name] {
			return fmt.Errorf("queues[%d]: the name %q is empty or used twice", i, q.Name)
		}
		names[q.Name] = true
		if err := q.check(groups); err != nil {
			return fmt.Errorf("queue %q: %w", q.Name, err)
		}
	}
	return nil
}

func (g *Group) check(s *Scenario) error {
	switch {
	case g.Count < 1 || g.Count > 1_000_000:
		return fmt.Errorf("count is %d: use 1 to 1000000", g.Count)
	case g.Capacity < 1 || g.Capacity > 1000:
		return fmt.Errorf("capacity is %d: use 1 to 1000", g.Capacity)
	case len(g.Queues) == 0:
		return errors.New("they serve no queue: set queues")
	case len(g.RateByLoad) > 0 && len(g.RateByLoad) < g.Capacity:
		return fmt.Errorf("rate_by_load has %d rates: give one for each load from 1 to the capacity %d", len(g.RateByLoad), g.Capacity)
	}
	for _, r := range g.RateByLoad {
		if !finite(r) || r <= 0 {
			return fmt.Errorf("rate_by_load has %v: use rates above 0", r)
		}
	}
	for _, name := range g.Queues {
		if !slices.ContainsFunc(s.Queues, func(q Queue) bool { return q.Name == name }) {
			return fmt.Errorf("queue %q does not exist", name)
		}
	}
	return nil
}

func (q *Queue) check(groups map[string]bool) error {
	if q.Limit != nil && *q.Limit < 0 {
		return fmt.Errorf("limit is %d: use 0 or more, or leave it out", *q.Limit)
	}
	if q.Cost != nil && *q.Cost < 0 {
		return fmt.Errorf("cost is %d: use 0 or more", *q.Cost)
	}
	for _, name := range q.Rank {
		if !groups[name] {
			return fmt.Errorf("rank names agents %q, who do not exist", name)
		}
	}
	for what, d := range map[string]*Distribution{"arrival": &q.Arrival, "service": &q.Service, "patience": q.Patience} {
		if d == nil {
			continue
		}
		if err := d.check(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if q.Arrival.mean() <= 0 {
		return errors.New("arrival: the mean must be above 0")
	}
	return nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// configuration is the scenario as the routing package's own configuration, so
// that its validation holds here too.
func (s *Scenario) configuration() (routing.Configuration, error) {
	c := routing.Configuration{Queues: map[routing.QueueID]routing.Queue{}}
	for i := range s.Queues {
		q := s.queue(i)
		c.Queues[q.ID] = q
	}
	return c, validate.Configuration(c)
}

func (s *Scenario) queue(i int) routing.Queue {
	q := &s.Queues[i]
	out := routing.Queue{
		ID: routing.QueueID(q.Name), Name: q.Name, Strategy: s.Strategy, AgeingPerMinute: q.Ageing,
		Reserve: q.Reserve, Weights: map[routing.AgentID]int{}, Rank: map[routing.AgentID]int{},
	}
	if q.Strategy != "" {
		out.Strategy = q.Strategy
	}
	if len(q.Rank) > 0 {
		out.Strategy = routing.FixedOrder
	}
	if q.Limit != nil {
		out.Overflow = []routing.Overflow{{When: routing.OverflowLength, Limit: *q.Limit, Do: routing.OverflowTicket}}
	}
	for _, g := range s.Agents {
		if slices.Contains(g.Queues, q.Name) {
			g.join(&out, slices.Index(q.Rank, g.Name))
		}
	}
	return out
}

// join makes the agents of a group members of a queue.
func (g Group) join(out *routing.Queue, rank int) {
	for n := range g.Count {
		id := g.agent(n)
		out.Members = append(out.Members, id)
		if rank >= 0 {
			out.Rank[id] = rank
		}
		if g.Weight != nil {
			out.Weights[id] = *g.Weight
		}
	}
}

// agent is the id of the n-th agent of the group.
func (g *Group) agent(n int) routing.AgentID {
	return routing.AgentID(fmt.Sprintf("%s-%06d", g.Name, n))
}
