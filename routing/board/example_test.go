package board_test

import (
	"fmt"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/classify"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/trigger/condition"
)

var nine = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

func agent(id routing.AgentID, units int) routing.Agent {
	return routing.Agent{
		ID: id, Version: 1, Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Capacity: map[routing.Profile]int{routing.ProfileUnits: units},
		Assign:   routing.AssignmentSwitches{Chat: true},
		State:    routing.AgentState{Presence: routing.Online, Rev: 1, EligRev: 1, IdleSince: nine},
	}
}

// Work is classified, waits, and is given to an agent.
func Example() {
	stream := routing.WorkStream{ID: "chat", Mode: routing.Push, Cost: 1, Queue: "general", AutoAccept: true, Rules: []routing.Rule{{
		Name: "refunds", Queue: "money",
		When: condition.Condition{All: []condition.Clause{{Field: "message", Op: condition.Contains, Value: "환불"}}},
	}}}
	outcome, err := classify.Classify(stream, condition.Map{"message": condition.Text("환불해 주세요")}, nine, 1)
	if err != nil {
		panic(err)
	}

	board, err := board.New(board.Options{})
	if err != nil {
		panic(err)
	}
	board.Tick(nine)
	board.ApplyQueue(routing.Queue{ID: "money", Strategy: routing.LongestIdle, Members: []routing.AgentID{"ana", "bo"}}, 1)
	board.ApplyAgent(agent("ana", 1))
	board.ApplyAgent(agent("bo", 1))
	item := transition.NewItem(routing.Item{ID: "conversation-1", Queue: outcome.Queue, Priority: outcome.Priority,
		Skills: outcome.Skills}, stream, nine)
	item.Version = 1 // the store's
	board.ApplyItem(item)

	for {
		d, ok := board.Decide()
		if !ok {
			break
		}
		fmt.Println(d.Kind, d.Item, "to", d.Agent, "from", d.Queue)
		board.Settle(d.ID, true) // once the store has written it
	}
	// Output: assign conversation-1 to ana from money
}

// Explain says what keeps an item waiting.
func ExampleBoard_Explain() {
	board, _ := board.New(board.Options{})
	board.Tick(nine)
	board.ApplyQueue(routing.Queue{ID: "q", Members: []routing.AgentID{"ana", "bo"}}, 1)
	ana := agent("ana", 0)
	bo := agent("bo", 1)
	bo.State.Presence = routing.Break
	board.ApplyAgent(ana)
	board.ApplyAgent(bo)
	board.ApplyItem(routing.Item{ID: "i", Version: 1, State: routing.ItemQueued, Queue: "q", Mode: routing.Push,
		Permission: routing.PermitChat, Uses: []routing.Use{{Profile: routing.ProfileUnits, Units: 1}}, QueuedAt: nine, EnteredAt: nine})
	board.Decide()
	x, _ := board.Explain("i")
	fmt.Println(x.Why[0])
	for _, c := range x.Considered {
		fmt.Println(c.Agent, c.Excluded)
	}
	// Output:
	// no agent can take it now
	// ana [no_capacity]
	// bo [presence]
}

// byRegion is a strategy of one's own: agents of the item's region first.
type byRegion struct{}

func (byRegion) Name() string { return "by_region" }

func (byRegion) Key(it routing.Item, a routing.Agent, _ routing.Queue) float64 {
	if a.Attributes["region"] == it.Attributes["region"] {
		return 0
	}
	return 1
}

func ExampleStrategy() {
	board, _ := board.New(board.Options{Strategies: map[string]routing.Strategy{"by_region": byRegion{}}})
	board.ApplyQueue(routing.Queue{ID: "q", Strategy: "by_region", Members: []routing.AgentID{"ana", "bo"}}, 1)
	bo := agent("bo", 1)
	bo.Attributes = map[string]string{"region": "busan"}
	board.ApplyAgent(agent("ana", 1))
	board.ApplyAgent(bo)
	board.ApplyItem(routing.Item{ID: "i", Version: 1, State: routing.ItemQueued, Queue: "q",
		Attributes: map[string]string{"region": "busan"}})
	d, _ := board.Decide()
	fmt.Println(d.Agent)
	// Output: bo
}
