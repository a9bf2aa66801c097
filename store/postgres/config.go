package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

type config struct{ *tx }

// configChanged raises the configuration's version under the lock that keeps
// its guards and other changes waiting until this transaction ends.
func (t *tx) configChanged(ctx context.Context) error {
	if err := t.writable(); err != nil {
		return err
	}
	if err := t.holdConfig(ctx); err != nil {
		return err
	}
	t.news |= driver.NewsRouting
	return t.write(ctx, query(`UPDATE sd.config SET version = version + 1 WHERE ws = $1`, key(t.ws)))
}

// Hold implements routing.ConfigRepo: the lock goes to the server with the
// first read, before it.
func (c config) Hold(ctx context.Context) error {
	if err := c.writable(); err != nil {
		return err
	}
	return c.holdConfig(ctx)
}

// Configuration implements routing.ConfigRepo.
func (c config) Configuration(ctx context.Context, known int64) (routing.Configuration, error) {
	out := routing.Configuration{
		Desks: map[routing.DeskID]routing.Desk{}, Members: map[routing.DeskID][]routing.AgentID{},
		WorkStreams: map[routing.WorkStreamID]routing.WorkStream{}, Queues: map[routing.QueueID]routing.Queue{},
	}
	var desks []routing.Desk
	var streams []routing.WorkStream
	var queues []routing.Queue
	// One statement, so that version and contents are of one moment.
	each := func(r pgx.Rows) error {
		var what, desk, agent string
		var version int64
		var doc []byte
		err := r.Scan(&what, &version, &desk, &agent, &doc)
		if err != nil {
			return err
		}
		switch what {
		case "version":
			out.Version = version
		case "member":
			id := unkey[routing.DeskID](desk)
			out.Members[id] = append(out.Members[id], unkey[routing.AgentID](agent))
		case "desk":
			desks, err = decoded(desks, doc)
		case "stream":
			streams, err = decoded(streams, doc)
		case "queue":
			queues, err = decoded(queues, doc)
		}
		return err
	}
	err := c.read(ctx, query(`WITH new AS MATERIALIZED (SELECT version <> $2 AS rest FROM sd.config WHERE ws = $1)
		SELECT 'version', version, '', '', NULL::bytea FROM sd.config WHERE ws = $1
		UNION ALL SELECT 'member', 0, desk, agent, NULL FROM sd.desk_members WHERE ws = $1 AND (SELECT rest FROM new)
		UNION ALL SELECT 'desk', 0, id, '', doc FROM sd.desks WHERE ws = $1 AND (SELECT rest FROM new)
		UNION ALL SELECT 'stream', 0, id, '', doc FROM sd.work_streams WHERE ws = $1 AND (SELECT rest FROM new)
		UNION ALL SELECT 'queue', 0, id, '', doc FROM sd.queues WHERE ws = $1 AND (SELECT rest FROM new)`, key(c.ws), known).rows(each))
	for _, d := range desks {
		out.Desks[d.ID] = d
	}
	for _, w := range streams {
		out.WorkStreams[w.ID] = w
	}
	for _, q := range queues {
		out.Queues[q.ID] = q
	}
	for _, m := range out.Members {
		slices.Sort(m)
	}
	return out, err
}

func decoded[T any](list []T, doc []byte) ([]T, error) {
	v, err := decode[T](doc)
	return append(list, v), err
}

// desk is what the limits of a desk rest on.
type desk struct {
	found, member  bool
	seats, members int
}

// lockDesk takes the configuration's lock and reads the desk as it stands.
func (c config) lockDesk(ctx context.Context, id routing.DeskID, a routing.AgentID) (d desk, err error) {
	if err := c.configChanged(ctx); err != nil {
		return d, err
	}
	err = c.lock(ctx, query(`SELECT seats, members, EXISTS (SELECT 1 FROM sd.desk_members m WHERE m.ws = $1 AND m.desk = $2 AND m.agent = $3)
		FROM sd.desks WHERE ws = $1 AND id = $2`, key(c.ws), key(id), key(a)).rows(func(r pgx.Rows) error {
		d.found = true
		return r.Scan(&d.seats, &d.members, &d.member)
	}))
	return d, err
}

// SaveDesk implements routing.ConfigRepo.
func (c config) SaveDesk(ctx context.Context, v routing.Desk) error {
	if err := c.writable(); err != nil {
		return err
	}
	doc, err := encode(v)
	if err != nil {
		return err
	}
	d, err := c.lockDesk(ctx, v.ID, "")
	if err != nil {
		return err
	}
	if v.Seats < 0 || v.Seats > 0 && v.Seats < d.members {
		return errs.New(errs.Invalid, "store: the desk has %d agents; %d seats are too few, remove agents first", d.members, v.Seats)
	}
	return c.lock(ctx, query(`INSERT INTO sd.desks (ws, id, name, seats, doc) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (ws, id) DO UPDATE SET name = excluded.name, seats = excluded.seats, doc = excluded.doc`,
		key(c.ws), key(v.ID), key(v.Name), v.Seats, doc))
}

// AddMember implements routing.ConfigRepo.
func (c config) AddMember(ctx context.Context, id routing.DeskID, a routing.AgentID) error {
	if err := c.writable(); err != nil {
		return err
	}
	d, err := c.lockDesk(ctx, id, a)
	switch {
	case err != nil || d.member:
		return err
	case !d.found:
		return errNotFound("desk")
	case d.seats > 0 && d.members >= d.seats:
		return errDeskFull
	}
	return c.write(ctx,
		must(codeInvalid, "the desk is full", `UPDATE sd.desks SET members = members + 1 WHERE ws = $1 AND id = $2 AND (seats = 0 OR members < seats) RETURNING 1`, key(c.ws), key(id)),
		query(`INSERT INTO sd.desk_members (ws, desk, agent) VALUES ($1, $2, $3)`, key(c.ws), key(id), key(a)),
		c.eligibilityChanged([]routing.AgentID{a}))
}

var (
	errDeskFull  = errs.New(errs.Invalid, "store: the desk is full; raise its seats or remove an agent")
	errDeskFloor = errs.New(errs.Invalid, "store: the agent is the desk's last; add another one first")
)

// RemoveMember implements routing.ConfigRepo.
func (c config) RemoveMember(ctx context.Context, id routing.DeskID, a routing.AgentID) error {
	if err := c.writable(); err != nil {
		return err
	}
	d, err := c.lockDesk(ctx, id, a)
	switch {
	case err != nil || !d.member:
		return err
	case d.members <= 1:
		return errDeskFloor
	}
	return c.write(ctx,
		must(codeInvalid, "the agent is the last of the desk",
			`UPDATE sd.desks SET members = members - 1 WHERE ws = $1 AND id = $2 AND members > 1 RETURNING 1`, key(c.ws), key(id)),
		query(`DELETE FROM sd.desk_members WHERE ws = $1 AND desk = $2 AND agent = $3`, key(c.ws), key(id), key(a)),
		c.eligibilityChanged([]routing.AgentID{a}))
}

// eligibilityChanged raises EligRev of agents, in the order of their ids, which
// is the order of every lock on agents.
func (c config) eligibilityChanged(agents []routing.AgentID) stmt {
	return query(`WITH a AS (SELECT ws, id FROM sd.agents WHERE ws = $1 AND id = ANY($2) ORDER BY id FOR UPDATE)
		UPDATE sd.agents g SET elig_rev = elig_rev + 1, rev = rev + 1 FROM a WHERE g.ws = a.ws AND g.id = a.id`, key(c.ws), keys(agents))
}

// SaveWorkStream implements routing.ConfigRepo.
func (c config) SaveWorkStream(ctx context.Context, w routing.WorkStream) error {
	doc, err := encode(w)
	if err != nil {
		return err
	}
	if err := c.configChanged(ctx); err != nil {
		return err
	}
	return c.write(ctx, query(`INSERT INTO sd.work_streams (ws, id, doc) VALUES ($1, $2, $3)
		ON CONFLICT (ws, id) DO UPDATE SET doc = excluded.doc`, key(c.ws), key(w.ID), doc))
}

// SaveQueue implements routing.ConfigRepo.
func (c config) SaveQueue(ctx context.Context, q routing.Queue) error {
	doc, err := encode(q)
	if err != nil {
		return err
	}
	before, err := c.queueMembers(ctx, q.ID)
	if err != nil {
		return err
	}
	return c.write(ctx, query(`INSERT INTO sd.queues (ws, id, doc) VALUES ($1, $2, $3)
		ON CONFLICT (ws, id) DO UPDATE SET doc = excluded.doc`, key(c.ws), key(q.ID), doc),
		c.eligibilityChanged(difference(before, q.Members)))
}

// queueMembers takes the configuration's lock and reads a queue's members.
func (c config) queueMembers(ctx context.Context, id routing.QueueID) ([]routing.AgentID, error) {
	if err := c.configChanged(ctx); err != nil {
		return nil, err
	}
	found, err := many(ctx, c.tx, query(`SELECT doc FROM sd.queues WHERE ws = $1 AND id = $2`, key(c.ws), key(id)), document[routing.Queue])
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0].Members, nil
}

// difference lists who is in exactly one of the two.
func difference(a, b []routing.AgentID) []routing.AgentID {
	var out []routing.AgentID
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			out = append(out, x)
		}
	}
	return out
}
