package condition_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/internal/fold"
	"github.com/sangdam/sangdam/trigger/condition"
)

var now = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)

func schema(t require.TestingT) *condition.Schema {
	s, err := condition.NewSchema(
		condition.Field{Name: "text", Type: condition.TypeText},
		condition.Field{Name: "waited", Type: condition.TypeDuration},
		condition.Field{Name: "messages", Type: condition.TypeNumber},
		condition.Field{Name: "vip", Type: condition.TypeBool},
		condition.Field{Name: "opened_at", Type: condition.TypeTime},
		condition.Field{Name: "channel", Type: condition.TypeEnum, Values: []string{"line", "kakao", "webchat"}},
		condition.Field{Name: "tags", Type: condition.TypeSet},
		condition.Field{Name: "queue", Type: condition.TypeID},
	)
	require.NoError(t, err)
	return s
}

// world is what the naive oracle knows; a missing key is an absent fact.
type world map[string]any

func (w world) facts() condition.Map {
	m := condition.Map{}
	for name, v := range w {
		switch v := v.(type) {
		case string:
			m[name] = condition.Text(v)
		case float64:
			m[name] = condition.Number(v)
		case bool:
			m[name] = condition.Bool(v)
		case time.Time:
			m[name] = condition.Time(v)
		case time.Duration:
			m[name] = condition.Duration(v)
		case []string:
			m[name] = condition.Set(v)
		}
	}
	return m
}

func (w world) holds(all, any []condition.Clause) bool {
	for _, c := range all {
		if !w.clause(c) {
			return false
		}
	}
	return len(any) == 0 || slices.ContainsFunc(any, w.clause)
}

func (w world) clause(c condition.Clause) bool {
	if c.Op == "" {
		return w.holds(c.All, c.Any)
	}
	switch c.Op {
	case condition.IsNot:
		return !w.positive(c, condition.Is)
	case condition.NotContains:
		return !w.positive(c, condition.Contains)
	case condition.NotIn:
		return !w.positive(c, condition.In)
	case condition.HasNone:
		return !w.positive(c, condition.HasAny)
	case condition.Absent:
		return !w.positive(c, condition.Present)
	}
	return w.positive(c, c.Op)
}

func (w world) positive(c condition.Clause, op condition.Op) bool {
	switch fact := w[c.Field].(type) {
	case nil:
		return false
	case string:
		return fact != "" && textHolds(c.Field == "text", fact, op, c.Value)
	case []string:
		return len(fact) > 0 && setHolds(fact, op, c.Value)
	case bool:
		return op == condition.Present || fact == c.Value
	case float64:
		var values []float64
		switch v := c.Value.(type) {
		case float64:
			values = []float64{v}
		case []float64:
			values = v
		}
		return ordered(op, fact, values)
	case time.Duration:
		var values []float64
		for _, s := range list(c.Value) {
			values = append(values, float64(span(s)))
		}
		return ordered(op, float64(fact), values)
	case time.Time:
		return timeHolds(fact, op, c.Value)
	}
	panic("a fact the oracle does not know")
}

func span(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

func list(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []string:
		return v
	}
	return nil
}

func textHolds(folded bool, fact string, op condition.Op, value any) bool {
	form := func(s string) string {
		if folded {
			return fold.Text(s)
		}
		return s
	}
	someOf := func(f func(fact, want string) bool) bool {
		return slices.ContainsFunc(list(value), func(want string) bool { return f(form(fact), form(want)) })
	}
	switch op {
	case condition.Present:
		return true
	case condition.Is, condition.In:
		return someOf(func(fact, want string) bool { return fact == want })
	case condition.StartsWith:
		return someOf(strings.HasPrefix)
	case condition.Contains:
		return someOf(strings.Contains)
	case condition.Matches:
		return regexp.MustCompile(value.(string)).MatchString(fact)
	}
	panic("operator " + op)
}

func setHolds(fact []string, op condition.Op, value any) bool {
	n := 0
	for _, want := range list(value) {
		if slices.Contains(fact, want) {
			n++
		}
	}
	switch op {
	case condition.Present:
		return true
	case condition.HasAll:
		return n == len(list(value))
	}
	return n > 0
}

func timeHolds(fact time.Time, op condition.Op, value any) bool {
	switch op {
	case condition.OlderThan:
		return !fact.Add(span(value.(string))).After(now)
	case condition.NewerThan:
		return fact.Add(span(value.(string))).After(now)
	}
	var values []float64
	for _, s := range list(value) {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			panic(err)
		}
		values = append(values, float64(t.Unix()))
	}
	return ordered(op, float64(fact.Unix()), values)
}

func ordered(op condition.Op, fact float64, values []float64) bool {
	switch op {
	case condition.Present:
		return true
	case condition.Is, condition.In:
		return slices.Contains(values, fact)
	case condition.Gt:
		return fact > values[0]
	case condition.Gte:
		return fact >= values[0]
	case condition.Lt:
		return fact < values[0]
	case condition.Lte:
		return fact <= values[0]
	case condition.Between:
		return fact >= values[0] && fact <= values[1]
	}
	panic("operator " + op)
}

var words = rapid.SampledFrom([]string{"환불", "refund", "REFUND please", "환불해 주세요", "Straße", "ſtop", "STOP", "kelvin", "\u212aelvin", "é",
	"É", "a", "A", "再開", "x\ufffdy"})

func drawValue(t *rapid.T, f condition.Field, op condition.Op) any {
	several := op == condition.In || op == condition.NotIn || op == condition.HasAny || op == condition.HasAll || op == condition.HasNone ||
		(op == condition.Contains || op == condition.NotContains || op == condition.StartsWith) && rapid.Bool().Draw(t, "several")
	var one *rapid.Generator[string]
	switch f.Type {
	case condition.TypeText:
		one = words
		if op == condition.Matches {
			one = rapid.SampledFrom([]string{"(?i)refund", "^환불", "환불|취소", "[a-z]{2,5}$", "."})
		}
	case condition.TypeEnum:
		one = rapid.SampledFrom(f.Values)
	case condition.TypeBool:
		return rapid.Bool().Draw(t, "bool")
	case condition.TypeNumber:
		n := rapid.Map(rapid.IntRange(-3, 3), func(n int) float64 { return float64(n) })
		switch op {
		case condition.In, condition.NotIn:
			return rapid.SliceOfN(n, 1, 4).Draw(t, "numbers")
		case condition.Between:
			a, b := n.Draw(t, "a"), n.Draw(t, "b")
			return []float64{min(a, b), max(a, b)}
		}
		return n.Draw(t, "number")
	case condition.TypeDuration, condition.TypeTime:
		lo := time.Duration(rapid.IntRange(0, 4).Draw(t, "lo")) * time.Hour
		hi := lo + time.Duration(rapid.IntRange(0, 4).Draw(t, "hi"))*time.Hour
		form := time.Duration.String
		if f.Type == condition.TypeTime && op != condition.OlderThan && op != condition.NewerThan {
			form = func(d time.Duration) string { return now.Add(d - 3*time.Hour).Format(time.RFC3339Nano) }
		}
		if op == condition.Between {
			return []string{form(lo), form(hi)}
		}
		return form(lo)
	default:
		one = rapid.SampledFrom([]string{"a", "b", "c", "vip", "A"})
	}
	if several {
		return rapid.SliceOfN(one, 1, 12).Draw(t, "values")
	}
	return one.Draw(t, "value")
}

func drawClauses(t *rapid.T, s *condition.Schema, depth int) []condition.Clause {
	var list []condition.Clause
	for range rapid.IntRange(0, 3).Draw(t, "clauses") {
		if depth < 3 && rapid.IntRange(0, 4).Draw(t, "group") == 0 {
			g := condition.Clause{All: drawClauses(t, s, depth+1), Any: drawClauses(t, s, depth+1)}
			if len(g.All)+len(g.Any) > 0 {
				list = append(list, g)
			}
			continue
		}
		f := rapid.SampledFrom(s.Fields()).Draw(t, "field")
		op := rapid.SampledFrom(condition.Operators(f.Type)).Draw(t, "op")
		c := condition.Clause{Field: f.Name, Op: op}
		if op != condition.Present && op != condition.Absent {
			c.Value = drawValue(t, f, op)
		}
		list = append(list, c)
	}
	return list
}

func drawWorld(t *rapid.T, s *condition.Schema) world {
	w := world{}
	for _, f := range s.Fields() {
		if rapid.IntRange(0, 3).Draw(t, "absent") == 0 {
			continue
		}
		switch f.Type {
		case condition.TypeText:
			w[f.Name] = rapid.SampledFrom([]string{"", "환불 부탁해요", "Refund", "please refund", "STRASSE", "straße",
				"stop it", "Kelvin", "é", "A", "x\xfey"}).Draw(t, "text")
		case condition.TypeEnum:
			w[f.Name] = rapid.SampledFrom(f.Values).Draw(t, "enum")
		case condition.TypeBool:
			w[f.Name] = rapid.Bool().Draw(t, "bool")
		case condition.TypeNumber:
			w[f.Name] = float64(rapid.IntRange(-3, 3).Draw(t, "number"))
		case condition.TypeDuration:
			w[f.Name] = time.Duration(rapid.IntRange(0, 8).Draw(t, "duration")) * time.Hour
		case condition.TypeTime:
			w[f.Name] = now.Add(time.Duration(rapid.IntRange(-4, 2).Draw(t, "time")) * time.Hour)
		case condition.TypeSet:
			w[f.Name] = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "vip"}), 0, 3).Draw(t, "set")
		default:
			w[f.Name] = rapid.SampledFrom([]string{"a", "b", "A", ""}).Draw(t, "id")
		}
	}
	return w
}

func TestEvalAgreesWithOracle(t *testing.T) {
	s := schema(t)
	rapid.Check(t, func(t *rapid.T) {
		c := condition.Condition{All: drawClauses(t, s, 0), Any: drawClauses(t, s, 0)}
		p, err := c.Compile(s)
		if err != nil {
			t.Skip(err)
		}
		for range 5 {
			w := drawWorld(t, s)
			want := w.holds(c.All, c.Any)
			result := p.Eval(now, w.facts())
			require.Equal(t, want, result.Match, "%v", result.Why)
			require.Equal(t, want, p.Match(now, w.facts()))

			data, err := json.Marshal(c)
			require.NoError(t, err)
			back, err := condition.Parse(data)
			require.NoError(t, err)
			again, err := json.Marshal(back)
			require.NoError(t, err)
			require.Equal(t, string(data), string(again))
			p2, err := back.Compile(s)
			require.NoError(t, err)
			require.Equal(t, result, p2.Eval(now, w.facts()))
		}
	})
}

func TestIndexNeverSkipsAMatch(t *testing.T) {
	s := schema(t)
	rapid.Check(t, func(t *rapid.T) {
		var programs []*condition.Program
		for range rapid.IntRange(1, 8).Draw(t, "programs") {
			c := condition.Condition{All: drawClauses(t, s, 0), Any: drawClauses(t, s, 0)}
			p, err := c.Compile(s)
			if err != nil {
				t.Skip(err)
			}
			programs = append(programs, p)
		}
		fields := rapid.SampledFrom([][]string{{"channel"}, {"queue"}, {"channel", "queue"}, nil}).Draw(t, "indexed")
		index := condition.NewIndex(programs, fields...)
		for range 5 {
			w := drawWorld(t, s)
			after := rapid.IntRange(-1, len(programs)).Draw(t, "after")
			facts := w.facts()
			lookup := index.Lookup(now, facts)
			candidates := slices.Collect(lookup.Candidates(after))
			require.True(t, slices.IsSorted(candidates))
			require.Equal(t, len(candidates), len(slices.Compact(slices.Clone(candidates))), "a program is yielded once")
			for i, p := range programs {
				matches := p.Match(now, w.facts())
				if matches && i > after {
					require.Contains(t, candidates, i)
				}
				require.Equal(t, matches, lookup.Match(i), "what was asked before does not change the answer")
			}
			changed := drawWorld(t, s).facts()
			clear(facts)
			maps.Copy(facts, changed)
			lookup.Forget()
			for i, p := range programs {
				require.Equal(t, p.Match(now, changed), lookup.Match(i), "facts that changed are asked again")
			}
		}
	})
}

// What keyboards and systems write differently is one text in a condition.
func TestTextIsComparedFolded(t *testing.T) {
	schema, err := condition.NewSchema(condition.Field{Name: "text", Type: condition.TypeText})
	require.NoError(t, err)
	for _, c := range []struct {
		op          condition.Op
		value, fact string
	}{
		{condition.Contains, "환불", "빨리 " + norm.NFD.String("환불해") + " 주세요"},
		{condition.Contains, norm.NFD.String("환불"), "환불"},
		{condition.StartsWith, "refund", "ＲＥＦＵＮＤ please"},
		{condition.Is, "ブラウス", "ﾌﾞﾗｳｽ"},
		{condition.Is, "STRASSE", "straße"},
	} {
		p, err := condition.Condition{All: []condition.Clause{{Field: "text", Op: c.op, Value: c.value}}}.Compile(schema)
		require.NoError(t, err)
		require.True(t, p.Match(time.Time{}, condition.Map{"text": condition.Text(c.fact)}), "%q %s %q", c.fact, c.op, c.value)
	}
}

// Facts that remember how a text is compared are answered alike.
func TestFactsMayRememberFoldedTexts(t *testing.T) {
	schema, err := condition.NewSchema(condition.Field{Name: "text", Type: condition.TypeText})
	require.NoError(t, err)
	texts := []string{"", "x", "환불", norm.NFD.String("환불"), "ＲＥＦＵＮＤ please", "ﾌﾞﾗｳｽ", "straße", strings.Repeat("가", 30_000) + "x"}
	for _, op := range []condition.Op{condition.Is, condition.IsNot, condition.Contains, condition.StartsWith, condition.Matches} {
		for _, value := range []string{"x", "환불", "refund", "ブラウス", "STRASSE"} {
			p, err := condition.Condition{All: []condition.Clause{{Field: "text", Op: op, Value: value}}}.Compile(schema)
			require.NoError(t, err)
			for _, text := range texts {
				plain := condition.Map{"text": condition.Text(text)}
				require.Equal(t, p.Match(time.Time{}, plain), p.Match(time.Time{}, remembering{plain}), "%.20q %s %q", text, op, value)
			}
		}
	}
}

// The index asks for no fact by which it lists no program.
func TestTheIndexAsksForNoMoreThanItNeeds(t *testing.T) {
	schema, err := condition.NewSchema(condition.Field{Name: "a", Type: condition.TypeID},
		condition.Field{Name: "dear", Type: condition.TypeID})
	require.NoError(t, err)
	p, err := condition.Condition{All: []condition.Clause{{Field: "a", Op: condition.Is, Value: "1"}}}.Compile(schema)
	require.NoError(t, err)
	x := condition.NewIndex([]*condition.Program{p}, "dear", "a")
	var asked []string
	for range x.Lookup(now, asking{&asked}).Candidates(-1) {
		require.Fail(t, "nothing is listed under what is not there")
	}
	require.Equal(t, []string{"a"}, asked)
}

type remembering struct{ condition.Map }

func (remembering) Folded(text string) string { return condition.Fold(text) }

type asking struct{ names *[]string }

func (a asking) Fact(field string) (condition.Fact, bool) {
	*a.names = append(*a.names, field)
	return condition.Fact{}, false
}
