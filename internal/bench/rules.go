package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

const (
	manyRules    = 10_000
	ruleProducts = 100 // one rule in so many speaks of the event's product
	ruleEvents   = 2_000
	linearEvents = 20
)

// rules is one event against 10,000 rules of which 1 % apply to its product and
// none fires in the end: by the index, and by looking at every rule.
func rules(ctx context.Context, o options) (report, error) {
	set, err := compiledRules()
	if err != nil {
		return report{}, err
	}
	var indexed, linear []float64
	looked := 0
	for r := range o.rounds + 1 {
		i, n, err := passes(ctx, set, ruleEvents, trigger.Options{})
		if err != nil {
			return report{}, err
		}
		l, _, err := passes(ctx, set, linearEvents, trigger.Options{Linear: true})
		if err != nil {
			return report{}, err
		}
		if looked = n; r > 0 { // the first one warms up
			indexed, linear = append(indexed, i), append(linear, l)
		}
	}
	self := func(v float64) float64 { return v }
	return report{Figures: map[string]any{"rules": manyRules, "looked_at": looked, "indexed_us": measure.Of(indexed, self),
		"linear_us": measure.Of(linear, self)}}, nil
}

func compiledRules() (*trigger.Set, error) {
	own := []condition.Field{{Name: "product", Type: condition.TypeID}, {Name: "title", Type: condition.TypeText}}
	schema, err := condition.NewSchema(append(trigger.FieldsOf("created"), own...)...)
	if err != nil {
		return nil, err
	}
	all := make([]trigger.Trigger, manyRules)
	for i := range all {
		all[i] = trigger.Trigger{ID: trigger.ID(fmt.Sprintf("t%05d", i)), Title: "t", Subject: "order", Active: true, Position: i,
			Actions: []trigger.Action{{Kind: "none"}}, When: condition.Condition{All: []condition.Clause{
				{Field: "product", Op: condition.Is, Value: fmt.Sprint("p", i%ruleProducts)}, {Field: trigger.FieldEvent, Op: condition.Is,
					Value: "created"},
				{Field: "title", Op: condition.Is, Value: "nothing"}}}}
	}
	return trigger.NewSet(schema.ForEvents(), "order", all)
}

// passes returns the microseconds of one event.
func passes(ctx context.Context, set *trigger.Set, n int, opt trigger.Options) (us float64, looked int, err error) {
	record := order{"product": condition.Text("p7"), "title": condition.Text("a text")}
	begun := time.Now()
	for i := range n {
		if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		out, err := set.Run(trigger.Event{ID: fmt.Sprint(i), Kind: "created", Actor: trigger.ByCustomer, At: begun}, record, opt)
		if err != nil {
			return 0, 0, err
		}
		looked = out.Looked
	}
	return float64(time.Since(begun).Nanoseconds()) / 1000 / float64(n), looked, nil
}

// order is a record of a host's own.
type order condition.Map

// Fact implements condition.Facts.
func (o order) Fact(name string) (condition.Fact, bool) { return condition.Map(o).Fact(name) }

// Before implements condition.Changes: it was just made.
func (o order) Before(string) (condition.Fact, bool) { return condition.Fact{}, false }

// Within implements condition.Hours.
func (o order) Within(string, time.Time) bool { return true }

// Do implements trigger.Subject.
func (o order) Do(*trigger.Trigger, trigger.Action) (trigger.Outcome, error) {
	return trigger.Outcome{Done: true}, nil
}
