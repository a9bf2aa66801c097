package sqlite

import (
	"context"
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// agents implements driver.AgentRepo.
type agents struct{ *tx }

const agentColumns = `doc, version, presence, reason, elig_rev, rev, open, idle_since, beat`

func scanAgent(w raw.Row) (routing.Agent, error) {
	var a routing.Agent
	err := decode(w.View(0), &a)
	a.Version = w.Int(1)
	a.State = routing.AgentState{
		Presence: routing.Presence(w.Text(2)), Reason: w.Text(3), EligRev: w.Int(4), Rev: w.Int(5), Open: int(w.Int(6)),
		Load: map[routing.Profile]int{}, IdleSince: maybeMoment(w.Int(7)), Turns: map[routing.QueueID]int64{},
		BeatAt: maybeMoment(w.Int(8)),
	}
	return a, err
}

// agent returns an agent with state, nil for none.
func (t *tx) agent(id routing.AgentID) (*routing.Agent, error) {
	a, err := maybe(t, scanAgent, `SELECT `+agentColumns+` FROM agents WHERE ws = ? AND id = ?`, t.ws, string(id))
	if err != nil || a == nil {
		return nil, err
	}
	err = t.each(`SELECT profile, used FROM agent_load WHERE ws = ? AND agent = ? AND used <> 0`,
		func(w raw.Row) { a.State.Load[routing.Profile(w.Text(0))] = int(w.Int(1)) }, t.ws, string(id))
	if err != nil {
		return nil, err
	}
	return a, t.each(`SELECT queue, turn FROM turns WHERE ws = ? AND agent = ?`,
		func(w raw.Row) { a.State.Turns[routing.QueueID(w.Text(0))] = w.Int(1) }, t.ws, string(id))
}

func (r agents) Agents(_ context.Context, ids []routing.AgentID) ([]routing.Agent, error) {
	if ids != nil {
		return r.these(ids)
	}
	all, err := list(r.tx, scanAgent, `SELECT `+agentColumns+` FROM agents WHERE ws = ? ORDER BY id`, r.ws)
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(all))
	for i, a := range all {
		at[string(a.ID)] = i
	}
	err = r.each(`SELECT agent, profile, used FROM agent_load WHERE ws = ? AND used <> 0`, func(w raw.Row) {
		if i, ok := at[w.Text(0)]; ok {
			all[i].State.Load[routing.Profile(w.Text(1))] = int(w.Int(2))
		}
	}, r.ws)
	if err != nil {
		return nil, err
	}
	return all, r.each(`SELECT agent, queue, turn FROM turns WHERE ws = ?`, func(w raw.Row) {
		if i, ok := at[w.Text(0)]; ok {
			all[i].State.Turns[routing.QueueID(w.Text(1))] = w.Int(2)
		}
	}, r.ws)
}

func (r agents) SaveAgent(_ context.Context, a routing.Agent) (int64, error) {
	doc, err := encode(a)
	if err != nil {
		return 0, err
	}
	if a.Version == 0 {
		n, err := r.exec(`INSERT INTO agents (ws, id, version, presence, reason, elig_rev, rev, doc)
			VALUES (?, ?, 1, 'offline', '', 1, 1, ?)
			ON CONFLICT (ws, id) DO NOTHING`, r.ws, string(a.ID), doc)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, errs.New(errs.AlreadyExists, "sqlite: there is an agent %s already; load it and save it with its version", a.ID)
		}
		return 1, nil
	}
	return r.saved("agent", string(a.ID), a.Version, "", nil,
		`UPDATE agents SET version = version + 1, elig_rev = elig_rev + 1, rev = rev + 1, doc = ? WHERE ws = ? AND id = ?
			AND version = ?`,
		[]any{doc, r.ws, string(a.ID), a.Version})
}

// these returns the agents of the ids, ordered.
func (t *tx) these(ids []routing.AgentID) ([]routing.Agent, error) {
	var out []routing.Agent
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		a, err := t.agent(id)
		if err != nil {
			return nil, err
		}
		if a != nil {
			out = append(out, *a)
		}
	}
	return out, nil
}
