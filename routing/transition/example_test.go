package transition_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
)

// A store with rows of its own asks what may happen to them. An agent with room
// for one conversation gets one, and not another.
func ExampleReserve() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	mina := routing.Agent{ID: "mina", Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}}
	reserve := func(item routing.ItemID) (transition.Change, error) {
		waiting := routing.Item{ID: item, Version: 1, State: routing.ItemQueued, Queue: "sales",
			Uses: []routing.Use{{Profile: routing.ProfileUnits, Units: 1}}}
		return transition.Reserve(transition.Rows{Item: &waiting, Agents: []routing.Agent{mina}},
			transition.Reservation{Item: item, ItemVersion: 1, Agent: "mina", Now: now,
				Offer: &routing.Offer{ID: routing.OfferID("offer of " + item), Item: item, Agent: "mina",
					State: routing.OfferPending, OfferedAt: now}})
	}

	first, err := reserve("c1")
	fmt.Println(first.Item.State, "to", first.Offer.Agent, err)
	mina.State = first.Agents[0].State // as it is stored now

	_, err = reserve("c2")
	refused, ok := errors.AsType[*routing.Refused](err)
	fmt.Println(ok, refused)
	// Output:
	// offered to mina <nil>
	// true routing: refused by the capacity check: no room in profile units
}
