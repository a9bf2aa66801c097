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

// raise raises EligRev of an agent, if there is such.
func (r agents) raise(id routing.AgentID) {
	if a, ok := get(r.t, r.t.s.agents, id); ok {
		r.change(a, func(a *agentRow) { a.State.EligRev++ })
	}
}

func (r agents) RaiseEligibility(_ context.Context, ids ...routing.AgentID) error {
	return do(r.t, func() error {
		for _, id := range ids {
			r.raise(id)
		}
		return nil
	})
}

func (r agents) Agent(_ context.Context, id routing.AgentID) (routing.Agent, error) {
	return read(r.t, func() (routing.Agent, error) {
		a, ok := get(r.t, r.t.s.agents, id)
		if !ok {
			return routing.Agent{}, missing("agent", string(id))
		}
		r.t.found(1)
		return r.t.s.view(a), nil
	})
}

func (r agents) Agents(context.Context) ([]routing.Agent, error) {
	return read(r.t, func() ([]routing.Agent, error) {
		var out []routing.Agent
		for _, a := range each(r.t, r.t.s.agents) {
			out = append(out, r.t.s.view(a))
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

func (r agents) SetPresence(_ context.Context, id routing.AgentID, p routing.Presence, reason string, now time.Time) (routing.Agent,
	error) {
	t := r.t
	return write(t, func() (routing.Agent, error) {
		a, ok := get(t, t.s.agents, id)
		if !ok {
			return routing.Agent{}, missing("agent", string(id))
		}
		if a.State.Presence != p || a.State.Reason != reason {
			r.change(a, func(a *agentRow) { a.setPresence(p, reason, clone(now)) })
		}
		a, _ = get(t, t.s.agents, id)
		return t.s.view(a), nil
	})
}

func (a *agentRow) setPresence(p routing.Presence, reason string, now time.Time) {
	was := a.State.Presence
	a.State.Presence, a.State.Reason = p, reason
	if was == p {
		return
	}
	a.State.EligRev++
	switch p {
	case routing.Online:
		a.idle(now)
	case routing.Offline:
		a.session++
	}
}

// idle notes the end of work or going online, whichever is later.
func (a *agentRow) idle(now time.Time) {
	if now.After(a.State.IdleSince) {
		a.State.IdleSince = now
	}
}
