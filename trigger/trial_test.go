package trigger_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
	"github.com/sangdam/sangdam/trigger/trial"
)

// pastOf are 300 records with an event each, or 100 with three, the states of
// which go round.
func pastOf(each int) iter.Seq[func() trial.Past] {
	states := []string{"new", "open", "solved"}
	return func(yield func(func() trial.Past) bool) {
		for i := range 300 {
			again := func() trial.Past {
				ev := created()
				ev.ID = fmt.Sprint("e", i)
				return trial.Past{Record: fmt.Sprint("ticket:", i/each), Event: ev,
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
	d := trial.DryRun{Rule: "c", Now: compile(t, append(others, edited)...), Was: compile(t, append(others, stored)...)}
	var try trial.Trial
	require.NoError(t, d.Replay(pastOf(1), &try))
	require.Equal(t, 300, try.Events)
	require.Equal(t, 300, try.Records)
	require.Equal(t, trial.Matches{Events: 100, Records: 100, Actions: map[string]trial.Tally{"set": {Done: 100}}}, try.Now)
	require.Equal(t, 100, try.Was.Records)
	require.Equal(t, 100, try.Others, "the rule now lets another one fire")
	require.Equal(t, 100, try.Gained.Events)
	require.Equal(t, 100, try.Lost.Events)
	require.Len(t, try.Gained.Samples, trial.MaxSamples)
	require.Equal(t, "ticket:1", try.Gained.Samples[0].Record)
	require.Equal(t, []condition.Reason{{Path: "all[0]", Field: "state", Op: condition.Is, Held: true, Fact: condition.FactPresent}},
		try.Gained.Samples[0].Now)
	require.Equal(t, []condition.Reason{{Path: "all[0]", Field: "state", Op: condition.Is, Fact: condition.FactPresent}},
		try.Gained.Samples[0].Was)
	require.Equal(t, "ticket:2", try.Lost.Samples[0].Record)
	require.False(t, try.Lost.Samples[0].Now[0].Held)

	var records trial.Trial
	require.NoError(t, d.Replay(pastOf(3), &records))
	require.Equal(t, 100, records.Records)
	require.Equal(t, 100, records.Gained.Events)
	require.Zero(t, records.Gained.Records, "each record has an event for either form")
	require.Zero(t, records.Lost.Records)

	d.Was = compile(t, others...)
	try = trial.Trial{}
	require.NoError(t, d.Replay(pastOf(3), &try))
	require.Equal(t, 100, try.Gained.Records, "a rule that is not stored matched nothing")
	require.Empty(t, try.Gained.Samples[0].Was)
}

// What is found is kept between the parts of a long run.
func TestADryRunGoesOn(t *testing.T) {
	d := trial.DryRun{Rule: "c", Now: compile(t, rule("c", 1, when(is("state", "open")), set("agent", "y"))), Was: compile(t)}
	var whole trial.Trial
	require.NoError(t, d.Replay(pastOf(3), &whole))
	var parts trial.Trial
	for n := range 10 {
		require.NoError(t, d.Replay(func(yield func(func() trial.Past) bool) {
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
		parts = trial.Trial{}
		require.NoError(t, json.Unmarshal(raw, &parts))
	}
	require.Equal(t, whole, parts)
}
