package storm_test

import (
	"fmt"
	"time"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation/storm"
)

// Two machines that acknowledge each other stop at the thread's limit.
func ExampleDecide() {
	limits := adapter.AutomaticLimits{PerThread: 3, PerPerson: 10, PerDomain: 20, Within: 24 * time.Hour}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var thread, person storm.Counter
	for i := range 5 {
		v := storm.Decide(limits, storm.Ask{Thread: &thread, Person: &person, Vouched: true}, now.Add(time.Duration(i)*time.Minute))
		fmt.Println(v == storm.Send)
	}
	// Output:
	// true
	// true
	// true
	// false
	// false
}
