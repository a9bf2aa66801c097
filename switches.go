package sangdam

import (
	"context"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// SetSwitches turns the assignment of tickets and of chats to an agent on or
// off and changes nothing else (RT9). Administrators may do it, and the agent
// itself when its Assign.Control is set.
type SetSwitches struct {
	Key   Key             `json:"-"`
	Agent routing.AgentID `json:"agent"`
	// Version is that of the agent's settings as the caller read them.
	Version int64 `json:"version"`
	Ticket  bool  `json:"ticket"`
	Chat    bool  `json:"chat"`
}

// SetSwitches carries the command out; ErrStale when the agent's settings are
// not of the version given. An agent whose chats are switched off loses its
// offers and conversations, as SaveAgent says.
func (e *Engine) SetSwitches(ctx context.Context, p Principal, c SetSwitches) (Saved, error) {
	return command(ctx, e, call{opSetSwitches, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActSwitches, Resource{Kind: kindAgent, ID: string(c.Agent), Owner: c.Agent}); err != nil {
			return Saved{}, err
		}
		if c.Agent == p.agent() {
			if err := u.off(SwitchAssignmentControl); err != nil {
				return Saved{}, err
			}
		}
		old, err := u.tx.Agents().Agent(u.ctx, c.Agent)
		if err != nil {
			return Saved{}, err
		}
		if c.Version != old.Version {
			return Saved{}, errs.New(errs.Stale,
				"sangdam: agent %s was changed by somebody else; read it again and repeat your change", c.Agent)
		}
		a := old
		a.Assign.Ticket, a.Assign.Chat = c.Ticket, c.Chat
		u.detail("ticket", onOff(c.Ticket))
		u.detail("chat", onOff(c.Chat))
		if a.Assign == old.Assign {
			return Saved{ID: string(a.ID), Version: old.Version}, nil
		}
		version, err := u.saveAgent(old, a)
		return Saved{ID: string(a.ID), Version: version, Warnings: agentWarnings(a)}, err
	})
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
