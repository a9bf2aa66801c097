package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

type agents struct{ *tx }

// agentSet collects agents with their loads and turns.
type agentSet struct {
	list []routing.Agent
	at   map[string]int // id to index
}

// statements reads the agents that the condition selects (of the alias a; $1 is
// the workspace), with lock added to the first of them.
func (s *agentSet) statements(condition, lock string, args ...any) []stmt {
	s.at = map[string]int{}
	return []stmt{
		query(`SELECT a.id, a.version, a.presence, a.reason, a.elig_rev, a.rev, a.open, a.idle_since, a.doc
			FROM sd.agents a WHERE a.ws = $1 AND `+condition+` ORDER BY a.id`+lock, args...).rows(s.agent),
		query(`SELECT l.agent, l.profile, l.used FROM sd.agent_loads l JOIN sd.agents a ON a.ws = l.ws AND a.id = l.agent
			WHERE a.ws = $1 AND l.used <> 0 AND `+condition, args...).rows(s.load),
		query(`SELECT t.agent, t.queue, t.turn FROM sd.agent_turns t JOIN sd.agents a ON a.ws = t.ws AND a.id = t.agent
			WHERE a.ws = $1 AND `+condition, args...).rows(s.turn),
		query(`SELECT b.agent, b.at FROM sd.agent_beats b JOIN sd.agents a ON a.ws = b.ws AND a.id = b.agent
			WHERE a.ws = $1 AND a.presence <> 'offline' AND `+condition, args...).rows(s.beat),
	}
}

func (s *agentSet) agent(r pgx.Rows) error {
	var id, presence, reason string
	var version int64
	var st routing.AgentState
	var doc []byte
	if err := r.Scan(&id, &version, &presence, &reason, &st.EligRev, &st.Rev, &st.Open, &st.IdleSince, &doc); err != nil {
		return err
	}
	a, err := decode[routing.Agent](doc)
	st.Presence, st.Reason, st.IdleSince = unkey[routing.Presence](presence), unkey[string](reason), micro(st.IdleSince)
	st.Load, st.Turns = map[routing.Profile]int{}, map[routing.QueueID]int64{}
	a.Version, a.State = version, st
	s.at[id] = len(s.list)
	s.list = append(s.list, a)
	return err
}

// find returns the agent of an id as stored; one that was created since the
// first statement is not in the set.
func (s *agentSet) find(id string) *routing.Agent {
	if i, ok := s.at[id]; ok {
		return &s.list[i]
	}
	return nil
}

func (s *agentSet) load(r pgx.Rows) error {
	var id, profile string
	var used int
	err := r.Scan(&id, &profile, &used)
	if a := s.find(id); a != nil {
		a.State.Load[unkey[routing.Profile](profile)] = used
	}
	return err
}

func (s *agentSet) turn(r pgx.Rows) error {
	var id, queue string
	var turn int64
	err := r.Scan(&id, &queue, &turn)
	if a := s.find(id); a != nil {
		a.State.Turns[unkey[routing.QueueID](queue)] = turn
	}
	return err
}

func (s *agentSet) beat(r pgx.Rows) error {
	var id string
	var at time.Time
	err := r.Scan(&id, &at)
	if a := s.find(id); a != nil {
		a.State.BeatAt = micro(at)
	}
	return err
}

// Agents implements driver.AgentRepo.
func (a agents) Agents(ctx context.Context, ids []routing.AgentID) ([]routing.Agent, error) {
	if list, all := a.ahead.glanced(ids); all && a.usable() == nil {
		return list, nil
	}
	var s agentSet
	var err error
	switch {
	case ids == nil:
		err = a.read(ctx, s.statements("true", "", key(a.ws))...)
	case len(ids) == 1:
		err = a.read(ctx, s.statements("a.id = $2", "", key(a.ws), key(ids[0]))...)
	default:
		err = a.read(ctx, s.statements("a.id = ANY($2)", "", key(a.ws), keys(ids))...)
	}
	return s.list, err
}

// SaveAgent implements driver.AgentRepo. It goes to the server at once, so
// that a second creation is told here.
func (a agents) SaveAgent(ctx context.Context, v routing.Agent) (int64, error) {
	if err := a.writable(); err != nil {
		return 0, err
	}
	doc, err := encode(v)
	if err != nil {
		return 0, err
	}
	save := query(`INSERT INTO sd.agents (ws, id, version, presence, elig_rev, rev, idle_since, doc)
		VALUES ($1, $2, 1, 'offline', 1, 1, $3, $4)`, key(a.ws), key(v.ID), time.Time{}, doc)
	if v.Version != 0 {
		save = asClash("agent", `UPDATE sd.agents SET version = version + 1, elig_rev = elig_rev + 1, rev = rev + 1, doc = $3
			WHERE ws = $1 AND id = $2 AND version = $4 RETURNING 1`, key(a.ws), key(v.ID), doc, v.Version)
	}
	a.news |= driver.NewsRouting
	if err := a.forget(ctx); err != nil {
		return 0, err
	}
	return v.Version + 1, a.lock(ctx, save)
}

// stateRow is an agent's state but load and turns.
func stateRow(id string, st routing.AgentState) []any {
	return []any{id, key(st.Presence), key(st.Reason), st.EligRev, st.Rev, st.Open, st.IdleSince}
}
