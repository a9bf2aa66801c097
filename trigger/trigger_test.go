package trigger_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

var at = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// record is a subject of the tests: fields that set writes, and a list of what
// was done to it.
type record struct {
	before, now condition.Map
	done        []string
	fail        error
}

func newRecord(facts condition.Map) *record { return &record{before: facts, now: maps.Clone(facts)} }

func (r *record) Fact(f string) (condition.Fact, bool)   { return r.now.Fact(f) }
func (r *record) Before(f string) (condition.Fact, bool) { return r.before.Fact(f) }
func (r *record) Within(calendar string, at time.Time) bool {
	return calendar == "office" && at.Hour() < 18
}

func (r *record) Do(t *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	w, err := trigger.Params[trigger.Write](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	if r.fail != nil {
		return trigger.Outcome{}, r.fail
	}
	r.done = append(r.done, string(t.ID))
	if w.Value == "nobody" {
		return trigger.Outcome{Note: "there is nobody"}, nil
	}
	r.now[w.Field] = condition.Text(w.Value)
	return trigger.Outcome{Done: true}, nil
}

func schema(t testing.TB) *condition.Schema {
	t.Helper()
	s, err := condition.NewSchema(append(trigger.FieldsOf("created", "changed", "time"),
		condition.Field{Name: "state", Type: condition.TypeEnum, Values: []string{"new", "open", "solved"}},
		condition.Field{Name: "agent", Type: condition.TypeID},
		condition.Field{Name: "product", Type: condition.TypeID},
		condition.Field{Name: "title", Type: condition.TypeText},
		condition.Field{Name: "since", Type: condition.TypeTime})...)
	require.NoError(t, err)
	return s.ForEvents("office")
}

func catalog(t testing.TB) *trigger.Catalog {
	t.Helper()
	c, err := trigger.NewCatalog(trigger.Spec{
		Kind: "set",
		Check: func(a trigger.Action) error {
			_, err := trigger.Params[trigger.Write](a)
			return err
		},
		Sets: func(a trigger.Action) []trigger.Write {
			w, err := trigger.Params[trigger.Write](a)
			if err != nil {
				return nil
			}
			return []trigger.Write{w}
		},
	}, trigger.Spec{Kind: "ping"})
	require.NoError(t, err)
	return c
}

func set(field, value string) trigger.Action {
	return trigger.Do("set", trigger.Write{Field: field, Value: value})
}

func rule(id string, position int, when condition.Condition, actions ...trigger.Action) trigger.Trigger {
	return trigger.Trigger{ID: trigger.ID(id), Title: "rule " + id, Subject: "ticket", When: when, Actions: actions, Position: position,
		Active: true}
}

func when(clauses ...condition.Clause) condition.Condition { return condition.Condition{All: clauses} }

func is(field, value string) condition.Clause {
	return condition.Clause{Field: field, Op: condition.Is, Value: value}
}

func compile(t testing.TB, rules ...trigger.Trigger) *trigger.Set {
	t.Helper()
	for _, r := range rules {
		require.NoError(t, r.Validate(schema(t), catalog(t)))
	}
	s, err := trigger.NewSet(schema(t), "ticket", rules)
	require.NoError(t, err)
	return s
}

func created() trigger.Event {
	return trigger.Event{ID: "e1", Kind: "created", Actor: trigger.ByCustomer, At: at}
}

func TestLaterTriggersSeeWhatEarlierOnesDid(t *testing.T) {
	s := compile(t,
		rule("c", 3, when(is("agent", "mina"), condition.Clause{Field: "agent", Op: condition.ChangedTo, Value: "mina"}),
			set("product", "x")),
		rule("b", 2, when(is("state", "open")), set("agent", "mina")),
		rule("a", 1, when(is("state", "new"), is("event", "created"), is("actor", "customer")), set("state", "open")),
		rule("late", 0, when(is("product", "x")), set("title", "never: it stands before what would make it true")))
	r := newRecord(condition.Map{"state": condition.Text("new")})
	report, err := s.Run(created(), r, trigger.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, r.done)
	require.Equal(t, 3, report.Fired())
	require.Empty(t, report.Cut)
	for _, run := range report.Runs {
		require.NotEmpty(t, run.Why)
		require.True(t, run.Outcomes[0].Done)
	}
}

// Ten triggers with the same condition and ten agents leave the ticket with
// the tenth.
func TestTheLastAssignmentWins(t *testing.T) {
	var rules []trigger.Trigger
	for i := range 10 {
		rules = append(rules, rule(fmt.Sprint("t", i), i, when(is("state", "new")), set("agent", fmt.Sprint("agent-", i+1))))
	}
	r := newRecord(condition.Map{"state": condition.Text("new")})
	_, err := compile(t, rules...).Run(created(), r, trigger.Options{})
	require.NoError(t, err)
	require.Equal(t, condition.Text("agent-10"), r.now["agent"])
	require.Len(t, r.done, 10)
}

func TestTriggersThatToggleAFieldEachFireOnce(t *testing.T) {
	open := rule("open", 1, when(is("state", "new")), set("state", "open"))
	back := rule("back", 2, when(is("state", "open")), set("state", "new"))
	open.Cascade, back.Cascade = true, true
	self := rule("self", 3, condition.Condition{}, set("title", "again"))
	self.Cascade = true
	r := newRecord(condition.Map{"state": condition.Text("new")})
	report, err := compile(t, open, back, self).Run(created(), r, trigger.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"open", "back", "self"}, r.done)
	require.Empty(t, report.Cut)
}

func TestCascadeAsksAgainAfterOthers(t *testing.T) {
	first := rule("first", 1, when(is("agent", "mina")), set("product", "x"))
	later := rule("later", 2, condition.Condition{}, set("agent", "mina"))
	r := newRecord(condition.Map{})
	_, err := compile(t, first, later).Run(created(), r, trigger.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"later"}, r.done, "without Cascade there is one pass")
	first.Cascade = true
	r = newRecord(condition.Map{})
	_, err = compile(t, first, later).Run(created(), r, trigger.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"later", "first"}, r.done)
}

func TestTooMuchIsCutWithANote(t *testing.T) {
	var rules []trigger.Trigger
	for i := range 1000 {
		actions := make([]trigger.Action, 10)
		for j := range actions {
			actions[j] = set("title", "x")
		}
		rules = append(rules, rule(fmt.Sprintf("t%04d", i), i, condition.Condition{}, actions...))
	}
	r := newRecord(condition.Map{})
	report, err := compile(t, rules...).Run(created(), r, trigger.Options{})
	require.NoError(t, err)
	require.Len(t, r.done, trigger.MaxDone)
	require.Contains(t, report.Cut, "100 actions")

	ev := created()
	ev.Depth = trigger.MaxDepth + 1
	r = newRecord(condition.Map{})
	report, err = compile(t, rules[:1]...).Run(ev, r, trigger.Options{})
	require.NoError(t, err)
	require.Empty(t, r.done)
	require.Contains(t, report.Cut, "in a chain")
}

func TestAnErrorOfTheSubjectEndsThePass(t *testing.T) {
	r := newRecord(condition.Map{})
	r.fail = fmt.Errorf("the store is gone")
	_, err := compile(t, rule("a", 1, condition.Condition{}, set("title", "x")),
		rule("b", 2, condition.Condition{}, set("title", "y"))).Run(created(), r, trigger.Options{})
	require.ErrorIs(t, err, r.fail)
	require.ErrorContains(t, err, "trigger a: set")
	passed := newRecord(condition.Map{})
	report, err := compile(t, rule("a", 1, condition.Condition{}, set("agent", "nobody")),
		rule("b", 2, condition.Condition{}, set("title", "y"))).Run(created(), passed, trigger.Options{})
	require.NoError(t, err)
	require.False(t, report.Runs[0].Outcomes[0].Done)
	require.Equal(t, "there is nobody", report.Runs[0].Outcomes[0].Note)
	require.Equal(t, []string{"a", "b"}, passed.done)
}

func TestMissesAreExplainedWithoutValues(t *testing.T) {
	s := compile(t, rule("a", 1, when(is("state", "open"), is("title", "secret")), set("title", "x")))
	r := newRecord(condition.Map{"title": condition.Text("a customer's words")})
	report, err := s.Run(created(), r, trigger.Options{Misses: true})
	require.NoError(t, err)
	require.Len(t, report.Runs, 1)
	require.False(t, report.Runs[0].Matched)
	require.Len(t, report.Runs[0].Why, 2)
	raw, err := json.Marshal(report)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "secret")
	require.NotContains(t, string(raw), "words")
}

// A rule on "1" is not met by other digits that look or read alike; a text, but
// no id, is met by its full-width form, which is the same key of the keyboard.
func TestOneIsOne(t *testing.T) {
	s := compile(t, rule("a", 1, when(is("title", "1")), set("agent", "x")), rule("b", 2, when(is("product", "1")), set("agent", "y")))
	for value, want := range map[string]int{"1": 2, "١": 0, "10": 0, "１": 1, " 1": 0} {
		r := newRecord(condition.Map{"title": condition.Text(value), "product": condition.Text(value)})
		report, err := s.Run(created(), r, trigger.Options{})
		require.NoError(t, err)
		require.Equal(t, want, report.Fired(), "%q", value)
	}
}

// The index must never change what a pass does; random rules and records.
func TestIndexAndLinearPassAgree(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	fields := map[string][]string{"state": {"new", "open", "solved"}, "agent": {"a", "b", "c"}, "product": {"x", "y", "z"}}
	names := slices.Sorted(maps.Keys(fields))
	pick := func() (string, string) {
		f := names[rng.IntN(len(names))]
		return f, fields[f][rng.IntN(3)]
	}
	for range 300 {
		var rules []trigger.Trigger
		for i := range 1 + rng.IntN(30) {
			var c condition.Condition
			for range rng.IntN(3) {
				f, v := pick()
				op := []condition.Op{condition.Is, condition.IsNot, condition.ChangedTo, condition.ChangedFrom}[rng.IntN(4)]
				c.All = append(c.All, condition.Clause{Field: f, Op: op, Value: v})
			}
			if rng.IntN(3) == 0 {
				f, v := pick()
				g, w := pick()
				c.Any = []condition.Clause{is(f, v), is(g, w)}
			}
			f, v := pick()
			r := rule(fmt.Sprint("t", i), rng.IntN(10), c, set(f, v))
			r.Cascade = rng.IntN(2) == 0
			rules = append(rules, r)
		}
		s := compile(t, rules...)
		facts := condition.Map{}
		for range rng.IntN(4) {
			f, v := pick()
			facts[f] = condition.Text(v)
		}
		a, b := newRecord(facts), newRecord(facts)
		indexed, err := s.Run(created(), a, trigger.Options{})
		require.NoError(t, err)
		linear, err := s.Run(created(), b, trigger.Options{Linear: true})
		require.NoError(t, err)
		require.Equal(t, linear.Runs, indexed.Runs)
		require.Equal(t, b, a)
		require.LessOrEqual(t, indexed.Looked, linear.Looked)
		fired := map[trigger.ID]int{}
		for _, run := range indexed.Runs {
			fired[run.Trigger]++
			require.Equal(t, 1, fired[run.Trigger], "a trigger fires at most once in an event")
		}
	}
}

func TestTimedTriggersFireOncePerDeadline(t *testing.T) {
	r := rule("slow", 1, when(is("state", "open")), set("agent", "lead"))
	r.After = &trigger.After{Since: "since", For: time.Hour, Calendar: "office"}
	off := rule("off", 2, condition.Condition{}, set("agent", "x"))
	off.After, off.Active = r.After, false
	s := compile(t, r, off)
	var asked []string
	add := func(calendar string, from time.Time, d time.Duration) (time.Time, bool) {
		asked = append(asked, calendar)
		return from.Add(2 * d), true
	}
	sub := newRecord(condition.Map{"state": condition.Text("open"), "since": condition.Time(at)})
	due := s.Deadlines(sub, add)
	require.Equal(t, []trigger.Deadline{{Trigger: "slow", At: at.Add(2 * time.Hour), Since: at}}, due)
	require.Equal(t, []string{"office"}, asked)
	require.Equal(t, due[0].Key("t1"), s.Deadlines(sub, add)[0].Key("t1"), "the same deadline has the same key")
	require.NotEqual(t, due[0].Key("t1"), due[0].Key("t2"))

	ev := trigger.Event{ID: "e", Kind: "time", Actor: trigger.ByTrigger, At: due[0].At}
	report, err := s.RunTimed(due[0], ev, sub, trigger.Options{})
	require.NoError(t, err)
	require.Equal(t, 1, report.Fired())

	sub.now["since"] = condition.Time(at.Add(time.Minute))
	report, err = s.RunTimed(due[0], ev, sub, trigger.Options{})
	require.NoError(t, err)
	require.Zero(t, report.Fired(), "the field moved: a later deadline stands for it")

	sub.now["since"], sub.now["state"] = condition.Time(at), condition.Text("solved")
	report, err = s.RunTimed(due[0], ev, sub, trigger.Options{Misses: true})
	require.NoError(t, err)
	require.Zero(t, report.Fired())
	require.Len(t, report.Runs, 1)
	require.Empty(t, s.Deadlines(newRecord(condition.Map{}), add), "no time, no deadline")
	report, err = compile(t).RunTimed(due[0], ev, sub, trigger.Options{})
	require.NoError(t, err)
	require.Zero(t, report.Fired(), "the trigger is gone")
	onEvent, timed := s.Len()
	require.Equal(t, [2]int{0, 1}, [2]int{onEvent, timed})
}

func TestBadTriggersAreRefused(t *testing.T) {
	good := rule("a", 1, when(is("state", "open")), set("title", "x"))
	require.NoError(t, good.Validate(schema(t), catalog(t)))
	for name, spoil := range map[string]func(*trigger.Trigger){
		"no id":               func(r *trigger.Trigger) { r.ID = "" },
		"no title":            func(r *trigger.Trigger) { r.Title = " " },
		"long title":          func(r *trigger.Trigger) { r.Title = strings.Repeat("가", 101) },
		"no subject":          func(r *trigger.Trigger) { r.Subject = "" },
		"no action":           func(r *trigger.Trigger) { r.Actions = nil },
		"ten thousand":        func(r *trigger.Trigger) { r.Actions = make([]trigger.Action, 10000) },
		"unknown action":      func(r *trigger.Trigger) { r.Actions[0].Kind = "fly" },
		"unknown member":      func(r *trigger.Trigger) { r.Actions[0].Params = json.RawMessage(`{"Field":"title","valu":"x"}`) },
		"trailing parameters": func(r *trigger.Trigger) { r.Actions[0].Params = json.RawMessage(`{} {}`) },
		"huge parameters":     func(r *trigger.Trigger) { r.Actions[0].Params = make([]byte, trigger.MaxParams+1) },
		"parameters of none": func(r *trigger.Trigger) {
			r.Actions = []trigger.Action{{Kind: "ping", Params: json.RawMessage(`{"x":1}`)}}
		},
		"unknown field":    func(r *trigger.Trigger) { r.When = when(is("moon", "full")) },
		"since no time":    func(r *trigger.Trigger) { r.After = &trigger.After{Since: "title", For: time.Hour} },
		"too short":        func(r *trigger.Trigger) { r.After = &trigger.After{Since: "since", For: time.Second} },
		"unknown calendar": func(r *trigger.Trigger) { r.After = &trigger.After{Since: "since", For: time.Hour, Calendar: "moon"} },
	} {
		bad := good
		bad.Actions = slices.Clone(good.Actions)
		spoil(&bad)
		require.ErrorIs(t, bad.Validate(schema(t), catalog(t)), trigger.ErrInvalid, name)
	}
	_, err := trigger.NewCatalog(trigger.Spec{Kind: "x"}, trigger.Spec{Kind: "x"})
	require.ErrorIs(t, err, trigger.ErrInvalid)
	_, err = trigger.NewSet(schema(t), "ticket", []trigger.Trigger{rule("old", 1, when(is("gone", "x")), set("title", "x"))})
	require.ErrorContains(t, err, "trigger old")
}

func TestTriggerSurvivesJSON(t *testing.T) {
	r := rule("a", 1, when(is("state", "open")), set("title", "x"), trigger.Do("ping", nil))
	r.After = &trigger.After{Since: "since", For: 90 * time.Minute}
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	var back trigger.Trigger
	require.NoError(t, json.Unmarshal(raw, &back))
	again, err := json.Marshal(back)
	require.NoError(t, err)
	require.JSONEq(t, string(raw), string(again))
	require.NoError(t, back.Validate(schema(t), catalog(t)))
}

func TestChooseAmongAgents(t *testing.T) {
	agents := []string{"a", "b", "c"}
	all := func(string) bool { return true }
	not := func(gone string) func(string) bool { return func(a string) bool { return a != gone } }
	var turn int64
	var got []string
	for i := range 7 {
		able := all
		if i == 4 {
			able = not("b")
		}
		a, next, ok := trigger.ChooseInTurn.Choose(agents, able, turn, 1)
		require.True(t, ok)
		got, turn = append(got, a), next
	}
	require.Equal(t, []string{"a", "b", "c", "a", "c", "a", "b"}, got)
	a, _, ok := trigger.ChooseOne.Choose(agents, not("a"), 0, 1)
	require.True(t, ok)
	require.Equal(t, "b", a)
	for _, c := range []trigger.Choice{trigger.ChooseRandom, trigger.ChooseInTurn, trigger.ChooseOne} {
		require.NoError(t, c.Valid())
		_, next, ok := c.Choose(agents, func(string) bool { return false }, 2, 1)
		require.False(t, ok)
		require.EqualValues(t, 2, next)
	}
	require.ErrorIs(t, trigger.Choice("best").Valid(), trigger.ErrInvalid)
}

// Random choice over ten agents: each within its interval of 1/10 over 10,000
// tickets (99.9 %, ten of them looked at), and the same for the same event.
func TestRandomChoiceIsEven(t *testing.T) {
	agents := strings.Split("abcdefghij", "")
	counts := map[string]int{}
	const n = 10000
	for i := range n {
		a, _, ok := trigger.ChooseRandom.Choose(agents, func(string) bool { return true }, 0, 42, "trigger", fmt.Sprint("event-", i))
		require.True(t, ok)
		counts[a]++
		b, _, _ := trigger.ChooseRandom.Choose(agents, func(string) bool { return true }, 0, 42, "trigger", fmt.Sprint("event-", i))
		require.Equal(t, a, b)
	}
	spread := 3.9 * math.Sqrt(n*0.1*0.9)
	for _, a := range agents {
		assert.InDelta(t, n/10, counts[a], spread, a)
	}
}
