package sqlite

import (
	"context"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// config implements routing.ConfigRepo.
type config struct{ *tx }

func (r config) Configuration(_ context.Context, known int64) (routing.Configuration, error) {
	c := routing.Configuration{
		Desks: map[routing.DeskID]routing.Desk{}, Members: map[routing.DeskID][]routing.AgentID{},
		WorkStreams: map[routing.WorkStreamID]routing.WorkStream{}, Queues: map[routing.QueueID]routing.Queue{},
	}
	var err error
	c.Version, _, err = r.number(`SELECT config_version FROM workspaces WHERE num = ?`, r.ws)
	if err != nil || c.Version == known {
		return c, err
	}
	desks, err := list(r.tx, scanDoc[routing.Desk], `SELECT doc FROM desks WHERE ws = ?`, r.ws)
	for _, d := range desks {
		c.Desks[d.ID] = d
	}
	if err != nil {
		return c, err
	}
	streams, err := list(r.tx, scanDoc[routing.WorkStream], `SELECT doc FROM work_streams WHERE ws = ?`, r.ws)
	for _, w := range streams {
		c.WorkStreams[w.ID] = w
	}
	if err != nil {
		return c, err
	}
	queues, err := list(r.tx, scanDoc[routing.Queue], `SELECT doc FROM queues WHERE ws = ?`, r.ws)
	for _, q := range queues {
		c.Queues[q.ID] = q
	}
	if err != nil {
		return c, err
	}
	return c, r.each(`SELECT desk, agent FROM desk_members WHERE ws = ? ORDER BY desk, agent`, func(w raw.Row) {
		d := routing.DeskID(w.Text(0))
		c.Members[d] = append(c.Members[d], routing.AgentID(w.Text(1)))
	}, r.ws)
}

// Hold implements routing.ConfigRepo: one Update runs at a time here.
func (r config) Hold(context.Context) error { return r.writable() }

func (r config) SaveDesk(_ context.Context, d routing.Desk) error {
	doc, err := encode(d)
	if err != nil {
		return err
	}
	if err := r.writable(); err != nil {
		return err
	}
	taken, err := r.exists(`SELECT 1 FROM desks WHERE ws = ? AND name = ? AND id <> ?`, r.ws, d.Name, string(d.ID))
	if err != nil {
		return err
	}
	if taken {
		return errs.New(errs.AlreadyExists, "sqlite: another desk has the name of desk %s; choose another", d.ID)
	}
	n, err := r.exec(`INSERT INTO desks (ws, id, name, seats, doc) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (ws, id) DO UPDATE SET name = excluded.name, seats = excluded.seats, doc = excluded.doc
		WHERE excluded.seats = 0 OR members <= excluded.seats`, r.ws, string(d.ID), d.Name, d.Seats, doc)
	if err != nil {
		return err
	}
	if n == 0 {
		return errs.New(errs.Invalid, "sqlite: desk %s has more members than %d seats; remove members first", d.ID, d.Seats)
	}
	return r.raiseConfig()
}

func (r config) SaveWorkStream(_ context.Context, w routing.WorkStream) error {
	doc, err := encode(w)
	if err != nil {
		return err
	}
	if err := r.change(`INSERT INTO work_streams (ws, id, doc) VALUES (?, ?, ?) ON CONFLICT (ws, id) DO UPDATE SET doc = excluded.doc`,
		r.ws, string(w.ID), doc); err != nil {
		return err
	}
	return r.raiseConfig()
}

func (r config) SaveQueue(_ context.Context, q routing.Queue) error {
	doc, err := encode(q)
	if err != nil {
		return err
	}
	old, err := r.queue(q.ID)
	if err != nil {
		return err
	}
	if err := r.change(`INSERT INTO queues (ws, id, doc) VALUES (?, ?, ?) ON CONFLICT (ws, id) DO UPDATE SET doc = excluded.doc`,
		r.ws, string(q.ID), doc); err != nil {
		return err
	}
	if err := r.raiseMembers(old, q.Members); err != nil {
		return err
	}
	return r.raiseConfig()
}

// queue returns the stored queue's members.
func (r config) queue(id routing.QueueID) ([]routing.AgentID, error) {
	q, err := maybe(r.tx, scanDoc[routing.Queue], `SELECT doc FROM queues WHERE ws = ? AND id = ?`, r.ws, string(id))
	if err != nil || q == nil {
		return nil, err
	}
	return q.Members, nil
}

// raiseMembers raises EligRev of those who are in one of the lists alone.
func (r config) raiseMembers(old, now []routing.AgentID) error {
	in := map[routing.AgentID]int{}
	for _, a := range old {
		in[a] |= 1
	}
	for _, a := range now {
		in[a] |= 2
	}
	for a, lists := range in {
		if lists == 3 {
			continue
		}
		if err := r.raiseElig(a); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) raiseElig(a routing.AgentID) error {
	return t.change(`UPDATE agents SET elig_rev = elig_rev + 1, rev = rev + 1 WHERE ws = ? AND id = ?`, t.ws, string(a))
}

// isMember also says whether there is such a desk.
func (r config) isMember(d routing.DeskID, a routing.AgentID) (bool, error) {
	var member bool
	ok, err := r.first(`SELECT EXISTS (SELECT 1 FROM desk_members m WHERE m.ws = d.ws AND m.desk = d.id AND m.agent = ?)
		FROM desks d WHERE d.ws = ? AND d.id = ?`, func(w raw.Row) { member = w.Bool(0) }, string(a), r.ws, string(d))
	if err == nil && !ok {
		err = errs.New(errs.NotFound, "sqlite: there is no desk %s", d)
	}
	return member, err
}

func (r config) AddMember(_ context.Context, d routing.DeskID, a routing.AgentID) error {
	if err := r.writable(); err != nil {
		return err
	}
	if member, err := r.isMember(d, a); err != nil || member {
		return err
	}
	n, err := r.exec(`UPDATE desks SET members = members + 1 WHERE ws = ? AND id = ? AND (seats = 0 OR members < seats)`, r.ws, string(d))
	if err != nil {
		return err
	}
	if n == 0 {
		return errs.New(errs.Invalid, "sqlite: all seats of desk %s are taken; raise its seats or remove a member", d)
	}
	if err := r.change(`INSERT INTO desk_members (ws, desk, agent) VALUES (?, ?, ?)`, r.ws, string(d), string(a)); err != nil {
		return err
	}
	return r.memberChanged(a)
}

func (r config) RemoveMember(_ context.Context, d routing.DeskID, a routing.AgentID) error {
	if err := r.writable(); err != nil {
		return err
	}
	if member, err := r.isMember(d, a); err != nil || !member {
		return err
	}
	n, err := r.exec(`UPDATE desks SET members = members - 1 WHERE ws = ? AND id = ? AND members > 1`, r.ws, string(d))
	if err != nil {
		return err
	}
	if n == 0 {
		return errs.New(errs.Invalid, "sqlite: agent %s is the last of desk %s; add another first", a, d)
	}
	if err := r.change(`DELETE FROM desk_members WHERE ws = ? AND desk = ? AND agent = ?`, r.ws, string(d), string(a)); err != nil {
		return err
	}
	return r.memberChanged(a)
}

func (r config) memberChanged(a routing.AgentID) error {
	if err := r.raiseElig(a); err != nil {
		return err
	}
	return r.raiseConfig()
}
