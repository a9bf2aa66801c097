package console

import (
	"slices"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

// part is a key for one of several commands of a form.
func (q *request) partKey(name string) sangdam.Key {
	if k := q.key(); k != "" {
		return k + sangdam.Key(":"+name)
	}
	return ""
}

// storeAgent saves an agent and puts it on the desks that were chosen, and off
// the others.
func (q *request) storeAgent(a routing.Agent, desks []string) ([]sangdam.Warning, error) {
	saved, err := q.engine.SaveAgent(q.r.Context(), q.p, sangdam.SaveAgent{Key: q.key(), Agent: a})
	if err != nil {
		return nil, err
	}
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	for _, id := range sortedKeys(d.Desks) {
		if err := q.member(id, a.ID, slices.Contains(d.Members[id], a.ID), slices.Contains(desks, string(id))); err != nil {
			return nil, err
		}
	}
	return saved.Warnings, nil
}

// member puts an agent on a desk or takes it off.
func (q *request) member(desk routing.DeskID, agent routing.AgentID, was, is bool) error {
	key := q.partKey(string(desk) + ":" + string(agent))
	switch {
	case is && !was:
		return q.engine.AddToDesk(q.r.Context(), q.p, sangdam.AddToDesk{Key: key, Desk: desk, Agent: agent})
	case was && !is:
		return q.engine.RemoveFromDesk(q.r.Context(), q.p, sangdam.RemoveFromDesk{Key: key, Desk: desk, Agent: agent})
	}
	return nil
}
