package classify_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/classify"
	"github.com/sangdam/sangdam/trigger/condition"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestClassify(t *testing.T) {
	five := 5
	ws := routing.WorkStream{ID: "w", Queue: "fallback", Rules: []routing.Rule{
		{Name: "line", When: condition.Condition{All: []condition.Clause{{Field: "channel", Op: condition.Is, Value: "line"}}},
			Queue: "line", Priority: &five, Set: map[string]string{"vip": "yes"}},
		{Name: "sees", When: condition.Condition{All: []condition.Clause{{Field: "attribute.vip", Op: condition.Is, Value: "yes"},
			{Field: "priority", Op: condition.Gte, Value: 5}}}, Queue: "vips", Skills: []routing.Skill{{Name: "ko", Level: 1}}, Stop: true},
		{Name: "never", Queue: "never"},
	}}
	o, err := classify.Classify(ws, condition.Map{"channel": condition.Text("line")}, t0, 1)
	require.NoError(t, err)
	require.Equal(t, classify.Outcome{Queue: "vips", Priority: 5, Skills: []routing.Skill{{Name: "ko", Level: 1}},
		Attributes: map[string]string{"vip": "yes"}},
		classify.Outcome{o.Queue, o.Priority, o.Skills, o.Attributes, nil})
	require.Len(t, o.Trace, 2, "stop ends")
	require.NotEmpty(t, o.Trace[0].Why)
	ws.Rules = ws.Rules[:2]
	o, err = classify.Classify(ws, condition.Map{"channel": condition.Text("mail")}, t0, 1)
	require.NoError(t, err)
	require.Equal(t, routing.QueueID("fallback"), o.Queue)
	require.Nil(t, o.Skills)
	ws.Rules[0].When.All[0].Field = "chanel"
	_, err = classify.Classify(ws, nil, t0, 1)
	require.ErrorIs(t, err, routing.ErrInvalid)
	require.ErrorContains(t, err, "rule 1 (line)")
}

func TestSplitKeepsItsPercentages(t *testing.T) {
	ws := routing.WorkStream{Queue: "x", Rules: []routing.Rule{{Split: []routing.Share{{Queue: "a", Percent: 30}, {Queue: "b",
		Percent: 70}}}}}
	c, err := classify.New(ws)
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
