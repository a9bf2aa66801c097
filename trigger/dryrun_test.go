package trigger_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// pastOf are 300 records with an event each, or 100 with three, the states of
// which go round.
func pastOf(each int) iter.Seq[func() trigger.Past] {
	states := []string{"new", "open", "solved"}
	return func(yield func(func() trigger.Past) bool) {
		for i := range 300 {
			again := func() trigger.Past {
				ev := created()
				ev.ID = fmt.Sprint("e", i)
				return trigger.Past{Record: fmt.Sprint("ticket:", i/each), Event: ev,
					Subject: newRecord(condition.Map{"state": condition.Text(states[i%3])})}
			}
			if !yield(again) {
				return
			}
		}
	}
}

func TestDryRunTellsTheDifference(t *testing.T) {
	others := []trigger.Trigger{rule("a", 1, when(is("state", "new")), set("agent", "x")),
		rule("b", 2, when(is("agent", "y")), set("agent", "z"))}
	edited := rule("c", 1, when(is("state", "open")), set("agent", "y"))
	stored := rule("c", 1, when(is("state", "solved")), set("agent", "w"))
	d := trigger.DryRun{Rule: "c", Now: compile(t, append(others, edited)...), Was: compile(t, append(others, stored)...)}
	var trial trigger.Trial
	require.NoError(t, d.Replay(pastOf(1), &trial))
	require.Equal(t, 300, trial.Events)
	require.Equal(t, 300, trial.Records)
	require.Equal(t, trigger.Matches{Events: 100, Records: 100, Actions: map[string]trigger.Tally{"set": {Done: 100}}}, trial.Now)
	require.Equal(t, 100, trial.Was.Records)
	require.Equal(t, 100, trial.Others, "the rule now lets another one fire")
	require.Equal(t, 100, trial.Gained.Events)
	require.Equal(t, 100, trial.Lost.Events)
	require.Len(t, trial.Gained.Samples, trigger.MaxSamples)
	require.Equal(t, "ticket:1", trial.Gained.Samples[0].Record)
	require.Equal(t, []condition.Reason{{Path: "all[0]", Field: "state", Op: condition.Is, Held: true, Fact: condition.FactPresent}},
		trial.Gained.Samples[0].Now)
	require.Equal(t, []condition.Reason{{Path: "all[0]", Field: "state", Op: condition.Is, Fact: condition.FactPresent}},
		trial.Gained.Samples[0].Was)
	require.Equal(t, "ticket:2", trial.Lost.Samples[0].Record)
	require.False(t, trial.Lost.Samples[0].Now[0].Held)

	var records trigger.Trial
	require.NoError(t, d.Replay(pastOf(3), &records))
	require.Equal(t, 100, records.Records)
	require.Equal(t, 100, records.Gained.Events)
	require.Zero(t, records.Gained.Records, "each record has an event for either form")
	require.Zero(t, records.Lost.Records)

	d.Was = compile(t, others...)
	trial = trigger.Trial{}
	require.NoError(t, d.Replay(pastOf(3), &trial))
	require.Equal(t, 100, trial.Gained.Records, "a rule that is not stored matched nothing")
	require.Empty(t, trial.Gained.Samples[0].Was)
}

// What is found is kept between the parts of a long run.
func TestADryRunGoesOn(t *testing.T) {
	d := trigger.DryRun{Rule: "c", Now: compile(t, rule("c", 1, when(is("state", "open")), set("agent", "y"))), Was: compile(t)}
	var whole trigger.Trial
	require.NoError(t, d.Replay(pastOf(3), &whole))
	var parts trigger.Trial
	for n := range 10 {
		require.NoError(t, d.Replay(func(yield func(func() trigger.Past) bool) {
			i := 0
			for p := range pastOf(3) {
				if i/30 == n && !yield(p) {
					return
				}
				i++
			}
		}, &parts))
		raw, err := json.Marshal(parts)
		require.NoError(t, err)
		parts = trigger.Trial{}
		require.NoError(t, json.Unmarshal(raw, &parts))
	}
	require.Equal(t, whole, parts)
}
