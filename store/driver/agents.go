package driver

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/routing"
)

// AgentRepo stores agents of the transaction's workspace.
type AgentRepo interface {
	// Agent returns settings and state. ErrNotFound.
	Agent(ctx context.Context, id routing.AgentID) (routing.Agent, error)
	// Agents lists all ordered by id, with state.
	Agents(ctx context.Context) ([]routing.Agent, error)
	// SaveAgent creates (Version 0; presence Offline) or replaces the settings and
	// raises EligRev; a Version that is not the stored one is a clash (Update runs
	// again); ErrAlreadyExists when created twice. State is ignored. Returns the
	// new version.
	SaveAgent(ctx context.Context, a routing.Agent) (int64, error)
	// SetPresence records presence and reason, raises EligRev when it changed,
	// and sets IdleSince when the agent goes online. Returns the agent.
	SetPresence(ctx context.Context, id routing.AgentID, p routing.Presence, reason string, now time.Time) (routing.Agent, error)
	// RaiseEligibility raises EligRev of the agents; unknown ones are left out.
	RaiseEligibility(ctx context.Context, agents ...routing.AgentID) error
}
