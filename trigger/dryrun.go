package trigger

import (
	"iter"
	"slices"
)

// Past is an event with its subject rebuilt as it was then. The subject must be
// a copy whose Do changes nothing but itself.
type Past struct {
	Event   Event
	Subject Subject
}

// Trial is what a dry run found.
type Trial struct {
	// Events is how many were replayed.
	Events int `json:"events"`
	// Fired counts, for each trigger, the events in which it fired.
	Fired map[ID]int `json:"fired"`
	// Actions counts what would have been done, by kind of action.
	Actions map[string]int `json:"actions"`
	// Differ is in how many events other triggers would have fired than with the
	// set compared with.
	Differ int `json:"differ"`
	// Samples are the first events that differ, at most MaxSamples.
	Samples []Sample `json:"samples,omitempty"`
}

// MaxSamples is how many events a Trial shows.
const MaxSamples = 100

// Sample is one event of a Trial: which triggers fired with the set under trial
// and which with the one compared with.
type Sample struct {
	Event Event `json:"event"`
	Now   []ID  `json:"now"`
	Was   []ID  `json:"was"`
}

// DryRun replays past events with the set. Each element of past makes a fresh
// copy of one event's subject whenever it is called; with compared, it is called
// twice, so that each set works on a copy of its own.
func (s *Set) DryRun(past iter.Seq[func() Past], compared *Set) (Trial, error) {
	trial := Trial{Fired: map[ID]int{}, Actions: map[string]int{}}
	for copyOf := range past {
		trial.Events++
		now, event, err := s.replay(copyOf, &trial)
		if err != nil {
			return trial, err
		}
		var was []ID
		if compared != nil {
			if was, _, err = compared.replay(copyOf, nil); err != nil {
				return trial, err
			}
		}
		if slices.Equal(now, was) {
			continue
		}
		trial.Differ++
		if len(trial.Samples) < MaxSamples {
			trial.Samples = append(trial.Samples, Sample{Event: event, Now: now, Was: was})
		}
	}
	return trial, nil
}

func (s *Set) replay(copyOf func() Past, trial *Trial) ([]ID, Event, error) {
	p := copyOf()
	report, err := s.Run(p.Event, p.Subject, Options{})
	if err != nil {
		return nil, p.Event, err
	}
	var fired []ID
	for _, run := range report.Runs {
		fired = append(fired, run.Trigger)
		if trial == nil {
			continue
		}
		trial.Fired[run.Trigger]++
		for _, o := range run.Outcomes {
			if o.Done {
				trial.Actions[o.Kind]++
			}
		}
	}
	return fired, p.Event, nil
}
