package condition_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/trigger/condition"
)

// moved is a subject before and after an event, with a calendar that is open
// in even hours.
type moved struct{ before, now condition.Map }

func (m moved) Fact(f string) (condition.Fact, bool)   { return m.now.Fact(f) }
func (m moved) Before(f string) (condition.Fact, bool) { return m.before.Fact(f) }
func (m moved) Within(calendar string, at time.Time) bool {
	return calendar == "office" && at.Hour()%2 == 0
}

func eventSchema(t *testing.T) *condition.Schema {
	t.Helper()
	s, err := condition.NewSchema(
		condition.Field{Name: "state", Type: condition.TypeEnum, Values: []string{"new", "open", "solved"}},
		condition.Field{Name: "title", Type: condition.TypeText},
		condition.Field{Name: "count", Type: condition.TypeNumber},
		condition.Field{Name: "flag", Type: condition.TypeBool},
		condition.Field{Name: "tags", Type: condition.TypeSet},
		condition.Field{Name: "at", Type: condition.TypeTime})
	require.NoError(t, err)
	return s
}

func TestOperatorsOfEvents(t *testing.T) {
	noon := time.Date(2030, 1, 2, 12, 30, 0, 0, time.UTC)
	facts := moved{
		before: condition.Map{"state": condition.Text("new"), "count": condition.Number(1), "tags": condition.Set([]string{"a", "b"}),
			"flag": condition.Bool(false), "at": condition.Time(noon)},
		now: condition.Map{"state": condition.Text("open"), "title": condition.Text("Refund"), "tags": condition.Set([]string{"b", "a"}),
			"flag": condition.Bool(false), "at": condition.Time(noon)},
	}
	for _, c := range []struct {
		field string
		op    condition.Op
		value any
		want  bool
	}{
		{"state", condition.Changed, nil, true},
		{"state", condition.ChangedTo, "open", true},
		{"state", condition.ChangedTo, "solved", false},
		{"state", condition.ChangedFrom, "new", true},
		{"state", condition.ChangedFrom, "open", false},
		{"title", condition.Changed, nil, true},           // came
		{"title", condition.ChangedTo, "REFUND", true},    // text ignores case
		{"title", condition.ChangedFrom, "refund", false}, // it was absent
		{"count", condition.Changed, nil, true},           // went
		{"count", condition.ChangedFrom, 1, true},         //
		{"count", condition.ChangedTo, 1, false},          //
		{"tags", condition.Changed, nil, false},           // another order is no change
		{"flag", condition.Changed, nil, false},           //
		{"flag", condition.ChangedTo, false, false},       // it was false before
		{"at", condition.WithinHours, "office", true},     //
	} {
		p, err := condition.Condition{All: []condition.Clause{{Field: c.field, Op: c.op,
			Value: c.value}}}.Compile(eventSchema(t).ForEvents("office"))
		require.NoError(t, err, "%s %s", c.field, c.op)
		assert.Equal(t, c.want, p.Match(noon, facts), "%s %s %v", c.field, c.op, c.value)
		assert.Equal(t, c.want, p.Eval(noon, facts).Match)
		assert.False(t, p.Match(noon, facts.now), "facts without a past: %s %s", c.field, c.op)
	}
}

func TestOperatorsOfEventsAreRefusedElsewhere(t *testing.T) {
	for _, c := range []condition.Clause{
		{Field: "state", Op: condition.Changed},
		{Field: "state", Op: condition.ChangedTo, Value: "open"},
		{Field: "at", Op: condition.WithinHours, Value: "office"},
	} {
		require.ErrorIs(t, condition.Condition{All: []condition.Clause{c}}.Validate(eventSchema(t)), condition.ErrInvalid)
	}
	events := eventSchema(t).ForEvents("office")
	for _, c := range []condition.Clause{
		{Field: "state", Op: condition.Changed, Value: "open"},
		{Field: "state", Op: condition.ChangedTo},
		{Field: "state", Op: condition.ChangedTo, Value: "moon"},
		{Field: "state", Op: condition.ChangedTo, Value: []string{"open", "new"}},
		{Field: "tags", Op: condition.ChangedTo, Value: "a"},
		{Field: "at", Op: condition.WithinHours, Value: "moon"},
		{Field: "at", Op: condition.WithinHours},
		{Field: "title", Op: condition.WithinHours, Value: "office"},
	} {
		require.ErrorIs(t, condition.Condition{All: []condition.Clause{c}}.Validate(events), condition.ErrInvalid, "%+v", c)
	}
}
