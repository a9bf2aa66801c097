package condition_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/sangdam/sangdam/trigger/condition"
)

func Example() {
	schema, err := condition.NewSchema(
		condition.Field{Name: "channel", Type: condition.TypeEnum, Values: []string{"line", "webchat"}},
		condition.Field{Name: "text", Type: condition.TypeText},
		condition.Field{Name: "opened_at", Type: condition.TypeTime},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	when, err := condition.Parse([]byte(`{"version":1,
		"all":[{"field":"channel","op":"is","value":"line"},
		       {"field":"opened_at","op":"older_than","value":"30m"}],
		"any":[{"field":"text","op":"contains","value":["환불","refund"]}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := when.Compile(schema)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	result := program.Eval(now, condition.Map{
		"channel":   condition.Text("line"),
		"text":      condition.Text("REFUND please"),
		"opened_at": condition.Time(now.Add(-10 * time.Minute)),
	})
	fmt.Println(result.Match)
	for _, reason := range result.Why {
		fmt.Println(reason)
	}
	// Output:
	// false
	// all[0] channel is: held
	// all[1] opened_at older_than: missed
	// any[0] text contains: held
}

func ExampleCondition_Validate() {
	schema, err := condition.NewSchema(condition.Field{Name: "priority", Type: condition.TypeNumber})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := condition.Condition{All: []condition.Clause{{Field: "priority", Op: condition.Contains, Value: 5}}}
	mistake, remedy, _ := strings.Cut(c.Validate(schema).Error(), ": use one of ")
	fmt.Println(mistake)
	fmt.Println(remedy)
	// Output:
	// condition: all[0].op: operator "contains" does not suit field "priority" of type number
	// is, is_not, gt, gte, lt, lte, between, in, not_in, present, absent
}

func ExampleIndex() {
	schema, err := condition.NewSchema(condition.Field{Name: "event", Type: condition.TypeID})
	if err != nil {
		fmt.Println(err)
		return
	}
	var programs []*condition.Program
	for _, event := range []string{"message", "closed", "message"} {
		c := condition.Condition{All: []condition.Clause{{Field: "event", Op: condition.Is, Value: event}}}
		p, err := c.Compile(schema)
		if err != nil {
			fmt.Println(err)
			return
		}
		programs = append(programs, p)
	}
	for i := range condition.NewIndex(programs, "event").Lookup(time.Time{}, condition.Map{"event": condition.Text("message")}).
		Candidates(-1) {
		fmt.Println(i)
	}
	// Output:
	// 0
	// 2
}
