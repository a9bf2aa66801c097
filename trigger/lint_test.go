package trigger_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
	"github.com/sangdam/sangdam/trigger/lint"
)

func problems(t *testing.T, rules ...trigger.Trigger) map[lint.Problem][]trigger.ID {
	t.Helper()
	out := map[lint.Problem][]trigger.ID{}
	for _, f := range lint.All(schema(t), catalog(t), "ticket", rules) {
		require.NotEmpty(t, f.Text)
		out[f.Problem] = append(append(out[f.Problem], f.Trigger), f.Others...)
	}
	return out
}

func cascading(r trigger.Trigger) trigger.Trigger {
	r.Cascade = true
	return r
}

func TestLint(t *testing.T) {
	type found = map[lint.Problem][]trigger.ID
	isNew, isOpen := when(is("state", "new")), when(is("state", "open"))
	for name, c := range map[string]struct {
		rules []trigger.Trigger
		want  found
	}{
		"nothing wrong": {[]trigger.Trigger{rule("a", 1, isNew, set("agent", "x")), rule("b", 2, isOpen, set("agent", "y"))}, found{}},
		"never true": {[]trigger.Trigger{rule("a", 1, when(is("state", "new"), is("state", "open")), set("agent", "x"))},
			found{lint.NeverTrue: {"a"}}},
		"fight": {[]trigger.Trigger{rule("b", 2, when(is("product", "p")), set("agent", "y")), rule("a", 1, isNew, set("agent", "x"))},
			found{lint.Fight: {"a", "b"}}},
		"same value is no fight": {[]trigger.Trigger{rule("a", 1, isNew, set("agent", "x")), rule("b", 2, when(is("product", "p")),
			set("agent", "x"))}, found{}},
		"unreachable": {[]trigger.Trigger{rule("a", 1, when(is("state", "new"), is("product", "p")), set("agent", "x")),
			rule("b", 2, isNew, set("agent", "x"))},
			found{lint.Unreachable: {"a", "b"}}},
		"it also pings": {[]trigger.Trigger{rule("a", 1, isNew, set("agent", "x"), trigger.Action{Kind: "ping"}),
			rule("b", 2, isNew, set("agent", "x"))}, found{}},
		"circle": {[]trigger.Trigger{cascading(rule("a", 1, isNew, set("state", "open"))),
			cascading(rule("b", 2, isOpen, set("state", "new")))}, found{lint.Circle: {"a", "b"}}},
		"itself": {[]trigger.Trigger{cascading(rule("a", 1, when(condition.Clause{Field: "agent", Op: condition.Changed}),
			set("agent", "x")))}, found{lint.Circle: {"a"}}},
		"no cascade": {[]trigger.Trigger{rule("a", 1, isNew, set("state", "open")), rule("b", 2, isOpen, set("state", "new"))}, found{}},
		"inactive": {[]trigger.Trigger{func() trigger.Trigger {
			r := rule("a", 1, when(is("state", "new"), is("state", "open")), set("agent", "x"))
			r.Active = false
			return r
		}()}, found{}},
	} {
		require.Equal(t, c.want, problems(t, c.rules...), name)
		for _, one := range c.rules {
			if one.Active {
				require.ElementsMatch(t, about(one.ID, lint.All(schema(t), catalog(t), "ticket", c.rules)),
					about(one.ID, lint.One(schema(t), catalog(t), one, c.rules)), "%s: of %s alone", name, one.ID)
			}
		}
	}
}

// about lists the findings that concern a trigger, as problem and members.
func about(id trigger.ID, list []lint.Finding) (out []string) {
	for _, f := range list {
		members := append([]trigger.ID{f.Trigger}, f.Others...)
		if slices.Contains(members, id) {
			slices.Sort(members)
			out = append(out, fmt.Sprint(f.Problem, members))
		}
	}
	return out
}
