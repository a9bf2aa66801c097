package validate

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

type (
	queue  = routing.Queue
	stream = routing.WorkStream
)

func anAgent(id string, units int, skills ...routing.Skill) routing.Agent {
	return routing.Agent{ID: routing.AgentID(id), Role: "agent", Permissions: []routing.Permission{routing.PermitChat,
		routing.PermitTicket},
		Capacity: map[routing.Profile]int{routing.ProfileUnits: units}, Skills: skills}
}

// good is a configuration that is accepted.
func good() routing.Configuration {
	return routing.Configuration{
		Desks: map[routing.DeskID]routing.Desk{"help1": {ID: "help1", Name: "도움"}},
		Queues: map[routing.QueueID]routing.Queue{
			"a": {ID: "a", Members: []routing.AgentID{"x"},
				Overflow: []routing.Overflow{{When: routing.OverflowWait, After: time.Minute, Do: routing.OverflowQueue, Queue: "b"}}},
			"b": {ID: "b", Overflow: []routing.Overflow{{When: routing.OverflowExhausted, Do: routing.OverflowTicket}}},
		},
		WorkStreams: map[routing.WorkStreamID]routing.WorkStream{"w": {ID: "w", Mode: routing.Push, Cost: 1, Queue: "a",
			Rules: []routing.Rule{{Name: "split", Split: []routing.Share{{Queue: "a", Percent: 30}, {Queue: "b", Percent: 70}},
				Skills: []routing.Skill{{Name: "ko", Level: 2}}}}}},
	}
}

func TestValidateConfigurationRefuses(t *testing.T) {
	require.NoError(t, Configuration(good()))
	never := &hours.Calendar{Zone: "UTC", Closed: true}
	for name, c := range map[string]struct {
		change func(q, r *queue, w *stream)
		want   string
	}{
		"cycle in overflow": {func(q, r *queue, w *stream) {
			r.Overflow[0].Do, r.Overflow[0].Queue = routing.OverflowQueue, "a"
		},
			"circle"},
		"overflow to itself":        {func(q, r *queue, w *stream) { q.Overflow[0].Queue = "a" }, "itself"},
		"unknown queue of overflow": {func(q, r *queue, w *stream) { q.Overflow[0].Queue = "z" }, `"z", which does not exist`},
		"unknown queue of rule": {func(q, r *queue, w *stream) { w.Rules[0].Split, w.Rules[0].Queue = nil, "z" },
			`"z" does not exist`},
		"unknown queue of split":   {func(q, r *queue, w *stream) { w.Rules[0].Split[0].Queue = "z" }, `"z" of the split`},
		"unknown fall-back queue":  {func(q, r *queue, w *stream) { w.Queue = "" }, "falls back"},
		"percentages below 100":    {func(q, r *queue, w *stream) { w.Rules[0].Split[0].Percent = 29 }, "99 percent"},
		"percentages above 100":    {func(q, r *queue, w *stream) { w.Rules[0].Split[0].Percent = 31 }, "101 percent"},
		"negative percentage":      {func(q, r *queue, w *stream) { w.Rules[0].Split[0].Percent = -1 }, "-1 percent"},
		"negative cost":            {func(q, r *queue, w *stream) { w.Cost = -1 }, "costs -1"},
		"unknown mode":             {func(q, r *queue, w *stream) { w.Mode = "pull" }, "push or pick"},
		"unknown skill match":      {func(q, r *queue, w *stream) { w.SkillMatch = "near" }, "near"},
		"relaxing never":           {func(q, r *queue, w *stream) { w.SkillMatch = routing.SkillRelaxed }, "RelaxAfter"},
		"skill without level":      {func(q, r *queue, w *stream) { w.Rules[0].Skills[0].Level = 0 }, "level 0"},
		"negative duration":        {func(q, r *queue, w *stream) { w.OfferFor = -1 }, "OfferFor"},
		"seconds for nanoseconds":  {func(q, r *queue, w *stream) { w.AutoClose = 300 }, "AutoClose is 300ns"},
		"overflow in milliseconds": {func(q, r *queue, w *stream) { q.Overflow[0].After = 300_000 }, "300µs: set After"},
		"unknown strategy":         {func(q, r *queue, w *stream) { q.Strategy = "fastest" }, "fastest"},
		"designating nobody":       {func(q, r *queue, w *stream) { q.Strategy = routing.Designated }, "designates nobody"},
		"designating a stranger":   {func(q, r *queue, w *stream) { q.Designated = "y" }, "no member"},
		"member twice":             {func(q, r *queue, w *stream) { q.Members = []routing.AgentID{"x", "x"} }, "twice"},
		"negative weight":          {func(q, r *queue, w *stream) { q.Weights = map[routing.AgentID]int{"x": -1} }, "-1"},
		"negative reserve":         {func(q, r *queue, w *stream) { q.Reserve = -1 }, "-1"},
		"ageing is not a number":   {func(q, r *queue, w *stream) { q.AgeingPerMinute = math.NaN() }, "ages"},
		"negative ageing":          {func(q, r *queue, w *stream) { q.AgeingPerMinute = -1 }, "ages"},
		"hours that never open":    {func(q, r *queue, w *stream) { q.Hours = never }, "never open"},
		"malformed hours":          {func(q, r *queue, w *stream) { w.Hours = &hours.Calendar{Zone: "Mars"} }, "hours"},
		"out of use, a fall-back": {func(q, r *queue, w *stream) { q.Retired = true },
			`work stream "w", rule 1 of work stream "w" lead there`},
		"out of use, an overflow": {func(q, r *queue, w *stream) { r.Retired, w.Rules = true, nil },
			`queue "b" is out of use, but overflow 1 of queue "a" lead there`},
		"out of use, a rule": {func(q, r *queue, w *stream) {
			r.Retired, q.Overflow, w.Rules[0].Split, w.Rules[0].Queue = true, nil, nil, "b"
		}, `but rule 1 of work stream "w" lead there`},
		"overflow on hours without any": {func(q, r *queue, w *stream) { q.Overflow[0].When = routing.OverflowHours }, "set Hours"},
		"overflow after nothing":        {func(q, r *queue, w *stream) { q.Overflow[0].After = 0 }, "After"},
		"negative limit": {func(q, r *queue, w *stream) {
			q.Overflow[0] = routing.Overflow{When: routing.OverflowLength, Limit: -1, Do: routing.OverflowTicket}
		}, "limit -1"},
		"unknown case":   {func(q, r *queue, w *stream) { q.Overflow[0].When = "rain" }, "rain"},
		"unknown action": {func(q, r *queue, w *stream) { q.Overflow[0].Do = "drop" }, "drop"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good()
			q, r, w := cfg.Queues["a"], cfg.Queues["b"], cfg.WorkStreams["w"]
			c.change(&q, &r, &w)
			cfg.Queues["a"], cfg.Queues["b"], cfg.WorkStreams["w"] = q, r, w
			err := Configuration(cfg)
			require.ErrorIs(t, err, routing.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
	cfg := good()
	q := cfg.Queues["a"]
	q.Strategy = "mine"
	cfg.Queues["a"] = q
	require.NoError(t, Configuration(cfg, "mine"), "an own strategy that is registered")
	cfg = good()
	cfg.Desks["help1"] = routing.Desk{ID: "help1", Name: "도움", Retired: true}
	require.NoError(t, Configuration(cfg), "no queue works for it")
	q = cfg.Queues["a"]
	q.Desk = "help1"
	cfg.Queues["a"] = q
	require.ErrorContains(t, Configuration(cfg), `desk "help1" is out of use, but queue "a" work for it`)
	cfg = good()
	q = routing.Queue{ID: "c", Retired: true, Desk: "help1"}
	q.Overflow = []routing.Overflow{{When: routing.OverflowExhausted, Do: routing.OverflowQueue, Queue: "d"}}
	cfg.Queues["c"], cfg.Queues["d"] = q, routing.Queue{ID: "d", Retired: true}
	cfg.Desks["help1"] = routing.Desk{ID: "help1", Name: "도움", Retired: true}
	require.NoError(t, Configuration(cfg), "what is out of use leads nowhere")
}

func TestValidateSkillsRefusesWhatNobodyHas(t *testing.T) {
	require.ErrorContains(t, Skills(good(), []routing.Agent{anAgent("x", 1, routing.Skill{Name: "ko", Level: 1})}), `skill "ko" at level 2`)
	require.NoError(t, Skills(good(), []routing.Agent{anAgent("x", 1, routing.Skill{Name: "ko", Level: 2})}))
}

func TestValidateDesk(t *testing.T) {
	for name, c := range map[string]struct {
		d  routing.Desk
		ok bool
	}{
		"20 characters":         {routing.Desk{ID: "a", Name: "가나다라마바사아자차카타파하가나다라마바"}, true},
		"21 characters":         {routing.Desk{ID: "a", Name: "가나다라마바사아자차카타파하가나다라마바사"}, false},
		"no name":               {routing.Desk{ID: "a", Name: " "}, false},
		"id of a digit":         {routing.Desk{ID: "1desk", Name: "n"}, true},
		"id of a capital":       {routing.Desk{ID: "Desk", Name: "n"}, false},
		"id with a blank":       {routing.Desk{ID: "a desk", Name: "n"}, false},
		"id with a special one": {routing.Desk{ID: "a-desk", Name: "n"}, false},
		"id in Korean":          {routing.Desk{ID: "상담", Name: "n"}, false},
		"id of 21":              {routing.Desk{ID: "a12345678901234567890", Name: "n"}, false},
		"negative seats":        {routing.Desk{ID: "a", Name: "n", Seats: -1}, false},
		"control character":     {routing.Desk{ID: "a", Name: "n\x00"}, false},
	} {
		if err := validateDesk(c.d); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateAgent(t *testing.T) {
	require.NoError(t, Agent(anAgent("a", 3)))
	for name, change := range map[string]func(*routing.Agent){
		"negative capacity":       func(a *routing.Agent) { a.Capacity[routing.ProfileUnits] = -1 },
		"unknown role":            func(a *routing.Agent) { a.Role = "boss" },
		"unknown permission":      func(a *routing.Agent) { a.Permissions = []routing.Permission{"all"} },
		"call-back without phone": func(a *routing.Agent) { a.Permissions = []routing.Permission{routing.PermitCallBack} },
		"no id":                   func(a *routing.Agent) { a.ID = "" },
		"skill twice":             func(a *routing.Agent) { a.Skills = []routing.Skill{{Name: "ko", Level: 1}, {Name: "ko", Level: 2}} },
		"hours that never open":   func(a *routing.Agent) { a.Hours = &hours.Calendar{Zone: "UTC", Closed: true} },
	} {
		a := anAgent("a", 3)
		change(&a)
		require.ErrorIs(t, Agent(a), routing.ErrInvalid, name)
	}
	boss := anAgent("a", 1)
	boss.Role, boss.Permissions = "administrator", []routing.Permission{routing.PermitCallBack}
	require.NoError(t, Agent(boss), "an administrator always has call-back")
}

// TestARefusalNamesTheStrategies: who mistypes one is told all there are.
func TestARefusalNamesTheStrategies(t *testing.T) {
	for _, s := range routing.BuiltIn() {
		require.NoError(t, validateQueue(routing.Queue{ID: "q", Strategy: s, Members: []routing.AgentID{"a"}, Designated: "a"}, nil))
		require.ErrorContains(t, validateQueue(routing.Queue{ID: "q", Strategy: "least_active"}, nil), s)
	}
}

func TestPresences(t *testing.T) {
	all := []routing.Presence{routing.Online, routing.Break, routing.Offline}
	require.NoError(t, Presences(all, "work stream %q", "s"))
	require.NoError(t, Presences(nil, "work stream %q", "s"))
	err := Presences(append(all, "lunch"), "work stream %q", "s")
	require.ErrorIs(t, err, routing.ErrInvalid)
	require.EqualError(t, err, `routing: work stream "s" names presence "lunch", which does not exist: use online, break or offline`)
}
