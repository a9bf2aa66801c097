package trigger_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// manyRules makes n rules, one in a hundred of which speaks of the record's
// product; none fires, since the last clause fails.
func manyRules(b testing.TB, n int) *trigger.Set {
	rules := make([]trigger.Trigger, n)
	for i := range rules {
		rules[i] = rule(fmt.Sprintf("t%05d", i), i,
			when(is("product", fmt.Sprint("p", i%100)), is("event", "created"), is("title", "nothing")), set("agent", "x"))
	}
	return compile(b, rules...)
}

func benchmarkRules(b *testing.B, opt trigger.Options) {
	s := manyRules(b, 10000)
	r := newRecord(condition.Map{"product": condition.Text("p7"), "title": condition.Text("a text"), "state": condition.Text("new")})
	report, err := s.Run(created(), r, trigger.Options{})
	require.NoError(b, err)
	require.Equal(b, 100, report.Looked)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(created(), r, opt); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEvent is one event against 10,000 rules of which 1 % apply.
func BenchmarkEvent(b *testing.B)       { benchmarkRules(b, trigger.Options{}) }
func BenchmarkEventLinear(b *testing.B) { benchmarkRules(b, trigger.Options{Linear: true}) }

func TestTheIndexLooksAtFew(t *testing.T) {
	s := manyRules(t, 10000)
	report, err := s.Run(created(), newRecord(condition.Map{"product": condition.Text("p7"), "title": condition.Text("x")}),
		trigger.Options{})
	require.NoError(t, err)
	require.Equal(t, 100, report.Looked)
	report, err = s.Run(created(), newRecord(condition.Map{"product": condition.Text("unknown")}), trigger.Options{})
	require.NoError(t, err)
	require.Zero(t, report.Looked)
}
