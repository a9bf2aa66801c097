package driver

import (
	"context"

	"github.com/sangdam/sangdam/routing"
)

// AgentRepo stores agents of the transaction's workspace. Their state changes by
// WorkRepo.Put alone.
type AgentRepo interface {
	// Agents returns those of the ids that exist, or, without a list, all, ordered
	// by id, with settings and state.
	Agents(ctx context.Context, ids []routing.AgentID) ([]routing.Agent, error)
	// SaveAgent creates (Version 0; presence Offline) or replaces the settings and
	// raises EligRev; a Version that is not the stored one is a clash (Update runs
	// again); ErrAlreadyExists when created twice. State is ignored. Returns the
	// new version.
	SaveAgent(ctx context.Context, a routing.Agent) (int64, error)
}
