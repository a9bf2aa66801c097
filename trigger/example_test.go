package trigger_test

import (
	"fmt"
	"time"

	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Order is a record of a host's own: nothing of it is the library's.
type Order struct {
	State, Owner string
	Total        float64
}

// watched is an order within a unit of work.
type watched struct {
	was Order
	now *Order
}

func facts(o Order) condition.Map {
	return condition.Map{"state": condition.Text(o.State), "owner": condition.Text(o.Owner), "total": condition.Number(o.Total)}
}

func (w watched) Fact(field string) (condition.Fact, bool)   { return facts(*w.now).Fact(field) }
func (w watched) Before(field string) (condition.Fact, bool) { return facts(w.was).Fact(field) }
func (w watched) Within(string, time.Time) bool              { return false }

func (w watched) Do(_ *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	p, err := trigger.Params[struct{ Owner string }](a)
	w.now.Owner = p.Owner
	return trigger.Outcome{Done: err == nil}, err
}

// Triggers work on any record: here a host's own orders.
func Example() {
	schema, err := condition.NewSchema(append(trigger.FieldsOf("order.changed"),
		condition.Field{Name: "state", Type: condition.TypeEnum, Values: []string{"paid", "cancelled"}},
		condition.Field{Name: "owner", Type: condition.TypeID},
		condition.Field{Name: "total", Type: condition.TypeNumber})...)
	if err != nil {
		fmt.Println(err)
		return
	}
	schema = schema.ForEvents()
	big := trigger.Trigger{ID: "big", Title: "Large orders that are cancelled go to the lead", Subject: "order", Active: true,
		When: condition.Condition{All: []condition.Clause{
			{Field: "state", Op: condition.ChangedTo, Value: "cancelled"},
			{Field: "total", Op: condition.Gte, Value: 1_000_000}}},
		Actions: []trigger.Action{trigger.Do("assign", struct{ Owner string }{"lead"})}}
	set, err := trigger.NewSet(schema, "order", []trigger.Trigger{big})
	if err != nil {
		fmt.Println(err)
		return
	}

	order := Order{State: "cancelled", Total: 1_200_000}
	was := order
	was.State = "paid"
	report, err := set.Run(trigger.Event{ID: "1", Kind: "order.changed", Actor: trigger.ByCustomer, At: time.Now()}, watched{was, &order},
		trigger.Options{})
	fmt.Println(report.Fired(), order.Owner, err)
	for _, why := range report.Runs[0].Why {
		fmt.Println(why)
	}
	// Output:
	// 1 lead <nil>
	// all[0] state changed_to: held
	// all[1] total gte: held
}

func ExampleParseTemplate() {
	t, err := trigger.ParseTemplate("#{customer.name}님, #{category}은/는 담당자에게 전달했습니다.", []string{"customer.name", "category"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Render(map[string]string{"customer.name": "김민수", "category": "환불"}))
	fmt.Println(t.Render(map[string]string{"customer.name": "김민수", "category": "배송 문의"}))
	// Output:
	// 김민수님, 환불은 담당자에게 전달했습니다.
	// 김민수님, 배송 문의는 담당자에게 전달했습니다.
}
