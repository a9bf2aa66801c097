package routing

import (
	"math"
	"testing"
	"time"

	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/trigger/condition"
	"github.com/stretchr/testify/require"
)

// good is a configuration that is accepted.
func good() Configuration {
	return Configuration{
		Desks: map[DeskID]Desk{"help1": {ID: "help1", Name: "도움"}},
		Queues: map[QueueID]Queue{
			"a": {ID: "a", Members: []AgentID{"x"},
				Overflow: []Overflow{{When: OverflowWait, After: time.Minute, Do: OverflowQueue, Queue: "b"}}},
			"b": {ID: "b", Overflow: []Overflow{{When: OverflowExhausted, Do: OverflowTicket}}},
		},
		WorkStreams: map[WorkStreamID]WorkStream{"w": {ID: "w", Mode: Push, Cost: 1, Queue: "a",
			Rules: []Rule{{Name: "split", Split: []Share{{"a", 30}, {"b", 70}}, Skills: []Skill{{"ko", 2}}}}}},
	}
}

func TestValidateConfigurationRefuses(t *testing.T) {
	require.NoError(t, ValidateConfiguration(good()))
	never := &hours.Calendar{Zone: "UTC", Closed: true}
	for name, c := range map[string]struct {
		change func(q, r *Queue, w *WorkStream)
		want   string
	}{
		"cycle in overflow": {func(q, r *Queue, w *WorkStream) { r.Overflow[0].Do, r.Overflow[0].Queue = OverflowQueue, "a" },
			"circle"},
		"overflow to itself":        {func(q, r *Queue, w *WorkStream) { q.Overflow[0].Queue = "a" }, "itself"},
		"unknown queue of overflow": {func(q, r *Queue, w *WorkStream) { q.Overflow[0].Queue = "z" }, `"z", which does not exist`},
		"unknown queue of rule": {func(q, r *Queue, w *WorkStream) { w.Rules[0].Split, w.Rules[0].Queue = nil, "z" },
			`"z" does not exist`},
		"unknown queue of split":        {func(q, r *Queue, w *WorkStream) { w.Rules[0].Split[0].Queue = "z" }, `"z" of the split`},
		"unknown fall-back queue":       {func(q, r *Queue, w *WorkStream) { w.Queue = "" }, "falls back"},
		"percentages below 100":         {func(q, r *Queue, w *WorkStream) { w.Rules[0].Split[0].Percent = 29 }, "99 percent"},
		"percentages above 100":         {func(q, r *Queue, w *WorkStream) { w.Rules[0].Split[0].Percent = 31 }, "101 percent"},
		"negative percentage":           {func(q, r *Queue, w *WorkStream) { w.Rules[0].Split[0].Percent = -1 }, "-1 percent"},
		"negative cost":                 {func(q, r *Queue, w *WorkStream) { w.Cost = -1 }, "costs -1"},
		"unknown mode":                  {func(q, r *Queue, w *WorkStream) { w.Mode = "pull" }, "push or pick"},
		"unknown skill match":           {func(q, r *Queue, w *WorkStream) { w.SkillMatch = "near" }, "near"},
		"relaxing never":                {func(q, r *Queue, w *WorkStream) { w.SkillMatch = SkillRelaxed }, "RelaxAfter"},
		"skill without level":           {func(q, r *Queue, w *WorkStream) { w.Rules[0].Skills[0].Level = 0 }, "level 0"},
		"negative duration":             {func(q, r *Queue, w *WorkStream) { w.OfferFor = -1 }, "OfferFor"},
		"unknown strategy":              {func(q, r *Queue, w *WorkStream) { q.Strategy = "fastest" }, "fastest"},
		"designating nobody":            {func(q, r *Queue, w *WorkStream) { q.Strategy = Designated }, "designates nobody"},
		"designating a stranger":        {func(q, r *Queue, w *WorkStream) { q.Designated = "y" }, "no member"},
		"member twice":                  {func(q, r *Queue, w *WorkStream) { q.Members = []AgentID{"x", "x"} }, "twice"},
		"negative weight":               {func(q, r *Queue, w *WorkStream) { q.Weights = map[AgentID]int{"x": -1} }, "-1"},
		"negative reserve":              {func(q, r *Queue, w *WorkStream) { q.Reserve = -1 }, "-1"},
		"ageing is not a number":        {func(q, r *Queue, w *WorkStream) { q.AgeingPerMinute = math.NaN() }, "ages"},
		"negative ageing":               {func(q, r *Queue, w *WorkStream) { q.AgeingPerMinute = -1 }, "ages"},
		"hours that never open":         {func(q, r *Queue, w *WorkStream) { q.Hours = never }, "never open"},
		"malformed hours":               {func(q, r *Queue, w *WorkStream) { w.Hours = &hours.Calendar{Zone: "Mars"} }, "hours"},
		"overflow on hours without any": {func(q, r *Queue, w *WorkStream) { q.Overflow[0].When = OverflowHours }, "set Hours"},
		"overflow after nothing":        {func(q, r *Queue, w *WorkStream) { q.Overflow[0].After = 0 }, "After"},
		"negative limit": {func(q, r *Queue, w *WorkStream) {
			q.Overflow[0] = Overflow{When: OverflowLength, Limit: -1, Do: OverflowTicket}
		}, "limit -1"},
		"unknown case":   {func(q, r *Queue, w *WorkStream) { q.Overflow[0].When = "rain" }, "rain"},
		"unknown action": {func(q, r *Queue, w *WorkStream) { q.Overflow[0].Do = "drop" }, "drop"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good()
			q, r, w := cfg.Queues["a"], cfg.Queues["b"], cfg.WorkStreams["w"]
			c.change(&q, &r, &w)
			cfg.Queues["a"], cfg.Queues["b"], cfg.WorkStreams["w"] = q, r, w
			err := ValidateConfiguration(cfg)
			require.ErrorIs(t, err, ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
	cfg := good()
	q := cfg.Queues["a"]
	q.Strategy = "mine"
	cfg.Queues["a"] = q
	require.NoError(t, ValidateConfiguration(cfg, "mine"), "an own strategy that is registered")
}

func TestValidateSkillsRefusesWhatNobodyHas(t *testing.T) {
	require.ErrorContains(t, ValidateSkills(good(), []Agent{someone("x", 1, Skill{"ko", 1})}), `skill "ko" at level 2`)
	require.NoError(t, ValidateSkills(good(), []Agent{someone("x", 1, Skill{"ko", 2})}))
}

func TestValidateDesk(t *testing.T) {
	for name, c := range map[string]struct {
		d  Desk
		ok bool
	}{
		"20 characters":         {Desk{ID: "a", Name: "가나다라마바사아자차카타파하가나다라마바"}, true},
		"21 characters":         {Desk{ID: "a", Name: "가나다라마바사아자차카타파하가나다라마바사"}, false},
		"no name":               {Desk{ID: "a", Name: " "}, false},
		"id of a digit":         {Desk{ID: "1desk", Name: "n"}, true},
		"id of a capital":       {Desk{ID: "Desk", Name: "n"}, false},
		"id with a blank":       {Desk{ID: "a desk", Name: "n"}, false},
		"id with a special one": {Desk{ID: "a-desk", Name: "n"}, false},
		"id in Korean":          {Desk{ID: "상담", Name: "n"}, false},
		"id of 21":              {Desk{ID: "a12345678901234567890", Name: "n"}, false},
		"negative seats":        {Desk{ID: "a", Name: "n", Seats: -1}, false},
		"control character":     {Desk{ID: "a", Name: "n\x00"}, false},
	} {
		if err := validateDesk(c.d); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateAgent(t *testing.T) {
	require.NoError(t, ValidateAgent(someone("a", 3)))
	for name, change := range map[string]func(*Agent){
		"negative capacity":       func(a *Agent) { a.Capacity[ProfileUnits] = -1 },
		"unknown role":            func(a *Agent) { a.Role = "boss" },
		"unknown permission":      func(a *Agent) { a.Permissions = []Permission{"all"} },
		"call-back without phone": func(a *Agent) { a.Permissions = []Permission{PermitCallBack} },
		"no id":                   func(a *Agent) { a.ID = "" },
		"skill twice":             func(a *Agent) { a.Skills = []Skill{{"ko", 1}, {"ko", 2}} },
		"hours that never open":   func(a *Agent) { a.Hours = &hours.Calendar{Zone: "UTC", Closed: true} },
	} {
		a := someone("a", 3)
		change(&a)
		require.ErrorIs(t, ValidateAgent(a), ErrInvalid, name)
	}
	boss := someone("a", 1)
	boss.Role, boss.Permissions = "administrator", []Permission{PermitCallBack}
	require.NoError(t, ValidateAgent(boss), "an administrator always has call-back")
}

func TestNewBoardRefusesABuiltInName(t *testing.T) {
	_, err := NewBoard(BoardOptions{Strategies: map[string]Strategy{RoundRobin: ownStrategy(nil)}})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = NewBoard(BoardOptions{Strategies: map[string]Strategy{"mine": nil}})
	require.ErrorIs(t, err, ErrInvalid)
}

type ownStrategy func(it Item, a Agent, q Queue) float64

func (ownStrategy) Name() string                            { return "mine" }
func (f ownStrategy) Key(it Item, a Agent, q Queue) float64 { return f(it, a, q) }

func TestOwnStrategyDecidesAndAMisbehavingOneIsRefused(t *testing.T) {
	calls := 0.0
	for name, c := range map[string]struct {
		key  ownStrategy
		want AgentID
		why  string
	}{
		"good":    {func(it Item, a Agent, q Queue) float64 { return -float64(a.ID[0]) }, "c", "strategy"},
		"panics":  {func(it Item, a Agent, q Queue) float64 { panic("boom") }, "a", "panicked: boom"},
		"NaN":     {func(it Item, a Agent, q Queue) float64 { return math.NaN() }, "a", "NaN"},
		"wavers":  {func(it Item, a Agent, q Queue) float64 { calls++; return calls }, "a", "and then"},
		"meddles": {func(it Item, a Agent, q Queue) float64 { a.State.Load[ProfileUnits] = -99; return 0 }, "a", "strategy"},
		"ineligible": {func(it Item, a Agent, q Queue) float64 {
			if a.State.Presence != Online {
				t.Errorf("asked about %s, who is not eligible", a.ID)
			}
			return float64(a.ID[0])
		}, "a", "strategy"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, BoardOptions{Strategies: map[string]Strategy{"mine": c.key}})
			for _, id := range []string{"a", "b", "c", "d"} {
				a := someone(id, 1)
				if id == "d" {
					a.State.Presence = Break
				}
				b.ApplyAgent(a)
			}
			b.ApplyQueue(queueOf("q", "mine", "a", "b", "c", "d"), 1)
			b.ApplyItem(work("i", "q", 1))
			d, ok := b.Decide()
			require.True(t, ok, "the item is not lost")
			require.Equal(t, c.want, d.Agent)
			require.Contains(t, d.Why, c.why)
		})
	}
}

func TestClockThatJumpsBackStandsStill(t *testing.T) {
	b := newBoard(t, BoardOptions{})
	q := queueOf("q", "")
	q.Overflow = []Overflow{{When: OverflowWait, After: 2 * time.Hour, Do: OverflowTicket}}
	b.ApplyQueue(q, 1)
	b.ApplyItem(work("i", "q", 0))
	b.Tick(t0.Add(-24 * time.Hour))
	require.Empty(t, drain(b))
	at, ok := b.NextWake()
	require.True(t, ok)
	require.Equal(t, t0.Add(2*time.Hour), at)
	b.Tick(at)
	require.Equal(t, []string{"overflow i"}, drain(b))
}

func TestItemOfAnUnknownQueueIsNotLost(t *testing.T) {
	b := newBoard(t, BoardOptions{})
	b.ApplyAgent(someone("a", 1))
	b.ApplyItem(work("i", "later", 1))
	require.Empty(t, drain(b))
	x, err := b.Explain("i")
	require.NoError(t, err)
	require.Contains(t, x.Why[0], "not known")
	b.ApplyQueue(queueOf("later", "", "a"), 1)
	require.Equal(t, []string{"i>a"}, drain(b))
}

func TestOlderRowsAreIgnored(t *testing.T) {
	b := newBoard(t, BoardOptions{})
	a := someone("a", 1)
	a.State.Rev = 5
	b.ApplyAgent(a)
	old := someone("a", 1)
	old.State.Rev, old.State.Presence = 4, Offline
	b.ApplyAgent(old)
	b.ApplyQueue(queueOf("q", "", "a"), 3)
	b.ApplyQueue(queueOf("q", ""), 2)
	done := work("i", "q", 1)
	done.Version, done.State = 2, ItemDone
	b.ApplyItem(done)
	b.ApplyItem(work("i", "q", 1))
	require.Empty(t, drain(b), "the item ended; its older row does not bring it back")
	b.ApplyItem(work("j", "q", 1))
	require.Equal(t, []string{"j>a"}, drain(b))
}

func TestStuckNamesAnUnsettledDecisionAndAnOverlookedItem(t *testing.T) {
	b := newBoard(t, BoardOptions{})
	b.ApplyAgent(someone("a", 1))
	b.ApplyQueue(queueOf("q", "", "a"), 1)
	b.ApplyItem(work("i", "q", 1))
	require.Empty(t, b.Stuck(time.Second), "seen first now")
	b.Tick(t0.Add(2 * time.Hour))
	require.Equal(t, AgentID("a"), b.Stuck(time.Second)[0].Agent, "nobody asked the Board to decide")
	d, _ := b.Decide()
	require.Empty(t, b.Stuck(time.Second))
	b.Tick(t0.Add(3 * time.Hour))
	require.Equal(t, d.ID, b.Stuck(time.Second)[0].Decision)
}

func TestClassify(t *testing.T) {
	five := 5
	ws := WorkStream{ID: "w", Queue: "fallback", Rules: []Rule{
		{Name: "line", When: condition.Condition{All: []condition.Clause{{Field: "channel", Op: condition.Is, Value: "line"}}},
			Queue: "line", Priority: &five, Set: map[string]string{"vip": "yes"}},
		{Name: "sees", When: condition.Condition{All: []condition.Clause{{Field: "attribute.vip", Op: condition.Is, Value: "yes"},
			{Field: "priority", Op: condition.Gte, Value: 5}}}, Queue: "vips", Skills: []Skill{{"ko", 1}}, Stop: true},
		{Name: "never", Queue: "never"},
	}}
	o, err := Classify(ws, condition.Map{"channel": condition.Text("line")}, t0, 1)
	require.NoError(t, err)
	require.Equal(t, Outcome{Queue: "vips", Priority: 5, Skills: []Skill{{"ko", 1}}, Attributes: map[string]string{"vip": "yes"}},
		Outcome{o.Queue, o.Priority, o.Skills, o.Attributes, nil})
	require.Len(t, o.Trace, 2, "stop ends")
	require.NotEmpty(t, o.Trace[0].Why)
	ws.Rules = ws.Rules[:2]
	o, err = Classify(ws, condition.Map{"channel": condition.Text("mail")}, t0, 1)
	require.NoError(t, err)
	require.Equal(t, QueueID("fallback"), o.Queue)
	require.Nil(t, o.Skills)
	ws.Rules[0].When.All[0].Field = "chanel"
	_, err = Classify(ws, nil, t0, 1)
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "rule 1 (line)")
}

func TestSplitKeepsItsPercentages(t *testing.T) {
	ws := WorkStream{Queue: "x", Rules: []Rule{{Split: []Share{{"a", 30}, {"b", 70}}}}}
	c, err := NewClassifier(ws)
	require.NoError(t, err)
	n := 0
	for seed := range uint64(10_000) {
		if c.Classify(nil, t0, seed).Queue == "a" {
			n++
		}
	}
	require.InDelta(t, 3000, n, 150)
	require.Equal(t, c.Classify(nil, t0, 7), c.Classify(nil, t0, 7))
}

func TestWeightedAndRandomKeepTheirShares(t *testing.T) {
	for _, n := range []int{2, 200} { // a scan and an index
		b := newBoard(t, BoardOptions{Seed: 3, Brief: true})
		q := queueOf("q", Weighted, "a", "b")
		q.Weights = map[AgentID]int{"a": 1, "b": 3, "none": 0}
		for i := range n - 2 {
			id := "none" + string(rune('0'+i%10)) + string(rune('a'+i/10))
			q.Members = append(q.Members, AgentID(id))
			q.Weights[AgentID(id)] = 0
			b.ApplyAgent(someone(id, 1000))
		}
		b.ApplyAgent(someone("a", 1_000_000))
		b.ApplyAgent(someone("b", 1_000_000))
		b.ApplyQueue(q, 1)
		got := map[AgentID]int{}
		for i := range 8000 {
			b.ApplyItem(work("i"+string(rune(i)), "q", i))
			d, ok := b.Decide()
			require.True(t, ok)
			got[d.Agent]++
			b.Settle(d.ID, true)
		}
		require.InDelta(t, 2000, got["a"], 150)
		require.Equal(t, 8000, got["a"]+got["b"], "weight 0 is drawn only when nobody else is able")
	}
}
