package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

type agents struct{ t *tx }

// agentRow is settings and state of an agent. BeatAt is not in it: heart-beats
// have no version and must not disturb anybody.
type agentRow struct {
	routing.Agent
	session int64 // raised by going offline, which ends earlier heart-beats
}

// beat is a heart-beat within a session.
type beat struct {
	session int64
	at      time.Time
}

// view is the agent as callers see it.
func (s *space) view(a agentRow) routing.Agent {
	out := clone(a.Agent)
	if b := s.beats[a.ID]; b.session == a.session && a.State.Presence != routing.Offline {
		out.State.BeatAt = b.at
	}
	return out
}

// change writes the agent with a raised Rev, after fn changed its own copy.
func (r agents) change(a agentRow, fn func(*agentRow)) {
	a.Agent = clone(a.Agent)
	a.State.Rev++
	fn(&a)
	put(r.t, r.t.s.agents, a.ID, a)
}

func (r agents) Agents(_ context.Context, ids []routing.AgentID) ([]routing.Agent, error) {
	return read(r.t, func() ([]routing.Agent, error) {
		rows := each(r.t, r.t.s.agents)
		if ids != nil {
			rows = some(r.t, r.t.s.agents, slices.Values(ids))
		}
		var out []routing.Agent
		for id, a := range rows {
			if ids == nil || slices.Contains(ids, id) {
				out = append(out, r.t.s.view(a))
			}
		}
		slices.SortFunc(out, func(a, b routing.Agent) int { return cmp.Compare(a.ID, b.ID) })
		r.t.found(len(out))
		return out, nil
	})
}

func (r agents) SaveAgent(_ context.Context, a routing.Agent) (int64, error) {
	t := r.t
	return write(t, func() (int64, error) {
		row, exists := get(t, t.s.agents, a.ID)
		if exists && a.Version == 0 {
			return 0, errs.New(errs.AlreadyExists, "memory: there is an agent %q; load it and save it with its version", a.ID)
		}
		if row.Version != a.Version {
			return 0, driver.ErrClash
		}
		if !exists {
			row.ID = a.ID
			row.State.Presence = routing.Offline
		}
		r.change(row, func(row *agentRow) {
			state := row.State
			row.Agent = clone(a)
			row.Version, row.State = a.Version+1, state
			row.State.EligRev++
		})
		return a.Version + 1, nil
	})
}
