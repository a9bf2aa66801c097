package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/transition"
)

// epoch is when virtual time begins.
var epoch = time.Unix(1_800_000_000, 0).UTC()

// simulation runs a scenario on the real Board with virtual time: arrivals,
// ends of service and lost patience are events; who serves whom the Board
// decides.
type simulation struct {
	s      *Scenario
	board  *board.Board
	now    int64 // nanoseconds since epoch
	events eventHeap
	queues []simQueue
	agents []simAgent
	byID   map[routing.AgentID]int32
	byItem map[routing.ItemID]int32
	byName map[routing.QueueID]int32
	items  []simItem
	free   []int32
	m      *measures
	arrive int // arrivals so far
	left   int // counted arrivals whose fate is open

	assignments int
	onAssign    func(arrival int, wait int64) // for tests
}

type simQueue struct {
	q                         *Queue
	template                  routing.Item
	arrival, service, leaving *rand.Rand
	waiting                   int
	wheel                     int64
}

type simAgent struct {
	row   routing.Agent
	group int32
	rates []float64
	// With rates: work is done at rates[j-1]/j for each of j pieces. clock
	// counts the work that a piece present all along has got.
	clock   float64
	since   int64
	serving []serving
	gen     uint32
}

// serving is a piece of work that ends when the agent's clock reaches until.
type serving struct {
	item  int32
	until float64
}

type simItem struct {
	row     routing.Item
	queue   int32
	agent   int32
	gen     uint32
	arrived int64
	number  int // of the arrival
	counted bool
	waiting bool
}

const (
	eventArrival = iota
	eventEnd
	eventEndOfAgent
	eventPatience
)

func newSimulation(s *Scenario) (*simulation, error) {
	cfg, err := s.configuration()
	if err != nil {
		return nil, err
	}
	board, err := board.New(board.Options{Seed: s.Seed, Brief: true})
	if err != nil {
		return nil, err
	}
	sim := &simulation{
		s: s, board: board, byID: map[routing.AgentID]int32{},
		byItem: map[routing.ItemID]int32{}, byName: map[routing.QueueID]int32{},
	}
	board.Tick(epoch)
	sim.addAgents()
	for i := range s.Queues {
		sim.addQueue(i, cfg)
	}
	sim.m = newMeasures(s, sim.agents)
	return sim, nil
}

func (sim *simulation) addAgents() {
	for g := range sim.s.Agents {
		group := &sim.s.Agents[g]
		for n := range group.Count {
			id := group.agent(n)
			row := routing.Agent{
				ID: id, Version: 1, Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
				Capacity: map[routing.Profile]int{routing.ProfileUnits: group.Capacity}, Skills: skillsOf(group.Skills),
				Assign: routing.AssignmentSwitches{Chat: true},
				State: routing.AgentState{
					Presence: routing.Online, EligRev: 1, Rev: 1, IdleSince: epoch,
					Load: map[routing.Profile]int{}, Turns: map[routing.QueueID]int64{},
				},
			}
			sim.byID[id] = int32(len(sim.agents))
			sim.agents = append(sim.agents, simAgent{row: row, group: int32(g), rates: group.RateByLoad})
			sim.board.ApplyAgent(row)
		}
	}
}

func skillsOf(skills []Skill) (out []routing.Skill) {
	for _, s := range skills {
		out = append(out, routing.Skill(s))
	}
	return out
}

func (sim *simulation) addQueue(i int, cfg routing.Configuration) {
	q := &sim.s.Queues[i]
	cost := 1
	if q.Cost != nil {
		cost = *q.Cost
	}
	stream := func(kind byte) *rand.Rand { return newStream(sim.s.Seed, i, kind) }
	ws := routing.WorkStream{Mode: routing.Push, Cost: cost, SkillMatch: routing.SkillMatch(q.Match), AutoAccept: true}
	of := routing.Item{Queue: routing.QueueID(q.Name), Priority: q.Priority, Skills: skillsOf(q.Skills)}
	sq := simQueue{q: q, arrival: stream(1), service: stream(2), leaving: stream(3)}
	sq.template = transition.NewItem(of, ws, epoch)
	sim.byName[routing.QueueID(q.Name)] = int32(i)
	sim.queues = append(sim.queues, sq)
	sim.board.ApplyQueue(cfg.Queues[routing.QueueID(q.Name)], 1)
	sim.later(q.Arrival.draw(sq.arrival), event{kind: eventArrival, index: int32(i)})
}

// newStream is a random stream of its own: nearby seeds, queues and kinds are
// unrelated.
func newStream(seed uint64, queue int, kind byte) *rand.Rand {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(queue))
	key[16] = kind
	from := rand.NewChaCha8(key)
	return rand.New(rand.NewPCG(from.Uint64(), from.Uint64()))
}

// later puts an event seconds from now.
func (sim *simulation) later(seconds float64, e event) {
	e.at = sim.now + max(0, int64(min(seconds, 9e8)*1e9))
	sim.events.push(e)
}

// run simulates until the fate of every counted arrival is known. New arrivals
// keep coming meanwhile, as many again at most.
func (sim *simulation) run(progress func(done, of int)) error {
	sim.left = sim.s.Arrivals - sim.s.Warmup
	for sim.left > 0 {
		if len(sim.events.s) == 0 {
			return fmt.Errorf("nobody can ever serve what still waits: %d arrivals", sim.left)
		}
		e := sim.events.pop()
		sim.now = e.at
		sim.board.Tick(epoch.Add(time.Duration(sim.now)))
		sim.happen(e, progress)
		if err := sim.decide(); err != nil {
			return err
		}
	}
	sim.m.close(sim.now)
	return nil
}

// happen lets an event take its effect.
func (sim *simulation) happen(e event, progress func(done, of int)) {
	switch e.kind {
	case eventArrival:
		sim.arrival(e.index)
		if progress != nil && sim.arrive%10_000 == 0 {
			progress(sim.arrive, sim.s.Arrivals)
		}
	case eventEnd:
		if sim.items[e.index].gen == e.gen {
			sim.end(e.index)
		}
	case eventEndOfAgent:
		if sim.agents[e.index].gen == e.gen {
			sim.endOfAgent(e.index)
		}
	case eventPatience:
		if it := &sim.items[e.index]; it.gen == e.gen && it.waiting {
			sim.abandon(e.index)
		}
	}
}

func (sim *simulation) arrival(qi int32) {
	q := &sim.queues[qi]
	n := sim.arrive
	sim.arrive++
	if sim.arrive < 2*sim.s.Arrivals {
		sim.later(q.q.Arrival.draw(q.arrival), event{kind: eventArrival, index: qi})
	}
	sim.m.tick(sim.now, n)
	i := sim.item(qi)
	it := &sim.items[i]
	it.arrived, it.number, it.waiting = sim.now, n, true
	it.counted = n >= sim.s.Warmup && n < sim.s.Arrivals
	if it.counted {
		sim.m.arrived(qi, n)
	}
	q.waiting++
	sim.m.queue(sim.now, qi, q.waiting)
	if q.q.Patience != nil {
		sim.later(q.q.Patience.draw(q.leaving), event{kind: eventPatience, index: i, gen: it.gen})
	}
	now := epoch.Add(time.Duration(sim.now))
	it.row.State, it.row.QueuedAt, it.row.EnteredAt, it.row.Seq = routing.ItemQueued, now, now, int64(n)
	it.row.Overflowed, it.row.Agent = nil, ""
	it.row.Version++
	sim.board.ApplyItem(it.row)
}

// item returns a free item for the queue.
func (sim *simulation) item(qi int32) int32 {
	q := &sim.queues[qi]
	if n := len(sim.free); n > 0 {
		i := sim.free[n-1]
		sim.free = sim.free[:n-1]
		it := &sim.items[i]
		old := it.row
		it.row, it.queue = q.template, qi
		// The attempts go on too: the same item and attempt draw the same again.
		it.row.ID, it.row.Version, it.row.Attempt = old.ID, old.Version, old.Attempt
		return i
	}
	i := int32(len(sim.items))
	it := simItem{row: q.template, queue: qi}
	it.row.ID = routing.ItemID("i" + strconv.Itoa(int(i)))
	sim.items = append(sim.items, it)
	sim.byItem[it.row.ID] = i
	return i
}

// decide carries out what the Board decides, as an engine would.
func (sim *simulation) decide() error {
	for {
		d, ok := sim.board.Decide()
		if !ok {
			return nil
		}
		sim.board.Settle(d.ID, true)
		i := sim.byItem[d.Item]
		switch d.Kind {
		case routing.DecideAssign:
			sim.assign(i, sim.byID[d.Agent])
		case routing.DecideOverflow:
			sim.leave(i)
			sim.m.overflowed(sim.items[i])
			sim.finish(i)
		default:
			return fmt.Errorf("the Board decided %s, which no scenario asks for", d.Kind)
		}
	}
}

// leave takes an item out of the count of those that wait.
func (sim *simulation) leave(i int32) {
	it := &sim.items[i]
	q := &sim.queues[it.queue]
	it.waiting = false
	q.waiting--
	sim.m.queue(sim.now, it.queue, q.waiting)
	if it.counted {
		sim.left--
	}
}

func (sim *simulation) assign(i, ai int32) {
	it, a := &sim.items[i], &sim.agents[ai]
	sim.assignments++
	sim.leave(i)
	sim.m.assigned(*it, sim.now-it.arrived)
	if sim.onAssign != nil {
		sim.onAssign(it.number, sim.now-it.arrived)
	}
	it.row.State, it.row.Agent, it.agent = routing.ItemAssigned, a.row.ID, ai
	it.row.Version++
	it.row.Attempt++
	sim.board.ApplyItem(it.row)
	sim.load(ai, it, 1)
	q := &sim.queues[it.queue]
	q.wheel++
	a.row.State.Turns[it.row.Queue] = q.wheel
	sim.board.ApplyAgent(a.row)
	work := q.q.Service.draw(q.service)
	if a.rates == nil {
		sim.later(work, event{kind: eventEnd, index: i, gen: it.gen})
		return
	}
	a.advance(sim.now)
	a.serving = append(a.serving, serving{i, a.clock + work})
	sim.nextEnd(ai)
}

// load changes what the agent holds by the item's uses.
func (sim *simulation) load(ai int32, it *simItem, sign int) {
	a := &sim.agents[ai]
	units := 0
	for _, u := range it.row.Uses {
		units += u.Units
	}
	a.row.State.Load[routing.ProfileUnits] += sign * units
	a.row.State.Open += sign
	a.row.State.Rev++
	sim.m.load(sim.now, ai, a.group, sign*units)
}

// advance moves the agent's clock to now.
func (a *simAgent) advance(now int64) {
	if j := len(a.serving); j > 0 {
		a.clock += float64(now-a.since) / 1e9 * a.rates[min(j, len(a.rates))-1] / float64(j)
	}
	a.since = now
}

// nextEnd plans the end of the agent's first piece of work to end.
func (sim *simulation) nextEnd(ai int32) {
	a := &sim.agents[ai]
	a.gen++
	j := len(a.serving)
	if j == 0 {
		return
	}
	first := a.serving[0].until
	for _, s := range a.serving[1:] {
		first = min(first, s.until)
	}
	rate := a.rates[min(j, len(a.rates))-1] / float64(j)
	sim.later((first-a.clock)/rate, event{kind: eventEndOfAgent, index: ai, gen: a.gen})
}

func (sim *simulation) endOfAgent(ai int32) {
	a := &sim.agents[ai]
	a.advance(sim.now)
	first := 0
	for k, s := range a.serving {
		if s.until < a.serving[first].until {
			first = k
		}
	}
	i := a.serving[first].item
	a.serving = append(a.serving[:first], a.serving[first+1:]...)
	sim.nextEnd(ai)
	sim.end(i)
}

// end is the end of service.
func (sim *simulation) end(i int32) {
	it := &sim.items[i]
	a := &sim.agents[it.agent]
	a.row.State.IdleSince = epoch.Add(time.Duration(sim.now))
	sim.load(it.agent, it, -1)
	sim.finish(i)
	sim.board.ApplyAgent(a.row)
}

func (sim *simulation) abandon(i int32) {
	it := &sim.items[i]
	sim.leave(i)
	sim.m.abandoned(*it, sim.now-it.arrived)
	sim.finish(i)
}

// finish ends an item; its place is used again.
func (sim *simulation) finish(i int32) {
	it := &sim.items[i]
	it.row.State, it.row.Agent = routing.ItemDone, ""
	it.row.Version++
	it.gen++
	sim.board.ApplyItem(it.row)
	sim.free = append(sim.free, i)
}

type event struct {
	at    int64
	seq   uint64 // ties go in the order of planning
	kind  int8
	index int32
	gen   uint32
}

// eventHeap is a binary heap of four children a node.
type eventHeap struct {
	s   []event
	seq uint64
}

func (e *event) before(f *event) bool { return e.at < f.at || e.at == f.at && e.seq < f.seq }

func (h *eventHeap) push(e event) {
	h.seq++
	e.seq = h.seq
	h.s = append(h.s, e)
	i := len(h.s) - 1
	for i > 0 {
		p := (i - 1) / 4
		if !e.before(&h.s[p]) {
			break
		}
		h.s[i] = h.s[p]
		i = p
	}
	h.s[i] = e
}

func (h *eventHeap) pop() event {
	top := h.s[0]
	n := len(h.s) - 1
	e := h.s[n]
	h.s = h.s[:n]
	i := 0
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		best := first
		for c := first + 1; c < min(first+4, n); c++ {
			if h.s[c].before(&h.s[best]) {
				best = c
			}
		}
		if !h.s[best].before(&e) {
			break
		}
		h.s[i] = h.s[best]
		i = best
	}
	if n > 0 {
		h.s[i] = e
	}
	return top
}
