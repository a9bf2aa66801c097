package journal_test

import (
	"fmt"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/journal"
)

// A Board decides, and the journal keeps what it rested on. Later, when Ara has
// gone home, it still says why she was asked and Bo was not.
func Example() {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	agent := func(id routing.AgentID, p routing.Presence) routing.Agent {
		return routing.Agent{ID: id, Version: 1, Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
			Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}, Assign: routing.AssignmentSwitches{Chat: true},
			State: routing.AgentState{Presence: p, Rev: 1}}
	}
	queue := routing.Queue{ID: "shop", Members: []routing.AgentID{"ara", "bo"}}
	board, err := board.New(board.Options{Seed: 1})
	if err != nil {
		panic(err)
	}
	board.ApplyQueue(queue, 1)
	board.ApplyAgent(agent("ara", routing.Online))
	board.ApplyAgent(agent("bo", routing.Break))
	board.Tick(now)

	w, err := journal.Begin("monday", journal.Roster{At: now, Seed: 1, Version: 1,
		Queues: map[routing.QueueID]routing.Queue{queue.ID: queue}, Agents: board.Agents()})
	if err != nil {
		panic(err)
	}
	board.ApplyItem(routing.Item{ID: "c1", Version: 1, State: routing.ItemQueued, Queue: "shop", Permission: routing.PermitChat,
		Uses: []routing.Use{{Profile: routing.ProfileUnits, Units: 1}}, QueuedAt: now, EnteredAt: now})
	w.Changed(board.Touched())
	d, _ := board.Decide()
	item, _ := board.Item(d.Item)
	d.Journal = w.Decided(item, d.At)
	rows, err := w.Rows() // stored with the decision
	if err != nil {
		panic(err)
	}
	w.Stored()

	_, n, _ := journal.Reference(d.Journal)
	m, err := journal.Replay(rows, n)
	if err != nil {
		panic(err)
	}
	x := m.Explain(d)
	fmt.Println(x.Agent, "was asked; exact:", x.Exact)
	for _, c := range x.Considered {
		fmt.Println(c.Agent, c.Excluded)
	}
	// Output:
	// ara was asked; exact: true
	// ara []
	// bo [presence]
}
