package condition_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/trigger/condition"
)

func all(clauses ...condition.Clause) condition.Condition { return condition.Condition{All: clauses} }

func TestNeverTrue(t *testing.T) {
	s := eventSchema(t).ForEvents("office")
	is := func(f string, v any) condition.Clause { return condition.Clause{Field: f, Op: condition.Is, Value: v} }
	op := func(f string, o condition.Op, v any) condition.Clause {
		return condition.Clause{Field: f, Op: o, Value: v}
	}
	for name, c := range map[string]condition.Condition{
		"two values":         all(is("state", "new"), is("state", "open")),
		"value and not":      all(is("title", "A"), op("title", condition.IsNot, "a")),
		"lists apart":        all(op("state", condition.In, []string{"new", "open"}), op("state", condition.In, []string{"solved"})),
		"crossing bounds":    all(op("count", condition.Gt, 5), op("count", condition.Lte, 5)),
		"number and bound":   all(is("count", 3), op("count", condition.Gte, 4)),
		"present and absent": all(op("title", condition.Present, nil), op("title", condition.Absent, nil)),
		"absent and a value": all(op("title", condition.Absent, nil), is("title", "a")),
		"true and false":     all(is("flag", true), is("flag", false)),
		"neither, yet there": all(op("flag", condition.IsNot, true), op("flag", condition.IsNot, false),
			op("flag", condition.Present, nil)),
		"true and not true":  all(is("flag", true), op("flag", condition.IsNot, true)),
		"changed to another": all(op("state", condition.ChangedTo, "open"), is("state", "new")),
		"each way": {All: []condition.Clause{is("state", "new")}, Any: []condition.Clause{is("state", "open"),
			all(is("state", "solved"), is("flag", true)).All[0]}},
		"nested": all(condition.Clause{All: []condition.Clause{is("flag", true)}}, is("flag", false)),
	} {
		p, err := c.Compile(s)
		require.NoError(t, err, name)
		_, never := p.NeverTrue()
		assert.True(t, never, name)
	}
	for name, c := range map[string]condition.Condition{
		"empty":              {},
		"one value":          all(is("state", "new"), op("state", condition.IsNot, "open")),
		"bounds that touch":  all(op("count", condition.Gte, 5), op("count", condition.Lte, 5)),
		"one way left":       {All: []condition.Clause{is("state", "new")}, Any: []condition.Clause{is("state", "open"), is("flag", true)}},
		"not and absent":     all(op("title", condition.IsNot, "a"), op("title", condition.Absent, nil)),
		"neither, if absent": all(op("flag", condition.IsNot, true), op("flag", condition.IsNot, false)),
		"changed from":       all(op("state", condition.ChangedFrom, "open"), is("state", "new")),
		"a group of any":     all(condition.Clause{Any: []condition.Clause{is("flag", true), is("flag", false)}}, is("flag", false)),
		"open and yet older": all(op("at", condition.OlderThan, "1h"), op("at", condition.WithinHours, "office")),
	} {
		p, err := c.Compile(s)
		require.NoError(t, err, name)
		field, never := p.NeverTrue()
		assert.False(t, never, "%s: %s", name, field)
	}
}

// What the analysis says must be true of every evaluation.
func TestAnalysisNeverContradictsEvaluation(t *testing.T) {
	s := schema(t)
	rapid.Check(t, func(t *rapid.T) {
		var p [2]*condition.Program
		for i := range p {
			var err error
			if p[i], err = (condition.Condition{All: drawClauses(t, s, 0), Any: drawClauses(t, s, 0)}).Compile(s); err != nil {
				t.Skip(err)
			}
		}
		_, never := p[0].NeverTrue()
		excludes, implies := p[0].Excludes(p[1]), p[0].Implies(p[1])
		for range 20 {
			facts := drawWorld(t, s).facts()
			a, b := p[0].Match(now, facts), p[1].Match(now, facts)
			require.False(t, never && a)
			require.False(t, excludes && a && b)
			require.False(t, implies && a && !b)
		}
	})
}
