package trigger_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

func TestDryRunTellsTheDifference(t *testing.T) {
	states := []string{"new", "open", "solved"}
	past := func(yield func(func() trigger.Past) bool) {
		for i := range 300 {
			again := func() trigger.Past {
				ev := created()
				ev.ID = fmt.Sprint("e", i)
				return trigger.Past{Event: ev, Subject: newRecord(condition.Map{"state": condition.Text(states[i%3])})}
			}
			if !yield(again) {
				return
			}
		}
	}
	was := compile(t, rule("a", 1, when(is("state", "new")), set("agent", "x")))
	now := compile(t, rule("a", 1, when(is("state", "new")), set("agent", "x")),
		rule("b", 2, when(is("agent", "x")), set("agent", "nobody")), rule("c", 3, when(is("state", "open")), set("agent", "y")))
	trial, err := now.DryRun(past, was)
	require.NoError(t, err)
	require.Equal(t, 300, trial.Events)
	require.Equal(t, map[trigger.ID]int{"a": 100, "b": 100, "c": 100}, trial.Fired)
	require.Equal(t, map[string]int{"set": 200}, trial.Actions, "what is passed over is not counted")
	require.Equal(t, 200, trial.Differ)
	require.Len(t, trial.Samples, trigger.MaxSamples)
	require.Equal(t, []trigger.ID{"a", "b"}, trial.Samples[0].Now)
	require.Equal(t, []trigger.ID{"a"}, trial.Samples[0].Was)

	trial, err = now.DryRun(past, nil)
	require.NoError(t, err)
	require.Equal(t, 200, trial.Differ, "without a comparison: every event in which something fires")
}
