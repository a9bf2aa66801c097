package board

import (
	"github.com/sangdam/sangdam/routing"
)

// What a decision rests on, for whoever keeps it (routing/journal): the item's
// row, and the agents as they stood, with what was decided and not stored yet.

// touch says that what decisions rest on may have changed of the agent.
func (b *Board) touch(a *boardAgent) {
	if !a.touched && !b.brief {
		a.touched = true
		b.touched = append(b.touched, a)
	}
}

// Touched returns the agents of whom anything that sways a decision may have
// changed since the last call, or since the Board was made: those that it knows
// as they stand, which is their rows with what is decided and not stored yet, and
// the ids of those that it knows no longer. A Brief Board keeps no account of it.
func (b *Board) Touched() (agents []routing.Agent, gone []routing.AgentID) {
	for i, a := range b.touched {
		a.touched, b.touched[i] = false, nil
		if a.known {
			agents = append(agents, a.view(b))
		} else {
			gone = append(gone, a.id)
		}
	}
	b.touched = b.touched[:0]
	return agents, gone
}

// Agents returns all agents that the Board knows, by id, as they stand: their
// rows with what is decided and not stored yet.
func (b *Board) Agents() []routing.Agent {
	var out []routing.Agent
	for _, a := range b.agentsByID() {
		if a.known {
			out = append(out, a.view(b))
		}
	}
	return out
}

// Item returns the row of a queued item, and of one that a decision takes out of its
// queue until its next row comes. It is false for all others: of what an agent has the
// Board keeps no more than whose capacity it takes.
func (b *Board) Item(id routing.ItemID) (routing.Item, bool) {
	it := b.items[id]
	if it == nil || it.queuedItem == nil {
		return routing.Item{}, false
	}
	return it.row, true
}
